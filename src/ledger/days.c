/* A name that is almost a day is none: only what the scribe writes is read as a ledger. */
#include "ledger/days.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_day_file(const char *name)
{
	struct bytes b = bytes_str(name);
	uint64_t begin;

	return b.len == LEDGER_FILE_MAX - 1 && bytes_ends(b, BYTES(LEDGER_SUFFIX)) && chain_day_parse(bytes_cut(b, 0, LEDGER_DAY_LEN), &begin) == OK;
}

void ledger_day_file(const char *day, char out[LEDGER_FILE_MAX])
{
	snprintf(out, LEDGER_FILE_MAX, "%.10s" LEDGER_SUFFIX, day);
}

static int by_day(const void *a, const void *b)
{
	return memcmp(a, b, LEDGER_DAY_LEN);
}

enum err ledger_days(const char *dir, struct ledger_day **out, size_t *count)
{
	struct ledger_day *list = NULL;
	size_t n = 0, cap = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		return errno == EACCES ? ERR_DENIED : errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
	while ((e = readdir(d))) {
		if (!is_day_file(e->d_name))
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 64;
			list = realloc(list, cap * sizeof(*list));
			CHECK(list);
		}
		list[n] = (struct ledger_day){ 0 };
		memcpy(list[n].day, e->d_name, LEDGER_DAY_LEN);
		ledger_day_file(list[n].day, list[n].file);
		n++;
	}
	closedir(d);
	if (n)
		qsort(list, n, sizeof(*list), by_day);
	*out = list;
	*count = n;
	return OK;
}

bool ledger_day_is_blank(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	bool is_blank = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_DONE;

	sqlite3_finalize(st);
	return is_blank;
}
