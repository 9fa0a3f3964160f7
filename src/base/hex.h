/*
 * hex.h - sixteen bytes at once to hex digits and back, for digest.c and uuid.c
 *
 * Every message has some ids in it. The vectors are the compilers' own (gcc, clang): they become
 * the instructions of any processor that has vectors of sixteen bytes, and loops where it has none.
 */
#ifndef HANDOFF_BASE_HEX_H
#define HANDOFF_BASE_HEX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HEX_BYTES 16
#define HEX_DIGITS 32

typedef uint8_t hex_vector __attribute__((vector_size(HEX_BYTES)));

static inline hex_vector hex_digits_of(hex_vector values)
{
	return values + '0' + ((hex_vector)(values > 9) & ('a' - '9' - 1));
}

/* Lower-case digits, without a NUL. Not shifted: gcc's analyser takes a vector for one number. */
static inline void hex_put(const uint8_t bytes[HEX_BYTES], char out[HEX_DIGITS])
{
	hex_vector v, high, low, front, back;

	memcpy(&v, bytes, sizeof(v));
	high = hex_digits_of(v / 16);
	low = hex_digits_of(v % 16);
	front = __builtin_shufflevector(high, low,
	    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	back = __builtin_shufflevector(high, low,
	    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
	memcpy(out, &front, sizeof(front));
	memcpy(out + sizeof(front), &back, sizeof(back));
}

/* What digits are worth; *right loses its bits where one is none. `fold`: 0x20 for either case. */
static inline hex_vector hex_values_of(hex_vector digits, uint8_t fold, hex_vector *right)
{
	const hex_vector number = digits - '0', letter = (digits | fold) - 'a';
	const hex_vector is_letter = (hex_vector)(letter < 6);

	*right &= (hex_vector)(number < 10) | is_letter;
	return (digits & 15) + (is_letter & 9);
}

/* Reads lower-case digits, or either case; false where one is none: `out` is of no use then. */
static inline bool hex_take(const char digits[HEX_DIGITS], bool either_case,
    uint8_t out[HEX_BYTES])
{
	const uint8_t fold = either_case ? 'a' - 'A' : 0;
	hex_vector front, back, right, bytes;
	uint64_t halves[2];

	memset(&right, 0xff, sizeof(right));
	memcpy(&front, digits, sizeof(front));
	memcpy(&back, digits + sizeof(front), sizeof(back));
	front = hex_values_of(front, fold, &right);
	back = hex_values_of(back, fold, &right);
	bytes = __builtin_shufflevector(front, back,
	    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) * 16;
	bytes |= __builtin_shufflevector(front, back,
	    1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
	memcpy(out, &bytes, sizeof(bytes));
	memcpy(halves, &right, sizeof(right));
	return (halves[0] & halves[1]) == UINT64_MAX;
}

#endif
