/* Sets against the plain reading of each of their items, one by one. */
#include "policy/policy_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static uint64_t seed = 1;

static uint32_t any_number(void) /* xorshift: the same numbers every time */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static struct addr_prefix prefix(const char *text)
{
	struct addr_prefix p;

	assert_int_equal(addr_parse_prefix(bytes_str(text), &p), OK);
	return p;
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(bytes_str(text), &a), OK);
	return a;
}

static void test_edges(void **state)
{
	static const struct { const char *why, *prefixes[4]; size_t ranges; const char *in[3], *out[3]; } cases[] = {
		{ "nothing", { NULL }, 0, { NULL }, { "0.0.0.0", "::" } },
		{ "everything", { "::/0" }, 1, { "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "192.0.2.1" }, { NULL } },
		{ "everything, and more", { "::/0", "ff00::/8", "::/1" }, 1, { "ff00::1" }, { NULL } },
		{ "all of IPv4", { "0.0.0.0/0" }, 1, { "0.0.0.0", "255.255.255.255" }, { "::1", "2001:db8::1" } },
		{ "one address", { "192.0.2.1" }, 1, { "192.0.2.1" }, { "192.0.2.0", "192.0.2.2" } },
		{ "the last address", { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" }, 1, { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
			{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "::" } },
		{ "side by side are one", { "10.0.1.0/24", "10.0.0.0/24" }, 1, { "10.0.0.0", "10.0.1.255" }, { "10.0.2.0", "9.255.255.255" } },
		{ "one inside the other", { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3" }, 1, { "10.255.255.255" }, { "11.0.0.0" } },
		{ "a gap stays", { "10.0.0.0/24", "10.0.2.0/24" }, 2, { "10.0.2.0" }, { "10.0.1.0", "10.0.1.255" } },
		{ "over the middle of an address", { "2001:db8::/64", "2001:db8:0:1::/64" }, 1, { "2001:db8:0:1:ffff::" }, { "2001:db8:0:2::" } },
		{ "more than 64 bits", { "2001:db8::/127" }, 1, { "2001:db8::1" }, { "2001:db8::2" } },
	};
	static unsigned char memory[4096];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr_prefix list[4];
		const struct policy_range *r;
		struct arena arena;
		size_t n = 0, count;
		arena_init(&arena, memory, sizeof memory);
		while (n < 4 && cases[i].prefixes[n]) {
			list[n] = prefix(cases[i].prefixes[n]);
			n++;
		}
		r = policy_ranges_make(list, n, &arena, &count);
		if (count != cases[i].ranges)
			fail_msg("%s: %zu ranges", cases[i].why, count);
		for (size_t k = 0; k < 3 && cases[i].in[k]; k++) {
			struct addr a = address(cases[i].in[k]);
			if (!policy_ranges_have(r, count, &a))
				fail_msg("%s: %s is not in", cases[i].why, cases[i].in[k]);
		}
		for (size_t k = 0; k < 3 && cases[i].out[k]; k++) {
			struct addr a = address(cases[i].out[k]);
			if (policy_ranges_have(r, count, &a))
				fail_msg("%s: %s is in", cases[i].why, cases[i].out[k]);
		}
	}
}

static bool in_one(const struct addr *a, const struct addr_prefix *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_in(a, &list[i]))
			return true;
	return false;
}

/* Addresses drawn from the set's own neighbourhood, against a look at every prefix. */
static void test_as_the_plain_reading(void **state)
{
	static struct addr_prefix list[100000];
	const struct policy_range *r;
	struct arena arena;
	size_t count, hits = 0;

	(void)state;
	arena_init_growing(&arena, 64u << 20);
	for (size_t i = 0; i < COUNT_OF(list); i++) {
		char text[64];
		if (i % 4)
			snprintf(text, sizeof text, "%u.%u.%u.0/24", any_number() % 224, any_number() % 256, any_number() % 256);
		else
			snprintf(text, sizeof text, "2001:db8:%x:%x::/64", any_number() % 65536, any_number() % 65536);
		list[i] = prefix(text);
	}
	r = policy_ranges_make(list, COUNT_OF(list), &arena, &count);
	assert_non_null(r);
	assert_in_range(count, 50000, COUNT_OF(list));
	for (size_t i = 1; i < count; i++) /* in order and apart */
		assert_true(r[i - 1].last[0] < r[i].first[0] || (r[i - 1].last[0] == r[i].first[0] && r[i - 1].last[1] < r[i].first[1]));
	for (size_t i = 0; i < COUNT_OF(list); i++) { /* every prefix's ends */
		struct addr a = { 0 };
		memcpy(a.ip, list[i].ip, 16);
		assert_true(policy_ranges_have(r, count, &a));
		for (unsigned bit = list[i].bits; bit < 128; bit++)
			a.ip[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
		assert_true(policy_ranges_have(r, count, &a));
	}
	for (size_t i = 0; i < 500; i++) { /* and addresses of anywhere */
		struct addr a = address("1.2.3.4");
		uint32_t n = any_number();
		bool want;
		memcpy(a.ip + 12, &n, 4);
		want = in_one(&a, list, COUNT_OF(list));
		hits += want;
		assert_int_equal(policy_ranges_have(r, count, &a), want);
	}
	assert_true(hits > 0 && hits < 500);
	arena_fini(&arena);
}

static void test_strings(void **state)
{
	static unsigned char memory[4096];
	static const struct bytes words[] = { LIT("b"), LIT("a"), LIT(""), LIT("b"), LIT("ab") };
	struct policy_set_def s = { .name = BYTES("s"), .strings = words, .string_count = COUNT_OF(words) };
	struct arena arena;

	(void)state;
	arena_init(&arena, memory, sizeof memory);
	assert_int_equal(policy_set_freeze(&s, &arena), OK);
	for (size_t i = 0; i < COUNT_OF(words); i++)
		assert_true(policy_strings_have(s.strings, s.string_count, words[i]));
	assert_false(policy_strings_have(s.strings, s.string_count, BYTES("c")));
	assert_false(policy_strings_have(s.strings, s.string_count, BYTES("B")));
	arena_init(&arena, memory, 16);
	assert_int_equal(policy_set_freeze(&s, &arena), ERR_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_edges), cmocka_unit_test(test_as_the_plain_reading),
		cmocka_unit_test(test_strings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
