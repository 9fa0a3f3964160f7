/* page.h - the text format of Prometheus, version 0.0.4 */
#ifndef HANDOFF_HTTP_PAGE_H
#define HANDOFF_HTTP_PAGE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/metric.h"

#define PAGE_VALUE_BYTES 40	/* of a number as text */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/*
 * A page is a sequence of families, each begun with page_family(), whose samples follow at once.
 * Appends to a struct buf, which remembers when it was full.
 */
struct page {
	struct buf *out;		/* borrowed */
	const char *prefix, *name;	/* of the family: joined, with '-' as '_' and in lower case */
	const struct histogram_scale *scale;	/* whose bounds stand here as text; NULL none */
	char bounds[HISTOGRAM_BOUNDS_MAX + 1][PAGE_VALUE_BYTES];
};

/* `prefix` may be "". Both are borrowed until the next family. */
void page_family(struct page *p, const char *prefix, const char *name, enum metric_type type,
    const char *help);

struct label {
	const char *name;		/* NULL: there is none, and no further */
	const char *value;		/* any text: it is escaped */
};
#define PAGE_LABELS_MAX 3

/* What is not a number is not known: no sample. */
void page_sample(struct page *p, const struct label labels[PAGE_LABELS_MAX], double value);
/* Buckets, sum and count. */
void page_histogram(struct page *p, const struct label labels[PAGE_LABELS_MAX],
    const struct histogram *h);

#endif
