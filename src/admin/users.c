/*
 * users.c - who may do what
 *
 * Names are looked up once, at the start: to look up a user can mean to ask a server, and the loop
 * waits for nobody.
 */
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/internal.h"
#include "base/mem.h"

static void add(struct admin *a, uint32_t uid)
{
	const struct passwd *user = getpwuid(uid);

	a->users[a->user_count++] = (struct admin_user){
		.uid = uid,
		.name = xstrdup(user != NULL ? user->pw_name : "?"),
	};
}

void users_init(struct admin *a)
{
	const struct admin_users *lists[] = { &a->settings.operators, &a->settings.readers };

	a->users = xcalloc(2 + lists[0]->count + lists[1]->count, sizeof(*a->users));
	add(a, 0);
	add(a, geteuid());
	for (size_t i = 0; i < 2; i++)
		for (size_t n = 0; n < lists[i]->count; n++)
			add(a, lists[i]->uids[n]);
}

void users_finish(struct admin *a)
{
	for (size_t i = 0; i < a->user_count; i++)
		free(a->users[i].name);
	free(a->users);
}

static bool has(const struct admin_users *users, uint32_t uid)
{
	for (size_t i = 0; i < users->count; i++)
		if (users->uids[i] == uid)
			return true;
	return false;
}

enum admin_role users_role(const struct admin *a, uint32_t uid)
{
	if (uid == 0 || uid == geteuid() || has(&a->settings.operators, uid))
		return ROLE_CHANGE;
	if (!a->settings.readers_only || has(&a->settings.readers, uid))
		return ROLE_LOOK;
	return ROLE_NONE;
}

const char *users_name(const struct admin *a, uint32_t uid)
{
	for (size_t i = 0; i < a->user_count; i++)
		if (a->users[i].uid == uid)
			return a->users[i].name;
	return "?";
}
