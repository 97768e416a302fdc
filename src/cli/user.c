/* sluis user: who may sign in at the portal, their passwords, groups and factors. */
#include "cli/user_priv.h"

#include "base/secret.h"
#include "cli/site.h"
#include "cli/tty.h"

#include <unistd.h>

#define SECRET_MOST 4096

/* Takes "--group G" pairs out of argv: the one option that may be there more than once. Several may stand in one, with commas. Negative: wrongly
 * called. */
static int take_groups(const struct cli *cli, int argc, char **argv, json_t *groups)
{
	int kept = 0;

	for (int i = 0; i < argc; i++) {
		struct bytes left;

		if (strcmp(argv[i], "--group") != 0) {
			argv[kept++] = argv[i];
			continue;
		}
		if (++i == argc) {
			cli_fail_in(cli, W_WANTS_VALUE, "--group");
			return -1;
		}
		for (left = bytes_str(argv[i]); left.len;) {
			size_t end = bytes_find_byte(left, ',');
			struct bytes g = bytes_trim(bytes_cut(left, 0, end));

			if (g.len)
				json_array_append_new(groups, json_stringn((const char *)g.at, g.len));
			left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
		}
	}
	return kept;
}

/* The portal's address, as far as the configuration says it here; else the answer is empty. */
static void portal_of(const struct cli *cli, char out[300])
{
	struct site s;

	out[0] = 0;
	if (site_load(cli, &s) && s.conf && s.conf->gateway.is_on)
		snprintf(out, 300, "%.*s", FMT(s.conf->gateway.origin));
	site_fini(&s);
}

static void tell_next(const struct cli *cli, const char *name, bool has_password, bool must_change)
{
	char portal[300];

	portal_of(cli, portal);
	if (!has_password)
		cli_say(cli, stdout, W_USR_NEXT_PASSWD, name);
	else if (portal[0])
		cli_say(cli, stdout, W_USR_NEXT_AT, portal);
	else
		cli_say(cli, stdout, W_USR_NEXT);
	if (has_password && must_change)
		cli_say(cli, stdout, W_USR_MUST_CHANGE);
}

/* What user.add and user.passwd take: the password, and whether it must be changed. */
struct giving {
	struct password_from from;
	bool must_change, keeps;
	struct text password;
};

static int give(const struct cli *cli, struct giving *g, const char *name, json_t *request)
{
	int status;

	if (g->must_change && g->keeps)
		return 1 + cli_fail_in(cli, W_USR_KEEP);
	status = password_take(cli, &g->from, name, &g->password);
	if (status == 0 && g->password.len) {
		json_object_set_new(request, "password", json_stringn((const char *)g->password.at, g->password.len));
		json_object_set_new(request, "must_change", json_boolean(!g->keeps));
	}
	return status;
}

static void giving_fini(struct giving *g)
{
	if (g->password.at)
		secret_wipe(g->password.at, g->password.len);
	text_fini(&g->password);
}

/* Asks, then tells what was done and what comes next. */
static int given(const struct cli *cli, const struct giving *g, const char *name, json_t *request, enum word done)
{
	json_t *a = people_ask(cli, request);

	if (!a)
		return 1;
	if (!cli->as_json) {
		cli_say(cli, stdout, done, name);
		tell_next(cli, name, g->password.len > 0, !g->keeps);
	}
	return people_end(cli, a);
}

int user_take(const struct cli *cli, const struct option *options, int argc, char **argv, char name[PEOPLE_NAME_MAX + 1])
{
	const char *who = NULL;

	if (!options_take(cli, options, argc, argv, &who))
		return 2;
	return who ? people_take_name(cli, who, name) : 1 + cli_fail_in(cli, W_USR_USAGE);
}

/* What both do once the request is made: takes it. */
static int give_and_ask(const struct cli *cli, struct giving *g, const char *name, json_t *request, enum word done)
{
	int status;

	text_init_growing(&g->password, SECRET_MOST);
	status = give(cli, g, name, request);
	if (status == 0)
		status = given(cli, g, name, request, done);
	else
		json_decref(request);
	giving_fini(g);
	return status;
}

static int add(const struct cli *cli, int argc, char **argv)
{
	struct giving g = { 0 };
	const char *display = NULL, *mail = NULL;
	json_t *groups = json_array(), *request;
	const struct option options[] = { { "--display", &display, NULL }, { "--mail", &mail, NULL }, { "--password-file", &g.from.file, NULL },
		{ "--password-stdin", NULL, &g.from.is_stdin }, { "--no-password", NULL, &g.from.is_none }, { "--must-change", NULL, &g.must_change },
		{ "--keep", NULL, &g.keeps }, { 0 } };
	char name[PEOPLE_NAME_MAX + 1];
	int status;

	argc = take_groups(cli, argc, argv, groups);
	status = argc < 0 ? 2 : user_take(cli, options, argc, argv, name);
	if (status) {
		json_decref(groups);
		return status;
	}
	request = json_pack("{s:s,s:s,s:s,s:s,s:o}", "what", "user.add", "name", name, "display", display ? display : "", "mail", mail ? mail : "",
		"groups", groups);
	if (!request)
		return 1 + cli_fail_in(cli, W_ID_TEXT);
	return give_and_ask(cli, &g, name, request, W_USR_ADDED);
}

static int passwd(const struct cli *cli, int argc, char **argv)
{
	struct giving g = { 0 };
	const struct option options[] = { { "--password-file", &g.from.file, NULL }, { "--password-stdin", NULL, &g.from.is_stdin },
		{ "--must-change", NULL, &g.must_change }, { "--keep", NULL, &g.keeps }, { 0 } };
	char name[PEOPLE_NAME_MAX + 1];
	json_t *request;
	int status;

	status = user_take(cli, options, argc, argv, name);
	if (status)
		return status;
	request = json_pack("{s:s,s:s}", "what", "user.passwd", "name", name);
	return give_and_ask(cli, &g, name, request, W_USR_PASSWD);
}

static int set(const struct cli *cli, int argc, char **argv)
{
	const char *display = NULL, *mail = NULL;
	bool has_none = false, has_groups;
	json_t *groups = json_array(), *request, *a;
	const struct option options[] = { { "--display", &display, NULL }, { "--mail", &mail, NULL }, { "--no-groups", NULL, &has_none }, { 0 } };
	char name[PEOPLE_NAME_MAX + 1];
	int status;

	argc = take_groups(cli, argc, argv, groups);
	status = argc < 0 ? 2 : user_take(cli, options, argc, argv, name);
	has_groups = json_array_size(groups) > 0;
	if (status == 0 && has_groups && has_none)
		status = 1 + cli_fail_in(cli, W_USR_GROUPS);
	if (status == 0 && !has_groups && !has_none && !display && !mail)
		status = 1 + cli_fail_in(cli, W_USR_SET);
	request = status ? NULL : json_pack("{s:s,s:s}", "what", "user.set", "name", name);
	if (request && display)
		json_object_set_new(request, "display", json_string(display));
	if (request && mail)
		json_object_set_new(request, "mail", json_string(mail));
	if (request && (has_groups || has_none))
		json_object_set(request, "groups", groups);
	json_decref(groups);
	if (!request)
		return status ? status : 1;
	a = people_ask(cli, request);
	if (a && !cli->as_json)
		cli_say(cli, stdout, W_USR_SET_DONE, name);
	return a ? people_end(cli, a) : 1;
}

/* Verbs that take a name and nothing else. */
static const struct plain {
	const char *verb, *what;
	enum word done;	   /* takes the name */
	bool ends;	   /* and says how many sessions ended */
	bool is_for_good;  /* asks first */
} plains[] = { { "disable", "user.disable", W_USR_DISABLED, true, false }, { "enable", "user.enable", W_USR_ENABLED, false, false },
	{ "unlock", "user.unlock", W_USR_UNLOCKED, false, false }, { "remove", "user.remove", W_USR_REMOVED, true, true },
	{ "reset-factors", "user.reset-factors", W_USR_RESET, true, false } };

static int plain(const struct cli *cli, const struct plain *p, int argc, char **argv)
{
	bool is_sure = false;
	const struct option options[] = { { p->is_for_good ? "--yes" : "", NULL, &is_sure }, { 0 } };
	char name[PEOPLE_NAME_MAX + 1];
	json_t *a;
	int status;

	status = user_take(cli, options, argc, argv, name);
	if (status)
		return status;
	if (p->is_for_good && !is_sure && !tty_confirm(cli, W_USR_CONFIRM, name))
		return 1;
	a = people_ask(cli, json_pack("{s:s,s:s}", "what", p->what, "name", name));
	if (!a)
		return 1;
	if (!cli->as_json) {
		cli_say(cli, stdout, p->done, name);
		if (p->ends)
			cli_say(cli, stdout, W_SES_ENDED, people_number(a, "ended"));
	}
	return people_end(cli, a);
}

int cli_user(const struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *verb;
		int (*run)(const struct cli *cli, int argc, char **argv);
	} verbs[] = { { "add", add }, { "passwd", passwd }, { "set", set }, { "show", user_show }, { "list", user_list }, { "import", user_import } };

	for (size_t i = 0; argc && i < COUNT_OF(verbs); i++)
		if (strcmp(argv[0], verbs[i].verb) == 0)
			return verbs[i].run(cli, argc - 1, argv + 1);
	for (size_t i = 0; argc && i < COUNT_OF(plains); i++)
		if (strcmp(argv[0], plains[i].verb) == 0)
			return plain(cli, &plains[i], argc - 1, argv + 1);
	return 1 + cli_fail_in(cli, W_USR_USAGE);
}
