/* Files of web/, as the build took them in. A path has the hash of what it names: it may be kept by browsers for good. */
#include "gateway/page_priv.h"

const struct page_file *page_file_find(struct bytes path)
{
	for (size_t i = 0; i < page_file_count; i++) {
		if (bytes_eq(path, bytes_str(page_files[i].path)))
			return &page_files[i];
	}
	return NULL;
}

const char *page_file_path(const char *name)
{
	for (size_t i = 0; i < page_file_count; i++) {
		if (strcmp(name, page_files[i].name) == 0)
			return page_files[i].path;
	}
	return NULL;
}
