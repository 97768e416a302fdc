/* The system calls of each role. What is not here kills the process. Arguments are narrowed in jail.c: no
 * executable memory, sockets of the internet families only, signals to itself only. */
#include "jail/jail.h"

#include <sys/syscall.h>

const int jail_base[] = {
	/* its own memory and end */
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_futex, SYS_exit, SYS_exit_group,
	SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_restart_syscall, SYS_sysinfo, SYS_tgkill, SYS_getpid, SYS_gettid,
	SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
	/* the descriptors it has */
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_fstat, SYS_lseek, SYS_fcntl, SYS_poll, SYS_dup3,
	SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_ctl, SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom,
	/* time and randomness */
	SYS_clock_gettime, SYS_clock_nanosleep, SYS_gettimeofday, SYS_time, SYS_getrandom, SYS_getrusage,
	JAIL_END,
};

const int jail_worker[] = {
	SYS_accept4, SYS_shutdown, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername,
	SYS_splice, SYS_pipe2, /* bodies between sockets */
	JAIL_END,
};

const int jail_keeper[] = {
	SYS_pread64, SYS_pwrite64, /* the ledger's head */
	JAIL_END,
};

const int jail_dialer[] = {
	SYS_socket, SYS_connect, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername,
	SYS_ioctl, /* c-ares: FIONBIO; narrowed to it */
	JAIL_END,
};

const int jail_prober[] = {
	SYS_shutdown, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername,
	JAIL_END,
};

const int jail_watcher[] = {
	/* nothing beyond jail_base: it reads shared memory and appends to one descriptor */
	JAIL_END,
};

const int jail_scribe[] = {
	/* SQLite on the files of one folder */
	SYS_openat, SYS_newfstatat, SYS_readlink, SYS_getcwd, SYS_getdents64, SYS_pread64, SYS_pwrite64, SYS_fsync, SYS_fdatasync,
	SYS_ftruncate, SYS_fallocate, SYS_unlink, SYS_unlinkat, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_fchmod, SYS_ioctl,
	JAIL_END,
};

const int jail_identity[] = {
	/* SQLite on the files of one folder, as the scribe */
	SYS_openat, SYS_newfstatat, SYS_readlink, SYS_getcwd, SYS_pread64, SYS_pwrite64, SYS_fsync, SYS_fdatasync,
	SYS_ftruncate, SYS_fallocate, SYS_unlink, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_fchmod, SYS_ioctl,
	SYS_flock, /* its folder: one process writes */
	/* PostgreSQL over what the dialer connected */
	SYS_shutdown, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername,
	SYS_memfd_create, /* the store's authorities, of another configuration: libpq wants a file */
	JAIL_END,
};

const int jail_hasher[] = {
	/* nothing beyond jail_base: memory and arithmetic */
	JAIL_END,
};

const int jail_directory[] = {
	/* what the dialer connected; a question that takes too long ends the process */
	SYS_shutdown, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_setitimer,
	JAIL_END,
};

const int jail_check[] = {
	SYS_openat, SYS_newfstatat, SYS_readlink, SYS_getdents64, SYS_pread64, SYS_ioctl, SYS_getcwd, SYS_access, SYS_faccessat,
	JAIL_END,
};

const int jail_tree[] = {
	/* beside jail_check: paths inside a folder. What it opens for writing only Landlock sees, so it is for who needs it. */
	SYS_openat2,
	/* the end of its helper (verify-self) */
	SYS_wait4,
	JAIL_END,
};

const int jail_ledger[] = {
	/* beside jail_scribe and jail_check: SQLite gives its index of a journal to the owner of the file */
	SYS_fchown,
	JAIL_END,
};

const int jail_monitor[] = {
	/* beside jail_hunter: syslog comes in, and the folder of alerts is written */
	SYS_accept4, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_shutdown,
	SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_renameat, SYS_unlinkat,
	SYS_wait4, /* the sender's end */
	JAIL_END,
};

const int jail_sender[] = {
	/* libcurl: connections, and names by the C library in threads of their own */
	SYS_socket, SYS_connect, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_shutdown, SYS_sendmmsg,
	SYS_socketpair, SYS_pipe2, SYS_eventfd2, SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_rt_sigaction, SYS_uname,
	/* authorities, names of hosts, the journal and its positions, files that alerts are added to */
	SYS_openat, SYS_newfstatat, SYS_statx, SYS_readlink, SYS_readlinkat, SYS_access, SYS_faccessat, SYS_getdents64, SYS_pread64,
	SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_renameat, SYS_unlinkat, SYS_ioctl,
	JAIL_END,
};

const int jail_hunter[] = {
	/* folders and files, to read */
	SYS_openat, SYS_statx, SYS_newfstatat, SYS_readlinkat, SYS_getdents64, SYS_pread64, SYS_ioctl,
	JAIL_END,
};
