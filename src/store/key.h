/* key.h - the keys of the tables: big-endian numbers, so that bytes sort as numbers do */
#ifndef HANDOFF_STORE_KEY_H
#define HANDOFF_STORE_KEY_H

#include <stdint.h>

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

struct key key_id(uint64_t id);
struct key key_queue(uint32_t route, enum queue_class class, uint64_t id);
struct key key_due(uint64_t time_ms, uint32_t route, uint64_t id);
struct key key_series(uint32_t route, uint32_t instance, uint64_t id);
struct key key_line(uint64_t id, uint32_t number);
struct key key_record(uint64_t id, uint64_t hash);
struct key key_route_id(uint32_t route, uint64_t id);
struct key key_ended(uint32_t source, uint64_t notice);
struct key key_identity(uint32_t route, const struct uuid *batch_id);
struct key key_error_by(uint8_t index, uint64_t hash, uint64_t number);
struct key key_pair(uint32_t a, uint32_t b);
struct key key_number(uint32_t number);

/* Reading back. */
uint32_t key_get32(const uint8_t *p);
uint64_t key_get64(const uint8_t *p);

#endif
