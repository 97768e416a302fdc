/* sluis window: which systems were connected between two moments, with X or at all; table, JSON or a page. */
#define _GNU_SOURCE
#include "cli/window_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "ledger/record.h"
#include "net/addr.h"
#include "window/when.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_DEFAULT 1000
#define HOPS_MOST     200 /* systems whose own connections are looked up for the second step */
#define PAGE_MOST     (64u << 20)

struct found {
	struct window_row *rows;
	size_t count, cap;
	struct contacts *texts; /* of the second step; keeps the rows' texts */
	bool is_cut;
};


static bool take_word(int *i, int argc, char **argv, const char *name, const char **to)
{
	if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
		return false;
	*to = argv[++*i];
	return true;
}

static int take_options(const struct cli *cli, struct asked *a, int argc, char **argv)
{
	const char *limit = NULL, *hops = NULL;

	for (int i = 0; i < argc; i++)
		if (!take_word(&i, argc, argv, "--from", &a->from) && !take_word(&i, argc, argv, "--to", &a->to) &&
			!take_word(&i, argc, argv, "--with", &a->with) &&
			!take_word(&i, argc, argv, "--ns-log", &a->ns_log) && !take_word(&i, argc, argv, "--html", &a->html) &&
			!take_word(&i, argc, argv, "--ledger", &a->dir) && !take_word(&i, argc, argv, "--limit", &limit) &&
			!take_word(&i, argc, argv, "--hops", &hops))
			return 1 + cli_fail_in(cli, W_WIN_OPTION, argv[i]);
	a->limit = LIMIT_DEFAULT;
	a->hops = 1;
	if (limit && (bytes_u64(bytes_str(limit), &a->limit) != OK || a->limit == 0))
		return 1 + cli_fail_in(cli, W_WIN_LIMIT);
	if (hops && (bytes_u64(bytes_str(hops), &a->hops) != OK || a->hops < 1 || a->hops > 2))
		return 1 + cli_fail_in(cli, W_WIN_HOPS);
	if (a->hops == 2 && !a->with)
		return 1 + cli_fail_in(cli, W_WIN_HOPS_WITH);
	return 0;
}

static int take_times(const struct cli *cli, struct asked *a)
{
	uint64_t now = clock_real_us();

	if (when_parse(bytes_str(a->from ? a->from : "-24h"), now, false, &a->from_us) != OK)
		return 1 + cli_fail_in(cli, W_LEX_TIME, "--from", a->from);
	if (when_parse(bytes_str(a->to ? a->to : "now"), now, true, &a->to_us) != OK)
		return 1 + cli_fail_in(cli, W_LEX_TIME, "--to", a->to);
	if (a->from_us > a->to_us)
		return 1 + cli_fail_in(cli, W_WIN_ORDER);
	if (a->from_us > now)
		return 1 + cli_fail_in(cli, W_WIN_FUTURE);
	return 0;
}

/* An address as the ledger writes it, whatever form it was given in; other texts as they are. */
static struct bytes canonical(struct asked *a, struct bytes v)
{
	struct addr addr;
	struct text t;

	text_init(&t, a->canonical, sizeof(a->canonical));
	if (addr_parse_ip(v, &addr) == OK)
		addr_write_ip(&addr, &t);
	else if (addr_parse(v, &addr) == OK)
		addr_write(&addr, &t);
	else
		return v;
	return text_bytes(&t);
}

/* Digits, dots, colons and slashes alone are meant as an address; what is none would find nothing, and that would be believed. */
static bool looks_like_address(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!strchr("0123456789.:/[]", v.at[i]))
			return false;
	return v.len > 0;
}

/* An address, or what can only be meant as one, before a slash: a network, and no POOL/SERVER. */
static bool looks_like_network(struct bytes v)
{
	size_t slash = bytes_find_byte(v, '/');
	struct bytes ip = bytes_cut(v, 0, slash);
	struct addr addr;

	return addr_parse_ip(ip, &addr) == OK || looks_like_address(ip);
}

/* 10.0.0.0/8, of clients, targets or both. Answers 2 for what looks like a network and is none, and says so. */
static int take_network(const struct cli *cli, struct asked *a, struct bytes v, enum ledger_with with, bool *is_network)
{
	enum err e;

	*is_network = bytes_find_byte(v, '/') != SIZE_MAX && looks_like_network(v);
	if (!*is_network)
		return 0;
	e = addr_parse_prefix(v, &a->filter.network);
	if (e != OK)
		return 1 + cli_fail_in(cli, W_WIN_NETWORK, a->with);
	a->filter.with = with;
	a->filter.value = v;
	return 0;
}

/* What WHAT is: an address, address:port, a network, client:X, target:X, user:X, POOL or POOL/SERVER. */
static int take_with(const struct cli *cli, struct asked *a)
{
	static const struct {
		const char *prefix;
		enum ledger_with with;
	} prefixes[] = { { "client:", WITH_CLIENT }, { "target:", WITH_TARGET }, { "user:", WITH_USER }, { "name:", WITH_NAME } };
	struct bytes v = bytes_str(a->with);
	bool is_network = false;
	struct addr addr;
	int status;

	if (!a->with)
		return 0;
	if (v.len == 0 || v.len > 250)
		return 1 + cli_fail_in(cli, W_WIN_LENGTH);
	for (size_t i = 0; i < COUNT_OF(prefixes); i++)
		if (bytes_starts(v, bytes_str(prefixes[i].prefix))) {
			v = bytes_cut(v, strlen(prefixes[i].prefix), v.len);
			status = prefixes[i].with == WITH_CLIENT || prefixes[i].with == WITH_TARGET ?
				take_network(cli, a, v, prefixes[i].with == WITH_CLIENT ? WITH_CLIENT_NETWORK : WITH_TARGET_NETWORK, &is_network) : 0;
			if (!is_network)
				a->filter = (struct ledger_filter){ .with = prefixes[i].with, .value = prefixes[i].with == WITH_USER ? v : canonical(a, v) };
			return status;
		}
	status = take_network(cli, a, v, WITH_NETWORK, &is_network);
	if (is_network)
		return status;
	a->filter.value = canonical(a, v);
	if (addr_parse_ip(v, &addr) == OK)
		a->filter.with = WITH_ADDRESS;
	else if (addr_parse(v, &addr) == OK)
		a->filter.with = WITH_TARGET;
	else if (looks_like_address(v))
		return 1 + cli_fail_in(cli, W_WIN_ADDRESS, a->with);
	else
		a->filter.with = bytes_find_byte(v, '=') != SIZE_MAX || bytes_find_byte(v, '@') != SIZE_MAX ? WITH_USER : WITH_NAME;
	return 0;
}

static void add_row(struct found *f, const struct contact *c, const struct ledger_span *span, unsigned hop)
{
	if (f->count == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 1024;
		f->rows = realloc(f->rows, f->cap * sizeof(*f->rows));
		CHECK(f->rows);
	}
	f->rows[f->count++] = (struct window_row){ *c, span->was_open, span->is_open, hop };
}

static int by_bytes(const void *a, const void *b)
{
	const struct window_row *x = a, *y = b;
	uint64_t m = x->c.bytes_in + x->c.bytes_out, n = y->c.bytes_in + y->c.bytes_out;

	if (x->hop != y->hop)
		return x->hop < y->hop ? -1 : 1;
	if (m != n)
		return m < n ? 1 : -1;
	return x->c.first_us < y->c.first_us ? -1 : x->c.first_us > y->c.first_us;
}

static bool is_in_first(const struct found *f, size_t first, const struct contact *c)
{
	for (size_t n = 0; n < first; n++)
		if (bytes_eq(f->rows[n].c.client, c->client) && bytes_eq(f->rows[n].c.target, c->target) && bytes_eq(f->rows[n].c.user, c->user))
			return true;
	return false;
}

/* All that was connected with one end of a row of the first step. */
static enum err follow(const struct asked *a, const struct window_told *told, struct found *f, size_t first, struct ledger_filter filter)
{
	struct ledger_answer more;

	TRY(a->ns_log ? window_ns_follow(told, &filter, &more) : ledger_query(a->dir, a->from_us, a->to_us, &filter, NULL, &more));
	for (size_t k = 0; k < contacts_count(more.rows); k++) {
		const struct contact *c = contacts_at(more.rows, k);
		size_t before = contacts_count(f->texts);

		if (!is_in_first(f, first, c) && contacts_add(f->texts, c) == OK && contacts_count(f->texts) > before)
			add_row(f, contacts_at(f->texts, before), &more.spans[k], 2);
	}
	ledger_answer_fini(&more);
	return OK;
}

/* From X as a client: who else was connected with its targets. From X as a target: what else its clients were connected with. */
static enum err second_step(const struct asked *a, const struct window_told *told, struct found *f)
{
	size_t first = f->count, looked = 0;
	enum err e = OK;

	f->texts = contacts_new(256u << 20);
	CHECK(f->texts);
	for (size_t i = 0; e == OK && i < first; i++) {
		bool from_client = a->filter.with == WITH_CLIENT || a->filter.with == WITH_USER || bytes_eq(f->rows[i].c.client, a->filter.value) ||
			ledger_is_in_network(&a->filter, f->rows[i].c.client, BYTES(""));
		struct bytes end = from_client ? f->rows[i].c.target : f->rows[i].c.client;
		bool is_known = false;

		for (size_t k = 0; k < i && !is_known; k++)
			is_known = bytes_eq(from_client ? f->rows[k].c.target : f->rows[k].c.client, end);
		if (is_known)
			continue;
		if (looked++ == HOPS_MOST) {
			f->is_cut = true;
			break;
		}
		e = follow(a, told, f, first, (struct ledger_filter){ .with = from_client ? WITH_TARGET : WITH_CLIENT, .value = end });
	}
	return e; /* rows of the set may have moved while it grew: their texts have not */
}

static json_t *text_json(struct bytes b)
{
	return json_stringn(b.len ? (const char *)b.at : "", b.len);
}

static json_t *time_json(uint64_t us)
{
	char when[25];

	clock_rfc3339(us, when);
	return json_string(when);
}

static json_t *events_json(const struct window_told *told)
{
	json_t *list = json_array();

	for (size_t i = 0; i < told->count; i++) {
		const struct window_event *e = &told->events[i];

		json_t *o = json_pack("{s:o,s:s,s:o,s:o,s:o}", "time", time_json(e->at_us), "kind", e->kind, "user", text_json(e->user), "from",
			text_json(e->from), "what", text_json(e->what));

		json_array_append_new(list, o);
		if (told->note[0]) {
			json_object_set_new(o, "suspect", json_boolean(e->is_suspect));
			json_object_set_new(o, "file", text_json(e->file));
		} else {
			json_object_set_new(o, "session", text_json(e->session));
		}
		json_object_set_new(o, told->note[0] ? "line" : "record", json_integer((json_int_t)e->line));
	}
	return list;
}

static void print_json(const struct asked *a, const struct found *f, size_t shown, const struct ledger_answer *answer, const struct window_told *told)
{
	json_t *rows = json_array(), *all;

	for (size_t i = 0; i < shown; i++) {
		const struct window_row *r = &f->rows[i];

		json_array_append_new(rows, json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:b,s:b,s:i}", "client", text_json(r->c.client), "user",
			text_json(r->c.user), "target", text_json(r->c.target), "name", text_json(r->c.name), "first", time_json(r->c.first_us),
			"last", time_json(r->c.last_us), "connections", (json_int_t)r->c.opened, "bytes_in", (json_int_t)r->c.bytes_in, "bytes_out",
			(json_int_t)r->c.bytes_out, "open_before", (int)r->was_open, "open_at_end", (int)r->is_open, "hop", (int)r->hop));
	}
	all = json_pack("{s:o,s:o,s:s,s:o,s:I,s:I,s:s,s:I,s:b}", "from", time_json(a->from_us), "to", time_json(a->to_us), "with", a->with ? a->with : "",
		"systems", rows, "more", (json_int_t)(f->count - shown), "records_lost", (json_int_t)answer->lost, "days_without_ledger", answer->missing,
		"files", (json_int_t)answer->files, "second_step_cut", (int)f->is_cut);
	if (a->ns_log)
		json_object_set_new(all, "ns_log", json_string(told->note));
	if (a->ns_log || a->with) {
		json_object_set_new(all, "events", events_json(told));
		json_object_set_new(all, "events_more", json_integer((json_int_t)told->more));
	}
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

/* Whoever made the file: nothing of it steers the terminal. */
static const char *clean(struct bytes b, char out[300])
{
	struct text t;

	text_init(&t, out, 299);
	ledger_text_clean(&t, bytes_cut(b, 0, 290));
	out[t.len] = 0;
	return out;
}

static void print_table(const struct cli *cli, const struct found *f, size_t shown)
{
	printf("%-24s %-16s %-22s %-24s %-20s %-20s %8s %10s %10s\n", cli_word(cli, W_WIN_CLIENT), cli_word(cli, W_WIN_USER), cli_word(cli, W_WIN_TARGET),
		cli_word(cli, W_WIN_NAME), cli_word(cli, W_WIN_FIRST), cli_word(cli, W_WIN_LAST), cli_word(cli, W_WIN_TIMES), cli_word(cli, W_WIN_IN),
		cli_word(cli, W_WIN_OUT));
	for (size_t i = 0; i < shown; i++) {
		const struct window_row *r = &f->rows[i];
		char first[25], last[25], in[32] = { 0 }, out[32] = { 0 }, client[300], user[300], target[300], name[300];
		struct text t;

		clock_rfc3339(r->c.first_us, first);
		clock_rfc3339(r->c.last_us, last);
		text_init(&t, in, sizeof(in) - 1);
		window_bytes(&t, r->c.bytes_in);
		text_init(&t, out, sizeof(out) - 1);
		window_bytes(&t, r->c.bytes_out);
		printf("%s%-*s %-16s %-22s %-24s %.19s%s %.19s%s %8llu %10s %10s\n", r->hop > 1 ? "  " : "", r->hop > 1 ? 22 : 24, clean(r->c.client, client),
			clean(r->c.user, user), clean(r->c.target, target), clean(r->c.name, name), first, r->was_open ? "<" : " ", last, r->is_open ? ">" : " ",
			(unsigned long long)r->c.opened, in, out);
	}
}

static void print_events(const struct cli *cli, const struct window_told *told)
{
	char when[25], user[300], from[300], what[300];

	if (told->count)
		printf("\n%s\n", cli_word(cli, told->note[0] ? W_WIN_EVENTS : W_WIN_EVENTS_LEDGER));
	for (size_t i = 0; i < told->count; i++) {
		const struct window_event *e = &told->events[i];

		clock_rfc3339(e->at_us, when);
		printf("%.19s %s%-12s %-20s %-22s %s\n", when, e->is_suspect ? "!" : " ", e->kind, clean(e->user, user), clean(e->from, from), clean(e->what, what));
	}
	if (told->note[0])
		printf("\n%s\n", cli_word(cli, W_WIN_HOW_NS));
	if (told->more)
		printf("%llu %s\n", (unsigned long long)told->more, cli_word(cli, W_WIN_EVENTS_MORE));
}

static int write_page(const struct cli *cli, const struct asked *a, const struct found *f, size_t shown, const char *const *notes,
	const struct window_told *told)
{
	const struct window_words words = { .lang = cli->lang == LANG_NL ? "nl" : "en", .title = cli_word(cli, W_WIN_TITLE),
		.with = cli_word(cli, W_WIN_WITH), .from_to = cli_word(cli, W_WIN_FROM_TO), .systems = cli_word(cli, W_WIN_SYSTEMS),
		.timeline = cli_word(cli, W_WIN_TIMELINE), .graph = cli_word(cli, W_WIN_GRAPH), .client = cli_word(cli, W_WIN_CLIENT),
		.user = cli_word(cli, W_WIN_USER), .target = cli_word(cli, W_WIN_TARGET), .name = cli_word(cli, W_WIN_NAME),
		.first = cli_word(cli, W_WIN_FIRST), .last = cli_word(cli, W_WIN_LAST), .times = cli_word(cli, W_WIN_TIMES),
		.in = cli_word(cli, W_WIN_IN), .out = cli_word(cli, W_WIN_OUT), .open = cli_word(cli, W_WIN_OPEN),
		.before = cli_word(cli, W_WIN_BEFORE), .how = cli_word(cli, a->ns_log ? W_WIN_HOW_NS : W_WIN_HOW), .more = cli_word(cli, W_WIN_MORE),
		.events = cli_word(cli, a->ns_log ? W_WIN_EVENTS : W_WIN_EVENTS_LEDGER), .events_more = cli_word(cli, W_WIN_EVENTS_MORE) };
	const struct window_view v = { .with = a->filter.value, .from_us = a->from_us, .to_us = a->to_us, .rows = f->rows, .count = shown,
		.more = f->count - shown, .notes = notes, .events = told->events, .event_count = told->count, .event_more = told->more, .words = &words };
	struct text page;
	enum err e;

	text_init_growing(&page, PAGE_MOST);
	window_page(&page, &v);
	e = page.failed ? ERR_LIMIT : fd_write_all(a->html_fd, text_bytes(&page));
	text_fini(&page);
	return e == OK ? 0 : cli_fail_in(cli, W_WIN_UNWRITTEN, a->html, err_name(e));
}

/* What must be known about the answer, in words. */
static void make_notes(const struct cli *cli, const struct found *f, const struct ledger_answer *answer, const struct window_told *told, char mem[4][700], const char *notes[6])
{
	size_t n = 0;

	if (told->note[0])
		notes[n++] = told->note;
	if (answer->missing[0]) {
		snprintf(mem[n], 700, "%s %s", cli_word(cli, W_WIN_MISSING), answer->missing);
		notes[n] = mem[n];
		n++;
	}
	if (answer->lost) {
		snprintf(mem[n], 700, "%llu %s", (unsigned long long)answer->lost, cli_word(cli, W_WIN_LOST));
		notes[n] = mem[n];
		n++;
	}
	if (f->is_cut)
		notes[n++] = cli_word(cli, W_WIN_CUT);
	if (f->count == 0)
		notes[n++] = cli_word(cli, W_WIN_NOTHING);
	notes[n] = NULL;
}

static int show(const struct cli *cli, const struct asked *a, struct found *f, const struct ledger_answer *answer, const struct window_told *told)
{
	size_t shown = f->count < a->limit ? f->count : (size_t)a->limit;
	char mem[4][700];
	const char *notes[6];

	make_notes(cli, f, answer, told, mem, notes);
	if (f->count)
		qsort(f->rows, f->count, sizeof(*f->rows), by_bytes);
	if (cli->as_json) {
		print_json(a, f, shown, answer, told);
	} else {
		if (shown)
			print_table(cli, f, shown);
		if (f->count > shown)
			printf("%zu %s\n", f->count - shown, cli_word(cli, W_WIN_MORE));
		for (size_t i = 0; notes[i]; i++)
			printf("%s\n", notes[i]);
		print_events(cli, told);
	}
	return a->html ? write_page(cli, a, f, shown, notes, told) : 0;
}

int cli_window(const struct cli *cli, int argc, char **argv)
{
	struct asked a = { .html_fd = -1 };
	struct found f = { 0 };
	struct window_told told = { 0 };
	struct ledger_answer answer;
	int status = take_options(cli, &a, argc, argv);
	enum err e;

	if (status == 0)
		status = take_times(cli, &a);
	if (status)
		return status;
	if (!a.ns_log && !a.dir && !(a.dir = site_ledger_dir(cli, a.own_dir)))
		return 2;
	status = take_with(cli, &a);
	if (status)
		return status;
	if (a.html && (a.html_fd = open(a.html, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		return cli_fail_in(cli, W_WIN_UNWRITTEN, a.html, strerror(errno));
	/* What an appliance logged was chosen by who attacked it. (SQLite wants to write beside a ledger that is in use.) */
	if (a.ns_log && cli_confine_reader() != OK)
		return cli_fail_in(cli, W_WIN_JAIL, strerror(errno));
	e = a.ns_log ? window_ns_query(&a, &answer, &told) :
		       ledger_query(a.dir, a.from_us, a.to_us, &a.filter, &(struct ledger_hears){ window_on_ledger_event, &told }, &answer);
	if (e != OK && a.ns_log)
		return cli_fail_in(cli, W_WIN_NS_LOG, a.ns_log, err_name(e));
	if (e == ERR_SYNTAX || e == ERR_DENIED)
		return cli_fail_in(cli, W_WIN_DAMAGED, a.dir);
	if (e != OK)
		return cli_fail_in(cli, e == ERR_NOT_FOUND ? W_LEX_NONE : W_WIN_LARGE, a.dir);
	window_told_finish(&told);
	for (size_t i = 0; i < contacts_count(answer.rows); i++)
		add_row(&f, contacts_at(answer.rows, i), &answer.spans[i], 1);
	if (a.hops == 2 && second_step(&a, &told, &f) != OK)
		status = cli_fail_in(cli, W_WIN_NO_SECOND);
	else
		status = show(cli, &a, &f, &answer, &told);
	fd_close(&a.html_fd);
	free(f.rows);
	contacts_free(&f.texts);
	ledger_answer_fini(&answer);
	window_told_fini(&told);
	return status;
}
