/* sluis check FILE: all errors of a configuration in one run. The files that it names may come from anywhere,
 * so they are read by a process that can only read. */
#define _GNU_SOURCE
#include "cli/check_priv.h"
#include "cli/cli.h"

#include "base/fd.h"
#include "conf/bundle.h"
#include "jail/jail.h"
#include "tls/tls.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static enum err confine(bool leaves_root)
{
	static const int *const lists[] = { jail_check, NULL };
	static const char *const reads[] = { "/", NULL };
	const struct jail jail = { .role = "check", .syscalls = lists, .reads = reads, .keeps_parent = true, .makes_code = true };
	unsigned char mem[512];
	struct text report;

	text_init(&report, mem, sizeof(mem));
	if (leaves_root)
		TRY(jail_leave_root(&jail, &report));
	return jail_apply(&jail, &report);
}

enum err cli_confine(void)
{
	return confine(true);
}

enum err cli_confine_reader(void)
{
	return confine(false);
}

/* Who may not read a key has nothing to say about it: the keeper will. */
static enum err read_key(struct bytes path, void *ctx, struct text *pem)
{
	const char *dir = ctx;
	char name[8192];

	snprintf(name, sizeof(name), path.at[0] == '/' ? "%.0s%.*s" : "%s/%.*s", dir, FMT(path));
	return file_read(name, pem);
}

static int check(const struct cli *cli, const char *file)
{
	char *dir = strdup(file);
	struct disk_source disk;
	struct conf_errors errors = { 0 };
	struct conf *conf = NULL;
	struct text text;
	enum err e;

	text_init_growing(&text, 16u << 20);
	if (!dir || file_read(file, &text) != OK) {
		free(dir);
		text_fini(&text);
		return cli_fail(1, "%s cannot be read", file);
	}
	disk_source_init(&disk, dirname(dir), cli->rules);
	e = conf_load(bytes_str(file), text_bytes(&text), &disk.source, &conf, &errors);
	if (e == OK)
		e = tls_check(conf, &errors, (uint64_t)time(NULL), read_key, (void *)(uintptr_t)disk.base_dir);
	if (e == OK)
		e = check_detect(conf, &errors, file);
	for (size_t i = 0; i < errors.count; i++) {
		const struct conf_error *f = &errors.list[i];

		printf("%.*s:%u:%u: %s%.*s%s%.*s\n", FMT(f->file), f->line, f->column, f->is_warning ? "warning: " : "",
			FMT(f->what), f->hint.len ? "; " : "", FMT(f->hint));
	}
	if (e != OK && errors.count == 0)
		printf("%s:1:1: %s\n", file, err_name(e));
	if (e == OK)
		printf("%s: valid: %zu listeners, %zu pools, %zu servers, %zu routes, %zu rules\n", file,
			conf->listener_count, conf->pool_count, conf->server_total, conf->route_count, conf->rule_count);
	fflush(stdout);
	conf_free(&conf);
	text_fini(&text);
	free(dir);
	return e == OK ? 0 : 1;
}

int cli_check(const struct cli *cli, int argc, char **argv)
{
	const char *file = argc == 1 ? argv[0] : argc == 0 ? cli->config : NULL;

	if (!file)
		return cli_fail(2, "usage: sluis check FILE");
	if (cli_confine() != OK)
		return cli_fail(1, "this system does not let the check be confined");
	_exit(check(cli, file)); /* straight out: exit handlers of libraries may need more than is left */
}
