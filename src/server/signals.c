/* signals.c - SIGTERM and SIGINT from a descriptor */
#include "server/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct signals *s = io->data;
	struct signalfd_siginfo info;

	(void)loop;
	if ((events & EV_ERROR) != 0)
		fatal_exit(EX_OSERR, "the system has no memory to watch for signals");
	if (read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->latest = (int)info.ssi_signo;
}

void signals_open(struct signals *s, struct ev_loop *loop)
{
	sigset_t watched;

	sigemptyset(&watched);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	s->fd = sigprocmask(SIG_BLOCK, &watched, NULL) == 0
	            ? signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
	if (s->fd < 0)
		fatal_exit(EX_OSERR, "signals cannot be watched: %s", strerror(errno));
	ev_io_init(&s->io, on_readable, s->fd, EV_READ);
	s->io.data = s;
	ev_io_start(loop, &s->io);
}
