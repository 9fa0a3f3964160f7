/* report.c - errors that the caller tells of, and what is to be done: ERROR_NOTIFICATION */
#include <string.h>

#include "client/ids.h"
#include "client/internal.h"
#include "wire/text.h"

/* The wire's and the library's are listed in the same order. */
_Static_assert((int)HANDOFF_MODULE == (int)SCOPE_MODULE &&
    (int)HANDOFF_PIPELINE == (int)SCOPE_PIPELINE &&
    (int)HANDOFF_ACTION_HALT == (int)ACTION_HALT &&
    (int)HANDOFF_ACTION_INVESTIGATE == (int)ACTION_INVESTIGATE, "the same numbers");

static bool is_sound(const struct handoff_error *error)
{
	const char *correlation_id = error->correlation_id;
	const size_t n = correlation_id != NULL ? strlen(correlation_id) : 1;
	struct uuid id;

	if (error->batch_id != NULL && !uuid_parse(error->batch_id, strlen(error->batch_id), &id))
		return false;
	if (correlation_id != NULL && !text_is_utf8(correlation_id, n))
		return false;
	return n > 0 && n <= CORRELATION_ID_MAX && (unsigned)error->scope <= HANDOFF_PIPELINE &&
	    (error->scope != HANDOFF_RECORD || error->record_id != NULL);
}

static bool encode_one(struct handoff_client *c, struct buf *out, const struct handoff_error *error)
{
	const char *correlation_id = error->correlation_id;
	char made[UUID_TEXT_LEN + 1];
	struct uuid id;

	if (!is_sound(error))
		return false;
	if (correlation_id == NULL) {
		id_make(&id);
		uuid_format(&id, made);
		correlation_id = made;
	}
	return error_encode(c, out, error, (enum scope)error->scope, error->batch_id,
	    correlation_id);
}

static int say(struct handoff_client *c, const struct buf *errors, size_t n,
    enum handoff_action action)
{
	const struct span list = { (const char *)buf_bytes(errors), errors->len };
	struct envelope e;

	if (errors->len + FRAME_OVERHEAD_BYTES > c->max_frame_bytes)
		return HANDOFF_TOO_LARGE;
	client_read_clock(c);
	e = session_envelope(c, NULL);
	encode_report(link_out(c->link), &e, list, n, (enum action_required)action);
	if (link_out(c->link)->failed)
		client_lose(c, "out of memory: a report of %zu errors", n);
	c->has_work = true;
	client_push(c);
	return 0;
}

static bool may_say(size_t n, enum handoff_action action)
{
	return (unsigned)action <= HANDOFF_ACTION_INVESTIGATE && n <= HANDOFF_REPORT_MAX &&
	    (n > 0 || action != HANDOFF_ACTION_NONE);
}

int handoff_report(struct handoff_client *c, const struct handoff_error *errors, size_t n,
    enum handoff_action action)
{
	int result = 0;
	struct buf out;

	if (!may_say(n, action))
		return HANDOFF_INVALID;
	if (c->state == HANDOFF_ENDED || c->state == HANDOFF_CLOSING)
		return HANDOFF_CLOSED;
	if (c->state != HANDOFF_CONNECTED || c->has_said_draining)
		return HANDOFF_NOT_CONNECTED;
	if (link_out(c->link)->len >= WRITE_AHEAD_BYTES)
		return HANDOFF_AGAIN;
	buf_init(&out, SIZE_MAX);
	for (size_t k = 0; result == 0 && k < n; k++)
		if (!encode_one(c, &out, &errors[k]))
			result = out.failed ? HANDOFF_NO_MEMORY : HANDOFF_INVALID;
	if (result == 0)
		result = say(c, &out, n, action);
	buf_finish(&out);
	return result;
}
