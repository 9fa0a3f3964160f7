/* config_files.c - are the files of `tls` there, and is the key nobody else's to read */
#include "server/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opened as it will be, so that the answer is the one that counts. */
static bool check_file(const char *setting, const char *path, bool secret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool good = false;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		fprintf(stderr, "handoffd: %s: %s cannot be read: %s\n", setting, path,
			strerror(errno));
	else if (!S_ISREG(st.st_mode))
		fprintf(stderr, "handoffd: %s: %s is not a regular file\n", setting, path);
	else if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		fprintf(stderr, "handoffd: %s: %s has mode %04o, others than its owner could use "
			"the key: chmod 600 %s\n", setting, path, (unsigned)st.st_mode & 07777,
			path);
	else
		good = true;
	if (fd >= 0)
		close(fd);
	return good;
}

int config_check_files(const struct config *c)
{
	bool good = check_file("tls.ca", c->tls_ca, false);

	good = check_file("tls.certificate", c->tls_certificate, false) && good;
	good = check_file("tls.key", c->tls_key, true) && good;
	return good ? 0 : ERR_CONFIG;
}
