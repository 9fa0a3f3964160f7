/* record_error.c - a stored error to bytes and back */
#include "store/codec.h"

static void put_short(struct writer *w, const char *text, uint16_t n)
{
	put_number(w, n, 2);
	put(w, text, n);
}

static void take_short(struct reader *r, uint16_t *len, char *out, size_t max)
{
	uint64_t n = take_number(r, 2);

	if (n > max)
		r->failed = true;
	*len = r->failed ? 0 : (uint16_t)n;
	take_bytes(r, out, *len);
}

size_t error_record_encode(const struct error_record *e, uint8_t *out)
{
	struct writer w = writer_begin(out);

	put_number(&w, e->number, 8);
	put_number(&w, (uint64_t)e->at_us, 8);
	put_number(&w, e->at_ms, 8);
	put_number(&w, e->module, 4);
	put_number(&w, e->instance, 4);
	put_number(&w, e->route, 4);
	put_number(&w, e->severity, 1);
	put_number(&w, e->recoverability, 1);
	put_number(&w, e->scope, 1);
	put_number(&w, e->action, 1);
	put_number(&w, e->of_record, 1);
	put_number(&w, e->has_batch, 1);
	put(&w, e->batch_id.b, sizeof e->batch_id.b);
	put(&w, e->error_id.b, sizeof e->error_id.b);
	put_short(&w, e->code, e->code_len);
	put_short(&w, e->correlation, e->correlation_len);
	put_short(&w, e->record_id, e->record_id_len);
	put_short(&w, e->text, e->text_len);
	put_number(&w, e->raw_len, 4);
	if (e->raw_len > 0)
		put(&w, e->raw, e->raw_len);
	return writer_end(&w);
}

int error_record_decode(const uint8_t *p, size_t n, struct error_record *e)
{
	struct reader r = reader_begin(p, n);

	e->number = take_number(&r, 8);
	e->at_us = (int64_t)take_number(&r, 8);
	e->at_ms = take_number(&r, 8);
	e->module = (uint32_t)take_number(&r, 4);
	e->instance = (uint32_t)take_number(&r, 4);
	e->route = (uint32_t)take_number(&r, 4);
	e->severity = (uint8_t)take_number(&r, 1);
	e->recoverability = (uint8_t)take_number(&r, 1);
	e->scope = (uint8_t)take_number(&r, 1);
	e->action = (uint8_t)take_number(&r, 1);
	e->of_record = take_number(&r, 1);
	e->has_batch = take_number(&r, 1);
	take_bytes(&r, e->batch_id.b, sizeof e->batch_id.b);
	take_bytes(&r, e->error_id.b, sizeof e->error_id.b);
	take_short(&r, &e->code_len, e->code, sizeof e->code);
	take_short(&r, &e->correlation_len, e->correlation, sizeof e->correlation);
	take_short(&r, &e->record_id_len, e->record_id, sizeof e->record_id);
	take_short(&r, &e->text_len, e->text, sizeof e->text);
	e->raw_len = (uint32_t)take_number(&r, 4);
	e->raw = take(&r, e->raw_len);
	return reader_end(&r);
}
