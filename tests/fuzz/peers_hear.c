/*
 * peers_hear.c - what modules hear, and what must be true of it
 *
 * An oracle from outside: it knows only what was sent and what came back, and the promises of
 * protocol.md. What the store has of a batch is asked for in peers_check().
 */
#include <string.h>

#include "base/digest.h"
#include "fuzz.h"
#include "peers.h"
#include "wire/frame.h"

void peers_begin(struct world *w)
{
	static const char *const names[PEER_COUNT][2] = {
		{ "ALPHA", "alpha-1" }, { "ALPHA", "alpha-2" }, { "BETA", "beta-1" },
		{ "BETA", "beta-2" }, { "GAMMA", "gamma-1" }, { "GAMMA", "gamma-2" },
	};

	for (unsigned n = 0; n < PEER_COUNT; n++)
		w->peers[n] = (struct peer){ .module = names[n][0], .instance = names[n][1] };
}

/* The batch with this id; none but those that were sent may be spoken of. */
static unsigned batch_of(const struct world *w, const struct uuid *id)
{
	unsigned batch = id->b[1];
	const struct uuid is = batch_id_of(batch);

	must(uuid_equal(&is, id) && batch < w->sent_count);
	return batch;
}

/* --- a target --------------------------------------------------------------------------------- */

void peer_forget(struct peer *p, unsigned held)
{
	memmove(&p->held[held], &p->held[held + 1], (--p->held_count - held) * sizeof p->held[0]);
}

/* Which content of it this is: one that was sent, and always the same. */
static void check_content(struct sent *s, const struct message_batch *b)
{
	uint8_t digest[SHA256_BYTES];
	int variant;

	sha256(b->records.p, b->records.n, digest);
	must(memcmp(digest, b->checksum, sizeof digest) == 0);
	must(b->records.n > 0 && b->record_count == s->count);
	variant = (uint8_t)b->records.p[b->records.n - 1];
	must(variant < VARIANTS);
	must(s->taken < 0 || s->taken == variant || s->purged);
	must(s->delivered < 0 || s->delivered == variant || s->purged);
	s->delivered = variant;
}

static void hear_delivery(struct world *w, struct peer *p, const struct message_batch *b)
{
	unsigned batch = batch_of(w, &b->batch_id);
	struct sent *s = &w->sent[batch];

	must(b->has_delivery && b->delivery_attempt >= 1 && b->delivery_lease > 0);
	must(span_is(b->delivery_route, s->route == 0 ? "alpha-beta" : "beta-gamma"));
	must(strcmp(p->module, s->route == 0 ? "BETA" : "GAMMA") == 0);
	/* A letter of rejected records has a batch_id of its own, which batch_of() would refuse. */
	check_content(s, b);
	must(s->processed <= s->lives);	/* never again what this target side has ended */
	if (p->held_count == HELD_MAX)
		peer_forget(p, 0);
	p->held[p->held_count++] = (struct held){ (int)batch, b->delivery_lease };
}

/* --- acknowledgments -------------------------------------------------------------------------- */

/* The broker's echo of what this target has said. */
static void hear_echo(struct world *w, struct peer *p, const struct message_ack *a)
{
	struct sent *s = &w->sent[batch_of(w, &a->batch_id)];

	for (unsigned n = 0; n < p->held_count; n++)
		if (p->held[n].lease == a->lease && a->status != ACK_RECEIVED)
			peer_forget(p, n--);
	if (a->status != ACK_PROCESSED || a->duplicate)
		return;
	s->processed++;
	must(s->processed <= s->lives + 1);
}

static void hear_ack(struct world *w, struct peer *p, const struct message *m)
{
	const struct message_ack *a = &m->ack;
	struct sent *s;

	if (a->lease != 0) {
		hear_echo(w, p, a);
		return;
	}
	s = &w->sent[batch_of(w, &a->batch_id)];
	if (a->status == ACK_RECEIVED && m->has_in_reply_to) {
		int variant = m->in_reply_to.b[2];

		must(m->in_reply_to.b[1] == a->batch_id.b[1]);
		must(s->taken < 0 || s->taken == variant || s->purged);
		must(s->delivered < 0 || s->delivered == variant || s->purged);
		s->taken = variant;
	}
	s->told |= m->has_notice && a->status != ACK_RECEIVED;
}

/* --- all that comes --------------------------------------------------------------------------- */

static void hear(struct world *w, struct peer *p, const struct message *m)
{
	if (m->has_notice) {
		must(m->notice > 0);
		p->seen = m->notice > p->seen ? m->notice : p->seen;
	}
	switch (m->header.type) {
	case MESSAGE_WELCOME:
		must(p->said_hello && !p->is_welcome);
		p->is_welcome = true;
		break;
	case MESSAGE_BATCH_TRANSFER:
		must(p->is_welcome);
		hear_delivery(w, p, &m->batch);
		break;
	case MESSAGE_ACKNOWLEDGMENT:
		hear_ack(w, p, m);
		break;
	case MESSAGE_GOODBYE:
	case MESSAGE_ERROR_NOTIFICATION:
		break;
	case MESSAGE_BACKPRESSURE:
	case MESSAGE_DELIVERY_CONFIRMATION:
	case MESSAGE_CIRCUIT_STATE_CHANGE:
	case MESSAGE_HEALTH_CHECK_REQUEST:
	case MESSAGE_HEALTH_CHECK_RESPONSE:
		must(p->is_welcome);
		break;
	default:
		broken(__FILE__, __LINE__, "the broker says nothing else");
	}
}

static void hear_all(struct world *w, struct peer *p)
{
	struct buf *heard = wire_heard(p->wire);

	while (heard->len >= FRAME_LENGTH_BYTES) {
		const uint8_t *frame = buf_bytes(heard);
		size_t n = frame_length(frame);
		struct message m;
		struct fault f;

		must(n <= FRAME_BYTES_MAX + DELIVERY_EXTRA_BYTES);
		if (heard->len < FRAME_LENGTH_BYTES + n)
			break;
		must(message_decode(w->decoder, frame + FRAME_LENGTH_BYTES, n, &m, &f) == 0);
		hear(w, p, &m);
		buf_take(heard, FRAME_LENGTH_BYTES + n);
	}
	if (wire_is_over(p->wire))
		peer_leave(p, false);
}

void peers_hear(struct world *w)
{
	for (unsigned n = 0; n < PEER_COUNT; n++)
		if (w->peers[n].wire != NULL)
			hear_all(w, &w->peers[n]);
}

/* --- what the store must have ----------------------------------------------------------------- */

static void check_batch(struct world *w, unsigned batch)
{
	const struct sent *s = &w->sent[batch];
	const struct uuid id = batch_id_of(batch);
	struct identity is;
	const uint8_t *p;
	size_t n;

	store_identity_get(w->house.store, w->house.routes[s->route], &id, &is);
	if (s->purged)
		return;
	must(s->taken < 0 || is.kind != IDENTITY_NONE);	/* RECEIVED is for ever */
	must(s->processed == 0 || s->lives > 0 || is.kind == IDENTITY_ENDED);
	must(!s->told || s->lives > 0 || is.kind == IDENTITY_ENDED || is.kind == IDENTITY_DEAD);
	if (is.kind == IDENTITY_LIVE || is.kind == IDENTITY_DEAD)
		must(store_payload_get(w->house.store, is.id, true, &p, &n) == 0 && n > 0);
	/* A stage's output is there only together with the end of what it was made from. */
	for (unsigned k = 0; is.kind != IDENTITY_NONE && k < s->complete_count; k++) {
		const struct sent *from = &w->sent[s->completed[k]];
		const struct uuid from_id = batch_id_of((unsigned)s->completed[k]);

		store_identity_get(w->house.store, w->house.routes[from->route], &from_id, &is);
		must(from->purged || from->lives > 0 || is.kind == IDENTITY_ENDED);
	}
}

/* Of all outputs that were made under one lease, one at most has been taken. */
static void check_stages(struct world *w)
{
	for (unsigned a = 0; a < w->sent_count; a++)
		for (unsigned b = 0; b < a; b++) {
			const struct sent *s = &w->sent[a], *t = &w->sent[b];

			for (unsigned n = 0; n < s->complete_count * t->complete_count; n++)
				must(s->completes[n % s->complete_count] !=
				    t->completes[n / s->complete_count] ||
				    s->taken < 0 || t->taken < 0);
		}
}

void peers_check(struct world *w)
{
	for (unsigned n = 0; n < w->sent_count; n++)
		check_batch(w, n);
	check_stages(w);
	store_read_end(w->house.store);
}
