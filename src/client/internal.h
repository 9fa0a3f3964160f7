/*
 * internal.h - what the library's files share: the client and what belongs to it
 *
 *	library.c    once for the process, and words
 *	options.c    what the caller asked for
 *	client.c     life: open, connect again, end, drain, close
 *	loop.c       the two styles of driving a client
 *	link.c       one connection: bytes to frames
 *	session.c    the conversation on it: HELLO, WELCOME, GOODBYE, and who gets which message
 *	routes.c     the broker's settings
 *	records.c    records, and lists of them
 *	sender.c     records to batches
 *	batch.c      a finished batch of the caller's
 *	outbox.c     batches until they are RECEIVED
 *	delivery.c   a delivery, as the caller sees it
 *	receiver.c   deliveries until the caller ends them
 *	ending.c     what the caller said of a delivery, until the broker has answered
 *	events.c     what is told to the caller
 *	notices.c    outcomes, confirmations and errors to the caller, and `seen` to the broker
 *	health.c     health checks: the broker's are answered, and it is asked
 *	flow.c       back-pressure: the broker's on our routes, ours on the broker
 *	confirm.c    delivery confirmations until they are written
 *	errors.c     IntegrationErrors to the caller and from him
 *	ids.c        identifiers
 *
 * The rule that keeps this simple: nothing ends a connection while it is in use. Whoever finds that
 * it must end says so with client_lose() or client_give_up(), which note it down; client_settle(),
 * the last thing that every entry into the library does, acts on it.
 */
#ifndef HANDOFF_CLIENT_INTERNAL_H
#define HANDOFF_CLIENT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "client/link.h"
#include "client/options.h"
#include "handoff/handoff.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/message.h"

#define ROUTE_NAME_MAX 63
#define WHY_SIZE 256
#define BROKER_TEXT_SIZE 128
/* What of a frame is not records, errors or leases, rounded up generously. */
#define FRAME_OVERHEAD_BYTES 4096
/* What one of `completes` takes beside its errors. */
#define COMPLETION_BYTES 256
/* While more than this waits to be written, nothing further that is large is encoded. */
#define WRITE_AHEAD_BYTES ((size_t)256 * 1024)

/* --- the parts ------------------------------------------------------------------------------- */

struct route {
	struct handoff_route shown;	/* its texts are the ones below */
	char name[ROUTE_NAME_MAX + 1];
	char source[MODULE_NAME_MAX + 1];
	char target[MODULE_NAME_MAX + 1];
	/* For batches that complete nothing: */
	unsigned refusals;		/* TRANSIENT ones in a row, each counted once for all */
	int64_t pause_until_ms;		/* send none before */
	bool is_asking;			/* one was sent after a pause, and is not answered */
	struct handoff_backpressure pressure;
	bool was_told_active;		/* the latest event said so */
	int64_t left_at_ms;		/* when the latest one left */
	/* For deliveries: */
	bool is_paused;			/* by the caller, this route alone */
};

struct handoff_records {
	struct buf bytes;		/* room for the list's head, then the records */
	uint64_t count;
};

struct handoff_sender {
	TAILQ_ENTRY(handoff_sender) link;
	struct handoff_client *client;
	char target[MODULE_NAME_MAX + 1];
	struct handoff_records records;	/* gathered for the next batch */
	int64_t flush_at_ms;		/* when its first record has waited long enough */
	bool is_due;			/* the batch goes as soon as there is room */
	bool is_critical;
};

/* A batch between being taken over and RECEIVED. */
struct outgoing {
	TAILQ_ENTRY(outgoing) link;	/* in the outbox: waiting, or sent on this connection */
	char route[ROUTE_NAME_MAX + 1];
	char target[MODULE_NAME_MAX + 1];
	char correlation_id[CORRELATION_ID_MAX + 1];
	struct batch_out out;		/* its records point into `storage` */
	struct summaries_out summaries;	/* where out.summaries points, when the caller gave them */
	void *storage;			/* owned */
	struct handoff_delivery **completes;	/* owned; complete_count of them */
	size_t complete_count;
	void *user;			/* the caller's */
	struct uuid message_id;		/* of its latest sending */
	/* For one that completes something: */
	unsigned refusals;		/* TRANSIENT ones in a row */
	int64_t retry_at_ms;		/* not sent before */
};
TAILQ_HEAD(outgoing_list, outgoing);

struct outbox {
	struct outgoing_list waiting;	/* in the order of sequence numbers, but for repeats */
	struct outgoing_list sent;	/* on this connection, not answered */
	size_t count, bytes;		/* of both: batches, records in bytes */
	size_t plain_count;		/* of both: those that complete nothing */
};

/* What came of records that the caller wrote, until it has been written to a connection. */
struct confirmation {
	TAILQ_ENTRY(confirmation) link;
	char correlation_id[CORRELATION_ID_MAX + 1];	/* the delivery's; "": not known */
	struct message_confirmation says;	/* its results are owned */
	char *texts;			/* of them; owned */
	size_t bytes;			/* encoded, rounded up */
};
TAILQ_HEAD(confirmation_list, confirmation);

struct confirmations {
	struct confirmation_list waiting;
	struct confirmation_list encoded;	/* for this connection, not yet all written */
	size_t count, bytes;		/* of both */
};

enum delivery_state {
	DELIVERY_UNTOLD,	/* its event has not been taken */
	DELIVERY_OPEN,		/* the caller works on it */
	DELIVERY_SAID,		/* the caller has said how it ends; the broker has not answered */
	DELIVERY_COMPLETED,	/* an outgoing batch names it */
};

struct handoff_delivery {
	TAILQ_ENTRY(handoff_delivery) link;
	struct handoff_client *client;
	enum delivery_state state;
	bool is_lost;			/* the broker does not hold it to be ours */
	bool is_superseded;		/* its lease is known not to be current */
	struct frame *frame;		/* owned; the body that `records` points into */
	struct span records;
	size_t at;			/* the next record begins here */
	struct uuid batch_id;
	char batch_id_text[UUID_TEXT_LEN + 1];
	char correlation_id[CORRELATION_ID_MAX + 1];
	char route[ROUTE_NAME_MAX + 1];
	char source[MODULE_NAME_MAX + 1];
	uint64_t record_count, lease, attempt;
	bool is_redelivered, is_critical;
	void *user;			/* the caller's */
	int64_t begun_at_ms;		/* when it came */
	int64_t repeat_at_ms;		/* when RECEIVED is due again */
	struct uuid received_id;	/* the message of the latest RECEIVED */
	struct uuid said_id;		/* the message that says how it ends, as sent last */
	struct ack_out said;		/* what it says; `more_errors` are those below */
	struct buf errors;		/* IntegrationErrors, encoded */
};

/* What the caller says of a part of the module. */
struct own_component {
	char name[HANDOFF_COMPONENT_NAME_MAX + 1];
	enum health_status status;
	char message[HANDOFF_COMPONENT_MESSAGE_MAX + 1];
	int64_t said_at_us;
};

struct event {
	TAILQ_ENTRY(event) link;
	struct handoff_event shown;	/* its texts are those below */
	uint64_t notice;		/* the mailbox's number, 0: none */
	char route[ROUTE_NAME_MAX + 1];
	char batch_id[UUID_TEXT_LEN + 1];
	char circuit_id[ROUTE_NAME_MAX + 1];	/* has the form of a route's name */
	char text[WHY_SIZE];
	struct handoff_error *errors;	/* owned */
	char *error_texts;		/* owned */
	struct handoff_record_result *results;	/* owned */
	char *result_texts;		/* owned */
	struct handoff_health_report health;
	struct handoff_component *components;	/* owned */
	char *health_bytes;		/* owned: their texts, and the pipeline's map */
	size_t bytes;			/* of the results, or of health */
};

TAILQ_HEAD(event_list, event);

/* What client_settle() has to do with the connection. */
enum verdict { VERDICT_NONE, VERDICT_LOST, VERDICT_FINAL };

struct handoff_client {
	struct handoff_options *options;	/* owned */
	struct tls_context *tls;		/* owned; NULL when it could not be made */
	struct decoder *decoder;		/* owned */
	enum handoff_state state;
	char why[WHY_SIZE];
	enum handoff_end end;		/* what ends it for good, where that is known */
	int64_t now_ms;			/* the monotonic clock, read at each entry */

	struct link *link;		/* owned; NULL between attempts */
	bool is_greeted;		/* HELLO has been sent */
	enum verdict verdict;
	int64_t deadline_ms;		/* CONNECTING: WELCOME; CLOSING: the broker's end */
	int64_t retry_at_ms;		/* WAITING: the next attempt */
	int64_t reconnect_delay_ms;	/* the broker's wish, -1: none */
	int64_t connected_at_ms;
	unsigned attempts;		/* since a connection that lasted */
	bool has_work;			/* something to write may have come since the last flush */
	int64_t flushed_at_ms;

	char broker[BROKER_TEXT_SIZE];
	struct uuid broker_id;
	bool has_broker_id;
	size_t max_frame_bytes;		/* 0 before the first WELCOME */
	struct route *routes;		/* owned */
	size_t route_count;

	TAILQ_HEAD(, handoff_sender) senders;
	struct outbox outbox;
	TAILQ_HEAD(, handoff_delivery) deliveries;
	int64_t repeat_at_ms;		/* no RECEIVED is due before */
	struct event_list events;
	size_t event_count, event_bytes;
	struct event *current;		/* owned; the caller reads it */
	uint64_t seen;			/* the highest notice confirmed, of this broker_id */
	bool has_seen;			/* not yet said on this connection */
	int64_t seen_due_ms;		/* has_seen: it is said by then, whatever else there is */
	uint64_t newest_notice;		/* the highest that came, of this broker_id */
	struct confirmations confirmations;

	struct own_component *components;	/* owned; what the caller said of its health */
	size_t component_count;
	size_t held_back;		/* batches' worth that he keeps before the outbox */
	int64_t opened_at_ms;

	bool is_paused;			/* by the caller: no deliveries on any route */

	bool is_draining;
	bool has_said_draining;
};

/* --- client.c -------------------------------------------------------------------------------- */

void client_read_clock(struct handoff_client *c);
/* The connection must end, and another be tried. The first reason counts. */
__attribute__((format(printf, 2, 3)))
void client_lose(struct handoff_client *c, const char *why, ...);
/* The same, for good. */
__attribute__((format(printf, 3, 4)))
void client_give_up(struct handoff_client *c, enum handoff_end end, const char *why, ...);
void client_set_state(struct handoff_client *c, enum handoff_state state);
/* Begins a connection, when it is time. */
void client_proceed(struct handoff_client *c);
/* Acts on what was noted down, and takes the next step of draining. Ends every entry. */
void client_settle(struct handoff_client *c);
/*
 * Writes at once what the caller has given, unless that was done this very millisecond: what comes
 * in quick succession goes together, when the client is given its time.
 */
void client_push(struct handoff_client *c);
/* HELLO has been said, and the last words have not. */
bool client_is_talking(const struct handoff_client *c);
/* When client_proceed() has something to do; INT64_MAX: never. */
int64_t client_due_ms(const struct handoff_client *c);
/* New work that completes nothing may still come. */
bool client_takes_work(const struct handoff_client *c);

/* --- session.c ------------------------------------------------------------------------------- */

/* The connection stands: say HELLO. */
void session_begin(struct handoff_client *c);
/* Reads and handles what came, a bounded part of it. */
void session_read(struct handoff_client *c);
/* Says what is to be said, as far as the connection takes it. */
void session_write(struct handoff_client *c);
void session_say_goodbye(struct handoff_client *c, enum goodbye_reason reason);
/* What stands around every message; `seen` goes along when it is news. */
struct envelope session_envelope(struct handoff_client *c, const char *correlation_id);

/* --- routes.c -------------------------------------------------------------------------------- */

/*
 * Takes over WELCOME's list, back-pressure included, which flow_on_welcome() then tells; false when
 * memory is refused, and nothing has changed.
 */
bool routes_take(struct handoff_client *c, const struct message_welcome *w);
struct route *route_find(const struct handoff_client *c, const char *name);
/* From this module to `target`. */
struct route *route_to(const struct handoff_client *c, const char *target);
/* The wait before what was refused n times in a row (n at least 1) is sent again. */
int64_t route_retry_delay_ms(const struct route *r, unsigned refusals);

/* --- records.c ------------------------------------------------------------------------------- */

void records_init(struct handoff_records *r);
void records_finish(struct handoff_records *r);
/* One map with a string record_id, nothing after it; whether its priority is CRITICAL. */
bool record_check(const void *record, size_t len, bool *is_critical);
/* Appends a record that is known to be one; false when memory is refused. */
bool records_put(struct handoff_records *r, const void *record, size_t len);
/* The encoded list. */
struct span records_list(struct handoff_records *r);
/* The size of the list with a further record of `len` bytes, at most. */
size_t records_size_with(const struct handoff_records *r, size_t len);

/* --- sender.c -------------------------------------------------------------------------------- */

/* Sends the batches that are due, as far as the window goes. */
void senders_proceed(struct handoff_client *c);
int64_t senders_due_ms(const struct handoff_client *c);
void senders_destroy(struct handoff_client *c);

/* --- outbox.c -------------------------------------------------------------------------------- */

void outbox_init(struct outbox *x);
void outbox_destroy(struct handoff_client *c);
/* Whether a batch with so many bytes of records may be taken over now. */
bool outbox_has_room(const struct handoff_client *c, size_t bytes);
/* Takes the batch over: its id unless it has one, its number unless it has one, its checksum. */
void outbox_add(struct handoff_client *c, struct route *r, struct outgoing *o);
void outgoing_destroy(struct outgoing *o);
/* Encodes what may be sent now, while little waits to be written. */
void outbox_send(struct handoff_client *c);
int64_t outbox_due_ms(const struct handoff_client *c);
/* What was sent without an answer is to be sent again. */
void outbox_on_lost(struct handoff_client *c);
/* An ACKNOWLEDGMENT, or with refused errors an ERROR_NOTIFICATION: true when it answers a batch. */
bool outbox_on_answer(struct handoff_client *c, const struct message *m);

/* --- receiver.c ------------------------------------------------------------------------------ */

/* A delivery came; takes its own reference of the frame. */
void receiver_on_delivery(struct handoff_client *c, const struct message *m, struct frame *frame);
/* Repeats RECEIVED where it is due. */
void receiver_proceed(struct handoff_client *c);
/* After WELCOME: says again what the broker may not know. */
void receiver_on_welcome(struct handoff_client *c);
/* The leases to be named in HELLO: their number, at most HOLDS_MAX. */
size_t receiver_holds(const struct handoff_client *c, uint64_t holds[HOLDS_MAX]);
/* The broker no longer holds this one to be ours, and says why (`error` NULL: it does not). */
void delivery_lose(struct handoff_delivery *d, const struct message_error *error);
/* INT_DELIVERY_001, about a delivery that this client has, whatever was said of it: true. */
bool receiver_on_deadline(struct handoff_client *c, const struct message_error *error);
/* The lease that a refused RECEIVED spoke of, or INT_DELIVERY_001: true when it was one of ours. */
bool receiver_on_refusal(struct handoff_client *c, const struct message *m);
/* Says RECEIVED, or what `a` says; *id gets the message's. */
void receiver_acknowledge(struct handoff_delivery *d, const struct ack_out *a, struct uuid *id);

/* --- delivery.c ------------------------------------------------------------------------------ */

void delivery_destroy(struct handoff_delivery *d);	/* and forgets its events */

/* --- flow.c ---------------------------------------------------------------------------------- */

/* The longest delay between two batches that is obeyed. */
#define PACE_MAX_MS 60000

/* After WELCOME: tells what has changed; on a new connection says again that we are paused. */
void flow_on_welcome(struct handoff_client *c, bool is_first);
/* BACKPRESSURE from the broker. */
void flow_on_signal(struct handoff_client *c, const struct message_backpressure *b);
/* When the next batch that completes nothing may leave on this route. */
int64_t flow_may_go_at(const struct route *r);

/* --- circuit.c ------------------------------------------------------------------------------- */

void circuit_on_change(struct handoff_client *c, const struct message_circuit_change *change);

/* --- health.c -------------------------------------------------------------------------------- */

/* HEALTH_CHECK_REQUEST, and the answer to ours. */
void health_on_request(struct handoff_client *c, const struct message *m);
void health_on_response(struct handoff_client *c, const struct message *m);
void own_health_destroy(struct handoff_client *c);

/* --- confirm.c ------------------------------------------------------------------------------- */

void confirmations_init(struct confirmations *x);
void confirmations_destroy(struct handoff_client *c);
/* Encodes what waits, while little waits to be written. */
void confirmations_send(struct handoff_client *c);
/* Some could be encoded now. */
bool confirmations_are_due(const struct handoff_client *c);
/* Everything that was encoded is written: these are done with. */
void confirmations_on_written(struct handoff_client *c);
/* What was not written goes on the next connection. */
void confirmations_on_lost(struct handoff_client *c);

/* --- notices.c ------------------------------------------------------------------------------- */

/* How a batch of ours ended at its target. */
void notice_on_outcome(struct handoff_client *c, const struct message *m);
/* What came of its records. */
void notice_on_confirmation(struct handoff_client *c, const struct message *m);
/* Errors that answer nothing of ours. */
void notice_on_errors(struct handoff_client *c, const struct message *m);
/* A message that is not for the caller: when it is a notice, it is confirmed in its turn. */
void notice_pass_over(struct handoff_client *c, const struct message *m);
/* Says `seen` in a message of its own when it has waited for another for too long. */
void notices_proceed(struct handoff_client *c);
int64_t notices_due_ms(const struct handoff_client *c);
/* Notices up to here need not come again. */
void notices_confirm(struct handoff_client *c, uint64_t notice);

/* --- ending.c -------------------------------------------------------------------------------- */

/* PROCESSED with these counts and errors, as far as they are right; into d->said and d->errors. */
int ending_prepare(struct handoff_delivery *d, uint64_t records_rejected,
    const struct handoff_error *errors, size_t error_count);
/* Says how it ends, again after a broken connection. */
void ending_say(struct handoff_delivery *d);
/* The broker's echo, or its refusal of what was said: true when it was. */
bool ending_on_answer(struct handoff_client *c, const struct message *m);
/* It has ended as it was said: posts the DONE event (unless NULL) and frees the delivery. */
void ending_finish(struct handoff_delivery *d, struct event *done);

/* --- events.c -------------------------------------------------------------------------------- */

#define EVENTS_MAX 4096
/* Of the results in them. */
#define EVENTS_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* NULL, and the connection is lost, when memory is refused: what it would have told comes again. */
struct event *event_create(struct handoff_client *c, enum handoff_event_type type);
void event_destroy(struct event *e);
void event_set_batch(struct event *e, const struct uuid *batch_id, const char *route);
/* Copies the errors that a message brought; the connection is lost when memory is refused. */
bool event_set_errors(struct handoff_client *c, struct event *e, const struct message_error *errors,
    size_t n);
void event_post(struct handoff_client *c, struct event *e);
/* Copies results; the connection is lost when memory is refused. */
bool event_set_results(struct handoff_client *c, struct event *e,
    const struct message_record_delivery *results, size_t n);
/* Copies the broker's health; the connection is lost when memory is refused. */
bool event_set_health(struct handoff_client *c, struct event *e,
    const struct message_health_response *r);
/* Tells an error that the library found itself. */
void event_post_error(struct handoff_client *c, const struct handoff_error *error,
    const struct uuid *batch_id, const char *route);
bool events_are_full(const struct handoff_client *c);
/* Events about this delivery that have not been taken are forgotten. */
void events_forget_delivery(struct handoff_client *c, const struct handoff_delivery *d);
/* Whether this notice waits to be taken. */
bool events_have_notice(const struct handoff_client *c, uint64_t notice);
/* This notice, which is not told, is confirmed with the latest event; at once without one. */
void events_carry_notice(struct handoff_client *c, uint64_t notice);
void events_destroy(struct handoff_client *c);

/* --- errors.c -------------------------------------------------------------------------------- */

/* Appends the caller's error (of no batch: NULL), encoded. False: it is wrong, or (out->failed) memory is refused. */
bool error_encode(struct handoff_client *c, struct buf *out, const struct handoff_error *error,
    enum scope scope, const char *batch_id, const char *correlation_id);
/* A copy of n errors for the caller in two allocations; false when memory is refused. */
bool errors_copy(const struct message_error *from, size_t n, struct handoff_error **to,
    char **texts);

#endif
