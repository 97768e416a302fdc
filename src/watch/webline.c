#include "watch/webline.h"

#include <stdio.h>
#include <time.h>

static const char *stamp_of(struct webline *l, uint64_t at_us)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t second = (time_t)(at_us / 1000000);
	struct tm tm;

	if (l->second == (uint64_t)second && l->stamp[0])
		return l->stamp;
	if (!gmtime_r(&second, &tm) || tm.tm_year < 70 || tm.tm_year > 8000)
		second = 0, gmtime_r(&second, &tm);
	snprintf(l->stamp, sizeof(l->stamp), "[%02d/%s/%04d:%02d:%02d:%02d +0000]", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
	l->second = (uint64_t)second;
	return l->stamp;
}

static bool is_unsafe(unsigned char c)
{
	return c < ' ' || c == '"' || c == '\\' || c == 127;
}

static void put_escaped(struct text *t, struct bytes b)
{
	static const char hex[] = "0123456789abcdef";
	size_t from = 0;

	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i];

		if (!is_unsafe(c))
			continue;
		text_add(t, bytes_cut(b, from, i));
		text_lit(t, "\\x");
		text_byte(t, (unsigned char)hex[c >> 4]);
		text_byte(t, (unsigned char)hex[c & 15]);
		from = i + 1;
	}
	text_add(t, bytes_cut(b, from, b.len));
}

static void put_or_dash(struct text *t, struct bytes b)
{
	if (b.len)
		put_escaped(t, b);
	else
		text_byte(t, '-');
}

void webline_put(struct webline *l, struct text *t, const struct addr *client, const struct weblog *w)
{
	addr_write_ip(client, t);
	text_lit(t, " - - ");
	text_str(t, stamp_of(l, w->at_us));
	text_lit(t, " \"");
	put_escaped(t, w->method);
	text_byte(t, ' ');
	put_escaped(t, w->target);
	text_byte(t, ' ');
	text_add(t, w->protocol);
	text_lit(t, "\" ");
	if (w->status >= 100 && w->status <= 999)
		text_u64(t, w->status);
	else
		text_byte(t, '-');
	text_byte(t, ' ');
	text_u64(t, w->size);
	text_lit(t, " \"");
	put_or_dash(t, w->referer);
	text_lit(t, "\" \"");
	put_or_dash(t, w->user_agent);
	text_lit(t, "\"\n");
}
