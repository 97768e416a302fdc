/* What sluis user, sluis sessions and sluis access share: asking identity over sluisd, and telling what it said. What it is asked and answers is in
 * roles/identity_admin.c. */
#ifndef CLI_PEOPLE_H
#define CLI_PEOPLE_H

#include "cli/columns.h"
#include "cli/cli.h"

#define PEOPLE_NAME_MAX 64 /* STORE_USER_NAME_MAX */

/* Asks; takes request, which holds "what" and the rest but not "command". NULL: it failed or was refused, and that was told in words. */
json_t *people_ask(const struct cli *cli, json_t *request) MUST_USE;
/* The same, but a refusal is an answer: people_told_no says whether it is one, people_why its stable name, people_tell_no tells it. */
json_t *people_ask_any(const struct cli *cli, json_t *request) MUST_USE;
bool people_told_no(const json_t *answer);
bool people_why_is(const json_t *answer, const char *why);
void people_tell_no(const struct cli *cli, const json_t *answer);
/* All parts of a list, as one array of what stands under key. */
json_t *people_list(const struct cli *cli, json_t *request, const char *key) MUST_USE;

/* A name as users are kept: in lower case. False: it can be no user's name. */
bool people_name(struct bytes in, char out[PEOPLE_NAME_MAX + 1]) MUST_USE;
/* The same of a command's argument; 0, or 2 after saying what is wrong. */
int people_take_name(const struct cli *cli, const char *in, char out[PEOPLE_NAME_MAX + 1]) MUST_USE;
/* The words for why a password is not taken (auth/password.h), which say what to do. */
const char *people_refusal(const struct cli *cli, const char *why);

/* Members of answers; never NULL. */
const char *people_text(const json_t *o, const char *key);
long long people_number(const json_t *o, const char *key);
/* "2026-11-24 18:00" in UTC; the word for never when it is 0. */
void people_when(const struct cli *cli, long long s, char out[64]);
/* Names of a list with commas between. */
void people_names(const json_t *list, struct text *out);
/* Prints answer as JSON when that was asked for; takes answer. The exit status: 0. */
int people_end(const struct cli *cli, json_t *answer);

#endif
