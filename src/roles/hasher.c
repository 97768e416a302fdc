/* hasher: makes and verifies hashes of passwords, which is slow and takes 64 MiB each time by design. So identity has some of these, and goes on
 * answering while they work. A hasher has one job at a time, no file, no network, knows no user, and forgets each password after its job.
 *
 * A storm of sign-ins must not take the cores from workers, whose requests take less than a millisecond; nor may requests in masses keep everybody from
 * signing in. So a job is first for a second process that takes what nobody else wants, and if that was not enough for long, for the hasher itself, which
 * takes its share. (Who lowers itself cannot come back without rights that a hasher does not have; and of two threads, the one that gets no core would hold
 * the kernel's lock of their memory.) */
#define _GNU_SOURCE
#include "roles/role.h"

#include "auth/password.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "jail/jail.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES	    16
#define NICENESS    10
#define SLICE_NS    100000000 /* the most that the kernel takes */
#define MODEST_MS   250 /* for so long a job is the modest process's alone */
#define MEMORY_MS   5000 /* and its answer is waited for when there is no memory for another */
#define JOB_MOST    (4 + 9 + PASSWORD_MOST + PASSWORD_HASH_MAX) /* a number, and the body of MSG_HASH */
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

/* --- cores that others want too --- */

/* sched_setattr(2), which glibc has no function for before 2.41. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* As a batch, it does not interrupt who runs when a job comes. A kernel with EEVDF lets who has a shorter slice interrupt it at once (from 6.12; else it
 * protects a slice of some milliseconds), if that one has had no more than its share; at 10 a hasher still has a tenth of a core that is wanted wholly.
 * A service that is nicer already stays so. */
static void take_a_share(void)
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

/* Who wakes interrupts this one at once, also who has had more than its share of late, for whom even a batch is left to run up to the next tick. */
static bool take_what_is_left(void)
{
	const struct sched_attributes a = { .size = sizeof(a), .policy = SCHED_IDLE };

	return syscall(SYS_sched_setattr, 0, &a, 0) == 0;
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

/* --- the modest process --- */

struct modest_answer {
	uint32_t number;
	uint8_t status;
	char made[PASSWORD_HASH_MAX];
};
static int modest = -1; /* our end of a pair of sockets; -1: there is no such process */
static bool modest_is_busy; /* with its beginning, a job, or one that was done here meanwhile */
static uint32_t modest_number; /* of the job that it was given last; 0: none */
static unsigned char modest_job[JOB_MOST]; /* static: out of swap (lock_memory) */

/* Its life, until the other end is closed. Nothing but that socket is left to it of what the hasher has. */
static void modest_main(int fd)
{
	const int *const lists[] = { jail_hasher, NULL };
	const struct jail jail = { .syscalls = lists, .files = FILES };
	struct modest_answer a = { .number = 0 }; /* that it is there */
	struct text report;
	char mem[400];
	ssize_t n;

	text_init(&report, mem, sizeof(mem));
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(fd, STDERR_FILENO + 1) < 0 || close_range(STDERR_FILENO + 2, ~0u, 0) < 0)
		return;
	fd = STDERR_FILENO + 1;
	lock_memory();
	if (!take_what_is_left() || jail_apply(&jail, &report) != OK)
		return;
	while (send(fd, &a, sizeof(a), MSG_NOSIGNAL) == sizeof(a) && (n = recv(fd, modest_job, sizeof(modest_job), 0)) > 0) {
		struct reader r = { .left = bytes_of(modest_job, (size_t)n) };
		struct job j;

		a = (struct modest_answer){ .number = reader_u32(&r), .status = HASHED_FAILED };
		if (parse(reader_rest(&r), &j) == OK)
			a.status = work(&j, a.made);
		secret_wipe(modest_job, sizeof(modest_job));
	}
}

/* Without it all jobs are done here. Nobody waits for its beginning, which may take long where others want the cores. */
static void modest_begin(void)
{
	int pair[2];
	pid_t pid;

	signal(SIGCHLD, SIG_IGN); /* nor for its end */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		modest_main(pair[1]);
		_exit(1);
	}
	close(pair[1]);
	modest = pair[0];
	modest_is_busy = true;
	if (pid < 0)
		fd_close(&modest);
}

/* Told once; from then on all jobs are done here. */
static void modest_lost(void)
{
	errno = ECHILD;
	LOG(EV_SYSTEM, KV_STR("call", "modest hasher"), KV_ERRNO());
	fd_close(&modest);
	modest_is_busy = false;
}

/* The answer to the job that it was given last, if it comes in time. */
static bool modest_hear(int ms, struct modest_answer *out)
{
	struct pollfd p = { modest, POLLIN, 0 };
	struct modest_answer a;

	if (modest < 0 || !modest_is_busy || poll(&p, 1, ms) != 1)
		return false;
	if (recv(modest, &a, sizeof(a), MSG_DONTWAIT) != sizeof(a)) {
		modest_lost();
		return false;
	}
	modest_is_busy = false;
	if (a.number != modest_number)
		return false;
	*out = a;
	return true;
}

static bool modest_takes(struct bytes body)
{
	struct text t;
	bool is_sent;

	if (modest < 0)
		return false;
	text_init(&t, modest_job, sizeof(modest_job));
	modest_number += modest_number < UINT32_MAX ? 1 : 2; /* never 0 */
	text_put_u32(&t, modest_number);
	text_add(&t, body);
	is_sent = !t.failed && send(modest, t.at, t.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)t.len;
	secret_wipe(modest_job, sizeof(modest_job));
	modest_is_busy = is_sent;
	if (!is_sent)
		modest_lost();
	return is_sent;
}

/* --- jobs --- */

static void work_for(struct bytes body, const struct job *j, struct modest_answer *a)
{
	struct modest_answer late;
	bool is_given;

	(void)modest_hear(0, &late); /* that it is there; to a job that was done here */
	is_given = !modest_is_busy && modest_takes(body);
	if (is_given && modest_hear(MODEST_MS, a))
		return;
	a->status = work(j, a->made);
	/* Two large hashes at once are more memory than there is, perhaps: then the first is waited for. */
	if (a->status == HASHED_FAILED && is_given)
		(void)modest_hear(MEMORY_MS, a);
}

static enum err on_hash(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct modest_answer a = { 0 };
	unsigned char mem[5 + PASSWORD_HASH_MAX];
	struct text t;
	struct job j;
	enum err e;

	(void)run;
	e = parse(m->body, &j);
	if (e == OK)
		work_for(m->body, &j, &a);
	secret_wipe((void *)(uintptr_t)m->body.at, m->body.len); /* role.c's buffer, which keeps it until the next message else */
	if (e != OK)
		return e;
	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, j.request);
	text_put_u8(&t, a.status);
	text_str(&t, a.made);
	e = role_send(from, MSG_HASHED, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e; /* an identity that does not read its answers loses them */
}

static enum err hasher_start(struct role_run *run)
{
	(void)run;
	lock_memory();
	take_a_share();
	TRY(password_init());
	modest_begin();
	return OK;
}

static enum err hasher_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	return c->role == ROLE_IDENTITY ? OK : ERR_DENIED;
}

static const struct role role_hasher = {
	.id = ROLE_HASHER,
	.syscalls = jail_hasher,
	.files = FILES,
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
