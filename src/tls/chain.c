/* Chains of certificates as files: what is wrong with one before it is used, and when it ends. No context, no
 * connection. */
#define _GNU_SOURCE
#include "tls/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

enum err tls_chain_expiry(struct bytes pem, uint64_t *not_after_s)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	uint64_t least = UINT64_MAX;
	X509 *c;

	while (bio && (c = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		struct tm tm;
		if (ASN1_TIME_to_tm(X509_get0_notAfter(c), &tm) == 1) {
			int64_t s = timegm(&tm);
			if (s >= 0 && (uint64_t)s < least)
				least = (uint64_t)s;
		}
		X509_free(c);
	}
	ERR_clear_error();
	BIO_free(bio);
	if (least == UINT64_MAX)
		return ERR_SYNTAX;
	*not_after_s = least;
	return OK;
}
