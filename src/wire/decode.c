/*
 * decode.c - a frame's body to a struct message
 *
 * In this order, and the first fault ends it:
 *
 *	1. the body is one well-formed map and nothing else, and nested no deeper than allowed;
 *	2. its first key is `header`, and the header's fields are in order;
 *	3. the protocol's major version is ours, the message type is known;
 *	4. the fields of that type, and what may stand beside the header.
 *
 * What is in order is seen to be so by steps 2 to 4 alone: only what is not is walked by step 1,
 * before them, so that its fault is told first. Then the few things that a refusal names are looked
 * for once more, wherever they are.
 */
#include "wire/decode_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "wire/text.h"

struct decoder *decoder_create(enum decode_side side)
{
	struct decoder *d = xcalloc(1, sizeof(*d));

	d->side = side;
	/* So that an ordinary message asks for none. */
	if (!span_set_init(&d->keys, MAP_KEYS_MAX) || arena_take(&d->lists, 1) == NULL)
		fatalx("out of memory: a decoder's set of %d keys refused", MAP_KEYS_MAX);
	return d;
}

void decoder_destroy(struct decoder *d)
{
	if (d == NULL)
		return;
	arena_finish(&d->lists);
	span_set_finish(&d->keys);
	free(d);
}

static bool refuse_frame(struct decoder *d, const char *actual)
{
	fault_set(d->fault, INT_PROTOCOL_001, "", "exactly one MessagePack map");
	fault_found(d->fault, span_of(actual));
	return false;
}

/* Walks the item at *at, level 2, and moves behind it; false with the fault where there is none. */
static bool walk_item(struct decoder *d, const struct item *map, size_t *at, bool *too_deep)
{
	size_t size;

	switch (mp_item_walk(map->p + *at, map->n - *at, 2, &size, NULL)) {
	case MP_TRUNCATED:
		return refuse_frame(d, "a map that is cut short");
	case MP_RESERVED:
		return refuse_frame(d, "a map with the byte 0xc1 in it");
	case MP_TOO_DEEP:
		*too_deep = true;
		break;
	case MP_OK:
		break;
	}
	*at += size;
	return true;
}

static bool refuse_depth(struct decoder *d, const struct item *map, size_t key_at, size_t position)
{
	const uint8_t *at = map->p + key_at;
	struct item key;

	path_enter(d);
	path_at_position(d, position);
	if (item_take(&at, map->p + map->n, &key) && key.head.type == MP_STR)
		path_at_key(d, item_text(&key));
	return refuse(d, "deeper nesting", "at most %d levels of nesting", MP_NESTING_MAX);
}

/*
 * The body is exactly one map. It is walked pair by pair, so that what is nested too deep can be
 * named by its key; but what is no MessagePack, anywhere, is told first: the connection ends then.
 */
static bool check_frame(struct decoder *d, struct item *map)
{
	size_t at, deep_key_at = 0, deep_position = 0;
	bool too_deep = false;

	if (mp_head_read(map->p, map->n, &map->head) != MP_OK)
		return refuse_frame(d, map->n == 0 ? "nothing" : "no MessagePack");
	if (map->head.type != MP_MAP)
		return refuse_frame(d, item_type_text(map));
	at = map->head.size;
	for (size_t i = 0; i < map->head.count; i++) {
		size_t key_at = at;
		bool deep = false;

		if (!walk_item(d, map, &at, &deep) || !walk_item(d, map, &at, &deep))
			return false;
		if (deep && !too_deep) {
			too_deep = true;
			deep_key_at = key_at;
			deep_position = i;
		}
	}
	if (at < map->n)
		return refuse_frame(d, "a map with something after it");
	return !too_deep || refuse_depth(d, map, deep_key_at, deep_position);
}

static bool take_header_key(const uint8_t **at, const uint8_t *end)
{
	const struct span name = span_of("header");
	struct item key;

	if (is_key(*at, end, name)) {
		*at += 1 + name.n;
		return true;
	}
	return item_take(at, end, &key) && key.head.type == MP_STR &&
	       span_equal(item_text(&key), name);
}

/* The first pair is `header` and its map, which is read. */
static bool read_header(struct decoder *d, const struct item *map, struct message_header *h)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *end = map->p + map->n;
	struct item key;

	path_enter(d);
	path_at_key(d, span_of("header"));
	if (map->head.count == 0 || !take_header_key(&at, end))
		return item_find(map, "header", &key)
		    ? refuse(d, "another key before it", "the first key")
		    : refuse(d, "missing", "a map, under the first key");
	if (!item_open(at, end, &d->header) || !shape_read(d, &d->header, &header_shape, h))
		return false;
	path_leave(d);
	h->type = message_type_parse(h->type_text);
	return true;
}

/* The header is in order; is it of our protocol? */
static bool check_protocol(struct decoder *d, const struct item *map,
    const struct message_header *h)
{
	struct item header, version;

	if (h->major != PROTOCOL_MAJOR) {
		fault_set(d->fault, INT_PROTOCOL_003, "header.protocol_version",
		    "a version %d.x.y", PROTOCOL_MAJOR);
		if (item_find(map, "header", &header) &&
		    item_find(&header, "protocol_version", &version))
			fault_found(d->fault, item_text(&version));
		return false;
	}
	if (h->type == MESSAGE_UNKNOWN) {
		fault_set(d->fault, INT_PROTOCOL_004, "header.message_type",
		    "a message type of protocol %s", PROTOCOL_VERSION);
		fault_found(d->fault, h->type_text);
		return false;
	}
	return true;
}

static void begin(struct decoder *d, struct message *m)
{
	memset(m, 0, sizeof(*m));
	d->fault->code = INT_NONE;
	arena_clear(&d->lists);
	d->header.p = NULL;
	d->depth = 0;
}

/* Steps 2 to 4, which look at all that step 1 looks at, and tell another fault first. */
static bool read_message(struct decoder *d, struct item *map, struct message *m)
{
	if (!read_header(d, map, &m->header) || !check_protocol(d, map, &m->header))
		return false;
	if (m->header.type == MESSAGE_HELLO)
		m->hello.mailbox = true;
	return shape_read(d, map, message_shape(m->header.type, d->side), m);
}

static void save_header(const struct item *header, struct message_header *h)
{
	struct span text = item_find_text(header, "correlation_id");

	h->has_message_id = item_find_uuid(header, "message_id", &h->message_id);
	h->has_correlation_id = text.n >= 1 && text.n <= CORRELATION_ID_MAX &&
	    text_is_utf8(text.p, text.n);
	if (h->has_correlation_id)
		h->correlation_id = text;
	h->type_text = item_find_text(header, "message_type");
	h->type = message_type_parse(h->type_text);
}

/* After a fault: what a refusal names, and nothing else of the body. */
static void save_names(const struct item *map, struct message *m)
{
	struct message_header header = m->header;
	struct item part;

	*m = (struct message){ .header = header };
	if (item_find(map, "header", &part))
		save_header(&part, &m->header);
	if (m->header.type == MESSAGE_BATCH_TRANSFER) {
		if (item_find(map, "metadata", &part))
			m->batch.has_batch_id = item_find_uuid(&part, "batch_id",
			    &m->batch.batch_id);
		m->batch.has_delivery = item_find(map, "delivery", &part);
	} else if (m->header.type == MESSAGE_ACKNOWLEDGMENT) {
		if (item_find(map, "payload", &part))
			m->ack.has_batch_id = item_find_uuid(&part, "batch_id", &m->ack.batch_id);
	} else if (m->header.type == MESSAGE_DELIVERY_CONFIRMATION) {
		m->confirmation.has_batch_id = item_find_uuid(map, "batch_id",
		    &m->confirmation.batch_id);
	}
}

int message_decode(struct decoder *d, const uint8_t *body, size_t n, struct message *m,
    struct fault *f)
{
	struct item map = { .p = body, .n = n };

	d->fault = f;
	begin(d, m);
	if (mp_head_read(body, n, &map.head) == MP_OK && map.head.type == MP_MAP &&
	    read_message(d, &map, m) && map.n == n)
		return 0;
	map.n = n;
	begin(d, m);
	if (check_frame(d, &map) && read_message(d, &map, m))
		return 0;
	save_names(&map, m);
	return ERR_PROTO;
}
