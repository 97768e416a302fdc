/* sha256sum's own format: two spaces mean that the bytes are taken as they are. */
#include "evidence/manifest.h"

#include "archive/tar.h"

void manifest_add(struct text *manifest, struct bytes name, const unsigned char sum[SHA256_LEN])
{
	hex_put(manifest, bytes_of(sum, SHA256_LEN));
	text_lit(manifest, "  ");
	text_add(manifest, name);
	text_byte(manifest, '\n');
}

enum err manifest_next(struct bytes *left, struct manifest_line *out)
{
	size_t end = bytes_find_byte(*left, '\n');
	struct bytes line = bytes_cut(*left, 0, end);
	struct manifest_line l;

	if (left->len == 0)
		return ERR_CLOSED;
	if (end == SIZE_MAX || line.len < 2 * SHA256_LEN + 3)
		return ERR_SYNTAX;
	TRY(hex_read(bytes_cut(line, 0, 2 * SHA256_LEN), l.sum, SHA256_LEN));
	l.name = bytes_cut(line, 2 * SHA256_LEN + 2, line.len);
	if (!bytes_eq(bytes_cut(line, 2 * SHA256_LEN, 2 * SHA256_LEN + 2), BYTES("  ")) || !tar_name_is_safe(l.name))
		return ERR_SYNTAX;
	*left = bytes_cut(*left, end + 1, left->len);
	*out = l;
	return OK;
}

void manifest_signed_text(const char *kind, struct bytes manifest, struct text *out)
{
	unsigned char sum[SHA256_LEN];

	sha256_of(manifest, sum);
	text_str(out, kind);
	text_byte(out, '\n');
	hex_put(out, bytes_of(sum, sizeof(sum)));
	text_byte(out, '\n');
}

enum err manifest_signer(struct bytes pem, unsigned char out[ED25519_PUBLIC_LEN])
{
	unsigned char key[ED25519_PUBLIC_LEN], mem[ED25519_PEM_MAX];
	struct text again;

	TRY(ed25519_public_load(pem, key));
	text_init(&again, mem, sizeof(mem));
	TRY(ed25519_public_write(key, &again));
	if (!bytes_eq(text_bytes(&again), pem))
		return ERR_SYNTAX;
	memcpy(out, key, sizeof(key));
	return OK;
}
