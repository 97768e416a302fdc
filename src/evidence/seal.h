/* Bytes sealed with a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM encrypts and authenticates. The parameters
 * stand in front in plain text, and are authenticated too:
 *
 *	sluis-sealed-1
 *	scrypt N R P
 *	SALT (32 hexadecimal digits)
 *	NONCE (24 hexadecimal digits)
 *	the encrypted bytes, and 16 bytes of tag */
#ifndef EVIDENCE_SEAL_H
#define EVIDENCE_SEAL_H

#include "base/text.h"

#define SEAL_OVERHEAD 128

struct seal_cost {
	uint64_t n; /* a power of two */
	uint32_t r, p;
};
/* 128 MiB of memory and about half a second. */
#define SEAL_COST ((struct seal_cost){ 1u << 17, 8, 1 })

/* Appends the sealed form of plain. ERR_LIMIT: out has no room, or the cost is not within what seal_open accepts. */
enum err seal(struct bytes plain, struct bytes passphrase, struct seal_cost cost, struct text *out) MUST_USE;
/* Appends what was sealed, on success only. ERR_SYNTAX: not a sealed text; ERR_LIMIT: parameters that cost too much (N up
 * to 2^20, r up to 16, p up to 4) or no room; ERR_DENIED: another passphrase, or changed bytes: nobody can tell which. */
enum err seal_open(struct bytes sealed, struct bytes passphrase, struct text *out) MUST_USE;

#endif
