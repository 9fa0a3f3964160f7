/* handoff.h - the client library of handoff: everything that a module's author includes */
#ifndef HANDOFF_HANDOFF_H
#define HANDOFF_HANDOFF_H

/*
 * A module of a data pipeline hands batches of records to the next one through the broker,
 * handoffd. libhandoff is the module's side: it keeps a connection, sends, receives, acknowledges,
 * and repeats what a broken connection left undecided. handoff-protocol(7) says what stands on the
 * wire.
 *
 *	error.h    what can go wrong, and how one module tells another of it
 *	client.h   options, connecting, the two styles of using a client, routes
 *	event.h    what a client has to tell
 *	send.h     records into batches, batches into the broker's custody
 *	receive.h  deliveries, and the ways to end them
 *	confirm.h  delivery confirmations: what came of each record
 *	health.h   how the module does, and how the broker does
 *
 * The library sets no signal handler, never ends the process, and prints nothing. It has no state
 * beside its clients; a client and all that came from it belong to one thread at a time, and
 * different clients may be used by different threads.
 */
#include <handoff/client.h>
#include <handoff/confirm.h>
#include <handoff/error.h>
#include <handoff/event.h>
#include <handoff/health.h>
#include <handoff/receive.h>
#include <handoff/send.h>

#endif
