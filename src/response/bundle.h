/* A NetScaler's technical support bundle (tar, mostly gzip): takes the few files out of it that a verdict needs, into memory, with limits.
 * It comes from a stranger: nothing is extracted, no name in it is used as a path here. Reads the descriptor that it is given. */
#ifndef RESPONSE_BUNDLE_H
#define RESPONSE_BUNDLE_H

#include "response/nsconf.h"

#define BUNDLE_FILE_MAX	   NSCONF_BYTES_MAX
#define BUNDLE_UNPACKED	   (16ULL << 30)
#define BUNDLE_MEMBERS_MAX 500000u

enum bundle_file {
	BUNDLE_NS_CONF,	 /* nsconfig/ns.conf */
	BUNDLE_RC,	 /* nsconfig/rc.netscaler: commands of the shell at start */
	BUNDLE_VERSION,	 /* flash/.version: what is installed */
	BUNDLE_LOADER,	 /* flash/boot/loader.conf: which kernel is booted */
	BUNDLE_FILE_COUNT
};
struct bundle {
	struct text files[BUNDLE_FILE_COUNT]; /* empty where has is false */
	bool has[BUNDLE_FILE_COUNT];
	bool is_damaged; /* it ends too early; what came before it is here */
	uint64_t members;
};
struct bundle_limits {
	uint64_t unpacked, members;
};

/* ERR_SYNTAX: no archive; ERR_LIMIT; ERR_NOT_FOUND: an archive without any of the files. The caller ends with bundle_fini in any case. */
enum err bundle_read(int fd, const struct bundle_limits *limits, struct bundle *out) MUST_USE;
/* The same over bytes, for tests and fuzzing. */
enum err bundle_read_bytes(struct bytes in, const struct bundle_limits *limits, struct bundle *out) MUST_USE;
void bundle_fini(struct bundle *b);
/* What is installed, or booted, as far as these two files tell. ns.conf tells which build saved it last: not the same. */
bool bundle_version(const struct bundle *b, struct ns_version *out) MUST_USE;

#endif
