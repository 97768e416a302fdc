/* The ring between a worker and the watcher: what is written is read once and whole, what has no room is counted, and neither side's
 * numbers lead the other out of the ring. */
#include "board/requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHUNK (256u << 10)
#define FIXED 46 /* octets of a record before its texts */

struct pair {
	struct requests_ring *ring;
	unsigned char *chunk;
	uint64_t tail;
};

static struct pair make(void)
{
	struct pair p = { .ring = aligned_alloc(64, sizeof(*p.ring)), .chunk = malloc(CHUNK) };

	assert_true(p.ring && p.chunk);
	memset(p.ring, 0, sizeof(*p.ring));
	return p;
}

static void end(struct pair *p)
{
	free(p->ring);
	free(p->chunk);
}

static struct request_seen request(const char *target)
{
	struct request_seen r = { .at_us = 1779613953000000u, .status = 200, .size = 1234567890123u, .method = BYTES("GET"), .target = bytes_str(target),
		.host = BYTES("example.org"), .referer = BYTES(""), .user_agent = BYTES("curl/8") };

	memcpy(r.client, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	return r;
}

static void is_same(const struct request_seen *a, const struct request_seen *b)
{
	assert_true(a->at_us == b->at_us && a->status == b->status && a->size == b->size && a->is_http10 == b->is_http10);
	assert_memory_equal(a->client, b->client, sizeof(a->client));
	assert_true(bytes_eq(a->method, b->method) && bytes_eq(a->target, b->target) && bytes_eq(a->host, b->host));
	assert_true(bytes_eq(a->referer, b->referer) && bytes_eq(a->user_agent, b->user_agent));
}

/* Reads all that there is, whole records only; on_one is called for each. Returns how many. */
static size_t take_all(struct pair *p, void (*on_one)(void *ctx, const struct request_seen *r, size_t i), void *ctx)
{
	size_t n = 0, len;

	for (;;) {
		struct request_seen r;
		struct bytes in;
		enum err e = OK;

		assert_int_equal(requests_read(p->ring, p->tail, p->chunk, CHUNK, &len), OK);
		in = bytes_of(p->chunk, len);
		while (in.len && (e = requests_take(&in, &r)) == OK)
			on_one(ctx, &r, n++);
		assert_int_not_equal(e, ERR_SYNTAX);
		p->tail += len - in.len;
		requests_taken(p->ring, p->tail);
		if (len < CHUNK)
			return n;
	}
}

static void on_same(void *ctx, const struct request_seen *r, size_t i)
{
	(void)i;
	is_same(r, ctx);
}

static void test_round_trip(void **state)
{
	static const char *const targets[] = { "/", "", "/a?b=\"c\"", "/\xff\x80%00" };
	struct pair p = make();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		struct request_seen r = request(targets[i]);

		r.is_http10 = i % 2;
		r.status = (uint16_t)(i * 21845);
		assert_true(requests_write(p.ring, &r));
		assert_int_equal(take_all(&p, on_same, &r), 1);
		assert_int_equal(take_all(&p, on_same, &r), 0); /* once */
	}
	assert_true(p.ring->lost == 0 && p.ring->head == p.ring->tail);
	end(&p);
}

static void test_limits(void **state)
{
	unsigned char *longest = malloc(REQUEST_TARGET_MAX + 1);
	struct pair p = make();
	struct request_seen r = request("/"), cut;

	(void)state;
	assert_non_null(longest);
	memset(longest, 'x', REQUEST_TARGET_MAX + 1);
	r.method = bytes_of(longest, REQUEST_METHOD_MAX + 1);
	r.target = bytes_of(longest, REQUEST_TARGET_MAX + 1);
	r.host = r.referer = r.user_agent = bytes_of(longest, REQUEST_FIELD_MAX + 1);
	assert_true(requests_write(p.ring, &r));
	assert_true(p.ring->head <= REQUEST_WIRE_MAX);
	cut = r;
	cut.method.len = REQUEST_METHOD_MAX;
	cut.target.len = REQUEST_TARGET_MAX;
	cut.host.len = cut.referer.len = cut.user_agent.len = REQUEST_FIELD_MAX;
	assert_int_equal(take_all(&p, on_same, &cut), 1);
	r = (struct request_seen){ 0 }; /* all there is not */
	assert_true(requests_write(p.ring, &r));
	assert_int_equal(take_all(&p, on_same, &r), 1);
	free(longest);
	end(&p);
}

static void on_numbered(void *ctx, const struct request_seen *r, size_t i)
{
	uint64_t *next = ctx;

	(void)i;
	assert_true(r->size == *next);
	assert_int_equal(r->target.len, *next % 2000);
	for (size_t k = 0; k < r->target.len; k++)
		assert_int_equal(r->target.at[k], (unsigned char)(*next * 7 + k));
	++*next;
}

/* Several times around, records of all lengths, so that headers and texts are split at the ring's end at many places. */
static void test_wrap_around(void **state)
{
	struct pair p = make();
	struct request_seen r = request("");
	unsigned char mem[2000];
	uint64_t written = 0, next = 0;

	(void)state;
	while (p.ring->head < 5u * REQUESTS_BYTES) {
		for (unsigned i = 0; i < 700; i++, written++) {
			r.size = written;
			r.target = bytes_of(mem, written % 2000);
			for (size_t k = 0; k < r.target.len; k++)
				mem[k] = (unsigned char)(written * 7 + k);
			assert_true(requests_write(p.ring, &r));
		}
		take_all(&p, on_numbered, &next);
		assert_true(next == written);
	}
	/* and over the end of the counter */
	p.tail = p.ring->head = p.ring->tail = UINT64_MAX - 100;
	for (unsigned i = 0; i < 10; i++, written++) {
		r.size = written;
		r.target = bytes_of(mem, written % 2000);
		for (size_t k = 0; k < r.target.len; k++)
			mem[k] = (unsigned char)(written * 7 + k);
		assert_true(requests_write(p.ring, &r));
	}
	assert_true(p.ring->head < REQUESTS_BYTES);
	take_all(&p, on_numbered, &next);
	assert_true(next == written);
	end(&p);
}

static void count_one(void *ctx, const struct request_seen *r, size_t i)
{
	(void)r, (void)i;
	++*(size_t *)ctx;
}

static void test_a_full_ring_counts_lost(void **state)
{
	static unsigned char text[REQUEST_TARGET_MAX];
	struct pair p = make();
	struct request_seen r = request("");
	size_t written = 0, lost = 0, got = 0;

	(void)state;
	r.target = bytes_of(text, sizeof(text));
	for (unsigned i = 0; i < 200; i++)
		*(requests_write(p.ring, &r) ? &written : &lost) += 1;
	assert_true(lost && p.ring->lost == lost);
	assert_true(p.ring->head <= REQUESTS_BYTES);
	r.target = BYTES("/"); /* a small one may have room where a large one had none, to the last octet */
	while (requests_write(p.ring, &r))
		written++;
	assert_true(p.ring->lost == lost + 1 && p.ring->head <= REQUESTS_BYTES && REQUESTS_BYTES - p.ring->head < FIXED + 21);
	take_all(&p, count_one, &got);
	assert_int_equal(got, written);
	assert_true(requests_write(p.ring, &r)); /* and there is room again */
	take_all(&p, count_one, &got);
	assert_int_equal(got, written + 1);
	/* exactly full */
	p.ring->head = p.tail + REQUESTS_BYTES - (FIXED + 21);
	assert_true(requests_write(p.ring, &r));
	assert_true(p.ring->head - p.ring->tail == REQUESTS_BYTES);
	assert_false(requests_write(p.ring, &r));
	end(&p);
}

static void test_impossible_numbers(void **state)
{
	struct pair p = make();
	struct request_seen r = request("/");
	size_t len = 77;

	(void)state;
	/* a worker that lies to the watcher */
	p.ring->head = REQUESTS_BYTES + 1;
	assert_int_equal(requests_read(p.ring, 0, p.chunk, CHUNK, &len), ERR_SYNTAX);
	p.ring->head = 4;
	assert_int_equal(requests_read(p.ring, 5, p.chunk, CHUNK, &len), ERR_SYNTAX);
	assert_int_equal(len, 77);
	/* at most what was asked for, and only what was written */
	p.ring->head = REQUESTS_BYTES;
	memset(p.chunk, 0xaa, CHUNK);
	assert_int_equal(requests_read(p.ring, 0, p.chunk, REQUEST_WIRE_MAX, &len), OK);
	assert_int_equal(len, REQUEST_WIRE_MAX);
	assert_int_equal(p.chunk[REQUEST_WIRE_MAX], 0xaa);
	p.ring->head = 10;
	memset(p.chunk, 0xaa, CHUNK);
	assert_int_equal(requests_read(p.ring, 3, p.chunk, CHUNK, &len), OK);
	assert_int_equal(len, 7);
	assert_int_equal(p.chunk[7], 0xaa);
	/* a watcher that lies to the worker: nothing is written */
	p.ring->head = 10;
	p.ring->tail = 11;
	assert_false(requests_write(p.ring, &r));
	assert_true(p.ring->head == 10 && p.ring->lost == 1);
	end(&p);
}

static void set_u16(unsigned char *at, uint16_t n)
{
	memcpy(at, &n, sizeof(n));
}

/* Every part of a record waits for the rest; every length that does not sum up is refused, and nothing is taken. */
static void test_torn_records(void **state)
{
	struct pair p = make();
	struct request_seen r = request("/target"), out;
	unsigned char record[200], *exact;
	size_t len;

	(void)state;
	assert_true(requests_write(p.ring, &r));
	assert_int_equal(requests_read(p.ring, 0, record, sizeof(record), &len), OK);
	for (size_t n = 0; n < len; n++) {
		struct bytes in;

		exact = malloc(n ? n : 1); /* of this size, so that a look behind its end is seen */
		assert_non_null(exact);
		memcpy(exact, record, n);
		in = bytes_of(exact, n);
		assert_int_equal(requests_take(&in, &out), ERR_AGAIN);
		assert_int_equal(in.len, n);
		free(exact);
	}
	for (unsigned total = 0; total <= UINT16_MAX; total++) {
		struct bytes in = bytes_of(record, len);
		enum err e, want = total == len ? OK : total > len && total <= REQUEST_WIRE_MAX ? ERR_AGAIN : ERR_SYNTAX;

		set_u16(record, (uint16_t)total);
		e = requests_take(&in, &out);
		if (e != want)
			fail_msg("length %u: %s", total, err_name(e));
		assert_int_equal(in.len, e == OK ? 0 : len);
	}
	set_u16(record, (uint16_t)len);
	for (size_t field = 38; field < FIXED; field += 2) { /* target, host, referer, user agent */
		uint16_t kept;

		memcpy(&kept, record + field, 2);
		for (unsigned n = 0; n <= UINT16_MAX; n++) {
			struct bytes in = bytes_of(record, len);

			set_u16(record + field, (uint16_t)n);
			assert_int_equal(requests_take(&in, &out), n == kept ? OK : ERR_SYNTAX);
		}
		set_u16(record + field, kept);
	}
	for (unsigned n = 0; n <= 255; n++) {
		struct bytes in = bytes_of(record, len);

		record[37] = (unsigned char)n;
		assert_int_equal(requests_take(&in, &out), n == 3 ? OK : ERR_SYNTAX);
	}
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_limits), cmocka_unit_test(test_wrap_around),
		cmocka_unit_test(test_a_full_ring_counts_lost), cmocka_unit_test(test_impossible_numbers), cmocka_unit_test(test_torn_records) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
