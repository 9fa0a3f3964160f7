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
		.last = store_sequence_get(c->store, r->number, i->record.number),
	};
	return &i->sequences[i->sequence_count++];
}

void sequence_take(struct core *c, struct instance *i, struct sequence *q, uint64_t number)
{
	if (number <= q->last)
		return;
	q->last = number;
	q->dirty = true;
	instance_changed(c, i);
}

void sequence_save(struct core *c, struct instance *i)
{
	for (size_t n = 0; n < i->sequence_count; n++) {
		struct sequence *q = &i->sequences[n];

		if (q->dirty)
			store_sequence_put(c->store, q->route->number, i->record.number, q->last);
		q->dirty = false;
	}
}
