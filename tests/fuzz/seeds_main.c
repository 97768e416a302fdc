/* Runs a fuzz target over each file of a folder once. A folder that is missing or empty is a failure: a
 * regression test without cases would pass for nothing. */
#include "base/fd.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	unsigned count = 0;
	struct dirent *e;
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;

	if (!d) {
		fprintf(stderr, "usage: %s SEEDS (a folder that can be read)\n", argv[0]);
		return 2;
	}
	while ((e = readdir(d))) {
		char path[4096];
		struct text t;
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
		text_init_growing(&t, 16 << 20);
		if (file_read(path, &t) != OK) {
			fprintf(stderr, "%s: cannot be read\n", path);
			return 1;
		}
		LLVMFuzzerTestOneInput(t.at ? t.at : (const uint8_t *)"", t.len);
		text_fini(&t);
		count++;
	}
	closedir(d);
	printf("%u seeds\n", count);
	return count ? 0 : 1;
}
