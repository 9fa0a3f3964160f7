/*
 * loop.c - the two styles of driving a client
 *
 * The blocking style is the other one with poll(2) around it.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>

#include "base/datetime.h"
#include "client/internal.h"
#include "net/stream.h"

/* --- inside somebody else's event loop ------------------------------------------------------- */

int handoff_fd(const struct handoff_client *c)
{
	return c->link != NULL ? link_fd(c->link) : -1;
}

unsigned handoff_wants(const struct handoff_client *c)
{
	unsigned wants, bits = 0;

	if (c->link == NULL)
		return 0;
	wants = link_wants(c->link);
	/* A caller who takes no events gets no more: the broker has to wait. */
	if ((wants & STREAM_READABLE) != 0 && !(client_is_talking(c) && events_are_full(c)))
		bits |= HANDOFF_READABLE;
	if ((wants & STREAM_WRITABLE) != 0)
		bits |= HANDOFF_WRITABLE;
	return bits;
}

/* Everything there is to do now. */
static void proceed(struct handoff_client *c, bool is_readable)
{
	client_proceed(c);
	if (client_is_talking(c) && c->verdict == VERDICT_NONE &&
	    (is_readable || link_has_pending(c->link)))
		session_read(c);
	senders_proceed(c);
	receiver_proceed(c);
	client_settle(c);
	if (client_is_talking(c))
		session_write(c);
	client_settle(c);
}

void handoff_ready(struct handoff_client *c, unsigned bits)
{
	client_read_clock(c);
	proceed(c, (bits & HANDOFF_READABLE) != 0);
}

void handoff_tick(struct handoff_client *c)
{
	client_read_clock(c);
	proceed(c, false);
}

/* Something to write, or to read that the descriptor will not tell of. */
static bool has_work_now(const struct handoff_client *c)
{
	return client_is_talking(c) &&
	    (c->has_work || (link_has_pending(c->link) && !events_are_full(c)));
}

static int64_t due_ms(const struct handoff_client *c)
{
	int64_t due = client_due_ms(c);
	const int64_t others[] = {
		senders_due_ms(c),
		outbox_due_ms(c),
		notices_due_ms(c),
		c->state == HANDOFF_CONNECTED ? c->repeat_at_ms : INT64_MAX,
		has_work_now(c) ? 0 : INT64_MAX,
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] < due)
			due = others[i];
	return due;
}

int handoff_next_timeout_ms(const struct handoff_client *c)
{
	const int64_t due = due_ms(c);
	int64_t wait;

	if (due == INT64_MAX)
		return -1;
	wait = due - clock_monotonic_ms();
	if (wait <= 0)
		return 0;
	return wait < INT_MAX ? (int)wait : INT_MAX;
}

/* --- a plain blocking program ---------------------------------------------------------------- */

/* Waits for the descriptor, for at most so long; does what is to be done. False after a signal. */
static bool wait_and_proceed(struct handoff_client *c, int timeout_ms)
{
	const unsigned wants = handoff_wants(c);
	const int own = handoff_next_timeout_ms(c);
	struct pollfd ready = { .fd = wants != 0 ? handoff_fd(c) : -1 };
	unsigned bits = 0;
	int n;

	if ((wants & HANDOFF_READABLE) != 0)
		ready.events |= POLLIN;
	if ((wants & HANDOFF_WRITABLE) != 0)
		ready.events |= POLLOUT;
	if (own >= 0 && (timeout_ms < 0 || own < timeout_ms))
		timeout_ms = own;
	n = poll(&ready, 1, timeout_ms);
	if (n < 0 && errno == EINTR)
		return false;
	if (n > 0 && (ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		bits |= HANDOFF_READABLE;
	if (n > 0 && (ready.revents & POLLOUT) != 0)
		bits |= HANDOFF_WRITABLE;
	handoff_ready(c, bits);
	return true;
}

/* What is left of timeout_ms that began at `since_ms`; -1 without limit. */
static int time_left(const struct handoff_client *c, int64_t since_ms, int timeout_ms)
{
	if (timeout_ms < 0)
		return -1;
	return c->now_ms - since_ms < timeout_ms ? (int)(since_ms + timeout_ms - c->now_ms) : 0;
}

int handoff_next(struct handoff_client *c, int timeout_ms, const struct handoff_event **event)
{
	int64_t since_ms;
	bool is_over = false;

	client_read_clock(c);
	since_ms = c->now_ms;
	/* However many events wait: what is due, and what the caller has said, does not. */
	if (due_ms(c) <= c->now_ms)
		proceed(c, false);
	while ((*event = handoff_take_event(c)) == NULL) {
		if (c->state == HANDOFF_ENDED)
			return HANDOFF_CLOSED;
		if (is_over)
			return HANDOFF_AGAIN;
		if (!wait_and_proceed(c, time_left(c, since_ms, timeout_ms)))
			return HANDOFF_AGAIN;
		is_over = time_left(c, since_ms, timeout_ms) == 0;
	}
	return 0;
}

struct handoff_client *handoff_connect(const struct handoff_options *o, int timeout_ms)
{
	struct handoff_client *c = handoff_open(o);
	int64_t since_ms;

	if (c == NULL)
		return NULL;
	since_ms = c->now_ms;
	while (c->state != HANDOFF_CONNECTED && c->state != HANDOFF_ENDED) {
		const int left = time_left(c, since_ms, timeout_ms);

		if (left == 0 || !wait_and_proceed(c, left))
			break;
	}
	return c;
}
