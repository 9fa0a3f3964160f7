/*
 * stage.c - a stage in libhandoff's blocking style: stage [HOLD_MS]
 *
 * As module BETA, works on each batch for HOLD_MS, and hands its records on to GAMMA in the same
 * step that ends it. Prints "began BATCH_ID ATTEMPT", "done BATCH_ID", "refused BATCH_ID CODE",
 * "errors CODE", and "lost BATCH_ID CODE". SIGTERM lets it finish what it
 * has and leave. The environment says which broker.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <handoff/handoff.h>

/* How often it looks whether it has been asked to leave. */
#define LOOK_MS 100

static volatile sig_atomic_t is_asked_to_leave;

static void on_signal(int number)
{
	(void)number;
	is_asked_to_leave = 1;
}

/* The output has the same records, under an id made from the input alone. */
static void hand_on(struct handoff_client *client, struct handoff_delivery *d)
{
	const struct handoff_completion done = { .delivery = d };
	struct handoff_batch batch = {
		.target_module = "GAMMA",
		.completes = &done,
		.complete_count = 1,
		.user = d,
	};
	char id[HANDOFF_ID_SIZE];
	int result;

	if (handoff_derive_id(handoff_delivery_batch_id(d), 0, id) != 0)
		errx(1, "%s is no id", handoff_delivery_batch_id(d));
	batch.batch_id = id;
	batch.records = handoff_delivery_records(d, &batch.records_bytes);
	result = handoff_send_batch(client, &batch, NULL);
	if (result == HANDOFF_STALE)
		handoff_drop(d);
	else if (result != 0)
		errx(1, "%s: %s", id, handoff_result_text(result));
}

/* What there is to do about an event, but for a delivery. */
static void handle(const struct handoff_event *event)
{
	switch (event->type) {
	case HANDOFF_EVENT_DONE:
		printf("done %s\n", event->batch_id);
		break;
	case HANDOFF_EVENT_REFUSED:	/* the lease was not current: another did the work */
		printf("refused %s %s\n", event->batch_id, event->errors[0].code);
		handoff_drop(event->user);
		break;
	case HANDOFF_EVENT_LOST:
		printf("lost %s %s\n", event->batch_id,
		       event->error_count > 0 ? event->errors[0].code : "");
		break;
	case HANDOFF_EVENT_ERRORS:
		printf("errors %s\n", event->error_count > 0 ? event->errors[0].code : "");
		break;
	case HANDOFF_EVENT_STATE:
		printf("state %s %s\n", handoff_state_name(event->state), event->text);
		break;
	default:
		break;
	}
}

/* Works: the client goes on in the meantime, and keeps the delivery this stage's. */
static void work(struct handoff_client *client, struct handoff_delivery *d, int hold_ms)
{
	const struct handoff_event *event;

	printf("began %s %llu\n", handoff_delivery_batch_id(d),
	       (unsigned long long)handoff_delivery_attempt(d));
	for (int waited_ms = 0; waited_ms < hold_ms && !is_asked_to_leave;) {
		if (handoff_next(client, LOOK_MS, &event) == 0)
			handle(event);
		else
			waited_ms += LOOK_MS;
	}
	if (is_asked_to_leave)
		handoff_drain(client);
	hand_on(client, d);
}

int main(int argc, char *argv[])
{
	const int hold_ms = argc == 2 ? atoi(argv[1]) : 0;
	const struct sigaction leave = { .sa_handler = on_signal };
	struct handoff_options *options = handoff_options_create();
	const struct handoff_event *event;
	struct handoff_client *client;
	int result = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTERM, &leave, NULL);
	handoff_options_from_environment(options);
	handoff_options_set_module(options, "BETA");
	handoff_options_set_max_in_flight(options, hold_ms > 0 ? 1 : 4);
	client = handoff_connect(options, -1);
	handoff_options_destroy(options);
	while (result != HANDOFF_CLOSED) {
		if (is_asked_to_leave)
			handoff_drain(client);
		result = handoff_next(client, LOOK_MS, &event);
		if (result == 0 && event->type == HANDOFF_EVENT_DELIVERY)
			work(client, event->delivery, hold_ms);
		else if (result == 0)
			handle(event);
	}
	if (handoff_why(client)[0] != '\0')
		errx(1, "%s", handoff_why(client));
	handoff_close(client);
	return 0;
}
