/* sluis access: whether a user may reach an app, and why. The user comes from identity, the rules from the configuration file, which is read by a
 * process that can do nothing else by then. */
#include "cli/access_priv.h"

#include "base/clock.h"
#include "cli/evidence_priv.h"
#include "window/when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct asked {
	const char *verb, *who, *app;
	const char *from, *at, *groups;
	bool mfa, no_mfa;
};

/* --- the question --- */

/* options_take keeps one word; here there may be two. */
static int take_words(const struct cli *cli, int argc, char **argv, struct asked *a)
{
	const struct option options[] = { { "--from", &a->from, NULL }, { "--at", &a->at, NULL }, { "--groups", &a->groups, NULL },
		{ "--mfa", NULL, &a->mfa }, { "--no-mfa", NULL, &a->no_mfa }, { 0 } };
	bool is_explain;

	a->verb = argc ? argv[0] : "";
	is_explain = strcmp(a->verb, "explain") == 0;
	if ((!is_explain && strcmp(a->verb, "list") != 0) || argc < 2 || argv[1][0] == '-' || (is_explain && (argc < 3 || argv[2][0] == '-')))
		return 1 + cli_fail_in(cli, W_ACC_USAGE);
	a->who = argv[1];
	a->app = is_explain ? argv[2] : NULL;
	return options_take(cli, options, argc - (is_explain ? 3 : 2), argv + (is_explain ? 3 : 2), NULL) ? 0 : 2;
}

static int read_question(const struct cli *cli, const struct asked *a, struct access_question *q)
{
	uint64_t now = clock_real_us();

	if (a->mfa && a->no_mfa)
		return 1 + cli_fail_in(cli, W_ACC_EITHER);
	q->mfa = a->mfa ? ACCESS_WITH : a->no_mfa ? ACCESS_WITHOUT : ACCESS_AS_IT_GOES;
	if (a->from && addr_parse_ip(bytes_str(a->from), &q->from) != OK)
		return 1 + cli_fail_in(cli, W_ACC_FROM, a->from);
	q->has_from = a->from != NULL;
	q->at_us = now;
	if (a->at && when_parse(bytes_str(a->at), now, false, &q->at_us) != OK)
		return 1 + cli_fail_in(cli, W_LEX_TIME, "--at", a->at);
	return people_take_name(cli, a->who, q->who.name);
}

static int take_groups(const struct cli *cli, struct bytes left, struct access_who *w)
{
	while (left.len) {
		size_t end = bytes_find_byte(left, ',');
		struct bytes g = bytes_trim(bytes_cut(left, 0, end));

		if (w->group_count == AUTH_GROUPS_MAX)
			return 1 + cli_fail(1, "%s", cli_word(cli, W_ID_GROUPS));
		if (g.len)
			w->groups[w->group_count++] = g;
		left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
	}
	return 0;
}

/* *kept holds what w points to. */
static int look_up(const struct cli *cli, struct access_who *w, json_t **kept)
{
	const json_t *u, *groups;

	*kept = people_ask(cli, json_pack("{s:s,s:s}", "what", "user.show", "name", w->name));
	if (!*kept)
		return 1 + cli_fail_in(cli, W_ACC_OR_GROUPS);
	u = json_object_get(*kept, "user");
	groups = json_object_get(u, "groups");
	for (size_t i = 0; i < json_array_size(groups) && i < AUTH_GROUPS_MAX; i++) {
		const json_t *g = json_array_get(groups, i);

		if (json_is_string(g))
			w->groups[w->group_count++] = bytes_of(json_string_value(g), json_string_length(g));
	}
	w->is_known = true;
	w->is_disabled = json_is_true(json_object_get(u, "disabled"));
	w->has_password = json_is_true(json_object_get(u, "password")) || *people_text(u, "origin"); /* kept here, or where the user comes from */
	w->has_totp = json_is_true(json_object_get(u, "totp"));
	w->has_passkey = people_number(u, "passkeys") > 0;
	w->must_change = json_is_true(json_object_get(u, "must_change"));
	return 0;
}

static int load(const struct cli *cli, struct site *s)
{
	bool is_read = site_load(cli, s);

	if (!is_read)
		return 1 + cli_fail_in(cli, W_ASK_UNREAD, s->config);
	if (!s->is_valid)
		return 1 + cli_fail_in(cli, W_ACC_INVALID, s->config);
	if (!s->conf->gateway.is_on)
		return 1 + cli_fail_in(cli, W_ACC_NO_GATEWAY, s->config);
	return 0;
}

/* --- the answers --- */

static int judge(const struct cli *cli, const struct access_question *q, const struct conf_app *app, struct arena *a, struct access_answer *out)
{
	enum access_rule_name rule;

	return access_judge(q, app, a, out, &rule) ? 0 : 1 + cli_fail_in(cli, W_ACC_NEEDS_FROM, access_rule_name(rule));
}

static int explain(const struct cli *cli, const struct access_question *q, struct bytes name, struct arena *arena)
{
	static struct access_answer a;
	const struct conf_app *app = conf_app_by_id(q->conf, name);
	int status;

	if (!app)
		app = conf_app_by_host(q->conf, name);
	if (!app)
		return 1 + cli_fail_in(cli, W_ACC_NO_APP, (int)name.len, (const char *)name.at);
	status = judge(cli, q, app, arena, &a);
	if (status)
		return status;
	if (cli->as_json)
		(void)people_end(cli, access_json(q, &a));
	else
		access_tell(cli, q, &a);
	return a.verdict == ACCESS_NO || (a.verdict == ACCESS_STEP_UP && q->mfa == ACCESS_WITHOUT) ? 1 : 0;
}

static int list(const struct cli *cli, const struct access_question *q, struct arena *arena)
{
	static const enum word words[] = { [ACCESS_READY] = W_ACC_L_READY, [ACCESS_STEP_UP] = W_ACC_L_STEP_UP, [ACCESS_NO] = W_ACC_L_NO };
	const struct conf_gateway *g = &q->conf->gateway;
	static struct access_answer a;
	json_t *apps = json_array();
	struct columns c;

	columns_init(&c, cli_word(cli, W_ACC_LIST_HEAD));
	for (size_t i = 0; i < g->app_count; i++) {
		int status = judge(cli, q, &g->apps[i], arena, &a);
		struct bytes because = status ? BYTES("") : access_because(&a);

		if (status) {
			json_decref(apps);
			return status;
		}
		columns_add(&c, a.app->id, 0);
		columns_add(&c, a.app->host, 0);
		columns_add(&c, bytes_str(cli_word(cli, words[a.verdict])), 0);
		columns_add(&c, a.verdict == ACCESS_READY ? BYTES("") : because.len ? because : bytes_str(cli_word(cli, W_ACC_CANNOT_SIGN_IN)), 80);
		json_array_append_new(apps, json_pack("{s:o,s:o,s:s,s:o}", "app", json_of(a.app->id), "host", json_of(a.app->host), "verdict",
			access_verdict_name(a.verdict), "because", json_of(a.verdict == ACCESS_READY ? BYTES("") : because)));
	}
	if (!cli->as_json)
		columns_print(&c, stdout);
	return people_end(cli, json_pack("{s:s,s:b,s:o}", "user", q->who.name, "looked_up", (int)q->who.is_known, "apps", apps));
}

static int answer(const struct cli *cli, const struct asked *a, struct access_question *q)
{
	static unsigned char mem[2 * POLICY_SCRATCH_SIZE];
	struct arena arena;
	struct site site;
	int status = load(cli, &site);

	arena_init(&arena, mem, sizeof(mem));
	q->conf = site.conf;
	if (status == 0)
		status = a->app ? explain(cli, q, bytes_str(a->app), &arena) : list(cli, q, &arena);
	fflush(stdout);
	site_fini(&site);
	return status;
}

int cli_access(const struct cli *cli, int argc, char **argv)
{
	struct access_question q = { 0 };
	struct asked a = { 0 };
	json_t *user = NULL;
	int status = take_words(cli, argc, argv, &a);

	if (status == 0)
		status = read_question(cli, &a, &q);
	if (status == 0)
		status = a.groups ? take_groups(cli, bytes_str(a.groups), &q.who) : look_up(cli, &q.who, &user);
	if (status)
		return status;
	if (cli_confine_reader() != OK)
		return 1 + cli_fail_in(cli, W_WIN_JAIL, strerror(errno));
	_exit(answer(cli, &a, &q)); /* straight out: exit handlers of libraries may need more than is left */
}
