/* Descriptors that live in one function, and the small calls every process makes on descriptors. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/bytes.h"
#include "base/text.h"

/* AUTO(fd_close) int fd = open(...); the descriptor is closed where the variable ends; set it to -1 to keep it. */
#define AUTO(fini) __attribute__((cleanup(fini)))
void fd_close(int *fd); /* accepts -1, leaves -1 */
int fd_copy(int fd); /* another descriptor of the same, the caller's; -1: none left */
enum err fd_nonblock(int fd) MUST_USE;
enum err fd_cloexec(int fd, bool on) MUST_USE;
/* Writes all, or fails; for files and pipes at start-up and in the cli. */
enum err fd_write_all(int fd, struct bytes b) MUST_USE;
/* Appends all of fd to out; ERR_LIMIT when out would pass its limit. */
enum err fd_read_all(int fd, struct text *out) MUST_USE;
/* The same from offset 0, whatever others that share the descriptor have read. */
enum err fd_read_at_start(int fd, struct text *out) MUST_USE;
/* The names in a folder are on disk: a power loss takes none of them. */
enum err folder_sync(const char *path) MUST_USE;
enum err file_read(const char *path, struct text *out) MUST_USE;
/* An anonymous file with these bytes, sealed: it can never change. */
enum err memfd_sealed(const char *name, struct bytes b, int *out) MUST_USE;
/* The same with what is in the file fd, which the kernel copies: its bytes do not come into this process. ERR_LIMIT:
 * more than most. */
enum err memfd_of_file(const char *name, int fd, size_t most, int *out) MUST_USE;

#endif
