/* Appends the line; the file is opened for each, so that it may be rotated away. */
#define _GNU_SOURCE
#include "alert/deliver_priv.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(struct dest *t, const char *what)
{
	snprintf(t->error, sizeof(t->error), "%s: %s", what, strerror(errno));
	dest_failed(t, t->error);
}

static void begin(struct dest *t)
{
	struct stat st;
	AUTO(fd_close) int fd = open(t->to.url, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);

	if (fd < 0 || fstat(fd, &st) != 0) {
		fail(t, "cannot be opened");
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		dest_failed(t, "is no regular file");
		return;
	}
	if (fd_write_all(fd, text_bytes(&t->lines)) != OK) {
		fail(t, "cannot be written");
		(void)!ftruncate(fd, st.st_size); /* half a line would spoil the next */
		return;
	}
	if (fdatasync(fd) != 0) {
		fail(t, "cannot be written");
		return;
	}
	dest_taken(t);
}

const struct deliver_way *deliver_file_way(void)
{
	static const struct deliver_way way = { begin, NULL, NULL };

	return &way;
}
