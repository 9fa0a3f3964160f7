/*
 * verdicts.c - what our validator says of many inputs, for one in another language to compare:
 * fuzz-verdicts <INPUTS
 *
 * Reads inputs behind their length (four bytes, big-endian); writes for each a line "VERDICT SIZE".
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/frame.h"
#include "wire/mpcheck.h"

int main(void)
{
	static const char *const names[] = { "ok", "truncated", "reserved", "deep" };
	uint8_t length[4];

	while (fread(length, 1, sizeof length, stdin) == sizeof length) {
		size_t n = frame_length(length), size = 0;
		uint8_t *p = malloc(n + 1);

		if (p == NULL || fread(p, 1, n, stdin) != n)
			return 1;
		printf("%s", names[mp_item_walk(p, n, 1, &size, NULL)]);
		printf(" %zu\n", size);
		free(p);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
