/* look.c - what the commands that look share: room for a step, values as they are shown */
#include "admin/look.h"

#include <stdio.h>
#include <string.h>

#include "base/datetime.h"

bool look_is_full(const struct admin_job *job)
{
	return job->report.out->len >= LOOK_BYTES_PER_STEP;
}

void look_time(struct report *r, const char *name, int64_t us)
{
	char when[DATETIME_TEXT_LEN + 1], text[DATETIME_TEXT_LEN + 1];

	if (us == 0 || r->json) {
		report_time(r, name, us);
		return;
	}
	datetime_format(us, when);
	snprintf(text, sizeof(text), "%.10s %.12s", when, when + 11);
	report_text(r, name, text);
}

void look_uuid(struct report *r, const char *name, const struct uuid *id)
{
	char text[UUID_TEXT_LEN + 1];

	if (id != NULL)
		uuid_format(id, text);
	report_text(r, name, id != NULL ? text : NULL);
}

void look_instance(struct report *r, const char *name, struct core *core, uint32_t number)
{
	char text[INSTANCE_NAME_MAX];

	if (number == 0) {
		report_none(r, name);
		return;
	}
	core_instance_name(core, number, text, sizeof(text));
	report_text(r, name, text);
}

void look_code(struct report *r, const char *name, unsigned code)
{
	if (code == INT_NONE || code >= ERROR_CODE_COUNT)
		report_none(r, name);
	else
		report_text(r, name, error_code_info((enum error_code)code)->name);
}

void look_text(struct report *r, const char *name, struct span text)
{
	char cut[LOOK_TEXT_MAX + 8];
	size_t n = LOOK_TEXT_MAX;

	if (text.n <= LOOK_TEXT_MAX) {
		report_bytes_as_text(r, name, text.n > 0 ? text.p : NULL, text.n);
		return;
	}
	while (n > 0 && ((uint8_t)text.p[n] & 0xc0) == 0x80)
		n--;			/* not within a character */
	snprintf(cut, sizeof(cut), "%.*s…", (int)n, text.p);
	if (memchr(text.p, '\0', n) != NULL)
		report_bytes_as_text(r, name, text.p, n);
	else
		report_text(r, name, cut);
}

int64_t look_now_us(const struct core *core)
{
	return core_wall_of(core, core_now_ms(core));
}
