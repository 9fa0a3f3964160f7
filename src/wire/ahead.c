/* ahead.c - the SHA-256 of a long frame's records, made while they come */
#include "wire/ahead.h"

#include <assert.h>
#include <stdlib.h>

#include "base/digest.h"
#include "wire/decode_internal.h"

#define FIND_BYTES 65536	/* of the frame; records that begin behind are not looked for */

struct ahead {
	size_t at, n;		/* the content of `records`; n 0: it was not found */
	size_t done;		/* bytes of it that were hashed */
	struct sha256 *hash;	/* NULL when it is over */
	uint8_t digest[SHA256_BYTES];
};

/* The content of a bin that is long, as long as it says it is. */
static bool long_bin_open(const uint8_t *p, const uint8_t *end, struct span *content)
{
	if (end - p < 5 || p[0] != 0xc6)
		return false;
	*content = (struct span){ (const char *)p + 5,
		(size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4] };
	return true;
}

/* Where the records begin, seen from a frame's first bytes. */
static bool find_records(const uint8_t *p, const uint8_t *end, struct span *records)
{
	struct mp_head map;
	size_t size;

	if (mp_head_read(p, (size_t)(end - p), &map) != MP_OK || map.type != MP_MAP)
		return false;
	p += map.size;
	for (uint64_t pair = 0; pair < map.count; pair++) {
		bool is_it = is_key(p, end, span_of("records"));

		if (mp_item_walk(p, (size_t)(end - p), 2, &size, NULL) != MP_OK)
			return false;
		p += size;
		if (is_it)
			return long_bin_open(p, end, records);
		if (mp_item_walk(p, (size_t)(end - p), 2, &size, NULL) != MP_OK)
			return false;
		p += size;
	}
	return false;
}

static struct ahead *begin(const struct frame *f)
{
	struct ahead *a = calloc(1, sizeof *a);
	struct span records;

	if (a && find_records(f->data, f->data + f->len, &records) && (a->hash = sha256_begin())) {
		a->at = (size_t)((const uint8_t *)records.p - f->data);
		a->n = records.n;
	}
	return a;
}

void ahead_follow(struct frame *f)
{
	if (!f->ahead && f->len >= FIND_BYTES)
		f->ahead = begin(f);
	struct ahead *a = f->ahead;
	if (!a || !a->hash || f->len <= a->at + a->done)
		return;
	size_t come = f->len - a->at - a->done, left = a->n - a->done;
	size_t n = come < left ? come : left;
	sha256_add(a->hash, f->data + a->at + a->done, n);
	a->done += n;
	if (a->done == a->n) {
		sha256_end(a->hash, a->digest);
		a->hash = NULL;
	}
}

void ahead_digest(const struct frame *f, struct span part, uint8_t out[SHA256_BYTES])
{
	const struct ahead *a = f->ahead;
	bool is_made = a && a->n > 0 && a->done == a->n;

	if (is_made && (const uint8_t *)part.p == f->data + a->at && part.n == a->n)
		memcpy(out, a->digest, SHA256_BYTES);
	else
		sha256(part.p, part.n, out);
}

void ahead_free(struct ahead *a)
{
	if (a && a->hash)
		sha256_end(a->hash, NULL);
	free(a);
}
