/* sluis sessions: who is signed in, and ending that. */
#include "cli/options.h"
#include "cli/people.h"

#include "base/clock.h"
#include "cli/tty.h"
#include "window/when.h"

#include <stdio.h>

#define AGENT_MOST 30

static void add_when(struct columns *c, const struct cli *cli, const json_t *s, const char *key)
{
	char when[64];

	people_when(cli, people_number(s, key), when);
	columns_add(c, bytes_str(when), 0);
}

static void print_list(const struct cli *cli, const json_t *list)
{
	struct columns c;

	columns_init(&c, cli_word(cli, W_SES_HEAD));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);
		const char *host = people_text(s, "host");
		char how[128];

		columns_add(&c, bytes_str(people_text(s, "id")), 0);
		columns_add(&c, bytes_str(people_text(s, "user")), 0);
		columns_add(&c, bytes_str(*host ? host : cli_word(cli, W_SES_PORTAL)), 0);
		columns_add(&c, bytes_str(people_text(s, "address")), 0);
		snprintf(how, sizeof how, "%s%s", people_text(s, "method"), json_is_true(json_object_get(s, "device_bound")) ? cli_word(cli, W_SES_BOUND) : "");
		columns_add(&c, bytes_str(how), 0);
		add_when(&c, cli, s, "since");
		add_when(&c, cli, s, "seen");
		add_when(&c, cli, s, "until");
		columns_add(&c, bytes_str(people_text(s, "agent")), AGENT_MOST);
	}
	columns_print(&c, stdout);
}

/* The parts of a question that list and revoke share. 0, or the exit status. */
static int put_which(const struct cli *cli, const char *who, const char *app, json_t *request)
{
	char name[PEOPLE_NAME_MAX + 1];
	int status = who ? people_take_name(cli, who, name) : 0;

	if (status)
		return status;
	if (who)
		json_object_set_new(request, "name", json_string(name));
	if (app)
		json_object_set_new(request, "app", json_string(app));
	return 0;
}

static int list_sessions(const struct cli *cli, int argc, char **argv)
{
	const char *who = NULL, *app = NULL;
	const struct option options[] = { { "--app", &app, NULL }, { 0 } };
	json_t *request, *list;
	int status;

	if (!options_take(cli, options, argc, argv, &who))
		return 2;
	request = json_pack("{s:s}", "what", "sessions.list");
	status = put_which(cli, who, app, request);
	if (status) {
		json_decref(request);
		return status;
	}
	list = people_list(cli, request, "sessions");
	if (!list)
		return 1;
	if (!cli->as_json && json_array_size(list))
		print_list(cli, list);
	else if (!cli->as_json)
		cli_say(cli, stdout, W_SES_NONE);
	return people_end(cli, json_pack("{s:b,s:o}", "ok", 1, "sessions", list));
}

struct revoking {
	const char *who, *id, *app, *before;
	bool all, is_sure;
};

static int put_question(const struct cli *cli, const struct revoking *r, json_t *request)
{
	uint64_t now = clock_real_us(), us;
	int status = put_which(cli, r->who, r->app, request);

	if (status)
		return status;
	if (r->id)
		json_object_set_new(request, "id", json_string(r->id));
	if (r->before && when_parse(bytes_str(r->before), now, false, &us) != OK)
		return 1 + cli_fail_in(cli, W_LEX_TIME, "--before", r->before);
	if (r->before)
		json_object_set_new(request, "before", json_integer((json_int_t)(us / 1000000)));
	if (r->all)
		json_object_set_new(request, "all", json_true());
	return 0;
}

static int revoke(const struct cli *cli, int argc, char **argv)
{
	struct revoking r = { 0 };
	const struct option options[] = { { "--id", &r.id, NULL }, { "--app", &r.app, NULL }, { "--before", &r.before, NULL }, { "--all", NULL, &r.all },
		{ "--yes", NULL, &r.is_sure }, { 0 } };
	json_t *request, *a;
	int status;

	if (!options_take(cli, options, argc, argv, &r.who))
		return 2;
	if (!r.who && !r.id && !r.app && !r.before && !r.all)
		return 1 + cli_fail_in(cli, W_SES_WHICH);
	if (r.all && (r.who || r.id || r.app || r.before))
		return 1 + cli_fail_in(cli, W_SES_ALL);
	request = json_pack("{s:s}", "what", "sessions.revoke");
	status = put_question(cli, &r, request);
	if (status == 0 && r.all && !r.is_sure && !tty_confirm(cli, W_SES_CONFIRM, "all"))
		status = 1;
	if (status) {
		json_decref(request);
		return status;
	}
	a = people_ask_any(cli, request);
	if (a && people_told_no(a)) {
		if (people_why_is(a, "none") && r.id)
			cli_fail_in(cli, W_SES_NO_ID, r.id);
		else
			people_tell_no(cli, a);
		json_decref(a);
		return 1;
	}
	if (!a)
		return 1;
	if (!cli->as_json)
		cli_say(cli, stdout, W_SES_ENDED, people_number(a, "ended"));
	if (!cli->as_json && json_is_true(json_object_get(a, "later")))
		cli_say(cli, stderr, W_SES_LATER);
	return people_end(cli, a);
}

int cli_sessions(const struct cli *cli, int argc, char **argv)
{
	if (argc && strcmp(argv[0], "list") == 0)
		return list_sessions(cli, argc - 1, argv + 1);
	if (argc && strcmp(argv[0], "revoke") == 0)
		return revoke(cli, argc - 1, argv + 1);
	return 1 + cli_fail_in(cli, W_SES_USAGE);
}
