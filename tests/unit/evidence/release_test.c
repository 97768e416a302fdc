/* The release manifest: what it refuses, that what is written is read, and that a signature fits one text. */
#include "evidence/release.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define A64   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* SHA-256 of nothing */
#define HEAD  "sluis-release-1\nversion 1.0.0\nbuild " A64 "\nkey release\n"

/* Most have a wrong build id: that is looked at last, so the line says that another mistake was found first. */
static const struct {
	const char *why, *in;
	enum err want;
	unsigned line;
} cases[] = {
	{ "no files", "sluis-release-1\nversion 1.0.0\nbuild " EMPTY "\nkey development\n", OK, 4 },
	{ "nothing", "", ERR_SYNTAX, 1 },
	{ "another text", "sluis-ledger-batch-1\n", ERR_SYNTAX, 1 },
	{ "a later format", "sluis-release-2\nversion 1\n", ERR_UNSUPPORTED, 1 },
	{ "a line without an end", "sluis-release-1", ERR_SYNTAX, 1 },
	{ "CRLF", "sluis-release-1\r\nversion 1\r\n", ERR_UNSUPPORTED, 1 },
	{ "no version", "sluis-release-1\nversion \n", ERR_SYNTAX, 2 },
	{ "a space in the version", "sluis-release-1\nversion 1 0\n", ERR_SYNTAX, 2 },
	{ "a short build id", "sluis-release-1\nversion 1\nbuild 12\nkey release\n", ERR_SYNTAX, 3 },
	{ "an unknown key", "sluis-release-1\nversion 1\nbuild " A64 "\nkey other\n", ERR_SYNTAX, 4 },
	{ "a build id of other files", HEAD "file " A64 " 1 bin/sluis\n", ERR_SYNTAX, 3 },
	{ "no path", HEAD "file " A64 " 1 \n", ERR_SYNTAX, 5 },
	{ "an absolute path", HEAD "file " A64 " 1 /bin/sluis\n", ERR_SYNTAX, 5 },
	{ "a path that leaves", HEAD "file " A64 " 1 bin/../../x\n", ERR_SYNTAX, 5 },
	{ "an empty segment", HEAD "file " A64 " 1 bin//sluis\n", ERR_SYNTAX, 5 },
	{ "a folder", HEAD "file " A64 " 1 bin/\n", ERR_SYNTAX, 5 },
	{ "a space in the path", HEAD "file " A64 " 1 bin/a b\n", ERR_SYNTAX, 5 },
	{ "a zero before the size", HEAD "file " A64 " 01 bin/sluis\n", ERR_SYNTAX, 5 },
	{ "a size too large", HEAD "file " A64 " 18446744073709551616 bin/sluis\n", ERR_SYNTAX, 5 },
	{ "upper case", HEAD "file A" A64 " 1 bin/sluis\n", ERR_SYNTAX, 5 },
	{ "an unknown line", HEAD "folder bin\n", ERR_SYNTAX, 5 },
	{ "out of order", HEAD "file " A64 " 1 bin/sluisd\nfile " A64 " 1 bin/sluis\n", ERR_SYNTAX, 6 },
	{ "twice", HEAD "file " A64 " 1 bin/sluis\nfile " A64 " 1 bin/sluis\n", ERR_SYNTAX, 6 },
	{ "an empty line at the end", HEAD "\n", ERR_SYNTAX, 5 },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct release r;
		unsigned line = 0;
		enum err e = release_parse(bytes_str(cases[i].in), &r, &line);

		if (e != cases[i].want || line != cases[i].line)
			fail_msg("%s: %s in line %u", cases[i].why, err_name(e), line);
	}
}

static void fill(struct release *r)
{
	*r = (struct release){ .version = BYTES("1.2.3~rc1"), .file_count = 2 };
	r->files[0] = (struct release_file){ .path = BYTES("bin/sluis"), .size = 0 };
	r->files[1] = (struct release_file){ .path = BYTES("libexec/sluis/sluis-worker"), .size = UINT64_MAX };
	memset(r->files[1].sha256, 0xfe, SHA256_LEN);
}

static void test_what_is_written_is_read(void **state)
{
	static struct release r, back;
	struct text t;
	unsigned line;

	(void)state;
	fill(&r);
	text_init_growing(&t, RELEASE_TEXT_MAX);
	release_write(&r, &t);
	assert_false(t.failed);
	assert_int_equal(release_parse(text_bytes(&t), &back, &line), OK);
	assert_true(bytes_eq(back.version, r.version) && !back.is_development);
	assert_int_equal(back.file_count, 2);
	assert_true(release_find(&back, BYTES("libexec/sluis/sluis-worker"))->size == UINT64_MAX);
	assert_memory_equal(back.files[1].sha256, r.files[1].sha256, SHA256_LEN);
	assert_null(release_find(&back, BYTES("libexec/sluis")));
	for (size_t cut = 0; cut < t.len; cut++) /* a part of a manifest is none */
		assert_int_not_equal(release_parse(bytes_of(t.at, cut), &back, &line), OK);
	text_fini(&t);
}

static void test_as_many_files_as_fit(void **state)
{
	static struct release r, back;
	static char names[RELEASE_FILES_MAX][4];
	struct text t;
	unsigned line;

	(void)state;
	r = (struct release){ .version = BYTES("1"), .file_count = RELEASE_FILES_MAX };
	for (size_t i = 0; i < RELEASE_FILES_MAX; i++) {
		names[i][0] = (char)('a' + i / 26);
		names[i][1] = (char)('a' + i % 26);
		r.files[i].path = bytes_str(names[i]);
	}
	text_init_growing(&t, RELEASE_TEXT_MAX);
	release_write(&r, &t);
	assert_int_equal(release_parse(text_bytes(&t), &back, &line), OK);
	assert_int_equal(back.file_count, RELEASE_FILES_MAX);
	text_lit(&t, "file " A64 " 1 zz\n");
	assert_int_equal(release_parse(text_bytes(&t), &back, &line), ERR_LIMIT);
	text_fini(&t);
}

static void test_a_signature_fits_one_text_and_one_key(void **state)
{
	struct ed25519_key *key = ed25519_new(), *other = ed25519_new();
	unsigned char public[ED25519_PUBLIC_LEN], not_it[ED25519_PUBLIC_LEN];
	struct text sig;

	(void)state;
	assert_non_null(key);
	assert_non_null(other);
	ed25519_public(key, public);
	ed25519_public(other, not_it);
	text_init_growing(&sig, 1000);
	assert_int_equal(release_sign(key, BYTES("text"), &sig), OK);
	assert_true(release_is_signed(public, BYTES("text"), text_bytes(&sig)));
	assert_true(release_is_signed(public, BYTES("text"), bytes_cut(text_bytes(&sig), 0, sig.len - 1)));
	assert_false(release_is_signed(public, BYTES("test"), text_bytes(&sig)));
	assert_false(release_is_signed(not_it, BYTES("text"), text_bytes(&sig)));
	assert_false(release_is_signed(public, BYTES("text"), bytes_cut(text_bytes(&sig), 0, sig.len - 2)));
	assert_false(release_is_signed(public, BYTES("text"), BYTES("")));
	sig.at[0] = sig.at[0] == '0' ? '1' : '0';
	assert_false(release_is_signed(public, BYTES("text"), text_bytes(&sig)));
	text_fini(&sig);
	ed25519_free(&key);
	ed25519_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_as_many_files_as_fit),
		cmocka_unit_test(test_a_signature_fits_one_text_and_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
