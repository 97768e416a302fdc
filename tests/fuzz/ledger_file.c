/* A day's file from anybody, with any bytes: it is verified and asked, and nothing worse comes of it than findings. */
#define _GNU_SOURCE
#include "ledger/query.h"
#include "ledger/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz-ledger.XXXXXX";

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[ED25519_PUBLIC_LEN] = { 1 };
	struct ledger_filter filter = { WITH_ADDRESS, BYTES("10.0.0.1") };
	uint64_t told = 0, day = UINT64_C(1578528000000000);
	struct ledger_report report;
	struct ledger_answer answer;
	char path[64];
	int fd;

	if (dir[sizeof(dir) - 2] == 'X') {
		CHECK(mkdtemp(dir));
		atexit(tidy);
	}
	snprintf(path, sizeof(path), "%s/2020-01-09.ledger", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	CHECK(ledger_verify(dir, key, on_finding, &told, &report) == OK);
	CHECK(report.findings > 0 && told > 0); /* the head is missing, at least */
	if (ledger_query(dir, day, day + UINT64_C(86399999999), &filter, &answer) == OK)
		ledger_answer_fini(&answer);
	return 0;
}
