/* An evidence bundle held against its own manifest, signature and custody log. Everything wrong is told, not only the
 * first; bytes of an archive may come from anyone. */
#ifndef EVIDENCE_VERIFY_H
#define EVIDENCE_VERIFY_H

#include "archive/tar.h"
#include "evidence/custody.h"
#include "evidence/manifest.h"

enum evidence_fault {
	EVIDENCE_DAMAGED,	/* the archive is damaged or cut off; nothing behind that place was read */
	EVIDENCE_REFUSED,	/* a name or a kind of member that is never in a bundle */
	EVIDENCE_TOO_LARGE,	/* more than the limits allow */
	EVIDENCE_MISSING,	/* in the manifest, not in the archive */
	EVIDENCE_EXTRA,		/* in the archive, not in the manifest */
	EVIDENCE_CHANGED,	/* another content than the manifest says */
	EVIDENCE_REORDERED,	/* all are there, in another order */
	EVIDENCE_TWICE,		/* two members of one name */
	EVIDENCE_NO_MANIFEST,
	EVIDENCE_BAD_MANIFEST,
	EVIDENCE_UNSIGNED,
	EVIDENCE_BAD_SIGNATURE,
	EVIDENCE_OTHER_KEY,	/* signed, but not by the key that was asked for */
	EVIDENCE_NO_CUSTODY,
	EVIDENCE_CUSTODY_LINE,	/* .line: the first that is wrong, .custody: how */
	EVIDENCE_CUSTODY_PREFIX,/* a later log does not begin with the one before */
	EVIDENCE_CUSTODY_KEY,	/* the first line was not signed by the bundle's key */
	EVIDENCE_FAULTS
};

struct evidence_check {
	/* Set before: whom to tell, what must have signed (NULL: whichever key is in the bundle), limits. */
	void *ctx;
	void (*fault)(void *ctx, enum evidence_fault f, struct bytes name);
	void (*entry)(void *ctx, const struct custody_entry *e);
	void (*progress)(void *ctx, uint64_t at);	/* may be NULL */
	/* Pieces of each member's content as they are read, and an empty one at its end; may be NULL. */
	void (*content)(void *ctx, struct bytes name, struct bytes piece);
	const unsigned char *key;
	struct tar_limits limits;
	/* Answered. */
	size_t members, faults, entries;
	uint64_t bytes, line;
	enum custody_fault custody;
	bool has_signer;
	unsigned char signer[ED25519_PUBLIC_LEN], archive[SHA256_LEN];
	uint64_t end;	     /* where the archive ends and a new member may be written; or the header where reading failed */
	struct text log;     /* the newest custody log; the caller calls evidence_check_fini */
};

/* True: nothing was wrong. An unsigned bundle is a fault like the others. */
bool evidence_check(struct evidence_check *c, struct tar_reader *r) MUST_USE;
void evidence_check_fini(struct evidence_check *c);

#endif
