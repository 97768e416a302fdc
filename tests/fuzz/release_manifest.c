/* Any bytes as a release manifest: refused, or written again they are the same bytes, and no path leaves the prefix. */
#include "evidence/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct release r;
	struct bytes in = bytes_of(data, size);
	struct text t;
	unsigned line = 0;

	if (release_parse(in, &r, &line) != OK) {
		CHECK(line >= 1);
		return 0;
	}
	text_init_growing(&t, RELEASE_TEXT_MAX);
	release_write(&r, &t);
	CHECK(!t.failed && bytes_eq(text_bytes(&t), in));
	for (size_t i = 0; i < r.file_count; i++) {
		CHECK(r.files[i].path.at[0] != '/' && bytes_find(r.files[i].path, BYTES("/../")) == SIZE_MAX);
		CHECK(release_find(&r, r.files[i].path) == &r.files[i]);
	}
	text_fini(&t);
	return 0;
}
