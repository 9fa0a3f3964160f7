/* encode_rejects.c - the batch of the records that a target rejected one by one */
#include "wire/encode.h"

#include <string.h>

#include "base/digest.h"
#include "wire/decode.h"
#include "wire/pack.h"
#include "wire/rewrite.h"

#define LIST_HEAD_MOST 5

struct rejects {
	const struct uuid *batch_id;
	struct span records;		/* the new content of the bin */
	struct rejects_made *made;
	struct buf *out;
	size_t start;			/* of the body, from out's first valid byte */
};

static int put_batch_id(struct packer *p, void *arg, const uint8_t *old, size_t n)
{
	const struct rejects *r = arg;
	char text[UUID_TEXT_LEN + 1];

	(void)old;
	(void)n;
	uuid_format(r->batch_id, text);
	pack_text(p, text);
	return 0;
}

static int put_record_count(struct packer *p, void *arg, const uint8_t *old, size_t n)
{
	const struct rejects *r = arg;

	(void)old;
	(void)n;
	pack_integer(p, r->made->record_count);
	return 0;
}

static int put_checksum(struct packer *p, void *arg, const uint8_t *old, size_t n)
{
	const struct rejects *r = arg;
	char text[SHA256_HEX_LEN + 1];

	(void)old;
	(void)n;
	hex_format(r->made->checksum, SHA256_BYTES, text);
	pack_text(p, text);
	return 0;
}

static int put_metadata(struct packer *p, void *arg, const uint8_t *old, size_t n)
{
	static const struct replacement replaced[] = {
		{ "batch_id", put_batch_id, true },
		{ "record_count", put_record_count, true },
		{ "checksum", put_checksum, true },
		{ 0 },
	};

	return map_rewrite(p->out, old, n, &(struct rewrite){ .replaced = replaced, .arg = arg });
}

static int put_records(struct packer *p, void *arg, const uint8_t *old, size_t n)
{
	const struct rejects *r = arg;

	(void)old;
	(void)n;
	pack_bytes(p, r->records);
	r->made->records_at = r->out->len - r->start - r->records.n;
	return 0;
}

/*
 * The new list. How many it has is known at its end, and so how long its head is: there is room for
 * the longest before it, and what is not used of that is left out of *list.
 */
static int make_list(struct buf *b, struct span records, const struct span *ids, size_t n,
    uint64_t *count, struct span *list)
{
	static const uint8_t room[LIST_HEAD_MOST];
	struct packer p;
	size_t end, head;
	int rc;

	buf_put(b, room, sizeof(room));
	rc = records_pick(records, ids, n, b, count);
	if (rc != 0)
		return rc;
	if (*count == 0)
		return ERR_NOTFOUND;
	end = b->len;
	pack_init(&p, b);
	pack_list(&p, (size_t)*count);
	if (b->failed)
		return ERR_NOMEM;
	head = b->len - end;
	memcpy(buf_bytes(b) + LIST_HEAD_MOST - head, buf_bytes(b) + end, head);
	*list = (struct span){
		(const char *)buf_bytes(b) + LIST_HEAD_MOST - head, end - LIST_HEAD_MOST + head,
	};
	return 0;
}

int encode_rejects(struct buf *out, const uint8_t *body, size_t n, struct span records,
    const struct span *ids, size_t id_count, const struct uuid *batch_id,
    struct rejects_made *made)
{
	static const char *const dropped[] = {
		"completes", "notice", "seen", "in_reply_to", NULL,
	};
	static const struct replacement replaced[] = {
		{ "metadata", put_metadata, true },
		{ "records", put_records, true },
		{ 0 },
	};
	struct rejects r = { .batch_id = batch_id, .made = made, .out = out, .start = out->len };
	struct buf list;
	int rc;

	*made = (struct rejects_made){ 0 };
	buf_init(&list, 0);
	rc = make_list(&list, records, ids, id_count, &made->record_count, &r.records);
	if (rc == 0) {
		made->records_len = r.records.n;
		sha256(r.records.p, r.records.n, made->checksum);
		rc = map_rewrite(out, body, n, &(struct rewrite){
			.dropped = dropped, .replaced = replaced, .arg = &r,
		});
	}
	if (rc == 0)
		made->body_len = out->len - r.start;
	buf_finish(&list);
	return rc;
}
