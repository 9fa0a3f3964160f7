/* own_health.c - the process's own components: disk, loop, tls, certificates */
#include "server/own_health.h"

#include "base/datetime.h"
#include "net/cert.h"

#define TELL_MS 1000
#define HALF_MINUTE_MS 30000
#define SLOW_US 1000000			/* a commit, or a turn: modules feel it */
#define DAY_US (24 * 3600 * INT64_C(1000000))
/* The end of a certificate is near when so little is left, or a third of its life if that is less. */
#define EXPIRY_WARNING_DAYS 14

static void note_expiry(struct own_health *h, const char *what, const char *path)
{
	static struct cert_info info;	/* large */
	char why[256];
	int64_t begin_us, end_us, near_us = EXPIRY_WARNING_DAYS * DAY_US;

	if (!cert_read_info(path, &info, why, sizeof why) ||
	    !datetime_parse(info.not_before, sizeof info.not_before - 1, &begin_us) ||
	    !datetime_parse(info.not_after, sizeof info.not_after - 1, &end_us))
		return;
	if ((end_us - begin_us) / 3 < near_us)
		near_us = (end_us - begin_us) / 3;
	if (h->expires_what && h->expires_us <= end_us)
		return;
	h->expires_us = end_us;
	h->warn_us = end_us - near_us;
	h->expires_what = what;
}

void own_health_init(struct own_health *h, const struct config *c)
{
	*h = (struct own_health){ .told_ms = INT64_MIN / 2 };
	note_expiry(h, "tls.ca", c->tls_ca);
	note_expiry(h, "tls.certificate", c->tls_certificate);
}

/* --- what takes long ------------------------------------------------------------------------- */

static void turn_half_minute(struct slowest *s, int64_t now_ms)
{
	if (now_ms - s->began_ms < HALF_MINUTE_MS)
		return;
	s->before_us = now_ms - s->began_ms < 2 * HALF_MINUTE_MS ? s->now_us : 0;
	s->now_us = 0;
	s->began_ms = now_ms;
}

static void note_slow(struct slowest *s, int64_t now_ms, int64_t us)
{
	turn_half_minute(s, now_ms);
	if (us > s->now_us)
		s->now_us = us;
}

static int64_t slowest_us(struct slowest *s, int64_t now_ms)
{
	turn_half_minute(s, now_ms);
	return s->now_us > s->before_us ? s->now_us : s->before_us;
}

void own_health_note_commit(struct own_health *h, int64_t us)
{
	note_slow(&h->commit, clock_monotonic_ms(), us);
}

void own_health_note_turn(struct own_health *h, int64_t us)
{
	note_slow(&h->turn, clock_monotonic_ms(), us);
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell_slowest(struct core *core, enum shell_part part, const char *what, int64_t us)
{
	core_set_component(core, part, us >= SLOW_US ? HEALTH_DEGRADED : HEALTH_HEALTHY,
	    "the slowest %s of the last minute took %lld ms", what, (long long)(us / 1000));
}

static void tell_certificates(const struct own_health *h, struct core *core)
{
	int64_t now_us = datetime_now_us(), left_us = h->expires_us - now_us;

	if (!h->expires_what)
		return;
	if (left_us <= 0) {
		core_set_component(core, SHELL_TLS, HEALTH_UNHEALTHY,
		    "no module can connect: %s has expired", h->expires_what);
		core_set_component(core, SHELL_CERTIFICATES, HEALTH_UNHEALTHY, "%s has expired",
		    h->expires_what);
		return;
	}
	core_set_component(core, SHELL_TLS, HEALTH_HEALTHY, "TLS 1.3, mutual authentication");
	core_set_component(core, SHELL_CERTIFICATES,
	    now_us >= h->warn_us ? HEALTH_DEGRADED : HEALTH_HEALTHY,
	    "%s expires in %lld days", h->expires_what,
	    (long long)(left_us / DAY_US));
}

void own_health_tell(struct own_health *h, struct core *core)
{
	int64_t now_ms = clock_monotonic_ms();

	if (now_ms - h->told_ms < TELL_MS)
		return;
	h->told_ms = now_ms;
	tell_slowest(core, SHELL_DISK, "commit", slowest_us(&h->commit, now_ms));
	tell_slowest(core, SHELL_LOOP, "turn", slowest_us(&h->turn, now_ms));
	tell_certificates(h, core);
}
