/* The configuration of a role, read from the bundle. Apart from role.c so that a role that needs no
 * configuration does not carry its parser. */
#include "roles/role.h"

#include "base/log.h"
#include "conf/bundle.h"

enum err role_conf(struct role_run *run, struct conf **out)
{
	static struct bundle_reader reader; /* the snapshot's views lead into the mapped bundle */
	struct conf_errors errors = { 0 };
	enum err e;

	TRY(bundle_reader_init(&reader, run->bundle));
	e = conf_load(reader.file, reader.text, &reader.source, out, &errors);
	/* The master loaded the same bytes before: this is a mistake of ours, and the line says which. */
	for (size_t i = 0; e != OK && i < errors.count; i++)
		LOG(EV_INTERNAL, KV_BYTES("file", errors.list[i].file), KV_UINT("line", errors.list[i].line),
			KV_BYTES("what", errors.list[i].what));
	return e;
}
