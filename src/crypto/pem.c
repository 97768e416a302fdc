#include "crypto/pem_priv.h"

#include <openssl/pem.h>

int pem_no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf, (void)size, (void)rwflag, (void)ctx;
	return -1;
}

BIO *pem_open(struct bytes pem)
{
	return pem.len < 65536 ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
}

EVP_PKEY *pem_read_private(struct bytes pem)
{
	BIO *in = pem_open(pem);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, pem_no_password, NULL) : NULL;

	BIO_free(in);
	return key;
}

enum err pem_take(BIO *from, bool ok, struct text *out)
{
	char *at = NULL;
	long n = from ? BIO_get_mem_data(from, &at) : 0;

	if (ok && n > 0)
		text_add(out, bytes_of(at, (size_t)n));
	if (n > 0)
		OPENSSL_cleanse(at, (size_t)n);
	BIO_free(from);
	return !ok || n <= 0 ? ERR_MEMORY : out->failed ? ERR_LIMIT : OK;
}

enum err pem_write_private(EVP_PKEY *key, struct text *out)
{
	BIO *to = BIO_new(BIO_s_mem());

	return pem_take(to, to && PEM_write_bio_PKCS8PrivateKey(to, key, NULL, NULL, 0, NULL, NULL) == 1, out);
}
