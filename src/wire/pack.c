/* pack.c - the small parts that messages are encoded from */
#include "wire/pack.h"

#include "wire/frame.h"

void pack_init(struct packer *p, struct buf *out)
{
	p->out = out;
	p->start = out->len;
}

void frame_begin(struct packer *p, struct buf *out)
{
	static const uint8_t room_for_length[FRAME_LENGTH_BYTES];

	pack_init(p, out);
	buf_put(out, room_for_length, sizeof(room_for_length));
}

void frame_end(struct packer *p)
{
	size_t n = p->out->len - p->start - FRAME_LENGTH_BYTES;

	if (!p->out->failed && n > UINT32_MAX)
		p->out->failed = true;
	if (p->out->failed)
		p->out->len = p->start;
	else
		frame_length_put(buf_bytes(p->out) + p->start, (uint32_t)n);
}

void pack_map(struct packer *p, size_t pairs)
{
	uint8_t *to = pack_room(p, pairs);

	if (to != NULL)
		pack_end(p, put_map(to, pairs));
}

void pack_list(struct packer *p, size_t items)
{
	uint8_t *to = pack_room(p, items);

	if (to != NULL)
		pack_end(p, put_list(to, items));
}

void pack_span(struct packer *p, struct span text)
{
	uint8_t *to = pack_room(p, text.n);

	if (to != NULL)
		pack_end(p, put_text(to, text));
}

void pack_integer(struct packer *p, uint64_t value)
{
	uint8_t *to = pack_room(p, 0);

	if (to != NULL)
		pack_end(p, put_integer(to, value));
}

void pack_bytes(struct packer *p, struct span value)
{
	uint8_t *to = pack_room(p, value.n);

	if (to != NULL)
		pack_end(p, put_bytes(to, value));
}

void pack_raw(struct packer *p, struct span raw)
{
	buf_put(p->out, raw.p, raw.n);
}
