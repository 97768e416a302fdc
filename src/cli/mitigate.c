/* sluis mitigate: the vendor's commands for an appliance, whether its configuration has all parts of them, and the virtual patch of
 * this front door: whether it is on, and turning it on with a way back. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/fd.h"
#include "cli/mitigate_edit.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/site.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIRM_S 300

static int take_options(const struct cli *cli, struct assess_given *g, bool *applies, int argc, char **argv)
{
	const struct option options[] = { { "--ns-conf", &g->ns_conf, NULL }, { "--bundle", &g->bundle, NULL }, { "--apply", NULL, applies }, { 0 } };

	if (!options_take(cli, options, argc, argv, &g->advisory))
		return 2;
	if (!g->advisory)
		return 1 + cli_fail_in(cli, W_MITIGATE_USAGE);
	return *applies && (g->ns_conf || g->bundle) ? 1 + cli_fail_in(cli, W_MITIGATE_EITHER) : 0;
}

static void print_commands(const struct cli *cli, const struct decision *d)
{
	if (!d->mitigation.is_there) {
		cli_say(cli, stdout, W_MITIGATE_NONE, d->cve);
		return;
	}
	printf("%s\n", d->mitigation.what.in[cli->lang]);
	for (size_t i = 0; i < d->mitigation.command_count; i++)
		printf("  # %s\n  %s\n", d->mitigation.commands[i].what.in[cli->lang], d->mitigation.commands[i].text);
	printf("%s: %s\n", cli_word(cli, W_ASSESS_SOURCES), decision_find_source(d, d->mitigation.source) ? decision_find_source(d, d->mitigation.source)->url : "");
	cli_say(cli, stdout, W_MITIGATE_COMPARE);
}

static const struct {
	unsigned bit;
	const char *code;
	enum word word;
} parts[] = { { NSCONF_PART_RULE, "rule", W_MITIGATE_RULE }, { NSCONF_PART_ANSWER, "answer", W_MITIGATE_ANSWER }, { NSCONF_PART_BOUND, "bound", W_MITIGATE_BOUND },
	{ PART_FILE, "rc.netscaler", W_MITIGATE_FILE } };

/* 0 all parts are there and the build is one on which they work; 1 not; 3 rc.netscaler was not given. */
static int check_parts(struct assess_job *j, const struct decision *d)
{
	struct assess_input in = { .conf = j->has_conf ? &j->conf : NULL, .has_rc = j->has_bundle && j->bundle.has[BUNDLE_RC], .bundle_build = j->has_bundle_build ? &j->bundle_build : NULL };
	const struct ns_version *v = in.bundle_build ? in.bundle_build : in.conf && in.conf->has_version ? &in.conf->version : NULL;
	unsigned wanted, found, effect = v ? decision_effect(d, v) : EFFECT_UNKNOWN;
	json_t *o = json_object();
	struct bytes policy;
	bool is_unseen;
	int status;

	in.rc = in.has_rc ? text_bytes(&j->bundle.files[BUNDLE_RC]) : bytes_of(NULL, 0);
	found = assess_parts(d, &in, &wanted, &policy);
	is_unseen = wanted & PART_FILE && !in.has_rc;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		bool is_open = parts[i].bit == PART_FILE && is_unseen;

		if (!(wanted & parts[i].bit))
			continue;
		json_object_set_new(o, parts[i].code, is_open ? json_null() : json_boolean(found & parts[i].bit));
		if (!j->cli->as_json)
			printf("  %-8s %s\n", cli_word(j->cli, is_open ? W_MITIGATE_UNSEEN : found & parts[i].bit ? W_MITIGATE_THERE : W_MITIGATE_MISSING), cli_word(j->cli, parts[i].word));
	}
	status = effect == EFFECT_INEFFECTIVE || effect == EFFECT_UNCERTAIN || (wanted & ~found & ~(is_unseen ? (unsigned)PART_FILE : 0u)) ? 1 : is_unseen || !wanted || !v ? 3 : 0;
	if (!j->cli->as_json && effect == EFFECT_INEFFECTIVE)
		printf("  %s\n", cli_word(j->cli, W_MITIGATE_INEFFECTIVE));
	if (!j->cli->as_json && effect == EFFECT_UNCERTAIN)
		printf("  %s\n", cli_word(j->cli, W_MITIGATE_UNCERTAIN));
	if (!j->cli->as_json && !v && wanted)
		printf("  %s\n", cli_word(j->cli, W_ASSESS_Q_BUILD));
	if (j->cli->as_json) {
		json_t *all = json_pack("{s:s,s:O,s:s,s:b}", "advisory", d->cve, "parts", o, "effect", fact_value_name(FACT_EFFECT, effect), "works", status == 0);

		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(o);
	return status;
}

static int check_appliance(struct assess_job *j, const struct decision *d)
{
	int status;

	if (!j->cli->as_json)
		print_commands(j->cli, d);
	if (cli_confine_reader() != OK)
		return 1 + cli_fail_in(j->cli, W_ASSESS_JAIL);
	status = assess_load_files(j);
	return status ? status : check_parts(j, d);
}

/* Whether the configuration in use has the set: 0 yes, 1 no, 2 it could not be asked. */
static int is_on(const struct cli *cli, const char *set)
{
	json_t *a = cli_ask(cli, json_pack("{s:s}", "command", "show"));
	const json_t *text = json_object_get(a, "text");
	struct text out;
	enum mitigate_edit e;

	if (!a)
		return 2;
	text_init_growing(&out, 32u << 20);
	e = mitigate_add_rules(bytes_of(json_string_value(text), json_string_length(text)), set, &out);
	text_fini(&out);
	json_decref(a);
	return e == EDIT_THERE ? 0 : 1;
}

/* The file anew with its owner and mode; what was in it is beside it, under a name that is new. */
static int replace(const struct cli *cli, const char *path, struct bytes before, struct bytes after)
{
	char kept[4300];
	struct output o;
	struct stat st;
	bool ok = stat(path, &st) == 0;

	snprintf(kept, sizeof(kept), "%s.before-mitigate", path);
	for (unsigned i = 1; ok && access(kept, F_OK) == 0 && i < 1000; i++)
		snprintf(kept, sizeof(kept), "%s.before-mitigate.%u", path, i);
	for (unsigned i = 0; ok && i < 2; i++) {
		ok = output_open(&o, i ? path : kept, i == 1);
		if (!ok)
			break;
		ok = fchown(o.fd, st.st_uid, st.st_gid) == 0 && fchmod(o.fd, st.st_mode & 07777) == 0 && fd_write_all(o.fd, i ? after : before) == OK && output_commit(&o, i == 1);
		if (!ok)
			output_drop(&o);
	}
	if (!ok)
		return 1 + cli_fail_in(cli, W_ASSESS_UNWRITTEN, path, strerror(errno));
	cli_say(cli, stdout, W_MITIGATE_KEPT, kept);
	return 0;
}

/* A reload that is refused leaves the file as it was before. */
static int reload(const struct cli *cli, const char *path, struct bytes before, struct bytes after)
{
	int seconds = cli->confirm ? cli->confirm : CONFIRM_S;
	int status = replace(cli, path, before, after);
	json_t *answer;

	if (status)
		return status;
	answer = cli_ask(cli, json_pack("{s:s,s:i}", "command", "reload", "confirm", seconds));
	if (!answer) {
		status = replace(cli, path, after, before);
		cli_say(cli, stderr, W_MITIGATE_BACK, path);
		return status ? status : 2;
	}
	cli_say(cli, stdout, W_MITIGATE_ON, (int)json_integer_value(json_object_get(answer, "generation")), seconds, path);
	json_decref(answer);
	return 0;
}

static int apply(const struct cli *cli, const char *set)
{
	struct text out;
	struct site s;
	char *real;
	int status = 2;

	if (!site_load(cli, &s)) {
		status = 1 + cli_fail_in(cli, W_ASSESS_UNREAD, s.config, strerror(errno));
		site_fini(&s);
		return status;
	}
	text_init_growing(&out, 32u << 20);
	real = realpath(s.config, NULL);
	switch (mitigate_add_rules(text_bytes(&s.text), set, &out)) {
	case EDIT_DONE: status = real ? reload(cli, real, text_bytes(&s.text), text_bytes(&out)) : 1 + cli_fail_in(cli, W_ASSESS_UNREAD, s.config, strerror(errno)); break;
	case EDIT_THERE: status = 1 + cli_fail_in(cli, W_MITIGATE_FILE_HAS, s.config, set); break;
	case EDIT_UNSAFE: status = 1 + cli_fail_in(cli, W_MITIGATE_UNSAFE, s.config, set); break;
	}
	free(real);
	text_fini(&out);
	site_fini(&s);
	return status;
}

static int front_door(const struct cli *cli, const struct decision *d, bool applies)
{
	int on;

	if (!cli->as_json && !applies)
		print_commands(cli, d);
	if (!d->rules)
		return 1 + cli_fail_in(cli, W_MITIGATE_NO_RULES, d->cve);
	if (!cli->as_json)
		cli_say(cli, stdout, W_MITIGATE_SET, d->rules, d->rules_note.in[cli->lang]);
	on = is_on(cli, d->rules);
	if (cli->as_json && !applies)
		printf("{\"advisory\": \"%s\", \"rules\": \"%s\", \"on\": %s}\n", d->cve, d->rules, on == 2 ? "null" : on ? "false" : "true");
	if (on == 2)
		return applies ? 2 : 3;
	if (on == 1 && applies)
		return apply(cli, d->rules);
	if (!cli->as_json)
		cli_say(cli, stdout, on ? W_MITIGATE_IS_OFF : W_MITIGATE_IS_ON, d->rules, d->cve);
	return on;
}

int cli_mitigate(const struct cli *cli, int argc, char **argv)
{
	struct assess_job j = { .cli = cli };
	bool applies = false;
	int status = take_options(cli, &j.given, &applies, argc, argv);

	if (status)
		return status;
	status = assess_load_decisions(&j, j.given.advisory);
	if (status == 0)
		status = j.given.ns_conf || j.given.bundle ? check_appliance(&j, j.decisions[0]) : front_door(cli, j.decisions[0], applies);
	assess_fini(&j);
	return status;
}
