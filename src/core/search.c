/* search.c - finding a batch by what a person has: an id, or the beginning of one */
#include <string.h>

#include "base/digest.h"
#include "core/reason.h"
#include "wire/decode.h"

/*
 * The stages, each in steps: by batch_id (the identities are in its order); by the aliases, which
 * hold the message ids of what is known, and of the correlation ids the hash and the beginning.
 * What is not found as a whole correlation_id may be the beginning of one that is longer than an
 * alias shows: then such batches are looked at, one by one. Last come those in custody or parked
 * for longer than aliases are kept, the oldest first. Or, for a record_id, the stored records.
 */
enum stage {
	STAGE_BATCH_ID, STAGE_ALIAS, STAGE_BEGINNINGS, STAGE_OLD, STAGE_RECORDS, STAGE_END,
};

#define IDENTITIES_PER_STEP 64
#define ROWS_PER_STEP 256
#define OLD_ROWS_MAX 65536		/* looked at for what has no alias any more */
#define CANDIDATES_MAX 32768		/* whose beginning is the same and who are looked at */
#define CANDIDATE_ROWS_PER_STEP 8	/* each of up to some 340, of which all may be candidates */
#define RECORDS_BYTES_PER_STEP (4 * 1024 * 1024)

struct step {
	struct core *core;
	struct search *search;
	bool (*found)(void *arg, const struct route *r, const struct uuid *batch_id);
	void *arg;
	bool stopped;
};

static void tell(struct step *t, const struct route *r, const struct uuid *batch_id)
{
	t->search->found++;
	t->stopped = !t->found(t->arg, r, batch_id);
}

static bool is_wanted(const struct search *s, const struct route *r)
{
	return r && (!s->only || s->only == r);
}

/* --- by batch_id ----------------------------------------------------------------------------- */

/* True when the route has no more of them. */
static bool search_route(struct step *t, struct route *r)
{
	struct search *s = t->search;

	for (unsigned n = 0; n < IDENTITIES_PER_STEP && !t->stopped; n++) {
		struct identity where;
		if (store_identity_next(t->core->store, r->number, &s->at, &where) != 0 ||
		    !uuid_begins(&s->at, s->text))
			return true;
		tell(t, r, &s->at);
		uuid_rise(&s->at);
	}
	return false;
}

static bool search_batch_id(struct step *t)
{
	struct search *s = t->search;
	static const struct uuid none;

	if (s->route == t->core->settings.route_count ||
	    !uuid_least(s->text, &(struct uuid){ { 0 } }))
		return true;
	struct route *r = &t->core->routes[s->route];
	if (uuid_equal(&s->at, &none))
		uuid_least(s->text, &s->at);
	if (!is_wanted(s, r) || search_route(t, r)) {
		s->route++;
		s->at = none;
	}
	return false;
}

/* --- by correlation_id and message_id -------------------------------------------------------- */

struct correlation_check {
	const char *text;
	bool same;
};

static bool check_correlation(void *arg, const struct batch_view *v)
{
	struct correlation_check *k = arg;
	const char *text = v->batch ? v->batch->correlation : v->end->correlation;
	size_t n = v->batch ? v->batch->correlation_len : v->end->correlation_len;

	k->same = n >= strlen(k->text) && memcmp(text, k->text, strlen(k->text)) == 0;
	return true;
}

static bool has_correlation(struct step *t, const struct route *r, const struct uuid *batch_id)
{
	struct correlation_check k = { t->search->text, false };

	return core_view_batch(t->core, r, batch_id, check_correlation, &k) && k.same;
}

static bool may_correlate(const struct search *s, const struct alias *a)
{
	size_t n = strlen(s->text);

	return memcmp(a->correlation, s->text,
		      n < sizeof a->correlation ? n : sizeof a->correlation) == 0;
}

/* A whole correlation_id, or a beginning of which an alias shows everything. */
static bool correlates(struct step *t, const struct route *r, const struct alias *a)
{
	const struct search *s = t->search;

	return may_correlate(s, a) && (strlen(s->text) <= sizeof a->correlation ||
	    (a->correlation_hash == s->text_hash && has_correlation(t, r, &a->batch_id)));
}

/* It is known still: an alias may be there for longer than its batch. */
static void tell_alias(struct step *t, const struct route *r, const struct alias *a)
{
	struct identity where;

	store_identity_get(t->core->store, r->number, &a->batch_id, &where);
	if (where.kind != IDENTITY_NONE)
		tell(t, r, &a->batch_id);
}

static bool on_alias(void *arg, const struct alias *a)
{
	struct step *t = arg;
	struct search *s = t->search;
	const struct route *r = route_by_number(t->core, a->route);

	if (!is_wanted(s, r))
		return true;
	if (uuid_begins(&a->message_id, s->text) || correlates(t, r, a))
		tell_alias(t, r, a);
	return !t->stopped;
}

static bool search_aliases(struct step *t)
{
	struct search *s = t->search;
	const struct alias_query q = alias_query_of(s->text, false);

	s->text_hash = crc32c(0, s->text, strlen(s->text));
	bool more = store_alias_scan(t->core->store, &q, &s->after, ALIAS_ROWS_MAX, on_alias, t);
	if (!more)
		s->after = 0;
	return !more;
}

static bool on_beginning(void *arg, const struct alias *a)
{
	struct step *t = arg;
	struct search *s = t->search;
	const struct route *r = route_by_number(t->core, a->route);

	if (is_wanted(s, r) && may_correlate(s, a) && s->tried++ < CANDIDATES_MAX &&
	    has_correlation(t, r, &a->batch_id))
		tell(t, r, &a->batch_id);
	return !t->stopped;
}

/* Only when nothing was found so far. */
static bool search_beginnings(struct step *t)
{
	struct search *s = t->search;
	const struct alias_query q = alias_query_of(s->text, true);

	s->gave_up = s->tried >= CANDIDATES_MAX;
	if ((s->found && s->after == 0) || s->gave_up || strlen(s->text) <= ALIAS_FILTERED)
		return true;
	return !store_alias_scan(t->core->store, &q, &s->after, CANDIDATE_ROWS_PER_STEP,
	    on_beginning, t);
}

static bool on_old(void *arg, const struct batch_view *v)
{
	struct step *t = arg;
	const struct batch *b = v->batch;
	size_t n = strlen(t->search->text);

	if (b->correlation_len >= n && memcmp(b->correlation, t->search->text, n) == 0)
		tell(t, v->route, &b->batch_id);
	return !t->stopped;
}

/*
 * Only when nothing was found so far: what is older than aliases are kept. Ids are counted from 1,
 * and rows are forgotten from the front: when the first is there, all are.
 */
static bool search_old(struct step *t)
{
	struct search *s = t->search;
	struct selection all = { .route = s->only };

	bool begins = s->cursor.route == 0 && !s->cursor.dead_after && !s->cursor.at.id;

	if (store_alias_first(t->core->store) == 1 || (s->found && begins) ||
	    s->tried >= CANDIDATES_MAX + OLD_ROWS_MAX)
		return true;
	core_select(t->core, &all, &s->cursor, ROWS_PER_STEP, on_old, t);
	s->tried += ROWS_PER_STEP;
	return s->cursor.done;
}

/* --- by record_id ---------------------------------------------------------------------------- */

static bool on_payload(void *arg, const struct batch_view *v)
{
	struct step *t = arg;
	struct search *s = t->search;
	const struct batch *b = v->batch;
	const uint8_t *p;
	uint64_t index;
	size_t n;

	s->looked += b->payload_bytes;
	if (store_payload_get(t->core->store, b->id, false, &p, &n) == 0 &&
	    (uint64_t)b->records_off + b->records_len <= n &&
	    records_find((struct span){ (const char *)p + b->records_off, b->records_len },
	        span_of(s->text), &index))
		tell(t, v->route, &b->batch_id);
	return !t->stopped && s->looked < s->after + RECORDS_BYTES_PER_STEP;
}

static bool search_records(struct step *t)
{
	struct search *s = t->search;
	struct selection all = { .route = s->only };

	s->after = s->looked;
	core_select(t->core, &all, &s->cursor, ROWS_PER_STEP, on_payload, t);
	return s->cursor.done || s->looked > RECORD_SEARCH_BYTES;
}

bool core_search(struct core *c, struct search *s,
    bool (*found)(void *arg, const struct route *r, const struct uuid *batch_id), void *arg)
{
	static bool (*const stages[])(struct step *t) = {
		[STAGE_BATCH_ID] = search_batch_id,
		[STAGE_ALIAS] = search_aliases,
		[STAGE_BEGINNINGS] = search_beginnings,
		[STAGE_OLD] = search_old,
		[STAGE_RECORDS] = search_records,
	};
	struct step t = { c, s, found, arg, false };

	if (s->record && s->stage == STAGE_BATCH_ID)
		s->stage = STAGE_RECORDS;
	if (s->stage == STAGE_END)
		return false;
	if (stages[s->stage](&t))
		s->stage = s->record || s->stage == STAGE_OLD ? STAGE_END : s->stage + 1;
	if (t.stopped)
		s->stage = STAGE_END;
	return s->stage != STAGE_END;
}
