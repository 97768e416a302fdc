/* Any path: what is accepted is canonical. The path made canonical again stays as it is, no dot segment and
 * no separator in disguise is left. The first byte chooses the rules. */
#include "http/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(struct bytes path, const struct canon_rules *rules)
{
	size_t from = 1;

	CHECK(path.len > 0 && path.at[0] == '/');
	for (size_t i = 1; i <= path.len; i++) {
		struct bytes s;
		if (i < path.len && path.at[i] != '/')
			continue;
		s = bytes_cut(path, from, i);
		CHECK(!bytes_eq(s, BYTES(".")) && !bytes_eq(s, BYTES("..")));
		CHECK(!bytes_starts(s, BYTES("..;")) && !bytes_starts(s, BYTES("..%2F")) && !bytes_starts(s, BYTES("..%5C")));
		CHECK(s.len > 0 || i == path.len);
		from = i + 1;
	}
	if (rules->encoded_slash == CANON_REFUSE)
		CHECK(bytes_find(path, BYTES("%2F")) == SIZE_MAX && bytes_find(path, BYTES("%5C")) == SIZE_MAX);
	if (rules->parameters == CANON_REFUSE)
		CHECK(bytes_find_byte(path, ';') == SIZE_MAX);
	CHECK(bytes_find_byte(path, '\\') == SIZE_MAX && bytes_find_byte(path, 0) == SIZE_MAX);
	CHECK(bytes_find(path, BYTES("%2e")) == SIZE_MAX && bytes_find(path, BYTES("%00")) == SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[1 << 20];
	struct bytes path, wire, again, wire_again;
	struct canon_rules rules;
	const char *why = NULL;
	struct arena a;
	enum err e;

	if (size == 0)
		return 0;
	rules = (struct canon_rules){ .encoded_slash = data[0] & 1 ? CANON_KEEP : CANON_REFUSE,
		.parameters = data[0] & 2 ? CANON_KEEP : CANON_REFUSE, .merge_slashes = data[0] & 4 };
	arena_init(&a, mem, sizeof mem);
	e = canon_path(bytes_of(data + 1, size - 1), &rules, &a, &path, &wire, &why);
	if (e != OK) {
		CHECK(e == ERR_MEMORY || (e == ERR_SYNTAX && why && why[0]));
		return 0;
	}
	check_segments(path, &rules);
	for (size_t i = 0; i < wire.len; i++)
		CHECK(wire.at[i] > 0x20 && wire.at[i] < 0x7f && wire.at[i] != '?' && wire.at[i] != '#');
	CHECK(canon_path(wire, &rules, &a, &again, &wire_again, &why) == OK);
	CHECK(bytes_eq(path, again) && bytes_eq(wire, wire_again));
	return 0;
}
