/* decode_shape.c - a map is walked against the table of its fields */
#include "wire/decode_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A key that was read: its field, NULL when it is of none; `behind` NULL when it is no key. */
struct key {
	const struct field *field;
	const uint8_t *behind;
};

/* In another form, or of no field. */
static struct key key_read_other(struct decoder *d, const uint8_t *at, const uint8_t *end,
    const struct shape *shape, size_t position)
{
	struct key read = { 0 };
	struct item key;

	if (!item_take(&at, end, &key) || !check_key(d, &key, position))
		return read;
	read.behind = at;
	for (size_t i = 0; key.head.size > 1 && i < shape->count && read.field == NULL; i++)
		if (span_equal(item_text(&key), shape->fields[i].name))
			read.field = &shape->fields[i];
	return read;
}

/*
 * The key at `at`. Fields, of which `last` is behind the last one, mostly come in the table's
 * order: the search begins at `next`.
 */
static struct key key_read(struct decoder *d, const uint8_t *at, const uint8_t *end,
    const struct shape *shape, const struct field *last, const struct field *next,
    size_t position)
{
	const struct field *f = next;

	do {
		if (is_key(at, end, f->name))
			return (struct key){ f, at + 1 + f->name.n };
		if (++f == last)
			f = shape->fields;
	} while (f != next);
	return key_read_other(d, at, end, shape, position);
}

/* A value that nobody reads. One that was read before is the header, the first of its map. */
static bool pass_over(const struct decoder *d, struct item *v)
{
	if (v->p == d->header.p)
		v->n = d->header.n;
	else if (mp_is_container(&v->head))
		return mp_item_walk(v->p, v->n, d->depth + 1, &v->n, NULL) == MP_OK;
	return true;
}

/* The kinds that are no value. */
static bool kind_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	switch (f->kind) {
	case FIELD_READ_BEFORE:
		return pass_over(d, v);
	case FIELD_REFUSED:
		return refuse_value(d, v, f);
	case FIELD_MAP:
		return shape_read(d, v, f->shape, f->into > 0 ? member(base, f->into) : base);
	case FIELD_LIST:
		return list_read(d, v, f, base);
	case FIELD_INTEGERS:
		return integers_read(d, v, f, base);
	case FIELD_STRINGS:
		return strings_read(d, v, f, base);
	case FIELD_COUNTS:
		return counts_read(d, v, f);
	case FIELD_WALKED:
		return check_map(d, v) && pass_over(d, v);
	default:
		return false;	/* there is no other */
	}
}

static bool field_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	if (v->head.type == MP_NIL && f->optional && f->kind != FIELD_REFUSED)
		return true;
	/* Most are values, which need no switch, and whose bytes nobody keeps. */
	if (f->kind < FIELD_VALUE_KINDS) {
		if (!value_read(d, v, f, base))
			return false;
	} else {
		if (!kind_read(d, v, f, base))
			return false;
		if (f->raw > 0)
			*(struct span *)member(base, f->raw) =
			    (struct span){ (const char *)v->p, v->n };
	}
	if (f->has > 0)
		*(bool *)member(base, f->has) = true;
	return true;
}

bool refuse_map(struct decoder *d, const struct item *map)
{
	char found[32];

	if (map->head.type != MP_MAP)
		return refuse(d, item_type_text(map), "a map");
	snprintf(found, sizeof(found), "%" PRIu64 " keys", map->head.count);
	return refuse(d, found, "a map of at most %d keys", MAP_KEYS_MAX);
}

bool check_key(struct decoder *d, const struct item *key, size_t position)
{
	if (key->head.type == MP_STR)
		return true;
	path_at_position(d, position);
	return refuse(d, item_type_text(key), "a string as the key at this position");
}

bool check_keys_differ(struct decoder *d, const struct item *map)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *end = map->p + map->n;
	struct item key, value;

	span_set_clear(&d->keys);
	while (at < end && item_take(&at, end, &key) && item_take(&at, end, &value)) {
		if (span_set_put(&d->keys, item_text(&key)))
			continue;
		path_enter(d);
		path_at_key(d, item_text(&key));
		return refuse(d, "twice", "each key once");
	}
	return true;
}

/* No field that must be there was left out; `seen` has a bit for each that was there. */
static bool check_complete(struct decoder *d, const struct shape *shape, uint64_t seen)
{
	uint64_t unseen = ~seen & (UINT64_MAX >> (64 - shape->count));

	for (; unseen != 0; unseen &= unseen - 1) {
		const struct field *f = &shape->fields[__builtin_ctzll(unseen)];

		if (f->optional)
			continue;
		path_enter(d);
		path_at_key(d, f->name);
		return refuse_value(d, NULL, f);
	}
	return true;
}

/* What was seen in a map. */
struct seen {
	uint64_t fields;	/* a bit for each that was there */
	unsigned unknown;	/* keys of no field */
};

/* The pairs of a map, whose n is set then. */
static bool pairs_read(struct decoder *d, struct item *map, const struct shape *shape, void *base,
    struct path_step *step, struct seen *seen)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *const end = map->p + map->n;
	const struct field *const last = shape->fields + shape->count;
	const struct field *next = shape->fields;
	const size_t count = map->head.count;
	struct item v;

	for (size_t i = 0; i < count; i++) {
		const struct key key = key_read(d, at, end, shape, last, next, i);
		const struct field *f = key.field;

		if (key.behind == NULL || !item_open(key.behind, end, &v))
			return false;
		if (f == NULL) {
			seen->unknown++;
			if (!pass_over(d, &v))
				return false;
		} else {
			const uint64_t bit = UINT64_C(1) << (f - shape->fields);

			step->key = f->name;
			if ((seen->fields & bit) != 0)
				return refuse(d, "twice", "each key once");
			seen->fields |= bit;
			if (!field_read(d, &v, f, base))
				return false;
			next = f + 1 < last ? f + 1 : shape->fields;
		}
		at = v.p + v.n;
	}
	map->n = (size_t)(at - map->p);
	return true;
}

bool shape_read(struct decoder *d, struct item *map, const struct shape *shape, void *base)
{
	struct seen seen = { 0 };
	struct path_step *step;

	if (!check_map(d, map))
		return false;
	step = path_enter(d);
	if (!pairs_read(d, map, shape, base, step, &seen))
		return false;
	path_leave(d);
	/* What is known was seen above; two unknown keys may be the same one. */
	if (seen.unknown > 1 && !check_keys_differ(d, map))
		return false;
	if (shape->raw > 0)
		*(struct span *)member(base, shape->raw) =
		    (struct span){ (const char *)map->p, map->n };
	return check_complete(d, shape, seen.fields);
}
