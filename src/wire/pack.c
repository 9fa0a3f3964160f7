/* pack.c - the small parts that messages are encoded from */
#include "wire/pack.h"

#include <string.h>

#include "base/datetime.h"
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

/* --- heads: the shortest form there is --------------------------------------------------------- */

#define HEAD_BYTES_MAX 9	/* one byte that says what it is, at most eight of number */

/* A byte, and `width` bytes of a number, the highest first. */
static size_t put_number(uint8_t *to, uint8_t byte, uint64_t number, size_t width)
{
	to[0] = byte;
	for (size_t i = 0; i < width; i++)
		to[1 + i] = (uint8_t)(number >> (8 * (width - 1 - i)));
	return 1 + width;
}

/* What a length or count begins with: with the number in it up to `fix_most`, or with it behind. */
struct head_forms {
	uint8_t fix, fix_most;
	uint8_t in_8;		/* 0: no such form */
	uint8_t in_16, in_32;
};
static const struct head_forms str_forms = { 0xa0, 31, 0xd9, 0xda, 0xdb };
static const struct head_forms map_forms = { 0x80, 15, 0, 0xde, 0xdf };
static const struct head_forms list_forms = { 0x90, 15, 0, 0xdc, 0xdd };

static size_t put_head(uint8_t *to, const struct head_forms *f, size_t n)
{
	if (n <= f->fix_most)
		return put_number(to, (uint8_t)(f->fix | n), 0, 0);
	if (n <= UINT8_MAX && f->in_8 != 0)
		return put_number(to, f->in_8, n, 1);
	if (n <= UINT16_MAX)
		return put_number(to, f->in_16, n, 2);
	return put_number(to, f->in_32, n, 4);
}

static size_t put_integer(uint8_t *to, uint64_t value)
{
	if (value <= 0x7f)
		return put_number(to, (uint8_t)value, 0, 0);
	if (value <= UINT8_MAX)
		return put_number(to, 0xcc, value, 1);
	if (value <= UINT16_MAX)
		return put_number(to, 0xcd, value, 2);
	return value <= UINT32_MAX ? put_number(to, 0xce, value, 4)
				   : put_number(to, 0xcf, value, 8);
}

static size_t put_text(uint8_t *to, struct span text)
{
	size_t size = put_head(to, &str_forms, text.n);

	memcpy(to + size, text.p, text.n);
	return size + text.n;
}

/* --- values ----------------------------------------------------------------------------------- */

/* What has no form in MessagePack is refused like what has no room. */
static uint8_t *room_for(struct packer *p, size_t n)
{
	if (n > UINT32_MAX)
		p->out->failed = true;
	return buf_reserve(p->out, n + HEAD_BYTES_MAX);
}

void pack_map(struct packer *p, size_t pairs)
{
	uint8_t *to = room_for(p, pairs);

	if (to != NULL)
		buf_grow(p->out, put_head(to, &map_forms, pairs));
}

void pack_list(struct packer *p, size_t items)
{
	uint8_t *to = room_for(p, items);

	if (to != NULL)
		buf_grow(p->out, put_head(to, &list_forms, items));
}

void pack_span(struct packer *p, struct span text)
{
	uint8_t *to = room_for(p, text.n);

	if (to != NULL)
		buf_grow(p->out, put_text(to, text));
}

void pack_integer(struct packer *p, uint64_t value)
{
	uint8_t *to = room_for(p, 0);

	if (to != NULL)
		buf_grow(p->out, put_integer(to, value));
}

void pack_bytes(struct packer *p, struct span value)
{
	static const struct head_forms forms = { 0, 0, 0xc4, 0xc5, 0xc6 };
	uint8_t *to = room_for(p, value.n);

	if (to == NULL)
		return;
	size_t size = value.n == 0 ? put_number(to, forms.in_8, 0, 1)
				   : put_head(to, &forms, value.n);
	memcpy(to + size, value.p, value.n);
	buf_grow(p->out, size + value.n);
}

void pack_raw(struct packer *p, struct span raw)
{
	buf_put(p->out, raw.p, raw.n);
}

/* --- pairs ------------------------------------------------------------------------------------ */

/* Room for a short key, which is written, and for n bytes of value; *at gets where they go. */
static uint8_t *begin_pair(struct packer *p, struct span key, size_t n, size_t *at)
{
	uint8_t *to = room_for(p, key.n + HEAD_BYTES_MAX + n);

	if (to != NULL)
		*at = put_text(to, key);
	return to;
}

void pack_pair_span(struct packer *p, struct span key, struct span value)
{
	size_t at;
	uint8_t *to = begin_pair(p, key, value.n, &at);

	if (to != NULL)
		buf_grow(p->out, at + put_text(to + at, value));
}

void pack_pair_uuid(struct packer *p, struct span key, const struct uuid *value)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(value, text);
	pack_pair_span(p, key, (struct span){ text, UUID_TEXT_LEN });
}

void pack_pair_datetime(struct packer *p, struct span key, int64_t us)
{
	char text[DATETIME_TEXT_LEN + 1];

	datetime_format(us, text);
	pack_pair_span(p, key, (struct span){ text, DATETIME_TEXT_LEN });
}

void pack_pair_integer(struct packer *p, struct span key, uint64_t value)
{
	size_t at;
	uint8_t *to = begin_pair(p, key, 0, &at);

	if (to != NULL)
		buf_grow(p->out, at + put_integer(to + at, value));
}

void pack_pair_float(struct packer *p, struct span key, double value)
{
	size_t at;
	uint64_t bits;
	uint8_t *to = begin_pair(p, key, 0, &at);

	memcpy(&bits, &value, sizeof(bits));
	if (to != NULL)
		buf_grow(p->out, at + put_number(to + at, 0xcb, bits, 8));
}

void pack_pair_nil(struct packer *p, struct span key)
{
	size_t at;
	uint8_t *to = begin_pair(p, key, 0, &at);

	if (to != NULL)
		buf_grow(p->out, at + put_number(to + at, 0xc0, 0, 0));
}

void pack_pair_boolean(struct packer *p, struct span key, bool value)
{
	size_t at;
	uint8_t *to = begin_pair(p, key, 0, &at);

	if (to != NULL)
		buf_grow(p->out, at + put_number(to + at, value ? 0xc3 : 0xc2, 0, 0));
}
