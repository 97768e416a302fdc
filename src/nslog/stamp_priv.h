/* Dates, times and zones as an appliance and its syslog write them, and the head of a line that they stand in. */
#ifndef NSLOG_STAMP_PRIV_H
#define NSLOG_STAMP_PRIV_H

#include "nslog/nslog.h"

struct stamp {
	/* First and second number of the date as written. year_front: year, month, day. In a header year is 0. */
	unsigned first, second, year;
	unsigned hour, minute, second_of, us;
	bool year_front;
	bool has_zone, unknown_zone;
	int zone_minutes;
	struct bytes zone_name; /* of an unknown zone */
};

/* The head of a line: "Jan  9 12:34:56 <local0.info> host 01/09/2020:12:34:56 GMT", each part may be missing. */
struct head {
	bool has_stamp, has_header;
	struct stamp stamp;  /* the line's own date */
	struct stamp header; /* syslog's, without a year: first is the month */
	struct bytes rest;   /* what comes behind */
};
void head_parse(struct bytes line, struct head *out);

/* "01/09/2020:12:34:56 GMT" at the beginning of in: how many octets it takes, 0 when there is none. The zone is taken if it
 * is one that is known; a word that may be an unknown zone is only named. */
size_t stamp_parse(struct bytes in, struct stamp *out);
/* Which order the numbers alone prove; NSLOG_ORDER_UNKNOWN: none, or there is nothing to prove. */
enum nslog_order stamp_certain(const struct stamp *s);
/* Days since 1970 in this order; false: there is no such day. */
bool stamp_days(const struct stamp *s, enum nslog_order order, int64_t *days);
/* The same as time, with the stamp's zone or else zone_minutes. False also before 1970 and after 2100. */
bool stamp_us(const struct stamp *s, enum nslog_order order, int zone_minutes, uint64_t *out);
int64_t days_of(unsigned year, unsigned month, unsigned day);
/* The year of a day since 1970. */
unsigned year_of(int64_t days);

#endif
