/* libpq cannot be given a descriptor. Who is linked with this file asks for a socket and gets one that is connected already; without one the answer is
 * the kernel's, which the jail does not let through. */
#define _GNU_SOURCE
#include "roles/dialed.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int given = -1, connected = -1;

void dialed_give(int fd)
{
	fd_close(&given);
	given = fd;
}

/* SOCK_NONBLOCK and SOCK_CLOEXEC hold for every descriptor of ours already. */
int socket(int domain, int type, int protocol)
{
	if (given < 0)
		return (int)syscall(SYS_socket, domain, type, protocol);
	connected = given;
	given = -1;
	return connected;
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	if (fd != connected || fd < 0)
		return (int)syscall(SYS_connect, fd, to, len);
	connected = -1;
	return 0;
}
