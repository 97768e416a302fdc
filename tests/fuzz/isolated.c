/* Any isolated.json: refused with a reason, or a list that is written and read again as the same. The first byte chooses
 * instead a kind, and the rest is what an administrator typed. */
#include "admin/isolated.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct isolated_list list, again;

static void typed(enum isolation_kind kind, struct bytes what)
{
	static unsigned char mem[1024];
	struct isolation_entry e, same;
	struct text t;

	if (isolation_parse(kind, what, &e) != OK)
		return;
	text_init(&t, mem, sizeof mem);
	isolation_put(&e, &t);
	CHECK(!t.failed && isolation_parse(kind, text_bytes(&t), &same) == OK && isolation_is_same(&e, &same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why;
	struct text t;

	if (size == 0)
		return 0;
	if (data[0] < ISOLATE_KINDS) {
		typed((enum isolation_kind)data[0], bytes_of(data + 1, size - 1));
		return 0;
	}
	if (isolated_parse(bytes_of(data, size), &list, &why) != OK) {
		CHECK(why);
		return 0;
	}
	text_init_growing(&t, ISOLATED_FILE_MAX);
	isolated_write(&list, &t);
	CHECK(!t.failed && isolated_parse(text_bytes(&t), &again, &why) == OK && again.count == list.count);
	for (size_t i = 0; i < list.count; i++)
		CHECK(isolation_is_same(&list.list[i].entry, &again.list[i].entry) && strcmp(list.list[i].reason, again.list[i].reason) == 0);
	text_fini(&t);
	return 0;
}
