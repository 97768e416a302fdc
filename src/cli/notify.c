/* sluis notify: to every customer of an inventory one message about their own appliances. Without --send nothing leaves this machine. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/notify_smtp.h"
#include "cli/options.h"
#include "cli/output.h"
#include "crypto/random.h"
#include "crypto/sha256.h"
#include "response/message.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define MESSAGE_MOST (16u << 20)

struct notify {
	struct assess_job job;
	const char *out;
	struct notify_smtp smtp;
	bool sends;
	size_t made, sent, failed;
};

static int take_options(const struct cli *cli, struct notify *n, int argc, char **argv)
{
	const struct option options[] = { { "--inventory", &n->job.given.inventory, NULL }, { "--advisory", &n->job.given.advisory, NULL },
		{ "--findings", &n->job.given.findings, NULL }, { "--appliance", &n->job.given.appliance, NULL }, { "--out", &n->out, NULL }, { "--smtp", &n->smtp.to.url, NULL }, { "--from", &n->smtp.to.from, NULL }, { "--user", &n->smtp.to.user, NULL },
		{ "--password-file", &n->smtp.password_file, NULL }, { "--ca", &n->smtp.to.ca, NULL }, { "--send", NULL, &n->sends }, { 0 } };

	if (!options_take(cli, options, argc, argv, NULL))
		return 2;
	if (!n->job.given.inventory)
		return 1 + cli_fail_in(cli, W_NOTIFY_INVENTORY);
	if (n->job.given.appliance && !n->job.given.findings)
		return 1 + cli_fail_in(cli, W_NOTIFY_OF_WHAT);
	if (n->sends && !n->smtp.to.url)
		return 1 + cli_fail_in(cli, W_NOTIFY_NO_SMTP);
	if (n->sends && !n->smtp.to.from)
		return 1 + cli_fail_in(cli, W_NOTIFY_NO_FROM);
	if (!n->smtp.to.from)
		n->smtp.to.from = "sluis@localhost";
	return n->sends ? notify_smtp_check(cli, &n->smtp) : 0;
}

/* What needs no act gets one line with its reason; the rest is told whole. */
static void tell_one(const struct cli *cli, const struct assess_verdict *v, FILE *to)
{
	if (v->result.row->verdict > VERDICT_FIXED)
		assess_tell(cli, v, to);
	else
		fprintf(to, "  %s: %s. %s\n", v->decision->cve, assess_verdict_word(cli, v->result.row->verdict), v->result.row->why.in[cli->lang]);
}

static void write_body(const struct notify *n, const struct cli *cli, const struct inventory_customer *c, FILE *to)
{
	struct assess_job j = n->job;
	const struct inventory_appliance *last = NULL;

	j.cli = cli;
	cli_say(cli, to, W_NOTIFY_HELLO, c->name);
	for (size_t i = 0; i < j.verdict_count; i++) {
		const struct assess_verdict *v = &j.verdicts[i];

		if (v->appliance->customer == c)
			fprintf(to, "%-24s %-16s %s\n", v->appliance->name, v->decision->cve, assess_verdict_word(cli, v->result.row->verdict));
	}
	for (size_t i = 0; i < j.verdict_count; i++) {
		const struct assess_verdict *v = &j.verdicts[i];

		if (v->appliance->customer != c)
			continue;
		if (v->appliance != last) {
			fprintf(to, "\n%s\n", v->appliance->name);
			assess_weigh(&j, v->appliance, to);
		}
		last = v->appliance;
		tell_one(cli, v, to);
	}
	fprintf(to, "\n%s\n", cli_word(cli, W_ASSESS_FOOT));
}

static bool worst_of(const struct notify *n, const struct inventory_customer *c, enum verdict *worst)
{
	bool has_any = false;

	*worst = VERDICT_NOT_AFFECTED;
	for (size_t i = 0; i < n->job.verdict_count; i++) {
		const struct assess_verdict *v = &n->job.verdicts[i];

		if (v->appliance->customer != c)
			continue;
		has_any = true;
		if (v->result.row->verdict > *worst)
			*worst = v->result.row->verdict;
	}
	return has_any;
}

static void dates(char date[40], char id[80])
{
	unsigned char random[12];
	time_t now = (time_t)(clock_real_us() / 1000000);
	struct tm tm;
	char imf[30];
	struct text t;

	/* IMF-fixdate ends with GMT; RFC 5322 wants the zone in digits. */
	clock_imf((uint64_t)now * 1000000, imf);
	snprintf(date, 40, "%.25s +0000", imf);
	gmtime_r(&now, &tm);
	random_bytes(random, sizeof(random));
	text_init(&t, id, 79);
	text_fmt(&t, "%04d%02d%02d.", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	hex_put(&t, bytes_of(random, sizeof(random)));
	text_lit(&t, "@sluis.invalid");
	id[t.len] = 0;
}

static enum err make(const struct notify *n, const struct cli *cli, const struct inventory_customer *c, enum verdict worst, struct text *out)
{
	char date[40], id[80], subject[400], *body = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&body, &len);
	struct message m = { .from = n->smtp.to.from, .to = c->contact, .date = date, .id = id, .language = cli->lang == LANG_NL ? "nl" : "en" };
	enum err e;

	CHECK(to);
	write_body(n, cli, c, to);
	fclose(to);
	dates(date, id);
	snprintf(subject, sizeof(subject), "NetScaler, %.200s: %s", c->name, assess_verdict_word(cli, worst));
	m.subject = bytes_str(subject);
	m.body = bytes_of(body, len);
	e = message_write(&m, out);
	free(body);
	return e;
}

static int write_file(const struct notify *n, size_t number, const struct inventory_customer *c, struct bytes b)
{
	char path[4096], slug[60] = "";
	struct output o;

	for (size_t i = 0; c->name[i] && i < sizeof(slug) - 1; i++)
		slug[i] = (char)((c->name[i] >= 'a' && c->name[i] <= 'z') || (c->name[i] >= 'A' && c->name[i] <= 'Z') || (c->name[i] >= '0' && c->name[i] <= '9') ? c->name[i] : '-');
	snprintf(path, sizeof(path), "%.3900s/%04zu-%s.eml", n->out, number, slug);
	if (!output_make_folder(path) || !output_open(&o, path, false))
		return cli_fail_in(n->job.cli, W_ASSESS_UNWRITTEN, path, strerror(errno));
	if (fd_write_all(o.fd, b) != OK || !output_commit(&o, false)) {
		output_drop(&o);
		return cli_fail_in(n->job.cli, W_ASSESS_UNWRITTEN, path, strerror(errno));
	}
	return 0;
}

static int notify_one(struct notify *n, size_t number, const struct inventory_customer *c)
{
	struct cli cli = *n->job.cli;
	struct text message;
	enum verdict worst;
	int status = 0;

	if (!worst_of(n, c, &worst))
		return 0;
	if (c->has_language)
		cli.lang = (enum lang)c->language;
	text_init_growing(&message, MESSAGE_MOST);
	if (make(n, &cli, c, worst, &message) != OK)
		status = cli_fail_in(n->job.cli, W_NOTIFY_UNMADE, c->name);
	if (status == 0 && n->out)
		status = write_file(n, number, c, text_bytes(&message));
	if (status == 0)
		n->made++;
	if (status == 0 && !n->sends)
		cli_say(n->job.cli, stdout, W_NOTIFY_WOULD, c->name, *c->contact ? c->contact : "-", assess_verdict_word(n->job.cli, worst));
	if (status == 0 && !n->sends && !n->out)
		fwrite(message.at, 1, message.len, stdout);
	if (status == 0 && n->sends && !*c->contact)
		status = cli_fail_in(n->job.cli, W_NOTIFY_NO_CONTACT, c->name);
	else if (status == 0 && n->sends)
		status = notify_smtp_send(n->job.cli, &n->smtp, c->contact, text_bytes(&message));
	if (status == 0 && n->sends) {
		n->sent++;
		cli_say(n->job.cli, stdout, W_NOTIFY_SENT, c->name, c->contact);
	}
	text_fini(&message);
	return status;
}

int cli_notify(const struct cli *cli, int argc, char **argv)
{
	struct notify n = { .job.cli = cli };
	size_t without = 0;
	int status = take_options(cli, &n, argc, argv);

	if (status)
		return status;
	status = assess_load_decisions(&n.job, n.job.given.advisory);
	if (status == 0)
		status = assess_load_inventory(&n.job);
	if (status == 0 && n.job.given.findings)
		status = assess_load_files(&n.job);
	n.job.given.appliance = NULL; /* it said which one the findings are of; all appliances are told */
	/* With one appliance refused nobody is told anything: a message that leaves it out would be read as the whole. */
	if (status == 0)
		status = assess_run(&n.job);
	for (size_t i = 0; status == 0 && i < n.job.inventory->customer_count; i++)
		n.failed += notify_one(&n, i + 1, &n.job.inventory->customers[i]) != 0;
	for (size_t i = 0; status == 0 && i < n.job.inventory->appliance_count; i++)
		without += n.job.inventory->appliances[i].customer == NULL;
	if (without)
		cli_say(cli, stderr, W_NOTIFY_WITHOUT, without);
	if (status == 0 && !n.sends)
		cli_say(cli, stderr, W_NOTIFY_DRY, n.made);
	notify_smtp_fini(&n.smtp);
	assess_fini(&n.job);
	return status ? status : n.failed ? 2 : 0;
}
