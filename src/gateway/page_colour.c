/* An organisation's colour, and colours made of it that can be read: relative luminance and contrast by WCAG 2.2. */
#include "gateway/page.h"

#include "crypto/sha256.h"

#include <math.h>

struct colour { double part[3]; }; /* sRGB, 0 to 1 */

static double luminance(struct colour c)
{
	static const double weight[] = { 0.2126, 0.7152, 0.0722 };
	double sum = 0;

	for (size_t i = 0; i < 3; i++)
		sum += weight[i] * (c.part[i] <= 0.04045 ? c.part[i] / 12.92 : pow((c.part[i] + 0.055) / 1.055, 2.4));
	return sum;
}

static double contrast(struct colour a, struct colour b)
{
	double la = luminance(a), lb = luminance(b);

	return la > lb ? (la + 0.05) / (lb + 0.05) : (lb + 0.05) / (la + 0.05);
}

static struct colour mix(struct colour a, struct colour b, double of_b)
{
	for (size_t i = 0; i < 3; i++)
		a.part[i] += (b.part[i] - a.part[i]) * of_b;
	return a;
}

static void put_colour(struct text *t, const char *name, struct colour c)
{
	text_fmt(t, "--%s:#", name);
	for (size_t i = 0; i < 3; i++)
		text_fmt(t, "%02x", (unsigned)lround(c.part[i] * 255));
}

/* c, moved towards `to` until it can be read on `on`. */
static struct colour readable(struct colour c, struct colour to, struct colour on)
{
	struct colour out = c;

	for (double of_to = 0; contrast(out, on) < 4.6 && of_to < 1; of_to += 0.04)
		out = mix(c, to, of_to);
	return out;
}

void page_colour_css(struct text *t, struct bytes colour)
{
	static const struct colour white = { { 1, 1, 1 } }, black = { { 0, 0, 0 } };
	/* --paper and --card of web/portal.css where links stand: the darker one in light, the lighter one in dark. */
	static const struct colour paper = { { 0.949, 0.957, 0.965 } }, card = { { 0.102, 0.133, 0.169 } };
	unsigned char octets[3];
	struct colour c;

	if (colour.len != 7 || colour.at[0] != '#' || hex_read(bytes_cut(colour, 1, 7), octets, 3) != OK)
		return;
	for (size_t i = 0; i < 3; i++)
		c.part[i] = octets[i] / 255.0;
	text_lit(t, ":root{");
	put_colour(t, "accent", c);
	text_byte(t, ';');
	put_colour(t, "on-accent", contrast(c, white) >= 4.5 ? white : black);
	text_byte(t, ';');
	put_colour(t, "link", readable(c, black, paper));
	text_lit(t, "}\n@media(prefers-color-scheme:dark){:root{");
	put_colour(t, "link", readable(c, white, card));
	text_lit(t, "}}\n");
}
