/* decode_fault.c - a fault's place, what was expected there, and what was found */
#include "wire/decode_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/text.h"

/* `metadata.batch_id`, `completes.0.status`: keys escaped, and cut when all is too long. */
static void path_format(const struct decoder *d, char *out, size_t room)
{
	const size_t step_room = 8;	/* the least that text_escape() takes */
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < d->depth && len + 1 + step_room <= room; i++) {
		const struct path_step *step = &d->path[i];
		char digits[24];
		struct span text = step->key;

		if (i > 0)
			out[len++] = '.';
		if (text.p == NULL) {
			snprintf(digits, sizeof(digits), "%zu", step->position);
			text = span_of(digits);
		}
		len += text_escape(out + len, room - len, text.p, text.n);
	}
}

bool refuse(struct decoder *d, const char *actual, const char *expected, ...)
{
	char field_name[sizeof(d->fault->field_name)];
	char text[sizeof(d->fault->expected)];
	va_list args;

	path_format(d, field_name, sizeof(field_name));
	va_start(args, expected);
	vsnprintf(text, sizeof(text), expected, args);
	va_end(args);
	fault_set(d->fault, INT_PROTOCOL_005, field_name, "%s", text);
	fault_found(d->fault, span_of(actual));
	return false;
}

const char *item_type_text(const struct item *v)
{
	static const char *const texts[] = {
		[MP_NIL] = "nil",
		[MP_BOOL] = "a boolean",
		[MP_UINT] = "an integer",
		[MP_INT] = "a negative integer",
		[MP_FLOAT] = "a float",
		[MP_STR] = "a string",
		[MP_BIN] = "bytes",
		[MP_ARRAY] = "a list",
		[MP_MAP] = "a map",
		[MP_EXT] = "an extension",
	};

	return texts[v->head.type];
}

/* "one of RECEIVED, PROCESSED, REJECTED", or the one name that is allowed. */
static void names_format(const struct field *f, char *out, size_t room)
{
	uint32_t last = f->max;
	size_t len;

	if (last == 0)
		while (f->names[last + 1].p != NULL)
			last++;
	len = (size_t)snprintf(out, room, "%s%s", last > f->min ? "one of " : "", f->names[f->min].p);
	for (uint32_t i = f->min + 1; i <= last && len < room; i++)
		len += (size_t)snprintf(out + len, room - len, ", %s", f->names[i].p);
}

static void string_format(const struct field *f, char *out, size_t room)
{
	if (f->max == 0)
		snprintf(out, room, "a string, %sin UTF-8", f->min > 0 ? "not empty, " : "");
	else
		snprintf(out, room, "a string of %" PRIu32 " to %" PRIu32 " bytes, in UTF-8",
		    f->min, f->max);
}

/* What a field's value has to be, as a short phrase. */
static void expectation_format(const struct field *f, char *out, size_t room)
{
	static const char *const phrases[] = {
		[FIELD_MODULE] = "a module's name: A-Z, then A-Z, 0-9 or _, at most 32 bytes",
		[FIELD_UUID] = "a UUID of 36 characters",
		[FIELD_DATETIME] = "a date and time in UTC, as 2026-11-20T08:15:30.123456Z",
		[FIELD_FLOAT] = "a number",
		[FIELD_BOOLEAN] = "a boolean",
		[FIELD_BYTES] = "bytes (bin)",
		[FIELD_CHECKSUM] = "64 lower-case hex digits",
		[FIELD_VERSION] = "a semantic version, as 1.0.0",
		[FIELD_MESSAGE_TYPE] = "the name of a message type",
		[FIELD_MAP] = "a map",
		[FIELD_STRINGS] = "a list of strings",
		[FIELD_COUNTS] = "a map of strings to integers",
		[FIELD_READ_BEFORE] = "a map",
		[FIELD_REFUSED] = "no key of this name",
	};

	switch (f->kind) {
	case FIELD_STRING:
		string_format(f, out, room);
		break;
	case FIELD_ENUM:
		names_format(f, out, room);
		break;
	case FIELD_INTEGER:
		snprintf(out, room, "an integer from %" PRIu32 " to %" PRId64, f->min, INT64_MAX);
		break;
	case FIELD_LIST:
		snprintf(out, room, "a list%s", f->min > 0 ? ", not empty" : "");
		break;
	case FIELD_INTEGERS:
		snprintf(out, room, "a list of at most %" PRIu32 " integers", f->max);
		break;
	default:
		snprintf(out, room, "%s", phrases[f->kind]);
		break;
	}
}

/* Whether the item is of the type that the field wants, so that its value is what is wrong. */
static bool is_wrong_value(const struct item *v, const struct field *f)
{
	switch (f->kind) {
	case FIELD_STRING:
	case FIELD_MODULE:
	case FIELD_UUID:
	case FIELD_DATETIME:
	case FIELD_ENUM:
	case FIELD_CHECKSUM:
	case FIELD_VERSION:
	case FIELD_MESSAGE_TYPE:
		return v->head.type == MP_STR;
	case FIELD_INTEGER:
		return v->head.type == MP_UINT || v->head.type == MP_INT;
	default:
		return false;
	}
}

bool refuse_value(struct decoder *d, const struct item *v, const struct field *f)
{
	char expected[sizeof(d->fault->expected)];
	char number[24];

	expectation_format(f, expected, sizeof(expected));
	if (v == NULL)
		return refuse(d, "missing", "%s", expected);
	if (!is_wrong_value(v, f))
		return refuse(d, item_type_text(v), "%s", expected);
	if (v->head.type == MP_STR) {
		refuse(d, "", "%s", expected);
		fault_found(d->fault, item_text(v));
		return false;
	}
	if (v->head.type == MP_UINT)
		snprintf(number, sizeof(number), "%" PRIu64, v->head.count);
	else
		snprintf(number, sizeof(number), "%" PRId64, v->head.number);
	return refuse(d, number, "%s", expected);
}
