/* Any bytes as an ns.conf: words lie within limits, lines are in order, and what is asked of it reads nothing else. */
#include "response/nsconf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_thing(void *ctx, enum nsconf_kind kind, struct bytes name, const char *detail, unsigned line)
{
	size_t *n = ctx;

	CHECK(kind <= NSCONF_SECRET && line >= 1 && strlen(detail) < 500);
	for (size_t i = 0; i < name.len; i++)
		*n += name.at[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const all[] = { "/vpns/", NULL }, *const answers[] = { "403", NULL };
	static const struct nsconf_responder want = { all, NULL, answers };
	struct bytes name;
	struct nsconf c;
	size_t n = 0;

	if (nsconf_read(bytes_of(data, size), &c) == OK) {
		for (size_t i = 0; i < c.count; i++) {
			CHECK(c.commands[i].count >= 1 && c.commands[i].count <= NSCONF_WORDS_MAX);
			CHECK(i == 0 || c.commands[i].line > c.commands[i - 1].line);
		}
		nsconf_each(&c, on_thing, &n);
		CHECK(nsconf_responder_parts(&c, &want, &name) <= 7);
	}
	nsconf_fini(&c);
	n += nsconf_script_has(bytes_of(data, size), "skip_systemaccess_policyeval=0");
	return 0;
}
