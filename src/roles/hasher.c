/* hasher: makes and verifies hashes of passwords, which is slow and takes 64 MiB each time by design. So identity has some of these, and goes on
 * answering while they work. A hasher has one job at a time, no file, no network, knows no user, and forgets each password after its job. */
#define _GNU_SOURCE
#include "roles/role.h"

#include "auth/password.h"
#include "base/reader.h"
#include "base/secret.h"
#include "jail/jail.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICENESS    10
#define SLICE_NS    100000000 /* the most that the kernel takes */
#define MEMORY_MOST (320ul << 20) /* the largest hash that is verified, and this program */

enum { HASH_MAKE, HASH_VERIFY };
enum { HASHED_OK, HASHED_NO_FIT, HASHED_FAILED };

struct job {
	uint32_t request;
	uint8_t kind;
	struct bytes password, hash;
};

static enum err parse(struct bytes body, struct job *j)
{
	struct reader r = { .left = body };

	j->request = reader_u32(&r);
	j->kind = reader_u8(&r);
	j->password = reader_bytes(&r);
	j->hash = reader_bytes(&r);
	if (!reader_done(&r) || j->kind > HASH_VERIFY || (j->kind == HASH_MAKE && j->hash.len))
		return ERR_SYNTAX;
	return j->password.len > PASSWORD_MOST || j->hash.len >= PASSWORD_HASH_MAX ? ERR_LIMIT : OK;
}

static uint8_t work(const struct job *j, char made[PASSWORD_HASH_MAX])
{
	bool fits = false;

	if (j->kind == HASH_MAKE)
		return password_hash(j->password, made) == OK ? HASHED_OK : HASHED_FAILED;
	if (password_verify(j->hash, j->password, &fits) != OK)
		return HASHED_FAILED;
	return fits ? HASHED_OK : HASHED_NO_FIT;
}

static enum err on_hash(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	char made[PASSWORD_HASH_MAX] = "";
	unsigned char mem[5 + PASSWORD_HASH_MAX];
	struct text t;
	struct job j;
	uint8_t status;
	enum err e;

	(void)run;
	e = parse(m->body, &j);
	status = e == OK ? work(&j, made) : HASHED_FAILED;
	secret_wipe((void *)(uintptr_t)m->body.at, m->body.len); /* role.c's buffer, which keeps it until the next message else */
	if (e != OK)
		return e;
	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, j.request);
	text_put_u8(&t, status);
	text_str(&t, made);
	e = role_send(from, MSG_HASHED, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e; /* an identity that does not read its answers loses them */
}

/* Out of swap where we may: all of it, or at least the static buffers, through which passwords come. More than the limit may not be asked for:
 * the memory for a hash would then be refused. */
static void lock_memory(void)
{
	extern char __data_start[], _end[];
	struct rlimit r;

	if (getrlimit(RLIMIT_MEMLOCK, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)!setrlimit(RLIMIT_MEMLOCK, &r);
	}
	/* As it is touched: else mmap would fill the memory of a hash at once after all (roles/hasher_memory.c). */
	if (getrlimit(RLIMIT_MEMLOCK, &r) == 0 && r.rlim_cur >= MEMORY_MOST && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		return;
	(void)!mlock(__data_start, (size_t)(_end - __data_start));
}

/* sched_setattr(2), which glibc has no function for before 2.41. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* A storm of sign-ins must not take the cores from workers, whose requests take less than a millisecond. A batch does not interrupt who runs when a job
 * comes. A kernel with EEVDF lets who has a shorter slice interrupt it at once (from 6.12; else it protects a slice of some milliseconds), if that one has
 * had no more than its share: the nicer the hasher, the smaller is a share, and at 10 it still has a tenth of a core that is wanted wholly, so that
 * people can sign in then. A service that is nicer already stays so. */
static void yield_to_others(void)
{
	struct sched_attributes a = { .size = sizeof(a), .policy = SCHED_BATCH, .runtime = SLICE_NS };
	int nice;

	errno = 0;
	nice = getpriority(PRIO_PROCESS, 0);
	if (errno)
		return;
	a.nice = nice > NICENESS ? nice : NICENESS;
	if (syscall(SYS_sched_setattr, 0, &a, 0))
		(void)!setpriority(PRIO_PROCESS, 0, a.nice);
}

static enum err hasher_start(struct role_run *run)
{
	(void)run;
	lock_memory();
	yield_to_others();
	return password_init();
}

static enum err hasher_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	return c->role == ROLE_IDENTITY ? OK : ERR_DENIED;
}

static const struct role role_hasher = {
	.id = ROLE_HASHER,
	.syscalls = jail_hasher,
	.files = 16,
	.hears = (const struct call[]){
		/* message  from                 when          handler */
		{ MSG_HASH, FROM(ROLE_IDENTITY), WHEN_RUNNING, on_hash },
		{ 0 },
	},
	.start = hasher_start,
	.peer = hasher_peer,
};

int main(int argc, char **argv)
{
	return role_main(&role_hasher, argc, argv);
}
