/*
 * sink.c - a target in libhandoff's other style, inside an event loop of its own: sink MODULE COUNT
 *
 * As MODULE, takes batches until COUNT records are PROCESSED, and prints for each batch that is
 * "done BATCH_ID RECORD_ID…". Then leaves in order. The environment says which broker.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <handoff/handoff.h>

/* A batch that PROCESSED was said of: what to print when that has become true. */
struct batch {
	unsigned long records;
	char *line;
};

static struct batch *describe(struct handoff_delivery *d)
{
	struct batch *b = malloc(sizeof(*b));
	struct handoff_record record;
	size_t size;
	FILE *to = b != NULL ? open_memstream(&b->line, &size) : NULL;

	if (to == NULL)
		err(1, "memory");
	b->records = (unsigned long)handoff_delivery_record_count(d);
	fprintf(to, "done %s", handoff_delivery_batch_id(d));
	while (handoff_delivery_next_record(d, &record))
		fprintf(to, " %.*s", (int)record.id_len, record.id);
	if (fclose(to) != 0)
		err(1, "memory");
	return b;
}

static void forget(struct batch *b)
{
	free(b->line);
	free(b);
}

/* How many records this event brings to their end. */
static unsigned long handle(const struct handoff_event *event)
{
	struct batch *b = event->user;
	unsigned long records = 0;

	switch (event->type) {
	case HANDOFF_EVENT_DELIVERY:
		handoff_delivery_set_user(event->delivery, describe(event->delivery));
		if (handoff_processed(event->delivery, 0, NULL, 0) != 0)
			errx(1, "PROCESSED of %s was not taken", event->batch_id);
		break;
	case HANDOFF_EVENT_DONE:
		puts(b->line);
		records = b->records;
		forget(b);
		break;
	case HANDOFF_EVENT_STALE:	/* it comes, or has come, under another lease */
		printf("stale %s\n", event->batch_id);
		forget(b);
		break;
	case HANDOFF_EVENT_STATE:
		printf("state %s %s\n", handoff_state_name(event->state), event->text);
		break;
	default:
		errx(1, "unexpected %s of %s", handoff_event_name(event->type), event->batch_id);
	}
	return records;
}

static void wait_and_proceed(struct handoff_client *client)
{
	const unsigned wants = handoff_wants(client);
	struct pollfd ready = { .fd = handoff_fd(client) };
	unsigned bits = 0;

	if ((wants & HANDOFF_READABLE) != 0)
		ready.events |= POLLIN;
	if ((wants & HANDOFF_WRITABLE) != 0)
		ready.events |= POLLOUT;
	poll(&ready, 1, handoff_next_timeout_ms(client));
	if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		bits |= HANDOFF_READABLE;
	if ((ready.revents & POLLOUT) != 0)
		bits |= HANDOFF_WRITABLE;
	if (bits != 0)
		handoff_ready(client, bits);
	else
		handoff_tick(client);
}

int main(int argc, char *argv[])
{
	unsigned long wanted = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct handoff_options *options = handoff_options_create();
	const struct handoff_event *event;
	struct handoff_client *client;

	if (wanted == 0)
		errx(64, "usage: sink MODULE COUNT");
	setvbuf(stdout, NULL, _IOLBF, 0);
	handoff_options_from_environment(options);
	handoff_options_set_module(options, argv[1]);
	handoff_options_set_max_in_flight(options, 8);
	client = handoff_open(options);
	handoff_options_destroy(options);
	if (client == NULL)
		err(1, "client");
	while (handoff_state(client) != HANDOFF_ENDED) {
		wait_and_proceed(client);
		while ((event = handoff_take_event(client)) != NULL)
			wanted -= handle(event);
		if (wanted == 0)
			handoff_drain(client);
	}
	if (wanted > 0)
		errx(1, "%s", handoff_why(client));
	handoff_close(client);
	return 0;
}
