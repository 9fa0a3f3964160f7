/* nearest.h - "did you mean …": the known name nearest to a mistyped one */
#ifndef HANDOFF_BASE_NEAREST_H
#define HANDOFF_BASE_NEAREST_H

#include <stddef.h>

/* The name among `names` nearest to `word`, case aside; NULL when none is near. */
const char *nearest_word(const char *word, const char *const names[], size_t count);

#endif
