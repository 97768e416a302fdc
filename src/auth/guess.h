/* Limits on guessing, per account, per source and in total. Delays grow; nobody is locked out for good, and a stranger who guesses at an account
 * cannot keep its owner out: what grows without bound is kept per account and source together, and an account that is guessed at from many
 * sources slows down sources that it does not know, never those it was signed in from before. Fixed memory (about 8 MB); no clock: now_ms is
 * of one that does not go back. One thread.
 *
 *   account and source   after the 4th failure in a row 1 s, then 2, 4, ... up to 15 minutes; forgotten after an hour without a try
 *   source               (an IPv4 address, an IPv6 /64) 30 failures, one more every 20 s: accounts that it is new to wait, those known there do not
 *   account              100 failures from unknown sources, one more every 30 s: unknown sources wait, known ones do not
 *   total                50 tries a second, burst 100: more are AUTH_BUSY; known sources have 50 more, so that others cannot use up theirs
 *   work, per source     60 failures, one more each second, of what nobody can guess (256 bits, a signature): delays do not grow
 *
 * Tries that are under way together are no way around it: of an account and source as many are let in as would be one after the other, and what a
 * source or an account used too much is paid for afterwards, within 15 minutes. */
#ifndef AUTH_GUESS_H
#define AUTH_GUESS_H

#include "net/addr.h"

struct guess;
struct guess *guess_new(void);
void guess_free(struct guess **g);
enum guess_verdict { GUESS_GO, GUESS_WAIT, GUESS_BUSY };
/* Before a password or code is looked at. account: the name as typed, whether or not there is one. is_known: the account was signed in from
 * that source before (store_source_known). *wait_s: of GUESS_WAIT, at least 1. Tries that wait do not count as failures. After GUESS_GO comes
 * guess_failed or guess_succeeded; where neither does (the first of two factors was right), the try is forgotten after 10 s. */
enum guess_verdict guess_ask(struct guess *g, struct bytes account, const struct addr *source, bool is_known, uint64_t now_ms, uint32_t *wait_s);
/* *is_alarm: this failure is one that people should be told of: the 10th in a row of an account and source, the 100th of an account, or a source
 * that has used up its 30 (each once until it is quiet again). */
void guess_failed(struct guess *g, struct bytes account, const struct addr *source, bool is_known, uint64_t now_ms, bool *is_alarm);
/* A factor was right, and another is to come: this try is no longer under way, and nothing is forgotten. */
void guess_right(struct guess *g, struct bytes account, const struct addr *source);
void guess_succeeded(struct guess *g, struct bytes account, const struct addr *source, uint64_t now_ms); /* forgets account and source together */
/* Of what nobody can guess the work is bounded, not the tries, or a stranger would hold up all others of his address. what: the kind of work; each has
 * limits of its own, and none counts as a guess at a name. *wait_s: of GUESS_WAIT, always 1. After GUESS_GO comes guess_work_right where the work was
 * not in vain: then it costs its source nothing. */
enum guess_verdict guess_work(struct guess *g, const char *what, const struct addr *source, uint64_t now_ms, uint32_t *wait_s);
void guess_work_right(struct guess *g, const char *what, const struct addr *source);
/* *is_alarm: all 60 are used up (once until it is quiet again). */
void guess_work_wrong(struct guess *g, const char *what, const struct addr *source, uint64_t now_ms, bool *is_alarm);
/* Of what is no work but writing it down: whether it should be. */
bool guess_work_note(struct guess *g, const char *what, const struct addr *source, uint64_t now_ms, bool *is_alarm);
void guess_unlock(struct guess *g, struct bytes account); /* an administrator: forgets all of the account */

#endif
