/* notice.c - what else an instance is owed beside outcomes: the bodies of messages */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "store/internal.h"

/* crc(4), over the key as well, in front of the message's body: as with payloads */
#define NOTICE_HEAD 4

uint64_t store_notice_add(struct store *s, uint32_t instance, const uint8_t *body, size_t n)
{
	uint64_t number = store_next_notice(s);
	struct key k = key_ended(instance, number);
	uint8_t *p = table_reserve(s, TABLE_NOTICE, &k, NOTICE_HEAD + n, 0);

	if (p) {
		uint32_t crc = crc32c(crc32c(0, k.b, k.n), body, n);
		memcpy(p, &crc, NOTICE_HEAD);
		memcpy(p + NOTICE_HEAD, body, n);
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
	memcpy(&crc, p, NOTICE_HEAD);
	return crc == crc32c(crc32c(0, key->mv_data, key->mv_size), p + NOTICE_HEAD,
	    v->mv_size - NOTICE_HEAD);
}

int store_notice_next(struct store *s, uint32_t instance, uint64_t after, uint64_t *number,
    const uint8_t **body, size_t *n)
{
	MDB_val found, v;

	while (after < UINT64_MAX) {
		struct key k = key_ended(instance, after + 1);
		if (!table_seek(s, TABLE_NOTICE, &k, &found, &v) ||
		    memcmp(found.mv_data, k.b, 4) != 0)
			break;
		*number = after = key_get64((const uint8_t *)found.mv_data + 4);
		*body = (const uint8_t *)v.mv_data + NOTICE_HEAD;
		*n = v.mv_size - NOTICE_HEAD;
		if (notice_is_whole(&found, &v))
			return 0;
		log_error("stored notice does not match its checksum", "notice=%llu",
		    (unsigned long long)after);
	}
	return ERR_NOTFOUND;
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
