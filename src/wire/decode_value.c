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
	if (s.n < 1 || s.n > MODULE_NAME_MAX || !is_upper(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_upper(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

/* A name's position between the field's bounds, -1 when it has none there. */
static int name_position(struct span name, const struct field *f)
{
	for (uint64_t i = f->min; f->names[i].p != NULL && (f->max == 0 || i <= f->max); i++)
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

static bool enum_read(struct span text, const struct field *f, unsigned *to)
{
	int position = name_position(text, f);

	if (position >= 0 && to != NULL)
		*to = (unsigned)position;
	return position >= 0;
}

/* The kinds that are a str; `to` NULL: checked only. */
static bool text_read(struct span text, const struct field *f, void *to)
{
	struct uuid uuid;
	int64_t datetime;
	uint8_t checksum[SHA256_BYTES];
	unsigned major;

	switch (f->kind) {
	case FIELD_STRING:
	case FIELD_MESSAGE_TYPE:
		if (text.n < f->min || (f->max > 0 && text.n > f->max) ||
		    !text_is_utf8(text.p, text.n))
			return false;
		if (to != NULL)
			*(struct span *)to = text;
		return true;
	case FIELD_MODULE:
		if (!is_module_name(text))
			return false;
		if (to != NULL)
			*(struct span *)to = text;
		return true;
	case FIELD_UUID:
		return uuid_parse(text.p, text.n, to != NULL ? to : &uuid);
	case FIELD_DATETIME:
		return datetime_parse(text.p, text.n, to != NULL ? to : &datetime);
	case FIELD_CHECKSUM:
		return hex_parse(text.p, text.n, to != NULL ? to : checksum, SHA256_BYTES);
	case FIELD_VERSION:
		return version_parse(text, to != NULL ? to : &major);
	default:
		return enum_read(text, f, to);
	}
}

static bool integer_read(const struct mp_head *h, const struct field *f, uint64_t *to)
{
	if (h->type != MP_UINT || h->count < f->min || h->count > INT64_MAX)
		return false;
	if (to != NULL)
		*to = h->count;
	return true;
}

static bool float_read(const struct mp_head *h, double *to)
{
	double real;

	switch (h->type) {
	case MP_UINT:
		real = (double)h->count;
		break;
	case MP_INT:
		real = (double)h->number;
		break;
	case MP_FLOAT:
		real = h->real;
		break;
	default:
		return false;
	}
	if (to != NULL)
		*to = real;
	return true;
}

static bool boolean_read(const struct mp_head *h, bool *to)
{
	if (h->type != MP_BOOL)
		return false;
	if (to != NULL)
		*to = h->number != 0;
	return true;
}

static bool bytes_read(const struct item *v, struct span *to)
{
	if (v->head.type != MP_BIN)
		return false;
	if (to != NULL)
		*to = item_text(v);
	return true;
}

static bool kind_read(const struct item *v, const struct field *f, void *to)
{
	switch (f->kind) {
	case FIELD_INTEGER:
		return integer_read(&v->head, f, to);
	case FIELD_FLOAT:
		return float_read(&v->head, to);
	case FIELD_BOOLEAN:
		return boolean_read(&v->head, to);
	case FIELD_BYTES:
		return bytes_read(v, to);
	default:
		return v->head.type == MP_STR && text_read(item_text(v), f, to);
	}
}

bool value_read(struct decoder *d, const struct item *v, const struct field *f, void *base)
{
	return kind_read(v, f, member_or_null(base, f->into)) || refuse_value(d, v, f);
}
