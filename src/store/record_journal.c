/* record_journal.c - what is written beside a batch: records to bytes and back */
#include "store/record.h"

#include "store/codec.h"

const char *journal_event_name(enum journal_event event)
{
	static const char *const names[JOURNAL_EVENT_COUNT] = {
		[JOURNAL_REJECTED] = "rejected",
		[JOURNAL_ACK_TIMEOUT] = "ack timeout",
		[JOURNAL_PROCESS_TIMEOUT] = "process timeout",
		[JOURNAL_LOST] = "lost",
		[JOURNAL_GIVEN_BACK] = "given back",
		[JOURNAL_NOT_RECLAIMED] = "not reclaimed",
		[JOURNAL_REPEATED] = "repeated",
		[JOURNAL_DEAD] = "dead",
		[JOURNAL_REDRIVEN] = "redriven",
		[JOURNAL_HELD] = "held",
		[JOURNAL_RELEASED] = "released",
		[JOURNAL_RETRIED] = "retried",
		[JOURNAL_IMPORTED] = "imported",
		[JOURNAL_PURGED] = "purged",
		[JOURNAL_CONFIRMED] = "confirmed",
		[JOURNAL_AMBIGUOUS] = "ambiguous",
		[JOURNAL_RECORDS_REJECTED] = "records rejected",
		[JOURNAL_PAUSED] = "paused",
		[JOURNAL_RESUMED] = "resumed",
		[JOURNAL_KICKED] = "kicked",
		[JOURNAL_CIRCUIT] = "circuit",
		[JOURNAL_CIRCUIT_OPENED] = "circuit opened",
		[JOURNAL_CIRCUIT_CLOSED] = "circuit closed",
	};
	return event > 0 && event < JOURNAL_EVENT_COUNT ? names[event] : "unknown";
}

/* A text of at most `max` bytes behind its length, in memory with a NUL. */
static void put_text(struct writer *w, const char *text, size_t max)
{
	size_t n = strnlen(text, max);

	put_number(w, n, 2);
	put(w, text, n);
}

static void take_text(struct reader *r, char *out, size_t max)
{
	uint64_t n = take_number(r, 2);

	if (n > max)
		r->failed = true;
	if (r->failed)
		n = 0;
	take_bytes(r, out, n);
	out[n] = '\0';
}

static enum journal_event take_event(struct reader *r)
{
	uint64_t event = take_number(r, 1);

	if (event == 0 || event >= JOURNAL_EVENT_COUNT)
		r->failed = true;
	return (enum journal_event)(r->failed ? JOURNAL_DEAD : event);
}

size_t journal_line_encode(const struct journal_line *l, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, (uint64_t)l->at_us, 8);
	put_number(&w, l->event, 1);
	put_number(&w, l->instance, 4);
	put_number(&w, l->attempt, 4);
	put_number(&w, l->lease, 8);
	put_number(&w, l->delay_ms, 8);
	put_number(&w, l->code, 2);
	put_number(&w, l->text_len, 2);
	put(&w, l->text, l->text_len);
	return writer_end(&w);
}

int journal_line_decode(const uint8_t *p, size_t n, struct journal_line *l)
{
	struct reader r = reader_begin(p, n);

	l->at_us = (int64_t)take_number(&r, 8);
	l->event = take_event(&r);
	l->instance = (uint32_t)take_number(&r, 4);
	l->attempt = (uint32_t)take_number(&r, 4);
	l->lease = take_number(&r, 8);
	l->delay_ms = take_number(&r, 8);
	l->code = (uint16_t)take_number(&r, 2);
	uint64_t len = take_number(&r, 2);
	if (len > JOURNAL_TEXT_MAX)
		return ERR_CORRUPT;
	l->text_len = (uint16_t)len;
	take_bytes(&r, l->text, l->text_len);
	return reader_end(&r);
}

size_t action_encode(const struct action *a, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, a->number, 8);
	put_number(&w, (uint64_t)a->at_us, 8);
	put_number(&w, a->event, 1);
	put_number(&w, a->route, 4);
	put_number(&w, a->has_batch, 1);
	put(&w, a->batch_id.b, sizeof a->batch_id.b);
	put_text(&w, a->who, ACTION_WHO_MAX);
	put_text(&w, a->text, ACTION_TEXT_MAX);
	return writer_end(&w);
}

int action_decode(const uint8_t *p, size_t n, struct action *a)
{
	struct reader r = reader_begin(p, n);

	a->number = take_number(&r, 8);
	a->at_us = (int64_t)take_number(&r, 8);
	a->event = take_event(&r);
	a->route = (uint32_t)take_number(&r, 4);
	a->has_batch = take_number(&r, 1);
	take_bytes(&r, a->batch_id.b, sizeof a->batch_id.b);
	take_text(&r, a->who, ACTION_WHO_MAX);
	take_text(&r, a->text, ACTION_TEXT_MAX);
	return reader_end(&r);
}

size_t route_control_encode(const struct route_control *c, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, c->paused, 1);
	put_number(&w, (uint64_t)c->at_us, 8);
	put_text(&w, c->who, ACTION_WHO_MAX);
	put_text(&w, c->reason, ACTION_TEXT_MAX);
	return writer_end(&w);
}

int route_control_decode(const uint8_t *p, size_t n, struct route_control *c)
{
	struct reader r = reader_begin(p, n);

	c->paused = take_number(&r, 1);
	c->at_us = (int64_t)take_number(&r, 8);
	take_text(&r, c->who, ACTION_WHO_MAX);
	take_text(&r, c->reason, ACTION_TEXT_MAX);
	return reader_end(&r);
}

size_t circuit_encode(const struct circuit_record *c, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, c->state, 1);
	put_number(&w, c->failures, 4);
	put_number(&w, c->first_failed, 8);
	put_number(&w, c->several, 1);
	put_number(&w, (uint64_t)c->last_failure_us, 8);
	put_number(&w, c->next_attempt_ms, 8);
	put_number(&w, c->trips_total, 8);
	put_number(&w, c->forced, 1);
	put_number(&w, (uint64_t)c->at_us, 8);
	put_text(&w, c->who, ACTION_WHO_MAX);
	put_text(&w, c->reason, ACTION_TEXT_MAX);
	return writer_end(&w);
}

int circuit_decode(const uint8_t *p, size_t n, struct circuit_record *c)
{
	struct reader r = reader_begin(p, n);

	c->state = (uint8_t)take_number(&r, 1);
	c->failures = (uint32_t)take_number(&r, 4);
	c->first_failed = take_number(&r, 8);
	c->several = take_number(&r, 1);
	c->last_failure_us = (int64_t)take_number(&r, 8);
	c->next_attempt_ms = take_number(&r, 8);
	c->trips_total = take_number(&r, 8);
	c->forced = take_number(&r, 1);
	c->at_us = (int64_t)take_number(&r, 8);
	take_text(&r, c->who, ACTION_WHO_MAX);
	take_text(&r, c->reason, ACTION_TEXT_MAX);
	return reader_end(&r);
}

size_t confirmation_encode(const struct confirmation *c, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, c->state, 1);
	put_number(&w, c->route, 4);
	put_number(&w, c->id, 8);
	put_number(&w, c->source, 4);
	put_number(&w, c->holder, 4);
	put_number(&w, c->notice, 8);
	put_number(&w, c->due_ms, 8);
	put_number(&w, c->record_count, 8);
	put_number(&w, c->delivered, 8);
	put_number(&w, c->failed, 8);
	put_number(&w, c->dlq, 8);
	put(&w, c->batch_id.b, sizeof c->batch_id.b);
	put_number(&w, c->correlation_len, 2);
	put(&w, c->correlation, c->correlation_len);
	return writer_end(&w);
}

int confirmation_decode(const uint8_t *p, size_t n, struct confirmation *c)
{
	struct reader r = reader_begin(p, n);

	uint64_t state = take_number(&r, 1);
	if (state > CONFIRM_COMPLETE)
		return ERR_CORRUPT;
	c->state = (enum confirm_state)state;
	c->route = (uint32_t)take_number(&r, 4);
	c->id = take_number(&r, 8);
	c->source = (uint32_t)take_number(&r, 4);
	c->holder = (uint32_t)take_number(&r, 4);
	c->notice = take_number(&r, 8);
	c->due_ms = take_number(&r, 8);
	c->record_count = take_number(&r, 8);
	c->delivered = take_number(&r, 8);
	c->failed = take_number(&r, 8);
	c->dlq = take_number(&r, 8);
	take_bytes(&r, c->batch_id.b, sizeof c->batch_id.b);
	take_correlation(&r, &c->correlation_len, c->correlation);
	return reader_end(&r);
}
