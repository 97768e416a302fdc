/* Any line as one of a web access log: what is taken out of it lies in it, and decoding never makes it longer, nor ends differently when
 * it is done again. */
#include "hunt/weblog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_inside(struct bytes part, struct bytes whole)
{
	CHECK(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[2][16386];
	struct bytes line = bytes_of(data, size);
	struct weblog w;
	struct text t[2];

	if (size > 16384)
		return 0;
	if (weblog_parse(line, &w) != OK)
		w = (struct weblog){ .target = line };
	is_inside(w.client, line);
	is_inside(w.user, line);
	is_inside(w.method, line);
	is_inside(w.target, line);
	is_inside(w.protocol, line);
	is_inside(w.referer, line);
	is_inside(w.user_agent, line);
	CHECK(w.status <= 999);
	for (int i = 0; i < 2; i++)
		text_init(&t[i], mem[i], sizeof(mem[i]));
	weblog_decode(w.target, &t[0]);
	CHECK(!t[0].failed && t[0].len <= w.target.len);
	weblog_clean(text_bytes(&t[0]), &t[1]);
	CHECK(!t[1].failed && t[1].len <= t[0].len + 1 && t[1].at[0] == '/');
	CHECK(bytes_find(text_bytes(&t[1]), BYTES("/../")) == SIZE_MAX && bytes_find(text_bytes(&t[1]), BYTES("//")) == SIZE_MAX);
	return 0;
}
