/* Fields of a record's text: words, quoted text, addresses, numbers and times. Nothing here knows which record it is. */
#include "nslog/fields_priv.h"

bool body_find(struct body *b, struct bytes key)
{
	size_t from = b->at;

	while (from < b->text.len) {
		size_t at = bytes_find(bytes_cut(b->text, from, b->text.len), key), end;
		if (at == SIZE_MAX)
			return false;
		at += from;
		end = at + key.len;
		if ((at == 0 || b->text.at[at - 1] == ' ' || b->text.at[at - 1] == ']') &&
			(end == b->text.len || b->text.at[end] == ' ' || b->text.at[end] == ':')) {
			b->at = end < b->text.len ? end + 1 : end;
			return true;
		}
		from = at + 1;
	}
	return false;
}

static void skip_spaces(struct body *b)
{
	while (b->at < b->text.len && b->text.at[b->at] == ' ')
		b->at++;
}

bool body_find_next(struct body *b, struct bytes key)
{
	size_t at = b->at, end;

	skip_spaces(b);
	if (bytes_starts(bytes_cut(b->text, b->at, b->text.len), BYTES("- ")))
		b->at += 2;
	end = b->at + key.len;
	if (bytes_starts(bytes_cut(b->text, b->at, b->text.len), key) &&
		(end == b->text.len || b->text.at[end] == ' ' || b->text.at[end] == ':')) {
		b->at = end < b->text.len ? end + 1 : end;
		return true;
	}
	b->at = at;
	return false;
}

bool body_is_next(const struct body *b, struct bytes what)
{
	return bytes_starts(bytes_cut(b->text, b->at, b->text.len), what);
}

struct bytes body_word(struct body *b)
{
	size_t from;

	skip_spaces(b);
	from = b->at;
	if (body_is_next(b, BYTES("- ")))
		return BYTES("");
	while (b->at < b->text.len && b->text.at[b->at] != ' ')
		b->at++;
	return bytes_cut(b->text, from, b->at);
}

struct bytes body_up_to(struct body *b, struct bytes sep)
{
	struct bytes left = bytes_cut(b->text, b->at, b->text.len);
	size_t end = bytes_find(left, sep);

	if (end == SIZE_MAX) {
		b->at = b->text.len;
		return bytes_trim(left);
	}
	b->at += end;
	return bytes_trim(bytes_cut(left, 0, end));
}

struct bytes body_quoted(struct body *b)
{
	struct bytes t;

	skip_spaces(b);
	if (body_is_next(b, BYTES("\\")))
		b->at++;
	if (!body_is_next(b, BYTES("\"")))
		return body_up_to(b, BYTES(" - "));
	b->at++;
	t = body_up_to(b, BYTES("\""));
	if (b->at < b->text.len)
		b->at++;
	if (t.len && t.at[t.len - 1] == '\\')
		t.len--;
	return bytes_trim(t);
}

static bool port_of(struct bytes w, uint16_t *port)
{
	uint64_t n;

	if (bytes_u64(w, &n) != OK || n > 65535 || (w.len > 1 && w.at[0] == '0'))
		return false;
	*port = (uint16_t)n;
	return true;
}

/* Four numbers up to 255 without leading zeros: then the text is already what addr_write_ip would write. */
static bool is_v4(struct bytes w)
{
	unsigned n = 0, count = 0, dots = 0;

	for (size_t i = 0; i < w.len; i++) {
		unsigned digit = w.at[i] - (unsigned)'0';
		if (w.at[i] == '.') {
			if (count == 0 || ++dots > 3)
				return false;
			n = count = 0;
		} else if (digit > 9 || (count && n == 0) || (n = n * 10 + digit) > 255) {
			return false;
		} else {
			count++;
		}
	}
	return dots == 3 && count;
}

struct bytes end_write(struct text *t, const struct addr *a, bool with_port)
{
	size_t from = t->len;

	if (with_port)
		addr_write(a, t);
	else
		addr_write_ip(a, t);
	return bytes_cut(text_bytes(t), from, t->len);
}

/* IPv6, with the port behind the last colon, in brackets or (as the appliance does) without. */
static bool end_v6(struct text *scratch, struct bytes w, struct end *out)
{
	struct bytes ip = w;
	struct addr a = { 0 };
	size_t colon = w.len;
	bool with_port = false;

	while (colon > 0 && w.at[colon - 1] != ':')
		colon--;
	if (colon > 1 && port_of(bytes_cut(w, colon, w.len), &out->port)) {
		ip = bytes_cut(w, 0, colon - 1);
		with_port = true;
	}
	if (ip.len > 2 && ip.at[0] == '[' && ip.at[ip.len - 1] == ']')
		ip = bytes_cut(ip, 1, ip.len - 1);
	if (addr_parse_ip(ip, &a) != OK) {
		if (!with_port || addr_parse_ip(w, &a) != OK)
			return false;
		with_port = false;
		out->port = 0;
	}
	a.port = out->port;
	out->ip = end_write(scratch, &a, false);
	out->text = with_port ? end_write(scratch, &a, true) : out->ip;
	return !scratch->failed;
}

bool end_parse(struct text *scratch, struct bytes w, struct end *out)
{
	size_t colon = bytes_find_byte(w, ':');

	*out = (struct end){ .text = w, .ip = w };
	if (colon != SIZE_MAX)
		out->ip = bytes_cut(w, 0, colon);
	if (is_v4(out->ip))
		return colon == SIZE_MAX || port_of(bytes_cut(w, colon + 1, w.len), &out->port);
	return end_v6(scratch, w, out);
}

enum nslog_damage body_end_at(struct body *b, struct end *out)
{
	struct bytes w = body_word(b);

	if (w.len == 0)
		return NSLOG_CUT;
	return end_parse(b->c->scratch, w, out) ? FINE : NSLOG_BAD_ADDRESS;
}

enum nslog_damage body_end_field(struct body *b, struct bytes key, struct end *out)
{
	return body_find(b, key) ? body_end_at(b, out) : NSLOG_CUT;
}

struct bytes body_maybe_end(struct body *b, struct bytes key)
{
	struct end end;
	struct bytes w;

	if (!body_find_next(b, key))
		return BYTES("");
	skip_spaces(b);
	w = body_is_next(b, BYTES("\"")) || body_is_next(b, BYTES("\\")) ? body_quoted(b) : body_word(b);
	return end_parse(b->c->scratch, w, &end) ? end.text : BYTES("");
}

enum nslog_damage body_number_field(struct body *b, struct bytes key, uint64_t *out)
{
	struct bytes w;

	if (!body_find(b, key))
		return NSLOG_CUT;
	w = body_word(b);
	if (w.len == 0)
		return NSLOG_CUT;
	return bytes_u64(w, out) == OK ? FINE : NSLOG_BAD_NUMBER;
}

enum nslog_damage body_time_at(struct body *b, uint64_t *out)
{
	enum nslog_order order;
	struct stamp s;
	size_t used;

	skip_spaces(b);
	if (body_is_next(b, BYTES("\\")))
		b->at++;
	if (body_is_next(b, BYTES("\"")))
		b->at++;
	used = stamp_parse(bytes_cut(b->text, b->at, b->text.len), &s);
	if (used == 0)
		return b->text.len - b->at < 19 ? NSLOG_CUT : NSLOG_BAD_TIME;
	b->at += used;
	order = stamp_certain(&s);
	if (order == NSLOG_ORDER_UNKNOWN)
		order = b->c->order;
	return stamp_us(&s, order, b->c->zone_minutes, out) ? FINE : NSLOG_BAD_TIME;
}

enum nslog_damage body_time_field(struct body *b, struct bytes key, uint64_t *out)
{
	return body_find(b, key) ? body_time_at(b, out) : NSLOG_CUT;
}
