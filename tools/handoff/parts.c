/* parts.c - what a command has printed, as records in batches that fit into a frame */
#include "tools/handoff/parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/handoff/assembly.h"

/* Puts what is assembled behind the other parts; false when memory is refused. */
static bool add_part(struct part_list *parts, struct assembly *a, uint64_t *records)
{
	struct part *p;

	if (assembly_is_empty(a))
		return true;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	p->is_critical = a->is_critical;
	*records += handoff_records_count(a->records);
	p->records = assembly_take(a);
	if (p->records == NULL) {
		free(p);
		return false;
	}
	STAILQ_INSERT_TAIL(parts, p, link);
	return true;
}

bool parts_make(struct part_list *parts, struct buf *output, const char *batch_id,
    size_t max_bytes, uint64_t *records, char *why, size_t size)
{
	const struct assembly_limits limits = { .records = UINT64_MAX, .bytes = max_bytes };
	enum assembly_result result = ASSEMBLY_FULL;
	struct input in;
	struct assembly a;
	bool is_good;

	input_init_bytes(&in, output);
	is_good = assembly_init(&a, &in, NULL, batch_id);
	snprintf(a.why, sizeof(a.why), "out of memory");
	*records = 0;
	while (is_good && result == ASSEMBLY_FULL) {
		result = assembly_proceed(&a, &limits);
		is_good = result != ASSEMBLY_BAD && add_part(parts, &a, records);
	}
	if (!is_good)
		snprintf(why, size, "the command's output, %s", a.why);
	assembly_finish(&a);
	input_finish(&in);
	return is_good;
}

void parts_drop_first(struct part_list *parts)
{
	struct part *p = STAILQ_FIRST(parts);

	if (p == NULL)
		return;
	STAILQ_REMOVE_HEAD(parts, link);
	handoff_records_destroy(p->records);
	free(p);
}

void parts_destroy(struct part_list *parts)
{
	while (!STAILQ_EMPTY(parts))
		parts_drop_first(parts);
}
