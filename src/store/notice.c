/* notice.c - what else an instance is owed beside outcomes: the bodies of messages */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

/* crc(4) for_any(1), then the message's body; the crc is over the key as well, as with payloads */
#define NOTICE_CRC 4
#define NOTICE_HEAD (NOTICE_CRC + 1)

uint64_t store_notice_add(struct store *s, uint32_t instance, bool for_any, const uint8_t *body,
    size_t n)
{
	uint64_t number = store_next_notice(s);
	struct key k = key_ended(instance, number);
	uint8_t *p = table_reserve(s, TABLE_NOTICE, &k, NOTICE_HEAD + n, 0);

	if (p) {
		uint32_t crc = crc32c(0, k.b, k.n);
		p[NOTICE_CRC] = for_any;
		memcpy(p + NOTICE_HEAD, body, n);
		crc = crc32c(crc, p + NOTICE_CRC, 1 + n);
		memcpy(p, &crc, NOTICE_CRC);
		s->meta.history_bytes += row_cost(k.n, NOTICE_HEAD + n);
	}
	return number;
}

bool notice_is_whole(const MDB_val *key, const MDB_val *v)
{
	const uint8_t *p = v->mv_data;
	uint32_t crc;

	if (v->mv_size < NOTICE_HEAD)
		return false;
	memcpy(&crc, p, NOTICE_CRC);
	return crc == crc32c(crc32c(0, key->mv_data, key->mv_size), p + NOTICE_CRC,
	    v->mv_size - NOTICE_CRC);
}

int store_notice_next(struct store *s, uint32_t instance, uint64_t after,
    struct notice_row *row)
{
	MDB_val found, v;

	while (after < UINT64_MAX) {
		struct key k = key_ended(instance, after + 1);
		if (!table_seek(s, TABLE_NOTICE, &k, &found, &v) ||
		    memcmp(found.mv_data, k.b, 4) != 0)
			break;
		after = key_get64((const uint8_t *)found.mv_data + 4);
		if (notice_is_whole(&found, &v)) {
			*row = (struct notice_row){ .number = after,
				.for_any = ((const uint8_t *)v.mv_data)[NOTICE_CRC] != 0,
				.body = (const uint8_t *)v.mv_data + NOTICE_HEAD,
				.n = v.mv_size - NOTICE_HEAD };
			return 0;
		}
		log_error("stored notice does not match its checksum", "notice=%llu",
		    (unsigned long long)after);
	}
	return ERR_NOTFOUND;
}

uint64_t store_notice_move(struct store *s, uint32_t from, const struct notice_row *row,
    uint32_t to)
{
	struct key k = key_ended(from, row->number);
	uint8_t *body = xmalloc(row->n);
	uint64_t number;

	memcpy(body, row->body, row->n);	/* its page may be another's after the next change */
	history_less(s, row_cost(k.n, NOTICE_HEAD + row->n));
	table_del(s, TABLE_NOTICE, &k);
	number = store_notice_add(s, to, row->for_any, body, row->n);
	free(body);
	return number;
}

unsigned store_notice_trim(struct store *s, uint32_t instance, uint64_t until, unsigned most)
{
	struct key from = key_ended(instance, 0);
	unsigned count = 0;
	MDB_val found, v;

	for (; count < most && table_seek(s, TABLE_NOTICE, &from, &found, &v); count++) {
		uint64_t number = key_get64((const uint8_t *)found.mv_data + 4);
		struct key k = key_ended(instance, number);

		if (memcmp(found.mv_data, from.b, 4) != 0 || number > until)
			break;
		history_less(s, row_cost(k.n, v.mv_size));
		table_del(s, TABLE_NOTICE, &k);
	}
	return count;
}
