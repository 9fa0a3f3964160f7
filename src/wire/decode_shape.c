/* decode_shape.c - a map is walked against the table of its fields */
#include "wire/decode_internal.h"

#include <inttypes.h>
#include <stdio.h>

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
		return strings_read(d, v, f);
	case FIELD_COUNTS:
		return counts_read(d, v, f);
	default:
		return value_read(d, v, f, base);
	}
}

/* One that was read before is the header, the first of its map. */
static bool pass_over(const struct decoder *d, struct item *v)
{
	if (v->p != d->header.p)
		return item_close(v);
	v->n = d->header.n;
	return true;
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

/* One pair whose key is a field's; `seen` has a bit for each that was there. */
static bool pair_read(struct decoder *d, const struct item *key, struct item *v,
    const struct shape *shape, const struct field *f, uint64_t *seen, void *base)
{
	uint64_t bit = UINT64_C(1) << (f - shape->fields);

	path_push_key(d, item_text(key));
	if ((*seen & bit) != 0)
		return refuse(d, "twice", "each key once");
	*seen |= bit;
	if (!field_read(d, v, f, base))
		return false;
	path_pop(d);
	return true;
}

bool shape_read(struct decoder *d, struct item *map, const struct shape *shape, void *base)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *end = map->p + map->n;
	struct span *raw = member_or_null(base, shape->raw);
	uint64_t seen = 0;
	size_t next = 0;
	unsigned unknown = 0;
	struct item key, v;

	if (!check_map(d, map))
		return false;
	for (size_t i = 0; i < map->head.count; i++) {
		const struct field *f;

		if (!item_take(&at, end, &key) || !check_key(d, &key, i))
			return false;
		if (!item_open(at, end, &v))
			return false;
		f = field_find(shape, item_text(&key), &next);
		if (f == NULL)
			unknown++;
		if (f == NULL ? !item_close(&v)
		              : !pair_read(d, &key, &v, shape, f, &seen, base))
			return false;
		at += v.n;
	}
	map->n = (size_t)(at - map->p);
	/* What is known was seen above; two unknown keys may be the same one. */
	if (unknown > 1 && !check_keys_differ(d, map))
		return false;
	if (raw != NULL)
		*raw = (struct span){ (const char *)map->p, map->n };
	return check_complete(d, shape, seen);
}
