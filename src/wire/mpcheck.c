/*
 * mpcheck.c - MessagePack walked as bytes
 *
 * An item is a head and, for str, bin and ext, the content behind it; a container's elements are
 * simply the next items. So whether bytes are well formed needs one counter and no stack:
 *
 *	pending = 1
 *	while pending > 0: read a head; pending += its elements - 1
 *
 * An element takes at least one byte: a container that announces more of them than there are bytes
 * is refused at its head. Only the nesting needs to remember how many elements each open container
 * still waits for, and that is MP_NESTING_MAX numbers on the stack. When the nesting is too deep
 * the walk goes on without it: MP_TOO_DEEP says that everything else is in order.
 */
#include "wire/mpcheck.h"

#include <assert.h>
#include <string.h>

/* What the bytes 0xc0 to 0xdf begin: `width` bytes of number follow, or of count or length. */
static const struct form {
	uint8_t type;
	uint8_t width;
} forms[32] = {
	[0x00] = { MP_NIL, 0 },
	[0x02] = { MP_BOOL, 0 }, [0x03] = { MP_BOOL, 0 },
	[0x04] = { MP_BIN, 1 }, [0x05] = { MP_BIN, 2 }, [0x06] = { MP_BIN, 4 },
	[0x07] = { MP_EXT, 1 }, [0x08] = { MP_EXT, 2 }, [0x09] = { MP_EXT, 4 },
	[0x0a] = { MP_FLOAT, 4 }, [0x0b] = { MP_FLOAT, 8 },
	[0x0c] = { MP_UINT, 1 }, [0x0d] = { MP_UINT, 2 },
	[0x0e] = { MP_UINT, 4 }, [0x0f] = { MP_UINT, 8 },
	[0x10] = { MP_INT, 1 }, [0x11] = { MP_INT, 2 },
	[0x12] = { MP_INT, 4 }, [0x13] = { MP_INT, 8 },
	[0x14] = { MP_EXT, 0 }, [0x15] = { MP_EXT, 0 }, [0x16] = { MP_EXT, 0 },
	[0x17] = { MP_EXT, 0 }, [0x18] = { MP_EXT, 0 },
	[0x19] = { MP_STR, 1 }, [0x1a] = { MP_STR, 2 }, [0x1b] = { MP_STR, 4 },
	[0x1c] = { MP_ARRAY, 2 }, [0x1d] = { MP_ARRAY, 4 },
	[0x1e] = { MP_MAP, 2 }, [0x1f] = { MP_MAP, 4 },
};

static uint64_t read_32(const uint8_t *p)
{
	return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

static uint64_t read_big_endian(const uint8_t *p, unsigned width)
{
	switch (width) {
	case 8:
		return read_32(p) << 32 | read_32(p + 4);
	case 4:
		return read_32(p);
	case 2:
		return (uint64_t)p[0] << 8 | p[1];
	case 1:
		return p[0];
	default:
		return 0;
	}
}

/* A two's complement number of `width` bytes; one that is not negative becomes MP_UINT. */
static void head_set_signed(struct mp_head *h, uint64_t raw, unsigned width)
{
	uint64_t sign;

	assert(width >= 1 && width <= 8);
	sign = UINT64_C(1) << (width * 8 - 1);
	if ((raw & sign) == 0) {
		h->type = MP_UINT;
		h->count = raw;
		return;
	}
	h->type = MP_INT;
	/* Of -1 - x, x is what the inverted bits say, and that never overflows. */
	h->number = -1 - (int64_t)(~raw & (sign - 1));
}

static void head_set_float(struct mp_head *h, uint64_t raw, unsigned width)
{
	if (width == 4) {
		uint32_t bits = (uint32_t)raw;
		float single;

		memcpy(&single, &bits, sizeof(single));
		h->real = (double)single;
	} else {
		memcpy(&h->real, &raw, sizeof(h->real));
	}
}

/* forms[] tells what they are. */
enum mp_verdict mp_head_read_form(const uint8_t *p, size_t n, struct mp_head *h)
{
	const struct form *form = &forms[p[0] - 0xc0];
	unsigned width = form->width;
	uint64_t raw;

	if (p[0] == 0xc1)
		return MP_RESERVED;
	*h = (struct mp_head){ .type = form->type };
	h->size = 1 + (size_t)width + (h->type == MP_EXT);
	if (n < h->size)
		return MP_TRUNCATED;
	raw = read_big_endian(p + 1, width);
	switch (h->type) {
	case MP_BOOL:
		h->number = p[0] == 0xc3;
		break;
	case MP_INT:
		head_set_signed(h, raw, width);
		break;
	case MP_FLOAT:
		head_set_float(h, raw, width);
		break;
	case MP_EXT:
		h->count = width > 0 ? raw : UINT64_C(1) << (p[0] - 0xd4);
		break;
	default:
		h->count = raw;
		break;
	}
	if (h->type == MP_STR || h->type == MP_BIN || h->type == MP_EXT)
		return h->count > n - h->size ? MP_TRUNCATED : MP_OK;
	return MP_OK;
}

/* The containers that are open, the outermost first. */
struct nesting {
	uint64_t waiting[MP_NESTING_MAX];	/* elements still to come */
	unsigned open;
	unsigned room;				/* how many may be open */
	bool too_deep;				/* given up: there were more */
};

/* An item has passed that holds `elements` items (0: none, or no container). */
static void nesting_pass(struct nesting *nest, bool is_container, uint64_t elements)
{
	if (nest->too_deep)
		return;
	if (nest->open > 0)
		nest->waiting[nest->open - 1]--;
	if (is_container && nest->open >= nest->room) {
		nest->too_deep = true;
		return;
	}
	if (elements > 0)
		nest->waiting[nest->open++] = elements;
	while (nest->open > 0 && nest->waiting[nest->open - 1] == 0)
		nest->open--;
}

/*
 * Passes the items of one byte and the short strings that stand at p, up to `most`: of these, keys
 * and long lists are made. Returns how many; *size gets their bytes.
 */
static size_t pass_small(const uint8_t *p, size_t n, uint64_t most, size_t *size)
{
	size_t at = 0;
	size_t passed = 0;

	while (passed < most && at < n) {
		uint8_t byte = p[at];
		size_t len = 1;

		if ((byte & 0xe0) == 0xa0)
			len += byte & 0x1f;
		else if (byte > 0x7f && byte < 0xe0 && byte != 0xc0 && (byte & 0xfe) != 0xc2)
			break;
		if (len > n - at)
			break;
		at += len;
		passed++;
	}
	*size = at;
	return passed;
}

/* The same as mp_item_walk(), for a container. */
static enum mp_verdict container_walk(const uint8_t *p, size_t n, unsigned level, size_t *size,
    size_t *items)
{
	/* Read only up to `open`; zeroing it, as the build does elsewhere, costs more than a walk. */
	__attribute__((uninitialized)) struct nesting nest;
	uint64_t pending = 1;
	size_t at = 0;
	size_t count = 0;

	nest.open = 0;
	nest.room = level <= MP_NESTING_MAX ? MP_NESTING_MAX + 1 - level : 0;
	nest.too_deep = false;
	while (pending > 0) {
		struct mp_head h;
		enum mp_verdict verdict;
		uint64_t elements = 0;

		if (!nest.too_deep && nest.open > 0) {
			/* All but the last of these: that one closes its container below. */
			uint64_t *waiting = &nest.waiting[nest.open - 1];
			size_t bytes;
			size_t passed = pass_small(p + at, n - at, *waiting - 1, &bytes);

			*waiting -= passed;
			pending -= passed;
			at += bytes;
			count += passed;
		}
		verdict = mp_head_read(p + at, n - at, &h);
		if (verdict != MP_OK)
			return verdict;
		at += mp_scalar_size(&h);
		if (mp_is_container(&h))
			elements = h.type == MP_MAP ? 2 * h.count : h.count;
		pending += elements - 1;
		if (pending > n - at)
			return MP_TRUNCATED;
		count++;
		nesting_pass(&nest, mp_is_container(&h), elements);
	}
	*size = at;
	if (items != NULL)
		*items = count;
	return nest.too_deep ? MP_TOO_DEEP : MP_OK;
}

enum mp_verdict mp_item_walk(const uint8_t *p, size_t n, unsigned level, size_t *size,
    size_t *items)
{
	struct mp_head h;
	enum mp_verdict verdict = mp_head_read(p, n, &h);

	if (verdict != MP_OK)
		return verdict;
	/* Most items are no container: they need no memory for their nesting. */
	if (mp_is_container(&h))
		return container_walk(p, n, level, size, items);
	*size = mp_scalar_size(&h);
	if (items != NULL)
		*items = 1;
	return MP_OK;
}

bool mp_is_whole(const uint8_t *p, size_t n)
{
	size_t size;

	return mp_item_walk(p, n, 1, &size, NULL) == MP_OK && size == n;
}
