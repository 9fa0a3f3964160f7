/* errors.c - the model's error queue: what is kept of what is told, and of the broker's own */
#include <string.h>

#include "base/digest.h"
#include "sim.h"

/*
 * The rows stand here, and how many of them there are in the model: they are added behind and go
 * from the front, so that a crash takes back all that was not committed.
 */
#define WINDOW_MS 1000
#define NOTICES_PER_SECOND 100
#define ALERTS_PER_SECOND 100		/* beyond the ceiling of errors */
#define BROKER MODULES_MAX		/* among the windows */

static struct heard rows[HEARD_MAX];

struct heard *errors_row(int n)
{
	return &rows[n];
}

bool errors_are_many(const struct world *w)
{
	return w->model.heard_top > HEARD_MAX / 2;
}

/* --- ceilings --------------------------------------------------------------------------------- */

static struct told_window *window_of(struct world *w, int who)
{
	struct told_window *t = &w->model.windows[who];

	if (w->now_ms >= t->since_ms + WINDOW_MS)
		*t = (struct told_window){ .since_ms = w->now_ms };
	return t;
}

bool errors_may_be_told(struct world *w, int module)
{
	return window_of(w, module)->notices++ < NOTICES_PER_SECOND;
}

/* In which order the broker makes several in a turn is its own affair: so which are too many. */
static void doubt_own(struct world *w)
{
	for (int n = w->model.heard_numbered; n < w->model.heard_top; n++)
		rows[n].doubtful |= rows[n].module == NOBODY;
}

bool errors_is_alert(const struct heard *h)
{
	return h->severity == SEVERITY_CRITICAL || h->action == ACTION_INVESTIGATE;
}

/* A flood of what is usual hides nothing that a person has to see. */
static bool is_kept(struct world *w, int who, const struct heard *h)
{
	struct told_window *t = window_of(w, who);

	if (t->errors++ < w->plan.core.max_error_rate)
		return true;
	w->model.heard_varies |= who == BROKER;
	return errors_is_alert(h) && t->alerts++ < ALERTS_PER_SECOND;
}

static void add(struct world *w, int who, const struct heard *h)
{
	struct model *m = &w->model;
	bool kept = is_kept(w, who, h);

	m->errors_tried++;
	m->heard_due += kept;
	if (!kept && who != BROKER)
		return;
	if (m->heard_top == HEARD_MAX)
		broke(w, "the simulator has no room for another error");
	rows[m->heard_top] = *h;
	rows[m->heard_top].at_ms = w->now_ms;
	rows[m->heard_top].doubtful = w->plan.troubles[TROUBLE_FULL_STORE];
	m->heard_top++;
	if (m->heard_varies)
		doubt_own(w);
}

/* --- what modules tell ------------------------------------------------------------------------ */

/* The whole characters that fit. */
static void cut(char *to, size_t max, struct span text)
{
	size_t n = 0;

	for (size_t k = 1; k <= text.n && k <= max; k++)
		if (k == text.n || ((uint8_t)text.p[k] & 0xc0) != 0x80)
			n = k;
	if (n > 0)
		memcpy(to, text.p, n);
	to[n] = '\0';
}

static struct heard heard_of(struct world *w, int module, int party, const struct message_error *e)
{
	struct heard h = {
		.module = module,
		.instance = party_number(w, party),
		.severity = e->severity,
		.recoverability = e->recoverability,
		.scope = e->scope,
		.error_id = e->error_id,
		.raw_len = e->raw.n <= ERROR_RAW_MAX ? (uint32_t)e->raw.n : 0,
	};

	cut(h.code, ERROR_CODE_MAX, e->error_code);
	cut(h.correlation, RECORD_CORRELATION_MAX, e->correlation_id);
	cut(h.record_id, ERROR_RECORD_ID_MAX, e->record_id);
	if (e->batch_id.p)
		h.has_batch = uuid_parse(e->batch_id.p, e->batch_id.n, &h.batch_id);
	h.raw_crc = h.raw_len ? crc32c(0, e->raw.p, e->raw.n) : 0;
	return h;
}

void errors_hear(struct world *w, int module, int party, const struct message_error *e,
    enum action_required action)
{
	struct heard h = heard_of(w, module, party, e);

	h.action = action;
	w->model.counted[h.severity]++;
	add(w, module, &h);
}

void errors_hear_none(struct world *w, int module, int party)
{
	struct heard h = {
		.module = module,
		.instance = party_number(w, party),
		.severity = SEVERITY_WARNING,
		.recoverability = RECOVERABILITY_UNKNOWN,
		.scope = SCOPE_MODULE,
		.action = ACTION_INVESTIGATE,
		.is_made = true,
	};

	w->model.counted[h.severity]++;
	add(w, module, &h);
}

/* They are about the batch, and stand under what it comes from, whatever they say. */
static void about(struct world *w, struct heard *h, int parcel)
{
	h->route = w->route_numbers[w->parcels[parcel].route];
	h->has_batch = true;
	h->batch_id = w->parcels[parcel].batch_id;
	message_correlation(w->parcels[parcel].correlation, h->correlation);
}

void errors_hear_answer(struct world *w, int module, int party, int parcel,
    const struct message_ack *a)
{
	for (size_t n = 0; n < a->error_count; n++) {
		struct heard h = heard_of(w, module, party, &a->errors[n]);

		about(w, &h, parcel);
		w->model.counted[h.severity]++;
		add(w, module, &h);
	}
}

/* --- the broker's own ------------------------------------------------------------------------- */

static struct heard own(enum error_code code)
{
	const struct error_code_info *info = error_code_info(code);
	struct heard h = {
		.module = NOBODY,
		.severity = info->severity,
		.recoverability = info->recoverability,
		.scope = info->scope,
	};

	cut(h.code, ERROR_CODE_MAX, span_of(info->name));
	return h;
}

void errors_make(struct world *w, int parcel, enum error_code code)
{
	struct heard h = own(code);

	about(w, &h, parcel);
	w->model.counted[h.severity]++;
	add(w, BROKER, &h);
}

void errors_refuse_answer(struct world *w, int module, int party, const struct message *m)
{
	struct heard h = own(INT_DELIVERY_005);

	h.instance = party_number(w, party);
	h.has_batch = true;
	h.batch_id = m->ack.batch_id;
	cut(h.correlation, RECORD_CORRELATION_MAX, m->header.correlation_id);
	add(w, module, &h);
}

/* Counted beside what is kept; INT_BATCH_004 is no warning where the batch is refused. */
void errors_refuse(struct world *w, enum error_code code)
{
	w->model.counted[code == INT_BATCH_004 ? SEVERITY_ERROR : error_code_info(code)->severity]++;
	core_note_refusal(w->core, code);
}

void errors_warn(struct world *w, enum error_code code)
{
	w->model.counted[error_code_info(code)->severity]++;
	core_note_error(w->core, code);
}

/* --- what it is asked for --------------------------------------------------------------------- */

/* The newest that the broker has made so about the batch; it looks no further than this back. */
#define SEARCHED_MAX 128

const struct heard *errors_end_of(const struct world *w, int parcel, enum error_code code)
{
	const struct parcel *p = &w->parcels[parcel];
	int looked = 0;

	for (int n = w->model.heard_top - 1; n >= w->model.heard_first; n--) {
		const struct heard *h = &rows[n];

		if (!h->has_batch || !uuid_equal(&h->batch_id, &p->batch_id))
			continue;
		if (looked++ == SEARCHED_MAX)
			return NULL;
		if (h->module == NOBODY && h->route == w->route_numbers[p->route] &&
		    h->raw_len > 0 && strcmp(h->code, error_code_info(code)->name) == 0)
			return h;
	}
	return NULL;
}

/* The n newest about the batch, before the row `at`: what an error of the broker's comes from. */
size_t errors_linked(const struct world *w, int at, const struct heard *out[ERRORS_LINKED_MAX])
{
	int looked = 0;
	size_t n = 0;

	for (int k = at - 1; k >= w->model.heard_first && looked < SEARCHED_MAX && n < ERRORS_LINKED_MAX;
	    k--) {
		if (!rows[k].has_batch || !uuid_equal(&rows[k].batch_id, &rows[at].batch_id))
			continue;
		looked++;
		if (rows[k].route == 0 || rows[k].route == rows[at].route)
			out[n++] = &rows[k];
	}
	return n;
}

/* The broker starts: what it counts begins anew. */
void errors_recover(struct world *w)
{
	struct model *m = &w->model;

	memset(m->windows, 0, sizeof m->windows);
	m->errors_tried = m->errors_found = m->errors_lost = 0;
	memset(m->counted, 0, sizeof m->counted);
	m->recent_count = 0;
}
