/* Support bundles: which members are taken, where their build is told, and that bombs, strangers' kinds and cut archives harm nothing. */
#include "response/bundle.h"

#include "archive/tar.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct member {
	const char *name, *content;
};

static struct text archive_of(const struct member *m)
{
	struct tar_writer *w = NULL;
	struct text t;

	text_init_growing(&t, 1u << 20);
	assert_int_equal(tar_writer_open_text(&t, &w), OK);
	for (; m->name; m++)
		assert_int_equal(tar_writer_member(w, m->name, bytes_str(m->content), 1), OK);
	assert_int_equal(tar_writer_close(w), OK);
	tar_writer_free(&w);
	return t;
}

static void test_members(void **state)
{
	static const struct member members[] = { { "c_1/nsconfig/ns.conf.0", "old" }, { "c_1/shell/copy/nsconfig/ns.conf", "deeper" }, { "c_1/nsconfig/ns.conf", "own" },
		{ "c_1/xnsconfig/rc.netscaler", "no" }, { "c_1/flash/boot/loader.conf", "autoboot=3\nkernel=\"/ns-13.1-49.15\"\n" }, { NULL } };
	struct text t = archive_of(members);
	struct bundle b;
	struct ns_version v;

	(void)state;
	assert_int_equal(bundle_read_bytes(text_bytes(&t), NULL, &b), OK);
	assert_true(bytes_eq(text_bytes(&b.files[BUNDLE_NS_CONF]), BYTES("own")));
	assert_false(b.has[BUNDLE_RC]);
	assert_true(bundle_version(&b, &v));
	assert_int_equal(v.sub, 15);
	assert_int_equal(b.members, 5);
	bundle_fini(&b);
	text_fini(&t);
}

static void test_installed_before_booted(void **state)
{
	static const struct member members[] = { { "flash/.version", "NetScaler NS13.0: Build 91.13.nc\n" }, { "flash/boot/loader.conf", "kernel=\"/ns-13.0-47.22\"" }, { NULL } };
	struct text t = archive_of(members);
	struct bundle b;
	struct ns_version v;

	(void)state;
	assert_int_equal(bundle_read_bytes(text_bytes(&t), NULL, &b), OK);
	assert_true(bundle_version(&b, &v));
	assert_int_equal(v.build, 91);
	bundle_fini(&b);
	text_fini(&t);
}

static void test_bad(void **state)
{
	static const struct member other[] = { { "a/b", "c" }, { NULL } }, conf[] = { { "nsconfig/ns.conf", "set ns hostName a\nset ns hostName b\n" }, { NULL } };
	static const struct bundle_limits few_bytes = { 8, 100 }, few_members = { 1000, 0 };
	struct text a = archive_of(other), c = archive_of(conf);
	const struct {
		const char *why;
		struct bytes in;
		const struct bundle_limits *limits;
		enum err want;
	} cases[] = {
		{ "nothing", BYTES(""), NULL, ERR_SYNTAX },
		{ "no archive", BYTES("set ns hostName a\n"), NULL, ERR_SYNTAX },
		{ "an archive of something else", text_bytes(&a), NULL, ERR_NOT_FOUND },
		{ "more bytes than allowed", text_bytes(&c), &few_bytes, ERR_LIMIT },
		{ "more members than allowed", text_bytes(&c), &few_members, ERR_LIMIT },
		{ "cut within the file: the rest is used", bytes_cut(text_bytes(&c), 0, 530), NULL, OK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bundle b;
		enum err e = bundle_read_bytes(cases[i].in, cases[i].limits, &b);

		if (e != cases[i].want)
			fail_msg("%s: %s", cases[i].why, err_name(e));
		assert_int_equal(b.is_damaged, i == 5);
		bundle_fini(&b);
	}
	text_fini(&a);
	text_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_members), cmocka_unit_test(test_installed_before_booted), cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
