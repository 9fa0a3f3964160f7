/* test_notify.c - the datagrams as systemd gets them */
#include <errno.h>
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

#include "base/log.h"
#include "server/notify.h"

static char directory[] = "/tmp/handoff-notify-XXXXXX";

/* A socket of that name, which does not block, and NOTIFY_SOCKET set to it. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	assert_true(fd >= 0);
	assert_true(strlen(name) < sizeof(address.sun_path));
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_true(notify_open());
	return fd;
}

static void assert_message(int fd, const char *expected)
{
	char message[1024] = "";

	assert_true(recv(fd, message, sizeof(message) - 1, 0) >= 0);
	assert_string_equal(message, expected);
}

static void each_state_is_one_datagram(int fd)
{
	assert_true(notify_ready("listening on 127.0.0.1:7420"));
	assert_message(fd, "READY=1\nSTATUS=listening on 127.0.0.1:7420");
	assert_true(notify_status("3 sessions"));
	assert_message(fd, "STATUS=3 sessions");
	assert_true(notify_stopping("committing"));
	assert_message(fd, "STOPPING=1\nSTATUS=committing");
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), -1);
	close(fd);
}

static void a_path_is_reached(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "%s/socket", directory);
	each_state_is_one_datagram(listen_at(name));
	unlink(name);
}

static void an_abstract_name_is_reached(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@%s/abstract", directory);
	each_state_is_one_datagram(listen_at(name));
}

static void nobody_asked_and_nothing_is_wrong(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_true(notify_open());
	assert_true(notify_ready("x"));
	setenv("NOTIFY_SOCKET", "", 1);
	assert_true(notify_open());
	assert_true(notify_ready("x"));
}

static void assert_not_opened(const char *name)
{
	setenv("NOTIFY_SOCKET", name, 1);
	assert_false(notify_open());
	assert_true(notify_ready("x"));		/* nobody is there who could be told */
}

static void a_socket_that_cannot_be_is_told(void **state)
{
	char name[200];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[199] = '\0';
	assert_not_opened(name);
	assert_not_opened("relative");
	assert_not_opened("@");
	snprintf(name, sizeof(name), "%s/nobody", directory);
	assert_not_opened(name);
}

static void a_reader_that_went_away_is_told(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@%s/gone", directory);
	close(listen_at(name));
	assert_false(notify_ready("x"));
}

/* A socket that nobody reads fills up: the sender says so and does not wait. */
static void a_full_socket_does_not_block(void **state)
{
	char name[64];
	int fd, sent = 0;

	(void)state;
	snprintf(name, sizeof(name), "%s/full", directory);
	fd = listen_at(name);
	while (notify_status("x"))
		assert_true(++sent < 1000000);
	assert_true(sent > 0);
	close(fd);
	unlink(name);
}

static void a_long_sentence_is_cut(void **state)
{
	char name[64], sentence[1000], expected[8 + 256 + 1] = "STATUS=";
	int fd;

	(void)state;
	memset(sentence, 'x', sizeof(sentence));
	sentence[999] = '\0';
	memset(expected + 7, 'x', 256);
	expected[7 + 256] = '\0';
	snprintf(name, sizeof(name), "@%s/long", directory);
	fd = listen_at(name);
	assert_true(notify_status(sentence));
	assert_message(fd, expected);
	close(fd);
}

static int make_directory(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_close();
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_reached),
		cmocka_unit_test(an_abstract_name_is_reached),
		cmocka_unit_test(nobody_asked_and_nothing_is_wrong),
		cmocka_unit_test(a_socket_that_cannot_be_is_told),
		cmocka_unit_test(a_reader_that_went_away_is_told),
		cmocka_unit_test(a_full_socket_does_not_block),
		cmocka_unit_test(a_long_sentence_is_cut),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
