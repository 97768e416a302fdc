/* Reading and writing time. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t clock_us(clockid_t id)
{
	struct timespec ts;

	CHECK(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t clock_real_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

static void clock_parts(uint64_t real_us, struct tm *tm)
{
	time_t s = (time_t)(real_us / 1000000);

	CHECK(gmtime_r(&s, tm) != NULL);
}

void clock_rfc3339(uint64_t real_us, char out[25])
{
	struct tm tm;
	char buf[64];

	clock_parts(real_us, &tm);
	snprintf(buf, sizeof buf, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(real_us / 1000 % 1000));
	memcpy(out, buf, 24);
	out[24] = 0;
}

void clock_imf(uint64_t real_us, char out[30])
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
		"Nov", "Dec" };
	struct tm tm;
	char buf[64];

	clock_parts(real_us, &tm);
	snprintf(buf, sizeof buf, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
		months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(out, buf, 29);
	out[29] = 0;
}
