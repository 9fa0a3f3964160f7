/*
 * confirm.c - delivery confirmations until they are written
 *
 *	handoff_confirm ─► waiting ── confirmations_send ─► encoded ── all is written ─► forgotten
 *	                      ▲                                │
 *	                      └──────── connection lost ───────┘
 *
 * Nobody answers one but with an error, so that there is nothing else to wait for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "client/internal.h"
#include "wire/text.h"

/* What a result takes in the frame beside its two texts, rounded up. */
#define RESULT_BYTES 128

static const enum record_delivery status_to_wire[] = {
	[HANDOFF_RECORD_DELIVERED] = RECORD_DELIVERED,
	[HANDOFF_RECORD_FAILED] = RECORD_FAILED,
	[HANDOFF_RECORD_DLQ] = RECORD_DLQ,
};

static void confirmation_destroy(struct confirmation *x)
{
	if (x == NULL)
		return;
	free((void *)x->says.results);
	free(x->texts);
	free(x);
}

void confirmations_init(struct confirmations *x)
{
	TAILQ_INIT(&x->waiting);
	TAILQ_INIT(&x->encoded);
}

static void drop(struct handoff_client *c, struct confirmation_list *from, struct confirmation *x)
{
	TAILQ_REMOVE(from, x, link);
	c->confirmations.count--;
	c->confirmations.bytes -= x->bytes;
	confirmation_destroy(x);
}

static void drop_all(struct handoff_client *c, struct confirmation_list *list)
{
	while (!TAILQ_EMPTY(list))
		drop(c, list, TAILQ_FIRST(list));
}

void confirmations_destroy(struct handoff_client *c)
{
	drop_all(c, &c->confirmations.encoded);
	drop_all(c, &c->confirmations.waiting);
}

/* --- taking over ----------------------------------------------------------------------------- */

static struct span id_of(const struct handoff_record_result *r)
{
	if (r->record_id == NULL || r->record_id_len > 0)
		return (struct span){ r->record_id, r->record_id_len };
	return span_of(r->record_id);
}

/* What they take in a frame; 0 when one of them is wrong. */
static size_t measure(const struct handoff_record_result *results, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		const struct span id = id_of(&results[i]);
		const char *destination = results[i].destination_id;

		if (id.p == NULL || id.n == 0 || destination == NULL || results[i].time_us < 0 ||
		    (unsigned)results[i].status > HANDOFF_RECORD_DLQ || !text_is_utf8(id.p, id.n) ||
		    !text_is_utf8(destination, strlen(destination)))
			return 0;
		bytes += id.n + strlen(destination) + RESULT_BYTES;
	}
	return bytes;
}

static struct span copy_text(char **at, struct span text)
{
	const struct span copy = { *at, text.n };

	if (text.p != NULL)
		memcpy(*at, text.p, text.n);
	*at += text.n;
	return copy;
}

/* A copy of what the caller gave; NULL when memory is refused. */
static struct confirmation *make(const struct uuid *batch_id,
    const struct handoff_record_result *from, size_t n, size_t bytes)
{
	struct message_record_delivery *to = calloc(n, sizeof(*to));
	struct confirmation *x = calloc(1, sizeof(*x));
	const int64_t now_us = datetime_now_us();
	char *at = malloc(bytes);

	if (to == NULL || x == NULL || at == NULL) {
		free(to);
		free(x);
		free(at);
		return NULL;
	}
	*x = (struct confirmation){
		.says = { .batch_id = *batch_id, .results = to, .result_count = n },
		.texts = at,
		.bytes = bytes,
	};
	for (size_t i = 0; i < n; i++)
		to[i] = (struct message_record_delivery){
			.record_id = copy_text(&at, id_of(&from[i])),
			.destination_id = copy_text(&at, span_of(from[i].destination_id)),
			.status = status_to_wire[from[i].status],
			.delivered_at_us = from[i].time_us > 0 ? from[i].time_us : now_us,
		};
	return x;
}

/* The delivery may still be here, waiting for the broker's word. */
static void find_correlation_id(const struct handoff_client *c, struct confirmation *x)
{
	const struct handoff_delivery *d;

	TAILQ_FOREACH(d, &c->deliveries, link)
		if (uuid_equal(&d->batch_id, &x->says.batch_id))
			memcpy(x->correlation_id, d->correlation_id, sizeof(x->correlation_id));
}

static bool has_room(const struct handoff_client *c, size_t bytes)
{
	const struct confirmations *all = &c->confirmations;

	if (all->count == 0)
		return true;
	return all->count < HANDOFF_CONFIRMATIONS_MAX && all->bytes < c->options->window_bytes &&
	    bytes <= c->options->window_bytes - all->bytes;
}

int handoff_confirm(struct handoff_client *c, const char *batch_id,
    const struct handoff_record_result *results, size_t n)
{
	const size_t bytes = measure(results, n);
	struct confirmation *x;
	struct uuid id;

	if (c->state == HANDOFF_ENDED || c->state == HANDOFF_CLOSING)
		return HANDOFF_CLOSED;
	if (bytes == 0 || batch_id == NULL || !uuid_parse(batch_id, strlen(batch_id), &id))
		return HANDOFF_INVALID;
	if (c->max_frame_bytes == 0)
		return HANDOFF_NOT_CONNECTED;
	if (bytes > handoff_max_records_bytes(c))
		return HANDOFF_TOO_LARGE;
	if (!has_room(c, bytes))
		return HANDOFF_AGAIN;
	x = make(&id, results, n, bytes);
	if (x == NULL)
		return HANDOFF_NO_MEMORY;
	client_read_clock(c);
	find_correlation_id(c, x);
	TAILQ_INSERT_TAIL(&c->confirmations.waiting, x, link);
	c->confirmations.count++;
	c->confirmations.bytes += bytes;
	c->has_work = true;
	client_push(c);
	return 0;
}

/* --- on its way ------------------------------------------------------------------------------ */

bool confirmations_are_due(const struct handoff_client *c)
{
	return !TAILQ_EMPTY(&c->confirmations.waiting) &&
	    link_out(c->link)->len < WRITE_AHEAD_BYTES;
}

/* The broker's limit has fallen below what was right when it was taken over. */
static void refuse_too_large(struct handoff_client *c, struct confirmation *x)
{
	const struct handoff_error error = {
		.recoverability = HANDOFF_PERMANENT,
		.scope = HANDOFF_BATCH,
		.code = "INT_PROTOCOL_002",
		.message = "a confirmation is longer than max_frame_bytes, which has been lowered",
	};

	event_post_error(c, &error, &x->says.batch_id, "");
	drop(c, &c->confirmations.waiting, x);
}

void confirmations_send(struct handoff_client *c)
{
	struct confirmation *x;
	struct envelope e;

	while (confirmations_are_due(c)) {
		x = TAILQ_FIRST(&c->confirmations.waiting);
		if (x->bytes > handoff_max_records_bytes(c)) {
			refuse_too_large(c, x);
			continue;
		}
		e = session_envelope(c, x->correlation_id[0] != '\0' ? x->correlation_id : NULL);
		encode_confirmation(link_out(c->link), &e, &x->says);
		if (link_out(c->link)->failed) {
			client_lose(c, "out of memory: a confirmation of %zu records",
				    x->says.result_count);
			return;
		}
		TAILQ_REMOVE(&c->confirmations.waiting, x, link);
		TAILQ_INSERT_TAIL(&c->confirmations.encoded, x, link);
	}
}

void confirmations_on_written(struct handoff_client *c)
{
	drop_all(c, &c->confirmations.encoded);
}

void confirmations_on_lost(struct handoff_client *c)
{
	TAILQ_CONCAT(&c->confirmations.encoded, &c->confirmations.waiting, link);
	TAILQ_CONCAT(&c->confirmations.waiting, &c->confirmations.encoded, link);
}
