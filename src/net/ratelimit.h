/* ratelimit.h - how many handshakes one address, and all together, may begin in a second */
#ifndef HANDOFF_NET_RATELIMIT_H
#define HANDOFF_NET_RATELIMIT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Token buckets: each holds a second's worth, so that a peer which was quiet may come with that
 * many at once. The table of addresses is bounded; the one not seen for longest is forgotten first.
 * Pure: the time is passed in, nothing is read or written outside. (protocol section 10)
 */
struct ratelimit;

struct ratelimit_settings {
	unsigned per_address;	/* a second, by one address; at least 1 */
	unsigned total;		/* a second, by all together; at least 1 */
	unsigned addresses;	/* addresses remembered; at least 1 */
	uint64_t seed;		/* random: strangers must not choose which addresses share a slot */
};

/* An IPv4 address inside IPv6, or an IPv6 network of 64 bits, as one stranger has a whole one. */
struct ratelimit_address {
	uint8_t b[16];
};

enum ratelimit_verdict {
	RATELIMIT_PASS,
	RATELIMIT_ADDRESS,	/* this address has used up its share */
	RATELIMIT_TOTAL,	/* all together have used up theirs */
};

struct ratelimit *ratelimit_create(const struct ratelimit_settings *settings);
void ratelimit_destroy(struct ratelimit *r);

/*
 * May one more begin now? `address` NULL: counted in the total alone (loopback). What is refused is
 * counted nowhere. `now_ms` must not run backwards.
 */
enum ratelimit_verdict ratelimit_take(struct ratelimit *r, const struct ratelimit_address *address,
    int64_t now_ms);

/* Addresses remembered now. */
size_t ratelimit_known(const struct ratelimit *r);

#endif
