/* The power goes at any write or sync of a day's file: what the disk then has, whatever it made of the writes since the last sync,
 * is a valid chain with every batch that was committed. A VFS below the store's plays the disk, sector by sector. */
#include "ledger/store.h"
#include "ledger/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <unistd.h>

#define BATCHES 150
#define RECORDS 30
#define SECTOR	512
#define IMAGE_MOST ((size_t)24 << 20)
#define DAY_US	UINT64_C(1578528000000000)
#define NAME	"2020-01-09.ledger"

/* What was done to a file since it was synced last, in order. */
struct change {
	size_t at, len;
	unsigned char *bytes; /* NULL: cut to the length at */
};
struct disk_file {
	char path[128];
	bool is_there; /* its folder was synced since it was made */
	bool is_going; /* removed, and its folder was not synced since */
	unsigned char *durable; /* IMAGE_MOST octets of room */
	size_t len;
	struct change *changes;
	size_t count, cap;
};
struct shim_file {
	sqlite3_file base;
	struct disk_file *disk; /* NULL: not of the folder whose power goes */
	sqlite3_file *real;
};

static struct disk_file disk[4]; /* the file, its WAL, its journal */
static sqlite3_vfs *real_vfs;
static char live[] = "/tmp/power_test.XXXXXX", crashed[] = "/tmp/power_test.XXXXXX";
static bool ignores_sync, is_off; /* a disk that lies; nothing is looked at now */
static uint64_t committed, checkpointed; /* checkpointed: the newest batch at a write into the file itself */
static unsigned cuts, bad, random_state, every;
static unsigned char public_key[ED25519_PUBLIC_LEN];

static unsigned chance(unsigned n)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 16) % n;
}

static void put(unsigned char *mem, size_t *len, size_t at, const unsigned char *bytes, size_t n)
{
	assert_true(at + n <= IMAGE_MOST);
	if (at > *len)
		memset(mem + *len, 0, at - *len);
	memcpy(mem + at, bytes, n);
	if (at + n > *len)
		*len = at + n;
}

/* One change on its way to the disk: whole, or only some of its sectors. */
static void apply(unsigned char *mem, size_t *len, const struct change *c, bool is_torn)
{
	if (!c->bytes) {
		if (c->at < *len)
			*len = c->at;
		return;
	}
	for (size_t at = 0, n; at < c->len; at += n) {
		n = SECTOR - (c->at + at) % SECTOR;
		if (n > c->len - at)
			n = c->len - at;
		if (!is_torn || chance(2))
			put(mem, len, c->at + at, c->bytes + at, n);
	}
}

/* --- the power goes --- */

static void write_image(const struct disk_file *d)
{
	static unsigned char image[IMAGE_MOST];
	unsigned mood = chance(3); /* of the writes since the sync: none, all, or some and those in pieces */
	size_t len = d->len;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", crashed, strrchr(d->path, '/') + 1);
	if (len)
		memcpy(image, d->durable, len);
	for (size_t i = 0; mood && i < d->count; i++)
		if (mood == 1 || chance(2))
			apply(image, &len, &d->changes[i], mood == 2);
	f = fopen(path, "wb");
	assert_true(f && fwrite(image, 1, len, f) == len && fclose(f) == 0);
}

static void count_finding(void *ctx, const struct ledger_finding *f)
{
	unsigned *n = ctx;

	if (f->fault != FAULT_HEAD) { /* the keeper's file is not part of this */
		if (!ignores_sync)
			print_message("cut %u, %llu committed: %s\n", cuts, (unsigned long long)committed, f->what);
		++*n;
	}
}

static void power_goes(void)
{
	struct ledger_report report = { 0 };
	unsigned findings = 0;
	enum err e;

	if (is_off || chance(every))
		return;
	is_off = true;
	cuts++;
	for (size_t i = 0; i < COUNT_OF(disk); i++)
		if (disk[i].is_there && !(disk[i].is_going && chance(2)))
			write_image(&disk[i]);
	if (committed) {
		e = ledger_verify(crashed, public_key, count_finding, &findings, &report);
	} else { /* a file whose making was cut off: a scribe can go on from it */
		struct ledger_last last = { 0 };
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", crashed, NAME);
		e = ledger_store_peek(path, &last);
		findings = e != OK && access(path, F_OK) == 0;
		report.last = last.head;
	}
	/* the one that was being committed may be there or not */
	if (findings || (e != OK && committed) || report.last.batch < committed || report.last.batch > committed + 1)
		bad++;
	for (size_t i = 0; i < COUNT_OF(disk); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", crashed, *disk[i].path ? strrchr(disk[i].path, '/') + 1 : "none");
		unlink(path);
	}
	is_off = false;
}

/* --- the disk --- */

static void note(struct disk_file *d, size_t at, const void *bytes, size_t len)
{
	struct change *c;

	if (!d)
		return;
	if (d->count == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 64;
		d->changes = realloc(d->changes, d->cap * sizeof(*d->changes));
		assert_non_null(d->changes);
	}
	c = &d->changes[d->count++];
	*c = (struct change){ .at = at, .len = len, .bytes = bytes ? malloc(len + 1) : NULL };
	if (bytes)
		memcpy(c->bytes, bytes, len);
	power_goes();
}

static void settle(struct disk_file *d, bool keep)
{
	for (size_t i = 0; i < d->count; i++) {
		if (keep)
			apply(d->durable, &d->len, &d->changes[i], false);
		free(d->changes[i].bytes);
	}
	d->count = 0;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->real;
}

static int shim_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct disk_file *d = ((struct shim_file *)f)->disk;

	if (d == &disk[0])
		checkpointed = committed;
	note(d, (size_t)at, from, (size_t)n);
	return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 at)
{
	note(((struct shim_file *)f)->disk, (size_t)at, NULL, 0);
	return real_of(f)->pMethods->xTruncate(real_of(f), at);
}

static void sync_folder(void)
{
	for (size_t i = 0; i < COUNT_OF(disk); i++)
		if (disk[i].is_going) {
			disk[i].is_going = disk[i].is_there = false;
			disk[i].len = 0;
		}
}

/* The real one syncs the folder with the first sync of a journal or a WAL; the file is there since before. */
static int shim_sync(sqlite3_file *f, int flags)
{
	struct disk_file *d = ((struct shim_file *)f)->disk;

	(void)flags;
	if (!d)
		return SQLITE_OK;
	power_goes();
	if (!ignores_sync || !d->is_there)
		settle(d, true);
	if (!d->is_there)
		sync_folder();
	d->is_there = true;
	power_goes();
	return SQLITE_OK;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int shim_lock(sqlite3_file *f, int how)
{
	return real_of(f)->pMethods->xLock(real_of(f), how);
}

static int shim_unlock(sqlite3_file *f, int how)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), how);
}

static int shim_reserved(sqlite3_file *f, int *yes)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), yes);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int shim_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **at)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, at);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shim_shm_unmap(sqlite3_file *f, int delete)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), delete);
}

static const sqlite3_io_methods methods = { 2, shim_close, shim_read, shim_write, shim_truncate, shim_sync, shim_size, shim_lock,
	shim_unlock, shim_reserved, shim_control, shim_sector, shim_traits, shim_shm_map, shim_shm_lock, shim_shm_barrier,
	shim_shm_unmap, NULL, NULL };

static struct disk_file *disk_of(const char *path)
{
	for (size_t i = 0; path && strncmp(path, live, strlen(live)) == 0 && i < COUNT_OF(disk); i++)
		if (!*disk[i].path || strcmp(disk[i].path, path) == 0) {
			snprintf(disk[i].path, sizeof(disk[i].path), "%s", path);
			if (!disk[i].durable)
				disk[i].durable = malloc(IMAGE_MOST);
			assert_non_null(disk[i].durable);
			return &disk[i];
		}
	return NULL;
}

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
	struct shim_file *s = (struct shim_file *)f;
	int rc;

	(void)vfs;
	*s = (struct shim_file){ .real = (sqlite3_file *)(s + 1), .disk = disk_of(path) };
	rc = real_vfs->xOpen(real_vfs, path, s->real, flags, out_flags);
	if (s->real->pMethods)
		s->base.pMethods = &methods;
	return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int now)
{
	struct disk_file *d = disk_of(path);

	(void)vfs;
	if (d) {
		settle(d, false);
		d->is_going = true;
	}
	if (now)
		sync_folder();
	return real_vfs->xDelete(real_vfs, path, now);
}

/* The store takes the VFS that is called "unix"; verify, after this, the one that is. */
static void become_the_disk(void)
{
	static sqlite3_vfs vfs;
	struct ledger_store *s;

	real_vfs = sqlite3_vfs_find("unix");
	vfs = *real_vfs;
	vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
	vfs.xOpen = shim_open;
	vfs.xDelete = shim_delete;
	sqlite3_vfs_register(&vfs, 1);
	assert_int_not_equal(ledger_store_read("/nowhere/at-all.ledger", &s), OK);
	sqlite3_vfs_unregister(&vfs);
}

static void commit_one(struct ledger_store *s, struct ed25519_key *key)
{
	unsigned char hash[SHA256_LEN], sig[ED25519_SIGNATURE_LEN], mem[CHAIN_TEXT_MAX], detail[1200] = { 0 };
	struct ledger_record r = { .kind = LEDGER_POLICY, .detail = bytes_of(detail, sizeof(detail)) };
	struct ledger_head head;
	uint64_t seq;
	struct text t;

	ledger_store_last(s, &head, &seq);
	assert_int_equal(ledger_store_begin(s, head.batch + 1, seq + 1), OK);
	for (unsigned i = 0; i < RECORDS; i++) {
		memset(detail, 'a' + (int)chance(26), sizeof(detail));
		assert_int_equal(ledger_store_add(s, DAY_US + seq + i, BYTES("worker/0/1"), &r), OK);
	}
	ledger_store_digest(s, head.hash, DAY_US + seq, hash);
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, head.batch + 1, head.hash, hash);
	assert_int_equal(ed25519_sign(key, text_bytes(&t), sig), OK);
	assert_int_equal(ledger_store_commit(s, sig), OK);
	committed = head.batch + 1;
}

static void write_a_day(unsigned one_in)
{
	struct ed25519_key *key = ed25519_new();
	struct ledger_store *s;
	const char *why = "";
	char path[64];

	cuts = bad = 0;
	committed = 0;
	every = one_in;
	ed25519_public(key, public_key);
	memset(live + sizeof(live) - 7, 'X', 6);
	memset(crashed + sizeof(crashed) - 7, 'X', 6);
	assert_true(mkdtemp(live) && mkdtemp(crashed));
	snprintf(path, sizeof(path), "%s/%s", live, NAME);
	assert_int_equal(ledger_store_open(path, BYTES("2020-01-09"), public_key, &s, &why), OK);
	for (unsigned i = 0; i < BATCHES; i++)
		commit_one(s, key);
	assert_true(checkpointed > 50); /* the power went then, too */
	ledger_store_close(&s);
	is_off = true;
	unlink(path);
	rmdir(live);
	rmdir(crashed);
	is_off = false;
	for (size_t i = 0; i < COUNT_OF(disk); i++) {
		settle(&disk[i], false);
		free(disk[i].durable);
		free(disk[i].changes);
		disk[i] = (struct disk_file){ 0 };
	}
	ed25519_free(&key);
}

static void what_was_committed_is_there(void **state)
{
	(void)state;
	ignores_sync = false;
	random_state = 1;
	write_a_day(40);
	print_message("the power went %u times\n", cuts);
	assert_true(cuts > 60);
	assert_int_equal(bad, 0);
}

/* So the test can see what it looks for: on a disk that does not sync, batches are lost. */
static void a_disk_that_lies_loses(void **state)
{
	(void)state;
	ignores_sync = true;
	random_state = 2;
	write_a_day(200);
	assert_true(cuts > 10 && bad > cuts / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_committed_is_there), cmocka_unit_test(a_disk_that_lies_loses) };

	become_the_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
