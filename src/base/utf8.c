/* utf8.c - characters in a stranger's bytes: which are whole, which may be shown */
#include "base/utf8.h"

#include <stdbool.h>

size_t utf8_length(const char *text, size_t n, uint32_t *code)
{
	const uint8_t *s = (const uint8_t *)text;
	uint32_t value = s[0];
	size_t len = 1;

	if (s[0] >= 0x80) {
		if (s[0] >= 0xc2 && s[0] <= 0xdf)
			len = 2;
		else if (s[0] >= 0xe0 && s[0] <= 0xef)
			len = 3;
		else if (s[0] >= 0xf0 && s[0] <= 0xf4)
			len = 4;
		else
			return 0;
		if (len > n)
			return 0;
		value = s[0] & (0x7fu >> len);
	}
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if ((len == 3 && value < 0x800) || (value >= 0xd800 && value <= 0xdfff) ||
	    (len == 4 && value < 0x10000) || value > 0x10ffff)
		return 0;
	if (code != NULL)
		*code = value;
	return len;
}

static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

/* What turns the direction of writing, or breaks lines, where a reader knows of it. */
static bool is_layout(uint32_t code)
{
	return (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0x061c || code == 0xfeff;
}

size_t utf8_shown_length(const char *text, size_t n)
{
	uint32_t code;
	size_t len = utf8_length(text, n, &code);

	return len > 0 && (is_control(code) || is_layout(code)) ? 0 : len;
}
