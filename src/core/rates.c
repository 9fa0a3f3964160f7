/* rates.c - a ring of seconds: cheap to add to, summed when somebody asks */
#include "core/rates.h"

#include <string.h>

static void add(struct tally *to, const struct tally *what)
{
	to->ended += what->ended;
	to->records += what->records;
	to->failed += what->failed;
}

/* The seconds in between were quiet. */
static void advance(struct rates *r, uint64_t second)
{
	if (second - r->second >= RATES_SECONDS)
		memset(r->slots, 0, sizeof r->slots);
	else
		for (uint64_t n = r->second + 1; n <= second; n++)
			memset(&r->slots[n % RATES_SECONDS], 0, sizeof r->slots[0]);
	r->second = second;
}

void rates_note(struct rates *r, uint64_t now_ms, const struct tally *what)
{
	uint64_t second = now_ms / 1000;

	if (second != r->second)
		advance(r, second);
	add(&r->slots[second % RATES_SECONDS], what);
}

struct tally rates_sum(const struct rates *r, uint64_t now_ms)
{
	uint64_t passed = now_ms / 1000 - r->second;
	struct tally sum = { 0 };

	/* slot by slot back from the latest, those that are not too old by now */
	for (uint64_t back = 0; back + passed < RATES_SECONDS && back <= r->second; back++)
		add(&sum, &r->slots[(r->second - back) % RATES_SECONDS]);
	return sum;
}

double tally_error_rate(const struct tally *t)
{
	uint64_t all = t->ended + t->failed;

	return all ? (double)t->failed / (double)all : 0;
}
