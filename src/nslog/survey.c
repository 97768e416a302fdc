/* The first pass: how a file's dates are to be read. Proof comes first; where no line proves anything, both readings are
 * followed side by side and the one that cannot have happened is dropped. */
#include "nslog/nslog_priv.h"

#define DAY_US      86400000000ULL
#define FUTURE_US   (36 * 3600 * 1000000ULL) /* a zone and a wrong clock later than the file's last change */
#define LEAP_DAYS   20
#define NEAR_DAYS   2
#define HALF_A_YEAR 180

static const enum nslog_order orders[2] = { NSLOG_MONTH_FIRST, NSLOG_DAY_FIRST };

void order_step(struct order_track *t, const struct stamp *s, uint64_t line, uint64_t *changed)
{
	enum nslog_order proof = stamp_certain(s);

	*changed = 0;
	if (proof == NSLOG_ORDER_UNKNOWN)
		return;
	if (t->now == proof || t->now == NSLOG_ORDER_UNKNOWN) {
		if (t->now != proof)
			t->line = line;
		t->now = proof;
		t->proofs += t->proofs < UINT32_MAX;
		t->against = 0;
		return;
	}
	if (t->against++ == 0)
		t->against_line = line;
	if (t->against < 2)
		return;
	*changed = t->against_line;
	t->now = proof;
	t->proofs = t->against;
	t->line = t->against_line;
	t->against = 0;
}

/* Day of the year, as if all years were leap years: only for comparing. */
static int day_of_year(const struct stamp *s)
{
	return s->first >= 1 && s->first <= 12
		       ? (int)(days_of(2000, s->first, 1) - days_of(2000, 1, 1)) + (int)s->second
		       : 0;
}

int header_wrap(const struct stamp *before, const struct stamp *now)
{
	int step = day_of_year(now) - day_of_year(before);

	if (before->first == 0)
		return 0;
	return step < -HALF_A_YEAR ? 1 : step > HALF_A_YEAR ? -1 : 0;
}

void nslog_survey_begin(struct nslog *n, uint64_t mtime_us)
{
	lines_begin(&n->lines);
	n->survey = (struct survey){ .mtime_us = mtime_us ? mtime_us : n->o.now_us };
}

static void follow(struct survey *s, const struct head *h)
{
	for (size_t i = 0; i < 2; i++) {
		struct reading *r = &s->reading[i];
		unsigned month = i == 0 ? h->stamp.first : h->stamp.second,
			 day = i == 0 ? h->stamp.second : h->stamp.first;
		uint64_t us;
		int64_t days;
		if (!stamp_days(&h->stamp, orders[i], &days) || !stamp_us(&h->stamp, orders[i], 0, &us))
			continue;
		if (r->any && days < r->last_days)
			r->backs++;
		if (r->any && days > r->last_days + LEAP_DAYS)
			r->leaps++;
		if (s->mtime_us && us > s->mtime_us && us - s->mtime_us > FUTURE_US)
			r->futures++;
		/* The collector's day may already be the next one. */
		if (h->has_header && h->header.first == month && h->header.second + 1 >= day &&
			h->header.second <= day + 1)
			r->headers++;
		r->any = true;
		r->last_days = days;
	}
}

static void own_date(struct survey *s, const struct head *h)
{
	enum nslog_order before = s->track.now;
	unsigned proofs = s->track.proofs;
	uint64_t changed;

	s->any = true;
	if (h->stamp.first != h->stamp.second)
		s->differs = true;
	order_step(&s->track, &h->stamp, s->lines, &changed);
	if (before == NSLOG_ORDER_UNKNOWN || (changed && proofs < 2)) {
		/* A single proof that two others deny was a damaged line, not a setting that was changed. */
		s->order = s->track.now;
		s->order_line = s->track.line;
	} else if (changed && !s->changes_line) {
		s->changes_line = changed;
	}
	if (stamp_certain(&h->stamp) == NSLOG_ORDER_UNKNOWN)
		follow(s, h);
}

static void survey_line(struct nslog *n, struct bytes line)
{
	struct survey *s = &n->survey;
	struct head h;

	s->lines++;
	head_parse(line, &h);
	if (!h.has_stamp && !h.has_header)
		return;
	if (!h.has_stamp) {
		s->wraps += header_wrap(&s->header_last, &h.header);
		s->header_any = true;
		s->header_last = h.header;
	} else if (!h.stamp.year_front) {
		own_date(s, &h);
	}
	s->last = h.has_stamp ? h.stamp : h.header;
	s->last_wraps = s->wraps;
	if (!s->dated) {
		s->first = s->last;
		s->first_wraps = s->wraps;
	}
	s->dated = true;
	if (h.has_stamp && !s->own_any) {
		s->own_any = true;
		s->first_own = h.stamp;
	}
}

void nslog_survey_feed(struct nslog *n, struct bytes piece)
{
	struct bytes line;
	bool overlong;

	n->survey.bytes += piece.len;
	lines_put(&n->lines, piece);
	while (lines_next(&n->lines, &line, &overlong))
		survey_line(n, line);
}

/* One reading has none of what the other has: that one. SIZE_MAX: it does not say. */
static size_t without(uint64_t month_first, uint64_t day_first)
{
	if ((month_first == 0) == (day_first == 0))
		return SIZE_MAX;
	return month_first == 0 ? 0 : 1;
}

static uint64_t distance(const struct survey *s, size_t i)
{
	int64_t mtime = (int64_t)(s->mtime_us / DAY_US), last = s->reading[i].last_days;

	return (uint64_t)(mtime > last ? mtime - last : last - mtime);
}

static void decide(const struct survey *s, struct nslog_dates *d)
{
	const struct reading *r = s->reading;
	const struct {
		enum nslog_order_how how;
		size_t says;
	} hints[] = {
		{ NSLOG_HOW_HEADER, without(r[1].headers, r[0].headers) },
		{ NSLOG_HOW_FUTURE, without(r[0].futures, r[1].futures) },
		{ NSLOG_HOW_MONOTONE, without(r[0].backs, r[1].backs) },
		{ NSLOG_HOW_STEADY, without(r[0].leaps, r[1].leaps) },
		{ NSLOG_HOW_MTIME, s->mtime_us == 0                                            ? SIZE_MAX
				   : distance(s, 0) <= NEAR_DAYS && distance(s, 1) > LEAP_DAYS ? 0
				   : distance(s, 1) <= NEAR_DAYS && distance(s, 0) > LEAP_DAYS ? 1
											       : SIZE_MAX },
	};

	d->order = NSLOG_MONTH_FIRST;
	d->how = NSLOG_HOW_AMBIGUOUS;
	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		if (hints[i].says != SIZE_MAX) {
			d->order = orders[hints[i].says];
			d->how = hints[i].how;
			return;
		}
	}
}

static void decide_order(const struct nslog *n, struct nslog_dates *d)
{
	const struct survey *s = &n->survey;

	d->changes_line = s->changes_line;
	if (n->o.order != NSLOG_ORDER_UNKNOWN) {
		d->order = n->o.order;
		d->how = NSLOG_HOW_GIVEN;
		d->changes_line = 0;
	} else if (!s->any) {
		d->order = NSLOG_ORDER_UNKNOWN;
		d->how = NSLOG_HOW_NONE;
	} else if (s->order != NSLOG_ORDER_UNKNOWN) {
		d->order = s->order;
		d->how = NSLOG_HOW_CERTAIN;
		d->line = s->order_line;
	} else if (!s->differs) {
		d->order = NSLOG_MONTH_FIRST;
		d->how = NSLOG_HOW_SAME;
	} else {
		decide(s, d);
	}
}

/* The latest year in which the last header is not later than the file's last change, less the years that ended before. */
static int first_year(const struct survey *s)
{
	struct stamp last = s->header_last;
	uint64_t us;
	unsigned year;

	if (!s->header_any || s->mtime_us == 0)
		return 0;
	year = year_of((int64_t)(s->mtime_us / DAY_US)) + 1;
	for (unsigned tries = 0; tries < 10; tries++, year--) { /* 29 February: up to eight years back */
		last.year = year;
		if (stamp_us(&last, NSLOG_MONTH_FIRST, 0, &us) && us <= s->mtime_us + FUTURE_US)
			return (int)year - s->wraps;
	}
	return 0;
}

static uint64_t time_of(const struct nslog *n, const struct nslog_dates *d, struct stamp st, int wraps)
{
	uint64_t us;

	if (st.year == 0 && d->first_year + wraps > 0)
		st.year = (unsigned)(d->first_year + wraps);
	return stamp_us(&st, d->order, n->o.zone_given ? n->o.zone_minutes : 0, &us) ? us : 0;
}

void nslog_survey_end(struct nslog *n, struct nslog_dates *out)
{
	struct nslog_dates d = {
		.lines = n->survey.lines, .bytes = n->survey.bytes, .mtime_us = n->survey.mtime_us
	};
	struct bytes line;
	bool overlong;

	if (lines_last(&n->lines, &line, &overlong))
		survey_line(n, line);
	d.lines = n->survey.lines;
	decide_order(n, &d);
	d.first_year = first_year(&n->survey);
	if (n->survey.dated) {
		d.first_us = time_of(n, &d, n->survey.first, n->survey.first_wraps);
		d.last_us = time_of(n, &d, n->survey.last, n->survey.last_wraps);
	}
	if (n->survey.own_any)
		d.first_own_us = time_of(n, &d, n->survey.first_own, 0);
	*out = d;
}
