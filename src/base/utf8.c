/* utf8.c - characters in a stranger's bytes: which are whole, which may be shown */
#include "base/utf8.h"

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

size_t utf8_shown_length(const char *text, size_t n)
{
	uint32_t code;
	size_t len = utf8_length(text, n, &code);

	return len > 0 && (code < 0x20 || (code >= 0x7f && code <= 0x9f)) ? 0 : len;
}
