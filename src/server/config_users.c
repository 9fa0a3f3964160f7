/* config_users.c - users of this machine, by name or number */
#include "server/config_internal.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/log.h"

#define NOBODY_UID 65534 /* what a user namespace shows of every user that it does not know */

/* False when there is no such user; *why then says more, if there is more to say. */
static bool find_user(const char *name, uint32_t *uid, const char **why)
{
	const struct passwd *user;
	int64_t number;

	*why = NULL;
	if (value_count(name, &number)) {
		*uid = (uint32_t)number;
		return number < UINT32_MAX;
	}
	errno = 0;
	user = getpwnam(name);
	if (user == NULL && errno != 0 && errno != ENOENT && errno != ESRCH && errno != EPERM)
		*why = strerror(errno);
	if (user != NULL)
		*uid = user->pw_uid;
	return user != NULL;
}

void config_user_add(struct loader *l, struct config_users *users, const char *list,
    const char *name, int line)
{
	const struct place where = { .line = line };
	const char *shown = log_quote(name, strlen(name)), *why;
	uint32_t uid;

	if (users->count == CONFIG_OPERATORS_MAX)
		config_fault(l, where, "admin.%s: %s is one too many, the list has room for %d",
			     list, shown, CONFIG_OPERATORS_MAX);
	else if (!find_user(name, &uid, &why))
		config_fault(l, where, "admin.%s: there is no user %s on this machine%s%s: give "
			     "the name or the number of one", list, shown,
			     why != NULL ? ", or it cannot be found now: " : "",
			     why != NULL ? why : "");
	else if (uid == NOBODY_UID)
		config_fault(l, where, "admin.%s: %s is what strangers look like: give a user of "
			     "its own", list, shown);
	else
		users->uids[users->count++] = uid;
}
