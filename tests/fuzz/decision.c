/* Any text as what is known of an advisory, and as a table that decides: refused with a place, or every question has an answer. */
#include "response/decision.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned facts[FACT_COUNT] = { BUILD_AFFECTED };
	char error[DATA_ERROR_MAX] = "";
	struct decision_table *t = NULL;
	struct decision *d = NULL;
	struct ns_version v = { 0 };
	bool is_ambiguous;

	if (decision_read(bytes_of(data, size), "advisory.yaml", &d, error) == OK) {
		CHECK(decision_build(d, &v, &is_ambiguous) <= BUILD_NO_FIX);
		CHECK(decision_effect(d, &v) <= EFFECT_INCOMPLETE);
	} else {
		CHECK(!d && *error);
	}
	*error = 0;
	if (decision_table_read(bytes_of(data, size), "table.yaml", &t, error) == OK)
		(void)decision_find_row(t, facts);
	else
		CHECK(!t && *error);
	decision_free(&d);
	decision_table_free(&t);
	return 0;
}
