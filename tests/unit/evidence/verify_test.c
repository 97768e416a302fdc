/* A bundle as sluis makes it is good; each way to change one is named, with the member that differs. */
#include "evidence/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct ed25519_key *key, *other;

struct member {
	const char *name;
	struct bytes content;
};
struct told {
	size_t counts[EVIDENCE_FAULTS], all;
	char name[256];
};

/* What a bundle is made with, so that a case can make it wrong. */
struct recipe {
	const struct member *in_manifest, *in_archive; /* each ends with a name of NULL */
	const struct ed25519_key *signs, *says;	       /* signs: NULL, unsigned; says: whose key is put in */
	const struct ed25519_key *custody;
	const char *manifest_more; /* behind the manifest's lines */
	const char *behind;	   /* a member behind the signature */
	bool no_manifest, no_custody, breaks_prefix;
};

static void put_signature(struct tar_writer *w, struct bytes manifest, const struct recipe *r)
{
	unsigned char mem[128], pem[512], signature[ED25519_SIGNATURE_LEN], public[ED25519_PUBLIC_LEN];
	struct text what, p;

	text_init(&what, mem, sizeof(mem));
	text_init(&p, pem, sizeof(pem));
	manifest_signed_text(MANIFEST_EVIDENCE, manifest, &what);
	assert_int_equal(ed25519_sign(r->signs, text_bytes(&what), signature), OK);
	ed25519_public(r->says, public);
	assert_int_equal(ed25519_public_write(public, &p), OK);
	assert_int_equal(tar_writer_member(w, MANIFEST_SIG, bytes_of(signature, sizeof(signature)), 0), OK);
	assert_int_equal(tar_writer_member(w, MANIFEST_SIGNER, text_bytes(&p), 0), OK);
}

static void put_custody(struct tar_writer *w, const struct recipe *r)
{
	struct custody_entry e = { .time = BYTES("t"), .action = BYTES("collected"), .by = BYTES("b"), .host = BYTES("h"), .to = BYTES(""),
		.reason = BYTES("") };
	struct text log;

	tar_writer_digest(w, e.archive);
	text_init_growing(&log, 1 << 16);
	assert_int_equal(custody_add(&log, &e, r->custody), OK);
	assert_int_equal(tar_writer_member(w, CUSTODY_NAME, text_bytes(&log), 0), OK);
	if (r->breaks_prefix) {
		log.len = 0;
		e.by = BYTES("somebody else");
		assert_int_equal(custody_add(&log, &e, r->custody), OK);
		assert_int_equal(custody_add(&log, &e, r->custody), OK);
		assert_int_equal(tar_writer_member(w, CUSTODY_NAME, text_bytes(&log), 0), OK);
	}
	text_fini(&log);
}

static void make(const struct recipe *r, struct text *out)
{
	struct tar_writer *w = NULL;
	struct text manifest;

	text_init_growing(out, 1 << 20);
	text_init_growing(&manifest, 1 << 16);
	assert_int_equal(tar_writer_open_text(out, &w), OK);
	for (const struct member *m = r->in_archive; m->name; m++)
		assert_int_equal(tar_writer_member(w, m->name, m->content, 0), OK);
	for (const struct member *m = r->in_manifest; m->name; m++) {
		unsigned char sum[SHA256_LEN];

		sha256_of(m->content, sum);
		manifest_add(&manifest, bytes_str(m->name), sum);
	}
	if (r->manifest_more)
		text_str(&manifest, r->manifest_more);
	if (!r->no_manifest)
		assert_int_equal(tar_writer_member(w, MANIFEST_NAME, text_bytes(&manifest), 0), OK);
	if (r->signs)
		put_signature(w, text_bytes(&manifest), r);
	if (r->behind)
		assert_int_equal(tar_writer_member(w, r->behind, BYTES("x"), 0), OK);
	if (!r->no_custody)
		put_custody(w, r);
	assert_int_equal(tar_writer_close(w), OK);
	tar_writer_free(&w);
	text_fini(&manifest);
}

static void on_fault(void *ctx, enum evidence_fault f, struct bytes name)
{
	struct told *t = ctx;

	t->counts[f]++;
	t->all++;
	memcpy(t->name, name.at, name.len);
	t->name[name.len] = 0;
}

static void on_entry(void *ctx, const struct custody_entry *e)
{
	(void)ctx, (void)e;
}

static bool check(struct bytes in, struct told *t, const unsigned char *want)
{
	struct evidence_check c = { .ctx = t, .fault = on_fault, .entry = on_entry, .key = want,
		.limits = { .bytes = 1 << 20, .members = 50 } };
	struct tar_reader *r = NULL;
	bool good;

	*t = (struct told){ 0 };
	assert_int_equal(tar_reader_open_bytes(in, &c.limits, &r), OK);
	good = evidence_check(&c, r);
	assert_int_equal(good, t->all == 0);
	tar_reader_free(&r);
	evidence_check_fini(&c);
	return good;
}

static const struct member plain[] = { { "clock.json", LIT("{}") }, { "ledger/a", LIT("one") }, { "logs/b", LIT("two") }, { 0 } };

static void test_each_fault(void **state)
{
	static const struct member moved[] = { { "clock.json", LIT("{}") }, { "logs/b", LIT("two") }, { "ledger/a", LIT("one") }, { 0 } };
	static const struct member changed[] = { { "clock.json", LIT("{}") }, { "ledger/a", LIT("onE") }, { "logs/b", LIT("two") }, { 0 } };
	static const struct member fewer[] = { { "clock.json", LIT("{}") }, { "logs/b", LIT("two") }, { 0 } };
	static const struct member twice[] = { { "clock.json", LIT("{}") }, { "ledger/a", LIT("one") }, { "ledger/a", LIT("one") },
		{ "logs/b", LIT("two") }, { 0 } };
	const struct {
		const char *why;
		struct recipe r;
		enum evidence_fault want;
		const char *name;
	} cases[] = {
		{ "changed", { plain, changed, key, key, key }, EVIDENCE_CHANGED, "ledger/a" },
		{ "missing", { plain, fewer, key, key, key }, EVIDENCE_MISSING, "ledger/a" },
		{ "extra", { fewer, plain, key, key, key }, EVIDENCE_EXTRA, "ledger/a" },
		{ "in another order", { plain, moved, key, key, key }, EVIDENCE_REORDERED, "logs/b" },
		{ "twice", { twice, twice, key, key, key }, EVIDENCE_TWICE, "ledger/a" },
		{ "behind the manifest", { plain, plain, key, key, key, .behind = "more" }, EVIDENCE_EXTRA, "more" },
		{ "not signed", { plain, plain, NULL, NULL, key }, EVIDENCE_UNSIGNED, MANIFEST_SIG },
		{ "signed by another", { plain, plain, other, key, key }, EVIDENCE_BAD_SIGNATURE, MANIFEST_SIG },
		{ "custody by another", { plain, plain, key, key, other }, EVIDENCE_CUSTODY_KEY, CUSTODY_NAME },
		{ "custody by nobody", { plain, plain, key, key, NULL }, EVIDENCE_CUSTODY_KEY, CUSTODY_NAME },
		{ "no custody", { plain, plain, key, key, key, .no_custody = true }, EVIDENCE_NO_CUSTODY, CUSTODY_NAME },
		{ "custody begins anew", { plain, plain, key, key, key, .breaks_prefix = true }, EVIDENCE_CUSTODY_PREFIX, CUSTODY_NAME },
		{ "no manifest's line", { plain, plain, key, key, key, .manifest_more = "x\n" }, EVIDENCE_BAD_MANIFEST, MANIFEST_NAME },
	};
	struct told t;
	struct text in;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		make(&cases[i].r, &in);
		if (check(text_bytes(&in), &t, NULL) || t.counts[cases[i].want] == 0 || strcmp(t.name, cases[i].name) != 0)
			fail_msg("%s: %zu told, the last about %s", cases[i].why, t.all, t.name);
		text_fini(&in);
	}
}

static void test_good_and_pinned(void **state)
{
	const struct recipe r = { plain, plain, key, key, key };
	unsigned char ours[ED25519_PUBLIC_LEN], theirs[ED25519_PUBLIC_LEN];
	struct told t;
	struct text in;

	(void)state;
	ed25519_public(key, ours);
	ed25519_public(other, theirs);
	make(&r, &in);
	assert_true(check(text_bytes(&in), &t, NULL));
	assert_true(check(text_bytes(&in), &t, ours));
	assert_false(check(text_bytes(&in), &t, theirs));
	assert_int_equal(t.counts[EVIDENCE_OTHER_KEY], 1);
	text_fini(&in);
}

static void test_each_byte_counts(void **state)
{
	const struct recipe r = { plain, plain, key, key, key };
	struct told t;
	struct text in;

	(void)state;
	make(&r, &in);
	for (size_t i = 0; i < in.len; i++) {
		in.at[i] ^= 1;
		if (check(text_bytes(&in), &t, NULL))
			fail_msg("byte %zu", i);
		in.at[i] ^= 1;
	}
	for (size_t cut = 0; cut < in.len; cut += 17)
		assert_false(check(bytes_of(in.at, cut), &t, NULL));
	assert_true(check(text_bytes(&in), &t, NULL));
	text_fini(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_fault), cmocka_unit_test(test_good_and_pinned),
		cmocka_unit_test(test_each_byte_counts) };

	key = ed25519_new();
	other = ed25519_new();
	int status = cmocka_run_group_tests(tests, NULL, NULL);
	ed25519_free(&key);
	ed25519_free(&other);
	return status;
}
