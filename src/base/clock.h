/* The two clocks. Only roles/, loop/ and cli/ read them; engines are told the time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_us(void); /* CLOCK_MONOTONIC: for intervals and deadlines */
uint64_t clock_real_us(void); /* CLOCK_REALTIME: microseconds since 1970, for records */
/* RFC 3339 in UTC with milliseconds, "2020-01-09T12:00:00.000Z": 24 bytes and a NUL into out[25]. */
void clock_rfc3339(uint64_t real_us, char out[25]);
/* IMF-fixdate of RFC 9110 5.6.7, "Sun, 06 Nov 1994 08:49:37 GMT": 29 bytes and a NUL into out[30]. */
void clock_imf(uint64_t real_us, char out[30]);

#endif
