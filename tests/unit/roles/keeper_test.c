/* The keeper as a confined child: workers get signatures of every key, the prober only of those that checks need. */
#define _GNU_SOURCE
#define main keeper_main
int main(int argc, char **argv);
#include "roles/keeper.c" /* for its table */
#undef main

#include "bundle.h"
#include "child.h"

#include "crypto/es256.h"

#include <openssl/pem.h>
#include <sys/mman.h>

static void give_key(struct child *c, unsigned char id, unsigned char for_checks)
{
	unsigned char body[3] = { id, 0, for_checks };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;
	int fd;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &pem);
	assert_int_equal(memfd_sealed("key", bytes_of(pem, (size_t)len), &fd), OK);
	lseek(fd, 0, SEEK_SET);
	say(c->control, MSG_KEY, body, sizeof body, fd);
	close(fd);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

static void begin(struct child *c)
{
	child_begin(c, &role_keeper);
	child_setup_conf(c, "listeners: {web: {address: '127.0.0.1:80'}}\npools: {app: {servers: ['127.0.0.1:81']}}\n");
	give_key(c, 0, 0);
	give_key(c, 1, 1);
}

static void ask(int peer, unsigned char key)
{
	unsigned char body[40] = { 5, 0, 0, 0, key, 0, 0x03,
		0x04 }; /* ecdsa_secp256r1_sha256, a digest of zeros */

	say(peer, MSG_SIGN, body, sizeof body, -1);
}

static void who_gets_signatures(void **state)
{
	static const struct {
		const char *why;
		enum role_id who;
		unsigned char key;
		bool gets;
	} cases[] = {
		{ "a worker, a listener's key", ROLE_WORKER, 0, true },
		{ "a worker, a pool's key", ROLE_WORKER, 1, true },
		{ "the prober, a listener's key", ROLE_PROBER, 0, false },
		{ "the prober, a checked pool's key", ROLE_PROBER, 1, true },
		{ "the prober, no key", ROLE_PROBER, 2, false },
		{ "the dialer", ROLE_DIALER, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct child c;
		struct ipc_msg m;
		int peer;

		print_message("%s\n", cases[i].why);
		begin(&c);
		peer = child_peer(&c, cases[i].who, 0);
		child_start(&c);
		ask(peer, cases[i].key);
		if (cases[i].gets) {
			assert_int_equal(hear(peer, &m), OK);
			assert_int_equal(m.type, MSG_SIGNED);
			assert_int_equal(m.body.at[0], 5);
			assert_int_equal(m.body.at[4], 0);
			assert_true(m.body.len > 60);
		} else {
			child_accuses(&c, peer, cases[i].who);
		}
		close(peer);
		assert_int_equal(child_end(&c), 0);
	}
}

static void ticket_keys_are_not_for_the_prober(void **state)
{
	struct child c;
	int peer;

	(void)state;
	begin(&c);
	peer = child_peer(&c, ROLE_PROBER, 0);
	child_start(&c);
	say(peer, MSG_TICKETS, "", 0, -1);
	child_accuses(&c, peer, ROLE_PROBER);
	close(peer);
	assert_int_equal(child_end(&c), 0);
}

static void public_of(int identity, unsigned char out[ES256_PUBLIC_LEN])
{
	struct ipc_msg m;

	say(identity, MSG_TOKEN_PUBLIC, "", 0, -1);
	assert_int_equal(hear(identity, &m), OK);
	assert_int_equal(m.type, MSG_TOKEN_PUBLIC_IS);
	memcpy(out, m.body.at, ES256_PUBLIC_LEN);
}

static void tokens_are_signed_with_a_key_that_stays(void **state)
{
	unsigned char body[36] = { 7, 0, 0, 0, 1, 2, 3 }, first[ES256_PUBLIC_LEN], second[ES256_PUBLIC_LEN];
	int file = memfd_create("tokens", MFD_CLOEXEC);
	struct ipc_msg m;
	struct child c;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		begin(&c);
		say(c.control, MSG_TOKEN_KEY, "", 0, file);
		int identity = child_peer(&c, ROLE_IDENTITY, 0);
		child_start(&c);
		public_of(identity, turn ? second : first);
		say(identity, MSG_TOKEN_SIGN, body, sizeof body, -1);
		assert_int_equal(hear(identity, &m), OK);
		assert_int_equal(m.type, MSG_TOKEN_SIGNED);
		assert_memory_equal(m.body.at, "\7\0\0\0\0", 5);
		assert_true(es256_verify(first, body + 4, bytes_cut(m.body, 5, m.body.len)));
		close(identity);
		assert_int_equal(child_end(&c), 0);
	}
	assert_memory_equal(first, second, sizeof first);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_gets_signatures),
		cmocka_unit_test(ticket_keys_are_not_for_the_prober),
		cmocka_unit_test(tokens_are_signed_with_a_key_that_stays) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
