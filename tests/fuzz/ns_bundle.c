/* Any bytes as a technical support bundle: refused, or files within the limits, which ns.conf's reader and the version's take. */
#include "response/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bundle_limits limits = { .unpacked = 4u << 20, .members = 500 };
	struct ns_version version;
	struct bundle b;
	bool any = false;
	enum err e = bundle_read_bytes(bytes_of(data, size), &limits, &b);

	for (unsigned i = 0; i < BUNDLE_FILE_COUNT; i++) {
		any = any || b.has[i];
		CHECK(b.has[i] || b.files[i].len == 0);
		CHECK(b.files[i].len <= BUNDLE_FILE_MAX);
	}
	CHECK(e != OK || any);
	if (e == OK && bundle_version(&b, &version))
		CHECK(version.line.edition <= NS_NDCPP);
	bundle_fini(&b);
	return 0;
}
