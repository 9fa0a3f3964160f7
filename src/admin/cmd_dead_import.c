/*
 * cmd_dead_import.c - dead import-part, -end, -done: letters from an export, each in slices
 *
 * handoffctl dead import reads the file's lines and says, for each letter, any number of
 * import-part and one import-end, and import-done behind the last. The parts are kept with the
 * connection, within what a frame may have; what is wrong with them is said at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/change.h"
#include "base/base64.h"
#include "base/datetime.h"
#include "wire/decode.h"
#include "wire/frame.h"

/* In the table for who asks for help. */
bool cmd_dead_import(struct admin_job *job)
{
	return job_fail(job, ADMIN_USAGE, "handoffctl reads the file, and says import-part and "
			"import-end for each letter of it");
}

static bool too_long(struct admin_job *job)
{
	return job_fail(job, ADMIN_USAGE, "the letter is larger than max_frame_bytes (%" PRIu32 "), "
			"or its errors than %d bytes", core_max_frame_bytes(job->admin->core),
			RECORD_ERRORS_MAX);
}

bool cmd_dead_import_part(struct admin_job *job)
{
	struct admin_client *c = job->client;
	struct buf *to = job_option(job, "--errors") != NULL ? &c->import_errors : &c->import_frame;
	const char *text = job->arguments[0];

	/* Base64 is decoded by threes. */
	c->import_frame.max = (size_t)core_max_frame_bytes(job->admin->core) + 2;
	c->import_errors.max = RECORD_ERRORS_MAX + 2;
	if (base64_decode(to, text, strlen(text)))
		return false;
	if (to->failed)
		return too_long(job);
	to->failed = true;
	return job_fail(job, ADMIN_USAGE, "that is no base64");
}

/* --- the end of a letter ---------------------------------------------------------------------- */

static bool take_code(struct admin_job *job, struct import *in)
{
	const char *name = job_option(job, "--code");

	for (int i = INT_NONE + 1; name != NULL && i < ERROR_CODE_COUNT; i++)
		if (strcmp(name, error_code_info((enum error_code)i)->name) == 0)
			in->code = (enum error_code)i;
	return name == NULL || in->code != INT_NONE ||
	    job_fail(job, ADMIN_USAGE, "there is no error code \"%.40s\"", name);
}

static bool take_number(struct admin_job *job, const char *option, uint32_t *out)
{
	const char *text = job_option(job, option);
	uint64_t value = 0;

	if (text != NULL && strcmp(text, "0") != 0 && !job_number(job, option, UINT32_MAX, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool take_options(struct admin_job *job, struct import *in)
{
	const char *received = job_option(job, "--received-at"), *parent = job_option(job, "--parent");

	in->derived = job_option(job, "--derived") != NULL;
	in->has_parent = parent != NULL;
	if (received != NULL && !datetime_parse(received, strlen(received), &in->received_at_us))
		return job_fail(job, ADMIN_USAGE, "--received-at takes a time as "
				"2026-11-21T03:14:15Z");
	if (parent != NULL && !uuid_parse(parent, strlen(parent), &in->parent))
		return job_fail(job, ADMIN_USAGE, "--parent takes a batch_id");
	return take_code(job, in) && take_number(job, "--attempts", &in->attempt) &&
	    take_number(job, "--redrives", &in->redrives);
}

/* The target's errors, each whole. */
static bool take_errors(struct admin_job *job, struct import *in)
{
	const struct buf *errors = &job->client->import_errors;
	struct stored_error e;
	size_t at = 0;

	if (errors->len > 0)
		in->errors = (struct span){ (const char *)buf_bytes(errors), errors->len };
	while (stored_error_next((const uint8_t *)in->errors.p, in->errors.n, &at, &e))
		in->error_count++;
	return at == in->errors.n || job_fail(job, ADMIN_USAGE, "damaged: its errors are none");
}

static bool say_fault(struct admin_job *job, const struct fault *f)
{
	return job_fail(job, ADMIN_USAGE, "damaged: its frame is no batch of this protocol: %s%s%s, "
			"found %s", *f->field_name ? f->field_name : "the message",
			*f->expected ? " should be " : "", f->expected,
			*f->actual ? f->actual : "something else");
}

static void import(struct admin_job *job, const struct import *in)
{
	static const enum admin_code codes[] = {
		[OPERATED] = ADMIN_OK, [OPERATED_NOTHING] = ADMIN_NOTHING,
		[OPERATED_NO_ROOM] = ADMIN_NOT_NOW, [OPERATED_NEVER] = ADMIN_USAGE,
	};
	char who[ACTION_WHO_MAX + 1], why[256] = "", id[UUID_TEXT_LEN + 1];
	const struct hand hand = job_hand(job, who);
	const enum operated result = core_import(job->admin->core, in, &hand, why, sizeof(why));

	if (result != OPERATED) {
		job_fail(job, codes[result], "%s%s", result == OPERATED_NEVER ? "damaged, or not for "
			 "here: " : "", why);
		return;
	}
	job->client->imported++;
	uuid_format(&in->message->batch.batch_id, id);
	report_text(&job->report, "imported", id);
}

static void decode_and_import(struct admin_job *job, const struct import *known,
    struct frame *frame)
{
	struct import in = *known;
	struct decoder *d = decoder_create(DECODE_AT_BROKER);
	struct fault f = { .code = INT_NONE };
	struct message m = { .has_notice = false };

	if (message_decode(d, frame->data, frame->len, &m, &f) != 0) {
		say_fault(job, &f);
	} else if (m.header.type != MESSAGE_BATCH_TRANSFER) {
		job_fail(job, ADMIN_USAGE, "damaged: its frame is no BATCH_TRANSFER");
	} else {
		in.message = &m;
		in.frame = frame;
		import(job, &in);
	}
	decoder_destroy(d);
}

static void end_letter(struct admin_job *job)
{
	const struct buf *bytes = &job->client->import_frame;
	struct import in = { .code = INT_NONE };
	struct frame *frame;

	if (bytes->failed || job->client->import_errors.failed) {
		job_fail(job, ADMIN_USAGE, "damaged: a part of it was refused");
		return;
	}
	if (bytes->len > core_max_frame_bytes(job->admin->core)) {
		too_long(job);
		return;
	}
	if (bytes->len == 0) {
		job_fail(job, ADMIN_USAGE, "damaged: it has no frame");
		return;
	}
	if (!take_options(job, &in) || !take_errors(job, &in))
		return;
	frame = frame_create(bytes->len);
	if (frame == NULL) {
		job_fail(job, ADMIN_NOT_NOW, "there is no memory for it");
		return;
	}
	memcpy(frame->data, buf_bytes(bytes), bytes->len);
	frame->len = bytes->len;
	decode_and_import(job, &in, frame);
	frame_unref(frame);
}

bool cmd_dead_import_end(struct admin_job *job)
{
	end_letter(job);
	buf_finish(&job->client->import_frame);
	buf_finish(&job->client->import_errors);
	return false;
}

bool cmd_dead_import_done(struct admin_job *job)
{
	char who[ACTION_WHO_MAX + 1], what[64];
	const struct hand hand = job_hand(job, who);
	uint64_t *n = &job->client->imported;

	report_number(&job->report, "imported", (int64_t)*n);
	if (*n > 0) {
		snprintf(what, sizeof(what), "imported %" PRIu64 " dead letters", *n);
		core_note_action(job->admin->core, JOURNAL_IMPORTED, NULL, NULL, &hand, what);
	}
	*n = 0;
	return false;
}
