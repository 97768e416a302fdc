/* How the portal looks: pictures, known by their content and not by their name, and a colour that text can be read on. */
#include "conf/load_priv.h"

#include <math.h>

#define CONTRAST_LEAST 4.5 /* WCAG 2.2, 1.4.3 */

static struct bytes skip_blank(struct bytes b)
{
	while (b.len && (b.at[0] == ' ' || b.at[0] == '\t' || b.at[0] == '\r' || b.at[0] == '\n'))
		b = bytes_cut(b, 1, b.len);
	return b;
}

/* What may stand before the first element, XML 1.0 2.8. */
static bool is_svg(struct bytes b)
{
	static const struct { struct bytes begin, end; } before[] = { { LIT("<?"), LIT("?>") }, { LIT("<!--"), LIT("-->") }, { LIT("<!DOCTYPE"), LIT(">") } };

	if (bytes_starts(b, BYTES("\xef\xbb\xbf")))
		b = bytes_cut(b, 3, b.len);
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		size_t end;

		b = skip_blank(b);
		if (!bytes_starts(b, before[i].begin))
			continue;
		end = bytes_find(b, before[i].end);
		if (end == SIZE_MAX)
			return false;
		b = bytes_cut(b, end + before[i].end.len, b.len);
		i = SIZE_MAX; /* from the first again */
	}
	return bytes_starts(b, BYTES("<svg")) && b.len > 4 && (b.at[4] == '>' || skip_blank(bytes_cut(b, 4, 5)).len == 0);
}

/* <script or <svg:script, in any case. A picture in a page runs none, but it can be opened by itself, on the portal's host. */
static bool has_script(struct bytes b)
{
	for (size_t i = 1; i + 6 <= b.len; i++)
		if ((b.at[i - 1] == '<' || b.at[i - 1] == ':') && bytes_eq_nocase(bytes_cut(b, i, i + 6), BYTES("script")))
			return true;
	return false;
}

struct bytes map_image(const struct map *m, const char *key, size_t most, struct bytes *type)
{
	size_t errors = m->l->errors->errors;
	struct bytes data = map_file(m, key), path = map_string(m, key);
	yaml_mark_t at = map_mark(m, key);

	*type = BYTES("");
	if (path.len == 0 || m->l->errors->errors > errors) /* none, or not to be read */
		return BYTES("");
	if (data.len > most)
		conf_fail(m->l, &at, "choose a smaller one", "the file '%.*s' has %zu octets, and a picture here may have %zu", FMT(path), data.len, most);
	else if (bytes_starts(data, BYTES("\x89PNG\r\n\x1a\n")))
		*type = BYTES("image/png");
	else if (is_svg(data) && has_script(data))
		conf_fail(m->l, &at, "save it without", "the picture '%.*s' has a script in it", FMT(path));
	else if (is_svg(data))
		*type = BYTES("image/svg+xml");
	else
		conf_fail(m->l, &at, "choose one", "the file '%.*s' is neither an SVG nor a PNG picture", FMT(path));
	return type->len ? data : BYTES("");
}

static int hex_digit(unsigned char c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* How bright one of red, green and blue is to the eye, WCAG 2.2 "relative luminance". */
static double linear(int octet)
{
	double v = octet / 255.0;

	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

struct bytes map_colour(const struct map *m, const char *key)
{
	struct bytes v = map_string(m, key);
	yaml_mark_t at = map_mark(m, key);
	double light = 0, ratio;
	bool is_good = v.len == 7 && v.at[0] == '#';

	if (!map_node(m, key))
		return BYTES("");
	for (size_t i = 1; is_good && i < 7; i++)
		is_good = hex_digit(v.at[i]) >= 0;
	if (!is_good) { /* an unquoted one is empty: # begins a comment */
		conf_fail(m->l, &at, "write \"#0a5c36\", with the quotes", "'%.*s' is not a colour", FMT(v));
		return BYTES("");
	}
	for (size_t i = 0; i < 3; i++) {
		static const double share[] = { 0.2126, 0.7152, 0.0722 };
		light += share[i] * linear(hex_digit(v.at[1 + 2 * i]) * 16 + hex_digit(v.at[2 + 2 * i]));
	}
	ratio = 1.05 / (light + 0.05);
	if (ratio >= CONTRAST_LEAST)
		return v;
	conf_fail(m->l, &at, "choose a darker one", "white text on %.*s has a contrast of %u.%02u:1, and it takes 4.5:1 to be read by all", FMT(v),
		(unsigned)(ratio * 100) / 100, (unsigned)(ratio * 100) % 100);
	return BYTES("");
}
