/*
 * handoff.pml - the handoff of a batch: source, broker, stage or sinks, and what may go wrong
 *
 * Bounds and shape come as -D macros from tests/model/run, planted errors as -D PLANT_... . The
 * inlines below have the names of the functions that they stand for; tests/model/names sees to it
 * that these still exist:
 *
 *   what happens here                            function                   file
 *   the whole of a turn                          turn_run                   src/server/turn.c
 *   one frame of each peer is taken in           sessions_receive           src/session/sessions.c
 *   a batch comes, perhaps with `completes`      core_offer                 src/core/custody.c
 *   is it known?                                 check_new                  src/core/custody.c
 *   the new batch in, the listed ones out        take                       src/core/custody.c
 *   whose lease is it?                           answer_find                src/core/answer.c
 *   a target answers                             core_acknowledge           src/core/answer.c
 *   PROCESSED                                    answer_processed           src/core/answer.c
 *   another attempt, or a dead letter            retry_or_bury              src/core/retry.c
 *   WAITING becomes READY                        retry_release_due          src/core/retry.c
 *   a silent target loses the batch              deadline_expire            src/core/deadline.c
 *   an instance says HELLO                       core_join                  src/core/instance.c
 *   what it names in `holds` stays its own       reclaim                    src/core/instance.c
 *   nobody came back for it                      instance_expire_reclaims   src/core/instance.c
 *   a connection was lost                        core_leave                 src/core/instance.c
 *   suspects, alone; then the others             dispatch                   src/core/dispatch.c
 *   one delivery                                 assign                     src/core/dispatch.c
 *   attempt and lease rise                       dispatch_prepare           src/core/dispatch.c
 *   a batch ends                                 batch_finish               src/core/batch.c
 *   PROCESSED: a row of history for its row      store_batch_end            src/store/queue.c
 *   dead: a letter for its row                   store_batch_bury           src/store/queue.c
 *   the outcome is owed to the source            mailbox_told               src/core/mailbox.c
 *   owed again, after HELLO                      mailbox_open               src/core/mailbox.c
 *   the source has got it                        core_seen                  src/core/mailbox.c
 *   a person redrives a dead letter              core_operate               src/core/operate.c
 *   the turn becomes durable                     store_commit               src/store/durable.c
 *   then, and only then, frames leave            sessions_settle            src/session/sessions.c
 *   kill -9 and a new start                      instance_recover           src/core/instance.c
 *
 * Two shapes. One route: SOURCE hands BATCHES batches to the sinks A and B. PIPELINE: SOURCE hands
 * batch 0 to the stages A and B; each makes of it a batch of its own (1 or 2), which SINK gets.
 *
 * What is left out, because it cannot make a difference here or is proved elsewhere: content and
 * checksums, capacity (ring.pml), order, holds and pauses by a person, a delivery of which no byte
 * was handed over, retention. A connection is a queue each way that loses all at once when it
 * breaks; the broker notices that in a later turn, or when the instance comes back. Between two
 * turns nothing of the broker can be seen by anybody, so a turn is one step, in which the process
 * may die at any point. That the next turn may run while another thread still writes this one shows
 * as frames that leave later, and in no other way: a queue may be as slow as it likes. Leases are
 * counted by batch, not over all: they are only ever compared together with the batch's id. Of a
 * target that POISON kills, the connection's end arrives before its next HELLO: who comes back
 * earlier is REPLACED, which is no loss and finds no poison.
 */
#ifdef PIPELINE
#define BATCHES 3
#define PEERS 4
#else
#ifndef BATCHES
#define BATCHES 2
#endif
#define PEERS 3
#endif
#ifndef SINKS
#define SINKS 2			/* instances of the first route's target */
#endif
#ifndef IN_FLIGHT
#define IN_FLIGHT 1
#endif
#ifndef RETRIES
#define RETRIES 1
#endif
#ifndef KILLS
#define KILLS 1			/* of the broker */
#endif
#ifndef DEATHS
#define DEATHS 1		/* of modules */
#endif
#ifndef CUTS
#define CUTS 1			/* of connections */
#endif
#ifndef REDRIVES
#define REDRIVES 0
#endif
#ifndef REPEATS
#define REPEATS 1		/* of offers whose answer is not awaited */
#endif

#define LAST (BATCHES - 1)

#define SOURCE 0
#define A 1
#define B 2
#define SINK 3

/* A batch's rows in the store, as bits: after each commit it has one at most. */
#define NEW 0
#define READY 1
#define ASSIGNED 2
#define WAITING 4
#define DEAD 8
#define ENDED 16
#define IN_CUSTODY(b) ((now[b].rows & (READY | ASSIGNED | WAITING)) != 0)
#define HAS_ENDED(b) ((now[b].rows & (DEAD | ENDED)) != 0)

mtype = { OFFER, RECEIVED, REFUSED, DELIVERY, PROCESSED, TRANSIENT, PERMANENT, OUTCOME, SEEN,
	ECHO };

typedef Record {
	byte rows;
	byte lease, holder, attempt;
	bit failed, answered, suspect;
	bit told_owed;			/* its outcome, until the source has seen it */
};

/* The open transaction, and what a crash leaves. */
Record now[BATCHES], disk[BATCHES];
byte last_lease[BATCHES], disk_lease[BATCHES];

/* The broker's memory: gone with it. */
bit peer[PEERS];			/* a connection, as far as it knows */
bit late[BATCHES];			/* its timer has fired: retry, deadline, or reclaim */
byte hand;				/* 1 + the dead letter that a person asks to redrive */

/* The network. */
#define DOWN 0
#define HELLO 1
#define UP 2
byte line[PEERS];
chan in[PEERS] = [2] of { mtype, byte, byte };
chan out[PEERS] = [6] of { mtype, byte, byte };

/* The modules. */
bit sent[BATCHES], heard[BATCHES];	/* of the source: volatile; logged */
bit told[BATCHES];
byte hold[PEERS * BATCHES];		/* lease of what a target works on, 0 none: volatile */
bit said[PEERS];			/* a stage awaits the answer to its output: volatile */
bit effect[BATCHES];			/* of a target, with the batch_id beside it: durable */

byte kills = KILLS, deaths = DEATHS, cuts = CUTS, redrives = REDRIVES, repeats = REPEATS;

/* What the properties speak of; nobody acts on it. */
bit acked[BATCHES];			/* RECEIVED has left the broker */
bit confirmed[BATCHES];			/* PROCESSED has been echoed to the target */
byte tries[BATCHES];			/* attempts that were made, and are durable */
byte effects[BATCHES];
byte top_lease[BATCHES];		/* of all deliveries that left the broker */
bit fresh[BATCHES];

/* Of the turn, empty between two. */
chan owed = [12] of { byte, mtype, byte, byte };
bit is_dead;

/* Deterministic: one step to spin. Cut in two by a commit, it is not. */
#if defined(PLANT_DEAD_LETTER_IN_TWO_COMMITS) || defined(PLANT_STAGE_IN_TWO_COMMITS)
#define STEP atomic
#else
#define STEP d_step
#endif

#ifdef FAIR
#define FOR_EVER 1
#else
#define FOR_EVER 0
#endif

#define HOLD(p, b) hold[(p) * BATCHES + (b)]
#ifdef PIPELINE
#define IS_TARGET(p, b) (((b) == 0 && ((p) == A || (p) == B)) || ((b) != 0 && (p) == SINK))
#define IS_FROM_SOURCE(b) ((b) == 0)
#else
#define IS_TARGET(p, b) ((p) == A || (p) == B)
#define IS_FROM_SOURCE(b) true
#endif

/* --- what must be true ----------------------------------------------------------------------- */

inline check_disk()
{
	d_step {
		for (k : 0 .. BATCHES - 1) {
			/* acked implies in custody, ended or dead; in one of them, never in two */
			assert(!acked[k] || disk[k].rows != NEW);
			assert((disk[k].rows & (disk[k].rows - 1)) == 0);
			/* a restart neither forgets an attempt nor gives one away */
			assert(tries[k] <= (RETRIES + 1) * (1 + REDRIVES - redrives));
#ifdef POISON
			/* a batch that kills its target takes no other with it */
			assert(k == 0 || disk[k].rows != DEAD);
		/* and is found: one loss at no cost, then those that count */
		assert(last_lease[0] <= RETRIES + 2);
#endif
		}
#ifdef PIPELINE
		/* a stage's output is in exactly when its input is out, and only one of them */
		assert((disk[1].rows != NEW -> 1 : 0) + (disk[2].rows != NEW -> 1 : 0) ==
		    (disk[0].rows == ENDED -> 1 : 0));
#endif
	}
}

inline cut(p)
{
	line[p] = DOWN;
	said[p] = 0;
	if
	:: p == SOURCE -> sent[0] = 0; sent[LAST] = 0
	:: else
	fi;
	do
	:: nempty(in[p]) -> in[p]?_, _, _
	:: nempty(out[p]) -> out[p]?_, _, _
	:: empty(in[p]) && empty(out[p]) -> break
	od
}

/* --- store ----------------------------------------------------------------------------------- */

inline copy(to, from)
{
	to.rows = from.rows;
	to.lease = from.lease;
	to.holder = from.holder;
	to.attempt = from.attempt;
	to.failed = from.failed;
	to.answered = from.answered;
	to.suspect = from.suspect;
	to.told_owed = from.told_owed;
}

inline store_commit()
{
	d_step {
		for (k : 0 .. BATCHES - 1) {
			copy(disk[k], now[k]);
#ifdef PLANT_ATTEMPTS_IN_MEMORY
			disk[k].attempt = 0;
#endif
#ifndef PLANT_LEASES_IN_MEMORY
			disk_lease[k] = last_lease[k];
#endif
			tries[k] = tries[k] + fresh[k];
			fresh[k] = 0;
		}
	}
}

inline may_die()
{
	if
	:: kills > 0 && !is_dead -> kills--; is_dead = 1
	:: true
	fi
}

/* An error that some program could have: a change that is cut in two by a commit. */
inline commit_halfway()
{
	store_commit();
	may_die();
}

inline store_batch_end(b)
{
	now[b].rows = now[b].rows & (DEAD | ENDED);
	now[b].rows = now[b].rows | ENDED;
}

inline store_batch_bury(b)
{
	now[b].rows = now[b].rows & (DEAD | ENDED);
#ifdef PLANT_DEAD_LETTER_IN_TWO_COMMITS
	commit_halfway();
#endif
	if
	:: !is_dead -> now[b].rows = now[b].rows | DEAD
	:: else
	fi
}

/* --- core ------------------------------------------------------------------------------------ */

inline owe(p, frame, b, l)
{
	owed!p, frame, b, l
}

inline mailbox_told(b)
{
	if
	:: IS_FROM_SOURCE(b) ->
		now[b].told_owed = 1;
		if
		:: peer[SOURCE] -> owe(SOURCE, OUTCOME, b, 0)
		:: else
		fi
	:: else
	fi
}

inline mailbox_open()
{
	for (k : 0 .. BATCHES - 1) {
		if
		:: now[k].told_owed -> owe(SOURCE, OUTCOME, k, 0)
		:: else
		fi
	}
}

inline core_seen(b)
{
	now[b].told_owed = 0
}

inline batch_finish(b, end)
{
	late[b] = 0;
	if
	:: end == DEAD -> store_batch_bury(b)
	:: else -> store_batch_end(b)
	fi;
	mailbox_told(b)
}

inline batch_move(b, to)
{
	late[b] = 0;
	now[b].rows = to
}

inline retry_or_bury(b, costs)
{
	if
	:: !costs || now[b].attempt <= RETRIES ->
		batch_move(b, WAITING);
		now[b].failed = costs
	:: else -> batch_finish(b, DEAD)
	fi
}

/* Current: of the latest delivery, until the next one, the end or the dead letter. */
#ifdef PLANT_STALE_LEASE_ACCEPTED
#define answer_find(b, l) IN_CUSTODY(b)
#else
#define answer_find(b, l) (IN_CUSTODY(b) && (l) != 0 && now[b].lease == (l))
#endif

/* A lease that was replaced, or is not given out yet, ends nothing and fails nothing. */
#define CHECK_LEASE(b, l) assert((l) != 0 && (l) == now[b].lease)

inline answer_processed(b, l)
{
	CHECK_LEASE(b, l);
	batch_finish(b, ENDED)
}

inline core_acknowledge(p, status, b, l)
{
	if
	:: answer_find(b, l) && status == PROCESSED ->
		answer_processed(b, l);
		owe(p, ECHO, b, 0)
	:: answer_find(b, l) && status != PROCESSED && now[b].answered	/* a repeat */
	:: answer_find(b, l) && status == TRANSIENT && !now[b].answered ->
		CHECK_LEASE(b, l);
		now[b].answered = 1;
		retry_or_bury(b, 1)
	:: answer_find(b, l) && status == PERMANENT && !now[b].answered ->
		CHECK_LEASE(b, l);
		now[b].answered = 1;
		batch_finish(b, DEAD)
	:: else		/* INT_DELIVERY_005, or an echo: changes nothing */
	fi
}

inline take(p, b, l)
{
	batch_move(b, READY);
	now[b].lease = 0;
	owe(p, RECEIVED, b, 0);
#ifdef PLANT_STAGE_IN_TWO_COMMITS
	commit_halfway();
#endif
	if
	:: l != 0 && !is_dead -> answer_processed(0, l)
	:: else
	fi
}

#ifdef PLANT_NO_DEDUPE
#define check_new(b) (!IN_CUSTODY(b))
#else
#define check_new(b) (now[b].rows == NEW)
#endif

/* `l`: the lease of batch 0, which it completes; 0 where it completes none. */
inline core_offer(p, b, l)
{
	if
	:: !check_new(b) -> owe(p, RECEIVED, b, 0)	/* a duplicate: the state it has reached */
	:: check_new(b) && l != 0 && !answer_find(0, l) -> owe(p, REFUSED, b, l)
	:: check_new(b) && (l == 0 || answer_find(0, l)) -> take(p, b, l)
	fi
}

inline core_leave(p)
{
	peer[p] = 0;
	for (k : 0 .. BATCHES - 1) {
		if
		:: now[k].rows == ASSIGNED && now[k].holder == p ->
			if
#ifdef PLANT_NO_SUSPECTS
			:: true -> retry_or_bury(k, 1)
#else
			:: !now[k].suspect ->		/* at no cost */
				batch_move(k, READY);
				now[k].suspect = 1
#ifdef PLANT_SUSPECTS_FOR_EVER
			:: now[k].suspect -> retry_or_bury(k, 0)
#else
			:: now[k].suspect -> retry_or_bury(k, 1)
#endif
#endif
			fi
		:: else
		fi
	}
}

inline reclaim(p)
{
	for (k : 0 .. BATCHES - 1) {
		if
		:: now[k].rows == ASSIGNED && now[k].holder == p ->
			if
			:: HOLD(p, k) == now[k].lease -> late[k] = 0
			:: else -> batch_move(k, READY)
			fi
		:: else
		fi
	}
}

/* A connection that is still there, as far as the broker knows, is REPLACED: no loss. */
inline core_join(p)
{
	line[p] = UP;
	peer[p] = 1;
	reclaim(p);
	if
	:: p == SOURCE -> mailbox_open()
	:: else
	fi
}

inline core_operate()
{
	if
	:: hand != 0 && now[hand - 1].rows == DEAD ->
		batch_move(hand - 1, READY);
		now[hand - 1].attempt = 0;	/* a budget of its own */
		now[hand - 1].failed = 1;
		now[hand - 1].answered = 0;
		now[hand - 1].lease = 0;
	:: else
	fi;
	hand = 0
}

/* What is due: one timer a batch; its state says which. */
inline deadline_expire(b)
{
	retry_or_bury(b, 1)
}

inline instance_expire_reclaims(b)
{
	batch_move(b, READY)
}

inline retry_release_due(b)
{
	batch_move(b, READY)
}

inline expire()
{
	for (b : 0 .. BATCHES - 1) {
		if
		:: late[b] && now[b].rows == ASSIGNED && peer[now[b].holder] -> deadline_expire(b)
		:: late[b] && now[b].rows == ASSIGNED && !peer[now[b].holder] ->
			instance_expire_reclaims(b)
		:: late[b] && now[b].rows == WAITING -> retry_release_due(b)
		:: else
		fi
	}
}

/* --- dispatch -------------------------------------------------------------------------------- */

inline dispatch_prepare(p, b)
{
	if
	:: now[b].failed || now[b].attempt == 0 -> now[b].attempt++; fresh[b] = 1
	:: else
	fi;
	now[b].failed = 0;
	now[b].answered = 0;
	last_lease[b]++;
	now[b].lease = last_lease[b];
	now[b].holder = p
}

inline assign(p, b)
{
	dispatch_prepare(p, b);
	batch_move(b, ASSIGNED);
	owe(p, DELIVERY, b, last_lease[b])
}

/* How much p holds, and whether a suspect is out: at p, or anywhere at b's target. */
inline look_around(p, b)
{
	held = 0;
	is_with_suspect = 0;
	is_suspect_out = 0;
	for (k : 0 .. BATCHES - 1) {
		if
		:: now[k].rows == ASSIGNED ->
			if
			:: now[k].holder == p ->
				held++;
				is_with_suspect = is_with_suspect | now[k].suspect
			:: else
			fi;
			if
			:: now[k].suspect && IS_TARGET(now[k].holder, b) -> is_suspect_out = 1
			:: else
			fi
		:: else
		fi
	}
}

/* With one instance it is the one that is to become idle; with more, any may be: none is barred. */
inline may_have(p, b)
{
	d_step {
		look_around(p, b);
		may = peer[p] && IS_TARGET(p, b) && !is_with_suspect && held < IN_FLIGHT;
#ifdef PLANT_SUSPECTS_IN_COMPANY
		may = peer[p] && held < IN_FLIGHT;
#else
		may = may && (!now[b].suspect || (held == 0 && !is_suspect_out));
#endif
	}
}

inline dispatch_one(b)
{
	first = 0;
	other = 0;
	for (p : A .. PEERS - 1) {
		may_have(p, b);
		if
		:: may && first == 0 -> first = p
		:: may && first != 0 -> other = p
		:: !may
		fi
	}
	if
	:: first != 0 -> assign(first, b)
	:: other != 0 -> assign(other, b)
	:: else
	fi
}

/* Suspects first: while one waits for the only instance, that gets nothing new. */
inline dispatch()
{
	for (b : 0 .. BATCHES - 1) {
		if
		:: now[b].rows == READY && now[b].suspect -> dispatch_one(b)
		:: else
		fi
	}
	waits = 0;
	for (b : 0 .. BATCHES - 1) {
		waits = waits | (SINKS == 1 && now[b].rows == READY && now[b].suspect)
	}
#ifdef PLANT_SUSPECTS_IN_COMPANY
	waits = 0;
#endif
	for (b : 0 .. BATCHES - 1) {
		if
		:: now[b].rows == READY && !now[b].suspect && !waits -> dispatch_one(b)
		:: else
		fi
	}
	b = 0; p = 0; first = 0; other = 0; held = 0; may = 0; waits = 0;
	is_with_suspect = 0; is_suspect_out = 0
}

/* --- the turn -------------------------------------------------------------------------------- */

inline take_frame(p)
{
	in[p]?what, b, lease;
	if
	:: what == OFFER -> core_offer(p, b, lease)
	:: what == SEEN -> core_seen(b)
	:: what == PROCESSED || what == TRANSIENT || what == PERMANENT ->
		core_acknowledge(p, what, b, lease)
	fi
}

/* Each peer at most one frame a turn: so nobody starves. */
inline sessions_receive()
{
	for (p : 0 .. PEERS - 1) {
		if
		:: line[p] == DOWN && peer[p] -> core_leave(p)
		:: line[p] == HELLO -> core_join(p)
		:: line[p] == UP && nempty(in[p]) -> take_frame(p)
		:: (line[p] == DOWN && !peer[p]) || (line[p] == UP && empty(in[p]))
		fi
	}
}

inline settle_one()
{
	owed?p, what, b, lease;
	if
	:: what == RECEIVED -> acked[b] = 1
	:: what == ECHO -> confirmed[b] = 1
	:: what == DELIVERY ->
		assert(!confirmed[b]);		/* no resurrection */
		assert(lease > top_lease[b]);	/* it names this delivery, and no other ever */
		top_lease[b] = lease
	:: else
	fi;
#ifdef PLANT_NO_MAILBOX
	if
	:: what == OUTCOME -> now[b].told_owed = 0; disk[b].told_owed = 0
	:: else
	fi;
#endif
	if
	:: line[p] == UP && what != ECHO -> assert(nfull(out[p])); out[p]!what, b, lease
	:: else
	fi
}

inline sessions_settle()
{
	do
	:: !is_dead && nempty(owed) -> settle_one(); may_die()
	:: is_dead || empty(owed) -> break
	od
}

/* All connections end with the process; the next one takes back what was assigned. */
inline instance_recover()
{
	d_step {
		is_dead = 0;
		hand = 0;
		do
		:: nempty(owed) -> owed?p, what, b, lease
		:: empty(owed) -> break
		od;
		for (p : 0 .. PEERS - 1) {
			cut(p);
			peer[p] = 0
		}
		for (k : 0 .. BATCHES - 1) {
#ifdef PLANT_DEDUPE_FORGOTTEN_AT_RESTART
			if
			:: disk[k].rows == ENDED -> disk[k].rows = NEW
			:: else
			fi;
#endif
			copy(now[k], disk[k]);
			late[k] = 0;
			last_lease[k] = disk_lease[k];
			fresh[k] = 0
		}
	}
}

inline turn_run()
{
	STEP {
		sessions_receive();
		core_operate();
		expire()
	}
	if
	:: !is_dead -> dispatch()
	:: else
	fi;
#ifdef PLANT_ACK_BEFORE_COMMIT
	sessions_settle();
#endif
	may_die();
	if
	:: !is_dead -> store_commit(); may_die()
	:: else
	fi;
	sessions_settle();
	if
	:: is_dead -> instance_recover()
	:: else
	fi;
	check_disk();
	k = 0; p = 0; b = 0; lease = 0; what = 0
}

#define HAS_NEWS(p) ((line[p] == DOWN && peer[p]) || nempty(in[p]))
#ifdef PIPELINE
#define HAS_WORK (hand || HAS_NEWS(SOURCE) || HAS_NEWS(A) || HAS_NEWS(B) || HAS_NEWS(SINK))
#else
#define HAS_WORK (hand || HAS_NEWS(SOURCE) || HAS_NEWS(A) || HAS_NEWS(B))
#endif
#ifdef POISON
#define RUNS(b) (now[b].rows == WAITING)	/* a target that lives is quick */
#define MAY_COME(p) (line[p] == DOWN && !peer[p])	/* the end arrives before the new HELLO */
#else
#define RUNS(b) (now[b].rows == WAITING || now[b].rows == ASSIGNED)
#define MAY_COME(p) (line[p] == DOWN)
#endif
#define COMES(p) :: cause == CAUSE_COMER && MAY_COME(p) -> line[p] = HELLO
#define FIRES(b) :: cause == CAUSE_TIME && RUNS(b) -> late[b] = 1

/* Why the broker wakes. One process each, so that none of these waits for ever (weak fairness). */
#define CAUSE_FRAME 0
#define CAUSE_COMER 1
#define CAUSE_TIME 2

proctype broker(byte cause)
{
	byte p, b, k, lease, held, first, other;
	bit may, waits, is_with_suspect, is_suspect_out;
	mtype what;

end:	do
	:: atomic {
		if
		:: cause == CAUSE_FRAME && HAS_WORK
		COMES(SOURCE)
		COMES(A)
#ifdef PIPELINE
		COMES(B)
		COMES(SINK)
#elif SINKS > 1
		COMES(B)
#endif
		FIRES(0)
#if BATCHES > 1
		FIRES(1)
#endif
#if BATCHES > 2
		FIRES(2)
#endif
		fi;
		turn_run()
	}
	od
}

active proctype operator()
{
	byte b;

end:	do
	:: atomic {
		redrives > 0 && hand == 0 && (disk[0].rows == DEAD || disk[LAST].rows == DEAD) ->
		redrives--;
		hand = (disk[0].rows == DEAD -> 1 : 2)
	}
	od
}

/* --- the modules ----------------------------------------------------------------------------- */

#define OFFER_ONE(b) \
	:: atomic { \
		IS_FROM_SOURCE(b) && line[SOURCE] == UP && !heard[b] && \
		    !sent[b] && nfull(in[SOURCE]) -> \
		in[SOURCE]!OFFER, b, 0; \
		sent[b] = 1 \
	} \
	:: atomic { \
		line[SOURCE] == UP && heard[b] && repeats > 0 && empty(out[SOURCE]) && \
		    nfull(in[SOURCE]) -> \
		in[SOURCE]!OFFER, b, 0; \
		repeats = repeats - !FOR_EVER \
	}

active proctype source()
{
	byte b;
	mtype what;

end:	do
	OFFER_ONE(0)
#if BATCHES == 2
	OFFER_ONE(1)
#endif
	:: atomic {
		line[SOURCE] == UP && nempty(out[SOURCE]) && nfull(in[SOURCE]) ->
		out[SOURCE]?what, b, _;
		if
		:: what == RECEIVED -> heard[b] = 1
		:: what == RECEIVED && deaths > 0 ->	/* it dies before that is in its log */
			deaths--;
			cut(SOURCE)
		:: what == OUTCOME -> told[b] = 1; in[SOURCE]!SEEN, b, 0
		fi;
		b = 0;
		what = 0
	}
	od
}

inline take_delivery(p)
{
	out[p]?what, b, lease;
	if
	:: what == DELIVERY -> HOLD(p, b) = lease; said[p] = 0
	:: what == RECEIVED -> HOLD(p, 0) = 0; said[p] = 0
	:: what == REFUSED && HOLD(p, 0) == lease -> HOLD(p, 0) = 0; said[p] = 0
	:: what == REFUSED && HOLD(p, 0) != lease
	fi;
	b = 0;
	lease = 0;
	what = 0
}

inline die(p)
{
	cut(p);
	for (b : 0 .. BATCHES - 1) {
		HOLD(p, b) = 0
	}
	b = 0
}

/* The effect and the id beside it are one durable step of the sink's. */
inline work(b)
{
	if
#ifndef PLANT_SINK_WITHOUT_DEDUPE
	:: effect[b]
#endif
	:: !effect[b] -> effect[b] = 1; effects[b]++
#ifdef PLANT_SINK_WITHOUT_DEDUPE
	:: effect[b] -> effects[b]++
#endif
	fi;
#ifdef PIPELINE
	assert(effects[1] + effects[2] <= 1)
#else
	assert(effects[b] <= 1)
#endif
}

#define CAN_ANSWER(p, b) (HOLD(p, b) != 0 && line[p] == UP && nfull(in[p]))
#ifdef POISON
#define IS_POISON(b) ((b) == 0)
#define MAY_REJECT false
#else
#define IS_POISON(b) false
#ifndef MAY_REJECT
#define MAY_REJECT true
#endif
#endif

/* What a sink does with a batch that it holds. */
#define SERVE(p, b) \
	:: atomic { CAN_ANSWER(p, b) && !IS_POISON(b) -> work(b); \
		in[p]!PROCESSED, b, HOLD(p, b); HOLD(p, b) = 0 } \
	:: atomic { CAN_ANSWER(p, b) && MAY_REJECT -> \
		in[p]!TRANSIENT, b, HOLD(p, b); HOLD(p, b) = 0 } \
	:: atomic { CAN_ANSWER(p, b) && MAY_REJECT -> \
		in[p]!PERMANENT, b, HOLD(p, b); HOLD(p, b) = 0 } \
	:: atomic { HOLD(p, b) != 0 && deaths > 0 && !IS_POISON(b) -> work(b); \
		deaths--; die(p) } \
	:: atomic { HOLD(p, b) != 0 && IS_POISON(b) -> die(p) }

proctype sink(byte p)
{
	byte b, lease;
	mtype what;

end:	do
	:: atomic { line[p] == UP && nempty(out[p]) -> take_delivery(p) }
	:: atomic { deaths > 0 && line[p] == UP -> deaths--; die(p) }
	SERVE(p, LAST)
#if BATCHES > 1
	SERVE(p, BATCHES - 2)
#endif
	od
}

/* Its output goes under an id of its own: nothing but the lease keeps the other's out. */
proctype stage(byte p)
{
	byte b, lease;
	mtype what;

end:	do
	:: atomic { line[p] == UP && nempty(out[p]) -> take_delivery(p) }
	:: atomic { deaths > 0 && line[p] == UP -> deaths--; die(p) }
	:: atomic { CAN_ANSWER(p, 0) && !said[p] -> in[p]!OFFER, p, HOLD(p, 0); said[p] = 1 }
	:: atomic { CAN_ANSWER(p, 0) && !said[p] ->
		in[p]!TRANSIENT, 0, HOLD(p, 0); HOLD(p, 0) = 0 }
	od
}

/* Connections break: what is under way is lost, and nobody knows how much that was. */
#define CUT(p) :: atomic { cuts > 0 && line[p] == UP -> cuts--; cut(p) }

active proctype wire()
{
end:	do
	CUT(SOURCE)
	CUT(A)
	CUT(B)
#ifdef PIPELINE
	CUT(SINK)
#endif
	od
}

#define IS_QUIET(b) (!acked[b] || \
	(((disk[b].rows & (DEAD | ENDED)) != 0) && !disk[b].told_owed && \
	(told[b] || !IS_FROM_SOURCE(b))))
#define ARE_ALL_QUIET (IS_QUIET(0) && IS_QUIET(BATCHES / 2) && IS_QUIET(LAST))

/* Nobody can do anything any more: then all that was acked has ended, and its source knows. */
active proctype end_of_all()
{
	timeout -> assert(ARE_ALL_QUIET && acked[0] && (acked[LAST] || !IS_FROM_SOURCE(LAST)))
}

init
{
	atomic {
		run broker(CAUSE_FRAME);
		run broker(CAUSE_COMER);
		run broker(CAUSE_TIME);
#ifdef PIPELINE
		run stage(A);
		run stage(B);
		run sink(SINK)
#else
		run sink(A);
		if
		:: SINKS > 1 -> run sink(B)
		:: else
		fi
#endif
	}
}

#ifdef FAIR
/* Acked leads to ended or dead, and that to the source's knowing it: for ever. */
ltl served { [] (acked[0] -> <> (told[0] && ((disk[0].rows & (DEAD | ENDED)) != 0))) }
#endif
