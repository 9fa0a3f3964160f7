/* encode.h - messages to frames: four bytes of length, then one MessagePack map */
#ifndef HANDOFF_WIRE_ENCODE_H
#define HANDOFF_WIRE_ENCODE_H

#include "base/buf.h"
#include "wire/message.h"

/* What stands in every message of ours, beside what it says. */
struct envelope {
	struct uuid message_id;
	struct span correlation_id;	/* p NULL: the message_id's own text */
	struct span source_module;	/* "BROKER", or the module */
	struct span target_module;
	int64_t timestamp_us;
	const struct uuid *in_reply_to;	/* NULL: answers nothing */
	uint64_t notice;		/* 0: none */
	bool has_seen;			/* the client's */
	uint64_t seen;
};

/* An IntegrationError of our own. Empty spans (p NULL) are left out of the context. */
struct error_out {
	struct uuid error_id;
	enum error_code code;
	struct span correlation_id;
	int64_t timestamp_us;
	struct span source_module;	/* BROKER at the broker */
	struct span message;		/* p NULL: the code's own meaning */
	struct span batch_id;		/* text */
	struct span record_id;
	struct span field_name;
	struct span expected_value;
	struct span actual_value;
	const struct uuid *upstream;	/* ids of the errors that it comes from */
	size_t upstream_count;
	bool transient;			/* INT_BATCH_004 on an ordered route */
	enum scope scope;		/* as given; error_code_info() has the usual one */
};

struct ack_out {
	struct uuid batch_id;
	enum ack_status status;
	uint64_t records_accepted;
	uint64_t records_rejected;
	uint64_t processing_duration_ms;
	uint64_t lease;			/* 0: left out */
	bool duplicate;			/* written only when true */
	struct span route;		/* p NULL: left out */
	const struct error_out *errors;	/* ours, written first */
	size_t error_count;
	struct span more_errors;	/* IntegrationErrors already encoded, one after the other */
	size_t more_error_count;
};

struct goodbye_out {
	enum goodbye_reason reason;
	uint64_t reconnect_delay_ms;
	const char *message;		/* NULL: none */
};

struct hello_out {
	struct span instance_id;
	uint64_t max_in_flight;
	bool mailbox;
	const struct uuid *broker_id;	/* NULL: none */
	const uint64_t *holds;
	size_t hold_count;
	struct span client;
};

/* What alpha-beta's and beta-gamma's summaries say. */
struct summaries_out {
	uint64_t total_records_validated, records_passed, records_failed;
	uint64_t total_records_transformed, transformations_applied;
	double enrichment_cache_hit_rate;
	double average_quality_score, min_quality_score, max_quality_score;
	uint64_t records_below_threshold;
};

struct batch_out {
	struct uuid batch_id;
	uint64_t sequence_number;
	uint64_t record_count;
	uint8_t checksum[32];
	int64_t created_at_us;
	struct span records;		/* the content of the bin */
	enum priority priority;
	bool with_validation_summary;		/* alpha-beta */
	bool with_transformation_summaries;	/* beta-gamma: both */
	const struct summaries_out *summaries;	/* NULL: all records passed, with the best score */
	const struct ack_out *completes;
	size_t complete_count;
};

/* Each appends one whole frame; a failure shows in out->failed. */
void encode_welcome(struct buf *out, const struct envelope *e, const struct message_welcome *w);
void encode_goodbye(struct buf *out, const struct envelope *e, const struct goodbye_out *g);
void encode_ack(struct buf *out, const struct envelope *e, const struct ack_out *a);
/* The same of `n` errors that are encoded already. */
void encode_report(struct buf *out, const struct envelope *e, struct span errors, size_t n,
    enum action_required action);
void encode_error_notification(struct buf *out, const struct envelope *e,
    const struct error_out *errors, size_t n, enum action_required action);
void encode_hello(struct buf *out, const struct envelope *e, const struct hello_out *h);
void encode_batch(struct buf *out, const struct envelope *e, const struct batch_out *b);
/* The route is left out where its p is NULL. */
void encode_backpressure(struct buf *out, const struct envelope *e,
    const struct message_backpressure *b);
/* At least one result, no record twice; has_batch_id is not looked at. */
void encode_confirmation(struct buf *out, const struct envelope *e,
    const struct message_confirmation *c);
void encode_circuit_change(struct buf *out, const struct envelope *e,
    const struct message_circuit_change *c);
void encode_health_request(struct buf *out, const struct envelope *e, enum check_type type);

/* ModuleHealth of PipelineHealthStatus (protocol.md section 11). */
struct module_health_out {
	struct span name;		/* the key of module_statuses */
	enum health_status status;
	const struct component_health *checks;
	size_t check_count;
	bool was_seen;			/* false: last_seen is nil */
	int64_t last_seen_us;
	uint64_t connected_instances;
};
struct pipeline_health_out {
	enum health_status overall_status;
	const struct module_health_out *modules;
	size_t module_count;
	uint64_t circuits_open;
	double error_rate_1m;
	double records_per_second;
};
struct health_response_out {
	enum health_status status;
	const struct component_health *checks;
	size_t check_count;
	uint64_t uptime_seconds;
	const struct pipeline_health_out *pipeline;	/* NULL: left out */
};
void encode_health_response(struct buf *out, const struct envelope *e,
    const struct health_response_out *h);
/* What is known of a batch's records: BatchErrorSummary. */
struct error_summary_out {
	uint64_t count;
	const struct error_breakdown {
		struct span code;
		uint64_t count;
	} *breakdown;
	size_t breakdown_count;
	const struct span *record_ids;
	size_t record_id_count;
};
/* The map, without a frame around it. */
void encode_error_summary(struct buf *out, const struct error_summary_out *s);
/* One IntegrationError map, without a frame around it. */
void encode_error(struct buf *out, const struct error_out *e);

/*
 * A delivery is the source's frame with one key more. encode_delivery() appends what stands around
 * the source's bytes: into `head` the new length and map head, into `tail` the `delivery` key and
 * its map. Between the two go body[*skip .. n): nothing of it is copied here.
 */
struct delivery_out {
	struct span route;
	uint64_t attempt;
	bool redelivered;
	uint64_t lease;
	int64_t received_at_us;
	struct span error_summary;	/* BatchErrorSummary, encoded; p NULL: left out */
};
void encode_delivery(struct buf *head, struct buf *tail, const uint8_t *body, size_t n,
    size_t *skip, const struct delivery_out *d);
/*
 * A module's message that is passed on through a mailbox, in the same way: `tail` gets the key
 * `notice`. The body has none of its own: it is what message_strip() made.
 */
void encode_noticed(struct buf *head, struct buf *tail, const uint8_t *body, size_t n,
    size_t *skip, uint64_t notice);

/*
 * Appends a body without what its sender said to the broker alone: the keys `notice`, `seen` and
 * `in_reply_to` beside the header. All else is copied byte for byte, under a new map head.
 * `body` has passed message_decode(). Returns 0; ERR_NOMEM when `out` has no room; ERR_PROTO when
 * the body is no map. Nothing is appended then.
 */
int message_strip(struct buf *out, const uint8_t *body, size_t n) MUST_CHECK;

/* What encode_rejects() made, when it returned 0. */
struct rejects_made {
	size_t body_len;		/* appended */
	uint64_t record_count;
	size_t records_at;		/* the content of the bin, counted from the body's begin */
	size_t records_len;
	uint8_t checksum[32];
};
/*
 * Appends the body (without the length) of a batch of some records of another: those with one of
 * the n ids, in their order there, byte for byte, under a new batch_id, record_count and checksum.
 * The header and every other key stay as they came, without what the first batch said once and for
 * all: `completes`, `notice`, `seen`, `in_reply_to`.
 *
 * `body` is a BATCH_TRANSFER as its source wrote it, which has passed message_decode(); `records`
 * is the content of its `records`, which has passed records_check() and records_have_ids(). Where
 * several records have one id, against the protocol, all of them are taken.
 *
 * One walk over the records; their bytes are held once more until it returns. Returns 0; ERR_NOMEM;
 * ERR_NOTFOUND when no record has any of the ids; ERR_PROTO when the body is no such batch. Nothing
 * is appended then.
 */
int encode_rejects(struct buf *out, const uint8_t *body, size_t n, struct span records,
    const struct span *ids, size_t id_count, const struct uuid *batch_id,
    struct rejects_made *made) MUST_CHECK;

#endif
