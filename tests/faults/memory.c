/*
 * memory.c - memory that is refused, and a count of the blocks that were not given back
 *
 * glibc's own allocations come through here as well. Under a sanitizer the next malloc() is the
 * sanitizer's, so that it sees what is done with the blocks.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "faults.h"

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static int (*real_memalign)(void **, size_t, size_t);
static void (*real_free)(void *);

/* dlsym() may ask for memory itself, before there is any: a little, never given back. */
static char early[4096];
static size_t early_used;
static bool is_finding;

static void *early_take(size_t n)
{
	void *p = early + early_used;

	early_used += (n + 15) & ~(size_t)15;
	if (early_used > sizeof early)
		abort();
	return p;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof early;
}

static void find(void)
{
	is_finding = true;
	*(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	*(void **)&real_free = dlsym(RTLD_NEXT, "free");
	is_finding = false;
}

/* True: refused, errno says so. */
static bool refuse(void)
{
	int64_t error = fault(KIND_memory);

	if (error)
		errno = (int)error;
	return error != 0;
}

static void *count(void *p)
{
	if (p)
		plan->blocks++;
	return p;
}

void *malloc(size_t n)
{
	if (is_finding)
		return early_take(n);
	if (!real_malloc)
		find();
	return refuse() ? NULL : count(real_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	if (is_finding)
		return early_take(n * size);
	if (!real_calloc)
		find();
	return refuse() ? NULL : count(real_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	if (!real_realloc)
		find();
	if (p && n == 0) {
		free(p);
		return NULL;
	}
	if (refuse())
		return NULL;
	return p ? real_realloc(p, n) : count(real_realloc(p, n));
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
	if (!real_memalign)
		find();
	if (refuse())
		return ENOMEM;
	int rc = real_memalign(p, alignment, n);
	if (rc == 0)
		count(*p);
	return rc;
}

void free(void *p)
{
	if (!p || is_early(p))
		return;
	if (!real_free)
		find();
	plan->blocks--;
	real_free(p);
}
