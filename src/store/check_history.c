/* check_history.c - does the store agree with itself? History, mailboxes and what hangs on them */
#include <string.h>

#include "store/check_internal.h"

/*
 * Who owns a batch_id: a batch that was PROCESSED whole is past everything, so its row does. One
 * that is a dead letter may have been redriven or purged since; its row is only held to what the
 * letter says as long as that was told with this row.
 */
static bool identity_agrees(struct check *c, const struct ended *e)
{
	struct identity now;
	struct batch b;
	struct ended told;

	store_identity_get(c->store, e->route, &e->batch_id, &now);
	bool here = now.kind == IDENTITY_ENDED && now.source == e->source &&
	    now.notice == e->notice;
	if (!e->dead && !e->partial)
		return here;
	if (store_dead_get(c->store, e->route, e->id, &b, &told) != 0 ||
	    told.source != e->source || told.notice != e->notice)
		return true;
	return e->partial ? here : now.kind == IDENTITY_DEAD && now.id == e->id;
}

static int check_ended(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long notice = key_get64(key + 4);
	struct ended e;

	c->tally->ended++;
	if (ended_decode(v->mv_data, v->mv_size, &e) != 0)
		return store_disagree(c, "history row %llu is unreadable", notice);
	if (e.source != key_get32(key) || e.notice != notice || notice > c->store->meta.last_notice)
		return store_disagree(c, "history row %llu says it is %llu of instance %u", notice,
		    (unsigned long long)e.notice, e.source);
	if (!identity_agrees(c, &e))
		return store_disagree(c, "the identity of history row %llu leads elsewhere",
				      notice);
	if (e.journalled || e.confirming)
		store_ids_add(&c->journalled, e.id);
	c->tally->history_bytes += history_cost(v->mv_size);
	return 0;
}

/* A damaged record has left its identity behind: batch_id is not known. */
static bool is_lost(struct check *c, uint32_t route, uint64_t id)
{
	struct batch b;
	struct ended e;

	return store_dead_get(c->store, route, id, &b, &e) == 0 && b.payload_bytes == 0;
}

static int check_identity(struct check *c, const uint8_t *key, const MDB_val *v)
{
	uint32_t route = key_get32(key);
	struct uuid batch_id;
	struct identity where;
	struct batch b;

	(void)v;
	c->tally->identities++;
	memcpy(batch_id.b, key + 4, sizeof batch_id.b);
	store_identity_get(c->store, route, &batch_id, &where);
	if (where.kind == IDENTITY_LIVE &&
	    (store_batch_find(c->store, route, where.id, &b) == 0 || is_lost(c, route, where.id)))
		return 0;
	if (where.kind == IDENTITY_DEAD &&
	    store_has_row(c, TABLE_DEAD, key_route_id(route, where.id)))
		return 0;
	return store_disagree(c, "an identity of kind %d leads nowhere", where.kind);
}

static int check_identity_ended(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct uuid batch_id;
	struct identity where;

	(void)v;
	c->tally->identities++;
	memcpy(batch_id.b, key + 4, sizeof batch_id.b);
	store_identity_get(c->store, key_get32(key), &batch_id, &where);
	if (where.kind == IDENTITY_ENDED &&
	    store_has_row(c, TABLE_ENDED, key_ended(where.source, where.notice)))
		return 0;
	return where.kind != IDENTITY_ENDED
	    ? store_disagree(c, "a batch_id has ended and is of kind %d as well", where.kind)
	    : store_disagree(c, "the identity of an end leads nowhere");
}

static int check_notice(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long notice = key_get64(key + 4);

	c->tally->notices++;
	c->tally->history_bytes += row_cost(12, v->mv_size);
	if (!notice_is_whole(&(MDB_val){ c->key_size, (void *)(uintptr_t)key }, v))
		return store_disagree(c, "notice %llu is unreadable", notice);
	return notice <= c->store->meta.last_notice ? 0
	    : store_disagree(c, "notice %llu has not been given out", notice);
}

static int check_line(struct check *c, const uint8_t *key, const MDB_val *v)
{
	uint64_t id = key_get64(key);
	struct journal_line line;

	c->tally->lines++;
	c->tally->history_bytes += row_cost(12, v->mv_size);
	if (journal_line_decode(v->mv_data, v->mv_size, &line) != 0)
		return store_disagree(c, "a line in the journal of batch %llu is unreadable",
		    (unsigned long long)id);
	if (id != c->latest && !store_ids_has(&c->journalled, id))
		return store_disagree(c, "nothing that there is has the journal of batch %llu",
		    (unsigned long long)id);
	uint32_t number = key_get32(key + 8), before = id == c->latest ? c->latest_line : 0;
	if (number != before + 1 && before != 1)	/* of a long one the second oldest went */
		return store_disagree(c, "the journal of batch %llu goes from line %u to %u",
		    (unsigned long long)id, before, number);
	c->latest = id;
	c->latest_line = number;
	return 0;
}

/* --- confirmations --------------------------------------------------------------------------- */

static bool confirmation_belongs(struct check *c, const struct confirmation *f)
{
	struct batch b;
	struct ended e;

	if (f->state == CONFIRM_EARLY)
		return store_batch_find(c->store, f->route, f->id, &b) == 0 ||
		    store_has_row(c, TABLE_DEAD, key_route_id(f->route, f->id));
	return store_ended_get(c->store, f->source, f->notice, &e) == 0 && e.id == f->id &&
	    e.confirming;
}

static int check_confirmation(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long id = key_get64(key + 4);
	struct confirmation f;

	c->tally->confirmations++;
	c->tally->history_bytes += row_cost(12, v->mv_size);
	if (confirmation_decode(v->mv_data, v->mv_size, &f) != 0 || f.id != id ||
	    f.route != key_get32(key))
		return store_disagree(c, "the confirmation of batch %llu is unreadable", id);
	if (!confirmation_belongs(c, &f))
		return store_disagree(c, "the confirmation of batch %llu belongs to no end", id);
	c->awaited += f.state == CONFIRM_AWAITED;
	if (f.state == CONFIRM_AWAITED &&
	    !store_has_row(c, TABLE_CONFIRM_DUE, key_due(f.due_ms, f.route, f.id)))
		return store_disagree(c, "the confirmation of batch %llu is awaited for ever", id);
	store_ids_add(&c->confirmed, id);
	return 0;
}

static int check_confirm_due(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long id = key_get64(key + 12);
	struct confirmation f;

	c->tally->confirm_due++;
	if (v->mv_size == 0 && store_confirm_get(c->store, key_get32(key + 8), id, &f) == 0 &&
	    f.state == CONFIRM_AWAITED && f.due_ms == key_get64(key))
		return 0;
	return store_disagree(c, "a confirmation of batch %llu is due and not awaited", id);
}

static int check_confirm_record(struct check *c, const uint8_t *key, const MDB_val *v)
{
	uint64_t id = key_get64(key);

	c->tally->history_bytes += row_cost(16, v->mv_size);
	if (id != c->latest && !store_ids_has(&c->confirmed, id))
		return store_disagree(c,
				      "records of batch %llu are confirmed, and the batch is not",
				      (unsigned long long)id);
	c->latest = id;
	return 0;
}

static int check_alias(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long first = key_get64(key);

	c->tally->aliases++;
	c->alias_bytes += row_cost(8, v->mv_size);
	if (!alias_row_is_whole(v))
		return store_disagree(c, "the aliases from batch %llu on are unreadable", first);
	return alias_filter_has(c->store, first, v) ? 0
	    : store_disagree(c, "no filter has the aliases from batch %llu on", first);
}

/* Those that wait come behind all others: a search and a trim go over them last. */
static int check_alias_new(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct key k = { .n = 8 };
	MDB_val found, other;

	memcpy(k.b, key, 8);
	if (table_seek(c->store, TABLE_ALIAS, &k, &found, &other))
		return store_disagree(c, "aliases from batch %llu on wait, and later ones do not",
		    (unsigned long long)key_get64(key));
	return check_alias(c, key, v);
}

static int check_alias_filter(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long last = key_get64(key);

	c->tally->alias_filters++;
	c->alias_bytes += row_cost(8, v->mv_size);
	if (!alias_filter_is_whole(v))
		return store_disagree(c, "the filter of aliases up to batch %llu is unreadable",
		    last);
	return store_has_row(c, TABLE_ALIAS, key_id(last)) ||
	    store_has_row(c, TABLE_ALIAS_NEW, key_id(last)) ? 0
	    : store_disagree(c, "the aliases of batch %llu, a filter's last, are not there", last);
}

/* --- the small things ------------------------------------------------------------------------ */

static int check_sealed(struct check *c, const uint8_t *key, const MDB_val *v)
{
	return row_is_sealed(&(MDB_val){ c->key_size, (void *)(uintptr_t)key }, v) ? 0
	    : store_disagree(c, "a name, or the number of a sequence, is unreadable");
}

static int check_instance(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct instance_record i;

	return instance_decode(v->mv_data, v->mv_size, &i) == 0 && i.number == key_get32(key) ? 0
	    : store_disagree(c, "the record of instance %u is unreadable", key_get32(key));
}

static int check_action(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct action a;

	return action_decode(v->mv_data, v->mv_size, &a) == 0 && a.number == key_get64(key) ? 0
	    : store_disagree(c, "action %llu is unreadable", (unsigned long long)key_get64(key));
}

static int check_control(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct route_control r;

	return control_read(&(MDB_val){ c->key_size, (void *)(uintptr_t)key }, v, &r) == 0 ? 0
	    : store_disagree(c, "what was set of route %u is unreadable", key_get32(key));
}

static int check_circuit(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct circuit_record r;

	return circuit_read(&(MDB_val){ c->key_size, (void *)(uintptr_t)key }, v, &r) == 0 ? 0
	    : store_disagree(c, "circuit %u is unreadable", key_get32(key));
}

static int check_error(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long number = key_get64(key);
	struct error_record e;
	struct key k;

	c->tally->errors++;
	c->tally->history_bytes += row_cost(8, v->mv_size);
	if (error_record_decode(v->mv_data, v->mv_size, &e) != 0 || e.number != number)
		return store_disagree(c, "error %llu is unreadable", number);
	for (enum error_index i = ERRORS_BY_CODE; i <= ERRORS_BY_BATCH; i++) {
		if (!error_index_key(&e, i, &k))
			continue;
		c->error_rows++;
		if (!store_has_row(c, TABLE_ERROR_BY, k))
			return store_disagree(c, "error %llu is not in index %d", number, i);
	}
	return 0;
}

static int check_error_by(struct check *c, const uint8_t *key, const MDB_val *v)
{
	unsigned long long number = key_get64(key + 9);

	c->error_index_rows++;
	c->tally->history_bytes += row_cost(17, v->mv_size);
	return store_has_row(c, TABLE_ERROR, key_id(number)) ? 0
	    : store_disagree(c, "an index has error %llu, which is not there", number);
}

static int check_alert(struct check *c, const uint8_t *key, const MDB_val *v)
{
	struct error_record e;

	c->tally->alerts++;
	return error_record_decode(v->mv_data, v->mv_size, &e) == 0 && e.number == key_get64(key)
	    ? 0
	    : store_disagree(c, "alert %llu is unreadable", (unsigned long long)key_get64(key));
}

int store_check_history(struct check *c)
{
	int rc;

	if ((rc = store_walk(c, TABLE_ENDED, check_ended)) == 0 &&
	    (rc = store_walk(c, TABLE_IDENTITY, check_identity)) == 0 &&
	    (rc = store_walk(c, TABLE_IDENTITY_ENDED, check_identity_ended)) == 0 &&
	    (rc = store_walk(c, TABLE_NOTICE, check_notice)) == 0 &&
	    (rc = store_walk(c, TABLE_JOURNAL, check_line)) == 0 &&
	    (rc = store_walk(c, TABLE_CONFIRM, check_confirmation)) == 0 &&
	    (rc = store_walk(c, TABLE_CONFIRM_DUE, check_confirm_due)) == 0 &&
	    (rc = store_walk(c, TABLE_CONFIRM_RECORD, check_confirm_record)) == 0 &&
	    (rc = store_walk(c, TABLE_ERROR, check_error)) == 0 &&
	    (rc = store_walk(c, TABLE_ERROR_BY, check_error_by)) == 0 &&
	    (rc = store_walk(c, TABLE_ALERT, check_alert)) == 0 &&
	    (rc = store_walk(c, TABLE_ALIAS_FILTER, check_alias_filter)) == 0)
		rc = store_walk(c, TABLE_ALIAS, check_alias);
	if (rc == 0 && (rc = store_walk(c, TABLE_ALIAS_NEW, check_alias_new)) == 0 &&
	    (rc = store_walk(c, TABLE_NAME, check_sealed)) == 0 &&
	    (rc = store_walk(c, TABLE_SEQUENCE, check_sealed)) == 0 &&
	    (rc = store_walk(c, TABLE_INSTANCE, check_instance)) == 0 &&
	    (rc = store_walk(c, TABLE_ACTION, check_action)) == 0 &&
	    (rc = store_walk(c, TABLE_CIRCUIT, check_circuit)) == 0)
		rc = store_walk(c, TABLE_CONTROL, check_control);
	return rc;
}
