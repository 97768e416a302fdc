/* What sluis isolate and sluis release share: reading the command line, and telling what sluisd said. */
#ifndef CLI_ISOLATION_H
#define CLI_ISOLATION_H

#include "cli/cli.h"

struct isolation_call {
	const char *what, *as, *reason;
	uint64_t until_us, for_s; /* 0: not said */
};

/* WHAT and its options; may_last: --until and --for are allowed. 0, or the exit status after saying what is wrong. */
int isolation_read_call(const struct cli *cli, int argc, char **argv, bool may_last, struct isolation_call *out);
/* "2h", "90s"; "2026-11-24T18:00", with seconds, with a space for T, with Z. False: it is none. */
bool isolation_read_duration(const char *text, uint64_t *seconds);
bool isolation_read_time(const char *text, uint64_t *real_us);
/* A kind's name for people. */
const char *isolation_kind_word(const struct cli *cli, const json_t *entry);
/* sluisd's answer to a change: as JSON, or the warning when it could not be kept. The exit status. */
int isolation_end(const struct cli *cli, json_t *answer, enum word unsaved);

#endif
