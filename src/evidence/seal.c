/* libcrypto's scrypt and AES-256-GCM. Salt and nonce are fresh for each sealing, so a key never meets a nonce twice. */
#include "evidence/seal.h"

#include "base/secret.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#include <openssl/evp.h>

#define SALT_LEN  16
#define NONCE_LEN 12
#define TAG_LEN	  16
#define KEY_LEN	  32
#define N_LEAST	  (1u << 10)
#define N_MOST	  (1u << 20)
#define R_MOST	  16
#define P_MOST	  4
#define PIECE	  (1u << 30) /* EVP counts in int */

struct header {
	struct seal_cost cost;
	unsigned char salt[SALT_LEN], nonce[NONCE_LEN];
	struct bytes front, body; /* front: all lines; body: encrypted bytes and tag */
};

static bool is_cost_bearable(struct seal_cost c)
{
	return c.n >= N_LEAST && c.n <= N_MOST && (c.n & (c.n - 1)) == 0 && c.r >= 1 && c.r <= R_MOST && c.p >= 1 && c.p <= P_MOST;
}

static enum err make_key(struct bytes passphrase, const struct header *h, unsigned char key[KEY_LEN])
{
	uint64_t most = 128 * h->cost.r * (h->cost.n + h->cost.p) + (1u << 20);

	if (EVP_PBE_scrypt((const char *)passphrase.at, passphrase.len, h->salt, SALT_LEN, h->cost.n, h->cost.r, h->cost.p, most, key,
		    KEY_LEN) != 1)
		return ERR_MEMORY;
	return OK;
}

static bool update(EVP_CIPHER_CTX *c, unsigned char *out, struct bytes in)
{
	int n = 0;

	while (in.len) {
		size_t step = in.len < PIECE ? in.len : PIECE;

		if (EVP_CipherUpdate(c, out, &n, in.at, (int)step) != 1 || (size_t)n != step)
			return false;
		out += step;
		in = bytes_cut(in, step, in.len);
	}
	return true;
}

/* Both directions: the tag is written when sealing, and set beforehand when opening. */
static bool crypt(bool seals, const struct header *h, const unsigned char key[KEY_LEN], struct bytes in, unsigned char *out,
	unsigned char tag[TAG_LEN])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char none[16];
	int n = 0;
	bool ok = c && EVP_CipherInit_ex2(c, EVP_aes_256_gcm(), key, h->nonce, seals, NULL) == 1 &&
		(seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1) &&
		EVP_CipherUpdate(c, NULL, &n, h->front.at, (int)h->front.len) == 1 && update(c, out, in) &&
		EVP_CipherFinal_ex(c, none, &n) == 1 && n == 0 &&
		(!seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1);

	EVP_CIPHER_CTX_free(c);
	return ok;
}

static void put_zeros(struct text *t, size_t n)
{
	static const unsigned char zeros[4096];

	for (; n && !t->failed; n -= n < sizeof(zeros) ? n : sizeof(zeros))
		text_add(t, bytes_of(zeros, n < sizeof(zeros) ? n : sizeof(zeros)));
}

enum err seal(struct bytes plain, struct bytes passphrase, struct seal_cost cost, struct text *out)
{
	struct header h = { .cost = cost };
	unsigned char key[KEY_LEN], tag[TAG_LEN];
	size_t start = out->len, body;
	enum err e;

	if (!is_cost_bearable(cost))
		return ERR_LIMIT;
	random_bytes(h.salt, SALT_LEN);
	random_bytes(h.nonce, NONCE_LEN);
	text_fmt(out, "sluis-sealed-1\nscrypt %llu %u %u\n", (unsigned long long)cost.n, cost.r, cost.p);
	hex_put(out, bytes_of(h.salt, SALT_LEN));
	text_byte(out, '\n');
	hex_put(out, bytes_of(h.nonce, NONCE_LEN));
	text_byte(out, '\n');
	body = out->len;
	put_zeros(out, plain.len + TAG_LEN);
	if (out->failed)
		return ERR_LIMIT;
	h.front = bytes_of(out->at + start, body - start);
	e = make_key(passphrase, &h, key);
	if (e == OK && !crypt(true, &h, key, plain, out->at + body, tag))
		e = ERR_MEMORY;
	if (e == OK)
		memcpy(out->at + body + plain.len, tag, TAG_LEN);
	secret_wipe(key, sizeof(key));
	return e;
}

/* A line's content; .at is NULL when there is none. */
static struct bytes take_line(struct bytes *left)
{
	size_t end = bytes_find_byte(bytes_cut(*left, 0, 100), '\n');
	struct bytes line = bytes_cut(*left, 0, end);

	if (end == SIZE_MAX)
		return bytes_of(NULL, 0);
	*left = bytes_cut(*left, end + 1, left->len);
	return line;
}

static enum err take_number(struct bytes *line, uint64_t most, uint64_t *out)
{
	size_t end = bytes_find_byte(*line, ' ');
	uint64_t n;

	TRY(bytes_u64(bytes_cut(*line, 0, end), &n));
	if (n > most)
		return ERR_LIMIT;
	*line = end == SIZE_MAX ? bytes_of(NULL, 0) : bytes_cut(*line, end + 1, line->len);
	*out = n;
	return OK;
}

static enum err read_header(struct bytes sealed, struct header *h)
{
	struct bytes left = sealed, line;
	uint64_t n, r, p;

	if (!bytes_eq(take_line(&left), BYTES("sluis-sealed-1")))
		return ERR_SYNTAX;
	line = take_line(&left);
	if (!bytes_starts(line, BYTES("scrypt ")))
		return ERR_SYNTAX;
	line = bytes_cut(line, 7, line.len);
	TRY(take_number(&line, N_MOST, &n));
	TRY(take_number(&line, R_MOST, &r));
	TRY(take_number(&line, P_MOST, &p));
	if (line.at)
		return ERR_SYNTAX;
	h->cost = (struct seal_cost){ n, (uint32_t)r, (uint32_t)p };
	TRY(hex_read(take_line(&left), h->salt, SALT_LEN));
	TRY(hex_read(take_line(&left), h->nonce, NONCE_LEN));
	if (left.len < TAG_LEN)
		return ERR_SYNTAX;
	h->front = bytes_cut(sealed, 0, sealed.len - left.len);
	h->body = left;
	return is_cost_bearable(h->cost) ? OK : ERR_LIMIT;
}

enum err seal_open(struct bytes sealed, struct bytes passphrase, struct text *out)
{
	unsigned char key[KEY_LEN], tag[TAG_LEN];
	size_t start = out->len, len;
	struct header h;
	enum err e;

	TRY(read_header(sealed, &h));
	len = h.body.len - TAG_LEN;
	memcpy(tag, h.body.at + len, TAG_LEN);
	put_zeros(out, len);
	if (out->failed)
		return ERR_LIMIT;
	e = make_key(passphrase, &h, key);
	if (e == OK && !crypt(false, &h, key, bytes_cut(h.body, 0, len), out->at + start, tag))
		e = ERR_DENIED;
	secret_wipe(key, sizeof(key));
	if (e != OK) { /* what did not authenticate is nobody's to see */
		if (len)
			secret_wipe(out->at + start, len);
		out->len = start;
	}
	return e;
}
