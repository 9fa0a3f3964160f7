/* config_internal.h - what the files config*.c share, and nobody else includes */
#ifndef HANDOFF_SERVER_CONFIG_INTERNAL_H
#define HANDOFF_SERVER_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/config.h"

/*
 *	config_load ─► defaults ─► file ─► environment ─► what follows from others ─► checks
 *	              (settings)  (text,    (env)         (check)
 *	                           file, names)
 *
 * Faults are counted, not returned one by one, so that an operator sees them together.
 */

enum setting_kind {
	SETTING_COUNT,		/* int64_t, a whole number */
	SETTING_SIZE,		/* int64_t bytes: 64M */
	SETTING_DURATION,	/* int64_t milliseconds: 500ms, 24h, or a bare number */
	SETTING_FRACTION,	/* double: 0.8 */
	SETTING_SWITCH,		/* bool: true, false */
	SETTING_TEXT,		/* char *, owned */
	SETTING_ADDRESS,	/* struct config_address */
};

struct setting {
	const char *section;	/* "" at the top level; "route" is in struct config_route */
	const char *name;
	enum setting_kind kind;
	size_t offset;		/* in struct config or struct config_route */
	double least, most;	/* of the value; of the length for a text */
	const char *initial;	/* the default as one would write it, NULL when it follows */
	const char *follows;	/* from what: "a quarter of store.size" */
};

#define SETTINGS_MAX 64
extern const struct setting settings[];
extern const size_t setting_count;

/* Where a value was given: a line of the file, or a variable, or neither. */
struct place {
	int line;
	const char *variable;
};

struct loader {
	const char *path;		/* of the file, as messages show it */
	struct config *config;
	unsigned faults;
	struct place places[SETTINGS_MAX];	/* by index of settings[] */
	struct route_loader {
		struct place places[SETTINGS_MAX];
		char *source, *target;		/* owned names; NULL: not given */
		int source_line, target_line;
		int end_line;			/* of the section, 0: not in the file */
	} routes[CONFIG_ROUTES_MAX];
	int circuit_lines[CONFIG_CIRCUITS_MAX];
};

/* Prints "handoffd: PLACE: …" and counts it. */
__attribute__((format(printf, 3, 4)))
void config_fault(struct loader *l, struct place where, const char *fmt, ...);

/* config_settings.c */
const struct setting *setting_find(const char *section, const char *name);
/* Room for one environment variable's name. */
#define VARIABLE_BYTES (CONFIG_ROUTE_NAME_MAX + 1 + 32)
/* "ALPHA_BETA_ACK_TIMEOUT_MS"; `route` is NULL for a setting that is no route's. */
void setting_variable(const struct setting *s, const char *route, char out[VARIABLE_BYTES]);
/* The defaults of every setting of that section in the struct at `base`. */
void settings_reset(const char *section, void *base);
/* Reads `text` into the struct at `base`; a fault when it is malformed or out of range. */
void setting_assign(struct loader *l, const struct setting *s, void *base, const char *text,
		    struct place where);
void *setting_value(const struct setting *s, void *base);

/* config_value.c: text to value, strictly; false when it has another form or does not fit. */
bool value_count(const char *text, int64_t *value);
bool value_size(const char *text, int64_t *value);
bool value_duration(const char *text, int64_t *value);
bool value_fraction(const char *text, double *value);
bool value_switch(const char *text, bool *value);
bool value_address(const char *text, struct config_address *value);
/* And back, in the largest unit that leaves no rest: 64M, 24h. */
#define VALUE_TEXT_BYTES 32
void value_size_text(int64_t value, char out[VALUE_TEXT_BYTES]);
void value_duration_text(int64_t value, char out[VALUE_TEXT_BYTES]);

/* config_text.c: what libConfuse would let pass or not survive; false after a fault. */
bool config_text_check(struct loader *l, const char *text, size_t len);
/* config_file.c */
void config_file_read(struct loader *l);
/* config_env.c */
void config_env_read(struct loader *l);

/* config_names.c */
void config_names_init(struct config *c);
/* The index of a module or route, which is declared when there is none; -1 after a fault. */
int config_module_declare(struct loader *l, const char *name, int line);
int config_route_declare(struct loader *l, const char *name, int line);
int config_module_find(const struct config *c, const char *name);
void config_identity_add(struct loader *l, struct config_module *m, const char *identity, int line);
/* Sources and targets of all routes, by name, to indexes. */
void config_routes_connect(struct loader *l);

/* A name of the form that routes have. */
bool config_is_low_name(const char *name, size_t max);

/* config_circuits.c: the index of a circuit, as above */
int config_circuit_declare(struct loader *l, const char *name, int line);
/* A word into one of its lists. */
void config_circuit_add(struct loader *l, struct config_circuit *k, const char *list,
    const char *word, int line);
/* When all modules and routes are known. */
void config_circuits_check(struct loader *l);
void config_circuits_free(struct config *c);

/* config_users.c: the user of that name or number into the list. */
void config_user_add(struct loader *l, struct config_users *users, const char *list,
    const char *name, int line);

/* config_check.c */
void config_derive(struct loader *l);
void config_check(struct loader *l);

#endif
