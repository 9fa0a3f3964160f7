/* nearest.c - "did you mean …": the known name nearest to a mistyped one */
#include "base/nearest.h"

#include <string.h>

#define NAME_MAX_BYTES 64	/* longer words are near to nothing */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that turn `a` into `b`; case is free. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NAME_MAX_BYTES + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *reused = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = lower(a[i - 1]) != lower(b[j - 1]);

			now[j] = least(last[j - 1] + change, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = reused;
	}
	return last[b_len];
}

const char *nearest_word(const char *word, const char *const names[], size_t count)
{
	const size_t word_len = strlen(word);
	const char *nearest = NULL;
	size_t nearest_distance = word_len / 3 + 1;	/* at most a third is wrong */

	if (word_len > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const size_t name_len = strlen(names[i]);
		size_t d;

		if (name_len > NAME_MAX_BYTES)
			continue;
		d = distance(word, word_len, names[i], name_len);
		if (d < nearest_distance || (d == nearest_distance && nearest == NULL)) {
			nearest = names[i];
			nearest_distance = d;
		}
	}
	return nearest;
}
