/* wait.c - until a connection is ready */
#include <poll.h>

#include "bench.h"
#include "net/stream.h"

#define AWAITED_MAX 2

struct awaited await_link(const struct link *l)
{
	return (struct awaited){ link_fd(l), link_wants(l), link_has_pending(l) };
}

struct awaited await_tunnel(const struct tunnel *t)
{
	const unsigned more = t->out.len > 0 ? STREAM_WRITABLE : 0;

	return (struct awaited){ stream_fd(t->stream), stream_wants(t->stream) | more,
				 stream_has_pending(t->stream) };
}

void wait_for(const struct awaited *all, size_t n)
{
	struct pollfd ready[AWAITED_MAX];

	for (size_t i = 0; i < n; i++) {
		if (all[i].has_pending)
			return;
		ready[i] = (struct pollfd){
			.fd = all[i].fd,
			.events = (short)((all[i].wants & STREAM_READABLE ? POLLIN : 0) |
					  (all[i].wants & STREAM_WRITABLE ? POLLOUT : 0)),
		};
	}
	if (poll(ready, (nfds_t)n, PATIENCE_MS) == 0)
		die("nothing comes for %d ms", PATIENCE_MS);
}
