/* send.c - what all answers of the broker share: the envelope, and an error in the form of section
 * 9 */
#include <string.h>

#include "base/datetime.h"
#include "session/internal.h"
#include "session/send.h"

static int64_t wall_us(struct sessions *ss)
{
	if (ss->wall_us == 0)
		ss->wall_us = datetime_now_us();
	return ss->wall_us;
}

struct uuid send_new_id(struct session *s)
{
	uint8_t random[16];
	struct uuid id;

	rng_bytes(&s->all->rng, random, sizeof random);
	uuid_make(&id, (uint64_t)wall_us(s->all) / 1000, random);
	return id;
}

struct envelope send_envelope(struct session *s, const struct message *m)
{
	struct envelope e = {
		.message_id = send_new_id(s),
		.source_module = span_of("BROKER"),
		.target_module = span_of(s->module ? s->module : "ALL"),
		.timestamp_us = wall_us(s->all),
	};

	if (m && m->header.has_message_id)
		e.in_reply_to = &m->header.message_id;
	if (m && m->header.has_correlation_id)
		e.correlation_id = m->header.correlation_id;
	return e;
}

static struct span or_none(const char *text)
{
	return *text ? span_of(text) : (struct span){ NULL, 0 };
}

struct error_out send_error(struct session *s, const struct envelope *e, const struct fault *f,
    const struct error_texts *texts)
{
	return (struct error_out){
		.error_id = send_new_id(s),
		.code = f->code,
		.correlation_id = e->correlation_id.p ? e->correlation_id : span_of(texts->own_id),
		.timestamp_us = e->timestamp_us,
		.source_module = span_of("BROKER"),
		.batch_id = or_none(texts->batch_id),
		.field_name = or_none(f->field_name),
		.expected_value = or_none(f->expected),
		.actual_value = *f->expected ? span_of(f->actual) : or_none(f->actual),
		.scope = f->code == INT_PROTOCOL_005 && !*texts->batch_id
		    ? SCOPE_MODULE
		    : error_code_info(f->code)->scope,
	};
}

void send_texts(struct error_texts *t, const struct envelope *e, const struct uuid *batch_id)
{
	uuid_format(&e->message_id, t->own_id);
	t->batch_id[0] = '\0';
	if (batch_id)
		uuid_format(batch_id, t->batch_id);
}
