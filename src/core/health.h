/* health.h - the verdicts: on an instance, a module, the pipeline; functions of what is known */
#ifndef HANDOFF_CORE_HEALTH_H
#define HANDOFF_CORE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

#define HEALTH_STATUS_COUNT 3

/* What a connected instance is judged by. */
struct instance_signs {
	bool overdue;			/* a health check was not answered in time */
	bool silent;			/* nor has anything else come for as long */
	bool stuck;			/* holds batches, and has ended none for too long */
	enum health_status reported;	/* its own latest answer; HEALTHY before there is one */
};

/* What a module is judged by. */
struct module_signs {
	size_t connected;
	size_t verdicts[HEALTH_STATUS_COUNT];	/* its connected instances by their verdict */
	size_t takers;			/* those among them that take deliveries */
	uint64_t waiting;		/* batches in custody for it, without those a person holds */
};

/* What the pipeline is judged by. */
struct pipeline_signs {
	enum health_status modules;	/* the worst of the modules that are judged */
	uint64_t circuits_open;
	double error_rate_1m;		/* part of the deliveries of a minute that failed */
	double error_rate_degraded;	/* from here on it is elevated; no failure never is */
};

/* Each says in *why (may be NULL) what its verdict comes from, "" for HEALTHY. */
enum health_status health_of_instance(const struct instance_signs *s, const char **why);
/* False: it is left out of the judgement, being away with nothing to do. */
bool health_of_module(const struct module_signs *s, enum health_status *status, const char **why);
enum health_status health_of_pipeline(const struct pipeline_signs *s, const char **why);

enum health_status health_worse(enum health_status a, enum health_status b);

#endif
