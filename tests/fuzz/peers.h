/* peers.h - modules at the other end: what they sent, what they heard, what they are owed */
#ifndef HANDOFF_FUZZ_PEERS_H
#define HANDOFF_FUZZ_PEERS_H

#include "house.h"
#include "wires.h"
#include "wire/decode.h"
#include "wire/message.h"

#define PEER_COUNT 6		/* two sources, two stages, two targets */
#define SENT_MAX 48
#define HELD_MAX 8
#define COMPLETES_MAX 2
#define VARIANTS 2		/* what a batch_id is sent with: its content, and another */

/* A batch by its batch_id, as those outside know it. */
struct sent {
	unsigned route;
	unsigned count;			/* of records */
	uint64_t completes[COMPLETES_MAX];	/* leases, of those in completed[] */
	int completed[COMPLETES_MAX];
	unsigned complete_count;
	int taken;			/* the variant that was RECEIVED; -1: none was */
	int delivered;			/* the variant that a target has got; -1: none has */
	unsigned lives;			/* how often a person made it begin anew */
	unsigned processed;		/* PROCESSED echoed, as no duplicate */
	bool purged;			/* by a person */
	bool told;			/* the source has heard of an end */
};

struct held {
	int batch;			/* index in sent[] */
	uint64_t lease;
};

struct peer {
	const char *module, *instance;
	struct stream *wire;		/* NULL: not connected */
	bool is_welcome, said_hello;
	struct held held[HELD_MAX];
	unsigned held_count;
	uint64_t seen;
};

struct world {
	struct house house;
	struct peer peers[PEER_COUNT];
	struct sent sent[SENT_MAX];
	unsigned sent_count;
	uint64_t sequence[PEER_COUNT];
	uint32_t messages;		/* so many were made: their ids differ */
	struct decoder *decoder;
};

void peers_begin(struct world *w);
/* --- what they say; false when there is nothing to say ---------------------------------------- */
bool peer_connect(struct world *w, struct peer *p);
bool peer_hello(struct world *w, struct peer *p, bool mailbox, bool holds);
/* A batch of the route that the peer is a source of: a new one, or one that was sent. */
bool peer_send(struct world *w, struct peer *p, unsigned count);
bool peer_repeat(struct world *w, struct peer *p, unsigned batch, int variant);
/* A new batch that ends the first `completes` of those held. */
bool peer_stage(struct world *w, struct peer *p, unsigned completes);
bool peer_answer(struct world *w, struct peer *p, unsigned held, enum ack_status status,
    bool permanent, unsigned rejected);
bool peer_confirm(struct world *w, struct peer *p, unsigned batch, unsigned status);
bool peer_press(struct world *w, struct peer *p, bool on);
bool peer_goodbye(struct world *w, struct peer *p, bool draining);
void peer_leave(struct peer *p, bool broken);
void peer_forget(struct peer *p, unsigned held);

/* --- what they hear, and what must be true of it ---------------------------------------------- */
void peers_hear(struct world *w);
/* Nothing that was promised to anybody is missing in the store. */
void peers_check(struct world *w);
struct uuid batch_id_of(unsigned batch);

#endif
