/* ids.c - new identifiers, and those of a stage's outputs, which are always the same */
#include "client/ids.h"

#include <string.h>

#include "base/datetime.h"
#include "base/digest.h"
#include "base/rng.h"
#include "client/library.h"
#include "handoff/client.h"

void id_make(struct uuid *id)
{
	uint8_t random[sizeof(id->b)];

	rng_system(random, sizeof(random));
	uuid_make(id, (uint64_t)(datetime_now_us() / 1000), random);
}

void handoff_make_id(char id[HANDOFF_ID_SIZE])
{
	struct uuid u;

	id_make(&u);
	uuid_format(&u, id);
}

/* The first 48 bits, which in ids of ours are the time. */
static uint64_t leading_ms(const struct uuid *u)
{
	uint64_t ms = 0;

	for (unsigned i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms;
}

int handoff_derive_id(const char *batch_id, uint64_t index, char id[HANDOFF_ID_SIZE])
{
	uint8_t input[sizeof(struct uuid) + sizeof(index)], digest[SHA256_BYTES];
	struct uuid from, to;

	library_init();
	if (!uuid_parse(batch_id, strlen(batch_id), &from))
		return HANDOFF_INVALID;
	memcpy(input, from.b, sizeof(from.b));
	for (unsigned i = 0; i < sizeof(index); i++)
		input[sizeof(from.b) + i] = (uint8_t)(index >> (56 - 8 * i));
	sha256(input, sizeof(input), digest);
	uuid_make(&to, leading_ms(&from), digest);
	uuid_format(&to, id);
	return 0;
}
