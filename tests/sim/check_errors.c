/* check_errors.c - the broker's error queue against the model's, and who acknowledges alerts */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

/* --- rows that are new ------------------------------------------------------------------------ */

static bool is_text(const char *mine, const char *p, size_t n)
{
	return strlen(mine) == n && memcmp(mine, p, n) == 0;
}

static bool has_ids(const struct heard *h, const struct error_record *e)
{
	return e->has_batch == h->has_batch &&
	    (!h->has_batch || uuid_equal(&e->batch_id, &h->batch_id)) &&
	    (h->module == NOBODY || h->is_made || uuid_equal(&e->error_id, &h->error_id));
}

static bool is_of(struct world *w, const struct heard *h, const struct error_record *e)
{
	const char *module = h->module == NOBODY ? "BROKER" : w->plan.modules[h->module].name;

	return strcmp(core_error_module(w->core, e), module) == 0 &&
	    e->instance == h->instance && e->route == h->route && e->at_ms == h->at_ms &&
	    e->severity == h->severity && e->recoverability == h->recoverability &&
	    e->scope == h->scope && e->action == h->action && has_ids(h, e) &&
	    e->of_record == (h->scope == SCOPE_RECORD) && is_text(h->code, e->code, e->code_len) &&
	    is_text(h->correlation, e->correlation, e->correlation_len) &&
	    is_text(h->record_id, e->record_id, e->record_id_len);
}

/* An error of the broker's says what it is, and which errors it comes from. */
static void check_own(struct world *w, int at, const struct error_record *e)
{
	const struct heard *from[ERRORS_LINKED_MAX];
	size_t n = e->instance ? 0 : errors_linked(w, at, from), position = 0;
	struct span ids[ERRORS_LINKED_MAX + 1];
	struct stored_error said;
	char text[UUID_TEXT_LEN + 1];

	if (!stored_error_next(e->raw, e->raw_len, &position, &said) ||
	    !span_is(said.code, errors_row(at)->code))
		broke(w, "error %llu of the broker says something else",
		    (unsigned long long)e->number);
	if (w->was_over_budget)		/* some of them may be gone */
		return;
	if (stored_error_upstream(e->raw, e->raw_len, ids, ERRORS_LINKED_MAX + 1) != n)
		broke(w, "error %llu of the broker does not come from %zu errors",
		    (unsigned long long)e->number, n);
	for (size_t k = 0; k < n; k++) {
		uuid_format(&from[k]->error_id, text);
		if (!span_is(ids[k], text))
			broke(w, "error %llu of the broker comes from other errors",
			    (unsigned long long)e->number);
	}
}

static void check_bytes(struct world *w, int at, const struct error_record *e)
{
	struct heard *h = errors_row(at);
	uint32_t crc = e->raw_len ? crc32c(0, e->raw, e->raw_len) : 0;

	if (h->is_made)
		h->error_id = e->error_id;
	if (h->module == NOBODY) {
		check_own(w, at, e);
		h->error_id = e->error_id;
		h->raw_len = e->raw_len;
		h->raw_crc = crc;
	}
	if (e->raw_len != h->raw_len || crc != h->raw_crc)
		broke(w, "error %llu is not kept as it was told", (unsigned long long)e->number);
}

static void add_alert(struct model *m, uint64_t number)
{
	if (m->alert_count == ALERTS_MAX)
		memmove(m->alerts, m->alerts + 1, (size_t)--m->alert_count * sizeof *m->alerts);
	m->alerts[m->alert_count++] = number;
}

/* A row is one of the new ones: it becomes the next in the order of numbers. */
static void number_row(struct world *w, const struct error_record *e)
{
	struct model *m = &w->model;
	int n = m->heard_numbered;
	struct heard first;

	while (n < m->heard_top && !is_of(w, errors_row(n), e))
		n++;
	if (n == m->heard_top)
		broke(w, "error %llu, %.*s, is kept, and nobody told it",
		    (unsigned long long)e->number, (int)e->code_len, e->code);
	first = *errors_row(m->heard_numbered);
	*errors_row(m->heard_numbered) = *errors_row(n);
	*errors_row(n) = first;
	n = m->heard_numbered++;
	errors_row(n)->number = e->number;
	check_bytes(w, n, e);
	if (errors_is_alert(errors_row(n)))
		add_alert(m, e->number);
	m->errors_found++;
}

/* It was added and forgotten in one turn: only its alert tells of it. */
static void number_alert(struct world *w, const struct error_record *e)
{
	struct model *m = &w->model;
	int n = m->heard_numbered;

	while (n < m->heard_top && !(is_of(w, errors_row(n), e) && errors_is_alert(errors_row(n))))
		n++;
	if (n == m->heard_top || !w->was_over_budget)
		broke(w, "there is an alert %llu of an error that nobody told",
		    (unsigned long long)e->number);
	*errors_row(n) = *errors_row(--m->heard_top);
	add_alert(m, e->number);
	m->errors_lost++;
	m->heard_due--;
}

/* The least number above `after` of a row or an alert, 0 none. */
static uint64_t next_number(struct world *w, uint64_t after, uint64_t last)
{
	struct error_record e;

	for (uint64_t n = after + 1; n <= last; n++)
		if (store_error_get(w->store, n, &e) == 0 ||
		    (store_alert_previous(w->store, n + 1, &e) == 0 && e.number == n))
			return n;
	return 0;
}

static uint64_t last_number(struct world *w)
{
	struct error_record e;
	uint64_t last = store_error_previous(w->store, UINT64_MAX, &e) == 0 ? e.number : 0;

	return store_alert_previous(w->store, UINT64_MAX, &e) == 0 && e.number > last ? e.number
	                                                                              : last;
}

static void number_all(struct world *w)
{
	struct model *m = &w->model;
	uint64_t n, last = last_number(w);
	struct error_record e;

	for (; (n = next_number(w, m->last_error, last)) != 0; m->last_error = n) {
		if (store_error_get(w->store, n, &e) == 0)
			number_row(w, &e);
		else if (store_alert_previous(w->store, n + 1, &e) == 0)
			number_alert(w, &e);
	}
}

/* --- and those that are gone ------------------------------------------------------------------ */

/* What is not there was not kept, or is forgotten already. */
static void drop_missing(struct world *w, int found)
{
	struct model *m = &w->model;
	bool spared = w->was_over_budget || w->plan.troubles[TROUBLE_FULL_STORE];

	for (int n = m->heard_numbered; n < m->heard_top; n++) {
		const struct heard *h = errors_row(n);

		if (!spared && !h->doubtful)
			broke(w, "error %s of %s is not kept", h->code,
			    h->module == NOBODY ? "the broker" : w->plan.modules[h->module].name);
		m->errors_lost++;
	}
	if (!m->heard_varies && (spared ? found > m->heard_due : found != m->heard_due))
		broke(w, "%d errors are kept, not %d", found, m->heard_due);
	m->heard_top = m->heard_numbered;
	m->heard_due = 0;
	m->heard_varies = false;
}

/* The oldest go first, when their time is over or there is no room. */
static void drop_old(struct world *w)
{
	struct model *m = &w->model;
	struct error_record e;
	uint64_t least = store_error_oldest(w->store, &e) == 0 ? e.number : UINT64_MAX;

	for (; m->heard_first < m->heard_top; m->heard_first++) {
		const struct heard *h = errors_row(m->heard_first);

		if (h->number >= least)
			break;
		if (!w->was_over_budget && w->now_ms < h->at_ms + w->plan.core.outcome_retention_ms)
			broke(w, "error %llu is forgotten %llu ms after it was told",
			    (unsigned long long)h->number, (unsigned long long)(w->now_ms - h->at_ms));
	}
}

static bool is_as_before(const struct world *w)
{
	const struct model *m = &w->model;

	return m->heard_numbered == m->heard_top && m->heard_due == 0 && !m->heard_varies &&
	    store_error_count(w->store) == (uint64_t)(m->heard_top - m->heard_first) &&
	    store_alert_count(w->store) == (uint64_t)m->alert_count;
}

void errors_look(struct world *w)
{
	struct model *m = &w->model;
	int before = m->heard_numbered;

	if (is_as_before(w))
		return;
	number_all(w);
	drop_missing(w, m->heard_numbered - before);
	drop_old(w);
	if (store_error_count(w->store) != (uint64_t)(m->heard_top - m->heard_first) ||
	    store_alert_count(w->store) != (uint64_t)m->alert_count)
		broke(w, "there are %llu errors and %llu alerts, not %d and %d",
		    (unsigned long long)store_error_count(w->store),
		    (unsigned long long)store_alert_count(w->store), m->heard_top - m->heard_first,
		    m->alert_count);
}

/* --- after a turn; everything ----------------------------------------------------------------- */

static void check_counts(struct world *w)
{
	const struct error_count *counts;
	size_t n = core_error_counts(w->core, &counts);
	uint64_t sums[SEVERITY_WARNING + 1] = { 0 };

	if (n > ERROR_COUNTS_MAX)
		broke(w, "errors are counted by %zu codes", n);
	for (size_t k = 0; k < n; k++)
		sums[counts[k].severity] += counts[k].count;
	for (enum severity s = SEVERITY_CRITICAL; s <= SEVERITY_WARNING; s++)
		if (sums[s] != w->model.counted[s])
			broke(w, "%llu errors of severity %s are counted, not %llu",
			    (unsigned long long)sums[s], severity_name(s),
			    (unsigned long long)w->model.counted[s]);
}

void errors_check(struct world *w)
{
	const struct model *m = &w->model;
	uint64_t unseen = m->errors_tried - m->errors_found;
	struct errors_view v;

	core_view_errors(w->core, &v);
	if (v.depth != (uint64_t)(m->heard_top - m->heard_first) ||
	    v.alerts != (uint64_t)m->alert_count)
		broke(w, "the error queue is shown with %llu rows and %llu alerts",
		    (unsigned long long)v.depth, (unsigned long long)v.alerts);
	if (v.dropped > unseen || v.dropped + m->errors_lost < unseen)
		broke(w, "%llu errors are said not to be kept, and %llu are not there",
		    (unsigned long long)v.dropped, (unsigned long long)unseen);
	check_counts(w);
	if (m->heard_first < m->heard_top && w->now_ms >=
	    errors_row(m->heard_first)->at_ms + w->plan.core.outcome_retention_ms)
		broke(w, "error %llu is kept for longer than it was to be",
		    (unsigned long long)errors_row(m->heard_first)->number);
}

void errors_check_store(struct world *w)
{
	const struct model *m = &w->model;
	struct error_record e;
	uint64_t before = UINT64_MAX;

	for (int n = m->heard_first; n < m->heard_top; n++) {
		const struct heard *h = errors_row(n);

		if (store_error_get(w->store, h->number, &e) != 0 || !is_of(w, h, &e) ||
		    !uuid_equal(&e.error_id, &h->error_id) || e.raw_len != h->raw_len ||
		    (h->raw_len && crc32c(0, e.raw, e.raw_len) != h->raw_crc))
			broke(w, "error %llu is another", (unsigned long long)h->number);
	}
	for (int n = m->alert_count - 1; n >= 0; n--, before = e.number)
		if (store_alert_previous(w->store, before, &e) != 0 || e.number != m->alerts[n])
			broke(w, "alert %llu is not there", (unsigned long long)m->alerts[n]);
}

/* --- a person --------------------------------------------------------------------------------- */

/* An alert of that number is off the list; 0: all of them. Returns how many there were. */
static unsigned take_off(struct model *m, uint64_t number)
{
	int n = 0, left = 0;

	for (; n < m->alert_count; n++)
		if (number != 0 && m->alerts[n] != number)
			m->alerts[left++] = m->alerts[n];
	m->alert_count = left;
	return (unsigned)(n - left);
}

bool operator_acknowledge(struct world *w)
{
	struct model *m = &w->model;
	uint64_t number = 0;
	unsigned expected, got;

	if (!has_trouble(w, TROUBLE_TELL) || !chance(w, 2))
		return false;
	if (!chance(w, 4))
		number = m->alert_count && !chance(w, 4)
		    ? m->alerts[between(w, 0, (uint64_t)m->alert_count - 1)]
		    : between(w, 1, m->last_error + 2);
	broker_begin(w);
	expected = take_off(m, number);
	got = core_acknowledge_alerts(w->core, number,
	    &(struct hand){ "sim (uid 0)", chance(w, 2) ? "seen" : "" });
	trace(w, "operator: acknowledges alert %llu: %u", (unsigned long long)number, got);
	if (got != expected)
		broke(w, "%u alerts are acknowledged, not %u", got, expected);
	errors_look(w);
	return true;
}
