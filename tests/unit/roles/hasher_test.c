/* The hasher as a confined child: what it makes it verifies, and who sends anything but a job is told on. */
#define _GNU_SOURCE
#define main hasher_main
int main(int argc, char **argv);
#include "roles/hasher.c" /* for its table */
#undef main
#include "roles/hasher_memory.c"

#include "base/text.h"

#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void begin(struct child *c, int *identity)
{
	child_begin(c, &role_hasher);
	child_setup(c, BYTES("\n"));
	*identity = child_peer(c, ROLE_IDENTITY, 0);
	child_start(c);
}

static void ask_for(int identity, uint32_t request, uint8_t kind, struct bytes password, struct bytes hash)
{
	unsigned char mem[IPC_BODY_MAX];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, request);
	text_put_u8(&t, kind);
	text_put_u16(&t, (uint16_t)password.len);
	text_add(&t, password);
	text_put_u16(&t, (uint16_t)hash.len);
	text_add(&t, hash);
	say(identity, MSG_HASH, mem, t.len, -1);
}

static struct bytes answer_of(int identity, uint32_t request, uint8_t status)
{
	struct ipc_msg m;

	assert_int_equal(hear(identity, &m), OK);
	assert_int_equal(m.type, MSG_HASHED);
	struct reader r = { .left = m.body };
	assert_int_equal(reader_u32(&r), request);
	assert_int_equal(reader_u8(&r), status);
	return reader_rest(&r);
}

static void jobs(void **state)
{
	static char made[PASSWORD_HASH_MAX];
	struct child c;
	struct bytes hash;
	int identity;

	(void)state;
	begin(&c, &identity);
	ask_for(identity, 1, HASH_MAKE, BYTES("correct horse battery"), BYTES(""));
	hash = answer_of(identity, 1, HASHED_OK);
	assert_true(bytes_starts(hash, BYTES("$argon2id$")) && hash.len < sizeof(made));
	memcpy(made, hash.at, hash.len);
	hash = bytes_of(made, hash.len);
	const struct { const char *why; struct bytes password, hash; uint8_t want; } cases[] = {
		{ "the password", BYTES("correct horse battery"), hash, HASHED_OK },
		{ "another", BYTES("correct horse batterz"), hash, HASHED_NO_FIT },
		{ "none", BYTES(""), hash, HASHED_NO_FIT },
		{ "the hash of nobody", BYTES("correct horse battery"), BYTES(""), HASHED_NO_FIT },
		{ "no hash", BYTES("correct horse battery"), BYTES("$1$abc$def"), HASHED_FAILED },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		ask_for(identity, 10 + (uint32_t)i, HASH_VERIFY, cases[i].password, cases[i].hash);
		assert_int_equal(answer_of(identity, 10 + (uint32_t)i, cases[i].want).len, 0);
	}
	close(identity);
	assert_int_equal(child_end(&c), 0);
}

/* --- the process that takes what is left of the cores --- */

/* Behind the label, in a file of /proc; 0: it is not there. */
static unsigned long long number_in(pid_t pid, const char *file, const char *label)
{
	unsigned long long n = 0;
	char path[96], line[200];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, label, strlen(label)) == 0) {
			n = strtoull(line + strlen(label), NULL, 10);
			break;
		}
	fclose(f);
	return n;
}

static pid_t modest_of(pid_t pid)
{
	char file[64];
	pid_t child;

	snprintf(file, sizeof(file), "task/%d/children", (int)pid);
	child = (pid_t)number_in(pid, file, "");
	assert_true(child > 0);
	return child;
}

/* Also the other, which gets a core only when there is one. */
static pid_t begin_both(struct child *c, int *identity)
{
	pid_t other;

	begin(c, identity);
	other = modest_of(c->pid);
	for (unsigned n = 0; n < 3000 && number_in(other, "status", "Seccomp:") == 0; n++)
		usleep(10000);
	return other;
}

static void one_takes_a_share_and_one_what_is_left(void **state)
{
	struct child c;
	int identity;
	pid_t other;

	(void)state;
	other = begin_both(&c, &identity);
	assert_int_equal(sched_getscheduler(c.pid), SCHED_BATCH);
	assert_int_equal(sched_getscheduler(other), SCHED_IDLE);
	assert_true(getpriority(PRIO_PROCESS, (id_t)c.pid) >= NICENESS);
	assert_int_equal(number_in(c.pid, "status", "Seccomp:"), 2);
	assert_int_equal(number_in(other, "status", "Seccomp:"), 2);
	assert_int_equal(number_in(other, "status", "NoNewPrivs:"), 1);
	close(identity);
	assert_int_equal(child_end(&c), 0);
	for (unsigned n = 0; n < 1000 && number_in(other, "status", "PPid:") == (unsigned long long)c.pid; n++)
		usleep(10000);
	assert_int_not_equal(number_in(other, "status", "PPid:"), c.pid);
}

static void it_goes_on_alone(void **state)
{
	struct child c;
	int identity;

	(void)state;
	begin(&c, &identity);
	assert_int_equal(kill(modest_of(c.pid), SIGKILL), 0);
	for (uint32_t n = 0; n < 3; n++) {
		ask_for(identity, n, HASH_MAKE, BYTES("correct horse battery"), BYTES(""));
		assert_true(answer_of(identity, n, HASHED_OK).len > 0);
	}
	close(identity);
	assert_int_equal(child_end(&c), 0);
}

/* It gets no core at all here, and everybody an answer. */
static void who_waits_for_long_is_answered(void **state)
{
	struct child c;
	int identity;
	pid_t other;

	(void)state;
	other = begin_both(&c, &identity);
	assert_int_equal(kill(other, SIGSTOP), 0);
	for (uint32_t n = 0; n < 3; n++) {
		ask_for(identity, n, HASH_MAKE, BYTES("correct horse battery"), BYTES(""));
		assert_true(answer_of(identity, n, HASHED_OK).len > 0);
	}
	assert_int_equal(kill(other, SIGCONT), 0);
	close(identity);
	assert_int_equal(child_end(&c), 0);
}

static void other_answers(int end, uint32_t number, uint8_t status)
{
	const struct modest_answer a = { .number = number, .status = status };

	assert_int_equal(send(end, &a, sizeof(a), 0), sizeof(a));
}

/* The number of the job that the other was given; 0: none. */
static uint32_t other_was_given(int end, struct bytes body)
{
	unsigned char mem[JOB_MOST];
	ssize_t n = recv(end, mem, sizeof(mem), MSG_DONTWAIT);
	struct reader r = { .left = bytes_of(mem, n > 0 ? (size_t)n : 0) };
	uint32_t number = n > 0 ? reader_u32(&r) : 0;

	assert_true(n < 0 || bytes_eq(reader_rest(&r), body));
	return number;
}

/* The test is the other process. Whose answer it was is told by the status: the true one is that there is no such hash. */
static void answers_are_of_their_jobs(void **state)
{
	struct modest_answer a;
	unsigned char mem[64];
	struct text body;
	struct job j;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	modest = pair[0];
	modest_is_busy = true;
	text_init(&body, mem, sizeof(mem));
	text_put_u32(&body, 7);
	text_put_u8(&body, HASH_VERIFY);
	text_put_u16(&body, 1);
	text_lit(&body, "x");
	text_put_u16(&body, 3);
	text_lit(&body, "$1$");
	assert_int_equal(parse(text_bytes(&body), &j), OK);
#define WORKS(want) do { a = (struct modest_answer){ 0 }; work_for(text_bytes(&body), &j, &a); assert_int_equal(a.status, want); } while (0)
	WORKS(HASHED_FAILED); /* it has not begun */
	assert_int_equal(other_was_given(pair[1], text_bytes(&body)), 0);
	other_answers(pair[1], 0, HASHED_OK); /* it has; that is no answer to the job */
	other_answers(pair[1], 1, HASHED_NO_FIT);
	WORKS(HASHED_NO_FIT);
	assert_int_equal(other_was_given(pair[1], text_bytes(&body)), 1);
	other_answers(pair[1], 9, HASHED_NO_FIT); /* to none */
	WORKS(HASHED_FAILED);
	assert_int_equal(other_was_given(pair[1], text_bytes(&body)), 2);
	modest_is_busy = true;
	WORKS(HASHED_FAILED); /* it is late */
	assert_int_equal(other_was_given(pair[1], text_bytes(&body)), 0);
	other_answers(pair[1], 2, HASHED_NO_FIT);
	other_answers(pair[1], 3, HASHED_OK);
	WORKS(HASHED_OK); /* and takes jobs again */
	assert_int_equal(other_was_given(pair[1], text_bytes(&body)), 3);
	close(pair[1]);
	WORKS(HASHED_FAILED);
	assert_int_equal(modest, -1); /* also one that ended while it had no job is noticed */
	WORKS(HASHED_FAILED);
#undef WORKS
}

static void what_is_no_job_is_told_on(void **state)
{
	static unsigned char much[PASSWORD_MOST + 1];
	const struct { const char *why; uint8_t kind; struct bytes password, hash; } cases[] = {
		{ "another kind", 2, BYTES("x"), BYTES("") },
		{ "a hash where one is to be made", HASH_MAKE, BYTES("x"), BYTES("x") },
		{ "a password that is too long", HASH_VERIFY, bytes_of(much, sizeof(much)), BYTES("") },
		{ "a hash that is too long", HASH_VERIFY, BYTES("x"), bytes_of(much, PASSWORD_HASH_MAX) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct child c;
		int identity;

		print_message("%s\n", cases[i].why);
		begin(&c, &identity);
		ask_for(identity, 1, cases[i].kind, cases[i].password, cases[i].hash);
		child_accuses(&c, identity, ROLE_IDENTITY);
		close(identity);
		assert_int_equal(child_end(&c), 0);
	}
}

static size_t resident(void *at, size_t len)
{
	static unsigned char pages[16384];
	size_t n = 0, count = len / 4096;

	if (mincore(at, len, pages))
		return SIZE_MAX;
	for (size_t i = 0; i < count; i++)
		n += pages[i] & 1;
	return n;
}

/* As libsodium does it: memory comes as it is touched, and all of it goes. */
static void memory_of_a_hash(void **state)
{
	const size_t len = 64ul << 20;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	unsigned char *hash = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0), *small = mmap(NULL, 1ul << 20, PROT_READ | PROT_WRITE, flags, -1, 0);

	(void)state;
	assert_true(hash != MAP_FAILED && small != MAP_FAILED);
	assert_int_equal(resident(hash, len), 0);
	assert_int_equal(resident(small, 1ul << 20), 256); /* what is no hash's is as it was asked for */
	for (size_t i = 0; i < len; i += 4096) {
		assert_int_equal(hash[i], 0);
		hash[i] = 1;
	}
	assert_int_equal(resident(hash, len), len / 4096);
	assert_int_equal(munmap(hash, len), 0);
	for (size_t i = 0; i < len; i += len / 8)
		assert_true(resident(hash + i, 4096) == SIZE_MAX && errno == ENOMEM);
	assert_int_equal(munmap(small, 1ul << 20), 0);
	assert_int_equal(munmap(small + 1, 4096), -1);
}

/* Locked out of swap, as the package's limit lets it, it comes no sooner. In a process of its own, which stays locked. */
static void memory_that_is_locked(void **state)
{
	const size_t len = 64ul << 20;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		void *hash;

		(void)!setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }); /* where that is allowed */
		lock_memory();
		hash = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		_exit(hash != MAP_FAILED && resident(hash, len) == 0 && munmap(hash, len) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs), cmocka_unit_test(one_takes_a_share_and_one_what_is_left),
		cmocka_unit_test(it_goes_on_alone),
		cmocka_unit_test(who_waits_for_long_is_answered),
		cmocka_unit_test(answers_are_of_their_jobs),
		cmocka_unit_test(what_is_no_job_is_told_on),
		cmocka_unit_test(memory_of_a_hash),
		cmocka_unit_test(memory_that_is_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
