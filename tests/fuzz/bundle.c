/* Any bytes as a bundle: it is read whole or refused; what a reader hands out lies inside, and written by the writer
 * it is the same bundle. */
#include "conf/bundle.h"
#include "base/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct bytes part, struct bytes whole)
{
	return part.len == 0 || (part.at >= whole.at && part.len <= whole.len &&
		(size_t)(part.at - whole.at) <= whole.len - part.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), found;
	struct reader r = { .left = in };
	struct bundle_reader b;
	struct bundle_writer w;
	struct arena none;
	bool repeats = false;

	arena_init(&none, NULL, 0);
	if (bundle_reader_init(&b, in) != OK)
		return 0;
	CHECK(is_inside(b.file, in) && is_inside(b.text, in));
	bundle_writer_init(&w, &b.source, b.file, b.text);
	reader_take(&r, reader_u32(&r));
	reader_take(&r, reader_u32(&r));
	while (r.left.len) {
		struct bytes name = reader_take(&r, reader_u32(&r)), content = reader_take(&r, reader_u32(&r));
		CHECK(w.source.get(&w.source, name, &none, &found) == OK && is_inside(found, in));
		repeats |= found.at != content.at; /* the first of a name counts */
	}
	CHECK(!w.out.failed && (repeats || bytes_eq(text_bytes(&w.out), in)));
	bundle_writer_fini(&w);
	return 0;
}
