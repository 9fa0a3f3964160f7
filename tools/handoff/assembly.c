/* assembly.c - lines of the input, gathered into the next batch */
#include "tools/handoff/assembly.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/digest.h"

/* A list's head, at most. */
#define LIST_HEAD_BYTES 5
/* So many bytes of input are enough for a batch, whatever is in them. */
#define INPUT_BATCH_MAX_BYTES ((size_t)16 * 1024 * 1024)

bool assembly_init(struct assembly *a, struct input *in, const char *id_field, const char *run)
{
	*a = (struct assembly){ .in = in, .run = run, .bytes = LIST_HEAD_BYTES };
	ndjson_reader_init(&a->reader, id_field);
	a->records = handoff_records_create();
	return a->records != NULL;
}

void assembly_finish(struct assembly *a)
{
	ndjson_reader_finish(&a->reader);
	idset_finish(&a->ids);
	handoff_records_destroy(a->records);
	a->records = NULL;
}

bool assembly_is_empty(const struct assembly *a)
{
	return handoff_records_count(a->records) == 0;
}

/* --- a line ---------------------------------------------------------------------------------- */

static bool is_blank(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	return len == 0;
}

static bool fail(struct assembly *a, const char *why)
{
	snprintf(a->why, sizeof(a->why), "line %" PRIu64 ", %s", a->in->lines + 1, why);
	return false;
}

/* The line's record is in the reader afterwards. */
static bool convert(struct assembly *a, const char *line, size_t len)
{
	char made_id[HANDOFF_ID_SIZE + 24];

	snprintf(made_id, sizeof(made_id), "%s-%" PRIu64, a->run, a->in->lines + 1);
	return ndjson_read(&a->reader, line, len, made_id) || fail(a, a->reader.why);
}

static bool add(struct assembly *a)
{
	const struct buf *record = &a->reader.record;

	if (handoff_records_add(a->records, buf_bytes(record), record->len) != 0)
		return fail(a, "out of memory");
	if (handoff_records_count(a->records) == 1)
		a->first_at_ms = clock_monotonic_ms();
	a->bytes += record->len;
	a->is_critical = a->is_critical || a->reader.is_critical;
	return true;
}

/* --- a batch --------------------------------------------------------------------------------- */

enum assembly_result assembly_proceed(struct assembly *a, const struct assembly_limits *limits)
{
	const char *line;
	size_t len;
	char why[128];

	while (input_peek(a->in, &line, &len)) {
		if (is_blank(line, len)) {
			input_take(a->in);
			continue;
		}
		if (!convert(a, line, len))
			return ASSEMBLY_BAD;
		if (LIST_HEAD_BYTES + a->reader.record.len > limits->bytes) {
			snprintf(why, sizeof(why), "a record of %zu bytes: the broker takes %zu",
				 a->reader.record.len, limits->bytes - LIST_HEAD_BYTES);
			fail(a, why);
			return ASSEMBLY_BAD;
		}
		/* A record_id comes once in a batch (protocol section 5): this one begins the next. */
		if (a->bytes + a->reader.record.len > limits->bytes ||
		    idset_add(&a->ids, buf_bytes(&a->reader.id), a->reader.id.len) != IDSET_NEW)
			return ASSEMBLY_FULL;
		if (!add(a))
			return ASSEMBLY_BAD;
		input_take(a->in);
		if (handoff_records_count(a->records) >= limits->records ||
		    (a->is_critical && limits->ends_at_critical) ||
		    a->in->taken >= INPUT_BATCH_MAX_BYTES)
			return ASSEMBLY_FULL;
	}
	return ASSEMBLY_MORE;
}

bool assembly_repeat(struct assembly *a, const struct journal_batch *b)
{
	const char *line;
	size_t len;

	while (a->in->taken < b->end - b->start && input_peek(a->in, &line, &len)) {
		if (!is_blank(line, len) && (!convert(a, line, len) || !add(a)))
			return false;
		input_take(a->in);
	}
	if (a->in->taken == b->end - b->start && handoff_records_count(a->records) == b->records)
		return true;
	return fail(a, "the lines before do not make the batch that the journal has");
}

void assembly_describe(struct assembly *a, struct journal_batch *b)
{
	*b = (struct journal_batch){
		.start = a->in->mark,
		.end = a->in->mark + a->in->taken,
		.lines = a->in->lines - a->first_line,
		.records = handoff_records_count(a->records),
	};
	handoff_make_id(b->id);
	sha256(buf_bytes(&a->in->bytes), a->in->taken, b->sha256);
}

struct handoff_records *assembly_take(struct assembly *a)
{
	struct handoff_records *full = a->records;

	a->records = handoff_records_create();
	if (a->records == NULL) {
		a->records = full;
		return NULL;
	}
	input_advance(a->in);
	idset_clear(&a->ids);
	a->bytes = LIST_HEAD_BYTES;
	a->first_line = a->in->lines;
	a->is_critical = false;
	return full;
}
