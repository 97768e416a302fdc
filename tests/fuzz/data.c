/* Any bytes as a YAML data file: a tree whose every value has a line within the text, or an error that names the file. */
#include "data/data.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct data *d, const json_t *v, unsigned lines, unsigned depth)
{
	const char *key;
	json_t *item;
	size_t i;

	CHECK(depth <= DATA_DEPTH_MAX);
	CHECK(data_line(d, v) >= 1 && data_line(d, v) <= lines);
	if (json_is_object(v)) {
		json_object_foreach ((json_t *)(uintptr_t)v, key, item)
			walk(d, item, lines, depth + 1);
	} else if (json_is_array(v)) {
		json_array_foreach (v, i, item)
			walk(d, item, lines, depth + 1);
	} else {
		CHECK(json_is_string(v));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[DATA_ERROR_MAX];
	struct data *d = NULL;

	if (data_read(bytes_of(data, size), "name", &d, error) == OK)
		walk(d, data_root(d), (unsigned)size + 1, 0);
	else
		CHECK(d == NULL && (error[0] == 0 || strncmp(error, "name:", 5) == 0));
	data_free(&d);
	return 0;
}
