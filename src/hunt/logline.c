/* Heads are looked at octet by octet: a line that an attacker wrote may look like anything. */
#include "hunt/logline.h"

#include "hunt/stamp_priv.h"

#define DAY_US UINT64_C(86400000000)

enum err errorlog_parse(struct bytes line, struct errorlog *out)
{
	struct errorlog e = { 0 };
	struct civil c = { 0 };
	size_t end = bytes_find_byte(bytes_cut(line, 0, 64), ']'), at;
	struct bytes words;

	if (end == SIZE_MAX || end < 25 || line.at[0] != '[')
		return ERR_SYNTAX;
	c.month = civil_month(bytes_cut(line, 5, 8));
	if (!c.month || !civil_digits(line, 9, 2, &c.day) || !civil_clock(line, 12, &c) || line.at[end - 5] != ' ' ||
		!civil_digits(line, end - 4, 4, &c.year))
		return ERR_SYNTAX;
	TRY(civil_us(&c, 0, &e.at_us));
	words = bytes_cut(line, end, end + 200);
	at = bytes_find(words, BYTES("[client "));
	if (at != SIZE_MAX) {
		words = bytes_cut(words, at + 8, words.len);
		e.client = bytes_cut(words, 0, bytes_find_byte(words, ']'));
		at = bytes_find_byte(e.client, ':'); /* a port; an IPv6 address has more colons */
		if (at != SIZE_MAX && bytes_find_byte(bytes_cut(e.client, at + 1, e.client.len), ':') == SIZE_MAX)
			e.client = bytes_cut(e.client, 0, at);
	}
	*out = e;
	return OK;
}

unsigned syslog_month(struct bytes line)
{
	return line.len > 15 && line.at[3] == ' ' && line.at[6] == ' ' && line.at[9] == ':' ? civil_month(bytes_cut(line, 0, 3)) : 0;
}

/* "USER on TTY shell_command="WORDS"" or "(USER) CMD (WORDS)" */
static void split_command(struct syslog_line *l)
{
	size_t at = bytes_find(l->message, BYTES("shell_command=")), on, close;

	if (at != SIZE_MAX) {
		on = bytes_find(bytes_cut(l->message, 0, at), BYTES(" on "));
		if (on != SIZE_MAX)
			l->user = bytes_cut(l->message, 0, on);
		l->command = bytes_cut(l->message, at + 14, l->message.len);
		if (l->command.len && l->command.at[0] == '"')
			l->command = bytes_cut(l->command, 1, l->command.len - (l->command.len > 1 && bytes_ends(l->command, BYTES("\""))));
		return;
	}
	close = bytes_find(l->message, BYTES(") CMD "));
	if (close != SIZE_MAX && l->message.at[0] == '(') {
		l->user = bytes_cut(l->message, 1, close);
		l->command = bytes_cut(l->message, close + 6, l->message.len);
		if (bytes_starts(l->command, BYTES("(")) && bytes_ends(l->command, BYTES(")")))
			l->command = bytes_cut(l->command, 1, l->command.len - 1);
	}
}

enum err syslog_parse(struct bytes line, struct syslog_line *out)
{
	struct syslog_line l = { 0 };
	struct civil c = { 0 };
	struct bytes rest;
	size_t at;

	l.month = syslog_month(line);
	if (!l.month || !civil_digits(line, 4, 2, &l.day) || l.day < 1 || l.day > 31 || !civil_clock(line, 7, &c))
		return ERR_SYNTAX;
	l.hour = c.hour;
	l.minute = c.minute;
	l.second = c.second;
	rest = bytes_trim(bytes_cut(line, 15, line.len));
	if (rest.len && rest.at[0] == '<') /* facility and priority */
		rest = bytes_trim(bytes_cut(rest, bytes_find_byte(rest, '>') == SIZE_MAX ? 0 : bytes_find_byte(rest, '>') + 1, rest.len));
	at = bytes_find(rest, BYTES(": "));
	if (at != SIZE_MAX) {
		struct bytes head = bytes_cut(rest, 0, at);

		for (size_t i = head.len; i-- > 0;)
			if (head.at[i] == ' ') {
				head = bytes_cut(head, i + 1, head.len);
				break;
			}
		l.program = bytes_cut(head, 0, bytes_find_byte(head, '['));
		l.message = bytes_trim(bytes_cut(rest, at + 2, rest.len));
	} else {
		l.message = rest;
	}
	split_command(&l);
	*out = l;
	return OK;
}

enum err syslog_at(const struct syslog_line *l, unsigned year, uint64_t *out)
{
	const struct civil c = { year, l->month, l->day, l->hour, l->minute, l->second };

	return civil_us(&c, 0, out);
}

unsigned syslog_year(uint64_t mtime_us, const struct syslog_line *last, unsigned turns)
{
	unsigned year = civil_year(mtime_us);
	uint64_t at;

	if (!mtime_us)
		return 0;
	if (syslog_at(last, year, &at) != OK || at > mtime_us + DAY_US)
		year--;
	if (syslog_at(last, year + 1, &at) == OK && at <= mtime_us + DAY_US) /* written on the first day, changed on the last */
		year++;
	return year > turns ? year - turns : 0;
}
