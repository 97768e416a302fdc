/* Field lines: names are tokens, values hold no controls, lines end in CRLF and nothing else. RFC 9112 5. */
#include "http1/parse_priv.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* RFC 9110 5.6.2 tchar; RFC 3986 octets for targets (plus none other); RFC 9110 5.5 field values. */
#define T CH_TOKEN
#define R CH_TARGET
#define V CH_VALUE
#define P CH_NAME_PLAIN
const unsigned char http1_chars[256] = {
	['\t'] = V, [' '] = V, ['!'] = T | R | V | P, ['"'] = V, ['#'] = T | V | P, ['$'] = T | R | V | P,
	['%'] = T | R | V | P, ['&'] = T | R | V | P, ['\''] = T | R | V | P, ['('] = R | V, [')'] = R | V,
	['*'] = T | R | V | P, ['+'] = T | R | V | P, [','] = R | V, ['-'] = T | R | V | P, ['.'] = T | R | V,
	['/'] = R | V, ['0' ... '9'] = T | R | V | P, [':'] = R | V, [';'] = R | V, ['<'] = V, ['='] = R | V, ['>'] = V,
	['?'] = R | V, ['@'] = R | V, ['A' ... 'Z'] = T | R | V | P, ['['] = R | V, ['\\'] = R | V, [']'] = R | V,
	['^'] = T | V | P, ['_'] = T | R | V, ['`'] = T | V | P, ['a' ... 'z'] = T | R | V | P, ['{'] = R | V, ['|'] = T | R | V | P,
	['}'] = R | V, ['~'] = T | R | V | P, [0x80 ... 0xff] = V,
};
#undef T
#undef R
#undef V
#undef P

/* The first octet that no line may hold before its end: a control other than tab, or DEL. */
static size_t find_control(struct bytes in, size_t at)
{
#ifdef __SSE2__
	const __m128i space = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);

	while (in.len - at >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(in.at + at));
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, space), v);
		__m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low), _mm_cmpeq_epi8(v, del));
		int mask = _mm_movemask_epi8(bad);
		if (mask)
			return at + (size_t)__builtin_ctz((unsigned)mask);
		at += 16;
	}
#endif
	for (; at < in.len; at++)
		if ((in.at[at] < 0x20 && in.at[at] != '\t') || in.at[at] == 0x7f)
			return at;
	return SIZE_MAX;
}

enum err http1_line(struct bytes in, size_t at, struct bytes *line, size_t *next, const char **why)
{
	size_t end = find_control(in, at);

	if (end == SIZE_MAX)
		return ERR_AGAIN;
	if (in.at[end] == '\r') {
		if (end + 1 >= in.len)
			return ERR_AGAIN;
		if (in.at[end + 1] == '\n') {
			*line = bytes_of(in.at + at, end - at);
			*next = end + 2;
			return OK;
		}
		*why = "bare-cr";
	} else {
		*why = in.at[end] == '\n' ? "bare-lf" : in.at[end] == 0 ? "nul" : "control-character";
	}
	return ERR_SYNTAX;
}

enum err http1_head_end(struct bytes in, const struct http1_limits *limits, size_t *scanned)
{
	size_t from = *scanned > 3 ? *scanned - 3 : 0;
	size_t found = bytes_find(bytes_cut(in, from, in.len), BYTES("\r\n\r\n"));

	if (found != SIZE_MAX)
		return from + found + 4 > limits->head_max ? ERR_LIMIT : OK;
	*scanned = in.len;
	return in.len >= limits->head_max ? ERR_LIMIT : ERR_AGAIN;
}

bool http1_list_next(struct bytes *left, struct bytes *item)
{
	while (left->len) {
		size_t comma = bytes_find_byte(*left, ',');
		*item = bytes_trim(bytes_cut(*left, 0, comma));
		*left = comma == SIZE_MAX ? bytes_of(left->at + left->len, 0) : bytes_cut(*left, comma + 1, left->len);
		if (item->len)
			return true;
	}
	return false;
}

static void note_connection(struct http1_head *h, struct bytes value)
{
	struct bytes item;

	while (http1_list_next(&value, &item)) {
		if (bytes_eq_nocase(item, BYTES("close")))
			h->has_close = true;
		else if (bytes_eq_nocase(item, BYTES("keep-alive")))
			h->has_keep_alive = true;
		else if (bytes_eq_nocase(item, BYTES("upgrade")))
			h->names_upgrade = true;
	}
}

static enum err note_field(struct http1_head *h, struct http_field *f, struct http1_refusal *why)
{
	uint64_t n;

	switch (f->id) {
	case HTTP_HOST: h->hosts++; break;
	case HTTP_CONTENT_LENGTH:
		/* RFC 9112 6.3 lets equal values pass; two readers may differ, so one line of digits only. */
		if (h->has_length || bytes_u64(f->value, &n) != OK || n > INT64_MAX) {
			*why = (struct http1_refusal){ 400, h->has_length ? "length-repeated" : "length-malformed" };
			return ERR_SYNTAX;
		}
		h->has_length = true;
		h->length = n;
		f->is_hop = true; /* framing is written anew */
		break;
	case HTTP_TRANSFER_ENCODING:
		if (h->has_coding || !bytes_eq_nocase(f->value, BYTES("chunked"))) {
			*why = (struct http1_refusal){ 400, "transfer-coding" };
			return ERR_SYNTAX;
		}
		h->has_coding = h->coding_is_chunked = true;
		f->is_hop = true;
		break;
	case HTTP_CONNECTION: note_connection(h, f->value); f->is_hop = true; break;
	case HTTP_UPGRADE:
		h->upgrade = f->value;
		f->is_hop = true;
		break;
	case HTTP_EXPECT:
		if (bytes_eq_nocase(f->value, BYTES("100-continue")))
			h->expects_continue = true;
		else
			h->expects_other = true;
		f->is_hop = true;
		break;
	case HTTP_TE: case HTTP_TRAILER: case HTTP_KEEP_ALIVE: case HTTP_PROXY_CONNECTION: case HTTP_PROXY_AUTHENTICATE:
	case HTTP_PROXY_AUTHORIZATION: f->is_hop = true; break;
	default: break;
	}
	return OK;
}

static enum err read_field(struct bytes line, const struct http1_limits *limits, struct http1_head *h,
	struct http1_refusal *why)
{
	struct http_field *f = &h->fields[h->count];
	bool is_plain = true;
	size_t i = 0;

	for (; i < line.len && http1_is(line.at[i], CH_TOKEN); i++)
		is_plain = is_plain && http1_is(line.at[i], CH_NAME_PLAIN);
	if (i == 0 || i == line.len || line.at[i] != ':') {
		*why = (struct http1_refusal){ 400, line.at[0] == ' ' || line.at[0] == '\t' ? "obs-fold" :
			i < line.len && i > 0 && (line.at[i] == ' ' || line.at[i] == '\t') ? "space-before-colon" : "field-name" };
		return ERR_SYNTAX;
	}
	if (!is_plain) {
		if (limits->drop_ambiguous)
			return OK;
		*why = (struct http1_refusal){ 400, "field-name-ambiguous" };
		return ERR_SYNTAX;
	}
	*f = (struct http_field){ .name = bytes_cut(line, 0, i), .value = bytes_trim(bytes_cut(line, i + 1, line.len)) };
	f->id = (uint16_t)http_field_id(f->name);
	TRY(note_field(h, f, why));
	h->count++;
	return OK;
}

/* Fields that Connection names are hop-by-hop, RFC 9110 7.6.1; naming one that carries meaning for the
 * message itself is an attempt to have it removed. */
static enum err mark_named(struct http1_head *h, struct http1_refusal *why)
{
	for (size_t i = 0; i < h->count; i++) {
		struct bytes left = h->fields[i].value, item;
		if (h->fields[i].id != HTTP_CONNECTION)
			continue;
		while (http1_list_next(&left, &item)) {
			enum http_field_id id = http_field_id(item);
			if (id == HTTP_HOST || id == HTTP_CONTENT_LENGTH || id == HTTP_TRANSFER_ENCODING || id == HTTP_COOKIE) {
				*why = (struct http1_refusal){ 400, "connection-names-essential" };
				return ERR_SYNTAX;
			}
			for (size_t j = 0; j < h->count; j++)
				if (bytes_eq_nocase(h->fields[j].name, item))
					h->fields[j].is_hop = true;
		}
	}
	return OK;
}

enum err http1_fields(struct bytes in, size_t *at, const struct http1_limits *limits, struct arena *arena,
	struct http1_head *h, struct http1_refusal *why)
{
	size_t room = 0, lines = 0;

	for (size_t i = *at; i < in.len && room < limits->fields_max; room++) {
		size_t lf = bytes_find_byte(bytes_cut(in, i, in.len), '\n');
		if (lf == SIZE_MAX || (lf == 1 && in.at[i] == '\r'))
			break; /* the empty line: what follows is not the head's */
		i += lf + 1;
	}
	h->fields = arena_array(arena, room + 1, sizeof *h->fields);
	if (!h->fields)
		return ERR_MEMORY;
	for (;;) {
		struct bytes line;
		size_t next;
		enum err e;
		*why = (struct http1_refusal){ 400, "syntax" };
		e = http1_line(in, *at, &line, &next, &why->reason);
		if (e != OK)
			return e == ERR_AGAIN ? ERR_SYNTAX : e; /* the whole head is there */
		*at = next;
		if (line.len == 0)
			return h->hosts || h->count ? mark_named(h, why) : OK;
		if (line.len > limits->field_max || ++lines > limits->fields_max) {
			*why = (struct http1_refusal){ 431, line.len > limits->field_max ? "field-too-long" : "too-many-fields" };
			return ERR_LIMIT;
		}
		TRY(read_field(line, limits, h, why));
	}
}
