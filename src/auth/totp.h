/* Time-based one-time passwords, RFC 6238: HMAC-SHA-1, six digits, 30 seconds: what all apps know. A code is taken once. */
#ifndef AUTH_TOTP_H
#define AUTH_TOTP_H

#include "base/text.h"

#define TOTP_SECRET_LEN 20 /* RFC 4226 4: 160 bits */
#define TOTP_STEP_S	30
#define TOTP_DIGITS	6

void totp_secret_new(unsigned char out[TOTP_SECRET_LEN]);
/* The code of a step (unix seconds / 30), six digits and an end; for tests and demo too. */
void totp_code(const unsigned char secret[TOTP_SECRET_LEN], uint64_t step, char out[TOTP_DIGITS + 1]);
/* True: code is that of now, of the step before or of the next, and of a step later than *last_step, which becomes it. Spaces in code are
 * skipped. Time does not depend on how much of it is right. */
bool totp_check(const unsigned char secret[TOTP_SECRET_LEN], struct bytes code, uint64_t now_s, uint64_t *last_step) MUST_USE;
/* Base32, RFC 4648 6, without padding. */
void totp_base32(struct text *t, struct bytes b);
/* otpauth://totp/ISSUER:USER?secret=...&issuer=ISSUER (percent-encoded). */
void totp_uri(struct text *t, struct bytes issuer, struct bytes user, const unsigned char secret[TOTP_SECRET_LEN]);

#endif
