/* config_value.c - sizes, durations, numbers and addresses: text to value and back */
#include "server/config_internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t worth;
};

/* The largest first, so that values are written in the largest unit that fits. */
static const struct unit size_units[] = {
	{ "T", INT64_C(1) << 40 }, { "G", INT64_C(1) << 30 }, { "M", INT64_C(1) << 20 },
	{ "K", INT64_C(1) << 10 }, { "", 1 },
};
static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
	{ "", 1 },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Digits at the front; NULL when there are none or they are too many, else what follows them. */
static const char *read_digits(const char *text, int64_t *value)
{
	const char *at = text;

	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *at - '0', value))
			return NULL;
	return at > text ? at : NULL;
}

static bool read_with_unit(const char *text, const struct unit units[], size_t count,
			   int64_t *value)
{
	const char *name = read_digits(text, value);

	if (name == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, units[i].name) == 0)
			return !__builtin_mul_overflow(*value, units[i].worth, value);
	return false;
}

bool value_count(const char *text, int64_t *value)
{
	const char *rest = read_digits(text, value);

	return rest != NULL && *rest == '\0';
}

bool value_size(const char *text, int64_t *value)
{
	return read_with_unit(text, size_units, COUNT_OF(size_units), value);
}

bool value_duration(const char *text, int64_t *value)
{
	return read_with_unit(text, duration_units, COUNT_OF(duration_units), value);
}

/* Digits with at most one point: no sign, no exponent, no hexadecimal, no infinity. */
bool value_fraction(const char *text, double *value)
{
	size_t whole = strspn(text, "0123456789");
	size_t point = text[whole] == '.';
	size_t part = strspn(text + whole + point, "0123456789");

	if (whole < 1 || (point == 1 && part < 1) || text[whole + point + part] != '\0')
		return false;
	*value = strtod(text, NULL);
	return true;
}

bool value_switch(const char *text, bool *value)
{
	*value = strcmp(text, "true") == 0;
	return *value || strcmp(text, "false") == 0;
}

bool value_address(const char *text, struct config_address *value)
{
	const char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[';
	struct in6_addr ignored;
	size_t len;
	int64_t port;

	if (colon == NULL || !value_count(colon + 1, &port) || port > UINT16_MAX)
		return false;
	len = (size_t)(colon - text);
	if (bracket) {
		if (len < 2 || text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	}
	if (len >= sizeof(value->host))
		return false;
	memcpy(value->host, text, len);
	value->host[len] = '\0';
	value->port = (uint16_t)port;
	return inet_pton(bracket ? AF_INET6 : AF_INET, value->host, &ignored) == 1;
}

static void write_with_unit(int64_t value, const struct unit units[], size_t count, char *out)
{
	size_t i = 0;

	while (i < count - 1 && (value < units[i].worth || value % units[i].worth != 0))
		i++;
	snprintf(out, VALUE_TEXT_BYTES, "%" PRId64 "%s", value / units[i].worth, units[i].name);
}

void value_size_text(int64_t value, char out[VALUE_TEXT_BYTES])
{
	write_with_unit(value, size_units, COUNT_OF(size_units), out);
}

void value_duration_text(int64_t value, char out[VALUE_TEXT_BYTES])
{
	write_with_unit(value, duration_units, COUNT_OF(duration_units), out);
}
