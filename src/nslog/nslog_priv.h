/* What survey, reader and records share: one object with one line's memory. */
#ifndef NSLOG_NSLOG_PRIV_H
#define NSLOG_NSLOG_PRIV_H

#include "nslog/lines_priv.h"
#include "nslog/stamp_priv.h"

#include "base/text.h"

/* Which order holds now: one line that proves the other may be damaged, two in a row are a changed setting. */
struct order_track {
	enum nslog_order now;
	unsigned proofs, against;
	uint64_t line, against_line;
};
/* *changed: the line from which on the other order holds, or 0. Leaves now as it is without proof. */
void order_step(struct order_track *t, const struct stamp *s, uint64_t line, uint64_t *changed);

/* One way of reading the ambiguous dates of a file. */
struct reading {
	bool any;
	int64_t last_days;
	uint64_t backs, leaps, futures, headers;
};

struct survey {
	uint64_t mtime_us, lines, bytes;
	struct order_track track;
	enum nslog_order order; /* that of the first proof that held */
	uint64_t order_line, changes_line;
	bool any, differs;         /* dates with the year behind; any of them with two different numbers */
	struct reading reading[2]; /* month first, day first */
	bool header_any;
	int wraps; /* ends of years among headers that stand alone */
	struct stamp header_last;
	bool dated, own_any;
	struct stamp first, last, first_own; /* year 0: header */
	int first_wraps, last_wraps;
};

struct nslog {
	struct nslog_options o;
	struct lines lines;
	struct survey survey;
	/* the second pass */
	struct nslog_report report;
	struct bytes file;
	nslog_on_event *on;
	void *arg;
	struct order_track track;
	uint64_t near_us; /* of the nearest line with a date of its own; 0: none */
	int header_year;
	struct stamp header_last;
	uint64_t before_us;
	unsigned char scratch[1024];
};

/* +1 when between two headers' days a year ended, -1 when it runs back over one, else 0. */
int header_wrap(const struct stamp *before, const struct stamp *now);

/* What a record is made of besides its line. */
struct line_context {
	enum nslog_order order;
	int zone_minutes; /* for times without a zone: the line's, or else the caller's */
	struct text *scratch;
};
/* A line's text behind its date: NSLOG_DAMAGE_COUNT and *wanted, or what is damaged. The event's at_us and the fields of
 * the line are set by the caller. */
enum nslog_damage record_parse(
	struct bytes rest, const struct line_context *c, struct nslog_event *e, bool *wanted);

#endif
