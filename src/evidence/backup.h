/* A backup's archive read and held against itself: what it holds, where that belongs, and that no byte was changed. In order:
 *
 *	backup.json      where each file belongs, its owner and mode
 *	files/...        files that are no secret
 *	MANIFEST.sha256  sums of all before
 *	sealed           (evidence/seal.h) an archive of its own: seal.json, with the sum of all bytes of the outer archive
 *	                 before "sealed", then the secrets
 *	MANIFEST.sig, signer.pub   when there was a key to sign with */
#ifndef EVIDENCE_BACKUP_H
#define EVIDENCE_BACKUP_H

#include "archive/tar.h"
#include "base/arena.h"
#include "crypto/ed25519.h"

#define BACKUP_FORMAT	  "sluis-backup-1"
#define BACKUP_INDEX	  "backup.json"
#define BACKUP_SEALED	  "sealed"
#define BACKUP_SEAL_INDEX "seal.json"
#define BACKUP_INDEX_MAX  (16u << 20)
#define BACKUP_SEALED_MAX (256u << 20)
#define BACKUP_FILES_MAX  100000
#define BACKUP_PATH_MAX	  4000

struct backup_file { /* views into the backup's arena */
	struct bytes member, path, user, group;
	unsigned mode;
	bool is_folder, is_sealed;
	struct bytes content; /* of sealed files */
	unsigned char sum[SHA256_LEN];
};

enum backup_fault {
	BACKUP_OK,
	BACKUP_DAMAGED,	  /* the archive is damaged, cut off, or holds what no backup has */
	BACKUP_NOT_ONE,	  /* another kind of archive, or another version */
	BACKUP_INDEX_BAD, /* the index is not what it must be */
	BACKUP_DIFFERS,	  /* .name is not what manifest or index say, or is missing, or too much */
	BACKUP_SIGNATURE_BAD,
	BACKUP_OTHER_KEY,
	BACKUP_PASSPHRASE, /* another passphrase, or a changed sealed part: nobody can tell which */
	BACKUP_OUTER_CHANGED, /* the passphrase is right, and says that the rest was changed */
	BACKUP_NO_MEMORY,
	BACKUP_FAULTS
};

struct backup {
	struct arena arena;
	struct backup_file *files; /* in the order of the archive, folders first; sealed ones last, once unsealed */
	size_t count, plain;	   /* plain: how many are not sealed */
	struct bytes config, time, host, version; /* of the index */
	char name[TAR_NAME_MAX + 1];  /* of what differs */
	uint64_t bytes, at;	      /* of contents; where reading stopped */
	bool is_signed;
	unsigned char signer[ED25519_PUBLIC_LEN], before_sealed[SHA256_LEN];
	struct text sealed, opened; /* opened: the secrets, wiped by backup_fini */
};

/* Absolute, without ".", ".." or empty segments and control characters. */
bool backup_path_is_safe(struct bytes path) MUST_USE;
/* All but what is sealed. key: what must have signed it, or NULL. backup_fini in all cases. */
enum backup_fault backup_read(struct backup *b, struct tar_reader *r, const unsigned char *key) MUST_USE;
/* What is sealed; after backup_read said BACKUP_OK. With it, the passphrase vouches for every byte. */
enum backup_fault backup_unseal(struct backup *b, struct bytes passphrase) MUST_USE;
void backup_fini(struct backup *b);
/* What is signed: BACKUP_FORMAT, the sums of the manifest and of all bytes before MANIFEST.sig, each with a line feed. */
void backup_signed_text(struct bytes manifest, const unsigned char before[SHA256_LEN], struct text *out);

#endif
