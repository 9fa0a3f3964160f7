/*
 * records.c - records, and lists of them
 *
 *	 | room for the head | record | record | …
 *
 * The list's head tells how many come, and is written in its shortest form right before the first
 * record when the list is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "wire/mpcheck.h"

#define HEAD_ROOM 5
#define FIXED_LIST_MAX 15

/* --- one record ------------------------------------------------------------------------------ */

/* The string at *at, p NULL when there is another thing; moves behind the item. */
static bool take_text(const uint8_t **at, const uint8_t *end, struct span *text)
{
	struct mp_head head;
	size_t size;

	*text = (struct span){ 0 };
	if (mp_head_read(*at, (size_t)(end - *at), &head) != MP_OK)
		return false;
	if (head.type == MP_STR)
		*text = (struct span){ (const char *)*at + head.size, (size_t)head.count };
	if (mp_item_walk(*at, (size_t)(end - *at), 3, &size, NULL) != MP_OK)
		return false;
	*at += size;
	return true;
}

bool record_check(const void *record, size_t len, bool *is_critical)
{
	const uint8_t *at = record, *end = at + len;
	struct span key, value;
	struct mp_head head;
	bool has_id = false;

	*is_critical = false;
	if (mp_head_read(at, len, &head) != MP_OK || head.type != MP_MAP)
		return false;
	at += head.size;
	for (uint64_t i = 0; i < head.count; i++) {
		if (!take_text(&at, end, &key) || !take_text(&at, end, &value))
			return false;
		if (span_is(key, "record_id"))
			has_id = value.p != NULL;
		else if (span_is(key, "priority"))
			*is_critical = span_is(value, "CRITICAL");
	}
	return at == end && has_id;
}

/* --- a list of them -------------------------------------------------------------------------- */

void records_init(struct handoff_records *r)
{
	buf_init(&r->bytes, 0);
	r->count = 0;
}

void records_finish(struct handoff_records *r)
{
	buf_finish(&r->bytes);
	r->count = 0;
}

bool records_put(struct handoff_records *r, const void *record, size_t len)
{
	static const uint8_t room[HEAD_ROOM];
	const size_t before = r->bytes.len;

	if (before == 0)
		buf_put(&r->bytes, room, sizeof(room));
	buf_put(&r->bytes, record, len);
	if (r->bytes.failed) {
		r->bytes.failed = false;
		r->bytes.len = before;
		return false;
	}
	r->count++;
	return true;
}

size_t records_size_with(const struct handoff_records *r, size_t len)
{
	return (r->bytes.len > 0 ? r->bytes.len : HEAD_ROOM) + len;
}

/* Writes the head so that it ends before the first record; its size. */
static size_t put_head(uint8_t room[HEAD_ROOM], uint64_t count)
{
	if (count <= FIXED_LIST_MAX) {
		room[4] = (uint8_t)(0x90 | count);
		return 1;
	}
	room[4] = (uint8_t)count;
	room[3] = (uint8_t)(count >> 8);
	if (count <= UINT16_MAX) {
		room[2] = 0xdc;
		return 3;
	}
	room[2] = (uint8_t)(count >> 16);
	room[1] = (uint8_t)(count >> 24);
	room[0] = 0xdd;
	return 5;
}

struct span records_list(struct handoff_records *r)
{
	static const char empty[] = { (char)0x90 };
	uint8_t *bytes = buf_bytes(&r->bytes);
	size_t head;

	if (r->count == 0)
		return (struct span){ empty, sizeof(empty) };
	head = put_head(bytes, r->count);
	return (struct span){ (char *)bytes + HEAD_ROOM - head, r->bytes.len - HEAD_ROOM + head };
}

/* --- for the caller -------------------------------------------------------------------------- */

struct handoff_records *handoff_records_create(void)
{
	return calloc(1, sizeof(struct handoff_records));
}

void handoff_records_destroy(struct handoff_records *r)
{
	if (r == NULL)
		return;
	records_finish(r);
	free(r);
}

int handoff_records_add(struct handoff_records *r, const void *record, size_t len)
{
	bool is_critical;

	if (!record_check(record, len, &is_critical))
		return HANDOFF_INVALID;
	if (r->count == UINT32_MAX || !records_put(r, record, len))
		return HANDOFF_NO_MEMORY;
	return 0;
}

size_t handoff_records_count(const struct handoff_records *r)
{
	return (size_t)r->count;
}

const void *handoff_records_bytes(struct handoff_records *r, size_t *len)
{
	struct span list = records_list(r);

	*len = list.n;
	return list.p;
}

void handoff_records_clear(struct handoff_records *r)
{
	buf_clear(&r->bytes);
	r->count = 0;
}
