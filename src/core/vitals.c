/* vitals.c - instances are asked how they do, and what they show of it is kept while they stay */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/internal.h"

/*
 * Every health_check_interval_ms, one question to each connected instance, whether or not it has
 * answered the one before. All times are those held against peers: a stall of ours makes nobody
 * late. Whoever does not answer is judged so, and never cut off for it. All of it is memory: after
 * a restart everybody begins anew.
 */

void vitals_begin(struct core *c, struct instance *i)
{
	i->vitals = (struct vitals){
		.due_ms = c->peer_ms + c->settings.health_check_interval_ms,
		.heard_ms = c->peer_ms,
		.progress_ms = c->peer_ms,
		.heard_us = c->wall_us,
	};
	if (c->settings.health_check_interval_ms)
		TAILQ_INSERT_TAIL(&c->watched, i, watched);
}

void vitals_end(struct core *c, struct instance *i)
{
	struct vitals *v = &i->vitals;

	if (c->settings.health_check_interval_ms)
		TAILQ_REMOVE(&c->watched, i, watched);
	free(v->components);
	v->components = NULL;
	v->component_count = 0;
}

static bool is_overdue(const struct core *c, const struct vitals *v)
{
	return v->is_asked && c->peer_ms - v->asked_ms >= c->settings.health_check_timeout_ms;
}

static void ask(struct core *c, struct instance *i)
{
	struct vitals *v = &i->vitals;

	if (is_overdue(c, v) && !v->is_missed) {
		v->is_missed = true;
		if (log_allow("health check missed", 10))
			log_warning("a module does not answer health checks",
			    "module=%s instance=%s", i->module->settings.name,
			    log_quote(i->record.id, i->record.id_len));
	}
	if (!v->is_asked)
		v->asked_ms = c->peer_ms;
	v->is_asked = true;
	v->due_ms = c->peer_ms + c->settings.health_check_interval_ms;
	c->ops->ask_health(i->peer);
}

/* All wait as long, so they stand in the order of their turns. */
void vitals_ask(struct core *c)
{
	struct instance *i;

	while ((i = TAILQ_FIRST(&c->watched)) && i->vitals.due_ms <= c->peer_ms) {
		TAILQ_REMOVE(&c->watched, i, watched);
		TAILQ_INSERT_TAIL(&c->watched, i, watched);
		ask(c, i);
	}
}

uint64_t vitals_next_ms(const struct core *c)
{
	const struct instance *i = TAILQ_FIRST(&c->watched);

	return i ? i->vitals.due_ms : UINT64_MAX;
}

void core_heard(struct core *c, struct instance *i)
{
	i->vitals.heard_ms = c->peer_ms;
	i->vitals.heard_us = c->wall_us;
}

/* --- an answer ------------------------------------------------------------------------------- */

static bool read_number(struct span text, uint64_t *number)
{
	uint64_t n = 0;

	if (text.n == 0 || text.n > 18)
		return false;
	for (size_t k = 0; k < text.n; k++) {
		if (text.p[k] < '0' || text.p[k] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.p[k] - '0');
	}
	*number = n;
	return true;
}

static void keep_components(struct vitals *v, const struct message_health_response *r)
{
	size_t n = r->check_count < COMPONENTS_MAX ? r->check_count : COMPONENTS_MAX;

	v->has_buffer_depth &= !v->tells_buffer_depth;	/* what it told last is told no more */
	v->tells_buffer_depth = false;
	free(v->components);
	v->components = n ? xcalloc(n, sizeof *v->components) : NULL;
	v->component_count = n;
	for (size_t k = 0; k < n; k++) {
		component_copy(&v->components[k], &r->checks[k]);
		if (span_is(r->checks[k].name, "output_buffer"))
			v->has_buffer_depth = v->tells_buffer_depth =
			    read_number(r->checks[k].message, &v->buffer_depth);
	}
}

void core_health_told(struct core *c, struct instance *i, const struct message_health_response *r)
{
	struct vitals *v = &i->vitals;

	if (v->is_missed && log_allow("health check answered", 10))
		log_info("a module answers health checks again", "module=%s instance=%s",
		    i->module->settings.name, log_quote(i->record.id, i->record.id_len));
	v->is_asked = v->is_missed = false;
	v->answered_us = c->wall_us;
	v->reported = r->status;
	keep_components(v, r);
}

void vitals_pressed(struct instance *i, uint64_t depth)
{
	if (i->vitals.tells_buffer_depth)
		return;
	i->vitals.has_buffer_depth = true;
	i->vitals.buffer_depth = depth;
}

/* --- progress -------------------------------------------------------------------------------- */

void vitals_took(struct core *c, struct instance *i)
{
	if (i->held_count == 1 && !i->vitals.is_late)
		i->vitals.progress_ms = c->peer_ms;	/* it was idle until now */
}

void vitals_ended(struct core *c, struct instance *i)
{
	i->vitals.progress_ms = c->peer_ms;
	i->vitals.progress_us = c->wall_us;
	i->vitals.is_late = false;
}

void vitals_missed(struct instance *i)
{
	i->vitals.is_late = true;
}

uint64_t vitals_idle_ms(const struct core *c, const struct instance *i)
{
	return i->held_count > 0 ? c->peer_ms - i->vitals.progress_ms : 0;
}

static bool is_stuck(const struct core *c, const struct instance *i)
{
	const struct assignment *oldest = TAILQ_FIRST(&i->held);

	return oldest && vitals_idle_ms(c, i) >= oldest->route->settings.process_timeout_ms;
}

void vitals_signs(const struct core *c, const struct instance *i, struct instance_signs *out)
{
	const struct vitals *v = &i->vitals;

	*out = (struct instance_signs){
		.overdue = is_overdue(c, v),
		.silent = c->peer_ms - v->heard_ms >= c->settings.health_check_timeout_ms,
		.stuck = is_stuck(c, i),
		.reported = v->reported,
	};
}
