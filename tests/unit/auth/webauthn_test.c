/* Registration and sign-in as a browser and an authenticator do them, then each step of WebAuthn 7.1 and 7.2 wrong once. */
#include "authenticator.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define RP_ID  "work.example.org"
#define ORIGIN "https://work.example.org"

static const unsigned char challenge[32] = { 1, 2, 3, 250, 251 };
static struct authenticator es256, eddsa, rs256;
static struct authenticator *const all[] = { &es256, &eddsa, &rs256 };

static int make_keys(void **state)
{
	(void)state;
	authenticator_init(&es256, COSE_ES256);
	authenticator_init(&eddsa, COSE_EDDSA);
	authenticator_init(&rs256, COSE_RS256);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++)
		EVP_PKEY_free(all[i]->key);
	return 0;
}

/* What came from the browser. Left 0, a field is what it should be. */
struct sent {
	const char *why, *want;
	const char *type, *origin, *rp_id, *more; /* more: members of the client data */
	const char *client_data; /* all of it */
	unsigned flags;		 /* UP | UV otherwise */
	bool no_flags, other_challenge, may_be_unverified, other_key, tampered;
	uint32_t count, count_before;
	struct bytes extensions, trailing, cose;
	size_t id_len;
	int registered_algorithm;
	enum err err; /* ERR_DENIED, when it is not said */
};

struct made {
	unsigned char client_mem[16384], data_mem[8192], object_mem[8192], signature_mem[512];
	struct text client, data, object, signature;
};

static struct webauthn_party party(const struct sent *s)
{
	return (struct webauthn_party){ .rp_id = BYTES(RP_ID), .origin = BYTES(ORIGIN), .challenge = bytes_of(challenge, sizeof challenge),
		.needs_verification = !s->may_be_unverified };
}

static void make_common(struct made *m, const struct sent *s, const char *type, unsigned flags, struct bytes attested)
{
	static const unsigned char other[32] = { 9 };
	unsigned char mem[6144];
	struct text rest;

	text_init(&m->client, m->client_mem, sizeof m->client_mem);
	text_init(&m->data, m->data_mem, sizeof m->data_mem);
	text_init(&m->object, m->object_mem, sizeof m->object_mem);
	text_init(&m->signature, m->signature_mem, sizeof m->signature_mem);
	text_init(&rest, mem, sizeof mem);
	if (s->client_data)
		text_str(&m->client, s->client_data);
	else
		client_data_write(&m->client, s->type ? s->type : type, s->other_challenge ? bytes_of(other, 32) : bytes_of(challenge, 32),
			s->origin ? s->origin : ORIGIN, s->more ? s->more : ",\"crossOrigin\":false");
	text_add(&rest, attested);
	text_add(&rest, s->extensions);
	text_add(&rest, s->trailing);
	auth_data_write(&m->data, s->rp_id ? s->rp_id : RP_ID, flags | (s->extensions.len ? ED : 0), s->count, text_bytes(&rest));
	assert_false(rest.failed || m->client.failed || m->data.failed);
}

static void make_registration(struct made *m, const struct authenticator *a, const struct sent *s)
{
	static const unsigned char long_id[1100];
	unsigned char mem[4096];
	struct text attested;

	text_init(&attested, mem, sizeof mem);
	attested_write(&attested, s->id_len ? bytes_of(long_id, s->id_len) : bytes_of(a->id, sizeof a->id),
		s->cose.len ? s->cose : text_bytes(&a->cose));
	make_common(m, s, "webauthn.create", s->no_flags ? AT : s->flags ? s->flags : UP | UV | AT, text_bytes(&attested));
	attestation_write(&m->object, text_bytes(&m->data));
	assert_false(m->object.failed);
}

static void make_assertion(struct made *m, const struct authenticator *a, const struct sent *s)
{
	make_common(m, s, "webauthn.get", s->no_flags ? 0 : s->flags ? s->flags : UP | UV, (struct bytes){ 0 });
	authenticator_sign(a, text_bytes(&m->data), text_bytes(&m->client), &m->signature);
}

static struct webauthn_credential registered(const struct authenticator *a, uint32_t count)
{
	return (struct webauthn_credential){ .id = bytes_of(a->id, sizeof a->id), .public_key = text_bytes(&a->cose), .algorithm = a->algorithm,
		.sign_count = count };
}

static void test_good(void **state)
{
	static struct made m;
	const struct sent backed_up = { .flags = UP | UV | BE | BS | AT, .count = 7 }, again = { .flags = UP | UV | BE, .count = 8 };
	struct webauthn_party p = party(&backed_up);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		const struct authenticator *a = all[i];
		struct webauthn_credential c = { 0 }, after = { 0 };
		unsigned char key[WEBAUTHN_KEY_MAX];
		const char *why = "";
		make_registration(&m, a, &backed_up);
		assert_int_equal(webauthn_register(&p, text_bytes(&m.client), text_bytes(&m.object), &c, &why), OK);
		assert_true(bytes_eq(c.id, bytes_of(a->id, sizeof a->id)) && bytes_eq(c.public_key, text_bytes(&a->cose)));
		assert_int_equal(c.algorithm, a->algorithm);
		assert_int_equal(c.sign_count, 7);
		assert_true(c.is_verified && c.is_backed_up);
		assert_true(c.id.at > m.object_mem && c.id.at < m.object_mem + m.object.len); /* a view */
		memcpy(key, c.public_key.at, c.public_key.len);
		c.public_key.at = key;
		c.id = bytes_of(a->id, sizeof a->id);
		make_assertion(&m, a, &again);
		assert_int_equal(webauthn_assert(&p, &c, text_bytes(&m.client), text_bytes(&m.data), text_bytes(&m.signature), &after, &why), OK);
		assert_int_equal(after.sign_count, 8);
		assert_true(after.is_verified && !after.is_backed_up && bytes_eq(after.id, c.id));
	}
}

/* Wrong in both ceremonies, for the same reason. */
static const struct sent both[] = {
	{ "made for the other ceremony", "type", .type = "webauthn.other" },
	{ "payment confirmation is another thing", "type", .type = "payment.get" },
	{ "a challenge that was not given out", "challenge", .other_challenge = true },
	{ "another host", "origin", .origin = "https://intranet.example.org" },
	{ "a host below it", "origin", .origin = "https://a.work.example.org" },
	{ "a host above it", "origin", .origin = "https://example.org" },
	{ "no TLS", "origin", .origin = "http://work.example.org" },
	{ "another port", "origin", .origin = "https://work.example.org:8443" },
	{ "the usual port is not written", "origin", .origin = "https://work.example.org:443" },
	{ "it begins alike", "origin", .origin = "https://work.example.org.evil.example" },
	{ "it begins alike, as a user's name", "origin", .origin = "https://work.example.org@evil.example" },
	{ "it ends alike", "origin", .origin = "https://evil.example/https://work.example.org" },
	{ "no path stands in an origin", "origin", .origin = "https://work.example.org/" },
	{ "browsers write hosts in lower case", "origin", .origin = "https://WORK.example.org" },
	{ "a 0 within", "syntax", .origin = "https://work.example.org\\u0000.evil.example", .err = ERR_SYNTAX },
	{ "of a page without an origin", "origin", .origin = "null" },
	{ "an app's origin", "origin", .origin = "android:apk-key-hash:AAAA" },
	{ "in a frame of another site", "cross_origin", .more = ",\"crossOrigin\":true" },
	{ "true by another type", "cross_origin", .more = ",\"crossOrigin\":\"false\"" },
	{ "no value is no false", "cross_origin", .more = ",\"crossOrigin\":null" },
	{ "the page around it is named", "cross_origin", .more = ",\"crossOrigin\":false,\"topOrigin\":\"https://evil.example\"" },
	{ "a token binding where there can be none", "syntax", .more = ",\"tokenBinding\":{\"status\":\"present\",\"id\":\"AA\"}", .err = ERR_SYNTAX },
	{ "a token binding of no known form", "syntax", .more = ",\"tokenBinding\":true", .err = ERR_SYNTAX },
	{ "two types: parsers differ in which one counts", "syntax", .more = ",\"type\":\"webauthn.get\"", .err = ERR_SYNTAX },
	{ "two origins", "syntax", .more = ",\"origin\":\"https://evil.example\"", .err = ERR_SYNTAX },
	{ "two of a member that nobody reads", "syntax", .more = ",\"a\":1,\"a\":2", .err = ERR_SYNTAX },
	{ "not JSON", "syntax", .client_data = "type=webauthn.get", .err = ERR_SYNTAX },
	{ "nothing", "syntax", .client_data = "", .err = ERR_SYNTAX },
	{ "a list", "syntax", .client_data = "[]", .err = ERR_SYNTAX },
	{ "nothing in it", "type", .client_data = "{}" },
	{ "a number for a type", "type", .client_data = "{\"type\":1}" },
	{ "something behind it", "syntax", .more = "}{\"a\":1", .err = ERR_SYNTAX },
	{ "the id of another party", "rp_id", .rp_id = "example.org" },
	{ "an id is no origin", "rp_id", .rp_id = ORIGIN },
	{ "nobody touched it", "user_present", .no_flags = true },
	{ "backed up, and not able to be", "syntax", .flags = UP | UV | BS, .err = ERR_SYNTAX },
	{ "something behind the data", "syntax", .trailing = LIT("\x00"), .err = ERR_SYNTAX },
	{ "extensions that are no map", "syntax", .extensions = LIT("\x80"), .err = ERR_SYNTAX },
	{ "extensions of indefinite length", "syntax", .extensions = LIT("\xbf\xff"), .err = ERR_SYNTAX },
	{ "extensions five maps deep", "syntax", .extensions = LIT("\xa1\x01\xa1\x01\xa1\x01\xa1\x01\xa0"), .err = ERR_SYNTAX },
	{ "extensions with a name twice", "syntax", .extensions = LIT("\xa2\x61" "a\xf5\x61" "a\xf5"), .err = ERR_SYNTAX },
	{ "extensions out of order", "syntax", .extensions = LIT("\xa2\x61" "b\xf5\x61" "a\xf5"), .err = ERR_SYNTAX },
	{ "extensions that say they are long", "syntax", .extensions = LIT("\xbb\x7f\xff\xff\xff\xff\xff\xff\xff"), .err = ERR_SYNTAX },
	{ "a length in two octets where none is needed", "syntax", .extensions = LIT("\xa1\x78\x01" "a\xf5"), .err = ERR_SYNTAX },
	{ "a tag", "syntax", .extensions = LIT("\xa1\x61" "a\xc0\x60"), .err = ERR_SYNTAX },
	{ "what was not said to be there", "syntax", .trailing = LIT("\xa0"), .err = ERR_SYNTAX },
};
/* Right in both. */
static const struct sent fine[] = {
	{ "no crossOrigin, as browsers of before", .more = "" },
	{ "members that are made up on purpose (5.8.1.2)", .more = ",\"crossOrigin\":false,\"other_keys_can_be_added_here\":\"do not compare\"" },
	{ "a browser that could bind tokens", .more = ",\"tokenBinding\":{\"status\":\"supported\"}" },
	{ "not verified, where a password was asked as well", .flags = UP, .may_be_unverified = true },
	{ "extensions that were not asked for", .extensions = LIT("\xa2\x6a" "credPropsX\xa1\x62rk\xf5\x6b" "hmac-secret\xf5") },
	{ "extensions four deep, with numbers of all sizes", .extensions = LIT("\xa1\x63uvm\x81\x83\x18\x18\x39\x01\x00\x81\xfa\x00\x00\x00\x00") },
	{ "flags for later use", .flags = UP | UV | 0x22 },
};

static enum err run(bool is_registration, const struct authenticator *a, const struct sent *s, const char **why)
{
	static struct made m;
	struct sent copy = *s;
	struct webauthn_party p = party(s);
	struct webauthn_credential c = registered(s->other_key ? &rs256 : a, s->count_before), out = { .sign_count = 77 };
	enum err e;

	if (s->registered_algorithm)
		c.algorithm = s->registered_algorithm;
	if (s->cose.len && !is_registration)
		c.public_key = s->cose;
	if (is_registration) {
		copy.flags |= copy.flags ? AT : 0;
		make_registration(&m, a, &copy);
		e = webauthn_register(&p, text_bytes(&m.client), text_bytes(&m.object), &out, why);
	} else {
		make_assertion(&m, a, &copy);
		if (s->tampered)
			m.signature_mem[m.signature.len - 1] ^= 1;
		e = webauthn_assert(&p, &c, text_bytes(&m.client), text_bytes(&m.data), text_bytes(&m.signature), &out, why);
	}
	if (e != OK)
		assert_int_equal(out.sign_count, 77); /* written on success only */
	return e;
}

static void refused(bool is_registration, const struct authenticator *a, const struct sent *s)
{
	const char *why = "none";
	enum err e = run(is_registration, a, s, &why);

	if (e != (s->err ? s->err : ERR_DENIED) || strcmp(why, s->want) != 0)
		fail_msg("%s (%s): %s, %s", s->why, is_registration ? "registration" : "sign-in", err_name(e), why);
}

static void taken(bool is_registration, const struct authenticator *a, const struct sent *s)
{
	const char *why = "none";
	enum err e = run(is_registration, a, s, &why);

	if (e != OK)
		fail_msg("%s (%s): %s, %s", s->why, is_registration ? "registration" : "sign-in", err_name(e), why);
}

static void test_both(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(both); i++) {
		refused(true, &es256, &both[i]);
		refused(false, &es256, &both[i]);
	}
	for (size_t i = 0; i < COUNT_OF(fine); i++) {
		taken(true, &es256, &fine[i]);
		taken(false, &es256, &fine[i]);
	}
}

#define ZEROS8	"\0\0\0\0\0\0\0\0"
#define ZEROS32 ZEROS8 ZEROS8 ZEROS8 ZEROS8
#define ONES8	"\xff\xff\xff\xff\xff\xff\xff\xff"
#define ONES32	ONES8 ONES8 ONES8 ONES8
#define ONES256 ONES32 ONES32 ONES32 ONES32 ONES32 ONES32 ONES32 ONES32

static void test_registration(void **state)
{
	static const struct sent cases[] = {
		{ "a sign-in is no registration", "type", .type = "webauthn.get" },
		{ "not verified, and nothing else is asked", "user_verified", .flags = UP | AT },
		{ "no challenge", "challenge", .client_data = "{\"type\":\"webauthn.create\",\"origin\":\"" ORIGIN "\"}" },
		{ "no origin", "origin",
			.client_data = "{\"type\":\"webauthn.create\",\"challenge\":\"AQID-vsAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}" },
		{ "an id of 1024 octets", "syntax", .id_len = WEBAUTHN_ID_MAX + 1, .err = ERR_SYNTAX },
		{ "ES384", "algorithm", .cose = LIT("\xa5\x01\x02\x03\x38\x22\x20\x02\x21\x40\x22\x40") },
		{ "RS1", "algorithm", .cose = LIT("\xa4\x01\x03\x03\x39\xff\xfe\x20\x40\x21\x40") },
		{ "no algorithm at all", "algorithm", .cose = LIT("\xa2\x01\x02\x03\x00") },
		{ "an algorithm's name", "key", .cose = LIT("\xa2\x01\x02\x03\x65" "ES256"), .err = ERR_SYNTAX },
		{ "no key", "key", .cose = LIT("\xa0"), .err = ERR_SYNTAX },
		{ "an algorithm without its key", "key", .cose = LIT("\xa2\x01\x02\x03\x26"), .err = ERR_SYNTAX },
		{ "a point off the curve", "key", .cose = LIT("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" ZEROS32 "\x22\x58\x20" ZEROS32), .err = ERR_SYNTAX },
		{ "coordinates over the field's prime", "key", .cose = LIT("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" ONES32 "\x22\x58\x20" ONES32),
			.err = ERR_SYNTAX },
		{ "a coordinate that is short", "key", .cose = LIT("\xa5\x01\x02\x03\x26\x20\x01\x21\x48" ZEROS8 "\x22\x58\x20" ZEROS32), .err = ERR_SYNTAX },
		{ "a compressed point", "key", .cose = LIT("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" ZEROS32 "\x22\xf5"), .err = ERR_SYNTAX },
		{ "P-384 with ES256", "key", .cose = LIT("\xa5\x01\x02\x03\x26\x20\x02\x21\x58\x20" ZEROS32 "\x22\x58\x20" ZEROS32), .err = ERR_SYNTAX },
		{ "another type of key with ES256", "key", .cose = LIT("\xa5\x01\x01\x03\x26\x20\x01\x21\x58\x20" ZEROS32 "\x22\x58\x20" ZEROS32),
			.err = ERR_SYNTAX },
		{ "Ed448 with EdDSA", "key", .cose = LIT("\xa4\x01\x01\x03\x27\x20\x07\x21\x58\x20" ZEROS32), .err = ERR_SYNTAX },
		{ "X25519, which signs nothing", "key", .cose = LIT("\xa4\x01\x01\x03\x27\x20\x04\x21\x58\x20" ZEROS32), .err = ERR_SYNTAX },
		{ "an Ed25519 key that is short", "key", .cose = LIT("\xa4\x01\x01\x03\x27\x20\x06\x21\x48" ZEROS8), .err = ERR_SYNTAX },
		{ "labels out of order", "key", .cose = LIT("\xa4\x03\x27\x01\x01\x20\x06\x21\x58\x20" ZEROS32), .err = ERR_SYNTAX },
		{ "a parameter that is none of this key's", "key", .cose = LIT("\xa5\x01\x01\x03\x27\x20\x06\x21\x58\x20" ZEROS32 "\x22\xf5"),
			.err = ERR_SYNTAX },
		{ "an RSA modulus that 3 divides", "key", .err = ERR_SYNTAX,
			.cose = LIT("\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00" ONES256 "\x21\x43\x01\x00\x01") },
		{ "a private key", "key", .cose = LIT("\xa5\x01\x01\x03\x27\x20\x06\x21\x58\x20" ZEROS32 "\x23\x58\x20" ZEROS32), .err = ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refused(true, &es256, &cases[i]);
	taken(true, &es256, &(struct sent){ "the longest id", .id_len = WEBAUTHN_ID_MAX });
}

/* Numbers of real keys, wrong in one place: others fail for being no product of two primes. */
static void test_rsa(void **state)
{
	static const struct { const char *why; unsigned bits; struct bytes front, exponent; bool is_even, is_good; } cases[] = {
		{ "2048 bits", 2048, LIT(""), LIT("\x01\x00\x01"), .is_good = true },
		{ "a 0 in front", 2048, LIT("\x00"), LIT("\x01\x00\x01") },
		{ "an even modulus", 2048, LIT(""), LIT("\x01\x00\x01"), .is_even = true },
		{ "an exponent of 3", 2048, LIT(""), LIT("\x03") },
		{ "an exponent of 1", 2048, LIT(""), LIT("\x01") },
		{ "an exponent that is even", 2048, LIT(""), LIT("\x01\x00\x02") },
		{ "an exponent with a 0 in front", 2048, LIT(""), LIT("\x00\x01\x00\x01") },
		{ "no exponent", 2048, LIT(""), LIT("") },
		{ "an exponent of 8 octets", 2048, LIT(""), LIT(ONES8), .is_good = true },
		{ "an exponent of 9 octets", 2048, LIT(""), LIT("\x01" ONES8) },
		{ "too short", 2040, LIT(""), LIT("\x01\x00\x01") },
		{ "short, with zeros in front", 2040, LIT("\x00"), LIT("\x01\x00\x01") },
		{ "4096 bits", 4096, LIT(""), LIT("\x01\x00\x01"), .is_good = true },
		{ "4097 bits", 4096, LIT("\x01"), LIT("\x01\x00\x01") },
	};
	unsigned char number[512], mem[1024];
	EVP_PKEY *key = NULL;
	unsigned bits = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sent s = { cases[i].why, "key", .err = ERR_SYNTAX };
		BIGNUM *n = NULL;
		struct text t;
		size_t len = cases[i].bits / 8;
		if (bits != cases[i].bits) {
			EVP_PKEY_free(key);
			key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)cases[i].bits);
			bits = cases[i].bits;
		}
		assert_non_null(key);
		assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
		assert_int_equal(BN_bn2binpad(n, number, (int)len), (int)len);
		BN_free(n);
		if (cases[i].is_even)
			number[len - 1] &= 0xfe;
		text_init(&t, mem, sizeof mem);
		text_lit(&t, "\xa4\x01\x03\x03\x39\x01\x00\x20");
		cbor_head(&t, 2, (unsigned)(cases[i].front.len + len));
		text_add(&t, cases[i].front);
		text_add(&t, bytes_of(number, len));
		text_lit(&t, "\x21");
		cbor_string(&t, 2, cases[i].exponent);
		s.cose = text_bytes(&t);
		if (cases[i].is_good)
			taken(true, &es256, &s);
		else
			refused(true, &es256, &s);
	}
	EVP_PKEY_free(key);
}

static void test_assertion(void **state)
{
	static const struct sent cases[] = {
		{ "a registration is no sign-in", "type", .type = "webauthn.create" },
		{ "not verified, and nothing else is asked", "user_verified", .flags = UP },
		{ "credential data, which belongs to registration", "syntax", .flags = UP | UV | AT, .err = ERR_SYNTAX },
		{ "the signature of another", "signature", .other_key = true },
		{ "one bit of the signature", "signature", .tampered = true },
		{ "the count stays", "count", .count = 5, .count_before = 5 },
		{ "the count falls", "count", .count = 4, .count_before = 5 },
		{ "the count falls to 0", "count", .count = 0, .count_before = 5 },
		{ "stored under another algorithm", "key", .registered_algorithm = COSE_RS256, .err = ERR_SYNTAX },
		{ "a stored key that is none", "key", .cose = LIT("\xa0"), .err = ERR_SYNTAX },
		{ "a stored key with something behind it", "key", .err = ERR_SYNTAX,
			.cose = LIT("\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" ZEROS32 "\x00"), .registered_algorithm = COSE_EDDSA },
		{ "the count, when the signature is wrong too", "signature", .tampered = true, .count = 4, .count_before = 5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refused(false, &es256, &cases[i]);
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		refused(false, all[i], &(struct sent){ "one bit of the signature", "signature", .tampered = true });
		taken(false, all[i], &(struct sent){ "a count that is not kept" });
		taken(false, all[i], &(struct sent){ "the first count", .count = 1 });
		taken(false, all[i], &(struct sent){ "a count that wraps into the sign of an int", .count = UINT32_MAX, .count_before = INT32_MAX });
	}
	refused(false, &eddsa, &(struct sent){ "another key of another kind", "signature", .other_key = true });
}

/* Of the object, the data, the client data and the signature: no part is taken for the whole. */
static void test_truncated(void **state)
{
	static struct made m;
	const struct sent s = { .extensions = LIT("\xa1\x61" "a\xf5") };
	struct webauthn_party p = party(&s);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		struct webauthn_credential c = registered(all[i], 0), out;
		const char *why = "none";
		make_registration(&m, all[i], &s);
		for (size_t n = 0; n < m.object.len; n++) {
			unsigned char *part = malloc(n ? n : 1); /* of that size, so that a sanitizer sees a look behind it */
			assert_non_null(part);
			memcpy(part, m.object_mem, n);
			assert_int_equal(webauthn_register(&p, text_bytes(&m.client), bytes_of(part, n), &out, &why), ERR_SYNTAX);
			free(part);
		}
		for (size_t n = 0; n < m.client.len; n++)
			assert_int_not_equal(webauthn_register(&p, bytes_of(m.client_mem, n), text_bytes(&m.object), &out, &why), OK);
		for (size_t n = 0; n < m.data.len; n++) { /* the object is whole, and what it holds is not */
			text_init(&m.object, m.object_mem, sizeof m.object_mem);
			attestation_write(&m.object, bytes_of(m.data_mem, n));
			assert_int_equal(webauthn_register(&p, text_bytes(&m.client), text_bytes(&m.object), &out, &why), ERR_SYNTAX);
		}
		make_assertion(&m, all[i], &s);
		for (size_t n = 0; n < m.data.len; n++)
			assert_int_not_equal(webauthn_assert(&p, &c, text_bytes(&m.client), bytes_of(m.data_mem, n), text_bytes(&m.signature), &out,
				&why), OK);
		for (size_t n = 0; n < m.signature.len; n++) {
			assert_int_equal(webauthn_assert(&p, &c, text_bytes(&m.client), text_bytes(&m.data), bytes_of(m.signature_mem, n), &out, &why),
				ERR_DENIED);
			assert_string_equal(why, "signature");
		}
		text_byte(&m.signature, 0);
		assert_int_equal(webauthn_assert(&p, &c, text_bytes(&m.client), text_bytes(&m.data), text_bytes(&m.signature), &out, &why), ERR_DENIED);
	}
}

/* Each bit of what is signed. */
static void test_tampered(void **state)
{
	static struct made m;
	const struct sent s = { .count = 3 };
	struct webauthn_party p = party(&s);

	(void)state;
	for (size_t i = 0; i < 2; i++) { /* RSA would take long, and is the same code */
		struct webauthn_credential c = registered(all[i], 0), out;
		const char *why = "none";
		make_assertion(&m, all[i], &s);
		for (size_t bit = 0; bit < 8 * m.data.len; bit++) {
			m.data_mem[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_int_not_equal(webauthn_assert(&p, &c, text_bytes(&m.client), text_bytes(&m.data), text_bytes(&m.signature), &out,
				&why), OK);
			m.data_mem[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		text_lit(&m.client, " "); /* the same JSON, in other octets */
		assert_int_equal(webauthn_assert(&p, &c, text_bytes(&m.client), text_bytes(&m.data), text_bytes(&m.signature), &out, &why), ERR_DENIED);
		assert_string_equal(why, "signature");
	}
}

static void is_syntax(const struct made *m)
{
	const struct webauthn_party p = party(&(struct sent){ 0 });
	struct webauthn_credential out;
	const char *why = "none";

	assert_int_equal(webauthn_register(&p, text_bytes(&m->client), text_bytes(&m->object), &out, &why), ERR_SYNTAX);
	assert_string_equal(why, "syntax");
}

static void test_object(void **state)
{
	static const struct { const char *why; struct bytes before, between; enum err want; } cases[] = {
		{ "as it should be", LIT("\xa3\x63" "fmt\x64" "none\x67" "attStmt\xa0\x68" "authData"), LIT(""), OK },
		{ "a statement, which is not looked at",
			LIT("\xa3\x63" "fmt\x66" "packed\x67" "attStmt\xa2\x63" "alg\x26\x63sig\x41\x00\x68" "authData"), LIT(""), OK },
		{ "a chain of certificates: a list in a map in a map",
			LIT("\xa3\x63" "fmt\x66" "packed\x67" "attStmt\xa1\x63x5c\x82\x41\x00\x41\x00\x68" "authData"), LIT(""), OK },
		{ "four deep", LIT("\xa3\x63" "fmt\x61x\x67" "attStmt\xa1\x01\x81\x80\x68" "authData"), LIT(""), OK },
		{ "five deep", LIT("\xa3\x63" "fmt\x61x\x67" "attStmt\xa1\x01\x81\x81\x80\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "none that states something", LIT("\xa3\x63" "fmt\x64" "none\x67" "attStmt\xa1\x61" "a\x00\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "a statement that is no map", LIT("\xa3\x63" "fmt\x64" "none\x67" "attStmt\x80\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "a format that is no text", LIT("\xa3\x63" "fmt\x44" "none\x67" "attStmt\xa0\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "names that are octets", LIT("\xa3\x43" "fmt\x64" "none\x47" "attStmt\xa0\x48" "authData"), LIT(""), ERR_SYNTAX },
		{ "another order", LIT("\xa3\x67" "attStmt\xa0\x63" "fmt\x64" "none\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "two members", LIT("\xa2\x63" "fmt\x64" "none\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "four, of which one is missing", LIT("\xa4\x63" "fmt\x64" "none\x67" "attStmt\xa0\x68" "authData"), LIT(""), ERR_SYNTAX },
		{ "a fourth", LIT("\xa4\x63" "fmt\x64" "none\x67" "attStmt\xa0\x68" "authData"), LIT("\x69" "extraData\x00"), ERR_SYNTAX },
		{ "something behind it", LIT("\xa3\x63" "fmt\x64" "none\x67" "attStmt\xa0\x68" "authData"), LIT("\x00"), ERR_SYNTAX },
		{ "of indefinite length", LIT("\xbf\x63" "fmt\x64" "none\x67" "attStmt\xa0\x68" "authData"), LIT("\xff"), ERR_SYNTAX },
		{ "a list", LIT("\x83"), LIT(""), ERR_SYNTAX },
	};
	static struct made m;
	const struct sent s = { 0 };
	struct webauthn_party p = party(&s);
	unsigned char mem[4096];
	struct text attested;

	(void)state;
	/* Data without a credential, and with one whose id has no octets. */
	make_common(&m, &s, "webauthn.create", UP | UV, (struct bytes){ 0 });
	attestation_write(&m.object, text_bytes(&m.data));
	is_syntax(&m);
	text_init(&attested, mem, sizeof mem);
	attested_write(&attested, (struct bytes){ 0 }, text_bytes(&es256.cose));
	make_common(&m, &s, "webauthn.create", UP | UV | AT, text_bytes(&attested));
	attestation_write(&m.object, text_bytes(&m.data));
	is_syntax(&m);
	make_registration(&m, &es256, &s);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct webauthn_credential out;
		const char *why = "none";
		struct text t;
		enum err e;
		text_init(&t, mem, sizeof mem);
		text_add(&t, cases[i].before);
		cbor_string(&t, 2, text_bytes(&m.data));
		text_add(&t, cases[i].between);
		e = webauthn_register(&p, text_bytes(&m.client), text_bytes(&t), &out, &why);
		if (e != cases[i].want || (e != OK && strcmp(why, "syntax") != 0))
			fail_msg("%s: %s, %s", cases[i].why, err_name(e), why);
	}
}

/* Sizes that no browser sends. */
static void test_limits(void **state)
{
	static char more[9000] = ",\"a\":\"";
	static unsigned char extensions[5000];
	struct sent s = { "client data of 9000 octets", "syntax", .more = more, .err = ERR_SYNTAX };
	struct text t;

	(void)state;
	memset(more + strlen(more), 'x', sizeof more - strlen(more) - 2);
	more[sizeof more - 2] = '"';
	refused(true, &es256, &s);
	refused(false, &es256, &s);
	text_init(&t, extensions, sizeof extensions);
	text_lit(&t, "\xa1\x61" "a\x59\x10\x00");
	s = (struct sent){ "extensions of 4 KiB", "syntax", .extensions = bytes_of(extensions, t.len + 4096), .err = ERR_SYNTAX };
	refused(true, &es256, &s);
	refused(false, &es256, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_both), cmocka_unit_test(test_registration),
		cmocka_unit_test(test_rsa), cmocka_unit_test(test_assertion), cmocka_unit_test(test_truncated), cmocka_unit_test(test_tampered), cmocka_unit_test(test_object),
		cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
