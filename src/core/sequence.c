/* sequence.c - one series of sequence numbers per route and instance (protocol.md section 6) */
#include "base/mem.h"
#include "core/internal.h"

struct sequence *sequence_of(struct core *c, struct instance *i, const struct route *r)
{
	for (size_t n = 0; n < i->sequence_count; n++)
		if (i->sequences[n].route == r)
			return &i->sequences[n];
	i->sequences = xrealloc(i->sequences, (i->sequence_count + 1) * sizeof *i->sequences);
	i->sequences[i->sequence_count] = (struct sequence){
		.route = r,
		.next = store_sequence_get(c->store, r->number, i->record.number),
	};
	return &i->sequences[i->sequence_count++];
}

uint64_t sequence_last(struct core *c, struct instance *i, const struct route *r)
{
	uint64_t next = sequence_of(c, i, r)->next;

	return next ? next - 1 : 0;
}

void sequence_take(struct core *c, struct instance *i, struct sequence *q, uint64_t number)
{
	if (number < q->next)
		return;
	q->next = number + 1;
	q->dirty = true;
	instance_changed(c, i);
}

void sequence_save(struct core *c, struct instance *i)
{
	for (size_t n = 0; n < i->sequence_count; n++) {
		struct sequence *q = &i->sequences[n];

		if (q->dirty)
			store_sequence_put(c->store, q->route->number, i->record.number, q->next);
		q->dirty = false;
	}
}
