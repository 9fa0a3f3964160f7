/* socket.h - what broker and client do with a TCP socket before TLS: options, addresses as text */
#ifndef HANDOFF_NET_SOCKET_H
#define HANDOFF_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* The longest address as text: "[", 45 characters, "]:", a port, and the NUL. */
#define SOCKET_ADDRESS_SIZE 56
#define SOCKET_HOST_SIZE 256	/* a DNS name and the NUL */
#define SOCKET_PORT_SIZE 32	/* a number or a service's name and the NUL */

/*
 * No delay of small writes, and TCP keepalive (protocol section 1): a peer whose machine has
 * vanished is noticed after about a minute, also on a connection that says nothing.
 */
void socket_tune(int fd);

/* "192.0.2.1:7420" or "[2001:db8::1]:7420"; an IPv4 address inside an IPv6 one is shown as IPv4. */
void socket_format(const struct sockaddr *address, char out[SOCKET_ADDRESS_SIZE]);

/*
 * "host:port" in two; the host of an IPv6 address stands in brackets. False when there is no port,
 * or a part is empty or too long.
 */
bool socket_split(const char *text, char host[SOCKET_HOST_SIZE], char port[SOCKET_PORT_SIZE]);

#endif
