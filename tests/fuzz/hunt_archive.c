/* Any bytes as something packed (tar, zip, gz, xz, zst, bz2, in each other): it ends, within the limits; files have absolute paths, their
 * octets come in order, and what begins ends. */
#define _GNU_SOURCE
#include "hunt/source.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNPACKED_MAX (8u << 20)

static const char layout_text[] = "name: any\nsource: none\nstrip: 1\nroots:\n  - {from: var/, to: /var/}\nsingles:\n  - {from: httpaccess, to: /var/log/}\nlogs:\n  - {name: access, format: web, path: '^/var/log/', example: /var/log/a}\n";
static uint64_t octets, next;
static bool is_open;

static bool on_file(void *ctx, const struct hunt_file *f)
{
	(void)ctx;
	CHECK(!is_open && f->path[0] == '/' && f->where[0] && f->target);
	is_open = f->kind == HUNT_REGULAR;
	next = 0;
	return is_open;
}

static void on_bytes(void *ctx, struct bytes b, uint64_t offset)
{
	(void)ctx;
	CHECK(is_open && offset == next);
	next += b.len;
	octets += b.len;
}

static void on_end(void *ctx, enum err e)
{
	(void)ctx;
	(void)e;
	CHECK(is_open);
	is_open = false;
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	CHECK(*where && *what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hunt_layout *layout;
	const struct source_options options = { .unpacked_max = UNPACKED_MAX };
	const struct hunt_sink sink = { NULL, on_file, on_bytes, on_end, on_problem, NULL };
	char path[40], error[DATA_ERROR_MAX];
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (!layout)
		CHECK(hunt_layout_read(bytes_of(layout_text, sizeof(layout_text) - 1), "layout", &layout, error) == OK);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	octets = 0;
	is_open = false;
	(void)!hunt_source_read(path, layout, &options, &sink);
	CHECK(!is_open && octets <= UNPACKED_MAX + (1u << 20));
	close(fd);
	return 0;
}
