/* options.h - command lines: a table of options, read and explained from the same lines */
#ifndef HANDOFF_TOOLS_OPTIONS_H
#define HANDOFF_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
	OPTION_FLAG,	/* bool *to: true when given */
	OPTION_TEXT,	/* const char **to */
	OPTION_OPTIONAL_TEXT,	/* the same: --name or --name=TEXT; "" when it has none */
	OPTION_NUMBER,	/* uint64_t *to, min to max */
	OPTION_LIST,	/* struct option_list *to: each time it is given */
};

#define OPTION_LIST_MAX 16
struct option_list {
	const char *text[OPTION_LIST_MAX];
	unsigned count;
};

struct option {
	const char *name;	/* without the hyphens */
	char letter;		/* 0: none */
	enum option_kind kind;
	void *to;
	const char *value;	/* what its value is called in the help: "FILE" */
	const char *help;	/* one line; NULL: ends the table */
	uint64_t min, max;	/* OPTION_NUMBER */
};

/* What all of send, work, recv and health take. Read by connection_open(). */
struct common {
	const char *broker, *certs, *ca, *cert, *key, *server_name;
	const char *module, *instance;
	uint64_t connect_timeout_ms;	/* 0: keep trying */
	bool quiet, verbose;
};

struct usage {
	const char *synopsis;		/* "handoff send --module NAME --to NAME [OPTION]..." */
	const char *about;		/* what it does, lines that end with \n */
	const struct option *options;
	struct common *common;		/* NULL: takes none of these */
	bool no_instance;		/* HANDOFF_INSTANCE is another's: it is not taken over */
};

/*
 * Reads argv[1..argc). Options may stand anywhere, `--` ends them. Returns -1 when the command is
 * to go on, with the words that are no options in words[0..*word_count), at most argc of them
 * (words NULL: there may be none); else the exit status: after --help or --version, and after a
 * complaint. Where there is a common, what the command line does not say is taken from the
 * environment's HANDOFF_… variables.
 */
int options_read(const struct usage *u, int argc, char **argv, char **words, int *word_count);

#endif
