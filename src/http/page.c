/* page.c - the text format of Prometheus, version 0.0.4 */
#include "http/page.h"

#include <ctype.h>
#include <stdio.h>

static const struct label no_labels[PAGE_LABELS_MAX] = { { NULL, NULL } };

static void put(struct page *p, const char *text)
{
	buf_put(p->out, text, strlen(text));
}

/* The name of a route or module as part of a metric's: alpha-beta is alpha_beta, ALPHA alpha. */
static void put_name(struct page *p, const char *suffix)
{
	for (const char *c = p->prefix; *c != '\0'; c++) {
		const char as = *c == '-' ? '_' : (char)tolower((unsigned char)*c);

		buf_put(p->out, &as, 1);
	}
	put(p, p->name);
	put(p, suffix);
}

static void put_escaped(struct page *p, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			put(p, "\\n");
		else if (*c == '"' || *c == '\\')
			buf_put(p->out, (const char[]){ '\\', *c }, 2);
		else
			buf_put(p->out, c, 1);
	}
}

/* Most are whole, and a page has thousands of them: digits are ten times quicker than printf(). */
static void format_whole(uint64_t value, char *out)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	while (n > 0)
		*out++ = digits[--n];
	*out = '\0';
}

/* Fifteen digits: what was decimal is so again, and a time since 1970 keeps its seconds. */
static void format_value(double value, char out[PAGE_VALUE_BYTES])
{
	if (value >= 0 && value < 1e15 && (double)(uint64_t)value == value)
		format_whole((uint64_t)value, out);
	else
		snprintf(out, PAGE_VALUE_BYTES, "%.15g", value);
}

static void put_labels(struct page *p, const struct label labels[], const char *le)
{
	const char *before = "{";

	for (int i = 0; i < PAGE_LABELS_MAX && labels[i].name != NULL; i++) {
		put(p, before);
		put(p, labels[i].name);
		put(p, "=\"");
		put_escaped(p, labels[i].value);
		put(p, "\"");
		before = ",";
	}
	if (le != NULL) {
		put(p, before);
		put(p, "le=\"");
		put(p, le);
		put(p, "\"");
		before = ",";
	}
	if (*before == ',')
		put(p, "}");
}

static void put_sample(struct page *p, const char *suffix, const struct label labels[],
    const char *le, double value)
{
	char text[PAGE_VALUE_BYTES];

	put_name(p, suffix);
	put_labels(p, labels, le);
	format_value(value, text);
	put(p, " ");
	put(p, text);
	put(p, "\n");
}

void page_family(struct page *p, const char *prefix, const char *name, enum metric_type type,
    const char *help)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	p->prefix = prefix;
	p->name = name;
	put(p, "# HELP ");
	put_name(p, " ");
	put(p, help);			/* ours: no newline and no backslash in it */
	put(p, "\n# TYPE ");
	put_name(p, " ");
	put(p, types[type]);
	put(p, "\n");
}

void page_sample(struct page *p, const struct label labels[PAGE_LABELS_MAX], double value)
{
	if (value == value)
		put_sample(p, "", labels != NULL ? labels : no_labels, NULL, value);
}

/* The bounds as text; those of the page's previous histogram, where they are the same. */
static void set_scale(struct page *p, const struct histogram_scale *scale)
{
	if (p->scale == scale)
		return;
	p->scale = scale;
	for (unsigned i = 0; i < scale->count; i++)
		format_value((double)scale->bounds[i] * scale->unit, p->bounds[i]);
	strcpy(p->bounds[scale->count], "+Inf");
}

void page_histogram(struct page *p, const struct label labels[PAGE_LABELS_MAX],
    const struct histogram *h)
{
	uint64_t count = 0;

	if (labels == NULL)
		labels = no_labels;
	set_scale(p, h->scale);
	for (unsigned i = 0; i <= h->scale->count; i++) {
		count += h->buckets[i];
		put_sample(p, "_bucket", labels, p->bounds[i], (double)count);
	}
	put_sample(p, "_sum", labels, NULL, (double)h->sum * h->scale->unit);
	put_sample(p, "_count", labels, NULL, (double)count);
}
