/* RFC 5424 6. The message has no byte order mark (6.4 calls that MSG-ANY): receivers hand it to JSON readers as it is. */
#include "alert/alert.h"

#include <stdlib.h>
#include <string.h>

#define HOST_MAX 255 /* RFC 5424 6: HOSTNAME */

static const char *const facilities[24] = { "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", NULL, NULL, NULL, NULL,
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7" };

bool alert_facility_parse(const char *name, unsigned *out)
{
	for (unsigned i = 0; i < COUNT_OF(facilities); i++)
		if (facilities[i] && strcmp(facilities[i], name) == 0) {
			*out = i;
			return true;
		}
	return false;
}

static unsigned severity_of(enum hunt_class c)
{
	static const unsigned severities[HUNT_CLASS_COUNT] = { [HUNT_COMPROMISE] = 2, [HUNT_PROBE] = 3, [HUNT_ATTEMPT] = 5, [HUNT_TRACE] = 6 };

	return c < HUNT_CLASS_COUNT ? severities[c] : 6;
}

/* The form that clock_rfc3339 writes; of anything else the receiver's clock has to do. */
static bool is_time(struct bytes b)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";

	for (size_t i = 0; i < b.len && i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? b.at[i] < '0' || b.at[i] > '9' : b.at[i] != (unsigned char)form[i])
			return false;
	return b.len == sizeof(form) - 1;
}

static bool is_host(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] <= 0x20 || b.at[i] >= 0x7f)
			return false;
	return b.len && b.len <= HOST_MAX;
}

/* Takes `over` octets or more from the end of the text under key. Written, a text is never shorter than it is. */
static void cut(json_t *o, const char *key, size_t over)
{
	const json_t *v = json_object_get(o, key);
	struct bytes b = bytes_of(json_string_value(v), json_is_string(v) ? json_string_length(v) : 0);
	size_t keep = b.len > over + 3 ? b.len - over - 3 : 0;

	if (!b.len) { /* not there, or a list */
		json_object_del(o, key);
		return;
	}
	while (keep && (b.at[keep] & 0xc0) == 0x80)
		keep--;
	if (!keep || json_object_set_new(o, key, json_stringn((const char *)b.at, keep)) != 0)
		json_object_del(o, key);
}

static size_t dump(const json_t *o, unsigned char *out, size_t cap)
{
	return json_dumpb(o, (char *)out, cap, JSON_COMPACT);
}

/* The same alert in at most `room` octets. */
static void put_shortened(struct text *t, const struct alert_fields *f, size_t room)
{
	static const char *const keys[] = { "message", "user_agent.original", "url.original", "sluis.next", "sluis.note", "log.file.path", "file.path", "sluis.held", "sluis.source", "user.name",
		"rule.name", "rule.reference", "rule.id" };
	unsigned char out[ALERT_SYSLOG_MAX];
	json_t *o = json_copy(f->root);
	size_t n = 0;

	if (o && json_object_set_new(o, "sluis.cut", json_true()) == 0) {
		n = dump(o, out, sizeof(out));
		for (size_t i = 0; n > room && i < COUNT_OF(keys); i++) {
			cut(o, keys[i], n - room);
			n = dump(o, out, sizeof(out));
		}
	}
	json_decref(o);
	if (n && n <= room)
		text_add(t, bytes_of(out, n));
	else
		text_fmt(t, "{\"event.kind\":\"alert\",\"event.id\":\"%.*s\",\"sluis.alert\":\"%s\",\"sluis.class\":\"%s\",\"sluis.cut\":true}", FMT(f->id), alert_kind_name(f->kind),
			hunt_class_name(f->class));
}

void alert_put_syslog(struct text *t, const struct alert_fields *f, struct bytes line, unsigned facility)
{
	size_t before = t->len, room;

	if (line.len && line.at[line.len - 1] == '\n')
		line.len--;
	text_fmt(t, "<%u>1 ", (facility < 24 ? facility : ALERT_FACILITY_DEFAULT) * 8 + severity_of(f->class));
	text_add(t, is_time(f->time) ? f->time : BYTES("-"));
	text_byte(t, ' ');
	text_add(t, is_host(f->host) ? f->host : BYTES("-"));
	text_lit(t, " sluis - ALERT - ");
	room = ALERT_SYSLOG_MAX - (t->len - before);
	if (line.len <= room)
		text_add(t, line);
	else
		put_shortened(t, f, room);
}
