/* Any bytes as a file, compressed or not: it is read to its end or to the limit, with as much as was surveyed. */
#include "base/fd.h"
#include "nslog/files.h"

#include <stdio.h>

#define MOST (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(fd_close) int fd = -1;
	const struct nslog_file *file;
	struct nslog_files *f;
	char path[64];

	CHECK(memfd_sealed("nslog", bytes_of(data, size), &fd) == OK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(nslog_files_open(path, &(struct nslog_options){ 0 }, MOST, &f) == OK);
	nslog_files_read(f, NULL, NULL);
	CHECK(nslog_files_count(f) == 1);
	file = nslog_files_at(f, 0);
	CHECK(file->error == 0 && file->report.bytes == file->report.dates.bytes &&
		file->report.bytes <= MOST);
	CHECK(file->limited ? file->report.bytes == MOST : true);
	CHECK(file->gzip ||
		(file->report.bytes == (size < MOST ? size : MOST) && !file->truncated && !file->trailing));
	CHECK(!(file->truncated && file->trailing));
	nslog_files_free(&f);
	return 0;
}
