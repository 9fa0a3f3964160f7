/* sending_input.c - handoff send: from the input to batches that are closed */
#include <inttypes.h>
#include <string.h>

#include "base/datetime.h"
#include "tools/handoff/command.h"
#include "tools/handoff/report.h"
#include "tools/handoff/sending.h"

/* What the assembly holds is closed: its place becomes `place`. */
static void close_batch(struct sending *s, const struct journal_batch *place, size_t index)
{
	struct closed *c = &s->closed[s->closed_count];

	*c = (struct closed){ .place = *place, .index = index,
			      .is_critical = s->assembly.is_critical };
	c->records = assembly_take(&s->assembly);
	if (c->records == NULL) {
		complain("out of memory");
		sending_abandon(s, STATUS_SYSTEM);
		return;
	}
	s->closed_count++;
}

static void close_new_batch(struct sending *s)
{
	struct journal_batch place;
	size_t index = 0;

	if (assembly_is_empty(&s->assembly))
		return;
	assembly_describe(&s->assembly, &place);
	if (s->has_journal) {
		const struct handoff_route *route = handoff_route_between(s->connection.client, NULL,
									  s->to);

		if (route != NULL && route->last_sequence_number > s->sequence_number)
			s->sequence_number = route->last_sequence_number;
		place.sequence_number = ++s->sequence_number;
		index = s->journal.count;
		if (!journal_add(&s->journal, &place)) {
			sending_abandon(s, STATUS_SYSTEM);
			return;
		}
		s->is_synced = false;
	}
	if (sending_await(s, &place, index))
		close_batch(s, &place, index);
}

static void stop_at_line(struct sending *s)
{
	complain("%s", s->assembly.why);
	sending_stop(s, STATUS_DATA);
}

static void complain_of_changed_input(const struct sending *s, const struct journal_batch *b)
{
	complain("the input is not the one that %s was begun with: bytes %" PRIu64 " to %" PRIu64
		 " (from line %" PRIu64 ") %s", s->journal.ledger.path, b->start, b->end, s->input.lines + 1,
		 s->input.has_ended && !input_has(&s->input, b->end - b->start) ? "are missing" :
										   "differ");
}

static bool has_digest(const struct input *in, size_t n, const uint8_t expected[SHA256_BYTES])
{
	uint8_t actual[SHA256_BYTES];

	sha256(buf_bytes(&in->bytes), n, actual);
	return memcmp(actual, expected, sizeof(actual)) == 0;
}

/* Goes through the journal's next batch; false when its bytes are not all there yet. */
static bool repeat_one(struct sending *s)
{
	const struct journal_batch *b = &s->journal.batches[s->repeat_at];
	const size_t n = (size_t)(b->end - b->start);

	if (!input_has(&s->input, n) && !s->input.has_ended)
		return false;
	if (!input_has(&s->input, n) || !has_digest(&s->input, n, b->sha256)) {
		complain_of_changed_input(s, b);
		sending_stop(s, STATUS_DATA);
		return true;
	}
	s->sequence_number = b->sequence_number;
	if (b->state == JOURNAL_CLOSED) {
		if (assembly_repeat(&s->assembly, b))
			close_batch(s, b, s->repeat_at);
		else
			stop_at_line(s);
	} else {
		input_skip(&s->input, n, b->lines);
		s->assembly.first_line = s->input.lines;
	}
	s->repeat_at++;
	return true;
}

/* False when no more can be done with the bytes that are there. */
static bool assemble_one(struct sending *s)
{
	const struct handoff_route *route = handoff_route_between(s->connection.client, NULL,
								  s->to);
	struct assembly_limits limits;

	if (route == NULL) {
		complain("the broker knows no route from %s to %s", s->module, s->to);
		sending_stop(s, STATUS_CONFIG);
		return false;
	}
	limits = (struct assembly_limits){
		.records = route->batch_size,
		.bytes = handoff_max_records_bytes(s->connection.client),
		.ends_at_critical = true,
	};
	switch (assembly_proceed(&s->assembly, &limits)) {
	case ASSEMBLY_FULL:
		close_new_batch(s);
		return true;
	case ASSEMBLY_BAD:
		close_new_batch(s);
		stop_at_line(s);
		return false;
	case ASSEMBLY_MORE:
		break;
	}
	if (s->input.has_ended ||
	    (!assembly_is_empty(&s->assembly) &&
	     clock_monotonic_ms() - s->assembly.first_at_ms >= (int64_t)route->flush_timeout_ms))
		close_new_batch(s);
	return false;
}

bool sending_has_repeats(const struct sending *s)
{
	return s->has_journal && s->repeat_at < s->journal.read_count;
}

void sending_assemble(struct sending *s)
{
	bool goes_on = s->connection.was_connected;

	while (goes_on && !s->is_stopped && s->closed_count < CLOSED_MAX)
		goes_on = sending_has_repeats(s) ? repeat_one(s) : assemble_one(s);
}
