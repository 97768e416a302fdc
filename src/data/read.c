/* libyaml's events become jansson values. The line of each is kept beside the tree, in a table by address, so that whoever checks
 * a value later can say where it stands. */
#include "data/data_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reading {
	yaml_parser_t parser;
	size_t lines_before;
	struct data *d;
	char *error;
};

static enum err fail(struct reading *r, const yaml_mark_t *at, const char *what)
{
	snprintf(r->error, DATA_ERROR_MAX, "%s:%zu:%zu: %s", r->d->name, r->lines_before + at->line + 1, at->column + 1, what);
	return ERR_SYNTAX;
}

static enum err next(struct reading *r, yaml_event_t *ev)
{
	if (yaml_parser_parse(&r->parser, ev))
		return OK;
	if (r->parser.error == YAML_MEMORY_ERROR)
		return ERR_MEMORY;
	return fail(r, r->parser.problem_mark.line ? &r->parser.problem_mark : &r->parser.context_mark,
		r->parser.problem ? r->parser.problem : "not YAML");
}

/* Anchors and tags change what a value is behind a reader's back. */
static enum err is_plain(struct reading *r, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (ev->type) {
	case YAML_SCALAR_EVENT: anchor = ev->data.scalar.anchor, tag = ev->data.scalar.tag; break;
	case YAML_SEQUENCE_START_EVENT: anchor = ev->data.sequence_start.anchor, tag = ev->data.sequence_start.tag; break;
	case YAML_MAPPING_START_EVENT: anchor = ev->data.mapping_start.anchor, tag = ev->data.mapping_start.tag; break;
	default: break;
	}
	if (anchor || ev->type == YAML_ALIAS_EVENT)
		return fail(r, &ev->start_mark, "anchors and aliases (& and *) are not used here; write the value out, or quote it");
	return tag ? fail(r, &ev->start_mark, "tags (!) are not used here; quote a text that begins with !") : OK;
}

static enum err note_line(const struct reading *r, const json_t *node, const yaml_mark_t *at)
{
	struct data *d = r->d;

	if (d->mark_count == d->mark_cap) {
		size_t cap = d->mark_cap ? d->mark_cap * 2 : 256;
		struct mark *grown = realloc(d->marks, cap * sizeof(*grown));

		if (!grown)
			return ERR_MEMORY;
		d->marks = grown;
		d->mark_cap = cap;
	}
	d->marks[d->mark_count++] = (struct mark){ node, (unsigned)(r->lines_before + at->line + 1) };
	return OK;
}

static enum err take(struct reading *r, yaml_event_t *ev, unsigned depth, json_t **out);

static enum err take_scalar(struct reading *r, const yaml_event_t *ev, json_t **out)
{
	*out = json_stringn((const char *)ev->data.scalar.value, ev->data.scalar.length);
	if (!*out)
		return fail(r, &ev->start_mark, "not UTF-8");
	return memchr(ev->data.scalar.value, 0, ev->data.scalar.length) ? fail(r, &ev->start_mark, "a text has a NUL in it") : OK;
}

static enum err take_list(struct reading *r, unsigned depth, json_t **out)
{
	yaml_event_t ev;
	enum err e;

	*out = json_array();
	for (;;) {
		json_t *item = NULL;
		bool is_end;

		TRY(next(r, &ev));
		is_end = ev.type == YAML_SEQUENCE_END_EVENT;
		e = is_end ? OK : take(r, &ev, depth + 1, &item);
		yaml_event_delete(&ev);
		if (is_end)
			return OK;
		if (e != OK) {
			json_decref(item);
			return e;
		}
		if (json_array_append_new(*out, item) != 0)
			return ERR_MEMORY;
	}
}

static enum err take_pair(struct reading *r, const yaml_event_t *key, unsigned depth, json_t *map)
{
	const char *name = (const char *)key->data.scalar.value;
	yaml_event_t ev;
	json_t *value = NULL;
	enum err e;

	if (key->type != YAML_SCALAR_EVENT)
		return fail(r, &key->start_mark, "a key must be a text");
	TRY(is_plain(r, key));
	if (key->data.scalar.length != strlen(name))
		return fail(r, &key->start_mark, "a key has a NUL in it");
	if (strcmp(name, "<<") == 0)
		return fail(r, &key->start_mark, "merge keys (<<) are not used here; write the values out");
	if (json_object_get(map, name))
		return fail(r, &key->start_mark, "this key is there twice");
	TRY(next(r, &ev));
	e = take(r, &ev, depth + 1, &value);
	yaml_event_delete(&ev);
	if (e != OK) {
		json_decref(value);
		return e;
	}
	return json_object_set_new(map, name, value) == 0 ? OK : fail(r, &key->start_mark, "a key is not UTF-8");
}

static enum err take_map(struct reading *r, unsigned depth, json_t **out)
{
	yaml_event_t key;
	enum err e = OK;

	*out = json_object();
	for (;;) {
		bool is_end;

		TRY(next(r, &key));
		is_end = key.type == YAML_MAPPING_END_EVENT;
		if (!is_end)
			e = take_pair(r, &key, depth, *out);
		yaml_event_delete(&key);
		if (is_end || e != OK)
			return e;
	}
}

/* The value that begins with ev; *out is the caller's even after an error. */
static enum err take(struct reading *r, yaml_event_t *ev, unsigned depth, json_t **out)
{
	TRY(is_plain(r, ev));
	if (depth > DATA_DEPTH_MAX) {
		(void)fail(r, &ev->start_mark, "too deep: at most 32 levels");
		return ERR_LIMIT;
	}
	switch (ev->type) {
	case YAML_SCALAR_EVENT: TRY(take_scalar(r, ev, out)); break;
	case YAML_SEQUENCE_START_EVENT: TRY(take_list(r, depth, out)); break;
	case YAML_MAPPING_START_EVENT: TRY(take_map(r, depth, out)); break;
	default: return fail(r, &ev->start_mark, "a value is expected");
	}
	return note_line(r, *out, &ev->start_mark);
}

static enum err take_document(struct reading *r)
{
	yaml_event_t ev;
	bool has_any = false;

	for (;;) {
		enum err e = OK;
		yaml_event_type_t type;

		TRY(next(r, &ev));
		type = ev.type;
		if (type == YAML_DOCUMENT_START_EVENT && has_any)
			e = fail(r, &ev.start_mark, "a second document begins; one file is one document");
		else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT &&
			type != YAML_STREAM_END_EVENT)
			e = take(r, &ev, 1, &r->d->root);
		has_any = has_any || type == YAML_DOCUMENT_START_EVENT;
		yaml_event_delete(&ev);
		if (e != OK || type == YAML_STREAM_END_EVENT)
			return e;
	}
}

static int by_node(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct mark *)a)->node, y = (uintptr_t)((const struct mark *)b)->node;

	return x < y ? -1 : x > y;
}

enum err data_read_part(struct bytes text, const char *name, size_t lines_before, struct data **out, char error[DATA_ERROR_MAX])
{
	struct reading r = { .lines_before = lines_before, .error = error, .d = calloc(1, sizeof(*r.d)) };
	enum err e = ERR_MEMORY;

	error[0] = 0;
	*out = NULL;
	if (!r.d)
		return ERR_MEMORY;
	r.d->name = strdup(name);
	if (text.len > DATA_FILE_MAX) {
		snprintf(error, DATA_ERROR_MAX, "%s: larger than %u bytes", name, DATA_FILE_MAX);
		e = ERR_LIMIT;
	} else if (r.d->name && yaml_parser_initialize(&r.parser)) {
		yaml_parser_set_input_string(&r.parser, text.len ? text.at : (const unsigned char *)"", text.len);
		e = take_document(&r);
		yaml_parser_delete(&r.parser);
	}
	if (e == OK && (!r.d->root || (json_is_string(r.d->root) && json_string_length(r.d->root) == 0))) {
		json_decref(r.d->root);
		r.d->root = json_object();
	}
	if (e == OK && !r.d->root)
		e = ERR_MEMORY;
	if (e != OK) {
		data_free(&r.d);
		return e;
	}
	if (r.d->mark_count)
		qsort(r.d->marks, r.d->mark_count, sizeof(*r.d->marks), by_node);
	*out = r.d;
	return OK;
}

enum err data_read(struct bytes text, const char *name, struct data **out, char error[DATA_ERROR_MAX])
{
	return data_read_part(text, name, 0, out, error);
}

void data_free(struct data **at)
{
	struct data *d = *at;

	if (!d)
		return;
	json_decref(d->root);
	free(d->marks);
	free(d->name);
	free(d);
	*at = NULL;
}

const json_t *data_root(const struct data *d)
{
	return d->root;
}

const char *data_name(const struct data *d)
{
	return d->name;
}

unsigned data_line(const struct data *d, const json_t *node)
{
	const struct mark wanted = { node, 0 };
	const struct mark *m = d->marks ? bsearch(&wanted, d->marks, d->mark_count, sizeof(*m), by_node) : NULL;

	return m ? m->line : 1;
}
