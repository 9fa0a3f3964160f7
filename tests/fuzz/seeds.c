/*
 * seeds.c - makes the first inputs of every target: fuzz-seeds DIRECTORY
 *
 * They are made by our own encoders, so none has to be kept: each file is DIRECTORY/TARGET/NAME.
 * What the encoders have no form for comes from tests/fuzz/seeds.py.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "fixed.h"
#include "fuzz.h"
#include "net/stream.h"
#include "store/record.h"
#include "wire/encode.h"

static const char *directory;

void broken(const char *file, int line, const char *promise)
{
	fatalx("%s:%d: %s", file, line, promise);
}

/* A seed is a few bytes of choices, then what was made. */
static void seed(const char *target, const char *name, const void *choices, size_t n,
    const void *p, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", directory, target);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
	f = fopen(path, "w");
	must(f != NULL && fwrite(choices, 1, n, f) == n && fwrite(p, 1, size, f) == size);
	must(fclose(f) == 0);
}

/* --- messages: one of each kind, in its frame ------------------------------------------------- */

static const struct uuid some_id = { { 0x01, 0x92, 0xf0, 0x3c, 0x55, 0x1e, 0x40, 0xaa, 0x80, 1 } };

static struct envelope envelope(const char *from, const char *to)
{
	return (struct envelope){
		.message_id = some_id,
		.source_module = span_of(from),
		.target_module = span_of(to),
		.timestamp_us = 1780000000123456,
		.in_reply_to = &some_id,
		.notice = 3,
		.has_seen = true,
		.seen = 2,
	};
}

static struct span body_of(const struct buf *b)
{
	return (struct span){ (const char *)buf_bytes(b) + FRAME_LENGTH_BYTES,
		b->len - FRAME_LENGTH_BYTES };
}

/* The frame, and its body alone for the validator. */
static void message_seed(const char *name, struct buf *b)
{
	const struct span body = body_of(b);

	must(!b->failed);
	seed("frame", name, "\x07\x02", 2, buf_bytes(b), b->len);
	seed("mpcheck", name, "", 0, body.p, body.n);
	buf_clear(b);
}

static const struct error_out error = {
	.code = INT_DELIVERY_004,
	.correlation_id = { "c-1", 3 },
	.timestamp_us = 1780000000000000,
	.source_module = { "BETA", 4 },
	.record_id = { "r-1", 3 },
	.field_name = { "total", 5 },
	.expected_value = { "a number", 8 },
	.actual_value = { "nil", 3 },
	.scope = SCOPE_RECORD,
};

static void ack_seeds(struct buf *b)
{
	const struct envelope from_target = envelope("BETA", "BROKER");
	const struct envelope from_broker = envelope("BROKER", "ALPHA");
	struct ack_out a = { .batch_id = some_id, .records_accepted = 2, .records_rejected = 1,
		.processing_duration_ms = 7, .lease = 9, .errors = &error, .error_count = 1 };

	for (a.status = ACK_RECEIVED; a.status <= ACK_REJECTED; a.status++) {
		encode_ack(b, &from_target, &a);
		message_seed(a.status == ACK_RECEIVED ? "received"
		    : a.status == ACK_PROCESSED ? "processed" : "rejected", b);
	}
	a.status = ACK_RECEIVED;
	a.route = span_of("alpha-beta");
	a.duplicate = true;
	encode_ack(b, &from_broker, &a);
	message_seed("duplicate", b);
	encode_error_notification(b, &from_broker, &error, 1, ACTION_THROTTLE);
	message_seed("error_notification", b);
}

static void batch_seeds(struct buf *b)
{
	static const char records[] = "\x92\x82\xa9record_id\xa3r-1\xa4" "data\xc4\x02xx"
	    "\x81\xa9record_id\xa3r-2";
	const struct envelope e = envelope("ALPHA", "BETA");
	const struct ack_out completes[] = {
		{ .batch_id = some_id, .status = ACK_PROCESSED, .records_accepted = 1, .lease = 4 },
		{ .batch_id = some_id, .status = ACK_PROCESSED, .records_accepted = 1, .lease = 5,
			.errors = &error, .error_count = 1 },
	};
	struct batch_out out = {
		.batch_id = some_id,
		.sequence_number = 1,
		.record_count = 2,
		.created_at_us = 1780000000000000,
		.records = { records, sizeof records - 1 },
		.with_validation_summary = true,
	};
	struct buf head, tail;
	struct span body;
	size_t skip;

	sha256(out.records.p, out.records.n, out.checksum);
	encode_batch(b, &e, &out);
	message_seed("batch", b);
	out.with_transformation_summaries = true;
	out.priority = PRIORITY_CRITICAL;
	out.completes = completes;
	out.complete_count = 2;
	encode_batch(b, &e, &out);
	buf_init(&head, 0);
	buf_init(&tail, 0);
	body = body_of(b);
	encode_delivery(&head, &tail, (const uint8_t *)body.p, body.n, &skip,
	    &(struct delivery_out){ .route = span_of("alpha-beta"), .attempt = 1, .lease = 3,
	        .received_at_us = 1780000000000000 });
	buf_put(&head, body.p + skip, body.n - skip);
	buf_put(&head, buf_bytes(&tail), tail.len);
	message_seed("stage", b);
	message_seed("delivery", &head);
	buf_finish(&head);
	buf_finish(&tail);
}

static void session_seeds(struct buf *b)
{
	static const uint64_t holds[] = { 3, 300 };
	const struct envelope e = envelope("ALPHA", "BROKER");
	const struct welcome_route route = { span_of("alpha-beta"), span_of("ALPHA"),
		span_of("BETA"), 1000, 1000, 30000, 300000, 1000, 5, 2.0, true, 12 };

	encode_hello(b, &e, &(struct hello_out){ span_of("alpha-1"), 10, false, &some_id, holds, 2,
		span_of("fuzz 1.0") });
	message_seed("hello", b);
	encode_welcome(b, &e, &(struct message_welcome){ span_of("handoffd"), some_id,
		span_of("alpha-1"), 10, 8388608, &route, 1 });
	message_seed("welcome", b);
	encode_goodbye(b, &e, &(struct goodbye_out){ GOODBYE_DRAINING, 250, "so long" });
	message_seed("goodbye", b);
	encode_backpressure(b, &e, &(struct message_backpressure){ SIGNAL_ACTIVATE, 8001, 250,
		span_of("alpha-beta") });
	message_seed("backpressure", b);
}

static void confirmation_seed(struct buf *b)
{
	static const struct message_record_delivery results[] = {
		{ { "r-1", 3 }, { "lake", 4 }, RECORD_DELIVERED, 1780000000000000 },
		{ { "r-2", 3 }, { "", 0 }, RECORD_DLQ, 1780000000000001 },
	};
	const struct envelope e = envelope("GAMMA", "BROKER");

	encode_confirmation(b, &e, &(struct message_confirmation){ some_id, true, results, 2 });
	message_seed("confirmation", b);
}

static void message_seeds(void)
{
	struct buf b;

	buf_init(&b, 0);
	session_seeds(&b);
	batch_seeds(&b);
	ack_seeds(&b);
	confirmation_seed(&b);
	buf_finish(&b);
}

/* Every head there is, with the content that it announces, empty and short. */
static void head_seeds(void)
{
	uint8_t item[64];
	char name[16];

	for (unsigned byte = 0x80; byte < 0x100; byte++) {
		memset(item, 0, sizeof item);
		item[0] = (uint8_t)byte;
		snprintf(name, sizeof name, "head-%02x", byte);
		seed("mpcheck", name, "", 0, item, sizeof item);
	}
	memset(item, 0x91, sizeof item);
	seed("mpcheck", "deep", item, sizeof item - 1, "\xc0", 1);
	seed("mpcheck", "deeper", item, sizeof item, "\x91\xc0", 2);
}

/* --- records of the store --------------------------------------------------------------------- */

static void record_seed(const char *name, unsigned kind, const uint8_t *p, size_t n)
{
	const uint8_t choices[2] = { (uint8_t)kind, 1 };

	seed("record", name, choices, sizeof choices, p, n);
}

static void record_seeds(void)
{
	static uint8_t out[ENDED_RECORD_MAX];
	const struct batch b = { .state = BATCH_WAITING, .id = 7, .route = 1, .source = 2,
		.batch_id = some_id, .has_parent = true, .correlation_len = 3,
		.correlation = "c-1" };
	const struct ended e = { .notice = 4, .id = 7, .batch_id = some_id, .dead = true,
		.error_count = 1, .errors_len = 4, .errors = some_id.b, .correlation_len = 2 };
	const struct route_counters c = { .received_total = 9 };
	const struct instance_record i = { .number = 3, .module = 1, .id_len = 7,
		.id = "alpha-1" };
	const struct journal_line l = { .event = JOURNAL_LOST, .text_len = 4, .text = "gone" };
	const struct action a = { .number = 1, .event = JOURNAL_HELD, .who = "root",
		.text = "because" };
	const struct route_control r = { .paused = true, .who = "root", .reason = "because" };
	const struct confirmation f = { .state = CONFIRM_AWAITED, .id = 7, .correlation_len = 2 };

	record_seed("batch", 0, out, batch_encode(&b, out));
	record_seed("ended", 1, out, ended_encode(&e, out));
	record_seed("counters", 2, out, counters_encode(&c, out));
	record_seed("instance", 3, out, instance_encode(&i, out));
	record_seed("journal", 4, out, journal_line_encode(&l, out));
	record_seed("action", 5, out, action_encode(&a, out));
	record_seed("control", 6, out, route_control_encode(&r, out));
	record_seed("confirmation", 7, out, confirmation_encode(&f, out));
}

/* --- handshakes: what the client says, as it would be read by the server ---------------------- */

/* One direction of a connection, kept. */
static void carry(int from, int to, struct buf *kept)
{
	uint8_t bytes[16384];
	ssize_t n;

	while ((n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
		if (kept != NULL)
			buf_put(kept, bytes, (size_t)n);
		must(send(to, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n);
	}
}

/*
 * The client's generator runs from one seed and the server's from another: each side is given the
 * state that it has in the target, before it speaks.
 */
static void handshake(struct tls_context *server, struct tls_context *client, struct buf *said)
{
	int at_server[2], at_client[2];
	struct stream *s, *c;
	int rs = ERR_AGAIN, rc = ERR_AGAIN;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, at_server) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, at_client) == 0);
	s = stream_create(server, at_server[0]);
	c = stream_create_client(client, at_client[0], "localhost");
	must(s != NULL && c != NULL);
	fixed_begin(5);
	rc = stream_handshake(c);
	carry(at_client[1], at_server[1], said);
	fixed_begin(4);
	for (int n = 0; n < 16 && (rs == ERR_AGAIN || rc == ERR_AGAIN); n++) {
		rs = rs == ERR_AGAIN ? stream_handshake(s) : rs;
		carry(at_server[1], at_client[1], NULL);
		rc = rc == ERR_AGAIN ? stream_handshake(c) : rc;
		carry(at_client[1], at_server[1], said);
	}
	must(rs == 0 && rc == 0);
	must(stream_write(c, "hello", 5) == 0 && stream_flush(c) == 0);
	must(stream_shutdown(c) == 0);
	carry(at_client[1], at_server[1], said);
	stream_destroy(s);
	stream_destroy(c);
	close(at_server[1]);
	close(at_client[1]);
}

static void handshake_seeds(void)
{
	char path[64] = "/tmp/handoff-seeds-XXXXXX", command[128];
	struct tls_context *server, *client;
	struct buf said;

	must(mkdtemp(path) != NULL);
	server = fixed_server(path);
	client = fixed_client(path);
	buf_init(&said, 0);
	handshake(server, client, &said);
	seed("tls", "handshake", "\0", 1, buf_bytes(&said), said.len);
	seed("tls", "in-pieces", "\x02", 1, buf_bytes(&said), said.len);
	seed("tls", "hello", "\0", 1, buf_bytes(&said), 517 < said.len ? 517 : said.len);
	buf_finish(&said);
	tls_destroy(server);
	tls_destroy(client);
	snprintf(command, sizeof command, "rm -r %s", path);
	must(system(command) == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: fuzz-seeds DIRECTORY\n");
		return 64;
	}
	directory = argv[1];
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	tls_init();
	message_seeds();
	head_seeds();
	record_seeds();
	handshake_seeds();
	return 0;
}
