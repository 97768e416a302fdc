/* Confinement by the system's own means: setuid, prctl, rlimits, Landlock by raw system calls (glibc has no
 * wrappers), seccomp through libseccomp. */
#define _GNU_SOURCE
#include "jail/jail.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Debian 12's header stops at ABI 2; the kernel takes what it knows of a longer struct when the rest is 0. */
struct landlock_attr {
	uint64_t fs, net, scoped;
};
struct landlock_path {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));
#define LANDLOCK_VERSION_FLAG	 1u
#define LANDLOCK_PATH		 1
#define LANDLOCK_FS_WRITE_FILE	 (1ull << 1)
#define LANDLOCK_FS_READ_FILE	 (1ull << 2)
#define LANDLOCK_FS_READ_DIR	 (1ull << 3)
#define LANDLOCK_FS_REMOVE_FILE	 (1ull << 5)
#define LANDLOCK_FS_MAKE_REG	 (1ull << 8)
#define LANDLOCK_FS_TRUNCATE	 (1ull << 14) /* ABI 3 */
#define LANDLOCK_NET_BIND	 1ull
#define LANDLOCK_NET_CONNECT	 2ull
#define LANDLOCK_SCOPE_ALL	 3ull /* abstract unix sockets, signals */

static enum err landlock_reads(int ruleset, const char *const *reads)
{
	for (; reads && *reads; reads++) {
		AUTO(fd_close) int dir = open(*reads, O_PATH | O_CLOEXEC);
		struct landlock_path rule = { LANDLOCK_FS_READ_FILE | LANDLOCK_FS_READ_DIR, dir };

		struct stat st;

		if (dir < 0 || fstat(dir, &st) < 0)
			return ERR_DENIED;
		if (!S_ISDIR(st.st_mode)) /* the kernel refuses a folder's right on a file */
			rule.allowed = LANDLOCK_FS_READ_FILE;
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH, &rule, 0) < 0)
			return ERR_DENIED;
	}
	return OK;
}

static enum err landlock_writes(int ruleset, const char *path, uint64_t known)
{
	AUTO(fd_close) int dir = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path rule = { (LANDLOCK_FS_READ_FILE | LANDLOCK_FS_READ_DIR | LANDLOCK_FS_WRITE_FILE | LANDLOCK_FS_REMOVE_FILE |
		LANDLOCK_FS_MAKE_REG | LANDLOCK_FS_TRUNCATE) & known, dir };

	return dir < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH, &rule, 0) < 0 ? ERR_DENIED : OK;
}

/* *level: the kernel's ABI, 0 where there is no Landlock. */
static enum err landlock_apply(const struct jail *j, long *level)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
	struct landlock_attr attr = { .fs = (1ull << 13) - 1 };
	size_t size = sizeof(attr.fs);

	if (abi < 1) {
		*level = 0;
		return OK;
	}
	if (abi >= 2)
		attr.fs |= 1ull << 13;
	if (abi >= 3)
		attr.fs |= 1ull << 14;
	if (abi >= 5)
		attr.fs |= 1ull << 15;
	if (abi >= 4) {
		attr.net = LANDLOCK_NET_BIND | (j->may_connect ? 0 : LANDLOCK_NET_CONNECT);
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 6) {
		attr.scoped = LANDLOCK_SCOPE_ALL;
		size = sizeof(attr);
	}
	AUTO(fd_close) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return ERR_DENIED;
	TRY(landlock_reads(ruleset, j->reads));
	if (j->writes)
		TRY(landlock_writes(ruleset, j->writes, attr.fs));
	for (const char *const *more = j->writes_too; more && *more; more++)
		TRY(landlock_writes(ruleset, *more, attr.fs));
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return ERR_DENIED;
	*level = abi;
	return OK;
}

/* The narrowed calls; 1 when nr was one of them. Negative: refused by the library. */
static int seccomp_narrow(scmp_filter_ctx ctx, const struct jail *j, int nr)
{
	int e;

	switch (nr) {
	case SYS_mmap:
	case SYS_mprotect: /* no code that was not there at start */
		if (j->makes_code)
			return 0;
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (!e && j->looks_up_names)
			e = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
		break;
	case SYS_socket:
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_EQ, AF_INET));
		if (!e)
			e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6));
		if (!e && j->looks_up_names) {
			e = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), nr, 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
			if (!e)
				e = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), nr, 1, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
		}
		break;
	case SYS_ioctl:
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO));
		if (!e && j->looks_up_names) /* what a connection has not delivered yet */
			e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ));
		if (!e) /* isatty() of stdio gets an answer that lets it go on */
			e = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), nr, 1, SCMP_A1(SCMP_CMP_EQ, TCGETS));
		break;
	case SYS_tgkill: /* abort() */
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
		break;
	case SYS_openat: /* to read, but for who has a folder to write in */
		if (j->writes)
			return 0;
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
		break;
	default:
		return 0;
	}
	return e < 0 ? e : 1;
}

static enum err seccomp_list(scmp_filter_ctx ctx, const struct jail *j, const int *list, unsigned *count)
{
	for (; *list != JAIL_END; list++, ++*count) {
		int e = seccomp_narrow(ctx, j, *list);

		if (e == 0)
			e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, *list, 0);
		if (e < 0 && e != -EEXIST)
			return ERR_DENIED;
	}
	return OK;
}

#ifdef SLUIS_SANITIZED
/* What the run-time of the sanitizers calls in normal operation; never open, socket or exec, so that a
 * sanitized program is confined as the real one is. */
static const int sanitizer_calls[] = { SYS_sigaltstack, SYS_rt_sigaction, SYS_sched_yield, SYS_prctl,
	SYS_sched_getaffinity, SYS_getrlimit, SYS_prlimit64, SYS_newfstatat, SYS_readlink, SYS_access, SYS_ioctl, JAIL_END };

extern void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *out, size_t size);

extern void __sanitizer_sandbox_on_notify(void *args);

/* A report reads its maps, names and debug files now, or its process would be killed before the first word of it. */
static void sanitizer_warm_up(void)
{
	char line[512];

	__sanitizer_sandbox_on_notify(NULL);
	__sanitizer_symbolize_pc((void *)(uintptr_t)&jail_apply, "%f", line, sizeof(line));
}
#endif

static enum err seccomp_apply(const struct jail *j, unsigned *count)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	enum err e = ctx ? seccomp_list(ctx, j, jail_base, count) : ERR_MEMORY;

	for (const int *const *list = j->syscalls; e == OK && list && *list; list++)
		e = seccomp_list(ctx, j, *list, count);
#ifdef SLUIS_SANITIZED
	if (e == OK)
		e = seccomp_list(ctx, j, sanitizer_calls, count);
#ifdef SYS_open
	/* libubsan looks for its command line when it has something to say; it goes on without. Our own code and libc's
	 * open by openat. */
	if (e == OK && seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SYS_open, 0) < 0)
		e = ERR_DENIED;
#endif
#endif
	if (e == OK && (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0 || seccomp_load(ctx) < 0))
		e = ERR_DENIED;
	if (ctx)
		seccomp_release(ctx);
	return e;
}

static enum err limit(int what, rlim_t to)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)what, &r) < 0)
		return ERR_DENIED;
	if (r.rlim_max != RLIM_INFINITY && to > r.rlim_max)
		to = r.rlim_max;
	r.rlim_cur = r.rlim_max = to;
	return setrlimit((__rlimit_resource_t)what, &r) < 0 ? ERR_DENIED : OK;
}

static const struct passwd *find_user(const char *prefix, const char *role)
{
	const struct passwd *pw = NULL;
	char name[64];

	if (*prefix && snprintf(name, sizeof(name), "%s-%s", prefix, role) < (int)sizeof(name))
		pw = getpwnam(name);
	return pw ? pw : getpwnam("nobody");
}

enum err jail_user(const char *prefix, const char *role, unsigned *uid, unsigned *gid)
{
	const struct passwd *pw = find_user(prefix, role);

	if (!pw)
		return ERR_NOT_FOUND;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return OK;
}

enum err jail_leave_root(const struct jail *j, struct text *report)
{
	const struct passwd *pw = NULL;

	if (geteuid() == 0 && j->user_prefix) {
		pw = find_user(j->user_prefix, j->role);
		if (!pw || pw->pw_uid == 0)
			return ERR_DENIED;
		if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
			setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
			return ERR_DENIED;
		if (setuid(0) == 0) /* there must be no way back */
			return ERR_DENIED;
		text_fmt(report, "user=%s ", pw->pw_name);
	} else {
		text_fmt(report, "user=%u ", (unsigned)geteuid());
	}
	/* After the change of user, which clears it. The parent may be gone already: its channel then is closed. */
	if (!j->keeps_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ERR_DENIED;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return ERR_DENIED;
	return OK;
}

enum err jail_apply(const struct jail *j, struct text *report)
{
	struct rlimit files;
	unsigned count = 0;
	long level = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return ERR_DENIED;
	TRY(limit(RLIMIT_CORE, 0));
	if (j->files)
		TRY(limit(RLIMIT_NOFILE, j->files));
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return ERR_DENIED;
#ifdef SLUIS_SANITIZED
	sanitizer_warm_up();
#endif
	tzset(); /* gmtime_r reads /etc/localtime when it is first called */
	TRY(landlock_apply(j, &level));
	TRY(seccomp_apply(j, &count));
	text_fmt(report, "no_new_privs=yes core_dumps=no files=%llu landlock=%ld seccomp=kill syscalls=%u",
		(unsigned long long)files.rlim_cur, level, count);
#ifdef SLUIS_SANITIZED
	text_lit(report, " sanitizer=yes");
#endif
	return report->failed ? ERR_LIMIT : OK;
}
