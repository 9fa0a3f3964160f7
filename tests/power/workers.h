/* workers.h - processes that share work out among them; one that dies is told of and replaced */
#ifndef HANDOFF_POWER_WORKERS_H
#define HANDOFF_POWER_WORKERS_H

#include <stdbool.h>

#define WORKERS_MAX 16

/*
 * Runs work(arg, job, again) in `jobs` processes at once, and returns when all have returned.
 * `again`: the one before was ended by a signal, or with a status; then on_death() was called,
 * here, and said that it is to be replaced.
 */
void workers_run(unsigned jobs, void (*work)(void *arg, unsigned job, bool again),
    bool (*on_death)(void *arg, unsigned job, int status), void *arg);
/* "signal 11" */
const char *workers_death(int status);
/* The log of a start tells nobody anything: from now on standard error is lost. */
void workers_silence(void);

#endif
