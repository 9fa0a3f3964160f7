/* test_mem.c - memory of ours is there, zeroed where promised, or the process ends */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

/* So that a sanitizer refuses an absurd size as malloc does, and does not end the process. */
__attribute__((visibility("default")))
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void nothing_is_never_null(void **state)
{
	void *a = xmalloc(0);
	void *b = xcalloc(0, 8);
	void *c = xrealloc(NULL, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	free(a);
	free(b);
	free(c);
}

static void calloc_zeroes_and_realloc_keeps(void **state)
{
	unsigned char *p = xcalloc(10, 10);

	(void)state;
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	memset(p, 7, 100);
	p = xrealloc(p, 100000);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(p[i], 7);
	free(p);
}

static void strdup_copies_the_whole_string(void **state)
{
	char text[] = "custody";
	char *copy = xstrdup(text);

	(void)state;
	text[0] = 'x';
	assert_string_equal(copy, "custody");
	free(copy);
}

static void aligned_is_where_it_was_asked_for(void **state)
{
	(void)state;
	for (size_t alignment = 64; alignment <= 4096; alignment *= 8) {
		void *p = xaligned(alignment, 100);
		assert_int_equal((uintptr_t)p % alignment, 0);
		free(p);
	}
}

/* Runs `f` in a child that says nothing; true when the child ended by abort(). */
static int aborts(void (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void ask_for_an_overflow(void)
{
	volatile size_t half = SIZE_MAX / 2;

	free(xcalloc(half, 4));
}

static void a_refusal_ends_the_process(void **state)
{
	(void)state;
	assert_true(aborts(ask_for_an_overflow));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_never_null),
		cmocka_unit_test(calloc_zeroes_and_realloc_keeps),
		cmocka_unit_test(strdup_copies_the_whole_string),
		cmocka_unit_test(aligned_is_where_it_was_asked_for),
		cmocka_unit_test(a_refusal_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
