/* Any bytes as a plan's file: refused with the file's name, or a plan whose every step has a state, which is written and read again as
 * the same, and which can be followed and handed over. */
#include "response/plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct plan_act act = { .who = { .user = "u", .by = "" }, .note = "n", .evidence = "/e", .sha256 = "00" };

static void follow(struct plan *p)
{
	for (size_t i = 0; i < plan_count(p); i++) {
		struct plan_step s;

		plan_at(p, i, PLAN_NL, &s);
		CHECK(plan_find(p, s.id) == i);
		if (s.state == PLAN_READY) {
			plan_done(p, s.id, &act, false);
			plan_at(p, i, PLAN_EN, &s);
			CHECK(s.state == PLAN_DONE);
		}
	}
	CHECK(plan_done_count(p) == plan_count(p)); /* who waits, waits for a step before it */
}

static void hand_over(const struct plan *p)
{
	const struct plan_words w = { "en", "t", "a", "b", "m", "p", { "d", "r", "w" }, "f", "s", "u", "o", "n", "t", "e", "x", "l", "h", "s", "b", "d",
		{ "contain=C" } };
	struct text t;

	text_init_growing(&t, 64u << 20);
	plan_page(p, PLAN_EN, &w, &t);
	CHECK(t.failed || bytes_find(text_bytes(&t), BYTES("<script")) == SIZE_MAX);
	t.len = 0;
	plan_markdown(p, PLAN_NL, &w, &t);
	text_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[PLAN_ERROR_MAX];
	struct plan *p = NULL, *again = NULL;
	struct text t;

	if (size > 1 << 16)
		return 0;
	if (plan_read(bytes_of(data, size), "name", &p, error) != OK) {
		CHECK(p == NULL && strncmp(error, "name: ", 6) == 0);
		return 0;
	}
	hand_over(p);
	follow(p);
	text_init_growing(&t, 2 * PLAN_FILE_MAX);
	plan_write(p, &t);
	CHECK(plan_read(text_bytes(&t), "name", &again, error) == OK && plan_done_count(again) == plan_count(p));
	text_fini(&t);
	plan_free(&again);
	plan_free(&p);
	return 0;
}
