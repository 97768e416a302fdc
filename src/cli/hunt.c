/* sluis hunt: signs of an attack in what an appliance left behind. What is examined was written by strangers: before the first byte of it
 * is read, this process gives up the network and all files but those that it was given. */
#define _GNU_SOURCE
#include "cli/hunt_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/files.h"
#include "hunt/source.h"
#include "jail/jail.h"
#include "window/when.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS_MAX      256
#define YARA_TIMEOUT_S 20 /* of one scan, if nothing is said */

enum { STATUS_NOTHING, STATUS_FOUND, STATUS_ERROR, STATUS_CANNOT_TELL };

struct asked {
	const char *paths[PATHS_MAX + 1];
	size_t path_count;
	struct hunt_wanted wanted;
	const char *from, *to, *format, *output, *organisation, *tlp, *yara_timeout, *inventory, *appliance;
	struct hunt_known known;
	struct hunt_report_options report;
	uint64_t from_us, to_us;
	bool checks_packs;
	struct source_options source;
};

static const char usage[] = "usage: sluis hunt PATH... [--exposed-from T] [--exposed-to T] [--pack FILE] [--sigma FILE|DIR] [--yara FILE|DIR] [--format json|ocsf|stix|html] [--output FILE] [--one-file-system]";
static bool has_terminal; /* asked while it may be asked */

static bool take_value(int *i, int argc, char **argv, const char *name, const char **to)
{
	if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
		return false;
	*to = argv[++*i];
	return true;
}

/* An option that may be there more than once. */
static bool take_one_more(int *i, int argc, char **argv, const char *name, const char **list, size_t most, int *status)
{
	const char *value = NULL;
	size_t n = 0;

	if (!take_value(i, argc, argv, name, &value))
		return false;
	while (list[n])
		n++;
	if (n == most)
		*status = cli_fail(STATUS_ERROR, "at most %zu times %s", most, name);
	else
		list[n] = value;
	return true;
}

static int take_options(struct asked *a, int argc, char **argv)
{
	int status = 0;

	for (int i = 0; i < argc; i++) {
		if (take_value(&i, argc, argv, "--exposed-from", &a->from) || take_value(&i, argc, argv, "--exposed-to", &a->to) ||
			take_value(&i, argc, argv, "--format", &a->format) || take_value(&i, argc, argv, "--output", &a->output) ||
			take_value(&i, argc, argv, "--organisation", &a->organisation) || take_value(&i, argc, argv, "--tlp", &a->tlp) ||
			take_value(&i, argc, argv, "--yara-timeout", &a->yara_timeout) ||
			take_value(&i, argc, argv, "--inventory", &a->inventory) || take_value(&i, argc, argv, "--appliance", &a->appliance) ||
			take_one_more(&i, argc, argv, "--pack", a->wanted.packs, HUNT_PACKS_MAX, &status) ||
			take_one_more(&i, argc, argv, "--sigma", a->wanted.sigma, HUNT_RULES_MAX, &status) ||
			take_one_more(&i, argc, argv, "--yara", a->wanted.yara, HUNT_RULES_MAX, &status)) {
			if (status)
				return status;
			continue;
		}
		if (strcmp(argv[i], "--check-packs") == 0) {
			a->checks_packs = true;
		} else if (strcmp(argv[i], "--one-file-system") == 0) {
			a->source.one_file_system = true;
		} else if (argv[i][0] == '-') {
			return cli_fail(STATUS_ERROR, "'%s' is no option, or wants a value; %s", argv[i], usage);
		} else if (a->path_count == PATHS_MAX) {
			return cli_fail(STATUS_ERROR, "at most %d paths", PATHS_MAX);
		} else {
			a->paths[a->path_count++] = argv[i];
		}
	}
	if (a->checks_packs && (a->wanted.sigma[0] || a->wanted.yara[0]))
		return cli_fail(STATUS_ERROR, "--check-packs is about packs alone: Sigma and YARA rules have no tests in them");
	if (a->path_count == 0 && !a->checks_packs)
		return cli_fail(STATUS_ERROR, "name what to look at: a folder, a bundle or a log; %s", usage);
	return 0;
}

static int take_timeout(struct asked *a)
{
	uint64_t s;

	a->wanted.yara_timeout_s = YARA_TIMEOUT_S;
	if (!a->yara_timeout)
		return 0;
	if (bytes_u64(bytes_str(a->yara_timeout), &s) != OK || s < 1 || s > 3600)
		return cli_fail(STATUS_ERROR, "--yara-timeout is 1 to 3600 seconds");
	a->wanted.yara_timeout_s = (unsigned)s;
	return 0;
}

/* What is given by itself goes before what the inventory says. */
static int take_known(struct asked *a)
{
	int status;

	if (!a->inventory)
		return 0;
	if (!a->appliance)
		return cli_fail(STATUS_ERROR, "--inventory needs --appliance NAME: which of its appliances this is");
	status = hunt_know(a->inventory, a->appliance, &a->known);
	if (status || a->from)
		return status;
	a->from_us = a->known.from_us;
	a->to_us = a->known.to_us;
	return 0;
}

static int take_times(struct asked *a)
{
	static const char form[] = "write 2020-01-09, \"2020-01-09 12:00\" or 2020-01-09T12:00:00+01:00 (UTC without a zone)";
	uint64_t now = clock_real_us();

	if (a->from && when_parse(bytes_str(a->from), now, false, &a->from_us) != OK)
		return cli_fail(STATUS_ERROR, "--exposed-from '%s' is no time; %s", a->from, form);
	if (a->to && when_parse(bytes_str(a->to), now, true, &a->to_us) != OK)
		return cli_fail(STATUS_ERROR, "--exposed-to '%s' is no time; %s", a->to, form);
	if (a->to && !a->from)
		return cli_fail(STATUS_ERROR, "--exposed-to needs --exposed-from");
	if (a->to && a->to_us < a->from_us)
		return cli_fail(STATUS_ERROR, "--exposed-to is before --exposed-from");
	return 0;
}

static bool is_pack(const char *name, void *ctx)
{
	(void)ctx;
	return bytes_ends(bytes_str(name), BYTES(".yaml"));
}

static int read_pack(struct hunt_ready *r, const char *path, bool is_layout)
{
	char error[DATA_ERROR_MAX] = "";
	struct text text;
	enum err e;

	text_init_growing(&text, DATA_FILE_MAX);
	e = file_read(path, &text);
	if (e != OK)
		snprintf(error, sizeof(error), "%s cannot be read: %s", path, e == ERR_LIMIT ? "it is too large" : strerror(errno));
	else if (is_layout)
		e = hunt_layout_read(text_bytes(&text), path, &r->layout, error);
	else
		e = hunt_rules_add(r->rules, r->layout, text_bytes(&text), path, error);
	text_fini(&text);
	return e == OK ? 0 : cli_fail(STATUS_ERROR, "%s", *error ? error : err_name(e));
}

int hunt_get_ready(const struct cli *cli, const struct hunt_wanted *w, struct hunt_ready *out)
{
	char dir[4200], path[4600], error[DATA_ERROR_MAX] = "out of memory";
	size_t count = 0;
	char **names;
	int status;

	*out = (struct hunt_ready){ .rules = hunt_rules_new() };
	if (!out->rules)
		return cli_fail(STATUS_ERROR, "out of memory");
	snprintf(path, sizeof(path), "%s/layout/netscaler.yaml", cli->rules ? cli->rules : ".");
	status = read_pack(out, path, true);
	snprintf(dir, sizeof(dir), "%s/hunt", cli->rules ? cli->rules : ".");
	names = status ? NULL : names_in(dir, is_pack, NULL, &count);
	if (!status && !names)
		status = cli_fail(STATUS_ERROR, "the packs in %s cannot be read: %s; --rules DIR says where the shipped rules are", dir, strerror(errno));
	for (size_t i = 0; !status && i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		status = read_pack(out, path, false);
	}
	if (names)
		names_free(names, count);
	for (size_t i = 0; !status && w->packs[i]; i++)
		status = read_pack(out, w->packs[i], false);
	if (!status)
		status = hunt_read_rules(cli, w, out);
	if (!status && w->compiles_later)
		hunt_rules_compile_later(out->rules);
	else if (!status && hunt_rules_compile(out->rules, error) != OK)
		status = cli_fail(STATUS_ERROR, "%s", error);
	return status;
}

void hunt_ready_fini(struct hunt_ready *r)
{
	hunt_rules_free(&r->rules);
	hunt_layout_free(&r->layout);
}

static void on_progress(void *ctx, uint64_t bytes_read, const char *where)
{
	(void)ctx;
	fprintf(stderr, "\r\033[K%.1f MB  ", (double)bytes_read / 1e6);
	hunt_print_quoted(stderr, bytes_str(where), 60);
}

static enum err confine(const struct asked *a)
{
	static const int *const lists[] = { jail_hunter, NULL };
	const struct jail jail = { .role = "hunter", .syscalls = lists, .reads = a->paths, .keeps_parent = true };
	unsigned char mem[512];
	struct text report;

	text_init(&report, mem, sizeof(mem));
	return jail_apply(&jail, &report);
}

static int read_paths(const struct asked *a, struct hunt_ready *ready, const struct hunt_sink *sink)
{
	int status = 0;

	for (size_t i = 0; i < a->path_count; i++) {
		enum err e = hunt_read_path(a->paths[i], ready->layout, &a->source, sink);

		if (has_terminal)
			fputs("\r\033[K", stderr);
		if (e != OK)
			status = cli_fail(STATUS_ERROR, "%s cannot be read: %s", a->paths[i], strerror(errno));
	}
	return status;
}

static int hunt(const struct cli *cli, const struct asked *a, struct hunt_ready *ready, FILE *to)
{
	struct hunt_summary sum = { .exposed_from_us = a->from_us, .exposed_to_us = a->to_us, .begin_us = clock_real_us(),
		.in_dutch = cli->lang == LANG_NL && (a->report.format == HUNT_FORMAT_TABLE || a->report.format == HUNT_FORMAT_HTML), .version = SLUIS_VERSION, .host = a->appliance ? a->appliance : "",
		.packs = ready->rules->names, .pack_count = ready->rules->pack_count };
	char error[DATA_ERROR_MAX] = "";
	struct hunt_report report;
	struct hunt_output out;
	struct hunt_scan *scan;
	struct hunt_sink sink;
	int status;

	if (hunt_report_open(cli, &a->report, to, &report, &out) != OK || !(scan = hunt_scan_new(ready->rules, ready->layout, &out)))
		return cli_fail(STATUS_ERROR, "out of memory");
	hunt_scan_own(scan, a->known.own, a->known.own_count);
	sink = hunt_scan_sink(scan);
	sink.progress = has_terminal ? on_progress : NULL;
	out.begin(out.ctx, &sum);
	status = read_paths(a, ready, &sink);
	if (hunt_rules_trouble(ready->rules, error) != OK) {
		sink.problem(sink.ctx, "packs", error);
		status = cli_fail(STATUS_ERROR, "%s", error);
	}
	hunt_scan_sum_up(scan, &sum);
	sum.end_us = clock_real_us();
	out.end(out.ctx, &sum);
	hunt_scan_free(&scan);
	if (hunt_report_close(&report) != OK)
		status = cli_fail(STATUS_ERROR, "the report could not be written to its end");
	if (status)
		return status;
	return sum.verdict == HUNT_FOUND ? STATUS_FOUND : sum.verdict == HUNT_CANNOT_TELL ? STATUS_CANNOT_TELL : STATUS_NOTHING;
}

/* Whatever can be wrong with what was asked is told before anything is read. */
static int check_paths(const struct asked *a)
{
	for (size_t i = 0; i < a->path_count; i++)
		if (access(a->paths[i], R_OK) < 0)
			return cli_fail(STATUS_ERROR, "%s cannot be read: %s", a->paths[i], strerror(errno));
	return 0;
}

static int take_format(const struct cli *cli, struct asked *a)
{
	static const char *const tlps[] = { "clear", "green", "amber", "red" };

	a->report = (struct hunt_report_options){ .format = cli->as_json ? HUNT_FORMAT_JSON : HUNT_FORMAT_TABLE, .organisation = a->organisation,
		.tlp = HUNT_TLP_AMBER };
	if (a->format && !hunt_format_find(a->format, &a->report.format))
		return cli_fail(STATUS_ERROR, "--format is table, json, ocsf, stix or html");
	if ((a->organisation || a->tlp) && a->report.format != HUNT_FORMAT_STIX)
		return cli_fail(STATUS_ERROR, "--organisation and --tlp belong to --format stix");
	for (size_t i = 0; a->tlp && i < COUNT_OF(tlps); i++)
		if (strcmp(a->tlp, tlps[i]) == 0) {
			a->report.tlp = (enum hunt_tlp)i;
			return 0;
		}
	return a->tlp ? cli_fail(STATUS_ERROR, "--tlp is clear, green, amber or red") : 0;
}

int cli_hunt(const struct cli *cli, int argc, char **argv)
{
	struct asked a = { .paths = { NULL } };
	struct hunt_ready ready = { 0 };
	int status = take_options(&a, argc, argv);
	FILE *to = stdout;

	if (!status)
		status = take_times(&a);
	if (!status)
		status = take_known(&a);
	if (!status)
		status = take_timeout(&a);
	if (!status)
		status = check_paths(&a);
	if (!status)
		status = take_format(cli, &a);
	a.wanted.compiles_later = !a.checks_packs;
	if (!status)
		status = hunt_get_ready(cli, &a.wanted, &ready);
	if (!status && a.checks_packs)
		status = hunt_check_packs(cli, &ready);
	else if (!status && a.output && !(to = fopen(a.output, "wxe")))
		status = cli_fail(STATUS_ERROR, "%s cannot be written: %s", a.output, strerror(errno));
	else if (!status) {
		has_terminal = isatty(STDERR_FILENO);
		if (confine(&a) != OK)
			status = cli_fail(STATUS_ERROR, "this process cannot confine itself (%s)", strerror(errno));
		else
			status = hunt(cli, &a, &ready, to);
	}
	hunt_ready_fini(&ready);
	fflush(NULL);
	_exit(status); /* straight out: exit handlers of libraries may need more than is left */
}
