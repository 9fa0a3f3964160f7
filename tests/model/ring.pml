/*
 * ring.pml - three modules in a ring, each both source and target on one connection, all full
 *
 * reliability's hazard: when the broker stops reading from a module because what that has to say
 * finds no room, it does not read its acknowledgments either, and a ring stands still for ever.
 * Every route has a queue of one batch. Module m takes from route m and hands on to route m + 1: as
 * a stage, with `completes`; a batch that has come to its last module is PROCESSED. Each module
 * also begins batches of its own whenever there is room, so that the ring is as full as it can be,
 * and writes what it has to say as fast as the connection takes it.
 *
 *   what happens here                            function                   file
 *   one frame of each peer is taken in           sessions_receive           src/session/sessions.c
 *   a batch comes                                core_offer                 src/core/custody.c
 *   is there room on its route?                  check_route_room           src/core/custody.c
 *   the new batch in, the listed one out         take                       src/core/custody.c
 *   a stage without room is not late             forgive_stage              src/core/custody.c
 *   a target answers                             core_acknowledge           src/core/answer.c
 *   PROCESSED                                    answer_processed           src/core/answer.c
 *   the first batch of a route, to its target    dispatch                   src/core/dispatch.c
 */
#define MODULES 3
#ifndef CAPACITY
#define CAPACITY 1		/* queue_capacity */
#endif
#ifndef MARGIN
#define MARGIN 1		/* stage_margin */
#endif
#ifdef PLANT_NO_STAGE_MARGIN
#undef MARGIN
#define MARGIN 0
#endif
#define HOPS 2
#define NEXT(m) (((m) + 1) % MODULES)

mtype = { OFFER, STAGE, PROCESSED, RECEIVED, REFUSED };

/* A batch is the number of modules that it has still to pass. */
chan queue[MODULES] = [CAPACITY + MARGIN] of { byte };	/* of route m: READY */
byte held[MODULES];		/* what m works on, 0 none: ASSIGNED, so it still fills route m */
chan in[MODULES] = [2] of { mtype };
chan out[MODULES] = [1] of { mtype };
bool is_answered[MODULES];	/* m has said its word about that */
bool ended;			/* some batch has just come to its end */

#define DEPTH(m) (len(queue[m]) + (held[m] != 0 -> 1 : 0))

/* A batch with `completes` may exceed its route's capacity by the margin. */
#define check_route_room(m, is_stage) (DEPTH(m) < CAPACITY + (is_stage -> MARGIN : 0))

inline answer_processed(m)
{
	held[m] = 0
}

inline take(m, hops)
{
	assert(nfull(queue[m]));
	queue[m]!hops
}

/* Its process clock begins anew; deadlines are not part of this model. */
inline forgive_stage(m)
{
	skip
}

inline core_offer(m, is_stage)
{
	if
	:: check_route_room(NEXT(m), is_stage) ->
		if
		:: is_stage -> take(NEXT(m), held[m] - 1); answer_processed(m)
		:: !is_stage -> take(NEXT(m), HOPS)
		fi;
		out[m]!RECEIVED
	:: !check_route_room(NEXT(m), is_stage) -> forgive_stage(m); out[m]!REFUSED
	fi
}

inline core_acknowledge(m)
{
	answer_processed(m);
	ended = true
}

#ifdef PLANT_STOPS_READING_A_FULL_PEER
#define MAY_READ(m) (DEPTH(NEXT(m)) < CAPACITY)
#else
#define MAY_READ(m) true
#endif

/* The broker reads whatever there is: refusing is an answer, not reading is none. */
inline sessions_receive(m)
{
	in[m]?frame;
	if
	:: frame == OFFER -> core_offer(m, false)
	:: frame == STAGE -> core_offer(m, true)
	:: frame == PROCESSED -> core_acknowledge(m)
	fi;
	frame = 0
}

inline dispatch()
{
	for (k : 0 .. MODULES - 1) {
		if
		:: held[k] == 0 && nempty(queue[k]) -> queue[k]?held[k]; is_answered[k] = false
		:: held[k] != 0 || empty(queue[k])
		fi
	}
	k = 0
}

proctype connection(byte m)
{
	mtype frame;
	byte k;

end:	do
	:: atomic {
		nempty(in[m]) && nfull(out[m]) && MAY_READ(m) ->
		ended = false;
		sessions_receive(m);
		dispatch()
	}
	od
}

/* One question at a time; own batches and what it holds take turns. */
proctype module(byte m)
{
	bool is_asked, was_own;
	mtype frame;

	do
	:: atomic {
		!is_asked && nfull(in[m]) && (!was_own || held[m] == 0) ->
		in[m]!OFFER;
		is_asked = true;
		was_own = true
	}
	:: atomic {
		!is_asked && nfull(in[m]) && held[m] > 1 && !is_answered[m] ->
		in[m]!STAGE;
		is_asked = true;
		is_answered[m] = true;
		was_own = false
	}
	:: atomic {		/* goes out behind an offer that has no answer yet */
		nfull(in[m]) && held[m] == 1 && !is_answered[m] ->
		in[m]!PROCESSED;
		is_answered[m] = true;
		was_own = false
	}
	:: atomic {
		nempty(out[m]) ->
		out[m]?frame;
		is_asked = false;
		is_answered[m] = is_answered[m] && held[m] == 1;
		frame = 0
	}
	od
}

init
{
	atomic {
		run connection(0); run connection(1); run connection(2);
		run module(0); run module(1); run module(2)
	}
}

/* However full, something always comes to its end again. */
ltl flows { [] <> ended }
