/* notify.c - one datagram a message, as sd_notify(3) describes them */
#include "server/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define STATUS_BYTES 256	/* the longest sentence that is sent */

/* The address that `name` stands for; 0 when it is none, else its length. */
static socklen_t notify_address(const char *name, struct sockaddr_un *address)
{
	const size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(address->sun_path))
		return 0;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, name, len);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	/* A path ends with its NUL; an abstract name is exactly the bytes that are counted. */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
}

static int notify_fd = -1;

bool notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t address_len;

	notify_close();
	if (name == NULL || name[0] == '\0')
		return true;
	address_len = notify_address(name, &address);
	if (address_len == 0) {
		log_warning("systemd not told", "socket=%s reason=%s",
			    log_quote(name, strlen(name)), "\"NOTIFY_SOCKET is no address\"");
		return false;
	}
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd >= 0 &&
	    connect(notify_fd, (const struct sockaddr *)&address, address_len) == 0)
		return true;
	log_warning("systemd not told", "socket=%s reason=%s", log_quote(name, strlen(name)),
		    log_quote(strerror(errno), strlen(strerror(errno))));
	notify_close();
	return false;
}

void notify_close(void)
{
	if (notify_fd >= 0)
		close(notify_fd);
	notify_fd = -1;
}

static bool notify_send(const char *state, const char *status)
{
	char message[STATUS_BYTES + 32];
	int len;

	if (notify_fd < 0)
		return true;
	len = snprintf(message, sizeof(message), "%sSTATUS=%.*s", state, STATUS_BYTES, status);
	if (send(notify_fd, message, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len)
		return true;
	log_warning("systemd not told", "reason=%s",
		    log_quote(strerror(errno), strlen(strerror(errno))));
	return false;
}

bool notify_ready(const char *status)
{
	return notify_send("READY=1\n", status);
}

bool notify_stopping(const char *status)
{
	return notify_send("STOPPING=1\n", status);
}

bool notify_status(const char *status)
{
	return notify_send("", status);
}
