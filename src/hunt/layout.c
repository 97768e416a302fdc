/* A folder that a bundle or a copy put in front is passed over as long as what follows is one of the appliance's own. */
#include "hunt/layout.h"

#include "hunt/patterns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOTS_MAX 64

struct root {
	char from[128], to[128];
};
struct hunt_layout {
	struct root roots[ROOTS_MAX], singles[ROOTS_MAX]; /* singles: names that begin with from, and the folder that they are from */
	size_t root_count, single_count;
	uint64_t strip;
	struct layout_log logs[LAYOUT_LOGS_MAX];
	unsigned log_of[256]; /* pattern to log */
	size_t log_count;
	struct patterns *paths;
};

void hunt_layout_free(struct hunt_layout **pl)
{
	struct hunt_layout *l = *pl;

	*pl = NULL;
	if (l)
		patterns_free(&l->paths);
	free(l);
}

static enum err copy_text(const struct data *d, const json_t *at, const char *text, char *out, size_t cap, char error[DATA_ERROR_MAX])
{
	if (snprintf(out, cap, "%s", text) >= (int)cap)
		return data_fail(d, at, error, "'%.40s...' is longer than %zu", text, cap - 1);
	return OK;
}

static enum err read_roots(const struct data *d, const char *key, struct root *roots, size_t *count, char error[DATA_ERROR_MAX])
{
	const json_t *list, *item;
	size_t i;

	TRY(data_list(d, data_root(d), key, true, &list, error));
	json_array_foreach(list, i, item) {
		const char *from, *to;

		if (i >= ROOTS_MAX)
			return data_fail(d, item, error, "more than %d", ROOTS_MAX);
		TRY(data_keys(d, item, "from to", error));
		TRY(data_text(d, item, "from", true, &from, error));
		TRY(data_text(d, item, "to", true, &to, error));
		if (to[0] != '/' || !*from)
			return data_fail(d, item, error, "'to' begins with a slash, and 'from' is not empty");
		TRY(copy_text(d, item, from, roots[i].from, sizeof(roots[i].from), error));
		TRY(copy_text(d, item, to, roots[i].to, sizeof(roots[i].to), error));
		++*count;
	}
	return OK;
}

static enum err read_log(struct hunt_layout *l, const struct data *d, const json_t *item, char error[DATA_ERROR_MAX])
{
	struct layout_log *log = &l->logs[l->log_count];
	char why[PATTERNS_ERROR_MAX] = "";
	const char *name, *path, *example;
	unsigned format, id;

	if (l->log_count >= LAYOUT_LOGS_MAX)
		return data_fail(d, item, error, "more than %d logs", LAYOUT_LOGS_MAX);
	TRY(data_keys(d, item, "name format path needed dated example", error));
	TRY(data_text(d, item, "name", true, &name, error));
	TRY(data_text(d, item, "path", true, &path, error));
	TRY(data_text(d, item, "example", true, &example, error));
	TRY(data_choice(d, item, "format", true, "web error syslog plain", &format, error));
	TRY(data_bool(d, item, "needed", &log->is_needed, error));
	TRY(data_bool(d, item, "dated", &log->is_dated, error));
	TRY(copy_text(d, item, name, log->name, sizeof(log->name), error));
	TRY(copy_text(d, item, example, log->example, sizeof(log->example), error));
	log->format = (enum layout_format)format;
	if (patterns_add(l->paths, bytes_str(path), true, false, &id, why) != OK)
		return data_fail(d, item, error, "%s", why);
	l->log_of[id] = (unsigned)l->log_count++;
	return OK;
}

static enum err read_all(struct hunt_layout *l, const struct data *d, char error[DATA_ERROR_MAX])
{
	char why[PATTERNS_ERROR_MAX] = "out of memory";
	const json_t *list, *item;
	const char *name;
	size_t i;

	TRY(data_keys(d, data_root(d), "name source strip roots singles logs", error));
	TRY(data_text(d, data_root(d), "name", true, &name, error));
	TRY(data_number(d, data_root(d), "strip", 16, &l->strip, error));
	TRY(read_roots(d, "roots", l->roots, &l->root_count, error));
	TRY(read_roots(d, "singles", l->singles, &l->single_count, error));
	TRY(data_list(d, data_root(d), "logs", true, &list, error));
	json_array_foreach(list, i, item) {
		TRY(read_log(l, d, item, error));
		if (hunt_layout_log_of(l, l->logs[i].name) != (int)i)
			return data_fail(d, item, error, "there are two logs '%s'", l->logs[i].name);
	}
	return patterns_compile(l->paths, why) == OK ? OK : data_fail(d, list, error, "%s", why);
}

enum err hunt_layout_read(struct bytes text, const char *name, struct hunt_layout **out, char error[DATA_ERROR_MAX])
{
	struct hunt_layout *l = calloc(1, sizeof(*l));
	struct data *d = NULL;
	enum err e = data_read(text, name, &d, error);

	if (l)
		l->paths = patterns_new(PATTERNS_FIELD);
	if (e == OK && (!l || !l->paths))
		e = ERR_MEMORY;
	if (e == OK)
		e = read_all(l, d, error);
	data_free(&d);
	if (e == OK)
		*out = l;
	else
		hunt_layout_free(&l);
	return e;
}

/* "./a//b/../c" as "a/b/../c": dots that go up stay, for they are no folder of ours. */
static bool tidy(const char *rel, char out[LAYOUT_PATH_MAX])
{
	size_t len = 0;

	while (*rel) {
		size_t n = strcspn(rel, "/");

		if (n && !(n == 1 && rel[0] == '.')) {
			if (len + n + 2 > LAYOUT_PATH_MAX)
				return false;
			if (len)
				out[len++] = '/';
			memcpy(out + len, rel, n);
			len += n;
		}
		rel += n + (rel[n] == '/');
	}
	out[len] = 0;
	return true;
}

static bool join(const char *to, const char *rest, char out[LAYOUT_PATH_MAX])
{
	return snprintf(out, LAYOUT_PATH_MAX, "%s%s", to, rest) < LAYOUT_PATH_MAX;
}

/* The folder itself is meant too: "var" where from is "var/". */
static const char *behind(const char *path, const char *from)
{
	size_t n = strlen(from);

	if (strncmp(path, from, n) == 0)
		return path + n;
	return n && from[n - 1] == '/' && strlen(path) == n - 1 && strncmp(path, from, n - 1) == 0 ? "" : NULL;
}

bool hunt_layout_map(struct hunt_layout *l, const char *rel, bool is_single, char out[LAYOUT_PATH_MAX])
{
	char path[LAYOUT_PATH_MAX];
	const char *at = path, *rest;

	if (!tidy(rel, path))
		return false;
	if (is_single)
		at = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	for (size_t i = 0; is_single && i < l->single_count; i++)
		if (behind(at, l->singles[i].from))
			return join(l->singles[i].to, at, out);
	at = path;
	for (uint64_t strip = 0; strip <= l->strip; strip++) {
		for (size_t i = 0; i < l->root_count; i++) {
			rest = behind(at, l->roots[i].from);
			if (rest)
				return join(l->roots[i].to, rest, out);
		}
		if (!strchr(at, '/'))
			break;
		at = strchr(at, '/') + 1;
	}
	return join("/", path, out);
}

struct finding_log {
	const struct hunt_layout *l;
	int found;
};

static bool on_log(void *ctx, unsigned id, uint64_t end)
{
	struct finding_log *f = ctx;

	(void)end;
	if (f->found < 0 || (int)f->l->log_of[id] < f->found) /* the first in the file counts */
		f->found = (int)f->l->log_of[id];
	return true;
}

int hunt_layout_find_log(struct hunt_layout *l, const char *path)
{
	static const char *const packed[] = { ".gz", ".xz", ".zst", ".bz2" };
	struct finding_log f = { l, -1 };
	struct bytes p = bytes_str(path);

	for (size_t i = 0; i < COUNT_OF(packed); i++)
		if (bytes_ends(p, bytes_str(packed[i])))
			p.len -= strlen(packed[i]);
	patterns_scan(l->paths, p, on_log, &f);
	return f.found;
}

size_t hunt_layout_logs(const struct hunt_layout *l)
{
	return l->log_count;
}

const struct layout_log *hunt_layout_log(const struct hunt_layout *l, size_t i)
{
	CHECK(i < l->log_count);
	return &l->logs[i];
}

int hunt_layout_log_of(const struct hunt_layout *l, const char *name)
{
	for (size_t i = 0; i < l->log_count; i++)
		if (strcmp(l->logs[i].name, name) == 0)
			return (int)i;
	return -1;
}
