/* request.c - a line of an operator: words, and what stands before them */
#include "admin/request.h"

#include <stdio.h>
#include <string.h>

/* The inside of quotes to its closing one, unescaped in place; NULL when it has another form. */
static char *read_quoted(char *at, const char *end, char **rest)
{
	char *word = at, *to = at;

	while (at < end && *at != '"') {
		if (*at == '\\') {
			if (++at == end || strchr("\"\\n", *at) == NULL)
				return NULL;
			*to++ = *at == 'n' ? '\n' : *at;
			at++;
		} else {
			*to++ = *at++;
		}
	}
	if (at == end || (at + 1 < end && at[1] != ' '))
		return NULL;
	*rest = at + 1;
	*to = '\0';
	return word;
}

static char *read_bare(char *at, char *end, char **rest)
{
	char *word = at;

	while (at < end && *at != ' ') {
		if (*at == '"')
			return NULL;
		at++;
	}
	/* What follows the space that becomes the NUL. */
	*rest = at < end ? at + 1 : at;
	*at = '\0';
	return word;
}

static bool cut(char *line, size_t len, struct request *r, char *why, size_t size)
{
	char *at = line, *end = line + len;

	while (at < end) {
		char *word;

		if (*at == ' ') {
			at++;
			continue;
		}
		if (r->count == ADMIN_WORDS_MAX) {
			snprintf(why, size, "the request has more than %d words", ADMIN_WORDS_MAX);
			return false;
		}
		word = *at == '"' ? read_quoted(at + 1, end, &at) : read_bare(at, end, &at);
		if (word == NULL) {
			snprintf(why, size, "word %zu is not quoted well: a quoted word ends with "
				 "a quote and a space, and has \\\", \\\\ and \\n in it",
				 r->count + 1);
			return false;
		}
		r->words[r->count++] = word;
	}
	return true;
}

/* Takes n words from the front. */
static void drop(struct request *r, size_t n)
{
	r->count -= n;
	memmove(r->words, r->words + n, r->count * sizeof(r->words[0]));
}

static void take_modifiers(struct request *r)
{
	for (;;) {
		if (r->count > 0 && strcmp(r->words[0], "json") == 0) {
			r->json = true;
			drop(r, 1);
		} else if (r->count > 0 && strcmp(r->words[0], "yes") == 0) {
			r->yes = true;
			drop(r, 1);
		} else if (r->count > 1 && strcmp(r->words[0], "reason") == 0) {
			r->reason = r->words[1];
			drop(r, 2);
		} else {
			return;
		}
	}
}

bool request_parse(char *line, size_t len, struct request *r, char *why, size_t size)
{
	bool good;

	*r = (struct request){ .count = 0 };
	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	if (memchr(line, '\0', len) != NULL) {
		snprintf(why, size, "the request has a zero byte in it");
		return false;
	}
	good = cut(line, len, r, why, size);
	take_modifiers(r);
	if (good && r->reason != NULL && strlen(r->reason) > ADMIN_REASON_BYTES_MAX) {
		snprintf(why, size, "the reason is longer than %d bytes", ADMIN_REASON_BYTES_MAX);
		good = false;
	}
	return good;
}
