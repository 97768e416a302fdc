/* What is written is read back; a name, a kind or a byte that may not be there is refused, and so is an archive that is
 * changed in any single byte of its headers, its padding or its end, or cut at any place. */
#define _GNU_SOURCE
#include "archive/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct tar_limits wide = { .bytes = 1 << 20, .members = 100 };

static void write_two(struct text *out)
{
	struct tar_writer *w = NULL;

	text_init_growing(out, 1 << 20);
	assert_int_equal(tar_writer_open_text(out, &w), OK);
	assert_int_equal(tar_writer_member(w, "first.json", BYTES("{}\n"), 1000), OK);
	assert_int_equal(tar_writer_member(w, "folder/second", BYTES(""), 1000), OK);
	assert_int_equal(tar_writer_close(w), OK);
	assert_int_equal(tar_writer_at(w), out->len);
	tar_writer_free(&w);
}

/* The error that reading ends with, ERR_CLOSED when all is well; *content: the contents one after the other. */
static enum err read_through(struct bytes in, struct tar_limits limits, struct text *content, size_t *count)
{
	struct tar_reader *r = NULL;
	struct tar_member m;
	enum err e;

	*count = 0;
	assert_int_equal(tar_reader_open_bytes(in, &limits, &r), OK);
	while ((e = tar_reader_next(r, &m)) == OK) {
		++*count;
		e = tar_reader_read_all(r, content);
		if (e != OK)
			break;
	}
	assert_int_equal(tar_reader_next(r, &m), e); /* it stays as it is */
	if (e == ERR_CLOSED)
		assert_in_range(tar_reader_end(r), 1, in.len - 1024);
	tar_reader_free(&r);
	return e;
}

static void test_round_trip(void **state)
{
	struct text t, content;
	size_t count;

	(void)state;
	write_two(&t);
	text_init_growing(&content, 100);
	assert_int_equal(t.len, 512 + 512 + 512 + 1024);
	assert_int_equal(read_through(text_bytes(&t), wide, &content, &count), ERR_CLOSED);
	assert_int_equal(count, 2);
	assert_true(bytes_eq(text_bytes(&content), BYTES("{}\n")));
	text_fini(&content);
	text_fini(&t);
}

static void test_limits(void **state)
{
	struct text t, content;
	size_t count;

	(void)state;
	write_two(&t);
	text_init_growing(&content, 100);
	assert_int_equal(read_through(text_bytes(&t), (struct tar_limits){ 100, 1 }, &content, &count), ERR_LIMIT);
	assert_int_equal(read_through(text_bytes(&t), (struct tar_limits){ 2, 9 }, &content, &count), ERR_LIMIT);
	assert_int_equal(count, 0);
	text_fini(&content);
	text_fini(&t);
}

static void test_each_byte_counts(void **state)
{
	struct text t, content;
	size_t count, accepted = 0;

	(void)state;
	write_two(&t);
	for (size_t i = 0; i < t.len; i++) {
		text_init_growing(&content, 100);
		t.at[i] ^= 1;
		if (read_through(text_bytes(&t), wide, &content, &count) == ERR_CLOSED) {
			accepted++;
			assert_in_range(i, 512, 514); /* the content: the manifest's matter */
		}
		t.at[i] ^= 1;
		text_fini(&content);
	}
	assert_int_equal(accepted, 3);
	for (size_t cut = 0; cut < t.len; cut++) {
		text_init_growing(&content, 100);
		assert_int_equal(read_through(bytes_of(t.at, cut), wide, &content, &count), ERR_SYNTAX);
		text_fini(&content);
	}
	text_fini(&t);
}

/* A header as any program could have made it, with its checksum right. */
static void header(struct text *t, const char *name, char type, const char *link, const char *size)
{
	unsigned char b[512] = { 0 };
	unsigned sum = 8 * ' ';
	char digits[8];

	memcpy(b, name, strlen(name));
	memcpy(b + 100, "0000600", 7);
	memcpy(b + 108, "0000000", 7);
	memcpy(b + 116, "0000000", 7);
	memcpy(b + 124, size, strlen(size));
	memcpy(b + 136, "00000000000", 11);
	b[156] = (unsigned char)type;
	memcpy(b + 157, link, strlen(link));
	memcpy(b + 257, "ustar\0" "00", 8);
	for (size_t i = 0; i < sizeof(b); i++)
		sum += b[i];
	snprintf(digits, sizeof(digits), "%06o", sum);
	memcpy(b + 148, digits, 7);
	b[155] = ' ';
	text_add(t, bytes_of(b, sizeof(b)));
}

static void test_hostile_headers(void **state)
{
	static const struct {
		const char *why, *name;
		char type;
		const char *link, *size;
		enum err want;
	} cases[] = {
		{ "a plain file", "a", '0', "", "00000000000", ERR_CLOSED },
		{ "an absolute name", "/etc/passwd", '0', "", "00000000000", ERR_DENIED },
		{ "a name that climbs", "a/../../b", '0', "", "00000000000", ERR_DENIED },
		{ "a name that is only dots", "..", '0', "", "00000000000", ERR_DENIED },
		{ "a folder's name", "a/", '0', "", "00000000000", ERR_DENIED },
		{ "a control character", "a\nb", '0', "", "00000000000", ERR_DENIED },
		{ "a backslash", "a\\b", '0', "", "00000000000", ERR_DENIED },
		{ "a symbolic link", "a", '2', "/etc/passwd", "00000000000", ERR_DENIED },
		{ "a hard link", "a", '1', "b", "00000000000", ERR_DENIED },
		{ "a device", "a", '3', "", "00000000000", ERR_DENIED },
		{ "a folder", "a", '5', "", "00000000000", ERR_DENIED },
		{ "a sparse file", "a", 'S', "", "00000000000", ERR_DENIED },
		{ "a long name of GNU", "a", 'L', "", "00000000000", ERR_DENIED },
		{ "a global pax header", "a", 'g', "", "00000000000", ERR_DENIED },
		{ "a pax header of 8 GiB", "a", 'x', "", "77777777777", ERR_LIMIT },
		{ "more than there is", "a", '0', "", "00000100000", ERR_SYNTAX },
		{ "8 GiB that are not there", "a", '0', "", "77777777777", ERR_SYNTAX },
		{ "a size of letters", "a", 'x', "", "zzzzzzzzzzz", ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static const unsigned char end[1024];
		struct text t, content;
		size_t count;

		text_init_growing(&t, 1 << 16);
		text_init_growing(&content, 1 << 16);
		header(&t, cases[i].name, cases[i].type, cases[i].link, cases[i].size);
		text_add(&t, bytes_of(end, sizeof(end)));
		if (read_through(text_bytes(&t), wide, &content, &count) != cases[i].want)
			fail_msg("%s", cases[i].why);
		text_fini(&content);
		text_fini(&t);
	}
}

static void test_writer_keeps_the_rules(void **state)
{
	struct tar_writer *w = NULL;
	struct text t;

	(void)state;
	text_init_growing(&t, 2048);
	assert_int_equal(tar_writer_open_text(&t, &w), OK);
	assert_int_equal(tar_writer_member(w, "../a", BYTES("x"), 0), ERR_DENIED);
	assert_int_equal(tar_writer_begin(w, "a", 2, 0), OK);
	assert_int_equal(tar_writer_add(w, BYTES("x")), OK);
	assert_int_equal(tar_writer_end(w), ERR_ORDER); /* one byte is missing */
	assert_int_equal(tar_writer_add(w, BYTES("xx")), ERR_LIMIT);
	assert_int_equal(tar_writer_add(w, BYTES("x")), OK);
	assert_int_equal(tar_writer_end(w), OK);
	assert_int_equal(tar_writer_member(w, "b", BYTES("x"), 0), OK);
	assert_int_equal(tar_writer_member(w, "c", BYTES("x"), 0), ERR_IO); /* the text is full */
	tar_writer_free(&w);
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_hostile_headers),
		cmocka_unit_test(test_writer_keeps_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
