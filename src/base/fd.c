/* Small wrappers over descriptors; libc's -1 stops here. */
#define _GNU_SOURCE
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fd_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

enum err fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return ERR_IO;
	return OK;
}

enum err fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? ERR_IO : OK;
}

enum err fd_write_all(int fd, struct bytes b)
{
	while (b.len) {
		ssize_t n = write(fd, b.at, b.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		b = bytes_cut(b, (size_t)n, b.len);
	}
	return OK;
}

enum err fd_read_all(int fd, struct text *out)
{
	unsigned char buf[16384];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof buf);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return OK;
		text_add(out, bytes_of(buf, (size_t)n));
		if (out->failed)
			return ERR_LIMIT;
	}
}

enum err fd_read_at_start(int fd, struct text *out)
{
	unsigned char buf[4096];

	for (off_t at = 0;;) {
		ssize_t n = pread(fd, buf, sizeof buf, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return OK;
		at += n;
		text_add(out, bytes_of(buf, (size_t)n));
		if (out->failed)
			return ERR_LIMIT;
	}
}

enum err folder_sync(const char *path)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 || fsync(fd) < 0 ? ERR_IO : OK;
}

enum err file_read(const char *path, struct text *out)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
	return fd_read_all(fd, out);
}

static enum err seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ? ERR_IO : OK;
}

enum err memfd_sealed(const char *name, struct bytes b, int *out)
{
	AUTO(fd_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return ERR_IO;
	TRY(fd_write_all(fd, b));
	TRY(seal(fd));
	*out = fd;
	fd = -1;
	return OK;
}

enum err memfd_of_file(const char *name, int from, size_t most, int *out)
{
	AUTO(fd_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t copied = 0;
	ssize_t n;

	if (fd < 0)
		return ERR_IO;
	while ((n = sendfile(fd, from, NULL, most + 1 - copied)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		copied += (size_t)n;
		if (copied > most)
			return ERR_LIMIT;
	}
	TRY(seal(fd));
	*out = fd;
	fd = -1;
	return OK;
}
