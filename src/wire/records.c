/* records.c - looking into the content of `records` without decoding it */
#include "wire/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/mpcheck.h"
#include "wire/spanset.h"

bool records_check(struct span records, uint64_t count, int64_t *found)
{
	const uint8_t *p = (const uint8_t *)records.p;
	struct mp_head head;

	*found = -1;
	if (mp_head_read(p, records.n, &head) != MP_OK || head.type != MP_ARRAY)
		return false;
	*found = (int64_t)head.count;
	return head.count == count && mp_is_whole(p, records.n);
}

/* A place in bytes that are known to be well formed. */
struct walk {
	const uint8_t *at, *end;
};

/* The next head, and the place behind it. */
static struct mp_head take_head(struct walk *w)
{
	struct mp_head head = { .type = MP_NIL };

	if (mp_head_read(w->at, (size_t)(w->end - w->at), &head) == MP_OK)
		w->at += head.size;
	else
		w->at = w->end;
	return head;
}

/* The next item as a string, its p NULL when it is none; the place behind it. */
static struct span take_string(struct walk *w)
{
	struct walk inside = *w;
	struct mp_head head = take_head(&inside);
	size_t size;

	if (head.type == MP_STR) {
		w->at = inside.at + head.count;
		return (struct span){ (const char *)inside.at, (size_t)head.count };
	}
	if (mp_item_walk(w->at, (size_t)(w->end - w->at), 1, &size, NULL) != MP_OK)
		size = (size_t)(w->end - w->at);
	w->at += size;
	return (struct span){ 0 };
}

/* The string record_id of the record at w, and the place behind the record. */
static struct span take_record_id(struct walk *w)
{
	struct walk inside = *w;
	struct mp_head head = take_head(&inside);
	struct span id = { 0 };

	if (head.type != MP_MAP) {
		take_string(w);
		return id;
	}
	for (uint64_t i = 0; i < head.count && inside.at < inside.end; i++) {
		bool is_id = span_is(take_string(&inside), "record_id");
		struct span value = take_string(&inside);

		if (is_id)
			id = value;
	}
	w->at = inside.at;
	return id;
}

static bool mark_ids(struct span records, const struct span_set *ids, bool *seen)
{
	const uint8_t *p = (const uint8_t *)records.p;
	struct walk w = { p, p + records.n };
	struct mp_head list = take_head(&w);

	if (list.type != MP_ARRAY)
		return false;
	for (uint64_t i = 0; i < list.count && w.at < w.end; i++) {
		struct span id = take_record_id(&w);
		size_t slot = id.p != NULL ? span_set_find(ids, id) : SIZE_MAX;

		if (slot != SIZE_MAX)
			seen[slot] = true;
	}
	return true;
}

bool records_have_ids(struct span records, const struct span *ids, size_t n, size_t *missing)
{
	struct span_set set;
	bool *seen = NULL;
	bool all = false;

	if (n == 0)
		return true;
	*missing = 0;
	if (!span_set_init(&set, n))
		goto finish;
	seen = calloc(set.capacity, sizeof(*seen));
	if (seen == NULL)
		goto finish;
	for (size_t i = 0; i < n; i++)
		span_set_put(&set, ids[i]);
	if (!mark_ids(records, &set, seen))
		goto finish;
	while (*missing < n && seen[span_set_find(&set, ids[*missing])])
		(*missing)++;
	all = *missing == n;
finish:
	free(seen);
	span_set_finish(&set);
	return all;
}

int records_pick(struct span records, const struct span *ids, size_t n, struct buf *out,
    uint64_t *count)
{
	const uint8_t *p = (const uint8_t *)records.p;
	struct walk w = { p, p + records.n };
	struct mp_head list = take_head(&w);
	struct span_set set;

	*count = 0;
	if (!span_set_init(&set, n))
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		span_set_put(&set, ids[i]);
	for (uint64_t i = 0; list.type == MP_ARRAY && i < list.count && w.at < w.end; i++) {
		const uint8_t *record = w.at;
		struct span id = take_record_id(&w);

		if (id.p == NULL || span_set_find(&set, id) == SIZE_MAX)
			continue;
		buf_put(out, record, (size_t)(w.at - record));
		(*count)++;
	}
	span_set_finish(&set);
	return out->failed ? ERR_NOMEM : 0;
}

bool records_find(struct span records, struct span id, uint64_t *index)
{
	const uint8_t *p = (const uint8_t *)records.p;
	struct walk w = { p, p + records.n };
	struct mp_head list = take_head(&w);

	/* Nearly every batch that is searched ends here, at the speed of memory. */
	if (list.type != MP_ARRAY || memmem(p, records.n, id.p, id.n) == NULL)
		return false;
	for (uint64_t i = 0; i < list.count && w.at < w.end; i++) {
		struct span found = take_record_id(&w);

		if (found.p == NULL || found.n != id.n || memcmp(found.p, id.p, id.n) != 0)
			continue;
		*index = i;
		return true;
	}
	return false;
}

size_t records_ids(struct span records, size_t *at, struct span *ids, size_t max)
{
	const uint8_t *p = (const uint8_t *)records.p;
	struct walk w = { p + *at, p + records.n };
	size_t n = 0;

	if (*at == 0 && take_head(&w).type != MP_ARRAY)
		return 0;
	while (n < max && w.at < w.end)
		ids[n++] = take_record_id(&w);
	*at = (size_t)(w.at - p);
	return n;
}
