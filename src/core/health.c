/* health.c - HEALTHY, DEGRADED or UNHEALTHY: the rules, one line each */
#include "core/health.h"

enum health_status health_worse(enum health_status a, enum health_status b)
{
	return a > b ? a : b;
}

static enum health_status verdict(const char **to, enum health_status status, const char *why)
{
	if (to)
		*to = why;
	return status;
}

enum health_status health_of_instance(const struct instance_signs *s, const char **why)
{
	if (s->overdue && s->silent)
		return verdict(why, HEALTH_UNHEALTHY, "does not answer");
	if (s->reported == HEALTH_UNHEALTHY)
		return verdict(why, HEALTH_UNHEALTHY, "says so itself");
	if (s->stuck)
		return verdict(why, HEALTH_DEGRADED, "holds batches and ends none");
	if (s->overdue)
		return verdict(why, HEALTH_DEGRADED, "does not answer health checks");
	if (s->reported == HEALTH_DEGRADED)
		return verdict(why, HEALTH_DEGRADED, "says so itself");
	return verdict(why, HEALTH_HEALTHY, "");
}

/* A module is as bad as all its instances are; a part of them makes it DEGRADED. */
bool health_of_module(const struct module_signs *s, enum health_status *status, const char **why)
{
	if (s->connected > 0 && s->verdicts[HEALTH_UNHEALTHY] == s->connected)
		*status = verdict(why, HEALTH_UNHEALTHY, "all instances are UNHEALTHY");
	else if (s->waiting > 0 && s->takers == 0)
		*status = verdict(why, HEALTH_DEGRADED,
		    "batches wait, and no instance takes deliveries");
	else if (s->verdicts[HEALTH_HEALTHY] < s->connected)
		*status = verdict(why, HEALTH_DEGRADED, "some instances are not HEALTHY");
	else
		*status = verdict(why, HEALTH_HEALTHY, "");
	return s->connected > 0 || s->waiting > 0;
}

enum health_status health_of_pipeline(const struct pipeline_signs *s, const char **why)
{
	if (s->modules == HEALTH_UNHEALTHY)
		return verdict(why, HEALTH_UNHEALTHY, "a module is UNHEALTHY");
	if (s->circuits_open > 1)
		return verdict(why, HEALTH_UNHEALTHY, "several circuits are open");
	if (s->circuits_open == 1)
		return verdict(why, HEALTH_DEGRADED, "a circuit is open");
	if (s->modules == HEALTH_DEGRADED)
		return verdict(why, HEALTH_DEGRADED, "a module is DEGRADED");
	if (s->error_rate_1m > 0 && s->error_rate_1m >= s->error_rate_degraded)
		return verdict(why, HEALTH_DEGRADED, "the error rate is elevated");
	return verdict(why, HEALTH_HEALTHY, "");
}
