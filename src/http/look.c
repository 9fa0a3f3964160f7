/* look.c - the broker at one time, for one answer: no row of a page contradicts another */
#include <stdlib.h>

#include "base/mem.h"
#include "http/internal.h"

void look_begin(struct look *l, struct http *h)
{
	*l = (struct look){
		.http = h,
		.core = h->core,
		.store = h->store,
		.now_us = core_wall_of(h->core, core_now_ms(h->core)),
		.store_free = store_free_bytes(h->store),
		.route_count = core_route_count(h->core),
		.module_count = core_queue_count(h->core),
	};
	h->settings.look(h->settings.arg, &l->facts);
	l->routes = xcalloc(l->route_count + 1, sizeof(*l->routes));
	for (size_t n = 0; n < l->route_count; n++)
		core_view_route(l->core, core_route(l->core, n), &l->routes[n]);
	l->modules = xcalloc(l->module_count + 1, sizeof(*l->modules));
	for (size_t n = 0; n < l->module_count; n++)
		core_view_queue(l->core, n, &l->modules[n]);
}

void look_finish(struct look *l)
{
	free(l->routes);
	free(l->modules);
}

/* Who can ask has been let in after recovery; a store that fails ends the process. */
const char *ready_problem(const struct look *l)
{
	if (l->facts.stopping)
		return "stopping";
	if (!core_has_room(l->core))
		return "store full";
	return NULL;
}
