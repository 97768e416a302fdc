/* sluis backup verify and restore. Everything is checked before the first byte is written; then all files are written under
 * temporary names, checked again, and only when each is on disk they get their names. No link is followed on the way. */
#define _GNU_SOURCE
#include "cli/backup_priv.h"

#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MOST (16ull << 40)

static const struct {
	enum word word;
	const char *code;
} fault_words[BACKUP_FAULTS] = {
	[BACKUP_DAMAGED] = { W_BK_DAMAGED, "damaged" },
	[BACKUP_NOT_ONE] = { W_BK_NOT_ONE, "not_a_backup" },
	[BACKUP_INDEX_BAD] = { W_BK_INDEX_BAD, "bad_index" },
	[BACKUP_DIFFERS] = { W_BK_DIFFERS, "differs" },
	[BACKUP_SIGNATURE_BAD] = { W_BK_SIGNATURE_BAD, "bad_signature" },
	[BACKUP_OTHER_KEY] = { W_BK_OTHER_KEY, "other_key" },
	[BACKUP_PASSPHRASE] = { W_BK_WRONG_PASSPHRASE, "passphrase" },
	[BACKUP_OUTER_CHANGED] = { W_BK_OUTER_CHANGED, "changed" },
	[BACKUP_NO_MEMORY] = { W_BK_NO_MEMORY, "no_memory" },
};

struct opened {
	const struct cli *cli;
	const char *path;
	int fd;
	struct backup b;
	bool is_unsealed;
};

static int say_fault(struct opened *o, enum backup_fault f)
{
	if (o->cli->as_json) {
		json_t *j = json_pack("{s:o,s:b,s:s,s:o,s:I}", "file", json_of(bytes_str(o->path)), "ok", false, "fault",
			fault_words[f].code, "member", json_of(bytes_str(o->b.name)), "at", (json_int_t)o->b.at);
		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
	}
	fprintf(stderr, "sluis: %s: ", o->path);
	if (f == BACKUP_DIFFERS)
		cli_say(o->cli, stderr, fault_words[f].word, o->b.name);
	else /* most words take no number, and leave it */
		cli_say(o->cli, stderr, fault_words[f].word, (unsigned long long)o->b.at);
	fputc('\n', stderr);
	return 1;
}

/* Reads it all; 0 when nothing is wrong, else what was said. */
static int open_backup(struct opened *o, const char *key_file, const char *passphrase_file, bool wants_passphrase)
{
	const struct tar_limits limits = { .bytes = BYTES_MOST, .members = BACKUP_FILES_MAX + 8 };
	unsigned char key[ED25519_PUBLIC_LEN];
	struct tar_reader *r = NULL;
	struct text passphrase;
	enum backup_fault f;
	int status = 0;

	if (key_file && !public_key_read(o->cli, key_file, key))
		return 1;
	o->fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (o->fd < 0 || tar_reader_open(o->fd, &limits, &r) != OK)
		return cli_fail_in(o->cli, W_CANNOT_READ, o->path, o->fd < 0 ? strerror(errno) : cli_word(o->cli, W_NO_REGULAR_FILE));
	f = backup_read(&o->b, r, key_file ? key : NULL);
	tar_reader_free(&r);
	if (f != BACKUP_OK)
		return say_fault(o, f);
	if (!wants_passphrase && !passphrase_file)
		return 0;
	text_init_growing(&passphrase, 4096);
	if (!passphrase_read(o->cli, passphrase_file, false, &passphrase)) {
		status = 1;
	} else {
		f = backup_unseal(&o->b, text_bytes(&passphrase));
		o->is_unsealed = f == BACKUP_OK;
		status = f == BACKUP_OK ? 0 : say_fault(o, f);
	}
	if (passphrase.at)
		secret_wipe(passphrase.at, passphrase.len);
	text_fini(&passphrase);
	return status;
}

static void close_backup(struct opened *o)
{
	fd_close(&o->fd);
	backup_fini(&o->b);
}

/* --- verify --- */

static void tell_good(const struct opened *o)
{
	char print[80] = "";

	if (o->b.is_signed)
		ed25519_fingerprint(o->b.signer, print);
	if (o->cli->as_json) {
		json_t *j = json_pack("{s:o,s:b,s:I,s:b,s:s,s:o,s:o}", "file", json_of(bytes_str(o->path)), "ok", true, "files",
			(json_int_t)o->b.count, "passphrase_was_right", o->is_unsealed, "signer", print, "time", json_of(o->b.time), "host",
			json_of(o->b.host));
		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
		return;
	}
	cli_say(o->cli, stdout, W_BK_GOOD, o->path, (int)o->b.host.len, (const char *)o->b.host.at, (int)o->b.time.len,
		(const char *)o->b.time.at, (double)o->b.bytes / 1e6);
	if (o->b.is_signed)
		cli_say(o->cli, stdout, W_EV_SIGNED_BY, print);
	else
		cli_say(o->cli, stdout, W_BK_UNSIGNED);
	cli_say(o->cli, stdout, o->is_unsealed ? W_BK_ALL_CHECKED : W_BK_SEALED_UNCHECKED);
}

int backup_verify(const struct cli *cli, int argc, char **argv)
{
	const char *key = NULL, *passphrase = NULL;
	struct opened o = { .cli = cli, .fd = -1 };
	const struct option options[] = { { "--passphrase-file", &passphrase, NULL }, { "--key", &key, NULL }, { 0 } };
	int status;

	if (!options_take(cli, options, argc, argv, &o.path) || !o.path) {
		cli_fail_in(cli, W_BK_VERIFY_USAGE);
		return 2;
	}
	status = open_backup(&o, key, passphrase, false);
	if (status == 0)
		tell_good(&o);
	close_backup(&o);
	return status;
}

/* --- restore --- */

struct restoring {
	struct opened o;
	const char *to;
	int root;
	bool force, dry_run;
	size_t written; /* files that have a temporary name */
	char error[4400];
};

static void temporary_name(size_t i, char out[64])
{
	snprintf(out, 64, ".sluis-restore-%d-%zu", (int)getpid(), i);
}

static void give_to(int fd, const struct backup_file *f)
{
	char name[65];
	const struct passwd *p;
	const struct group *g;

	if (geteuid() != 0)
		return;
	snprintf(name, sizeof(name), "%.*s", FMT(f->user));
	p = getpwnam(name);
	snprintf(name, sizeof(name), "%.*s", FMT(f->group));
	g = getgrnam(name);
	/* A user that is not there yet: it stays root's, which the daemon can read before it gives its rights away. */
	if (fchown(fd, p ? p->pw_uid : 0, g ? g->gr_gid : 0) < 0)
		return;
}

static const struct backup_file *find_folder(const struct backup *b, struct bytes path)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->files[i].is_folder && bytes_eq(b->files[i].path, path))
			return &b->files[i];
	return NULL;
}

static int make_folder(const struct backup *b, int dir, const char *name, struct bytes path)
{
	const struct backup_file *f = find_folder(b, path);
	int fd;

	if (mkdirat(dir, name, f ? 0700 : 0755) < 0 && errno != EEXIST)
		return -1;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && f) {
		give_to(fd, f);
		if (fchmod(fd, f->mode) < 0)
			fd_close(&fd);
	}
	return fd;
}

/* The folder that path belongs in, step by step and through no link; name: its last segment. -1: errno, and r->error. */
static int walk(struct restoring *r, struct bytes path, bool makes, char name[256])
{
	int dir = fcntl(r->root, F_DUPFD_CLOEXEC, 0);

	for (size_t at = 1; dir >= 0;) {
		size_t n = bytes_find_byte(bytes_cut(path, at, path.len), '/');
		int next;

		snprintf(name, 256, "%.*s", FMT(bytes_cut(path, at, n == SIZE_MAX ? path.len : at + n)));
		if (n == SIZE_MAX)
			return dir;
		next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && errno == ENOENT && makes)
			next = make_folder(&r->o.b, dir, name, bytes_cut(path, 0, at + n));
		if (next < 0)
			snprintf(r->error, sizeof(r->error), "%.*s: %s", FMT(bytes_cut(path, 0, at + n)),
				errno == ELOOP || errno == ENOTDIR ? cli_word(r->o.cli, W_BK_LINK) : strerror(errno));
		fd_close(&dir);
		dir = next;
		at += n + 1;
	}
	return -1;
}

/* How many of the files are there already; they are named. */
static size_t find_existing(struct restoring *r)
{
	size_t count = 0;

	for (size_t i = 0; i < r->o.b.count; i++) {
		const struct backup_file *f = &r->o.b.files[i];
		char name[256];
		AUTO(fd_close) int dir = f->is_folder ? -1 : walk(r, f->path, false, name);
		struct stat st;

		if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (count++ < 10 && !r->force)
			cli_fail_in(r->o.cli, W_BK_THERE, r->to, (int)f->path.len, (const char *)f->path.at);
	}
	return count;
}

static enum err write_plain(struct tar_reader *t, const struct backup_file *f, int fd, struct sha256 *sha)
{
	unsigned char sum[SHA256_LEN];
	struct bytes piece;
	enum err e;

	sha256_begin(sha);
	while ((e = tar_reader_read(t, &piece)) == OK) {
		sha256_add(sha, piece);
		TRY(fd_write_all(fd, piece));
	}
	sha256_end(sha, sum);
	if (e != ERR_CLOSED)
		return e;
	errno = ESTALE; /* the archive is another one than a moment ago */
	return memcmp(sum, f->sum, SHA256_LEN) == 0 ? OK : ERR_IO;
}

/* Under its temporary name, with mode and owner. */
static enum err write_file(struct restoring *r, size_t i, struct tar_reader *t, struct sha256 *sha)
{
	const struct backup_file *f = &r->o.b.files[i];
	char name[256], temporary[64];
	AUTO(fd_close) int dir = walk(r, f->path, true, name);
	enum err e;

	if (dir < 0)
		return ERR_IO;
	temporary_name(i, temporary);
	AUTO(fd_close) int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	snprintf(r->error, sizeof(r->error), "%.*s: %s", FMT(f->path), strerror(errno));
	if (fd < 0)
		return ERR_IO;
	r->written = i + 1;
	e = f->is_sealed ? fd_write_all(fd, f->content) : write_plain(t, f, fd, sha);
	if (e == OK) {
		give_to(fd, f);
		if (fchmod(fd, f->is_sealed ? f->mode & 0600 : f->mode) < 0 || fsync(fd) < 0)
			e = ERR_IO;
	}
	if (e != OK)
		snprintf(r->error, sizeof(r->error), "%.*s: %s", FMT(f->path), strerror(errno));
	return e;
}

static enum err write_files(struct restoring *r)
{
	const struct tar_limits limits = { .bytes = BYTES_MOST, .members = BACKUP_FILES_MAX + 8 };
	struct sha256 *sha = sha256_new();
	struct tar_reader *t = NULL;
	struct tar_member m;
	enum err e = tar_reader_open(r->o.fd, &limits, &t);

	if (e == OK)
		e = tar_reader_next(t, &m); /* the index */
	for (size_t i = 0; e == OK && i < r->o.b.count; i++) {
		const struct backup_file *f = &r->o.b.files[i];

		if (f->is_folder)
			continue;
		if (!f->is_sealed)
			e = tar_reader_next(t, &m);
		if (e == OK)
			e = write_file(r, i, t, sha);
	}
	tar_reader_free(&t);
	sha256_free(&sha);
	return e;
}

/* A journal that belonged to the database before would be played into the restored one. */
static void remove_journals(int dir, const char *name)
{
	static const char *const ends[] = { "-wal", "-shm", "-journal" };
	char journal[300];

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		snprintf(journal, sizeof(journal), "%s%s", name, ends[i]);
		unlinkat(dir, journal, 0);
	}
}

/* Gives the files their names, or takes the temporary ones away. */
static enum err finish(struct restoring *r, bool keep)
{
	enum err e = OK;

	for (size_t i = 0; i < r->written; i++) {
		const struct backup_file *f = &r->o.b.files[i];
		char name[256], temporary[64];
		AUTO(fd_close) int dir = f->is_folder ? -1 : walk(r, f->path, false, name);

		if (dir < 0)
			continue;
		temporary_name(i, temporary);
		if (!keep || e != OK) {
			unlinkat(dir, temporary, 0);
			continue;
		}
		if (r->force && (bytes_ends(f->path, BYTES(".db")) || bytes_ends(f->path, BYTES(".ledger"))))
			remove_journals(dir, name);
		if (renameat2(dir, temporary, dir, name, r->force ? 0 : RENAME_NOREPLACE) < 0 || fsync(dir) < 0) {
			snprintf(r->error, sizeof(r->error), "%.*s: %s", FMT(f->path), strerror(errno));
			unlinkat(dir, temporary, 0);
			e = ERR_IO;
		}
	}
	return e;
}

static void tell_files(const struct restoring *r)
{
	for (size_t i = 0; i < r->o.b.count; i++) {
		const struct backup_file *f = &r->o.b.files[i];

		if (!f->is_folder)
			printf("  %s%.*s%s%s\n", r->to, FMT(f->path), f->is_sealed ? "  " : "",
				f->is_sealed ? cli_word(r->o.cli, W_BK_WAS_SEALED) : "");
	}
}

static int tell_restored(const struct restoring *r, size_t existing)
{
	const struct cli *cli = r->o.cli;
	const struct backup *b = &r->o.b;
	size_t files = 0;

	for (size_t i = 0; i < b->count; i++)
		files += !b->files[i].is_folder;
	if (cli->as_json) {
		json_t *j = json_pack("{s:b,s:b,s:I,s:I,s:o,s:s}", "ok", true, "dry_run", r->dry_run, "files", (json_int_t)files, "existing",
			(json_int_t)existing, "configuration", json_of(b->config), "to", r->to);
		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
		return 0;
	}
	cli_say(cli, stdout, r->dry_run ? W_BK_WOULD : W_BK_RESTORED, files, *r->to ? r->to : "/");
	tell_files(r);
	if (!r->dry_run)
		cli_say(cli, stdout, W_BK_RESTORE_NEXT, r->to, (int)b->config.len, (const char *)b->config.at, r->to, (int)b->config.len,
			(const char *)b->config.at);
	return 0;
}

static int restore(struct restoring *r)
{
	const struct cli *cli = r->o.cli;
	size_t existing;
	enum err e;

	r->root = open(*r->to ? r->to : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->root < 0)
		return cli_fail_in(cli, W_BK_NO_FOLDER, r->to, strerror(errno));
	existing = find_existing(r);
	if (existing && !r->force && !r->dry_run)
		return cli_fail_in(cli, W_BK_FORCE, existing);
	if (r->dry_run)
		return tell_restored(r, existing);
	e = write_files(r);
	if (e != OK && !r->error[0])
		snprintf(r->error, sizeof(r->error), "%s", err_name(e));
	if (e != OK) {
		(void)!finish(r, false);
		return cli_fail_in(cli, W_BK_NOTHING_WRITTEN, r->error);
	}
	if (finish(r, true) != OK)
		return cli_fail_in(cli, W_BK_PARTLY, r->error);
	return tell_restored(r, existing);
}

int backup_restore(const struct cli *cli, int argc, char **argv)
{
	static struct restoring r;
	const char *passphrase = NULL, *key = NULL, *to = NULL;
	const struct option options[] = { { "--to", &to, NULL }, { "--passphrase-file", &passphrase, NULL }, { "--key", &key, NULL },
		{ "--force", NULL, &r.force }, { "--dry-run", NULL, &r.dry_run }, { 0 } };
	static char folder[4096];
	int status;

	r.o = (struct opened){ .cli = cli, .fd = -1 };
	r.root = -1;
	if (!options_take(cli, options, argc, argv, &r.o.path) || !r.o.path || !to) {
		cli_fail_in(cli, W_BK_RESTORE_USAGE);
		return 2;
	}
	snprintf(folder, sizeof(folder), "%s", to);
	for (size_t n = strlen(folder); n && folder[n - 1] == '/'; n--)
		folder[n - 1] = 0; /* "/" becomes "": paths are absolute */
	r.to = folder;
	status = open_backup(&r.o, key, passphrase, true);
	if (status == 0)
		status = restore(&r);
	fd_close(&r.root);
	close_backup(&r.o);
	return status;
}
