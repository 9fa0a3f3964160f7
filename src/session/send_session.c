/* send_session.c - WELCOME and GOODBYE */
#include "base/version.h"
#include "session/internal.h"

#define ROUTES_MAX 256

void send_welcome(struct session *s, const struct message *hello)
{
	struct welcome_route routes[ROUTES_MAX];
	struct sessions *ss = s->all;
	struct envelope e = send_envelope(s, hello);
	struct message_welcome w = {
		.broker = span_of("handoffd " HANDOFF_VERSION),
		.broker_id = *store_broker_id(ss->store),
		.instance_id = span_of(s->instance_id),
		.max_in_flight = instance_max_in_flight(s->instance),
		.max_frame_bytes = ss->settings.max_frame_bytes,
		.routes = routes,
		.route_count = core_routes_of(ss->core, s->instance, routes, ROUTES_MAX),
	};

	encode_welcome(output_frames(s), &e, &w);
	output_done(s);
}

void send_goodbye(struct session *s, enum goodbye_reason reason, uint32_t reconnect_delay_ms,
    const char *message)
{
	struct envelope e = send_envelope(s, NULL);
	struct goodbye_out g = { reason, reconnect_delay_ms, message };

	encode_goodbye(output_frames(s), &e, &g);
	output_done(s);
}
