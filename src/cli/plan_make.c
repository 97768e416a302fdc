/* sluis plan new: a template for the product, the certificates that the inventory names and the systems that the window found. */
#define _GNU_SOURCE
#include "cli/plan_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/files.h"
#include "net/addr.h"
#include "response/inventory.h"
#include "window/page.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define ITEMS_MOST  900
#define WINDOW_MOST (256u << 20)

struct found {
	struct plan_item certificates[ITEMS_MOST], systems[ITEMS_MOST];
	size_t certificate_count, system_count;
	struct sums { /* of systems */
		uint64_t connections, bytes;
		char first[32], last[32];
	} sums[ITEMS_MOST];
	char product[64];
	bool is_cut;
	char *texts[5 * ITEMS_MOST]; /* two of a certificate, three of a system */
	size_t text_count;
};

static const char *keep(struct found *f, const char *s, size_t n)
{
	char *copy = strndup(s, n);

	CHECK(copy && f->text_count < COUNT_OF(f->texts));
	f->texts[f->text_count++] = copy;
	return copy;
}

static void free_found(struct found **f)
{
	for (size_t i = 0; *f && i < (*f)->text_count; i++)
		free((*f)->texts[i]);
	free(*f);
	*f = NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static bool read_data(const struct plan_call *c, const char *path, struct data **out)
{
	char error[DATA_ERROR_MAX] = "";
	struct text t;
	enum err e;

	text_init_growing(&t, DATA_FILE_MAX);
	e = file_read(path, &t);
	if (e != OK)
		cli_fail_in(c->cli, W_PLAN_FILE, path, e == ERR_LIMIT ? err_name(e) : strerror(errno));
	else if ((e = data_read(text_bytes(&t), path, out, error)) != OK)
		cli_fail(1, "%s", *error ? error : err_name(e));
	text_fini(&t);
	return e == OK;
}

/* --- the inventory --- */

static void take_certificate(struct found *f, const struct inventory_certificate *c)
{
	char mem[900];
	struct text detail;

	if (f->certificate_count == ITEMS_MOST) {
		f->is_cut = true;
		return;
	}
	text_init(&detail, mem, sizeof(mem));
	text_str(&detail, c->is_wildcard ? "wildcard" : "");
	for (size_t i = 0; i < json_array_size(c->also_on); i++) {
		text_str(&detail, i ? ", " : c->is_wildcard ? "; also_on: " : "also_on: ");
		text_add(&detail, bytes_cut(bytes_str(json_string_value(json_array_get(c->also_on, i))), 0, 200));
	}
	f->certificates[f->certificate_count++] =
		(struct plan_item){ keep(f, c->name, strlen(c->name)), keep(f, mem, detail.len) };
}

static const struct inventory_appliance *find_appliance(const struct inventory *inv, const char *name, struct text *others)
{
	for (size_t i = 0; i < inv->appliance_count; i++) {
		if (strcmp(inv->appliances[i].name, name) == 0)
			return &inv->appliances[i];
		text_str(others, others->len ? ", " : "");
		text_str(others, inv->appliances[i].name);
	}
	return NULL;
}

/* The same inventory as sluis assess reads (docs/assess.md). */
static bool read_inventory(const struct plan_call *c, struct found *f)
{
	const struct inventory_appliance *a;
	char mem[1000], error[DATA_ERROR_MAX] = "";
	struct inventory *inv = NULL;
	struct text t, others;
	enum err e;

	text_init_growing(&t, DATA_FILE_MAX);
	e = file_read(c->inventory, &t);
	if (e != OK)
		cli_fail_in(c->cli, W_PLAN_FILE, c->inventory, e == ERR_LIMIT ? err_name(e) : strerror(errno));
	else if ((e = inventory_read(text_bytes(&t), c->inventory, &inv, error)) != OK)
		cli_fail(1, "%s", *error ? error : err_name(e));
	text_fini(&t);
	if (e != OK)
		return false;
	text_init(&others, mem, sizeof(mem) - 1);
	a = find_appliance(inv, c->appliance, &others);
	mem[others.len] = 0;
	for (size_t i = 0; a && i < a->certificate_count; i++)
		take_certificate(f, &a->certificates[i]);
	if (a)
		snprintf(f->product, sizeof(f->product), "%s", a->product);
	else
		cli_fail_in(c->cli, W_PLAN_NOT_THERE, c->appliance, mem);
	inventory_free(&inv);
	return a != NULL;
}

/* --- the window --- */

/* Host of an address with or without a port; other texts as they are. */
static struct bytes host_of(const char *s, char mem[64])
{
	struct addr a;
	struct text t;

	if (addr_parse(bytes_str(s), &a) != OK && addr_parse_ip(bytes_str(s), &a) != OK)
		return bytes_str(s);
	text_init(&t, mem, 64);
	addr_write_ip(&a, &t);
	return text_bytes(&t);
}

/* The window was asked for this target: by its address, by its POOL or POOL/SERVER, or as target:ONE OF THESE. */
static bool is_asked_target(const char *with, struct bytes target, const char *name)
{
	char mem[64];
	struct bytes w = bytes_str(with), n = bytes_str(name);

	if (bytes_starts(w, BYTES("target:")))
		with += 7;
	w = host_of(with, mem);
	return w.len && (bytes_eq(target, w) || bytes_eq(n, w) || (n.len > w.len && n.at[w.len] == '/' && bytes_starts(n, w)));
}

static void take_row(struct found *f, const json_t *row, const char *with)
{
	const char *client = text_of(row, "client"), *target = text_of(row, "target"), *name = text_of(row, "name");
	char host[64], asked[64];
	struct bytes other = host_of(target, asked);
	char *first = NULL;
	size_t i;

	if (is_asked_target(with, other, name)) /* the appliance is the target: what counts is who was connected with it */
		other = host_of(client, host);
	if (other.len == 0)
		return;
	for (i = 0; i < f->system_count; i++)
		if (bytes_eq(bytes_str(f->systems[i].name), other))
			break;
	if (i == ITEMS_MOST) {
		f->is_cut = true;
		return;
	}
	first = f->sums[i].first;
	if (i == f->system_count) {
		f->systems[f->system_count++] = (struct plan_item){ keep(f, (const char *)other.at, other.len), keep(f, name, strlen(name)) };
		snprintf(first, sizeof(f->sums[i].first), "%.24s", text_of(row, "first"));
	}
	if (strcmp(text_of(row, "first"), first) < 0)
		snprintf(first, sizeof(f->sums[i].first), "%.24s", text_of(row, "first"));
	if (strcmp(text_of(row, "last"), f->sums[i].last) > 0)
		snprintf(f->sums[i].last, sizeof(f->sums[i].last), "%.24s", text_of(row, "last"));
	f->sums[i].connections += (uint64_t)json_integer_value(json_object_get(row, "connections"));
	f->sums[i].bytes += (uint64_t)json_integer_value(json_object_get(row, "bytes_in")) +
		(uint64_t)json_integer_value(json_object_get(row, "bytes_out"));
}

static void describe_systems(struct found *f)
{
	for (size_t i = 0; i < f->system_count; i++) {
		char mem[600];
		struct text t;

		text_init(&t, mem, sizeof(mem));
		text_str(&t, *f->systems[i].detail ? "(" : "");
		text_add(&t, bytes_cut(bytes_str(f->systems[i].detail), 0, 300));
		text_str(&t, *f->systems[i].detail ? ") " : "");
		text_fmt(&t, "%.19sZ \xe2\x80\x93 %.19sZ, %llux, ", f->sums[i].first, f->sums[i].last, (unsigned long long)f->sums[i].connections);
		window_bytes(&t, f->sums[i].bytes);
		f->systems[i].detail = keep(f, mem, t.len);
	}
}

static bool read_window(const struct plan_call *c, struct found *f)
{
	const json_t *rows;
	json_t *all = NULL;
	json_error_t error;
	struct text t;
	enum err e;

	text_init_growing(&t, WINDOW_MOST);
	e = file_read(c->window, &t);
	if (e == OK)
		all = json_loadb(t.len ? (const char *)t.at : "", t.len, JSON_REJECT_DUPLICATES, &error);
	text_fini(&t);
	if (e != OK) {
		cli_fail_in(c->cli, W_PLAN_FILE, c->window, e == ERR_LIMIT ? err_name(e) : strerror(errno));
		return false;
	}
	rows = json_object_get(all, "systems");
	if (!json_is_array(rows)) {
		cli_fail_in(c->cli, W_PLAN_NOT_WINDOW, c->window, all ? "\"systems\"?" : error.text);
		json_decref(all);
		return false;
	}
	for (size_t i = 0; i < json_array_size(rows); i++)
		take_row(f, json_array_get(rows, i), text_of(all, "with"));
	f->is_cut = f->is_cut || json_integer_value(json_object_get(all, "more")) || json_integer_value(json_object_get(all, "records_lost")) ||
		*text_of(all, "days_without_ledger") || json_is_true(json_object_get(all, "second_step_cut"));
	describe_systems(f);
	json_decref(all);
	return true;
}

/* --- the template --- */

static bool is_template(const char *name, void *ctx)
{
	(void)ctx;
	return bytes_ends(bytes_str(name), BYTES(".yaml"));
}

static struct data *load_template(const struct plan_call *c, const char *name, struct text *products)
{
	char path[4300], error[PLAN_ERROR_MAX];
	struct data *d = NULL;
	const json_t *list;

	snprintf(path, sizeof(path), "%s/plans/%s", c->cli->rules ? c->cli->rules : "", name);
	if (!read_data(c, path, &d))
		return NULL;
	if (plan_template_check(d, error) != OK) {
		cli_fail(1, "%s", error);
		data_free(&d);
		return NULL;
	}
	list = json_object_get(data_root(d), "products");
	for (size_t i = 0; i < json_array_size(list); i++) {
		text_str(products, products->len ? ", " : "");
		text_str(products, json_string_value(json_array_get(list, i)));
	}
	return d;
}

/* The product's template that names the advisory; else one of the product's. Without a product: the one that names the advisory. */
static struct data *find_template(const struct plan_call *c, const char *product)
{
	char dir[4200], mem[1000];
	struct data *best = NULL;
	struct text products;
	size_t count = 0;
	char **names;

	snprintf(dir, sizeof(dir), "%s/plans", c->cli->rules ? c->cli->rules : "");
	text_init(&products, mem, sizeof(mem) - 1);
	names = names_in(dir, is_template, NULL, &count);
	if (!names) {
		cli_fail_in(c->cli, W_PLAN_FOLDER, dir, strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct data *d = load_template(c, names[i], &products);

		if (d && (product ? plan_template_is_for(d, product) : plan_template_names(d, c->advisory)) && (!best || (!plan_template_names(best, c->advisory) && plan_template_names(d, c->advisory)))) {
			data_free(&best);
			best = d;
			d = NULL;
		}
		data_free(&d);
	}
	names_free(names, count);
	mem[products.len] = 0;
	if (!best && !product)
		cli_fail_in(c->cli, W_PLAN_NO_PRODUCT, c->advisory, mem);
	else if (!best)
		cli_fail_in(c->cli, W_PLAN_NO_TEMPLATE, c->cli->rules ? c->cli->rules : "", product, mem);
	return best;
}

/* --- the plan --- */

/* adc1-20261124: what of the name an id may have, and the day. */
static void begin_id(const char *appliance, uint64_t now_us, char out[64])
{
	time_t now = (time_t)(now_us / 1000000);
	char name[41] = "", day[16];
	struct tm tm;
	size_t n = 0;

	for (const char *s = appliance; *s && n < sizeof(name) - 1; s++) {
		unsigned char ch = (unsigned char)*s;
		bool is_plain = ch < 0x80 && isalnum(ch);

		if (is_plain || (n && name[n - 1] != '-'))
			name[n++] = is_plain ? (char)tolower(ch) : '-';
	}
	while (n && name[n - 1] == '-')
		n--;
	name[n] = 0;
	gmtime_r(&now, &tm);
	strftime(day, sizeof(day), "%Y%m%d", &tm);
	snprintf(out, 64, "%s-%s", n ? name : "plan", day);
}

static void tell_new(const struct plan_call *c, const struct plan *p, const struct found *f, const struct data *template, const char *why)
{
	const char *id = plan_text(p, "id", PLAN_EN);

	if (!plan_template_names(template, c->advisory))
		cli_say(c->cli, stderr, W_PLAN_NOT_NAMED, c->advisory);
	if (f->certificate_count == 0)
		cli_say(c->cli, stderr, c->inventory ? W_PLAN_NO_CERTIFICATES : W_PLAN_NO_INVENTORY);
	if (f->system_count == 0)
		cli_say(c->cli, stderr, c->window ? W_PLAN_NO_SYSTEMS : W_PLAN_NO_WINDOW);
	if (f->is_cut)
		cli_say(c->cli, stderr, W_PLAN_WINDOW_CUT);
	if (why)
		cli_say(c->cli, stderr, W_PLAN_NOT_LEDGER, why);
	if (c->cli->as_json) {
		json_t *j = json_pack("{s:s,s:I,s:I,s:I,s:b,s:b}", "id", id, "steps", (json_int_t)plan_count(p), "certificates",
			(json_int_t)f->certificate_count, "systems", (json_int_t)f->system_count, "window_complete",
			(int)(c->window && !f->is_cut), "ledger", (int)!why);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
	} else {
		cli_say(c->cli, stdout, W_PLAN_MADE, id, plan_count(p), id);
	}
}

static int make(struct plan_call *c, const struct found *f, const struct data *template)
{
	uint64_t now = clock_real_us();
	char stem[64], id[PLAN_ID_MAX + 1], error[PLAN_ERROR_MAX], mem[300], path[4300];
	struct plan *p = NULL;
	bool is_saved = false;

	AUTO(fd_close) int lock = -1;
	if (!plan_lock(c, &lock))
		return 1;
	begin_id(c->appliance, now, stem);
	for (unsigned n = 1; n < 1000 && !is_saved; n++) {
		struct plan_facts facts = { .id = id, .advisory = c->advisory, .appliance = c->appliance, .now_us = now, .who = plan_user(c),
			.certificates = f->certificates, .certificate_count = f->certificate_count, .systems = f->systems,
			.system_count = f->system_count };

		plan_free(&p);
		snprintf(id, sizeof(id), "%s-%u", stem, n);
		if (plan_new(template, &facts, &p, error) != OK)
			return cli_fail(1, "%s", error);
		is_saved = plan_save(c, p, false);
		if (!is_saved && errno != EEXIST)
			break;
	}
	c->id = id;
	plan_path(c, id, path);
	if (is_saved)
		tell_new(c, p, f, template, plan_tell_ledger(c, "new", "", "", mem));
	plan_free(&p);
	return is_saved ? 0 : cli_fail_in(c->cli, W_PLAN_WRITE, path, strerror(errno));
}

int plan_call_new(struct plan_call *c)
{
	struct found *f = calloc(1, sizeof(*f));
	struct data *template = NULL;
	int status = 1;

	CHECK(f);
	if (!c->advisory || !c->appliance) {
		free_found(&f);
		cli_fail_in(c->cli, W_PLAN_NEEDS);
		return 2;
	}
	if ((!c->inventory || read_inventory(c, f)) && (!c->window || read_window(c, f))) {
		const char *product = c->product ? c->product : f->product[0] ? f->product : NULL;

		template = find_template(c, product);
	}
	if (template)
		status = make(c, f, template);
	data_free(&template);
	free_found(&f);
	return status;
}
