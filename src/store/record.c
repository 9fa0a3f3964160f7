/* record.c - a batch, its end, counters and instances: records to bytes and back */
#include "store/record.h"

#include "store/codec.h"

const char *batch_state_name(enum batch_state state)
{
	static const char *const names[BATCH_STATE_COUNT] = {
		[BATCH_NEW] = "NEW",
		[BATCH_READY] = "READY",
		[BATCH_ASSIGNED] = "ASSIGNED",
		[BATCH_WAITING] = "WAITING",
		[BATCH_DEAD] = "DEAD",
		[BATCH_ENDED] = "ENDED",
	};
	return names[state];
}

enum { FLAG_CRITICAL = 1, FLAG_SUSPECT = 2, FLAG_FAILED = 4, FLAG_REDELIVERED = 8,
	FLAG_ANSWERED = 16, FLAG_HELD = 32, FLAG_ORDERED = 64, FLAG_JOURNALLED = 128,
	FLAG_DERIVED = 256, FLAG_HAS_PARENT = 512 };

static unsigned batch_flags(const struct batch *b)
{
	return (b->critical ? FLAG_CRITICAL : 0u) | (b->suspect ? FLAG_SUSPECT : 0u) |
	    (b->failed ? FLAG_FAILED : 0u) | (b->redelivered ? FLAG_REDELIVERED : 0u) |
	    (b->answered ? FLAG_ANSWERED : 0u) | (b->held ? FLAG_HELD : 0u) |
	    (b->ordered ? FLAG_ORDERED : 0u) | (b->journalled ? FLAG_JOURNALLED : 0u) |
	    (b->derived ? FLAG_DERIVED : 0u) | (b->has_parent ? FLAG_HAS_PARENT : 0u);
}

static void batch_set_flags(struct batch *b, uint64_t flags)
{
	b->critical = flags & FLAG_CRITICAL;
	b->suspect = flags & FLAG_SUSPECT;
	b->failed = flags & FLAG_FAILED;
	b->redelivered = flags & FLAG_REDELIVERED;
	b->answered = flags & FLAG_ANSWERED;
	b->held = flags & FLAG_HELD;
	b->ordered = flags & FLAG_ORDERED;
	b->journalled = flags & FLAG_JOURNALLED;
	b->derived = flags & FLAG_DERIVED;
	b->has_parent = flags & FLAG_HAS_PARENT;
}

size_t batch_encode(const struct batch *b, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, b->state, 1);
	put_number(&w, batch_flags(b), 2);
	put_number(&w, b->id, 8);
	put_number(&w, b->route, 4);
	put_number(&w, b->source, 4);
	put_number(&w, b->holder, 4);
	put_number(&w, b->attempt, 4);
	put_number(&w, b->attempts_before, 4);
	put_number(&w, b->redrives, 4);
	put_number(&w, b->series, 4);
	put_number(&w, b->lease, 8);
	put_number(&w, b->due_ms, 8);
	put_number(&w, (uint64_t)b->received_at_us, 8);
	put_number(&w, b->sequence_number, 8);
	put_number(&w, b->record_count, 8);
	put_number(&w, b->payload_bytes, 4);
	put_number(&w, b->records_off, 4);
	put_number(&w, b->records_len, 4);
	put(&w, b->batch_id.b, sizeof b->batch_id.b);
	put(&w, b->checksum, sizeof b->checksum);
	put(&w, b->completes, sizeof b->completes);
	if (b->has_parent)
		put(&w, b->parent.b, sizeof b->parent.b);
	put_number(&w, b->correlation_len, 2);
	put(&w, b->correlation, b->correlation_len);
	return writer_end(&w);
}

int batch_decode(const uint8_t *p, size_t n, struct batch *b)
{
	struct reader r = reader_begin(p, n);

	uint64_t state = take_number(&r, 1);
	uint64_t flags = take_number(&r, 2);
	if (state >= BATCH_STATE_COUNT)
		return ERR_CORRUPT;
	b->state = (enum batch_state)state;
	batch_set_flags(b, flags);
	b->id = take_number(&r, 8);
	b->route = (uint32_t)take_number(&r, 4);
	b->source = (uint32_t)take_number(&r, 4);
	b->holder = (uint32_t)take_number(&r, 4);
	b->attempt = (uint32_t)take_number(&r, 4);
	b->attempts_before = (uint32_t)take_number(&r, 4);
	b->redrives = (uint32_t)take_number(&r, 4);
	b->series = (uint32_t)take_number(&r, 4);
	b->lease = take_number(&r, 8);
	b->due_ms = take_number(&r, 8);
	b->received_at_us = (int64_t)take_number(&r, 8);
	b->sequence_number = take_number(&r, 8);
	b->record_count = take_number(&r, 8);
	b->payload_bytes = (uint32_t)take_number(&r, 4);
	b->records_off = (uint32_t)take_number(&r, 4);
	b->records_len = (uint32_t)take_number(&r, 4);
	take_bytes(&r, b->batch_id.b, sizeof b->batch_id.b);
	take_bytes(&r, b->checksum, sizeof b->checksum);
	take_bytes(&r, b->completes, sizeof b->completes);
	memset(&b->parent, 0, sizeof b->parent);
	if (b->has_parent)
		take_bytes(&r, b->parent.b, sizeof b->parent.b);
	take_correlation(&r, &b->correlation_len, b->correlation);
	return reader_end(&r);
}

enum { ENDED_DEAD = 1, ENDED_PARTIAL = 2, ENDED_DERIVED = 4, ENDED_JOURNALLED = 8,
	ENDED_CONFIRMING = 16 };

static unsigned ended_flags(const struct ended *e)
{
	return (e->dead ? ENDED_DEAD : 0u) | (e->partial ? ENDED_PARTIAL : 0u) |
	    (e->derived ? ENDED_DERIVED : 0u) | (e->journalled ? ENDED_JOURNALLED : 0u) |
	    (e->confirming ? ENDED_CONFIRMING : 0u);
}

size_t ended_encode(const struct ended *e, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, e->notice, 8);
	put_number(&w, e->source, 4);
	put_number(&w, e->route, 4);
	put_number(&w, e->holder, 4);
	put_number(&w, e->id, 8);
	put_number(&w, e->lease, 8);
	put_number(&w, e->attempt, 4);
	put_number(&w, e->ended_ms, 8);
	put_number(&w, (uint64_t)e->received_at_us, 8);
	put_number(&w, (uint64_t)e->ended_at_us, 8);
	put_number(&w, e->record_count, 8);
	put_number(&w, e->accepted, 8);
	put_number(&w, e->rejected, 8);
	put_number(&w, e->duration_ms, 8);
	put(&w, e->batch_id.b, sizeof e->batch_id.b);
	put(&w, e->checksum, sizeof e->checksum);
	put(&w, e->completes, sizeof e->completes);
	put_number(&w, ended_flags(e), 1);
	put_number(&w, e->error_code, 2);
	put_number(&w, e->correlation_len, 2);
	put(&w, e->correlation, e->correlation_len);
	put_number(&w, e->error_count, 4);
	put_number(&w, e->errors_len, 4);
	if (e->errors_len)
		put(&w, e->errors, e->errors_len);
	return writer_end(&w);
}

int ended_decode(const uint8_t *p, size_t n, struct ended *e)
{
	struct reader r = reader_begin(p, n);

	e->notice = take_number(&r, 8);
	e->source = (uint32_t)take_number(&r, 4);
	e->route = (uint32_t)take_number(&r, 4);
	e->holder = (uint32_t)take_number(&r, 4);
	e->id = take_number(&r, 8);
	e->lease = take_number(&r, 8);
	e->attempt = (uint32_t)take_number(&r, 4);
	e->ended_ms = take_number(&r, 8);
	e->received_at_us = (int64_t)take_number(&r, 8);
	e->ended_at_us = (int64_t)take_number(&r, 8);
	e->record_count = take_number(&r, 8);
	e->accepted = take_number(&r, 8);
	e->rejected = take_number(&r, 8);
	e->duration_ms = take_number(&r, 8);
	take_bytes(&r, e->batch_id.b, sizeof e->batch_id.b);
	take_bytes(&r, e->checksum, sizeof e->checksum);
	take_bytes(&r, e->completes, sizeof e->completes);
	uint64_t flags = take_number(&r, 1);
	e->dead = flags & ENDED_DEAD;
	e->partial = flags & ENDED_PARTIAL;
	e->derived = flags & ENDED_DERIVED;
	e->journalled = flags & ENDED_JOURNALLED;
	e->confirming = flags & ENDED_CONFIRMING;
	e->error_code = (uint16_t)take_number(&r, 2);
	take_correlation(&r, &e->correlation_len, e->correlation);
	e->error_count = (uint32_t)take_number(&r, 4);
	e->errors_len = (uint32_t)take_number(&r, 4);
	if (e->errors_len > RECORD_ERRORS_MAX)	/* it could not be written again */
		return ERR_CORRUPT;
	e->errors = take(&r, e->errors_len);
	return reader_end(&r);
}

/* The counters are a row of numbers: the struct's own order. */
_Static_assert(sizeof(struct route_counters) % 8 == 0, "counters are 64-bit numbers");
#define COUNTER_COUNT (sizeof(struct route_counters) / 8)
_Static_assert(5 + 8 * COUNTER_COUNT <= COUNTERS_RECORD_MAX, "counters fit their record");

size_t counters_encode(const struct route_counters *c, uint8_t *out)
{
	struct writer w = writer_begin(out);
	uint64_t v[COUNTER_COUNT];

	memcpy(v, c, sizeof v);
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		put_number(&w, v[i], 8);
	return writer_end(&w);
}

int counters_decode(const uint8_t *p, size_t n, struct route_counters *c)
{
	struct reader r = reader_begin(p, n);
	uint64_t v[COUNTER_COUNT];

	for (size_t i = 0; i < COUNTER_COUNT; i++)
		v[i] = take_number(&r, 8);
	memcpy(c, v, sizeof v);
	return reader_end(&r);
}

size_t instance_encode(const struct instance_record *i, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, i->number, 4);
	put_number(&w, i->module, 4);
	put_number(&w, i->seen, 8);
	put_number(&w, i->live, 8);
	put_number(&w, i->last_used_ms, 8);
	put_number(&w, i->mailbox, 1);
	put_number(&w, i->id_len, 1);
	put(&w, i->id, i->id_len);
	return writer_end(&w);
}

int instance_decode(const uint8_t *p, size_t n, struct instance_record *i)
{
	struct reader r = reader_begin(p, n);

	i->number = (uint32_t)take_number(&r, 4);
	i->module = (uint32_t)take_number(&r, 4);
	i->seen = take_number(&r, 8);
	i->live = take_number(&r, 8);
	i->last_used_ms = take_number(&r, 8);
	i->mailbox = take_number(&r, 1);
	uint64_t len = take_number(&r, 1);
	if (len > RECORD_INSTANCE_ID_MAX)
		return ERR_CORRUPT;
	i->id_len = (uint8_t)len;
	take_bytes(&r, i->id, i->id_len);
	return reader_end(&r);
}
