/* journal.c - what was not ordinary in a batch's life, what persons did, how routes are set */
#include <string.h>

#include "base/log.h"
#include "store/internal.h"

/* --- of a batch ------------------------------------------------------------------------------ */

static void line_del(struct store *s, uint64_t id, uint32_t number)
{
	struct key k = key_line(id, number);
	MDB_val v;

	if (!table_get(s, TABLE_JOURNAL, &k, &v))
		return;
	history_less(s, row_cost(k.n, v.mv_size));
	table_del(s, TABLE_JOURNAL, &k);
}

/* The number of a batch's latest line, 0 none. */
static uint32_t last_line(struct store *s, uint64_t id)
{
	struct key k = key_line(id, UINT32_MAX);
	MDB_val found, v;

	if (!table_seek_before(s, TABLE_JOURNAL, &k, &found, &v) ||
	    memcmp(found.mv_data, k.b, 8) != 0)
		return 0;
	return key_get32((const uint8_t *)found.mv_data + 8);
}

/*
 * Numbers run on: of a batch whose line n is its latest, 1 and n - (JOURNAL_LINES_MAX - 2) to n are
 * there.
 */
void store_journal_add(struct store *s, uint64_t id, const struct journal_line *line)
{
	uint8_t bytes[JOURNAL_RECORD_MAX];
	struct journal_line l = *line;
	uint32_t number = last_line(s, id) + 1;
	struct key k = key_line(id, number);

	if (l.text_len > JOURNAL_TEXT_MAX)
		l.text_len = JOURNAL_TEXT_MAX;
	size_t n = journal_line_encode(&l, bytes);
	table_put(s, TABLE_JOURNAL, &k, bytes, n);
	s->meta.history_bytes += row_cost(k.n, n);
	if (number > JOURNAL_LINES_MAX)
		line_del(s, id, number - (JOURNAL_LINES_MAX - 1));
}

int store_journal_next(struct store *s, uint64_t id, uint32_t *number, struct journal_line *line)
{
	MDB_val found, v;

	while (*number < UINT32_MAX) {
		struct key k = key_line(id, *number + 1);
		if (!table_seek(s, TABLE_JOURNAL, &k, &found, &v) ||
		    memcmp(found.mv_data, k.b, 8) != 0)
			break;
		*number = key_get32((const uint8_t *)found.mv_data + 8);
		if (journal_line_decode(v.mv_data, v.mv_size, line) == 0)
			return 0;
		log_error("line of a journal does not match its checksum", "batch=%llu line=%u",
		    (unsigned long long)id, *number);
	}
	return ERR_NOTFOUND;
}

void journal_del(struct store *s, uint64_t id)
{
	struct key k = key_id(id);

	history_less(s, table_del_prefix(s, TABLE_JOURNAL, &k, UINT32_MAX));
}

void journal_move(struct store *s, uint64_t from, uint64_t to)
{
	struct key k = key_line(from, 0);
	uint8_t bytes[JOURNAL_RECORD_MAX];
	MDB_val found, v;

	while (table_seek(s, TABLE_JOURNAL, &k, &found, &v) &&
	    memcmp(found.mv_data, k.b, 8) == 0) {
		uint32_t number = key_get32((const uint8_t *)found.mv_data + 8);
		size_t n = v.mv_size < sizeof bytes ? v.mv_size : sizeof bytes;

		memcpy(bytes, v.mv_data, n);
		k = key_line(from, number);
		table_del(s, TABLE_JOURNAL, &k);
		k = key_line(to, number);
		table_put(s, TABLE_JOURNAL, &k, bytes, n);
		k = key_line(from, number + 1);
	}
}

/* --- of persons ------------------------------------------------------------------------------ */

void store_action_add(struct store *s, const struct action *a)
{
	struct key end = key_id(UINT64_MAX), k;
	uint8_t bytes[ACTION_RECORD_MAX];
	struct action copy = *a;
	MDB_val found, v;

	copy.number = 1;
	if (table_seek_before(s, TABLE_ACTION, &end, &found, &v))
		copy.number = key_get64(found.mv_data) + 1;
	k = key_id(copy.number);
	table_put(s, TABLE_ACTION, &k, bytes, action_encode(&copy, bytes));
	k = key_id(copy.number - ACTIONS_MAX);
	if (copy.number > ACTIONS_MAX && table_get(s, TABLE_ACTION, &k, &v))
		table_del(s, TABLE_ACTION, &k);
}

int store_action_previous(struct store *s, uint64_t before, struct action *a)
{
	MDB_val found, v;

	for (;;) {
		struct key k = key_id(before);
		if (!table_seek_before(s, TABLE_ACTION, &k, &found, &v))
			return ERR_NOTFOUND;
		before = key_get64(found.mv_data);
		if (action_decode(v.mv_data, v.mv_size, a) == 0)
			return 0;
		log_error("stored action does not match its checksum", "number=%llu",
		    (unsigned long long)before);
	}
}

/* --- of a route, of a circuit ---------------------------------------------------------------- */

/* The record, and the key once more: under another's key it is damage. Its length; SIZE_MAX. */
static size_t record_len(const MDB_val *key, const MDB_val *v)
{
	size_t n = v->mv_size - key->mv_size;

	if (v->mv_size < key->mv_size ||
	    memcmp((const uint8_t *)v->mv_data + n, key->mv_data, key->mv_size) != 0)
		return SIZE_MAX;
	return n;
}

static void put_with_key(struct store *s, enum table t, const struct key *k, uint8_t *bytes,
    size_t n)
{
	memcpy(bytes + n, k->b, k->n);
	table_put(s, t, k, bytes, n + k->n);
}

int control_read(const MDB_val *key, const MDB_val *v, struct route_control *c)
{
	size_t n = record_len(key, v);

	return n == SIZE_MAX ? ERR_CORRUPT : route_control_decode(v->mv_data, n, c);
}

int circuit_read(const MDB_val *key, const MDB_val *v, struct circuit_record *c)
{
	size_t n = record_len(key, v);

	return n == SIZE_MAX ? ERR_CORRUPT : circuit_decode(v->mv_data, n, c);
}

/* Of a damaged record it is not known that deliveries may go on: a person says so again. */
void store_control_get(struct store *s, uint32_t route, struct route_control *c)
{
	struct key k = key_number(route);
	MDB_val v;

	memset(c, 0, sizeof *c);
	if (!table_get(s, TABLE_CONTROL, &k, &v) ||
	    control_read(&(MDB_val){ k.n, k.b }, &v, c) == 0)
		return;
	log_error("stored setting of a route does not match its checksum", "number=%u", route);
	*c = (struct route_control){ .paused = true, .who = "handoffd",
		.reason = "what was set is damaged in the store: resume or pause it again" };
}

/* Of a damaged record nothing is believed: the circuit is closed, and learns again. */
void store_circuit_get(struct store *s, uint32_t circuit, struct circuit_record *c)
{
	struct key k = key_number(circuit);
	MDB_val v;

	memset(c, 0, sizeof *c);
	if (!table_get(s, TABLE_CIRCUIT, &k, &v) ||
	    circuit_read(&(MDB_val){ k.n, k.b }, &v, c) == 0)
		return;
	log_error("stored circuit does not match its checksum", "number=%u", circuit);
	memset(c, 0, sizeof *c);
}

void store_circuit_put(struct store *s, uint32_t circuit, const struct circuit_record *c)
{
	uint8_t bytes[CIRCUIT_RECORD_MAX + KEY_MAX];
	struct key k = key_number(circuit);

	put_with_key(s, TABLE_CIRCUIT, &k, bytes, circuit_encode(c, bytes));
}

void store_control_put(struct store *s, uint32_t route, const struct route_control *c)
{
	uint8_t bytes[CONTROL_RECORD_MAX + KEY_MAX];
	struct key k = key_number(route);

	put_with_key(s, TABLE_CONTROL, &k, bytes, route_control_encode(c, bytes));
}
