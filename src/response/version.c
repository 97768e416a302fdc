/* One small reader for all spellings: a release, perhaps an edition, a build. */
#include "response/version.h"

static const char *const edition_names[NS_EDITION_COUNT] = { "standard", "fips", "ndcpp", "sd-wan-wanop" };
static const char *const edition_marks[NS_EDITION_COUNT] = { "", "-FIPS", "-NDcPP", "-WANOP" };

const char *ns_edition_name(enum ns_edition e)
{
	return edition_names[e];
}

bool ns_edition_parse(struct bytes name, enum ns_edition *out)
{
	for (size_t i = 0; i < NS_WANOP; i++)
		if (bytes_eq_nocase(name, bytes_str(edition_names[i]))) {
			*out = (enum ns_edition)i;
			return true;
		}
	return false;
}

static bool starts_nocase(struct bytes in, const char *prefix)
{
	struct bytes p = bytes_str(prefix);

	return in.len >= p.len && bytes_eq_nocase(bytes_cut(in, 0, p.len), p);
}

static bool pass(struct bytes *in, const char *prefix)
{
	if (!starts_nocase(*in, prefix))
		return false;
	*in = bytes_cut(*in, strlen(prefix), in->len);
	return true;
}

/* One to four digits: nothing that a build has is longer. */
static bool take_number(struct bytes *in, uint16_t *out)
{
	unsigned n = 0;
	size_t i = 0;

	while (i < in->len && i < 5 && in->at[i] >= '0' && in->at[i] <= '9')
		n = n * 10 + (in->at[i++] - (unsigned)'0');
	if (i == 0 || i == 5)
		return false;
	*in = bytes_cut(*in, i, in->len);
	*out = (uint16_t)n;
	return true;
}

static bool take_pair(struct bytes *in, uint16_t *a, uint16_t *b)
{
	return take_number(in, a) && pass(in, ".") && take_number(in, b);
}

static bool take_edition(struct bytes *in, enum ns_edition *out)
{
	for (size_t i = 1; i < NS_EDITION_COUNT; i++)
		if (pass(in, edition_marks[i]) || pass(in, edition_marks[i] + 1)) {
			*out = (enum ns_edition)i;
			return true;
		}
	*out = NS_STANDARD;
	return false;
}

static void pass_blanks(struct bytes *in)
{
	*in = bytes_trim(*in);
	while (in->len && (in->at[in->len - 1] == '\r' || in->at[in->len - 1] == '\n'))
		in->len--;
}

enum err ns_line_parse(struct bytes in, struct ns_line *out)
{
	struct ns_line l = { 0 };

	if (!take_pair(&in, &l.major, &l.minor))
		return ERR_SYNTAX;
	if (in.len)
		pass(&in, " ");
	take_edition(&in, &l.edition);
	if (in.len)
		return ERR_SYNTAX;
	*out = l;
	return OK;
}

void ns_line_write(const struct ns_line *l, struct text *out)
{
	text_fmt(out, "%u.%u%s", l->major, l->minor, edition_marks[l->edition]);
}

/* Behind a build: nothing, a blank, or a letter's suffix (".nc"). Digits would be a third number that is not understood. */
static bool is_end(struct bytes in)
{
	return in.len == 0 || in.at[0] == ' ' || in.at[0] == '\t' || in.at[0] == ',' || in.at[0] == '"' || in.at[0] == '\r' ||
		in.at[0] == '\n' || (in.len >= 2 && in.at[0] == '.' && ascii_lower(in.at[1]) >= 'a' && ascii_lower(in.at[1]) <= 'z');
}

enum err ns_version_parse(struct bytes in, struct ns_version *out)
{
	struct ns_version v = { 0 };

	pass_blanks(&in);
	pass(&in, "#");
	pass(&in, "NetScaler ");
	if (pass(&in, "NS"))
		pass(&in, "-");
	if (!take_pair(&in, &v.line.major, &v.line.minor))
		return ERR_SYNTAX;
	pass(&in, ":");
	in = bytes_trim(in);
	v.has_edition = take_edition(&in, &v.line.edition);
	if (v.line.edition == NS_WANOP) /* its builds are written otherwise: ns_wanop_parse */
		return ERR_SYNTAX;
	pass(&in, ":");
	in = bytes_trim(in);
	pass(&in, "-");
	pass(&in, "Build");
	in = bytes_trim(in);
	if (!take_pair(&in, &v.build, &v.sub) || !is_end(in))
		return ERR_SYNTAX;
	*out = v;
	return OK;
}

enum err ns_wanop_parse(struct bytes in, struct ns_version *out)
{
	struct ns_version v = { .line.edition = NS_WANOP, .has_edition = true };

	pass_blanks(&in);
	if (!take_pair(&in, &v.line.major, &v.line.minor) || !pass(&in, ".") || !take_number(&in, &v.build))
		return ERR_SYNTAX;
	if (in.len == 1 && ascii_lower(in.at[0]) >= 'a' && ascii_lower(in.at[0]) <= 'z')
		v.sub = (uint16_t)(ascii_lower(in.at[0]) - 'a' + 1);
	else if (in.len)
		return ERR_SYNTAX;
	*out = v;
	return OK;
}

void ns_version_write(const struct ns_version *v, struct text *out)
{
	if (v->line.edition == NS_WANOP) {
		text_fmt(out, "%u.%u.%u", v->line.major, v->line.minor, v->build);
		if (v->sub >= 1 && v->sub <= 26)
			text_byte(out, (unsigned char)('a' + v->sub - 1));
		return;
	}
	ns_line_write(&v->line, out);
	text_fmt(out, "%c%u.%u", v->line.edition == NS_STANDARD ? '-' : ' ', v->build, v->sub);
}

bool ns_line_eq(const struct ns_line *a, const struct ns_line *b)
{
	return a->major == b->major && a->minor == b->minor && a->edition == b->edition;
}

enum err ns_version_compare(const struct ns_version *a, const struct ns_version *b, int *out)
{
	if (!ns_line_eq(&a->line, &b->line))
		return ERR_UNSUPPORTED;
	*out = a->build != b->build ? (a->build < b->build ? -1 : 1) : a->sub != b->sub ? (a->sub < b->sub ? -1 : 1) : 0;
	return OK;
}
