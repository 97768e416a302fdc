/* What the files of sluis plan share: its options, and reading and writing plans. */
#ifndef CLI_PLAN_PRIV_H
#define CLI_PLAN_PRIV_H

#include "cli/cli.h"
#include "response/plan.h"

struct plan_call {
	const struct cli *cli;
	const char *advisory, *appliance, *inventory, *window, *product, *note, *evidence, *by, *format, *output, *plans;
	const char *id, *step;
	char dir[4200], user[64];
};

/* Each is a subcommand and answers the exit status. */
int plan_call_new(struct plan_call *c);
int plan_call_list(struct plan_call *c);
int plan_call_show(struct plan_call *c);
int plan_call_next(struct plan_call *c);
int plan_call_done(struct plan_call *c);
int plan_call_undo(struct plan_call *c);
int plan_call_export(struct plan_call *c);

/* The folder, made when it is not there, locked against others until fd is closed. False: that was said. */
bool plan_lock(struct plan_call *c, int *fd) MUST_USE;
/* NULL: that was said. */
struct plan *plan_load(const struct plan_call *c, const char *id) MUST_USE;
/* DIR/ID.json */
void plan_path(const struct plan_call *c, const char *id, char out[4300]);
/* Whole or not at all. False: errno. */
bool plan_save(const struct plan_call *c, const struct plan *p, bool replace) MUST_USE;
struct plan_who plan_user(struct plan_call *c);
enum plan_lang plan_language(const struct plan_call *c);
/* Tells the ledger; why: NULL when it has it, else why it has not (in the language asked for, in mem). */
const char *plan_tell_ledger(const struct plan_call *c, const char *verb, const char *step, const char *detail, char mem[300]);
/* Printable, whoever wrote it. */
const char *plan_clean(const char *s, char out[2100]);

#endif
