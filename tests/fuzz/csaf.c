/* Any bytes as a CSAF document, and as what a provider publishes: findings with a test and a pointer, summaries, lines that are safe. */
#include "csaf/provider.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void validate(struct bytes in)
{
	char error[CSAF_WORDS_MAX] = "", name[256];
	struct csaf_lists none = { 0 };
	struct csaf_findings f;
	struct csaf_summary s;
	json_t *doc = NULL, *names;

	if (csaf_parse(in, &doc, error) != OK) {
		CHECK(!doc && error[0]);
		return;
	}
	csaf_validate(doc, &none, &f);
	for (size_t i = 0; i < f.count && i < CSAF_FINDINGS_MAX; i++)
		CHECK(f.list[i].test && f.list[i].words[0] && (!f.list[i].pointer[0] || f.list[i].pointer[0] == '/'));
	csaf_summarise(doc, &s);
	if (csaf_file_name(s.id, name) == OK)
		CHECK(!strchr(name, '/') && name[0] != '.' && strlen(name) < sizeof(name));
	CHECK(csaf_version_cmp(s.version, s.version) == 0);
	names = csaf_product_names(doc);
	json_decref(names);
	csaf_findings_fini(&f);
	json_decref(doc);
}

static void lines(enum err (*fn)(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]), struct bytes in)
{
	char error[CSAF_WORDS_MAX] = "";
	struct text out;

	text_init_growing(&out, 1u << 20);
	if (fn(in, &out, error) != OK)
		CHECK(error[0]);
	text_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	validate(in);
	lines(csaf_provider_lines, in);
	lines(csaf_changes_lines, in);
	lines(csaf_index_lines, in);
	lines(csaf_feed_lines, in);
	return 0;
}
