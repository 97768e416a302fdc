/* The second pass: each line has one fate, and it is counted. */
#include "nslog/nslog_priv.h"

#include <stdlib.h>

#define MINUTE_US 60000000ULL

const char *nslog_kind_name(enum nslog_kind k)
{
	static const char *const names[NSLOG_KIND_COUNT] = { "conn", "conn-leg", "vpn-conn", "vpn-request",
		"ica-start", "ica", "login", "logout", "login-failed", "session-end", "command", "tls",
		"tls-failed", "health" };

	CHECK(k < NSLOG_KIND_COUNT);
	return names[k];
}

const char *nslog_damage_name(enum nslog_damage d)
{
	static const char *const names[NSLOG_DAMAGE_COUNT] = { "overlong", "binary", "no-time", "bad-time",
		"cut", "bad-address", "bad-number" };

	CHECK(d < NSLOG_DAMAGE_COUNT);
	return names[d];
}

const char *nslog_order_name(enum nslog_order o)
{
	static const char *const names[] = { "unknown", "month-first", "day-first" };

	CHECK((size_t)o < COUNT_OF(names));
	return names[o];
}

const char *nslog_order_how_name(enum nslog_order_how h)
{
	static const char *const names[] = { "none", "given", "certain", "header", "future", "monotone",
		"steady", "mtime", "same", "neighbour", "ambiguous" };

	CHECK((size_t)h < COUNT_OF(names));
	return names[h];
}

struct nslog *nslog_new(const struct nslog_options *o)
{
	struct nslog *n = calloc(1, sizeof(*n));

	if (n)
		n->o = *o;
	return n;
}

void nslog_free(struct nslog **n)
{
	free(*n);
	*n = NULL;
}

void nslog_file_begin(
	struct nslog *n, struct bytes name, const struct nslog_dates *d, nslog_on_event *on, void *arg)
{
	lines_begin(&n->lines);
	n->report = (struct nslog_report){ .dates = *d };
	n->file = name;
	n->on = on;
	n->arg = arg;
	n->track = (struct order_track){ .now = d->order };
	n->near_us = d->first_own_us;
	n->header_year = d->first_year;
	n->header_last = (struct stamp){ 0 };
	n->before_us = 0;
}

static void damaged(struct nslog *n, enum nslog_damage d)
{
	if (n->report.damaged[d]++ == 0)
		n->report.damaged_line[d] = n->report.lines;
}

/* A header's year: the one that brings it nearest to a line that tells its year, else by the count of years that ended. */
static bool header_time(struct nslog *n, struct stamp s, struct nslog_event *e)
{
	int zone = n->o.zone_given ? n->o.zone_minutes : 0;
	uint64_t best = UINT64_MAX;

	n->header_year += header_wrap(&n->header_last, &s);
	n->header_last = s;
	if (n->near_us == 0) {
		e->year_how = NSLOG_YEAR_MTIME;
		if (n->report.dates.first_year == 0 || n->header_year <= 0)
			return false;
		s.year = (unsigned)n->header_year;
		return stamp_us(&s, NSLOG_MONTH_FIRST, zone, &e->at_us);
	}
	e->year_how = NSLOG_YEAR_NEAR;
	for (unsigned y = year_of((int64_t)(n->near_us / 86400000000ULL)) - 1, i = 0; i < 3; i++) {
		uint64_t us, apart;
		s.year = y + i;
		if (!stamp_us(&s, NSLOG_MONTH_FIRST, zone, &us))
			continue;
		apart = us > n->near_us ? us - n->near_us : n->near_us - us;
		if (apart < best) {
			best = apart;
			e->at_us = us;
		}
	}
	return best != UINT64_MAX;
}

static void count_zone(struct nslog *n, const struct stamp *s)
{
	struct nslog_report *r = &n->report;

	if (s->has_zone) {
		r->zone_written++;
	} else if (s->unknown_zone) {
		if (r->zone_unknown++ == 0)
			memcpy(r->zone_name, s->zone_name.at, s->zone_name.len < 7 ? s->zone_name.len : 7);
	} else {
		r->zone_missing++;
	}
}

/* The line's time into e->at_us; *order: how this line's dates are read. */
static bool line_time(struct nslog *n, const struct head *h, struct nslog_event *e, enum nslog_order *order)
{
	uint64_t changed;

	*order = n->track.now;
	if (!h->has_stamp)
		return header_time(n, h->header, e);
	if (n->report.dates.how != NSLOG_HOW_GIVEN) {
		order_step(&n->track, &h->stamp, n->report.lines, &changed);
		*order = stamp_certain(&h->stamp);
		if (*order == NSLOG_ORDER_UNKNOWN)
			*order = n->track.now;
	}
	if (!stamp_us(&h->stamp, *order, n->o.zone_given ? n->o.zone_minutes : 0, &e->at_us))
		return false;
	e->year_how = NSLOG_YEAR_WRITTEN;
	n->near_us = e->at_us;
	return true;
}

static void count_time(struct nslog *n, const struct head *h, struct nslog_event *e)
{
	struct nslog_report *r = &n->report;

	r->years[e->year_how]++;
	count_zone(n, h->has_stamp ? &h->stamp : &h->header);
	e->zone_assumed = !h->has_stamp || !h->stamp.has_zone;
	if (n->before_us > e->at_us && n->before_us - e->at_us > MINUTE_US)
		r->backwards++;
	n->before_us = e->at_us;
	if (r->first_us == 0 || e->at_us < r->first_us)
		r->first_us = e->at_us;
	if (e->at_us > r->last_us)
		r->last_us = e->at_us;
}

/* *control: octets below the space, but for the tab, or DEL; *foreign: those, or octets over 127. */
static void look(struct bytes line, bool *control, bool *foreign)
{
	unsigned c = 0, f = 0;

	for (size_t i = 0; i < line.len; i++) {
		c |= (unsigned)((line.at[i] < 0x20) & (line.at[i] != '\t')) | (unsigned)(line.at[i] == 0x7f);
		f |= line.at[i] & 0x80U;
	}
	*control = c != 0;
	*foreign = (c | f) != 0;
}

static void tell(struct nslog *n, struct nslog_event *e)
{
	n->report.events[e->kind]++;
	if (!e->start_known && e->end_us == 0)
		e->end_us = e->at_us;
	if (!e->start_known)
		e->start_us = e->end_us;
	e->file = n->file;
	e->line = n->report.lines;
	if (n->on)
		n->on(n->arg, e);
}

static void read_line(struct nslog *n, struct bytes line, bool cut)
{
	struct nslog_event e = { 0 };
	struct line_context c = { 0 };
	struct text scratch;
	enum nslog_damage d;
	bool control, wanted;
	struct head h;

	line = bytes_trim(line);
	if (line.len == 0) {
		n->report.empty++;
		return;
	}
	look(line, &control, &e.unprintable);
	head_parse(line, &h);
	if (!h.has_stamp && !h.has_header) {
		damaged(n, control ? NSLOG_BINARY : NSLOG_NO_TIME);
		return;
	}
	if (!line_time(n, &h, &e, &c.order)) {
		damaged(n, control ? NSLOG_BINARY : NSLOG_BAD_TIME);
		return;
	}
	count_time(n, &h, &e);
	c.zone_minutes = h.has_stamp && h.stamp.has_zone ? h.stamp.zone_minutes
			 : n->o.zone_given               ? n->o.zone_minutes
							 : 0;
	text_init(&scratch, n->scratch, sizeof(n->scratch));
	c.scratch = &scratch;
	d = record_parse(h.rest, &c, &e, &wanted);
	/* A failed login's user may be leaked memory: that line is evidence as it is. */
	if (control && !(wanted && e.kind == NSLOG_LOGIN_FAILED))
		damaged(n, NSLOG_BINARY);
	else if (cut)
		damaged(n, NSLOG_CUT);
	else if (!wanted)
		n->report.not_wanted++;
	else if (d != NSLOG_DAMAGE_COUNT)
		damaged(n, d);
	else
		tell(n, &e);
}

static void line_in(struct nslog *n, struct bytes line, bool overlong, bool cut)
{
	n->report.lines++;
	if (overlong)
		damaged(n, NSLOG_OVERLONG);
	else
		read_line(n, line, cut);
}

void nslog_feed(struct nslog *n, struct bytes piece)
{
	struct bytes line;
	bool overlong;

	n->report.bytes += piece.len;
	lines_put(&n->lines, piece);
	while (lines_next(&n->lines, &line, &overlong))
		line_in(n, line, overlong, false);
}

void nslog_file_end(struct nslog *n, bool truncated)
{
	struct bytes line;
	bool overlong;

	if (lines_last(&n->lines, &line, &overlong))
		line_in(n, line, overlong, truncated);
}

const struct nslog_report *nslog_report(const struct nslog *n)
{
	return &n->report;
}

static void add_all(uint64_t *sum, const uint64_t *r, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += r[i];
}

void nslog_report_add(struct nslog_report *sum, const struct nslog_report *r)
{
	sum->lines += r->lines;
	sum->bytes += r->bytes;
	sum->not_wanted += r->not_wanted;
	sum->empty += r->empty;
	sum->backwards += r->backwards;
	sum->zone_written += r->zone_written;
	sum->zone_missing += r->zone_missing;
	if (sum->zone_unknown == 0)
		memcpy(sum->zone_name, r->zone_name, sizeof(sum->zone_name));
	sum->zone_unknown += r->zone_unknown;
	add_all(sum->events, r->events, COUNT_OF(sum->events));
	add_all(sum->years, r->years, COUNT_OF(sum->years));
	for (size_t i = 0; i < NSLOG_DAMAGE_COUNT; i++) {
		if (sum->damaged[i] == 0)
			sum->damaged_line[i] = r->damaged_line[i];
		sum->damaged[i] += r->damaged[i];
	}
	if (r->first_us && (sum->first_us == 0 || r->first_us < sum->first_us))
		sum->first_us = r->first_us;
	if (r->last_us > sum->last_us)
		sum->last_us = r->last_us;
}

bool nslog_contact(const struct nslog_event *e, struct contact *out)
{
	struct contact c = { .client = e->client,
		.target = e->target,
		.user = e->user,
		.name = BYTES(""),
		.first_us = e->start_us,
		.last_us = e->end_us,
		.opened = 1,
		.closed = 1,
		.bytes_in = e->bytes_in,
		.bytes_out = e->bytes_out };

	switch (e->kind) {
	case NSLOG_CONN:
	case NSLOG_CONN_LEG:
	case NSLOG_VPN_REQUEST: break;
	case NSLOG_VPN_CONN:
		/* Refused, and not an octet came back: the client did not reach the target. */
		if (bytes_eq(e->reason, BYTES("Denied")) && e->bytes_out == 0)
			return false;
		break;
	case NSLOG_ICA_START: c.closed = 0; break;
	case NSLOG_ICA: c.opened = 0; break; /* its NSLOG_ICA_START counted it */
	case NSLOG_LOGIN:
	case NSLOG_LOGOUT:
	case NSLOG_LOGIN_FAILED:
	case NSLOG_SESSION_END:
	case NSLOG_COMMAND:
	case NSLOG_TLS:
	case NSLOG_TLS_FAILED:
	case NSLOG_HEALTH:
	case NSLOG_KIND_COUNT: return false;
	}
	if (e->client.len == 0 || e->target.len == 0)
		return false;
	*out = c;
	return true;
}
