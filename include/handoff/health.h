/* health.h - how this module does, and how the broker and its pipeline do */
#ifndef HANDOFF_HEALTH_H
#define HANDOFF_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include <handoff/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The broker asks every instance for its health (health_check_interval_ms), and judges one that
 * does not answer in time. The library answers by itself, with the component "output_buffer",
 * whose message is the number of batches that wait for RECEIVED and of what the caller holds back
 * before them, and with what the caller has said of its own parts; the worst of them is what it
 * says of the whole.
 *
 * It can answer only when it is given time: in handoff_next(), handoff_ready() and handoff_tick().
 * A caller who works on a delivery for longer than health_check_timeout_ms without calling one of
 * them counts as not answering, which is what the check is for.
 */

enum handoff_health { HANDOFF_HEALTHY, HANDOFF_DEGRADED, HANDOFF_UNHEALTHY };
/* "HEALTHY", …; never NULL. */
const char *handoff_health_name(enum handoff_health status);

#define HANDOFF_COMPONENTS_MAX 31
#define HANDOFF_COMPONENT_NAME_MAX 64		/* bytes; longer ones are refused */
#define HANDOFF_COMPONENT_MESSAGE_MAX 255	/* bytes; longer ones are cut */

/*
 * Says how a part of the module does, until it is said anew; it is told at the next check, not
 * before. The message, one line for people, may be NULL. Texts are UTF-8 and are copied.
 * HANDOFF_INVALID: the name is empty, too long, or the library's own; HANDOFF_AGAIN: there are
 * HANDOFF_COMPONENTS_MAX others; HANDOFF_NO_MEMORY.
 */
int handoff_health_component(struct handoff_client *c, const char *name,
    enum handoff_health status, const char *message);
/* Nothing more is said of it. Does no harm where nothing was. */
void handoff_health_forget(struct handoff_client *c, const char *name);
/*
 * Says how many batches' worth the caller holds back itself, and has not sent yet; it is added to
 * those that wait for RECEIVED, until it is said anew.
 */
void handoff_health_buffer(struct handoff_client *c, size_t batches);

/* --- asking the broker ---------------------------------------------------------------------- */

enum handoff_check {
	HANDOFF_LIVENESS,	/* that it answers */
	HANDOFF_READINESS,	/* that it has recovered and can take batches */
	HANDOFF_DETAILED,	/* each part, each route, each module, and the pipeline */
};

/*
 * Asks; a HEALTH event brings the answer, in its `health`. Without one, when the connection breaks
 * in between. HANDOFF_NOT_CONNECTED: ask when there is a connection.
 */
int handoff_health_ask(struct handoff_client *c, enum handoff_check check);

struct handoff_component {
	const char *name;
	enum handoff_health status;
	const char *message;
	int64_t checked_at_us;		/* since 1970 */
};

/* Belongs to its event. */
struct handoff_health_report {
	enum handoff_health status;	/* the worst of all that it is about */
	const struct handoff_component *components;	/* component_count of them */
	size_t component_count;
	uint64_t uptime_seconds;
	const void *pipeline;		/* PipelineHealthStatus as a MessagePack map; NULL: none */
	size_t pipeline_len;
};

#ifdef __cplusplus
}
#endif

#endif
