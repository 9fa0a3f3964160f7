/* samples.c - times and their percentiles; processor time and memory of a process */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench.h"

struct samples {
	uint32_t *us;		/* owned */
	size_t n, cap;
	bool is_sorted;
};

struct samples *samples_create(void)
{
	return xcalloc(1, sizeof(struct samples));
}

void samples_destroy(struct samples *s)
{
	if (s == NULL)
		return;
	free(s->us);
	free(s);
}

void samples_add(struct samples *s, int64_t us)
{
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 4096;
		s->us = xrealloc(s->us, s->cap * sizeof(*s->us));
	}
	s->us[s->n++] = (uint32_t)us;
	s->is_sorted = false;
}

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int64_t samples_permille(struct samples *s, unsigned permille)
{
	if (s->n == 0)
		return 0;
	if (!s->is_sorted)
		qsort(s->us, s->n, sizeof(*s->us), compare);
	s->is_sorted = true;
	return s->us[(s->n - 1) * permille / 1000];
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "r");
	if (file == NULL)
		die("no process %d: %s cannot be read", (int)pid, path);
	return file;
}

/* proc(5): utime and stime are the 12th and 13th field behind the command's name in brackets. */
#define STAT_TO_TIMES \
	" %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNd64 " %" SCNd64

int64_t process_cpu_us(pid_t pid)
{
	FILE *file = open_proc(pid, "stat");
	int64_t user, system;
	char line[1024];
	const char *name_end;

	if (fgets(line, sizeof(line), file) == NULL)
		die("no process %d", (int)pid);
	fclose(file);
	name_end = strrchr(line, ')');
	if (name_end == NULL || sscanf(name_end + 1, STAT_TO_TIMES, &user, &system) != 2)
		die("/proc/%d/stat has an unknown form", (int)pid);
	return (user + system) * (1000000 / sysconf(_SC_CLK_TCK));
}

long process_memory_kb(pid_t pid, const char *field)
{
	FILE *file = open_proc(pid, "status");
	const size_t n = strlen(field);
	char line[256];
	long kb = -1;

	while (kb < 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, field, n) == 0)
			kb = strtol(line + n, NULL, 10);
	fclose(file);
	if (kb < 0)
		die("/proc/%d/status has no %s", (int)pid, field);
	return kb;
}
