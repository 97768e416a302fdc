/* What the ledger costs: a worker's copy into its ring, the scribe's way from ring to disk on one thread (parse, remember what is open,
 * SQLite, hash, signature, sync), and the window's answers from the file that came of it.
 * usage: bench_ledger FOLDER CONNECTIONS. JSON on stdout. */
#include "base/clock.h"
#include "ledger/live.h"
#include "ledger/query.h"
#include "ledger/ring.h"
#include "ledger/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 20000
#define CLIENTS 50000
#define TARGETS 200

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t state = 88172645463325252u;
static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A few are seen very often, most seldom. */
static unsigned skewed(unsigned most)
{
	double u = (double)(next_random() >> 11) / 9007199254740992.0;

	return (unsigned)((double)most * u * u * u);
}

static struct addr address(unsigned net, unsigned n, uint16_t port)
{
	struct addr a = { .port = port };

	a.ip[10] = a.ip[11] = 0xff;
	a.ip[12] = (unsigned char)net;
	a.ip[13] = (unsigned char)(n >> 16);
	a.ip[14] = (unsigned char)(n >> 8);
	a.ip[15] = (unsigned char)n;
	return a;
}

/* The four records of a connection with one request: half of the connections begin and end within a batch. */
static void write_connection(struct ledger_ring *ring, uint64_t n, uint64_t at)
{
	struct ledger_record r = { .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = 2 * n + 1, .start_us = at,
		.client = address(10, skewed(CLIENTS), (uint16_t)(1024 + n % 60000)), .listener = BYTES("web") };
	struct ledger_record use = r;

	(void)ledger_ring_write(ring, &r);
	use.kind = LEDGER_USE;
	use.conn++;
	use.target = address(172, skewed(TARGETS), 8080);
	use.name = BYTES("app/server");
	(void)ledger_ring_write(ring, &use);
	use.state = r.state = LEDGER_CLOSE;
	use.end_us = r.end_us = at + 5000;
	use.has_counts = r.has_counts = true;
	use.requests = r.requests = 1;
	use.bytes_in = 200;
	use.bytes_out = 20000;
	(void)ledger_ring_write(ring, &use);
	(void)ledger_ring_write(ring, &r);
}

static double bench_ring(struct ledger_ring *ring)
{
	const uint64_t rounds = 200000;
	double begin = cpu();

	for (uint64_t i = 0; i < rounds; i++) {
		write_connection(ring, i, 1);
		__atomic_store_n(&ring->tail, ring->head, __ATOMIC_RELEASE);
	}
	return (cpu() - begin) * 1e9 / (double)rounds;
}

struct item {
	struct ledger_record r;
	bool is_whole;
};

/* What scribe.c does with a chunk. */
static size_t take(struct bytes chunk, struct ledger_live *live, struct item *items)
{
	struct reader r = { .left = chunk };
	size_t n = 0;

	while (r.left.len) {
		struct ledger_record rec;
		uint64_t slot, start;

		CHECK(ledger_record_take(&r, &rec) == OK);
		if (rec.state == LEDGER_OPEN) {
			CHECK(ledger_live_open(live, 1, &rec, n + 1) == OK);
			items[n++] = (struct item){ .r = rec };
		} else {
			CHECK(ledger_live_close(live, 1, &rec, &slot, &start) == OK);
			items[slot - 1].is_whole = true;
			items[slot - 1].r.end_us = rec.end_us;
			items[slot - 1].r.has_counts = true;
			items[slot - 1].r.requests = rec.requests;
			items[slot - 1].r.bytes_in = rec.bytes_in;
			items[slot - 1].r.bytes_out = rec.bytes_out;
		}
	}
	return n;
}

static void write_batch(struct ledger_store *s, struct ed25519_key *key, struct ledger_head *head, uint64_t *seq, const struct item *items,
	size_t n, uint64_t at)
{
	unsigned char hash[SHA256_LEN], signature[ED25519_SIGNATURE_LEN], mem[CHAIN_TEXT_MAX];
	struct text t;

	CHECK(ledger_store_begin(s, head->batch + 1, *seq + 1) == OK);
	for (size_t i = 0; i < n; i++) {
		struct ledger_record r = items[i].r;

		if (items[i].is_whole)
			r.state = LEDGER_WHOLE;
		CHECK(ledger_store_add(s, at, BYTES("worker/0/1"), &r) == OK);
	}
	ledger_store_digest(s, head->hash, at, hash);
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, head->batch + 1, head->hash, hash);
	CHECK(ed25519_sign(key, text_bytes(&t), signature) == OK);
	CHECK(ledger_store_commit(s, signature) == OK);
	ledger_store_last(s, head, seq);
}

static void ask(const char *dir, const char *name, enum ledger_with with, const char *value, uint64_t day)
{
	struct ledger_filter f = { with, bytes_str(value) };
	double best = 1e9;
	uint64_t connections = 0;

	for (int i = 0; i < 5; i++) {
		uint64_t begin = clock_mono_us();
		struct ledger_answer a;
		double ms;

		CHECK(ledger_query(dir, day, day + UINT64_C(86399999999), &f, NULL, &a) == OK);
		ms = (double)(clock_mono_us() - begin) / 1000;
		best = ms < best ? ms : best;
		connections = 0;
		for (size_t k = 0; k < contacts_count(a.rows); k++)
			connections += contacts_at(a.rows, k)->opened;
		ledger_answer_fini(&a);
	}
	printf(",\"%s_ms\":%.2f,\"%s_connections\":%llu", name, best, name, (unsigned long long)connections);
}

int main(int argc, char **argv)
{
	uint64_t connections = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, day = UINT64_C(1578528000000000), seq = 0, records = 0, tail = 0;
	struct ledger_ring *ring = calloc(1, sizeof(*ring));
	struct item *items = calloc(4 * BATCH, sizeof(*items));
	unsigned char *chunk = malloc(LEDGER_RING_BYTES), public_key[ED25519_PUBLIC_LEN];
	struct ed25519_key *key = ed25519_new();
	struct ledger_live *live = ledger_live_new(LEDGER_LIVE_MAX);
	struct ledger_head head = { 0 };
	struct ledger_store *s = NULL;
	const char *why = "";
	double ring_ns, begin, spent, wall;
	char path[4200];
	struct rusage usage;

	if (!connections || !ring || !items || !chunk || !key || !live) {
		fprintf(stderr, "usage: bench_ledger FOLDER CONNECTIONS\n");
		return 2;
	}
	ring_ns = bench_ring(ring);
	tail = ring->tail;
	ed25519_public(key, public_key);
	snprintf(path, sizeof(path), "%s/2020-01-09.ledger", argv[1]);
	CHECK(ledger_store_open(path, BYTES("2020-01-09"), public_key, &s, &why) == OK);
	begin = cpu();
	wall = (double)clock_mono_us();
	for (uint64_t n = 0; n < connections;) {
		uint64_t at = day + n * (UINT64_C(86000000000) / connections);
		size_t len, count;

		for (uint64_t i = 0; i < BATCH / 4 && n < connections; i++, n++)
			write_connection(ring, n, at);
		CHECK(ledger_ring_read(ring, tail, chunk, LEDGER_RING_BYTES, &len) == OK);
		count = take(bytes_of(chunk, len), live, items);
		write_batch(s, key, &head, &seq, items, count, at);
		ledger_ring_taken(ring, &tail, len);
		records += 4 * (BATCH / 4);
	}
	spent = cpu() - begin;
	wall = ((double)clock_mono_us() - wall) / 1e6;
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"ring_ns_per_connection\":%.0f,\"records\":%llu,\"rows\":%llu,\"cpu_s\":%.2f,\"wall_s\":%.2f,\"records_per_cpu_s\":%.0f,\"rows_per_cpu_s\":%.0f,"
	       "\"memory_mb\":%ld", ring_ns, (unsigned long long)records, (unsigned long long)seq, spent, wall, (double)records / spent,
		(double)seq / spent, usage.ru_maxrss / 1024);
	ledger_store_close(&s);
	ask(argv[1], "busiest_client", WITH_ADDRESS, "10.0.0.0", day);
	ask(argv[1], "some_client", WITH_ADDRESS, "10.0.97.168", day);
	ask(argv[1], "busiest_target", WITH_ADDRESS, "172.0.0.0", day);
	ask(argv[1], "some_target", WITH_TARGET, "172.0.0.150:8080", day);
	printf("}\n");
	return 0;
}
