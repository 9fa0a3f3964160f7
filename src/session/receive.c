/* receive.c - bytes to frames: length first, ceiling before the body, memory with the bytes */
#include <stdio.h>

#include "session/internal.h"
#include "wire/ahead.h"

#define FRAME_FIRST_BYTES 65536 /* memory that an announced length gets before its bytes come */
#define SMALL_FRAME_BYTES 16384 /* frames up to here do not count against the assembly budget */
#define SPARE_FRAME_BYTES 4096	/* a frame whose memory the next one may have */

static uint32_t longest_frame(const struct session *s)
{
	return s->state == SESSION_NEW ? FRAME_MAX_BEFORE_WELCOME
	                               : s->all->settings.max_frame_bytes;
}

static void refuse_length(struct session *s, uint32_t length)
{
	struct fault f;
	char found[16];

	fault_set(&f, INT_PROTOCOL_002, "", "at most %u bytes", longest_frame(s));
	snprintf(found, sizeof found, "%u", length);
	fault_found(&f, span_of(found));
	core_note_refusal(s->all->core, f.code);
	send_notification(s, NULL, &f, ACTION_NONE);
	session_goodbye(s, GOODBYE_PROTOCOL_ERROR, LEAVE_LOST, 0, "frame longer than the limit");
}

static uint64_t budgeted(uint32_t length)
{
	return length > SMALL_FRAME_BYTES ? length : 0;
}

/* With memory for its first bytes at least. */
static struct frame *new_frame(struct sessions *ss, uint32_t length)
{
	struct frame *spare = ss->spare_frame;

	if (!spare || length > spare->cap)
		return frame_create(length < FRAME_FIRST_BYTES ? length : FRAME_FIRST_BYTES);
	ss->spare_frame = NULL;
	spare->len = 0;
	return spare;
}

/* Most frames are answers, which nobody keeps: the memory of one serves them all. */
static void end_frame(struct sessions *ss, struct frame *frame)
{
	if (ss->spare_frame || frame->refs > 1 || frame->cap > SPARE_FRAME_BYTES)
		frame_unref(frame);
	else
		ss->spare_frame = frame;
}

/* The length is known. False: the frame has to wait, or the session ends. */
static bool begin_frame(struct session *s)
{
	struct sessions *ss = s->all;
	uint32_t length = frame_length(s->length);

	if (length > longest_frame(s)) {
		refuse_length(s, length);
		return false;
	}
	s->starved = budgeted(length) && ss->assembly_bytes > 0 &&
	    ss->assembly_bytes + length > ss->settings.max_assembly_bytes;
	if (s->starved) {
		ss->any_starved = true;
		return false;
	}
	s->frame = new_frame(ss, length);
	if (!s->frame) {
		session_goodbye(s, GOODBYE_TIMEOUT, LEAVE_LOST, 1000, "no memory for a frame");
		return false;
	}
	s->frame_len = length;
	ss->assembly_bytes += budgeted(length);
	s->frame_deadline_ms = ss->now_ms + FRAME_TIMEOUT_MS + length / FRAME_BYTES_PER_MS;
	if (s->frame_deadline_ms < ss->next_deadline_ms)
		ss->next_deadline_ms = s->frame_deadline_ms;
	return true;
}

/* The frame is no longer coming in: those that wait for its room may look again. */
static void end_assembly(struct session *s)
{
	struct session *other;

	if (!budgeted(s->frame_len))
		return;
	s->all->assembly_bytes -= budgeted(s->frame_len);
	if (!s->all->any_starved)
		return;
	s->all->any_starved = false;
	TAILQ_FOREACH(other, &s->all->sessions, entry)
		if (other->starved)
			session_make_ready(other);
}

void session_drop_frame(struct session *s)
{
	if (s->frame)
		end_assembly(s);
	frame_unref(s->frame);
	s->frame = NULL;
	s->length_got = 0;
	s->starved = false;
}

/* Room for the next bytes of the body, at least one: memory follows what has been received. */
static size_t make_room(struct session *s)
{
	struct frame *f = s->frame;

	if (f->len < f->cap)
		return (f->cap < s->frame_len ? f->cap : s->frame_len) - f->len;
	size_t want = f->cap * 4 < s->frame_len ? f->cap * 4 : s->frame_len;
	f = frame_grow(f, want);
	if (!f) {
		session_goodbye(s, GOODBYE_TIMEOUT, LEAVE_LOST, 1000, "no memory for a frame");
		return 0;
	}
	s->frame = f;
	return f->cap - f->len;
}

/* The peer has closed, or TLS has failed: there will be no more. */
static void end_of_stream(struct session *s, long rc)
{
	const char *why = stream_why(s->stream);

	if (rc != ERR_CLOSED)		/* nothing can be sent either */
		s->broken = true;
	session_close(s, LEAVE_LOST, *why ? why : err_text((int)rc));
}

/* Reads where the bytes belong. Their number, 0 when there are none now or the session ends. */
static size_t read_some(struct session *s, uint8_t *p, size_t n)
{
	long rc = stream_read(s->stream, p, n);

	if (rc > 0)
		return (size_t)rc;
	if (rc != ERR_AGAIN)
		end_of_stream(s, rc);
	return 0;
}

static void frame_complete(struct session *s)
{
	struct frame *frame = s->frame;

	end_assembly(s);
	s->frame = NULL;
	s->length_got = 0;
	session_handle(s, frame);
	end_frame(s->all, frame);
}

static size_t receive_step(struct session *s)
{
	size_t n;

	if (s->length_got < FRAME_LENGTH_BYTES) {
		n = read_some(s, s->length + s->length_got, FRAME_LENGTH_BYTES - s->length_got);
		s->length_got += n;
		if (s->length_got < FRAME_LENGTH_BYTES)
			return n;
	}
	if (!s->frame && !begin_frame(s))
		return 0;
	n = 0;
	if (s->frame->len < s->frame_len) {
		size_t room = make_room(s);
		n = room > 0 ? read_some(s, s->frame->data + s->frame->len, room) : 0;
		if (n == 0)
			return 0;
		s->frame->len += n;
		if (s->frame_len >= AHEAD_FRAME_BYTES)
			ahead_follow(s->frame);
	}
	if (s->frame->len == s->frame_len)
		frame_complete(s);
	return n + FRAME_LENGTH_BYTES;
}

static size_t discard(struct session *s)
{
	uint8_t trash[4096];
	long n = stream_read(s->stream, trash, sizeof trash);

	if (n > 0)
		return (size_t)n;
	if (n != ERR_AGAIN && s->shut)
		session_close(s, LEAVE_LOST, "");	/* both halves are closed */
	return 0;
}

size_t session_receive(struct session *s, size_t budget)
{
	size_t taken = 0, n = 1;

	if (s->broken) {
		const char *why = stream_why(s->stream);

		session_close(s, LEAVE_LOST, *why || !s->broken_why ? why : s->broken_why);
		return 0;
	}
	while (n > 0 && taken < budget && s->state != SESSION_DEAD &&
	    !store_turn_is_ripe(s->all->store)) {
		n = s->state == SESSION_CLOSING ? discard(s) : receive_step(s);
		taken += n;
	}
	return taken;
}
