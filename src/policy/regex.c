/* Regular expressions within bounds. PCRE2's match limit holds for each place where a match may begin, so a
 * pattern that may begin anywhere costs that many times as much: its limit shrinks as the text grows, and a
 * text that is longer than TEXT_MOST is not tried at all. What runs into a bound is unknown, never no match. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/policy_priv.h"

#include <pcre2.h>
#include <stdio.h>

#define MATCH_LIMIT 100000
#define MATCH_BUDGET 20000000 /* over all places where a match may begin */
#define MATCH_LEAST 1000
#define HEAP_LIMIT_KB 1024
#define STACK_START (32 * 1024)
#define STACK_MOST  (512 * 1024)
#define TEXT_MOST   16384 /* for patterns without ^; a loop over 16k at each of 16k places takes tens of ms */

static bool interprets; /* this process compiles to no machine code */

void policy_regex_interpret(void)
{
	interprets = true;
}

static bool prepare(struct policy_regex *r)
{
	uint32_t options = 0, least = 0;

	/* Where there may be no executable memory, the interpreter serves. */
	r->is_compiled = !interprets && pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0;
	r->match = pcre2_match_data_create(1, NULL);
	r->context = pcre2_match_context_create(NULL);
	r->stack = pcre2_jit_stack_create(STACK_START, STACK_MOST, NULL);
	if (!r->match || !r->context)
		return false;
	if (r->stack)
		pcre2_jit_stack_assign(r->context, NULL, r->stack);
	pcre2_set_heap_limit(r->context, HEAP_LIMIT_KB);
	if (pcre2_pattern_info(r->code, PCRE2_INFO_ALLOPTIONS, &options) == 0)
		r->is_anchored = (options & PCRE2_ANCHORED) != 0;
	if (pcre2_pattern_info(r->code, PCRE2_INFO_MINLENGTH, &least) == 0)
		r->least = least;
	return true;
}

struct policy_regex *policy_regex_make(struct bytes pattern, struct arena *arena, char *what, size_t what_size, size_t *at)
{
	struct policy_regex *r = arena_alloc(arena, sizeof *r);
	int code;
	PCRE2_SIZE where = 0;

	*at = 0;
	snprintf(what, what_size, "no memory");
	if (!r)
		return NULL;
	r->code = pcre2_compile(pattern.at ? pattern.at : (const unsigned char *)"", pattern.len,
		PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &code, &where, NULL);
	if (!r->code) {
		unsigned char text[128];
		pcre2_get_error_message(code, text, sizeof text);
		snprintf(what, what_size, "%s", (char *)text);
		*at = where + 1;
		return NULL;
	}
	if (!prepare(r)) {
		policy_regex_fini(r);
		return NULL;
	}
	return r;
}

void policy_regex_fini(struct policy_regex *r)
{
	pcre2_jit_stack_free(r->stack);
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	r->stack = r->context = r->match = r->code = NULL;
}

int policy_regex_run(const struct policy_regex *r, struct bytes s)
{
	const unsigned char *text = s.at ? s.at : (const unsigned char *)"";
	size_t limit = MATCH_LIMIT;

	if (s.len < r->least)
		return PCRE2_ERROR_NOMATCH;
	if (!r->is_anchored) {
		if (s.len > TEXT_MOST)
			return PCRE2_ERROR_MATCHLIMIT;
		limit = MATCH_BUDGET / (s.len + 1);
		limit = limit > MATCH_LIMIT ? MATCH_LIMIT : limit < MATCH_LEAST ? MATCH_LEAST : limit;
	}
	pcre2_set_match_limit(r->context, (uint32_t)limit);
	if (r->is_compiled)
		return pcre2_jit_match(r->code, text, s.len, 0, 0, r->match, r->context);
	return pcre2_match(r->code, text, s.len, 0, PCRE2_NO_JIT, r->match, r->context);
}

enum policy_truth policy_regex_matches(const struct policy_regex *r, struct bytes s)
{
	int n = policy_regex_run(r, s);

	return n >= 0 ? POLICY_TRUE : n == PCRE2_ERROR_NOMATCH ? POLICY_FALSE : POLICY_UNKNOWN;
}
