/* pack.c - the small parts that messages are encoded from */
#include "wire/pack.h"

#include <string.h>

#include "base/datetime.h"
#include "wire/frame.h"

static int write_to_buf(void *data, const char *bytes, size_t n)
{
	struct buf *out = data;

	buf_put(out, bytes, n);
	return out->failed ? -1 : 0;
}

void pack_init(struct packer *p, struct buf *out)
{
	p->out = out;
	p->start = out->len;
	msgpack_packer_init(&p->mp, out, write_to_buf);
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

/* What has no form in MessagePack is refused like what has no room. */
static bool fits(struct packer *p, size_t n)
{
	if (n > UINT32_MAX)
		p->out->failed = true;
	return n <= UINT32_MAX;
}

void pack_map(struct packer *p, size_t pairs)
{
	if (fits(p, pairs))
		msgpack_pack_map(&p->mp, pairs);
}

void pack_list(struct packer *p, size_t items)
{
	if (fits(p, items))
		msgpack_pack_array(&p->mp, items);
}

static void pack_span(struct packer *p, struct span text)
{
	if (!fits(p, text.n))
		return;
	msgpack_pack_str(&p->mp, text.n);
	msgpack_pack_str_body(&p->mp, text.p, text.n);
}

void pack_text(struct packer *p, const char *text)
{
	pack_span(p, span_of(text));
}

void pack_integer(struct packer *p, uint64_t value)
{
	msgpack_pack_uint64(&p->mp, value);
}

void pack_bytes(struct packer *p, struct span value)
{
	if (!fits(p, value.n))
		return;
	msgpack_pack_bin(&p->mp, value.n);
	msgpack_pack_bin_body(&p->mp, value.p, value.n);
}

void pack_raw(struct packer *p, struct span raw)
{
	buf_put(p->out, raw.p, raw.n);
}

void pack_key_text(struct packer *p, const char *key, const char *value)
{
	pack_text(p, key);
	pack_text(p, value);
}

void pack_key_span(struct packer *p, const char *key, struct span value)
{
	pack_text(p, key);
	pack_span(p, value);
}

void pack_key_bytes(struct packer *p, const char *key, struct span value)
{
	pack_text(p, key);
	pack_bytes(p, value);
}

void pack_key_uuid(struct packer *p, const char *key, const struct uuid *value)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(value, text);
	pack_key_text(p, key, text);
}

void pack_key_datetime(struct packer *p, const char *key, int64_t us)
{
	char text[DATETIME_TEXT_LEN + 1];

	datetime_format(us, text);
	pack_key_text(p, key, text);
}

void pack_key_integer(struct packer *p, const char *key, uint64_t value)
{
	pack_text(p, key);
	pack_integer(p, value);
}

void pack_key_float(struct packer *p, const char *key, double value)
{
	pack_text(p, key);
	msgpack_pack_double(&p->mp, value);
}

void pack_key_boolean(struct packer *p, const char *key, bool value)
{
	pack_text(p, key);
	if (value)
		msgpack_pack_true(&p->mp);
	else
		msgpack_pack_false(&p->mp);
}
