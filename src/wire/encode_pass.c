/* encode_pass.c - a module's own bytes passed on: with a key more, or without some */
#include "wire/encode.h"

#include "base/log.h"
#include "wire/frame.h"
#include "wire/mpcheck.h"
#include "wire/pack.h"
#include "wire/rewrite.h"

/* How many bytes pack_map() takes: the shortest form. */
static size_t map_head_bytes(uint64_t pairs)
{
	if (pairs <= 15)
		return 1;
	return pairs <= UINT16_MAX ? 3 : 5;
}

/* What stands before body[*skip .. n), when the tail has one pair more for its map. */
static void pass_on(struct buf *head, const struct buf *tail, size_t tail_start,
    const uint8_t *body, size_t n, size_t *skip)
{
	uint8_t length[FRAME_LENGTH_BYTES];
	struct packer p;
	struct mp_head map;
	size_t frame;

	if (mp_head_read(body, n, &map) != MP_OK || map.type != MP_MAP)
		fatalx("a message in custody does not begin with a map");
	*skip = map.size;
	frame = map_head_bytes(map.count + 1) + (n - map.size) + (tail->len - tail_start);
	if (tail->failed || frame > UINT32_MAX) {
		head->failed = true;
		return;
	}
	frame_length_put(length, (uint32_t)frame);
	pack_init(&p, head);
	buf_put(head, length, sizeof(length));
	pack_map(&p, (size_t)map.count + 1);
}

void encode_delivery(struct buf *head, struct buf *tail, const uint8_t *body, size_t n,
    size_t *skip, const struct delivery_out *d)
{
	const size_t tail_start = tail->len;
	struct packer p;

	pack_init(&p, tail);
	pack_key_map(&p, "delivery", 5 + (size_t)(d->error_summary.p != NULL));
	pack_key_span(&p, "route", d->route);
	pack_key_integer(&p, "attempt", d->attempt);
	pack_key_boolean(&p, "redelivered", d->redelivered);
	pack_key_integer(&p, "lease", d->lease);
	pack_key_datetime(&p, "received_at", d->received_at_us);
	if (d->error_summary.p != NULL) {
		pack_text(&p, "error_summary");
		pack_raw(&p, d->error_summary);
	}
	pass_on(head, tail, tail_start, body, n, skip);
}

void encode_noticed(struct buf *head, struct buf *tail, const uint8_t *body, size_t n,
    size_t *skip, uint64_t notice)
{
	const size_t tail_start = tail->len;
	struct packer p;

	pack_init(&p, tail);
	pack_key_integer(&p, "notice", notice);
	pass_on(head, tail, tail_start, body, n, skip);
}

int message_strip(struct buf *out, const uint8_t *body, size_t n)
{
	static const char *const dropped[] = { "notice", "seen", "in_reply_to", NULL };

	return map_rewrite(out, body, n, &(struct rewrite){ .dropped = dropped });
}
