/* Any octets as a file of positions: refused, or what is written of them is read as the same. */
#include "watch/positions.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct position first[POSITIONS_MAX], again[POSITIONS_MAX];
	struct follow *logs;
	struct text t;
	size_t count = 0, n = 0;
	enum err e = positions_parse(bytes_of(data, size), first, &count);

	CHECK(count <= POSITIONS_MAX);
	if (e != OK || count == 0)
		return 0;
	logs = calloc(count, sizeof(*logs));
	CHECK(logs);
	for (size_t i = 0; i < count; i++) {
		CHECK(first[i].path[0] == '/' && first[i].at.head_len <= FOLLOW_HEAD_MAX && first[i].at.head_len <= first[i].at.offset);
		CHECK(follow_init(&logs[i], first[i].path, &first[i].at, false) == OK);
	}
	text_init_growing(&t, 2 * POSITIONS_FILE_MAX);
	positions_put(&t, logs, count);
	CHECK(!t.failed && positions_parse(text_bytes(&t), again, &n) == OK && n == count);
	for (size_t i = 0; i < count; i++)
		CHECK(strcmp(first[i].path, again[i].path) == 0 && memcmp(&first[i].at, &again[i].at, sizeof(first[i].at)) == 0);
	text_fini(&t);
	free(logs);
	return 0;
}
