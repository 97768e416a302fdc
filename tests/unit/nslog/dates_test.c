/* How a file's dates are read: the order of day and month, zones, and years that no line tells. */
#include "nslog/nslog.h"

#include "base/clock.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UP " ns 0-PPE-0 : default EVENT DEVICEUP 1 0 :  Device \"x\" - State UP\n"
#define L(date) "<134> " date UP
#define DAY_US 86400000000ULL
#define JAN_2020 1577836800000000ULL /* 2020-01-01T00:00:00Z */

static void on_event(void *arg, const struct nslog_event *e)
{
	char at[25];

	clock_rfc3339(e->at_us, at);
	text_fmt(arg, "%.19s ", at);
}

static const struct {
	const char *why;
	struct bytes text;
	uint64_t mtime_us;
	enum nslog_order order;
	enum nslog_order_how how;
	uint64_t line, changes;
	struct bytes want; /* the events' times */
} orders[] = {
	{ "a day over 12 in second place", LIT(L("01/09/2020:10:00:00 GMT") L("01/13/2020:10:00:00 GMT")), 0,
		NSLOG_MONTH_FIRST, NSLOG_HOW_CERTAIN, 2, 0, LIT("2020-01-09T10:00:00 2020-01-13T10:00:00 ") },
	{ "a day over 12 in first place", LIT(L("09/01/2020:10:00:00 GMT") L("13/01/2020:10:00:00 GMT")), 0,
		NSLOG_DAY_FIRST, NSLOG_HOW_CERTAIN, 2, 0, LIT("2020-01-09T10:00:00 2020-01-13T10:00:00 ") },
	{ "syslog's header tells the month", LIT("Jan  9 10:00:00 <local0.info> h 09/01/2020:10:00:00 GMT" UP), 0,
		NSLOG_DAY_FIRST, NSLOG_HOW_HEADER, 0, 0, LIT("2020-01-09T10:00:00 ") },
	{ "a collector's header that is one day on", LIT("Jan 10 00:00:00 h 01/09/2020:23:59:59 GMT" UP), 0,
		NSLOG_MONTH_FIRST, NSLOG_HOW_HEADER, 0, 0, LIT("2020-01-09T23:59:59 ") },
	{ "a header that is one day behind", LIT("Jan  9 23:59:59 h 01/10/2020:00:00:01 GMT" UP), 0, NSLOG_MONTH_FIRST,
		NSLOG_HOW_HEADER, 0, 0, LIT("2020-01-10T00:00:01 ") },
	{ "one reading lies in the future", LIT(L("09/01/2020:10:00:00 GMT")), JAN_2020 + 40 * DAY_US,
		NSLOG_DAY_FIRST, NSLOG_HOW_FUTURE, 0, 0, LIT("2020-01-09T10:00:00 ") },
	{ "one reading runs backwards", LIT(L("11/01/2020:10:00:00 GMT") L("12/01/2020:10:00:00 GMT") L("01/02/2020:10:00:00 GMT")),
		0, NSLOG_DAY_FIRST, NSLOG_HOW_MONOTONE, 0, 0,
		LIT("2020-01-11T10:00:00 2020-01-12T10:00:00 2020-02-01T10:00:00 ") },
	{ "one reading leaps from month to month", LIT(L("01/02/2020:10:00:00 GMT") L("01/03/2020:10:00:00 GMT")), 0,
		NSLOG_MONTH_FIRST, NSLOG_HOW_STEADY, 0, 0, LIT("2020-01-02T10:00:00 2020-01-03T10:00:00 ") },
	{ "one reading ends where the file was changed last", LIT(L("02/01/2020:10:00:00 GMT")), JAN_2020 + 31 * DAY_US + DAY_US / 2,
		NSLOG_MONTH_FIRST, NSLOG_HOW_MTIME, 0, 0, LIT("2020-02-01T10:00:00 ") },
	{ "either way the same", LIT(L("02/02/2020:10:00:00 GMT")), 0, NSLOG_MONTH_FIRST, NSLOG_HOW_SAME, 0, 0,
		LIT("2020-02-02T10:00:00 ") },
	{ "nothing tells", LIT(L("01/09/2020:10:00:00 GMT")), 0, NSLOG_MONTH_FIRST, NSLOG_HOW_AMBIGUOUS, 0, 0,
		LIT("2020-01-09T10:00:00 ") },
	{ "the year in front needs no order", LIT(L("2020/01/09:10:00:00 GMT") "2020-01-09T11:00:00.5+01:00 h nsd : x\n"), 0,
		NSLOG_ORDER_UNKNOWN, NSLOG_HOW_NONE, 0, 0, LIT("2020-01-09T10:00:00 ") },
	{ "the setting was changed: what follows is read the new way", LIT(L("01/13/2020:10:00:00 GMT") L("01/14/2020:10:00:00 GMT")
		L("15/01/2020:10:00:00 GMT") L("16/01/2020:10:00:00 GMT") L("17/01/2020:10:00:00 GMT") L("01/02/2020:10:00:00 GMT")),
		0, NSLOG_MONTH_FIRST, NSLOG_HOW_CERTAIN, 1, 3,
		LIT("2020-01-13T10:00:00 2020-01-14T10:00:00 2020-01-15T10:00:00 2020-01-16T10:00:00 2020-01-17T10:00:00 "
		"2020-02-01T10:00:00 ") },
	{ "one line that denies all others is damaged, not a change", LIT(L("01/13/2020:10:00:00 GMT") L("14/01/2020:10:00:00 GMT")
		L("01/09/2020:10:00:00 GMT") L("01/15/2020:10:00:00 GMT")), 0, NSLOG_MONTH_FIRST, NSLOG_HOW_CERTAIN, 1, 0,
		LIT("2020-01-13T10:00:00 2020-01-14T10:00:00 2020-01-09T10:00:00 2020-01-15T10:00:00 ") },
	{ "nor when it is the first", LIT(L("14/01/2020:10:00:00 GMT") L("01/15/2020:10:00:00 GMT") L("01/16/2020:10:00:00 GMT")
		L("01/09/2020:10:00:00 GMT")), 0, NSLOG_MONTH_FIRST, NSLOG_HOW_CERTAIN, 2, 0,
		LIT("2020-01-14T10:00:00 2020-01-15T10:00:00 2020-01-16T10:00:00 2020-01-09T10:00:00 ") },
};

static struct nslog_dates read_all(const struct nslog_options *o, struct bytes text, uint64_t mtime, struct text *out,
	struct nslog_report *report)
{
	struct nslog *n = nslog_new(o);
	struct nslog_dates d;

	nslog_survey_begin(n, mtime);
	nslog_survey_feed(n, text);
	nslog_survey_end(n, &d);
	nslog_file_begin(n, BYTES("x"), &d, on_event, out);
	nslog_feed(n, text);
	nslog_file_end(n, false);
	*report = *nslog_report(n);
	nslog_free(&n);
	return d;
}

static void test_orders(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		unsigned char mem[512];
		struct nslog_report r;
		struct nslog_dates d;
		struct text t;
		text_init(&t, mem, sizeof(mem));
		d = read_all(&(struct nslog_options){ 0 }, orders[i].text, orders[i].mtime_us, &t, &r);
		if (d.order != orders[i].order || d.how != orders[i].how)
			fail_msg("%s: %s, %s", orders[i].why, nslog_order_name(d.order), nslog_order_how_name(d.how));
		if (d.line != orders[i].line || d.changes_line != orders[i].changes)
			fail_msg("%s: line %d, %d", orders[i].why, (int)d.line, (int)d.changes_line);
		if (!bytes_eq(text_bytes(&t), orders[i].want))
			fail_msg("%s: %.*s", orders[i].why, FMT(text_bytes(&t)));
	}
}

static void on_start(void *arg, const struct nslog_event *e)
{
	uint64_t *us = arg;

	us[0] = e->start_us;
	us[1] = e->end_us;
}

/* Times within a record are read as its line's. */
static void test_times_within(void **state)
{
	struct bytes text = LIT("<134> 13/01/2020:10:00:00 GMT ns 0-PPE-0 : default EVENT X 1 0 : y\n<134> 03/02/2020:10:00:00 GMT ns "
		"0-PPE-0 : default TCP CONN_TERMINATE 1 0 : Source 10.0.0.3:1025 - Destination 10.0.0.1:80 - Start Time "
		"01/02/2020:00:00:00 GMT - End Time 02/02/2020:00:00:00 GMT - Total_bytes_send 1 - Total_bytes_recv 2\n");
	struct nslog *n = nslog_new(&(struct nslog_options){ 0 });
	struct nslog_dates d;
	uint64_t us[2] = { 0 };

	(void)state;
	nslog_survey_begin(n, 0);
	nslog_survey_feed(n, text);
	nslog_survey_end(n, &d);
	nslog_file_begin(n, BYTES("x"), &d, on_start, us);
	nslog_feed(n, text);
	nslog_file_end(n, false);
	assert_int_equal(us[0], JAN_2020 + 31 * DAY_US);
	assert_int_equal(us[1], JAN_2020 + 32 * DAY_US);
	nslog_free(&n);
}

static void test_order_given(void **state)
{
	const struct nslog_options o = { .order = NSLOG_DAY_FIRST };
	unsigned char mem[512];
	struct nslog_report r;
	struct nslog_dates d;
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	d = read_all(&o, BYTES(L("01/09/2020:10:00:00 GMT") L("01/13/2020:10:00:00 GMT")), 0, &t, &r);
	assert_int_equal(d.how, NSLOG_HOW_GIVEN);
	assert_memory_equal(mem, "2020-09-01T10:00:00 ", t.len);
	assert_int_equal(r.damaged[NSLOG_BAD_TIME], 1); /* what the caller says holds, and what denies it is said */
}

static const struct {
	const char *why;
	struct bytes text;
	int zone; /* the caller's; 999: none given */
	uint64_t written, missing, unknown;
	struct bytes want;
} zones[] = {
	{ "GMT", LIT(L("01/13/2020:10:00:00 GMT")), 999, 1, 0, 0, LIT("2020-01-13T10:00:00 ") },
	{ "summer in Amsterdam", LIT(L("07/13/2020:10:00:00 CEST")), 999, 1, 0, 0, LIT("2020-07-13T08:00:00 ") },
	{ "an offset", LIT(L("01/13/2020:10:00:00 +01:00")), 999, 1, 0, 0, LIT("2020-01-13T09:00:00 ") },
	{ "an offset without a colon, over midnight", LIT(L("01/13/2020:20:00:00 -0530")), 999, 1, 0, 0, LIT("2020-01-14T01:30:00 ") },
	{ "an offset behind GMT", LIT(L("01/13/2020:10:00:00 GMT+02:00")), 999, 1, 0, 0, LIT("2020-01-13T08:00:00 ") },
	{ "a written zone beats the caller's", LIT(L("01/13/2020:10:00:00 GMT")), 60, 1, 0, 0, LIT("2020-01-13T10:00:00 ") },
	{ "none: UTC", LIT(L("01/13/2020:10:00:00 ")), 999, 0, 1, 0, LIT("2020-01-13T10:00:00 ") },
	{ "none: the caller's", LIT(L("01/13/2020:10:00:00 ")), 60, 0, 1, 0, LIT("2020-01-13T09:00:00 ") },
	{ "a host in capitals is no zone", LIT("<134> 01/13/2020:10:00:00 NSX 0-PPE-0 : default EVENT DEVICEUP 1 0 : Device x - "
		"State UP\n"), 999, 0, 1, 0, LIT("2020-01-13T10:00:00 ") },
	{ "a zone that is not known", LIT(L("01/13/2020:10:00:00 IST")), 330, 0, 0, 1, LIT("2020-01-13T04:30:00 ") },
	{ "a collector's time in front: the appliance's own counts", LIT("<134>1 2020-01-13T13:00:05+01:00 h app - - - "
		"01/13/2020:10:00:00 GMT" UP), 999, 1, 0, 0, LIT("2020-01-13T10:00:00 ") },
	{ "a collector's time alone", LIT("2020-01-13T13:00:05+01:00 h" UP), 999, 1, 0, 0, LIT("2020-01-13T12:00:05 ") },
	{ "thousandths", LIT(L("01/13/2020:10:00:00.250 GMT")), 999, 1, 0, 0, LIT("2020-01-13T10:00:00 ") },
};

static void test_zones(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(zones); i++) {
		const struct nslog_options o = { .zone_given = zones[i].zone != 999, .zone_minutes = zones[i].zone };
		unsigned char mem[512];
		struct nslog_report r;
		struct text t;
		text_init(&t, mem, sizeof(mem));
		read_all(&o, zones[i].text, 0, &t, &r);
		if (!bytes_eq(text_bytes(&t), zones[i].want))
			fail_msg("%s: %.*s", zones[i].why, FMT(text_bytes(&t)));
		if (r.zone_written != zones[i].written || r.zone_missing != zones[i].missing || r.zone_unknown != zones[i].unknown)
			fail_msg("%s: counts", zones[i].why);
		if (r.zone_unknown)
			assert_string_equal(r.zone_name, "IST");
	}
}

#define HEAD(date) date " <local0.info> ns nsd : default EVENT DEVICEUP 1 0 : Device x - State UP\n"

static const struct {
	const char *why;
	struct bytes text;
	uint64_t mtime_us;
	uint64_t written, near, mtime, bad;
	struct bytes want;
} years[] = {
	{ "from the file's last change", LIT(HEAD("Jan  9 12:34:56")), JAN_2020 + 20 * DAY_US, 0, 0, 1, 0, LIT("2020-01-09T12:34:56 ") },
	{ "later than that: the year before", LIT(HEAD("Mar  9 12:34:56")), JAN_2020 + 20 * DAY_US, 0, 0, 1, 0,
		LIT("2019-03-09T12:34:56 ") },
	{ "a year ends within", LIT(HEAD("Dec 30 12:00:00") HEAD("Dec 31 23:59:59") HEAD("Jan  1 00:00:01")), JAN_2020 + 20 * DAY_US,
		0, 0, 3, 0, LIT("2019-12-30T12:00:00 2019-12-31T23:59:59 2020-01-01T00:00:01 ") },
	{ "and a late line of the old one", LIT(HEAD("Dec 31 23:59:59") HEAD("Jan  1 00:00:01") HEAD("Dec 31 23:59:58")
		HEAD("Jan  1 00:00:02")), JAN_2020 + DAY_US, 0, 0, 4, 0,
		LIT("2019-12-31T23:59:59 2020-01-01T00:00:01 2019-12-31T23:59:58 2020-01-01T00:00:02 ") },
	{ "29 February", LIT(HEAD("Feb 29 12:00:00")), JAN_2020 + 420 * DAY_US, 0, 0, 1, 0, LIT("2020-02-29T12:00:00 ") },
	{ "from a line with a date, whatever the file's time says", LIT(HEAD("Dec 31 23:00:00") L("01/01/2020:00:10:00 GMT")
		HEAD("Jan  1 00:20:00")), JAN_2020 + 2000 * DAY_US, 1, 2, 0, 0,
		LIT("2019-12-31T23:00:00 2020-01-01T00:10:00 2020-01-01T00:20:00 ") },
	{ "from the last of several such lines", LIT(L("01/13/2018:00:10:00 GMT") HEAD("Jan 14 00:20:00")
		L("01/13/2020:00:10:00 GMT") HEAD("Jan 14 00:20:00")), 0, 2, 2, 0, 0,
		LIT("2018-01-13T00:10:00 2018-01-14T00:20:00 2020-01-13T00:10:00 2020-01-14T00:20:00 ") },
	{ "neither", LIT(HEAD("Jan  9 12:34:56")), 0, 0, 0, 0, 1, LIT("") },
};

static void test_years(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(years); i++) {
		unsigned char mem[512];
		struct nslog_report r;
		struct text t;
		text_init(&t, mem, sizeof(mem));
		read_all(&(struct nslog_options){ 0 }, years[i].text, years[i].mtime_us, &t, &r);
		if (!bytes_eq(text_bytes(&t), years[i].want))
			fail_msg("%s: %.*s", years[i].why, FMT(text_bytes(&t)));
		if (r.years[NSLOG_YEAR_WRITTEN] != years[i].written || r.years[NSLOG_YEAR_NEAR] != years[i].near ||
			r.years[NSLOG_YEAR_MTIME] != years[i].mtime || r.damaged[NSLOG_BAD_TIME] != years[i].bad)
			fail_msg("%s: counts", years[i].why);
	}
}

/* What a file covers, and how often its time runs back. */
static void test_coverage(void **state)
{
	unsigned char mem[512];
	struct nslog_report r;
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	read_all(&(struct nslog_options){ 0 }, BYTES(L("01/13/2020:10:00:00 GMT") L("01/13/2020:09:59:30 GMT")
		L("01/13/2020:08:00:00 GMT") L("01/13/2020:11:00:00 GMT")), 0, &t, &r);
	assert_int_equal(r.backwards, 1);
	assert_int_equal(r.last_us - r.first_us, 3 * 3600 * 1000000ULL);
	assert_int_equal(r.lines, 4);
	assert_int_equal(r.events[NSLOG_HEALTH], 4);
}

/* Lines that come one by one. */
static void test_one_moment(void **state)
{
	static const struct {
		const char *why;
		struct bytes text;
		bool header;
		uint64_t near_us;
		const char *at; /* NULL: none */
		size_t used;
	} cases[] = {
		{ "month first, by its numbers", LIT("01/31/2020:12:34:56 GMT ns"), false, JAN_2020, "2020-01-31T12:34:56", 23 },
		{ "day first, by its numbers", LIT("31/01/2020:12:34:56 GMT ns"), false, JAN_2020, "2020-01-31T12:34:56", 23 },
		{ "either: the nearer", LIT("03/02/2020:00:00:00 GMT"), false, JAN_2020, "2020-02-03T00:00:00", 23 },
		{ "either: the nearer, later", LIT("03/02/2020:00:00:00 GMT"), false, JAN_2020 + 60 * DAY_US, "2020-03-02T00:00:00", 23 },
		{ "a zone that is not known", LIT("31/01/2020:12:34:56 IST ns 0-PPE-0 : x"), false, JAN_2020, "2020-01-31T12:34:56", 23 },
		{ "RFC 3339", LIT("2020-01-31T12:34:56+01:00"), false, 0, "2020-01-31T11:34:56", 25 },
		{ "no such day", LIT("31/02/2020:12:34:56 GMT"), false, JAN_2020, NULL, 0 },
		{ "no date", LIT("ns 0-PPE-0"), false, JAN_2020, NULL, 0 },
		{ "a year back", LIT("Dec 31 23:59:59 ns"), true, JAN_2020, "2019-12-31T23:59:59", 15 },
		{ "a year ahead: the sender's clock is fast", LIT("Jan  1 00:00:05 ns"), true, JAN_2020 - 1000000, "2020-01-01T00:00:05", 15 },
		{ "a leap day", LIT("Feb 29 12:00:00"), true, JAN_2020 - 300 * DAY_US, "2020-02-29T12:00:00", 15 },
		{ "no such day in any year", LIT("Feb 30 12:00:00"), true, JAN_2020, NULL, 0 },
		{ "the clock's beginning", LIT("Jan  1 00:00:05"), true, 0, "1970-01-01T00:00:05", 15 },
		{ "the clock's end", LIT("Jan  1 00:00:05"), true, UINT64_MAX, "2100-01-01T00:00:05", 15 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t at_us = 0;
		size_t used = 0;
		char at[25];
		enum err e = cases[i].header ? nslog_when_header(cases[i].text, cases[i].near_us, &at_us, &used)
					     : nslog_when(cases[i].text, cases[i].near_us, &at_us, &used);

		print_message("%s\n", cases[i].why);
		assert_int_equal(e, cases[i].at ? OK : ERR_SYNTAX);
		if (!cases[i].at)
			continue;
		clock_rfc3339(at_us, at);
		at[19] = 0;
		assert_string_equal(at, cases[i].at);
		assert_int_equal(used, cases[i].used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_times_within),
		cmocka_unit_test(test_order_given),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_years),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
