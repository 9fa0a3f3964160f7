/*
 * payload.c - the records of a batch
 *
 * All batches have the same ones, so that making them costs little beside what is measured.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "bench.h"

#define ID_DIGITS 8

static void put_text(struct buf *b, const char *text)
{
	const size_t n = strlen(text);

	buf_put(b, &(uint8_t){ (uint8_t)(0xa0 | n) }, 1);		/* fixstr */
	buf_put(b, text, n);
}

/* {record_id, data}, of exactly so many bytes. */
static void put_record(struct buf *b, uint64_t number, size_t bytes)
{
	const size_t begin = b->len;
	uint8_t head[5] = { 0xc6 };					/* bin 32 */
	char id[ID_DIGITS + 1];
	uint8_t *data;
	size_t n;

	snprintf(id, sizeof(id), "%0*" PRIu64, ID_DIGITS, number % 100000000);
	buf_put(b, (const uint8_t[]){ 0x82 }, 1);			/* map of 2 */
	put_text(b, "record_id");
	put_text(b, id);
	put_text(b, "data");
	if (bytes < b->len - begin + sizeof(head))
		die("a record has at least %zu bytes", b->len - begin + sizeof(head));
	n = bytes - (b->len - begin) - sizeof(head);
	frame_length_put(head + 1, (uint32_t)n);
	buf_put(b, head, sizeof(head));
	data = buf_reserve(b, n);
	if (data == NULL)
		die("no memory for a record of %zu bytes", bytes);
	memset(data, 'x', n);
	buf_grow(b, n);
}

/* Array 16 where fixarray does not suffice. */
static void put_list(struct buf *b, uint64_t n)
{
	if (n == 0 || n > UINT16_MAX)
		die("a batch has 1 to %u records", UINT16_MAX);
	if (n < 16)
		buf_put(b, &(uint8_t){ (uint8_t)(0x90 | n) }, 1);
	else
		buf_put(b, (const uint8_t[]){ 0xdc, (uint8_t)(n >> 8), (uint8_t)n }, 3);
}

void payload_init(struct payload *p, uint64_t records, size_t bytes)
{
	size_t left;

	*p = (struct payload){ .count = records };
	buf_init(&p->records, 0);
	put_list(&p->records, records);
	if (bytes < p->records.len)
		die("a batch has more than %zu bytes", bytes);
	left = bytes - p->records.len;
	for (uint64_t i = records; i > 0; i--) {
		const size_t share = left / i;

		put_record(&p->records, i, share);
		left -= share;
	}
	sha256(buf_bytes(&p->records), p->records.len, p->checksum);
}

void payload_finish(struct payload *p)
{
	buf_finish(&p->records);
}
