/* RFC 5424 is held to its grammar. RFC 3164 describes what was seen, not what is allowed: what is missing is left empty, and the rest
 * is the message. */
#include "watch/syslog.h"

#include "nslog/nslog.h"

#define PRIORITY_MAX 191
#define TAG_MAX	     64 /* RFC 3164 4.1.3 says 32; path names are sent as well */

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* PRINTUSASCII of RFC 5424 6. */
static bool is_printable(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < 33 || b.at[i] > 126)
			return false;
	return true;
}

/* "<134>": RFC 5424 6.2.1, without leading zeros. */
static enum err take_priority(struct bytes *in, struct syslog_message *m)
{
	size_t end = bytes_find_byte(bytes_cut(*in, 0, 5), '>');
	uint64_t n;

	if (end == SIZE_MAX || in->at[0] != '<' || bytes_u64(bytes_cut(*in, 1, end), &n) != OK || n > PRIORITY_MAX ||
		(end > 2 && in->at[1] == '0'))
		return ERR_SYNTAX;
	m->facility = (unsigned)n / 8;
	m->severity = (unsigned)n % 8;
	*in = bytes_cut(*in, end + 1, in->len);
	return OK;
}

/* A field of RFC 5424's header and the space behind it; "-" is empty. */
static enum err take_field(struct bytes *in, size_t most, struct bytes *out)
{
	size_t n = bytes_find_byte(*in, ' ');
	struct bytes field;

	if (n == SIZE_MAX || n == 0 || n > most || !is_printable(field = bytes_cut(*in, 0, n)))
		return ERR_SYNTAX;
	*out = bytes_eq(field, BYTES("-")) ? BYTES("") : field;
	*in = bytes_cut(*in, n + 1, in->len);
	return OK;
}

/* name="value" of RFC 5424 6.3.3; at is behind the space. Answers the offset behind it, SIZE_MAX: it is none. */
static size_t skip_parameter(struct bytes in, size_t at)
{
	size_t begin = at;

	while (at < in.len && in.at[at] > 32 && in.at[at] < 127 && in.at[at] != '=' && in.at[at] != '"' && in.at[at] != ']')
		at++;
	if (at == begin || in.len - at < 2 || in.at[at] != '=' || in.at[at + 1] != '"')
		return SIZE_MAX;
	for (at += 2; at < in.len; at++) {
		if (in.at[at] == '\\')
			at++;
		else if (in.at[at] == '"')
			return at + 1;
		else if (in.at[at] == ']')
			return SIZE_MAX;
	}
	return SIZE_MAX;
}

/* [id name="value" ...][...] or "-": RFC 5424 6.3. */
static enum err skip_structured(struct bytes *in)
{
	size_t at = 0;

	if (in->len && in->at[0] == '-') {
		*in = bytes_cut(*in, 1, in->len);
		return OK;
	}
	do {
		size_t begin = ++at;

		if (begin > in->len || in->at[begin - 1] != '[')
			return ERR_SYNTAX;
		while (at < in->len && in->at[at] > 32 && in->at[at] < 127 && in->at[at] != '=' && in->at[at] != '"' && in->at[at] != ']')
			at++;
		if (at == begin)
			return ERR_SYNTAX;
		while (at < in->len && in->at[at] == ' ') {
			at = skip_parameter(*in, at + 1);
			if (at == SIZE_MAX)
				return ERR_SYNTAX;
		}
		if (at >= in->len || in->at[at] != ']')
			return ERR_SYNTAX;
		at++;
	} while (at < in->len && in->at[at] == '[');
	*in = bytes_cut(*in, at, in->len);
	return OK;
}

/* RFC 5424 6.2.3: RFC 3339, with "T" and a zone. */
static bool is_zoned(struct bytes stamp)
{
	size_t n = stamp.len;

	return n >= 20 && stamp.at[4] == '-' && (stamp.at[n - 1] == 'Z' || ((stamp.at[n - 6] == '+' || stamp.at[n - 6] == '-') && stamp.at[n - 3] == ':'));
}

/* RFC 5424 6, behind "<PRI>1 ". */
static enum err parse_5424(struct bytes in, uint64_t now_us, struct syslog_message *m)
{
	struct bytes stamp;
	size_t used = 0;

	TRY(take_field(&in, 64, &stamp));
	if (stamp.len) {
		if (!is_zoned(stamp) || nslog_when(stamp, now_us, &m->at_us, &used) != OK || used != stamp.len)
			return ERR_SYNTAX;
		m->has_time = m->has_year = true;
	}
	TRY(take_field(&in, 255, &m->host));
	TRY(take_field(&in, 48, &m->program));
	TRY(take_field(&in, 128, &m->pid));
	TRY(take_field(&in, 32, &m->msgid));
	TRY(skip_structured(&in));
	if (in.len && in.at[0] != ' ')
		return ERR_SYNTAX;
	in = bytes_cut(in, 1, in.len);
	if (bytes_starts(in, BYTES("\xef\xbb\xbf"))) /* RFC 5424 6.4 */
		in = bytes_cut(in, 3, in.len);
	m->message = in;
	return OK;
}

/* "bash[123]: " or "bash: ": how many octets it takes; 0: in begins with none. */
static size_t take_tag(struct bytes in, struct syslog_message *m)
{
	struct bytes pid = { 0 };
	size_t n = 0, at, end;

	while (n < in.len && n < TAG_MAX && in.at[n] > 32 && in.at[n] < 127 && in.at[n] != '[' && in.at[n] != ':')
		n++;
	at = n;
	if (n == 0 || n == in.len)
		return 0;
	if (in.at[n] == '[') {
		end = bytes_find_byte(bytes_cut(in, n, n + TAG_MAX), ']');
		if (end == SIZE_MAX)
			return 0;
		pid = bytes_cut(in, n + 1, n + end);
		at = n + end + 1;
	}
	if (at >= in.len || in.at[at] != ':' || (at + 1 < in.len && in.at[at + 1] != ' ')) /* an IPv6 address has colons too */
		return 0;
	m->program = bytes_cut(in, 0, n);
	m->pid = pid;
	return at + 1;
}

static struct bytes first_word(struct bytes in)
{
	return bytes_cut(in, 0, bytes_find_byte(in, ' '));
}

/* A NetScaler's: what follows is as in ns.log, date included. */
static bool is_appliance_date(struct bytes in, uint64_t now_us, uint64_t *at_us, size_t *used)
{
	return in.len > 4 && is_digit(in.at[0]) && in.at[4] != '-' && nslog_when(in, now_us, at_us, used) == OK;
}

/* "host bash[123]: words" behind the time. FreeBSD's syslogd, which the appliance has, sends no host, or "Forwarded from host: ". */
static void split_rest(struct bytes in, uint64_t now_us, struct syslog_message *m)
{
	struct bytes behind;
	uint64_t at_us;
	size_t used;

	if (bytes_starts(in, BYTES("Forwarded from ")) && (used = take_tag(bytes_cut(in, 15, in.len), m)) != 0) {
		m->host = m->program;
		m->program = m->pid = BYTES("");
		in = bytes_trim(bytes_cut(in, 15 + used, in.len));
	}
	used = take_tag(in, m);
	if (used == 0 && m->host.len == 0) {
		behind = bytes_cut(in, first_word(in).len + 1, in.len);
		/* "198.51.100.7 - user [time]" is a web server's line: its client is no host of ours */
		if (!is_appliance_date(in, now_us, &at_us, &used) && behind.len && !bytes_starts(behind, BYTES("- ")) &&
			!bytes_starts(behind, BYTES("-> ")) && in.at[0] != '[') {
			m->host = first_word(in);
			in = behind;
		}
		used = take_tag(in, m);
	}
	m->message = bytes_trim(bytes_cut(in, used, in.len));
	if (is_appliance_date(m->message, now_us, &at_us, &used)) {
		m->is_appliance = m->has_time = m->has_year = true;
		m->at_us = at_us;
		behind = first_word(bytes_trim(bytes_cut(m->message, used, m->message.len)));
		if (behind.len && behind.at[0] != ':' && bytes_find(behind, BYTES("PPE-")) == SIZE_MAX)
			m->host = behind;
	}
}

/* RFC 3164 4.1, 4.3.2 and what is sent in its name. */
static void parse_3164(struct bytes in, uint64_t now_us, struct syslog_message *m)
{
	size_t used;

	in = bytes_trim(in);
	if (nslog_when_header(in, now_us, &m->at_us, &used) == OK) {
		m->has_time = true;
		in = bytes_trim(bytes_cut(in, used, in.len));
	} else if (in.len > 4 && in.at[4] == '-' && nslog_when(in, now_us, &m->at_us, &used) == OK) {
		m->has_time = m->has_year = true;
		in = bytes_trim(bytes_cut(in, used, in.len));
	} else if (!is_appliance_date(in, now_us, &m->at_us, &used)) {
		m->message = bytes_cut(in, take_tag(in, m), in.len);
		m->message = bytes_trim(m->message);
		return;
	}
	split_rest(in, now_us, m);
}

enum err syslog_message_parse(struct bytes in, uint64_t now_us, struct syslog_message *out)
{
	struct syslog_message m = { .at_us = now_us };
	size_t digits = 0;

	while (in.len && (in.at[in.len - 1] == '\n' || in.at[in.len - 1] == '\r' || in.at[in.len - 1] == 0))
		in.len--;
	TRY(take_priority(&in, &m));
	while (digits < in.len && digits < 3 && is_digit(in.at[digits]))
		digits++;
	/* RFC 5424 6.2.2; a date is no version */
	if (digits && in.at[0] != '0' && digits < in.len && in.at[digits] == ' ') {
		if (digits != 1 || in.at[0] != '1')
			return ERR_UNSUPPORTED;
		TRY(parse_5424(bytes_cut(in, 2, in.len), now_us, &m));
	} else {
		parse_3164(in, now_us, &m);
	}
	*out = m;
	return OK;
}
