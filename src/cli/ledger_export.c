/* sluis ledger export: records as JSON lines on standard output or into a new file; what people must know about them on standard
 * error, as text or (--json) as one object. */
#define _GNU_SOURCE
#include "cli/output.h"
#include "cli/site.h"

#include "base/clock.h"
#include "base/fd.h"
#include "ledger/export_days.h"
#include "window/when.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct exporting {
	const struct cli *cli;
	const char *from, *to, *kinds, *dir, *output;
	struct ledger_export want;
	struct output out;
	int fd, write_errno;
	json_t *findings, *missing; /* with --json */
	uint64_t told;
	char own_dir[SITE_LEDGER_MAX];
};

/* Wrongly called: 2, and cli_fail_in said why. */
static int wrong(int said)
{
	(void)said;
	return 2;
}

static int take_options(struct exporting *x, int argc, char **argv)
{
	const struct {
		const char *name, **to;
	} options[] = { { "--from", &x->from }, { "--to", &x->to }, { "--kind", &x->kinds }, { "--ledger", &x->dir }, { "--output", &x->output } };

	for (int i = 0; i < argc; i++) {
		size_t k = 0;

		while (k < COUNT_OF(options) && strcmp(argv[i], options[k].name) != 0)
			k++;
		if (k == COUNT_OF(options) || i + 1 >= argc)
			return wrong(cli_fail_in(x->cli, W_LEX_OPTION, argv[i]));
		*options[k].to = argv[++i];
	}
	return 0;
}

static int take_times(struct exporting *x)
{
	uint64_t now = clock_real_us();

	x->want = (struct ledger_export){ .to_us = UINT64_MAX, .now_us = now };
	if (x->from && when_parse(bytes_str(x->from), now, false, &x->want.from_us) != OK)
		return wrong(cli_fail_in(x->cli, W_LEX_TIME, "--from", x->from));
	if (x->to && when_parse(bytes_str(x->to), now, true, &x->want.to_us) != OK)
		return wrong(cli_fail_in(x->cli, W_LEX_TIME, "--to", x->to));
	if (x->want.from_us > x->want.to_us)
		return wrong(cli_fail_in(x->cli, W_LEX_ORDER));
	return 0;
}

static bool find_kind(struct bytes name, unsigned *bit)
{
	for (unsigned k = 0; k < LEDGER_KIND_COUNT; k++)
		if (bytes_eq(name, bytes_str(ledger_kind_name((enum ledger_kind)k)))) {
			*bit = 1u << k;
			return true;
		}
	return false;
}

static int take_kinds(struct exporting *x)
{
	struct bytes left = bytes_str(x->kinds ? x->kinds : "");
	char known[300] = { 0 };
	struct text t;
	unsigned bit;

	for (bool is_more = x->kinds != NULL; is_more;) {
		size_t comma = bytes_find_byte(left, ',');
		struct bytes one = bytes_trim(bytes_cut(left, 0, comma));

		if (!find_kind(one, &bit)) {
			text_init(&t, known, sizeof(known) - 1);
			for (unsigned k = 0; k < LEDGER_KIND_COUNT; k++)
				text_fmt(&t, "%s%s", k ? ", " : "", ledger_kind_name((enum ledger_kind)k));
			return wrong(cli_fail_in(x->cli, W_LEX_KIND, x->kinds, known));
		}
		x->want.kinds |= bit;
		is_more = comma != SIZE_MAX;
		left = is_more ? bytes_cut(left, comma + 1, left.len) : BYTES("");
	}
	return 0;
}

/* --- what is told meanwhile --- */

static enum err on_lines(void *ctx, struct bytes lines)
{
	struct exporting *x = ctx;
	enum err e = fd_write_all(x->fd, lines);

	if (e != OK)
		x->write_errno = errno;
	return e;
}

static const char *fault_name(enum ledger_export_fault f)
{
	switch (f) {
	case EXPORT_FILE: return "file";
	case EXPORT_REST: return "rest";
	case EXPORT_UNREAD: return "records-unreadable";
	case EXPORT_MISSING: return "record-missing"; /* these two as ledger verify calls them */
	case EXPORT_CHANGED: return "record-changed";
	}
	return "";
}

static void on_finding(void *ctx, const struct ledger_export_finding *f)
{
	unsigned long long first = f->first, last = f->last;
	struct exporting *x = ctx;

	x->told++;
	if (x->findings) {
		json_array_append_new(x->findings, json_pack("{s:s,s:s,s:I,s:I,s:s}", "fault", fault_name(f->fault), "file", f->file, "first",
			(json_int_t)f->first, "last", (json_int_t)f->last, "what", f->what));
		return;
	}
	fputs("sluis: ", stderr);
	switch (f->fault) {
	case EXPORT_FILE: cli_say(x->cli, stderr, W_LEX_FILE, f->file, f->what); break;
	case EXPORT_REST: cli_say(x->cli, stderr, W_LEX_REST, f->file, first, f->what); break;
	case EXPORT_UNREAD: cli_say(x->cli, stderr, W_LEX_UNREAD, f->file, first, last); break;
	case EXPORT_MISSING: cli_say(x->cli, stderr, W_LEX_GONE, f->file, first, last); break;
	case EXPORT_CHANGED: cli_say(x->cli, stderr, W_LEX_CHANGED, f->file, first, f->what); break;
	}
}

static void on_missing(void *ctx, const char *first_day, const char *last_day)
{
	struct exporting *x = ctx;

	if (x->missing) {
		json_array_append_new(x->missing, json_pack("{s:s,s:s}", "first", first_day, "last", last_day));
		return;
	}
	fputs("sluis: ", stderr);
	cli_say(x->cli, stderr, W_LEX_NO_FILE, first_day, last_day);
}

static void tell_sum(struct exporting *x, const struct ledger_export_report *r)
{
	json_t *all;

	if (x->findings) {
		all = json_pack("{s:I,s:I,s:s,s:s,s:I,s:I,s:O,s:O}", "records", (json_int_t)r->records, "files", (json_int_t)r->files, "first_day", r->first,
			"last_day", r->last, "lost", (json_int_t)r->lost, "findings_count", (json_int_t)r->findings, "findings", x->findings,
			"days_without_ledger", x->missing);
		json_dumpf(all, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(all);
		return;
	}
	if (r->findings > x->told)
		cli_say(x->cli, stderr, W_LEX_MORE, (unsigned long long)(r->findings - x->told));
	if (r->lost)
		cli_say(x->cli, stderr, W_LEDGER_LOST, (unsigned long long)r->lost);
	if (r->records)
		cli_say(x->cli, stderr, W_LEX_SUM, (unsigned long long)r->records, r->first, r->last, (unsigned long long)r->files);
	else
		cli_say(x->cli, stderr, W_LEX_SUM_NONE, (unsigned long long)r->files);
}

/* --- */

static int cannot_write(struct exporting *x)
{
	if (x->write_errno == EPIPE) { /* as cat would, also where whoever started us lets SIGPIPE be ignored */
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return wrong(x->write_errno == EEXIST ? cli_fail_in(x->cli, W_EXISTS, x->output) :
		cli_fail_in(x->cli, W_CANNOT_WRITE, x->output ? x->output : "stdout", strerror(x->write_errno)));
}

static int export(struct exporting *x)
{
	const struct ledger_export_hears hears = { on_lines, on_finding, on_missing, x };
	struct ledger_export_report report;
	enum err e = ledger_export(x->dir, &x->want, &hears, &report);

	if (x->write_errno)
		return cannot_write(x);
	if (e != OK)
		return wrong(cli_fail_in(x->cli, e == ERR_DENIED ? W_LEX_DENIED : W_LEX_NONE, x->dir));
	if (x->output && !output_commit(&x->out, false)) {
		x->write_errno = errno;
		return cannot_write(x);
	}
	tell_sum(x, &report);
	return report.findings ? 1 : 0;
}

int cli_ledger_export(const struct cli *cli, int argc, char **argv)
{
	struct exporting x = { .cli = cli, .fd = STDOUT_FILENO };
	int status = take_options(&x, argc, argv);

	if (status == 0)
		status = take_times(&x);
	if (status == 0)
		status = take_kinds(&x);
	if (status)
		return status;
	if (!x.dir && !(x.dir = site_ledger_dir(cli, x.own_dir)))
		return 2;
	if (x.output) {
		if (!output_open(&x.out, x.output, false)) {
			x.write_errno = errno;
			return cannot_write(&x);
		}
		x.fd = x.out.fd;
	}
	if (cli->as_json) {
		x.findings = json_array();
		x.missing = json_array();
	}
	status = export(&x);
	if (x.output)
		output_drop(&x.out);
	json_decref(x.findings);
	json_decref(x.missing);
	return status;
}
