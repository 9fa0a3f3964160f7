/* module_error.h - an IntegrationError, of a module's own code or of the broker's */
#ifndef HANDOFF_WIRE_MODULE_ERROR_H
#define HANDOFF_WIRE_MODULE_ERROR_H

#include "base/buf.h"
#include "wire/message.h"

/* Texts are UTF-8. Empty spans (p NULL) are left out of the context. */
struct module_error_out {
	struct uuid error_id;
	struct span correlation_id;
	int64_t timestamp_us;
	struct span source_module;
	enum severity severity;
	enum recoverability recoverability;	/* retry_eligible unless PERMANENT */
	enum scope scope;
	struct span code;
	struct span message;
	struct span batch_id;
	struct span record_id;
	struct span field_name;
	struct span expected_value;
	struct span actual_value;
	const struct uuid *upstream;	/* ids of the errors that it comes from */
	size_t upstream_count;		/* 0: left out */
};

/* Appends the map, without a frame around it; a failure shows in out->failed. */
void encode_module_error(struct buf *out, const struct module_error_out *e);

#endif
