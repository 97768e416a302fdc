/* Names in folders, and copies of databases that are in use. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "base/bytes.h"

#include <dirent.h>

/* A folder's names in order, without those that begin with a dot, as far as want says so. NULL: it cannot be read (errno). */
char **names_in(const char *dir, bool (*want)(const char *name, void *ctx), void *ctx, size_t *count) MUST_USE;
/* The same of an opened folder, hidden ones too, but "." and ".."; want NULL: all. Closes d, which may be NULL (errno). */
char **names_of(DIR *d, bool (*want)(const char *name, void *ctx), void *ctx, size_t *count) MUST_USE;
void names_free(char **list, size_t count);
/* A consistent copy of the SQLite file from, whatever writes to it meanwhile and with what its journal holds, as an unnamed
 * file; temporary is a free name where the copy may be made. False: *why says why. */
bool sqlite_copy(const char *from, const char *temporary, int *fd, const char **why) MUST_USE;

#endif
