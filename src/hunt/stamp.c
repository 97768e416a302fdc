/* Every log of the appliance writes its times in another way; what they share is here. */
#include "hunt/stamp_priv.h"

#define SECOND UINT64_C(1000000)

unsigned civil_month(struct bytes name)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	if (name.len != 3)
		return 0;
	for (unsigned m = 0; m < 12; m++)
		if (bytes_eq_nocase(name, bytes_of(months + m * 3, 3)))
			return m + 1;
	return 0;
}

bool civil_digits(struct bytes in, size_t at, size_t n, unsigned *out)
{
	unsigned sum = 0;

	if (at > in.len || in.len - at < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned digit = in.at[at + i] == ' ' && i == 0 && n > 1 ? 0 : in.at[at + i] - (unsigned)'0';

		if (digit > 9)
			return false;
		sum = sum * 10 + digit;
	}
	*out = sum;
	return true;
}

bool civil_clock(struct bytes in, size_t at, struct civil *c)
{
	return in.len >= at + 8 && in.at[at + 2] == ':' && in.at[at + 5] == ':' && civil_digits(in, at, 2, &c->hour) &&
		civil_digits(in, at + 3, 2, &c->minute) && civil_digits(in, at + 6, 2, &c->second) && c->hour < 24 &&
		c->minute < 60 && c->second <= 60;
}

static bool is_leap(unsigned y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t days_before_year(unsigned year)
{
	int64_t y = (int64_t)year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

enum err civil_us(const struct civil *c, int zone_minutes, uint64_t *out)
{
	static const unsigned char lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t days, seconds;

	if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
		c->day > lengths[c->month - 1] + (c->month == 2 && is_leap(c->year) ? 1u : 0u))
		return ERR_SYNTAX;
	days = days_before_year(c->year) + c->day - 1;
	for (unsigned m = 1; m < c->month; m++)
		days += lengths[m - 1] + (m == 2 && is_leap(c->year) ? 1 : 0);
	seconds = days * 86400 + (int64_t)c->hour * 3600 + c->minute * 60 + c->second - (int64_t)zone_minutes * 60;
	if (seconds < 0)
		return ERR_SYNTAX;
	*out = (uint64_t)seconds * SECOND;
	return OK;
}

unsigned civil_year(uint64_t us)
{
	int64_t days = (int64_t)(us / (86400 * SECOND));
	unsigned y = (unsigned)(1970 + days / 366);

	while (days_before_year(y + 1) <= days)
		y++;
	return y;
}
