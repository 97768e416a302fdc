/* The release manifest: which files a release installs, each with its size and SHA-256, as a text that is signed. This
 * reads, writes and checks it, over bytes alone: it opens no file, compares no file and keeps no key.
 *
 *     sluis-release-1
 *     version VERSION
 *     build BUILD
 *     key release|development
 *     file SHA256 SIZE PATH	(one line per file, by path) */
#ifndef EVIDENCE_RELEASE_H
#define EVIDENCE_RELEASE_H

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#define RELEASE_FILES_MAX 128
#define RELEASE_PATH_MAX  200
#define RELEASE_TEXT_MAX  65536

struct release_file {
	struct bytes path; /* relative to the prefix: "bin/sluis"; never empty, absolute or with a dot segment */
	uint64_t size;
	unsigned char sha256[SHA256_LEN];
};

struct release {
	struct bytes version;
	struct bytes build;  /* 64 hexadecimal digits: the SHA-256 of the file lines, so equal builds have equal ids */
	bool is_development; /* signed with a key that a build made for itself */
	struct release_file files[RELEASE_FILES_MAX]; /* by path, each once */
	size_t file_count;
};

/* Reads the whole of text; out's views point into it. ERR_SYNTAX: not a manifest, *line says where (from 1); ERR_LIMIT: more files
 * than fit; ERR_UNSUPPORTED: a later format. */
enum err release_parse(struct bytes text, struct release *out, unsigned *line) MUST_USE;
/* Appends the text of r, whose files stand in order; r->build is not read but made. */
void release_write(const struct release *r, struct text *out);
/* The file of this path, or NULL. */
const struct release_file *release_find(const struct release *r, struct bytes path);
bool release_path_is_plain(struct bytes path);

/* The signature as it lies in release.manifest.sig: hexadecimal, with or without a line feed behind it. */
enum err release_sign(const struct ed25519_key *key, struct bytes text, struct text *out) MUST_USE;
bool release_is_signed(const unsigned char key[ED25519_PUBLIC_LEN], struct bytes text, struct bytes signature) MUST_USE;

#endif
