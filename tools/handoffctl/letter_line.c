/* letter_line.c - a line of an export: one JSON object, taken apart */
#include "tools/handoffctl/letter_line.h"

#include <string.h>

struct scan {
	const char *at, *end;
};

static void skip_space(struct scan *s)
{
	while (s->at < s->end && strchr(" \t\r\n", *s->at) != NULL)
		s->at++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* What is between the quotes, escapes as they stand. */
static bool take_string(struct scan *s, struct line_value *out)
{
	if (!take(s, '"'))
		return false;
	out->p = s->at;
	while (s->at < s->end && *s->at != '"')
		s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
	if (s->at >= s->end)
		return false;
	out->n = (size_t)(s->at++ - out->p);
	return true;
}

/* An object or a list, to its closing bracket. */
static bool skip_nested(struct scan *s)
{
	struct line_value ignored;
	size_t depth = 0;

	do {
		skip_space(s);
		if (s->at == s->end)
			return false;
		if (*s->at == '"') {
			if (!take_string(s, &ignored))
				return false;
			continue;
		}
		if (*s->at == '{' || *s->at == '[')
			depth++;
		else if (*s->at == '}' || *s->at == ']')
			depth--;
		s->at++;
	} while (depth > 0);
	return true;
}

/* A number, true, false, null. */
static bool take_word(struct scan *s, struct line_value *out)
{
	out->p = s->at;
	while (s->at < s->end && strchr(",}] \t\r\n", *s->at) == NULL)
		s->at++;
	out->n = (size_t)(s->at - out->p);
	if (out->n == 4 && memcmp(out->p, "null", 4) == 0)
		*out = (struct line_value){ .p = NULL };
	return out->p == NULL || out->n > 0;
}

static bool take_value(struct scan *s, struct line_value *out)
{
	*out = (struct line_value){ .p = NULL };
	skip_space(s);
	if (s->at == s->end)
		return false;
	if (*s->at == '"')
		return take_string(s, out);
	return *s->at == '{' || *s->at == '[' ? skip_nested(s) : take_word(s, out);
}

static struct line_value *member(struct letter_line *l, const struct line_value *name)
{
	const struct { const char *name; struct line_value *value; } members[] = {
		{ "handoff_dead_letter", &l->version }, { "batch_id", &l->batch_id },
		{ "code", &l->code }, { "attempts", &l->attempts }, { "redrives", &l->redrives },
		{ "received_at", &l->received_at }, { "derived", &l->derived },
		{ "parent", &l->parent }, { "errors", &l->errors }, { "frame", &l->frame },
		{ "cut", &l->cut },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strlen(members[i].name) == name->n &&
		    memcmp(members[i].name, name->p, name->n) == 0)
			return members[i].value;
	return NULL;
}

bool letter_line_parse(const char *line, size_t len, struct letter_line *out)
{
	struct scan s = { line, line + len };
	struct line_value name, value;

	*out = (struct letter_line){ .version = { .p = NULL } };
	if (!take(&s, '{'))
		return false;
	do {
		struct line_value *known;

		if (!take_string(&s, &name) || !take(&s, ':') || !take_value(&s, &value))
			return false;
		known = member(out, &name);
		if (known != NULL)
			*known = value;
		if (known != NULL && value.p != NULL && memchr(value.p, '\\', value.n) != NULL)
			return false;
	} while (take(&s, ','));
	if (!take(&s, '}'))
		return false;
	skip_space(&s);
	return s.at == s.end;
}
