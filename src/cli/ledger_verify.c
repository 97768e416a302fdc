/* sluis ledger verify: a table of what is wrong, or one line that says that nothing is, and what that rests on. */
#define _GNU_SOURCE
#include "cli/site.h"

#include "base/clock.h"
#include "base/fd.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct told {
	const struct cli *cli;
	json_t *list; /* with --json */
	unsigned count;
};

static void on_finding(void *ctx, const struct ledger_finding *f)
{
	struct told *t = ctx;

	if (t->list) {
		json_array_append_new(t->list, json_pack("{s:s,s:s,s:I,s:I,s:s}", "fault", ledger_fault_name(f->fault), "file", f->file, "batch",
			(json_int_t)f->batch, "record", (json_int_t)f->seq, "what", f->what));
		return;
	}
	if (t->count++ == 0)
		printf("%s\n", cli_word(t->cli, W_LEDGER_FIRST));
	printf("%-17s  %-15s  %s\n", f->file, ledger_fault_name(f->fault), f->what);
}

static enum err read_key(const char *path, unsigned char key[ED25519_PUBLIC_LEN])
{
	unsigned char mem[4096];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	TRY(file_read(path, &t));
	return ed25519_public_load(text_bytes(&t), key);
}

static json_t *report_json(const struct ledger_report *r, json_t *list, bool has_own_key)
{
	char first[25], last[25], hash[2 * SHA256_LEN + 1] = { 0 };
	struct text t;

	clock_rfc3339(r->first_us, first);
	clock_rfc3339(r->last_us, last);
	text_init(&t, hash, sizeof(hash) - 1);
	hex_put(&t, bytes_of(r->last.hash, SHA256_LEN));
	return json_pack("{s:b,s:I,s:o,s:I,s:I,s:I,s:I,s:s,s:s,s:I,s:s,s:s,s:s,s:b}", "ok", r->findings == 0, "findings_count", (json_int_t)r->findings,
		"findings", list, "files", (json_int_t)r->files, "batches", (json_int_t)r->batches, "records", (json_int_t)r->records, "lost",
		(json_int_t)r->lost, "first", first, "last", last, "last_batch", (json_int_t)r->last.batch, "last_hash", hash, "public_key",
		r->public_key, "fingerprint", r->fingerprint, "key_given", (int)has_own_key);
}

static void print_report(const struct cli *cli, const struct ledger_report *r, const char *dir, bool has_own_key)
{
	char first[25], last[25];

	clock_rfc3339(r->first_us, first);
	clock_rfc3339(r->last_us, last);
	cli_say(cli, stdout, W_LEDGER_SUM, dir, (unsigned long long)r->files, (unsigned long long)r->batches,
		(unsigned long long)r->records, first, last);
	if (r->lost)
		cli_say(cli, stdout, W_LEDGER_LOST, (unsigned long long)r->lost);
	if (r->findings)
		cli_say(cli, stdout, W_LEDGER_BAD, (unsigned long long)r->findings);
	else
		printf("%s\n", cli_word(cli, W_LEDGER_GOOD));
	cli_say(cli, stdout, has_own_key ? W_LEDGER_KEY_GIVEN : W_LEDGER_KEY_OWN, r->public_key, r->fingerprint);
}

int cli_ledger_verify(const struct cli *cli, int argc, char **argv)
{
	unsigned char key[ED25519_PUBLIC_LEN];
	const char *dir = NULL, *key_file = NULL;
	struct told told = { .cli = cli };
	struct ledger_report report;
	char own[SITE_LEDGER_MAX];
	enum err e;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--key") == 0 && i + 1 < argc)
			key_file = argv[++i];
		else if (argv[i][0] != '-' && !dir)
			dir = argv[i];
		else
			return 1 + cli_fail_in(cli, W_LEDGER_NEITHER, argv[i]);
	}
	if (!dir && !(dir = site_ledger_dir(cli, own)))
		return 2;
	if (key_file && read_key(key_file, key) != OK)
		return 1 + cli_fail_in(cli, W_LEDGER_NO_KEY, key_file);
	if (cli->as_json)
		told.list = json_array();
	e = ledger_verify(dir, key_file ? key : NULL, on_finding, &told, &report);
	if (e != OK) {
		json_decref(told.list);
		return 1 + cli_fail_in(cli, e == ERR_NOT_FOUND ? W_LEDGER_NONE : W_LEDGER_UNREAD, dir);
	}
	if (cli->as_json) {
		json_t *j = report_json(&report, told.list, key_file != NULL);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
	} else {
		print_report(cli, &report, dir, key_file != NULL);
	}
	return report.findings ? 1 : 0;
}
