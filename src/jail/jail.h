/* What a process gives up before the first byte from outside comes: its user, new privileges, core dumps,
 * files (Landlock), and all system calls but a list (seccomp, anything else kills the process). */
#ifndef JAIL_JAIL_H
#define JAIL_JAIL_H

#include "base/text.h"

struct jail {
	const char *user_prefix; /* "sluis": PREFIX-ROLE if there is such a user, else nobody, as with "". NULL: stay.
				  * Only root changes its user. */
	const char *role;	 /* "worker": second half of the user's name */
	const int *const *syscalls; /* lists that end in JAIL_END, then NULL; jail_base is always there */
	const char *const *reads;   /* paths below which files may be read (cli only), then NULL; NULL: none */
	const char *writes;	    /* the folder below which files may be made, written and removed (scribe only); NULL: none */
	const char *const *writes_too; /* more of such folders, then NULL; NULL: none */
	bool may_connect;	    /* TCP connects; nobody binds */
	bool looks_up_names;	    /* by the C library, which also tries sockets and modules that it does not need: refused, not killed */
	bool makes_code;	    /* executable memory: regular expressions are compiled inside (cli only) */
	bool keeps_parent;	    /* not killed when the parent ends (cli) */
	unsigned files;		    /* RLIMIT_NOFILE, as far as the hard limit allows; 0: as it is */
};

#define JAIL_END (-1)
/* The lists, one per role (jail/lists.c): a new system call is a line there. */
extern const int jail_base[], jail_worker[], jail_keeper[], jail_dialer[], jail_prober[], jail_scribe[], jail_watcher[], jail_identity[], jail_hasher[], jail_directory[], jail_check[],
	jail_tree[], jail_ledger[], jail_monitor[], jail_sender[],
	jail_hunter[];

/* The first half alone: changes the user, asks to die with the parent. Early, so that even the start-up code runs
 * without root. ERR_DENIED when root could not be left. */
enum err jail_leave_root(const struct jail *j, struct text *report) MUST_USE;
/* The user that a role runs as when root starts it. ERR_NOT_FOUND: there is none (nor a nobody). */
enum err jail_user(const char *prefix, const char *role, unsigned *uid, unsigned *gid) MUST_USE;
/* The second half, for good. report gets one line of what is enforced. ERR_DENIED: the system refused a part
 * that must not be missing (all but Landlock); the process is to end. */
enum err jail_apply(const struct jail *j, struct text *report) MUST_USE;

#endif
