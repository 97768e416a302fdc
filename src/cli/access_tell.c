/* What sluis access found, in words and as JSON. Values come from the configuration and from users' groups: nothing of them steers a terminal. */
#include "cli/access_priv.h"

#include "base/clock.h"
#include "cli/evidence_priv.h"
#include "ledger/record.h"

#include <stdio.h>

#define SHOWN_MOST 200

const char *access_rule_name(enum access_rule_name r)
{
	static const char *const names[ACCESS_RULES] = { "gateway.allow", "gateway.mfa", "app.allow", "app.mfa" };

	return names[r];
}

const char *access_verdict_name(enum access_verdict v)
{
	static const char *const names[] = { "ready", "step_up", "no" };

	return names[v];
}

static const char *clean(struct bytes b, char out[300])
{
	struct text t;

	text_init(&t, out, 299);
	ledger_text_clean(&t, bytes_cut(b, 0, SHOWN_MOST));
	out[t.len] = 0;
	for (size_t i = 0; i < t.len; i++)
		if (out[i] == '\n')
			out[i] = ' ';
	return out;
}

static bool is_allow(enum access_rule_name r)
{
	return r == RULE_PORTAL_ALLOW || r == RULE_APP_ALLOW;
}

struct bytes access_because(const struct access_answer *a)
{
	for (size_t i = 0; i < ACCESS_RULES; i++) {
		const struct access_rule *r = &a->rules[i];
		bool decides = is_allow((enum access_rule_name)i) ? r->truth != POLICY_TRUE :
			a->verdict == ACCESS_STEP_UP && r->truth != POLICY_FALSE;

		for (size_t k = 0; k < r->reason_count && decides; k++)
			if ((r->reasons[k].truth == POLICY_TRUE) != is_allow((enum access_rule_name)i))
				return r->reasons[k].source;
		if (decides)
			return r->text;
	}
	return BYTES("");
}

/* --- words --- */

static void tell_rule(const struct cli *cli, enum access_rule_name name, const struct access_rule *r)
{
	static const enum word allow[] = { [POLICY_FALSE] = W_ACC_DENIES, [POLICY_TRUE] = W_ACC_ALLOWS, [POLICY_UNKNOWN] = W_ACC_UNKNOWN };
	static const enum word mfa[] = { [POLICY_FALSE] = W_ACC_NO_MFA, [POLICY_TRUE] = W_ACC_MFA, [POLICY_UNKNOWN] = W_ACC_UNKNOWN };
	static const enum word holds[] = { [POLICY_FALSE] = W_ACC_FALSE, [POLICY_TRUE] = W_ACC_TRUE, [POLICY_UNKNOWN] = W_ACC_NOT_TOLD };
	char source[300], left[300], value[300];

	printf("  %-13s  ", access_rule_name(name));
	if (r->text.len == 0) {
		puts(cli_word(cli, is_allow(name) ? W_ACC_ALL : W_ACC_NEVER));
		return;
	}
	puts(cli_word(cli, is_allow(name) ? allow[r->truth] : mfa[r->truth]));
	for (size_t i = 0; i < r->reason_count; i++) {
		const struct policy_reason *x = &r->reasons[i];

		cli_say(cli, stdout, holds[x->truth], clean(x->source, source));
		if (x->left.len)
			cli_say(cli, stdout, W_ACC_VALUE, clean(x->left, left), clean(x->value, value));
		putchar('\n');
	}
}

static void tell_help(const struct cli *cli, const struct access_question *q, const struct access_help *h)
{
	const char *rule = access_rule_name(h->rule);
	char value[300], when[25];

	fputs("  - ", stdout);
	switch (h->kind) {
	case HELP_MFA: cli_say(cli, stdout, W_ACC_HELP_MFA, rule); break;
	case HELP_GROUP: cli_say(cli, stdout, W_ACC_HELP_GROUP, clean(h->value, value), rule); break;
	case HELP_PLACE: cli_say(cli, stdout, W_ACC_HELP_PLACE, clean(h->value, value), rule); break;
	case HELP_TIME:
		clock_rfc3339(h->at_us, when);
		cli_say(cli, stdout, W_ACC_HELP_TIME, when, rule);
		break;
	case HELP_ENABLE: cli_say(cli, stdout, W_ACC_HELP_ENABLE, q->who.name); break;
	case HELP_PASSWORD: cli_say(cli, stdout, W_ACC_HELP_PASSWORD, q->who.name); break;
	}
}

static void tell_factor(const struct cli *cli, const struct access_question *q, const struct access_answer *a)
{
	const struct access_who *w = &q->who;

	if (!w->is_known)
		return;
	cli_say(cli, stdout, w->has_totp && w->has_passkey ? W_ACC_HAS_BOTH :
		w->has_totp ? W_ACC_HAS_TOTP : w->has_passkey ? W_ACC_HAS_PASSKEY : W_ACC_HAS_NONE);
	if (a->enrols)
		cli_say(cli, stdout, W_ACC_ENROLS);
	if (w->must_change)
		cli_say(cli, stdout, W_ACC_MUST_CHANGE);
}

void access_tell(const struct cli *cli, const struct access_question *q, const struct access_answer *a)
{
	static const enum word verdicts[] = { [ACCESS_READY] = W_ACC_READY, [ACCESS_STEP_UP] = W_ACC_STEP_UP, [ACCESS_NO] = W_ACC_NO };
	unsigned char groups[4096], ip[64];
	char when[25], shown[300];
	struct text t, from;

	text_init(&t, groups, sizeof(groups));
	for (size_t i = 0; i < q->who.group_count; i++)
		text_fmt(&t, "%s%.*s", i ? ", " : "", FMT(q->who.groups[i]));
	text_init(&from, ip, sizeof(ip));
	if (q->has_from)
		addr_write_ip(&q->from, &from);
	clock_rfc3339(q->at_us, when);
	cli_say(cli, stdout, verdicts[a->verdict], q->who.name, clean(a->app->id, shown));
	cli_say(cli, stdout, W_ACC_SCENE, q->has_from ? clean(text_bytes(&from), shown) : cli_word(cli, W_ACC_ANYWHERE), when,
		cli_word(cli, a->has_mfa ? W_ACC_WITH : W_ACC_WITHOUT));
	cli_say(cli, stdout, W_ACC_IN_GROUPS, t.len ? clean(text_bytes(&t), shown) : cli_word(cli, W_ACC_NO_GROUPS));
	for (size_t i = 0; i < ACCESS_RULES; i++)
		tell_rule(cli, (enum access_rule_name)i, &a->rules[i]);
	tell_factor(cli, q, a);
	if (a->verdict == ACCESS_NO)
		puts(cli_word(cli, a->help_count ? W_ACC_HELPS : W_ACC_NO_HELP));
	for (size_t i = 0; i < a->help_count && a->verdict == ACCESS_NO; i++)
		tell_help(cli, q, &a->helps[i]);
	if (a->verdict == ACCESS_NO && a->app->help.len)
		cli_say(cli, stdout, W_ACC_ASK, clean(a->app->help, shown));
}

/* --- JSON --- */

static json_t *truth_json(enum policy_truth t)
{
	return t == POLICY_UNKNOWN ? json_null() : json_boolean(t == POLICY_TRUE);
}

static json_t *rule_json(enum access_rule_name name, const struct access_rule *r)
{
	json_t *reasons = json_array();

	for (size_t i = 0; i < r->reason_count; i++) {
		const struct policy_reason *x = &r->reasons[i];
		json_t *o = json_pack("{s:o,s:o}", "source", json_of(x->source), "holds", truth_json(x->truth));

		if (x->left.len) {
			json_object_set_new(o, "left", json_of(x->left));
			json_object_set_new(o, "value", json_of(x->value));
		}
		json_array_append_new(reasons, o);
	}
	return json_pack("{s:s,s:o,s:o,s:o}", "rule", access_rule_name(name), "text", json_of(r->text), "holds", truth_json(r->truth), "reasons", reasons);
}

static json_t *help_json(const struct access_help *h)
{
	static const char *const kinds[] = { "mfa", "group", "place", "time", "enable", "password" };
	json_t *o = json_pack("{s:s,s:s}", "what", kinds[h->kind], "rule", access_rule_name(h->rule));
	char when[25];

	if (h->kind == HELP_TIME)
		clock_rfc3339(h->at_us, when);
	if (h->kind == HELP_TIME)
		json_object_set_new(o, "value", json_string(when));
	else if (h->value.len)
		json_object_set_new(o, "value", json_of(h->value));
	return o;
}

json_t *access_json(const struct access_question *q, const struct access_answer *a)
{
	json_t *rules = json_array(), *helps = json_array(), *groups = json_array();
	char when[25];

	clock_rfc3339(q->at_us, when);
	for (size_t i = 0; i < ACCESS_RULES; i++)
		json_array_append_new(rules, rule_json((enum access_rule_name)i, &a->rules[i]));
	for (size_t i = 0; i < a->help_count && a->verdict == ACCESS_NO; i++)
		json_array_append_new(helps, help_json(&a->helps[i]));
	for (size_t i = 0; i < q->who.group_count; i++)
		json_array_append_new(groups, json_of(q->who.groups[i]));
	return json_pack("{s:s,s:o,s:s,s:s,s:o,s:b,s:b,s:b,s:o,s:o}", "user", q->who.name, "app", json_of(a->app->id), "verdict",
		access_verdict_name(a->verdict), "at", when, "groups", groups, "looked_up", (int)q->who.is_known, "mfa", (int)a->has_mfa, "enrols",
		(int)a->enrols, "rules", rules, "helps", helps);
}
