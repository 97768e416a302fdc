/* The same expressions, evaluated by the same code in the same order as at the portal: sign-in, its second factor, the app, the app's second factor
 * (roles/identity_sign_in.c, proxy/admit_app.c). What would help is not read out of the expressions but tried: one thing is changed, and the rule
 * evaluated again. */
#include "cli/access_priv.h"

#define HOURS_AHEAD (7 * 24)
#define HOUR_US	    UINT64_C(3600000000)

struct scene {
	const struct access_question *q;
	struct arena scratch;
	struct policy_session session;
	struct policy_input in;
	struct access_answer *out;
};

static const char *method_of(const struct access_who *w, bool has_mfa)
{
	if (w->is_known && !w->has_password && w->has_passkey)
		return "passkey";
	if (!has_mfa)
		return "password";
	return w->is_known && !w->has_totp && w->has_passkey ? "password passkey" : "password totp";
}

static void set_mfa(struct scene *s, bool has_mfa)
{
	s->session.has_mfa = has_mfa;
	s->session.method = bytes_str(method_of(&s->q->who, has_mfa));
}

static void scene_init(struct scene *s, const struct access_question *q, struct arena *a, struct access_answer *out)
{
	static const struct http_request nothing = { .method_text = { (const unsigned char *)"", 0 } };
	bool is_passkey = q->who.is_known && !q->who.has_password && q->who.has_passkey;

	*s = (struct scene){ .q = q, .out = out };
	s->session = (struct policy_session){ .user = bytes_str(q->who.name), .groups = q->who.groups, .group_count = q->who.group_count,
		.since_s = q->at_us / 1000000, .proved_s = q->at_us / 1000000 };
	set_mfa(s, q->mfa == ACCESS_WITH || (is_passkey && q->mfa == ACCESS_AS_IT_GOES));
	s->in = (struct policy_input){ .req = &nothing, .client = q->from, .peer = q->from, .is_tls = true, .session = &s->session,
		.real_us = q->at_us, .arena = a };
}

/* As a worker evaluates it; what explaining has written stays. */
static enum policy_truth try_one(struct scene *s, const struct policy_expr *e)
{
	struct policy_input in = s->in;

	arena_reset(&s->scratch);
	in.arena = &s->scratch;
	in.arena_is_scratch = true;
	return policy_truth(e, &in);
}

static enum policy_truth rule(struct scene *s, enum access_rule_name name, const struct policy_expr *e, struct bytes text)
{
	struct access_rule *r = &s->out->rules[name];
	bool is_allow = name == RULE_PORTAL_ALLOW || name == RULE_APP_ALLOW;

	*r = (struct access_rule){ .truth = is_allow ? POLICY_TRUE : POLICY_FALSE };
	if (!e)
		return r->truth;
	r->text = text;
	r->truth = try_one(s, e);
	r->reason_count = policy_explain(e, &s->in, r->reasons, COUNT_OF(r->reasons));
	return r->truth;
}

/* --- what would help --- */

static bool has_room(const struct scene *s)
{
	return s->out->help_count < ACCESS_HELPS_MAX;
}

static void help(struct scene *s, enum access_help_kind kind, enum access_rule_name name, struct bytes value, uint64_t at_us)
{
	if (has_room(s))
		s->out->helps[s->out->help_count++] = (struct access_help){ kind, name, value, at_us };
}

static void try_mfa(struct scene *s, enum access_rule_name name, const struct policy_expr *e)
{
	bool before = s->session.has_mfa;

	if (before)
		return;
	set_mfa(s, true);
	if (try_one(s, e) == POLICY_TRUE)
		help(s, HELP_MFA, name, BYTES(""), 0);
	set_mfa(s, before);
}

static void try_group(struct scene *s, enum access_rule_name name, const struct policy_expr *e, struct bytes group)
{
	struct bytes more[AUTH_GROUPS_MAX + 1];

	for (size_t i = 0; i < s->out->help_count; i++)
		if (s->out->helps[i].kind == HELP_GROUP && s->out->helps[i].rule == name && bytes_eq(s->out->helps[i].value, group))
			return;
	for (size_t i = 0; i < s->q->who.group_count; i++)
		more[i] = s->q->who.groups[i];
	more[s->q->who.group_count] = group;
	s->session.groups = more;
	s->session.group_count = s->q->who.group_count + 1;
	if (try_one(s, e) == POLICY_TRUE)
		help(s, HELP_GROUP, name, group, 0);
	s->session.groups = s->q->who.groups;
	s->session.group_count = s->q->who.group_count;
}

static void try_place(struct scene *s, enum access_rule_name name, const struct policy_expr *e, const struct addr_prefix *p, struct bytes value)
{
	struct addr before = s->in.client;

	memcpy(s->in.client.ip, p->ip, sizeof(p->ip));
	s->in.peer = s->in.client;
	if (try_one(s, e) == POLICY_TRUE)
		help(s, HELP_PLACE, name, value, 0);
	s->in.client = s->in.peer = before;
}

/* $name in the expression: of a set of texts each may be a group, of a set of addresses the first network stands for all. */
static void try_sets(struct scene *s, enum access_rule_name name, const struct policy_expr *e, struct bytes text)
{
	for (size_t i = 0; i < s->q->conf->set_count; i++) {
		const struct policy_set_def *set = &s->q->conf->sets[i];
		size_t helped = s->out->help_count, at = bytes_find(text, set->name);

		if (at == SIZE_MAX || at == 0 || text.at[at - 1] != '$')
			continue;
		for (size_t k = 0; k < set->string_count && k < 100 && !set->is_addresses && has_room(s); k++)
			try_group(s, name, e, set->strings[k]);
		for (size_t k = 0; k < set->prefix_count && k < 100 && set->is_addresses && helped == s->out->help_count; k++)
			try_place(s, name, e, &set->prefixes[k], bytes_of(text.at + at - 1, set->name.len + 1));
	}
}

static bool is_of_address(unsigned char c)
{
	return c && strchr("0123456789abcdefABCDEF.:/", c);
}

/* Texts in quotes may be groups, and what reads as a network may be a place. */
static void try_literals(struct scene *s, enum access_rule_name name, const struct policy_expr *e, struct bytes text)
{
	struct addr_prefix p;

	for (size_t i = 0; i < text.len && has_room(s);) {
		size_t n = i + 1;

		if (text.at[i] == '"') {
			while (n < text.len && text.at[n] != '"')
				n += text.at[n] == '\\' ? 2 : 1;
			try_group(s, name, e, bytes_cut(text, i + 1, n));
			i = n + 1;
			continue;
		}
		if (!is_of_address(text.at[i])) {
			i++;
			continue;
		}
		while (n < text.len && is_of_address(text.at[n]))
			n++;
		if (addr_parse_prefix(bytes_cut(text, i, n), &p) == OK)
			try_place(s, name, e, &p, bytes_cut(text, i, n));
		i = n;
	}
}

static void try_time(struct scene *s, enum access_rule_name name, const struct policy_expr *e)
{
	uint64_t hour = s->q->at_us - s->q->at_us % HOUR_US;

	for (unsigned i = 1; i <= HOURS_AHEAD; i++) {
		s->in.real_us = hour + i * HOUR_US;
		s->session.since_s = s->session.proved_s = s->in.real_us / 1000000;
		if (try_one(s, e) != POLICY_TRUE)
			continue;
		help(s, HELP_TIME, name, BYTES(""), s->in.real_us);
		break;
	}
	s->in.real_us = s->q->at_us;
	s->session.since_s = s->session.proved_s = s->q->at_us / 1000000;
}

static void look_for_help(struct scene *s, enum access_rule_name name, const struct policy_expr *e, struct bytes text)
{
	try_mfa(s, name, e);
	try_literals(s, name, e, text);
	try_sets(s, name, e, text);
	if (bytes_find(text, BYTES("time.")) != SIZE_MAX)
		try_time(s, name, e);
}

/* --- the verdict --- */

static void judge_portal(struct scene *s, const struct conf_gateway *g, const struct conf_app *app)
{
	const struct access_who *w = &s->q->who;
	bool demands;

	if (w->is_known && w->is_disabled) {
		s->out->verdict = ACCESS_NO;
		help(s, HELP_ENABLE, RULE_PORTAL_ALLOW, BYTES(""), 0);
	}
	if (w->is_known && !w->has_password && !w->has_passkey) {
		s->out->verdict = ACCESS_NO;
		help(s, HELP_PASSWORD, RULE_PORTAL_ALLOW, BYTES(""), 0);
	}
	if (rule(s, RULE_PORTAL_ALLOW, g->allow, g->allow_text) != POLICY_TRUE) {
		s->out->verdict = ACCESS_NO;
		look_for_help(s, RULE_PORTAL_ALLOW, g->allow, g->allow_text);
	}
	demands = rule(s, RULE_PORTAL_MFA, g->mfa, g->mfa_text) != POLICY_FALSE;
	if (!demands || s->session.has_mfa)
		return;
	if (s->q->mfa == ACCESS_WITHOUT && app->mfa) /* a session that began where none was demanded: at the app its own rule counts */
		return;
	s->out->enrols = w->is_known && !w->has_totp && !w->has_passkey;
	if (s->q->mfa == ACCESS_AS_IT_GOES)
		set_mfa(s, true);
	else if (s->out->verdict == ACCESS_READY)
		s->out->verdict = ACCESS_STEP_UP;
}

static void judge_app(struct scene *s, const struct conf_gateway *g, const struct conf_app *app)
{
	const struct access_who *w = &s->q->who;

	/* Looked at again, of the session that came of it. */
	if (s->out->verdict != ACCESS_NO && g->allow && rule(s, RULE_PORTAL_ALLOW, g->allow, g->allow_text) != POLICY_TRUE) {
		s->out->verdict = ACCESS_NO;
		look_for_help(s, RULE_PORTAL_ALLOW, g->allow, g->allow_text);
	}
	if (rule(s, RULE_APP_ALLOW, app->allow, app->allow_text) != POLICY_TRUE) {
		s->out->verdict = ACCESS_NO;
		look_for_help(s, RULE_APP_ALLOW, app->allow, app->allow_text);
	}
	if (rule(s, RULE_APP_MFA, app->mfa, app->mfa_text) != POLICY_FALSE && !s->session.has_mfa && s->out->verdict == ACCESS_READY) {
		s->out->verdict = ACCESS_STEP_UP;
		s->out->enrols = w->is_known && !w->has_totp && !w->has_passkey;
	}
}

bool access_judge(const struct access_question *q, const struct conf_app *app, struct arena *a, struct access_answer *out, enum access_rule_name *r)
{
	const struct conf_gateway *g = &q->conf->gateway;
	const struct bytes texts[ACCESS_RULES] = { g->allow_text, g->mfa_text, app->allow_text, app->mfa_text };
	struct scene s;
	void *scratch;

	for (size_t i = 0; i < ACCESS_RULES && !q->has_from; i++)
		if (bytes_find(texts[i], BYTES("client.ip")) != SIZE_MAX) {
			*r = (enum access_rule_name)i;
			return false;
		}
	*out = (struct access_answer){ .app = app };
	arena_reset(a);
	scene_init(&s, q, a, out);
	scratch = arena_alloc_raw(a, POLICY_SCRATCH_SIZE);
	CHECK(scratch);
	arena_init(&s.scratch, scratch, POLICY_SCRATCH_SIZE);
	judge_portal(&s, g, app);
	judge_app(&s, g, app);
	out->has_mfa = s.session.has_mfa;
	return true;
}
