/* stack.c - who made the call that failed first: what the test shows, and knows libraries by */
#include <dlfcn.h>
#include <string.h>
#include <sys/auxv.h>
#include <unwind.h>

#include "faults.h"

struct walk {
	void *program, *here;		/* where the program is, and this library */
	int count;
};

static void *base_of(const void *place, const char **name)
{
	Dl_info library;

	if (!dladdr(place, &library))
		return NULL;
	*name = strrchr(library.dli_fname, '/');
	return library.dli_fbase;
}

static void note_caller(const char *name)
{
	for (size_t i = 0; name && name[i + 1] && i + 1 < sizeof plan->caller; i++)
		plan->caller[i] = name[i + 1];
}

static _Unwind_Reason_Code step(struct _Unwind_Context *frame, void *arg)
{
	uintptr_t at = _Unwind_GetIP(frame) - 1;	/* inside the call, not behind it */
	const char *name = NULL;
	struct walk *w = arg;
	void *base = base_of((const void *)at, &name);

	if (base != w->here && !plan->caller[0])
		note_caller(name);
	if (base == w->program && w->count < STACK_DEPTH)
		plan->stack[w->count++] = (int64_t)(at - (uintptr_t)base);
	return _URC_NO_REASON;
}

void note_stack(void)
{
	const char *name;
	struct walk w = {
		.program = base_of((const void *)getauxval(AT_ENTRY), &name),
		.here = base_of((const void *)(uintptr_t)note_stack, &name),
	};

	_Unwind_Backtrace(step, &w);
}
