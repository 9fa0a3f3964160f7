/*
 * target_frame.c - bytes to frames to messages: the pieces they come in change nothing
 *
 * The first two bytes say how the rest is cut. It goes through the broker's own receive.c twice:
 * whole, and in pieces, of one byte or as long as a generator says. What receive.c asks of its
 * surroundings stands here, so session.c stays out of the program.
 *
 * A frame that decodes is written again by our encoder: that reads as the same. A batch among them
 * is also walked, taken apart and delivered, as the broker does with it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/rng.h"
#include "fuzz.h"
#include "messages.h"
#include "session/internal.h"

#define FRAMES_MAX 64
#define FRAME_BYTES_MAX (256 * 1024)
#define OVERHEAD_BYTES (72 * 1024)	/* what receive.c may hold beside the bytes that came */

/* --- the wire, and what is heard of it -------------------------------------------------------- */

struct stream {
	const uint8_t *p, *end;
	struct rng *cuts;		/* NULL: all at once */
	size_t most;			/* of a piece */
};

/* What came of the bytes: the digest of all frames, how many, and why it ended. */
struct hearing {
	size_t count;
	uint32_t digest;
	bool refused, closed;
};

static struct hearing heard;
static struct frame *frames[FRAMES_MAX];	/* of the whole reading */
static bool keeps;

long stream_read(struct stream *s, void *p, size_t n)
{
	size_t left = (size_t)(s->end - s->p);

	if (left == 0)
		return ERR_AGAIN;
	if (n > left)
		n = left;
	if (n > s->most)
		n = s->most;
	if (s->cuts != NULL)
		n = 1 + (size_t)rng_below(s->cuts, n);
	memcpy(p, s->p, n);
	s->p += n;
	return (long)n;
}

const char *stream_why(const struct stream *s)
{
	(void)s;
	return "";
}

void session_handle(struct session *s, struct frame *frame)
{
	uint8_t length[4];

	(void)s;
	frame_length_put(length, (uint32_t)frame->len);
	heard.digest = crc32c(heard.digest, length, sizeof length);
	heard.digest = crc32c(heard.digest, frame->data, frame->len);
	if (keeps && heard.count < FRAMES_MAX)
		frames[heard.count] = frame_ref(frame);
	heard.count++;
}

void send_notification(struct session *s, const struct message *m, const struct fault *f,
    enum action_required action)
{
	(void)s;
	(void)action;
	must(m == NULL && f->code == INT_PROTOCOL_002);
	heard.refused = true;
}

void __wrap_core_note_refusal(struct core *c, enum error_code code);
void __wrap_core_note_refusal(struct core *c, enum error_code code)
{
	(void)c;
	must(code == INT_PROTOCOL_002);
}

/* There is no store here: no turn is ever long enough. */
bool __wrap_store_turn_is_ripe(const struct store *s);
bool __wrap_store_turn_is_ripe(const struct store *s)
{
	return s != NULL;
}

void session_goodbye(struct session *s, enum goodbye_reason reason, enum leave_how how,
    uint32_t reconnect_delay_ms, const char *why)
{
	(void)how;
	(void)reconnect_delay_ms;
	(void)why;
	must(reason == GOODBYE_PROTOCOL_ERROR);	/* memory was not refused */
	s->state = SESSION_DEAD;
}

void session_close(struct session *s, enum leave_how how, const char *why)
{
	(void)how;
	(void)why;
	heard.closed = true;
	s->state = SESSION_DEAD;
}

void session_make_ready(struct session *s)
{
	(void)s;
}

static struct hearing receive(struct stream *wire, size_t n)
{
	static struct sessions all;
	static struct session s;

	memset(&all, 0, sizeof all);
	memset(&s, 0, sizeof s);
	all.settings.max_frame_bytes = FRAME_BYTES_MAX;
	all.settings.max_assembly_bytes = UINT64_MAX;
	TAILQ_INIT(&all.sessions);
	s.all = &all;
	s.state = SESSION_OPEN;
	s.stream = wire;
	TAILQ_INSERT_TAIL(&all.sessions, &s, entry);
	heard = (struct hearing){ .count = 0 };
	memory_count();
	while (s.state != SESSION_DEAD && session_receive(&s, PEER_BYTES_PER_TURN) > 0)
		;
	must(memory_peak() <= 4 * n + OVERHEAD_BYTES);
	must(s.state == SESSION_DEAD || wire->p == wire->end);
	session_drop_frame(&s);
	frame_unref(all.spare_frame);
	must(all.assembly_bytes == 0);
	return heard;
}

/* --- what is in a frame ----------------------------------------------------------------------- */

void target_begin(void)
{
	messages_begin();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rng cuts;
	struct hearing whole, parts;

	if (size < 2)
		return 0;
	const uint8_t *p = data + 2, *end = data + size;
	keeps = true;
	whole = receive(&(struct stream){ .p = p, .end = end, .most = size }, size);
	keeps = false;
	rng_seed(&cuts, data[1]);
	parts = receive(&(struct stream){ .p = p, .end = end, .cuts = &cuts,
		.most = (size_t)1 << data[0] % 12 }, size);
	must(memcmp(&whole, &parts, sizeof whole) == 0);
	for (size_t n = 0; n < whole.count && n < FRAMES_MAX; n++) {
		messages_try(frames[n]->data, frames[n]->len);
		frame_unref(frames[n]);
	}
	return 0;
}
