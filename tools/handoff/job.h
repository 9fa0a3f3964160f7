/* job.h - a delivery at handoff work: the command run over it, and its output sent on */
#ifndef HANDOFF_TOOLS_JOB_H
#define HANDOFF_TOOLS_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "handoff/handoff.h"
#include "tools/handoff/connection.h"
#include "tools/handoff/exec.h"
#include "tools/handoff/parts.h"
#include "tools/handoff/progress.h"

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_SENDING, JOB_ENDING };

/* A delivery, from its coming to its end. */
struct job {
	TAILQ_ENTRY(job) link;
	enum job_state state;
	struct handoff_delivery *delivery;	/* ours until ENDING */
	struct child child;			/* RUNNING */
	struct part_list parts;			/* SENDING: not yet RECEIVED */
	uint64_t part_index;			/* of the first of them */
	bool is_sent;				/* the first of them is with the library */
	uint64_t records, bytes;		/* for the progress */
	char batch_id[HANDOFF_ID_SIZE];
};
TAILQ_HEAD(job_list, job);

struct working {
	const char *to;			/* the target of the output; NULL: none */
	const char *command;
	struct connection connection;
	struct job_list jobs;		/* in the order of their coming */
	unsigned running;		/* commands */
	struct progress progress;
	bool is_draining;
	int status;			/* to exit with, when drained */
};

/* Takes no more, finishes what runs, and then exits with this status; the first counts (work.c). */
void working_stop(struct working *w, int status);

/*
 * All of these can end the job, and free it; some stop the worker.
 */

/* A job for the delivery, WAITING; NULL when memory is refused. */
struct job *job_create(struct working *w, struct handoff_delivery *d);
/* Its delivery has ended, or is the library's. */
void job_destroy(struct working *w, struct job *j);
/* No word about its batch: it goes back, or has gone. */
void job_drop(struct working *w, struct job *j);
/* WAITING to RUNNING. */
void job_run(struct working *w, struct job *j);
/* RUNNING, and the command has ended: does what follows of its exit status. */
void job_judge(struct working *w, struct job *j);
/* SENDING: hands the next part to the library, the last one with the PROCESSED of the batch. */
void job_send_part(struct working *w, struct job *j);
/* The broker has a part. */
void job_on_received(struct job *j);
/* The broker did not take a part; the delivery is ours again. */
void job_on_refused(struct working *w, struct job *j, const struct handoff_event *e);

#endif
