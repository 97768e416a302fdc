/* All three steps that may fit are computed and compared, whatever the first says. */
#include "auth/totp.h"

#include "base/secret.h"
#include "crypto/random.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SHA1_LEN 20
#define DIGITS_END 1000000 /* 10 to the power TOTP_DIGITS */

void totp_secret_new(unsigned char out[TOTP_SECRET_LEN])
{
	random_bytes(out, TOTP_SECRET_LEN);
}

void totp_code(const unsigned char secret[TOTP_SECRET_LEN], uint64_t step, char out[TOTP_DIGITS + 1])
{
	unsigned char counter[8], mac[SHA1_LEN];
	unsigned len = SHA1_LEN;
	uint32_t n;
	size_t at;

	for (size_t i = 0; i < sizeof counter; i++)
		counter[i] = (unsigned char)(step >> (56 - 8 * i));
	CHECK(HMAC(EVP_sha1(), secret, TOTP_SECRET_LEN, counter, sizeof counter, mac, &len) && len == SHA1_LEN);
	at = mac[SHA1_LEN - 1] & 15; /* RFC 4226 5.3 */
	n = ((uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3]) % DIGITS_END;
	for (size_t i = TOTP_DIGITS; i-- > 0; n /= 10)
		out[i] = (char)('0' + n % 10);
	out[TOTP_DIGITS] = 0;
	secret_wipe(mac, sizeof mac);
}

bool totp_check(const unsigned char secret[TOTP_SECRET_LEN], struct bytes code, uint64_t now_s, uint64_t *last_step)
{
	uint64_t step = now_s / TOTP_STEP_S, taken = 0;
	unsigned char typed[TOTP_DIGITS];
	char want[TOTP_DIGITS + 1];
	bool is_right = false;
	size_t n = 0;

	for (size_t i = 0; i < code.len; i++) {
		if (code.at[i] == ' ')
			continue;
		if (n == TOTP_DIGITS)
			return false;
		typed[n++] = code.at[i];
	}
	if (n < TOTP_DIGITS)
		return false;
	for (unsigned i = 0; i < 3; i++) { /* the earliest that fits, so that the codes after it can still be used */
		bool is_there = step + i >= 1; /* before 1970 there is none */
		uint64_t of = is_there ? step + i - 1 : 0;
		totp_code(secret, of, want);
		if (secret_eq(bytes_of(typed, n), bytes_of(want, TOTP_DIGITS)) & is_there & (of > *last_step) & !is_right) {
			taken = of;
			is_right = true;
		}
	}
	secret_wipe(want, sizeof want);
	if (is_right)
		*last_step = taken;
	return is_right;
}

void totp_base32(struct text *t, struct bytes b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < b.len; i++) {
		bits = bits << 8 | b.at[i];
		for (have += 8; have >= 5; have -= 5)
			text_byte(t, (unsigned char)digits[bits >> (have - 5) & 31]);
	}
	if (have)
		text_byte(t, (unsigned char)digits[bits << (5 - have) & 31]);
}

/* All but RFC 3986 2.3's unreserved characters. */
static void put_percent(struct text *t, struct bytes b)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i];
		if ((ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || bytes_find_byte(BYTES("-._~"), c) != SIZE_MAX) {
			text_byte(t, c);
		} else {
			text_byte(t, '%');
			text_byte(t, (unsigned char)hex[c >> 4]);
			text_byte(t, (unsigned char)hex[c & 15]);
		}
	}
}

void totp_uri(struct text *t, struct bytes issuer, struct bytes user, const unsigned char secret[TOTP_SECRET_LEN])
{
	text_lit(t, "otpauth://totp/");
	put_percent(t, issuer);
	text_byte(t, ':');
	put_percent(t, user);
	text_lit(t, "?secret=");
	totp_base32(t, bytes_of(secret, TOTP_SECRET_LEN));
	text_lit(t, "&issuer=");
	put_percent(t, issuer);
}
