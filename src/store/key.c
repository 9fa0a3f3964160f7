/* key.c - the keys of the tables: big-endian numbers, so that bytes sort as numbers do */
#include "store/key.h"

#include <string.h>

static void add32(struct key *k, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		k->b[k->n++] = (uint8_t)(v >> shift);
}

static void add64(struct key *k, uint64_t v)
{
	add32(k, (uint32_t)(v >> 32));
	add32(k, (uint32_t)v);
}

struct key key_id(uint64_t id)
{
	struct key k = { .n = 0 };

	add64(&k, id);
	return k;
}

struct key key_queue(uint32_t route, enum queue_class class, uint64_t id)
{
	struct key k = { .n = 0 };

	add32(&k, route);
	k.b[k.n++] = (uint8_t)class;
	add64(&k, id);
	return k;
}

struct key key_due(uint64_t time_ms, uint32_t route, uint64_t id)
{
	struct key k = { .n = 0 };

	add64(&k, time_ms);
	add32(&k, route);
	add64(&k, id);
	return k;
}

struct key key_series(uint32_t route, uint32_t instance, uint64_t id)
{
	struct key k = { .n = 0 };

	add32(&k, route);
	add32(&k, instance);
	add64(&k, id);
	return k;
}

struct key key_line(uint64_t id, uint32_t number)
{
	struct key k = { .n = 0 };

	add64(&k, id);
	add32(&k, number);
	return k;
}

struct key key_record(uint64_t id, uint64_t hash)
{
	struct key k = { .n = 0 };

	add64(&k, id);
	add64(&k, hash);
	return k;
}

struct key key_route_id(uint32_t route, uint64_t id)
{
	struct key k = { .n = 0 };

	add32(&k, route);
	add64(&k, id);
	return k;
}

struct key key_ended(uint32_t source, uint64_t notice)
{
	return key_route_id(source, notice);
}

struct key key_identity(uint32_t route, const struct uuid *batch_id)
{
	struct key k = { .n = 0 };

	add32(&k, route);
	memcpy(k.b + k.n, batch_id->b, sizeof batch_id->b);
	k.n = (uint8_t)(k.n + sizeof batch_id->b);
	return k;
}

struct key key_error_by(uint8_t index, uint64_t hash, uint64_t number)
{
	struct key k = { .n = 0 };

	k.b[k.n++] = index;
	add64(&k, hash);
	add64(&k, number);
	return k;
}

struct key key_pair(uint32_t a, uint32_t b)
{
	struct key k = { .n = 0 };

	add32(&k, a);
	add32(&k, b);
	return k;
}

struct key key_number(uint32_t number)
{
	struct key k = { .n = 0 };

	add32(&k, number);
	return k;
}

uint32_t key_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t key_get64(const uint8_t *p)
{
	return (uint64_t)key_get32(p) << 32 | key_get32(p + 4);
}
