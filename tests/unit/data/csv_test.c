/* Tables as RFC 4180 writes them and as spreadsheets do: what the fields are, on which line, and what is refused with which words. */
#include "data/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct csv_record record;

/* Fields with '|' between them, records with "LINE:" before and '/' behind. */
static enum err read_all(struct bytes in, struct csv *c, struct text *out)
{
	enum err e;

	csv_init(c, in);
	while ((e = csv_next(c, &record)) == OK) {
		text_fmt(out, "%u:", c->record_line);
		for (size_t i = 0; i < record.count; i++) {
			if (i)
				text_byte(out, '|');
			text_add(out, record.fields[i]);
		}
		text_byte(out, '/');
	}
	return e;
}

static const struct { const char *why; struct bytes in, out; } cases[] = {
	{ "nothing", LIT(""), LIT("") },
	{ "empty lines are nothing", LIT("\n\r\n\n"), LIT("") },
	{ "one field", LIT("a"), LIT("1:a/") },
	{ "RFC 4180 2.1, 2.2: the last line with and without its end", LIT("a,b\r\nc,d\r\n"), LIT("1:a|b/2:c|d/") },
	{ "and without", LIT("a,b\r\nc,d"), LIT("1:a|b/2:c|d/") },
	{ "line feeds alone", LIT("a,b\nc,d\n"), LIT("1:a|b/2:c|d/") },
	{ "empty fields", LIT(",\n,,x\n\"\",\"\"\n"), LIT("1:|/2:||x/3:|/") },
	{ "a separator at the end of all", LIT("a,"), LIT("1:a|/") },
	{ "RFC 4180 2.4: spaces belong to the field", LIT(" a , b\n"), LIT("1: a | b/") },
	{ "RFC 4180 2.5: quotes", LIT("\"a\",\"b\"\n"), LIT("1:a|b/") },
	{ "RFC 4180 2.6: separators and lines inside", LIT("\"a,b\nc\",d\ne\n"), LIT("1:a,b\nc|d/3:e/") },
	{ "RFC 4180 2.7: doubled quotes", LIT("\"a\"\"b\",\"\"\"\"\n"), LIT("1:a\"b|\"/") },
	{ "line numbers over empty lines", LIT("a\n\n\nb\n"), LIT("1:a/4:b/") },
	{ "a byte order mark is no part of the first name", LIT("\xef\xbb\xbfname,mail\n"), LIT("1:name|mail/") },
	{ "semicolons where the first line has no comma", LIT("name;groups\neva;a,b\n"), LIT("1:name|groups/2:eva|a,b/") },
	{ "a comma in quotes does not decide", LIT("\"a,b\";c\nd;e\n"), LIT("1:a,b|c/2:d|e/") },
	{ "a comma decides", LIT("name,groups\neva,a;b\n"), LIT("1:name|groups/2:eva|a;b/") },
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[256];
		struct text out;
		struct csv c;

		text_init(&out, mem, sizeof(mem));
		if (read_all(cases[i].in, &c, &out) != ERR_NOT_FOUND || !bytes_eq(text_bytes(&out), cases[i].out))
			fail_msg("%s: %.*s", cases[i].why, FMT(text_bytes(&out)));
		assert_int_equal(csv_next(&c, &record), ERR_NOT_FOUND);
	}
}

static const struct { const char *why; struct bytes in; unsigned line; const char *told; } refused[] = {
	{ "a quote in a bare field", LIT("a\nb\"c\n"), 2, "a quote inside" },
	{ "text behind a quote", LIT("\"a\"b\n"), 1, "text behind a closing quote" },
	{ "a space behind a quote, too", LIT("x\n\"a\" ,b\n"), 2, "text behind a closing quote" },
	{ "a quote without an end is told where it begins", LIT("a\nb\n\"c\nd\ne\n"), 3, "does not end" },
	{ "at the very end", LIT("a,\""), 1, "does not end" },
	{ "a doubled quote at the end", LIT("\"a\"\""), 1, "does not end" },
	{ "lines of an old Macintosh", LIT("a\rb\r"), 1, "carriage return" },
	{ "a NUL", LIT("a\0b\n"), 1, "a NUL" },
	{ "a NUL in quotes", LIT("\"a\0b\"\n"), 1, "a NUL" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		unsigned char mem[256];
		struct text out;
		struct csv c;

		text_init(&out, mem, sizeof(mem));
		if (read_all(refused[i].in, &c, &out) != ERR_SYNTAX || c.record_line != refused[i].line || !strstr(c.why, refused[i].told))
			fail_msg("%s: line %u: %s", refused[i].why, c.record_line, c.why ? c.why : "");
		assert_int_equal(csv_next(&c, &record), ERR_SYNTAX);
	}
}

static struct bytes many(char *mem, const char *piece, size_t n, const char *end)
{
	mem[0] = 0;
	for (size_t i = 0, len = strlen(piece); i < n; i++)
		memcpy(mem + i * len, piece, len + 1);
	memcpy(mem + n * strlen(piece), end, strlen(end) + 1);
	return bytes_str(mem);
}

static void test_limits(void **state)
{
	char *mem = malloc(300000);
	struct csv c;

	(void)state;
	assert_non_null(mem);
	csv_init(&c, many(mem, "a,", CSV_FIELDS_MAX - 1, "a"));
	assert_int_equal(csv_next(&c, &record), OK);
	assert_int_equal(record.count, CSV_FIELDS_MAX);
	csv_init(&c, many(mem, "a,", CSV_FIELDS_MAX, "a"));
	assert_int_equal(csv_next(&c, &record), ERR_LIMIT);
	csv_init(&c, many(mem, "a", CSV_FIELD_MAX, "\n"));
	assert_int_equal(csv_next(&c, &record), OK);
	csv_init(&c, many(mem, "a", CSV_FIELD_MAX + 1, "\n"));
	assert_int_equal(csv_next(&c, &record), ERR_LIMIT);
	many(mem, "\"\"", 40000, "\"\n");
	memcpy(mem, "\"a", 2); /* one field of doubled quotes alone */
	csv_init(&c, bytes_str(mem));
	assert_int_equal(csv_next(&c, &record), ERR_LIMIT);
	assert_non_null(strstr(c.why, "too much text"));
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
