/* A line that the first pass pointed at, or a file by its name, against the rules' conditions. */
#include "hunt/scan_priv.h"

#include <stdlib.h>
#include <string.h>

struct hitting {
	unsigned char *hits;
};

static bool on_hit(void *ctx, unsigned id, uint64_t end)
{
	(void)end;
	((struct hitting *)ctx)->hits[id] = 1;
	return true;
}

static void look_at(struct hunt_scan *s, enum rule_field field, struct bytes text)
{
	struct hitting h = { s->hits[field] };

	patterns_scan(s->rules->fields[field], text, on_hit, &h);
}

static void clear_hits(struct hunt_scan *s)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		memset(s->hits[i], 0, patterns_count(s->rules->fields[i]));
}

static bool holds(const struct hunt_scan *s, const struct hunt_rule *rule)
{
	if (rule->is_sigma)
		return sigma_holds(s, rule->sigma_root);
	for (unsigned i = 0; i < rule->condition_count; i++) {
		const struct rule_condition *c = &rule->conditions[i];
		bool any = false;

		for (unsigned k = 0; k < c->count && !any; k++)
			any = s->hits[c->field][c->ids[k]];
		if (any == c->is_not)
			return false;
	}
	return true;
}

static bool has_status(const struct hunt_rule *rule, unsigned status)
{
	for (unsigned i = 0; i < rule->status_count; i++)
		if (rule->statuses[i] == status)
			return true;
	return rule->status_count == 0;
}

static bool is_for_line(const struct hunt_scan *s, const struct hunt_rule *rule)
{
	return (rule->kind == RULE_ACCESS || rule->kind == RULE_LINE) && (rule->logs & 1u << s->log);
}

/* The time of a line without one is that of the last one above it that has one, in this block. */
static void time_from_above(const struct hunt_scan *s, struct bytes line, struct fields *f)
{
	struct errorlog e;
	size_t at = (size_t)(line.at - s->block.at);

	for (int i = 0; i < 1000 && at > 0; i++) {
		size_t begin = at - 1;

		while (begin > 0 && s->block.at[begin - 1] != '\n')
			begin--;
		if (errorlog_parse(bytes_cut(s->block, begin, at - 1), &e) == OK) {
			f->at_us = e.at_us;
			f->client = e.client;
			f->when_how = "line above";
			return;
		}
		at = begin;
	}
}

static void take_web(struct hunt_scan *s, struct bytes line, struct fields *f)
{
	struct text t[3];

	if (weblog_parse(line, &f->web) != OK) { /* cut off or written over: all of it counts as what was asked for */
		f->web = (struct weblog){ .request = line, .target = line };
		s->damaged++;
	}
	for (size_t i = 0; i < 3; i++)
		text_init(&t[i], s->decode_mem[i], sizeof(s->decode_mem[i]));
	weblog_decode(f->web.target, &t[0]);
	weblog_clean(text_bytes(&t[0]), &t[1]);
	weblog_decode_all(f->web.target, &t[2]);
	f->is_web = true;
	f->at[FIELD_PATH] = text_bytes(&t[0]);
	f->clean = text_bytes(&t[1]);
	f->at[FIELD_TARGET] = f->web.target;
	f->at[FIELD_DECODED] = text_bytes(&t[2]);
	f->at[FIELD_METHOD] = f->web.method;
	f->at[FIELD_USER_AGENT] = f->web.user_agent;
	f->at[FIELD_REFERER] = f->web.referer;
	f->at_us = f->web.at_us;
	f->client = f->web.client;
	f->when_how = f->at_us ? "log" : "";
}

static void take_fields(struct hunt_scan *s, struct bytes line, struct fields *f)
{
	struct errorlog e;

	f->line = f->at[FIELD_LINE] = line;
	f->when_how = "";
	switch (scan_format(s)) {
	case LAYOUT_WEB: take_web(s, line, f); break;
	case LAYOUT_ERROR:
		if (errorlog_parse(line, &e) == OK) {
			f->at_us = e.at_us;
			f->client = e.client;
			f->when_how = "log; zone not written: UTC";
		} else {
			time_from_above(s, line, f);
		}
		break;
	case LAYOUT_SYSLOG:
		if (syslog_parse(line, &f->syslog) == OK) {
			f->is_syslog = true;
			f->at[FIELD_USER] = f->syslog.user;
			f->at[FIELD_COMMAND] = f->syslog.command;
		}
		break;
	case LAYOUT_PLAIN: break;
	}
}

/* Nothing that is told later may point into the line. */
static void keep_for_later(struct hunt_scan *s, const struct hunt_rule *rule, const struct fields *f, const struct hunt_finding *found)
{
	struct later *l;
	struct bytes excerpt = bytes_cut(f->line, 0, HUNT_EXCERPT_MAX);

	if (s->later_count == LATER_MAX)
		scan_tell_later(s);
	l = &s->later[s->later_count];
	*l = (struct later){ .rule = (unsigned)(rule - s->rules->at), .turn = s->turns, .at = f->syslog, .line = found->line,
		.offset = found->offset, .is_own = found->is_own, .user_len = f->syslog.user.len, .excerpt_len = excerpt.len };
	l->texts = malloc(l->user_len + l->excerpt_len + 1);
	CHECK(l->texts);
	if (l->user_len)
		memcpy(l->texts, f->syslog.user.at, l->user_len);
	if (excerpt.len)
		memcpy(l->texts + l->user_len, excerpt.at, excerpt.len);
	s->later_count++;
}

void scan_tell_later(struct hunt_scan *s)
{
	uint64_t mtime_us = s->file.has_times && s->file.mtime_s > 0 ? (uint64_t)s->file.mtime_s * 1000000 : 0;

	for (size_t i = 0; i < s->later_count; i++) {
		struct later *l = &s->later[i];
		unsigned year = syslog_year(mtime_us, &s->last_syslog, s->turns - l->turn);
		struct hunt_finding f = { .line = l->line, .offset = l->offset, .has_offset = true, .is_own = l->is_own,
			.user = bytes_of(l->texts, l->user_len), .excerpt = bytes_of(l->texts + l->user_len, l->excerpt_len), .when_how = "" };

		if (year && syslog_at(&l->at, year, &f.at_us) == OK)
			f.when_how = "year from the file's mtime; zone not written: UTC";
		scan_tell(s, &s->rules->at[l->rule], &f);
		free(l->texts);
		l->texts = NULL;
	}
	s->later_count = 0;
}

void scan_tell(struct hunt_scan *s, const struct hunt_rule *rule, struct hunt_finding *f)
{
	f->rule = rule->id;
	f->title = rule->title;
	f->source = rule->source;
	f->advisories = rule->advisories;
	f->class = rule->class;
	f->confidence = rule->confidence;
	f->path = s->path;
	f->where = s->where;
	if (!f->note)
		f->note = rule->note ? rule->note : rule->is_unconfirmed ? "not confirmed by a second source" : "";
	if (f->is_own)
		s->own++;
	else
		s->counts[rule->class]++;
	if (s->out)
		s->out->finding(s->out->ctx, f);
}

static struct seen *seen_at(struct hunt_scan *s, uint64_t client, unsigned rule)
{
	return &s->seen[(client ^ rule * UINT64_C(0x9E3779B97F4A7C15)) % CLIENTS_MAX];
}

/* A rule of kind access holds: is it half of a pair? */
static void follow_pairs(struct hunt_scan *s, unsigned index, const struct fields *f, struct hunt_finding *found)
{
	uint64_t client = bytes_hash(BYTES_HASH, f->client);

	for (unsigned i = 0; i < s->rules->count; i++) {
		const struct hunt_rule *pair = &s->rules->at[i];
		struct seen *seen;

		if (pair->kind != RULE_PAIR || !f->at_us)
			continue;
		seen = seen_at(s, client, i);
		if (pair->then == index && seen->rule == i && seen->client == client && f->at_us >= seen->at_us &&
			f->at_us - seen->at_us <= pair->within_s * 1000000) {
			struct hunt_finding both = *found;

			scan_tell(s, pair, &both);
			*seen = (struct seen){ 0 };
		}
		if (pair->first == index)
			*seen = (struct seen){ i, client, f->at_us, found->line };
	}
}

static bool is_own_line(struct hunt_scan *s, const struct fields *f, bool covers[HUNT_CLASS_COUNT])
{
	bool any = false;

	for (size_t i = 0; i < s->rules->count; i++) {
		const struct hunt_rule *rule = &s->rules->at[i];

		if (!rule->is_own || !is_for_line(s, rule) || !holds(s, rule) || !has_status(rule, f->web.status))
			continue;
		any = true;
		for (size_t c = 0; c < HUNT_CLASS_COUNT; c++)
			covers[c] = covers[c] || rule->covers[c];
	}
	return any;
}

static bool is_own_client(const struct hunt_scan *s, struct bytes client)
{
	struct addr a;

	if (s->own_address_count == 0 || addr_parse_ip(client, &a) != OK)
		return false;
	for (size_t i = 0; i < s->own_address_count; i++)
		if (memcmp(a.ip, s->own_addresses[i].ip, sizeof(a.ip)) == 0)
			return true;
	return false;
}

/* The first pass stops at everything that is encoded without need; mostly, what it decodes to is nothing. */
static bool is_worth_it(struct hunt_scan *s, struct bytes line)
{
	struct text t;

	if (s->rules->looks_at_all || hunt_rules_may_hold(s->rules, line))
		return true;
	text_init(&t, s->decode_mem[0], sizeof(s->decode_mem[0]));
	weblog_decode_all(line, &t);
	return hunt_rules_may_hold(s->rules, text_bytes(&t));
}

void scan_line(struct hunt_scan *s, struct bytes line, uint64_t number, uint64_t offset)
{
	bool covers[HUNT_CLASS_COUNT] = { false };
	struct fields f = { 0 };

	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	line = bytes_cut(line, 0, SCAN_LINE_MAX);
	if (scan_format(s) == LAYOUT_WEB && !is_worth_it(s, line))
		return;
	if (s->session_logs & 1u << s->log)
		sessions_line(s, line, number, offset);
	take_fields(s, line, &f);
	clear_hits(s);
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (f.at[i].len)
			look_at(s, (enum rule_field)i, f.at[i]);
	if (f.clean.len)
		look_at(s, FIELD_PATH, f.clean);
	look_at(s, FIELD_FILE, bytes_str(s->path));
	if (f.is_web)
		sigma_look_at(s, &f);
	(void)is_own_line(s, &f, covers);
	if (is_own_client(s, f.client))
		covers[HUNT_PROBE] = covers[HUNT_ATTEMPT] = covers[HUNT_TRACE] = true;
	for (unsigned i = 0; i < s->rules->count; i++) {
		const struct hunt_rule *rule = &s->rules->at[i];
		if (!is_for_line(s, rule) || !has_status(rule, f.web.status) || !holds(s, rule))
			continue;
		struct hunt_finding found = { .line = number, .offset = offset, .has_offset = true, .at_us = f.at_us, .when_how = f.when_how,
			.client = f.client, .method = f.web.method, .url = f.is_web ? f.web.target : (struct bytes){ 0 },
			.user_agent = f.web.user_agent, .user = f.is_web ? f.web.user : f.at[FIELD_USER], .status = f.web.status,
			.excerpt = bytes_cut(line, 0, HUNT_EXCERPT_MAX), .is_own = covers[rule->class] };

		if (f.is_web)
			follow_pairs(s, i, &f, &found);
		if (rule->is_own || (rule->is_part && !s->tells_parts))
			continue;
		if (f.is_syslog)
			keep_for_later(s, rule, &f, &found);
		else
			scan_tell(s, rule, &found);
	}
}

/* Rights, owner, times and size; what the source does not know cannot hold. */
static bool file_holds(const struct hunt_scan *s, const struct hunt_rule *rule)
{
	const struct hunt_file *f = &s->file;
	bool wants_mode = rule->mode_any || rule->mode_none || rule->mode != UINT32_MAX;

	if (!holds(s, rule) || (rule->has_file_kind ? f->kind != rule->file_kind : f->kind == HUNT_DIRECTORY))
		return false;
	if ((wants_mode || rule->has_owner) && !f->has_owner)
		return false;
	if ((rule->mode_any && !(f->mode & rule->mode_any)) || (f->mode & rule->mode_none) || (rule->mode != UINT32_MAX && (f->mode & 07777) != rule->mode))
		return false;
	if (rule->has_owner && f->uid != rule->owner && strcmp(f->user, rule->owner_name) != 0)
		return false;
	if (rule->newer_us && (!f->has_times || f->mtime_s < (int64_t)(rule->newer_us / 1000000)))
		return false;
	if (rule->is_timestomp && (!f->has_times || f->mtime_s == 0 || f->birth_s == 0 || f->mtime_s >= f->birth_s))
		return false;
	return f->size >= rule->size_least && f->size <= rule->size_most;
}

void scan_complete(const struct hunt_scan *s, struct hunt_finding *f)
{
	f->has_mode = s->file.has_owner;
	f->mode = s->file.mode;
	f->uid = s->file.uid;
	f->user = bytes_str(s->user);
	f->when_how = "";
	if (s->file.has_times && s->file.mtime_s > 0) {
		f->at_us = (uint64_t)s->file.mtime_s * 1000000;
		f->when_how = "mtime";
	}
}

void scan_file(struct hunt_scan *s)
{
	clear_hits(s);
	look_at(s, FIELD_FILE, bytes_str(s->path));
	if (*s->target)
		look_at(s, FIELD_LINK, bytes_str(s->target));
	for (size_t i = 0; i < s->rules->count; i++) {
		const struct hunt_rule *rule = &s->rules->at[i];
		struct hunt_finding f = { .excerpt = bytes_str(s->path) };

		if (rule->kind != RULE_FILE || !file_holds(s, rule))
			continue;
		scan_complete(s, &f);
		scan_tell(s, rule, &f);
	}
}

void scan_content_begin(struct hunt_scan *s)
{
	s->tail_len = 0;
	s->is_content = false;
	for (size_t i = 0; i < s->rules->count && !s->is_content; i++)
		s->is_content = s->rules->at[i].kind == RULE_CONTENT && file_holds(s, &s->rules->at[i]);
	if (!s->is_content)
		return;
	for (size_t i = 0; i < s->rules->count; i++) /* whose file this is holds for all of it */
		s->told[i] = s->rules->at[i].kind == RULE_CONTENT && file_holds(s, &s->rules->at[i]) ? 0 : TOLD_MOST;
	s->is_content = patterns_stream_begin(s->rules->content) == OK;
}

struct contents {
	struct hunt_scan *s;
	struct bytes piece;
	uint64_t offset;
};

/* What stands around a match: of this piece, or of the end of the one before. */
static struct bytes around(const struct contents *c, uint64_t end, uint64_t *at)
{
	size_t to = end > c->offset ? (size_t)(end - c->offset) : 0, from = to > 256 ? to - 256 : 0;

	if (to < 8 && c->s->tail_len) {
		*at = c->offset - c->s->tail_len;
		return bytes_of(c->s->tail, c->s->tail_len);
	}
	for (size_t i = to; i > from + 1; i--)
		if (i < to && c->piece.at[i - 1] == '\n') {
			from = i;
			break;
		}
	*at = c->offset + from;
	return bytes_cut(c->piece, from, to + 128);
}

static bool on_content(void *ctx, unsigned id, uint64_t end)
{
	struct contents *c = ctx;
	struct hunt_scan *s = c->s;

	for (size_t i = 0; i < s->rules->count; i++) {
		const struct hunt_rule *rule = &s->rules->at[i];
		struct hunt_finding f = { .has_offset = true };
		bool is_this = false;

		if (rule->kind != RULE_CONTENT || s->told[i] >= TOLD_MOST)
			continue;
		for (unsigned k = 0; k < rule->content_count; k++)
			is_this = is_this || rule->content[k] == id;
		if (!is_this)
			continue;
		s->told[i] = TOLD_MOST; /* once per file: the place of the first is where to begin */
		scan_complete(s, &f);
		f.excerpt = around(c, end, &f.offset);
		scan_tell(s, rule, &f);
	}
	return true;
}

void scan_content(struct hunt_scan *s, struct bytes b, uint64_t offset)
{
	struct contents c = { s, b, offset };
	size_t keep = b.len < sizeof(s->tail) ? b.len : sizeof(s->tail);

	patterns_stream_feed(s->rules->content, b, on_content, &c);
	if (keep)
		memcpy(s->tail, b.at + b.len - keep, keep);
	s->tail_len = keep;
}

void scan_content_end(struct hunt_scan *s)
{
	struct contents c = { s, { 0 }, s->read };

	patterns_stream_end(s->rules->content, on_content, &c);
}
