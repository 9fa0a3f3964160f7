/*
 * client.c - a client's life
 *
 *	open ─► CONNECTING ── WELCOME ──► CONNECTED ── drained ─► CLOSING ─► ENDED
 *	          │     ▲                    │
 *	          │     └── time ── WAITING  │
 *	          └── failed ─────────►▲     │
 *	                               └─────┘ lost
 *
 * And from every state to ENDED: what no repetition can mend, and drained without a connection.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/rng.h"
#include "client/internal.h"
#include "client/library.h"

/* From the beginning of an attempt to WELCOME; the broker gives HELLO 5 s of it. */
#define CONNECT_TIMEOUT_MS 15000
/* A connection that lasted so long was a good one: the next wait is short again. */
#define LASTING_MS 5000
#define RECONNECT_FIRST_MS 100
#define RECONNECT_MAX_MS 30000
#define DOUBLINGS_MAX 16
/* How long the broker's end is waited for after our GOODBYE (protocol section 1). */
#define LINGER_MS 2000

/* --- the state ------------------------------------------------------------------------------- */

void client_read_clock(struct handoff_client *c)
{
	c->now_ms = clock_monotonic_ms();
}

void client_set_state(struct handoff_client *c, enum handoff_state state)
{
	struct event *e;

	c->state = state;
	e = event_create(c, HANDOFF_EVENT_STATE);
	if (e == NULL)
		return;
	snprintf(e->text, sizeof(e->text), "%s", c->why);
	event_post(c, e);
}

static void note(struct handoff_client *c, enum verdict verdict, const char *why, va_list args)
{
	if (c->verdict != VERDICT_NONE)
		return;
	c->verdict = verdict;
	vsnprintf(c->why, sizeof(c->why), why, args);
}

void client_lose(struct handoff_client *c, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	note(c, VERDICT_LOST, why, args);
	va_end(args);
}

void client_give_up(struct handoff_client *c, enum handoff_end end, const char *why, ...)
{
	va_list args;

	if (c->verdict == VERDICT_NONE)
		c->end = end;
	va_start(args, why);
	note(c, VERDICT_FINAL, why, args);
	va_end(args);
}

bool client_takes_work(const struct handoff_client *c)
{
	return !c->is_draining && c->state != HANDOFF_ENDED;
}

/* --- connections come and go ----------------------------------------------------------------- */

/* Evenly from 0 to a limit that doubles with each attempt: clients do not come back as one. */
static int64_t random_wait_ms(unsigned attempts)
{
	int64_t limit = RECONNECT_FIRST_MS;
	uint64_t random;

	for (unsigned i = 0; i < attempts && i < DOUBLINGS_MAX && limit < RECONNECT_MAX_MS; i++)
		limit *= 2;
	if (limit > RECONNECT_MAX_MS)
		limit = RECONNECT_MAX_MS;
	rng_system(&random, sizeof(random));
	return (int64_t)(random % (uint64_t)(limit + 1));
}

static void begin_attempt(struct handoff_client *c)
{
	char why[WHY_SIZE];

	c->reconnect_delay_ms = -1;
	c->is_greeted = false;
	c->deadline_ms = c->now_ms + CONNECT_TIMEOUT_MS;
	c->link = link_create(c->tls, c->options->address, c->options->server_name, c->now_ms, why,
			      sizeof(why));
	if (c->link == NULL)
		client_lose(c, "%s", why);
}

static void drop_connection(struct handoff_client *c)
{
	link_destroy(c->link);
	c->link = NULL;
	c->has_work = false;
	c->has_said_draining = false;
	outbox_on_lost(c);
	confirmations_on_lost(c);
}

static void end(struct handoff_client *c)
{
	drop_connection(c);
	if (c->end == HANDOFF_END_NONE)
		c->end = HANDOFF_END_DRAINED;
	client_set_state(c, HANDOFF_ENDED);
}

static void wait_for_next_attempt(struct handoff_client *c)
{
	if (c->state == HANDOFF_CONNECTED && c->now_ms - c->connected_at_ms >= LASTING_MS)
		c->attempts = 0;
	c->retry_at_ms = c->now_ms + random_wait_ms(c->attempts);
	if (c->reconnect_delay_ms > 0)
		c->retry_at_ms += c->reconnect_delay_ms;
	c->attempts++;
	drop_connection(c);
	client_set_state(c, HANDOFF_WAITING);
}

/* --- draining -------------------------------------------------------------------------------- */

/* Deliveries that the caller has, or whose end the broker has not confirmed. */
static bool has_deliveries(const struct handoff_client *c)
{
	const struct handoff_delivery *d;

	TAILQ_FOREACH(d, &c->deliveries, link)
		if (d->state != DELIVERY_UNTOLD)
			return true;
	return false;
}

static void say_done(struct handoff_client *c)
{
	session_say_goodbye(c, GOODBYE_DONE);
	c->deadline_ms = c->now_ms + LINGER_MS;
	client_set_state(c, HANDOFF_CLOSING);
}

/*
 * First plain batches, of which only parts of a stage's output may follow GOODBYE DRAINING; then no
 * more deliveries; when those that were taken have ended, and confirmations are written, DONE.
 */
static void drain_on(struct handoff_client *c)
{
	if (c->state == HANDOFF_CLOSING || c->state == HANDOFF_ENDED)
		return;
	if (c->outbox.plain_count > 0 || handoff_gathered(c) > 0)
		return;
	if (c->outbox.count == 0 && c->confirmations.count == 0 && !has_deliveries(c)) {
		if (c->state == HANDOFF_CONNECTED)
			say_done(c);
		else
			end(c);
	} else if (c->state == HANDOFF_CONNECTED && !c->has_said_draining) {
		confirmations_send(c);	/* what was said before goes before */
		session_say_goodbye(c, GOODBYE_DRAINING);
		c->has_said_draining = true;
	}
}

static void forget_untold_deliveries(struct handoff_client *c)
{
	struct handoff_delivery *d;

	TAILQ_FOREACH(d, &c->deliveries, link)
		if (d->state == DELIVERY_UNTOLD)
			events_forget_delivery(c, d);
}

void handoff_drain(struct handoff_client *c)
{
	if (c->is_draining)
		return;
	client_read_clock(c);
	c->is_draining = true;
	forget_untold_deliveries(c);
	senders_proceed(c);
	client_settle(c);
}

/* --- the steps ------------------------------------------------------------------------------- */

void client_settle(struct handoff_client *c)
{
	const enum verdict verdict = c->verdict;

	c->verdict = VERDICT_NONE;
	if (verdict != VERDICT_NONE && (verdict == VERDICT_FINAL || c->state == HANDOFF_CLOSING))
		end(c);
	else if (verdict == VERDICT_LOST && c->state != HANDOFF_ENDED)
		wait_for_next_attempt(c);
	if (c->is_draining)
		drain_on(c);
}

bool client_is_talking(const struct handoff_client *c)
{
	return c->state == HANDOFF_CONNECTED ||
	    (c->state == HANDOFF_CONNECTING && c->is_greeted);
}

void client_push(struct handoff_client *c)
{
	if (client_is_talking(c) && c->now_ms > c->flushed_at_ms)
		session_write(c);
	client_settle(c);
}

static void connect_on(struct handoff_client *c)
{
	int r;

	if (c->now_ms >= c->deadline_ms) {
		client_lose(c, "no WELCOME from %s within %d s", c->options->address,
			    CONNECT_TIMEOUT_MS / 1000);
		return;
	}
	if (c->is_greeted)
		return;
	r = link_connect(c->link, c->now_ms);
	if (r == 0)
		session_begin(c);
	else if (r == ERR_TLS)
		client_give_up(c, HANDOFF_END_TLS, "TLS: %s", link_why(c->link));
	else if (r != ERR_AGAIN)
		client_lose(c, "%s", link_why(c->link));
}

static void close_on(struct handoff_client *c)
{
	const int r = link_end(c->link);

	if (r != ERR_AGAIN || c->now_ms >= c->deadline_ms)
		end(c);
}

void client_proceed(struct handoff_client *c)
{
	if (c->state == HANDOFF_WAITING && c->now_ms >= c->retry_at_ms) {
		client_set_state(c, HANDOFF_CONNECTING);
		begin_attempt(c);
	}
	if (c->state == HANDOFF_CONNECTING && c->verdict == VERDICT_NONE)
		connect_on(c);
	else if (c->state == HANDOFF_CLOSING)
		close_on(c);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t client_due_ms(const struct handoff_client *c)
{
	switch (c->state) {
	case HANDOFF_CONNECTING:
		return earlier(c->deadline_ms, c->is_greeted ? INT64_MAX : link_due_ms(c->link));
	case HANDOFF_WAITING:
		return c->retry_at_ms;
	case HANDOFF_CLOSING:
		return c->deadline_ms;
	case HANDOFF_CONNECTED:
	case HANDOFF_ENDED:
		break;
	}
	return INT64_MAX;
}

/* --- open and close -------------------------------------------------------------------------- */

/* False, with why, when no connection can ever be made. */
static bool make_ready(struct handoff_client *c)
{
	options_complete(c->options);
	if (c->options->error[0] != '\0') {
		client_give_up(c, HANDOFF_END_OPTIONS, "%s", c->options->error);
		return false;
	}
	library_init();
	c->tls = tls_client_create(c->options->ca, c->options->certificate, c->options->key, c->why,
				   sizeof(c->why));
	if (c->tls == NULL) {
		c->verdict = VERDICT_FINAL;
		c->end = HANDOFF_END_OPTIONS;
	}
	c->decoder = decoder_create(DECODE_AT_CLIENT);
	return c->tls != NULL;
}

struct handoff_client *handoff_open(const struct handoff_options *o)
{
	struct handoff_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->options = options_copy(o);
	if (c->options == NULL) {
		free(c);
		return NULL;
	}
	TAILQ_INIT(&c->senders);
	TAILQ_INIT(&c->deliveries);
	TAILQ_INIT(&c->events);
	outbox_init(&c->outbox);
	confirmations_init(&c->confirmations);
	c->repeat_at_ms = INT64_MAX;
	client_read_clock(c);
	c->opened_at_ms = c->now_ms;
	if (make_ready(c)) {
		client_set_state(c, HANDOFF_CONNECTING);
		begin_attempt(c);
	}
	client_settle(c);
	return c;
}

void handoff_close(struct handoff_client *c)
{
	struct handoff_delivery *d;

	if (c == NULL)
		return;
	if (c->state == HANDOFF_CONNECTED) {
		session_say_goodbye(c, GOODBYE_DONE);
		/* As far as the socket takes it; nobody is there to hear of a failure. */
		if (link_flush(c->link) == 0)
			(void)!link_end(c->link);
	}
	link_destroy(c->link);
	events_destroy(c);
	own_health_destroy(c);
	while ((d = TAILQ_FIRST(&c->deliveries)) != NULL)
		delivery_destroy(d);
	senders_destroy(c);
	outbox_destroy(c);
	confirmations_destroy(c);
	free(c->routes);
	decoder_destroy(c->decoder);
	tls_destroy(c->tls);
	handoff_options_destroy(c->options);
	free(c);
}

enum handoff_state handoff_state(const struct handoff_client *c)
{
	return c->state;
}

const char *handoff_why(const struct handoff_client *c)
{
	return c->why;
}

enum handoff_end handoff_end(const struct handoff_client *c)
{
	return c->state == HANDOFF_ENDED ? c->end : HANDOFF_END_NONE;
}

const char *handoff_instance(const struct handoff_client *c)
{
	return c->options->instance_id != NULL ? c->options->instance_id : "";
}

const char *handoff_broker(const struct handoff_client *c)
{
	return c->broker;
}
