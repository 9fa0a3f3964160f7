/* request.h - a line of an operator: words, and what stands before them */
#ifndef HANDOFF_ADMIN_REQUEST_H
#define HANDOFF_ADMIN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/admin.h"

/*
 *	[json] [yes] [reason TEXT] COMMAND WORD…
 *
 * Words are separated by spaces. A word that stands in double quotes may hold spaces; in it \", \\
 * and \n stand for a quote, a backslash and the end of a line.
 */
struct request {
	bool json;
	bool yes;
	const char *reason;	/* NULL: none */
	char *words[ADMIN_WORDS_MAX];
	size_t count;
};

/*
 * Cuts the line into words, in place: line[len] may be written to. False, and a sentence in
 * why[size], when it has another form; r->json is right even then, if it came first.
 */
bool request_parse(char *line, size_t len, struct request *r, char *why, size_t size);

#endif
