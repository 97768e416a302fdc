/* Telling the service manager how far we are, so that what depends on us starts when we serve and not before. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "base/fd.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

void master_notify_open(struct master *m)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(sa.sun_path) || (path[0] != '/' && path[0] != '@')) {
		unsetenv("NOTIFY_SOCKET");
		return;
	}
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = 0; /* an abstract name */
	unsetenv("NOTIFY_SOCKET");
	m->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->notify_fd >= 0 && connect(m->notify_fd, (const struct sockaddr *)&sa,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		fd_close(&m->notify_fd);
}

void master_notify(struct master *m, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	if (m->notify_fd < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && n < (int)sizeof(text))
		(void)!send(m->notify_fd, text, (size_t)n, MSG_NOSIGNAL);
}
