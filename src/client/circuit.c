/* circuit.c - what the broker tells of circuits, to the caller */
#include <stdio.h>

#include "client/internal.h"

/* The wire's and the library's are listed in the same order. */
_Static_assert((int)HANDOFF_CIRCUIT_OPEN == (int)CIRCUIT_OPEN &&
    (int)HANDOFF_CIRCUIT_HALF_OPEN == (int)CIRCUIT_HALF_OPEN, "the same numbers");

void circuit_on_change(struct handoff_client *c, const struct message_circuit_change *change)
{
	struct event *e = event_create(c, HANDOFF_EVENT_CIRCUIT);
	const struct span id = change->circuit_id;

	if (e == NULL)
		return;
	snprintf(e->circuit_id, sizeof(e->circuit_id), "%.*s",
		 (int)(id.n <= ROUTE_NAME_MAX ? id.n : ROUTE_NAME_MAX), id.p);
	e->shown.circuit_before = (enum handoff_circuit)change->previous_state;
	e->shown.circuit = (enum handoff_circuit)change->new_state;
	event_post(c, e);
}
