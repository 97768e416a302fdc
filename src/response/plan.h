/* Recovery plans: what is to be done with an appliance that may be compromised, step by step, with an order that holds and a record of
 * who did what, when, and what shows it. Made from a template (rules/plans); kept as one JSON text. Bytes and values only: files, locks,
 * the clock and the ledger are the caller's. */
#ifndef RESPONSE_PLAN_H
#define RESPONSE_PLAN_H

#include "base/text.h"
#include "crypto/sha256.h"
#include "data/data.h"

#define PLAN_FILE_MAX  (8u << 20)
#define PLAN_STEPS_MAX 1000
#define PLAN_ID_MAX    80   /* characters of a plan's or a step's id: a-z 0-9 . _ - */
#define PLAN_TEXT_MAX  4000 /* of any text */
#define PLAN_ERROR_MAX DATA_ERROR_MAX

struct plan;
enum plan_state { PLAN_DONE, PLAN_READY, PLAN_WAITING, PLAN_STATE_COUNT };
enum plan_lang { PLAN_EN, PLAN_NL };

/* --- making one --- */

struct plan_item {
	const char *name, *detail; /* detail: "" where there is none */
};
struct plan_who {
	unsigned uid;
	const char *user, *by; /* the system's name of uid; who did it, where it was not the user ("" else) */
};
struct plan_facts {
	const char *id, *advisory, *appliance;
	uint64_t now_us;
	struct plan_who who;
	const struct plan_item *certificates, *systems;
	size_t certificate_count, system_count;
};

/* Whether the template is right in all its parts: ERR_SYNTAX with "FILE:LINE: what". */
enum err plan_template_check(const struct data *template, char error[PLAN_ERROR_MAX]) MUST_USE;
/* Whether a template that was checked is for this product, and names this advisory. */
bool plan_template_is_for(const struct data *template, const char *product);
bool plan_template_names(const struct data *template, const char *advisory);
/* A plan in which nothing is done. A step with `each` becomes one step per item. ERR_SYNTAX: an id or a text of facts that cannot be,
 * with error; ERR_LIMIT: more steps than PLAN_STEPS_MAX. */
enum err plan_new(const struct data *template, const struct plan_facts *facts, struct plan **out, char error[PLAN_ERROR_MAX]) MUST_USE;
bool plan_is_id(const char *id);

/* --- keeping one --- */

/* Everything is checked: what one function here reads of a plan is there. ERR_SYNTAX and ERR_LIMIT with error "NAME: what is wrong". */
enum err plan_read(struct bytes json, const char *name, struct plan **out, char error[PLAN_ERROR_MAX]) MUST_USE;
void plan_write(const struct plan *p, struct text *out);
void plan_free(struct plan **p);

/* --- looking --- */

/* Views; they live until the plan is changed. */
struct plan_step {
	const char *id, *phase, *title, *how, *source, *unconfirmed; /* unconfirmed: what the source does not settle; "" nothing */
	const json_t *commands, *after;				     /* lists of texts */
	bool wants_evidence;
	enum plan_state state;
	/* of a step that is done */
	uint64_t at_us, evidence_size;
	unsigned uid;
	const char *user, *by, *note, *evidence, *sha256; /* "" where there is none */
	bool is_in_ledger;
};
const char *plan_text(const struct plan *p, const char *key, enum plan_lang l); /* id advisory appliance product template title about created user */
size_t plan_count(const struct plan *p);
size_t plan_done_count(const struct plan *p);
void plan_at(const struct plan *p, size_t i, enum plan_lang l, struct plan_step *out);
/* SIZE_MAX: there is no such step. */
size_t plan_find(const struct plan *p, const char *step);
const char *plan_state_name(enum plan_state s); /* done, ready, waiting */
/* The plan as it is kept, borrowed. */
const json_t *plan_json(const struct plan *p);

/* --- acting --- */

struct plan_act {
	uint64_t now_us;
	struct plan_who who;
	const char *note, *evidence, *sha256; /* "" where there is none; evidence: the file's path, sha256 in hexadecimal */
	uint64_t evidence_size;
};
enum plan_answer {
	PLAN_YES,
	PLAN_NO_STEP,
	PLAN_DONE_BEFORE,    /* done already */
	PLAN_NOT_YET,	     /* plan_blockers tells what is first */
	PLAN_WANTS_PROOF,    /* a note or evidence */
	PLAN_WANTS_EVIDENCE, /* this step wants a file */
	PLAN_BAD_TEXT,	     /* too long, or no printable UTF-8 */
	PLAN_NOT_DONE,	     /* undo: nothing to take back */
	PLAN_IS_NEEDED,	     /* undo: steps that are done rest on it; plan_blockers tells which */
};
/* Whether plan_done, plan_undo would say yes. */
enum plan_answer plan_may_done(const struct plan *p, const char *step, const struct plan_act *a);
enum plan_answer plan_may_undo(const struct plan *p, const char *step, const struct plan_act *a);
/* A step is done; or not any more, with the reason as note. The history keeps both. is_in_ledger: the ledger has it as well. */
void plan_done(struct plan *p, const char *step, const struct plan_act *a, bool is_in_ledger);
void plan_undo(struct plan *p, const char *step, const struct plan_act *a, bool is_in_ledger);
/* The ids of the steps in the way, with ", " between; for PLAN_NOT_YET and PLAN_IS_NEEDED. */
void plan_blockers(const struct plan *p, const char *step, bool is_undo, struct text *out);

/* --- handing over --- */

struct plan_words { /* what people read, in their language */
	const char *lang, *title, *advisory, *appliance, *made, *progress, *state[PLAN_STATE_COUNT], *after, *source, *unconfirmed, *who, *when,
		*note, *evidence, *wants_evidence, *not_in_ledger, *history, *step, *taken_back, *done_word;
	const char *phases[8]; /* "contain=Contain", ... */
};
void plan_markdown(const struct plan *p, enum plan_lang l, const struct plan_words *w, struct text *out);
/* One page that stands alone: no script, nothing fetched. */
void plan_page(const struct plan *p, enum plan_lang l, const struct plan_words *w, struct text *out);
/* The phase's word; the phase itself when it has none. */
const char *plan_phase(const struct plan_words *w, const char *phase);

#endif
