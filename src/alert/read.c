/* Lines come from a journal that other processes write: what is not as alert_put_json writes it is refused or left empty, never trusted. */
#include "alert/alert.h"

static struct bytes text_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? bytes_of(json_string_value(v), json_string_length(v)) : BYTES("");
}

static uint64_t number_of(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static struct bytes first_of(const json_t *o, const char *key)
{
	const json_t *v = json_array_get(json_object_get(o, key), 0);

	return json_is_string(v) ? bytes_of(json_string_value(v), json_string_length(v)) : BYTES("");
}

static bool read_kind(struct alert_fields *f)
{
	struct bytes kind = text_of(f->root, "sluis.alert"), class = text_of(f->root, "sluis.class");
	unsigned k = 0, c = 0;

	while (k < ALERT_KIND_COUNT && !bytes_eq(kind, bytes_str(alert_kind_name((enum alert_kind)k))))
		k++;
	while (c < HUNT_CLASS_COUNT && !bytes_eq(class, bytes_str(hunt_class_name((enum hunt_class)c))))
		c++;
	f->kind = (enum alert_kind)k;
	f->class = (enum hunt_class)c;
	return k < ALERT_KIND_COUNT && c < HUNT_CLASS_COUNT;
}

static bool is_id(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!((b.at[i] >= '0' && b.at[i] <= '9') || (b.at[i] >= 'a' && b.at[i] <= 'f')))
			return false;
	return b.len == ALERT_ID_LEN;
}

static void read_finding(struct alert_fields *f)
{
	const json_t *o = f->root;

	f->rule = text_of(o, "rule.id");
	f->title = text_of(o, "rule.name");
	f->advisories = first_of(o, "vulnerability.id");
	f->client = text_of(o, "source.ip");
	if (!f->client.len)
		f->client = text_of(o, "source.address");
	f->method = text_of(o, "http.request.method");
	f->url = text_of(o, "url.original");
	f->user_agent = text_of(o, "user_agent.original");
	f->user = text_of(o, "user.name");
	f->path = text_of(o, "file.path");
	f->where = text_of(o, "log.file.path");
	f->note = text_of(o, "sluis.note");
	f->message = text_of(o, "message");
	f->status = number_of(o, "http.response.status_code");
	f->line = number_of(o, "sluis.line");
}

enum err alert_read_json(struct bytes line, struct alert_fields *out)
{
	struct alert_fields f = { 0 };

	if (line.len > ALERT_LINE_MAX)
		return ERR_LIMIT;
	f.root = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	f.id = text_of(f.root, "event.id");
	if (!json_is_object(f.root) || !is_id(f.id) || !read_kind(&f)) {
		json_decref(f.root);
		return ERR_SYNTAX;
	}
	f.host = text_of(f.root, "observer.hostname");
	f.time = text_of(f.root, "@timestamp");
	f.time_from = text_of(f.root, "sluis.time_from");
	f.created = text_of(f.root, "event.created");
	f.source = text_of(f.root, "sluis.source");
	f.first = text_of(f.root, "sluis.first");
	f.last = text_of(f.root, "sluis.last");
	f.count = number_of(f.root, "sluis.count");
	f.held = json_object_get(f.root, "sluis.held");
	f.held = json_is_array(f.held) ? f.held : NULL;
	read_finding(&f);
	*out = f;
	return OK;
}

void alert_fields_fini(struct alert_fields *f)
{
	json_decref(f->root);
	*f = (struct alert_fields){ 0 };
}
