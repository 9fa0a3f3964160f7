/* fixed.h - a process without chance and without time, so that TLS says the same each time */
#ifndef HANDOFF_FUZZ_FIXED_H
#define HANDOFF_FUZZ_FIXED_H

#include "net/tls.h"

/*
 * With fixed.c in it, linked with --wrap=getrandom and --wrap=time, a program draws its randomness
 * from a seeded generator and lives in one second of 2026. A handshake that was recorded in one
 * such program is then good in another.
 */
void fixed_begin(unsigned seed);
/* A server's context, with an authority and a certificate made for it, the same in every process;
 * and a client's that it believes. */
struct tls_context *fixed_server(const char *directory);
struct tls_context *fixed_client(const char *directory);

#endif
