/* The small parts of a page: words, fields, buttons, times. */
#define _DEFAULT_SOURCE
#include "gateway/page_priv.h"

#include "base/clock.h"

#include <time.h>

static void fill(struct text *t, const char *word, struct bytes first, struct bytes second, void (*add)(struct text *t, struct bytes b))
{
	struct bytes left = bytes_str(word), args[] = { first, second };
	size_t next = 0;

	for (;;) {
		size_t at = bytes_find_byte(left, '%');
		add(t, bytes_cut(left, 0, at));
		if (at == SIZE_MAX)
			return;
		CHECK(next < COUNT_OF(args) && left.len - at >= 2 && (left.at[at + 1] == 's' || left.at[at + 1] == 'u'));
		add(t, args[next++]);
		left = bytes_cut(left, at + 2, left.len);
	}
}

static void add_plain(struct text *t, struct bytes b)
{
	text_add(t, b);
}

void page_fill(struct text *t, enum page_lang l, enum page_word w, struct bytes first, struct bytes second)
{
	fill(t, page_word(l, w), first, second, add_plain);
}

void put_with(struct text *t, const struct page *p, enum page_word w, struct bytes first, struct bytes second)
{
	fill(t, page_word(p->lang, w), first, second, text_html);
}

void put(struct text *t, const struct page *p, enum page_word w)
{
	text_html(t, bytes_str(page_word(p->lang, w)));
}

void put_with_number(struct text *t, const struct page *p, enum page_word w, uint64_t n)
{
	unsigned char digits[20];
	struct text d;

	text_init(&d, digits, sizeof digits);
	text_u64(&d, n);
	put_with(t, p, w, text_bytes(&d), BYTES(""));
}

void put_cut(struct text *t, struct bytes b, size_t most)
{
	size_t end = most;

	if (b.len <= most) {
		text_html(t, b);
		return;
	}
	while (end && (b.at[end] & 0xc0) == 0x80) /* not within a character */
		end--;
	text_html(t, bytes_cut(b, 0, end));
	text_lit(t, "…");
}

void put_element(struct text *t, const struct page *p, const char *tag, enum page_word w)
{
	text_fmt(t, "<%s>", tag);
	put(t, p, w);
	text_lit(t, "</");
	text_add(t, bytes_cut(bytes_str(tag), 0, bytes_find_byte(bytes_str(tag), ' ')));
	text_lit(t, ">\n");
}

void put_noscript(struct text *t, const struct page *p, enum page_word w)
{
	text_lit(t, "<noscript>");
	put_element(t, p, "p", w);
	text_lit(t, "</noscript>\n");
}

static bool is_day(const struct tm *a, uint64_t at_s)
{
	time_t at = (time_t)at_s;
	struct tm b;

	return localtime_r(&at, &b) && a->tm_year == b.tm_year && a->tm_yday == b.tm_yday;
}

static void put_date(struct text *t, const struct page *p, const struct tm *day)
{
	struct bytes months = bytes_str(page_word(p->lang, PW_MONTHS));

	for (int i = 0; i < day->tm_mon; i++)
		months = bytes_cut(months, bytes_find_byte(months, ' ') + 1, months.len);
	text_fmt(t, "%d ", day->tm_mday);
	text_html(t, bytes_cut(months, 0, bytes_find_byte(months, ' ')));
	text_fmt(t, " %d", day->tm_year + 1900);
}

static void write_time(struct text *t, const struct page *p, uint64_t at_s, bool by_date)
{
	const uint64_t day_s = 86400, most = UINT64_C(253402300799); /* the end of the year 9999 */
	time_t at = (time_t)(at_s > most ? most : at_s);
	char utc[25];
	struct tm local;

	if (!localtime_r(&at, &local))
		return;
	clock_rfc3339((uint64_t)at * 1000000, utc);
	text_fmt(t, "<time datetime=\"%.19sZ\">", utc);
	if (by_date)
		put_date(t, p, &local);
	else if (is_day(&local, p->now_s))
		put(t, p, PW_TODAY);
	else if (p->now_s >= day_s && is_day(&local, p->now_s - day_s))
		put(t, p, PW_YESTERDAY);
	else if (is_day(&local, p->now_s + day_s))
		put(t, p, PW_TOMORROW);
	else
		put_date(t, p, &local);
	text_fmt(t, ", %02d:%02d</time>", local.tm_hour, local.tm_min);
}

void put_time(struct text *t, const struct page *p, uint64_t at_s)
{
	write_time(t, p, at_s, false);
}

void put_time_on_paper(struct text *t, const struct page *p, uint64_t at_s)
{
	write_time(t, p, at_s, true);
}

void put_method(struct text *t, const struct page *p, struct bytes method)
{
	static const struct { struct bytes name; enum page_word word; } known[] = {
		{ LIT("password"), PW_BY_PASSWORD }, { LIT("ldap"), PW_BY_PASSWORD }, { LIT("oidc"), PW_BY_OIDC }, { LIT("totp"), PW_BY_TOTP }, { LIT("recovery"), PW_BY_RECOVERY }, { LIT("passkey"), PW_BY_PASSKEY },
	};
	bool is_first = true;

	while (method.len) {
		size_t end = bytes_find_byte(method, ' '), i = 0;
		struct bytes one = bytes_cut(method, 0, end);
		method = end == SIZE_MAX ? BYTES("") : bytes_cut(method, end + 1, method.len);
		if (one.len == 0)
			continue;
		if (!is_first)
			put(t, p, PW_AND);
		is_first = false;
		while (i < COUNT_OF(known) && !bytes_eq(known[i].name, one))
			i++;
		if (i < COUNT_OF(known))
			put(t, p, known[i].word);
		else
			text_html(t, one);
	}
}

/* Enough to know one's own devices by. Order matters: most browsers say that they are others too. */
void device_write(struct text *t, enum page_lang l, struct bytes agent)
{
	static const struct { struct bytes sign; const char *name; } browsers[] = { { LIT("Edg"), "Edge" }, { LIT("OPR/"), "Opera" },
		{ LIT("SamsungBrowser"), "Samsung Internet" }, { LIT("Firefox"), "Firefox" }, { LIT("FxiOS"), "Firefox" }, { LIT("CriOS"), "Chrome" },
		{ LIT("Chrome"), "Chrome" }, { LIT("Safari"), "Safari" } };
	static const struct { struct bytes sign; const char *name; } systems[] = { { LIT("Windows"), "Windows" }, { LIT("Android"), "Android" },
		{ LIT("iPhone"), "iPhone" }, { LIT("iPad"), "iPad" }, { LIT("Macintosh"), "Mac" }, { LIT("CrOS"), "ChromeOS" }, { LIT("Linux"), "Linux" } };
	size_t b = 0, s = 0;

	while (b < COUNT_OF(browsers) && bytes_find(agent, browsers[b].sign) == SIZE_MAX)
		b++;
	while (s < COUNT_OF(systems) && bytes_find(agent, systems[s].sign) == SIZE_MAX)
		s++;
	if (b < COUNT_OF(browsers) && s < COUNT_OF(systems))
		page_fill(t, l, PW_DEVICE_ON, bytes_str(browsers[b].name), bytes_str(systems[s].name));
	else if (b < COUNT_OF(browsers))
		text_str(t, browsers[b].name);
	else if (s < COUNT_OF(systems))
		text_str(t, systems[s].name);
	else
		page_fill(t, l, PW_DEVICE_UNKNOWN, BYTES(""), BYTES(""));
}

struct bytes words_of(const struct page *p, const struct conf_words *w)
{
	return p->lang == PAGE_NL ? w->nl : w->en;
}

struct bytes user_display(const struct page *p)
{
	if (!p->facts)
		return BYTES("");
	return p->facts->display.len ? p->facts->display : p->facts->user;
}

void put_hidden(struct text *t, const char *name, struct bytes value)
{
	text_fmt(t, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	text_html(t, value);
	text_lit(t, "\">\n");
}

void put_form(struct text *t, const struct page *p, const char *action, const char *look)
{
	text_fmt(t, "<form method=\"post\" action=\"%s\" class=\"%s\">\n", action, look);
	put_hidden(t, "csrf", p->csrf);
	if (p->next.len)
		put_hidden(t, "next", p->next);
}

void put_field(struct text *t, const struct page *p, const struct field *f)
{
	const char *id = f->id ? f->id : f->name;
	bool is_wrong = p->error.len && bytes_eq(p->wrong, bytes_str(id));

	text_fmt(t, "<div class=\"field%s\">\n<label for=\"%s\">", is_wrong ? " is-wrong" : "", id);
	put(t, p, f->label);
	text_lit(t, "</label>\n");
	if (f->hint) {
		text_fmt(t, "<p class=\"hint\" id=\"%s-hint\">", id);
		put_with(t, p, f->hint, f->hint_number, BYTES(""));
		text_lit(t, "</p>\n");
	}
	text_fmt(t, "<input id=\"%s\" name=\"%s\" type=\"%s\" autocomplete=\"%s\"", id, f->name, f->type, f->autocomplete);
	if (f->value.len) {
		text_lit(t, " value=\"");
		text_html(t, f->value);
		text_byte(t, '"');
	}
	if (f->more)
		text_fmt(t, " %s", f->more);
	if (is_wrong)
		text_lit(t, " aria-invalid=\"true\"");
	if (is_wrong || f->hint)
		text_fmt(t, " aria-describedby=\"%s%s%s%s\"", is_wrong ? "error" : "", is_wrong && f->hint ? " " : "", f->hint ? id : "",
			f->hint ? "-hint" : "");
	if (is_wrong || (f->takes_focus && !(p->error.len && p->wrong.len)))
		text_lit(t, " autofocus");
	text_lit(t, " required>\n</div>\n");
}

void put_button(struct text *t, const struct page *p, enum page_word w, const char *look)
{
	text_fmt(t, "<button class=\"%s\">", look);
	put(t, p, w);
	text_lit(t, "</button>\n");
}

static void put_data(struct text *t, const char *name, struct bytes value)
{
	text_fmt(t, " data-%s=\"", name);
	text_html(t, value);
	text_byte(t, '"');
}

void put_passkey(struct text *t, const struct page *p, const char *id, enum page_word w, const char *options, const char *result,
	const char *with)
{
	text_fmt(t, "<button type=\"button\" class=\"passkey\" id=\"%s\" hidden data-options=\"%s\" data-result=\"%s\"", id, options, result);
	text_fmt(t, " data-status=\"%s-status\"%s", id, with);
	put_data(t, "csrf", p->csrf);
	put_data(t, "next", p->next.len ? p->next : BYTES("/"));
	put_data(t, "error", bytes_str(page_word(p->lang, PW_PASSKEY_FAILED)));
	put_data(t, "cancelled", bytes_str(page_word(p->lang, PW_PASSKEY_CANCELLED)));
	text_byte(t, '>');
	put(t, p, w);
	text_fmt(t, "</button>\n<p class=\"status\" id=\"%s-status\" role=\"status\"></p>\n", id);
}

void put_passkey_codes(struct text *t, const struct page *p)
{
	text_lit(t, "<section id=\"passkey-codes\" tabindex=\"-1\" hidden>\n");
	put_element(t, p, "h2", PW_CODES);
	put_element(t, p, "p", PW_CODES_LEAD);
	put_element(t, p, "p class=\"told plain\"", PW_CODES_ONCE);
	text_lit(t, "<pre></pre>\n<p><a class=\"button\" href=\"/\">");
	put(t, p, PW_CODES_KEPT);
	text_lit(t, "</a></p>\n</section>\n");
}
