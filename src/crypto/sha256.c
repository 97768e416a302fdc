/* EVP with the algorithm fetched once: fetching it per digest costs more than a short digest. */
#include "crypto/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
	EVP_MD_CTX *ctx;
	EVP_MD *md;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *s = calloc(1, sizeof(*s));

	CHECK(s);
	s->ctx = EVP_MD_CTX_new();
	s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	CHECK(s->ctx && s->md);
	return s;
}

void sha256_free(struct sha256 **s)
{
	if (!*s)
		return;
	EVP_MD_CTX_free((*s)->ctx);
	EVP_MD_free((*s)->md);
	free(*s);
	*s = NULL;
}

void sha256_begin(struct sha256 *s)
{
	CHECK(EVP_DigestInit_ex2(s->ctx, s->md, NULL) == 1);
}

void sha256_add(struct sha256 *s, struct bytes b)
{
	CHECK(EVP_DigestUpdate(s->ctx, b.at, b.len) == 1);
}

void sha256_end(struct sha256 *s, unsigned char out[SHA256_LEN])
{
	CHECK(EVP_DigestFinal_ex(s->ctx, out, NULL) == 1);
}

void sha256_so_far(const struct sha256 *s, unsigned char out[SHA256_LEN])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	CHECK(c && EVP_MD_CTX_copy_ex(c, s->ctx) == 1 && EVP_DigestFinal_ex(c, out, NULL) == 1);
	EVP_MD_CTX_free(c);
}

void sha256_of(struct bytes b, unsigned char out[SHA256_LEN])
{
	CHECK(EVP_Digest(b.at, b.len, out, NULL, EVP_sha256(), NULL) == 1);
}

void hex_put(struct text *t, struct bytes b)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < b.len; i++) {
		text_byte(t, (unsigned char)digits[b.at[i] >> 4]);
		text_byte(t, (unsigned char)digits[b.at[i] & 15]);
	}
}

static int digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err hex_read(struct bytes in, unsigned char *out, size_t len)
{
	if (in.len != 2 * len)
		return ERR_SYNTAX;
	for (size_t i = 0; i < in.len; i++)
		if (digit(in.at[i]) < 0)
			return ERR_SYNTAX;
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(digit(in.at[2 * i]) << 4 | digit(in.at[2 * i + 1]));
	return OK;
}
