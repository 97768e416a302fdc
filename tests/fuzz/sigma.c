/* Any text as a file of Sigma rules: each document is taken, passed over or refused with words that say where, and what was taken can be
 * asked of a line. (Expressions are checked one by one, not compiled together: that takes longer than a fuzzer may.) */
#include "hunt/sigma.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char layout_text[] = "name: x\nroots: []\nsingles: []\nlogs:\n  - {name: access, format: web, path: '^/a', example: /a}\n";

static void on_refused(void *ctx, const char *error)
{
	++*(size_t *)ctx;
	CHECK(strncmp(error, "rules:", 6) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hunt_layout *layout;
	struct hunt_sigma_counts counts = { 0 };
	char error[DATA_ERROR_MAX] = "";
	struct hunt_rules *rules;
	size_t refused = 0;

	if (!layout)
		CHECK(hunt_layout_read(bytes_str(layout_text), "layout", &layout, error) == OK);
	if (size > 16384)
		return 0;
	rules = hunt_rules_new();
	CHECK(rules);
	CHECK(hunt_sigma_add(rules, layout, bytes_of(data, size), "rules", on_refused, &refused, &counts) == OK);
	CHECK(counts.refused == refused && counts.rules == rules->count);
	for (size_t i = 0; i < rules->count; i++)
		CHECK(rules->at[i].id && rules->at[i].title && rules->at[i].source && rules->at[i].advisories && rules->at[i].is_sigma);
	hunt_rules_free(&rules);
	return 0;
}
