/*
 * log.c - one event, one line, one write(2)
 *
 *	log_event ── pairs as text ──┬── put_text ── line
 *	                             └── put_json ── line: the pairs read back, key by key
 *
 * The line's buffer holds the longest that LOG_PAIRS_BYTES of pairs can become: a byte becomes at
 * most six as JSON (\u001b, \ufffd), and what a pair adds in quotes and commas is less than that.
 * So nothing after the pairs' own cut ever has to be cut, and a JSON line is always whole.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/datetime.h"
#include "base/utf8.h"

#define LOG_PAIRS_BYTES 4096	/* all pairs of one line, as text */
#define LOG_EVENT_BYTES 128	/* the event's own words */
#define LOG_LINE_BYTES (6 * (LOG_PAIRS_BYTES + LOG_EVENT_BYTES) + 256)
#define QUOTE_RING 8
/* A byte may take four (\x1b), then the dots, two quotes and the NUL. */
#define QUOTED_BYTES(n) (4 * (n) + sizeof("…") + 2)
#define FATAL_BYTES 512		/* the sentence of fatalx() */
#define CAUSES_MAX 64		/* causes that log_allow() can tell apart */
#define DIGITS_OF_NUMBER 19	/* more digits than that are no number but a name */

struct line {
	size_t len;
	char bytes[LOG_LINE_BYTES];
};

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level log_threshold = LOG_LEVEL_INFO;
static enum log_format log_line_format = LOG_FORMAT_TEXT;

void log_init(enum log_level level, enum log_format format)
{
	log_threshold = level;
	log_line_format = format;
}

bool log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(level_words) / sizeof(level_words[0]); i++) {
		if (strcmp(word, level_words[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

enum log_level log_level_get(void)
{
	return log_threshold;
}

void log_level_set(enum log_level level)
{
	log_threshold = level;
}

const char *log_level_name(enum log_level level)
{
	return level_words[level];
}

bool log_is_on(enum log_level level)
{
	return level <= log_threshold;
}

/* Writes at most `max` bytes of `s` quoted and escaped; `out` has QUOTED_BYTES(max). */
static void quote(const char *s, size_t len, size_t max, char *out)
{
	size_t at = 0;

	*out++ = '"';
	while (at < len) {
		size_t n = utf8_shown_length(s + at, len - at);

		if (at + (n > 0 ? n : 1) > max)
			break;
		if (n == 0) {
			out += snprintf(out, sizeof("\\xNN"), "\\x%02x", (uint8_t)s[at++]);
			continue;
		}
		if (s[at] == '"' || s[at] == '\\')
			*out++ = '\\';
		memcpy(out, s + at, n);
		out += n;
		at += n;
	}
	if (at < len) {
		memcpy(out, "…", strlen("…"));
		out += strlen("…");
	}
	*out++ = '"';
	*out = '\0';
}

const char *log_quote(const char *s, size_t len)
{
	static char ring[QUOTE_RING][QUOTED_BYTES(LOG_QUOTE_BYTES)];
	static unsigned next;
	char *out = ring[next++ % QUOTE_RING];

	quote(s, len, LOG_QUOTE_BYTES, out);
	return out;
}

static void put_bytes(struct line *l, const char *s, size_t n)
{
	memcpy(l->bytes + l->len, s, n);
	l->len += n;
}

static void put_string(struct line *l, const char *s)
{
	put_bytes(l, s, strlen(s));
}

/* A control byte that no log_quote() has seen must not end the line or move the cursor. */
static void put_text(struct line *l, const char *s)
{
	for (; *s != '\0'; s++)
		l->bytes[l->len++] = (uint8_t)*s < 0x20 || *s == 0x7f ? '?' : *s;
}

/* One character of a JSON string from the front of `s`; returns how many bytes it took. */
static size_t put_json_char(struct line *l, const char *s, size_t n)
{
	size_t shown = utf8_shown_length(s, n);

	if (shown == 0 && (uint8_t)*s >= 0x80) {
		put_string(l, "\\ufffd");
		return 1;
	}
	if (shown == 0) {
		l->len += (size_t)snprintf(l->bytes + l->len, sizeof("\\u00NN"), "\\u%04x",
					   (uint8_t)*s);
		return 1;
	}
	if (*s == '"' || *s == '\\')
		l->bytes[l->len++] = '\\';
	put_bytes(l, s, shown);
	return shown;
}

static void put_json_chars(struct line *l, const char *s, size_t n)
{
	while (n > 0) {
		size_t took = put_json_char(l, s, n);

		s += took;
		n -= took;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The inside of a value that log_quote() made, as JSON; `s` begins behind the opening quote.
 * A byte written as \xNN is a control character when it is ASCII; any other belongs to no
 * character, and stays as it is written. Returns the place behind the closing quote.
 */
static const char *put_json_quoted(struct line *l, const char *s)
{
	while (*s != '\0' && *s != '"') {
		if (s[0] == '\\' && s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
			char byte = (char)(hex_digit(s[2]) * 16 + hex_digit(s[3]));

			if ((uint8_t)byte < 0x80)
				put_json_char(l, &byte, 1);
			else
				put_json_chars(l, s, 4);
			s += 4;
			continue;
		}
		if (s[0] == '\\' && s[1] != '\0')
			s++;
		s += put_json_char(l, s, strlen(s));
	}
	return *s == '"' ? s + 1 : s;
}

/* Digits alone, as JSON writes a number. */
static bool is_number(const char *s, size_t n)
{
	if (n < 1 || n > DIGITS_OF_NUMBER || (s[0] == '0' && n > 1))
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

/* The next word up to a space; true when it is the beginning of a pair: a key, then `=`. */
static bool begins_pair(const char *s, size_t *key_len)
{
	*key_len = strcspn(s, " =\"");
	return *key_len > 0 && s[*key_len] == '=';
}

/*
 * A value that is not quoted goes on until the next pair begins, so that a sentence somebody
 * forgot to quote stays in one piece.
 */
static const char *put_json_plain(struct line *l, const char *s)
{
	const char *end = s;
	size_t ignored;

	while (*end != '\0' && !(*end == ' ' && begins_pair(end + 1, &ignored)))
		end++;
	if (is_number(s, (size_t)(end - s))) {
		put_bytes(l, s, (size_t)(end - s));
		return end;
	}
	put_string(l, "\"");
	put_json_chars(l, s, (size_t)(end - s));
	put_string(l, "\"");
	return end;
}

static void put_json_pairs(struct line *l, const char *pairs)
{
	const char *s = pairs;

	while (*s != '\0') {
		size_t key_len;

		if (*s == ' ') {
			s++;
			continue;
		}
		if (!begins_pair(s, &key_len)) {
			/* Not of our form: shown all the same, under a name of its own. */
			put_string(l, ",\"text\":");
			s = put_json_plain(l, s);
			continue;
		}
		put_string(l, ",\"");
		put_json_chars(l, s, key_len);
		put_string(l, "\":");
		s += key_len + 1;
		if (*s != '"') {
			s = put_json_plain(l, s);
			continue;
		}
		put_string(l, "\"");
		s = put_json_quoted(l, s + 1);
		put_string(l, "\"");
	}
}

/* One write a line, so that lines of several processes do not mix. */
static void write_line(const struct line *l)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, l->bytes, l->len);
	} while (n < 0 && errno == EINTR);
}

static void log_pairs(enum log_level level, const char *event, const char *pairs)
{
	char when[DATETIME_TEXT_LEN + 1];
	char words[LOG_EVENT_BYTES];
	struct line l;

	l.len = 0;
	datetime_format(datetime_now_us(), when);
	snprintf(words, sizeof(words), "%s", event);
	if (log_line_format == LOG_FORMAT_JSON) {
		put_string(&l, "{\"ts\":\"");
		put_string(&l, when);
		put_string(&l, "\",\"level\":\"");
		put_string(&l, level_words[level]);
		put_string(&l, "\",\"event\":\"");
		put_json_chars(&l, words, strlen(words));
		put_string(&l, "\"");
		put_json_pairs(&l, pairs);
		put_string(&l, "}\n");
	} else {
		put_string(&l, when);
		put_string(&l, " ");
		put_string(&l, level_words[level]);
		put_string(&l, " ");
		put_text(&l, words);
		if (*pairs != '\0')
			put_string(&l, " ");
		put_text(&l, pairs);
		put_string(&l, "\n");
	}
	write_line(&l);
}

void log_event(enum log_level level, const char *event, const char *pairs, ...)
{
	char text[LOG_PAIRS_BYTES];
	int saved_errno = errno;
	va_list args;

	if (!log_is_on(level))
		return;
	va_start(args, pairs);
	if (vsnprintf(text, sizeof(text), pairs, args) < 0)
		text[0] = '\0';
	va_end(args);
	log_pairs(level, event, text);
	errno = saved_errno;
}

struct cause {
	const char *name;	/* its address is the identity */
	int64_t second;		/* of the monotonic clock, to which the counts belong */
	unsigned allowed;
	unsigned held_back;
};

static struct cause causes[CAUSES_MAX];
static bool any_held_back;

static struct cause *cause_get(const char *name)
{
	size_t i;

	for (i = 0; i < CAUSES_MAX && causes[i].name != NULL; i++)
		if (causes[i].name == name)
			return &causes[i];
	if (i == CAUSES_MAX)
		fatalx("more than %d causes of log lines, raise CAUSES_MAX", CAUSES_MAX);
	causes[i].name = name;
	return &causes[i];
}

static void tell_held_back(struct cause *c)
{
	if (c->held_back > 0)
		log_warning("log lines held back", "cause=%s count=%u",
			    log_quote(c->name, strlen(c->name)), c->held_back);
	c->held_back = 0;
}

bool log_allow(const char *cause, unsigned per_second)
{
	struct cause *c = cause_get(cause);
	int64_t second = clock_monotonic_ms() / 1000;

	if (c->second != second) {
		tell_held_back(c);
		c->second = second;
		c->allowed = 0;
	}
	if (c->allowed >= per_second) {
		c->held_back++;
		any_held_back = true;
		return false;
	}
	c->allowed++;
	return true;
}

bool log_held_back(bool now)
{
	int64_t second;

	if (!any_held_back)
		return false;
	any_held_back = false;
	second = clock_monotonic_ms() / 1000;
	for (size_t i = 0; i < CAUSES_MAX && causes[i].name != NULL; i++) {
		if (now || causes[i].second != second)
			tell_held_back(&causes[i]);
		any_held_back |= causes[i].held_back > 0;
	}
	return any_held_back;
}

__attribute__((format(printf, 2, 0)))
static void log_fatal(const char *event, const char *fmt, va_list args)
{
	char sentence[FATAL_BYTES];
	char quoted[QUOTED_BYTES(FATAL_BYTES)];

	if (vsnprintf(sentence, sizeof(sentence), fmt, args) < 0)
		sentence[0] = '\0';
	quote(sentence, strlen(sentence), FATAL_BYTES, quoted);
	log_error(event, "reason=%s", quoted);
}

void fatalx(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_fatal("invariant broken", fmt, args);
	va_end(args);
	abort();
}

void fatal_exit(int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_fatal("could not go on", fmt, args);
	va_end(args);
	exit(status);
}
