/* The forms of texts: one that fits and its neighbours that do not. */
#include "csaf/csaf_priv.h"

#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void test_forms(void **state)
{
	static const struct {
		bool (*form)(const char *s);
		const char *text;
		bool fits;
	} cases[] = {
		{ is_version, "1", true }, { is_version, "0", true }, { is_version, "01", false }, { is_version, "1.2", false }, { is_version, "1.2.3", true },
		{ is_version, "1.2.3-rc.1+b.01", true }, { is_version, "1.2.3-01", false }, { is_version, "1.2.3-", false }, { is_version, "", false },
		{ is_version, "1-rc", false },
		{ is_language, "en", true }, { is_language, "de-Latn-DE-1996", true }, { is_language, "e", false }, { is_language, "en-", false },
		{ is_language, "en_GB", false }, { is_language, "x-mine", true }, { is_language, "i-default", true }, { is_language, "zh-cmn-Hans-CN", true },
		{ is_language, "en-a", false }, { is_language, "en-u-ca-gregory", true },
		{ is_date_time, "2020-02-29T23:59:60Z", true }, { is_date_time, "2021-02-29T00:00:00Z", false }, { is_date_time, "2020-01-09T10:00:00", false },
		{ is_date_time, "2020-01-09T10:00:00.123+01:00", true }, { is_date_time, "2020-01-09T10:00:00.+01:00", false },
		{ is_date_time, "2020-01-09T24:00:00Z", false }, { is_date_time, "2020-01-09 10:00:00Z", false },
		{ is_uri, "https://a.example/?q=%20", true }, { is_uri, "a.example", false }, { is_uri, "https://a b", false }, { is_uri, "https://a/%2", false },
		{ is_cpe, "cpe:2.3:a:citrix:netscaler:13.0:*:*:*:*:*:*:*", true }, { is_cpe, "cpe:2.3:a:citrix:netscaler:13.0:*:*:*:*:*:*", false },
		{ is_cpe, "cpe:2.3:x:a:b:*:*:*:*:*:*:*:*", false }, { is_cpe, "cpe:2.3:a:a\\:b:c:*:*:*:*:*:*:*:*", true }, { is_cpe, "cpe:/a:citrix:adc:13.0", true },
		{ is_cpe, "cpe:/q:citrix", false }, { is_cpe, "cpe:2.3:a:a b:c:*:*:*:*:*:*:*:*", false },
		{ is_purl, "pkg:npm/%40scope/name@1.0.0", true }, { is_purl, "pkg:npm", false }, { is_purl, "pkg:/name", false }, { is_purl, "pkg:1pm/name", false },
		{ is_purl, "pkg:deb/debian/curl?arch", false },
		{ is_cve, "CVE-2020-0001", true }, { is_cve, "CVE-2020-001", false }, { is_cve, "cve-2020-0001", false },
		{ is_cwe, "CWE-22", true }, { is_cwe, "CWE-022", false }, { is_cwe, "CWE-1234567", false },
		{ is_trimmed, "a b", true }, { is_trimmed, "a ", false }, { is_category, "a-b", true }, { is_category, "a-", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (cases[i].form(cases[i].text) != cases[i].fits)
			fail_msg("'%s' %s", cases[i].text, cases[i].fits ? "was refused" : "was taken");
}

static void test_order_of_versions(void **state)
{
	static const char *const rising[] = { "no version", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rising); i++)
		for (size_t k = 0; k < COUNT_OF(rising); k++) {
			int d = csaf_version_cmp(rising[i], rising[k]);

			assert_int_equal((d > 0) - (d < 0), (i > k) - (i < k));
		}
	assert_true(csaf_version_cmp("9", "10") < 0);
	assert_int_equal(csaf_version_cmp("1.0.0+a", "1.0.0+b"), 0);
}

static void test_dates_are_moments(void **state)
{
	uint32_t nanos;
	int64_t s;

	(void)state;
	assert_true(date_value("1970-01-01T00:00:00Z", &s, &nanos));
	assert_int_equal(s, 0);
	assert_true(date_value("2020-01-09T12:00:00.5+01:00", &s, &nanos));
	assert_int_equal(s, 1578567600);
	assert_int_equal(nanos, 500000000);
	assert_int_equal(date_cmp("2020-01-09T12:00:00+01:00", "2020-01-09T11:00:00Z"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms), cmocka_unit_test(test_order_of_versions), cmocka_unit_test(test_dates_are_moments) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
