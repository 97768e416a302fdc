/* What stands in an ns.conf that a responder needs: names, addresses, where secrets are, and whether a responder policy is whole. */
#include "response/nsconf.h"

#include <stdio.h>

static bool is_in(struct bytes b, const char *const *list)
{
	for (; *list; list++)
		if (bytes_eq_nocase(b, bytes_str(*list)))
			return true;
	return false;
}

/* Options whose value is a secret, or gives one. Names alone leave this file. */
static const char *const secret_options[] = { "-password", "-passphrase", "-ldapBindDnPassword", "-radKey", "-tacacsSecret", "-secretKey",
	"-clientSecret", "-privPasswd", "-authPasswd", "-psk", "-passcrypt", "-encryptPwd", "-preSharedKey", "-apiKey", "-refreshToken",
	"-accessToken", "-kcdPassword", "-kcdAccount", "-delegatedUser", "-userPassword", "-awsSecretKey", "-pwd", NULL };

struct telling {
	nsconf_on_thing *on;
	void *ctx;
	const struct nsconf_command *c;
};

static void tell(const struct telling *t, enum nsconf_kind kind, struct bytes name, const char *detail)
{
	t->on(t->ctx, kind, name, detail, t->c->line);
}

static void tell_secrets(const struct telling *t)
{
	const struct nsconf_command *c = t->c;
	bool is_local_user = nsconf_is(c, "add system user") || nsconf_is(c, "set system user");
	/* "add ssl certKey NAME", "set ns rpcNode ADDRESS", "add snmp community NAME": the name is the fourth word of nearly all. */
	struct bytes name = nsconf_word(c, 3);
	char detail[160];

	if (is_local_user)
		tell(t, NSCONF_SECRET, name, "system user, password");
	if (nsconf_is(c, "add snmp community"))
		tell(t, NSCONF_SECRET, BYTES("(community)"), "snmp community");
	for (size_t i = 3; i < c->count; i++) {
		if (!is_in(c->words[i], secret_options) || (is_local_user && bytes_eq_nocase(c->words[i], BYTES("-password"))))
			continue;
		snprintf(detail, sizeof(detail), "%.*s %.*s, %.*s", (int)(c->words[1].len > 40 ? 40 : c->words[1].len), (const char *)c->words[1].at,
			(int)(c->words[2].len > 40 ? 40 : c->words[2].len), (const char *)c->words[2].at, FMT(c->words[i]));
		tell(t, NSCONF_SECRET, name.len && name.at[0] == '-' ? BYTES("(this appliance)") : name, detail);
	}
}

static void tell_vserver(const struct telling *t)
{
	static const char *const families[] = { "vpn", "authentication", "lb", "cs", "cr", "gslb", NULL };
	const struct nsconf_command *c = t->c;
	char detail[200];

	if (!nsconf_is(c, "add") || c->count < 4 || !bytes_eq_nocase(c->words[2], BYTES("vserver")) || !is_in(c->words[1], families))
		return;
	snprintf(detail, sizeof(detail), "%.*s %.*s", FMT(c->words[1]), (int)(nsconf_word(c, 4).len > 30 ? 30 : nsconf_word(c, 4).len),
		nsconf_word(c, 4).len ? (const char *)c->words[4].at : "");
	if (c->count >= 7 && c->words[5].len < 60 && c->words[6].len < 8 && c->words[5].at[0] != '-')
		snprintf(detail, sizeof(detail), "%.*s %.*s %.*s %.*s", FMT(c->words[1]), (int)(c->words[4].len > 30 ? 30 : c->words[4].len),
			(const char *)c->words[4].at, FMT(c->words[5]), FMT(c->words[6]));
	tell(t, NSCONF_VSERVER, c->words[3], detail);
}

static void tell_address(const struct telling *t)
{
	const struct nsconf_command *c = t->c;
	struct bytes type = nsconf_option(c, "type"), ip = nsconf_option(c, "IPAddress");
	char detail[24];

	if ((nsconf_is(c, "set ns config") || nsconf_is(c, "add ns config")) && ip.len)
		tell(t, NSCONF_ADDRESS, ip, "NSIP");
	if ((nsconf_is(c, "add ns ip") || nsconf_is(c, "add ns ip6")) && c->count >= 4) {
		snprintf(detail, sizeof(detail), "%.*s", (int)(type.len > 16 ? 16 : type.len), type.len ? (const char *)type.at : "");
		tell(t, NSCONF_ADDRESS, c->words[3], type.len ? detail : "SNIP");
	}
}

void nsconf_each(const struct nsconf *conf, nsconf_on_thing *on, void *ctx)
{
	char detail[400];

	for (size_t i = 0; i < conf->count; i++) {
		const struct nsconf_command *c = &conf->commands[i];
		const struct telling t = { on, ctx, c };
		struct bytes cert = nsconf_option(c, "cert"), key = nsconf_option(c, "key");

		if (c->count < 3)
			continue;
		tell_address(&t);
		tell_vserver(&t);
		if (nsconf_is(c, "add ssl certKey") && c->count >= 4) {
			snprintf(detail, sizeof(detail), "%.*s%s%.*s", (int)(cert.len > 180 ? 180 : cert.len), cert.len ? (const char *)cert.at : "",
				key.len ? ", " : "", (int)(key.len > 180 ? 180 : key.len), key.len ? (const char *)key.at : "");
			tell(&t, NSCONF_CERTIFICATE, c->words[3], detail);
		}
		if (nsconf_is(c, "add system user") && c->count >= 4)
			tell(&t, NSCONF_USER, c->words[3], "system");
		if (nsconf_is(c, "add aaa user") && c->count >= 4)
			tell(&t, NSCONF_USER, c->words[3], "aaa");
		tell_secrets(&t);
	}
}

static size_t pass_blanks(struct bytes b, size_t at)
{
	while (at < b.len && (b.at[at] == ' ' || b.at[at] == '\t' || b.at[at] == '\r' || b.at[at] == '\n'))
		at++;
	return at;
}

static bool begins_here(struct bytes hay, size_t at, struct bytes needle)
{
	size_t n = pass_blanks(needle, 0);

	while (n < needle.len) {
		at = pass_blanks(hay, at);
		if (at >= hay.len || ascii_lower(hay.at[at]) != ascii_lower(needle.at[n]))
			return false;
		at++;
		n = pass_blanks(needle, n + 1);
	}
	return true;
}

bool nsconf_contains(struct bytes hay, const char *needle)
{
	for (size_t i = 0; i < hay.len; i++)
		if (begins_here(hay, i, bytes_str(needle)))
			return true;
	return false;
}

static bool contains_one(struct bytes hay, const char *const *list)
{
	bool is_empty = !list || !*list;

	for (; list && *list; list++)
		if (nsconf_contains(hay, *list))
			return true;
	return is_empty;
}

static bool rule_fits(struct bytes rule, const struct nsconf_responder *want)
{
	for (const char *const *w = want->rule_all; w && *w; w++)
		if (!nsconf_contains(rule, *w))
			return false;
	return contains_one(rule, want->rule_any);
}

static bool is_number(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < '0' || b.at[i] > '9')
			return false;
	return b.len > 0;
}

/* add responder action NAME respondwith "..."; the built-in actions drop and reset refuse as well, and say nothing. */
static bool action_answers(const struct nsconf *conf, struct bytes name, const struct nsconf_responder *want)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct nsconf_command *c = &conf->commands[i];

		if ((nsconf_is(c, "add responder action") || nsconf_is(c, "set responder action")) && bytes_eq_nocase(nsconf_word(c, 3), name))
			for (size_t w = 4; w < c->count; w++)
				if (contains_one(c->words[w], want->answers))
					return true;
	}
	return false;
}

static bool is_bound_globally(const struct nsconf *conf, struct bytes name)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct nsconf_command *c = &conf->commands[i];

		if (nsconf_is(c, "bind responder global") && bytes_eq_nocase(nsconf_word(c, 3), name) && is_number(nsconf_word(c, 4)))
			return true;
	}
	return false;
}

unsigned nsconf_responder_parts(const struct nsconf *conf, const struct nsconf_responder *want, struct bytes *name)
{
	unsigned best = 0;

	*name = bytes_of(NULL, 0);
	for (size_t i = 0; i < conf->count; i++) {
		const struct nsconf_command *c = &conf->commands[i];
		unsigned parts = 0;

		if (!nsconf_is(c, "add responder policy") || c->count < 6 || !rule_fits(c->words[4], want))
			continue;
		parts = NSCONF_PART_RULE;
		if (action_answers(conf, c->words[5], want))
			parts |= NSCONF_PART_ANSWER;
		if (is_bound_globally(conf, c->words[3]))
			parts |= NSCONF_PART_BOUND;
		if (__builtin_popcount(parts) > __builtin_popcount(best)) {
			best = parts;
			*name = c->words[3];
		}
	}
	return best;
}

bool nsconf_script_has(struct bytes script, const char *needle)
{
	while (script.len) {
		size_t n = bytes_find_byte(script, '\n');
		struct bytes line = bytes_trim(bytes_cut(script, 0, n));

		if (line.len && line.at[0] != '#' && nsconf_contains(line, needle))
			return true;
		script = n == SIZE_MAX ? bytes_of(NULL, 0) : bytes_cut(script, n + 1, script.len);
	}
	return false;
}
