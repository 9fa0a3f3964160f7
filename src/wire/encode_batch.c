/* encode_batch.c - a source's batch */
#include "wire/encode.h"

#include "base/digest.h"
#include "wire/names.h"
#include "wire/pack.h"

static void pack_metadata(struct packer *p, const struct batch_out *b)
{
	char checksum[SHA256_HEX_LEN + 1];

	hex_format(b->checksum, sizeof(b->checksum), checksum);
	pack_key_map(p, "metadata", 5);
	pack_key_uuid(p, "batch_id", &b->batch_id);
	pack_key_integer(p, "sequence_number", b->sequence_number);
	pack_key_integer(p, "record_count", b->record_count);
	pack_key_text(p, "checksum", checksum);
	pack_key_datetime(p, "created_at", b->created_at_us);
}

/*
 * The summaries that alpha-beta and beta-gamma require, of a source that has judged its records
 * only by sending them: all of them passed, none has a score below the best.
 */
static struct summaries_out all_passed(uint64_t record_count)
{
	return (struct summaries_out){
		.total_records_validated = record_count,
		.records_passed = record_count,
		.total_records_transformed = record_count,
		.transformations_applied = record_count,
		.average_quality_score = 1.0,
		.min_quality_score = 1.0,
		.max_quality_score = 1.0,
	};
}

static void pack_validation_summary(struct packer *p, const struct summaries_out *s)
{
	pack_key_map(p, "validation_summary", 4);
	pack_key_integer(p, "total_records_validated", s->total_records_validated);
	pack_key_integer(p, "records_passed", s->records_passed);
	pack_key_integer(p, "records_failed", s->records_failed);
	pack_key_float(p, "average_quality_score", s->average_quality_score);
}

static void pack_transformation_summaries(struct packer *p, const struct summaries_out *s)
{
	pack_key_map(p, "transformation_summary", 3);
	pack_key_integer(p, "total_records_transformed", s->total_records_transformed);
	pack_key_integer(p, "transformations_applied", s->transformations_applied);
	pack_key_float(p, "enrichment_cache_hit_rate", s->enrichment_cache_hit_rate);
	pack_key_map(p, "quality_summary", 4);
	pack_key_float(p, "average_quality_score", s->average_quality_score);
	pack_key_float(p, "min_quality_score", s->min_quality_score);
	pack_key_float(p, "max_quality_score", s->max_quality_score);
	pack_key_integer(p, "records_below_threshold", s->records_below_threshold);
}

static void pack_complete(struct packer *p, const struct ack_out *a)
{
	const bool has_errors = a->error_count + a->more_error_count > 0;

	pack_map(p, ACK_PAYLOAD_PAIRS + 1 + (size_t)has_errors);
	pack_ack_payload(p, a);
	pack_key_integer(p, "lease", a->lease);
	if (has_errors)
		pack_errors(p, a->errors, a->error_count, a->more_errors, a->more_error_count);
}

void encode_batch(struct buf *out, const struct envelope *e, const struct batch_out *b)
{
	const bool is_critical = b->priority == PRIORITY_CRITICAL;
	const bool has_completes = b->complete_count > 0;
	const struct summaries_out passed = all_passed(b->record_count);
	const struct summaries_out *summaries = b->summaries != NULL ? b->summaries : &passed;
	struct packer p;

	frame_begin(&p, out);
	pack_envelope(&p, MESSAGE_BATCH_TRANSFER, e, 2 + (size_t)b->with_validation_summary +
	    2 * (size_t)b->with_transformation_summaries + (size_t)is_critical +
	    (size_t)has_completes);
	pack_metadata(&p, b);
	if (b->with_validation_summary)
		pack_validation_summary(&p, summaries);
	if (b->with_transformation_summaries)
		pack_transformation_summaries(&p, summaries);
	if (is_critical)
		pack_key_span(&p, "priority", priority_names[b->priority]);
	if (has_completes) {
		pack_text(&p, "completes");
		pack_list(&p, b->complete_count);
		for (size_t i = 0; i < b->complete_count; i++)
			pack_complete(&p, &b->completes[i]);
	}
	pack_key_bytes(&p, "records", b->records);
	frame_end(&p);
}
