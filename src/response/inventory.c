/* What contradicts itself is refused here (an update to an older build, a wildcard that is none), so that no verdict rests on it. */
#include "response/inventory.h"

#include "net/addr.h"
#include "response/said.h"

#include <stdlib.h>

#define MEMORY_MOST (256u << 20)

static enum err text_of(const struct data *d, const json_t *o, const char *key, bool needed, const char **out, char error[DATA_ERROR_MAX])
{
	TRY(data_text(d, o, key, needed, out, error));
	if (!*out)
		*out = "";
	for (const char *c = *out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return data_fail(d, json_object_get(o, key), error, "'%s' is one line of text, without control characters", key);
	return OK;
}

static enum err version_of(const struct data *d, const json_t *o, const char *key, bool needed, const struct inventory_appliance *a, bool *has, struct ns_version *out, char error[DATA_ERROR_MAX])
{
	const char *text;

	TRY(data_text(d, o, key, needed, &text, error));
	*has = text != NULL;
	if (!text)
		return OK;
	if (a->is_wanop)
		return ns_wanop_parse(bytes_str(text), out) == OK ? OK :
			data_fail(d, json_object_get(o, key), error, "'%s' is no version of an SD-WAN WANOP: '%.40s'; write 10.2.6 or 10.2.6b", key, text);
	if (ns_version_parse(bytes_str(text), out) != OK)
		return data_fail(d, json_object_get(o, key), error, "'%s' is no build: '%.40s'; write 13.1-49.13 or 13.1-FIPS 37.159, as 'show ns version' tells it", key, text);
	if (a->has_edition && out->has_edition && out->line.edition != a->edition)
		return data_fail(d, json_object_get(o, key), error, "'%s' is of the edition %s, and the appliance's edition is %s; correct one", key,
			ns_edition_name(out->line.edition), ns_edition_name(a->edition));
	if (a->has_edition) {
		out->line.edition = a->edition;
		out->has_edition = true;
	}
	return OK;
}

static enum err texts_of(const struct data *d, const json_t *o, const char *key, const json_t **out, char error[DATA_ERROR_MAX])
{
	const json_t *v;
	size_t i;

	TRY(data_list(d, o, key, false, out, error));
	json_array_foreach (*out, i, v)
		if (!json_is_string(v) || json_string_length(v) == 0)
			return data_fail(d, v, error, "'%s' is a list of texts: [a, b]", key);
	return OK;
}

static enum err read_customer(const struct inventory *inv, const json_t *v, struct inventory_customer *c, char error[DATA_ERROR_MAX])
{
	const struct data *d = inv->data;

	TRY(data_keys(d, v, "name contact language", error));
	TRY(text_of(d, v, "name", true, &c->name, error));
	TRY(text_of(d, v, "contact", false, &c->contact, error));
	/* It becomes a To: field: an address and nothing else. */
	if (*c->contact && (!strchr(c->contact, '@') || strpbrk(c->contact, " ,;<>()[]\"\\:")))
		return data_fail(d, json_object_get(v, "contact"), error, "'contact' is one mail address: ict@example.org");
	TRY(data_choice(d, v, "language", false, "en nl", &c->language, error));
	c->has_language = json_object_get(v, "language") != NULL;
	for (size_t i = 0; i < inv->customer_count; i++)
		if (&inv->customers[i] != c && inv->customers[i].name && strcmp(inv->customers[i].name, c->name) == 0)
			return data_fail(d, v, error, "the customer '%.60s' is there twice", c->name);
	return OK;
}

static enum err read_update(const struct data *d, const json_t *v, const struct inventory_appliance *a, struct inventory_update *u, char error[DATA_ERROR_MAX])
{
	const char *ended;
	bool has;
	int order = 0;

	TRY(data_keys(d, v, "on from to sessions_ended", error));
	TRY(moment_read(d, v, "on", true, &u->on_us, error));
	TRY(version_of(d, v, "from", false, a, &u->has_from, &u->from, error));
	TRY(version_of(d, v, "to", true, a, &has, &u->to, error));
	TRY(data_text(d, v, "sessions_ended", false, &ended, error));
	u->sessions_not_ended = ended && strcmp(ended, "never") == 0;
	if (!u->sessions_not_ended)
		TRY(moment_read(d, v, "sessions_ended", false, &u->sessions_ended_us, error));
	if (u->has_from && ns_version_compare(&u->from, &u->to, &order) == OK && order >= 0)
		return data_fail(d, v, error, "an update goes to a newer build; from and to are the wrong way round, or the same");
	return OK;
}

static enum err read_updates(struct inventory *inv, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct inventory_update *u;
	size_t i;

	TRY(data_list(inv->data, a->node, "updates", false, &list, error));
	u = arena_array(&inv->arena, json_array_size(list) + 1, sizeof(*u));
	if (!u)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(read_update(inv->data, v, a, &u[i], error));
		if (i && u[i].on_us < u[i - 1].on_us)
			return data_fail(inv->data, v, error, "updates stand in order, the oldest first");
	}
	a->updates = u;
	a->update_count = json_array_size(list);
	return OK;
}

static enum err read_mitigation(const struct data *d, const json_t *v, const struct inventory_appliance *a, struct inventory_mitigation *m, char error[DATA_ERROR_MAX])
{
	const char *on;

	m->node = v;
	TRY(data_keys(d, v, "advisory on verified build", error));
	TRY(text_of(d, v, "advisory", true, &m->advisory, error));
	TRY(text_of(d, v, "verified", false, &m->verified, error));
	TRY(version_of(d, v, "build", false, a, &m->has_build, &m->build, error));
	TRY(data_text(d, v, "on", false, &on, error));
	m->is_never = on && strcmp(on, "never") == 0;
	return m->is_never ? OK : moment_read(d, v, "on", false, &m->on_us, error);
}

static enum err read_mitigations(struct inventory *inv, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct inventory_mitigation *m;
	size_t i;

	TRY(data_list(inv->data, a->node, "mitigations", false, &list, error));
	m = arena_array(&inv->arena, json_array_size(list) + 1, sizeof(*m));
	if (!m)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(read_mitigation(inv->data, v, a, &m[i], error));
		for (size_t k = 0; k < i; k++)
			if (strcmp(m[k].advisory, m[i].advisory) == 0)
				return data_fail(inv->data, v, error, "there is a mitigation of %.40s already; write the one that worked first", m[i].advisory);
	}
	a->mitigations = m;
	a->mitigation_count = json_array_size(list);
	return OK;
}

static enum err read_certificates(struct inventory *inv, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct inventory_certificate *c;
	size_t i;

	TRY(data_list(inv->data, a->node, "certificates", false, &list, error));
	c = arena_array(&inv->arena, json_array_size(list) + 1, sizeof(*c));
	if (!c)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(data_keys(inv->data, v, "name wildcard also_on", error));
		TRY(text_of(inv->data, v, "name", true, &c[i].name, error));
		c[i].is_wildcard = strncmp(c[i].name, "*.", 2) == 0;
		TRY(data_bool(inv->data, v, "wildcard", &c[i].is_wildcard, error));
		TRY(texts_of(inv->data, v, "also_on", &c[i].also_on, error));
	}
	a->certificates = c;
	a->certificate_count = json_array_size(list);
	return OK;
}

static enum err read_addresses(const struct data *d, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const json_t *v;
	struct addr addr;
	size_t i;

	TRY(texts_of(d, a->node, "addresses", &a->addresses, error));
	json_array_foreach (a->addresses, i, v)
		if (addr_parse_ip(bytes_of(json_string_value(v), json_string_length(v)), &addr) != OK)
			return data_fail(d, v, error, "'%.60s' is no address; write 192.0.2.1 or 2001:db8::1", json_string_value(v));
	return OK;
}

static enum err read_customer_of(const struct inventory *inv, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const char *name;

	TRY(text_of(inv->data, a->node, "customer", false, &name, error));
	for (size_t i = 0; *name && i < inv->customer_count; i++)
		if (strcmp(inv->customers[i].name, name) == 0)
			a->customer = &inv->customers[i];
	return !*name || a->customer ? OK :
		data_fail(inv->data, json_object_get(a->node, "customer"), error, "no customer is called '%.60s'; it must be a name under customers:", name);
}

static enum err read_exposed(const struct data *d, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const char *text;

	TRY(data_text(d, a->node, "exposed_since", false, &text, error));
	a->never_exposed = text && strcmp(text, "never") == 0;
	return a->never_exposed ? OK : moment_read(d, a->node, "exposed_since", false, &a->exposed_us, error);
}

/* The last update's build is the build, unless both are said and are not the same. */
static enum err check_build(const struct inventory *inv, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const struct inventory_update *last = a->update_count ? &a->updates[a->update_count - 1] : NULL;
	int order = 0;

	if (!last)
		return OK;
	if (a->has_build && (ns_version_compare(&a->build, &last->to, &order) != OK || order != 0))
		return data_fail(inv->data, a->node, error, "'build' is not the build of the last update; add the update that is missing, or correct one");
	a->has_build = true;
	a->build = last->to;
	return OK;
}

static enum err read_appliance(struct inventory *inv, struct inventory_appliance *a, char error[DATA_ERROR_MAX])
{
	const struct data *d = inv->data;
	const char *edition;

	TRY(data_keys(d, a->node, "name customer product edition build first_build addresses roles exposed_since updates mitigations certificates users sessions note", error));
	TRY(text_of(d, a->node, "name", true, &a->name, error));
	TRY(text_of(d, a->node, "product", false, &a->product, error));
	a->is_wanop = strcmp(a->product, "sd-wan-wanop") == 0;
	if (*a->product && !a->is_wanop && strcmp(a->product, "netscaler") != 0)
		return data_fail(d, json_object_get(a->node, "product"), error, "'product' is netscaler or sd-wan-wanop, not '%.40s': nothing is known of other products", a->product);
	TRY(text_of(d, a->node, "note", false, &a->note, error));
	TRY(text_of(d, a->node, "edition", false, &edition, error));
	a->has_edition = *edition != 0;
	if (*edition && !ns_edition_parse(bytes_str(edition), &a->edition))
		return data_fail(d, json_object_get(a->node, "edition"), error, "'edition' is standard, fips or ndcpp, not '%.40s'", edition);
	if (a->is_wanop && a->has_edition)
		return data_fail(d, json_object_get(a->node, "edition"), error, "an SD-WAN WANOP has no 'edition'; take it away");
	if (a->is_wanop) {
		a->has_edition = true;
		a->edition = NS_WANOP;
	}
	TRY(read_customer_of(inv, a, error));
	TRY(version_of(d, a->node, "build", false, a, &a->has_build, &a->build, error));
	TRY(version_of(d, a->node, "first_build", false, a, &a->has_first_build, &a->first_build, error));
	TRY(read_addresses(d, a, error));
	TRY(texts_of(d, a->node, "roles", &a->roles, error));
	TRY(read_exposed(d, a, error));
	TRY(read_updates(inv, a, error));
	TRY(read_mitigations(inv, a, error));
	TRY(read_certificates(inv, a, error));
	TRY(data_number(d, a->node, "users", 100000000, &a->users, error));
	TRY(data_number(d, a->node, "sessions", 100000000, &a->sessions, error));
	return check_build(inv, a, error);
}

static int by_name(const void *x, const void *y)
{
	const struct inventory_appliance *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

static enum err refuse_twins(struct inventory *inv, char error[DATA_ERROR_MAX])
{
	struct inventory_appliance **order = arena_array(&inv->arena, inv->appliance_count + 1, sizeof(*order));

	if (!order)
		return ERR_MEMORY;
	for (size_t i = 0; i < inv->appliance_count; i++)
		order[i] = &inv->appliances[i];
	qsort(order, inv->appliance_count, sizeof(*order), by_name);
	for (size_t i = 1; i < inv->appliance_count; i++)
		if (strcmp(order[i]->name, order[i - 1]->name) == 0)
			return data_fail(inv->data, order[i]->node, error, "the appliance '%.60s' is there twice; give each a name of its own", order[i]->name);
	return OK;
}

static enum err read_all(struct inventory *inv, char error[DATA_ERROR_MAX])
{
	const json_t *root = data_root(inv->data), *customers, *appliances, *v;
	size_t i;

	TRY(data_keys(inv->data, root, "customers appliances", error));
	TRY(data_list(inv->data, root, "customers", false, &customers, error));
	TRY(data_list(inv->data, root, "appliances", true, &appliances, error));
	if (json_array_size(appliances) > INVENTORY_APPLIANCES_MAX)
		return ERR_LIMIT;
	inv->customer_count = json_array_size(customers);
	inv->appliance_count = json_array_size(appliances);
	inv->customers = arena_array(&inv->arena, inv->customer_count + 1, sizeof(*inv->customers));
	inv->appliances = arena_array(&inv->arena, inv->appliance_count + 1, sizeof(*inv->appliances));
	if (!inv->customers || !inv->appliances)
		return ERR_MEMORY;
	json_array_foreach (customers, i, v)
		TRY(read_customer(inv, v, &inv->customers[i], error));
	json_array_foreach (appliances, i, v) {
		inv->appliances[i].node = v;
		TRY(read_appliance(inv, &inv->appliances[i], error));
	}
	return refuse_twins(inv, error);
}

enum err inventory_read(struct bytes text, const char *name, struct inventory **out, char error[DATA_ERROR_MAX])
{
	struct inventory *inv = calloc(1, sizeof(*inv));
	enum err e;

	CHECK(inv);
	error[0] = 0;
	arena_init_growing(&inv->arena, MEMORY_MOST);
	e = data_read(text, name, &inv->data, error);
	if (e == OK)
		e = read_all(inv, error);
	if (e == OK)
		*out = inv;
	else
		inventory_free(&inv);
	return e;
}

void inventory_free(struct inventory **i)
{
	if (!*i)
		return;
	data_free(&(*i)->data);
	arena_fini(&(*i)->arena);
	free(*i);
	*i = NULL;
}
