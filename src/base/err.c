/* err.c - the texts of the one space of errors */
#include "base/err.h"

#include <stddef.h>

static const char *const texts[] = {
	[-ERR_NOMEM] = "out of memory",
	[-ERR_FULL] = "full",
	[-ERR_NOTFOUND] = "not found",
	[-ERR_EXISTS] = "exists already",
	[-ERR_AGAIN] = "nothing to be had now",
	[-ERR_CLOSED] = "closed by the other side",
	[-ERR_IO] = "input/output error",
	[-ERR_TLS] = "TLS failed",
	[-ERR_PROTO] = "protocol violated",
	[-ERR_CORRUPT] = "checksum does not match",
	[-ERR_VERSION] = "unknown version",
	[-ERR_BUSY] = "held by somebody else",
	[-ERR_CONFIG] = "configuration is wrong",
	[-ERR_INVALID] = "argument out of range",
};

const char *err_text(int err)
{
	const size_t count = sizeof(texts) / sizeof(texts[0]);

	if (err == 0)
		return "success";
	/* Compared as negative numbers: -err of INT_MIN would overflow. */
	if (err > 0 || err <= -(int)count)
		return "unknown error";
	return texts[-err];
}
