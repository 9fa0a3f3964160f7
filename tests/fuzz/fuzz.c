/* fuzz.c - what the fuzz targets share */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <sanitizer/allocator_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"

static int story_fd = STDERR_FILENO;

void broken(const char *file, int line, const char *promise)
{
	dprintf(story_fd, "%s:%d: a promise is broken: %s\n", file, line, promise);
	abort();
}

/* --- the input -------------------------------------------------------------------------------- */

uint8_t choice_byte(struct choices *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

uint64_t choice_number(struct choices *in, unsigned width)
{
	uint64_t value = 0;

	for (unsigned n = 0; n < width; n++)
		value |= (uint64_t)choice_byte(in) << (8 * n);
	return value;
}

const uint8_t *choice_bytes(struct choices *in, size_t most, size_t *n)
{
	const uint8_t *p = in->p;

	*n = choices_left(in) < most ? choices_left(in) : most;
	in->p += *n;
	return p;
}

/* --- memory ----------------------------------------------------------------------------------- */

static _Thread_local bool is_counting;	/* libFuzzer has a thread of its own */
static size_t held, peak;

static void on_malloc(const volatile void *p, size_t size)
{
	(void)p;
	(void)size;
	if (!is_counting)
		return;
	held += __sanitizer_get_allocated_size((const void *)p);
	if (held > peak)
		peak = held;
}

/* What was asked for before is given back, too: that is not held by this input. */
static void on_free(const volatile void *p)
{
	size_t size;

	if (!is_counting || p == NULL)
		return;
	size = __sanitizer_get_allocated_size((const void *)p);
	held = held > size ? held - size : 0;
}

void memory_count(void)
{
	static bool is_hooked;

	if (!is_hooked)
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	is_hooked = is_counting = true;
	held = peak = 0;
}

size_t memory_peak(void)
{
	is_counting = false;
	return peak;
}

/* --- the process ------------------------------------------------------------------------------ */

static char directory[256];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void remove_directory(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (*directory != '\0')
		return directory;
	snprintf(directory, sizeof directory, "%s/handoff-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(directory) == NULL)
		broken(__FILE__, __LINE__, "a directory can be made");
	atexit(remove_directory);
	return directory;
}

/* Before libFuzzer closes descriptor 2, which what is tested logs to. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	story_fd = dup(STDERR_FILENO);
	log_init(LOG_LEVEL_WARNING, LOG_FORMAT_JSON);
	digest_init();
	target_begin();
	return 0;
}
