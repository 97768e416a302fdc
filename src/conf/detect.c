/* detect: and monitor:. Indicator packs go along as texts: what they mean is for the process that looks for them. */
#include "conf/load_priv.h"

#include <stdio.h>

#define PACK_LIST "rules:layout/packs"
#define LAYOUT	  "rules:layout/netscaler"

static struct bytes joined(struct loader *l, struct bytes a, const char *b)
{
	unsigned char mem[4200];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_add(&t, a);
	text_str(&t, b);
	return t.failed ? BYTES("") : arena_copy(l->arena, text_bytes(&t));
}

static struct bytes text_of(struct loader *l, const yaml_mark_t *at, struct bytes path)
{
	struct bytes text = BYTES("");
	enum err e = l->source->get(l->source, path, l->arena, &text);

	if (e != OK)
		conf_fail(l, at, at ? "give a file, or the name of a shipped pack" : "--rules DIR says where the shipped rules are", "'%.*s' cannot be read: %s", FMT(path), err_name(e));
	return text;
}

/* A name stands for a shipped pack, anything with a dot or a slash for a file. */
static struct bytes path_of(struct loader *l, struct bytes name)
{
	unsigned char mem[256];
	struct text t;

	if (bytes_find_byte(name, '/') != SIZE_MAX || bytes_find_byte(name, '.') != SIZE_MAX)
		return arena_copy(l->arena, name);
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "rules:hunt/");
	text_add(&t, name);
	return t.failed ? BYTES("") : arena_copy(l->arena, text_bytes(&t));
}

static void read_packs(struct loader *l, yaml_node_t **items, size_t n)
{
	struct conf_detect *d = &l->conf->detect;

	d->packs = conf_array(l, n, sizeof *d->packs);
	for (size_t i = 0; i < n; i++) {
		struct conf_pack *p = &d->packs[d->pack_count++];

		p->name = path_of(l, node_text(items[i]));
		p->text = text_of(l, &items[i]->start_mark, p->name);
		if (bytes_eq(l->file, l->conf->file))
			p->at = (struct conf_mark){ (unsigned)items[i]->start_mark.line + 1, (unsigned)items[i]->start_mark.column + 1 };
	}
}

static void read_shipped_packs(struct loader *l)
{
	struct bytes text = text_of(l, NULL, BYTES(PACK_LIST)), outer_file = l->file, outer_text = l->text;
	yaml_document_t doc, *outer = l->doc;
	yaml_node_t **items;

	l->file = BYTES(PACK_LIST);
	if (text.len && conf_parse_doc(l, text, &doc)) {
		struct map m;
		size_t n;

		l->doc = &doc;
		l->text = text;
		m = conf_map(l, yaml_document_get_root_node(&doc), "pack_list");
		n = map_items(&m, "packs", &items);
		read_packs(l, items, n);
		yaml_document_delete(&doc);
		l->doc = outer;
		l->text = outer_text;
	}
	l->file = outer_file;
}

static void read_detect(struct loader *l, const struct map *top)
{
	struct map m = map_map(top, "detect", "detect");
	struct conf_detect *d = &l->conf->detect;
	yaml_node_t **items;
	size_t n = map_items(&m, "packs", &items);

	d->window_s = map_s(&m, "window");
	d->per_hour = (uint32_t)map_number(&m, "per_hour");
	d->alerts = map_string(&m, "alerts");
	if (map_choice(&m, "mode") == 0) {
		d->alerts = BYTES("");
		return;
	}
	d->is_on = true;
	if (d->alerts.len == 0 && l->conf->state_dir.len)
		d->alerts = joined(l, l->conf->state_dir, "/alerts.jsonl");
	if (d->alerts.len == 0)
		conf_fail(l, &m.node->start_mark, "write alerts: FILE", "detection has no file for its alerts");
	d->layout = text_of(l, NULL, BYTES(LAYOUT));
	if (n)
		read_packs(l, items, n);
	else
		read_shipped_packs(l);
}

static struct bytes *read_strings(struct loader *l, const struct map *m, const char *key, size_t *count)
{
	yaml_node_t **items;
	size_t n = map_items(m, key, &items);
	struct bytes *list = conf_array(l, n, sizeof *list);

	for (size_t i = 0; i < n; i++) {
		list[i] = arena_copy(l->arena, node_text(items[i]));
		if (list[i].len == 0)
			conf_fail(l, &items[i]->start_mark, "take it out", "an item of '%s' is empty", key);
	}
	*count = n;
	return list;
}

static void read_alert(struct loader *l, yaml_node_t *n, struct conf_alert_to *a)
{
	struct map m = { l, NULL, "alert" };

	a->at = (struct conf_mark){ (unsigned)n->start_mark.line + 1, (unsigned)n->start_mark.column + 1 };
	if (n->type == YAML_SCALAR_NODE)
		a->to = arena_copy(l->arena, node_text(n));
	else
		m = conf_map(l, n, "alert");
	if (m.node)
		a->to = map_string(&m, "to");
	a->name = map_string(&m, "name").len ? map_string(&m, "name") : a->to;
	a->least = map_choice(&m, "least");
	if (!m.node)
		a->least = 1;
	a->secret_file = map_string(&m, "secret_file");
	a->ca = map_string(&m, "ca");
	a->from = map_string(&m, "from");
	a->recipient = map_string(&m, "recipient");
	a->user = map_string(&m, "user");
	a->password_file = map_string(&m, "password_file");
	a->in_dutch = map_choice(&m, "language") == 1;
	if (a->to.len == 0)
		conf_fail(l, &n->start_mark, "write to: https://..., smtps://..., syslog+tls://... or file:/...", "an alert goes nowhere without 'to'");
}

static void read_monitor(struct loader *l, const struct map *top)
{
	struct map m = map_map(top, "monitor", "monitor");
	struct conf_monitor *o = &l->conf->monitor;
	yaml_node_t **items;
	size_t n;

	o->logs = read_strings(l, &m, "logs", &o->log_count);
	o->syslog = read_strings(l, &m, "syslog", &o->syslog_count);
	n = map_items(&m, "syslog", &items);
	o->syslog_at = conf_array(l, n, sizeof *o->syslog_at);
	for (size_t i = 0; i < n; i++)
		o->syslog_at[i] = (struct conf_mark){ (unsigned)items[i]->start_mark.line + 1, (unsigned)items[i]->start_mark.column + 1 };
	o->chain = map_string(&m, "chain");
	o->key = map_string(&m, "key");
	o->client_ca = map_string(&m, "client_ca");
	o->state_dir = map_string(&m, "state_dir");
	if (o->state_dir.len == 0 && l->conf->state_dir.len)
		o->state_dir = joined(l, l->conf->state_dir, "/monitor");
	o->window_s = map_s(&m, "window");
	o->per_hour = (uint32_t)map_number(&m, "per_hour");
	o->keep_s = map_s(&m, "keep");
	n = map_items(&m, "alerts", &items);
	o->alerts = conf_array(l, n, sizeof *o->alerts);
	for (size_t i = 0; i < n; i++)
		read_alert(l, items[i], &o->alerts[o->alert_count++]);
}

void conf_read_detect(struct loader *l, const struct map *top)
{
	read_detect(l, top);
	read_monitor(l, top);
}
