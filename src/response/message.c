/* Nothing that a name or a verdict holds may end a field early: what has a control octet is refused, not cleaned. */
#include "response/message.h"

static bool is_plain(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < 0x20 || b.at[i] == 0x7f)
			return false;
	return true;
}

static bool is_ascii(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] >= 0x80)
			return false;
	return true;
}

static void put_hex(struct text *out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	text_byte(out, '=');
	text_byte(out, (unsigned char)digits[c >> 4]);
	text_byte(out, (unsigned char)digits[c & 15]);
}

/* RFC 2047 2: an encoded word has at most 75 characters, and does not cut a character in two. */
static void put_subject(struct text *out, struct bytes s)
{
	size_t i = 0;

	if (is_ascii(s) && s.len < 70) {
		text_add(out, s);
		return;
	}
	while (i < s.len) {
		size_t column = 10;

		text_lit(out, "=?UTF-8?Q?");
		while (i < s.len && (column < 60 || (s.at[i] & 0xc0) == 0x80)) {
			unsigned char c = s.at[i++];
			bool is_safe = (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');

			if (c == ' ')
				text_byte(out, '_');
			else if (is_safe)
				text_byte(out, c);
			else
				put_hex(out, c);
			column += c == ' ' || is_safe ? 1 : 3;
		}
		text_lit(out, "?=");
		if (i < s.len)
			text_lit(out, "\r\n ");
	}
}

/* RFC 2045 6.7: quoted-printable. A dot at a line's beginning is the carrier's to double, and is written in hexadecimal all the same. */
static void put_body(struct text *out, struct bytes b)
{
	size_t column = 0;

	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i];
		bool is_last = i + 1 == b.len || b.at[i + 1] == '\n';
		bool is_quoted = c < 0x20 || c >= 0x7f || c == '=' || (c == ' ' && is_last) || (column == 0 && (c == '.' || c == 'F'));

		if (c == '\n') {
			text_lit(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + 3 > 75) {
			text_lit(out, "=\r\n");
			column = 0;
		}
		if (is_quoted)
			put_hex(out, c);
		else
			text_byte(out, c);
		column += is_quoted ? 3 : 1;
	}
	if (column)
		text_lit(out, "\r\n");
}

enum err message_write(const struct message *m, struct text *out)
{
	const char *const fields[] = { m->from, m->to, m->date, m->id, m->language };

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (!is_plain(bytes_str(fields[i])) || !is_ascii(bytes_str(fields[i])))
			return ERR_SYNTAX;
	if (!is_plain(m->subject))
		return ERR_SYNTAX;
	text_fmt(out, "Date: %s\r\nFrom: <%s>\r\n", m->date, m->from);
	if (*m->to)
		text_fmt(out, "To: <%s>\r\n", m->to);
	text_fmt(out, "Message-ID: <%s>\r\nSubject: ", m->id);
	put_subject(out, m->subject);
	text_fmt(out, "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Language: %s\r\n"
		      "Auto-Submitted: auto-generated\r\n\r\n", m->language);
	put_body(out, m->body);
	return out->failed ? ERR_LIMIT : OK;
}
