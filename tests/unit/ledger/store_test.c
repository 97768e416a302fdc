/* Batches over segments: what is committed is there, what is taken back is not, and sums, verify and the window agree. */
#include "ledger/query.h"
#include "ledger/store.h"
#include "ledger/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#define DAY_US UINT64_C(1578528000000000)

static void on_finding(void *ctx, const struct ledger_finding *f)
{
	(void)ctx;
	print_message("%s: %s\n", ledger_fault_name(f->fault), f->what);
}

static struct ledger_record use(enum ledger_state s, uint64_t conn, unsigned client, uint64_t start)
{
	struct ledger_record r = { .kind = LEDGER_USE, .state = s, .conn = conn, .start_us = start, .has_counts = s != LEDGER_OPEN,
		.bytes_out = s != LEDGER_OPEN, .end_us = s != LEDGER_OPEN ? start + 1 : 0 };

	r.client.ip[10] = r.client.ip[11] = r.target.ip[10] = r.target.ip[11] = 0xff;
	r.client.ip[12] = r.target.ip[12] = 10;
	r.client.ip[15] = (unsigned char)(client % 200 + 1);
	r.target.ip[14] = 9;
	r.target.port = 80;
	return r;
}

static void commit(struct ledger_store *s, struct ed25519_key *key)
{
	unsigned char hash[SHA256_LEN], sig[ED25519_SIGNATURE_LEN], mem[CHAIN_TEXT_MAX];
	struct ledger_head head;
	uint64_t seq;
	struct text t;

	ledger_store_last(s, &head, &seq);
	ledger_store_digest(s, head.hash, DAY_US, hash);
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, head.batch + 1, head.hash, hash);
	assert_int_equal(ed25519_sign(key, text_bytes(&t), sig), OK);
	assert_int_equal(ledger_store_commit(s, sig), OK);
}

static void begin(struct ledger_store *s)
{
	struct ledger_head head;
	uint64_t seq;

	ledger_store_last(s, &head, &seq);
	assert_int_equal(ledger_store_begin(s, head.batch + 1, seq + 1), OK);
}

static uint64_t count(const char *dir, uint64_t from, uint64_t to, const char *with, bool *was_open)
{
	struct ledger_filter f = { .with = with ? WITH_ADDRESS : WITH_ALL, .value = bytes_str(with ? with : "") };
	struct ledger_answer a;
	uint64_t n = 0;

	if (with && strchr(with, '/')) {
		f.with = WITH_NETWORK;
		assert_int_equal(addr_parse_prefix(f.value, &f.network), OK);
	}
	assert_int_equal(ledger_query(dir, from, to, &f, NULL, &a), OK);
	*was_open = false;
	for (size_t i = 0; i < contacts_count(a.rows); i++) {
		n += contacts_at(a.rows, i)->opened;
		*was_open |= a.spans[i].was_open;
	}
	ledger_answer_fini(&a);
	return n;
}

static void write_day(struct ledger_store *s, struct ed25519_key *key)
{
	struct ledger_record r;

	for (unsigned b = 0; b < 20; b++) { /* 100,000 records: a whole segment, and one that is not full */
		begin(s);
		for (unsigned i = 0; i < 5000; i++) {
			uint64_t n = b * 5000 + i, at = DAY_US + n * 1000;

			r = use(LEDGER_WHOLE, n + 1, i, at);
			assert_int_equal(ledger_store_add(s, at, BYTES("worker/0/1"), &r), OK);
		}
		commit(s, key);
		begin(s); /* one that is taken back leaves nothing, sums included */
		r = use(LEDGER_OPEN, 1000000, 250, DAY_US);
		assert_int_equal(ledger_store_add(s, DAY_US + (b * 5000 + 4999) * 1000, BYTES("worker/0/1"), &r), OK);
		ledger_store_rollback(s);
	}
}

static void a_day(void **state)
{
	struct ed25519_key *key = ed25519_new();
	unsigned char pub[ED25519_PUBLIC_LEN];
	char dir[] = "/tmp/store_test.XXXXXX", path[64];
	struct ledger_report report;
	struct ledger_record r;
	struct ledger_store *s;
	const char *why = "";
	bool was_open;

	(void)state;
	ed25519_public(key, pub);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/2020-01-09.ledger", dir);
	assert_int_equal(ledger_store_open(path, BYTES("2020-01-09"), pub, &s, &why), OK);
	write_day(s, key);
	ledger_store_close(&s);
	assert_int_equal(ledger_store_open(path, BYTES("2020-01-09"), pub, &s, &why), OK); /* goes on, sums and all */
	begin(s);
	r = use(LEDGER_OPEN, 2000000, 0, DAY_US + 200000000);
	assert_int_equal(ledger_store_add(s, DAY_US + 200000000, BYTES("worker/0/1"), &r), OK);
	commit(s, key);
	ledger_store_close(&s);
	assert_int_equal(ledger_verify(dir, pub, on_finding, NULL, &report), OK);
	assert_int_equal(report.findings, 1); /* there is no head here */
	assert_int_equal(report.records, 100001);
	assert_int_equal(report.batches, 21);
	assert_int_equal(count(dir, DAY_US, DAY_US + 86399999999, NULL, &was_open), 100001);
	assert_int_equal(count(dir, DAY_US, DAY_US + 86399999999, "10.0.9.0", &was_open), 100001);
	assert_int_equal(count(dir, DAY_US, DAY_US + 86399999999, "10.0.0.1", &was_open), 501);
	assert_int_equal(count(dir, DAY_US, DAY_US + 86399999999, "10.0.0.0/25", &was_open), 63501); /* 127 of 200 clients, and the open one */
	assert_int_equal(count(dir, DAY_US, DAY_US + 86399999999, "10.0.9.0/24", &was_open), 100001); /* the target */
	assert_int_equal(count(dir, DAY_US, DAY_US + 86399999999, "10.0.8.0/24", &was_open), 0);
	assert_int_equal(count(dir, DAY_US + 1000000, DAY_US + 1999999, NULL, &was_open), 1000); /* both edges within a segment */
	assert_false(was_open);
	assert_int_equal(count(dir, DAY_US + 50000000, DAY_US + 90000000, NULL, &was_open), 40001); /* over the segments' border */
	assert_int_equal(count(dir, DAY_US + 300000000, DAY_US + 400000000, NULL, &was_open), 1); /* only the open one */
	assert_true(was_open);
	unlink(path);
	rmdir(dir);
	ed25519_free(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_day) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
