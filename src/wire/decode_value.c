/* decode_value.c - one value that is no container */
#include "wire/decode_internal.h"

#include <string.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "wire/names.h"
#include "wire/text.h"

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [A-Z][A-Z0-9_]{0,31} */
static bool is_module_name(struct span s)
{
	static const bool may_follow[256] = {
		['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true,
	};

	if (s.n < 1 || s.n > MODULE_NAME_MAX || !is_upper(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!may_follow[(uint8_t)s.p[i]])
			return false;
	return true;
}

/* A name's position between the field's bounds, -1 when it has none there. */
static int name_position(struct span name, const struct field *f)
{
	for (uint32_t i = f->min; f->names[i].p != NULL && (f->max == 0 || i <= f->max); i++)
		if (span_equal(name, f->names[i]))
			return (int)i;
	return -1;
}

enum message_type message_type_parse(struct span name)
{
	for (int i = 0; message_type_names[i].p != NULL; i++)
		if (span_equal(name, message_type_names[i]))
			return (enum message_type)(MESSAGE_HELLO + i);
	return MESSAGE_UNKNOWN;
}

/* One number of a version, at *s, which moves behind it: no leading zero, at most 9 digits. */
static bool take_version_number(struct span *s, unsigned *number)
{
	size_t i = 0;

	*number = 0;
	for (; i < s->n && is_digit(s->p[i]); i++) {
		if (i == 9)
			return false;
		*number = *number * 10 + (unsigned)(s->p[i] - '0');
	}
	if (i == 0 || (i > 1 && s->p[0] == '0'))
		return false;
	*s = (struct span){ s->p + i, s->n - i };
	return true;
}

static bool take_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (struct span){ s->p + 1, s->n - 1 };
	return true;
}

/* The identifiers of a pre-release or build, with dots between them; none is empty. */
static bool take_version_suffix(struct span *s)
{
	do {
		size_t i = 0;

		while (i < s->n && (is_digit(s->p[i]) || is_upper(s->p[i]) || s->p[i] == '-' ||
		    (s->p[i] >= 'a' && s->p[i] <= 'z')))
			i++;
		if (i == 0)
			return false;
		*s = (struct span){ s->p + i, s->n - i };
	} while (take_char(s, '.'));
	return true;
}

/* MAJOR.MINOR.PATCH, perhaps -pre-release, perhaps +build. */
static bool version_parse(struct span s, unsigned *major)
{
	unsigned minor, patch;

	if (!take_version_number(&s, major) || !take_char(&s, '.') ||
	    !take_version_number(&s, &minor) || !take_char(&s, '.') ||
	    !take_version_number(&s, &patch))
		return false;
	if (take_char(&s, '-') && !take_version_suffix(&s))
		return false;
	if (take_char(&s, '+') && !take_version_suffix(&s))
		return false;
	return s.n == 0;
}

static bool is_text(const struct item *v)
{
	return v->head.type == MP_STR;
}

static bool take_version(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	if (!is_text(v) || !span_equal(item_text(v), span_of(PROTOCOL_VERSION)))
		return is_text(v) && version_parse(item_text(v), to);
	*(unsigned *)to = PROTOCOL_MAJOR;
	return true;
}

static bool take_string(const struct item *v, const struct field *f, void *to)
{
	const struct span text = item_text(v);

	if (!is_text(v) || text.n < f->min || (f->max > 0 && text.n > f->max) ||
	    !text_is_utf8(text.p, text.n))
		return false;
	if (to != NULL)
		*(struct span *)to = text;
	return true;
}

static bool take_module(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	if (!is_text(v) || !is_module_name(item_text(v)))
		return false;
	if (to != NULL)
		*(struct span *)to = item_text(v);
	return true;
}

static bool take_uuid(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	return is_text(v) && uuid_parse(item_text(v).p, item_text(v).n, to);
}

static bool take_datetime(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	return is_text(v) && datetime_parse(item_text(v).p, item_text(v).n, to);
}

static bool take_checksum(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	return is_text(v) && hex_parse(item_text(v).p, item_text(v).n, to, SHA256_BYTES);
}

static bool take_enum(const struct item *v, const struct field *f, void *to)
{
	const int position = is_text(v) ? name_position(item_text(v), f) : -1;

	if (position >= 0 && to != NULL)
		*(unsigned *)to = (unsigned)position;
	return position >= 0;
}

static bool take_integer(const struct item *v, const struct field *f, void *to)
{
	if (v->head.type != MP_UINT || v->head.count < f->min || v->head.count > INT64_MAX)
		return false;
	if (to != NULL)
		*(uint64_t *)to = v->head.count;
	return true;
}

static bool take_float(const struct item *v, const struct field *f, void *to)
{
	double real;

	(void)f;
	switch (v->head.type) {
	case MP_UINT:
		real = (double)v->head.count;
		break;
	case MP_INT:
		real = (double)v->head.number;
		break;
	case MP_FLOAT:
		real = v->head.real;
		break;
	default:
		return false;
	}
	if (to != NULL)
		*(double *)to = real;
	return true;
}

static bool take_boolean(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	if (v->head.type != MP_BOOL)
		return false;
	if (to != NULL)
		*(bool *)to = v->head.number != 0;
	return true;
}

static bool take_bytes(const struct item *v, const struct field *f, void *to)
{
	(void)f;
	if (v->head.type != MP_BIN)
		return false;
	if (to != NULL)
		*(struct span *)to = item_text(v);
	return true;
}

value_taker *const value_takers[FIELD_VALUE_KINDS] = {
	[FIELD_STRING] = take_string,
	[FIELD_MODULE] = take_module,
	[FIELD_UUID] = take_uuid,
	[FIELD_DATETIME] = take_datetime,
	[FIELD_INTEGER] = take_integer,
	[FIELD_FLOAT] = take_float,
	[FIELD_BOOLEAN] = take_boolean,
	[FIELD_BYTES] = take_bytes,
	[FIELD_ENUM] = take_enum,
	[FIELD_CHECKSUM] = take_checksum,
	[FIELD_VERSION] = take_version,
	[FIELD_MESSAGE_TYPE] = take_string,
};
