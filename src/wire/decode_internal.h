/*
 * decode_internal.h - what the decoder's files share
 *
 *	decode.c         the order of the checks, and what is saved of a message with a fault
 *	decode_tables.c  what the maps of the protocol page look like: shapes, tables of fields
 *	decode_shape.c   a map is walked against its shape
 *	decode_list.c    the same for lists, and for maps whose keys are content
 *	decode_value.c   one value that is no container
 *	decode_item.c    finding items in bytes that mpcheck has passed
 *	decode_ids.c     what stored bytes say to a person, without judging
 *	decode_fault.c   saying where a fault is, what was expected, what was found
 *
 * No tree is built: its size would be a stranger's choice. What is known is read where it stands,
 * what is not is walked; nothing is believed that is not there.
 */
#ifndef HANDOFF_WIRE_DECODE_INTERNAL_H
#define HANDOFF_WIRE_DECODE_INTERNAL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "wire/decode.h"
#include "wire/mpcheck.h"
#include "wire/spanset.h"

enum field_kind {
	FIELD_STRING,		/* struct span; min..max bytes, max 0: no most */
	FIELD_MODULE,		/* struct span; the form of a module's name */
	FIELD_UUID,		/* struct uuid, somewhere */
	FIELD_DATETIME,		/* int64_t, microseconds since 1970 */
	FIELD_INTEGER,		/* uint64_t; at least min */
	FIELD_FLOAT,		/* double */
	FIELD_BOOLEAN,		/* bool */
	FIELD_BYTES,		/* struct span */
	FIELD_ENUM,		/* an enum by its position in names; min..max of it, max 0: any */
	FIELD_CHECKSUM,		/* uint8_t[32], somewhere */
	FIELD_VERSION,		/* unsigned, somewhere: the major version */
	FIELD_MESSAGE_TYPE,	/* struct span; the name of any type, known or not */
	FIELD_VALUE_KINDS,	/* so far: value_takers[] */
	FIELD_MAP,		/* the struct that shape is for; 0: goes on in this one */
	FIELD_LIST,		/* pointer to const structs that shape is for; min 1: not empty */
	FIELD_INTEGERS,		/* pointer to const uint64_t; at most max of them */
	FIELD_STRINGS,		/* a list; pointer to const struct span, or checked and not kept */
	FIELD_COUNTS,		/* a map of string to integer; checked, not kept */
	FIELD_WALKED,		/* a map, of which nothing is judged */
	FIELD_READ_BEFORE,	/* known, and dealt with elsewhere */
	FIELD_REFUSED,		/* must not be there, not even as nil */
};

/* Where a member is, for `into`, `has`, `count` and `raw`: one more, since 0 means nowhere. */
#define INTO(type, member) (offsetof(struct type, member) + 1)

struct decoder;

struct field {
	struct span name;		/* of less than 32 bytes */
	enum field_kind kind;
	bool optional;			/* may be absent or nil */
	uint16_t into;			/* the value; 0: checked only */
	uint16_t has;			/* a bool, set when the value is there */
	uint16_t count;			/* a size_t: the list's length */
	uint16_t raw;			/* a struct span: the bytes of a map or list, encoded */
	uint32_t min, max;
	const struct span *names;
	const struct shape *shape;
	/* After a list was read: whether its items agree with each other; else the fault. */
	bool (*agree)(struct decoder *d, const void *list, size_t n);
};

struct shape {
	const struct field *fields;
	size_t count;			/* at most 64 */
	size_t size;			/* of the struct, where it stands in lists */
	size_t raw;			/* a struct span: the map's own bytes */
};

/* The longest: completes, its item, errors, its item, context, upstream_errors, its item. */
#define PATH_STEPS_MAX 8

/* One step of a dotted path: a key, or where its p is NULL a position. */
struct path_step {
	struct span key;
	size_t position;
};

/* One item of a frame. */
struct item {
	const uint8_t *p;
	size_t n;
	struct mp_head head;
};

struct decoder {
	enum decode_side side;
	struct arena lists;		/* of the message */
	struct item header;		/* of the frame's map, once it was read */
	struct span_set keys;		/* of the one map whose keys are compared just now */
	struct path_step path[PATH_STEPS_MAX];
	unsigned depth;			/* how many maps and lists are being read, each a step */
	struct fault *fault;		/* the caller's */
};

/*
 * The item at p; false when the bytes up to `end` are none. A container is not walked: its n are
 * all those bytes, until whoever reads it, or item_close(), has found its end.
 */
static inline bool item_open(const uint8_t *p, const uint8_t *end, struct item *v);
bool item_close(struct item *v);
/* Both; *p moves behind it. */
bool item_take(const uint8_t **p, const uint8_t *end, struct item *v);
/* item_open() for any item. */
bool item_open_any(const uint8_t *p, const uint8_t *end, struct item *v);

static inline bool item_open(const uint8_t *p, const uint8_t *end, struct item *v)
{
	const size_t left = (size_t)(end - p);

	v->p = p;
	v->n = left >= 2 ? mp_short_read(p, &v->head) : 0;
	if (v->n > 0)
		return v->n <= left;
	v->n = left;
	return (left > 0 && mp_short_map_read(p, &v->head)) || item_open_any(p, end, v);
}

/* Whether the name in its shortest form, one byte of head, is what stands at `at`: a key. */
static inline bool is_key(const uint8_t *at, const uint8_t *end, struct span name)
{
	return name.n < (size_t)(end - at) && at[0] == (0xa0 | name.n) &&
	       bytes_equal((const char *)at + 1, name.p, name.n);
}

/* A str's, bin's or ext's content. */
static inline struct span item_text(const struct item *v)
{
	return (struct span){ (const char *)v->p + v->head.size, (size_t)v->head.count };
}
/* The value of a key of a map, unjudged; false when `map` is no map or has no such key. */
bool item_find(const struct item *map, const char *key, struct item *v);
/* The string under a key of a map; its p is NULL when there is none. */
struct span item_find_text(const struct item *map, const char *key);
bool item_find_uuid(const struct item *map, const char *key, struct uuid *u);

/*
 * The path to what is looked at. Whoever reads a map or list enters it, says where in it he is
 * before anything can be refused there, and leaves it at its end; after a refusal nobody does.
 */
static inline struct path_step *path_enter(struct decoder *d)
{
	assert(d->depth < PATH_STEPS_MAX);
	return &d->path[d->depth++];
}
static inline void path_at_key(struct decoder *d, struct span key)
{
	d->path[d->depth - 1].key = key;
}
static inline void path_at_position(struct decoder *d, size_t position)
{
	d->path[d->depth - 1] = (struct path_step){ .position = position };
}
static inline void path_leave(struct decoder *d)
{
	d->depth--;
}

/* Sets the fault at the end of the path, INT_PROTOCOL_005. Always false. */
__attribute__((format(printf, 3, 4)))
bool refuse(struct decoder *d, const char *actual, const char *expected, ...);
/* The same for a value: what is expected is what the field's kind says; v NULL: it is missing. */
bool refuse_value(struct decoder *d, const struct item *v, const struct field *f);
/* "nil", "a boolean", "an integer", … */
const char *item_type_text(const struct item *v);

/*
 * Reads a map that is open into the struct at `base`, and sets its n; false with the fault when it
 * does not have the shape.
 */
bool shape_read(struct decoder *d, struct item *map, const struct shape *shape, void *base);
/* The parts of it that other maps share: number of keys, their type, none twice. */
static inline bool check_map(struct decoder *d, const struct item *map);
bool refuse_map(struct decoder *d, const struct item *map);
bool check_key(struct decoder *d, const struct item *key, size_t position);
bool check_keys_differ(struct decoder *d, const struct item *map);

/* One value of the kind that the name says, as shape_read(). */
bool list_read(struct decoder *d, struct item *v, const struct field *f, void *base);
bool integers_read(struct decoder *d, struct item *v, const struct field *f, void *base);
bool strings_read(struct decoder *d, struct item *v, const struct field *f, void *base);
bool counts_read(struct decoder *d, struct item *v, const struct field *f);
/* Whether `completes`, a list of struct message_ack, names each lease once (section 8). */
bool leases_differ(struct decoder *d, const void *list, size_t n);
/* Whether `delivery_results`, a list of struct message_record_delivery, names each record once. */
bool record_ids_differ(struct decoder *d, const void *list, size_t n);
/* One value, by kind: into `to`, where it is not NULL. False when it is none that the field has. */
typedef bool value_taker(const struct item *v, const struct field *f, void *to);
extern value_taker *const value_takers[FIELD_VALUE_KINDS];
static inline bool value_read(struct decoder *d, const struct item *v, const struct field *f,
    void *base);
/* A message_type's position in the names; MESSAGE_UNKNOWN when it has none. */
enum message_type message_type_parse(struct span name);

static inline bool check_map(struct decoder *d, const struct item *map)
{
	return (map->head.type == MP_MAP && map->head.count <= MAP_KEYS_MAX) || refuse_map(d, map);
}

extern const struct shape header_shape;
/* What a message of this type looks like to this side, read into a struct message. */
const struct shape *message_shape(enum message_type type, enum decode_side side);

/* The member that `into` names, which is somewhere. */
static inline void *member(void *base, size_t into)
{
	return (char *)base + (into - 1);
}
/* The same; NULL when it is nowhere. */
static inline void *member_or_null(void *base, size_t into)
{
	return into == 0 ? NULL : member(base, into);
}

static inline bool value_read(struct decoder *d, const struct item *v, const struct field *f,
    void *base)
{
	return value_takers[f->kind](v, f, member_or_null(base, f->into)) ||
	       refuse_value(d, v, f);
}

#endif
