/* Fields, modifiers and values of Sigma rules as expressions: * and ? are wildcards, a backslash takes their meaning away (the
 * specification's "Escaping"), and without a modifier all of the field is meant. */
#include "hunt/sigma_priv.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <string.h>

#define FIELDS_SAID                                                                                                     \
	"cs-method, c-ip, c-uri, cs-uri, c-uri-query, cs-uri-query, c-uri-stem, cs-uri-stem, cs-user-agent, c-useragent, " \
	"cs-referer, cs-referrer, sc-status, cs-host, cs-username, cs-version"
#define MODIFIERS_SAID "contains, startswith, endswith, all, cased, re (with i, m, s), cidr (of c-ip), base64, base64offset"
#define BASE64_MOST    512

static const struct {
	const char *name;
	enum sigma_field field;
} fields[] = {
	{ "cs-method", SIGMA_METHOD },
	{ "c-ip", SIGMA_CLIENT },
	{ "c-uri", SIGMA_URI },
	{ "cs-uri", SIGMA_URI },
	{ "c-uri-query", SIGMA_QUERY },
	{ "cs-uri-query", SIGMA_QUERY },
	{ "c-uri-stem", SIGMA_STEM },
	{ "cs-uri-stem", SIGMA_STEM },
	{ "cs-user-agent", SIGMA_USER_AGENT },
	{ "c-useragent", SIGMA_USER_AGENT },
	{ "cs-referer", SIGMA_REFERER },
	{ "cs-referrer", SIGMA_REFERER },
	{ "sc-status", SIGMA_STATUS },
	{ "cs-host", SIGMA_HOST },
	{ "cs-username", SIGMA_USER },
	{ "cs-version", SIGMA_VERSION },
	{ "", SIGMA_LINE }, /* '|all': keywords that must all be there */
};

static bool take_modifier(struct bytes name, struct sigma_modifiers *m)
{
	const struct {
		const char *name;
		bool *to;
	} known[] = {
		{ "contains", &m->contains },
		{ "startswith", &m->starts },
		{ "endswith", &m->ends },
		{ "re", &m->is_re },
		{ "all", &m->all },
		{ "cased", &m->cased },
		{ "cidr", &m->cidr },
		{ "base64", &m->base64 },
		{ "base64offset", &m->base64_offset },
		{ "i", &m->ignores_case },
	};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (bytes_eq(name, bytes_str(known[i].name))) {
			*known[i].to = true;
			return true;
		}
	return bytes_eq(name, BYTES("m")) || bytes_eq(name, BYTES("s")); /* of re: a field is one line, so that they change nothing */
}

static enum err check_modifiers(struct sigma_reading *r, const json_t *at, const char *key, enum sigma_field field, struct sigma_modifiers *m)
{
	unsigned places = m->contains + m->starts + m->ends;

	if (field == SIGMA_LINE)
		m->contains = true;
	if (places > 1)
		return data_fail(r->d, at, r->error, "'%s': contains, startswith and endswith exclude each other", key);
	if (m->is_re && (places || m->cidr || m->base64 || m->base64_offset))
		return data_fail(r->d, at, r->error, "'%s': re goes with all, i, m and s only", key);
	if (m->cidr && (field != SIGMA_CLIENT || places || m->base64 || m->base64_offset))
		return data_fail(r->d, at, r->error, "'%s': cidr goes with c-ip, and with all only", key);
	return OK;
}

enum err sigma_read_key(struct sigma_reading *r, const json_t *at, const char *key, enum sigma_field *field, struct sigma_modifiers *m)
{
	struct bytes rest = bytes_str(key), name = bytes_cut(rest, 0, bytes_find_byte(rest, '|'));
	size_t i = 0;

	while (i < COUNT_OF(fields) && !bytes_eq(bytes_str(fields[i].name), name))
		i++;
	if (i == COUNT_OF(fields))
		return data_fail(r->d, at, r->error, "the field '%.*s' is not supported; these are: " FIELDS_SAID, FMT(bytes_cut(name, 0, 60)));
	*field = fields[i].field;
	rest = bytes_cut(rest, name.len, rest.len);
	while (rest.len) {
		rest = bytes_cut(rest, 1, rest.len);
		name = bytes_cut(rest, 0, bytes_find_byte(rest, '|'));
		rest = bytes_cut(rest, name.len, rest.len);
		if (!take_modifier(name, m))
			return data_fail(r->d, at, r->error, "the modifier '%.*s' is not supported; these are: " MODIFIERS_SAID, FMT(bytes_cut(name, 0, 60)));
	}
	return check_modifiers(r, at, key, *field, m);
}

/* --- a value as an expression --- */

struct written {
	struct text expression;
	unsigned char mem[PATTERNS_TEXT_MAX];
	struct text run, best; /* parts that nobody needs to encode */
	unsigned char run_mem[256], best_mem[256];
	bool is_open_front, is_open_back; /* a * on that end */
	bool is_path;			  /* looked at without dot segments too: a slash may stand in the log as /./ */
};

static bool is_plain(unsigned char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9') || c == '_' || c == '~';
}

static void end_run(struct written *w)
{
	if (w->run.len > w->best.len && w->run.len > 1) {
		w->best.len = 0;
		text_add(&w->best, text_bytes(&w->run));
	}
	w->run.len = 0;
}

static void put_literal(struct written *w, unsigned char c)
{
	unsigned char l = ascii_lower(c);

	if ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
		text_byte(&w->expression, c);
	else
		text_fmt(&w->expression, "\\x%02x", c);
	if (!is_plain(c) || (w->is_path && c == '/'))
		end_run(w);
	else if (w->run.len < w->run.cap)
		text_byte(&w->run, c);
}

static void put_wildcard(struct written *w, unsigned char c, bool is_first, bool is_last)
{
	end_run(w);
	if (c == '*' && is_first)
		w->is_open_front = true;
	else if (c == '*' && is_last)
		w->is_open_back = true;
	else
		text_str(&w->expression, c == '*' ? ".*" : ".");
}

/* The middle of the expression; the ends are the caller's. */
static void write_value(struct bytes v, struct written *w)
{
	text_init(&w->expression, w->mem, sizeof(w->mem));
	text_init(&w->run, w->run_mem, sizeof(w->run_mem));
	text_init(&w->best, w->best_mem, sizeof(w->best_mem));
	w->is_open_front = w->is_open_back = false;
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = v.at[i], next = i + 1 < v.len ? v.at[i + 1] : 0;

		if (c == '\\' && (next == '*' || next == '?' || next == '\\')) {
			put_literal(w, next);
			i++;
		} else if (c == '*' || c == '?') {
			put_wildcard(w, c, i == 0, i + 1 == v.len);
		} else {
			put_literal(w, c);
		}
	}
	end_run(w);
}

static enum err read_text(struct sigma_reading *r, const json_t *at, struct bytes v, enum sigma_field field, const struct sigma_modifiers *m, bool has_case,
	unsigned *out)
{
	unsigned char mem[PATTERNS_TEXT_MAX + 8];
	struct written w = { .is_path = field == SIGMA_STEM };
	struct text t;

	write_value(v, &w);
	text_init(&t, mem, sizeof(mem));
	if (!m->contains && !m->ends && !w.is_open_front)
		text_byte(&t, '^');
	text_add(&t, text_bytes(&w.expression));
	if (!m->contains && !m->starts && !w.is_open_back)
		text_lit(&t, "\\z");
	if (w.expression.failed || t.failed)
		return data_fail(r->d, at, r->error, "a value is too long");
	if (t.len == 0) /* stars alone: whatever it is */
		text_lit(&t, ".");
	return sigma_pattern(r, at, field, text_bytes(&t), has_case, text_bytes(&w.best), out);
}

/* base64offset: as it looks behind 0, 1 and 2 octets of something else, without what depends on the neighbours. */
static enum err read_base64(struct sigma_reading *r, const json_t *at, struct bytes v, enum sigma_field field, const struct sigma_modifiers *m, unsigned *out)
{
	static const size_t skip[] = { 0, 2, 3 }, less[] = { 0, 3, 2 };
	unsigned char in[BASE64_MOST + 2], text[BASE64_MOST * 2];
	unsigned kids[3];
	size_t count = m->base64_offset ? 3 : 1;

	if (v.len == 0 || v.len > BASE64_MOST)
		return data_fail(r->d, at, r->error, "base64 is of 1 to %d octets", BASE64_MOST);
	for (size_t i = 0; i < count; i++) {
		struct sigma_modifiers part = *m;
		size_t len;

		memset(in, ' ', i);
		memcpy(in + i, v.at, v.len);
		len = (size_t)EVP_EncodeBlock(text, in, (int)(v.len + i));
		if (m->base64_offset) {
			part.contains = true;
			len -= less[(v.len + i) % 3];
		}
		if (len <= (m->base64_offset ? skip[i] : 0))
			return data_fail(r->d, at, r->error, "this value is too short for base64offset");
		TRY(read_text(r, at, bytes_cut(bytes_of(text, len), m->base64_offset ? skip[i] : 0, len), field, &part, true, &kids[i]));
	}
	return sigma_group(r->s, SIGMA_ANY, kids, count, out);
}

static enum err read_prefix(struct sigma_reading *r, const json_t *at, struct bytes v, enum sigma_field field, unsigned *out)
{
	struct sigma_node node = { .kind = SIGMA_PREFIX, .field = field };

	if (addr_parse_prefix(v, &node.prefix) != OK)
		return data_fail(r->d, at, r->error, "'%.*s' is no network; write 192.0.2.0/24 or 2001:db8::/32", FMT(bytes_cut(v, 0, 60)));
	return sigma_leaf(r->s, &node, out);
}

enum err sigma_read_value(struct sigma_reading *r, const json_t *at, enum sigma_field field, const struct sigma_modifiers *m, unsigned *out)
{
	struct bytes v = bytes_str(json_string_value(at));

	if (!json_is_string(at))
		return data_fail(r->d, at, r->error, "a value is a text or a number, or a list of them");
	if (m->cidr)
		return read_prefix(r, at, v, field, out);
	if (m->is_re) {
		if (v.len > PATTERNS_TEXT_MAX)
			return data_fail(r->d, at, r->error, "a value is too long");
		return sigma_pattern(r, at, field, v, !m->ignores_case, (struct bytes){ 0 }, out);
	}
	if (!m->contains && !m->starts && !m->ends && (v.len == 0 || bytes_eq(v, BYTES("null")) || bytes_eq(v, BYTES("-"))))
		return sigma_leaf(r->s, &(struct sigma_node){ .kind = SIGMA_EMPTY, .field = field }, out);
	if (v.len == 0)
		return data_fail(r->d, at, r->error, "an empty value says nothing with these modifiers");
	if (m->base64 || m->base64_offset)
		return read_base64(r, at, v, field, m, out);
	return read_text(r, at, v, field, m, m->cased, out);
}
