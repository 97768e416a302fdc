/* SQLite's way to files for a process that stands in its folder and cannot walk to it from the root: a path stays as it is. */
#ifndef LEDGER_VFS_H
#define LEDGER_VFS_H

/* A name for sqlite3_open_v2. Not for several threads at once before its first return. */
const char *ledger_vfs(void);

#endif
