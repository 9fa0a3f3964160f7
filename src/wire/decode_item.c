/* decode_item.c - finding items in the bytes of a frame */
#include "wire/decode_internal.h"

bool item_open_any(const uint8_t *p, const uint8_t *end, struct item *v)
{
	v->p = p;
	v->n = (size_t)(end - p);
	if (mp_head_read(p, v->n, &v->head) != MP_OK)
		return false;
	if (!mp_is_container(&v->head))
		v->n = mp_scalar_size(&v->head);
	return true;
}

bool item_close(struct item *v)
{
	enum mp_verdict verdict;

	if (!mp_is_container(&v->head))
		return true;
	/* Nesting was judged when the frame was walked: what is too deep is passed over. */
	verdict = mp_item_walk(v->p, v->n, 1, &v->n, NULL);
	return verdict == MP_OK || verdict == MP_TOO_DEEP;
}

bool item_take(const uint8_t **p, const uint8_t *end, struct item *v)
{
	if (!item_open(*p, end, v) || !item_close(v))
		return false;
	*p += v->n;
	return true;
}

bool item_find(const struct item *map, const char *key, struct item *v)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *end = map->p + map->n;
	struct item k;

	if (map->head.type != MP_MAP)
		return false;
	for (uint64_t i = 0; i < map->head.count; i++) {
		if (!item_take(&at, end, &k) || !item_take(&at, end, v))
			return false;
		if (k.head.type == MP_STR && span_is(item_text(&k), key))
			return true;
	}
	return false;
}

struct span item_find_text(const struct item *map, const char *key)
{
	struct item v;

	if (item_find(map, key, &v) && v.head.type == MP_STR)
		return item_text(&v);
	return (struct span){ 0 };
}

bool item_find_uuid(const struct item *map, const char *key, struct uuid *u)
{
	struct span text = item_find_text(map, key);

	return text.p != NULL && uuid_parse(text.p, text.n, u);
}
