/* What the parts of a plan share: its tree, and what a text in it may be. */
#ifndef RESPONSE_PLAN_PRIV_H
#define RESPONSE_PLAN_PRIV_H

#include "response/plan.h"

#define PLAN_FORMAT "sluis-plan-1"

struct plan {
	json_t *root;
};

/* 0 to PLAN_TEXT_MAX octets of UTF-8 without control characters; a line feed is allowed in a text of several lines. */
bool plan_is_text(const char *s, bool may_have_lines);
/* Checks the tree; takes it in every case. */
enum err plan_take(json_t *root, const char *name, struct plan **out, char error[PLAN_ERROR_MAX]) MUST_USE;
void plan_note_history(struct plan *p, const char *what, const char *step, const struct plan_act *a, bool is_in_ledger);

#endif
