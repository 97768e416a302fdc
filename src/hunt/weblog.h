/* A line of the appliance's web access log: combined, combined_resptime (with a process number and a time behind), and the same with
 * the client's address in front of an arrow; and a request's path as the appliance understood it. Bytes in, views out. */
#ifndef HUNT_WEBLOG_H
#define HUNT_WEBLOG_H

#include "base/text.h"

struct weblog {
	uint64_t at_us;	     /* since 1970, UTC */
	struct bytes client; /* the true client where the format tells it */
	struct bytes user;   /* empty: none */
	struct bytes request, method, target, protocol; /* request: all between the quotes */
	unsigned status;     /* 0: not there */
	uint64_t size;
	struct bytes referer, user_agent;
};

/* All are views of line, escapes (\", \xNN) as they stand. ERR_SYNTAX: no time or no request in quotes. */
enum err weblog_parse(struct bytes line, struct weblog *out) MUST_USE;
/* "[09/Jan/2020:12:34:56 +0100]": microseconds since 1970. ERR_SYNTAX: there is no such time. */
enum err weblog_time(struct bytes in, uint64_t *out) MUST_USE;

/* The path of target (without query), percent-encoding taken off until nothing changes (at most 5 times), the log's own escapes (\xNN)
 * too, and http://host in front. out gets at most in.len octets. */
void weblog_decode(struct bytes target, struct text *out);
/* The same with all of the target, query included. */
void weblog_decode_all(struct bytes target, struct text *out);
/* Dot segments and empty segments taken out of a decoded path; out gets at most in.len + 1 octets. */
void weblog_clean(struct bytes path, struct text *out);

#endif
