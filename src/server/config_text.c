/*
 * config_text.c - is the text whole, before libConfuse sees it
 *
 * libConfuse takes the end of the file for the end of an open section, and an open string or a
 * refused escape leaves its scanner, which the whole process shares, inside that string: the next
 * file would be read from there. So strings, comments and sections that are not closed, and
 * escapes by number, are found here, and told with the line where they begin.
 *
 * The rules are those of libConfuse's scanner: a comment begins with #, // or slash-star where a
 * word could begin; ${NAME} is one word, also inside double quotes.
 */
#include "server/config_internal.h"

#include <string.h>

struct scan {
	struct loader *loader;
	const char *at, *end;
	int line;
};

static bool is_at(const struct scan *s, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, word, len) == 0;
}

static void step(struct scan *s)
{
	if (*s->at++ == '\n')
		s->line++;
}

static void skip_line(struct scan *s)
{
	while (s->at < s->end && *s->at != '\n')
		s->at++;
}

static bool skip_comment(struct scan *s)
{
	const int begin = s->line;

	for (s->at += 2; s->at < s->end; step(s)) {
		if (is_at(s, "*/")) {
			s->at += 2;
			return true;
		}
	}
	config_fault(s->loader, (struct place){ .line = begin },
		     "the comment that begins here is not closed: a */ is missing");
	return false;
}

/* ${NAME} as a whole, when there is its end; false when this is an ordinary character. */
static bool skip_variable(struct scan *s)
{
	const char *close;

	if (!is_at(s, "${"))
		return false;
	close = memchr(s->at, '}', (size_t)(s->end - s->at));
	if (close == NULL)
		return false;
	while (s->at <= close)
		step(s);
	return true;
}

static bool skip_string(struct scan *s)
{
	const int begin = s->line;
	const char quote = *s->at++;

	while (s->at < s->end) {
		if (quote == '"' && skip_variable(s))
			continue;
		if (*s->at == quote) {
			s->at++;
			return true;
		}
		if (*s->at == '\\' && s->end - s->at > 1) {
			s->at++;
			if (quote == '"' && (*s->at == 'x' || (*s->at >= '0' && *s->at <= '9'))) {
				config_fault(s->loader, (struct place){ .line = s->line },
					     "\\%c: a character cannot be written as a number, "
					     "write the character itself", *s->at);
				return false;
			}
		}
		step(s);
	}
	config_fault(s->loader, (struct place){ .line = begin },
		     "the string that begins here is not closed: a %c is missing", quote);
	return false;
}

static void skip_word(struct scan *s)
{
	while (s->at < s->end && strchr(" \t\r\n\"'#={}()+,*", *s->at) == NULL)
		s->at++;
}

/* One word, string, comment or sign; `open_line` is the line of the open section, 0: none. */
static bool scan_one(struct scan *s, int *open_line)
{
	if (*s->at == '#' || is_at(s, "//")) {
		skip_line(s);
	} else if (is_at(s, "/*")) {
		return skip_comment(s);
	} else if (*s->at == '"' || *s->at == '\'') {
		return skip_string(s);
	} else if (skip_variable(s)) {
		return true;
	} else if (*s->at == '{') {
		if (*open_line == 0)
			*open_line = s->line;
		s->at++;
	} else if (strchr(" \t\r\n=}()+,*", *s->at) != NULL) {
		step(s);
	} else {
		skip_word(s);
	}
	return true;
}

bool config_text_check(struct loader *l, const char *text, size_t len)
{
	struct scan s = { .loader = l, .at = text, .end = text + len, .line = 1 };
	int depth = 0;
	int open_line = 0;

	if (memchr(text, '\0', len) != NULL) {
		config_fault(l, (struct place){ 0 }, "has a zero byte: this is no text file");
		return false;
	}
	while (s.at < s.end) {
		const char sign = *s.at;

		if (!scan_one(&s, &open_line))
			return false;
		if (sign == '{')
			depth++;
		if (sign == '}' && depth > 0 && --depth == 0)
			open_line = 0;
	}
	if (depth > 0)
		config_fault(l, (struct place){ .line = open_line },
			     "the { of this line is not closed: a } is missing");
	return depth == 0;
}
