/* change.c - whose hand it is, and how long a command sleeps */
#include "admin/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct hand job_hand(const struct admin_job *job, char who[ACTION_WHO_MAX + 1])
{
	const uint32_t uid = (uint32_t)job->client->peer.uid;

	/* The number says who it is even where a long name is cut. */
	snprintf(who, ACTION_WHO_MAX + 1, "%.40s (uid %" PRIu32 ")", users_name(job->admin, uid),
		 uid);
	return (struct hand){ who, job->request.reason != NULL ? job->request.reason : "" };
}

void job_wait(struct admin_job *job, uint64_t ms)
{
	job->wake_ms = job->admin->now_ms + ms;
}

bool job_is_left(const struct admin_job *job)
{
	return client_is_gone(job->client);
}

void job_words(const struct admin_job *job, char *out, size_t size)
{
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < job->request.count && at + 1 < size; i++) {
		int n = snprintf(out + at, size - at, "%s%s", i > 0 ? " " : "",
				 job->request.words[i]);

		at += n > 0 ? (size_t)n : 0;
	}
}
