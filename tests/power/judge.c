/* judge.c - starts a broker on the store that a power loss, or rot, has left, and looks at it */
#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/clock.h"
#include "store/internal.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "../quiet_peers.h"

#define READ_ONE_IN 16

void judge_init(struct judge *j, const char *config, const char *stories, const char *dir)
{
	*j = (struct judge){ 0 };
	if (config_load(config, &j->config) != 0)
		fatalx("%s is no configuration", config);
	free(j->config->store_path);
	j->config->store_path = xstrdup(dir);
	j->settings = settings_create(j->config);
	stories_read(&j->stories, stories);
}

void judge_finish(struct judge *j)
{
	stories_free(&j->stories);
	settings_destroy(j->settings);
	config_free(j->config);
}

bool judge_blames(struct judge *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->why, sizeof j->why, fmt, ap);
	va_end(ap);
	return false;
}

/* --- start and end: as server.c's open_store() and recover() ---------------------------------- */

static void tell_time(struct judge *j)
{
	core_set_time(j->core, j->now_ms, j->now_ms, datetime_now_us());
}

bool judge_open(struct judge *j)
{
	struct store_options o = { j->config->store_path, (uint64_t)j->config->store_size };

	j->why[0] = '\0';
	j->store = NULL;
	return store_open(&o, &j->store, j->why, sizeof j->why) == 0;
}

bool judge_recover(struct judge *j, const struct peer_ops *with)
{
	struct custody_clock clock;

	struct store_boot boot = store_boot(j->store);
	clock_start(&clock, store_clock_ms(j->store), &boot, datetime_now_us() / 1000);
	boot = clock_boot(&clock);
	store_set_boot(j->store, &boot);
	j->now_ms = clock.now_ms;
	j->core = core_create(j->store, with, &j->settings->core, j->now_ms, 1, j->why,
	    sizeof j->why);
	if (!j->core)
		return false;
	if (store_commit(j->store) != 0)
		return judge_blames(j, "recovery cannot be committed");
	tell_time(j);
	return true;
}

bool judge_start(struct judge *j)
{
	return judge_open(j) && judge_recover(j, &quiet_peers);
}

void judge_stop(struct judge *j)
{
	core_destroy(j->core);
	store_close(j->store);
	j->core = NULL;
	j->store = NULL;
}

/* --- what must be true ------------------------------------------------------------------------ */

bool judge_audit(struct judge *j, struct store_tally *tally)
{
	char why[256];

	if (store_check(j->store, tally, why, sizeof why) != 0)
		return judge_blames(j, "the store disagrees with itself: %s", why);
	return true;
}

enum story_state judge_state(struct judge *j, const struct story *b, uint64_t *id)
{
	uint32_t route = store_route_number(j->store, b->route);
	struct identity where;
	struct batch found;
	struct ended e;

	store_identity_get(j->store, route, &b->batch_id, &where);
	*id = where.id;
	if (where.kind == IDENTITY_LIVE &&
	    store_batch_find(j->store, route, where.id, &found) == 0)
		return uuid_equal(&found.batch_id, &b->batch_id) ? STORY_QUEUED : STORY_ABSENT;
	if (where.kind == IDENTITY_DEAD &&
	    store_dead_get(j->store, route, where.id, &found, &e) == 0)
		return uuid_equal(&found.batch_id, &b->batch_id) ? STORY_DEAD : STORY_ABSENT;
	if (where.kind == IDENTITY_ENDED &&
	    store_ended_get(j->store, where.source, where.notice, &e) == 0)
		return e.dead ? STORY_ABSENT : STORY_ENDED;
	return STORY_ABSENT;
}

static const char *name_of(const struct story *b)
{
	static char text[UUID_TEXT_LEN + 1];

	uuid_format(&b->batch_id, text);
	return text;
}

bool judge_payload(struct judge *j, const struct story *b, uint64_t id)
{
	uint8_t digest[32];
	const uint8_t *p;
	size_t n;

	if (store_payload_get(j->store, id, true, &p, &n) != 0)
		return judge_blames(j, "the payload of %s is gone or damaged", name_of(b));
	sha256(p, n, digest);
	if (memcmp(digest, b->digest, sizeof digest) != 0)
		return judge_blames(j, "the payload of %s is another", name_of(b));
	return true;
}

/* A page begins with its number: where in the file a payload stands. */
static uint64_t place_of(const struct judge *j, const uint8_t *payload)
{
	const uintptr_t page = (uintptr_t)j->store->page_size;
	uintptr_t first = (uintptr_t)(payload - 1) / page * page;
	uint64_t number;

	memcpy(&number, (const void *)first, sizeof number);
	return number * page + ((uintptr_t)payload - first);
}

static bool is_to_be_read(struct judge *j, size_t number, uint64_t id, judge_changed *changed,
    void *arg)
{
	const uint8_t *p;
	size_t n;

	if ((number + j->seed) % READ_ONE_IN == 0 ||
	    store_payload_get(j->store, id, false, &p, &n) != 0)
		return true;
	return changed(arg, place_of(j, p), n);
}

static bool judge_batch(struct judge *j, size_t number, uint64_t place, enum story_state *state,
    judge_changed *changed, void *arg)
{
	const struct story *b = &j->stories.list[number];
	uint64_t id;

	*state = judge_state(j, b, &id);
	j->known += *state != STORY_ABSENT;
	if (!story_allows(b, *state, place))
		return judge_blames(j, "%s is %s, and was promised to be %s", name_of(b),
		    story_state_name(*state), story_state_name(story_promised(b, place)));
	if ((*state == STORY_QUEUED || *state == STORY_DEAD) &&
	    is_to_be_read(j, number, id, changed, arg))
		return judge_payload(j, b, id);
	return true;
}

static bool judge_stages(struct judge *j, const enum story_state *states)
{
	for (size_t i = 0; i < j->stories.stage_count; i++) {
		const struct stage *s = &j->stories.stages[i];

		if ((states[s->output] != STORY_ABSENT) != (states[s->input] == STORY_ENDED))
			return judge_blames(j, "of a stage the output is %s, and the input %s",
			    story_state_name(states[s->output]),
			    story_state_name(states[s->input]));
	}
	return true;
}

bool judge_batches(struct judge *j, uint64_t place, judge_changed *changed, void *arg)
{
	enum story_state *states = xcalloc(j->stories.count + 1, sizeof *states);
	bool fine = true;

	j->known = 0;
	for (size_t i = 0; fine && i < j->stories.count; i++)
		fine = judge_batch(j, i, place, &states[i], changed, arg);
	fine = fine && judge_stages(j, states);
	free(states);
	return fine;
}

bool judge_all(struct judge *j, uint64_t place, judge_changed *changed, void *arg)
{
	struct store_tally tally;
	bool fine = judge_audit(j, &tally) && judge_batches(j, place, changed, arg);

	if (fine && tally.identities != j->known)
		fine = judge_blames(j, "%llu batches are known, and only %zu of them were sent",
		    (unsigned long long)tally.identities, j->known);
	store_read_end(j->store);
	return fine;
}

/* --- and it goes on --------------------------------------------------------------------------- */

struct instance *judge_join(struct judge *j, const char *module, struct peer *peer)
{
	return core_join(j->core, &(struct hello){ .module = core_module_name(j->core,
	    span_of(module)), .instance_id = span_of("after the power loss"),
	    .max_in_flight = 1000, .mailbox = true }, peer);
}

static struct frame *make_batch(struct uuid *batch_id)
{
	static const uint8_t records[] = { 0x91, 0x81, 0xa9, 'r', 'e', 'c', 'o', 'r', 'd', '_', 'i',
		'd', 0xa1, 'x' };
	struct envelope e = { .source_module = span_of("ALPHA"), .target_module = span_of("BETA"),
		.timestamp_us = datetime_now_us() };
	struct batch_out b = { .sequence_number = 1, .record_count = 1,
		.created_at_us = e.timestamp_us, .with_validation_summary = true,
		.records = { (const char *)records, sizeof records } };
	struct buf out;

	memset(e.message_id.b, 0xcc, sizeof e.message_id.b);
	memset(b.batch_id.b, 0xdd, sizeof b.batch_id.b);
	*batch_id = b.batch_id;
	sha256(records, sizeof records, b.checksum);
	buf_init(&out, 0);
	encode_batch(&out, &e, &b);
	size_t n = out.len - FRAME_LENGTH_BYTES;
	struct frame *f = frame_create(n);
	memcpy(f->data, buf_bytes(&out) + FRAME_LENGTH_BYTES, n);
	f->len = n;
	buf_finish(&out);
	return f;
}

static bool offer(struct judge *j, struct instance *alpha, struct frame *f, bool *taken)
{
	struct decoder *decoder = decoder_create(DECODE_AT_BROKER);
	struct offer_answer answer = { 0 };
	struct message m;
	struct fault fault;

	if (message_decode(decoder, f->data, f->len, &m, &fault) != 0)
		fatalx("the judge's own batch cannot be decoded: %s", fault.field_name);
	core_offer(j->core, alpha, &m, f, &answer);
	decoder_destroy(decoder);
	*taken = answer.status == ACK_RECEIVED;
	if (*taken || answer.fault.code == INT_STORE_001 || answer.fault.code == INT_ROUTE_002)
		return true;
	return judge_blames(j, "a new batch is refused: %s",
	    error_code_info(answer.fault.code)->name);
}

bool judge_goes_on(struct judge *j)
{
	static int peers[2];
	struct instance *alpha = judge_join(j, "ALPHA", (struct peer *)&peers[0]);
	struct instance *beta = judge_join(j, "BETA", (struct peer *)&peers[1]);
	struct story mine = { .route = "alpha-beta" };
	struct frame *f = make_batch(&mine.batch_id);
	struct store_tally tally;
	bool taken, fine;
	uint64_t id;

	if (!alpha || !beta)
		return judge_blames(j, "a module cannot join");
	sha256(f->data, f->len, mine.digest);
	fine = offer(j, alpha, f, &taken);
	frame_unref(f);
	while (fine && core_turn_close(j->core)) { /* until it is at rest */ }
	if (fine && store_commit(j->store) != 0)
		return judge_blames(j, "the next turn cannot be committed");
	if (!fine || !judge_audit(j, &tally))
		return false;
	if (tally.identities != j->known + taken || (taken &&
	    (judge_state(j, &mine, &id) != STORY_QUEUED || !judge_payload(j, &mine, id))))
		return judge_blames(j, "a new batch is not what it was, or another is gone");
	store_read_end(j->store);
	return true;
}
