/* flood.c - a route that would bury everything pauses instead */
#include "core/flood.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"
#include "core/operate.h"
#include "wire/decode.h"

/*
 * What makes a target reject everything for good (a schema that changed, a release gone wrong) is no
 * failure of the single batch, and no circuit sees it: PERMANENT says that the target works. So
 * letters are counted by the target's first error code, or the broker's own where there is none. A
 * window begins with the first letter of its code. Of more codes than there are slots, the one whose
 * window began first is forgotten: a flood has one code.
 */

/* The target's first error code, or the broker's. */
static void code_of(const struct ended *e, char out[FLOOD_CODE_BYTES])
{
	struct stored_error first;
	size_t at = 0;

	if (stored_error_next(e->errors, e->errors_len, &at, &first) && first.code.p)
		snprintf(out, FLOOD_CODE_BYTES, "%.*s", (int)first.code.n, first.code.p);
	else
		snprintf(out, FLOOD_CODE_BYTES, "%s", error_code_info(e->error_code)->name);
}

static struct flood_code *slot_of(struct flood *f, const char *code)
{
	struct flood_code *oldest = &f->codes[0];

	for (size_t n = 0; n < FLOOD_CODES_MAX; n++) {
		struct flood_code *k = &f->codes[n];

		if (k->letters > 0 && strcmp(k->code, code) == 0)
			return k;
		if (oldest->letters > 0 && (k->letters == 0 || k->begun_ms < oldest->begun_ms))
			oldest = k;
	}
	oldest->letters = 0;
	return oldest;
}

static void pause(struct core *c, struct route *r, const struct flood_code *k)
{
	char reason[128];
	const struct hand hand = { "handoffd", reason };

	snprintf(reason, sizeof reason, "%u dead letters with %s within %u ms", k->letters,
	    k->code, c->settings.flood_window_ms);
	core_pause(c, r, true, &hand);
	log_error("route paused: it buried one batch after the other",
	    "route=%s code=%s letters=%u window_ms=%u remedy=%s", r->settings.name,
	    log_quote(k->code, strlen(k->code)), k->letters, c->settings.flood_window_ms,
	    "\"handoffctl dead group, then handoffctl resume\"");
}

void flood_note(struct core *c, struct route *r, const struct ended *e)
{
	struct flood_code *k;
	char code[FLOOD_CODE_BYTES];

	/* whose stored bytes are damaged the target cannot help: the route goes on (section 9) */
	if (c->settings.flood_threshold == 0 || r->control.paused ||
	    e->error_code == INT_STORE_002)
		return;
	code_of(e, code);
	k = slot_of(&r->flood, code);
	if (k->letters > 0 && c->now_ms - k->begun_ms >= c->settings.flood_window_ms)
		k->letters = 0;
	if (k->letters == 0) {
		memcpy(k->code, code, sizeof code);
		k->begun_ms = c->now_ms;
	}
	if (++k->letters < c->settings.flood_threshold)
		return;
	pause(c, r, k);
	memset(&r->flood, 0, sizeof r->flood);
}
