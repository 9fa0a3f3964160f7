/* key.h - the keys of the tables: big-endian numbers, so that bytes sort as numbers do */
#ifndef HANDOFF_STORE_KEY_H
#define HANDOFF_STORE_KEY_H

#include <stdint.h>

#include "base/uuid.h"

/*
 *	payload            id(8)
 *	queue              route(4) class(1) id(8)
 *	due                time_ms(8) route(4) id(8)
 *	dead               route(4) id(8)
 *	ended              source(4) notice(8)
 *	identity           route(4) batch_id(16)
 *	sequence           route(4) instance(4)
 *	instance, route    number(4)
 */
#define KEY_MAX 24

/* Classes of the queue: READY by where it queues, then the other two states. */
enum queue_class {
	QUEUE_READY_CRITICAL = 0,
	QUEUE_READY_NORMAL = 1,
	QUEUE_READY_SUSPECT = 2,
	QUEUE_ASSIGNED = 3,
	QUEUE_WAITING = 4,
	QUEUE_CLASS_COUNT,
};

struct key {
	uint8_t b[KEY_MAX];
	uint8_t n;
};

struct key key_id(uint64_t id);
struct key key_queue(uint32_t route, enum queue_class class, uint64_t id);
struct key key_due(uint64_t time_ms, uint32_t route, uint64_t id);
struct key key_route_id(uint32_t route, uint64_t id);
struct key key_ended(uint32_t source, uint64_t notice);
struct key key_identity(uint32_t route, const struct uuid *batch_id);
struct key key_pair(uint32_t a, uint32_t b);
struct key key_number(uint32_t number);

/* Reading back. */
uint32_t key_get32(const uint8_t *p);
uint64_t key_get64(const uint8_t *p);

#endif
