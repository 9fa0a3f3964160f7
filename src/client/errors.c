/* errors.c - IntegrationErrors to the caller and from him */
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "client/ids.h"
#include "client/internal.h"
#include "wire/module_error.h"
#include "wire/text.h"

/* Longest text of an error, in bytes, either way; an id is not cut. */
#define TEXT_MAX 1024

static const enum severity severity_to_wire[] = {
	[HANDOFF_ERROR] = SEVERITY_ERROR,
	[HANDOFF_WARNING] = SEVERITY_WARNING,
	[HANDOFF_CRITICAL] = SEVERITY_CRITICAL,
};
static const enum handoff_severity severity_from_wire[] = {
	[SEVERITY_CRITICAL] = HANDOFF_CRITICAL,
	[SEVERITY_ERROR] = HANDOFF_ERROR,
	[SEVERITY_WARNING] = HANDOFF_WARNING,
};
static const enum recoverability recoverability_to_wire[] = {
	[HANDOFF_TRANSIENT] = RECOVERABILITY_TRANSIENT,
	[HANDOFF_PERMANENT] = RECOVERABILITY_PERMANENT,
	[HANDOFF_UNKNOWN] = RECOVERABILITY_UNKNOWN,
};
static const enum handoff_recoverability recoverability_from_wire[] = {
	[RECOVERABILITY_TRANSIENT] = HANDOFF_TRANSIENT,
	[RECOVERABILITY_PERMANENT] = HANDOFF_PERMANENT,
	[RECOVERABILITY_UNKNOWN] = HANDOFF_UNKNOWN,
};
static const enum handoff_scope scope_from_wire[] = {
	[SCOPE_RECORD] = HANDOFF_RECORD,
	[SCOPE_BATCH] = HANDOFF_BATCH,
	[SCOPE_MODULE] = HANDOFF_MODULE,
	[SCOPE_PIPELINE] = HANDOFF_PIPELINE,
};

/* --- from the caller ------------------------------------------------------------------------- */

/* The text, cut between two characters; what is no UTF-8 is escaped into `room`. */
static struct span cut(const char *text, char room[TEXT_MAX + 1])
{
	size_t n = text != NULL ? strnlen(text, TEXT_MAX + 1) : 0;

	if (text == NULL)
		return (struct span){ 0 };
	if (n > TEXT_MAX)
		for (n = TEXT_MAX; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			;
	if (text_is_utf8(text, n))
		return (struct span){ text, n };
	return (struct span){ room, text_escape(room, TEXT_MAX + 1, text, n) };
}

static struct span span_or(struct span text, const char *otherwise)
{
	return text.p != NULL && text.n > 0 ? text : span_of(otherwise);
}

bool error_encode(struct handoff_client *c, struct buf *out, const struct handoff_error *error,
    enum scope scope, const char *batch_id, const char *correlation_id)
{
	char code[TEXT_MAX + 1], message[TEXT_MAX + 1], field[TEXT_MAX + 1];
	char expected[TEXT_MAX + 1], actual[TEXT_MAX + 1];
	struct module_error_out e = {
		.correlation_id = span_of(correlation_id),
		.timestamp_us = datetime_now_us(),
		.source_module = span_of(c->options->module),
		.scope = scope,
		.batch_id = batch_id != NULL ? span_of(batch_id) : (struct span){ 0 },
		.field_name = cut(error->field_name, field),
		.expected_value = cut(error->expected_value, expected),
		.actual_value = cut(error->actual_value, actual),
	};

	if ((unsigned)error->severity > HANDOFF_CRITICAL ||
	    (unsigned)error->recoverability > HANDOFF_UNKNOWN)
		return false;
	if (error->record_id != NULL) {
		e.record_id = span_of(error->record_id);
		if (!text_is_utf8(e.record_id.p, e.record_id.n))
			return false;
	}
	id_make(&e.error_id);
	e.severity = severity_to_wire[error->severity];
	e.recoverability = recoverability_to_wire[error->recoverability];
	e.code = span_or(cut(error->code, code), "MODULE");
	e.message = span_or(cut(error->message, message), "no reason given");
	encode_module_error(out, &e);
	return !out->failed;
}

/* --- to the caller --------------------------------------------------------------------------- */

static size_t shown_length(struct span text)
{
	size_t n = text.n;

	if (n > TEXT_MAX)
		for (n = TEXT_MAX; n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80; n--)
			;
	return n;
}

/* The texts that are shown, in a fixed order. */
#define SHOWN_TEXTS 8
static void list_texts(const struct message_error *e, struct span texts[SHOWN_TEXTS])
{
	texts[0] = e->error_code;
	texts[1] = e->error_message;
	texts[2] = e->record_id;
	texts[3] = e->field_name;
	texts[4] = e->expected_value;
	texts[5] = e->actual_value;
	texts[6] = e->batch_id;
	texts[7] = e->correlation_id;
}

static size_t texts_size(const struct message_error *errors, size_t n)
{
	struct span texts[SHOWN_TEXTS];
	size_t size = 1;

	for (size_t i = 0; i < n; i++) {
		list_texts(&errors[i], texts);
		for (size_t k = 0; k < SHOWN_TEXTS; k++)
			size += shown_length(texts[k]) + 1;
	}
	return size;
}

/* Copies a text to *at, ended by a NUL, and moves on; NULL when there is none. */
static const char *put_text(char **at, struct span text)
{
	const size_t n = shown_length(text);
	char *start = *at;

	if (text.p == NULL)
		return NULL;
	memcpy(start, text.p, n);
	start[n] = '\0';
	*at = start + n + 1;
	return start;
}

bool errors_copy(const struct message_error *from, size_t n, struct handoff_error **to,
    char **texts)
{
	struct span spans[SHOWN_TEXTS];
	char *at;

	*to = calloc(n, sizeof(**to));
	*texts = at = malloc(texts_size(from, n));
	if (*to == NULL || at == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct handoff_error *e = &(*to)[i];

		list_texts(&from[i], spans);
		e->severity = severity_from_wire[from[i].severity];
		e->recoverability = recoverability_from_wire[from[i].recoverability];
		e->scope = scope_from_wire[from[i].scope];
		e->retry_eligible = from[i].retry_eligible;
		e->code = put_text(&at, spans[0]);
		e->message = put_text(&at, spans[1]);
		e->record_id = put_text(&at, spans[2]);
		e->field_name = put_text(&at, spans[3]);
		e->expected_value = put_text(&at, spans[4]);
		e->actual_value = put_text(&at, spans[5]);
		e->batch_id = put_text(&at, spans[6]);
		e->correlation_id = put_text(&at, spans[7]);
	}
	return true;
}
