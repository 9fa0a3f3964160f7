/*
 * health.c - a module that tells its health in libhandoff's blocking style: health MODULE [NAME
 * STATUS MESSAGE]...
 *
 * Says how its parts do (STATUS 0 to 2; the MESSAGE of output_buffer is what it holds back), asks
 * the broker how it does, prints "health STATUS PIPELINE_BYTES" and "component NAME STATUS" for
 * each of its parts, then "circuit ID BEFORE AFTER" for each that changes, and stays until it is
 * killed. The environment says which broker.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/handoff.h>

static void print(const struct handoff_health_report *h)
{
	for (size_t i = 0; i < h->component_count; i++)
		printf("component %s %s\n", h->components[i].name,
		       handoff_health_name(h->components[i].status));
	printf("health %s %zu\n", handoff_health_name(h->status), h->pipeline_len);
}

static void print_circuit(const struct handoff_event *event)
{
	printf("circuit %s %s %s\n", event->circuit_id, handoff_circuit_name(event->circuit_before),
	       handoff_circuit_name(event->circuit));
}

static void handle(struct handoff_client *client, const struct handoff_event *event)
{
	int result;

	switch (event->type) {
	case HANDOFF_EVENT_HEALTH:
		print(event->health);
		break;
	case HANDOFF_EVENT_STATE:
		printf("state %s %s\n", handoff_state_name(event->state), event->text);
		if (event->state == HANDOFF_ENDED)
			errx(1, "%s", event->text);
		if (event->state != HANDOFF_CONNECTED)
			break;
		result = handoff_health_ask(client, HANDOFF_DETAILED);
		if (result != 0)
			errx(1, "%s", handoff_result_text(result));
		break;
	case HANDOFF_EVENT_CIRCUIT:
		print_circuit(event);
		break;
	default:
		break;
	}
}

int main(int argc, char *argv[])
{
	struct handoff_options *options = handoff_options_create();
	const struct handoff_event *event;
	struct handoff_client *client;
	int result;

	if (argc < 2 || argc % 3 != 2)
		errx(64, "usage: health MODULE [NAME STATUS MESSAGE]...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	handoff_options_from_environment(options);
	handoff_options_set_module(options, argv[1]);
	client = handoff_open(options);
	handoff_options_destroy(options);
	for (int i = 2; i < argc; i += 3) {
		if (strcmp(argv[i], "output_buffer") == 0) {
			handoff_health_buffer(client, (size_t)atoi(argv[i + 2]));
			continue;
		}
		result = handoff_health_component(client, argv[i],
						  (enum handoff_health)atoi(argv[i + 1]),
						  argv[i + 2]);
		if (result != 0)
			errx(1, "%s: %s", argv[i], handoff_result_text(result));
	}
	while (handoff_next(client, -1, &event) != HANDOFF_CLOSED)
		if (event != NULL)
			handle(client, event);
	handoff_close(client);
	return 0;
}
