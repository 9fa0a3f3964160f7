/* internal.h - what the files of this room share: all operators, one of them, a command that runs
 */
#ifndef HANDOFF_ADMIN_INTERNAL_H
#define HANDOFF_ADMIN_INTERNAL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "admin/admin.h"
#include "admin/report.h"
#include "admin/request.h"
#include "base/buf.h"
#include "net/local.h"
#include "net/watcher.h"

#define OPTIONS_MAX 16			/* of one command */

/* How a command ends; handoffctl ends with the same. */
enum admin_code {
	ADMIN_OK = 0,
	ADMIN_NOTHING = 1,	/* nothing found, or the verdict is no */
	ADMIN_USAGE = 2,
	ADMIN_UNHEALTHY = 2,	/* health alone: monitoring wants it so */
	ADMIN_INTERNAL = 70,
	ADMIN_NOT_NOW = 75,
	ADMIN_NO_RIGHT = 77,
};

enum admin_role { ROLE_NONE, ROLE_LOOK, ROLE_CHANGE };

struct admin_job;

/*
 * A command is a row of the table in commands.c and a step function. `arguments` and `options` are
 * also its synopsis, and are all that is needed to check a request:
 *	arguments	"BATCH_ID [WHY] [MORE]..."	[ ]: may be left out; ...: any number
 *	options		"--route NAME --all"		a word in capitals: takes a value
 *
 * step() is called once a turn while there is room for its answer. It does a bounded piece of work,
 * writes at most ADMIN_STEP_BYTES_MAX to the report, and returns true when it has to be called
 * again. What it has to remember is in job_state().
 */
struct command {
	const char *words;		/* "dead list" */
	enum admin_role role;
	bool reads_without_arguments;	/* then ROLE_LOOK is enough */
	bool destructive;		/* needs the word yes */
	bool quiet;			/* changes nothing that lasts: the log has no line of it */
	const char *arguments;
	const char *options;
	const char *help;		/* one line */
	bool (*step)(struct admin_job *job);
};

struct command_table {
	const struct command *rows;
	size_t count;
};

extern const struct command_table admin_commands;
/* This room's own limits. */
extern const struct limit admin_limits[];
extern const size_t admin_limit_count;

struct admin_job {
	struct admin *admin;
	struct admin_client *client;
	const struct command *command;
	struct request request;		/* its words are in `line` */
	char *line;			/* owned */
	const char *arguments[ADMIN_WORDS_MAX + 1];	/* what follows the command's words */
	size_t argument_count;
	const char *options[OPTIONS_MAX];	/* by place in command->options; NULL: not given */
	struct report report;
	enum admin_code code;
	bool wants_yes;			/* only the word yes is missing */
	bool changes;			/* the log has a line of it */
	uint64_t wake_ms; /* custody clock: no step before, save when the peer is gone */
	void *state;			/* owned */
};

struct admin_client {
	LIST_ENTRY(admin_client) entry;
	struct admin *all;
	unsigned id;
	int fd;				/* owned, through the door */
	struct watcher *watcher;
	struct local_peer peer;
	enum admin_role role;
	bool is_ready;			/* its descriptor may be read */
	bool is_new;			/* it came while the loop slept */
	bool ended;			/* it sends no more, but may read on */
	bool gone;			/* nor does it read: what is put out for it is dropped */
	bool closing;			/* ends when its answer is out */
	bool dead;			/* freed at the end of the turn */
	struct buf in;
	struct buf out;
	struct buf import_frame; /* of a dead letter that comes in parts (cmd_dead_import.c) */
	struct buf import_errors;
	uint64_t imported;
	bool inside_line;		/* the last byte of `out` ever written was no newline */
	struct admin_job *job;		/* owned; NULL: waits for a request */
	uint64_t since_ms;		/* accepted, answered, or the first byte of this line */
	uint64_t progress_ms;		/* it last took bytes */
};
LIST_HEAD(admin_client_list, admin_client);

struct admin_user {
	uint32_t uid;
	char *name;			/* owned */
};

struct admin {
	struct ev_loop *loop;
	struct core *core;
	struct store *store;
	struct admin_settings settings;
	const struct command_table *commands;
	struct local_door *door;
	struct admin_client_list clients;
	size_t count;			/* of them, without the dead */
	unsigned last_id;
	uint64_t now_ms;
	struct buf piece;		/* what a step has written */
	struct admin_user *users;	/* owned; names are looked up at the start only */
	size_t user_count;
};

/* --- operator.c: one connection --------------------------------------------------------------- */
struct admin_client *operator_create(struct admin *a, int fd, const struct local_peer *peer,
    enum admin_role role);
void operator_destroy(struct admin_client *c);
/* The time of the turn is known: what came in while the loop slept came now, not then. */
void client_begin_time(struct admin_client *c);
/* Reads what is there, begins the next request, or goes on with the command that runs. */
void operator_receive(struct admin_client *c);
void operator_settle(struct admin_client *c);
/* Ends it when it is late. */
void operator_expire(struct admin_client *c);
uint64_t operator_deadline_ms(const struct admin_client *c);
bool operator_is_pending(const struct admin_client *c);
/* It has closed its end, not only said that it sends no more. */
bool client_is_gone(const struct admin_client *c);
/* Nothing more is taken from it or sent to it; freed at the end of the turn. */
void operator_drop(struct admin_client *c, const char *why);
/* A piece of the body of an answer; and its end. */
void operator_answer(struct admin_client *c, const struct buf *piece);
void operator_answer_end(struct admin_client *c, enum admin_code code, bool wants_yes);

/* --- users.c: who may do what ----------------------------------------------------------------- */
void users_init(struct admin *a);
void users_finish(struct admin *a);
enum admin_role users_role(const struct admin *a, uint32_t uid);
/* "?" for one who has no name here. */
const char *users_name(const struct admin *a, uint32_t uid);

/* --- job.c: from a request to its answer ------------------------------------------------------ */
/* Takes over the line, a string. The job does its first step; NULL when it is at its end already.
 */
struct admin_job *job_begin(struct admin_client *c, char *line, size_t len);
/* The next step; false when it was the last, and the job is gone. */
bool job_step(struct admin_job *job);
void job_destroy(struct admin_job *job);

/* For step functions. Ends the answer with a sentence and returns false. */
__attribute__((format(printf, 3, 4)))
bool job_fail(struct admin_job *job, enum admin_code code, const char *fmt, ...);
/* The value of "--name"; "" for an option without value, NULL when it was not given. */
const char *job_option(const struct admin_job *job, const char *name);
/* The value of an option that takes a number from 1; `value` stays when it was not given. False:
 * the job has failed. */
bool job_number(struct admin_job *job, const char *option, uint64_t max, uint64_t *value);
/*
 * The command's memory from step to step: `size` zero bytes at its first call, flat, since it is
 * freed without a word when the operator goes away.
 */
void *job_state(struct admin_job *job, size_t size);
/* That the operator may change things; false, and the job has failed, when he may not. */
bool job_may_change(struct admin_job *job);

/* --- commands.c, arguments.c: the table, and what it says ------------------------------------- */
#define SYNOPSIS_BYTES 512
#define WORD_BYTES 32
/*
 * The command whose words are the longest beginning of these; NULL, and a sentence that names the
 * words that may follow, when there is none.
 */
const struct command *command_find(const struct command_table *t, char *const words[],
    size_t count, size_t *used, char *why, size_t size);
/* Whether the command's words begin with these. */
bool command_begins_with(const struct command *c, char *const words[], size_t count);
/* "dead list [--route NAME]" */
void command_synopsis(const struct command *c, char out[SYNOPSIS_BYTES]);
size_t command_word_count(const struct command *c);
/* Sorts the words into job->arguments and job->options; false and a sentence. */
bool arguments_take(struct admin_job *job, size_t used, char *why, size_t size);

/* --- cmd_*.c ---------------------------------------------------------------------------------- */
bool cmd_help(struct admin_job *job);
bool cmd_limits(struct admin_job *job);
bool cmd_log_level(struct admin_job *job);
bool cmd_version(struct admin_job *job);

/* cmd_audit.c, cmd_batches.c, cmd_circuits.c, cmd_clients.c, cmd_confirmations.c, cmd_explain.c,
 * cmd_journal.c, cmd_health.c, cmd_routes.c, cmd_shape.c, cmd_status.c: those that look */
bool cmd_audit(struct admin_job *job);
bool cmd_batches(struct admin_job *job);
bool cmd_circuits(struct admin_job *job);
bool cmd_clients(struct admin_job *job);
bool cmd_confirmations(struct admin_job *job);
bool cmd_explain(struct admin_job *job);
bool cmd_health(struct admin_job *job);
bool cmd_journal(struct admin_job *job);
bool cmd_routes(struct admin_job *job);
bool cmd_shape(struct admin_job *job);
bool cmd_status(struct admin_job *job);

/* cmd_operate.c, cmd_route.c, cmd_broker.c, cmd_circuits.c, cmd_settle.c, cmd_dead*.c: what changes
 * things */
bool cmd_circuits_close(struct admin_job *job);
bool cmd_circuits_open(struct admin_job *job);
bool cmd_confirmations_settle(struct admin_job *job);
bool cmd_dead_export(struct admin_job *job);
bool cmd_dead_group(struct admin_job *job);
bool cmd_dead_import(struct admin_job *job);
bool cmd_dead_import_done(struct admin_job *job);
bool cmd_dead_import_end(struct admin_job *job);
bool cmd_dead_import_part(struct admin_job *job);
bool cmd_dead_list(struct admin_job *job);
bool cmd_dead_purge(struct admin_job *job);
bool cmd_dead_redrive(struct admin_job *job);
bool cmd_dead_show(struct admin_job *job);
bool cmd_drain(struct admin_job *job);
bool cmd_hold(struct admin_job *job);
bool cmd_kick(struct admin_job *job);
bool cmd_pause(struct admin_job *job);
bool cmd_release(struct admin_job *job);
bool cmd_resume(struct admin_job *job);
bool cmd_retry(struct admin_job *job);

#endif
