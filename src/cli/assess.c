/* sluis assess: what each advisory means for each appliance, with reasons, dates, sources and next steps. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int take_options(const struct cli *cli, struct assess_given *g, int argc, char **argv)
{
	const struct option options[] = { { "--inventory", &g->inventory, NULL }, { "--bundle", &g->bundle, NULL }, { "--ns-conf", &g->ns_conf, NULL },
		{ "--advisory", &g->advisory, NULL }, { "--appliance", &g->appliance, NULL }, { "--findings", &g->findings, NULL }, { "--vex", &g->vex, NULL },
		{ "--ns-log", &g->ns_log, NULL }, { 0 } };

	if (!options_take(cli, options, argc, argv, NULL))
		return 2;
	if (!g->inventory && !g->bundle && !g->ns_conf)
		return 1 + cli_fail_in(cli, W_ASSESS_NOTHING_GIVEN);
	return 0;
}

/* What must be done comes before what cannot be told: 3 only where nothing else is to be done. */
static int status_of(const struct assess_job *j)
{
	int status = 0;

	for (size_t i = 0; i < j->verdict_count; i++)
		switch (j->verdicts[i].result.row->verdict) {
		case VERDICT_NOT_AFFECTED:
		case VERDICT_FIXED: break;
		case VERDICT_LIMITED:
		case VERDICT_ASSUME:
		case VERDICT_EVIDENCE: status = 1; break;
		case VERDICT_COUNT: break;
		case VERDICT_CANNOT_TELL:
			if (status == 0)
				status = 3;
			break;
		}
	return status;
}

static int write_vex(const struct assess_job *j, int fd)
{
	json_t *doc = assess_vex(j, clock_real_us());
	char *text = json_dumps(doc, JSON_INDENT(2));
	int status = 0;

	json_decref(doc);
	if (!text || fd_write_all(fd, bytes_str(text)) != OK || fd_write_all(fd, BYTES("\n")) != OK)
		status = 1 + cli_fail_in(j->cli, W_ASSESS_UNWRITTEN, j->given.vex, strerror(errno));
	free(text);
	return status;
}

int cli_assess(const struct cli *cli, int argc, char **argv)
{
	struct assess_job j = { .cli = cli };
	AUTO(fd_close) int vex = -1;
	int status = take_options(cli, &j.given, argc, argv);

	if (status)
		return status;
	status = assess_load_decisions(&j, j.given.advisory);
	if (status == 0)
		status = assess_load_inventory(&j);
	/* It is opened before the process gives up writing, and that before the first byte of an appliance is read. */
	if (status == 0 && j.given.vex && (vex = open(j.given.vex, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		status = 1 + cli_fail_in(cli, W_ASSESS_UNWRITTEN, j.given.vex, strerror(errno));
	if (status == 0 && (j.given.bundle || j.given.ns_conf || j.given.findings || j.given.ns_log) && cli_confine_reader() != OK)
		status = 1 + cli_fail_in(cli, W_ASSESS_JAIL);
	if (status == 0)
		status = assess_load_files(&j);
	if (status == 0)
		status = assess_run(&j);
	if (j.verdict_count && cli->as_json)
		assess_print_json(&j);
	else if (j.verdict_count)
		assess_print(&j);
	if (status == 0 && vex >= 0)
		status = write_vex(&j, vex);
	if (status == 0)
		status = status_of(&j);
	assess_fini(&j);
	return status;
}
