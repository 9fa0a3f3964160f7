/* errors.h - a part of sim.h: errors that modules tell, and how all of them do */
#ifndef HANDOFF_SIM_ERRORS_H
#define HANDOFF_SIM_ERRORS_H

#include "sim.h"

/* --- errors.c: the model's error queue -------------------------------------------------------- */

/* A module has told of it, with an action; in an answer about the parcel. */
void errors_hear(struct world *w, int module, int party, const struct message_error *e,
    enum action_required action);
/* INVESTIGATE, without an error: what a person is to look at is one. */
void errors_hear_none(struct world *w, int module, int party);
void errors_hear_answer(struct world *w, int module, int party, int parcel,
    const struct message_ack *a);
/* The broker makes one itself: about a batch; as it refuses an answer (INT_DELIVERY_005). */
void errors_make(struct world *w, int parcel, enum error_code code);
void errors_refuse_answer(struct world *w, int module, int party, const struct message *m);
/* A message is refused, or taken with a warning: the broker is told of it, as by a session. */
void errors_refuse(struct world *w, enum error_code code);
void errors_warn(struct world *w, enum error_code code);
/* May it pass on another notification of the module in this second? Counts it. */
bool errors_may_be_told(struct world *w, int module);
void errors_recover(struct world *w);
struct heard *errors_row(int n);
bool errors_is_alert(const struct heard *h);
/* So many have been told that it is enough for a seed. */
bool errors_are_many(const struct world *w);
/* The broker's own about a batch that ended so; NULL: it is not kept any more. */
const struct heard *errors_end_of(const struct world *w, int parcel, enum error_code code);
/* Those that row `at`, of the broker's own, comes from: the newest first; how many. */
#define ERRORS_LINKED_MAX 32
size_t errors_linked(const struct world *w, int at, const struct heard *out[ERRORS_LINKED_MAX]);

/* --- check_errors.c --------------------------------------------------------------------------- */

/* After each event: what is new is kept, what is gone may be. */
void errors_look(struct world *w);
/* After a turn; the whole queue. */
void errors_check(struct world *w);
void errors_check_store(struct world *w);
bool operator_acknowledge(struct world *w);

/* --- summary.c: BatchErrorSummary ------------------------------------------------------------- */

/* The delivery under that lease has begun: it says of its records what is known. */
void summary_check(struct world *w, int parcel, uint64_t lease);

/* --- tell.c: ERROR_NOTIFICATION --------------------------------------------------------------- */

bool module_tell(struct world *w);
/* A batch is taken from the party. */
void tell_note_batch(struct world *w, int parcel, int party);
/* Its target has asked to be spared. */
bool tell_is_throttled(const struct world *w, int route);
void tell_recover(struct world *w);

/* --- tale.c: what is told --------------------------------------------------------------------- */

/* Its spans are good until the next. */
void tale_draw(struct world *w, const struct actor *a, struct tale *t);

/* --- health.c --------------------------------------------------------------------------------- */

void health_begin(struct world *w, struct connection *c);
void health_on_asked(struct world *w, struct connection *c);
/* Whoever is connected is judged rightly, and was asked in time. */
void health_check(struct world *w);
bool health_speak(struct world *w);
/* A target's own back-pressure says how much it has before it. */
void health_pressed(struct connection *c, uint64_t depth);
/* Everybody who is connected is judged rightly. */
void health_look(struct world *w);
enum health_status health_verdict(const struct world *w, const struct connection *c);

/* --- checkup.c: health reports ---------------------------------------------------------------- */

/* A delivery has failed, or a batch has died without one; a batch was processed. */
void checkup_failed(struct world *w);
void checkup_ended(struct world *w, uint64_t records);
void checkup_recover(struct world *w);
bool checkup_ask(struct world *w);
bool checkup_set(struct world *w);
/* The broker stops, or a commit has failed: its readiness says so. */
void checkup_end(struct world *w, const char *part);

#endif
