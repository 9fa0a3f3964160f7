/* summary.c - what is known of the records of a batch, for who gets it: BatchErrorSummary */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/internal.h"
#include "wire/encode.h"
#include "wire/spanset.h"

/*
 * protocol.md section 5: at most 1000 ids and 48 KiB, true counts. The counts are of errors, the
 * ids each stand once. Of more codes than fit the rest is counted as "other".
 */
#define IDS_MAX 1000
#define CODES_MAX 64
#define SUMMARY_BYTES_MAX (48 * 1024)
/* What the map has beside its ids: each code with its head and count, and the keys. */
#define BREAKDOWN_BYTES_MAX ((CODES_MAX + 1) * (ERROR_CODE_MAX + 12) + 256)
#define ID_HEAD_BYTES 3

struct summary {
	struct error_breakdown codes[CODES_MAX + 1];
	struct error_summary_out out;
	struct span ids[IDS_MAX];
	struct span_set seen;
	size_t id_bytes;
	char *texts;			/* what the spans point into */
	size_t text_bytes;
};
#define TEXT_BYTES_MAX (SUMMARY_BYTES_MAX + CODES_MAX * ERROR_CODE_MAX)

static struct span keep_text(struct summary *s, const char *p, size_t n)
{
	char *at = s->texts + s->text_bytes;

	memcpy(at, p, n);
	s->text_bytes += n;
	return (struct span){ at, n };
}

static void count_code(struct summary *s, struct span code)
{
	size_t n = 0;

	while (n < s->out.breakdown_count && !span_equal(s->codes[n].code, code))
		n++;
	if (n >= CODES_MAX) {		/* the last row takes the rest */
		n = CODES_MAX;
		s->codes[n].code = span_of("other");
		s->out.breakdown_count = n + 1;
	} else if (n == s->out.breakdown_count) {
		s->codes[n].code = keep_text(s, code.p, code.n);
		s->out.breakdown_count++;
	}
	s->codes[n].count++;
}

static void add(void *arg, const char *code, size_t code_n, const char *id, size_t id_n)
{
	struct summary *s = arg;
	struct span record = { id, id_n };

	s->out.count++;
	count_code(s, (struct span){ code, code_n });
	if (id_n == 0 || s->out.record_id_count == IDS_MAX ||
	    s->id_bytes + id_n + ID_HEAD_BYTES > SUMMARY_BYTES_MAX - BREAKDOWN_BYTES_MAX ||
	    span_set_find(&s->seen, record) != SIZE_MAX)
		return;
	record = keep_text(s, id, id_n);
	span_set_put(&s->seen, record);
	s->ids[s->out.record_id_count++] = record;
	s->id_bytes += id_n + ID_HEAD_BYTES;
}

bool core_delivery_summary(struct core *c, uint64_t lease, struct buf *out)
{
	const struct assignment *a = assignment_by_lease(c, lease);
	struct summary *s;
	bool any;

	if (!a || !store_error_may_have_records(c->store, a->batch.correlation,
	    a->batch.correlation_len))
		return false;
	s = xcalloc(1, sizeof *s);
	s->texts = xmalloc(TEXT_BYTES_MAX);
	s->out.breakdown = s->codes;
	s->out.record_ids = s->ids;
	if (span_set_init(&s->seen, IDS_MAX))
		store_error_walk_records(c->store, a->batch.correlation, a->batch.correlation_len,
		    add, s);
	any = s->out.count > 0;
	if (any)
		encode_error_summary(out, &s->out);
	span_set_finish(&s->seen);
	free(s->texts);
	free(s);
	return any && !out->failed;
}
