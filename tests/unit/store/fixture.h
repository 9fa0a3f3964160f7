/* fixture.h - a store of 64 MiB in a directory of its own, and batches to put into it */
#ifndef HANDOFF_TESTS_UNIT_STORE_FIXTURE_H
#define HANDOFF_TESTS_UNIT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/check.h"
#include "store/internal.h"
#include "store/store.h"

#define ROUTE 7u		/* of no name: the store counts nothing of it */
#define SOURCE 11u

struct fixture {
	char dir[64];
	struct store *store;
};

static inline void fixture_open(struct fixture *f)
{
	struct store_options o = { .path = f->dir, .size = 64u << 20 };
	char why[256] = "";

	if (store_open(&o, &f->store, why, sizeof why) != 0)
		fail_msg("%s", why);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/handoff-store-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	static const char *const files[] = { "custody.mdb", "custody.mdb-lock", "custody.redo", "lock" };
	struct fixture *f = *state;
	char path[128];

	store_close(f->store);
	for (size_t n = 0; n < sizeof files / sizeof files[0]; n++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, files[n]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Commits, and the store agrees with itself; `what` it counted. */
static inline struct store_tally committed(struct store *s)
{
	struct store_tally t;
	char why[256] = "";

	assert_int_equal(store_commit(s), 0);
	if (store_check(s, &t, why, sizeof why) != 0)
		fail_msg("%s", why);
	store_read_end(s);
	return t;
}

static inline struct uuid id_of(uint64_t n)
{
	struct uuid u = { { 0xba } };

	memcpy(u.b + 8, &n, sizeof n);
	return u;
}

static inline const uint8_t *payload_of(uint64_t n, size_t *size)
{
	static char text[64];

	*size = (size_t)snprintf(text, sizeof text, "the payload of batch %llu",
	    (unsigned long long)n);
	return (const uint8_t *)text;
}

/* A READY batch with the next id, not yet in the store; batch_id, payload by that id. */
static inline struct batch new_batch(struct store *s)
{
	struct batch b = { .state = BATCH_READY, .id = store_next_id(s), .route = ROUTE,
		.source = SOURCE, .record_count = 3 };
	size_t n;

	payload_of(b.id, &n);
	b.payload_bytes = (uint32_t)n;
	b.batch_id = id_of(b.id);
	return b;
}

static inline void insert(struct store *s, const struct batch *b)
{
	size_t n;

	store_intake_begin(s, STORE_INTAKE_CHILD);
	const uint8_t *p = payload_of(b->id, &n);
	store_batch_insert(s, b, p, n);
	assert_int_equal(store_intake_end(s), 0);
}

static inline struct batch add_batch(struct store *s)
{
	struct batch b = new_batch(s);

	insert(s, &b);
	return b;
}

static inline void assert_payload(struct store *s, uint64_t id, uint64_t written_as)
{
	size_t n, expected;
	const uint8_t *p, *text = payload_of(written_as, &expected);

	assert_int_equal(store_payload_get(s, id, true, &p, &n), 0);
	assert_int_equal(n, expected);
	assert_memory_equal(p, text, n);
}

/* How a batch ends; PROCESSED when nothing else is set. */
static inline struct ended end_of(struct store *s, const struct batch *b)
{
	return (struct ended){ .notice = store_next_notice(s), .source = b->source,
		.route = b->route, .id = b->id, .batch_id = b->batch_id,
		.derived = b->derived, .journalled = b->journalled };
}

static inline struct ended bury(struct store *s, const struct batch *b)
{
	struct ended e = end_of(s, b);

	e.dead = true;
	store_batch_bury(s, b, &e);
	return e;
}

static inline void add_line(struct store *s, uint64_t id, enum journal_event event)
{
	store_journal_add(s, id, &(struct journal_line){ .event = event });
}

static inline unsigned count_lines(struct store *s, uint64_t id)
{
	struct journal_line line;
	uint32_t number = 0;
	unsigned count = 0;

	while (store_journal_next(s, id, &number, &line) == 0)
		count++;
	return count;
}

static inline struct identity identity_of(struct store *s, const struct batch *b)
{
	struct identity i;

	store_identity_get(s, b->route, &b->batch_id, &i);
	return i;
}

#endif
