/* A backup is read back with its secrets; with the passphrase no changed byte goes unnoticed; places that are not safe are
 * refused. */
#include "evidence/backup.h"
#include "evidence/manifest.h"
#include "evidence/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PASSPHRASE BYTES("correct horse")

static const struct seal_cost cheap = { 1024, 1, 1 };
static struct ed25519_key *key;

static void add(struct tar_writer *w, struct text *manifest, const char *name, struct bytes content)
{
	unsigned char sum[SHA256_LEN];

	sha256_of(content, sum);
	manifest_add(manifest, bytes_str(name), sum);
	assert_int_equal(tar_writer_member(w, name, content, 0), OK);
}

static void put_sealed(struct tar_writer *w, const char *path)
{
	unsigned char before[SHA256_LEN];
	struct tar_writer *inner = NULL;
	struct text index, plain, sealed, none;

	text_init_growing(&index, 4096);
	text_init_growing(&plain, 1 << 16);
	text_init_growing(&sealed, 1 << 16);
	text_init_growing(&none, 1 << 16);
	tar_writer_digest(w, before);
	text_lit(&index, "{\"before_sealed\":\"");
	hex_put(&index, bytes_of(before, sizeof(before)));
	text_fmt(&index, "\",\"files\":[{\"member\":\"secrets/k\",\"path\":\"%s\",\"user\":\"root\",\"group\":\"root\",\"mode\":384}]}", path);
	assert_int_equal(tar_writer_open_text(&plain, &inner), OK);
	add(inner, &none, BACKUP_SEAL_INDEX, text_bytes(&index));
	add(inner, &none, "secrets/k", BYTES("the key"));
	assert_int_equal(tar_writer_close(inner), OK);
	tar_writer_free(&inner);
	assert_int_equal(seal(text_bytes(&plain), PASSPHRASE, cheap, &sealed), OK);
	assert_int_equal(tar_writer_member(w, BACKUP_SEALED, text_bytes(&sealed), 0), OK);
	text_fini(&index);
	text_fini(&plain);
	text_fini(&sealed);
	text_fini(&none);
}

static void put_signature(struct tar_writer *w, struct bytes manifest)
{
	unsigned char mem[256], pem[512], before[SHA256_LEN], signature[ED25519_SIGNATURE_LEN], public[ED25519_PUBLIC_LEN];
	struct text what, p;

	text_init(&what, mem, sizeof(mem));
	text_init(&p, pem, sizeof(pem));
	tar_writer_digest(w, before);
	backup_signed_text(manifest, before, &what);
	assert_int_equal(ed25519_sign(key, text_bytes(&what), signature), OK);
	ed25519_public(key, public);
	assert_int_equal(ed25519_public_write(public, &p), OK);
	assert_int_equal(tar_writer_member(w, MANIFEST_SIG, bytes_of(signature, sizeof(signature)), 0), OK);
	assert_int_equal(tar_writer_member(w, MANIFEST_SIGNER, text_bytes(&p), 0), OK);
}

static void make(const char *path, const char *secret_path, bool is_signed, struct text *out)
{
	struct tar_writer *w = NULL;
	struct text manifest, index;

	text_init_growing(out, 1 << 20);
	text_init_growing(&manifest, 4096);
	text_init_growing(&index, 4096);
	text_fmt(&index, "{\"format\":\"sluis-backup-1\",\"time\":\"t\",\"host\":\"h\",\"version\":\"1\",\"config\":\"/c\",\"folders\":[],"
		"\"files\":[{\"member\":\"files/c\",\"path\":\"%s\",\"user\":\"root\",\"group\":\"root\",\"mode\":420}]}", path);
	assert_int_equal(tar_writer_open_text(out, &w), OK);
	add(w, &manifest, BACKUP_INDEX, text_bytes(&index));
	add(w, &manifest, "files/c", BYTES("workers: 1\n"));
	assert_int_equal(tar_writer_member(w, MANIFEST_NAME, text_bytes(&manifest), 0), OK);
	put_sealed(w, secret_path);
	if (is_signed)
		put_signature(w, text_bytes(&manifest));
	assert_int_equal(tar_writer_close(w), OK);
	tar_writer_free(&w);
	text_fini(&manifest);
	text_fini(&index);
}

static enum backup_fault check(struct bytes in, struct bytes passphrase, struct backup *b)
{
	const struct tar_limits limits = { .bytes = 1 << 20, .members = 50 };
	struct tar_reader *r = NULL;
	enum backup_fault f;

	assert_int_equal(tar_reader_open_bytes(in, &limits, &r), OK);
	f = backup_read(b, r, NULL);
	tar_reader_free(&r);
	return f == BACKUP_OK && passphrase.len ? backup_unseal(b, passphrase) : f;
}

static void test_round_trip(void **state)
{
	struct backup b;
	struct text in;

	(void)state;
	make("/c", "/k", true, &in);
	assert_int_equal(check(text_bytes(&in), PASSPHRASE, &b), BACKUP_OK);
	assert_int_equal(b.count, 2);
	assert_true(bytes_eq(b.files[0].path, BYTES("/c")) && !b.files[0].is_sealed && b.files[0].mode == 0644);
	assert_true(bytes_eq(b.files[1].path, BYTES("/k")) && b.files[1].is_sealed);
	assert_true(bytes_eq(b.files[1].content, BYTES("the key")));
	backup_fini(&b);
	assert_int_equal(check(text_bytes(&in), BYTES("wrong horse"), &b), BACKUP_PASSPHRASE);
	backup_fini(&b);
	text_fini(&in);
}

static void test_each_byte_counts(void **state)
{
	static const bool is_signed[] = { true, false };
	struct backup b;
	struct text in;

	(void)state;
	for (size_t k = 0; k < COUNT_OF(is_signed); k++) {
		make("/c", "/k", is_signed[k], &in);
		for (size_t i = 0; i < in.len; i++) {
			in.at[i] ^= 1;
			if (check(text_bytes(&in), PASSPHRASE, &b) == BACKUP_OK)
				fail_msg("byte %zu", i);
			backup_fini(&b);
			/* Without the passphrase, a signature sees as much. */
			if (is_signed[k] && check(text_bytes(&in), BYTES(""), &b) == BACKUP_OK)
				fail_msg("byte %zu, without the passphrase", i);
			if (is_signed[k])
				backup_fini(&b);
			in.at[i] ^= 1;
		}
		text_fini(&in);
	}
}

static void test_places(void **state)
{
	static const struct {
		const char *path, *secret;
		enum backup_fault want;
	} cases[] = {
		{ "/etc/sluis/sluis.yaml", "/etc/k", BACKUP_OK },
		{ "etc/x", "/k", BACKUP_INDEX_BAD },
		{ "/a/../b", "/k", BACKUP_INDEX_BAD },
		{ "/", "/k", BACKUP_INDEX_BAD },
		{ "/a//b", "/k", BACKUP_INDEX_BAD },
		{ "/a/", "/k", BACKUP_INDEX_BAD },
		{ "/a\\u0000b", "/k", BACKUP_NOT_ONE },
		{ "/a\\nb", "/k", BACKUP_INDEX_BAD },
		{ "/a", "/../k", BACKUP_INDEX_BAD },
		{ "/a", "k", BACKUP_INDEX_BAD },
	};
	struct backup b;
	struct text in;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		make(cases[i].path, cases[i].secret, true, &in);
		if (check(text_bytes(&in), PASSPHRASE, &b) != cases[i].want)
			fail_msg("%s %s", cases[i].path, cases[i].secret);
		backup_fini(&b);
		text_fini(&in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_places) };

	key = ed25519_new();
	int status = cmocka_run_group_tests(tests, NULL, NULL);
	ed25519_free(&key);
	return status;
}
