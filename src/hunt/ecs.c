/* The order of members is that of reading: what it is, where, who, and at the end what matched. */
#include "hunt/ecs.h"

#include "base/clock.h"
#include "json/write.h"
#include "net/addr.h"

#include <stdio.h>
#include <string.h>

void hunt_ecs_key(struct text *t, const char *name)
{
	text_lit(t, ",\"");
	text_str(t, name);
	text_lit(t, "\":");
}

void hunt_ecs_put(struct text *t, const char *name, struct bytes b)
{
	if (b.len == 0)
		return;
	hunt_ecs_key(t, name);
	json_put_string(t, b);
}

void hunt_ecs_str(struct text *t, const char *name, const char *value)
{
	hunt_ecs_put(t, name, bytes_str(value));
}

void hunt_ecs_number(struct text *t, const char *name, uint64_t n)
{
	hunt_ecs_key(t, name);
	text_u64(t, n);
}

void hunt_ecs_time(struct text *t, const char *name, uint64_t us)
{
	char at[25];

	if (!us)
		return;
	clock_rfc3339(us, at);
	hunt_ecs_str(t, name, at);
}

static void put_words(struct text *t, const char *name, const char *words)
{
	bool first = true;

	if (!words || !*words)
		return;
	hunt_ecs_key(t, name);
	for (const char *w = words; *w;) {
		size_t n = strcspn(w, " ");

		text_byte(t, first ? '[' : ',');
		json_put_string(t, bytes_of(w, n));
		first = false;
		w += n + (w[n] == ' ');
	}
	text_byte(t, ']');
}

static void put_request(struct text *t, const struct hunt_finding *f)
{
	struct addr addr;

	hunt_ecs_put(t, addr_parse_ip(f->client, &addr) == OK ? "source.ip" : "source.address", f->client);
	hunt_ecs_put(t, "http.request.method", f->method);
	hunt_ecs_put(t, "url.original", f->url);
	hunt_ecs_put(t, "user_agent.original", f->user_agent);
	hunt_ecs_put(t, "user.name", f->user);
	if (f->status)
		hunt_ecs_number(t, "http.response.status_code", f->status);
}

static void put_place(struct text *t, const struct hunt_finding *f)
{
	char mode[8];

	if (f->line)
		hunt_ecs_number(t, "sluis.line", f->line);
	if (f->has_offset || (!f->line && f->where && *f->where))
		hunt_ecs_number(t, "sluis.offset", f->offset);
	hunt_ecs_str(t, "sluis.time_from", f->when_how);
	put_request(t, f);
	if (f->has_mode) {
		snprintf(mode, sizeof(mode), "%04o", f->mode & 07777u);
		hunt_ecs_str(t, "file.mode", mode);
		snprintf(mode, sizeof(mode), "%u", f->uid % 1000000);
		hunt_ecs_str(t, "file.uid", mode);
	}
}

void hunt_ecs_finding(struct text *t, const struct hunt_finding *f)
{
	hunt_ecs_time(t, "@timestamp", f->at_us);
	hunt_ecs_str(t, "rule.id", f->rule);
	hunt_ecs_str(t, "rule.name", f->title);
	hunt_ecs_str(t, "rule.reference", f->source);
	put_words(t, "vulnerability.id", f->advisories);
	hunt_ecs_str(t, "file.path", f->path);
	hunt_ecs_str(t, "log.file.path", f->where);
	hunt_ecs_str(t, "sluis.class", hunt_class_name(f->class));
	hunt_ecs_str(t, "sluis.confidence", hunt_confidence_name(f->confidence));
	put_place(t, f);
	if (f->is_own)
		text_lit(t, ",\"sluis.own\":true");
	hunt_ecs_str(t, "sluis.note", f->note);
	hunt_ecs_put(t, "message", f->excerpt);
}
