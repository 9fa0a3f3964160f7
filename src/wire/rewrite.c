/* rewrite.c - a map copied byte for byte, save for a few of its keys */
#include "wire/rewrite.h"

#include "wire/decode_internal.h"

static bool is_dropped(const struct rewrite *r, const struct item *key)
{
	if (r->dropped == NULL || key->head.type != MP_STR)
		return false;
	for (size_t i = 0; r->dropped[i] != NULL; i++)
		if (span_is(item_text(key), r->dropped[i]))
			return true;
	return false;
}

static const struct replacement *replacement_find(const struct rewrite *r, const struct item *key)
{
	if (r->replaced == NULL || key->head.type != MP_STR)
		return NULL;
	for (const struct replacement *x = r->replaced; x->key != NULL; x++)
		if (span_is(item_text(key), x->key))
			return x;
	return NULL;
}

/* How many pairs stay. Each key that must be there is. */
static int count_pairs(const struct item *map, const struct rewrite *r, size_t *pairs)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *end = map->p + map->n;
	const struct replacement *x;
	uint32_t found = 0;
	struct item key, v;

	*pairs = 0;
	for (uint64_t i = 0; i < map->head.count; i++) {
		if (!item_take(&at, end, &key) || !item_take(&at, end, &v))
			return ERR_PROTO;
		if (is_dropped(r, &key))
			continue;
		(*pairs)++;
		x = replacement_find(r, &key);
		if (x != NULL)
			found |= UINT32_C(1) << (x - r->replaced);
	}
	for (x = r->replaced; x != NULL && x->key != NULL; x++)
		if (x->must && (found >> (x - r->replaced) & 1) == 0)
			return ERR_PROTO;
	return 0;
}

static int copy_pairs(struct packer *p, const struct item *map, const struct rewrite *r)
{
	const uint8_t *at = map->p + map->head.size;
	const uint8_t *end = map->p + map->n;
	struct item key, v;
	int rc = 0;

	for (uint64_t i = 0; i < map->head.count && rc == 0; i++) {
		const struct replacement *x;

		if (!item_take(&at, end, &key) || !item_take(&at, end, &v))
			return ERR_PROTO;
		if (is_dropped(r, &key))
			continue;
		buf_put(p->out, key.p, key.n);
		x = replacement_find(r, &key);
		if (x != NULL)
			rc = x->value(p, r->arg, v.p, v.n);
		else
			buf_put(p->out, v.p, v.n);
	}
	return rc;
}

int map_rewrite(struct buf *out, const uint8_t *map, size_t n, const struct rewrite *r)
{
	struct item whole = { .p = map, .n = n };
	struct packer p;
	size_t pairs;
	int rc;

	if (mp_head_read(map, n, &whole.head) != MP_OK || whole.head.type != MP_MAP)
		return ERR_PROTO;
	rc = count_pairs(&whole, r, &pairs);
	if (rc != 0)
		return rc;
	pack_init(&p, out);
	pack_map(&p, pairs);
	rc = copy_pairs(&p, &whole, r);
	if (rc == 0 && out->failed)
		rc = ERR_NOMEM;
	if (rc != 0)
		out->len = p.start;
	return rc;
}
