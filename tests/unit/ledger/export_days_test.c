/* Days that the store wrote, exported: over chunks and files, with a day missing, with damaged pages at any place. */
#include "ledger/export_days.h"
#include "ledger/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_US	  UINT64_C(1578528000000000)
#define A_DAY_US  UINT64_C(86400000000)
#define PER_DAY	  4000 /* several chunks */
#define BATCH	  200
#define PAGE	  8192
#define DAYS	  2 /* 2020-01-09 and, with a day between, 2020-01-11 */

static char dir[] = "/tmp/export_days_test.XXXXXX";
static const char *const names[DAYS] = { "2020-01-09", "2020-01-11" };

struct seen {
	uint64_t lines, last, unread, missing, rests, files, changed, days_missing, stop_after;
	bool is_disordered;
};

static enum err on_lines(void *ctx, struct bytes lines)
{
	struct seen *s = ctx;

	assert_true(lines.len > 0 && lines.at[lines.len - 1] == '\n');
	while (lines.len) {
		size_t end = bytes_find_byte(lines, '\n'), at = bytes_find(lines, BYTES("\"sluis.ledger.seq\":"));
		uint64_t seq;

		assert_true(at < end);
		assert_int_equal(bytes_u64(bytes_cut(lines, at + 19, at + 19 + bytes_find_byte(bytes_cut(lines, at + 19, end), ',')), &seq), OK);
		s->is_disordered |= seq <= s->last;
		s->last = seq;
		s->lines++;
		lines = bytes_cut(lines, end + 1, lines.len);
	}
	return s->stop_after && s->lines >= s->stop_after ? ERR_CLOSED : OK;
}

static void on_finding(void *ctx, const struct ledger_export_finding *f)
{
	struct seen *s = ctx;

	switch (f->fault) {
	case EXPORT_FILE: s->files++; break;
	case EXPORT_REST: s->rests++; break;
	case EXPORT_UNREAD: s->unread += f->last - f->first + 1; break;
	case EXPORT_MISSING: s->missing += f->last - f->first + 1; break;
	case EXPORT_CHANGED: s->changed++; break;
	}
	assert_true(f->first <= f->last || f->fault == EXPORT_FILE || f->fault == EXPORT_REST);
}

static void on_missing(void *ctx, const char *first_day, const char *last_day)
{
	struct seen *s = ctx;

	assert_true(strcmp(first_day, last_day) <= 0);
	s->days_missing++;
}

static struct seen run(struct ledger_export want, enum err expect, struct ledger_export_report *r)
{
	struct seen s = { 0 };
	const struct ledger_export_hears hears = { on_lines, on_finding, on_missing, &s };

	want.now_us = DAY_US + 100 * A_DAY_US;
	assert_int_equal(ledger_export(dir, &want, &hears, r), expect);
	assert_false(s.is_disordered);
	return s;
}

static void path_of(unsigned day, char out[64])
{
	snprintf(out, 64, "%s/%s.ledger", dir, names[day]);
}

static void write_batch(struct ledger_store *s, struct ed25519_key *key, uint64_t begin_us, uint64_t from, uint64_t records, struct ledger_head *head)
{
	unsigned char hash[SHA256_LEN], sig[ED25519_SIGNATURE_LEN], mem[CHAIN_TEXT_MAX];
	struct text t;

	assert_int_equal(ledger_store_begin(s, head->batch + 1, from), OK);
	for (uint64_t i = 0; i < records; i++) {
		struct ledger_record r = { .kind = i % 4 ? LEDGER_IN : LEDGER_HEALTH, .outcome = BYTES("up"), .detail = BYTES("a detail of some length") };

		r.state = r.kind == LEDGER_IN ? LEDGER_WHOLE : LEDGER_NONE;
		assert_int_equal(ledger_store_add(s, begin_us + (from + i) % PER_DAY, BYTES("worker/0/1"), &r), OK);
	}
	ledger_store_digest(s, head->hash, begin_us, hash);
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, head->batch + 1, head->hash, hash);
	assert_int_equal(ed25519_sign(key, text_bytes(&t), sig), OK);
	assert_int_equal(ledger_store_commit(s, sig), OK);
	ledger_store_last(s, head, &(uint64_t){ 0 });
}

/* The second day begins with records of the first: the disk was full meanwhile. */
static int set_up(void **state)
{
	struct ed25519_key *key = ed25519_new();
	unsigned char pub[ED25519_PUBLIC_LEN], sig[ED25519_SIGNATURE_LEN] = { 0 };
	struct ledger_head head = { 0 };
	struct ledger_store *s;
	const char *why;
	char path[64];

	(void)state;
	ed25519_public(key, pub);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	for (unsigned day = 0; day < DAYS; day++) {
		uint64_t first = 1 + (uint64_t)day * PER_DAY, begin = DAY_US + 2 * day * A_DAY_US;

		path_of(day, path);
		assert_int_equal(ledger_store_open(path, bytes_str(names[day]), pub, &s, &why), OK);
		for (uint64_t n = 0; n < PER_DAY; n += BATCH)
			write_batch(s, key, day && n == 0 ? DAY_US + A_DAY_US - 2 * PER_DAY : begin, first + n, BATCH, &head);
		assert_int_equal(ledger_store_seal(s, &head, sig), OK);
		ledger_store_close(&s);
	}
	ed25519_free(&key);
	return 0;
}

static int tear_down(void **state)
{
	char path[64];

	(void)state;
	for (unsigned day = 0; day < DAYS; day++) {
		path_of(day, path);
		unlink(path);
	}
	return rmdir(dir);
}

static const struct ledger_export everything = { .to_us = UINT64_MAX };

static void test_selections(void **state)
{
	struct ledger_export_report r;
	struct seen s = run(everything, OK, &r);

	(void)state;
	assert_int_equal(s.lines, DAYS * PER_DAY);
	assert_int_equal(r.findings, 0);
	assert_int_equal(r.files, 2);
	assert_string_equal(r.first, "2020-01-09");
	assert_string_equal(r.last, "2020-01-11");
	assert_int_equal(s.days_missing, 1); /* nobody asked for a time: only the one between */
	s = run((struct ledger_export){ .to_us = UINT64_MAX, .kinds = 1u << LEDGER_HEALTH }, OK, &r);
	assert_int_equal(s.lines, DAYS * PER_DAY / 4);
	s = run((struct ledger_export){ .from_us = DAY_US, .to_us = DAY_US + A_DAY_US - 1 }, OK, &r);
	assert_int_equal(s.lines, PER_DAY + BATCH); /* those that were written late too */
	s = run((struct ledger_export){ .from_us = DAY_US + A_DAY_US, .to_us = UINT64_MAX }, OK, &r);
	assert_int_equal(s.lines, PER_DAY - BATCH);
	assert_int_equal(s.days_missing, 2); /* the one between, and those up to now */
	s = run((struct ledger_export){ .to_us = DAY_US - 1 }, OK, &r);
	assert_int_equal(s.lines, 0);
	s = run((struct ledger_export){ .from_us = DAY_US + 50 * A_DAY_US, .to_us = DAY_US + 51 * A_DAY_US }, OK, &r);
	assert_int_equal(s.lines, 0);
	assert_int_equal(s.days_missing, 1);
}

/* Whoever reads has enough of it. */
static void test_stop(void **state)
{
	struct seen s = { .stop_after = 1 };
	const struct ledger_export_hears hears = { on_lines, on_finding, on_missing, &s };
	struct ledger_export_report r;

	(void)state;
	assert_int_equal(ledger_export(dir, &everything, &hears, &r), ERR_CLOSED);
	assert_true(s.lines > 0 && s.lines < PER_DAY);
}

/* Each page of the first file but the one with the schema, one at a time, overwritten: what is behind it comes out all the same, what
 * does not is named, and the other file is whole. */
static void test_damaged_pages(void **state)
{
	unsigned char page[PAGE], bad[PAGE];
	struct ledger_export_report r;
	uint64_t harmed = 0;
	struct stat st;
	char path[64];
	int fd;

	(void)state;
	path_of(0, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	memset(bad, 0xa5, sizeof(bad));
	for (off_t at = PAGE; at < st.st_size; at += PAGE * (st.st_size / PAGE > 60 ? 1 + st.st_size / PAGE / 60 : 1)) {
		struct seen s;

		assert_int_equal(pread(fd, page, PAGE, at), PAGE);
		assert_int_equal(pwrite(fd, bad, PAGE, at), PAGE);
		s = run(everything, OK, &r);
		if (s.lines + s.unread + s.missing != DAYS * PER_DAY && s.rests + s.files == 0)
			fail_msg("page %lld: %llu records, %llu unread, %llu missing", (long long)(at / PAGE), (unsigned long long)s.lines,
				(unsigned long long)s.unread, (unsigned long long)s.missing);
		assert_true(s.lines >= PER_DAY); /* the other file's */
		assert_true(s.lines == DAYS * PER_DAY || r.findings > 0);
		harmed += s.unread > 0 && s.lines + 500 > DAYS * PER_DAY;
		assert_int_equal(pwrite(fd, page, PAGE, at), PAGE);
	}
	assert_true(harmed > 20); /* leaves of the table: a page's records, not more */
	assert_int_equal(ftruncate(fd, st.st_size / PAGE / 2 * PAGE), 0);
	assert_true(run(everything, OK, &r).lines >= PER_DAY && r.findings > 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(run(everything, OK, &r).files, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_selections), cmocka_unit_test(test_stop), cmocka_unit_test(test_damaged_pages) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
