/* A folder as an appliance leaves it: which files are taken, in which order, and what gzip does when it is whole, in several
 * members, cut off, followed by something else, or a bomb. */
#define _GNU_SOURCE /* nftw */
#include "nslog/files.h"

#include "base/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define L(date, name) "<134> " date " ns 0-PPE-0 : default EVENT DEVICEUP 1 0 :  Device \"" name "\" - State UP\n"
#define JAN_2020_S 1577836800L
#define LARGE (128U << 10)

struct place {
	char path[64];
};

static struct place place_new(void)
{
	struct place p = { "/tmp/nslog_XXXXXX" };

	assert_non_null(mkdtemp(p.path));
	return p;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void place_free(struct place *p)
{
	assert_int_equal(nftw(p->path, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void put(const struct place *p, const char *name, struct bytes content, long mtime_s)
{
	struct timespec times[2] = { { .tv_sec = mtime_s }, { .tv_sec = mtime_s } };
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, content), OK);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* One gzip member; valid until the next call. */
static struct bytes gz(struct bytes in)
{
	static unsigned char out[1 << 16];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.at, .avail_in = (uInt)in.len, .next_out = out, .avail_out = sizeof(out) };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return bytes_of(out, sizeof(out) - z.avail_out);
}

static void on_event(void *arg, const struct nslog_event *e)
{
	text_fmt(arg, "%.*s ", FMT(e->application));
}

/* The events' names in the order in which they are told. */
static struct nslog_files *read_place(const struct place *p, uint64_t most, struct text *t)
{
	struct nslog_files *f;

	assert_int_equal(nslog_files_open(p->path, &(struct nslog_options){ 0 }, most, &f), OK);
	nslog_files_read(f, on_event, t);
	return f;
}

static const struct nslog_file *find_file(const struct nslog_files *f, const char *end)
{
	for (size_t i = 0; i < nslog_files_count(f); i++) {
		if (bytes_ends(bytes_str(nslog_files_at(f, i)->name), bytes_str(end)))
			return nslog_files_at(f, i);
	}
	fail_msg("%s was not taken", end);
	return NULL;
}

static void test_order(void **state)
{
	struct place p = place_new();
	struct nslog_files *f;
	unsigned char mem[256];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	put(&p, "ns.log", BYTES(L("01/20/2020:10:00:00 GMT", "g")), JAN_2020_S);
	put(&p, "ns.log.0", BYTES(L("01/19/2020:10:00:00 GMT", "f")), JAN_2020_S);
	put(&p, "ns.log.2.gz", gz(BYTES(L("01/17/2020:10:00:00 GMT", "c"))), JAN_2020_S);
	put(&p, "ns.log.2.gz", gz(BYTES(L("01/17/2020:11:00:00 GMT", "d"))), JAN_2020_S); /* a second member */
	put(&p, "ns.log.10.gz", gz(BYTES(L("01/13/2020:10:00:00 GMT", "a"))), JAN_2020_S);
	put(&p, "ns.log.9.gz", gz(BYTES(L("01/14/2020:10:00:00 GMT", "b"))), JAN_2020_S);
	put(&p, "ns.log.old", BYTES(L("01/18/2020:10:00:00 GMT", "e")), JAN_2020_S);
	put(&p, "ns.log.9", BYTES(L("01/14/2020:10:00:00 GMT", "b")), JAN_2020_S); /* compressed, not yet removed */
	put(&p, "httpaccess.log", BYTES(L("01/18/2020:10:00:00 GMT", "no")), JAN_2020_S);
	put(&p, "ns.log.3", BYTES(""), JAN_2020_S);
	f = read_place(&p, 0, &t);
	assert_int_equal(nslog_files_count(f), 8);
	assert_memory_equal(mem, "a b c d e f g ", t.len);
	assert_int_equal(t.len, 14);
	assert_true(find_file(f, "ns.log.9.gz")->duplicate);
	assert_false(find_file(f, "/ns.log.9")->duplicate);
	assert_true(find_file(f, "ns.log.2.gz")->gzip);
	assert_int_equal(find_file(f, "ns.log.2.gz")->report.lines, 2);
	assert_int_equal(nslog_files_report(f).events[NSLOG_HEALTH], 7);
	assert_int_equal(nslog_files_report(f).lines, 7);
	nslog_files_free(&f);
	place_free(&p);
}

/* A file that does not say which number is the day asks the one that was rotated next to it. */
static void test_neighbour(void **state)
{
	struct place p = place_new();
	struct nslog_files *f;
	unsigned char mem[256];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	put(&p, "ns.log", BYTES(L("02/01/2020:10:00:00 GMT", "b")), 1600000000);
	put(&p, "ns.log.0", BYTES(L("31/12/2019:10:00:00 GMT", "a")), 1600000000);
	f = read_place(&p, 0, &t);
	assert_int_equal(find_file(f, "ns.log")->report.dates.how, NSLOG_HOW_NEIGHBOUR);
	assert_int_equal(find_file(f, "ns.log")->report.first_us, (JAN_2020_S + 86400 + 36000) * 1000000ULL);
	assert_int_equal(find_file(f, "ns.log.0")->report.dates.how, NSLOG_HOW_CERTAIN);
	assert_memory_equal(mem, "a b ", t.len);
	nslog_files_free(&f);
	place_free(&p);
}

/* What is readable of a damaged file is read, the line where it ends is counted, and it is said. */
static void test_damaged_gzip(void **state)
{
	struct place p = place_new();
	static unsigned char many[400 * 100];
	struct nslog_files *f;
	struct bytes whole;
	struct text t, lines;

	(void)state;
	text_init(&lines, many, sizeof(many));
	for (int i = 0; i < 300; i++)
		text_fmt(&lines, "<134> 01/13/2020:10:%02d:%02d GMT ns 0-PPE-0 : default EVENT DEVICEUP %d 0 : Device x - State UP\n",
			i / 60, i % 60, i * 7919 % 10007);
	assert_false(lines.failed);
	whole = gz(text_bytes(&lines));
	put(&p, "ns.log.1.gz", bytes_cut(whole, 0, whole.len / 2), JAN_2020_S);
	put(&p, "ns.log.2.gz", whole, JAN_2020_S);
	put(&p, "ns.log.2.gz", BYTES("something else"), JAN_2020_S);
	put(&p, "ns.log.3.gz", whole, JAN_2020_S);
	put(&p, "ns.log.3.gz", bytes_of(memset((unsigned char[700]){ 0 }, 0, 700), 700), JAN_2020_S); /* a tape's padding */
	put(&p, "ns.log.4.gz", BYTES("\x1f\x8b not gzip at all"), JAN_2020_S);
	text_init_growing(&t, 1 << 20);
	f = read_place(&p, 0, &t);
	assert_true(find_file(f, "1.gz")->truncated);
	assert_in_range(find_file(f, "1.gz")->report.events[NSLOG_HEALTH], 20, 280);
	assert_int_equal(find_file(f, "1.gz")->report.damaged[NSLOG_CUT], 1);
	assert_int_equal(find_file(f, "1.gz")->report.lines, find_file(f, "1.gz")->report.events[NSLOG_HEALTH] + 1);
	assert_true(find_file(f, "2.gz")->trailing && !find_file(f, "2.gz")->truncated);
	assert_int_equal(find_file(f, "2.gz")->report.events[NSLOG_HEALTH], 300);
	assert_false(find_file(f, "3.gz")->trailing || find_file(f, "3.gz")->truncated);
	assert_int_equal(find_file(f, "3.gz")->report.events[NSLOG_HEALTH], 300);
	assert_true(find_file(f, "4.gz")->truncated);
	assert_int_equal(find_file(f, "4.gz")->report.lines, 0);
	nslog_files_free(&f);
	text_fini(&t);
	place_free(&p);
}

/* The limit is spent on the newest files first; a bomb ends at it. */
static void test_limit(void **state)
{
	struct place p = place_new();
	struct bytes line = LIT(L("01/13/2020:10:00:00 GMT", "a"));
	unsigned char *zeros = calloc(1, 8 << 20);
	struct nslog_files *f;
	unsigned char mem[256];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	put(&p, "ns.log", line, JAN_2020_S);
	put(&p, "ns.log.0.gz", gz(bytes_of(zeros, 8 << 20)), JAN_2020_S);
	put(&p, "ns.log.1", line, JAN_2020_S);
	f = read_place(&p, 1 << 20, &t);
	assert_int_equal(t.len, 2);
	assert_false(find_file(f, "/ns.log")->limited);
	assert_true(find_file(f, "ns.log.0.gz")->limited);
	assert_true(find_file(f, "ns.log.1")->limited);
	assert_int_equal(find_file(f, "ns.log.0.gz")->report.bytes, (1 << 20) - line.len);
	assert_int_equal(find_file(f, "ns.log.0.gz")->report.damaged[NSLOG_OVERLONG], 1);
	assert_int_equal(nslog_files_report(f).bytes, 1 << 20);
	nslog_files_free(&f);
	free(zeros);
	place_free(&p);
}

/* How much zlib gets out of in when it is asked for all at once. */
static size_t inflate_at_once(struct bytes in, size_t most)
{
	unsigned char *out = malloc(most);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.at, .avail_in = (uInt)in.len, .next_out = out, .avail_out = (uInt)most };
	size_t got;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	(void)inflate(&z, Z_SYNC_FLUSH);
	got = most - z.avail_out;
	inflateEnd(&z);
	free(out);
	return got;
}

/* Far more comes out of the last piece than goes in: whole, and cut off at each of its last octets, so that once the memory
 * for what comes out is full just where the file ends. */
static void test_large_gzip(void **state)
{
	unsigned char *text = malloc(LARGE);

	(void)state;
	memset(text, '\n', LARGE); /* one octet of gzip becomes a thousand */
	for (size_t less = 0; less < 80; less++) {
		struct place p = place_new();
		struct bytes in = gz(bytes_of(text, LARGE));
		struct nslog_files *f;
		char path[128];
		in.len -= less;
		put(&p, "any.name", in, JAN_2020_S);
		snprintf(path, sizeof(path), "%s/any.name", p.path);
		assert_int_equal(nslog_files_open(path, &(struct nslog_options){ 0 }, 0, &f), OK);
		nslog_files_read(f, NULL, NULL);
		assert_int_equal(nslog_files_at(f, 0)->truncated, less > 0);
		assert_int_equal(nslog_files_at(f, 0)->report.bytes, inflate_at_once(in, LARGE));
		if (less == 0)
			assert_int_equal(nslog_files_at(f, 0)->report.empty, LARGE);
		nslog_files_free(&f);
		place_free(&p);
	}
	free(text);
}

/* A number that the limit cuts short would still be a number. */
static void test_limit_in_a_number(void **state)
{
	struct bytes line = LIT("<134> 01/13/2020:10:00:00 GMT ns 0-PPE-0 : default TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025 - "
		"Destination 10.0.0.1:80 - Delink Time 01/13/2020:10:00:00 GMT - Total_bytes_send 1 - Total_bytes_recv 123456\n");
	struct place p = place_new();
	struct nslog_files *f;
	unsigned char mem[64];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	put(&p, "ns.log", line, JAN_2020_S);
	f = read_place(&p, line.len - 3, &t);
	assert_int_equal(t.len, 0);
	assert_int_equal(nslog_files_at(f, 0)->report.damaged[NSLOG_CUT], 1);
	nslog_files_free(&f);
	place_free(&p);
}

/* A file that is rotated away and one that grows between the passes: what was surveyed is read. */
static void test_live(void **state)
{
	struct place p = place_new();
	char from[128], to[128];
	struct nslog_files *f;
	unsigned char mem[256];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	put(&p, "ns.log", BYTES(L("01/20/2020:10:00:00 GMT", "a")), JAN_2020_S);
	assert_int_equal(nslog_files_open(p.path, &(struct nslog_options){ 0 }, 0, &f), OK);
	put(&p, "ns.log", BYTES(L("01/20/2020:11:00:00 GMT", "later")), JAN_2020_S);
	snprintf(from, sizeof(from), "%s/ns.log", p.path);
	snprintf(to, sizeof(to), "%s/ns.log.0", p.path);
	assert_int_equal(rename(from, to), 0);
	nslog_files_read(f, on_event, &t);
	assert_memory_equal(mem, "a ", t.len);
	assert_false(nslog_files_at(f, 0)->limited);
	nslog_files_free(&f);
	place_free(&p);
}

static void test_nothing_there(void **state)
{
	struct place p = place_new();
	struct nslog_files *f = NULL;
	char path[128];

	(void)state;
	assert_int_equal(nslog_files_open(p.path, &(struct nslog_options){ 0 }, 0, &f), ERR_NOT_FOUND);
	snprintf(path, sizeof(path), "%s/none", p.path);
	assert_int_equal(nslog_files_open(path, &(struct nslog_options){ 0 }, 0, &f), ERR_NOT_FOUND);
	snprintf(path, sizeof(path), "%s/ns.log", p.path);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
	assert_int_equal(nslog_files_open(p.path, &(struct nslog_options){ 0 }, 0, &f), ERR_NOT_FOUND);
	assert_int_equal(nslog_files_open(path, &(struct nslog_options){ 0 }, 0, &f), ERR_IO);
	assert_null(f);
	place_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_neighbour),
		cmocka_unit_test(test_damaged_gzip),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_large_gzip),
		cmocka_unit_test(test_limit_in_a_number),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
