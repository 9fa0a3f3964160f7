/*
 * output.c - what a peer is owed, in order: encoded frames, and deliveries fetched when they can go
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session/internal.h"

/*
 * Runs after the commit only. A delivery is a reference until its turn comes: its bytes are those
 * of the frame that is still in memory, or of the store, and go from there into a TLS record. Small
 * pieces are gathered first, so that many frames leave in one record; `record` of all sessions
 * serves, as it is empty again when a session's turn to write ends.
 */
#define RECORD_BYTES 16384
#define ROOM_NEEDED (RECORD_BYTES + 1024) /* of the stream, before more is put into a record */
/*
 * What is answered in a turn is in pieces: the first begins as small as an answer and grows; when
 * it holds more than a few, those behind it have their room at once, and nothing is copied.
 */
#define FIRST_PIECE_BYTES 2048
#define PIECE_BYTES RECORD_BYTES
#define USUAL_ANSWER_BYTES 1024
#define SPARE_BYTES 1024

static struct output *add_output(struct session *s, bool is_delivery)
{
	struct output *o = xmalloc(sizeof *o);

	*o = (struct output){ .is_delivery = is_delivery, .turn = store_turn(s->all->store) };
	if (output_is_empty(s)) {	/* from now on it can be slow */
		s->progress_ms = s->all->now_ms;
		s->is_sampled = false;
	}
	TAILQ_INSERT_TAIL(&s->out, o, next);
	session_make_dirty(s);
	return o;
}

/* Small pieces of deliveries leave their memory to the next one's. */
static void give_back(struct buf *spare, struct buf *b)
{
	if (spare->data || b->cap > SPARE_BYTES) {
		buf_finish(b);
		return;
	}
	*spare = *b;
	buf_clear(spare);
}

static void take_spare(struct buf *b, struct buf *spare)
{
	*b = *spare;
	buf_init(spare, 0);
}

static void free_output(struct session *s, struct output *o)
{
	struct sessions *ss = s->all;

	if (o->delivery.frame)
		ss->kept_bytes -= o->delivery.frame->len;
	frame_unref(o->delivery.frame);
	if (!o->is_delivery)
		s->out_bytes -= o->bytes.len;
	give_back(&ss->spare_bytes, &o->bytes);
	give_back(&ss->spare_tail, &o->tail);
	free(o);
}

bool output_is_empty(const struct session *s)
{
	return TAILQ_EMPTY(&s->out);
}

bool output_is_held(const struct session *s)
{
	const struct output *first = TAILQ_FIRST(&s->out);

	return first && first->turn > store_durable_turn(s->all->store);
}

/* The next answer would make it grow. */
static bool is_full(const struct buf *piece)
{
	return piece->len > FIRST_PIECE_BYTES && piece->cap - piece->len < USUAL_ANSWER_BYTES;
}

struct buf *output_frames(struct session *s)
{
	struct output *last = TAILQ_LAST(&s->out, output_queue);

	if (!last || last->is_delivery || last->begun || last->turn != store_turn(s->all->store)) {
		last = add_output(s, false);
	} else if (is_full(&last->bytes)) {
		last = add_output(s, false);
		if (!buf_reserve(&last->bytes, PIECE_BYTES))
			return &last->bytes;	/* output_done() sees that it has failed */
	}
	s->out_bytes -= last->bytes.len;
	return &last->bytes;
}

void output_done(struct session *s)
{
	struct output *last = TAILQ_LAST(&s->out, output_queue);

	s->out_bytes += last->bytes.len;
	if (last->bytes.failed)
		session_close(s, LEAVE_LOST, "no memory for an answer");
	else if (s->out_bytes > ANSWER_BYTES_MAX + s->all->settings.max_frame_bytes)
		session_close(s, LEAVE_LOST, "does not read its answers");
}

void output_delivery(struct session *s, const struct delivery *d)
{
	struct output *o = add_output(s, true);

	o->delivery = *d;
	if (d->frame && s->all->kept_bytes + d->frame->len <= KEPT_BYTES_MAX) {
		frame_ref(d->frame);
		s->all->kept_bytes += d->frame->len;
	} else {
		o->delivery.frame = NULL;
	}
}

void output_drop_deliveries(struct session *s)
{
	struct output *o, *next;

	for (o = TAILQ_FIRST(&s->out); o; o = next) {
		next = TAILQ_NEXT(o, next);
		if (!o->is_delivery || o->begun)
			continue;
		TAILQ_REMOVE(&s->out, o, next);
		free_output(s, o);
	}
}

void output_finish(struct session *s)
{
	struct output *o;

	while ((o = TAILQ_FIRST(&s->out))) {
		TAILQ_REMOVE(&s->out, o, next);
		free_output(s, o);
	}
}

/* --- into TLS records ------------------------------------------------------------------------- */

static bool write_record(struct session *s)
{
	struct buf *r = &s->all->record;
	int rc = r->len ? stream_write(s->stream, buf_bytes(r), r->len) : 0;

	buf_clear(r);
	return rc == 0;
}

static size_t room(const struct session *s)
{
	size_t free_bytes = stream_room(s->stream), gathered = s->all->record.len;

	return free_bytes > gathered + ROOM_NEEDED ? free_bytes - gathered - ROOM_NEEDED : 0;
}

/*
 * Whole records go straight from where the bytes are, the rest is gathered. Returns how many went.
 */
static size_t write_part(struct session *s, const uint8_t *p, size_t n, bool *failed)
{
	struct buf *r = &s->all->record;
	size_t done = 0;

	while (done < n && room(s) > 0 && !*failed) {
		size_t part = n - done;

		if (r->len == 0 && part >= RECORD_BYTES) {
			part = RECORD_BYTES;
			*failed = stream_write(s->stream, p + done, part) != 0;
		} else {
			if (part > RECORD_BYTES - r->len)
				part = RECORD_BYTES - r->len;
			buf_put(r, p + done, part);
			*failed = r->failed || (r->len == RECORD_BYTES && !write_record(s));
		}
		done += part;
	}
	return done;
}

/* --- deliveries ------------------------------------------------------------------------------- */

static bool delivery_body(struct session *s, const struct output *o, const uint8_t **p, size_t *n)
{
	if (o->delivery.frame) {
		*p = o->delivery.frame->data;
		*n = o->delivery.frame->len;
		return true;
	}
	/* Its turn to leave may come long after it was assigned: what has rotted since is seen now. */
	return store_payload_get(s->all->store, o->delivery.id, !o->begun, p, n) == 0;
}

/* The first byte is about to go: false when the delivery is no longer to be made. */
static bool begin_delivery(struct session *s, struct output *o, const uint8_t *body, size_t n)
{
	const struct delivery *d = &o->delivery;
	struct delivery_out out = {
		.route = span_of(route_settings(d->route)->name),
		.attempt = d->attempt,
		.redelivered = d->redelivered,
		.lease = d->lease,
		.received_at_us = d->received_at_us,
	};

	struct buf summary;

	if (!s->instance || !core_delivery_begin(s->all->core, s->instance, d->lease))
		return false;
	buf_init(&summary, SIZE_MAX);
	if (core_delivery_summary(s->all->core, d->lease, &summary))
		out.error_summary = (struct span){ (const char *)buf_bytes(&summary), summary.len };
	take_spare(&o->bytes, &s->all->spare_bytes);
	take_spare(&o->tail, &s->all->spare_tail);
	encode_delivery(&o->bytes, &o->tail, body, n, &o->body_skip, &out);
	buf_finish(&summary);
	o->body_len = n;
	o->begun = true;
	return true;
}

/*
 * One of the three parts: what of it has not gone yet. Returns false when the peer takes no more.
 */
static bool send_part(struct session *s, struct output *o, size_t *before, const uint8_t *p,
    size_t n, bool *failed)
{
	if (o->sent < *before + n) {
		size_t at = o->sent - *before;
		o->sent += write_part(s, p + at, n - at, failed);
	}
	*before += n;
	return o->sent >= *before && !*failed;
}

/* True when all of it has gone, or it is not to be made. */
static bool send_delivery(struct session *s, struct output *o, bool *failed)
{
	const uint8_t *body;
	size_t n, before = 0;
	bool there = delivery_body(s, o, &body, &n);

	if (!o->begun && !there && s->instance)
		core_delivery_unreadable(s->all->core, s->instance, o->delivery.lease);
	if (!o->begun && (!there || !begin_delivery(s, o, body, n)))
		return true;
	if (o->bytes.failed || o->tail.failed) {
		s->broken_why = "no memory for a delivery";
		*failed = true;
		return false;
	}
	if (!there || n != o->body_len) {	/* ended under a lease that the peer guessed */
		*failed = true;
		return false;
	}
	if (!send_part(s, o, &before, buf_bytes(&o->bytes), o->bytes.len, failed) ||
	    !send_part(s, o, &before, body + o->body_skip, n - o->body_skip, failed) ||
	    !send_part(s, o, &before, buf_bytes(&o->tail), o->tail.len, failed))
		return false;
	if (s->instance)
		core_delivery_sent(s->all->core, s->instance, o->delivery.lease);
	return true;
}

static bool send_frames(struct session *s, struct output *o, bool *failed)
{
	size_t before = 0;

	o->begun = true;
	return send_part(s, o, &before, buf_bytes(&o->bytes), o->bytes.len, failed);
}

/* --- to the socket ---------------------------------------------------------------------------- */

/* As much as the stream has room for. False when it has failed. */
static bool fill_stream(struct session *s)
{
	struct output *o;
	bool failed = false;

	while (!failed && room(s) > 0 && (o = TAILQ_FIRST(&s->out)) && !output_is_held(s)) {
		bool done = o->is_delivery ? send_delivery(s, o, &failed)
		                           : send_frames(s, o, &failed);
		if (!done)
			break;
		TAILQ_REMOVE(&s->out, o, next);
		free_output(s, o);
	}
	return write_record(s) && !failed;
}

static void note_progress(struct session *s)
{
	uint64_t sent = stream_sent_bytes(s->stream);

	if (sent != s->progress_bytes) {
		s->progress_ms = s->all->now_ms;
		s->is_sampled = false;
	}
	s->progress_bytes = sent;
}

/* All is out: our half closes, and what the peer still says is discarded until it closes too. */
static void shut_down(struct session *s)
{
	int rc = stream_shutdown(s->stream);

	if (rc == ERR_AGAIN)
		return;
	s->shut = true;
	s->broken = rc != 0;
	session_make_ready(s);
}

/* In the middle of a frame that is longer than one peer's share of a turn. */
static bool is_amid_long(const struct session *s)
{
	const struct output *o = TAILQ_FIRST(&s->out);

	return o->is_delivery && o->begun && o->body_len > PEER_BYTES_PER_TURN;
}

void output_pump(struct session *s)
{
	uint64_t before = stream_sent_bytes(s->stream);
	bool more, goes_on;
	size_t queued;
	int rc;

	if (s->broken)
		return;
	do {
		queued = stream_unsent(s->stream);
		rc = fill_stream(s) ? stream_flush(s->stream) : ERR_IO;
		more = rc == 0 && !output_is_empty(s) && !output_is_held(s);
		goes_on = more && is_amid_long(s) &&
		    stream_sent_bytes(s->stream) - before >= PEER_BYTES_PER_TURN;
	} while (more && !goes_on && stream_unsent(s->stream) < queued + 1);
	note_progress(s);
	if (goes_on)
		session_make_dirty(s);	/* in the next turn: others are waiting */
	if (rc != 0 && rc != ERR_AGAIN) {
		s->broken = true; /* what that means for its batches is the next turn's to decide */
		session_make_ready(s);
	} else if (s->state == SESSION_CLOSING && output_is_empty(s) && !s->shut) {
		shut_down(s);
	}
}
