/* The log was written by a server that quoted what strangers sent; a line cut off or written over must not lead astray. */
#include "hunt/weblog.h"

#include "hunt/stamp_priv.h"

#define DECODE_ROUNDS 5

/* Takes up to the next c, and c. False: there is none. */
static bool take_to(struct bytes *in, unsigned char c, struct bytes *out)
{
	size_t n = bytes_find_byte(*in, c);

	if (n == SIZE_MAX)
		return false;
	*out = bytes_cut(*in, 0, n);
	*in = bytes_cut(*in, n + 1, in->len);
	return true;
}

/* "..." with \" inside. */
static bool take_quoted(struct bytes *in, struct bytes *out)
{
	struct bytes b = bytes_trim(*in);

	if (b.len == 0 || b.at[0] != '"')
		return false;
	for (size_t i = 1; i < b.len; i++) {
		if (b.at[i] == '\\')
			i++;
		else if (b.at[i] == '"') {
			*out = bytes_cut(b, 1, i);
			*in = bytes_cut(b, i + 1, b.len);
			return true;
		}
	}
	*out = bytes_cut(b, 1, b.len); /* cut off in the middle: what is there counts */
	*in = bytes_cut(b, b.len, b.len);
	return true;
}

enum err weblog_time(struct bytes in, uint64_t *out)
{
	struct civil c = { 0 };
	unsigned zone_h, zone_m;
	int sign;

	if (in.len < 27 || in.at[0] != '[' || in.at[3] != '/' || in.at[7] != '/' || in.at[12] != ':' || in.at[21] != ' ')
		return ERR_SYNTAX;
	c.month = civil_month(bytes_cut(in, 4, 7));
	if (!c.month || !civil_digits(in, 1, 2, &c.day) || !civil_digits(in, 8, 4, &c.year) || !civil_clock(in, 13, &c) ||
		!civil_digits(in, 23, 2, &zone_h) || !civil_digits(in, 25, 2, &zone_m) || (in.at[22] != '+' && in.at[22] != '-'))
		return ERR_SYNTAX;
	sign = in.at[22] == '-' ? -1 : 1;
	return civil_us(&c, sign * (int)(zone_h * 60 + zone_m), out);
}

static bool is_digits(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < '0' || b.at[i] > '9')
			return false;
	return b.len > 0;
}

static void split_request(struct weblog *w)
{
	struct bytes rest = w->request;
	size_t end = rest.len;

	if (!take_to(&rest, ' ', &w->method)) {
		w->target = w->request;
		return;
	}
	for (size_t i = rest.len; i-- > 0;)
		if (rest.at[i] == ' ') {
			if (bytes_starts(bytes_cut(rest, i + 1, rest.len), BYTES("HTTP/"))) {
				end = i;
				w->protocol = bytes_cut(rest, i + 1, rest.len);
			}
			break;
		}
	w->target = bytes_cut(rest, 0, end);
}

/* "CLIENT -> SERVER - USER " or "CLIENT - USER " */
static void split_front(struct bytes front, struct weblog *w)
{
	struct bytes skipped;

	front = bytes_trim(front);
	if (!take_to(&front, ' ', &w->client)) {
		w->client = front;
		return;
	}
	if (bytes_starts(front, BYTES("-> "))) {
		front = bytes_cut(front, 3, front.len);
		if (!take_to(&front, ' ', &skipped))
			return;
	}
	if (take_to(&front, ' ', &skipped) && !bytes_eq(front, BYTES("-")))
		w->user = front;
}

static void split_rest(struct bytes rest, struct weblog *w)
{
	struct bytes word;
	uint64_t n;

	rest = bytes_trim(rest);
	if (!take_to(&rest, ' ', &word)) {
		word = rest;
		rest = bytes_cut(rest, rest.len, rest.len);
	}
	if (word.len == 3 && is_digits(word) && bytes_u64(word, &n) == OK)
		w->status = (unsigned)n;
	rest = bytes_trim(rest);
	if (!take_to(&rest, ' ', &word)) {
		word = rest;
		rest = bytes_cut(rest, rest.len, rest.len);
	}
	if (is_digits(word) && bytes_u64(word, &n) == OK)
		w->size = n;
	if (take_quoted(&rest, &w->referer))
		(void)take_quoted(&rest, &w->user_agent);
}

enum err weblog_parse(struct bytes line, struct weblog *out)
{
	struct weblog w = { 0 };
	struct bytes front, rest = line, skipped;

	for (;;) { /* a user's name may hold a bracket; the time is where one can be read */
		size_t at = bytes_find_byte(rest, '[');

		if (at == SIZE_MAX)
			return ERR_SYNTAX;
		rest = bytes_cut(rest, at, rest.len);
		if (weblog_time(rest, &w.at_us) == OK)
			break;
		rest = bytes_cut(rest, 1, rest.len);
	}
	front = bytes_cut(line, 0, (size_t)(rest.at - line.at));
	if (!take_to(&rest, ']', &skipped))
		return ERR_SYNTAX;
	rest = bytes_trim(rest);
	if (rest.len && rest.at[0] == '[' && !take_to(&rest, ']', &skipped)) /* the process number */
		return ERR_SYNTAX;
	if (!take_quoted(&rest, &w.request))
		return ERR_SYNTAX;
	split_front(front, &w);
	split_request(&w);
	split_rest(rest, &w);
	*out = w;
	return OK;
}

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One round in place; how many octets remain. What stands between two of lead is moved as a whole. */
static size_t decode_once(unsigned char *at, size_t len, unsigned char lead, size_t width)
{
	size_t to = 0;

	for (size_t i = 0; i < len;) {
		const unsigned char *p = memchr(at + i, lead, len - i);
		size_t n = p ? (size_t)(p - (at + i)) : len - i;

		if (n && to != i)
			memmove(at + to, at + i, n);
		to += n;
		i += n;
		if (i == len)
			break;
		if (len - i >= width + 2 && (width == 1 || at[i + 1] == 'x') && hex(at[i + width]) >= 0 && hex(at[i + width + 1]) >= 0) {
			at[to++] = (unsigned char)(hex(at[i + width]) * 16 + hex(at[i + width + 1]));
			i += width + 2;
		} else {
			at[to++] = at[i++];
		}
	}
	return to;
}

void weblog_decode_all(struct bytes target, struct text *out)
{
	size_t begin = out->len, len;

	text_add(out, target);
	if (out->failed)
		return;
	len = decode_once(out->at + begin, target.len, '\\', 2);
	for (int i = 0; i < DECODE_ROUNDS; i++) {
		size_t n = decode_once(out->at + begin, len, '%', 1);

		if (n == len)
			break;
		len = n;
	}
	out->len = begin + len;
}

void weblog_decode(struct bytes target, struct text *out)
{
	size_t query = bytes_find_byte(target, '?'), scheme;

	target = bytes_cut(target, 0, query);
	scheme = bytes_find(bytes_cut(target, 0, 16), BYTES("://"));
	if (scheme != SIZE_MAX && target.at[0] != '/') {
		target = bytes_cut(target, scheme + 3, target.len);
		target = bytes_cut(target, bytes_find_byte(target, '/') == SIZE_MAX ? target.len : bytes_find_byte(target, '/'), target.len);
	}
	weblog_decode_all(target, out);
}

void weblog_clean(struct bytes path, struct text *out)
{
	size_t begin = out->len, at = 0;

	while (at < path.len) {
		struct bytes rest, segment;
		size_t n;

		while (at < path.len && path.at[at] == '/')
			at++;
		rest = bytes_cut(path, at, path.len);
		n = bytes_find_byte(rest, '/');
		segment = bytes_cut(rest, 0, n);
		at += segment.len;
		if (segment.len == 0 || bytes_eq(segment, BYTES(".")))
			continue;
		if (bytes_eq(segment, BYTES(".."))) {
			while (out->len > begin && out->at[--out->len] != '/')
				;
			continue;
		}
		text_byte(out, '/');
		text_add(out, segment);
	}
	if (out->len == begin || (path.len && path.at[path.len - 1] == '/'))
		text_byte(out, '/');
}
