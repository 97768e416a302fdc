/* MANIFEST.sha256: the list of an archive's members with their SHA-256, as "sha256sum -c" reads it, and the text that is
 * signed over it. */
#ifndef EVIDENCE_MANIFEST_H
#define EVIDENCE_MANIFEST_H

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#define MANIFEST_NAME	  "MANIFEST.sha256"
#define MANIFEST_SIG	  "MANIFEST.sig"
#define MANIFEST_SIGNER	  "signer.pub"
#define MANIFEST_MAX	  (32u << 20)
#define MANIFEST_EVIDENCE "sluis-evidence-1"

struct manifest_line {
	unsigned char sum[SHA256_LEN];
	struct bytes name;
};

/* name is one that tar_name_is_safe allows. */
void manifest_add(struct text *manifest, struct bytes name, const unsigned char sum[SHA256_LEN]);
/* The line at the front of *left, which is moved on. ERR_CLOSED: no more; ERR_SYNTAX: not a line of a manifest. */
enum err manifest_next(struct bytes *left, struct manifest_line *out) MUST_USE;
/* What is signed: the line "kind", then the SHA-256 of manifest in hexadecimal, each with a line feed. */
void manifest_signed_text(const char *kind, struct bytes manifest, struct text *out);
/* The key of signer.pub, which must be exactly as Sluis writes it: PEM alone leaves room for other bytes. */
enum err manifest_signer(struct bytes pem, unsigned char out[ED25519_PUBLIC_LEN]) MUST_USE;

#endif
