/* Any bytes as a chunked body: however they are cut, the same data, the same end and the same verdict. The
 * first byte says how long the pieces are. */
#include "base/text.h"
#include "http1/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err read_all(struct bytes in, size_t step, struct text *body, size_t *at)
{
	struct chunk_reader c = { 0 };
	enum err e = ERR_AGAIN;
	size_t there = step < in.len ? step : in.len;

	*at = 0;
	while (e == ERR_AGAIN) {
		struct bytes part = bytes_cut(in, *at, there), run;
		size_t used = 0;
		e = chunk_read(&c, part, &used, &run, NULL);
		CHECK(used <= part.len && run.len <= used);
		CHECK(run.len == 0 || (run.at >= part.at && run.at + run.len <= part.at + part.len));
		*at += used;
		text_add(body, run);
		if (used == 0 && e == ERR_AGAIN) {
			if (there == in.len)
				break;
			there = in.len - there < step ? in.len : there + step;
		}
	}
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text whole, pieces;
	size_t whole_at, pieces_at;
	enum err e;

	if (size == 0)
		return 0;
	text_init_growing(&whole, 1 << 20);
	text_init_growing(&pieces, 1 << 20);
	e = read_all(bytes_of(data + 1, size - 1), SIZE_MAX, &whole, &whole_at);
	CHECK(e == OK || e == ERR_AGAIN || e == ERR_SYNTAX || e == ERR_LIMIT);
	CHECK(e == read_all(bytes_of(data + 1, size - 1), data[0] % 32 + 1U, &pieces, &pieces_at));
	CHECK(whole_at == pieces_at && bytes_eq(text_bytes(&whole), text_bytes(&pieces)));
	text_fini(&whole);
	text_fini(&pieces);
	return 0;
}
