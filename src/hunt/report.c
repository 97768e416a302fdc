/* Ids that are the same in every run over the same evidence, so that who imports a report twice has it once. */
#include "hunt/report_priv.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define NAME_MOST 16384

void hunt_uuid5(const unsigned char space[16], struct bytes name, char out[HUNT_UUID_LEN + 1])
{
	unsigned char d[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	CHECK(c && EVP_DigestInit_ex(c, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(c, space, 16) == 1);
	CHECK(EVP_DigestUpdate(c, name.len ? (const void *)name.at : "", name.len) == 1 && EVP_DigestFinal_ex(c, d, NULL) == 1);
	EVP_MD_CTX_free(c);
	d[6] = (unsigned char)((d[6] & 0x0f) | 0x50);
	d[8] = (unsigned char)((d[8] & 0x3f) | 0x80);
	snprintf(out, HUNT_UUID_LEN + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1], d[2], d[3], d[4], d[5], d[6],
		d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

void hunt_finding_uuid(const struct hunt_finding *f, const char *kind, char out[HUNT_UUID_LEN + 1])
{
	/* Of findings of Sluis; chosen once. */
	static const unsigned char space[16] = { 0x5c, 0x1e, 0x7d, 0x2a, 0x93, 0x4b, 0x4f, 0x06, 0xa8, 0x51, 0x0f, 0x6e, 0xc2, 0x37, 0xd9, 0x84 };
	unsigned char mem[NAME_MOST];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_fmt(&t, "%s\n%s\n%llu %llu\n", kind, f->rule, (unsigned long long)f->line, (unsigned long long)f->offset);
	text_add(&t, bytes_cut(bytes_str(f->where), 0, 8192));
	text_byte(&t, '\n');
	text_add(&t, bytes_cut(f->excerpt, 0, HUNT_EXCERPT_MAX));
	hunt_uuid5(space, text_bytes(&t), out);
}
