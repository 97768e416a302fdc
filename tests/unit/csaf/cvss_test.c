/* Scores of vectors, against what the standards' documents and well-known records give. */
#include "csaf/cvss.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void test_scores(void **state)
{
	static const struct {
		enum cvss_kind kind;
		const char *vector;
		double base, temporal, environmental;
	} cases[] = {
		/* the three examples of the CVSS 2.0 guide, 3.3 */
		{ CVSS_2, "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", 7.8, 6.4, 9.2 },
		{ CVSS_2, "AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:L", 10.0, 8.3, 9.0 },
		{ CVSS_2, "AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:M", 6.2, 4.9, 7.5 },
		{ CVSS_2, "AV:L/AC:H/Au:M/C:N/I:N/A:N", 0, 0, 0 },
		{ CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 9.8, 9.8 },
		{ CVSS_30, "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 9.8, 9.8 },
		{ CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10, 10, 10 },
		{ CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, 6.1, 6.1 },
		{ CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, 6.4, 6.4 },
		{ CVSS_31, "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U", 7.8, 6.3, 6.3 },
		{ CVSS_31, "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0, 0, 0 },
		{ CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MC:N/MI:N/MA:N", 9.8, 9.8, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct cvss_scores s;
		struct cvss v;

		assert_int_equal(cvss_parse(cases[i].kind, cases[i].vector, &v), OK);
		cvss_compute(&v, &s);
		if (fabs(s.base - cases[i].base) > 0.001 || fabs(s.temporal - cases[i].temporal) > 0.001 || fabs(s.environmental - cases[i].environmental) > 0.001)
			fail_msg("%s: %.2f %.2f %.2f", cases[i].vector, s.base, s.temporal, s.environmental);
	}
}

static void test_refused(void **state)
{
	static const struct {
		enum cvss_kind kind;
		const char *vector;
	} cases[] = {
		{ CVSS_31, "" }, { CVSS_31, "CVSS:3.1/" }, { CVSS_31, "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" },
		{ CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H" }, { CVSS_31, "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" },
		{ CVSS_31, "CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }, { CVSS_31, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/" },
		{ CVSS_2, "AV:N/AC:L/Au:N/C:P/I:P" }, { CVSS_2, "CVSS:2.0/AV:N/AC:L/Au:N/C:P/I:P/A:P" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct cvss v;

		assert_int_equal(cvss_parse(cases[i].kind, cases[i].vector, &v), ERR_SYNTAX);
	}
}

static void test_severities(void **state)
{
	(void)state;
	assert_string_equal(cvss_severity(0), "NONE");
	assert_string_equal(cvss_severity(3.9), "LOW");
	assert_string_equal(cvss_severity(4.0), "MEDIUM");
	assert_string_equal(cvss_severity(7.0), "HIGH");
	assert_string_equal(cvss_severity(9.0), "CRITICAL");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scores), cmocka_unit_test(test_refused), cmocka_unit_test(test_severities) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
