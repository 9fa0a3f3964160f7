/* fuzz.h - what the fuzz targets share: promises, the input as a list of choices, memory counted */
#ifndef HANDOFF_FUZZ_FUZZ_H
#define HANDOFF_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A target is a file target_NAME.c with these two functions. It promises more than not to crash:
 * what it promises stands in must().
 */
void target_begin(void);	/* once, before the first input */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);	/* fuzz.c */

/* Ends the process where a promise is broken; libFuzzer keeps the input. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			broken(__FILE__, __LINE__, #condition);                                    \
	} while (0)
__attribute__((noreturn)) void broken(const char *file, int line, const char *promise);

/* The input from its front on; what is not there any more is 0. */
struct choices {
	const uint8_t *p, *end;
};
uint8_t choice_byte(struct choices *in);
uint64_t choice_number(struct choices *in, unsigned width);
/* At most `most` bytes; *n gets how many. */
const uint8_t *choice_bytes(struct choices *in, size_t most, size_t *n);
static inline size_t choices_left(const struct choices *in)
{
	return (size_t)(in->end - in->p);
}

/* Memory asked for since memory_count(): the most at a time, in bytes. */
void memory_count(void);
size_t memory_peak(void);

/* A directory of this process in memory (/dev/shm where there is one), removed at its end. */
const char *fuzz_directory(void);

#endif
