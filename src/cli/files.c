/* The copy is made by SQLite's own backup, which waits for writers and takes what lies in the journal along. */
#define _GNU_SOURCE
#include "cli/files.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **names_of(DIR *d, bool (*want)(const char *name, void *ctx), void *ctx, size_t *count)
{
	char **list = NULL;
	struct dirent *e;
	size_t n = 0;

	*count = 0;
	if (!d)
		return NULL;
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || (want && !want(e->d_name, ctx)))
			continue;
		list = reallocarray(list, n + 1, sizeof(*list));
		CHECK(list);
		list[n] = strdup(e->d_name);
		CHECK(list[n]);
		n++;
	}
	closedir(d);
	if (!list)
		return calloc(1, sizeof(*list));
	qsort(list, n, sizeof(*list), by_name);
	*count = n;
	return list;
}

struct visible {
	bool (*want)(const char *name, void *ctx);
	void *ctx;
};

static bool is_visible(const char *name, void *ctx)
{
	const struct visible *v = ctx;

	return name[0] != '.' && v->want(name, v->ctx);
}

char **names_in(const char *dir, bool (*want)(const char *name, void *ctx), void *ctx, size_t *count)
{
	struct visible v = { want, ctx };

	return names_of(opendir(dir), is_visible, &v, count);
}

void names_free(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static bool copy_live(const char *from, const char *to, const char **why)
{
	sqlite3 *in = NULL, *out = NULL;
	sqlite3_backup *b = NULL;
	char wal[4500], mem[3 * 4500];
	struct text uri;
	int e;

	/* A day that no journal belongs to any more needs no shared memory beside it, which reading alone could not make. */
	snprintf(wal, sizeof(wal), "%s-wal", from);
	text_init(&uri, mem, sizeof(mem));
	text_lit(&uri, "file:");
	for (const char *p = from; *p; p++)
		text_fmt(&uri, strchr("%?#", *p) ? "%%%02X" : "%c", (unsigned char)*p);
	text_str(&uri, access(wal, F_OK) < 0 ? "?mode=ro&immutable=1" : "?mode=ro");
	text_byte(&uri, 0);
	e = uri.failed ? SQLITE_CANTOPEN : sqlite3_open_v2(mem, &in, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	if (e == SQLITE_OK)
		e = sqlite3_open_v2(to, &out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (e == SQLITE_OK) {
		sqlite3_busy_timeout(in, 5000);
		b = sqlite3_backup_init(out, "main", in, "main");
		e = b ? sqlite3_backup_step(b, -1) : sqlite3_errcode(out);
		if (b && sqlite3_backup_finish(b) != SQLITE_OK)
			e = SQLITE_ERROR;
	}
	if (e == SQLITE_DONE) /* so that an examiner's copy is one file and can lie on a read-only medium */
		e = sqlite3_exec(out, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) == SQLITE_OK ? SQLITE_DONE : SQLITE_ERROR;
	*why = sqlite3_errstr(e);
	sqlite3_close(in);
	sqlite3_close(out);
	return e == SQLITE_DONE;
}

bool sqlite_copy(const char *from, const char *temporary, int *out, const char **why)
{
	AUTO(fd_close) int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok;

	if (fd < 0) {
		*why = strerror(errno);
		return false;
	}
	ok = copy_live(from, temporary, why);
	unlink(temporary);
	if (!ok)
		return false;
	*out = fd;
	fd = -1;
	return true;
}
