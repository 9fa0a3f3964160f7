/* key.c - the keys of the tables: big-endian numbers, so that bytes sort as numbers do */
#include "store/key.h"

#include <endian.h>
#include <string.h>

static void add(struct key *k, const void *p, size_t n)
{
	memcpy(k->b + k->n, p, n);
	k->n = (uint8_t)(k->n + n);
}

static void add8(struct key *k, uint8_t v)
{
	add(k, &v, sizeof v);
}

static void add32(struct key *k, uint32_t v)
{
	v = htobe32(v);
	add(k, &v, sizeof v);
}

static void add64(struct key *k, uint64_t v)
{
	v = htobe64(v);
	add(k, &v, sizeof v);
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
	add8(&k, (uint8_t)class);
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
	add(&k, batch_id->b, sizeof batch_id->b);
	return k;
}

struct key key_error_by(uint8_t index, uint64_t hash, uint64_t number)
{
	struct key k = { .n = 0 };

	add8(&k, index);
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
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

uint64_t key_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return be64toh(v);
}
