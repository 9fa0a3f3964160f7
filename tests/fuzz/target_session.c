/*
 * target_session.c - conversations: a list of (peer, action), and the broker dies in between
 *
 * The real sessions, core and store; the peers are two sources, two stages, two targets, a stranger
 * and an operator. Each action is two bytes (who, what) and one or more of how. After every turn
 * the store must agree with itself, and nothing that the peers were told may be untrue, however
 * often the broker died. At the end all come back, behave, and everything must come to its end.
 */
#include <string.h>

#include "fuzz.h"
#include "peers.h"
#include "wire/frame.h"

#define STEPS_MAX 400
#define ROUNDS_MAX 400

static struct world world;
static struct choices choices;
static const struct hand hand = { "fuzz (uid 0)", "because" };

void target_begin(void)
{
	world.decoder = decoder_create(DECODE_AT_CLIENT);
}

static void turn(struct world *w, enum death death)
{
	house_turn(&w->house, death);
	peers_hear(w);
	peers_check(w);
}

/* The broker is gone and back: who was connected finds out. */
static void die(struct world *w, enum death death)
{
	turn(w, death);
	if (death == DEATH_NONE) {
		house_crash(&w->house);
		peers_hear(w);
		peers_check(w);
	}
}

/* --- what a peer does that is no message ------------------------------------------------------ */

/* Bytes of the input's own, as they are or as a frame. */
static void say_raw(struct peer *p, bool framed)
{
	uint8_t length[FRAME_LENGTH_BYTES];
	size_t n;
	const uint8_t *bytes = choice_bytes(&choices, choice_byte(&choices), &n);

	if (p->wire == NULL)
		return;
	frame_length_put(length, (uint32_t)n);
	if (framed)
		wire_say(p->wire, length, sizeof length);
	wire_say(p->wire, bytes, n);
}

static void stranger(struct world *w)
{
	struct stream *wire = wire_create("nobody");

	if (wire == NULL)
		return;
	sessions_add(w->house.sessions, wire, "127.0.0.1:2");
	turn(w, DEATH_NONE);
	wire_let_go(wire);
}

/* --- a person's hand -------------------------------------------------------------------------- */

static void operate(struct world *w, unsigned batch, enum operation operation)
{
	const struct uuid id = batch_id_of(batch);
	struct sent *s = &w->sent[batch];
	struct identity is;
	char why[256];

	store_identity_get(w->house.store, w->house.routes[s->route], &id, &is);
	if (is.kind != IDENTITY_LIVE && is.kind != IDENTITY_DEAD)
		return;
	if (core_operate(w->house.core, operation, house_route(&w->house, s->route), is.id, &hand,
	        why, sizeof why) != OPERATED)
		return;
	s->purged |= operation == OPERATION_PURGE;
	s->lives += operation == OPERATION_REDRIVE || operation == OPERATION_PURGE;
}

static void person(struct world *w, unsigned how)
{
	const struct peer *p = &w->peers[how % PEER_COUNT];
	unsigned what = how >> 4;

	core_set_time(w->house.core, w->house.now_ms, w->house.now_ms,
	    (int64_t)w->house.now_ms * 1000);
	if (what < OPERATION_COUNT && w->sent_count > 0)
		operate(w, choice_byte(&choices) % w->sent_count, (enum operation)what);
	else if (what < 10)
		core_pause(w->house.core, house_route(&w->house, how % ROUTE_COUNT), how & 2,
		    &hand);
	else if (what < 12)
		core_set_draining(w->house.core, how & 1, &hand);
	else
		core_kick(w->house.core, p->module, span_of(p->instance), &hand);
}

/* --- the table of actions --------------------------------------------------------------------- */

static void act(struct world *w, struct peer *p, unsigned what, unsigned how)
{
	switch (what) {
	case 0:
		peer_connect(w, p);
		peer_hello(w, p, !(how & 1), how & 2);
		break;
	case 1:
		peer_send(w, p, how);
		break;
	case 2:
		peer_repeat(w, p, how >> 1, how & 1);
		break;
	case 3:
		peer_stage(w, p, how);
		break;
	case 4:
		peer_answer(w, p, how, ACK_RECEIVED, false, 0);
		break;
	case 5:
		peer_answer(w, p, how & 7, ACK_PROCESSED, false, how >> 3);
		break;
	case 6:
		peer_answer(w, p, how >> 1, ACK_REJECTED, how & 1, 0);
		break;
	case 7:
		peer_confirm(w, p, how, choice_byte(&choices));
		break;
	case 8:
		peer_press(w, p, how & 1);
		break;
	case 9:
		peer_goodbye(w, p, how & 1);
		break;
	case 10:
		peer_leave(p, how & 1);
		break;
	case 11:
		if (p->wire != NULL)
			wire_set_deaf(p->wire, how & 1);
		break;
	case 12:
		say_raw(p, how & 1);
		break;
	case 13:
		peer_connect(w, p);
		break;
	case 14:
		person(w, how);
		break;
	default:
		w->house.now_ms += how < 128 ? how : (how - 127u) * 100;
		turn(w, DEATH_NONE);
	}
}

static void broker_does(struct world *w, unsigned how)
{
	switch (how % 8) {
	case 0:
		die(w, DEATH_BEFORE_COMMIT);
		break;
	case 1:
		die(w, DEATH_AFTER_COMMIT);
		break;
	case 2:
		die(w, DEATH_NONE);
		break;
	case 3:
		house_restart(&w->house);
		peers_hear(w);
		peers_check(w);
		break;
	case 4:
		stranger(w);
		break;
	default:
		turn(w, DEATH_NONE);
	}
}

/* --- the end: all behave ---------------------------------------------------------------------- */

static bool is_live(struct world *w)
{
	bool live = false;

	for (unsigned n = 0; n < w->sent_count; n++) {
		const struct uuid id = batch_id_of(n);
		struct identity is;

		store_identity_get(w->house.store, w->house.routes[w->sent[n].route], &id, &is);
		live |= is.kind == IDENTITY_LIVE;
		if (is.kind == IDENTITY_LIVE)
			operate(w, n, OPERATION_RELEASE);
	}
	return live;
}

static void settle(struct world *w)
{
	for (unsigned n = 0; n < PEER_COUNT; n++)
		peer_leave(&w->peers[n], false);
	turn(w, DEATH_NONE);
	core_set_draining(w->house.core, false, &hand);
	for (unsigned n = 0; n < ROUTE_COUNT; n++)
		core_pause(w->house.core, house_route(&w->house, n), false, &hand);
	for (unsigned round = 0; is_live(w); round++) {
		must(round < ROUNDS_MAX);	/* nothing is stuck */
		for (unsigned n = 0; n < PEER_COUNT; n++) {
			struct peer *p = &w->peers[n];

			if (peer_connect(w, p))
				peer_hello(w, p, true, false);
			for (unsigned k = p->held_count; k > 0; k--)
				peer_answer(w, p, k - 1, ACK_PROCESSED, false, 0);
		}
		turn(w, DEATH_NONE);
		w->house.now_ms += 20;
	}
	peers_check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = &world;
	struct decoder *decoder = w->decoder;

	*w = (struct world){ .decoder = decoder };
	choices = (struct choices){ data, data + size };
	peers_begin(w);
	house_open(&w->house);
	for (unsigned n = 0; n < STEPS_MAX && choices_left(&choices) > 0; n++) {
		unsigned who = choice_byte(&choices), how = choice_byte(&choices);

		if ((who & 15) < PEER_COUNT * 2)
			act(w, &w->peers[(who & 15) / 2], who >> 4, how);
		else
			broker_does(w, how);
	}
	settle(w);
	for (unsigned n = 0; n < PEER_COUNT; n++)
		peer_leave(&w->peers[n], false);
	house_close(&w->house);
	return 0;
}
