/* decode_ids.c - what stored bytes say to a person: names of a body, errors; without judging */
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

bool stored_error_next(const uint8_t *p, size_t n, size_t *at, struct stored_error *e)
{
	const uint8_t *here;
	struct item map, context;

	*e = (struct stored_error){ 0 };
	if (*at >= n)
		return false;
	here = p + *at;
	if (!item_take(&here, p + n, &map))
		return false;
	*at = (size_t)(here - p);
	e->severity = item_find_text(&map, "severity");
	e->recoverability = item_find_text(&map, "recoverability");
	e->scope = item_find_text(&map, "scope");
	e->code = item_find_text(&map, "error_code");
	e->message = item_find_text(&map, "error_message");
	if (item_find(&map, "context", &context)) {
		e->record_id = item_find_text(&context, "record_id");
		e->field_name = item_find_text(&context, "field_name");
		e->expected_value = item_find_text(&context, "expected_value");
		e->actual_value = item_find_text(&context, "actual_value");
	}
	return true;
}

size_t stored_error_upstream(const uint8_t *p, size_t n, struct span *ids, size_t max)
{
	struct item map, context, list, id;
	const uint8_t *at = p;
	size_t count = 0;

	if (n == 0 || !item_take(&at, p + n, &map) || !item_find(&map, "context", &context) ||
	    !item_find(&context, "upstream_errors", &list) || list.head.type != MP_ARRAY)
		return 0;
	at = list.p + list.head.size;
	for (uint64_t i = 0; i < list.head.count && count < max; i++) {
		if (!item_take(&at, list.p + list.n, &id))
			break;
		if (id.head.type == MP_STR)
			ids[count++] = item_text(&id);
	}
	return count;
}
