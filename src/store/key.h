/* key.h - the keys of the tables: big-endian numbers, so that bytes sort as numbers do */
#ifndef HANDOFF_STORE_KEY_H
#define HANDOFF_STORE_KEY_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/uuid.h"

/*
 *	payload            id(8)
 *	queue              route(4) class(1) id(8)
 *	due, confirm_due   time_ms(8) route(4) id(8)
 *	series             route(4) instance(4) id(8)
 *	dead, confirm      route(4) id(8)
 *	ended              source(4) notice(8)
 *	notice             instance(4) notice(8)
 *	journal            id(8) number(4)
 *	confirm_record     id(8) hash(8)
 *	identity, identity_ended  route(4) batch_id(16)
 *	alias, alias_new   first id(8)
 *	alias_filter       last first id(8)
 *	error, alert       number(8)
 *	error_by           index(1) hash(8) number(8)
 *	sequence           route(4) instance(4)
 *	action             number(8)
 *	instance, route, control, circuit  number(4)
 */
#define KEY_MAX 24

/* Classes of the queue: READY by where it queues, then the other two states. */
enum queue_class {
	QUEUE_READY_CRITICAL = 0,
	QUEUE_READY_NORMAL = 1,
	QUEUE_READY_SUSPECT = 2,
	QUEUE_READY_HELD = 3,
	QUEUE_ASSIGNED = 4,
	QUEUE_WAITING = 5,
	QUEUE_CLASS_COUNT,
};

struct key {
	uint8_t b[KEY_MAX];
	uint8_t n;
};

/* In line: a key is made in its place, number by number, and not copied from where it was made. */
static inline void key_add(struct key *k, const void *p, size_t n)
{
	memcpy(k->b + k->n, p, n);
	k->n = (uint8_t)(k->n + n);
}

static inline void key_add8(struct key *k, uint8_t v)
{
	key_add(k, &v, sizeof v);
}

static inline void key_add32(struct key *k, uint32_t v)
{
	v = htobe32(v);
	key_add(k, &v, sizeof v);
}

static inline void key_add64(struct key *k, uint64_t v)
{
	v = htobe64(v);
	key_add(k, &v, sizeof v);
}

static inline struct key key_id(uint64_t id)
{
	struct key k = { .n = 0 };

	key_add64(&k, id);
	return k;
}

static inline struct key key_queue(uint32_t route, enum queue_class class, uint64_t id)
{
	struct key k = { .n = 0 };

	key_add32(&k, route);
	key_add8(&k, (uint8_t)class);
	key_add64(&k, id);
	return k;
}

static inline struct key key_due(uint64_t time_ms, uint32_t route, uint64_t id)
{
	struct key k = { .n = 0 };

	key_add64(&k, time_ms);
	key_add32(&k, route);
	key_add64(&k, id);
	return k;
}

static inline struct key key_series(uint32_t route, uint32_t instance, uint64_t id)
{
	struct key k = { .n = 0 };

	key_add32(&k, route);
	key_add32(&k, instance);
	key_add64(&k, id);
	return k;
}

static inline struct key key_line(uint64_t id, uint32_t number)
{
	struct key k = { .n = 0 };

	key_add64(&k, id);
	key_add32(&k, number);
	return k;
}

static inline struct key key_record(uint64_t id, uint64_t hash)
{
	struct key k = { .n = 0 };

	key_add64(&k, id);
	key_add64(&k, hash);
	return k;
}

static inline struct key key_route_id(uint32_t route, uint64_t id)
{
	struct key k = { .n = 0 };

	key_add32(&k, route);
	key_add64(&k, id);
	return k;
}

static inline struct key key_ended(uint32_t source, uint64_t notice)
{
	return key_route_id(source, notice);
}

static inline struct key key_identity(uint32_t route, const struct uuid *batch_id)
{
	struct key k = { .n = 0 };

	key_add32(&k, route);
	key_add(&k, batch_id->b, sizeof batch_id->b);
	return k;
}

static inline struct key key_error_by(uint8_t index, uint64_t hash, uint64_t number)
{
	struct key k = { .n = 0 };

	key_add8(&k, index);
	key_add64(&k, hash);
	key_add64(&k, number);
	return k;
}

static inline struct key key_pair(uint32_t a, uint32_t b)
{
	struct key k = { .n = 0 };

	key_add32(&k, a);
	key_add32(&k, b);
	return k;
}

static inline struct key key_number(uint32_t number)
{
	struct key k = { .n = 0 };

	key_add32(&k, number);
	return k;
}

/* Reading back. */
static inline uint32_t key_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

static inline uint64_t key_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return be64toh(v);
}

#endif
