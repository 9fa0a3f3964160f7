/*
 * allocations.c - counts what a program takes from the heap: LD_PRELOAD=build/allocations.so
 *
 * Says "allocations=N" on standard error when the program ends. The broker has one thread.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* The C library's own names for what stands below. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static unsigned long allocations;

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	allocations++;
	return __libc_realloc(p, size);
}

__attribute__((destructor))
static void say_how_many(void)
{
	fprintf(stderr, "allocations=%lu\n", allocations);
}
