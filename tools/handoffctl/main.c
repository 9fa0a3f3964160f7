/* main.c - handoffctl: asks a running broker, and tells it */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/version.h"
#include "tools/handoffctl/conversation.h"
#include "tools/handoffctl/letters.h"

#define SOCKET_VARIABLE "HANDOFF_ADMIN"
#define SOCKET_PATH "/run/handoff/admin.sock"
#define STATUS_USAGE 2

struct options {
	const char *socket;
	const char *reason;
	bool json;
	bool yes;
	bool no_color;
	bool at_once;		/* long work, and somebody watches */
	char **words;		/* of the command, with those of its options */
	int count;
};

static void print_help(FILE *to)
{
	fputs("usage: handoffctl [OPTION]... COMMAND [WORD]...\n"
	      "\n"
	      "  -s, --socket SOCKET  of the broker, else $" SOCKET_VARIABLE ",\n"
	      "                       else " SOCKET_PATH "\n"
	      "  -j, --json           answer with one JSON document\n"
	      "  -y, --yes            do what cannot be undone without asking\n"
	      "  -r, --reason TEXT    why, for the log\n"
	      "      --no-color       no colours, even on a terminal\n"
	      "  -h, --help           show this and end\n"
	      "  -V, --version        show the version and end\n"
	      "\n"
	      "\"handoffctl help\" lists the commands of the broker, handoffctl(8) tells more.\n", to);
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "handoffctl: %s %s; handoffctl --help lists the options\n", word, what);
	return STATUS_USAGE;
}

/* Is argv[*i] the option? Its value, if it takes one, goes to *value. -1: it has none. */
static int match(char **argv, int argc, int *i, const char *letter, const char *name,
    const char **value)
{
	const char *word = argv[*i];
	const size_t len = strlen(name);

	if (value != NULL && strncmp(word, name, len) == 0 && word[len] == '=') {
		*value = word + len + 1;
		return 1;
	}
	if (strcmp(word, name) != 0 && (letter == NULL || strcmp(word, letter) != 0))
		return 0;
	if (value == NULL)
		return 1;
	if (*i + 1 == argc)
		return -1;
	*value = argv[++*i];
	return 1;
}

/* 1 when the word is one of our options, 0 when not, -1 when its value is missing. */
static int take_option(struct options *o, char **argv, int argc, int *i, bool letters)
{
	int r = match(argv, argc, i, letters ? "-s" : NULL, "--socket", &o->socket);

	if (r == 0)
		r = match(argv, argc, i, letters ? "-r" : NULL, "--reason", &o->reason);
	if (r == 0 && match(argv, argc, i, letters ? "-j" : NULL, "--json", NULL)) {
		o->json = true;
		r = 1;
	}
	if (r == 0 && match(argv, argc, i, letters ? "-y" : NULL, "--yes", NULL)) {
		o->yes = true;
		r = 1;
	}
	if (r == 0 && match(argv, argc, i, NULL, "--no-color", NULL)) {
		o->no_color = true;
		r = 1;
	}
	return r;
}

/* Our options may stand before the command, and by their long names anywhere; -1: go on. */
static int parse(int argc, char **argv, struct options *o)
{
	bool all_ours = true;

	o->words = argv;
	for (int i = 1; i < argc; i++) {
		const bool before = o->count == 0;
		int r = all_ours ? take_option(o, argv, argc, &i, before) : 0;

		if (r < 0)
			return usage("needs a value", argv[i]);
		if (r > 0)
			continue;
		if (before && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			print_help(stdout);
			return 0;
		}
		if (before && (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)) {
			puts("handoffctl " HANDOFF_VERSION);
			return 0;
		}
		if (all_ours && strcmp(argv[i], "--") == 0) {
			all_ours = false;
			if (before)
				continue;	/* behind the command it is for the broker, too */
		} else if (all_ours && before && argv[i][0] == '-') {
			return usage("is no option", argv[i]);
		}
		o->words[o->count++] = argv[i];
	}
	if (o->count > 0)
		return -1;
	print_help(stderr);
	return STATUS_USAGE;
}

static void build_line(const struct options *o, struct buf *line)
{
	buf_clear(line);
	if (o->json)
		conversation_add(line, "json");
	if (o->yes)
		conversation_add(line, "yes");
	if (o->reason != NULL) {
		conversation_add(line, "reason");
		conversation_add(line, o->reason);
	}
	for (int i = 0; i < o->count; i++)
		conversation_add(line, o->words[i]);
	buf_put(line, "\n", 1);
}

/* health answers with a verdict, whatever it is: monitoring reads it from standard output. */
static bool is_verdict(const struct options *o, const struct answer *a)
{
	return o->count > 0 && strcmp(o->words[0], "health") == 0 && a->code <= 2;
}

/* What went well to standard output; what did not, in red where there are colours. */
static void print_answer(const struct options *o, struct answer *a)
{
	const bool good = a->code == 0 || a->streamed || is_verdict(o, a);
	const bool red = !good && !o->no_color && getenv("NO_COLOR") == NULL && !o->json &&
			 isatty(STDERR_FILENO);
	FILE *to = good ? stdout : stderr;

	if (red)
		fputs("\033[31m", to);
	if (a->body.len > 0)
		fwrite(buf_bytes(&a->body), 1, a->body.len, to);
	if (red)
		fputs("\033[0m", to);
	fflush(to);
	buf_finish(&a->body);
}

/* Somebody is there who can be asked, and says yes. */
static bool ask_yes(void)
{
	char line[16];

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fputs("Type yes to go on: ", stderr);
	fflush(stderr);
	return fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "yes\n") == 0;
}

/* What Ctrl-C leaves behind; the broker sees the connection end, and does the rest. */
static const char *farewell;

static void on_interrupt(int number)
{
	if (write(STDERR_FILENO, farewell, strlen(farewell)) < 0) { /* nobody is there */ }
	_exit(128 + number);
}

static void prepare_interrupt(const char *text)
{
	struct sigaction action = { .sa_handler = on_interrupt }, old;

	farewell = text;
	if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGINT, &action, NULL);
}

static bool is_word(const struct options *o, const char *word)
{
	for (int i = 0; i < o->count; i++)
		if (strcmp(o->words[i], word) == 0)
			return true;
	return false;
}

/* Work that may be long: on a terminal it tells how far it is, and Ctrl-C what it leaves. */
static void prepare_long_work(struct options *o)
{
	static const char *const words[] = { "hold", "release", "retry" };
	const bool drain = strcmp(o->words[0], "drain") == 0 && !is_word(o, "--off");
	bool many = strcmp(o->words[0], "dead") == 0 &&
		    (is_word(o, "redrive") || is_word(o, "purge"));

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		many = many || strcmp(o->words[0], words[i]) == 0;
	if (!drain && !many)
		return;
	prepare_interrupt(drain ? "handoffctl: the broker goes on draining: \"handoffctl drain "
				  "--off\" or a restart ends that\n" :
				  "handoffctl: ended in the middle: what is done is done, the rest "
				  "is as it was\n");
	o->at_once = is_word(o, "--progress");
	if (!o->at_once && !o->json && isatty(STDOUT_FILENO) && !is_word(o, "--")) {
		/* There is room: the program's own name is not among the words. */
		o->words[o->count++] = "--progress";
		o->at_once = true;
	}
}

static int import(const struct options *o)
{
	int fd = conversation_open(o->socket), status;

	if (fd < 0)
		return EX_UNAVAILABLE;
	status = letters_import(fd, o->words, o->count, o->reason, o->json);
	close(fd);
	return status;
}

static int run(struct options *o)
{
	struct answer answer;
	struct buf line;
	int status = letters_take_output(o->words, &o->count), fd;

	if (status != 0)
		return status;
	if (letters_is_export(o->words, o->count))
		o->json = false;	/* it is JSON as it is */
	fd = conversation_open(o->socket);
	if (fd < 0)
		return EX_UNAVAILABLE;
	prepare_long_work(o);
	buf_init(&line, 0);
	build_line(o, &line);
	conversation_ask(fd, &line, o->at_once, &answer);
	print_answer(o, &answer);
	if (answer.wants_yes && ask_yes()) {
		o->yes = true;
		build_line(o, &line);
		conversation_ask(fd, &line, o->at_once, &answer);
		print_answer(o, &answer);
	}
	if (answer.code < 0)
		fprintf(stderr, "handoffctl: %s: the connection ended before the answer did: is the "
			"broker stopping?\n", o->socket);
	buf_finish(&line);
	close(fd);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("handoffctl: standard output");
		return EX_IOERR;
	}
	return answer.code < 0 ? EX_UNAVAILABLE : answer.code;
}

int main(int argc, char **argv)
{
	const char *variable = getenv(SOCKET_VARIABLE);
	struct options o = { .socket = variable != NULL && *variable ? variable : SOCKET_PATH };
	int status = parse(argc, argv, &o);

	if (status >= 0)
		return status;
	return letters_is_import(o.words, o.count) ? import(&o) : run(&o);
}
