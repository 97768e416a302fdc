/* 80 random bits as sixteen characters. What is hashed is the bits: how a person spells them does not matter. */
#include "auth/recovery.h"

#include "base/secret.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#define BITS_LEN   10
#define CHARACTERS 16
#define GROUP	   4

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

void recovery_new(char code[RECOVERY_CODE_LEN + 1], unsigned char hash[RECOVERY_HASH_LEN])
{
	unsigned char bits[BITS_LEN];
	size_t n = 0;

	random_bytes(bits, sizeof bits);
	for (size_t i = 0; i < CHARACTERS; i++) {
		size_t at = i * 5 / 8;
		unsigned two = (unsigned)bits[at] << 8 | (at + 1 < BITS_LEN ? bits[at + 1] : 0);
		if (i && i % GROUP == 0)
			code[n++] = '-';
		code[n++] = alphabet[two >> (11 - i * 5 % 8) & 31];
	}
	code[n] = 0;
	CHECK(n == RECOVERY_CODE_LEN);
	sha256_of(bytes_of(bits, sizeof bits), hash);
	secret_wipe(bits, sizeof bits);
}

static size_t value_of(unsigned char c)
{
	c = ascii_lower(c);
	if (c == 'o')
		c = '0';
	else if (c == 'i' || c == 'l')
		c = '1';
	return bytes_find_byte(bytes_of(alphabet, 32), c);
}

bool recovery_hash(struct bytes typed, unsigned char hash[RECOVERY_HASH_LEN])
{
	unsigned char bits[BITS_LEN];
	size_t count = 0, n = 0;
	uint32_t left = 0;
	unsigned have = 0;

	for (size_t i = 0; i < typed.len; i++) {
		size_t value;
		if (typed.at[i] == ' ' || typed.at[i] == '\t' || typed.at[i] == '-')
			continue;
		value = value_of(typed.at[i]);
		if (value == SIZE_MAX || count == CHARACTERS)
			return false;
		count++;
		left = left << 5 | (uint32_t)value;
		have += 5;
		if (have >= 8) {
			have -= 8;
			bits[n++] = (unsigned char)(left >> have);
		}
	}
	if (count < CHARACTERS)
		return false;
	sha256_of(bytes_of(bits, sizeof bits), hash);
	secret_wipe(bits, sizeof bits);
	return true;
}
