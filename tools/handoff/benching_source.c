/* benching_source.c - a source that keeps so many batches under way, and times them */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "tools/handoff/benching.h"
#include "tools/handoff/command.h"
#include "tools/handoff/mpput.h"
#include "tools/handoff/report.h"

#define PLACE_DIGITS 4

/* --- records ---------------------------------------------------------------------------------- */

static bool add_record(struct handoff_records *list, struct buf *b, const char *filling,
    uint64_t number, uint64_t size)
{
	char id[32];

	snprintf(id, sizeof(id), "bench-%" PRIu64, number);
	buf_clear(b);
	mp_put_byte(b, 0x82);				/* a map of 2 */
	mp_put_text(b, "record_id", 9);
	mp_put_text(b, id, strlen(id));
	mp_put_text(b, "data", 4);
	mp_put_text(b, filling, size);
	return !b->failed && handoff_records_add(list, buf_bytes(b), b->len) == 0;
}

bool bench_source_init(struct bench_source *s, const char *to, uint64_t in_flight,
    uint64_t records, uint64_t size)
{
	char run[HANDOFF_ID_SIZE], *filling = malloc(size + 1);
	bool is_right = filling != NULL;
	struct buf b;

	buf_init(&b, 0);
	s->to = to;
	s->in_flight = in_flight;
	s->status = -1;
	handoff_make_id(run);
	snprintf(s->correlation_id, sizeof(s->correlation_id), BENCH_MARK "%s", run);
	s->records = handoff_records_create();
	if (filling != NULL)
		memset(filling, 'x', size);
	for (uint64_t i = 0; is_right && i < records; i++)
		is_right = s->records != NULL && add_record(s->records, &b, filling, i, size);
	free(filling);
	buf_finish(&b);
	if (!is_right)
		complain("out of memory");
	return is_right;
}

void bench_source_finish(struct bench_source *s)
{
	handoff_records_destroy(s->records);
}

/* --- sending ---------------------------------------------------------------------------------- */

static struct bench_place *free_place(struct bench_source *s, size_t *index)
{
	for (size_t i = 0; i < s->in_flight; i++) {
		*index = (s->sent + i) % s->in_flight;
		if (!s->places[*index].is_used)
			return &s->places[*index];
	}
	return NULL;
}

static bool send_one(struct bench_source *s)
{
	size_t index;
	struct bench_place *p = free_place(s, &index);
	struct handoff_batch b = {
		.target_module = s->to,
		.batch_id = p != NULL ? p->id : NULL,
		.correlation_id = s->correlation_id,
	};
	int r;

	if (p == NULL)
		return false;
	handoff_make_id(p->id);
	snprintf(p->id + strlen(p->id) - PLACE_DIGITS, PLACE_DIGITS + 1, "%04x", (unsigned)index);
	b.records = handoff_records_bytes(s->records, &b.records_bytes);
	p->sent_us = clock_monotonic_us();
	r = handoff_send_batch(s->connection.client, &b, NULL);
	if (r == HANDOFF_AGAIN)
		return false;
	if (r != 0) {
		complain("sending a batch of %zu bytes: %s", b.records_bytes,
			 handoff_result_text(r));
		s->status = r == HANDOFF_TOO_LARGE ? STATUS_USAGE : STATUS_INTERNAL;
		return false;
	}
	p->is_used = true;
	p->is_received = p->is_ended = false;
	if (s->under_way++ == 0)
		s->news_us = p->sent_us;
	s->sent++;
	return true;
}

void bench_source_send(struct bench_source *s, uint64_t most)
{
	while (s->status < 0 && (most == 0 || s->sent < most) && send_one(s))
		;
}

/* --- what comes of it ------------------------------------------------------------------------- */

static struct bench_place *find_place(struct bench_source *s, const char *id)
{
	const size_t n = strlen(id);
	unsigned long index;

	if (n != HANDOFF_ID_SIZE - 1)
		return NULL;
	index = strtoul(id + n - PLACE_DIGITS, NULL, 16);
	if (index >= s->in_flight || !s->places[index].is_used ||
	    strcmp(s->places[index].id, id) != 0)
		return NULL;
	return &s->places[index];
}

/* Both answers have come, in whatever order. */
static void settle(struct bench_source *s, struct bench_place *p)
{
	if (!p->is_received || !p->is_ended)
		return;
	p->is_used = false;
	s->under_way--;
}

static void on_received(struct bench_source *s, struct bench_place *p)
{
	if (p->is_received)
		return;
	p->is_received = true;
	s->received++;
	latency_add(&s->received_us, clock_monotonic_us() - p->sent_us);
	settle(s, p);
}

static void on_processed(struct bench_source *s, struct bench_place *p)
{
	size_t bytes;

	if (p->is_ended)
		return;
	p->is_ended = true;
	s->news_us = clock_monotonic_us();
	s->processed++;
	latency_add(&s->processed_us, s->news_us - p->sent_us);
	handoff_records_bytes(s->records, &bytes);
	s->progress.batches++;
	s->progress.records += handoff_records_count(s->records);
	s->progress.bytes += bytes;
	settle(s, p);
}

/* It ends the run: what was sent otherwise ends as it does. */
static void on_bad_end(struct bench_source *s, struct bench_place *p, const struct handoff_event *e,
    const char *what)
{
	complain_errors(what, e->errors, e->error_count);
	s->status = e->type == HANDOFF_EVENT_REFUSED ?
	    connection_status_of(e->errors, e->error_count) : STATUS_FAILED;
	s->rejected++;
	p->is_received = p->is_ended = true;
	settle(s, p);
}

void bench_source_on_event(struct bench_source *s, const struct handoff_event *e)
{
	struct bench_place *p = find_place(s, e->batch_id);

	if (e->type == HANDOFF_EVENT_BACKPRESSURE)
		progress_on_backpressure(&s->progress, e);
	else
		connection_on_event(&s->connection, e);
	if (p == NULL)
		return;
	switch (e->type) {
	case HANDOFF_EVENT_RECEIVED:
		on_received(s, p);
		break;
	case HANDOFF_EVENT_PROCESSED:
		on_processed(s, p);
		break;
	case HANDOFF_EVENT_REFUSED:
		on_bad_end(s, p, e, "the broker refused a batch");
		break;
	case HANDOFF_EVENT_REJECTED:
		on_bad_end(s, p, e, "a batch became a dead letter");
		break;
	default:
		break;
	}
}
