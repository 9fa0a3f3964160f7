/* codec.h - numbers and bytes in and out of a record: for record.c and record_journal.c alone */
#ifndef HANDOFF_STORE_CODEC_H
#define HANDOFF_STORE_CODEC_H

#include <string.h>

#include "base/digest.h"
#include "store/number.h"
#include "store/record.h"

/*
 *	+---------+------------------------------+--------------+-----------+
 *	| version | fields in the order below    | long things  | CRC-32C   |
 *	+---------+------------------------------+--------------+-----------+
 *
 * A cursor that remembers its first failure runs over the bytes, so that encoding and decoding of a
 * record are two straight lists in the same order.
 */
struct writer {
	uint8_t *start, *at;
};

static inline void put(struct writer *w, const void *p, size_t n)
{
	memcpy(w->at, p, n);
	w->at += n;
}

static inline void put_number(struct writer *w, uint64_t v, size_t n)
{
	w->at = put_le(w->at, v, n);
}

static inline struct writer writer_begin(uint8_t *out)
{
	struct writer w = { out, out };

	put_number(&w, RECORD_VERSION, 1);
	return w;
}

static inline size_t writer_end(struct writer *w)
{
	put_number(w, crc32c(0, w->start, (size_t)(w->at - w->start)), 4);
	return (size_t)(w->at - w->start);
}

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static inline const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if (r->failed || (size_t)(r->end - r->at) < n) {
		r->failed = true;
		return NULL;
	}
	r->at += n;
	return p;
}

static inline void take_bytes(struct reader *r, void *out, size_t n)
{
	const uint8_t *p = take(r, n);

	if (p)
		memcpy(out, p, n);
}

static inline uint64_t take_number(struct reader *r, size_t n)
{
	const uint8_t *p = take(r, n);

	return p ? get_le(p, n) : 0;
}

static inline struct reader reader_begin(const uint8_t *p, size_t n)
{
	struct reader r = { p, p, true };

	if (n < 5)
		return r;
	struct reader tail = { p + n - 4, p + n, false };
	if (take_number(&tail, 4) != crc32c(0, p, n - 4))
		return r;
	r.end = p + n - 4;
	r.failed = false;
	if (take_number(&r, 1) != RECORD_VERSION)
		r.failed = true;
	return r;
}

static inline int reader_end(const struct reader *r)
{
	return r->failed || r->at != r->end ? ERR_CORRUPT : 0;
}

static inline void take_correlation(struct reader *r, uint16_t *len, char *out)
{
	uint64_t n = take_number(r, 2);

	if (n > RECORD_CORRELATION_MAX)
		r->failed = true;
	*len = r->failed ? 0 : (uint16_t)n;
	take_bytes(r, out, *len);
}

#endif
