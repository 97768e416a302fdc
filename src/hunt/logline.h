/* Lines of the appliance's other logs: the web server's error log, and what syslog writes (shell, notice, cron) without a year. Bytes
 * in, views out. */
#ifndef HUNT_LOGLINE_H
#define HUNT_LOGLINE_H

#include "base/bytes.h"
#include "base/err.h"

/* "[Thu Jan 09 12:34:56 2020] [error] [client 203.0.113.7] words", of newer servers "[... 12:34:56.123456 2020] [core:error] [pid 7]
 * [client 203.0.113.7:4711] words". Lines of programs that the server ran have no head: ERR_SYNTAX. */
struct errorlog {
	uint64_t at_us; /* as UTC: the zone is not written */
	struct bytes client;
};
enum err errorlog_parse(struct bytes line, struct errorlog *out) MUST_USE;

/* "Jan  9 12:34:56 <local7.notice> ns bash[123]: nsroot on /dev/pts/0 shell_command="ls"", and of cron "(nobody) CMD (words)". */
struct syslog_line {
	unsigned month, day, hour, minute, second; /* no year, no zone */
	struct bytes program, message;		   /* bash; what stands behind the colon */
	struct bytes user, command;		   /* empty: not of these forms */
};
enum err syslog_parse(struct bytes line, struct syslog_line *out) MUST_USE;
/* The month alone, 1 to 12, of a line that begins with a syslog date; 0: it does not. */
unsigned syslog_month(struct bytes line);
/* The moment in a year; ERR_SYNTAX: that year has no such day. */
enum err syslog_at(const struct syslog_line *l, unsigned year, uint64_t *out) MUST_USE;
/* The year of a line: the log's last line is not after the file's last change (a day more is allowed, for zones), and turns is how often
 * the year turned between the line and the end of the file. 0: mtime_us is not known. */
unsigned syslog_year(uint64_t mtime_us, const struct syslog_line *last, unsigned turns);

#endif
