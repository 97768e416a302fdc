/* sluis window --ns-log: an appliance's own logs answer who was connected with what, who signed in, and which commands were given. */
#define _GNU_SOURCE
#include "cli/window_priv.h"

#include "base/clock.h"
#include "ledger/record.h"
#include "net/addr.h"
#include "nslog/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MOST (1u << 30)

/* Address:port of a host, however it is written. */
static bool is_host(struct bytes target, struct bytes host)
{
	struct addr a, b;

	return addr_parse(target, &a) == OK && addr_parse_ip(host, &b) == OK && memcmp(a.ip, b.ip, sizeof(a.ip)) == 0;
}

static bool is_asked_for(const struct ledger_filter *f, const struct contact *c)
{
	switch (f->with) {
	case WITH_ALL: return true;
	case WITH_CLIENT: return bytes_eq(c->client, f->value);
	case WITH_TARGET: return bytes_eq(c->target, f->value) || is_host(c->target, f->value);
	case WITH_ADDRESS: return bytes_eq(c->client, f->value) || is_host(c->target, f->value);
	case WITH_NAME: /* an appliance's log knows no pools; a bare word is a user */
	case WITH_USER: return bytes_eq_nocase(c->user, f->value);
	case WITH_NETWORK:
	case WITH_CLIENT_NETWORK:
	case WITH_TARGET_NETWORK: return ledger_is_in_network(f, c->client, c->target);
	}
	return false;
}

struct ns_reading {
	const struct asked *a;
	struct contacts *rows;
	struct window_told *told;
	enum err e;
};

/* A sign-in, its end, or a command: what of it is told. NULL: another kind. */
static const char *event_kind(const struct nslog_event *e)
{
	switch (e->kind) {
	case NSLOG_LOGIN: return "sign-in";
	case NSLOG_LOGIN_FAILED: return "refused";
	case NSLOG_LOGOUT: return "sign-out";
	case NSLOG_SESSION_END: return "session-end";
	case NSLOG_COMMAND: return "command";
	default: return NULL;
	}
}

static bool event_is_asked_for(const struct ledger_filter *f, const struct nslog_event *e)
{
	struct bytes from = e->client.len ? e->client : e->remote_ip;

	switch (f->with) {
	case WITH_ALL: return true;
	case WITH_CLIENT:
	case WITH_ADDRESS: return bytes_eq(from, f->value);
	case WITH_NAME:
	case WITH_USER: return bytes_eq_nocase(e->user, f->value);
	case WITH_NETWORK:
	case WITH_CLIENT_NETWORK: return ledger_is_in_network(f, from, BYTES(""));
	case WITH_TARGET:
	case WITH_TARGET_NETWORK: break;
	}
	return false;
}

static void add_event(struct window_told *told, const struct nslog_event *e, const char *kind)
{
	struct bytes what = e->kind == NSLOG_COMMAND ? e->command : e->reason.len ? e->reason : e->vserver;

	window_told_add(told, &(struct window_event){ .at_us = e->at_us, .kind = kind, .user = e->user, .from = e->client.len ? e->client : e->remote_ip,
		.what = what, .file = e->file, .line = e->line, .is_suspect = e->unprintable || e->other_source });
}

static void on_ns_event(void *arg, const struct nslog_event *event)
{
	struct ns_reading *r = arg;
	const char *kind = event_kind(event);
	struct contact c;

	if (r->e != OK)
		return;
	if (kind && event->at_us >= r->a->from_us && event->at_us <= r->a->to_us && event_is_asked_for(&r->a->filter, event))
		add_event(r->told, event, kind);
	if (!nslog_contact(event, &c) || c.first_us > r->a->to_us || c.last_us < r->a->from_us)
		return;
	if (r->told->all)
		r->e = contacts_add(r->told->all, &c);
	if (r->e == OK && is_asked_for(&r->a->filter, &c))
		r->e = contacts_add(r->rows, &c);
}

static void note_ns_log(const struct asked *a, const struct nslog_files *files, struct window_told *told)
{
	struct nslog_report sum = nslog_files_report(files);
	uint64_t damaged = 0;
	char first[25], last[25];
	const struct nslog_dates *d = &nslog_files_at(files, nslog_files_count(files) - 1)->report.dates; /* the newest file's */

	for (size_t i = 0; i < NSLOG_DAMAGE_COUNT; i++)
		damaged += sum.damaged[i];
	clock_rfc3339(sum.first_us, first);
	clock_rfc3339(sum.last_us, last);
	snprintf(told->note, sizeof(told->note), "%s: %zu files, %llu lines, %llu damaged, from %s to %s; dates: %s (%s); year inferred for %llu lines, "
		"zone assumed for %llu", a->ns_log, nslog_files_count(files), (unsigned long long)sum.lines, (unsigned long long)damaged, first, last,
		nslog_order_name(d->order), nslog_order_how_name(d->how),
		(unsigned long long)(sum.years[NSLOG_YEAR_NEAR] + sum.years[NSLOG_YEAR_MTIME]),
		(unsigned long long)(sum.zone_missing + sum.zone_unknown));
}

static enum err answer_of(struct contacts *rows, struct ledger_answer *out)
{
	contacts_sort(rows);
	*out = (struct ledger_answer){ .rows = rows, .spans = calloc(contacts_count(rows) + 1, sizeof(*out->spans)) };
	CHECK(out->spans);
	return OK;
}

enum err window_ns_query(const struct asked *a, struct ledger_answer *out, struct window_told *told)
{
	const struct nslog_options o = { .now_us = clock_real_us() };
	struct ns_reading r = { .a = a, .told = told };
	struct nslog_files *files = NULL;

	*out = (struct ledger_answer){ 0 };
	TRY(nslog_files_open(a->ns_log, &o, 0, &files));
	r.rows = contacts_new(ROWS_MOST);
	told->all = a->hops == 2 ? contacts_new(ROWS_MOST) : NULL;
	CHECK(r.rows && (told->all || a->hops != 2));
	nslog_files_read(files, on_ns_event, &r);
	note_ns_log(a, files, told);
	nslog_files_free(&files);
	TRY(answer_of(r.rows, out));
	if (r.e != OK)
		ledger_answer_fini(out);
	return r.e;
}

enum err window_ns_follow(const struct window_told *told, const struct ledger_filter *f, struct ledger_answer *out)
{
	struct contacts *rows = contacts_new(ROWS_MOST);
	enum err e = OK;

	CHECK(rows);
	for (size_t i = 0; e == OK && i < contacts_count(told->all); i++)
		if (is_asked_for(f, contacts_at(told->all, i)))
			e = contacts_add(rows, contacts_at(told->all, i));
	TRY(answer_of(rows, out));
	if (e != OK)
		ledger_answer_fini(out);
	return e;
}
