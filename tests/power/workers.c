/* workers.c - processes that share work out among them; one that dies is told of and replaced */
#include "workers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static pid_t start(void (*work)(void *arg, unsigned job, bool again), void *arg, unsigned job,
    bool again)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid < 0)
		fatalx("no worker could be made");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(arg, job, again);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

void workers_run(unsigned jobs, void (*work)(void *arg, unsigned job, bool again),
    bool (*on_death)(void *arg, unsigned job, int status), void *arg)
{
	pid_t pids[WORKERS_MAX];
	unsigned left = jobs;
	int status;

	for (unsigned job = 0; job < jobs; job++)
		pids[job] = start(work, arg, job, false);
	while (left > 0) {
		pid_t pid = wait(&status);
		unsigned job = 0;

		while (job < jobs && pids[job] != pid)
			job++;
		if (job == jobs)
			continue;
		if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || !on_death(arg, job, status))
			left--;
		else
			pids[job] = start(work, arg, job, true);
	}
}

const char *workers_death(int status)
{
	static char text[32];

	snprintf(text, sizeof text, "%s %d", WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return text;
}

void workers_silence(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDERR_FILENO);
	close(null);
}
