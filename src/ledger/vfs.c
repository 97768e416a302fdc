/* SQLite's own for Unix, but for the one function that would look at each folder above. */
#include "ledger/vfs.h"

#include "base/text.h"

#include <sqlite3.h>

static int keep_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	struct text t;

	(void)vfs;
	text_init(&t, out, (size_t)size);
	text_add(&t, bytes_of(path, strlen(path) + 1));
	return t.failed ? SQLITE_CANTOPEN : SQLITE_OK;
}

const char *ledger_vfs(void)
{
	static sqlite3_vfs vfs;

	if (!vfs.zName) {
		const sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

		CHECK(unix_vfs);
		vfs = *unix_vfs;
		vfs.zName = "sluis-ledger";
		vfs.pNext = NULL;
		vfs.xFullPathname = keep_path;
		CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
	}
	return vfs.zName;
}
