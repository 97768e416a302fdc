/* Why an expression is what it is: the walk of eval.c once more, with what it saw written down. */
#include "policy/policy_priv.h"

struct explain {
	struct policy_eval eval;
	struct policy_reason *out;
	size_t count, most;
};

static struct bytes left_value(const struct policy_expr *e, struct explain *x)
{
	struct bytes v;

	x->eval.failed = false;
	v = policy_eval_string(e->a, &x->eval);
	return x->eval.failed || x->eval.ended ? BYTES("") : v;
}

static void explain_comparison(const struct policy_expr *e, struct explain *x)
{
	struct policy_reason *r;

	if (x->count == x->most)
		return;
	r = &x->out[x->count++];
	*r = (struct policy_reason){ .source = e->source };
	r->truth = policy_eval_bool(e, &x->eval);
	if (e->op == OP_TAG || e->op == OP_FIELD || e->op == OP_BOOL || e->a->type == POLICY_BOOL)
		return;
	if (e->is_any && r->truth != POLICY_TRUE)
		return; /* none of them: there is no one value to show */
	r->left = e->a->source;
	r->value = left_value(e, x);
}

/* The operands that decide: the first that holds of an or, all of an and; the other way round when it is false. */
static void explain_node(const struct policy_expr *e, struct explain *x)
{
	enum policy_truth decides;
	uint8_t op;

	while (e->op == OP_NOT)
		e = e->a;
	if (e->op != OP_OR && e->op != OP_AND) {
		explain_comparison(e, x);
		return;
	}
	op = e->op;
	decides = op == OP_OR ? POLICY_TRUE : POLICY_FALSE;
	for (const struct policy_expr *i = e; i; i = i->op == op ? i->b : NULL) {
		const struct policy_expr *one = i->op == op ? i->a : i;
		if (policy_eval_bool(one, &x->eval) == decides) {
			explain_node(one, x);
			return;
		}
	}
	for (const struct policy_expr *i = e; i; i = i->op == op ? i->b : NULL)
		explain_node(i->op == op ? i->a : i, x);
}

size_t policy_explain(const struct policy_expr *e, const struct policy_input *in, struct policy_reason *out, size_t most)
{
	struct explain x = { .eval = { .in = in }, .out = out, .most = most };

	CHECK(!in->arena_is_scratch);
	explain_node(e, &x);
	return x.count;
}
