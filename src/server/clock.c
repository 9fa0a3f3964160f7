/* clock.c - the custody clock */
#include "server/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/datetime.h"

/* Goes on while the machine sleeps, unlike the monotonic one. */
static int64_t since_boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Which boot this is; all zero where the system does not say. */
static struct uuid boot_id(void)
{
	char text[UUID_TEXT_LEN + 1] = "";
	struct uuid id = { { 0 } };
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f)
		return id;
	if (!fgets(text, sizeof text, f) || !uuid_parse(text, strlen(text), &id))
		memset(&id, 0, sizeof id);
	fclose(f);
	return id;
}

static bool is_this_boot(const struct store_boot *boot)
{
	static const struct uuid none;
	struct uuid id = boot_id();

	return !uuid_equal(&id, &none) && uuid_equal(&id, &boot->boot_id);
}

void clock_start(struct custody_clock *c, uint64_t saved_ms, const struct store_boot *boot,
    int64_t wall_ms)
{
	c->base_ms = saved_ms ? saved_ms : wall_ms > 0 ? (uint64_t)wall_ms : 1;
	if (saved_ms && is_this_boot(boot)) {
		int64_t now_ms = since_boot_ms() - boot->offset_ms;
		if (now_ms > 0 && (uint64_t)now_ms > saved_ms)
			c->base_ms = (uint64_t)now_ms;
	}
	c->now_ms = c->peer_ms = c->base_ms;
	c->monotonic_ms = clock_monotonic_ms();
	c->stalled_ms = 0;
}

bool clock_stalled(struct custody_clock *c, int64_t since_ms, int64_t until_ms)
{
	bool is_long = until_ms - since_ms > CLOCK_STALL_MS;

	if (is_long)
		c->stalled_ms += (uint64_t)(until_ms - since_ms);
	return is_long;
}

int64_t clock_read(struct custody_clock *c, int64_t *busy_since_ms)
{
	int64_t read_ms = clock_monotonic_ms(), passed_ms = read_ms - c->monotonic_ms;
	uint64_t now_ms = c->base_ms + (passed_ms > 0 ? (uint64_t)passed_ms : 0);

	if (clock_stalled(c, *busy_since_ms, read_ms))
		*busy_since_ms = read_ms;
	if (now_ms > c->now_ms)
		c->now_ms = now_ms;
	if (c->now_ms - c->stalled_ms > c->peer_ms)
		c->peer_ms = c->now_ms - c->stalled_ms;
	return read_ms;
}

struct store_boot clock_boot(const struct custody_clock *c)
{
	return (struct store_boot){ boot_id(), since_boot_ms() - (int64_t)c->now_ms };
}
