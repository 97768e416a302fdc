/* A configuration bundle of one file, for a role under test. */
#ifndef UNIT_ROLES_BUNDLE_H
#define UNIT_ROLES_BUNDLE_H

#include "child.h"
#include "conf/bundle.h"

static enum err no_file(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s, (void)path, (void)arena, (void)out;
	return ERR_NOT_FOUND;
}

static inline void child_setup_conf(struct child *c, const char *yaml)
{
	struct conf_source none = { .get = no_file };
	struct bundle_writer w;

	bundle_writer_init(&w, &none, BYTES("sluis.yaml"), bytes_str(yaml));
	child_setup(c, text_bytes(&w.out));
	bundle_writer_fini(&w);
}

#endif
