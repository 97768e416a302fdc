/* sluis verify-self: is what is here what was released, and are its records what was written? The parts are looked at one after the other;
 * this file knows their order, confines the process before it reads what others may have changed, and says what came out. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"
#include "cli/verify_self_priv.h"

#include "base/fd.h"
#include "jail/jail.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum word word;
} checks[SELF_CHECKS] = { [SELF_MANIFEST] = { "manifest", W_SELF_C_MANIFEST }, [SELF_PROGRAMS] = { "programs", W_SELF_C_PROGRAMS },
	[SELF_PROCESSES] = { "processes", W_SELF_C_PROCESSES }, [SELF_HISTORY] = { "history", W_SELF_C_HISTORY },
	[SELF_LEDGER] = { "ledger", W_SELF_C_LEDGER }, [SELF_RIGHTS] = { "rights", W_SELF_C_RIGHTS } };

static const struct {
	const char *name;
	enum word word;
} faults[DIFF_COUNT] = {
	[DIFF_CHANGED] = { "changed", W_SELF_CHANGED },
	[DIFF_MISSING] = { "missing", W_SELF_MISSING },
	[DIFF_EXTRA] = { "extra", W_SELF_EXTRA },
	[DIFF_NO_FILE] = { "no-file", W_SELF_NO_FILE },
	[DIFF_SIGNATURE] = { "signature", W_SELF_SIGNATURE },
	[DIFF_UNSIGNED] = { "unsigned", W_SELF_UNSIGNED },
	[DIFF_NO_MANIFEST] = { "no-manifest", W_SELF_NO_MANIFEST },
	[DIFF_VERSION] = { "version", W_SELF_VERSION },
	[DIFF_KEY_KIND] = { "key-kind", W_SELF_KEY_KIND },
	[DIFF_REPLACED] = { "replaced", W_SELF_REPLACED },
	[DIFF_RUNS_OTHER] = { "runs-other", W_SELF_RUNS_OTHER },
	[DIFF_RUNS_VERSION] = { "runs-version", W_SELF_RUNS_VERSION },
	[DIFF_GAP] = { "gap", W_SELF_GAP },
	[DIFF_INCOMPLETE] = { "incomplete", W_SELF_INCOMPLETE },
	[DIFF_HISTORY_TEXT] = { "text", W_SELF_HISTORY_TEXT },
	[DIFF_HISTORY_BAD] = { "damaged", W_SELF_HISTORY_BAD },
	[DIFF_NOT_IN_USE] = { "not-in-use", W_SELF_NOT_IN_USE },
	[DIFF_NOT_RECORDED] = { "not-recorded", W_SELF_NOT_RECORDED },
	[DIFF_LEDGER] = { "ledger", W_SELF_LEDGER },
	[DIFF_LINK] = { "link", W_SELF_LINK },
	[DIFF_NO_LEDGER] = { "no-ledger", W_SELF_NO_LEDGER },
	[DIFF_WRITABLE] = { "writable", W_SELF_WRITABLE },
	[DIFF_OWNER] = { "owner", W_SELF_OWNER },
	[DIFF_READABLE] = { "readable", W_SELF_READABLE },
};

void self_find(struct self *s, enum self_check check, enum self_fault fault, const char *path, const char *detail)
{
	char full[2 * TREE_PATH_MAX];
	json_t *o;

	snprintf(full, sizeof(full), "%s%s", s->root ? s->root : "", path);
	o = json_pack("{s:s,s:s,s:o,s:s}", "check", checks[check].name, "fault", faults[fault].name, "path", json_of(bytes_str(full)),
		"what", cli_word(s->cli, faults[fault].word));
	if (detail)
		json_object_set_new(o, "detail", json_of(bytes_str(detail)));
	json_array_append_new(s->findings, o);
	s->has_found[check] = true;
}

void self_result(struct self *s, enum self_check check, enum self_state state, enum word what, const char *detail)
{
	s->results[check].state = state;
	s->results[check].what = what;
	snprintf(s->results[check].detail, sizeof(s->results[check].detail), "%s", detail ? detail : "");
}

static enum err confine(void)
{
	static const int *const lists[] = { jail_check, jail_tree, NULL };
	static const char *const reads[] = { "/", NULL };
	const struct jail jail = { .role = "verify-self", .syscalls = lists, .reads = reads, .keeps_parent = true, .makes_code = true };
	unsigned char mem[512];
	struct text report;

	text_init(&report, mem, sizeof(mem));
	return jail_apply(&jail, &report);
}

/* --- what came out --- */

static bool is_unchecked(const struct self *s, enum self_check c)
{
	return s->results[c].state == SELF_NOT_CHECKED;
}

static int status_of(const struct self *s)
{
	int status = 0;

	for (enum self_check c = 0; c < SELF_CHECKS; c++)
		if (is_unchecked(s, c))
			status = 2;
	return json_array_size(s->findings) ? 1 : status;
}

static void print_json(const struct self *s, int status)
{
	static const char *const names[] = { [SELF_GOOD] = "good", [SELF_NOT_LOOKED] = "not-looked-at", [SELF_NOT_CHECKED] = "not-checked" };
	json_t *list = json_array(), *o;

	for (enum self_check c = 0; c < SELF_CHECKS; c++) {
		o = json_pack("{s:s,s:s,s:s,s:o}", "check", checks[c].name, "state", s->has_found[c] ? "differs" : names[s->results[c].state],
			"what", cli_word(s->cli, s->results[c].what), "detail", json_of(bytes_str(s->results[c].detail)));
		json_array_append_new(list, o);
	}
	o = json_pack("{s:b,s:i,s:s,s:b,s:b,s:o,s:O}", "ok", status == 0, "status", status, "version", SLUIS_VERSION, "key_given", s->is_key_given,
		"development_key", s->has_release ? s->release.r.is_development : release_key_is_development, "checks", list, "findings", s->findings);
	if (s->has_release)
		json_object_set_new(o, "build", json_of(s->release.r.build));
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static const char *word_in(const json_t *o, const char *key)
{
	const char *w = json_string_value(json_object_get(o, key));

	return w ? w : "";
}

/* Of files that others may have named: no control character reaches the terminal. */
static void print_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
}

static void print_table(const struct self *s, int status)
{
	static const enum word states[] = { [SELF_GOOD] = W_SELF_S_GOOD, [SELF_NOT_LOOKED] = W_SELF_S_NOT_LOOKED,
		[SELF_NOT_CHECKED] = W_SELF_S_NOT_CHECKED };
	const struct cli *cli = s->cli;
	json_t *f;
	size_t i;

	for (enum self_check c = 0; c < SELF_CHECKS; c++) {
		printf("%-14s %-15s ", cli_word(cli, checks[c].word), cli_word(cli, s->has_found[c] ? W_SELF_S_DIFFERS : states[s->results[c].state]));
		printf("%s%s", cli_word(cli, s->results[c].what), s->results[c].detail[0] ? ": " : "");
		print_plain(s->results[c].detail);
		putchar('\n');
	}
	json_array_foreach(s->findings, i, f) {
		if (i == 0)
			printf("\n%s\n", cli_word(cli, W_SELF_DIFFERS));
		print_plain(word_in(f, "path"));
		printf(": %s", word_in(f, "what"));
		if (*word_in(f, "detail")) {
			printf(" (");
			print_plain(word_in(f, "detail"));
			putchar(')');
		}
		putchar('\n');
	}
	printf("\n%s\n", cli_word(cli, status == 0 ? W_SELF_GOOD_END : status == 1 ? W_SELF_BAD_END : W_SELF_UNSURE_END));
	if (!s->root)
		printf("%s\n", cli_word(cli, W_SELF_TRUST));
}

/* --- the order --- */

static int look(struct self *s, struct self_ledger *ledger)
{
	char rules[TREE_PATH_MAX + 256];
	bool is_read = false;
	int status;

	release_path(&s->place, BYTES("share/sluis/rules"), rules);
	/* This machine's sluisd and processes can only be asked before; another disk's configuration is read after. */
	if (!s->root) {
		is_read = site_load(s->cli, &s->site);
		self_ask(s);
	}
	fflush(stdout);
	if (confine() != OK)
		return cli_fail_in(s->cli, W_SELF_CONFINE, strerror(errno)) + 1;
	if (s->root)
		is_read = site_load_in(s->cli, &s->tree, rules, &s->site);
	if (!is_read && s->cli->config)
		return cli_fail_in(s->cli, W_CANNOT_READ, s->site.config, strerror(errno)) + 1;
	self_manifest(s);
	self_programs(s);
	self_processes(s);
	self_history_and_ledger(s, ledger);
	self_rights(s);
	status = status_of(s);
	if (s->cli->as_json)
		print_json(s, status);
	else
		print_table(s, status);
	return status;
}

int cli_verify_self(const struct cli *cli, int argc, char **argv)
{
	static struct self s;
	const char *key = NULL;
	struct self_ledger ledger;
	const struct option options[] = { { "--root", &s.root, NULL }, { "--manifest", &s.manifest, NULL }, { "--key", &key, NULL }, { 0 } };
	int status;

	s.cli = cli;
	if (!options_take(cli, options, argc, argv, NULL))
		return 2;
	memcpy(s.key, release_key_public, sizeof(s.key));
	s.is_key_given = key != NULL;
	if (key && !public_key_read(cli, key, s.key))
		return 2;
	if (!tree_open(&s.tree, s.root))
		return cli_fail_in(cli, W_CANNOT_READ, s.root ? s.root : "/", strerror(errno)) + 1;
	release_locate(&s.place, cli, &s.tree);
	signal(SIGPIPE, SIG_IGN);
	if (!self_ledger_start(&ledger))
		return cli_fail_in(cli, W_SELF_CONFINE, strerror(errno)) + 1;
	s.findings = json_array();
	status = look(&s, &ledger);
	fflush(stdout);
	_exit(status); /* straight out: exit handlers of libraries may need more than is left */
}
