/* socket.c - what broker and client do with a TCP socket before TLS: options, addresses as text */
#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

/* Silence before the first probe, time between probes, probes without an answer: 60 s in all. */
#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3

static void set_option(int fd, int level, int name, int value)
{
	/* A refusal costs latency or a slower discovery, nothing else. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void socket_tune(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static void format_ipv4(const struct in_addr *address, in_port_t port, char *out)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, address, text, sizeof(text));
	snprintf(out, SOCKET_ADDRESS_SIZE, "%s:%u", text, (unsigned)ntohs(port));
}

static void format_ipv6(const struct sockaddr_in6 *address, char *out)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr inner;

	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		memcpy(&inner, address->sin6_addr.s6_addr + 12, sizeof(inner));
		format_ipv4(&inner, address->sin6_port, out);
		return;
	}
	inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
	snprintf(out, SOCKET_ADDRESS_SIZE, "[%s]:%u", text, (unsigned)ntohs(address->sin6_port));
}

void socket_format(const struct sockaddr *address, char out[SOCKET_ADDRESS_SIZE])
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	switch (address->sa_family) {
	case AF_INET:
		memcpy(&v4, address, sizeof(v4));
		format_ipv4(&v4.sin_addr, v4.sin_port, out);
		break;
	case AF_INET6:
		memcpy(&v6, address, sizeof(v6));
		format_ipv6(&v6, out);
		break;
	default:
		snprintf(out, SOCKET_ADDRESS_SIZE, "family %u", (unsigned)address->sa_family);
		break;
	}
}

/* Copies n bytes and a NUL; false when they are none or do not fit. */
static bool copy_part(char *to, size_t size, const char *from, size_t n)
{
	if (n == 0 || n >= size)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

bool socket_split(const char *text, char host[SOCKET_HOST_SIZE], char port[SOCKET_PORT_SIZE])
{
	const char *colon = strrchr(text, ':');
	size_t host_len;

	if (colon == NULL || !copy_part(port, SOCKET_PORT_SIZE, colon + 1, strlen(colon + 1)))
		return false;
	host_len = (size_t)(colon - text);
	if (text[0] == '[')
		return host_len > 2 && text[host_len - 1] == ']' &&
		       copy_part(host, SOCKET_HOST_SIZE, text + 1, host_len - 2);
	/* Two colons without brackets: which is the port's, cannot be told. */
	return memchr(text, ':', host_len) == NULL &&
	       copy_part(host, SOCKET_HOST_SIZE, text, host_len);
}
