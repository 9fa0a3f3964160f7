/* test_rejects.c - the batch of the rejected records, against one that is written beside it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "base/rng.h"
#include "messages.h"
#include "notation.h"
#include "wire/decode.h"
#include "wire/encode.h"

#define PAIRS_MOST 32
#define RECORDS_MOST 64

static struct decoder *broker, *client;
static struct uuid new_id;
static struct rng rng;

static int set_up(void **state)
{
	(void)state;
	digest_init();
	broker = decoder_create(DECODE_AT_BROKER);
	client = decoder_create(DECODE_AT_CLIENT);
	assert_true(uuid_parse(OTHER_ID, UUID_TEXT_LEN, &new_id));
	rng_seed(&rng, 8);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	decoder_destroy(broker);
	decoder_destroy(client);
	return 0;
}

static struct span span_of_buf(const struct buf *b)
{
	return (struct span){ (const char *)buf_bytes(b), b->len };
}

/* A head of the kind whose three forms these are, the last two in bytes; width 0: the shortest. */
static void put_head(struct buf *b, const uint8_t forms[3], size_t count, unsigned width)
{
	const uint8_t bytes[] = {
		(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
		(uint8_t)count,
	};
	const uint8_t small = (uint8_t)(forms[0] | count);

	if (width == 0 || (width == 1 && count > 15))
		width = count <= 15 ? 1 : count <= UINT16_MAX ? 3 : 5;
	if (width == 1) {
		buf_put(b, &small, 1);
		return;
	}
	buf_put(b, &forms[width / 2], 1);
	buf_put(b, width == 3 ? bytes + 2 : bytes, width - 1);
}

static const uint8_t map_forms[] = { 0x80, 0xde, 0xdf };
static const uint8_t list_forms[] = { 0x90, 0xdc, 0xdd };
static const unsigned widths[] = { 0, 1, 3, 5 };

static void put_bin(struct buf *b, struct span content)
{
	const uint8_t head[] = {
		0xc6, (uint8_t)(content.n >> 24), (uint8_t)(content.n >> 16),
		(uint8_t)(content.n >> 8), (uint8_t)content.n,
	};

	/* msgpack's shortest, which our encoder writes too. */
	if (content.n <= UINT8_MAX) {
		buf_put(b, "\xc4", 1);
		buf_put(b, head + 4, 1);
	} else if (content.n <= UINT16_MAX) {
		buf_put(b, "\xc5", 1);
		buf_put(b, head + 3, 2);
	} else {
		buf_put(b, head, 5);
	}
	buf_put(b, content.p, content.n);
}

/* A map's pairs as they come in the first batch, and as they have to be in the new one. */
struct pairs {
	struct buf before[PAIRS_MOST], after[PAIRS_MOST];
	size_t n;
};

/* One pair; `after` NULL: it is the same there; "": it is not there. */
static void pair_add(struct pairs *p, const char *key, const char *before, const char *after)
{
	struct buf *b = &p->before[p->n], *a = &p->after[p->n];

	buf_init(b, 0);
	buf_init(a, 0);
	p->n++;
	notation_encode(b, key);
	notation_encode(b, before);
	if (after == NULL) {
		buf_put(a, buf_bytes(b), b->len);
	} else if (after[0] != '\0') {
		notation_encode(a, key);
		notation_encode(a, after);
	}
}

static void unknown_pairs_add(struct pairs *p, size_t n)
{
	static const char *const values[] = {
		"nil", "{'batch_id': 1, 'records': <c0>}", "[1, 'metadata']", "~cd0001~", "1.5",
		"~d901ff~",
	};

	for (size_t i = 0; i < n; i++) {
		char key[32];

		snprintf(key, sizeof(key), "'x%zu'", i);
		pair_add(p, key, values[rng_below(&rng, 6)], NULL);
	}
}

/* Appends both maps, in one order that chance makes, the pairs before `fixed` first. */
static void pairs_put(struct pairs *p, size_t fixed, struct buf *before, struct buf *after)
{
	size_t order[PAIRS_MOST] = { 0 }, left = 0;

	for (size_t i = 0; i < p->n; i++) {
		size_t k = i <= fixed ? i : fixed + rng_below(&rng, i - fixed + 1);

		order[i] = order[k];
		order[k] = i;
		left += p->after[i].len > 0;
	}
	put_head(before, map_forms, p->n, widths[rng_below(&rng, 4)]);
	put_head(after, map_forms, left, 0);
	for (size_t i = 0; i < p->n; i++) {
		struct buf *b = &p->before[order[i]], *a = &p->after[order[i]];

		buf_put(before, buf_bytes(b), b->len);
		if (a->len > 0)
			buf_put(after, buf_bytes(a), a->len);
		buf_finish(b);
		buf_finish(a);
	}
	p->n = 0;
}

/* One batch, the ids that are rejected in it, and the batch that has to come of it. */
struct sample {
	struct buf records, list;	/* the content of both bins */
	struct buf before, after;	/* the bodies */
	char names[RECORDS_MOST][32];
	struct span ids[RECORDS_MOST];
	size_t count, picked;
};

static void record_put(struct buf *b, const char *name)
{
	static const char *const others[] = {
		"nil: 1", "'data': {'record_id': 'inner', 'x': [1, 2, 3]}", "'x': 'record_id'",
		"'priority': 'CRITICAL'", "'quality_score': 0.25", "'bin': <00ff>",
	};
	const char *first = others[rng_below(&rng, 3)], *second = others[3 + rng_below(&rng, 3)];
	char text[160];

	if (rng_below(&rng, 2) == 0)
		snprintf(text, sizeof(text), "{%s, 'record_id': '%s', %s}", first, name, second);
	else
		snprintf(text, sizeof(text), "{'record_id': '%s', %s}", name, second);
	notation_encode(b, text);
}

/* Records, of which some are named: those make the list. */
static void records_make(struct sample *s)
{
	struct buf all, some;

	buf_init(&all, 0);
	buf_init(&some, 0);
	s->count = 1 + rng_below(&rng, RECORDS_MOST);
	s->picked = 0;
	for (size_t i = 0; i < s->count; i++) {
		size_t at = all.len;

		snprintf(s->names[i], sizeof(s->names[i]), "r-%zu", i);
		if (s->count > 1 && i > 0 && rng_below(&rng, 8) == 0) {
			/* Nobody checks that each record is a map with an id. */
			notation_encode(&all, i % 2 == 0 ? "'r-0'" : "{'record_id': 0}");
			continue;
		}
		record_put(&all, s->names[i]);
		if (rng_below(&rng, 2) == 0 && (i > 0 || s->count > 1))
			continue;
		buf_put(&some, buf_bytes(&all) + at, all.len - at);
		s->ids[s->picked++] = span_of(s->names[i]);
	}
	for (size_t i = 1; i < s->picked; i++) {	/* in any order */
		size_t k = rng_below(&rng, i + 1);
		struct span id = s->ids[i];

		s->ids[i] = s->ids[k];
		s->ids[k] = id;
	}
	put_head(&s->records, list_forms, s->count, widths[rng_below(&rng, 4)]);
	buf_put(&s->records, buf_bytes(&all), all.len);
	put_head(&s->list, list_forms, s->picked, 0);
	if (some.len > 0)
		buf_put(&s->list, buf_bytes(&some), some.len);
	buf_finish(&all);
	buf_finish(&some);
}

static void checksum_text(const struct buf *b, char *text)
{
	uint8_t checksum[SHA256_BYTES];
	char hex[SHA256_HEX_LEN + 1];

	sha256(buf_bytes(b), b->len, checksum);
	hex_format(checksum, sizeof(checksum), hex);
	snprintf(text, SHA256_HEX_LEN + 3, "'%s'", hex);
}

static void metadata_add(struct pairs *p, const struct sample *s, struct buf *before,
    struct buf *after)
{
	char old_sum[80], new_sum[80], old_count[24], new_count[24];

	checksum_text(&s->records, old_sum);
	checksum_text(&s->list, new_sum);
	snprintf(old_count, sizeof(old_count), "%zu", s->count);
	snprintf(new_count, sizeof(new_count), "%zu", s->picked);
	pair_add(p, "'batch_id'", "'" BATCH_ID "'", "'" OTHER_ID "'");
	pair_add(p, "'sequence_number'", "~d10009~", NULL);
	pair_add(p, "'record_count'", old_count, new_count);
	pair_add(p, "'checksum'", old_sum, new_sum);
	pair_add(p, "'created_at'", "'" DATETIME "'", NULL);
	unknown_pairs_add(p, rng_below(&rng, 13));
	pairs_put(p, 0, before, after);
}

/* A pair whose two values are bytes already. */
static void raw_pair_add(struct pairs *p, const char *key, const struct buf *before,
    const struct buf *after)
{
	pair_add(p, key, "nil", NULL);
	p->before[p->n - 1].len--;
	p->after[p->n - 1].len--;
	buf_put(&p->before[p->n - 1], buf_bytes(before), before->len);
	buf_put(&p->after[p->n - 1], buf_bytes(after), after->len);
}

static void frame_make(struct sample *s)
{
	static struct pairs metadata, frame;
	struct buf before, after;

	buf_init(&before, 0);
	buf_init(&after, 0);
	notation_encode(&before, "{" HEADER("ALPHA", "BETA", "BATCH_TRANSFER") "}");
	buf_take(&before, 1 + 7);
	pair_add(&frame, "'header'", "nil", NULL);
	frame.before[0].len--;
	frame.after[0].len--;
	buf_put(&frame.before[0], buf_bytes(&before), before.len);
	buf_put(&frame.after[0], buf_bytes(&before), before.len);

	buf_clear(&before);
	metadata_add(&metadata, s, &before, &after);
	raw_pair_add(&frame, "'metadata'", &before, &after);
	buf_clear(&before);
	buf_clear(&after);
	put_bin(&before, span_of_buf(&s->records));
	put_bin(&after, span_of_buf(&s->list));
	raw_pair_add(&frame, "'records'", &before, &after);
	if (rng_below(&rng, 2) == 0)
		pair_add(&frame, "'notice'", "4", "");
	if (rng_below(&rng, 2) == 0)
		pair_add(&frame, "'seen'", "nil", "");
	if (rng_below(&rng, 2) == 0)
		pair_add(&frame, "'in_reply_to'", "'" OTHER_ID "'", "");
	if (rng_below(&rng, 2) == 0)
		pair_add(&frame, "'completes'", "[{" ACK_PAYLOAD("PROCESSED") ", 'lease': 5}]", "");
	if (rng_below(&rng, 2) == 0)
		pair_add(&frame, "'error_summary'", ERROR_SUMMARY, NULL);
	if (rng_below(&rng, 2) == 0)
		pair_add(&frame, "'priority'", "'CRITICAL'", NULL);
	unknown_pairs_add(&frame, rng_below(&rng, 16));
	pairs_put(&frame, 1, &s->before, &s->after);
	buf_finish(&before);
	buf_finish(&after);
}

static void sample_init(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->records, 0);
	buf_init(&s->list, 0);
	buf_init(&s->before, 0);
	buf_init(&s->after, 0);
}

static void sample_finish(struct sample *s)
{
	buf_finish(&s->records);
	buf_finish(&s->list);
	buf_finish(&s->before);
	buf_finish(&s->after);
}

static void decode(struct decoder *d, const uint8_t *body, size_t n, struct message *m)
{
	struct fault f;

	if (message_decode(d, body, n, m, &f) != 0)
		fail_msg("%s: expected %s, found %s", f.field_name, f.expected, f.actual);
}

/* What was made is a batch in order, as anybody would judge it who got it. */
static void assert_is_a_batch(struct decoder *d, const uint8_t *body,
    const struct rejects_made *made)
{
	uint8_t checksum[SHA256_BYTES];
	struct message m;
	int64_t found;

	decode(d, body, made->body_len, &m);
	assert_int_equal(m.header.type, MESSAGE_BATCH_TRANSFER);
	assert_memory_equal(&m.batch.batch_id, &new_id, sizeof(new_id));
	assert_int_equal(m.batch.record_count, made->record_count);
	assert_int_equal(m.batch.sequence_number, 9);
	assert_int_equal(m.batch.complete_count, 0);
	assert_false(m.has_notice || m.has_seen || m.has_in_reply_to);
	assert_true(records_check(m.batch.records, m.batch.record_count, &found));
	assert_ptr_equal(m.batch.records.p, body + made->records_at);
	assert_int_equal(m.batch.records.n, made->records_len);
	sha256(m.batch.records.p, m.batch.records.n, checksum);
	assert_memory_equal(checksum, m.batch.checksum, sizeof(checksum));
	assert_memory_equal(checksum, made->checksum, sizeof(checksum));
}

static void ten_thousand_batches(void **state)
{
	unsigned by_count[3] = { 0 };	/* none, some, all of the records that have ids */

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct rejects_made made;
		struct sample s;
		struct message m;
		struct buf out;
		size_t missing;
		int rc;

		sample_init(&s);
		records_make(&s);
		frame_make(&s);
		decode(broker, buf_bytes(&s.before), s.before.len, &m);
		assert_true(records_have_ids(m.batch.records, s.ids, s.picked, &missing));
		buf_init(&out, 0);
		buf_put(&out, "before", i % 7);
		rc = encode_rejects(&out, buf_bytes(&s.before), s.before.len, m.batch.records,
		    s.ids, s.picked, &new_id, &made);
		by_count[s.picked == 0 ? 0 : s.picked == s.count ? 2 : 1]++;
		if (s.picked == 0) {
			assert_int_equal(rc, ERR_NOTFOUND);
			assert_int_equal(out.len, i % 7);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(made.record_count, s.picked);
			assert_int_equal(made.body_len, s.after.len);
			assert_int_equal(out.len, i % 7 + made.body_len);
			assert_memory_equal(buf_bytes(&out) + i % 7, buf_bytes(&s.after),
			    s.after.len);
			assert_is_a_batch(broker, buf_bytes(&out) + i % 7, &made);
			assert_is_a_batch(client, buf_bytes(&out) + i % 7, &made);
		}
		buf_finish(&out);
		sample_finish(&s);
	}
	assert_true(by_count[0] > 20 && by_count[1] > 8000 && by_count[2] > 20);
}

/* A list whose head takes five bytes, and no cost that grows with the square of it. */
static void a_hundred_thousand_rejects(void **state)
{
	enum { MANY = 100000 };
	static char names[MANY][12];
	static struct span ids[MANY];
	struct rejects_made made;
	struct sample s;
	struct message m;
	struct buf out;
	clock_t time;

	(void)state;
	sample_init(&s);
	buf_init(&out, 0);
	put_head(&s.records, list_forms, MANY, 5);
	put_head(&s.list, list_forms, MANY - 1, 5);
	for (size_t i = 0; i < MANY; i++) {
		char record[40];
		int n = snprintf(record, sizeof(record), "\x81\xa9record_id\xa7%07zu", i);

		buf_put(&s.records, record, (size_t)n);
		if (i > 0)
			buf_put(&s.list, record, (size_t)n);
		snprintf(names[i], sizeof(names[i]), "%07zu", i);
		ids[MANY - 1 - i] = span_of(names[i]);
	}
	s.count = MANY;
	s.picked = MANY - 1;
	frame_make(&s);
	decode(broker, buf_bytes(&s.before), s.before.len, &m);
	time = clock();
	assert_int_equal(encode_rejects(&out, buf_bytes(&s.before), s.before.len, m.batch.records,
	    ids, MANY - 1, &new_id, &made), 0);
	assert_true(clock() - time < 2 * CLOCKS_PER_SEC);
	assert_int_equal(out.len, s.after.len);
	assert_memory_equal(buf_bytes(&out), buf_bytes(&s.after), s.after.len);
	assert_is_a_batch(broker, buf_bytes(&out), &made);
	buf_finish(&out);
	sample_finish(&s);
}

/* A source that breaks the rule hides no record by it. */
static void records_of_one_id_are_all_taken(void **state)
{
	const struct span id = span_of("a");
	struct rejects_made made;
	struct buf body, records, out;

	(void)state;
	buf_init(&body, 0);
	buf_init(&records, 0);
	buf_init(&out, 0);
	notation_encode(&body, batch_text);
	notation_encode(&records, "[{'record_id': 'a'}, {'record_id': 'b'},"
	    " {'record_id': 'a', 'x': 1}]");
	assert_int_equal(encode_rejects(&out, buf_bytes(&body), body.len, span_of_buf(&records),
	    &id, 1, &new_id, &made), 0);
	assert_int_equal(made.record_count, 2);
	buf_clear(&records);
	notation_encode(&records, "[{'record_id': 'a'}, {'record_id': 'a', 'x': 1}]");
	assert_int_equal(made.records_len, records.len);
	assert_memory_equal(buf_bytes(&out) + made.records_at, buf_bytes(&records), records.len);
	buf_finish(&body);
	buf_finish(&records);
	buf_finish(&out);
}

static void what_is_no_batch_makes_none(void **state)
{
	static const char *const removed[] = {
		"metadata", "records", "metadata.batch_id", "metadata.record_count",
		"metadata.checksum",
	};
	const struct span id = span_of("a");
	struct rejects_made made;
	struct buf body, records, out;

	(void)state;
	buf_init(&body, 0);
	buf_init(&records, 0);
	buf_init(&out, 0);
	buf_put(&out, "before", 6);
	notation_encode(&records, "[{'record_id': 'a'}]");
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
		buf_clear(&body);
		notation_encode(&body, batch_text);
		notation_remove(&body, removed[i]);
		assert_int_equal(encode_rejects(&out, buf_bytes(&body), body.len,
		    span_of_buf(&records), &id, 1, &new_id, &made), ERR_PROTO);
		assert_false(out.failed);
		assert_int_equal(out.len, 6);
	}
	buf_clear(&body);
	notation_encode(&body, batch_text);
	notation_replace(&body, "metadata", "[]");
	assert_int_equal(encode_rejects(&out, buf_bytes(&body), body.len, span_of_buf(&records),
	    &id, 1, &new_id, &made), ERR_PROTO);
	assert_int_equal(out.len, 6);
	buf_finish(&body);
	buf_finish(&records);
	buf_finish(&out);
}

static void without_room_nothing_is_appended(void **state)
{
	const struct span id = span_of("a");
	struct rejects_made made;
	struct buf body, records;

	(void)state;
	buf_init(&body, 0);
	buf_init(&records, 0);
	notation_encode(&body, batch_text);
	notation_encode(&records, "[{'record_id': 'a'}]");
	for (size_t max = 6; max < 2000; max += 13) {
		struct buf out;
		int rc;

		buf_init(&out, max);
		buf_put(&out, "before", 6);
		rc = encode_rejects(&out, buf_bytes(&body), body.len, span_of_buf(&records), &id,
		    1, &new_id, &made);
		assert_int_equal(rc, out.failed ? ERR_NOMEM : 0);
		assert_int_equal(out.len, out.failed ? 6 : 6 + made.body_len);
		assert_true(!out.failed || max < 1500);
		assert_true(out.failed || max > 500);
		buf_finish(&out);
	}
	buf_finish(&body);
	buf_finish(&records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_batches),
		cmocka_unit_test(a_hundred_thousand_rejects),
		cmocka_unit_test(records_of_one_id_are_all_taken),
		cmocka_unit_test(what_is_no_batch_makes_none),
		cmocka_unit_test(without_room_nothing_is_appended),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
