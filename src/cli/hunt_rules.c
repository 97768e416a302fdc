/* Rules that others wrote, for sluis hunt: Sigma and YARA files and folders of them. A file that is named must be right as a whole; of a
 * folder, what cannot be looked for is told and counted, and the rest goes on. */
#define _GNU_SOURCE
#include "cli/hunt_priv.h"

#include "base/fd.h"
#include "cli/files.h"
#include "hunt/sigma.h"
#include "hunt/yara.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDERS_DEEP 16

/* One --sigma or --yara. */
struct reading {
	const struct cli *cli;
	struct hunt_ready *r;
	bool is_yara, is_folder;
	struct hunt_sigma_counts counts;
	size_t files;
	char first[DATA_ERROR_MAX]; /* the first refusal */
};

static void on_refused(void *ctx, const char *error)
{
	struct reading *g = ctx;

	if (!*g->first)
		snprintf(g->first, sizeof(g->first), "%s", error);
	if (g->is_folder)
		cli_say(g->cli, stderr, W_HUNT_REFUSED, error);
}

static enum err add_text(struct reading *g, struct bytes text, const char *path)
{
	char error[DATA_ERROR_MAX] = "";
	enum err e;

	if (!g->is_yara)
		return hunt_sigma_add(g->r->rules, g->r->layout, text, path, on_refused, g, &g->counts);
	e = hunt_yara_add(g->r->rules->yara, text, path, error);
	if (e != ERR_SYNTAX)
		return e;
	g->counts.refused++;
	on_refused(g, error);
	return OK;
}

static int read_file(struct reading *g, const char *path)
{
	struct text text;
	enum err e;

	text_init_growing(&text, DATA_FILE_MAX);
	e = file_read(path, &text);
	if (e != OK) {
		int status = cli_fail(2, "%s cannot be read: %s", path, e == ERR_LIMIT ? "it is too large" : strerror(errno));

		text_fini(&text);
		return status;
	}
	g->files++;
	e = add_text(g, text_bytes(&text), path);
	text_fini(&text);
	return e == OK ? 0 : cli_fail(2, "%s: %s", path, err_name(e));
}

static bool is_rule_file(const struct reading *g, const char *name)
{
	struct bytes b = bytes_str(name);

	if (g->is_yara)
		return bytes_ends(b, BYTES(".yar")) || bytes_ends(b, BYTES(".yara"));
	return bytes_ends(b, BYTES(".yml")) || bytes_ends(b, BYTES(".yaml"));
}

static bool any_name(const char *name, void *ctx)
{
	(void)name;
	(void)ctx;
	return true;
}

static int read_folder(struct reading *g, const char *dir, unsigned depth)
{
	char path[4600];
	size_t count = 0;
	char **names = depth < FOLDERS_DEEP ? names_in(dir, any_name, NULL, &count) : NULL;
	int status = 0;

	if (!names)
		return cli_fail(2, "%s cannot be read: %s", dir, depth < FOLDERS_DEEP ? strerror(errno) : "folders are too deep");
	for (size_t i = 0; i < count && !status; i++) {
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= (int)sizeof(path))
			status = cli_fail(2, "a path in %.200s is too long", dir);
		else if (lstat(path, &st) < 0)
			continue; /* gone since */
		else if (S_ISDIR(st.st_mode))
			status = read_folder(g, path, depth + 1);
		else if (is_rule_file(g, names[i]) && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			status = read_file(g, path);
	}
	names_free(names, count);
	return status;
}

static int tell_name(struct reading *g, const char *path)
{
	char name[4400];

	if (g->is_yara)
		snprintf(name, sizeof(name), "yara %s", path);
	else
		snprintf(name, sizeof(name), "sigma %s (%zu)", path, g->counts.rules);
	if (hunt_rules_add_name(g->r->rules, name) != OK)
		return cli_fail(2, "too many packs and rules");
	if (!g->is_folder && g->counts.other == 0)
		return 0;
	if (g->is_yara)
		cli_say(g->cli, stderr, W_HUNT_YARA_READ, path, g->files - g->counts.refused, g->counts.refused);
	else
		cli_say(g->cli, stderr, W_HUNT_SIGMA_READ, path, g->counts.rules, g->counts.refused, g->counts.other);
	return 0;
}

/* Who names rules wants them looked for: none at all is a mistake. */
static bool has_none(const struct reading *g)
{
	return g->is_yara ? g->files == g->counts.refused : g->counts.rules == 0;
}

static int read_path(const struct cli *cli, struct hunt_ready *r, const char *path, bool is_yara)
{
	struct reading g = { .cli = cli, .r = r, .is_yara = is_yara };
	struct stat st;
	int status;

	if (stat(path, &st) < 0)
		return cli_fail(2, "%s cannot be read: %s", path, strerror(errno));
	g.is_folder = S_ISDIR(st.st_mode);
	status = g.is_folder ? read_folder(&g, path, 0) : read_file(&g, path);
	if (status)
		return status;
	if (!g.is_folder && g.counts.refused)
		return cli_fail(2, "%s", g.first);
	if (has_none(&g))
		return is_yara ? cli_fail(2, "%s has no YARA rules that can be looked for (%zu files refused); in a folder, their names end in .yar or .yara", path, g.counts.refused) :
				 cli_fail(2, "%s has no Sigma rules about a web server (%zu refused, %zu about other logs); in a folder, their names end in .yml or .yaml",
					 path, g.counts.refused, g.counts.other);
	return tell_name(&g, path);
}

int hunt_read_rules(const struct cli *cli, const struct hunt_wanted *w, struct hunt_ready *r)
{
	char error[DATA_ERROR_MAX] = "";
	int status = 0;

	for (size_t i = 0; !status && w->sigma[i]; i++)
		status = read_path(cli, r, w->sigma[i], false);
	if (status || !w->yara[0])
		return status;
	r->rules->yara = hunt_yara_new();
	if (!r->rules->yara)
		return cli_fail(2, "out of memory");
	for (size_t i = 0; !status && w->yara[i]; i++)
		status = read_path(cli, r, w->yara[i], true);
	if (!status && hunt_yara_compile(r->rules->yara, w->yara_timeout_s, error) != OK)
		status = cli_fail(2, "%s", error);
	return status;
}
