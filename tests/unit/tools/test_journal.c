/* test_journal.c - what send and recv remember: over restarts, torn lines and damage */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/handoff/command.h"
#include "tools/handoff/journal.h"
#include "tools/handoff/written.h"

static char directory[64];
static char path[128];

static const struct journal_settings settings = { "ALPHA", "BETA", "record_id", "processed" };

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/handoff-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

/* --- files ----------------------------------------------------------------------------------- */

static size_t read_file(const char *name, char *text, size_t size)
{
	FILE *file = fopen(name, "r");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
	return n;
}

static void write_file(const char *name, const char *text, size_t n)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	fclose(file);
}

/* --- the journal ----------------------------------------------------------------------------- */

static struct journal_batch batch_at(uint64_t start, uint64_t end)
{
	struct journal_batch b = { .start = start, .end = end, .lines = 3, .records = 2,
				   .sequence_number = start + 1 };

	handoff_make_id(b.id);
	memset(b.sha256, (int)end, sizeof(b.sha256));
	return b;
}

static void open_journal(struct journal *j)
{
	int status = -1;

	assert_true(journal_open(j, path, &settings, NULL, &status));
}

/* A journal with three batches: processed, received, closed. */
static void make_journal(struct journal *j)
{
	open_journal(j);
	for (uint64_t i = 0; i < 3; i++) {
		const struct journal_batch b = batch_at(i * 100, i * 100 + 100);

		assert_true(journal_add(j, &b));
	}
	assert_true(journal_sync(j));
	assert_true(journal_mark(j, 0, JOURNAL_RECEIVED));
	assert_true(journal_mark(j, 0, JOURNAL_PROCESSED));
	assert_true(journal_mark(j, 1, JOURNAL_RECEIVED));
}

static void remembers_batches_and_states(void **state)
{
	struct journal first, second;

	(void)state;
	make_journal(&first);
	assert_true(journal_mark(&first, 0, JOURNAL_RECEIVED));	/* a repeat changes nothing */
	/* The first one dies: nothing is closed in order. */
	close(first.ledger.fd);
	open_journal(&second);
	assert_int_equal(second.count, 3);
	assert_int_equal(second.read_count, 3);
	assert_string_equal(second.run, first.run);
	assert_string_equal(second.instance, first.instance);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(second.batches[i].id, first.batches[i].id);
		assert_int_equal(second.batches[i].start, i * 100);
		assert_int_equal(second.batches[i].end, i * 100 + 100);
		assert_int_equal(second.batches[i].lines, 3);
		assert_int_equal(second.batches[i].records, 2);
		assert_int_equal(second.batches[i].sequence_number, i * 100 + 1);
		assert_memory_equal(second.batches[i].sha256, first.batches[i].sha256, SHA256_BYTES);
	}
	assert_int_equal(second.batches[0].state, JOURNAL_PROCESSED);
	assert_int_equal(second.batches[1].state, JOURNAL_RECEIVED);
	assert_int_equal(second.batches[2].state, JOURNAL_CLOSED);
	journal_close(&second);
	first.ledger.fd = -1;
	journal_close(&first);
}

static void refuses_other_settings(void **state)
{
	static const struct journal_settings others[] = {
		{ "BETA", "BETA", "record_id", "processed" },
		{ "ALPHA", "GAMMA", "record_id", "processed" },
		{ "ALPHA", "BETA", "id", "processed" },
		{ "ALPHA", "BETA", "record_id", "received" },
	};
	struct journal j;
	int status;

	(void)state;
	make_journal(&j);
	journal_close(&j);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(journal_open(&j, path, &others[i], NULL, &status));
		assert_int_equal(status, STATUS_DATA);
	}
	assert_false(journal_open(&j, path, &settings, "another", &status));
	assert_int_equal(status, STATUS_DATA);
	open_journal(&j);
	journal_close(&j);
}

static void cuts_off_a_torn_line_at_any_byte(void **state)
{
	char whole[8192];
	struct journal j;
	size_t n, last;

	(void)state;
	make_journal(&j);
	journal_close(&j);
	n = read_file(path, whole, sizeof(whole));
	for (last = n - 1; whole[last - 1] != '\n'; last--)
		continue;
	for (size_t cut = last; cut < n; cut++) {
		write_file(path, whole, cut);
		open_journal(&j);
		assert_int_equal(j.count, 3);
		assert_int_equal(j.batches[1].state, JOURNAL_CLOSED);
		/* What is written next follows the last whole line. */
		assert_true(journal_mark(&j, 2, JOURNAL_RECEIVED));
		journal_close(&j);
		open_journal(&j);
		assert_int_equal(j.batches[2].state, JOURNAL_RECEIVED);
		journal_close(&j);
	}
}

static void refuses_damage_before_the_end(void **state)
{
	char whole[8192];
	struct journal j;
	size_t n;
	int status;

	(void)state;
	make_journal(&j);
	journal_close(&j);
	n = read_file(path, whole, sizeof(whole));
	for (size_t at = 0; at < n / 2; at += 7) {
		whole[at] ^= 4;
		write_file(path, whole, n);
		assert_false(journal_open(&j, path, &settings, NULL, &status));
		assert_int_equal(status, STATUS_DATA);
		whole[at] ^= 4;
	}
}

static void leaves_a_file_that_is_not_its_own(void **state)
{
	static const char text[] = "dear diary\n";
	char after[64];
	struct journal j;
	int status;

	(void)state;
	write_file(path, text, strlen(text));
	assert_false(journal_open(&j, path, &settings, NULL, &status));
	assert_int_equal(status, STATUS_DATA);
	read_file(path, after, sizeof(after));
	assert_string_equal(after, text);
}

static void is_for_one_at_a_time(void **state)
{
	struct journal first, second;
	int status;

	(void)state;
	make_journal(&first);
	assert_false(journal_open(&second, path, &settings, NULL, &status));
	assert_int_equal(status, STATUS_TRY_AGAIN);
	journal_close(&first);
	open_journal(&second);
	journal_close(&second);
}

/* --- what recv has written ------------------------------------------------------------------- */

static void open_written(struct written *w, uint64_t length, size_t remember)
{
	int status = -1;

	assert_true(written_open(w, path, length, NULL, remember, &status));
}

/* Names that no two numbers share. */
static const char *id_of(unsigned i)
{
	static char id[HANDOFF_ID_SIZE];

	snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
	return id;
}

static void remembers_what_was_written(void **state)
{
	struct written w;
	char instance[64];

	(void)state;
	open_written(&w, 7, 10);
	assert_int_equal(w.length, 7);
	snprintf(instance, sizeof(instance), "%s", w.instance);
	assert_true(written_add(&w, id_of(1), "beta-gamma"));
	assert_true(written_add(&w, id_of(2), "beta-gamma"));
	assert_true(written_commit(&w, 100));
	assert_true(written_add(&w, id_of(3), "beta-gamma"));	/* not committed */
	assert_true(written_has(&w, id_of(3), "beta-gamma"));
	written_close(&w);
	open_written(&w, 150, 10);
	assert_int_equal(w.length, 100);
	assert_string_equal(w.instance, instance);
	assert_true(written_has(&w, id_of(1), "beta-gamma"));
	assert_true(written_has(&w, id_of(2), "beta-gamma"));
	assert_false(written_has(&w, id_of(3), "beta-gamma"));
	/* The same id on another route is another batch (protocol section 5). */
	assert_false(written_has(&w, id_of(1), "alpha-gamma"));
	written_close(&w);
}

static void takes_a_group_whole_or_not(void **state)
{
	char whole[8192], name[160];
	struct written w;
	size_t n, last;

	(void)state;
	snprintf(name, sizeof(name), "%s.state", path);
	open_written(&w, 0, 10);
	assert_true(written_add(&w, id_of(1), "r"));
	assert_true(written_commit(&w, 100));
	for (unsigned i = 2; i < 20; i++)
		assert_true(written_add(&w, id_of(i), "r"));
	assert_true(written_commit(&w, 200));
	written_close(&w);
	n = read_file(name, whole, sizeof(whole));
	for (last = n - 1; whole[last - 1] != '\n'; last--)
		continue;
	for (size_t cut = last; cut < n; cut += 5) {
		write_file(name, whole, cut);
		open_written(&w, 200, 10);
		assert_int_equal(w.length, 100);
		assert_true(written_has(&w, id_of(1), "r"));
		for (unsigned i = 2; i < 20; i++)
			assert_false(written_has(&w, id_of(i), "r"));
		written_close(&w);
	}
}

static void keeps_what_may_come_again(void **state)
{
	struct written w;

	(void)state;
	open_written(&w, 0, 5);
	for (unsigned i = 0; i < 50; i++) {
		assert_true(written_add(&w, id_of(i), "r"));
		assert_true(written_commit(&w, i + 1));
		if (i % 10 != 3)
			written_confirm(&w, id_of(i), "r");
	}
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 49; i++)
			if (i % 10 == 3)
				assert_true(written_has(&w, id_of(i), "r"));
		assert_false(written_has(&w, id_of(0), "r"));
		assert_false(written_has(&w, id_of(20), "r"));
		assert_true(written_has(&w, id_of(49), "r"));
		written_close(&w);
		open_written(&w, 50, 5);
		assert_true(written_add(&w, id_of(100), "r"));
		assert_true(written_commit(&w, 51));
	}
	written_close(&w);
}

static void does_not_grow_for_ever(void **state)
{
	struct written w;
	struct stat info;
	char name[160];

	(void)state;
	snprintf(name, sizeof(name), "%s.state", path);
	open_written(&w, 0, 20);
	for (unsigned i = 0; i < 20000; i++) {
		assert_true(written_add(&w, id_of(i), "beta-gamma"));
		written_confirm(&w, id_of(i), "beta-gamma");
		if (i % 100 == 99)
			assert_true(written_commit(&w, i + 1));
	}
	assert_int_equal(stat(name, &info), 0);
	assert_in_range(info.st_size, 1, 700000);
	written_close(&w);
	open_written(&w, 20000, 20);
	assert_int_equal(w.length, 20000);
	assert_true(written_has(&w, id_of(19999), "beta-gamma"));
	assert_false(written_has(&w, id_of(10), "beta-gamma"));
	written_close(&w);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(remembers_batches_and_states),
		IN_DIRECTORY(refuses_other_settings),
		IN_DIRECTORY(cuts_off_a_torn_line_at_any_byte),
		IN_DIRECTORY(refuses_damage_before_the_end),
		IN_DIRECTORY(leaves_a_file_that_is_not_its_own),
		IN_DIRECTORY(is_for_one_at_a_time),
		IN_DIRECTORY(remembers_what_was_written),
		IN_DIRECTORY(takes_a_group_whole_or_not),
		IN_DIRECTORY(keeps_what_may_come_again),
		IN_DIRECTORY(does_not_grow_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
