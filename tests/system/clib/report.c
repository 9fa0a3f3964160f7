/*
 * report.c - a module that tells of errors in libhandoff's blocking style: report MODULE ACTION
 * [CODE SCOPE BATCH_ID]...
 *
 * As MODULE tells of an error for each CODE (SCOPE 0 to 3, of record "r-1" where it is 0; BATCH_ID "-":
 * of no batch) with ACTION, 0 to 3. Prints "reported RESULT", then "errors CODE BATCH_ID
 * CORRELATION_ID ACTION" for what it is told itself, and stays until it is killed. The environment
 * says which broker.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/handoff.h>

#define ERRORS_MAX 4

static size_t read_errors(char *words[], struct handoff_error errors[ERRORS_MAX])
{
	size_t n = 0;

	for (; n < ERRORS_MAX && words[3 * n] != NULL; n++)
		errors[n] = (struct handoff_error){
			.code = words[3 * n],
			.message = "a test says so",
			.scope = (enum handoff_scope)atoi(words[3 * n + 1]),
			.record_id = *words[3 * n + 1] == '0' ? "r-1" : NULL,
			.batch_id = strcmp(words[3 * n + 2], "-") != 0 ? words[3 * n + 2] : NULL,
			.correlation_id = strcmp(words[3 * n + 2], "-") != 0 ? NULL : "a day",
		};
	return n;
}

static void handle(const struct handoff_event *event)
{
	if (event->type == HANDOFF_EVENT_ERRORS)
		for (size_t i = 0; i < event->error_count; i++)
			printf("errors %s %s %s %d\n", event->errors[i].code,
			       event->errors[i].batch_id != NULL ? event->errors[i].batch_id : "-",
			       event->errors[i].correlation_id, event->action);
	if (event->type == HANDOFF_EVENT_STATE && event->state == HANDOFF_ENDED)
		errx(1, "%s", event->text);
}

int main(int argc, char *argv[])
{
	struct handoff_options *options = handoff_options_create();
	struct handoff_error errors[ERRORS_MAX];
	const struct handoff_event *event;
	struct handoff_client *client;
	int result;

	if (argc < 3 || argc % 3 != 0)
		errx(64, "usage: report MODULE ACTION [CODE SCOPE BATCH_ID]...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	handoff_options_from_environment(options);
	handoff_options_set_module(options, argv[1]);
	client = handoff_connect(options, -1);
	handoff_options_destroy(options);
	result = handoff_report(client, errors, read_errors(argv + 3, errors),
				(enum handoff_action)atoi(argv[2]));
	printf("reported %s\n", result == 0 ? "0" : handoff_result_text(result));
	while (handoff_next(client, -1, &event) == 0)
		handle(event);
	handoff_close(client);
	return 0;
}
