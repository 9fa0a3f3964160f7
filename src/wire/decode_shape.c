/* decode_shape.c - a map is walked against the table of its fields */
#include "wire/decode_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The field of this name. Fields mostly come in the table's order: the search begins at *next. */
static const struct field *field_find(const struct shape *shape, struct span name, size_t *next)
{
	for (size_t tried = 0; tried < shape->count; tried++) {
		size_t i = *next < shape->count ? *next : 0;

		*next = i + 1;
		if (span_equal(name, shape->fields[i].name))
			return &shape->fields[i];
	}
	return NULL;
}

/* The field whose turn it is, if its name in the shortest form is what stands at `at`: the key. */
static const struct field *field_expected(const struct shape *shape, size_t next,
    const uint8_t *at, const uint8_t *end, struct item *key)
{
	const struct field *f = &shape->fields[next];

	if (next >= shape->count || f->name.n >= (size_t)(end - at) ||
	    at[0] != (0xa0 | f->name.n) || memcmp(at + 1, f->name.p, f->name.n) != 0)
		return NULL;
	*key = (struct item){
		.p = at, .n = 1 + f->name.n,
		.head = { .type = MP_STR, .count = f->name.n, .size = 1 },
	};
	return f;
}

/* A value that nobody reads. One that was read before is the header, the first of its map. */
static bool pass_over(const struct decoder *d, struct item *v)
{
	if (v->p == d->header.p)
		v->n = d->header.n;
	else if (mp_is_container(&v->head))
		return mp_item_walk(v->p, v->n, d->level + 1, &v->n, NULL) == MP_OK;
	return true;
}

static bool kind_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	switch (f->kind) {
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
		return value_read(d, v, f, base);
	}
}

static bool field_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	struct span *raw = member_or_null(base, f->raw);
	bool *has = member_or_null(base, f->has);

	if (f->kind == FIELD_READ_BEFORE)
		return pass_over(d, v);
	if (f->kind == FIELD_REFUSED)
		return refuse_value(d, v, f);
	if (f->optional && v->head.type == MP_NIL)
		return true;
	if (!kind_read(d, v, f, base))
		return false;
	if (raw != NULL)
		*raw = (struct span){ (const char *)v->p, v->n };
	if (has != NULL)
		*has = true;
	return true;
}

bool check_map(struct decoder *d, const struct item *map)
{
	char found[32];

	if (map->head.type != MP_MAP)
		return refuse(d, item_type_text(map), "a map");
	if (map->head.count <= MAP_KEYS_MAX)
		return true;
	snprintf(found, sizeof(found), "%" PRIu64 " keys", map->head.count);
	return refuse(d, found, "a map of at most %d keys", MAP_KEYS_MAX);
}

bool check_key(struct decoder *d, const struct item *key, size_t position)
{
	if (key->head.type == MP_STR)
		return true;
	path_push_position(d, position);
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
		path_push_key(d, item_text(&key));
		return refuse(d, "twice", "each key once");
	}
	return true;
}

/* No field that must be there was left out; `seen` has a bit for each that was there. */
static bool check_complete(struct decoder *d, const struct shape *shape, uint64_t seen)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *f = &shape->fields[i];

		if (f->optional || (seen >> i & 1) != 0)
			continue;
		path_push_key(d, f->name);
		return refuse_value(d, NULL, f);
	}
	return true;
}

/* How far the reading of a map has come. */
struct reading {
	uint64_t seen;		/* a bit for each field that was there */
	size_t next;		/* the field that comes next, if its order is the table's */
	unsigned unknown;	/* keys of no field */
};

/* One pair, whose key is a field's. */
static bool pair_read(struct decoder *d, const struct item *key, struct item *v,
    const struct shape *shape, const struct field *f, void *base, struct reading *r)
{
	const uint64_t bit = UINT64_C(1) << (f - shape->fields);

	path_push_key(d, item_text(key));
	if ((r->seen & bit) != 0)
		return refuse(d, "twice", "each key once");
	r->seen |= bit;
	if (!field_read(d, v, f, base))
		return false;
	path_pop(d);
	return true;
}

/* The pairs, from *at on. */
static bool pairs_read(struct decoder *d, const struct item *map, const uint8_t **at,
    const struct shape *shape, void *base, struct reading *r)
{
	const uint8_t *end = map->p + map->n;
	struct item key, v;

	for (size_t i = 0; i < map->head.count; i++) {
		const struct field *f = field_expected(shape, r->next, *at, end, &key);

		if (f == NULL) {
			if (!item_take(at, end, &key) || !check_key(d, &key, i))
				return false;
			f = field_find(shape, item_text(&key), &r->next);
		} else {
			r->next++;
			*at += key.n;
		}
		if (!item_open(*at, end, &v))
			return false;
		if (f == NULL ? !pass_over(d, &v) : !pair_read(d, &key, &v, shape, f, base, r))
			return false;
		r->unknown += f == NULL;
		*at += v.n;
	}
	return true;
}

bool shape_read(struct decoder *d, struct item *map, const struct shape *shape, void *base)
{
	const uint8_t *at = map->p + map->head.size;
	struct span *raw = member_or_null(base, shape->raw);
	struct reading r = { 0 };

	if (!check_map(d, map))
		return false;
	d->level++;
	if (!pairs_read(d, map, &at, shape, base, &r))
		return false;
	d->level--;
	map->n = (size_t)(at - map->p);
	/* What is known was seen above; two unknown keys may be the same one. */
	if (r.unknown > 1 && !check_keys_differ(d, map))
		return false;
	if (raw != NULL)
		*raw = (struct span){ (const char *)map->p, map->n };
	return check_complete(d, shape, r.seen);
}
