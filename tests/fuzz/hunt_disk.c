/* Any bytes as a disk image: it ends, within the limits, and every file that begins is one with an absolute path. */
#define _GNU_SOURCE
#include "hunt/disk.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t files, octets;

static bool on_file(void *ctx, const struct hunt_file *f)
{
	(void)ctx;
	files++;
	CHECK(f->path[0] == '/' && f->where[0] && f->target);
	return true;
}

static void on_bytes(void *ctx, struct bytes b, uint64_t offset)
{
	(void)ctx;
	(void)offset;
	octets += b.len;
}

static void on_end(void *ctx, enum err e)
{
	(void)ctx;
	(void)e;
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	CHECK(*where && *what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hunt_disk_options options = { .with_deleted = size & 1, .file_most = 1 << 20, .files_most = 200, .bytes_most = 4 << 20 };
	const struct hunt_sink sink = { NULL, on_file, on_bytes, on_end, on_problem, NULL };
	int fd = memfd_create("image", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	files = octets = 0;
	(void)!hunt_disk_read(fd, "image", &options, &sink);
	(void)hunt_disk_is(bytes_of(data, size));
	CHECK(files <= options.files_most && octets <= options.bytes_most);
	close(fd);
	return 0;
}
