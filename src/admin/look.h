/* look.h - what the commands that look share: room for a step, values as they are shown */
#ifndef HANDOFF_ADMIN_LOOK_H
#define HANDOFF_ADMIN_LOOK_H

#include "admin/internal.h"
#include "core/inspect.h"

/*
 * What one step does at most, so that the turn stays short: rows of the store looked at, and bytes
 * written after which the rest is the next step's. What a step writes behind that fits into
 * ADMIN_STEP_BYTES_MAX: a row with the longest ids is some 4 KiB in JSON.
 */
#define LOOK_ROWS_PER_STEP 500
#define LOOK_BYTES_PER_STEP (ADMIN_STEP_BYTES_MAX - 16 * 1024)

/* This step has written enough. */
bool look_is_full(const struct admin_job *job);
/* Milliseconds for people, whole for programs. 0 is no value. */
void look_time(struct report *r, const char *name, int64_t us);
/* No value for NULL. */
void look_uuid(struct report *r, const char *name, const struct uuid *id);
/* "BETA/b7"; no value for 0. */
void look_instance(struct report *r, const char *name, struct core *core, uint32_t number);
/* The broker's own code by name; no value for INT_NONE. */
void look_code(struct report *r, const char *name, unsigned code);
/* A stranger's text that may be long: cut with "…". No value when it is empty. */
#define LOOK_TEXT_MAX 512
void look_text(struct report *r, const char *name, struct span text);
/* --- cmd_routes.c, route.c: what status shows as well ----------------------------------------- */
/* "open", "pressed" (its sources were told to wait), "full", "paused", "halted" (by a module). */
const char *route_state_name(const struct route_view *v);
/* Dead letters, those among them that the broker made. */
uint64_t route_letters(const struct route_view *v);
/* The age of the oldest batch that is READY, in milliseconds. */
void route_put_age(struct report *r, const char *name, const struct core *core,
    const struct route_view *v);
/* A whole answer: one route with all its settings and counters. */
bool route_describe(struct admin_job *job, const char *name);

/* --- advice.c: the broker's error codes ------------------------------------------------------- */
/* INT_NONE when the word is none. */
enum error_code advice_code(const char *word);
void advice_put(struct report *r, enum error_code code);

/* The wall clock as the turn has it. */
int64_t look_now_us(const struct core *core);

#endif
