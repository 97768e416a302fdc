/* Objects are written as findings come; what must name them all, the report, comes last. An indicator is one per rule, objects that
 * many findings share (an address, a file) are written once. */
#include "hunt/stix.h"

#include "base/clock.h"
#include "hunt/report_priv.h"
#include "net/addr.h"

#include <stdlib.h>

#define ID_MAX	   (40 + HUNT_UUID_LEN)
#define IDS_MAX	   (6 * HUNT_STIX_MAX)
#define SLOTS	   (1u << 18) /* a power of two, more than twice IDS_MAX */
#define OBJECT_MAX (256u << 10)

struct hunt_stix {
	FILE *to;
	char identity[ID_MAX], now[25], host[256];
	const char *marking;
	enum hunt_tlp tlp;
	struct text line;
	char (*ids)[ID_MAX];
	uint32_t *slots; /* 0: free; else 1 + index of ids */
	size_t count, more;
	bool has_failed;
};

/* STIX 2.1 7.2.1.4: these are the same for everybody. */
static const char *const markings[] = { "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed" };
static const char *const tlp_names[] = { "white", "green", "amber", "red" }, *const tlp_upper[] = { "WHITE", "GREEN", "AMBER", "RED" };

/* Of cyber-observable objects (2.1, 2.9), and of our own. */
static const unsigned char sco_space[16] = { 0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7 };
static const unsigned char own_space[16] = { 0xb7, 0x20, 0x41, 0x9c, 0x3e, 0x55, 0x4d, 0x8a, 0x8f, 0x12, 0x6b, 0x90, 0xd1, 0x4a, 0xe3, 0x77 };

static void make_id(const char *type, const unsigned char space[16], struct bytes name, char out[ID_MAX])
{
	char uuid[HUNT_UUID_LEN + 1];

	hunt_uuid5(space, name, uuid);
	snprintf(out, ID_MAX, "%s--%s", type, uuid);
}

/* True once per id. */
static bool is_new(struct hunt_stix *s, const char *id)
{
	uint32_t h = 2166136261u, at;

	for (const char *c = id; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	for (at = h & (SLOTS - 1); s->slots[at]; at = (at + 1) & (SLOTS - 1))
		if (strcmp(s->ids[s->slots[at] - 1], id) == 0)
			return false;
	CHECK(s->count < IDS_MAX);
	snprintf(s->ids[s->count], ID_MAX, "%s", id);
	s->slots[at] = (uint32_t)++s->count;
	return true;
}

static void write_line(struct hunt_stix *s)
{
	if (s->line.failed || fwrite(s->line.at, 1, s->line.len, s->to) != s->line.len)
		s->has_failed = true;
	s->line.len = 0;
	s->line.failed = false;
}

/* The first part of an object; is_sco: an observable, which has no dates. */
static struct text *begin(struct hunt_stix *s, const char *type, const char *id, bool is_sco)
{
	struct text *t = &s->line;

	text_fmt(t, ",\n{\"type\":\"%s\",\"spec_version\":\"2.1\",\"id\":\"%s\",\"object_marking_refs\":[\"%s\"]", type, id, s->marking);
	if (!is_sco)
		text_fmt(t, ",\"created\":\"%s\",\"modified\":\"%s\"", s->now, s->now);
	if (!is_sco && strcmp(type, "identity") != 0)
		text_fmt(t, ",\"created_by_ref\":\"%s\"", s->identity);
	return t;
}

static void end(struct hunt_stix *s)
{
	text_byte(&s->line, '}');
	write_line(s);
}

static void write_identity(struct hunt_stix *s, const char *name)
{
	struct text *t;

	make_id("identity", own_space, bytes_str(name), s->identity);
	if (!is_new(s, s->identity))
		return;
	t = begin(s, "identity", s->identity, false);
	text_lit(t, ",\"identity_class\":\"organization\",\"name\":");
	hunt_put_str(t, name);
	end(s);
}

/* In a pattern's text only \\ and ' mean something; what is no printable ASCII is written as ?. */
static void put_pattern(struct text *t, const struct hunt_finding *f)
{
	struct bytes path = bytes_str(f->path), value = f->url;
	size_t slash = path.len;
	char mem[2400];
	struct text p;

	while (slash && path.at[slash - 1] != '/')
		slash--;
	if (!value.len)
		value = bytes_cut(path, slash, path.len);
	text_init(&p, mem, sizeof(mem));
	text_str(&p, f->url.len ? "[url:value = '" : "[file:name = '");
	for (size_t i = 0; i < value.len && i < 1000; i++) {
		if (value.at[i] == '\\' || value.at[i] == '\'')
			text_byte(&p, '\\');
		text_byte(&p, value.at[i] < 0x20 || value.at[i] > 0x7e ? '?' : value.at[i]);
	}
	text_lit(&p, "']");
	text_lit(t, ",\"pattern_type\":\"stix\",\"pattern\":");
	json_put_string(t, text_bytes(&p));
}

static void write_indicator(struct hunt_stix *s, const struct hunt_finding *f, char id[ID_MAX])
{
	struct text *t;

	make_id("indicator", own_space, bytes_str(f->rule), id);
	if (!is_new(s, id))
		return;
	t = begin(s, "indicator", id, false);
	text_lit(t, ",\"name\":");
	hunt_put_str(t, f->title);
	text_lit(t, ",\"description\":");
	hunt_put_str(t, f->rule);
	put_pattern(t, f);
	text_fmt(t, ",\"indicator_types\":[\"%s\"],\"valid_from\":\"%s\"", f->class == HUNT_COMPROMISE ? "compromised" : "malicious-activity", s->now);
	if (*f->source) {
		text_lit(t, ",\"external_references\":[{\"source_name\":\"rule\",\"url\":");
		hunt_put_str(t, f->source);
		text_lit(t, "}]");
	}
	end(s);
}

/* An observable of one text; its id follows from that text (2.9). */
static void write_value(struct hunt_stix *s, const char *type, const char *key, struct bytes value, char id[ID_MAX])
{
	unsigned char mem[9000];
	struct text name;

	text_init(&name, mem, sizeof(mem));
	text_fmt(&name, "{\"%s\":", key);
	json_put_string(&name, bytes_cut(value, 0, 1400));
	text_byte(&name, '}');
	make_id(type, sco_space, text_bytes(&name), id);
	if (!is_new(s, id))
		return;
	text_fmt(begin(s, type, id, true), ",\"%s\":", key);
	json_put_string(&s->line, bytes_cut(value, 0, 1400));
	end(s);
}

static void write_observed(struct hunt_stix *s, const struct hunt_finding *f, char id[ID_MAX])
{
	char refs[3][ID_MAX] = { "", "", "" }, when[25], uuid[HUNT_UUID_LEN + 1];
	struct addr a;
	struct text *t;

	write_value(s, "file", "name", bytes_str(f->path), refs[0]);
	if (addr_parse_ip(f->client, &a) == OK)
		write_value(s, addr_is_v4(&a) ? "ipv4-addr" : "ipv6-addr", "value", f->client, refs[1]);
	if (f->url.len)
		write_value(s, "url", "value", f->url, refs[2]);
	hunt_finding_uuid(f, "observed", uuid);
	snprintf(id, ID_MAX, "observed-data--%s", uuid);
	if (!is_new(s, id))
		return;
	snprintf(when, sizeof(when), "%s", s->now);
	if (f->at_us)
		clock_rfc3339(f->at_us, when);
	t = begin(s, "observed-data", id, false);
	text_fmt(t, ",\"first_observed\":\"%s\",\"last_observed\":\"%s\",\"number_observed\":1,\"object_refs\":[\"%s\"", when, when, refs[0]);
	for (int i = 1; i < 3; i++)
		if (refs[i][0])
			text_fmt(t, ",\"%s\"", refs[i]);
	text_byte(t, ']');
	end(s);
}

static void write_sighting(struct hunt_stix *s, const struct hunt_finding *f, const char *indicator, const char *observed)
{
	char id[ID_MAX], uuid[HUNT_UUID_LEN + 1], when[25];
	struct text *t;

	hunt_finding_uuid(f, "sighting", uuid);
	snprintf(id, sizeof(id), "sighting--%s", uuid);
	if (!is_new(s, id))
		return;
	t = begin(s, "sighting", id, false);
	text_fmt(t, ",\"count\":1,\"confidence\":%d,\"sighting_of_ref\":\"%s\",\"observed_data_refs\":[\"%s\"],\"where_sighted_refs\":[\"%s\"]",
		f->confidence == HUNT_HIGH ? 85 : f->confidence == HUNT_MEDIUM ? 50 : 15, indicator, observed, s->identity);
	if (f->at_us) {
		clock_rfc3339(f->at_us, when);
		text_fmt(t, ",\"first_seen\":\"%s\",\"last_seen\":\"%s\"", when, when);
	}
	text_lit(t, ",\"description\":");
	hunt_put_str(t, hunt_class_name(f->class));
	end(s);
}

static void on_begin(void *ctx, const struct hunt_summary *sum)
{
	struct hunt_stix *s = ctx;

	snprintf(s->host, sizeof(s->host), "%s", sum->host ? sum->host : "");
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct hunt_stix *s = ctx;
	char indicator[ID_MAX], observed[ID_MAX];

	if (f->is_own)
		return;
	if (s->count + 8 > IDS_MAX) {
		s->more++;
		return;
	}
	write_indicator(s, f, indicator);
	write_observed(s, f, observed);
	write_sighting(s, f, indicator, observed);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx; /* counted in the report's description */
	(void)where;
	(void)what;
}

/* The report: what it says in words, and every object. */
static void on_end(void *ctx, const struct hunt_summary *sum)
{
	static const char *const verdicts[] = { "nothing was found", "signs were found", "cannot tell" };
	struct hunt_stix *s = ctx;
	char id[ID_MAX], words[700];
	size_t count = s->count;
	struct text *t;

	snprintf(words, sizeof(words), "sluis hunt: %s. %llu files, %zu problems%s. The logs %s the window of exposure. %zu further findings are not in this bundle.",
		verdicts[sum->verdict <= HUNT_CANNOT_TELL ? sum->verdict : HUNT_CANNOT_TELL], (unsigned long long)sum->files, sum->problems,
		sum->problems ? " reading them" : "", sum->is_covered ? "cover" : "do not cover, or are not known to cover,", s->more);
	make_id("report", own_space, bytes_of(s->ids, count * ID_MAX), id);
	t = begin(s, "report", id, false);
	text_lit(t, ",\"report_types\":[\"observed-data\"],\"name\":");
	hunt_put_str(t, s->host[0] ? s->host : "sluis hunt");
	text_lit(t, ",\"description\":");
	hunt_put_str(t, words);
	text_fmt(t, ",\"published\":\"%s\",\"object_refs\":[", s->now);
	write_line(s);
	for (size_t i = 0; i < count; i++) {
		text_fmt(t, "%s\"%s\"", i ? "," : "", s->ids[i]);
		write_line(s);
	}
	text_lit(t, "]}\n]}\n");
	write_line(s);
	s->has_failed = fflush(s->to) != 0 || s->has_failed;
}

static void write_marking(struct hunt_stix *s)
{
	/* Defined in the standard itself, for TLP 1.0: white is what TLP 2.0 calls clear. */
	text_fmt(&s->line, "{\"type\":\"marking-definition\",\"spec_version\":\"2.1\",\"id\":\"%s\",\"created\":\"%s\",\"definition_type\":\"tlp\",\"name\":\"%s%s\","
		"\"definition\":{\"tlp\":\"%s\"}}", s->marking, "2017-01-20T00:00:00.000Z", "TLP:",
		tlp_upper[s->tlp], tlp_names[s->tlp]);
	write_line(s);
}

enum err hunt_stix_open(FILE *to, const char *organisation, enum hunt_tlp tlp, uint64_t now_us, struct hunt_stix **out)
{
	struct hunt_stix *s = calloc(1, sizeof(*s));
	char bundle[ID_MAX];

	if (s)
		s->ids = calloc(IDS_MAX, sizeof(*s->ids));
	if (s)
		s->slots = calloc(SLOTS, sizeof(*s->slots));
	if (!s || !s->ids || !s->slots) {
		if (s)
			free(s->ids);
		free(s);
		return ERR_MEMORY;
	}
	s->to = to;
	s->tlp = tlp;
	s->marking = markings[tlp];
	clock_rfc3339(now_us, s->now);
	text_init_growing(&s->line, OBJECT_MAX);
	make_id("bundle", own_space, bytes_str(s->now), bundle);
	text_fmt(&s->line, "{\"type\":\"bundle\",\"id\":\"%s\",\"objects\":[\n", bundle);
	write_line(s);
	write_marking(s);
	write_identity(s, organisation);
	*out = s;
	return OK;
}

struct hunt_output hunt_stix_output(struct hunt_stix *s)
{
	return (struct hunt_output){ on_begin, on_finding, on_problem, on_end, s };
}

enum err hunt_stix_close(struct hunt_stix **s)
{
	bool has_failed = *s && (*s)->has_failed;

	if (*s) {
		text_fini(&(*s)->line);
		free((*s)->ids);
		free((*s)->slots);
	}
	free(*s);
	*s = NULL;
	return has_failed ? ERR_IO : OK;
}
