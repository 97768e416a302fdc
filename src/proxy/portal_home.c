/* Home: which apps there are for this person, now, from here; favourites and what was used lately come from identity. */
#include "proxy/portal_priv.h"

#include <stdlib.h>

#define APPS_MAX 1000

/* --- what an app's tile says --- */

static void judge(struct exchange *x, const struct conf_app *app, struct page_app *out)
{
	const struct policy_expr *rule = admit_kept_out(x, app->allow);

	*out = (struct page_app){ .app = app, .state = PAGE_APP_READY };
	if (rule) {
		out->state = PAGE_APP_DENIED;
		out->why = admit_why(x, rule, false);
	} else if (admit_lacks_factor(x, app)) {
		out->state = PAGE_APP_STEP_UP;
	}
}

static void home_told(struct exchange *x, const struct auth_answer *a)
{
	const struct conf_gateway *g = &x->engine->conf->gateway;
	struct bytes search = bytes_cut(bytes_trim(portal_field(x, "q")), 0, 100), lines;
	struct page p = portal_page(x);
	struct page_app *apps;
	size_t n = 0;

	if (portal_failed(x, a))
		return;
	/* Many apps: beside the arena, which holds the form. */
	apps = calloc(g->app_count ? g->app_count : 1, sizeof *apps);
	if (!apps) {
		exchange_refuse(x, 503, "memory");
		return;
	}
	for (size_t i = 0; i < g->app_count && n < APPS_MAX; i++)
		judge(x, &g->apps[i], &apps[n++]); /* the page searches among them */
	lines = a->value_count ? a->values[0] : BYTES("");
	for (struct auth_line l; auth_line_next(&lines, &l);)
		for (size_t i = 0; i < n; i++) {
			if (!bytes_eq(apps[i].app->id, l.fields[1]))
				continue;
			if (bytes_eq(l.fields[0], BYTES("favourite")))
				apps[i].is_favourite = true;
			else if (bytes_u64(l.fields[2], &apps[i].used_s) != OK)
				apps[i].used_s = 0;
		}
	page_home(&x->admit->page, &p, apps, n, search);
	free(apps);
	portal_send(x, 200);
}

void portal_home(struct exchange *x)
{
	admit_ask(x, CALL_HOME, false, portal_token(x), NULL, 0, home_told);
}

/* --- to an app --- */

static const struct conf_app *named(const struct exchange *x, struct bytes prefix)
{
	return conf_app_by_id(x->engine->conf, bytes_cut(x->req.path, prefix.len, x->req.path.len));
}

void portal_go_app(struct exchange *x)
{
	const struct conf_app *app = named(x, BYTES("/go/"));
	unsigned char mem[512];
	struct text t;

	if (!app) {
		portal_message(x, 404, PW_T_NOT_FOUND, PW_M_NOT_FOUND);
		return;
	}
	text_init(&t, mem, sizeof mem);
	admit_origin(x, &t, app->host);
	text_byte(&t, '/');
	admit_redirect(x, text_bytes(&t));
}

void portal_denied(struct exchange *x)
{
	const struct conf_app *app = named(x, BYTES("/denied/"));
	const struct policy_expr *rule;
	struct page p = portal_page(x);
	unsigned char mem[128];
	struct text next;
	bool steps_up;

	if (!app) {
		portal_message(x, 404, PW_T_NOT_FOUND, PW_M_NOT_FOUND);
		return;
	}
	rule = admit_kept_out(x, app->allow);
	if (!rule && !admit_lacks_factor(x, app)) {
		portal_go_app(x);
		return;
	}
	steps_up = admit_step_up_helps(x, rule, app->allow, app->allow_text);
	x->refusal = steps_up ? "access-step-up" : "access-denied"; /* a look at why, by who kept the address: not a try, and no record */
	p.here = x->req.path;
	text_init(&next, mem, sizeof mem);
	text_lit(&next, "/go/");
	text_add(&next, app->id);
	p.next = text_bytes(&next);
	page_denied(&x->admit->page, &p, app, app->host, x->denied_by = admit_why(x, rule, false), steps_up);
	portal_send(x, 403);
}

static void back_home(struct exchange *x, const struct auth_answer *a)
{
	if (!portal_failed(x, a))
		portal_go_next(x);
}

void portal_favourite(struct exchange *x)
{
	const struct bytes args[2] = { bytes_cut(portal_field(x, "app"), 0, 64), bytes_eq(portal_field(x, "on"), BYTES("1")) ? BYTES("1") : BYTES("0") };

	if (!conf_app_by_id(x->engine->conf, args[0]))
		portal_message(x, 404, PW_T_NOT_FOUND, PW_M_NOT_FOUND);
	else
		admit_ask(x, CALL_FAVOURITE, false, portal_token(x), args, 2, back_home);
}

/* --- before the session is idle for too long --- */

static void show_ended(struct exchange *x)
{
	struct page p = portal_page(x);

	page_ended(&x->admit->page, &p);
	portal_send(x, 200);
}

static void ends_told(struct exchange *x, const struct auth_answer *a)
{
	uint64_t ends_s, gone_s;
	struct page p;

	if (a->result == AUTH_NONE) {
		admit_forget(x);
		show_ended(x);
		return;
	}
	if (portal_failed(x, a))
		return;
	if (a->value_count < 2 || bytes_u64(a->values[0], &ends_s) != OK || bytes_u64(a->values[1], &gone_s) != OK) {
		portal_message(x, 503, PW_T_DOWN, PW_M_DOWN);
		return;
	}
	p = portal_page(x);
	page_still_there(&x->admit->page, &p, ends_s, gone_s);
	portal_send(x, 200);
}

/* Browsers come here by themselves, so nothing on this way may be a use of the session, nor lead on to what is one. */
void portal_still_there(struct exchange *x)
{
	if (x->session)
		admit_ask(x, CALL_ENDS, false, portal_token(x), NULL, 0, ends_told);
	else if (!admit_device_nobody(x))
		show_ended(x);
}

void portal_stay(struct exchange *x)
{
	portal_go_next(x); /* the request itself is what keeps the session */
}
