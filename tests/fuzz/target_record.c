/*
 * target_record.c - what stands in the store: a record is read back as it was written, or refused
 *
 * The first byte says of which kind the rest is; the lowest bit of the second, whether the checksum
 * at the end is put right before, so that what lies behind it is reached, too.
 */
#include <string.h>

#include "base/digest.h"
#include "fuzz.h"
#include "store/alias_row.h"
#include "store/record.h"

#define CRC_BYTES 4

static uint8_t again[ENDED_RECORD_MAX + 64];

void target_begin(void)
{
}

/* True when the n bytes are taken; writing what they say makes *size bytes in `again`. */
typedef bool read_and_write(const uint8_t *p, size_t n, size_t *size);

#define KIND(name, type)                                                                           \
	static bool try_##name(const uint8_t *p, size_t n, size_t *size)                           \
	{                                                                                          \
		type record;                                                                       \
                                                                                                   \
		memset(&record, 0x5a, sizeof record);                                              \
		if (name##_decode(p, n, &record) != 0)                                             \
			return false;                                                              \
		*size = name##_encode(&record, again);                                             \
		return true;                                                                       \
	}
KIND(batch, struct batch)
KIND(counters, struct route_counters)
KIND(instance, struct instance_record)
KIND(journal_line, struct journal_line)
KIND(action, struct action)
KIND(route_control, struct route_control)
KIND(confirmation, struct confirmation)

/* What it borrows has to lie inside the record. */
static bool try_ended(const uint8_t *p, size_t n, size_t *size)
{
	struct ended e;

	memset(&e, 0x5a, sizeof e);
	if (ended_decode(p, n, &e) != 0)
		return false;
	must(e.errors >= p && e.errors_len <= (size_t)(p + n - e.errors));
	must(e.errors_len <= RECORD_ERRORS_MAX);	/* there is room to write it again */
	*size = ended_encode(&e, again);
	return true;
}

static bool try_alias(const uint8_t *p, size_t n, size_t *size)
{
	const MDB_val v = { n, (void *)(uintptr_t)p };
	struct alias a;

	if (!alias_row_is_whole(&v))
		return false;
	for (size_t at = ALIAS_HEAD_BYTES; at < n - CRC_BYTES; at += ALIAS_ENTRY_BYTES)
		alias_read(p + at, &a);
	*size = 0;
	return true;
}

static bool try_filter(const uint8_t *p, size_t n, size_t *size)
{
	const MDB_val v = { n, (void *)(uintptr_t)p };
	const struct alias_query q = alias_query_of("0123456789abcdef", true);
	struct filter_part part;
	size_t at = 0;

	if (!alias_filter_is_whole(&v))
		return false;
	while (filter_next(p, n, &at, &part))
		(void)filter_matches(&part, &q);
	*size = 0;
	return true;
}

static read_and_write *const kinds[] = {
	try_batch, try_ended, try_counters, try_instance, try_journal_line, try_action,
	try_route_control, try_confirmation, try_alias, try_filter,
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

/* A text with a NUL in it, or flags that nobody has written, are read and not written again. */
static bool is_same(const uint8_t *p, size_t n, size_t size)
{
	return size == n && memcmp(again, p, n) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t record[65536];
	read_and_write *kind;
	size_t n, made = 0, remade;
	bool mend;

	if (size < 2 + CRC_BYTES + 1 || size - 2 > sizeof record)
		return 0;
	kind = kinds[data[0] % KIND_COUNT];
	mend = data[1] & 1;
	n = size - 2;
	memcpy(record, data + 2, n);
	if (mend) {
		uint32_t crc = crc32c(0, record, n - CRC_BYTES);

		for (int i = 0; i < CRC_BYTES; i++)
			record[n - CRC_BYTES + (size_t)i] = (uint8_t)(crc >> (8 * i));
	}
	if (!kind(record, n, &made))
		return 0;
	/* Any single bit that flips is noticed. */
	uint8_t *flipped = &record[(size_t)(data[1] >> 1) * n / 128];
	*flipped ^= (uint8_t)(1u << (data[0] & 7));
	must(!kind(record, n, &remade));
	*flipped ^= (uint8_t)(1u << (data[0] & 7));
	if (made == 0 || is_same(record, n, made))
		return 0;
	/* What was written of it is read as the same: once written, it stays. */
	n = made;
	memcpy(record, again, n);
	must(kind(record, n, &made));
	must(is_same(record, n, made));
	return 0;
}
