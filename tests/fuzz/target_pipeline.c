/*
 * target_pipeline.c - the core's life as a list of choices: the simulator, steered by the input
 *
 * Whatever the simulator (tests/sim) would draw by chance, it takes from the input: settings,
 * troubles, who does what, when the broker dies. Its model judges each event, against the real
 * store. At the end of the input troubled times end, and everything must come to its end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "tests/sim/sim.h"

uint64_t __real_rng_below(struct rng *r, uint64_t n);
uint64_t __wrap_rng_below(struct rng *r, uint64_t n);

static struct world world;
static struct choices choices;
static char directory[320];
static int story_fd;

/* Behind the input's end the generator goes on, from a seed that is always the same. */
uint64_t __wrap_rng_below(struct rng *r, uint64_t n)
{
	if (r != &world.rng || choices_left(&choices) == 0) {
		if (r == &world.rng && world.step > 0 && !world.settling)
			world.step = 1000000;	/* the last one */
		return __real_rng_below(r, n);
	}
	return choice_number(&choices, n <= 256 ? 1 : n <= 65536 ? 2 : 4) % n;
}

/* --- what tests/sim/report.c does elsewhere --------------------------------------------------- */

void broke(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dprintf(story_fd, "step %u: ", w->step);
	vdprintf(story_fd, fmt, ap);
	va_end(ap);
	dprintf(story_fd, "\n");
	broken(__FILE__, __LINE__, "the simulator's model");
}

void trace(const struct world *w, const char *fmt, ...)
{
	(void)w;
	(void)fmt;
}

void target_begin(void)
{
	story_fd = dup(STDERR_FILENO);
	snprintf(directory, sizeof directory, "%s/store", fuzz_directory());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	choices = (struct choices){ data, data + size };
	seed_run(&world, 1, directory, false);
	return 0;
}
