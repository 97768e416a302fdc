/* The hasher as a confined child: what it makes it verifies, and who sends anything but a job is told on. */
#define _GNU_SOURCE
#define main hasher_main
int main(int argc, char **argv);
#include "roles/hasher.c" /* for its table */
#undef main
#include "roles/hasher_memory.c"

#include "base/text.h"

#include "child.h"

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

/* In a process of its own, which does not come back from it. */
static void it_yields(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		yield_to_others();
		_exit(sched_getscheduler(0) == SCHED_BATCH && getpriority(PRIO_PROCESS, 0) >= NICENESS ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs),
		cmocka_unit_test(what_is_no_job_is_told_on),
		cmocka_unit_test(memory_of_a_hash),
		cmocka_unit_test(memory_that_is_locked),
		cmocka_unit_test(it_yields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
