/* One finding is one line that is complete by itself. What came from the examined system is quoted as JSON, with bytes that are no
 * UTF-8 replaced; a line that would be too large is not cut but written without its excerpt. */
#include "hunt/ocsf.h"

#include "hunt/report_priv.h"

#include <stdlib.h>

#define LINE_MAX_BYTES (1u << 20)

struct hunt_ocsf {
	FILE *to;
	uint64_t now_us;
	char host[256];
	struct text line;
	bool has_failed;
};

/* Informational, low, medium, high, critical: what was seen, and how sure it is. */
static unsigned severity_of(const struct hunt_finding *f)
{
	if (f->is_own)
		return 1;
	switch (f->class) {
	case HUNT_COMPROMISE: return f->confidence == HUNT_HIGH ? 5 : f->confidence == HUNT_MEDIUM ? 4 : 3;
	case HUNT_PROBE: return 3;
	case HUNT_ATTEMPT: return 2;
	case HUNT_TRACE:
	case HUNT_CLASS_COUNT: break;
	}
	return 1;
}

static void put_metadata(struct text *t, const struct hunt_ocsf *o)
{
	text_lit(t, "\"metadata\":{\"version\":\"1.3.0\",\"product\":{\"name\":\"Sluis\",\"vendor_name\":\"Sluis\",\"feature\":{\"name\":\"hunt\"}},\"logged_time\":");
	text_u64(t, o->now_us / 1000);
	text_byte(t, '}');
}

static void put_info(struct text *t, const struct hunt_finding *f)
{
	char uid[HUNT_UUID_LEN + 1];

	hunt_finding_uuid(f, "ocsf", uid);
	text_lit(t, ",\"finding_info\":{\"uid\":");
	hunt_put_str(t, uid);
	text_lit(t, ",\"title\":");
	hunt_put_str(t, f->title);
	text_lit(t, ",\"types\":[");
	hunt_put_str(t, hunt_class_name(f->class));
	text_lit(t, "],\"analytic\":{\"type_id\":1,\"type\":\"Rule\",\"uid\":");
	hunt_put_str(t, f->rule);
	text_lit(t, "},\"src_url\":");
	hunt_put_str(t, f->source);
	text_byte(t, '}');
}

static void put_request(struct text *t, const struct hunt_finding *f)
{
	if (f->client.len) {
		text_lit(t, ",\"src_endpoint\":{\"ip\":");
		json_put_string(t, f->client);
		text_byte(t, '}');
	}
	if (f->url.len) {
		text_lit(t, ",\"http_request\":{\"http_method\":");
		json_put_string(t, f->method);
		text_lit(t, ",\"url\":{\"path\":");
		json_put_string(t, f->url);
		text_lit(t, "},\"user_agent\":");
		json_put_string(t, f->user_agent);
		text_byte(t, '}');
	}
	if (f->status)
		text_fmt(t, ",\"http_response\":{\"code\":%u}", f->status);
	if (f->user.len) {
		text_lit(t, ",\"actor\":{\"user\":{\"name\":");
		json_put_string(t, f->user);
		text_lit(t, "}}");
	}
}

static void put_evidence(struct text *t, const struct hunt_finding *f, bool with_excerpt)
{
	struct bytes path = bytes_str(f->path);
	size_t slash = path.len;

	while (slash && path.at[slash - 1] != '/')
		slash--;
	text_lit(t, ",\"evidences\":[{\"file\":{\"type_id\":1,\"name\":");
	json_put_string(t, bytes_cut(path, slash, path.len));
	text_lit(t, ",\"path\":");
	json_put_string(t, path);
	text_byte(t, '}');
	put_request(t, f);
	text_lit(t, ",\"data\":{\"where\":");
	hunt_put_str(t, f->where);
	if (f->line)
		text_fmt(t, ",\"line\":%llu", (unsigned long long)f->line);
	if (f->has_offset)
		text_fmt(t, ",\"offset\":%llu", (unsigned long long)f->offset);
	if (f->has_mode)
		text_fmt(t, ",\"mode\":\"%04o\",\"uid\":%u", f->mode, f->uid);
	if (with_excerpt && f->excerpt.len) {
		text_lit(t, ",\"excerpt\":");
		json_put_string(t, bytes_cut(f->excerpt, 0, HUNT_EXCERPT_MAX));
	}
	text_lit(t, "}}]");
}

/* CVE-A CVE-B */
static void put_advisories(struct text *t, const char *advisories)
{
	bool any = false;

	text_lit(t, ",\"vulnerabilities\":[");
	while (*advisories) {
		size_t n = strcspn(advisories, " ");

		if (n) {
			text_str(t, any ? ",{\"cve\":{\"uid\":" : "{\"cve\":{\"uid\":");
			json_put_string(t, bytes_of(advisories, n));
			text_lit(t, "}}");
			any = true;
		}
		advisories += n + (advisories[n] == ' ');
	}
	text_byte(t, ']');
}

static void put_finding(const struct hunt_ocsf *o, struct text *t, const struct hunt_finding *f, bool with_excerpt)
{
	static const char *const severities[] = { "Unknown", "Informational", "Low", "Medium", "High", "Critical" };
	unsigned severity = severity_of(f);

	text_lit(t, "{\"class_uid\":2004,\"class_name\":\"Detection Finding\",\"category_uid\":2,\"category_name\":\"Findings\",\"activity_id\":1,"
		"\"activity_name\":\"Create\",\"type_uid\":200401,\"type_name\":\"Detection Finding: Create\",\"time\":");
	text_u64(t, (f->at_us ? f->at_us : o->now_us) / 1000);
	text_fmt(t, ",\"severity_id\":%u,\"severity\":\"%s\",\"status_id\":%u,\"status\":\"%s\",\"confidence_id\":%u,\"confidence\":\"%s\",", severity,
		severities[severity], f->is_own ? 3 : 1, f->is_own ? "Suppressed" : "New", (unsigned)f->confidence + 1,
		f->confidence == HUNT_HIGH ? "High" : f->confidence == HUNT_MEDIUM ? "Medium" : "Low");
	put_metadata(t, o);
	put_info(t, f);
	put_evidence(t, f, with_excerpt);
	if (*f->advisories)
		put_advisories(t, f->advisories);
	if (*o->host) {
		text_lit(t, ",\"resources\":[{\"type\":\"host\",\"name\":");
		hunt_put_str(t, o->host);
		text_lit(t, "}]");
	}
	if (*f->note) {
		text_lit(t, ",\"message\":");
		hunt_put_str(t, f->note);
	}
	/* A time that the examined system does not give is said to be the report's own, so that nobody sorts by it. */
	text_lit(t, ",\"unmapped\":{\"time_from\":");
	hunt_put_str(t, f->at_us ? f->when_how : "report");
	text_fmt(t, ",\"own\":%s}}\n", f->is_own ? "true" : "false");
}

static void on_begin(void *ctx, const struct hunt_summary *s)
{
	struct hunt_ocsf *o = ctx;

	snprintf(o->host, sizeof(o->host), "%s", s->host ? s->host : "");
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct hunt_ocsf *o = ctx;

	o->line.len = 0;
	o->line.failed = false;
	put_finding(o, &o->line, f, true);
	if (o->line.failed) {
		o->line.len = 0;
		o->line.failed = false;
		put_finding(o, &o->line, f, false);
	}
	if (o->line.failed || fwrite(o->line.at, 1, o->line.len, o->to) != o->line.len)
		o->has_failed = true;
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx; /* a Detection Finding is no place for what could not be read: the program's own output tells it */
	(void)where;
	(void)what;
}

static void on_end(void *ctx, const struct hunt_summary *s)
{
	struct hunt_ocsf *o = ctx;

	(void)s;
	o->has_failed = fflush(o->to) != 0 || o->has_failed;
}

enum err hunt_ocsf_open(FILE *to, uint64_t now_us, struct hunt_ocsf **out)
{
	struct hunt_ocsf *o = calloc(1, sizeof(*o));

	if (!o)
		return ERR_MEMORY;
	o->to = to;
	o->now_us = now_us;
	text_init_growing(&o->line, LINE_MAX_BYTES);
	*out = o;
	return OK;
}

struct hunt_output hunt_ocsf_output(struct hunt_ocsf *o)
{
	return (struct hunt_output){ on_begin, on_finding, on_problem, on_end, o };
}

enum err hunt_ocsf_close(struct hunt_ocsf **o)
{
	bool has_failed = *o && (*o)->has_failed;

	if (*o)
		text_fini(&(*o)->line);
	free(*o);
	*o = NULL;
	return has_failed ? ERR_IO : OK;
}
