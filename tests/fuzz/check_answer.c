/* An answer to a health check in two cuts: the same verdict and the same reason. The first byte is the place of the
 * cut in percent, the second the length of the text, which follows; the rest is the answer. */
#include "balance/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err verdict(struct check_answer *c, const struct check_want *want, struct bytes in, size_t cut)
{
	enum err e;

	check_init(c, want);
	e = check_feed(c, bytes_cut(in, 0, cut));
	if (e == ERR_AGAIN)
		e = check_feed(c, bytes_cut(in, cut, in.len));
	if (e == ERR_AGAIN)
		e = check_end(c);
	CHECK(e != ERR_AGAIN);
	CHECK((e == OK) == (c->why[0] == 0));
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct check_answer a, b;
	struct check_want want = { 200, 399, BYTES("") };
	struct bytes in;
	enum err e;

	if (size < 2 || size - 2 < data[1])
		return 0;
	want.text = bytes_of(data + 2, data[1]);
	in = bytes_of(data + 2 + data[1], size - 2 - data[1]);
	e = verdict(&a, &want, in, in.len * (data[0] % 101) / 100);
	CHECK(e == verdict(&b, &want, in, in.len));
	CHECK(strcmp(a.why, b.why) == 0);
	if (e == OK)
		CHECK(bytes_starts(in, BYTES("HTTP/1.")));
	return 0;
}
