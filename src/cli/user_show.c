/* sluis user show, list: what is kept of users, without their secrets. */
#include "cli/user_priv.h"

static void put(struct text *t, const char *s)
{
	if (t->len)
		text_lit(t, ", ");
	text_str(t, s);
}

/* "password, code, 2 passkeys". */
static void write_factors(const struct cli *cli, const json_t *u, struct text *t)
{
	long long passkeys = people_number(u, "passkeys");

	if (json_is_true(json_object_get(u, "password")))
		put(t, cli_word(cli, W_USR_F_PASSWORD));
	if (json_is_true(json_object_get(u, "totp")))
		put(t, cli_word(cli, W_USR_F_TOTP));
	if (passkeys) {
		put(t, cli_word(cli, W_USR_F_PASSKEYS));
		text_fmt(t, " (%lld)", passkeys);
	}
	if (t->len == 0)
		put(t, cli_word(cli, W_USR_F_NONE));
}

static const char *state_of(const struct cli *cli, const json_t *u)
{
	if (json_is_true(json_object_get(u, "disabled")))
		return cli_word(cli, W_USR_S_DISABLED);
	if (!json_is_true(json_object_get(u, "password")) && !people_number(u, "passkeys") && !*people_text(u, "origin"))
		return cli_word(cli, W_USR_S_NO_WAY);
	return cli_word(cli, json_is_true(json_object_get(u, "must_change")) ? W_USR_S_MUST_CHANGE : W_USR_S_OK);
}

/* "ldap:corp", "oidc:corp", or that it is a user of our own. */
static struct bytes origin_of(const struct cli *cli, const json_t *u)
{
	return bytes_str(*people_text(u, "origin") ? people_text(u, "origin") : cli_word(cli, W_USR_O_OURS));
}

static void add_row(struct columns *c, const struct cli *cli, enum word name, struct bytes value)
{
	columns_add(c, bytes_str(cli_word(cli, name)), 0);
	columns_add(c, value, 0);
}

static void print_user(const struct cli *cli, const json_t *u)
{
	unsigned char mem[8192];
	struct columns c;
	char when[64];
	struct text t;

	columns_init_bare(&c, 2);
	add_row(&c, cli, W_USR_NAME, bytes_str(people_text(u, "name")));
	add_row(&c, cli, W_USR_DISPLAY, bytes_str(people_text(u, "display")));
	add_row(&c, cli, W_USR_MAIL, bytes_str(people_text(u, "mail")));
	text_init(&t, mem, sizeof(mem));
	people_names(json_object_get(u, "groups"), &t);
	add_row(&c, cli, W_USR_GROUPS_ARE, text_bytes(&t));
	add_row(&c, cli, W_USR_ORIGIN, origin_of(cli, u));
	text_init(&t, mem, sizeof(mem));
	write_factors(cli, u, &t);
	add_row(&c, cli, W_USR_FACTORS, text_bytes(&t));
	text_init(&t, mem, sizeof(mem));
	text_fmt(&t, "%lld", people_number(u, "recovery"));
	add_row(&c, cli, W_USR_RECOVERY, text_bytes(&t));
	add_row(&c, cli, W_USR_STATE, bytes_str(state_of(cli, u)));
	text_init(&t, mem, sizeof(mem));
	text_fmt(&t, "%lld", people_number(u, "sessions"));
	add_row(&c, cli, W_USR_SESSIONS, text_bytes(&t));
	people_when(cli, people_number(u, "last"), when);
	add_row(&c, cli, W_USR_LAST, bytes_str(when));
	people_when(cli, people_number(u, "made"), when);
	add_row(&c, cli, W_USR_MADE, bytes_str(when));
	columns_print(&c, stdout);
}

int user_show(const struct cli *cli, int argc, char **argv)
{
	const struct option options[] = { { 0 } };
	char name[PEOPLE_NAME_MAX + 1];
	json_t *a;
	int status;

	status = user_take(cli, options, argc, argv, name);
	if (status)
		return status;
	a = people_ask(cli, json_pack("{s:s,s:s}", "what", "user.show", "name", name));
	if (!a)
		return 1;
	if (!cli->as_json)
		print_user(cli, json_object_get(a, "user"));
	return people_end(cli, a);
}

static void print_list(const struct cli *cli, const json_t *list)
{
	struct columns c;

	columns_init(&c, cli_word(cli, W_USR_LIST_HEAD));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *u = json_array_get(list, i);
		unsigned char mem[8192];
		char when[64];
		struct text t;

		columns_add(&c, bytes_str(people_text(u, "name")), 0);
		columns_add(&c, bytes_str(people_text(u, "display")), 30);
		text_init(&t, mem, sizeof(mem));
		people_names(json_object_get(u, "groups"), &t);
		columns_add(&c, text_bytes(&t), 40);
		columns_add(&c, origin_of(cli, u), 0);
		text_init(&t, mem, sizeof(mem));
		write_factors(cli, u, &t);
		columns_add(&c, text_bytes(&t), 0);
		people_when(cli, people_number(u, "last"), when);
		columns_add(&c, bytes_str(when), 0);
		columns_add(&c, bytes_str(state_of(cli, u)), 0);
	}
	columns_print(&c, stdout);
}

int user_list(const struct cli *cli, int argc, char **argv)
{
	const struct option options[] = { { 0 } };
	json_t *list;

	if (!options_take(cli, options, argc, argv, NULL))
		return 2;
	list = people_list(cli, json_pack("{s:s}", "what", "user.list"), "users");
	if (!list)
		return 1;
	if (!cli->as_json && json_array_size(list))
		print_list(cli, list);
	else if (!cli->as_json)
		cli_say(cli, stdout, W_USR_NOBODY);
	return people_end(cli, json_pack("{s:b,s:o}", "ok", 1, "users", list));
}
