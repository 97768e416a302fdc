/* Which of the appliance's logs a message would be in, and how it would stand there. */
#include "watch/syslog.h"

#include "base/clock.h"
#include "hunt/logline.h"
#include "hunt/weblog.h"

static bool is_one_of(struct bytes program, const struct bytes *names, size_t count)
{
	struct bytes name = program;
	size_t slash;

	while ((slash = bytes_find_byte(name, '/')) != SIZE_MAX)
		name = bytes_cut(name, slash + 1, name.len);
	if (bytes_starts(name, BYTES("-"))) /* a login shell */
		name = bytes_cut(name, 1, name.len);
	for (size_t i = 0; i < count; i++)
		if (bytes_eq(name, names[i]))
			return true;
	return false;
}

static const char *log_name(const struct syslog_message *m)
{
	static const struct bytes shells[] = { LIT("bash"), LIT("sh"), LIT("csh"), LIT("tcsh") }, crons[] = { LIT("cron"), LIT("crond"), LIT("crontab") };
	struct errorlog error;
	struct weblog web;

	if (m->is_appliance)
		return "ns";
	if (is_one_of(m->program, shells, COUNT_OF(shells)))
		return "shell";
	if (is_one_of(m->program, crons, COUNT_OF(crons)))
		return "cron";
	if (weblog_parse(m->message, &web) == OK)
		return "access";
	return errorlog_parse(m->message, &error) == OK ? "error" : "notice";
}

int syslog_message_log(const struct syslog_message *m, const struct hunt_layout *layout)
{
	return hunt_layout_log_of(layout, log_name(m));
}

static void put_head(struct text *t, const struct syslog_message *m)
{
	static const char *const facilities[] = { "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
		"security", "console", "15", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7" };
	static const char *const severities[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char at[25];
	unsigned month;

	clock_rfc3339(m->at_us, at); /* 2020-01-09T12:00:00.000Z */
	month = (unsigned)(at[5] - '0') * 10 + (unsigned)(at[6] - '0');
	CHECK(m->facility < COUNT_OF(facilities) && m->severity < COUNT_OF(severities));
	text_add(t, bytes_of(months + (month - 1) * 3, 3));
	text_byte(t, ' ');
	text_byte(t, (unsigned char)(at[8] == '0' ? ' ' : at[8]));
	text_byte(t, (unsigned char)at[9]);
	text_byte(t, ' ');
	text_add(t, bytes_of(at + 11, 8));
	text_fmt(t, " <%s.%s> ", facilities[m->facility], severities[m->severity]);
}

static void put_escaped(struct text *t, struct bytes in)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = in.at[i];

		if ((c >= 32 && c != 127) || c == '\t') {
			text_byte(t, c);
			continue;
		}
		text_lit(t, "\\x");
		text_byte(t, (unsigned char)hex[c >> 4]);
		text_byte(t, (unsigned char)hex[c & 15]);
	}
}

void syslog_message_put_line(struct text *t, const struct syslog_message *m)
{
	const char *name = log_name(m);

	if (strcmp(name, "access") != 0 && strcmp(name, "error") != 0) {
		put_head(t, m);
		put_escaped(t, m->host.len ? m->host : BYTES("-"));
		text_byte(t, ' ');
		if (m->program.len) {
			put_escaped(t, m->program);
			if (m->pid.len) {
				text_byte(t, '[');
				put_escaped(t, m->pid);
				text_byte(t, ']');
			}
			text_lit(t, ": ");
		}
	}
	put_escaped(t, m->message);
}
