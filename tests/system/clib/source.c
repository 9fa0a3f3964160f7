/*
 * source.c - a source in libhandoff's blocking style: source COUNT [stay]
 *
 * As module ALPHA, sends COUNT records r-1, r-2, … to BETA. Prints "received BATCH_ID" for each
 * batch in custody, and where it hears so much "processed BATCH_ID", "confirmed BATCH_ID RECORD_ID
 * DESTINATION STATUS", "pressure ROUTE on|off DEPTH DELAY_MS" and "errors CODE BATCH_ID [HALT] [ROUTE]".
 * Ends with 0 when all are in custody, or, when it is to stay, when it is killed. The environment says which
 * broker.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/handoff.h>

/* {"record_id": "r-<n>"} as MessagePack; its size. */
static size_t make_record(char *to, size_t size, unsigned long n)
{
	char id[24];
	const int id_len = snprintf(id, sizeof(id), "r-%lu", n);

	return (size_t)snprintf(to, size, "\x81\xa9record_id%c%s", 0xa0 | id_len, id);
}

static void handle(const struct handoff_event *event)
{
	switch (event->type) {
	case HANDOFF_EVENT_RECEIVED:
		printf("received %s\n", event->batch_id);
		break;
	case HANDOFF_EVENT_PROCESSED:
		printf("processed %s\n", event->batch_id);
		break;
	case HANDOFF_EVENT_CONFIRMATION:
		for (size_t i = 0; i < event->result_count; i++)
			printf("confirmed %s %s %s %s\n", event->batch_id,
			       event->results[i].record_id, event->results[i].destination_id,
			       handoff_record_status_name(event->results[i].status));
		break;
	case HANDOFF_EVENT_BACKPRESSURE:
		printf("pressure %s %s %llu %llu\n", event->route,
		       event->backpressure.active ? "on" : "off",
		       (unsigned long long)event->backpressure.queue_depth,
		       (unsigned long long)event->backpressure.delay_ms);
		break;
	case HANDOFF_EVENT_ERRORS:
		if (event->error_count > 0)
			printf("errors %s %s%s%s%s\n", event->errors[0].code, event->batch_id,
			       event->action == HANDOFF_ACTION_HALT ? " HALT" : "",
			       *event->route != '\0' ? " " : "", event->route);
		break;
	case HANDOFF_EVENT_REFUSED:
		errx(1, "%s refused: %s", event->batch_id,
		     event->error_count > 0 ? event->errors[0].message : "no reason given");
	case HANDOFF_EVENT_STATE:
		printf("state %s %s\n", handoff_state_name(event->state), event->text);
		if (event->state == HANDOFF_ENDED)
			errx(1, "%s", event->text);
		break;
	default:
		break;
	}
}

int main(int argc, char *argv[])
{
	const unsigned long count = argc == 2 || argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	struct handoff_options *options = handoff_options_create();
	const struct handoff_event *event;
	struct handoff_client *client;
	struct handoff_sender *sender;
	char record[64];
	int result;

	if (count == 0)
		errx(64, "usage: source COUNT [stay]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	handoff_options_from_environment(options);
	handoff_options_set_module(options, "ALPHA");
	client = handoff_connect(options, -1);
	handoff_options_destroy(options);
	result = handoff_sender_open(client, "BETA", &sender);
	if (result != 0)
		errx(1, "%s: %s", handoff_result_text(result), handoff_why(client));
	for (unsigned long n = 1; n <= count; n++) {
		const size_t len = make_record(record, sizeof(record), n);

		while ((result = handoff_sender_add(sender, record, len)) == HANDOFF_AGAIN)
			if (handoff_next(client, -1, &event) == 0)
				handle(event);
		if (result != 0)
			errx(1, "record %lu: %s", n, handoff_result_text(result));
	}
	handoff_sender_flush(sender);
	while (handoff_gathered(client) + handoff_unacknowledged(client) > 0)
		if (handoff_next(client, -1, &event) == 0)
			handle(event);
	while (handoff_next(client, argc == 3 ? -1 : 0, &event) == 0)
		handle(event);
	handoff_close(client);
	return 0;
}
