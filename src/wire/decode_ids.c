/* decode_ids.c - the names of a stored body, without judging it */
#include "wire/decode_internal.h"

#include "base/datetime.h"

static bool find_datetime(const struct item *map, const char *key, int64_t *us)
{
	struct span text = item_find_text(map, key);

	return text.p != NULL && datetime_parse(text.p, text.n, us);
}

bool frame_header_ids(const uint8_t *body, size_t n, struct header_ids *ids)
{
	struct item map = { .p = body, .n = n };
	struct item part;

	*ids = (struct header_ids){ 0 };
	if (mp_head_read(body, n, &map.head) != MP_OK)
		return false;
	if (item_find(&map, "header", &part)) {
		ids->correlation_id = item_find_text(&part, "correlation_id");
		ids->has_timestamp = find_datetime(&part, "timestamp", &ids->timestamp_us);
		ids->has_message_id = item_find_uuid(&part, "message_id", &ids->message_id);
	}
	if (item_find(&map, "metadata", &part))
		ids->has_created_at = find_datetime(&part, "created_at", &ids->created_at_us);
	return ids->has_message_id;
}
