/* log.h - one line an event, past tense, key=value, to standard error */
#ifndef HANDOFF_BASE_LOG_H
#define HANDOFF_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

/*
 * log_info("session opened", "session=%u module=%s", id, name) writes
 *	2026-11-20T08:15:30.123456Z info session opened session=17 module=ALPHA
 * or, as JSON, {"ts":…,"level":"info","event":"session opened","session":17,"module":"ALPHA"}.
 * The event is a constant; the second argument is a printf format of space separated key=value
 * pairs. A value that may hold spaces, quotes or a stranger's bytes goes through log_quote().
 * Logging never changes errno. Levels by reader: error wakes someone, warning is read tomorrow,
 * info tells the life of sessions and of the process, debug that of batches.
 */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_init(enum log_level level, enum log_format format);
/* "error" … "debug" to a level; false when the word is none of them. */
bool log_level_parse(const char *word, enum log_level *level);
bool log_is_on(enum log_level level);
/* The level up to which lines are written; it may be changed at any time. */
enum log_level log_level_get(void);
void log_level_set(enum log_level level);
const char *log_level_name(enum log_level level);

__attribute__((format(printf, 3, 4)))
void log_event(enum log_level level, const char *event, const char *pairs, ...);

#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, (event), __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, (event), __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, (event), __VA_ARGS__)
#define log_debug(event, ...)                                                                      \
	do {                                                                                       \
		if (log_is_on(LOG_LEVEL_DEBUG))                                                    \
			log_event(LOG_LEVEL_DEBUG, (event), __VA_ARGS__);                          \
	} while (0)

/* Longest text of a stranger that one value shows, in bytes, before it is cut with "…". */
#define LOG_QUOTE_BYTES 128

/*
 * A stranger's bytes as one quoted, escaped, cut value: control bytes and what is no UTF-8 become
 * \xNN. The result lives in a ring of static buffers, good for the eight latest calls.
 */
const char *log_quote(const char *s, size_t len);

/*
 * At most `per_second` lines of one cause: true when the line may be written. Those that were not
 * are counted, and told in one line "log lines held back cause=… count=…" when their second is
 * over. `cause` is a constant string; its address names it.
 */
bool log_allow(const char *cause, unsigned per_second);
/*
 * Tells of lines held back in seconds that are over; with `now` also in this one. True while some
 * are left to tell, in a second at the latest. Cheap when there are none.
 */
bool log_held_back(bool now);

/* Our invariant is broken: log and abort. Start-up cannot proceed: log and exit(status). */
__attribute__((noreturn, format(printf, 1, 2)))
void fatalx(const char *fmt, ...);
__attribute__((noreturn, format(printf, 2, 3)))
void fatal_exit(int status, const char *fmt, ...);

#endif
