/* advice.c - help CODE: what an error code of the broker means, and what to do */
#include <strings.h>

#include "admin/look.h"

/* In the words of handoff-protocol(7), ERROR CODES, which says more. */
static const char *const advice[ERROR_CODE_COUNT] = {
	[INT_PROTOCOL_001] = "Mend the client's encoder. The connection ends.",
	[INT_PROTOCOL_002] = "Make smaller batches, or raise max_frame_bytes. The connection ends.",
	[INT_PROTOCOL_003] = "Use a client of this major version.",
	[INT_PROTOCOL_004] = "Send only what a module may send, and when it may "
		"(handoff-protocol(7), A SESSION).",
	[INT_PROTOCOL_005] = "context says which field, what was expected and what was found: mend "
		"the client.",
	[INT_AUTH_001] = "Issue another certificate, or map its identity in handoffd.conf(5). The "
		"connection ends.",
	[INT_AUTH_002] = "Use the certificate of the module that the client is. The connection ends.",
	[INT_AUTH_003] = "Give the module the right, or do not ask.",
	[INT_BATCH_001] = "Compute the checksum over the content of the bin, without its head; "
		"if it was, look for what changes bytes on the way.",
	[INT_BATCH_002] = "Send a list of records, and its length in record_count.",
	[INT_BATCH_003] = "Give a new batch a new id; send an old one with its old bytes.",
	[INT_BATCH_004] = "The batch is in custody: look for one that was lost before it came. On an "
		"ordered route it was refused: send the missing one first.",
	[INT_BATCH_005] = "Drop this output: the stage was cut off, and another does its work.",
	[INT_ROUTE_001] = "Declare the route in handoffd.conf(5), or send elsewhere.",
	[INT_ROUTE_002] = "The source waits and sends again with the same id. See why the target "
		"does not keep up (handoffctl status, explain); of dead letters only an operator "
		"can free the route (handoffctl dead).",
	[INT_DELIVERY_001] = "See what the target does for so long; it should repeat RECEIVED while it "
		"works, or the route's timeouts are too short.",
	[INT_DELIVERY_002] = "See why the last attempts failed (handoffctl explain, dead show), mend "
		"that, and redrive the batch (handoffctl dead redrive).",
	[INT_DELIVERY_003] = "One loss costs no attempt. Where it is one batch again and again, that "
		"batch may kill its target: it becomes a dead letter.",
	[INT_DELIVERY_004] = "The target's errors say why (handoffctl dead show). Mend the target or "
		"the data, then redrive it, or purge it.",
	[INT_DELIVERY_005] = "Nothing was changed. Of many: the target is slower than its deadlines.",
	[INT_DELIVERY_006] = "Find out what became of the records, then settle it (handoffctl "
		"confirmations settle), unless the target still confirms.",
	[INT_STORE_001] = "The source waits and sends again with the same id. Let targets drain the "
		"store, purge dead letters, let sources confirm what they have seen, or raise "
		"store.size.",
	[INT_STORE_002] = "The source has to send it anew under another id. Look at the disk: what has "
		"damaged one may have damaged others (handoffctl audit).",
};

enum error_code advice_code(const char *word)
{
	for (enum error_code code = INT_NONE + 1; code < ERROR_CODE_COUNT; code++)
		if (strcasecmp(word, error_code_info(code)->name) == 0)
			return code;
	return INT_NONE;
}

void advice_put(struct report *r, enum error_code code)
{
	const struct error_code_info *info = error_code_info(code);

	report_text(r, "code", info->name);
	report_text(r, "severity", severity_name(info->severity));
	report_text(r, "recoverability", recoverability_name(info->recoverability));
	report_text(r, "scope", scope_name(info->scope));
	report_text(r, "meaning", info->meaning);
	report_text(r, "do", advice[code]);
}
