/* Syslog messages from the network: RFC 5424, RFC 3164 as it is really sent, and the form of NetScalers; out of datagrams and
 * streams (RFC 6587, RFC 5425); and back as the lines of the appliance's own logs, so that the hunt reads them. Bytes in, views
 * out: no socket and no clock. */
#ifndef WATCH_SYSLOG_H
#define WATCH_SYSLOG_H

#include "base/text.h"
#include "hunt/layout.h"

#define SYSLOG_MESSAGE_MAX 8192

struct syslog_message {
	unsigned facility, severity; /* 0 to 23, 0 to 7: RFC 5424 6.2.1 */
	uint64_t at_us;		     /* since 1970, UTC; when it came, where has_time is false */
	bool has_time, has_year;     /* has_year: it is written in the message, not guessed */
	bool is_appliance;	     /* a NetScaler's own form: message begins with its date, as in ns.log */
	/* Views of the message; empty: not there. host may be an address. message is what a person would read, without BOM. */
	struct bytes host, program, pid, msgid, message;
};

/* in: one message, as a datagram or a frame holds it; a line's end or zeros behind it are passed over. now_us: when it came, for the
 * years of RFC 3164 and for dates whose order of day and month is open: the nearest is taken. ERR_SYNTAX: no priority in front
 * (RFC 5424 6.2.1), or a version's number and then no RFC 5424; ERR_UNSUPPORTED: a version that is not 1. */
enum err syslog_message_parse(struct bytes in, uint64_t now_us, struct syslog_message *out) MUST_USE;

/* --- streams --- */

enum syslog_framing { SYSLOG_UNDECIDED, SYSLOG_COUNTED, SYSLOG_LINES };
/* One per connection; all of it is the caller's memory. */
struct syslog_frames {
	enum syslog_framing framing;
	const char *reason;	   /* why the connection must end, in English; NULL: it need not */
	uint64_t messages, cut;	   /* cut: messages longer than SYSLOG_MESSAGE_MAX, of which the beginning was told */
	uint64_t passed_over;	   /* octets of those that were not */
	size_t left;		   /* of a counted frame: octets to come */
	unsigned digits;	   /* of the count that is being read */
	bool is_counting, is_cut;
	size_t len;
	unsigned char mem[SYSLOG_MESSAGE_MAX];
};

/* message: a view that ends with the call, never empty. */
typedef void syslog_on_message(void *ctx, struct bytes message);

void syslog_frames_init(struct syslog_frames *f);
/* Any piece of the stream. Its first octet decides: a digit is octet counting (RFC 6587 3.4.1, RFC 5425 4.3), "<" is messages that end
 * with a line feed (RFC 6587 3.4.2). ERR_SYNTAX and ERR_LIMIT: no frame, see f->reason; nothing can follow. */
enum err syslog_frames_feed(struct syslog_frames *f, struct bytes piece, syslog_on_message *on, void *ctx) MUST_USE;
/* The stream has ended: tells a last message without a line feed. ERR_SYNTAX: in the middle of a counted frame, which is not told. */
enum err syslog_frames_end(struct syslog_frames *f, syslog_on_message *on, void *ctx) MUST_USE;

/* --- the appliance's logs --- */

/* The log of the layout that the appliance itself would have written it to: access, error, shell, cron, ns or notice. -1: the layout
 * has no such log. */
int syslog_message_log(const struct syslog_message *m, const struct hunt_layout *layout);
/* The line, without a line feed: a web server's line is the message alone, all others have "Jan  9 12:34:56 <local7.notice> host
 * bash[123]: " in front, in UTC. Control characters but tabs are \xNN, so that one message is one line. */
void syslog_message_put_line(struct text *t, const struct syslog_message *m);

#endif
