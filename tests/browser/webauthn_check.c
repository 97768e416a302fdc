/* Passkeys from a real browser, given to the functions of the gateway. All values are base64url, but for the id, the origin and numbers.
 *   webauthn_check register RP_ID ORIGIN CHALLENGE VERIFIED CLIENT_DATA ATTESTATION
 *   webauthn_check assert   RP_ID ORIGIN CHALLENGE VERIFIED CLIENT_DATA AUTH_DATA SIGNATURE ID KEY ALGORITHM COUNT
 * VERIFIED: 1, when the user has to be. Prints one line, "ok ID KEY ALGORITHM COUNT VERIFIED BACKED_UP" or "no STEP"; the status is 0 for both. */
#include "auth/webauthn.h"
#include "crypto/base64.h"

#include <stdio.h>
#include <stdlib.h>

enum { VALUES = 7, VALUE_MAX = 16384 };

static struct bytes value(const char *arg)
{
	static unsigned char mem[VALUES][VALUE_MAX];
	static size_t used;
	size_t len;

	CHECK(used < VALUES && base64url_read_any(bytes_str(arg), mem[used], VALUE_MAX, &len) == OK);
	return bytes_of(mem[used++], len);
}

static void print(struct bytes b)
{
	unsigned char mem[2 * WEBAUTHN_ID_MAX];
	struct text t;

	text_init(&t, mem, sizeof mem);
	base64url_put(&t, b);
	CHECK(!t.failed);
	printf(" %.*s", (int)t.len, (const char *)mem);
}

int main(int argc, char **argv)
{
	bool is_registration = argc == 8 && strcmp(argv[1], "register") == 0;
	struct webauthn_credential old = { 0 }, c;
	struct webauthn_party p;
	const char *why = "";
	enum err e;

	if (!is_registration && !(argc == 13 && strcmp(argv[1], "assert") == 0)) {
		fprintf(stderr, "usage: see tests/browser/webauthn_check.c\n");
		return 2;
	}
	p = (struct webauthn_party){ .rp_id = bytes_str(argv[2]), .origin = bytes_str(argv[3]), .challenge = value(argv[4]),
		.needs_verification = argv[5][0] == '1' };
	if (is_registration) {
		e = webauthn_register(&p, value(argv[6]), value(argv[7]), &c, &why);
	} else {
		struct bytes client_data = value(argv[6]), auth_data = value(argv[7]), signature = value(argv[8]);
		old.id = value(argv[9]);
		old.public_key = value(argv[10]);
		old.algorithm = (int)strtol(argv[11], NULL, 10);
		old.sign_count = (uint32_t)strtoul(argv[12], NULL, 10);
		e = webauthn_assert(&p, &old, client_data, auth_data, signature, &c, &why);
	}
	if (e != OK) {
		printf("no %s\n", why);
		return 0;
	}
	printf("ok");
	print(c.id);
	print(c.public_key);
	printf(" %d %u %d %d\n", c.algorithm, c.sign_count, c.is_verified, c.is_backed_up);
	return 0;
}
