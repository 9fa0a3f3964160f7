/* circuit_shared.c - a circuit that modules share: whose failures it hears of, and by what word */
#include "core/internal.h"

/*
 * What modules depend on together (an enrichment source, a destination) fails for all of them: the
 * first that notices tells the others through here. Only what the configuration declares is a
 * circuit, and only its own modules are heard. A message counts once, however many errors it has.
 */
static bool is_listed(struct span word, const char *const *list, size_t n)
{
	for (size_t k = 0; word.p && k < n; k++)
		if (span_is(word, list[k]))
			return true;
	return false;
}

static bool is_of(const struct circuit *k, const struct module *m)
{
	for (size_t n = 0; n < k->module_count; n++)
		if (k->modules[n] == m)
			return true;
	return false;
}

static bool names_failure(const struct circuit_settings *s, const struct message_error *errors,
    size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (errors[k].recoverability == RECOVERABILITY_TRANSIENT &&
		    is_listed(errors[k].error_code, s->error_codes, s->error_code_count))
			return true;
	return false;
}

void core_errors_heard(struct core *c, const struct instance *i,
    const struct message_error *errors, size_t n)
{
	if (n == 0)
		return;
	for (size_t k = 0; k < c->settings.circuit_count; k++)
		if (is_of(&c->shared[k], i->module) &&
		    names_failure(c->shared[k].shared, errors, n))
			circuit_failed(c, &c->shared[k], 0, false);
}

static bool has_result(const struct circuit_settings *s, const struct message_confirmation *m,
    enum record_delivery status)
{
	for (size_t n = 0; n < m->result_count; n++)
		if (m->results[n].status == status &&
		    is_listed(m->results[n].destination_id, s->destinations, s->destination_count))
			return true;
	return false;
}

void circuit_confirmed(struct core *c, const struct instance *i,
    const struct message_confirmation *m)
{
	for (size_t n = 0; n < c->settings.circuit_count; n++) {
		struct circuit *k = &c->shared[n];

		if (!is_of(k, i->module))
			continue;
		if (has_result(k->shared, m, RECORD_DELIVERED))
			circuit_succeeded(c, k);
		else if (has_result(k->shared, m, RECORD_FAILED))
			circuit_failed(c, k, 0, false);
	}
}
