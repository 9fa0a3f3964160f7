/* err.h - the one space of errors: negative numbers with a text */
#ifndef HANDOFF_BASE_ERR_H
#define HANDOFF_BASE_ERR_H

/*
 * A function that can fail in more than one way returns one of these; 0 is success. "Not found" is
 * an answer, not a failure. The libraries' own codes are translated in the room that wraps them.
 */
enum err {
	ERR_NOMEM = -1,		/* memory for something a peer sized was refused */
	ERR_FULL = -2,		/* a ceiling was reached: store, buffer, table */
	ERR_NOTFOUND = -3,	/* what was asked for does not exist */
	ERR_EXISTS = -4,	/* what was to be made exists already */
	ERR_AGAIN = -5,		/* nothing to be had now; wait for the descriptor */
	ERR_CLOSED = -6,	/* the other side ended the connection in order */
	ERR_IO = -7,		/* the operating system refused; errno or the log says why */
	ERR_TLS = -8,		/* TLS failed: handshake, certificate or record */
	ERR_PROTO = -9,		/* the bytes break the protocol */
	ERR_CORRUPT = -10,	/* stored bytes do not match their checksum */
	ERR_VERSION = -11,	/* a format or protocol version this program does not know */
	ERR_BUSY = -12,		/* somebody else holds it (the store's lock) */
	ERR_CONFIG = -13,	/* the configuration is wrong; the message told where */
	ERR_INVALID = -14,	/* an argument is outside its range */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* A short English text for an error of this space; never NULL. */
const char *err_text(int err);

#endif
