/* test_redo_row.c - a turn in the redo log is whole, or it is none */
#include "fixture.h"

#include "base/digest.h"
#include "store/redo_row.h"

#define KEY 17
#define ROW_BYTES 300
#define ROWS 5
#define BYTES (ROWS * ROW_BYTES)

/* As records are: their CRC-32C stands behind them. */
static void row_fill(uint8_t *row, uint8_t with)
{
	memset(row, with, ROW_BYTES - 4);
	put_le(row + ROW_BYTES - 4, crc32c(0, row, ROW_BYTES - 4), 4);
}

static void turn_make(uint8_t turn[REDO_TURN_BYTES + BYTES], uint8_t with, uint64_t commit)
{
	for (int i = 0; i < ROWS; i++)
		row_fill(turn + REDO_TURN_BYTES + i * ROW_BYTES, (uint8_t)(with + i));
	redo_turn_encode(&(struct redo_turn){ KEY, commit, 3, BYTES }, turn);
}

static bool is_whole(const uint8_t turn[REDO_TURN_BYTES + BYTES])
{
	struct redo_turn t;

	return redo_turn_decode(turn, REDO_TURN_BYTES + BYTES, KEY, &t);
}

static void a_turn_comes_back(void **state)
{
	uint8_t turn[REDO_TURN_BYTES + BYTES];
	struct redo_turn t;

	(void)state;
	turn_make(turn, 1, 9);
	assert_true(redo_turn_decode(turn, sizeof turn, KEY, &t));
	assert_int_equal(t.commit, 9);
	assert_int_equal(t.number, 3);
	assert_int_equal(t.bytes, BYTES);
	assert_false(redo_turn_decode(turn, sizeof turn, KEY + 1, &t));
	assert_false(redo_turn_decode(turn, sizeof turn - 1, KEY, &t));
}

static void no_bit_flips_unseen(void **state)
{
	uint8_t turn[REDO_TURN_BYTES + BYTES];

	(void)state;
	turn_make(turn, 1, 9);
	for (size_t bit = 0; bit < 8 * sizeof turn; bit++) {
		turn[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(is_whole(turn));
		turn[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(is_whole(turn));
}

/* A CRC-32C over rows that end with theirs does not know one such row from another. */
static void the_end_of_an_older_turn_does_not_make_one_whole(void **state)
{
	uint8_t older[REDO_TURN_BYTES + BYTES], newer[sizeof older], torn[sizeof older];

	(void)state;
	turn_make(older, 100, 8);
	turn_make(newer, 1, 9);
	for (size_t n = 24; n < sizeof torn; n++) {	/* from the number of its commit on */
		memcpy(torn, newer, n);
		memcpy(torn + n, older + n, sizeof torn - n);
		assert_int_equal(is_whole(torn), memcmp(torn, newer, sizeof torn) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_comes_back),
		cmocka_unit_test(no_bit_flips_unseen),
		cmocka_unit_test(the_end_of_an_older_turn_does_not_make_one_whole),
	};
	digest_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
