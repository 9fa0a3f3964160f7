/* judge.h - starts a broker on the store that a power loss, or rot, has left, and looks at it */
#ifndef HANDOFF_POWER_JUDGE_H
#define HANDOFF_POWER_JUDGE_H

#include "core/core.h"
#include "server/config.h"
#include "server/settings.h"
#include "store/check.h"
#include "story.h"

/* A broker without its door: what handoffd does at its start, and then one turn after the other. */
struct judge {
	struct config *config;
	struct settings *settings;
	struct stories stories;
	struct store *store;
	struct core *core;
	uint64_t now_ms;
	size_t known;			/* batches found by judge_batches() */
	uint64_t seed;			/* which old payloads are read */
	char why[640];			/* what is wrong */
};

/* Reads the configuration that the workload had; the store is at `dir` instead. */
void judge_init(struct judge *j, const char *config, const char *stories, const char *dir);
void judge_finish(struct judge *j);

/* Says in j->why what is wrong; returns false. */
__attribute__((format(printf, 2, 3)))
bool judge_blames(struct judge *j, const char *fmt, ...);

/* The start: store, recovery, its commit. False: refused, j->why has its words. */
bool judge_start(struct judge *j);
/* The same in two steps, with peers of the caller's; judge_start() has quiet ones. */
bool judge_open(struct judge *j);
bool judge_recover(struct judge *j, const struct peer_ops *with);
struct instance *judge_join(struct judge *j, const char *module, struct peer *peer);
void judge_stop(struct judge *j);
/* The store agrees with itself. */
bool judge_audit(struct judge *j, struct store_tally *tally);
/* Where a batch is; STORY_ABSENT when nowhere. *id: the store's. */
enum story_state judge_state(struct judge *j, const struct story *b, uint64_t *id);
/* Its payload is there, matches its checksum, and is what was sent. */
bool judge_payload(struct judge *j, const struct story *b, uint64_t id);

/* Whether these bytes of the store's file are not what was durable before. */
typedef bool judge_changed(void *arg, uint64_t at, size_t n);
/*
 * The store agrees with itself; each batch is where the stories allow it to be just before `place`,
 * whole, and there is nothing else. Payloads of which something has changed are all read, of the
 * others one in sixteen.
 */
bool judge_all(struct judge *j, uint64_t place, judge_changed *changed, void *arg);
/* Where the batches are, alone. */
bool judge_batches(struct judge *j, uint64_t place, judge_changed *changed, void *arg);
/* A source comes, and its batch is taken into custody; nothing else is gone by that. */
bool judge_goes_on(struct judge *j);

#endif
