/* A mail that somebody reads at night: the most serious first, times in UTC with how they are known, steps with numbers. Texts that
 * strangers chose are shown without control characters and cut to what a person reads. */
#include "alert/alert.h"

#include "response/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum mail_word {
#define MAIL(sym, en, nl) sym,
#include "alert/mail.tbl"
#undef MAIL
	MAIL_WORD_COUNT
};
static const char *const words[MAIL_WORD_COUNT][2] = {
#define MAIL(sym, en, nl) { en, nl },
#include "alert/mail.tbl"
#undef MAIL
};
/* Formats are looked up by word, so the compiler cannot hold them against their arguments; tests/house/words.py compares both languages. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define SUBJECT_MAX  160
#define SHOWN_MAX    400
#define LABEL_COLUMN 12

static const char *word(enum alert_lang l, enum mail_word w)
{
	return words[w][l == ALERT_NL];
}

/* UTF-8 (json's reader saw to that) in one line: control characters, C1 included, and those that turn the direction of a text become a dot. */
static void put_shown(struct text *t, struct bytes b, size_t most)
{
	size_t n = b.len < most ? b.len : most;

	while (n < b.len && n && (b.at[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = b.at[i], d = i + 1 < n ? b.at[i + 1] : 0, e = i + 2 < n ? b.at[i + 2] : 0;
		bool is_c1 = c == 0xc2 && d < 0xa0;
		bool is_turn = c == 0xe2 && ((d == 0x80 && (e >= 0xa8 && e <= 0xae)) || (d == 0x81 && e >= 0xa6 && e <= 0xa9));

		if (c < 0x20 || c == 0x7f || is_c1 || is_turn) {
			text_byte(t, '.');
			i += is_c1 ? 1 : is_turn ? 2 : 0;
		} else {
			text_byte(t, c);
		}
	}
	if (n < b.len)
		text_lit(t, " ...");
}

static void put_label(struct text *t, const char *label)
{
	text_fmt(t, "%-*s", LABEL_COLUMN, label);
}

static void put_row(struct text *t, const char *label, struct bytes value)
{
	if (!value.len)
		return;
	put_label(t, label);
	put_shown(t, value, SHOWN_MAX);
	text_byte(t, '\n');
}

static void put_what(struct text *t, const struct alert_fields *f, enum alert_lang l)
{
	put_label(t, word(l, M_WHAT));
	if (f->kind == ALERT_LIMITED) {
		text_fmt(t, word(l, M_LIMITED), (unsigned long long)f->count, FMT(f->first), FMT(f->last));
	} else {
		put_shown(t, f->title.len ? f->title : f->rule, SHOWN_MAX);
		if (f->advisories.len && bytes_find(f->title, f->advisories) == SIZE_MAX) {
			text_lit(t, " (");
			put_shown(t, f->advisories, 60);
			text_byte(t, ')');
		}
		if (f->title.len && f->rule.len) {
			text_lit(t, " [");
			put_shown(t, f->rule, 100);
			text_byte(t, ']');
		}
	}
	text_byte(t, '\n');
	put_row(t, word(l, M_CLASS), bytes_str(word(l, (enum mail_word)(M_COMPROMISE + (unsigned)f->class))));
}

static void put_where(struct text *t, const struct alert_fields *f, enum alert_lang l)
{
	struct bytes file = f->where.len ? f->where : f->path;

	if (f->source.len || file.len) {
		put_label(t, word(l, M_WHERE));
		put_shown(t, f->source, SHOWN_MAX);
		if (file.len && bytes_find(f->source, file) == SIZE_MAX) {
			text_str(t, f->source.len ? ", " : "");
			put_shown(t, file, SHOWN_MAX);
		}
		if (f->line) {
			text_lit(t, ", ");
			text_fmt(t, word(l, M_LINE), (unsigned long long)f->line);
		}
		text_byte(t, '\n');
	}
	if (f->kind == ALERT_LIMITED)
		return;
	put_label(t, word(l, M_WHEN));
	put_shown(t, f->time, 40);
	text_byte(t, ' ');
	if (bytes_eq(f->time_from, BYTES("seen")))
		text_str(t, word(l, M_TIME_SEEN));
	else if (f->time_from.len)
		text_fmt(t, word(l, M_TIME_FROM), FMT(bytes_cut(f->time_from, 0, 60)));
	else
		text_str(t, word(l, M_UTC));
	text_byte(t, '\n');
	put_row(t, word(l, M_SEEN), f->created);
}

static void put_who(struct text *t, const struct alert_fields *f, enum alert_lang l)
{
	if (f->client.len || f->user.len) {
		put_label(t, word(l, M_WHO));
		put_shown(t, f->client, 100);
		if (f->user.len) {
			text_fmt(t, "%s%s ", f->client.len ? ", " : "", word(l, M_USER));
			put_shown(t, f->user, 100);
		}
		if (f->user_agent.len) {
			text_lit(t, ", ");
			put_shown(t, f->user_agent, 150);
		}
		text_byte(t, '\n');
	}
	if (f->url.len) {
		put_label(t, word(l, M_REQUEST));
		put_shown(t, f->method, 20);
		text_byte(t, ' ');
		put_shown(t, f->url, SHOWN_MAX);
		if (f->status) {
			text_lit(t, ", ");
			text_fmt(t, word(l, M_ANSWERED), (unsigned long long)f->status);
		}
		text_byte(t, '\n');
	}
	if (f->kind == ALERT_AGAIN) {
		put_label(t, word(l, M_OFTEN));
		text_fmt(t, word(l, M_AGAIN), (unsigned long long)f->count, FMT(f->first), FMT(f->last));
		text_byte(t, '\n');
	}
}

static void put_held(struct text *t, const struct alert_fields *f)
{
	for (size_t i = 0; i < json_array_size(f->held) && i < ALERT_HELD_RULES; i++) {
		const json_t *h = json_array_get(f->held, i), *rule = json_object_get(h, "rule");

		text_fmt(t, "%*s%lld x ", LABEL_COLUMN, "", (long long)json_integer_value(json_object_get(h, "count")));
		put_shown(t, bytes_of(json_string_value(rule), json_string_length(rule)), SHOWN_MAX);
		text_byte(t, '\n');
	}
}

static void put_one(struct text *t, const struct alert_fields *f, enum alert_lang l)
{
	put_what(t, f, l);
	put_where(t, f, l);
	put_who(t, f, l);
	if (f->kind == ALERT_LIMITED) {
		put_held(t, f);
	} else if (f->message.len) {
		text_fmt(t, "%s:\n    ", word(l, M_MATCHED));
		put_shown(t, f->message, HUNT_EXCERPT_MAX);
		text_byte(t, '\n');
	}
	put_row(t, "Id", f->id);
	text_byte(t, '\n');
}

/* Those from..to have one class. With the advisory and client only where these are the same in all: a command must not name another. */
static void put_steps_of(struct text *t, const struct alert_fields *const *sorted, size_t from, size_t to, enum alert_of of, enum alert_lang l)
{
	struct bytes advisory = BYTES(""), client = BYTES("");
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		if (alert_of_source(sorted[i]->source) != of)
			continue;
		advisory = n == 0 || bytes_eq(advisory, sorted[i]->advisories) ? sorted[i]->advisories : BYTES("");
		client = n == 0 || bytes_eq(client, sorted[i]->client) ? sorted[i]->client : BYTES("");
		n++;
	}
	if (n == 0)
		return;
	text_fmt(t, "%s (%s)\n\n", word(l, M_NEXT), hunt_class_name(sorted[from]->class));
	for (size_t k = 0;; k++) {
		size_t before = t->len;

		text_fmt(t, "%zu. ", k + 1);
		if (!alert_put_next(t, sorted[from]->class, of, l, k, advisory, client)) {
			t->len = before;
			break;
		}
		text_byte(t, '\n');
	}
	text_byte(t, '\n');
}

static void put_steps(struct text *t, const struct alert_fields *const *sorted, size_t count, enum alert_lang l)
{
	for (size_t i = 0, to; i < count; i = to) {
		to = i + 1;
		while (to < count && sorted[to]->class == sorted[i]->class)
			to++;
		put_steps_of(t, sorted, i, to, ALERT_OF_HUNT, l);
		put_steps_of(t, sorted, i, to, ALERT_OF_GATEWAY, l);
	}
}

static void put_subject(struct text *t, const struct alert_fields *f, size_t count, enum alert_lang l)
{
	text_fmt(t, "[Sluis] %s: ", hunt_class_name(f->class));
	if (f->kind == ALERT_LIMITED)
		text_str(t, word(l, M_HELD_BACK));
	else
		put_shown(t, f->title.len ? f->title : f->rule, SUBJECT_MAX);
	if (f->advisories.len && bytes_find(f->title, f->advisories) == SIZE_MAX) {
		text_lit(t, " (");
		put_shown(t, f->advisories, 40);
		text_byte(t, ')');
	}
	if (count > 1) {
		text_lit(t, ", ");
		text_fmt(t, word(l, M_AND_MORE), count - 1);
	}
}

/* RFC 5322 3.3. */
static void write_date(uint64_t us, char out[40])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t s = (time_t)(us / 1000000);
	struct tm tm;

	CHECK(gmtime_r(&s, &tm));
	snprintf(out, 40, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The id of its first alert: a mail that is sent again is the same to a mail program. */
static void write_id(const struct alert_fields *f, const char *host, char out[160])
{
	size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	snprintf(out, 160, "%.*s@%s", FMT(f->id), *host && !host[n] && n < 100 ? host : "sluis.invalid");
}

/* The most serious class first, else as they came. */
static void sort(const struct alert_fields *alerts, size_t count, const struct alert_fields **sorted)
{
	size_t n = 0;

	for (unsigned c = 0; c < HUNT_CLASS_COUNT; c++)
		for (size_t i = 0; i < count; i++)
			if (alerts[i].class == (enum hunt_class)c)
				sorted[n++] = &alerts[i];
	CHECK(n == count);
}

enum err alert_put_mail(struct text *out, const struct alert_fields *alerts, size_t count, const struct alert_mail *m)
{
	const struct alert_fields *sorted[ALERT_MAIL_ALERTS_MAX];
	unsigned char subject_room[SUBJECT_MAX + 200];
	struct message message = { .from = m->from, .to = m->to, .language = m->language == ALERT_NL ? "nl" : "en" };
	struct text subject, body;
	char date[40], id[160];
	enum err e;

	CHECK(count && count <= ALERT_MAIL_ALERTS_MAX);
	sort(alerts, count, sorted);
	text_init(&subject, subject_room, sizeof(subject_room));
	put_subject(&subject, sorted[0], count, m->language);
	text_init_growing(&body, ALERT_MAIL_MAX);
	if (count > 1)
		text_fmt(&body, word(m->language, M_HELLO_MORE), count);
	else
		text_str(&body, word(m->language, M_HELLO_ONE));
	text_lit(&body, "\n\n");
	for (size_t i = 0; i < count; i++)
		put_one(&body, sorted[i], m->language);
	put_steps(&body, sorted, count, m->language);
	text_fmt(&body, word(m->language, M_HOST), (int)strlen(*m->host ? m->host : "?"), *m->host ? m->host : "?");
	text_byte(&body, '\n');
	write_date(m->now_us, date);
	write_id(&alerts[0], m->host, id);
	message.subject = text_bytes(&subject);
	message.date = date;
	message.id = id;
	message.body = text_bytes(&body);
	e = subject.failed || body.failed ? ERR_LIMIT : message_write(&message, out);
	text_fini(&body);
	return e;
}
