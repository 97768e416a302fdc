/* libsodium asks the kernel for the memory of each hash, all of it filled at once, and gives it back at once. In pages of 4 KiB each of these keeps a core
 * inside the kernel for 8 to 15 ms (64 MiB), where a kernel that does not preempt itself, as servers have it, lets no worker in. Who is linked with this
 * file takes such memory in huge pages where there are some (a hash then takes half the time, too), filled as it is touched, and gives it back in
 * pieces: what waits for the core comes in between. mmap(2), munmap(2), madvise(2) */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* else the names here are made mmap64 and the like; off_t is of 64 bits anyway */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LARGE (4ul << 20) /* from here on it is a hash's */
#define PIECE (2ul << 20) /* a huge page of x86-64, and of arm64 with pages of 4 KiB */

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	bool is_hash = fd < 0 && !at && len >= LARGE && (flags & MAP_POPULATE);
	void *got = (void *)syscall(SYS_mmap, at, len, protection, is_hash ? flags & ~MAP_POPULATE : flags, fd, offset);

	if (is_hash && got != MAP_FAILED)
		(void)!madvise(got, len, MADV_HUGEPAGE);
	return got;
}

int munmap(void *at, size_t len)
{
	char *from = at;

	for (; len > PIECE; from += PIECE, len -= PIECE)
		if (syscall(SYS_munmap, from, PIECE))
			return -1;
	return (int)syscall(SYS_munmap, from, len);
}
