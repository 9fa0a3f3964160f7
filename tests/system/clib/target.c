/*
 * target.c - a target that confirms, in libhandoff's blocking style: target MODULE
 *
 * As MODULE, says PROCESSED of each batch and confirms its records, all of them DELIVERED but the
 * last, which FAILED. Prints "processed BATCH_ID", "done BATCH_ID", "errors CODE BATCH_ID", "state
 * STATE", and at the end "end WHY". SIGUSR1 makes it pause, SIGUSR2 go on, on the first route that
 * it is the target of; SIGTERM leave. The environment says which broker.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/handoff.h>

/* How often it looks whether a signal has come. */
#define LOOK_MS 20
#define RECORDS_MAX 1000

static volatile sig_atomic_t signals[NSIG];

static void on_signal(int number)
{
	signals[number] = 1;
}

static bool has_come(int number)
{
	const bool result = signals[number] != 0;

	signals[number] = 0;
	return result;
}

static void work(struct handoff_client *client, struct handoff_delivery *d)
{
	static struct handoff_record_result results[RECORDS_MAX];
	static char ids[RECORDS_MAX][64];
	struct handoff_record record;
	char batch_id[HANDOFF_ID_SIZE];
	size_t n = 0;
	int result;

	snprintf(batch_id, sizeof(batch_id), "%s", handoff_delivery_batch_id(d));
	for (; n < RECORDS_MAX && handoff_delivery_next_record(d, &record); n++) {
		snprintf(ids[n], sizeof(ids[n]), "%.*s", (int)record.id_len, record.id);
		results[n] = (struct handoff_record_result){
			.record_id = ids[n],
			.destination_id = "the-table",
		};
	}
	results[n - 1].status = HANDOFF_RECORD_FAILED;
	if (handoff_processed(d, 0, NULL, 0) != 0)
		errx(1, "PROCESSED of %s was not taken", batch_id);
	result = handoff_confirm(client, batch_id, results, n);
	if (result != 0)
		errx(1, "confirming %s: %s", batch_id, handoff_result_text(result));
	printf("processed %s\n", batch_id);
}

static void handle(struct handoff_client *client, const struct handoff_event *event)
{
	switch (event->type) {
	case HANDOFF_EVENT_DELIVERY:
		work(client, event->delivery);
		break;
	case HANDOFF_EVENT_DONE:
		printf("done %s\n", event->batch_id);
		break;
	case HANDOFF_EVENT_ERRORS:
		printf("errors %s %s\n", event->errors[0].code, event->batch_id);
		break;
	case HANDOFF_EVENT_STATE:
		printf("state %s\n", handoff_state_name(event->state));
		break;
	default:
		break;
	}
}

static const char *own_route(const struct handoff_client *client, const char *module)
{
	const struct handoff_route *r;

	for (size_t i = 0; (r = handoff_route_at(client, i)) != NULL; i++)
		if (strcmp(r->target_module, module) == 0)
			return r->name;
	return NULL;
}

int main(int argc, char *argv[])
{
	const struct sigaction note = { .sa_handler = on_signal };
	struct handoff_options *options = handoff_options_create();
	const struct handoff_event *event;
	struct handoff_client *client;
	int result = 0;

	if (argc != 2)
		errx(64, "usage: target MODULE");
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTERM, &note, NULL);
	sigaction(SIGUSR1, &note, NULL);
	sigaction(SIGUSR2, &note, NULL);
	handoff_options_from_environment(options);
	handoff_options_set_module(options, argv[1]);
	handoff_options_set_max_in_flight(options, 4);
	client = handoff_connect(options, -1);
	handoff_options_destroy(options);
	while (result != HANDOFF_CLOSED) {
		if (has_come(SIGUSR1) && handoff_pause(client, own_route(client, argv[1])) != 0)
			errx(1, "it cannot pause");
		if (has_come(SIGUSR2) && handoff_resume(client, own_route(client, argv[1])) != 0)
			errx(1, "it cannot go on");
		if (has_come(SIGTERM))
			handoff_drain(client);
		result = handoff_next(client, LOOK_MS, &event);
		if (result == 0)
			handle(client, event);
	}
	printf("end %s\n", handoff_end_name(handoff_end(client)));
	handoff_close(client);
	return 0;
}
