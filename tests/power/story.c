/* story.c - what was promised of each batch, and when */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static const char *const state_names[] = {
	[STORY_ABSENT] = "absent",
	[STORY_QUEUED] = "queued",
	[STORY_DEAD] = "dead",
	[STORY_ENDED] = "ended",
};

const char *story_state_name(enum story_state state)
{
	return state_names[state];
}

static enum story_state state_of(const char *name)
{
	for (int state = 0; state < STORY_STATE_COUNT; state++)
		if (strcmp(state_names[state], name) == 0)
			return (enum story_state)state;
	fatalx("the stories name a state %s", name);
}

static struct uuid uuid_of(const char *text)
{
	struct uuid u;

	if (!uuid_parse(text, strlen(text), &u))
		fatalx("the stories name a batch %s", text);
	return u;
}

static void add_batch(struct stories *s, const char *route, const char *batch_id,
    const char *digest)
{
	s->list = xrealloc(s->list, (s->count + 1) * sizeof *s->list);
	struct story *b = &s->list[s->count++];

	*b = (struct story){ .batch_id = uuid_of(batch_id), .step_count = 1 };
	snprintf(b->route, sizeof b->route, "%s", route);
	for (size_t i = 0; i < sizeof b->digest; i++)
		sscanf(digest + 2 * i, "%2hhx", &b->digest[i]);
}

static size_t number_of(const struct stories *s, const char *batch_id)
{
	struct uuid u = uuid_of(batch_id);

	for (size_t i = 0; i < s->count; i++)
		if (memcmp(&s->list[i].batch_id, &u, sizeof u) == 0)
			return i;
	fatalx("the stories have no batch %s", batch_id);
}

static void read_line(struct stories *s, const char *line)
{
	char a[ROUTE_NAME_MAX + 1], b[80], c[80];
	unsigned long long asked, told;

	if (sscanf(line, "batch %63s %79s %79s", a, b, c) == 3) {
		add_batch(s, a, b, c);
	} else if (sscanf(line, "step %63s %llu %llu", a, &asked, &told) == 3 && s->count > 0 &&
	    s->list[s->count - 1].step_count < STEPS_MAX) {
		struct story *last = &s->list[s->count - 1];
		last->steps[last->step_count++] = (struct step){ state_of(a), asked, told };
	} else if (sscanf(line, "stage %63s %79s", a, b) == 2) {
		s->stages = xrealloc(s->stages, (s->stage_count + 1) * sizeof *s->stages);
		s->stages[s->stage_count++] = (struct stage){ number_of(s, a), number_of(s, b) };
	} else {
		fatalx("the stories have a line %s", line);
	}
}

void stories_read(struct stories *s, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[400];

	*s = (struct stories){ 0 };
	if (!file)
		fatalx("%s cannot be read", path);
	while (fgets(line, sizeof line, file))
		read_line(s, line);
	fclose(file);
}

void stories_free(struct stories *s)
{
	free(s->list);
	free(s->stages);
}

static size_t promised(const struct story *s, uint64_t place)
{
	size_t latest = 0;

	for (size_t i = 1; i < s->step_count; i++)
		if (s->steps[i].told < place)
			latest = i;
	return latest;
}

enum story_state story_promised(const struct story *s, uint64_t place)
{
	return s->steps[promised(s, place)].state;
}

bool story_allows(const struct story *s, enum story_state state, uint64_t place)
{
	size_t i = promised(s, place);

	if (s->steps[i].state == state)
		return true;
	while (++i < s->step_count && s->steps[i].asked < place)
		if (s->steps[i].state == state)
			return true;
	return false;
}
