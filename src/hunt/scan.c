/* A log goes through one database in pieces as they come; only where something is found is a line looked for. What remains of a piece
 * behind its last line feed is carried over to the next. */
#define _GNU_SOURCE
#include "hunt/scan.h"

#include "hunt/scan_priv.h"
#include "hunt/stamp_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNIFF_MOST 4096

struct hunt_scan *hunt_scan_new(struct hunt_rules *rules, struct hunt_layout *layout, const struct hunt_output *out)
{
	struct hunt_scan *s = calloc(1, sizeof(*s));
	bool ok = s != NULL;

	CHECK(rules->is_compiled);
	if (!s)
		return NULL;
	s->rules = rules;
	s->layout = layout;
	s->out = out;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		ok = (s->hits[i] = calloc(patterns_count(rules->fields[i]) + 1, 1)) && ok;
	if (rules->yara)
		ok = (s->yara = yara_window_new(rules->yara)) && ok;
	ok = (s->sigma = sigma_look_new(rules->sigma)) && ok;
	ok = (s->seen = calloc(CLIENTS_MAX, sizeof(*s->seen))) && ok;
	ok = (s->later = calloc(LATER_MAX, sizeof(*s->later))) && ok;
	ok = (s->spans = calloc(SPANS_MAX, sizeof(*s->spans))) && ok;
	for (size_t i = 0; i < rules->count; i++)
		if (rules->at[i].kind == RULE_SESSION)
			s->session_logs |= rules->at[i].logs;
	ok = (!s->session_logs || (s->sessions = sessions_new())) && ok;
	ok = (s->told = calloc(rules->count + 1, sizeof(*s->told))) && ok;
	text_init_growing(&s->carry, SCAN_LINE_MAX);
	for (size_t i = 0; i < hunt_layout_logs(layout); i++)
		s->logs[i].kind = hunt_layout_log(layout, i)->name;
	if (!ok)
		hunt_scan_free(&s);
	return s;
}

void hunt_scan_free(struct hunt_scan **ps)
{
	struct hunt_scan *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		free(s->hits[i]);
	for (size_t i = 0; s->later && i < s->later_count; i++)
		free(s->later[i].texts);
	yara_window_free(&s->yara);
	sigma_look_free(&s->sigma);
	free(s->seen);
	sessions_free(&s->sessions);
	free(s->later);
	free(s->spans);
	free(s->told);
	text_fini(&s->carry);
	free(s);
}

void hunt_scan_tell_parts(struct hunt_scan *s)
{
	s->tells_parts = true;
}

void hunt_scan_own(struct hunt_scan *s, const struct addr *own, size_t count)
{
	s->own_addresses = own;
	s->own_address_count = count;
}

enum layout_format scan_format(const struct hunt_scan *s)
{
	return hunt_layout_log(s->layout, (size_t)s->log)->format;
}

void scan_problem(struct hunt_scan *s, const char *where, const char *what)
{
	s->problems++;
	if (s->out)
		s->out->problem(s->out->ctx, where, what);
}

static bool on_file(void *ctx, const struct hunt_file *f)
{
	struct hunt_scan *s = ctx;

	s->file = *f;
	snprintf(s->path, sizeof(s->path), "%s", f->path);
	snprintf(s->where, sizeof(s->where), "%s", f->where);
	snprintf(s->user, sizeof(s->user), "%s", f->user ? f->user : "");
	snprintf(s->target, sizeof(s->target), "%s", f->target ? f->target : "");
	s->file.path = s->path;
	s->file.where = s->where;
	s->file.user = s->user;
	s->file.group = "";
	s->file.target = s->target;
	s->files++;
	s->log = f->kind == HUNT_REGULAR ? hunt_layout_find_log(s->layout, s->path) : -1;
	s->is_content = false;
	s->is_sniffed = s->log >= 0;
	s->lines = s->damaged = s->first_us = s->last_us = s->read = 0;
	s->carry.len = 0;
	s->carry.failed = false;
	s->turns = s->last_month = 0;
	s->last_syslog = s->first_syslog = (struct syslog_line){ 0 };
	s->has_first = s->is_surveyed = false;
	s->later_count = 0;
	memset(s->told, 0, s->rules->count * sizeof(*s->told));
	scan_file(s);
	if (f->kind == HUNT_REGULAR) {
		scan_content_begin(s);
		scan_yara_begin(s);
	}
	return f->kind == HUNT_REGULAR;
}

/* A log that was copied under another name is known by its first line. */
static void sniff(struct hunt_scan *s, struct bytes b)
{
	struct bytes line = bytes_cut(b, 0, bytes_find_byte(bytes_cut(b, 0, SNIFF_MOST), '\n'));
	struct syslog_line sys;
	struct errorlog err;
	struct weblog web;
	int format = -1;

	s->is_sniffed = true;
	line = bytes_cut(line, 0, SNIFF_MOST);
	if (weblog_parse(line, &web) == OK)
		format = LAYOUT_WEB;
	else if (errorlog_parse(line, &err) == OK)
		format = LAYOUT_ERROR;
	else if (syslog_parse(line, &sys) == OK)
		format = LAYOUT_SYSLOG;
	for (size_t i = 0; format >= 0 && s->log < 0 && i < hunt_layout_logs(s->layout); i++)
		if ((int)hunt_layout_log(s->layout, i)->format == format)
			s->log = (int)i;
}

static size_t count_lines(struct bytes b)
{
	size_t total = 0;

	for (size_t at = 0; at < b.len;) {
		size_t n = b.len - at < 255 * 64 ? b.len - at : 255 * 64;
		unsigned sums = 0;

		for (size_t i = 0; i < n; i++)
			sums += b.at[at + i] == '\n';
		total += sums;
		at += n;
	}
	return total;
}

static bool on_candidate(void *ctx, unsigned id, uint64_t end)
{
	struct hunt_scan *s = ctx;
	size_t to = (size_t)end, begin, stop;
	const unsigned char *p;

	(void)id;
	if (to <= s->line_end) /* the line was looked at */
		return true;
	begin = to ? to - 1 : 0;
	p = memrchr(s->block.at, '\n', begin);
	begin = p ? (size_t)(p - s->block.at) + 1 : 0;
	p = memchr(s->block.at + to - 1, '\n', s->block.len - (to - 1));
	stop = p ? (size_t)(p - s->block.at) : s->block.len;
	s->counted_line += count_lines(bytes_cut(s->block, s->counted, begin));
	s->counted = begin;
	s->line_end = stop;
	scan_line(s, bytes_cut(s->block, begin, stop), s->counted_line + 1, s->block_offset + begin);
	return true;
}

static void note_time(struct hunt_scan *s, uint64_t at_us)
{
	if (!s->first_us || at_us < s->first_us)
		s->first_us = at_us;
	if (at_us > s->last_us)
		s->last_us = at_us;
}

static bool time_of_line(struct hunt_scan *s, struct bytes line)
{
	struct errorlog err;
	struct weblog web;

	switch (scan_format(s)) {
	case LAYOUT_WEB:
		if (weblog_parse(line, &web) != OK)
			return false;
		note_time(s, web.at_us);
		return true;
	case LAYOUT_ERROR:
		if (errorlog_parse(line, &err) != OK)
			return false;
		note_time(s, err.at_us);
		return true;
	case LAYOUT_SYSLOG:
	case LAYOUT_PLAIN: break;
	}
	return false;
}

/* The first and the last line of a block that tell a time, near its ends. */
static void sample_times(struct hunt_scan *s, struct bytes block)
{
	struct bytes rest = block;

	for (int i = 0; i < 50 && rest.len; i++) {
		size_t n = bytes_find_byte(rest, '\n');

		if (time_of_line(s, bytes_cut(rest, 0, n)))
			break;
		s->damaged += scan_format(s) == LAYOUT_WEB && n != 0;
		rest = n == SIZE_MAX ? bytes_cut(rest, rest.len, rest.len) : bytes_cut(rest, n + 1, rest.len);
	}
	rest = block;
	for (int i = 0; i < 50 && rest.len; i++) {
		size_t len = rest.at[rest.len - 1] == '\n' ? rest.len - 1 : rest.len;
		const unsigned char *p = len ? memrchr(rest.at, '\n', len) : NULL;
		size_t begin = p ? (size_t)(p - rest.at) + 1 : 0;

		if (time_of_line(s, bytes_cut(rest, begin, len)))
			break;
		rest = bytes_cut(rest, 0, begin);
	}
}

/* Of logs without a year, how often it turned: the month falls back by more than a few. */
static void follow_months(struct hunt_scan *s, struct bytes line)
{
	unsigned month = syslog_month(line);
	struct syslog_line l;

	if (!month || syslog_parse(line, &l) != OK)
		return;
	if (s->last_month && month + 6 < s->last_month)
		s->turns++;
	s->last_month = month;
	s->last_syslog = l;
	if (!s->has_first)
		s->first_syslog = l;
	s->has_first = true;
}

static void scan_block(struct hunt_scan *s, struct bytes block, uint64_t offset)
{
	if (s->session_logs & 1u << s->log && !s->is_surveyed)
		sessions_file(s, block);
	s->is_surveyed = true;
	s->block = block;
	s->block_offset = offset;
	s->counted_line = s->lines;
	s->counted = s->line_end = 0;
	if (scan_format(s) == LAYOUT_SYSLOG) {
		for (struct bytes rest = block; rest.len;) { /* line by line: each tells how the year stands */
			size_t n = bytes_find_byte(rest, '\n');
			struct bytes line = bytes_cut(rest, 0, n);

			follow_months(s, line);
			s->block = line;
			s->block_offset = offset + (uint64_t)(rest.at - block.at);
			s->counted = s->line_end = 0;
			s->counted_line = s->lines++;
			patterns_scan(s->rules->first[s->log], line, on_candidate, s);
			rest = n == SIZE_MAX ? bytes_cut(rest, rest.len, rest.len) : bytes_cut(rest, n + 1, rest.len);
		}
		return;
	}
	sample_times(s, block);
	patterns_scan(s->rules->first[s->log], block, on_candidate, s);
	s->lines = s->counted_line + count_lines(bytes_cut(block, s->counted, block.len));
	if (block.at[block.len - 1] != '\n')
		s->lines++;
}

static void flush_carry(struct hunt_scan *s)
{
	if (s->carry.len)
		scan_block(s, text_bytes(&s->carry), s->carry_offset);
	s->carry.len = 0;
	s->carry.failed = false;
}

static void scan_log(struct hunt_scan *s, struct bytes b, uint64_t offset)
{
	while (b.len) {
		const unsigned char *last = memrchr(b.at, '\n', b.len);
		size_t whole = last ? (size_t)(last - b.at) + 1 : 0, n;

		if (s->carry.len == 0 && whole) {
			scan_block(s, bytes_cut(b, 0, whole), offset);
			b = bytes_cut(b, whole, b.len);
			offset += whole;
			continue;
		}
		n = whole ? bytes_find_byte(b, '\n') + 1 : b.len;
		if (n > SCAN_LINE_MAX - s->carry.len)
			n = SCAN_LINE_MAX - s->carry.len;
		if (s->carry.len == 0)
			s->carry_offset = offset;
		text_add(&s->carry, bytes_cut(b, 0, n));
		if (s->carry.len == SCAN_LINE_MAX || (n && b.at[n - 1] == '\n')) {
			s->damaged += s->carry.len == SCAN_LINE_MAX;
			flush_carry(s);
		}
		b = bytes_cut(b, n, b.len);
		offset += n;
	}
}

static void on_bytes(void *ctx, struct bytes b, uint64_t offset)
{
	struct hunt_scan *s = ctx;

	if (!s->is_sniffed && b.len)
		sniff(s, b);
	s->bytes += b.len;
	s->read += b.len;
	if (s->log >= 0)
		scan_log(s, b, offset);
	if (s->is_content)
		scan_content(s, b, offset);
	scan_yara(s, b);
}

static void add_span(struct hunt_scan *s, bool is_damaged)
{
	struct hunt_log *log = &s->logs[s->log];

	log->files++;
	log->lines += s->lines;
	log->damaged += s->damaged;
	if (!s->first_us && !is_damaged)
		return;
	if (s->first_us && (!log->first_us || s->first_us < log->first_us))
		log->first_us = s->first_us;
	if (s->last_us > log->last_us)
		log->last_us = s->last_us;
	if (s->span_count == SPANS_MAX) {
		s->has_lost_spans = true;
		return;
	}
	s->spans[s->span_count++] = (struct span){ (unsigned)s->log, s->first_us, s->last_us, is_damaged };
}

/* The file's first and last time, now that its year is known. */
static void date_syslog(struct hunt_scan *s)
{
	uint64_t mtime_us = s->file.has_times && s->file.mtime_s > 0 ? (uint64_t)s->file.mtime_s * 1000000 : 0;

	if (!s->has_first || !mtime_us)
		return;
	(void)!syslog_at(&s->last_syslog, syslog_year(mtime_us, &s->last_syslog, 0), &s->last_us);
	(void)!syslog_at(&s->first_syslog, syslog_year(mtime_us, &s->last_syslog, s->turns), &s->first_us);
}

static void on_end(void *ctx, enum err e)
{
	struct hunt_scan *s = ctx;

	if (s->log >= 0) {
		flush_carry(s);
		if (scan_format(s) == LAYOUT_SYSLOG)
			date_syslog(s);
		scan_tell_later(s);
		add_span(s, e != OK);
	}
	if (s->is_content)
		scan_content_end(s);
	scan_yara_end(s);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	scan_problem(ctx, where, what);
}

struct hunt_sink hunt_scan_sink(struct hunt_scan *s)
{
	return (struct hunt_sink){ .ctx = s, .file = on_file, .bytes = on_bytes, .end = on_end, .problem = on_problem };
}
