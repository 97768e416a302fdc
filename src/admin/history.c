/* Plain files, so that an administrator can read them when nothing runs. */
#define _GNU_SOURCE
#include "admin/history.h"

#include "base/clock.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err dir_open(struct bytes state_dir, bool create, int *out)
{
	char path[4096];
	int fd;

	if (state_dir.len == 0)
		return ERR_NOT_FOUND;
	if (snprintf(path, sizeof(path), "%.*s/history", FMT(state_dir)) >= (int)sizeof(path))
		return ERR_LIMIT;
	if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
		return ERR_IO;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
	*out = fd;
	return OK;
}

static int by_number_down(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The numbers of all entries, newest first, at most max of them. */
static enum err numbers(int dir, uint32_t *out, size_t max, size_t *count)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	if (!d) {
		fd_close(&fd);
		return ERR_IO;
	}
	while (n < max && (e = readdir(d))) {
		struct bytes name = bytes_str(e->d_name);
		uint64_t number;

		if (!bytes_ends(name, BYTES(".yaml")) || bytes_u64(bytes_cut(name, 0, name.len - 5), &number) != OK ||
			number == 0 || number >= UINT32_MAX)
			continue;
		out[n++] = (uint32_t)number;
	}
	closedir(d);
	qsort(out, n, sizeof(*out), by_number_down);
	*count = n;
	return OK;
}

static enum err read_at(int dir, uint32_t number, const char *end, struct text *out)
{
	char name[32];
	int n = snprintf(name, sizeof(name), "%u.%s", number, end);
	AUTO(fd_close) int fd = n > 0 ? openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	return fd_read_all(fd, out);
}

/* Under another name first: after a crash there is a whole file or none. */
static enum err write_at(int dir, uint32_t number, const char *end, struct bytes content)
{
	char name[32], temporary[40];
	enum err e;

	snprintf(name, sizeof(name), "%u.%s", number, end);
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	AUTO(fd_close) int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ERR_IO;
	e = fd_write_all(fd, content);
	if (e == OK && (fsync(fd) < 0 || renameat(dir, temporary, dir, name) < 0))
		e = ERR_IO;
	if (e != OK)
		unlinkat(dir, temporary, 0);
	return e;
}

static void forget_oldest(int dir, const uint32_t *list, size_t count)
{
	for (size_t i = HISTORY_KEPT; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%u.yaml", list[i]);
		unlinkat(dir, name, 0);
		snprintf(name, sizeof(name), "%u.bundle", list[i]);
		unlinkat(dir, name, 0);
		snprintf(name, sizeof(name), "%u.json", list[i]);
		unlinkat(dir, name, 0);
	}
}

static bool is_same(int dir, uint32_t number, const char *end, struct bytes content)
{
	struct text t;
	bool same;

	text_init_growing(&t, content.len + 1);
	same = read_at(dir, number, end, &t) == OK && bytes_eq(text_bytes(&t), content);
	text_fini(&t);
	return same;
}

enum err history_save(struct bytes state_dir, struct bytes text, struct bytes bundle, uint64_t real_us, unsigned uid, const char *why,
	uint32_t *number)
{
	AUTO(fd_close) int dir = -1;
	static uint32_t list[4 * HISTORY_KEPT];
	unsigned char mem[512];
	struct text meta;
	size_t count;
	char when[25];
	uint32_t n;

	TRY(dir_open(state_dir, true, &dir));
	TRY(numbers(dir, list, COUNT_OF(list), &count));
	if (count && is_same(dir, list[0], "yaml", text) && is_same(dir, list[0], "bundle", bundle)) {
		*number = list[0];
		return OK;
	}
	n = count ? list[0] + 1 : 1;
	clock_rfc3339(real_us, when);
	text_init(&meta, mem, sizeof(mem));
	text_fmt(&meta, "{\"number\":%u,\"time\":\"%s\",\"uid\":%u,\"why\":\"%s\"}\n", n, when, uid, why);
	if (meta.failed)
		return ERR_LIMIT;
	TRY(write_at(dir, n, "json", text_bytes(&meta)));
	TRY(write_at(dir, n, "bundle", bundle));
	TRY(write_at(dir, n, "yaml", text)); /* last: with it the entry is there */
	forget_oldest(dir, list, count);
	*number = n;
	return OK;
}

enum err history_list(struct bytes state_dir, json_t **out)
{
	AUTO(fd_close) int dir = -1;
	static uint32_t list[4 * HISTORY_KEPT];
	size_t count = 0;
	json_t *array;
	enum err e = dir_open(state_dir, false, &dir);

	if (e == OK)
		e = numbers(dir, list, COUNT_OF(list), &count);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	array = json_array();
	for (size_t i = 0; i < count; i++) {
		struct text t;
		json_t *entry = NULL;

		text_init_growing(&t, 4096);
		if (read_at(dir, list[i], "json", &t) == OK)
			entry = json_loadb((const char *)t.at, t.len, 0, NULL);
		text_fini(&t);
		if (!json_is_object(entry)) { /* its half is lost; the configuration itself is still there */
			json_decref(entry);
			entry = json_pack("{s:i}", "number", (int)list[i]);
		}
		json_array_append_new(array, entry);
	}
	if (!array)
		return ERR_MEMORY;
	*out = array;
	return OK;
}

enum err history_read(struct bytes state_dir, uint32_t number, struct text *out)
{
	AUTO(fd_close) int dir = -1;

	TRY(dir_open(state_dir, false, &dir));
	return read_at(dir, number, "yaml", out);
}

enum err history_read_bundle(struct bytes state_dir, uint32_t number, struct text *out)
{
	AUTO(fd_close) int dir = -1;

	TRY(dir_open(state_dir, false, &dir));
	return read_at(dir, number, "bundle", out);
}
