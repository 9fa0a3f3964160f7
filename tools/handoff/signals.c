/* signals.c - SIGTERM, SIGINT and SIGCHLD, which come only while the loop waits */
#include "tools/handoff/signals.h"

#include <stddef.h>

static const int caught[] = { SIGTERM, SIGINT, SIGCHLD };
static sigset_t before;
static volatile sig_atomic_t stop_count;

static void on_signal(int number)
{
	if (number != SIGCHLD)
		stop_count++;
}

void signals_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		sigaction(caught[i], &action, NULL);
		sigaddset(&blocked, caught[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &before);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

const sigset_t *signals_mask(void)
{
	return &before;
}

unsigned signals_stop_count(void)
{
	return (unsigned)stop_count;
}

void signals_restore(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}
