/* Whole handshakes over a socketpair: libssl as the client, this room as the server, and a keeper that is a queue
 * here, so that it can answer at once, late, wrongly or never. */
#include "certs.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 300

/* --- the keeper --- */

static struct { uint32_t request; uint16_t key, scheme; unsigned char digest[64]; size_t len; } asked[PAIRS_MAX];
static size_t asked_count, open_count, open_most; /* open: asked and not answered */
static enum { AT_ONCE, LATER, REFUSES } keeper_mode;
static struct tls_key *keeper_keys[2]; /* 0: ECDSA, 1: RSA */

static void answer(size_t i)
{
	unsigned char sig[1024];
	size_t len = 0;
	enum err e = tls_key_sign(keeper_keys[asked[i].key], asked[i].scheme, bytes_of(asked[i].digest, asked[i].len), sig, sizeof sig, &len);

	open_count--;
	tls_signed(asked[i].request, e != OK, bytes_of(sig, len));
}

static enum err post(struct tls_signer *s, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest)
{
	(void)s;
	if (keeper_mode == REFUSES)
		return ERR_AGAIN;
	assert_true(asked_count < PAIRS_MAX && key < 2 && digest.len <= 64);
	asked[asked_count].request = request;
	asked[asked_count].key = key;
	asked[asked_count].scheme = scheme;
	memcpy(asked[asked_count].digest, digest.at, asked[asked_count].len = digest.len);
	asked_count++;
	if (++open_count > open_most)
		open_most = open_count;
	if (keeper_mode == AT_ONCE)
		answer(--asked_count);
	return OK;
}

/* Answers what was asked until now, oldest first. */
static void answer_all(void)
{
	size_t n = asked_count;

	for (size_t i = 0; i < n; i++)
		answer(i);
	memmove(asked, asked + n, (asked_count - n) * sizeof *asked);
	asked_count -= n;
}

static struct tls_signer signer = { post };

/* --- certificates: 0 ECDSA a.test, 1 RSA a.test, 2 ECDSA *.w.test and B.test, 3 RSA b.test and only.test --- */

static struct bytes chains[4], key_pems[2];
static EVP_PKEY *pkeys[2];

static int setup(void **state)
{
	static const struct { const char *names; int key; } certs[] = {
		{ "DNS:a.test", 0 }, { "DNS:a.test", 1 }, { "DNS:*.w.test,DNS:B.test", 0 }, { "DNS:b.test,DNS:only.test,DNS:*.w.test", 1 },
	};

	(void)state;
	pkeys[0] = key_make("P-256");
	pkeys[1] = key_make("rsa2048");
	for (int i = 0; i < 2; i++) {
		key_pems[i] = key_pem(pkeys[i], NULL);
		assert_int_equal(tls_key_load(key_pems[i], &keeper_keys[i]), OK);
	}
	for (size_t i = 0; i < COUNT_OF(certs); i++) {
		char cn[16];
		snprintf(cn, sizeof cn, "cert%zu", i);
		X509 *c = cert_make(pkeys[certs[i].key], cn, certs[i].names, -DAY, DAY, NULL, NULL);
		chains[i] = cert_pem(c, NULL);
		X509_free(c);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(chains); i++)
		bytes_done(chains[i]);
	for (int i = 0; i < 2; i++) {
		bytes_done(key_pems[i]);
		tls_key_free(&keeper_keys[i]);
		EVP_PKEY_free(pkeys[i]);
	}
	return 0;
}

/* Which: numbers of certificates, as digits. */
static struct tls_server *server_new(const char *which)
{
	static struct conf_cert certs[4]; /* as long as the server */
	struct conf_tls conf = { .is_on = true, .certs = certs, .cert_count = strlen(which), .min_version = 0x0303 };
	struct tls_server *s = NULL;
	char error[200] = "";

	for (size_t i = 0; which[i]; i++)
		certs[i] = (struct conf_cert){ .chain_pem = chains[which[i] - '0'], .key = which[i] == '1' || which[i] == '3' };
	assert_int_equal(tls_server_new(&conf, &signer, &s, error, sizeof error), OK);
	return s;
}

/* --- a client and its stream --- */

struct pair {
	SSL *client;
	struct tls_stream *stream;
	int fds[2], wakes;
	enum err e;
};
static SSL_CTX *client_ctx;

static void on_wake(void *ctx)
{
	struct pair *p = ctx;

	p->wakes++;
	p->e = tls_handshake(p->stream);
}

static void pair_open(struct pair *p, struct tls_server *s, int version, const char *name)
{
	*p = (struct pair){ .e = ERR_AGAIN };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
	p->client = SSL_new(client_ctx);
	assert_true(p->client && SSL_set_fd(p->client, p->fds[0]) && SSL_set_min_proto_version(p->client, version) &&
		SSL_set_max_proto_version(p->client, version));
	SSL_set_connect_state(p->client);
	if (name)
		SSL_set_tlsext_host_name(p->client, name);
	assert_int_equal(tls_accept(s, p->fds[1], on_wake, p, &p->stream), OK);
}

static void pair_close(struct pair *p)
{
	tls_free(&p->stream);
	SSL_shutdown(p->client);
	SSL_free(p->client);
	close(p->fds[0]);
	close(p->fds[1]);
}

/* Both sides as far as they come; true: both are done. */
static bool pair_run(struct pair *p)
{
	int client = 0;

	for (int i = 0; i < 10 && !(client == 1 && p->e == OK); i++) {
		if (client != 1)
			client = SSL_do_handshake(p->client);
		tls_note(p->stream, false);
		if (p->e == ERR_AGAIN)
			p->e = tls_handshake(p->stream);
		if (keeper_mode == LATER)
			answer_all();
	}
	ERR_clear_error();
	return client == 1 && p->e == OK;
}

static void exchange(struct pair *p)
{
	char buf[16];
	size_t n = 0;

	assert_int_equal(SSL_write(p->client, "ping", 4), 4);
	tls_note(p->stream, false);
	assert_int_equal(tls_read(p->stream, buf, sizeof buf, &n), OK);
	assert_true(n == 4 && memcmp(buf, "ping", 4) == 0);
	assert_int_equal(tls_write(p->stream, BYTES("pong"), &n), OK);
	assert_int_equal(SSL_read(p->client, buf, sizeof buf), 4);
	assert_int_equal(tls_read(p->stream, buf, sizeof buf, &n), ERR_AGAIN);
	assert_int_equal(SSL_write(p->client, "more", 4), 4);
	assert_int_equal(tls_read(p->stream, buf, sizeof buf, &n), ERR_AGAIN); /* not asked for without an event */
	tls_note(p->stream, false);
	assert_int_equal(tls_read(p->stream, buf, sizeof buf, &n), OK);
}

static int setup_client(void **state)
{
	(void)state;
	client_ctx = SSL_CTX_new(TLS_client_method());
	keeper_mode = AT_ONCE;
	asked_count = open_count = open_most = 0;
	return client_ctx == NULL;
}

static int teardown_client(void **state)
{
	(void)state;
	SSL_CTX_free(client_ctx);
	return asked_count != 0;
}

static const struct { const char *why, *certs, *name, *sigalgs, *want; int version; uint16_t scheme; const char *groups; } shakes[] = {
	{ "ECDSA, 1.2", "0", "a.test", NULL, "cert0", TLS1_2_VERSION, 0x0403 },
	{ "ECDSA, 1.3", "0", "a.test", NULL, "cert0", TLS1_3_VERSION, 0x0403 },
	{ "P-256 for the exchange of keys", "0", "a.test", NULL, "cert0", TLS1_3_VERSION, 0x0403, "P-256" },
	{ "P-384 for the exchange of keys", "1", "a.test", NULL, "cert1", TLS1_2_VERSION, 0x0804, "P-384" },
	{ "RSA, 1.3", "1", "a.test", NULL, "cert1", TLS1_3_VERSION, 0x0804 },
	{ "RSA, 1.2: PSS if the client can", "1", "a.test", NULL, "cert1", TLS1_2_VERSION, 0x0804 },
	{ "RSA, 1.2: PKCS#1 if it cannot", "1", "a.test", "RSA+SHA256", "cert1", TLS1_2_VERSION, 0x0401 },
	{ "RSA, SHA-512 alone", "1", "a.test", "RSA-PSS+SHA512", "cert1", TLS1_3_VERSION, 0x0806 },
	{ "RSA, PKCS#1 with SHA-384", "1", "a.test", "RSA+SHA384", "cert1", TLS1_2_VERSION, 0x0501 },
	{ "both: ECDSA first", "01", "a.test", NULL, "cert0", TLS1_3_VERSION, 0x0403 },
	{ "both: ECDSA first, whatever their order", "10", "a.test", NULL, "cert0", TLS1_3_VERSION, 0x0403 },
	{ "both, 1.2", "10", "a.test", NULL, "cert0", TLS1_2_VERSION, 0x0403 },
	{ "both: a client without ECDSA", "01", "a.test", "RSA-PSS+SHA256", "cert1", TLS1_3_VERSION, 0x0804 },
	{ "both: a client without RSA", "10", "a.test", "ECDSA+SHA256", "cert0", TLS1_3_VERSION, 0x0403 },
	{ "no name: the first", "201", NULL, NULL, "cert2", TLS1_3_VERSION, 0x0403 },
	{ "an unknown name: the first", "201", "z.test", NULL, "cert2", TLS1_3_VERSION, 0x0403 },
	{ "a name of the second's", "201", "a.test", NULL, "cert0", TLS1_3_VERSION, 0x0403 },
	{ "a star", "02", "x.w.test", NULL, "cert2", TLS1_3_VERSION, 0x0403 },
	{ "RSA with more names stands beside", "23", "b.test", "RSA-PSS+SHA256", "cert3", TLS1_3_VERSION, 0x0804 },
	{ "and serves its other name alone", "23", "only.test", NULL, "cert3", TLS1_3_VERSION, 0x0804 },
};

static void test_handshakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(shakes); i++)
		for (int later = 0; later < 2; later++) {
			struct tls_server *s = server_new(shakes[i].certs);
			struct tls_facts facts;
			struct pair p;
			X509 *peer;
			char cn[32] = "";

			print_message("%s, %s\n", shakes[i].why, later ? "later" : "at once");
			keeper_mode = later ? LATER : AT_ONCE;
			pair_open(&p, s, shakes[i].version, shakes[i].name);
			if (shakes[i].sigalgs)
				assert_true(SSL_set1_sigalgs_list(p.client, shakes[i].sigalgs));
			if (shakes[i].groups)
				assert_true(SSL_set1_groups_list(p.client, shakes[i].groups));
			assert_true(pair_run(&p));
			assert_int_equal(p.wakes, later); /* once; and not for what is answered at once */
			assert_int_equal(asked[0].scheme, shakes[i].scheme);
			peer = SSL_get0_peer_certificate(p.client);
			X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, cn, sizeof cn);
			assert_string_equal(cn, shakes[i].want);
			tls_facts(p.stream, &facts);
			assert_true(bytes_eq(facts.version, shakes[i].version == TLS1_3_VERSION ? BYTES("1.3") : BYTES("1.2")));
			assert_true(bytes_eq(facts.sni, bytes_str(shakes[i].name ? shakes[i].name : "")));
			assert_true(!facts.is_resumed && !facts.error && facts.client_subject.len == 0);
			exchange(&p);
			pair_close(&p);
			tls_server_free(&s);
		}
}

/* The ticket of TLS 1.3 comes with the first answer, or when there is nothing to answer; and never without its end. */
static void test_held_ticket(void **state)
{
	struct tls_server *s = server_new("0");
	unsigned char mem[88] = { 1 };
	char buf[4096];
	struct pair p;
	size_t n;

	(void)state;
	assert_int_equal(tls_tickets_set(bytes_of(mem, sizeof mem)), OK);
	pair_open(&p, s, TLS1_3_VERSION, "a.test");
	assert_true(pair_run(&p));
	assert_int_equal(recv(p.fds[0], buf, sizeof buf, MSG_PEEK), -1); /* held */
	tls_note(p.stream, false);
	assert_int_equal(tls_read(p.stream, buf, sizeof buf, &n), ERR_AGAIN);
	assert_true(recv(p.fds[0], buf, sizeof buf, MSG_PEEK) > 100);
	assert_true(SSL_read(p.client, buf, sizeof buf) <= 0 && SSL_SESSION_is_resumable(SSL_get_session(p.client)));
	pair_close(&p);
	pair_open(&p, s, TLS1_3_VERSION, "a.test");
	assert_true(pair_run(&p));
	assert_int_equal(tls_write(p.stream, BYTES("answer"), &n), OK);
	assert_int_equal(SSL_read(p.client, buf, sizeof buf), 6);
	assert_true(SSL_SESSION_is_resumable(SSL_get_session(p.client)));
	pair_close(&p);
	/* A peer that does not read: what is held comes in pieces, and whole, before what is written after it. */
	pair_open(&p, s, TLS1_3_VERSION, "a.test");
	assert_true(pair_run(&p));
	memset(buf, 'x', sizeof buf);
	while (send(p.fds[1], buf, 1, MSG_NOSIGNAL) == 1) /* not TLS: taken away below, before the client looks */
		;
	assert_int_equal(tls_write(p.stream, BYTES("answer"), &n), ERR_AGAIN);
	while (recv(p.fds[0], buf, 1, MSG_PEEK) == 1 && buf[0] == 'x')
		assert_int_equal(recv(p.fds[0], buf, 1, 0), 1);
	assert_int_equal(tls_write(p.stream, BYTES("answer"), &n), OK);
	assert_int_equal(SSL_read(p.client, buf, sizeof buf), 6);
	pair_close(&p);
	tls_server_free(&s);
}

static const struct { const char *why, *name; size_t want; } names[] = {
	{ "the name", "a.test", 0 },	   { "other letters", "A.TEST", 0 },	  { "in the certificate with others", "b.test", 1 },
	{ "a star", "x.w.test", 1 },	   { "a star is one label", "x.y.w.test", 0 }, { "and not none", ".w.test", 0 },
	{ "the star itself", "*.w.test", 1 }, { "the rest alone", "w.test", 0 },  { "nothing", "", 0 }, { "a dot", ".", 0 },
	{ "only the third", "only.test", 2 }, { "the first of two, that is in order", "B.test", 1 },
};

static void test_names(void **state)
{
	struct tls_server *s = server_new("023");
	char longest[300];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		print_message("%s\n", names[i].why);
		assert_int_equal(tls_server_choose(s, names[i].name), names[i].want);
	}
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = 0;
	assert_int_equal(tls_server_choose(s, longest), 0);
	tls_server_free(&s);
}

static void test_refused(void **state)
{
	struct tls_server *s = server_new("0");
	struct tls_facts facts;
	struct pair p;

	(void)state;
	SSL_CTX_set_security_level(client_ctx, 0);
	pair_open(&p, s, TLS1_1_VERSION, "a.test");
	assert_false(pair_run(&p));
	assert_int_equal(p.e, ERR_TLS);
	tls_facts(p.stream, &facts);
	assert_string_equal(facts.error, "unsupported protocol");
	pair_close(&p);
	pair_open(&p, s, TLS1_2_VERSION, "a.test");
	assert_true(pair_run(&p));
	assert_int_equal(SSL_renegotiate(p.client), 1);
	(void)SSL_do_handshake(p.client);
	char buf[8];
	size_t n;
	tls_note(p.stream, false);
	assert_int_equal(tls_read(p.stream, buf, sizeof buf, &n), ERR_AGAIN); /* answered with no_renegotiation */
	assert_true(SSL_do_handshake(p.client) <= 0 && open_most == 1);
	ERR_clear_error();
	pair_close(&p);
	keeper_mode = REFUSES;
	pair_open(&p, s, TLS1_3_VERSION, "a.test");
	assert_false(pair_run(&p));
	assert_int_equal(p.e, ERR_TLS);
	pair_close(&p);
	tls_server_free(&s);
}

static void test_wrong_answers(void **state)
{
	static unsigned char huge[1025];
	const struct { const char *why; uint32_t request; uint8_t status; struct bytes sig; bool is_taken; } cases[] = {
		{ "of another's request", 1, 0, BYTES("x"), false },  { "of a request of before", 256, 0, BYTES("x"), false },
		{ "no", 0, 1, BYTES(""), true },		       { "nothing", 0, 0, BYTES(""), true },
		{ "too long", 0, 0, bytes_of(huge, sizeof huge), true }, { "no, with something", 0, 1, BYTES("x"), true },
	};
	struct tls_server *s = server_new("1");

	(void)state;
	keeper_mode = LATER;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct pair p;
		uint32_t mine;

		print_message("%s\n", cases[i].why);
		pair_open(&p, s, TLS1_3_VERSION, "a.test");
		SSL_do_handshake(p.client);
		assert_int_equal(tls_handshake(p.stream), ERR_AGAIN);
		assert_true(tls_is_signing(p.stream));
		assert_int_equal(tls_handshake(p.stream), ERR_AGAIN); /* an event of the socket's changes nothing */
		assert_int_equal(asked_count, 1);
		mine = asked[0].request;
		tls_signed(cases[i].is_taken ? mine : mine + cases[i].request, cases[i].status, cases[i].sig);
		assert_int_equal(p.wakes, cases[i].is_taken);
		assert_int_equal(p.e, cases[i].is_taken ? ERR_TLS : ERR_AGAIN);
		answer_all();
		assert_int_equal(p.e, cases[i].is_taken ? ERR_TLS : ERR_AGAIN); /* a second answer is ignored, a first one is not */
		assert_int_equal(p.wakes, 1);
		assert_false(tls_is_signing(p.stream));
		pair_close(&p);
	}
	tls_server_free(&s);
}

static void test_many_and_some_go(void **state)
{
	static struct pair pairs[PAIRS_MAX];
	struct tls_server *s = server_new("0");
	size_t done = 0;

	(void)state;
	keeper_mode = LATER;
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		pair_open(&pairs[i], s, i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION, "a.test");
		SSL_do_handshake(pairs[i].client);
		assert_int_equal(pairs[i].e = tls_handshake(pairs[i].stream), ERR_AGAIN);
	}
	assert_int_equal(asked_count, 128); /* the others wait in line */
	for (size_t i = 0; i < PAIRS_MAX; i += 3) /* of both: those that ask, and those that wait */
		tls_free(&pairs[i].stream);
	assert_int_equal(tls_handshake(pairs[200].stream), ERR_AGAIN); /* stays in line, once */
	while (asked_count)
		answer_all();
	assert_int_equal(open_most, 128);
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		if (pairs[i].stream) {
			assert_true(pair_run(&pairs[i]));
			exchange(&pairs[i]);
			done++;
		}
		pair_close(&pairs[i]);
	}
	assert_int_equal(done, PAIRS_MAX - PAIRS_MAX / 3);
	tls_server_free(&s);
}

static void test_the_keeper_goes(void **state)
{
	static struct pair pairs[150];
	struct tls_server *s = server_new("1");

	(void)state;
	keeper_mode = LATER;
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		pair_open(&pairs[i], s, TLS1_3_VERSION, "a.test");
		SSL_do_handshake(pairs[i].client);
		pairs[i].e = tls_handshake(pairs[i].stream);
	}
	tls_free(&pairs[0].stream);
	keeper_mode = REFUSES; /* as the worker does while there is none */
	tls_signer_lost();
	asked_count = 0;
	for (size_t i = 1; i < COUNT_OF(pairs); i++) /* the first 128 had asked; the others stand in line, and go on */
		assert_int_equal(pairs[i].e, i < 128 ? ERR_TLS : ERR_AGAIN);
	keeper_mode = LATER; /* and comes back */
	tls_signer_back();
	for (size_t i = 128; i < COUNT_OF(pairs); i++)
		assert_true(pair_run(&pairs[i]));
	for (size_t i = 0; i < COUNT_OF(pairs); i++)
		pair_close(&pairs[i]);
	pair_open(&pairs[0], s, TLS1_3_VERSION, "a.test");
	assert_true(pair_run(&pairs[0]));
	pair_close(&pairs[0]);
	tls_signer_lost(); /* nothing waits */
	tls_signer_back();
	tls_server_free(&s);
}

/* --- tickets --- */

static SSL_SESSION *last;

/* Keys by their letters, the first for new tickets. */
static void tickets_set(const char *which)
{
	unsigned char mem[3 * 88];

	for (size_t i = 0; which[i]; i++)
		memset(mem + i * 88, which[i], 88);
	assert_int_equal(tls_tickets_set(bytes_of(mem, strlen(which) * 88)), OK);
}

static bool resumes(struct tls_server *s, int version)
{
	struct tls_facts facts;
	struct pair p;

	pair_open(&p, s, version, "a.test");
	if (last)
		SSL_set_session(p.client, last);
	assert_true(pair_run(&p));
	tls_facts(p.stream, &facts);
	exchange(&p); /* TLS 1.3: the ticket comes with the first bytes */
	assert_int_equal(facts.is_resumed, SSL_session_reused(p.client));
	SSL_SESSION_free(last);
	last = SSL_get1_session(p.client);
	pair_close(&p);
	return facts.is_resumed;
}

static void test_tickets(void **state)
{
	static const struct { const char *why, *keys; bool want; } steps[] = {
		{ "no session yet", "a", false },      { "the same key", "a", true },	{ "a new key, the old one known", "ba", true },
		{ "a ticket of the new key", "b", true }, { "no key of its ticket's", "cd", false }, { "three keys", "abc", true },
	};

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (size_t i = 0; i < COUNT_OF(steps); i++) {
			/* Another server each time, as after a reload.. */
			struct tls_server *s = server_new("0");
			print_message("%s\n", steps[i].why);
			tickets_set(steps[i].keys);
			assert_int_equal(resumes(s, version), steps[i].want);
			tls_server_free(&s);
		}
		SSL_SESSION_free(last);
		last = NULL;
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_client, teardown_client)
	const struct CMUnitTest tests[] = { T(test_handshakes), T(test_held_ticket), T(test_names), T(test_refused), T(test_wrong_answers),
		T(test_many_and_some_go), T(test_the_keeper_goes), T(test_tickets) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
