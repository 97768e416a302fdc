/* The facts that a person needs to weigh the risk (NCSC-NL, January 2020): what hangs on the appliance. No score is made of them. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/clock.h"
#include "ledger/record.h"
#include "nslog/files.h"

#include <errno.h>
#include <stdlib.h>

#define TOP_SYSTEMS    10
#define DIFFERENT_MOST 200000 /* of systems, clients and users each; what comes beyond is not named */

struct hanging {
	size_t systems, clients, users; /* from the log, how many different ones */
	json_t *top;			/* [{target, connections}] */
	json_t *certificates, *shared, *roles, *local_users, *secrets, *vservers;
	uint64_t said_users, said_sessions;
	uint64_t first_us, last_us; /* what the log covers */
	bool has_log, is_whole; /* is_whole: each of its files was read to its end */
};

struct reading {
	json_t *targets, *clients, *users;
};

/* What an appliance logged was chosen by who attacked it: clean before it is a key or a word. */
static void count_in(json_t *o, struct bytes b, json_int_t n)
{
	char mem[256];
	struct text t;

	if (!b.len)
		return;
	text_init(&t, mem, sizeof(mem) - 1);
	ledger_text_clean(&t, bytes_cut(b, 0, 200));
	mem[t.len] = 0;
	if (json_object_size(o) >= DIFFERENT_MOST && !json_object_get(o, mem))
		return;
	json_object_set_new(o, mem, json_integer(json_integer_value(json_object_get(o, mem)) + n));
}

static void on_event(void *arg, const struct nslog_event *e)
{
	struct reading *r = arg;
	struct contact c;

	if (!nslog_contact(e, &c))
		return;
	count_in(r->targets, c.target, (json_int_t)c.opened + !c.opened);
	count_in(r->clients, c.client, 1);
	count_in(r->users, c.user, 1);
}

static json_t *top_of(const json_t *counts)
{
	json_t *left = json_copy((json_t *)(uintptr_t)counts), *top = json_array(), *v;

	for (size_t i = 0; i < TOP_SYSTEMS && json_object_size(left); i++) {
		const char *key, *best = NULL;

		json_object_foreach (left, key, v)
			if (!best || json_integer_value(v) > json_integer_value(json_object_get(left, best)))
				best = key;
		json_array_append_new(top, json_pack("{s:s,s:I}", "system", best, "connections", json_integer_value(json_object_get(left, best))));
		json_object_del(left, best);
	}
	json_decref(left);
	return top;
}

static const char *why_not(const struct assess_job *j, enum err e)
{
	if (e == ERR_IO)
		return strerror(errno);
	return cli_word(j->cli, e == ERR_NOT_FOUND ? W_ASSESS_NS_LOG_NONE : W_ASSESS_NS_LOG_MANY);
}

/* What an incomplete log does not show was not there only as far as anybody knows: that is told for each file. */
static bool tell_gaps(const struct assess_job *j, const struct nslog_files *files)
{
	bool is_whole = true;

	for (size_t i = 0; i < nslog_files_count(files); i++) {
		const struct nslog_file *f = nslog_files_at(files, i);

		if (!f->error && !f->truncated && !f->limited)
			continue;
		is_whole = false;
		cli_say(j->cli, stderr, W_ASSESS_NS_LOG_PART, f->name,
			f->error ? strerror(f->error) : cli_word(j->cli, f->truncated ? W_ASSESS_NS_LOG_CUT : W_ASSESS_NS_LOG_LONG));
	}
	return is_whole;
}

static void take_log(const struct assess_job *j, const struct nslog_files *files, const struct reading *r, struct hanging *h)
{
	struct nslog_report sum = nslog_files_report(files);

	h->is_whole = tell_gaps(j, files);
	if (!sum.first_us) { /* not one line with a date: another file's name was given */
		cli_say(j->cli, stderr, W_ASSESS_NS_LOG, j->given.ns_log, cli_word(j->cli, W_ASSESS_NS_LOG_OTHER));
		return;
	}
	h->has_log = true;
	h->first_us = sum.first_us;
	h->last_us = sum.last_us;
	h->systems = json_object_size(r->targets);
	h->clients = json_object_size(r->clients);
	h->users = json_object_size(r->users);
	json_decref(h->top);
	h->top = top_of(r->targets);
}

static void read_log(const struct assess_job *j, struct hanging *h)
{
	enum err e;
	const struct nslog_options o = { .now_us = clock_real_us() };
	struct reading r = { json_object(), json_object(), json_object() };
	struct nslog_files *files = NULL;

	e = nslog_files_open(j->given.ns_log, &o, 0, &files);
	if (e == OK) {
		nslog_files_read(files, on_event, &r);
		take_log(j, files, &r, h);
		nslog_files_free(&files);
	} else {
		cli_say(j->cli, stderr, W_ASSESS_NS_LOG, j->given.ns_log, why_not(j, e));
	}
	json_decref(r.targets);
	json_decref(r.clients);
	json_decref(r.users);
}

/* Where else over the inventory the same certificate is. */
static void add_shared(const struct assess_job *j, const struct inventory_appliance *a, const struct inventory_certificate *c, json_t *to)
{
	json_t *on = json_array(), *v;
	size_t i;

	for (i = 0; i < j->inventory->appliance_count; i++) {
		const struct inventory_appliance *b = &j->inventory->appliances[i];
		/* Another customer's appliances are not this one's business, also not by name. */
		for (size_t k = 0; b != a && b->customer == a->customer && k < b->certificate_count; k++)
			if (strcmp(b->certificates[k].name, c->name) == 0)
				json_array_append_new(on, json_string(b->name));
	}
	json_array_foreach ((json_t *)(uintptr_t)c->also_on, i, v)
		json_array_append(on, v);
	if (json_array_size(on) || c->is_wildcard)
		json_array_append_new(to, json_pack("{s:s,s:b,s:o}", "certificate", c->name, "wildcard", (int)c->is_wildcard, "also_on", on));
	else
		json_decref(on);
}

static void on_thing(void *ctx, enum nsconf_kind kind, struct bytes name, const char *detail, unsigned line)
{
	struct hanging *h = ctx;
	char clean[160], what[300];
	struct text t;

	text_init(&t, clean, sizeof(clean) - 1);
	ledger_text_clean(&t, bytes_cut(name, 0, 120));
	clean[t.len] = 0;
	text_init(&t, what, sizeof(what) - 1);
	ledger_text_clean(&t, bytes_of(detail, strnlen(detail, 200)));
	what[t.len] = 0;
	if (kind == NSCONF_USER && json_array_size(h->local_users) < 1000)
		json_array_append_new(h->local_users, json_string(clean));
	if (kind == NSCONF_VSERVER && json_array_size(h->vservers) < 10000)
		json_array_append_new(h->vservers, json_pack("{s:s,s:s}", "name", clean, "what", what));
	if (kind == NSCONF_CERTIFICATE && json_array_size(h->certificates) < 10000)
		json_array_append_new(h->certificates, json_pack("{s:s,s:s}", "name", clean, "files", what));
	if (kind == NSCONF_SECRET && json_array_size(h->secrets) < 10000)
		json_array_append_new(h->secrets, json_pack("{s:s,s:s,s:i}", "of", clean, "what", what, "line", (int)line));
}

static void gather(const struct assess_job *j, const struct inventory_appliance *a, struct hanging *h)
{
	*h = (struct hanging){ .top = json_array(), .certificates = json_array(), .shared = json_array(), .local_users = json_array(), .secrets = json_array(),
		.vservers = json_array() };
	h->roles = a && a->roles ? json_incref((json_t *)(uintptr_t)a->roles) : json_array();
	h->said_users = a ? a->users : 0;
	h->said_sessions = a ? a->sessions : 0;
	for (size_t i = 0; a && i < a->certificate_count; i++)
		add_shared(j, a, &a->certificates[i], h->shared);
	if (a != j->target)
		return;
	if (j->has_conf)
		nsconf_each(&j->conf, on_thing, h);
	if (j->given.ns_log)
		read_log(j, h);
}

static void drop(struct hanging *h)
{
	json_decref(h->top);
	json_decref(h->certificates);
	json_decref(h->shared);
	json_decref(h->roles);
	json_decref(h->local_users);
	json_decref(h->secrets);
	json_decref(h->vservers);
}

static json_t *connected_json(const struct hanging *h)
{
	char first[25], last[25];

	clock_rfc3339(h->first_us, first);
	clock_rfc3339(h->last_us, last);
	return json_pack("{s:I,s:I,s:I,s:s,s:s,s:b,s:O}", "systems", (json_int_t)h->systems, "clients", (json_int_t)h->clients, "users", (json_int_t)h->users, "from", first,
		"to", last, "complete", (int)h->is_whole, "most", h->top);
}

json_t *assess_weigh_json(const struct assess_job *j, const struct inventory_appliance *a)
{
	struct hanging h;
	json_t *o;

	gather(j, a, &h);
	o = json_pack("{s:O,s:I,s:I,s:O,s:O,s:O,s:O,s:O}", "roles", h.roles, "users", (json_int_t)h.said_users, "sessions", (json_int_t)h.said_sessions,
		"shared_certificates", h.shared, "certificates", h.certificates, "virtual_servers", h.vservers, "local_users", h.local_users, "secrets", h.secrets);
	if (h.has_log)
		json_object_set_new(o, "connected", connected_json(&h));
	else if (j->given.ns_log && a == j->target)
		json_object_set_new(o, "connected", json_null()); /* asked for, and not known: stderr says why */
	drop(&h);
	return o;
}

static void list_texts(const json_t *list, FILE *to)
{
	const json_t *v;
	size_t i;

	json_array_foreach (list, i, v)
		fprintf(to, "%s%s", i ? ", " : "", json_string_value(v));
}

static void tell_shared(const struct cli *cli, const struct hanging *h, FILE *to)
{
	const json_t *v;
	size_t i;

	json_array_foreach (h->shared, i, v) {
		fprintf(to, "    - ");
		cli_say(cli, to, json_is_true(json_object_get(v, "wildcard")) ? W_ASSESS_W_WILDCARD : W_ASSESS_W_SHARED,
			json_string_value(json_object_get(v, "certificate")));
		if (json_array_size(json_object_get(v, "also_on"))) {
			fprintf(to, "%s ", cli_word(cli, W_ASSESS_W_ALSO));
			list_texts(json_object_get(v, "also_on"), to);
		}
		fputc('\n', to);
	}
}

static void tell_log(const struct cli *cli, const struct hanging *h, FILE *to)
{
	char first[25], last[25];
	const json_t *v;
	size_t i;

	if (!h->has_log)
		return;
	clock_rfc3339(h->first_us, first);
	clock_rfc3339(h->last_us, last);
	fprintf(to, "    - ");
	if (h->systems)
		cli_say(cli, to, W_ASSESS_W_LOG, 10, first, 10, last, h->systems, h->clients, h->users);
	else
		cli_say(cli, to, W_ASSESS_W_LOG_EMPTY, 10, first, 10, last);
	json_array_foreach (h->top, i, v)
		fprintf(to, "        %-40s %lld\n", json_string_value(json_object_get(v, "system")), (long long)json_integer_value(json_object_get(v, "connections")));
}

void assess_weigh(const struct assess_job *j, const struct inventory_appliance *a, FILE *to)
{
	const struct decision *d = j->decision_count ? j->decisions[0] : NULL;
	struct hanging h;

	gather(j, a, &h);
	fprintf(to, "  %s:\n", cli_word(j->cli, W_ASSESS_WEIGH));
	if (json_array_size(h.roles)) {
		fprintf(to, "    - %s: ", cli_word(j->cli, W_ASSESS_W_ROLES));
		list_texts(h.roles, to);
		fputc('\n', to);
	}
	if (h.said_users || h.said_sessions) {
		fprintf(to, "    - ");
		cli_say(j->cli, to, W_ASSESS_W_USERS, (unsigned long long)h.said_users, (unsigned long long)h.said_sessions);
	}
	tell_shared(j->cli, &h, to);
	if (json_array_size(h.certificates) + json_array_size(h.secrets) + json_array_size(h.local_users)) {
		fprintf(to, "    - ");
		cli_say(j->cli, to, W_ASSESS_W_CONF, json_array_size(h.vservers), json_array_size(h.certificates), json_array_size(h.local_users), json_array_size(h.secrets));
	}
	tell_log(j->cli, &h, to);
	for (size_t i = 0; d && i < d->weigh_count; i++)
		fprintf(to, "    ? %s\n", d->weigh[i].in[j->cli->lang]);
	drop(&h);
}
