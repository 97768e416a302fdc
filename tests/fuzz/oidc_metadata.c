/* What a provider may say of itself, and what its token endpoint may answer. */
#include "auth/oidc.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(struct bytes url)
{
	struct url u;

	CHECK(url_read(url, &u) == OK && u.host.len && u.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct oidc_metadata m;
	struct oidc_answer a;
	struct url u;
	const char *why = NULL;

	if (oidc_metadata_read(in, BYTES("https://id.example.org"), &m, &why) == OK) {
		CHECK(bytes_eq(m.issuer, BYTES("https://id.example.org")));
		check_url(m.authorization);
		check_url(m.token);
		check_url(m.keys);
		if (m.end_session.len)
			check_url(m.end_session);
		oidc_metadata_fini(&m);
	} else {
		CHECK(why);
	}
	why = NULL;
	if (oidc_answer_read(in, &a, &why) == OK) {
		CHECK(a.id_token.len);
		oidc_answer_fini(&a);
	} else {
		CHECK(why);
	}
	if (url_read(in, &u) == OK)
		CHECK(u.host.len && u.port && size <= URL_MAX);
	return 0;
}
