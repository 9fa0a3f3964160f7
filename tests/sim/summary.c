/* summary.c - what a delivery must say of its records: all that was told of them under its id */
#include <string.h>

#include "sim.h"

/*
 * protocol.md section 5: BatchErrorSummary with at most 1000 ids and 48 KiB, and true counts. It is
 * read here by hand, and compared with the rows of the model's error queue.
 */
#define IDS_MAX 1000
#define CODES_MAX 64			/* more are counted together, as "other" */
#define BYTES_MAX (48 * 1024)
#define IDS_BYTES 40000			/* so many bytes of ids fit in any case */

/* --- MessagePack ------------------------------------------------------------------------------ */

struct reader {
	const struct world *w;
	const uint8_t *at, *end;
};

static uint64_t big_endian(struct reader *r, size_t n)
{
	uint64_t value = 0;

	if ((size_t)(r->end - r->at) < n)
		broke(r->w, "a summary is cut off");
	while (n-- > 0)
		value = value << 8 | *r->at++;
	return value;
}

/* A head in its short form, `bits` of it the count, or with one, two bytes (or more) behind. */
static uint64_t head(struct reader *r, uint8_t fixed, unsigned bits, uint8_t first, size_t width)
{
	uint8_t byte = (uint8_t)big_endian(r, 1);

	if (byte >> bits == fixed >> bits)
		return byte & ((1u << bits) - 1);
	for (; width <= 8; width *= 2, first++)
		if (byte == first)
			return big_endian(r, width);
	broke(r->w, "a summary has 0x%02x where something else belongs", byte);
}

static uint64_t read_map(struct reader *r)
{
	return head(r, 0x80, 4, 0xde, 2);
}

static uint64_t read_list(struct reader *r)
{
	return head(r, 0x90, 4, 0xdc, 2);
}

static uint64_t read_number(struct reader *r)
{
	return head(r, 0x00, 7, 0xcc, 1);
}

static struct span read_text(struct reader *r)
{
	uint64_t n = head(r, 0xa0, 5, 0xd9, 1);
	struct span text = { (const char *)r->at, (size_t)n };

	if ((uint64_t)(r->end - r->at) < n)
		broke(r->w, "a summary is cut off");
	r->at += n;
	return text;
}

static void expect_key(struct reader *r, const char *key)
{
	struct span text = read_text(r);

	if (!span_is(text, key))
		broke(r->w, "a summary has %.*s where %s belongs", (int)text.n, text.p, key);
}

/* --- what is known ---------------------------------------------------------------------------- */

struct known {
	const struct heard *rows[HEARD_MAX];
	bool is_listed[HEARD_MAX];
	size_t count;
};

static bool is_first(const struct known *k, size_t n)
{
	for (size_t before = 0; before < n; before++)
		if (strcmp(k->rows[before]->record_id, k->rows[n]->record_id) == 0)
			return false;
	return true;
}

static void collect(const struct world *w, int parcel, struct known *k)
{
	char correlation[32];

	k->count = 0;
	message_correlation(w->parcels[parcel].correlation, correlation);
	for (int n = w->model.heard_first; n < w->model.heard_top; n++) {
		const struct heard *h = errors_row(n);

		if (h->scope == SCOPE_RECORD && strcmp(h->correlation, correlation) == 0)
			k->rows[k->count++] = h;
	}
}

static uint64_t count_code(const struct known *k, struct span code)
{
	uint64_t n = 0;

	for (size_t at = 0; at < k->count; at++)
		n += span_is(code, k->rows[at]->code);
	return n;
}

/* --- and said --------------------------------------------------------------------------------- */

static void check_codes(struct reader *r, const struct known *k, int parcel)
{
	uint64_t codes = read_map(r), sum = 0;

	if (codes > CODES_MAX + 1)
		broke(r->w, "a summary has %llu codes", (unsigned long long)codes);
	for (uint64_t n = 0; n < codes; n++) {
		struct span code = read_text(r);
		uint64_t count = read_number(r);

		sum += count;
		if (n < CODES_MAX && count != count_code(k, code))
			broke(r->w, "batch %d is said to have %llu errors %.*s, not %llu", parcel,
			    (unsigned long long)count, (int)code.n, code.p,
			    (unsigned long long)count_code(k, code));
	}
	if (sum != k->count)
		broke(r->w, "batch %d is said to have errors of %llu records by code", parcel,
		    (unsigned long long)sum);
}

static void list_id(struct reader *r, struct known *k, struct span id, int parcel)
{
	for (size_t n = 0; n < k->count; n++) {
		if (!span_is(id, k->rows[n]->record_id))
			continue;
		if (k->is_listed[n])
			broke(r->w, "record %.*s is listed twice", (int)id.n, id.p);
		k->is_listed[n] = true;
		return;
	}
	broke(r->w, "batch %d is delivered with record %.*s, of which nobody told", parcel,
	    (int)id.n, id.p);
}

/* Each once, in the order of coming, as many as fit. */
static void check_ids(struct reader *r, struct known *k, int parcel)
{
	uint64_t ids = read_list(r);
	size_t bytes = 0;

	memset(k->is_listed, 0, k->count * sizeof *k->is_listed);
	if (ids > IDS_MAX)
		broke(r->w, "a summary has %llu ids", (unsigned long long)ids);
	for (uint64_t n = 0; n < ids; n++) {
		struct span id = read_text(r);

		bytes += id.n + 3;
		list_id(r, k, id, parcel);
	}
	for (size_t n = 0; n < k->count && bytes < IDS_BYTES && ids < IDS_MAX; n++)
		if (*k->rows[n]->record_id && !k->is_listed[n] && is_first(k, n))
			broke(r->w, "batch %d is delivered without a word of record %s", parcel,
			    k->rows[n]->record_id);
}

/* Begun under the lease. */
void summary_check(struct world *w, int parcel, uint64_t lease)
{
	static struct known k;
	struct reader r = { .w = w };
	struct buf said;
	bool any;

	buf_init(&said, 0);
	if (core_delivery_summary(w->core, lease + 1000000, &said) || said.len > 0)
		broke(w, "there is a summary of no delivery");
	any = core_delivery_summary(w->core, lease, &said);
	collect(w, parcel, &k);
	if (any != (k.count > 0))
		broke(w, "batch %d is delivered %s a summary, and %zu errors are known", parcel,
		    any ? "with" : "without", k.count);
	if (said.len > BYTES_MAX)
		broke(w, "a summary has %zu bytes", said.len);
	if (any) {
		r.at = buf_bytes(&said);
		r.end = r.at + said.len;
		if (read_map(&r) != 3)
			broke(w, "a summary says more than it should");
		expect_key(&r, "upstream_errors");
		if (read_number(&r) != k.count)
			broke(w, "batch %d is delivered with another number of errors than %zu",
			    parcel, k.count);
		expect_key(&r, "error_breakdown");
		check_codes(&r, &k, parcel);
		expect_key(&r, "affected_record_ids");
		check_ids(&r, &k, parcel);
	}
	if (r.at != r.end || (!any && said.len > 0))
		broke(w, "a summary goes on behind its end");
	buf_finish(&said);
}
