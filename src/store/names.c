/* names.c - numbers for the names of routes, modules and instances, and what is kept under them */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "store/internal.h"

uint64_t store_next_id(struct store *s)
{
	return ++s->meta.last_id;
}

uint64_t store_next_lease(struct store *s)
{
	return ++s->meta.last_lease;
}

uint64_t store_next_notice(struct store *s)
{
	return ++s->meta.last_notice;
}

uint64_t store_last_notice(const struct store *s)
{
	return s->meta.last_notice;
}

uint64_t store_clock_ms(const struct store *s)
{
	return s->meta.clock_ms;
}

/* Saved with a turn that commits for another reason: the clock alone is no reason to. */
void store_set_clock_ms(struct store *s, uint64_t now_ms)
{
	if (s->changed)
		s->meta.clock_ms = now_ms;
}

struct store_boot store_boot(const struct store *s)
{
	return s->meta.boot;
}

void store_set_boot(struct store *s, const struct store_boot *b)
{
	s->meta.boot = *b;
}

uint64_t store_history_bytes(const struct store *s)
{
	return s->meta.history_bytes + s->meta.alias_bytes;
}

const struct uuid *store_broker_id(const struct store *s)
{
	return &s->broker_id;
}

/* --- small rows: a number, and a CRC-32C over key and number --------------------------------- */

#define SEALED_MAX (8 + 4)

static size_t seal(const MDB_val *key, const uint8_t *number, size_t n, uint8_t out[SEALED_MAX])
{
	uint32_t crc = crc32c(crc32c(0, key->mv_data, key->mv_size), number, n);

	memcpy(out, number, n);
	memcpy(out + n, &crc, sizeof crc);
	return n + sizeof crc;
}

bool row_is_sealed(const MDB_val *key, const MDB_val *v)
{
	uint8_t expected[SEALED_MAX];
	size_t n = v->mv_size - sizeof(uint32_t);

	return v->mv_size > sizeof(uint32_t) && v->mv_size <= SEALED_MAX &&
	    seal(key, v->mv_data, n, expected) == v->mv_size &&
	    memcmp(expected, v->mv_data, v->mv_size) == 0;
}

/* name: kind(1) text -> number(4), sealed */
static uint32_t name_number(struct store *s, char kind, const char *name)
{
	uint8_t long_key[1 + 63], sealed[SEALED_MAX];
	size_t n = strnlen(name, sizeof long_key - 1);
	MDB_txn *txn = store_writer(s);
	MDB_val key = { 1 + n, long_key }, v;

	long_key[0] = (uint8_t)kind;
	memcpy(long_key + 1, name, n);
	if (!txn)
		return 0;
	s->operations++;
	int rc = mdb_get(txn, s->tables[TABLE_NAME], &key, &v);
	if (rc == 0)
		return key_get32(v.mv_data);	/* names_check() has seen them all */
	struct key number = key_number((uint32_t)++s->meta.last_number);
	v = (MDB_val){ seal(&key, number.b, number.n, sealed), sealed };
	s->changed = true;
	redo_put(s, TABLE_NAME, &key, &v);
	rc = mdb_put(txn, s->tables[TABLE_NAME], &key, &v, 0);
	if (rc != 0)
		store_failed(s, rc, "put name");
	return key_get32(number.b);
}

bool names_check(struct store *s)
{
	MDB_txn *txn = store_reader(s);
	size_t left;
	MDB_cursor *c;
	MDB_stat stat;
	MDB_val k, v;
	int rc;

	if (!txn || mdb_stat(txn, s->tables[TABLE_NAME], &stat) != 0 ||
	    mdb_cursor_open(txn, s->tables[TABLE_NAME], &c) != 0)
		return false;
	for (left = stat.ms_entries; (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0; left--)
		if (v.mv_size != 8 || !row_is_sealed(&k, &v))
			break;
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND && left == 0;
}

uint32_t store_route_number(struct store *s, const char *name)
{
	return name_number(s, 'r', name);
}

uint32_t store_module_number(struct store *s, const char *name)
{
	return name_number(s, 'm', name);
}

uint32_t store_circuit_number(struct store *s, const char *name)
{
	return name_number(s, 'c', name);
}

void store_counters_get(struct store *s, uint32_t route, struct route_counters *c)
{
	struct key k = key_number(route);
	MDB_val v;

	memset(c, 0, sizeof *c);
	if (table_get(s, TABLE_ROUTE, &k, &v) && counters_decode(v.mv_data, v.mv_size, c) != 0)
		store_failed(s, MDB_CORRUPTED, "read counters");
}

void store_counters_put(struct store *s, uint32_t route, const struct route_counters *c)
{
	uint8_t bytes[COUNTERS_RECORD_MAX];
	struct key k = key_number(route);

	table_put(s, TABLE_ROUTE, &k, bytes, counters_encode(c, bytes));
}

void store_route_walk(struct store *s,
    bool (*f)(void *arg, uint32_t number, const char *name, const struct route_counters *c),
    void *arg)
{
	MDB_txn *txn = store_reader(s);
	MDB_cursor *cursor;
	MDB_val k = { 1, (char[]){ 'r' } }, v;

	if (!txn || mdb_cursor_open(txn, s->tables[TABLE_NAME], &cursor) != 0)
		return;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && ((const char *)k.mv_data)[0] == 'r') {
		struct route_counters c;
		char name[64] = "";
		size_t n = k.mv_size - 1 < sizeof name - 1 ? k.mv_size - 1 : sizeof name - 1;

		memcpy(name, (const char *)k.mv_data + 1, n);
		uint32_t number = key_get32(v.mv_data);
		store_counters_get(s, number, &c);
		if (!f(arg, number, name, &c))
			break;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
}

uint32_t store_instance_create(struct store *s)
{
	return (uint32_t)++s->meta.last_number;
}

void store_instance_put(struct store *s, const struct instance_record *i)
{
	uint8_t bytes[INSTANCE_RECORD_MAX];
	struct key k = key_number(i->number);

	table_put(s, TABLE_INSTANCE, &k, bytes, instance_encode(i, bytes));
}

void store_instance_del(struct store *s, uint32_t number)
{
	struct key k = key_number(number);

	table_del(s, TABLE_INSTANCE, &k);
}

void store_instance_walk(struct store *s, bool (*f)(void *arg, const struct instance_record *i),
    void *arg)
{
	struct key k = key_number(0);
	struct instance_record i;
	MDB_val found, v;

	while (table_seek(s, TABLE_INSTANCE, &k, &found, &v)) {
		uint32_t number = key_get32(found.mv_data);
		if (instance_decode(v.mv_data, v.mv_size, &i) != 0 || i.number != number)
			log_error("stored instance does not match its checksum", "number=%u",
				  number);
		else if (!f(arg, &i))
			return;
		if (number == UINT32_MAX)
			return;
		k = key_number(number + 1);
	}
}

/* sequence: route(4) instance(4) -> number(8), sealed. Of a damaged one nothing is known. */
uint64_t store_sequence_get(struct store *s, uint32_t route, uint32_t instance)
{
	struct key k = key_pair(route, instance);
	MDB_val v;

	if (!table_get(s, TABLE_SEQUENCE, &k, &v))
		return 0;
	if (v.mv_size == 12 && row_is_sealed(&(MDB_val){ k.n, k.b }, &v))
		return key_get64(v.mv_data);
	log_error("stored sequence number does not match its checksum", "route=%u instance=%u",
		  route, instance);
	return 0;
}

void store_sequence_put(struct store *s, uint32_t route, uint32_t instance, uint64_t number)
{
	struct key k = key_pair(route, instance), v = key_id(number);
	uint8_t sealed[SEALED_MAX];

	table_put(s, TABLE_SEQUENCE, &k, sealed,
	    seal(&(MDB_val){ k.n, k.b }, v.b, v.n, sealed));
}

void store_sequence_del(struct store *s, uint32_t route, uint32_t instance)
{
	struct key k = key_pair(route, instance);
	MDB_val v;

	if (table_get(s, TABLE_SEQUENCE, &k, &v))
		table_del(s, TABLE_SEQUENCE, &k);
}
