/* A name as people type it in a filter, and a DN. The filter has the brackets of its pattern and no other. */
#include "auth/ldap_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[1 << 16], back[1 << 15];
	struct bytes in = bytes_of(data, size);
	size_t brackets = 0, stars = 0;
	struct text t, b;

	text_init(&t, mem, sizeof mem);
	if (ldap_filter_fill(&t, BYTES("(&(uid=%u)(member=%d))"), in, in) == OK) {
		for (size_t i = 0; i < t.len; i++) {
			brackets += t.at[i] == '(' || t.at[i] == ')';
			stars += t.at[i] == '*';
			CHECK(t.at[i] >= ' ' && t.at[i] < 0x7f);
		}
		CHECK(brackets == 6 && stars == 0);
	}
	t.len = 0;
	t.failed = false;
	(void)!ldap_filter_fill(&t, in, BYTES("*"), BYTES("cn=a"));
	t.len = 0;
	t.failed = false;
	if (ldap_rdn_value(in, &t) == OK)
		CHECK(t.len > 0 && t.len < size);
	t.len = 0;
	t.failed = false;
	ldap_hex(&t, in);
	text_init(&b, back, sizeof back);
	if (!t.failed && size && size <= sizeof back)
		CHECK(ldap_unhex(&b, text_bytes(&t)) == OK && bytes_eq(text_bytes(&b), in));
	(void)!ldap_unhex(&b, in);
	return 0;
}
