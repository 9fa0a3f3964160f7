/* test_record.c - records come back as they went, and nothing else comes back at all */
#include "fixture.h"

struct any {
	struct batch batch;
	struct ended ended;
	struct route_counters counters;
	struct instance_record instance;
	struct journal_line line;
	struct action action;
	struct route_control control;
	struct confirmation confirmation;
};

static size_t encode(const struct any *x, int kind, uint8_t *out)
{
	switch (kind) {
	case 0: return batch_encode(&x->batch, out);
	case 1: return ended_encode(&x->ended, out);
	case 2: return counters_encode(&x->counters, out);
	case 3: return instance_encode(&x->instance, out);
	case 4: return journal_line_encode(&x->line, out);
	case 5: return action_encode(&x->action, out);
	case 6: return route_control_encode(&x->control, out);
	default: return confirmation_encode(&x->confirmation, out);
	}
}

static int decode(const uint8_t *p, size_t n, int kind, struct any *x)
{
	switch (kind) {
	case 0: return batch_decode(p, n, &x->batch);
	case 1: return ended_decode(p, n, &x->ended);
	case 2: return counters_decode(p, n, &x->counters);
	case 3: return instance_decode(p, n, &x->instance);
	case 4: return journal_line_decode(p, n, &x->line);
	case 5: return action_decode(p, n, &x->action);
	case 6: return route_control_decode(p, n, &x->control);
	default: return confirmation_decode(p, n, &x->confirmation);
	}
}

#define KINDS 8
static const size_t max_of[KINDS] = { BATCH_RECORD_MAX, ENDED_RECORD_MAX, COUNTERS_RECORD_MAX,
	INSTANCE_RECORD_MAX, JOURNAL_RECORD_MAX, ACTION_RECORD_MAX, CONTROL_RECORD_MAX,
	CONFIRMATION_RECORD_MAX };

/* Each byte another, and every text as long as it may be. */
static void fill(void *p, size_t n, uint8_t from)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(from + 7 * i) | 1;
}

static void fill_text(char *text, size_t max)
{
	memset(text, 'x', max);
	text[max] = '\0';
}

/* `set`: every flag, and all that depends on one. */
static void fill_batch(struct batch *b, bool set)
{
	fill(b, offsetof(struct batch, critical), 3);
	b->state = BATCH_WAITING;
	b->critical = b->suspect = b->failed = b->answered = b->redelivered = set;
	b->held = b->ordered = b->journalled = b->derived = b->has_parent = set;
	if (set)
		fill(&b->parent, sizeof b->parent, 9);
	b->correlation_len = RECORD_CORRELATION_MAX;
	fill(b->correlation, RECORD_CORRELATION_MAX, 1);
}

static void fill_any(struct any *x, bool set)
{
	static uint8_t errors[RECORD_ERRORS_MAX];

	memset(x, 0, sizeof *x);
	fill_batch(&x->batch, set);
	fill(&x->ended, offsetof(struct ended, dead), 5);
	x->ended.dead = x->ended.partial = x->ended.derived = set;
	x->ended.journalled = x->ended.confirming = set;
	x->ended.correlation_len = RECORD_CORRELATION_MAX;
	x->ended.errors = errors;
	x->ended.errors_len = set ? (uint32_t)sizeof errors : 100;
	fill(&x->counters, sizeof x->counters, 11);
	fill(&x->instance, offsetof(struct instance_record, mailbox), 13);
	x->instance.mailbox = set;
	x->instance.id_len = RECORD_INSTANCE_ID_MAX;
	fill(&x->line, sizeof x->line, 15);
	x->line.event = JOURNAL_KICKED;
	x->line.text_len = JOURNAL_TEXT_MAX;
	fill(&x->action, offsetof(struct action, has_batch), 17);
	x->action.event = JOURNAL_REJECTED;
	x->action.has_batch = set;
	fill_text(x->action.who, ACTION_WHO_MAX);
	fill_text(x->action.text, ACTION_TEXT_MAX);
	x->control.paused = set;
	x->control.at_us = -5;
	fill_text(x->control.who, ACTION_WHO_MAX);
	fill_text(x->control.reason, ACTION_TEXT_MAX);
	fill(&x->confirmation, sizeof x->confirmation, 19);
	x->confirmation.state = CONFIRM_AMBIGUOUS;
	x->confirmation.correlation_len = RECORD_CORRELATION_MAX;
}

static void records_come_back_as_they_went(void **state)
{
	static uint8_t bytes[ENDED_RECORD_MAX], again[ENDED_RECORD_MAX];
	struct any x, y;

	(void)state;
	for (int round = 0; round < 2 * KINDS; round++) {
		int kind = round / 2;

		fill_any(&x, round & 1);
		memset(&y, 0, sizeof y);
		size_t n = encode(&x, kind, bytes);
		assert_true(n <= max_of[kind]);
		assert_int_equal(decode(bytes, n, kind, &y), 0);
		assert_int_equal(encode(&y, kind, again), n);
		assert_memory_equal(again, bytes, n);
	}
}

static void the_whole_of_a_batch_comes_back(void **state)
{
	uint8_t bytes[BATCH_RECORD_MAX];
	struct batch b = { 0 }, c = { 0 };

	(void)state;
	for (int set = 0; set < 2; set++) {
		memset(&b, 0, sizeof b);
		memset(&c, 0, sizeof c);
		fill_batch(&b, set);
		assert_int_equal(batch_decode(bytes, batch_encode(&b, bytes), &c), 0);
		assert_memory_equal(&b.id, &c.id, offsetof(struct batch, series) + 4 -
		    offsetof(struct batch, id));
		assert_memory_equal(&b.lease, &c.lease, offsetof(struct batch, payload_bytes) -
		    offsetof(struct batch, lease));
		assert_memory_equal(b.completes, c.completes, sizeof b.completes);
		assert_memory_equal(&b.critical, &c.critical, offsetof(struct batch, parent) -
		    offsetof(struct batch, critical));
		assert_memory_equal(&b.parent, &c.parent, sizeof b.parent);
		assert_memory_equal(b.correlation, c.correlation, sizeof b.correlation);
	}
}

static void each_flag_is_its_own(void **state)
{
	size_t first = offsetof(struct batch, critical);
	size_t count = offsetof(struct batch, has_parent) + 1 - first;
	uint8_t bytes[BATCH_RECORD_MAX];

	(void)state;
	for (size_t n = 0; n < count; n++) {
		struct batch b = { 0 }, c = { 0 };

		((bool *)((char *)&b + first))[n] = true;
		assert_int_equal(batch_decode(bytes, batch_encode(&b, bytes), &c), 0);
		assert_memory_equal((char *)&c + first, (char *)&b + first, count);
	}
}

static void a_parent_costs_room_only_where_there_is_one(void **state)
{
	uint8_t bytes[BATCH_RECORD_MAX];
	struct batch b = { 0 };

	(void)state;
	size_t without = batch_encode(&b, bytes);
	b.has_parent = true;
	assert_int_equal(batch_encode(&b, bytes), without + sizeof b.parent);
}

static void a_flipped_byte_or_a_cut_is_corruption(void **state)
{
	static uint8_t bytes[ENDED_RECORD_MAX];
	struct any x, y;

	(void)state;
	fill_any(&x, true);
	x.ended.errors_len = 10;
	for (int kind = 0; kind < KINDS; kind++) {
		size_t n = encode(&x, kind, bytes);

		for (size_t i = 0; i < n; i++) {
			bytes[i] ^= 0x10;
			assert_int_equal(decode(bytes, n, kind, &y), ERR_CORRUPT);
			bytes[i] ^= 0x10;
			assert_int_equal(decode(bytes, i, kind, &y), ERR_CORRUPT);
		}
		assert_int_equal(decode(bytes, n, kind, &y), 0);
	}
}

/* One whose checksum is right, and which has no room to be written again. */
static void longer_errors_than_are_ever_written_are_corruption(void **state)
{
	static uint8_t bytes[ENDED_RECORD_MAX + 1], errors[RECORD_ERRORS_MAX + 1];
	struct ended e = { .errors = errors, .errors_len = sizeof errors }, again;

	(void)state;
	assert_int_equal(ended_decode(bytes, ended_encode(&e, bytes), &again), ERR_CORRUPT);
	e.errors_len--;
	assert_int_equal(ended_decode(bytes, ended_encode(&e, bytes), &again), 0);
}

static void each_event_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int n = 1; n < JOURNAL_EVENT_COUNT; n++) {
		const char *name = journal_event_name((enum journal_event)n);

		assert_string_not_equal(name, "unknown");
		for (int m = 1; m < n; m++)
			assert_string_not_equal(name, journal_event_name((enum journal_event)m));
	}
	assert_string_equal(journal_event_name(JOURNAL_ACK_TIMEOUT), "ack timeout");
	assert_string_equal(journal_event_name(JOURNAL_EVENT_COUNT), "unknown");
	assert_string_equal(journal_event_name((enum journal_event)0), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_back_as_they_went),
		cmocka_unit_test(the_whole_of_a_batch_comes_back),
		cmocka_unit_test(each_flag_is_its_own),
		cmocka_unit_test(a_parent_costs_room_only_where_there_is_one),
		cmocka_unit_test(a_flipped_byte_or_a_cut_is_corruption),
		cmocka_unit_test(longer_errors_than_are_ever_written_are_corruption),
		cmocka_unit_test(each_event_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
