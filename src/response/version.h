/* Builds of a NetScaler (13.1-49.13) as numbers that can be compared, within one release line: a line is a release and its edition,
 * and a build of one line says nothing about another. Texts in, numbers out; which builds are affected is data (decision.h). */
#ifndef RESPONSE_VERSION_H
#define RESPONSE_VERSION_H

#include "base/text.h"

enum ns_edition {
	NS_STANDARD, /* what most run */
	NS_FIPS,
	NS_NDCPP,
	NS_WANOP, /* no edition but a product, SD-WAN WANOP, with lines and builds of its own: 10.2.6, 10.2.6b (sub: 0, or the letter from 1) */
	NS_EDITION_COUNT
};

struct ns_line {
	uint16_t major, minor; /* 13.1 */
	enum ns_edition edition;
};
struct ns_version {
	struct ns_line line;
	bool has_edition; /* the text named one; else line.edition is NS_STANDARD, and that is a guess */
	uint16_t build, sub; /* 49.13 */
};

/* "standard", "fips", "ndcpp"; NS_WANOP is "sd-wan-wanop", and is no name of an edition for ns_edition_parse. */
const char *ns_edition_name(enum ns_edition e);
bool ns_edition_parse(struct bytes name, enum ns_edition *out) MUST_USE;
/* "13.1", "13.1-FIPS", "12.1-NDcPP", "10.2-WANOP". */
enum err ns_line_parse(struct bytes in, struct ns_line *out) MUST_USE;
void ns_line_write(const struct ns_line *l, struct text *out);
/* "13.1-49.13", "13.1-FIPS 37.159", "NS13.1: Build 49.13.nc", "#NS12.1 Build 51.19", "ns-13.1-30.52"; what stands behind the build
 * ("nc", a date) is passed over. ERR_SYNTAX: none of these. */
enum err ns_version_parse(struct bytes in, struct ns_version *out) MUST_USE;
/* SD-WAN WANOP: "10.2.6", "10.2.6b". ERR_SYNTAX. */
enum err ns_wanop_parse(struct bytes in, struct ns_version *out) MUST_USE;
/* "13.1-49.13", "13.1-FIPS 37.159", "10.2.6b". */
void ns_version_write(const struct ns_version *v, struct text *out);
bool ns_line_eq(const struct ns_line *a, const struct ns_line *b);
/* Of two builds of one line: below 0, 0 or above 0. *out is written on OK only; ERR_UNSUPPORTED: they are of different lines. */
enum err ns_version_compare(const struct ns_version *a, const struct ns_version *b, int *out) MUST_USE;

#endif
