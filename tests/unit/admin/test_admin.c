/* test_admin.c - operators over a real socket, with commands and a clock of the test's own */
#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/internal.h"
#include "base/log.h"

static char directory[] = "/tmp/handoff-admin-XXXXXX";
static char path[sizeof(directory) + 16];
static struct ev_loop *loop;
static struct admin *a;
static uint64_t now_ms;
static char answer[ADMIN_OUTPUT_BYTES_MAX * 4];

/* --- commands of the test --------------------------------------------------------------------- */

static unsigned steps;		/* of all commands, since the beginning of the test */

static bool cmd_count(struct admin_job *job)
{
	unsigned *at = job_state(job, sizeof(*at));

	steps++;
	report_number(&job->report, "step", ++*at);
	return *at < (unsigned)strtoul(job->arguments[0], NULL, 10);
}

static bool cmd_endless(struct admin_job *job)
{
	static char text[ADMIN_STEP_BYTES_MAX / 2];

	steps++;
	memset(text, 'x', sizeof(text));
	report_bytes_as_text(&job->report, "x", text, sizeof(text));
	return true;
}

static bool cmd_too_much(struct admin_job *job)
{
	static char text[ADMIN_STEP_BYTES_MAX + 1];

	memset(text, 'x', sizeof(text));
	report_bytes_as_text(&job->report, "x", text, sizeof(text));
	return false;
}

static bool cmd_echo(struct admin_job *job)
{
	for (size_t i = 0; i < job->argument_count; i++)
		report_sentence(&job->report, job->arguments[i]);
	if (job_option(job, "--name") != NULL)
		report_text(&job->report, "name", job_option(job, "--name"));
	if (job_option(job, "--all") != NULL)
		report_bool(&job->report, "all", true);
	return false;
}

static bool cmd_fail(struct admin_job *job)
{
	report_number(&job->report, "before", 1);
	return job_fail(job, ADMIN_NOTHING, "nothing is there");
}

static const struct command rows[] = {
	{ .words = "count", .role = ROLE_LOOK, .step = cmd_count, .arguments = "NUMBER",
	  .help = "count" },
	{ .words = "dead echo", .role = ROLE_LOOK, .step = cmd_echo, .arguments = "[WORD]...",
	  .options = "--name NAME --all", .help = "echo" },
	{ .words = "dead purge", .role = ROLE_CHANGE, .destructive = true, .step = cmd_echo,
	  .arguments = "[WORD]", .help = "purge" },
	{ .words = "endless", .role = ROLE_LOOK, .step = cmd_endless, .help = "never end" },
	{ .words = "fail", .role = ROLE_LOOK, .step = cmd_fail, .help = "fail" },
	{ .words = "too much", .role = ROLE_LOOK, .step = cmd_too_much, .help = "write too much" },
};
static const struct command_table table = { rows, sizeof(rows) / sizeof(rows[0]) };

/* --- turns and peers -------------------------------------------------------------------------- */

static int begin(void **state)
{
	const struct admin_settings settings = { .socket = path };
	char why[256] = "";

	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	loop = ev_loop_new(EVFLAG_AUTO);
	now_ms = 1000000;
	steps = 0;
	a = admin_create(loop, NULL, NULL, &settings, now_ms, why, sizeof(why));
	if (a == NULL)
		fail_msg("%s", why);
	a->commands = &table;
	return 0;
}

static int end(void **state)
{
	(void)state;
	admin_destroy(a);
	assert_int_equal(access(path, F_OK), -1);
	ev_loop_destroy(loop);
	return 0;
}

static void take(void)
{
	ev_run(loop, EVRUN_NOWAIT);
	admin_set_time(a, now_ms);
	admin_receive(a);
	admin_expire(a);
}

static void turn(void)
{
	take();
	admin_settle(a);
	admin_reap(a);
}

/* As the server does: on, until nothing is to be done. */
static void turns(void)
{
	int n = 0;

	do {
		turn();
		assert_true(++n < 1000);
	} while (admin_have_pending(a));
}

static int connect_peer(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int accepted_peer(void)
{
	int fd = connect_peer();

	turn();
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What is there for the peer, into answer[]; true when the connection has ended. */
static bool hear(int fd)
{
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
		got += (size_t)n;
	answer[got] = '\0';
	return n == 0 || errno != EAGAIN;
}

static const char *ask(int fd, const char *line)
{
	say(fd, line);
	turns();
	assert_false(hear(fd));
	return answer;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void an_answer_leaves_after_the_commit_only(void **state)
{
	int fd = accepted_peer();

	(void)state;
	say(fd, "dead echo a\n");
	take();
	assert_false(hear(fd));
	assert_string_equal(answer, "");
	admin_settle(a);		/* the commit has returned 0 */
	assert_false(hear(fd));
	assert_string_equal(answer, "a\n.0\n");
	close(fd);
}

static void a_long_command_does_one_step_a_turn(void **state)
{
	int fd = accepted_peer();

	(void)state;
	say(fd, "count 3\njson count 2\n");
	for (unsigned n = 1; n <= 5; n++) {
		assert_int_equal(steps, n - 1);
		assert_true(n == 1 || admin_have_pending(a));
		turn();
	}
	assert_int_equal(steps, 5);
	assert_false(admin_have_pending(a));
	assert_false(hear(fd));
	assert_string_equal(answer, "step                  1\nstep                  2\n"
			    "step                  3\n.0\n{\"step\":1,\"step\":2}\n.0\n");
	close(fd);
}

static void a_line_of_the_body_is_never_its_end(void **state)
{
	int fd = accepted_peer();

	(void)state;
	assert_string_equal(ask(fd, "dead echo . .0 a. ..\n"), "..\n..0\na.\n...\n.0\n");
	close(fd);
}

static void arguments_and_options_are_checked_by_the_table(void **state)
{
	int fd = accepted_peer();

	(void)state;
	assert_string_equal(ask(fd, "dead echo a --name n --all b\n"),
			    "a\nb\nname                  n\nall                   yes\n.0\n");
	assert_string_equal(ask(fd, "dead echo --name=n -- --all\n"),
			    "--all\nname                  n\n.0\n");
	assert_string_equal(ask(fd, "dead echo --nme x\n"), "there is no option \"--nme\": "
			    "dead echo [--name NAME] [--all] [WORD]...\n.2\n");
	assert_string_equal(ask(fd, "dead echo --name\n"), "--name needs a value\n.2\n");
	assert_string_equal(ask(fd, "dead echo --all=x\n"), "--all takes no value\n.2\n");
	assert_string_equal(ask(fd, "dead echo --all --all\n"), "--all stands twice\n.2\n");
	assert_string_equal(ask(fd, "count\n"), "something is missing: count NUMBER\n.2\n");
	assert_string_equal(ask(fd, "count 1 2\n"), "there is too much: count NUMBER\n.2\n");
	close(fd);
}

static void wrong_words_get_the_possible_ones(void **state)
{
	int fd = accepted_peer();

	(void)state;
	assert_string_equal(ask(fd, "dead ecoh\n"), "there is no command \"ecoh\" after \"dead\", "
			    "did you mean \"echo\"? There is: echo, purge\n.2\n");
	assert_string_equal(ask(fd, "dead\n"), "the command is not complete: behind \"dead\" comes: "
			    "echo, purge\n.2\n");
	assert_string_equal(ask(fd, "\n"), "there is no command in the request: count, dead, "
			    "endless, fail, too\n.2\n");
	assert_string_equal(ask(fd, "json \x1b[31m\n"), "{\"error\":\"there is no command "
			    "\\\"\\u001b[31m\\\". There is: count, dead, endless, fail, too\","
			    "\"code\":2}\n.2\n");
	close(fd);
}

static void what_cannot_be_undone_wants_a_yes(void **state)
{
	int fd = accepted_peer();

	(void)state;
	assert_string_equal(ask(fd, "dead purge x\n"), "what dead purge does cannot be undone: say "
			    "yes to it (handoffctl --yes)\n.2 yes\n");
	assert_string_equal(ask(fd, "yes dead purge x\n"), "x\n.0\n");
	close(fd);
}

static void who_may_look_changes_nothing(void **state)
{
	int fd = accepted_peer();
	char expected[256];

	(void)state;
	LIST_FIRST(&a->clients)->role = ROLE_LOOK;
	snprintf(expected, sizeof(expected), "user %u may look, and change nothing: name him in "
		 "admin.operators of the configuration\n.77\n", (unsigned)getuid());
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	assert_string_equal(ask(fd, "yes dead purge x\n"), expected);
	assert_string_equal(ask(fd, "dead echo x\n"), "x\n.0\n");
	close(fd);
}

static void a_command_can_fail_in_both_forms(void **state)
{
	int fd = accepted_peer();

	(void)state;
	assert_string_equal(ask(fd, "fail\n"),
			    "before                1\nnothing is there\n.1\n");
	assert_string_equal(ask(fd, "json fail\n"),
			    "{\"before\":1,\"error\":\"nothing is there\",\"code\":1}\n.1\n");
	close(fd);
}

static void a_step_that_writes_too_much_is_cut_off(void **state)
{
	int fd = accepted_peer(), saved = dup(STDERR_FILENO);
	FILE *said = tmpfile();
	char line[512] = "";

	(void)state;
	assert_non_null(said);
	assert_true(dup2(fileno(said), STDERR_FILENO) >= 0);
	say(fd, "too much\n");
	turns();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(said);
	assert_non_null(fgets(line, sizeof(line), said));
	assert_non_null(strstr(line, "operator's answer too long command=\"too much\" limit=65536"));
	fclose(said);
	assert_false(hear(fd));
	assert_non_null(strstr(answer, ".70\n"));
	assert_string_equal(ask(fd, "dead echo x\n"), "x\n.0\n");
	close(fd);
}

static void a_line_of_the_limit_is_taken_and_a_longer_one_refused(void **state)
{
	static char line[ADMIN_REQUEST_BYTES_MAX + 2];
	int fd = accepted_peer();

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, "dead echo x", strlen("dead echo x"));
	line[ADMIN_REQUEST_BYTES_MAX] = '\n';
	line[ADMIN_REQUEST_BYTES_MAX + 1] = '\0';
	assert_string_equal(ask(fd, line), "x\n.0\n");
	line[ADMIN_REQUEST_BYTES_MAX] = ' ';
	say(fd, line);
	turns();
	assert_true(hear(fd));
	assert_string_equal(answer, "the request is longer than 65536 bytes\n.2\n");
	close(fd);
}

static void a_line_has_to_end_in_time(void **state)
{
	int fd = accepted_peer();

	(void)state;
	say(fd, "dead");
	turn();
	assert_int_equal(admin_next_deadline_ms(a), now_ms + ADMIN_REQUEST_TIMEOUT_MS);
	now_ms += ADMIN_REQUEST_TIMEOUT_MS - 1;
	say(fd, " echo");		/* more bytes give no more time */
	turns();
	assert_false(hear(fd));
	now_ms++;
	turns();
	assert_true(hear(fd));
	assert_string_equal(answer, "the request took too long to come: its line has to end within "
			    "10 s\n.75\n");
	close(fd);
}

static void silence_ends_a_connection(void **state)
{
	int fd;

	(void)state;
	now_ms += 10 * ADMIN_IDLE_TIMEOUT_MS;	/* the loop has slept: the peer has not */
	fd = accepted_peer();
	assert_false(hear(fd));
	assert_int_equal(admin_next_deadline_ms(a), now_ms + ADMIN_IDLE_TIMEOUT_MS);
	now_ms += ADMIN_IDLE_TIMEOUT_MS - 1;
	assert_string_equal(ask(fd, "dead echo x\n"), "x\n.0\n");
	now_ms += ADMIN_IDLE_TIMEOUT_MS - 1;
	turns();
	assert_false(hear(fd));
	now_ms++;
	turns();
	assert_true(hear(fd));
	assert_string_equal(answer, "");
	assert_int_equal(admin_next_deadline_ms(a), UINT64_MAX);
	close(fd);
}

static void a_peer_that_never_reads_is_dropped(void **state)
{
	struct admin_client *c;
	unsigned before;
	int fd = accepted_peer();

	(void)state;
	say(fd, "endless\n");
	turns();			/* which ends: nothing is pending without room */
	c = LIST_FIRST(&a->clients);
	assert_true(c->out.len > 0 && c->out.len <= ADMIN_OUTPUT_BYTES_MAX);
	before = steps;
	turn();
	assert_int_equal(steps, before);
	hear(fd);			/* it reads: so it goes on, and has its time again */
	now_ms += ADMIN_WRITE_TIMEOUT_MS - 1;
	turns();
	assert_true(steps > before);
	assert_int_equal(admin_next_deadline_ms(a), now_ms + ADMIN_WRITE_TIMEOUT_MS);
	now_ms += ADMIN_WRITE_TIMEOUT_MS;
	turns();
	assert_true(LIST_EMPTY(&a->clients));
	close(fd);
}

static void a_peer_that_has_shut_its_side_is_answered(void **state)
{
	int fd = accepted_peer();

	(void)state;
	say(fd, "count 3\ndead echo x");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	turns();
	assert_true(hear(fd));
	assert_string_equal(answer, "step                  1\nstep                  2\n"
			    "step                  3\n.0\n");
	close(fd);
}

static void a_peer_may_vanish_at_any_time(void **state)
{
	static const char *const lines[] = { "", "dead", "endless\n", "count 1000000\n", "\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd = accepted_peer();

		say(fd, lines[i]);
		turn();
		close(fd);
		turns();
		assert_true(LIST_EMPTY(&a->clients));
	}
}

static void the_ninth_is_told_and_an_operator_displaces_a_reader(void **state)
{
	int fds[ADMIN_CONNECTIONS_MAX], ninth;

	(void)state;
	for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		now_ms++;
		fds[i] = accepted_peer();
	}
	ninth = accepted_peer();
	assert_true(hear(ninth));
	assert_string_equal(answer, "there are 8 connections to the operator's socket already: try "
			    "again when one has ended\n.75\n");
	close(ninth);
	for (struct admin_client *c = LIST_FIRST(&a->clients); c != NULL; c = LIST_NEXT(c, entry))
		if (c->id != 1 && c->id < 4)
			c->role = ROLE_LOOK;
	ninth = accepted_peer();
	assert_string_equal(ask(ninth, "dead echo x\n"), "x\n.0\n");
	assert_false(hear(fds[0]));
	assert_true(hear(fds[1]));	/* of the two readers, the one that was silent for longer */
	assert_false(hear(fds[2]));
	for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
		close(fds[i]);
	close(ninth);
	turns();
	assert_true(LIST_EMPTY(&a->clients));
}

static void the_tables_rows_are_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < admin_commands.count; i++) {
		const struct command *c = &admin_commands.rows[i];
		char synopsis[SYNOPSIS_BYTES];

		/* Rows with the same first word stand together: help and suggestions rely on it. */
		assert_true(i == 0 || strcmp(admin_commands.rows[i - 1].words, c->words) < 0);
		assert_non_null(c->step);
		assert_true(c->role == ROLE_LOOK || c->role == ROLE_CHANGE);
		assert_true(!c->destructive || c->role == ROLE_CHANGE);
		command_synopsis(c, synopsis);
		assert_true(strlen(synopsis) < SYNOPSIS_BYTES - 1);
		assert_true(strlen(c->help) < 80);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_leaves_after_the_commit_only),
		TEST(a_long_command_does_one_step_a_turn),
		TEST(a_line_of_the_body_is_never_its_end),
		TEST(arguments_and_options_are_checked_by_the_table),
		TEST(wrong_words_get_the_possible_ones),
		TEST(what_cannot_be_undone_wants_a_yes),
		TEST(who_may_look_changes_nothing),
		TEST(a_command_can_fail_in_both_forms),
		TEST(a_step_that_writes_too_much_is_cut_off),
		TEST(a_line_of_the_limit_is_taken_and_a_longer_one_refused),
		TEST(a_line_has_to_end_in_time),
		TEST(silence_ends_a_connection),
		TEST(a_peer_that_never_reads_is_dropped),
		TEST(a_peer_that_has_shut_its_side_is_answered),
		TEST(a_peer_may_vanish_at_any_time),
		TEST(the_ninth_is_told_and_an_operator_displaces_a_reader),
		TEST(the_tables_rows_are_in_order),
	};
	int r;

	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/admin.sock", directory);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(directory) != 0 || r;
}
