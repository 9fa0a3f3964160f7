/* story.h - what was promised of each batch, and when: written by witness.py, looked up by place */
#ifndef HANDOFF_POWER_STORY_H
#define HANDOFF_POWER_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "core/settings.h"

enum story_state { STORY_ABSENT, STORY_QUEUED, STORY_DEAD, STORY_ENDED, STORY_STATE_COUNT };
const char *story_state_name(enum story_state state);

/* It may be so from the place on where it was asked for; it must be, from where it was told. */
struct step {
	enum story_state state;
	uint64_t asked, told;
};

#define STEPS_MAX 6
struct story {
	char route[ROUTE_NAME_MAX + 1];
	struct uuid batch_id;
	uint8_t digest[32];		/* SHA-256 of the frame's body */
	struct step steps[STEPS_MAX];	/* the first: absent, from the beginning on */
	size_t step_count;
};

/* The output of a stage is there exactly if its input has ended. */
struct stage {
	size_t output, input;		/* stories */
};

struct stories {
	struct story *list;
	size_t count;
	struct stage *stages;
	size_t stage_count;
};

/* Ends the process when the file is none. */
void stories_read(struct stories *s, const char *path);
void stories_free(struct stories *s);
/* Whether a batch may be in this state after a power loss just before `place`. */
bool story_allows(const struct story *s, enum story_state state, uint64_t place);
/* The latest that was told of before `place`. */
enum story_state story_promised(const struct story *s, uint64_t place);

#endif
