/* Proofs as a browser may send them: what is read fits its bounds, and verifies against nothing by chance. */
#include "auth/dbsc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[ES256_PUBLIC_LEN] = { 1 };
	struct bytes in = bytes_of(data, size), value = dbsc_string(in);
	struct dbsc_proof p;

	CHECK(value.len <= in.len);
	if (dbsc_read(in, &p) == OK) {
		CHECK(size <= DBSC_JWT_MAX && p.signed_part.at == data && p.signed_part.len < size);
		CHECK(!dbsc_verify(&p, key));
		if (p.has_key)
			(void)!dbsc_verify(&p, p.key);
	}
	return 0;
}
