/* Any line as one of the error log or of syslog: what is taken out of it lies in it, and its times are times. */
#include "hunt/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_inside(struct bytes part, struct bytes whole)
{
	CHECK(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes line = bytes_of(data, size);
	struct syslog_line l;
	struct errorlog e;
	uint64_t at;

	if (errorlog_parse(line, &e) == OK)
		is_inside(e.client, line);
	if (syslog_parse(line, &l) != OK)
		return 0;
	CHECK(syslog_month(line) == l.month && l.month >= 1 && l.month <= 12);
	is_inside(l.program, line);
	is_inside(l.message, line);
	is_inside(l.user, line);
	is_inside(l.command, line);
	CHECK(syslog_at(&l, 2020, &at) != OK || at >= UINT64_C(1577836800000000));
	CHECK(syslog_year(0, &l, 3) == 0 && syslog_year(UINT64_C(1577836800000000), &l, 1) >= 2017);
	return 0;
}
