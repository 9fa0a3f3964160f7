/* internal.h - what the files of this room share: one session, all sessions */
#ifndef HANDOFF_SESSION_INTERNAL_H
#define HANDOFF_SESSION_INTERNAL_H

#include <sys/queue.h>

#include "base/buf.h"
#include "base/rng.h"
#include "net/watcher.h"
#include "session/session.h"
#include "wire/decode.h"
#include "wire/encode.h"

#define LINGER_MS 2000 /* what still arrives after our last frame is discarded for so long */
#define FRAME_TIMEOUT_MS 10000		/* for any frame; large ones get longer: */
#define FRAME_BYTES_PER_MS 64		/* so slow a peer may be */
#define PEER_BYTES_PER_TURN (1024 * 1024)
#define TURN_BYTES (16 * 1024 * 1024)
/* Answers that a peer has not read, beside a notice as long as a frame may be; then it is cut. */
#define ANSWER_BYTES_MAX (4 * 1024 * 1024)
#define NOTICE_BYTES_MAX (256 * 1024)	/* outcomes wait in the store beyond this */
#define KEPT_BYTES_MAX (64 * 1024 * 1024)	/* frames kept in memory until they are sent on */
#define ADDRESS_MAX 63

enum session_state {
	SESSION_NEW, /* has not said HELLO */
	SESSION_OPEN,
	SESSION_DRAINING, /* the client said GOODBYE DRAINING: it finishes what it holds */
	SESSION_CLOSING, /* our last frames go out, what comes in is discarded */
	SESSION_DEAD, /* freed at the end of the turn */
};

/*
 * A piece of output: encoded frames, or a delivery whose bytes are fetched when they can be sent.
 */
struct output {
	TAILQ_ENTRY(output) next;
	bool is_delivery;
	uint64_t turn;			/* that it is of: it goes when that is durable */
	struct buf bytes; /* frames; of a delivery the part in front of the source's bytes */
	struct buf tail;		/* of a delivery, the part behind them */
	struct delivery delivery;	/* with a reference of its frame, or none */
	bool begun;			/* the first byte was handed over */
	size_t body_skip;		/* the source's own map head, which bytes replaces */
	size_t body_len;
	size_t sent;			/* of all three parts together */
};
TAILQ_HEAD(output_queue, output);

struct session {
	struct sessions *all;
	unsigned id;
	enum session_state state;
	char address[ADDRESS_MAX + 1];
	const char *module;		/* of the certificate */
	char instance_id[INSTANCE_ID_MAX + 1];
	struct instance *instance;	/* NULL before HELLO and when it has left */
	struct stream *stream;
	struct watcher *watcher;
	uint64_t opened_ms;

	uint8_t length[FRAME_LENGTH_BYTES];	/* of the frame that is coming in */
	size_t length_got;
	struct frame *frame;		/* its body, NULL before the length is known */
	uint32_t frame_len;
	uint64_t frame_deadline_ms;
	bool starved;			/* waits for room in the assembly budget */

	struct output_queue out;
	size_t out_bytes;		/* encoded frames in it */
	uint64_t progress_ms;		/* when the peer last took bytes */
	uint64_t progress_bytes;
	uint64_t sampled_bytes;		/* what its system had acknowledged when half of */
	uint64_t deadline_ms;		/* HELLO, or the end of lingering; UINT64_MAX none */
	const char *broken_why;		/* in words, where the stream has none */
	bool is_sampled;		/* write_timeout_ms had passed since progress_ms */
	bool shut;			/* our sending half is closed */
	bool broken;			/* nothing can be sent: it ends in the next turn */

	bool is_ready, is_dirty, is_held;	/* in all.ready, all.dirty, all.held */
	uint64_t ready_since, dirty_since;	/* the pass (all.pass) that put it there */
	TAILQ_ENTRY(session) entry;	/* all.sessions */
	TAILQ_ENTRY(session) ready;
	TAILQ_ENTRY(session) dirty;
	TAILQ_ENTRY(session) held;
};
TAILQ_HEAD(session_list, session);

struct sessions {
	struct ev_loop *loop;
	struct core *core;
	struct store *store;
	struct sessions_settings settings;
	struct decoder *decoder;
	struct rng rng;
	uint64_t now_ms;
	int64_t wall_us; /* read when a turn first needs it; 0: it has not */
	uint64_t pass; /* over ready or dirty: who comes in meanwhile waits for the next */
	unsigned last_id;
	struct session_list sessions;
	struct session_list ready;	/* have sent something, or hold bytes inside TLS */
	struct session_list dirty;	/* have output, or are to be looked at after the commit */
	struct session_list held;	/* owed something that is not durable yet */
	uint64_t durable;		/* the turn that is, as far as they were told */
	struct session_list dead;	/* by entry */
	size_t count;
	size_t dead_count;
	uint64_t assembly_bytes;	/* announced by frames that are coming in */
	bool any_starved;		/* some session may wait for room there */
	uint64_t refused;		/* strangers with a sound certificate */
	uint64_t kept_bytes;		/* of frames that wait to be sent on */
	uint64_t next_deadline_ms;
	bool stopping;
	struct buf record;		/* gathers what leaves in one TLS record */
	/* Memory that one frame or delivery leaves to the next; NULL and empty: none. */
	struct frame *spare_frame;
	struct buf spare_bytes, spare_tail;
};

/* --- session.c: one life, one door ------------------------------------------------------------ */
struct session *session_create(struct sessions *ss, struct stream *stream, const char *address);
void session_destroy(struct session *s);
/* Has something to be handled in this turn, or looked at after the commit. */
void session_make_ready(struct session *s);
void session_make_dirty(struct session *s);
void session_set_deadline(struct session *s, uint64_t deadline_ms);
/*
 * The door: the session ends, and `why` is logged. With a goodbye the peer is told, after the
 * answers that are already owed; `how` is what it means for the batches it holds.
 */
void session_close(struct session *s, enum leave_how how, const char *why);
void session_goodbye(struct session *s, enum goodbye_reason reason, enum leave_how how,
    uint32_t reconnect_delay_ms, const char *why);

/* --- certificate.c ---------------------------------------------------------------------------- */
/* The declared module that the certificate names; NULL, and a sentence in why[size]. */
const char *certificate_module(const struct sessions *ss, const struct tls_identity *id, char *why,
    size_t size);

/* --- receive.c -------------------------------------------------------------------------------- */
/* Reads and handles up to `budget` bytes. Returns how many it took. */
size_t session_receive(struct session *s, size_t budget);
/* Gives back the frame that is coming in. */
void session_drop_frame(struct session *s);

/* --- output.c --------------------------------------------------------------------------------- */
/* The buffer that an encoder appends a frame to. */
struct buf *output_frames(struct session *s);
/* What was appended is counted; a peer that lets too much pile up is disconnected. */
void output_done(struct session *s);
void output_delivery(struct session *s, const struct delivery *d);
/* Hands to the stream and the socket what they take; shuts down when closing and all is out. */
void output_pump(struct session *s);
/* Drops what has not begun to leave, save encoded frames. */
void output_drop_deliveries(struct session *s);
void output_finish(struct session *s);
bool output_is_empty(const struct session *s);
/* What is next may not leave yet: its turn is not durable. */
bool output_is_held(const struct session *s);

/* --- handle.c and handle_*.c ------------------------------------------------------------------ */
void session_handle(struct session *s, struct frame *frame);
/* A handler's no: one line in the log, and send_refusal(). */
void session_refuse(struct session *s, const struct message *m, const struct fault *f,
    const struct route *route);
void handle_hello(struct session *s, const struct message *m, struct frame *frame);
void handle_goodbye(struct session *s, const struct message *m, struct frame *frame);
void handle_batch(struct session *s, const struct message *m, struct frame *frame);
void handle_acknowledgment(struct session *s, const struct message *m, struct frame *frame);
void handle_delivery_confirmation(struct session *s, const struct message *m, struct frame *frame);
void handle_backpressure(struct session *s, const struct message *m, struct frame *frame);
void handle_health_request(struct session *s, const struct message *m, struct frame *frame);
void handle_health_response(struct session *s, const struct message *m, struct frame *frame);
void handle_error_notification(struct session *s, const struct message *m, struct frame *frame);

/* --- send_*.c --------------------------------------------------------------------------------- */
/* An envelope of ours: answers *m where it is not NULL. `id` keeps what the envelope points to. */
struct envelope send_envelope(struct session *s, const struct message *m);
void send_welcome(struct session *s, const struct message *hello);
void send_goodbye(struct session *s, enum goodbye_reason reason, uint32_t reconnect_delay_ms,
    const char *message);
/*
 * The refusal of a message in the form of section 9: ACKNOWLEDGMENT for a batch (with its route,
 * NULL when it has none), else a notification.
 */
void send_refusal(struct session *s, const struct message *m, const struct fault *f,
    const struct route *route);
/* A refusal that answers nothing readable. */
void send_notification(struct session *s, const struct message *m, const struct fault *f,
    enum action_required action);
void send_offer_answer(struct session *s, const struct message *m, const struct offer_answer *a);
void send_echo(struct session *s, const struct message *m, const struct message_ack *of,
    const struct route *route, bool duplicate);
void send_backpressure(struct session *s, const struct message_backpressure *b);
void send_health_request(struct session *s);
void send_health_response(struct session *s, const struct message *m);
void send_warning(struct session *s, const struct batch_warning *w);
void send_circuit_change(struct session *s, const struct message_circuit_change *change);
void send_notice(struct session *s, uint64_t number, const uint8_t *body, size_t n);
void send_outcome(struct session *s, const struct ended *e, const struct route *route);

#endif
