/* What tls_check says about certificates, at which place; and when a chain ends. */
#include "certs.h"

#include <time.h>

struct files { struct bytes key, other_key, locked, ed_key, good, old, early, ed, none, cut, swapped; };
static struct files files;

static struct bytes half(struct bytes b)
{
	return bytes_cut(b, 0, b.len - b.len / 4);
}

static int make_files(void **state)
{
	EVP_PKEY *ca_key = key_make("P-256"), *k = key_make("P-256"), *other = key_make("rsa2048"), *ed = key_make("ed25519");
	X509 *ca = cert_make(ca_key, "CA", NULL, -DAY, 300 * DAY, NULL, NULL);
	X509 *good = cert_make(k, "good", "DNS:good.test", -DAY, 30 * DAY, ca, ca_key);
	X509 *old = cert_make(k, "old", "DNS:good.test", -2 * DAY, -DAY, ca, ca_key);
	X509 *early = cert_make(k, "early", "DNS:good.test", DAY, 2 * DAY, ca, ca_key);
	X509 *edc = cert_make(ed, "ed", "DNS:good.test", -DAY, DAY, ca, ca_key);

	(void)state;
	files = (struct files){ .key = key_pem(k, NULL), .other_key = key_pem(other, NULL), .locked = key_pem(k, "word"),
		.ed_key = key_pem(ed, NULL), .good = cert_pem(good, ca), .old = cert_pem(old, NULL), .early = cert_pem(early, NULL),
		.ed = cert_pem(edc, NULL), .none = BYTES("nothing\n"), .swapped = cert_pem(good, good) };
	files.cut = half(files.good);
	X509_free(ca), X509_free(good), X509_free(old), X509_free(early), X509_free(edc);
	EVP_PKEY_free(ca_key), EVP_PKEY_free(k), EVP_PKEY_free(other), EVP_PKEY_free(ed);
	return 0;
}

static int free_files(void **state)
{
	(void)state;
	bytes_done(files.key), bytes_done(files.other_key), bytes_done(files.locked), bytes_done(files.ed_key), bytes_done(files.good);
	bytes_done(files.old), bytes_done(files.early), bytes_done(files.ed), bytes_done(files.swapped);
	return 0;
}

/* Names of files are names of members of struct files. */
static const struct { const char *name; size_t at; } names[] = {
#define FILE_(n) { #n, offsetof(struct files, n) }
	FILE_(key), FILE_(other_key), FILE_(locked), FILE_(ed_key), FILE_(good), FILE_(old), FILE_(early), FILE_(ed), FILE_(none),
	FILE_(cut), FILE_(swapped),
#undef FILE_
};

static enum err find(struct bytes path, struct bytes *out)
{
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (bytes_eq(path, bytes_str(names[i].name))) {
			*out = *(const struct bytes *)(const void *)((const char *)&files + names[i].at);
			return OK;
		}
	return bytes_eq(path, BYTES("secret")) ? ERR_DENIED : ERR_NOT_FOUND;
}

static enum err get(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s, (void)arena;
	return find(path, out);
}

static enum err read_key(struct bytes path, void *ctx, struct text *pem)
{
	struct bytes b;

	*(unsigned *)ctx += 1;
	TRY(find(path, &b));
	text_add(pem, b);
	return pem->failed ? ERR_LIMIT : OK;
}

#define ISSUE "issue one with a key of ECDSA on P-256, P-384 or P-521, or RSA with 2048 to 8192 bits"
static const struct { const char *why, *cert, *lines; enum err want; } cases[] = {
	{ "all is well", "{chain: good, key: key}", "", OK },
	{ "a key that may not be read is the keeper's to judge", "{chain: good, key: secret}", "", OK },
	{ "a key that is not there", "{chain: good, key: gone}",
		"1:85: the key 'gone' cannot be read (not_found); paths are taken from the configuration file's folder\n", ERR_SYNTAX },
	{ "another's key", "{chain: good, key: other_key}",
		"1:85: the key 'other_key' does not belong to the certificate in 'good'; name the key that the certificate was issued for\n", ERR_SYNTAX },
	{ "a key with a password", "{chain: good, key: locked}",
		"1:85: 'locked' holds no private key in PEM without a password; write it without a password: openssl pkey -in FILE -out FILE\n", ERR_SYNTAX },
	{ "a key of another kind", "{chain: good, key: ed_key}",
		"1:85: the key 'ed_key' is of a kind that is not supported; make a key of ECDSA on P-256, P-384 or P-521, or RSA with 2048 to 8192 bits\n", ERR_SYNTAX },
	{ "a certificate of another kind", "{chain: ed, key: ed_key}",
		"1:74: the key of the certificate in 'ed' is of a kind that is not supported; " ISSUE "\n", ERR_SYNTAX },
	{ "no certificate", "{chain: none, key: key}",
		"1:74: 'none' holds no certificate in PEM; name a file that begins with -----BEGIN CERTIFICATE-----\n", ERR_SYNTAX },
	{ "the key for the chain", "{chain: key, key: key}",
		"1:74: 'key' holds no certificate in PEM; name a file that begins with -----BEGIN CERTIFICATE-----\n", ERR_SYNTAX },
	{ "half a chain", "{chain: cut, key: key}", "1:74: certificate 2 of 'cut' cannot be read; take the file anew from who issued it\n", ERR_SYNTAX },
	{ "ended", "{chain: old, key: key}", "warning 1:74: certificate 1 of 'old' is valid only until ", OK },
	{ "not begun", "{chain: early, key: key}", "warning 1:74: certificate 1 of 'early' is valid only from ", OK },
	{ "one that did not issue the first", "{chain: swapped, key: key}",
		"warning 1:74: certificate 2 of 'swapped' did not issue the one before it; write the certificate first, then the one that issued it, and so on\n", OK },
	{ "no OCSP answer", "{chain: good, key: key, ocsp: none}",
		"1:96: 'none' holds no successful OCSP answer in DER; fetch one with openssl ocsp -respout FILE\n", ERR_SYNTAX },
};

static void test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct conf_source source = { get };
		struct conf_errors errors;
		struct conf *conf = NULL;
		unsigned char mem[4096];
		char yaml[512];
		unsigned asked = 0;
		struct text t;

		print_message("%s\n", cases[i].why);
		snprintf(yaml, sizeof yaml, "listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [%s]}}}\npools: {app: {servers: ['127.0.0.1:81']}}\n",
			cases[i].cert);
		assert_int_equal(conf_load(BYTES("f.yaml"), bytes_str(yaml), &source, &conf, &errors), OK);
		assert_int_equal(tls_check(conf, &errors, (uint64_t)time(NULL), read_key, &asked), cases[i].want);
		text_init(&t, mem, sizeof mem);
		for (size_t n = 0; n < errors.count; n++)
			text_fmt(&t, "%s%u:%u: %.*s; %.*s\n", errors.list[n].is_warning ? "warning " : "", errors.list[n].line,
				errors.list[n].column, FMT(errors.list[n].what), FMT(errors.list[n].hint));
		text_byte(&t, 0);
		if (cases[i].lines[0])
			assert_memory_equal(mem, cases[i].lines, strlen(cases[i].lines));
		else
			assert_string_equal((char *)mem, "");
		conf_free(&conf);
	}
}

static void test_who_may_not_read_keys_does_not(void **state)
{
	struct conf_source source = { get };
	struct conf_errors errors;
	struct conf *conf = NULL;

	(void)state;
	assert_int_equal(conf_load(BYTES("f"), BYTES("listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: good, key: gone}], "
		"client_certificates: {ca: none}}}}\npools: {app: {servers: ['127.0.0.1:81'], tls: {ca: key}}}\n"), &source, &conf, &errors), OK);
	assert_int_equal(tls_check(conf, &errors, (uint64_t)time(NULL), NULL, NULL), ERR_SYNTAX);
	assert_int_equal(errors.count, 2); /* the authorities of clients and of servers; nothing about the key */
	for (size_t i = 0; i < 2; i++)
		assert_true(bytes_eq(errors.list[i].what, BYTES("the file of authorities holds no certificate in PEM")));
	conf_free(&conf);
}

static void test_expiry(void **state)
{
	uint64_t at = 1, now = (uint64_t)time(NULL);

	(void)state;
	assert_int_equal(tls_chain_expiry(files.good, &at), OK);
	assert_true(at > now + 30 * DAY - 600 && at <= now + 30 * DAY); /* the leaf ends before its authority */
	assert_int_equal(tls_chain_expiry(files.old, &at), OK);
	assert_true(at < now);
	at = 1;
	assert_int_equal(tls_chain_expiry(files.none, &at), ERR_SYNTAX);
	assert_int_equal(tls_chain_expiry(BYTES(""), &at), ERR_SYNTAX);
	assert_int_equal(at, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_check), cmocka_unit_test(test_who_may_not_read_keys_does_not),
		cmocka_unit_test(test_expiry) };

	return cmocka_run_group_tests(tests, make_files, free_files);
}
