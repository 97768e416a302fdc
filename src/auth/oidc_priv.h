/* JSON of another sign-in service, read with suspicion. */
#ifndef AUTH_OIDC_PRIV_H
#define AUTH_OIDC_PRIV_H

#include "auth/oidc.h"

#include <jansson.h>

/* An object, members of which come once each. NULL: it is not. The caller's. */
json_t *oidc_json_object(struct bytes in);
/* A member that is a string; empty: it is not there, or is something else. */
struct bytes oidc_string(const json_t *object, const char *name);
bool oidc_string_is(const json_t *object, const char *name, const char *value);
/* Whether an array has that string. */
bool oidc_array_has(const json_t *array, struct bytes value);

struct oidc_algorithm_row {
	const char *name, *key_type, *curve; /* as in a JWK; curve NULL: RSA */
	const char *digest; /* NULL: the signature's own (Ed25519) */
	size_t number_len; /* of ECDSA: of r, and of s */
	bool is_pss;
};
extern const struct oidc_algorithm_row oidc_algorithms[OIDC_ALGORITHM_COUNT];

#endif
