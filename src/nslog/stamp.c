/* Dates and zones. A number that is out of range is kept here and refused when it becomes a time, so that the reader can
 * tell "no date" from "a wrong date". */
#include "nslog/stamp_priv.h"

#include "base/reader.h"

#define DAY_US 86400000000LL

static const struct {
	struct bytes name;
	int minutes;
} zones[] = {
	/* Names that mean one thing the world over, or nearly; CST and IST do not, and are left unknown. */
	{ LIT("GMT"), 0 },
	{ LIT("UTC"), 0 },
	{ LIT("Z"), 0 },
	{ LIT("WET"), 0 },
	{ LIT("WEST"), 60 },
	{ LIT("BST"), 60 },
	{ LIT("CET"), 60 },
	{ LIT("CEST"), 120 },
	{ LIT("EET"), 120 },
	{ LIT("EEST"), 180 },
	{ LIT("MSK"), 180 },
	{ LIT("EST"), -300 },
	{ LIT("EDT"), -240 },
	{ LIT("CDT"), -300 },
	{ LIT("MST"), -420 },
	{ LIT("MDT"), -360 },
	{ LIT("PST"), -480 },
	{ LIT("PDT"), -420 },
	{ LIT("JST"), 540 },
	{ LIT("AEST"), 600 },
	{ LIT("AEDT"), 660 },
	{ LIT("NZST"), 720 },
	{ LIT("NZDT"), 780 },
};
static const struct bytes months[12] = { LIT("Jan"), LIT("Feb"), LIT("Mar"), LIT("Apr"), LIT("May"),
	LIT("Jun"), LIT("Jul"), LIT("Aug"), LIT("Sep"), LIT("Oct"), LIT("Nov"), LIT("Dec") };

/* Reads exactly n digits. */
static unsigned digits(struct reader *r, size_t n)
{
	struct bytes d = reader_take(r, n);
	unsigned v = 0;

	for (size_t i = 0; i < d.len; i++) {
		unsigned digit = d.at[i] - (unsigned)'0';
		if (digit > 9)
			r->failed = true;
		v = v * 10 + digit;
	}
	return r->failed ? 0 : v;
}

static void sign(struct reader *r, unsigned char c)
{
	if (reader_u8(r) != c)
		r->failed = true;
}

static void clock_time(struct reader *r, struct stamp *s)
{
	s->hour = digits(r, 2);
	sign(r, ':');
	s->minute = digits(r, 2);
	sign(r, ':');
	s->second_of = digits(r, 2);
	if (!r->failed && r->left.len && (r->left.at[0] == '.' || r->left.at[0] == ',')) {
		unsigned unit = 100000;
		reader_u8(r);
		while (r->left.len && r->left.at[0] >= '0' && r->left.at[0] <= '9') {
			s->us += (reader_u8(r) - (unsigned)'0') * unit;
			unit /= 10;
		}
	}
}

static size_t word_len(struct bytes in)
{
	size_t n = 0;

	while (n < in.len && in.at[n] != ' ' && in.at[n] != '"' && in.at[n] != '\\' && in.at[n] != '\t')
		n++;
	return n;
}

/* "+01:00", "+0100", "+01", also behind GMT or UTC. */
static bool offset(struct bytes w, int *minutes)
{
	struct reader r = { .left = w };
	unsigned h, m = 0;
	bool west;

	if (bytes_starts(w, BYTES("GMT")) || bytes_starts(w, BYTES("UTC")))
		reader_take(&r, 3);
	west = r.left.len && r.left.at[0] == '-';
	if (!west)
		sign(&r, '+');
	else
		reader_u8(&r);
	h = digits(&r, 2);
	if (r.left.len == 3)
		sign(&r, ':');
	if (r.left.len)
		m = digits(&r, 2);
	if (!reader_done(&r) || h > 14 || m > 59)
		return false;
	*minutes = (int)(h * 60 + m) * (west ? -1 : 1);
	return true;
}

static bool known_zone(struct bytes w, int *minutes)
{
	for (size_t i = 0; i < COUNT_OF(zones); i++) {
		if (bytes_eq(zones[i].name, w)) {
			*minutes = zones[i].minutes;
			return true;
		}
	}
	return offset(w, minutes);
}

static bool looks_like_zone(struct bytes w)
{
	if (w.len < 3 || w.len > 5)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.at[i] < 'A' || w.at[i] > 'Z')
			return false;
	}
	return true;
}

/* The zone behind a time, and how many octets it takes with the spaces before it. */
static size_t zone_parse(struct bytes in, struct stamp *s)
{
	size_t spaces = 0;
	struct bytes w;

	while (spaces < in.len && spaces < 2 && in.at[spaces] == ' ')
		spaces++;
	w = bytes_cut(in, spaces, in.len);
	w.len = word_len(w);
	if (w.len && known_zone(w, &s->zone_minutes)) {
		s->has_zone = true;
		return spaces + w.len;
	}
	/* One space, then capitals: a zone, or a host's name. Whoever knows what stands behind decides (head_parse). */
	if (spaces == 1 && looks_like_zone(w)) {
		s->unknown_zone = true;
		s->zone_name = w;
	}
	return 0;
}

size_t stamp_parse(struct bytes in, struct stamp *out)
{
	struct reader r = { .left = in };
	struct stamp s = { 0 };
	size_t used;

	if (in.len < 19 || (in.at[2] != '/' && in.at[4] != '/' && in.at[4] != '-'))
		return 0;
	if (in.at[2] == '/') {
		s.first = digits(&r, 2);
		sign(&r, '/');
		s.second = digits(&r, 2);
		sign(&r, '/');
		s.year = digits(&r, 4);
		sign(&r, ':');
	} else {
		unsigned char dash = in.at[4]; /* 2020/01/09:12:34:56, or RFC 3339's 2020-01-09T12:34:56Z */
		s.year_front = true;
		s.year = digits(&r, 4);
		sign(&r, dash);
		s.first = digits(&r, 2);
		sign(&r, dash);
		s.second = digits(&r, 2);
		sign(&r, dash == '-' ? 'T' : ':');
	}
	clock_time(&r, &s);
	if (r.failed)
		return 0;
	used = in.len - r.left.len;
	used += zone_parse(r.left, &s);
	*out = s;
	return used;
}

/* "Jan  9 12:34:56" at the beginning of in. */
static size_t header_parse(struct bytes in, struct stamp *out)
{
	struct reader r = { .left = in };
	struct stamp s = { 0 };
	struct bytes month = reader_take(&r, 3);

	for (unsigned i = 0; i < 12; i++) {
		if (bytes_eq(month, months[i]))
			s.first = i + 1;
	}
	if (s.first == 0)
		return 0;
	sign(&r, ' ');
	if (r.left.len && r.left.at[0] == ' ')
		reader_u8(&r);
	s.second = digits(&r, r.left.len > 1 && r.left.at[1] == ' ' ? 1 : 2);
	sign(&r, ' ');
	clock_time(&r, &s);
	if (r.failed)
		return 0;
	s.year_front = true;
	*out = s;
	return in.len - r.left.len;
}

/* Behind a word that may be an unknown zone: a host stands there, not yet the engine ("0-PPE-0") or the colon. */
static bool host_follows(struct bytes in)
{
	struct bytes w = bytes_trim(in);

	w.len = word_len(w);
	return w.len && !bytes_eq(w, BYTES(":")) && bytes_find(w, BYTES("PPE-")) == SIZE_MAX;
}

static void own_stamp(struct head *h, struct bytes in, size_t used)
{
	struct stamp *s = &h->stamp;

	h->has_stamp = true;
	h->rest = bytes_cut(in, used, in.len);
	if (s->unknown_zone) {
		struct bytes behind = bytes_cut(h->rest, 1 + s->zone_name.len, h->rest.len);
		if (host_follows(behind))
			h->rest = behind;
		else
			s->unknown_zone = false;
	}
}

/* The appliance's own date stands within the first words: priority, header, facility, address or host, date. */
#define HEAD_WORDS 9

void head_parse(struct bytes line, struct head *out)
{
	struct bytes in = line;
	size_t used;

	*out = (struct head){ .rest = line };
	for (unsigned word = 0; word < HEAD_WORDS; word++) {
		in = bytes_trim(in);
		if (in.len == 0 || (in.at[0] == ':' && (in.len == 1 || in.at[1] == ' ')))
			return;
		if (in.at[0] == '<' &&
			word < 2) { /* <134>, <local0.info>: the date may follow without a space */
			size_t end = bytes_find_byte(bytes_cut(in, 0, 32), '>');
			if (end != SIZE_MAX) {
				in = bytes_cut(in, end + 1, in.len);
				continue;
			}
		}
		if (in.at[0] >= '0' && in.at[0] <= '9' && (used = stamp_parse(in, &out->stamp))) {
			own_stamp(out, in, used);
			/* RFC 3339 in front is syslog's own; the appliance's date may still come. */
			if (!out->stamp.year_front || in.at[4] != '-')
				return;
			in = out->rest;
			continue;
		}
		if (!out->has_header && !out->has_stamp && (used = header_parse(in, &out->header))) {
			out->has_header = true;
			in = bytes_cut(in, used, in.len);
			out->rest = in;
			continue;
		}
		in = bytes_cut(in, word_len(in), in.len);
		if (in.len && (in.at[0] == '"' || in.at[0] == '\\'))
			return;
	}
}

enum nslog_order stamp_certain(const struct stamp *s)
{
	if (s->year_front)
		return NSLOG_ORDER_UNKNOWN;
	if (s->first > 12 && s->first <= 31 && s->second >= 1 && s->second <= 12)
		return NSLOG_DAY_FIRST;
	if (s->second > 12 && s->second <= 31 && s->first >= 1 && s->first <= 12)
		return NSLOG_MONTH_FIRST;
	return NSLOG_ORDER_UNKNOWN;
}

static bool is_leap(unsigned y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const unsigned char days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	static const uint16_t before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int64_t y = (int64_t)year - 1;
	int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;

	return days + before[month - 1] + (month > 2 && is_leap(year) ? 1 : 0) + day - 1;
}

unsigned year_of(int64_t days)
{
	unsigned y = (unsigned)(1970 + days / 366);

	while (days_of(y + 1, 1, 1) <= days)
		y++;
	return y;
}

bool stamp_days(const struct stamp *s, enum nslog_order order, int64_t *days)
{
	bool day_first = !s->year_front && order == NSLOG_DAY_FIRST;
	unsigned month = day_first ? s->second : s->first, day = day_first ? s->first : s->second;

	if (s->year < 1970 || s->year > 2100 || month < 1 || month > 12 || day < 1 ||
		day > month_days(s->year, month))
		return false;
	*days = days_of(s->year, month, day);
	return true;
}

bool stamp_us(const struct stamp *s, enum nslog_order order, int zone_minutes, uint64_t *out)
{
	int64_t days, us;

	/* 60: a leap second. */
	if (!stamp_days(s, order, &days) || s->hour > 23 || s->minute > 59 || s->second_of > 60)
		return false;
	us = days * DAY_US + ((int64_t)s->hour * 3600 + s->minute * 60 + s->second_of) * 1000000 + s->us;
	us -= (s->has_zone ? s->zone_minutes : zone_minutes) * 60000000LL;
	if (us < 0)
		return false;
	*out = (uint64_t)us;
	return true;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

enum err nslog_when(struct bytes in, uint64_t near_us, uint64_t *at_us, size_t *used)
{
	uint64_t month_first = 0, day_first = 0;
	struct head h = { 0 };
	size_t n = stamp_parse(in, &h.stamp);
	bool is_month_first, is_day_first;

	if (n == 0)
		return ERR_SYNTAX;
	own_stamp(&h, in, n);
	is_month_first = stamp_us(&h.stamp, NSLOG_MONTH_FIRST, 0, &month_first);
	is_day_first = stamp_us(&h.stamp, NSLOG_DAY_FIRST, 0, &day_first);
	if (!is_month_first && !is_day_first)
		return ERR_SYNTAX;
	if (!is_month_first || (is_day_first && apart(day_first, near_us) < apart(month_first, near_us)))
		*at_us = day_first;
	else
		*at_us = month_first;
	*used = in.len - h.rest.len;
	return OK;
}

enum err nslog_when_header(struct bytes in, uint64_t near_us, uint64_t *at_us, size_t *used)
{
	unsigned year = near_us / DAY_US > 50000 ? 2100 : year_of((int64_t)(near_us / DAY_US));
	bool is_known = false;
	uint64_t best = 0, at;
	struct stamp s;
	size_t n = header_parse(in, &s);

	if (n == 0)
		return ERR_SYNTAX;
	/* Four years to each side: the 29th of February is not in every year. */
	for (s.year = year < 1974 ? 1970 : year - 4; s.year <= year + 4; s.year++) {
		if (!stamp_us(&s, NSLOG_MONTH_FIRST, 0, &at))
			continue;
		if (!is_known || apart(at, near_us) < apart(best, near_us))
			best = at;
		is_known = true;
	}
	if (!is_known)
		return ERR_SYNTAX;
	*at_us = best;
	*used = n;
	return OK;
}
