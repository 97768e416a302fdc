/* Any text as a configuration, with no other file to be had: it loads, or tells at least one mistake. */
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err nothing(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s;
	(void)path;
	(void)arena;
	(void)out;
	return ERR_NOT_FOUND;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_source source = { .get = nothing };
	struct conf_errors errors;
	struct conf *conf = NULL;
	enum err e;

	if (size > 8192)
		return 0;
	e = conf_load(BYTES("fuzz.yaml"), bytes_of(data, size), &source, &conf, &errors);
	CHECK((e == OK) == (errors.errors == 0));
	for (size_t i = 0; i < errors.count; i++)
		CHECK(errors.list[i].line >= 1 && errors.list[i].column >= 1 && errors.list[i].what.len);
	conf_free(&conf);
	return 0;
}
