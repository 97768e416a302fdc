/* libsodium does the work. What is ours: a hash is held against the form and the limits before it may cost memory and time, and memory that is not
 * there is no wrong password. */
#include "auth/password.h"

#include "base/secret.h"

#include <sodium.h>
#include <sys/mman.h>

#define MEMORY_MOST_KIB (256 * 1024)
#define PASSES_MOST	10
#define LANES_MOST	16
#define SALT_LEAST	8 /* RFC 9106 3.1 */
#define SALT_MOST	48
#define TAG_LEAST	16 /* libsodium's least */
#define TAG_MOST	64

/* Nobody's: of the form and the cost of those that password_hash makes. Whoever finds a password with 32 zeros for a tag is still refused. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

enum err password_init(void)
{
	return sodium_init() < 0 ? ERR_IO : OK;
}

/* A number up to sep, without leading zeros. */
static bool take_number(struct bytes *in, const char *name, unsigned char sep, uint64_t most, uint64_t *out)
{
	struct bytes digits;
	size_t end;

	if (!bytes_starts(*in, bytes_str(name)))
		return false;
	*in = bytes_cut(*in, strlen(name), in->len);
	end = bytes_find_byte(*in, sep);
	if (end == SIZE_MAX || end == 0 || in->at[0] == '0')
		return false;
	digits = bytes_cut(*in, 0, end);
	*in = bytes_cut(*in, end + 1, in->len);
	return bytes_u64(digits, out) == OK && *out <= most;
}

/* Base64 without padding, RFC 4648 4, of least to most octets; what is left over of the last character must be zero. */
static bool is_base64(struct bytes in, size_t least, size_t most)
{
	static const unsigned char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct bytes all = bytes_of(alphabet, 64);
	size_t octets = in.len / 4 * 3 + (in.len % 4 ? in.len % 4 - 1 : 0), last = 0;

	if (in.len % 4 == 1 || octets < least || octets > most)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		last = bytes_find_byte(all, in.at[i]);
		if (last == SIZE_MAX)
			return false;
	}
	return in.len % 4 == 0 || last % (in.len % 4 == 2 ? 16 : 4) == 0;
}

struct cost {
	uint64_t memory_kib, passes, lanes;
};
static const struct cost ours = { crypto_pwhash_MEMLIMIT_INTERACTIVE / 1024, crypto_pwhash_OPSLIMIT_INTERACTIVE, 1 };

static bool parse(struct bytes hash, struct cost *c)
{
	struct bytes in = hash, head = BYTES("$argon2id$v=19$");
	size_t end;

	if (hash.len >= PASSWORD_HASH_MAX || !bytes_starts(hash, head))
		return false;
	in = bytes_cut(in, head.len, in.len);
	if (!take_number(&in, "m=", ',', MEMORY_MOST_KIB, &c->memory_kib) || !take_number(&in, "t=", ',', PASSES_MOST, &c->passes) ||
		!take_number(&in, "p=", '$', LANES_MOST, &c->lanes))
		return false;
	if (c->memory_kib < 8 * c->lanes) /* RFC 9106 3.1 */
		return false;
	end = bytes_find_byte(in, '$');
	return end != SIZE_MAX && is_base64(bytes_cut(in, 0, end), SALT_LEAST, SALT_MOST) &&
	       is_base64(bytes_cut(in, end + 1, in.len), TAG_LEAST, TAG_MOST);
}

bool password_hash_is_valid(struct bytes hash)
{
	struct cost c;

	return parse(hash, &c);
}

bool password_hash_is_ours(struct bytes hash)
{
	struct cost c;

	return parse(hash, &c) && c.memory_kib == ours.memory_kib && c.passes == ours.passes && c.lanes == ours.lanes;
}

static const char *chars(struct bytes b)
{
	return b.len ? (const char *)b.at : "";
}

enum err password_hash(struct bytes password, char out[PASSWORD_HASH_MAX])
{
	char made[crypto_pwhash_STRBYTES];

	_Static_assert(sizeof made == PASSWORD_HASH_MAX, "libsodium's strings fit");
	if (crypto_pwhash_str_alg(made, chars(password), password.len, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
		    crypto_pwhash_ALG_ARGON2ID13) != 0)
		return ERR_MEMORY; /* the one reason that is left: the parameters are libsodium's own */
	memcpy(out, made, sizeof made);
	return OK;
}

/* libsodium answers "does not fit" also when it has no memory, so that it is asked of the system once more. */
static bool has_memory(uint64_t kib)
{
	void *at = mmap(NULL, (size_t)kib * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return false;
	munmap(at, (size_t)kib * 1024);
	return true;
}

enum err password_verify(struct bytes hash, struct bytes password, bool *fits)
{
	struct bytes of = hash.len ? hash : bytes_str(nobody);
	char str[PASSWORD_HASH_MAX] = "";
	struct cost c;
	bool is_right;

	if (!parse(of, &c))
		return ERR_SYNTAX;
	memcpy(str, of.at, of.len);
	is_right = crypto_pwhash_argon2id_str_verify(str, chars(password), password.len) == 0;
	secret_wipe(str, sizeof str);
	if (!is_right && !has_memory(c.memory_kib))
		return ERR_MEMORY;
	*fits = is_right && hash.len > 0;
	return OK;
}
