/* Any text as a file of requests for sluis policy test, and as a rule set: read, or told what is wrong with it. */
#include "conf/tests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err no_files(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s;
	(void)path;
	(void)arena;
	(void)out;
	return ERR_NOT_FOUND;
}

static void check_errors(enum err e, const struct conf_errors *errors)
{
	CHECK((e == OK) == (errors->errors == 0));
	for (size_t i = 0; i < errors->count; i++)
		CHECK(errors->list[i].line >= 1 && errors->list[i].column >= 1 && errors->list[i].what.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_source source = { .get = no_files };
	struct bytes text = bytes_of(data, size);
	struct conf_requests requests;
	struct conf_errors errors;
	struct conf *conf = NULL;
	enum err e;

	if (size > 65536)
		return 0;
	if (conf_is_rule_set(text)) {
		e = conf_load_rule_set(BYTES("fuzz"), text, &source, &conf, &errors);
		check_errors(e, &errors);
		if (e == OK)
			check_errors(conf_load_tests(conf, BYTES("fuzz"), text, true, &requests, &errors), &errors);
	} else {
		e = conf_load_rule_set(BYTES("set"), BYTES("name: s\nrules: [{name: a, then: block}]\n"), &source, &conf, &errors);
		CHECK(e == OK);
		e = conf_load_requests(conf, BYTES("fuzz"), text, &requests, &errors);
		check_errors(e, &errors);
		for (size_t i = 0; e == OK && i < requests.count; i++)
			CHECK(requests.list[i].line >= 1);
	}
	conf_free(&conf);
	return 0;
}
