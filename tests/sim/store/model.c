/* model.c - the model's lists, and its transactions: a copy of everything */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

static const size_t sizes[KEPT_COUNT] = {
	[KEPT_BATCHES] = sizeof(struct kept_batch),
	[KEPT_PAYLOADS] = sizeof(struct kept_payload),
	[KEPT_ENDS] = sizeof(struct kept_end),
	[KEPT_LETTERS] = sizeof(struct kept_letter),
	[KEPT_IDENTITIES] = sizeof(struct kept_identity),
	[KEPT_NOTICES] = sizeof(struct kept_notice),
	[KEPT_LINES] = sizeof(struct kept_line),
	[KEPT_RECORDS] = sizeof(struct kept_record),
	[KEPT_CONFIRMATIONS] = sizeof(struct kept_confirmation),
	[KEPT_ALIASES] = sizeof(struct kept_alias),
	[KEPT_NUMBERS] = sizeof(struct kept_number),
	[KEPT_COUNTERS] = sizeof(struct kept_counters),
	[KEPT_CONTROLS] = sizeof(struct kept_control),
	[KEPT_ACTIONS] = sizeof(struct action),
	[KEPT_INSTANCES] = sizeof(struct instance_record),
};

/* --- lists ----------------------------------------------------------------------------------- */

static void list_reserve(struct list *l, size_t count)
{
	if (count <= l->capacity)
		return;
	l->capacity = count > 2 * l->capacity ? count : 2 * l->capacity;
	l->items = xrealloc(l->items, l->capacity * l->size);
}

static void list_copy(struct list *to, const struct list *from)
{
	list_reserve(to, from->count);
	to->count = from->count;
	if (from->count > 0)
		memcpy(to->items, from->items, from->count * from->size);
}

size_t model_count(const struct model *m, enum kept kept)
{
	return m->now.lists[kept].count;
}

void *model_add(struct model *m, enum kept kept, const void *item)
{
	struct list *l = &m->now.lists[kept];

	list_reserve(l, l->count + 1);
	return memcpy(l->items + l->size * l->count++, item, l->size);
}

void model_remove(struct model *m, enum kept kept, void *item)
{
	struct list *l = &m->now.lists[kept];

	memmove(item, l->items + l->size * --l->count, l->size);
}

struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ n, n > 0 ? crc32c(0, p, n) : 0 };
}

bool bytes_same(struct bytes a, struct bytes b)
{
	return a.n == b.n && a.crc == b.crc;
}

/* --- transactions ---------------------------------------------------------------------------- */

static void tables_copy(struct tables *to, const struct tables *from)
{
	struct list lists[KEPT_COUNT];

	memcpy(lists, to->lists, sizeof lists);
	for (int k = 0; k < KEPT_COUNT; k++)
		list_copy(&lists[k], &from->lists[k]);
	*to = *from;
	memcpy(to->lists, lists, sizeof lists);
}

static void tables_init(struct tables *t)
{
	memset(t, 0, sizeof *t);
	for (int k = 0; k < KEPT_COUNT; k++)
		t->lists[k].size = sizes[k];
}

static void tables_finish(struct tables *t)
{
	for (int k = 0; k < KEPT_COUNT; k++)
		free(t->lists[k].items);
}

void model_init(struct model *m)
{
	tables_init(&m->now);
	tables_init(&m->committed);
	tables_init(&m->before_intake);
}

void model_finish(struct model *m)
{
	tables_finish(&m->now);
	tables_finish(&m->committed);
	tables_finish(&m->before_intake);
}

/* What the turn has taken becomes one row of aliases. */
void model_commit(struct model *m)
{
	struct kept_alias *a;

	m->now.last_row++;
	KEPT_EACH(a, m, KEPT_ALIASES)
		if (a->row == 0)
			a->row = m->now.last_row;
	tables_copy(&m->committed, &m->now);
}

void model_crash(struct model *m)
{
	tables_copy(&m->now, &m->committed);
}

void model_intake_begin(struct model *m)
{
	tables_copy(&m->before_intake, &m->now);
}

void model_intake_abort(struct model *m)
{
	tables_copy(&m->now, &m->before_intake);
}
