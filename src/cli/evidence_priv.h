/* What the files of sluis evidence and sluis backup share. */
#ifndef CLI_EVIDENCE_PRIV_H
#define CLI_EVIDENCE_PRIV_H

#include "archive/tar.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/site.h"
#include "crypto/ed25519.h"

#include <stdio.h>

/* An archive that is being made: each member goes into the manifest as well, and what could not be had is noted. */
struct collect {
	const struct cli *cli;
	struct site *site;
	struct tar_writer *tar;
	struct text manifest;
	struct sha256 *sha;
	json_t *missing; /* array of {name, why} */
	int64_t now_s;
	size_t members;
	bool shows_progress;
};
/* All of these: ERR_IO when the archive cannot be written (errno), else OK; what cannot be read becomes missing. */
enum err collect_bytes(struct collect *c, const char *name, struct bytes content) MUST_USE;
/* Takes o. */
enum err collect_json(struct collect *c, const char *name, json_t *o) MUST_USE;
/* A descriptor's content from where it stands, as long as it is now. */
enum err collect_fd(struct collect *c, const char *name, int fd) MUST_USE;
/* A regular file. follows: a symbolic link is followed. */
enum err collect_file(struct collect *c, const char *name, const char *path, bool follows) MUST_USE;
void collect_missing(struct collect *c, const char *name, const char *why);
/* The member's name for a path on this machine: PREFIX and the path without its first slash; octets that a name may not
 * have become %XX. */
void collect_name(const char *prefix, const char *path, char out[TAR_NAME_MAX + 1]);

/* A string whatever the bytes are. */
json_t *json_of(struct bytes b);
/* clock.json: everything that tells how far this machine's time can be trusted. */
json_t *evidence_clock(void);
/* state/: processes, sockets, system, and sluisd's own answer. */
enum err evidence_state(struct collect *c) MUST_USE;
/* packages.json: SHA-256 of every program and rule set. */
json_t *evidence_packages(struct collect *c);
/* SHA-256 of a file in hexadecimal. False: it cannot be read (errno). */
bool evidence_file_sum(int fd, char out[2 * SHA256_LEN + 1]) MUST_USE;

/* The key that signs: path, or state_dir/ledger.key. NULL: there is none, and *why says so in words. */
struct ed25519_key *signing_key(const struct cli *cli, const struct site *s, const char *path);
/* Who is asking: --by, or the user behind sudo, or the user. */
const char *who_asks(const char *by);
bool public_key_read(const struct cli *cli, const char *path, unsigned char out[ED25519_PUBLIC_LEN]) MUST_USE;

/* The ledger that a bundle holds (evidence_ledger.c). Begin with fd -1. */
struct bundle_ledger {
	char dir[256]; /* of mode 0700; empty: there is none yet */
	int fd;
	size_t files;
	bool is_incomplete;
};
/* A piece of a member's content; an empty one ends it. What is no file of the ledger is passed over. */
void bundle_ledger_content(struct bundle_ledger *l, struct bytes name, struct bytes piece);
/* {checked, ok, files, records, findings} or {checked: false, why}; the caller's reference. */
json_t *bundle_ledger_verify(struct bundle_ledger *l);
void bundle_ledger_fini(struct bundle_ledger *l); /* removes the folder */

int evidence_collect(const struct cli *cli, int argc, char **argv);
int evidence_verify(const struct cli *cli, int argc, char **argv);
int evidence_handover(const struct cli *cli, int argc, char **argv);

#endif
