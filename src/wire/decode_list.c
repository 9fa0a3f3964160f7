/* decode_list.c - lists, and maps whose keys are content */
#include "wire/decode_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_FIRST_ITEMS 4

/* Structs in the arena, as many as have passed. */
struct list {
	char *items;
	size_t n;
	size_t room;
};

/*
 * The place of one more struct, zeroed; NULL when memory is refused. Memory grows with what has
 * passed, never by what a list's head announces. What is outgrown stays in the arena until the next
 * message.
 */
static void *list_add(struct decoder *d, struct list *l, size_t size)
{
	if (l->n == l->room) {
		size_t room = l->room > 0 ? l->room * 2 : LIST_FIRST_ITEMS;
		char *items = room < SIZE_MAX / size ? arena_take(&d->lists, room * size)
						     : NULL;

		if (items == NULL)
			return NULL;
		if (l->n > 0)
			memcpy(items, l->items, l->n * size);
		l->items = items;
		l->room = room;
	}
	return memset(l->items + l->n++ * size, 0, size);
}

static bool refuse_memory(struct decoder *d)
{
	return refuse(d, "more than there is memory for", "a shorter list");
}

bool list_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	const uint8_t *at = v->p + v->head.size;
	const uint8_t *end = v->p + v->n;
	struct list list = { 0 };
	struct item element;
	size_t *count = member(base, f->count);

	if (v->head.type != MP_ARRAY)
		return refuse_value(d, v, f);
	if (v->head.count < f->min)
		return refuse(d, "nothing in it", "a list, not empty");
	path_enter(d);
	for (size_t i = 0; i < v->head.count; i++) {
		void *place = list_add(d, &list, f->shape->size);

		path_at_position(d, i);
		if (place == NULL)
			return refuse_memory(d);
		if (!item_open(at, end, &element) || !shape_read(d, &element, f->shape, place))
			return false;
		at += element.n;
	}
	path_leave(d);
	v->n = (size_t)(at - v->p);
	memcpy(member(base, f->into), &list.items, sizeof(list.items));
	*count = list.n;
	return f->agree == NULL || f->agree(d, list.items, list.n);
}

bool integers_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	static const struct field integer = { .kind = FIELD_INTEGER, .into = 1 };
	const uint8_t *at = v->p + v->head.size;
	const uint8_t *end = v->p + v->n;
	struct list list = { 0 };
	struct item element;
	size_t *count = member(base, f->count);
	char found[32];

	if (v->head.type != MP_ARRAY)
		return refuse_value(d, v, f);
	if (v->head.count > f->max) {
		snprintf(found, sizeof(found), "%" PRIu64 " of them", v->head.count);
		return refuse(d, found, "a list of at most %" PRIu32 " integers", f->max);
	}
	path_enter(d);
	for (size_t i = 0; i < v->head.count; i++) {
		void *place = list_add(d, &list, sizeof(uint64_t));

		path_at_position(d, i);
		if (place == NULL)
			return refuse_memory(d);
		if (!item_take(&at, end, &element) || !value_read(d, &element, &integer, place))
			return false;
	}
	path_leave(d);
	v->n = (size_t)(at - v->p);
	memcpy(member(base, f->into), &list.items, sizeof(list.items));
	*count = list.n;
	return true;
}

bool strings_read(struct decoder *d, struct item *v, const struct field *f, void *base)
{
	static const struct field kept = { .kind = FIELD_STRING, .into = 1 };
	static const struct field checked = { .kind = FIELD_STRING };
	const struct field *string = f->into > 0 ? &kept : &checked;
	const uint8_t *at = v->p + v->head.size;
	const uint8_t *end = v->p + v->n;
	struct list list = { 0 };
	struct item element;

	if (v->head.type != MP_ARRAY)
		return refuse_value(d, v, f);
	path_enter(d);
	for (size_t i = 0; i < v->head.count; i++) {
		void *place = f->into > 0 ? list_add(d, &list, sizeof(struct span)) : NULL;

		path_at_position(d, i);
		if (f->into > 0 && place == NULL)
			return refuse_memory(d);
		if (!item_take(&at, end, &element) || !value_read(d, &element, string, place))
			return false;
	}
	path_leave(d);
	v->n = (size_t)(at - v->p);
	if (f->into > 0) {
		memcpy(member(base, f->into), &list.items, sizeof(list.items));
		*(size_t *)member(base, f->count) = list.n;
	}
	return true;
}

bool counts_read(struct decoder *d, struct item *v, const struct field *f)
{
	static const struct field integer = { .kind = FIELD_INTEGER };
	const uint8_t *at = v->p + v->head.size;
	const uint8_t *end = v->p + v->n;
	struct item key, value;

	if (v->head.type != MP_MAP)
		return refuse_value(d, v, f);
	if (!check_map(d, v))
		return false;
	path_enter(d);
	for (size_t i = 0; i < v->head.count; i++) {
		if (!item_take(&at, end, &key) || !check_key(d, &key, i))
			return false;
		path_at_key(d, item_text(&key));
		if (!item_take(&at, end, &value) || !value_read(d, &value, &integer, NULL))
			return false;
	}
	path_leave(d);
	v->n = (size_t)(at - v->p);
	return check_keys_differ(d, v);
}

struct lease_place {
	uint64_t lease;
	size_t position;
};

static int lease_place_compare(const void *a, const void *b)
{
	const struct lease_place *x = a, *y = b;

	if (x->lease != y->lease)
		return x->lease < y->lease ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

bool leases_differ(struct decoder *d, const void *list, size_t n)
{
	const struct message_ack *completes = list;
	struct lease_place *places;

	if (n < 2)
		return true;
	places = arena_take(&d->lists, n * sizeof(*places));
	if (places == NULL)
		return refuse_memory(d);
	for (size_t i = 0; i < n; i++)
		places[i] = (struct lease_place){ completes[i].lease, i };
	qsort(places, n, sizeof(*places), lease_place_compare);
	for (size_t i = 1; i < n; i++) {
		if (places[i].lease != places[i - 1].lease)
			continue;
		path_enter(d);
		path_at_position(d, places[i].position);
		path_enter(d);
		path_at_key(d, span_of("lease"));
		return refuse(d, "twice", "each lease once");
	}
	return true;
}

static bool differ_within(struct decoder *d, const struct message_record_delivery *results,
    size_t n, struct span_set *set)
{
	for (size_t i = 0; i < n; i++) {
		if (span_set_put(set, results[i].record_id))
			continue;
		path_enter(d);
		path_at_position(d, i);
		path_enter(d);
		path_at_key(d, span_of("record_id"));
		return refuse(d, "twice", "each record_id once");
	}
	return true;
}

bool record_ids_differ(struct decoder *d, const void *list, size_t n)
{
	struct span_set set;
	bool differ;

	/* The set for keys is at hand: no map is being compared while a list is judged. */
	if (n <= MAP_KEYS_MAX) {
		span_set_clear(&d->keys);
		return differ_within(d, list, n, &d->keys);
	}
	if (!span_set_init(&set, n))
		return refuse_memory(d);
	differ = differ_within(d, list, n, &set);
	span_set_finish(&set);
	return differ;
}
