/* The configuration of a role, read from the bundle. Apart from role.c so that a role that needs no
 * configuration does not carry its parser. */
#include "roles/role.h"

#include "base/log.h"
#include "conf/bundle.h"

#include <sys/mman.h>
#include <sys/stat.h>

static enum err load(struct bytes bundle, struct conf **out)
{
	struct bundle_reader reader; /* the snapshot's views lead into the mapped bundle */
	struct conf_errors errors = { 0 };
	enum err e;

	TRY(bundle_reader_init(&reader, bundle));
	e = conf_load(reader.file, reader.text, &reader.source, out, &errors);
	/* The master loaded the same bytes before: this is a mistake of ours, and the line says which. */
	for (size_t i = 0; e != OK && i < errors.count; i++)
		LOG(EV_INTERNAL, KV_BYTES("file", errors.list[i].file), KV_UINT("line", errors.list[i].line),
			KV_BYTES("what", errors.list[i].what));
	return e;
}

enum err role_conf(struct role_run *run, struct conf **out)
{
	return load(run->bundle, out);
}

enum err role_conf_again(struct role_run *run, int bundle_fd, struct conf **conf)
{
	struct conf *next = NULL;
	struct stat st;
	void *at;
	enum err e;

	if (fstat(bundle_fd, &st) < 0 || st.st_size <= 0 || st.st_size > BUNDLE_MOST)
		return ERR_LIMIT;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, bundle_fd, 0);
	if (at == MAP_FAILED)
		return ERR_MEMORY;
	e = load(bytes_of(at, (size_t)st.st_size), &next);
	if (e != OK) {
		munmap(at, (size_t)st.st_size);
		return e;
	}
	conf_free(conf);
	munmap((void *)(uintptr_t)run->bundle.at, run->bundle.len);
	run->bundle = bytes_of(at, (size_t)st.st_size);
	*conf = next;
	return OK;
}
