/* exec.c - a command run by the shell: bytes to its standard input, bytes from what it prints */
#include "tools/handoff/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/handoff/signals.h"

#define READ_BYTES ((size_t)64 * 1024)

/* --- starting -------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* In the child: everything from here to the shell. */
__attribute__((noreturn))
static void become(const char *command, const struct child_variable *variables, size_t count,
    int in, int out, int err, pid_t parent)
{
	setpgid(0, 0);
	/* A worker that is killed must not leave commands behind whose output nobody reads. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	signals_restore();
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
		_exit(127);
	for (size_t i = 0; i < count; i++)
		if (setenv(variables[i].name, variables[i].value, 1) != 0)
			_exit(127);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static bool open_pipes(int pipes[CHILD_FDS][2])
{
	for (unsigned i = 0; i < CHILD_FDS; i++)
		pipes[i][0] = pipes[i][1] = -1;
	for (unsigned i = 0; i < CHILD_FDS; i++)
		if (pipe2(pipes[i], O_CLOEXEC) != 0)
			return false;
	return fcntl(pipes[0][1], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(pipes[1][0], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(pipes[2][0], F_SETFL, O_NONBLOCK) == 0;
}

bool child_start(struct child *c, const char *command, const struct child_variable *variables,
    size_t count, struct buf *input)
{
	const pid_t parent = getpid();
	int pipes[CHILD_FDS][2];
	int error = 0;

	*c = (struct child){ .in = -1, .out = -1, .err = -1, .input = *input };
	buf_init(input, input->max);
	buf_init(&c->output, CHILD_OUTPUT_MAX_BYTES);
	c->pid = open_pipes(pipes) ? fork() : -1;
	if (c->pid == 0)
		become(command, variables, count, pipes[0][0], pipes[1][1], pipes[2][1], parent);
	if (c->pid < 0) {
		error = errno;
		c->pid = 0;
	} else {
		setpgid(c->pid, c->pid);
		c->in = pipes[0][1];
		c->out = pipes[1][0];
		c->err = pipes[2][0];
		pipes[0][1] = pipes[1][0] = pipes[2][0] = -1;
	}
	for (unsigned i = 0; i < CHILD_FDS; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
	if (error != 0)
		child_finish(c);
	errno = error;
	return error == 0;
}

void child_kill(const struct child *c)
{
	if (c->pid > 0)
		kill(-c->pid, SIGKILL);
}

void child_finish(struct child *c)
{
	if (c->pid > 0) {
		child_kill(c);
		while (waitpid(c->pid, &c->wait_status, 0) < 0 && errno == EINTR)
			continue;
		c->pid = 0;
	}
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	buf_finish(&c->input);
	buf_finish(&c->output);
}

/* --- its three pipes ------------------------------------------------------------------------- */

/* A command need not read all, or any, of its input. */
static void write_input(struct child *c)
{
	ssize_t n = 0;

	while (c->input.len > 0 && n >= 0) {
		n = write(c->in, buf_bytes(&c->input), c->input.len);
		if (n > 0)
			buf_take(&c->input, (size_t)n);
	}
	if (c->input.len == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&c->in);
}

/* What there is; the pipe is closed at its end. */
static void read_output(struct child *c)
{
	uint8_t *room;
	ssize_t n;

	while (c->out >= 0) {
		room = buf_reserve(&c->output, READ_BYTES);
		if (room == NULL) {
			close_fd(&c->out);
			return;
		}
		n = read(c->out, room, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			close_fd(&c->out);
		else
			buf_grow(&c->output, (size_t)n);
	}
}

static void note_words(struct child *c, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			c->is_word_ended = true;
			continue;
		}
		if (c->is_word_ended)
			c->word_count = 0;
		c->is_word_ended = false;
		if (c->word_count < sizeof(c->last_words) - 1)
			c->last_words[c->word_count++] = text[i];
		c->last_words[c->word_count] = '\0';
	}
}

static void read_error(struct child *c)
{
	char text[4096];
	ssize_t n;

	while (c->err >= 0) {
		n = read(c->err, text, sizeof(text));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_fd(&c->err);
			return;
		}
		note_words(c, text, (size_t)n);
		if (write(STDERR_FILENO, text, (size_t)n) < 0)
			return;
	}
}

void child_poll(const struct child *c, struct pollfd fds[CHILD_FDS])
{
	fds[0] = (struct pollfd){ .fd = c->in, .events = POLLOUT };
	fds[1] = (struct pollfd){ .fd = c->out, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = c->err, .events = POLLIN };
}

void child_proceed(struct child *c, const struct pollfd fds[CHILD_FDS])
{
	if (fds[0].revents != 0 && c->in >= 0)
		write_input(c);
	if (fds[1].revents != 0)
		read_output(c);
	if (fds[2].revents != 0)
		read_error(c);
}

bool child_is_too_loud(const struct child *c)
{
	return c->output.failed;
}

bool child_reap(struct child *c)
{
	if (c->pid == 0 || waitpid(c->pid, &c->wait_status, WNOHANG) != c->pid)
		return c->pid == 0;
	/* It wrote before it ended: all of it is in the pipes. */
	read_output(c);
	read_error(c);
	c->pid = 0;
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	return true;
}
