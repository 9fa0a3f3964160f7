/* main.c - handoff: the modules' side of the broker, at the command line */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "tools/handoff/command.h"
#include "tools/handoff/report.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "cert", cmd_cert, "make and show certificates, for development and small installations" },
	{ "send", cmd_send, "send records (NDJSON) from standard input" },
	{ "work", cmd_work, "run a command over each batch, and send on what it prints" },
	{ "recv", cmd_recv, "append the records of all batches to a file" },
	{ "bench", cmd_bench, "measure how fast batches are handed over, with batches of its own" },
	{ "health", cmd_health, "ask the broker how it does; the exit status is the verdict" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
	fputs("usage: handoff COMMAND [OPTION]...\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-6s %s\n", commands[i].name, commands[i].help);
	fputs("\nhandoff COMMAND --help tells more, handoff(1) all.\n", to);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("handoff " HANDOFF_VERSION);
		return STATUS_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			report_init(commands[i].name);
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	complain("there is no command \"%s\"; handoff --help lists them", argv[1]);
	return STATUS_USAGE;
}
