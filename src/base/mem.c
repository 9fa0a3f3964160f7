/* mem.c - allocation that ends the process when there is no memory */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void *xmalloc(size_t size)
{
	/* One byte at least, so that NULL always means refusal. */
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		fatalx("out of memory: %zu bytes refused", size);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1);

	if (p == NULL)
		fatalx("out of memory: %zu times %zu bytes refused", n, size);
	return p;
}

void *xrealloc(void *p, size_t size)
{
	void *q = realloc(p, size > 0 ? size : 1);

	if (q == NULL)
		fatalx("out of memory: %zu bytes refused", size);
	return q;
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

void *xaligned(size_t alignment, size_t size)
{
	void *p;

	if (posix_memalign(&p, alignment, size > 0 ? size : 1) != 0)
		fatalx("out of memory: %zu bytes refused", size);
	return p;
}
