/* The log's parts come in any order (ns.log, then ns.log.0.gz), so that a session is not followed through time: what is kept of it is
 * when it lived and from where. Memory is bounded: the session that was quiet the longest gives way. */
#include "hunt/session_priv.h"

#include "base/clock.h"
#include "hunt/scan_priv.h"
#include "net/addr.h"
#include "nslog/nslog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS	 8192
#define WAYS	 4
#define KNOWN	 8 /* addresses of one session that are kept, and told at most */
#define NOTE_MAX 600

struct known {
	struct addr addr;
	uint64_t at_us;
};
struct session {
	uint64_t key, from_us, to_us; /* key 0: none */
	bool is_begun, is_ended;      /* its login, its logout was seen: it did not live before, or after */
	unsigned count, told;
	struct known known[KNOWN];
};
struct sessions {
	struct nslog *log;
	struct session at[SETS][WAYS];
	/* the line */
	struct hunt_scan *scan;
	struct bytes line;
	uint64_t number, offset;
};

struct sessions *sessions_new(void)
{
	struct nslog_options options = { .order = NSLOG_ORDER_UNKNOWN };
	struct sessions *s = calloc(1, sizeof(*s));

	if (s)
		s->log = nslog_new(&options);
	if (s && !s->log)
		sessions_free(&s);
	return s;
}

void sessions_free(struct sessions **ps)
{
	struct sessions *s = *ps;

	*ps = NULL;
	if (s)
		nslog_free(&s->log);
	free(s);
}

static uint64_t add_to_key(uint64_t h, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ ascii_lower(b.at[i])) * UINT64_C(1099511628211);
	return (h ^ 0xff) * UINT64_C(1099511628211);
}

/* Numbers of sessions begin anew when the appliance does: the user belongs to the key. */
static uint64_t key_of(const struct nslog_event *e)
{
	uint64_t h = add_to_key(add_to_key(BYTES_HASH, e->session), e->user);

	return h ? h : 1;
}

static struct session *place_of(struct sessions *s, uint64_t key)
{
	struct session *set = s->at[(key ^ key >> 32) % SETS], *quiet = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].to_us < quiet->to_us)
			quiet = &set[i];
	}
	*quiet = (struct session){ .key = key };
	return quiet;
}

static bool is_within(const struct session *p, uint64_t at_us, uint64_t within_us)
{
	if (p->count == 0)
		return true;
	if ((p->is_begun && at_us < p->from_us) || (p->is_ended && at_us > p->to_us))
		return false;
	return at_us + within_us >= p->from_us && at_us <= p->to_us + within_us;
}

static bool is_same_network(const struct addr *a, const struct addr *b, const struct hunt_rule *rule)
{
	unsigned bits = addr_is_v4(a) ? 96 + rule->same_v4 : rule->same_v6;

	if (addr_is_v4(a) != addr_is_v4(b) || memcmp(a->ip, b->ip, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a->ip[bits / 8] ^ b->ip[bits / 8]) >> (8 - bits % 8) == 0;
}

static void tell(struct sessions *s, const struct hunt_rule *rule, const struct session *p, const struct nslog_event *e, const struct addr *now)
{
	unsigned char mem[NOTE_MAX];
	char note[NOTE_MAX], at[25];
	struct hunt_finding f = { .line = s->number, .offset = s->offset, .has_offset = true, .at_us = e->at_us,
		.when_how = e->zone_assumed ? "log; zone not written: UTC" : "log", .user = e->user, .excerpt = bytes_cut(s->line, 0, HUNT_EXCERPT_MAX) };
	unsigned char ip[64];
	struct text t, client;

	text_init(&client, ip, sizeof(ip));
	addr_write_ip(now, &client);
	f.client = text_bytes(&client);
	text_init(&t, mem, sizeof(mem) - 1);
	clock_rfc3339(p->known[0].at_us, at);
	text_lit(&t, "used from ");
	addr_write_ip(&p->known[0].addr, &t);
	text_fmt(&t, " (%s) and from ", at);
	addr_write_ip(now, &t);
	if (rule->note)
		text_fmt(&t, "; %.400s", rule->note);
	snprintf(note, sizeof(note), "%.*s", FMT(text_bytes(&t)));
	f.note = note;
	scan_tell(s->scan, rule, &f);
}

/* One more address of the session. */
static void used_from(struct sessions *s, struct session *p, const struct nslog_event *e, struct bytes ip)
{
	const struct hunt_rules *rules = s->scan->rules;
	struct addr now;

	if (ip.len == 0 || nslog_is_inside(ip) || addr_parse_ip(ip, &now) != OK)
		return;
	for (unsigned i = 0; i < p->count; i++)
		if (memcmp(p->known[i].addr.ip, now.ip, sizeof(now.ip)) == 0)
			return;
	for (size_t r = 0; r < rules->count && p->count && p->told < KNOWN; r++) {
		const struct hunt_rule *rule = &rules->at[r];
		bool is_known = false;

		if (rule->kind != RULE_SESSION || !(rule->logs & 1u << s->scan->log))
			continue;
		for (unsigned i = 0; i < p->count && !is_known; i++)
			is_known = is_same_network(&p->known[i].addr, &now, rule);
		if (is_known)
			continue;
		tell(s, rule, p, e, &now);
		p->told++;
	}
	if (p->count < KNOWN)
		p->known[p->count++] = (struct known){ now, e->at_us };
}

static uint64_t longest_within_us(const struct hunt_rules *rules)
{
	uint64_t most = 0;

	for (size_t i = 0; i < rules->count; i++)
		if (rules->at[i].kind == RULE_SESSION && rules->at[i].within_s > most)
			most = rules->at[i].within_s;
	return most * 1000000;
}

static void on_event(void *arg, const struct nslog_event *e)
{
	struct sessions *s = arg;
	struct session *p, one = { 0 };
	bool is_end = e->kind == NSLOG_LOGOUT || e->kind == NSLOG_SESSION_END;

	if (e->client.len == 0 || e->kind == NSLOG_LOGIN_FAILED || (e->session.len == 0 && !e->other_source))
		return;
	p = e->session.len ? place_of(s, key_of(e)) : &one;
	if (!is_within(p, e->at_us, longest_within_us(s->scan->rules)) || (e->kind == NSLOG_LOGIN && p->count && e->at_us > p->to_us)) {
		if (e->at_us < p->to_us) /* of an older session with the same number */
			return;
		*p = (struct session){ .key = p->key };
	}
	if (p->count == 0 || e->at_us < p->from_us)
		p->from_us = e->at_us;
	if (e->at_us > p->to_us)
		p->to_us = e->at_us;
	p->is_begun = p->is_begun || e->kind == NSLOG_LOGIN;
	p->is_ended = p->is_ended || is_end;
	if (e->other_source)
		used_from(s, p, e, e->source); /* who signed in, then who sent */
	used_from(s, p, e, e->client);
}

void sessions_file(struct hunt_scan *s, struct bytes block)
{
	uint64_t mtime_us = s->file.has_times && s->file.mtime_s > 0 ? (uint64_t)s->file.mtime_s * 1000000 : 0;
	struct nslog_dates dates;

	nslog_survey_begin(s->sessions->log, mtime_us);
	nslog_survey_feed(s->sessions->log, block);
	nslog_survey_end(s->sessions->log, &dates);
	nslog_file_begin(s->sessions->log, BYTES(""), &dates, on_event, s->sessions);
}

void sessions_line(struct hunt_scan *s, struct bytes line, uint64_t number, uint64_t offset)
{
	s->sessions->scan = s;
	s->sessions->line = line;
	s->sessions->number = number;
	s->sessions->offset = offset;
	nslog_feed(s->sessions->log, line);
	nslog_feed(s->sessions->log, BYTES("\n"));
}
