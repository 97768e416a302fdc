/* A day's file from anybody, with any bytes: it is verified, asked and exported, and nothing worse comes of it than findings;
 * what is exported is JSON. */
#define _GNU_SOURCE
#include "ledger/export_days.h"
#include "ledger/query.h"
#include "ledger/verify.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz-ledger.XXXXXX";
static bool is_made;

static void tidy(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/2020-01-09.ledger", dir);
	unlink(path);
	rmdir(dir);
}

static void on_finding(void *ctx, const struct ledger_finding *f)
{
	CHECK(f->what[0] && f->file);
	++*(uint64_t *)ctx;
}

static enum err on_lines(void *ctx, struct bytes lines)
{
	while (lines.len) {
		size_t end = bytes_find_byte(lines, '\n');
		json_t *j;

		CHECK(end < lines.len);
		j = json_loadb((const char *)lines.at, end, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		CHECK(json_is_object(j) && json_is_string(json_object_get(j, "sluis.ledger.day")));
		json_decref(j);
		lines = bytes_cut(lines, end + 1, lines.len);
		++*(uint64_t *)ctx;
	}
	return OK;
}

static void on_export_finding(void *ctx, const struct ledger_export_finding *f)
{
	(void)ctx;
	CHECK(f->file[0] && f->what);
}

static void on_missing(void *ctx, const char *first_day, const char *last_day)
{
	(void)ctx;
	(void)first_day;
	(void)last_day;
	CHECK(false); /* one file, and no time was asked for */
}

static void export_all(void)
{
	const struct ledger_export all = { .to_us = UINT64_MAX, .now_us = UINT64_C(1578528000000000) };
	uint64_t lines = 0;
	const struct ledger_export_hears hears = { on_lines, on_export_finding, on_missing, &lines };
	struct ledger_export_report report;

	CHECK(ledger_export(dir, &all, &hears, &report) == OK);
	CHECK(report.records == lines && (report.files == 1 || report.findings > 0));
}

static void on_window_event(void *arg, const struct ledger_event *e)
{
	CHECK(e->kind.len > 0); /* the filter has asked for certain kinds */
	++*(uint64_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[ED25519_PUBLIC_LEN] = { 1 };
	struct ledger_filter filter = { .with = WITH_ADDRESS, .value = BYTES("10.0.0.1") };
	uint64_t told = 0, day = UINT64_C(1578528000000000);
	const struct ledger_hears hears = { on_window_event, &told };
	struct ledger_report report;
	struct ledger_answer answer;
	char path[64];
	int fd;

	if (!is_made) {
		CHECK(mkdtemp(dir));
		is_made = true;
		atexit(tidy);
	}
	snprintf(path, sizeof(path), "%s/2020-01-09.ledger", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	CHECK(ledger_verify(dir, key, on_finding, &told, &report) == OK);
	CHECK(report.findings > 0 && told > 0); /* the head is missing, at least */
	if (ledger_query(dir, day, day + UINT64_C(86399999999), &filter, &hears, &answer) == OK)
		ledger_answer_fini(&answer);
	export_all();
	return 0;
}
