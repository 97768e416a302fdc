/* Days and clock times out of a log's digits. */
#ifndef HUNT_STAMP_PRIV_H
#define HUNT_STAMP_PRIV_H

#include "base/bytes.h"
#include "base/err.h"

struct civil {
	unsigned year, month, day, hour, minute, second;
};
/* 1 to 12 of "Jan", any case; 0: none. */
unsigned civil_month(struct bytes name);
/* n digits at offset at; a space in front counts as 0. */
bool civil_digits(struct bytes in, size_t at, size_t n, unsigned *out);
/* "12:34:56" at offset at. */
bool civil_clock(struct bytes in, size_t at, struct civil *c);
/* ERR_SYNTAX: there is no such day, or it is before 1970. */
enum err civil_us(const struct civil *c, int zone_minutes, uint64_t *out) MUST_USE;
unsigned civil_year(uint64_t us);

#endif
