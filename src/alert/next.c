/* A step with what is known filled in. What is put into a command must be harmless in a shell, for people copy it there. */
#include "alert/alert.h"

#include "net/addr.h"

static const struct {
	enum hunt_class class;
	enum alert_of of;
	const char *texts[2];
} steps[] = {
#define NEXT(class, of, en, nl) { class, ALERT_OF_##of, { en, nl } },
#include "alert/next.tbl"
#undef NEXT
};

static bool is_plain_id(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i], l = ascii_lower(c);

		if (!((c >= '0' && c <= '9') || (l >= 'a' && l <= 'z') || (c == '-' && i)))
			return false;
	}
	return b.len && b.len <= 40;
}

enum alert_of alert_of_source(struct bytes source)
{
	return bytes_eq(source, BYTES(ALERT_SOURCE_GATEWAY)) ? ALERT_OF_GATEWAY : ALERT_OF_HUNT;
}

bool alert_put_next(struct text *t, enum hunt_class c, enum alert_of of, enum alert_lang language, size_t i, struct bytes advisory, struct bytes client)
{
	struct bytes left = BYTES("");
	struct addr addr;
	size_t n;

	for (size_t k = 0; k < COUNT_OF(steps); k++)
		if (steps[k].class == c && steps[k].of == of && i-- == 0) {
			left = bytes_str(steps[k].texts[language == ALERT_NL]);
			break;
		}
	if (!left.len)
		return false;
	while ((n = bytes_find_byte(left, '{')) != SIZE_MAX) {
		text_add(t, bytes_cut(left, 0, n));
		left = bytes_cut(left, n, left.len);
		if (bytes_starts(left, BYTES("{CVE}")))
			text_add(t, is_plain_id(advisory) ? advisory : BYTES("CVE"));
		else
			text_add(t, addr_parse_ip(client, &addr) == OK ? client : BYTES("CLIENT"));
		left = bytes_cut(left, bytes_find_byte(left, '}') + 1, left.len);
	}
	text_add(t, left);
	return true;
}
