/* sluis evidence collect: one archive of what this machine can tell, the most fleeting and the clock first in what is read.
 * Reading never changes what is read, and what cannot be read is listed in missing.json. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"
#include "cli/files.h"
#include "cli/release_files.h"

#include "base/clock.h"
#include "base/fd.h"
#include "ledger/days.h"
#include "evidence/custody.h"
#include "evidence/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLACK (64u << 20) /* beyond the files: state, manifest, what grows meanwhile */

struct wish { /* what was asked for */
	const char *name, *note, *out, *key, *by, *from, *to;
	bool is_unsigned;
};
struct bundle {
	struct collect c;
	struct wish wish;
	struct site site;
	struct output out;
	struct ed25519_key *key;
	char host[256], path[4096];
	uint64_t started_us;
	json_t *clock;
};

static bool want_all(const char *name, void *ctx)
{
	(void)name, (void)ctx;
	return true;
}

/* --- the ledger --- */

static bool want_day(const char *name, void *ctx)
{
	const struct wish *w = ctx;
	char file[LEDGER_FILE_MAX];

	ledger_day_file(name, file);
	if (strcmp(name, file) != 0)
		return false;
	return (!w->from || strncmp(name, w->from, 10) >= 0) && (!w->to || strncmp(name, w->to, 10) <= 0);
}

static enum err ledger_day(struct bundle *b, const char *dir, const char *name)
{
	char from[4400], to[4300], member[64], raw[4500];
	AUTO(fd_close) int fd = -1;
	const char *why;
	enum err e;

	snprintf(from, sizeof(from), "%s/%s", dir, name);
	snprintf(to, sizeof(to), "%s-ledger", b->out.partial);
	snprintf(member, sizeof(member), "ledger/%s", name);
	if (sqlite_copy(from, to, &fd, &why))
		return collect_fd(&b->c, member, fd);
	/* What SQLite cannot read is evidence too: the bytes as they are. */
	collect_missing(&b->c, member, why);
	e = collect_file(&b->c, member, from, false);
	snprintf(raw, sizeof(raw), "%s-wal", from);
	if (e == OK && access(raw, F_OK) == 0) {
		snprintf(member, sizeof(member), "ledger/%s-wal", name);
		e = collect_file(&b->c, member, raw, false);
	}
	return e;
}

static enum err ledger(struct bundle *b)
{
	char dir[4200], head[4300];
	size_t count;
	char **list;
	enum err e;

	snprintf(dir, sizeof(dir), "%s/ledger", b->site.state_dir);
	/* The head before the days: then no day can lack what the head promises. */
	snprintf(head, sizeof(head), "%s/ledger.pub", dir);
	TRY(collect_file(&b->c, "ledger/ledger.pub", head, false));
	snprintf(head, sizeof(head), "%s/ledger.head", dir);
	TRY(collect_file(&b->c, "ledger/ledger.head", head, false));
	list = names_in(dir, want_day, &b->wish, &count);
	if (!list) {
		collect_missing(&b->c, dir, strerror(errno));
		return OK;
	}
	e = OK;
	for (size_t i = 0; e == OK && i < count; i++)
		e = ledger_day(b, dir, list[i]);
	if (count == 0)
		collect_missing(&b->c, dir, "no day of the ledger is there in the time asked for");
	names_free(list, count);
	return e;
}

/* --- logs, history, configuration --- */

/* NAME, NAME.1, NAME.2.gz, NAME-20260101 ... */
static bool want_sibling(const char *name, void *ctx)
{
	const char *base = ctx;
	size_t n = strlen(base);

	return strncmp(name, base, n) == 0 && (name[n] == 0 || name[n] == '.' || name[n] == '-');
}

static enum err log_files(struct bundle *b, const char *path)
{
	char dir[4096], base[4096], file[8400], member[TAR_NAME_MAX + 1];
	char *folder, *name;
	size_t count;
	char **list;
	enum err e = OK;

	if (!*path)
		return OK;
	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(base, sizeof(base), "%s", path);
	folder = dirname(dir);
	name = basename(base);
	list = names_in(folder, want_sibling, name, &count);
	if (!list || count == 0)
		collect_missing(&b->c, path, list ? "is not there" : strerror(errno));
	for (size_t i = 0; list && e == OK && i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", folder, list[i]);
		collect_name("logs/", list[i], member);
		e = collect_file(&b->c, member, file, false);
	}
	names_free(list, count);
	return e;
}

/* A file that may hold a private key: then it is named, and stays out. */
static enum err guarded(struct bundle *b, const char *member, const char *path, bool follows)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follows ? 0 : O_NOFOLLOW));
	struct text t;
	enum err e;

	if (fd < 0)
		return collect_file(&b->c, member, path, follows); /* says why */
	text_init_growing(&t, BUNDLE_MOST);
	e = fd_read_all(fd, &t);
	if (e != OK)
		collect_missing(&b->c, path, e == ERR_LIMIT ? "is too large" : strerror(errno));
	else if (!*member)
		collect_missing(&b->c, path, "its name is too long for an archive");
	else if (site_holds_key(text_bytes(&t)))
		collect_missing(&b->c, path, "holds a private key, which never goes into evidence");
	e = e == OK && *member && !site_holds_key(text_bytes(&t)) ? collect_bytes(&b->c, member, text_bytes(&t)) : OK;
	text_fini(&t);
	return e;
}

static enum err history(struct bundle *b)
{
	char dir[4200], file[4500], member[TAR_NAME_MAX + 1];
	size_t count;
	char **list;
	enum err e = OK;

	snprintf(dir, sizeof(dir), "%s/history", b->site.state_dir);
	list = names_in(dir, want_all, NULL, &count);
	if (!list)
		collect_missing(&b->c, dir, strerror(errno));
	for (size_t i = 0; list && e == OK && i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, list[i]);
		collect_name("history/", list[i], member);
		e = guarded(b, member, file, false);
	}
	names_free(list, count);
	return e;
}

/* Shipped files are named as below the rules' folder: there are netscaler.yaml and layout/netscaler.yaml. */
static const char *below_rules(const struct cli *cli, const char *path)
{
	const char *root = cli->rules ? cli->rules : "rules";
	size_t n = strlen(root);

	while (n && root[n - 1] == '/')
		n--;
	return strncmp(path, root, n) == 0 && path[n] == '/' ? path + n + strspn(path + n, "/") : strrchr(path, '/') + 1;
}

static enum err configuration(struct bundle *b)
{
	char member[TAR_NAME_MAX + 1];

	collect_name("config/", b->site.config, member);
	TRY(guarded(b, member, b->site.config, true));
	if (b->site.text.len && !b->site.is_valid)
		collect_missing(&b->c, b->site.config, "is not valid: files that it names may be missing here");
	for (size_t i = 0; i < b->site.count; i++) {
		const struct site_file *f = &b->site.files[i];

		if (f->kind == SITE_KEY) {
			collect_missing(&b->c, f->path, "is a private key, which never goes into evidence");
			continue;
		}
		if (f->kind == SITE_RULES)
			collect_name("config/rules/", below_rules(b->c.cli, f->path), member);
		else
			collect_name("config/", f->path, member);
		TRY(guarded(b, member, f->path, true));
	}
	return OK;
}

/* --- programs --- */

/* What the release manifest says of a file, so that an examiner need not hold them side by side. */
struct packages {
	struct release_seen release;
	bool has_release;
	char *real[RELEASE_FILES_MAX]; /* where each file of the manifest is; NULL: nowhere */
	json_t *list;
};

static void packages_release(struct collect *c, struct packages *p)
{
	static struct release_place place;
	static const struct tree here = { .fd = -1 };
	char path[TREE_PATH_MAX + 256];
	enum err e;

	release_locate(&place, c->cli, &here);
	e = release_load(&p->release, &place, NULL, release_key_public);
	p->has_release = e == OK;
	if (e != OK)
		collect_missing(c, p->release.path, e == ERR_IO ? strerror(errno) : "is no release manifest");
	for (size_t i = 0; e == OK && i < p->release.r.file_count; i++) {
		release_path(&place, p->release.r.files[i].path, path);
		p->real[i] = realpath(path, NULL);
	}
}

static const char *released_as(const struct packages *p, const char *path, const char *sum)
{
	unsigned char raw[SHA256_LEN];

	for (size_t i = 0; i < p->release.r.file_count; i++)
		if (p->real[i] && strcmp(p->real[i], path) == 0)
			return hex_read(bytes_str(sum), raw, sizeof(raw)) == OK && memcmp(raw, p->release.r.files[i].sha256, sizeof(raw)) == 0 ?
				"as released" : "changed";
	return "not in the manifest";
}

/* Takes what p holds but for its list. */
static json_t *packages_manifest(struct packages *p)
{
	json_t *missing = json_array(), *o = json_null();

	for (size_t i = 0; p->has_release && i < p->release.r.file_count; i++) {
		if (!p->real[i])
			json_array_append_new(missing, json_of(p->release.r.files[i].path));
		free(p->real[i]);
	}
	if (p->has_release)
		o = json_pack("{s:o,s:o,s:o,s:b,s:b,s:O}", "path", json_of(bytes_str(p->release.path)), "version", json_of(p->release.r.version), "build",
			json_of(p->release.r.build), "signature_holds", (int)p->release.is_signed, "development_key", (int)p->release.r.is_development,
			"missing", missing);
	json_decref(missing);
	release_unload(&p->release);
	return o;
}

static void add_package(struct collect *c, struct packages *p, const char *path)
{
	json_t *o;
	char sum[2 * SHA256_LEN + 1];
	struct stat st;
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !evidence_file_sum(fd, sum)) {
		collect_missing(c, path, strerror(errno));
		return;
	}
	o = json_pack("{s:o,s:I,s:s,s:i,s:i,s:I}", "path", json_of(bytes_str(path)), "size", (json_int_t)st.st_size, "sha256", sum, "mode",
		(int)(st.st_mode & 07777), "uid", (int)st.st_uid, "modified", (json_int_t)st.st_mtime);
	if (p->has_release)
		json_object_set_new(o, "release", json_string(released_as(p, path, sum)));
	json_array_append_new(p->list, o);
}

static bool want_program(const char *name, void *ctx)
{
	(void)ctx;
	return strncmp(name, "sluis", 5) == 0 && !strchr(name, '.');
}

static bool want_rules(const char *name, void *ctx)
{
	(void)ctx;
	return bytes_ends(bytes_str(name), BYTES(".yaml"));
}

json_t *evidence_packages(struct collect *c)
{
	char libexec[4200];
	const struct {
		const char *dir;
		bool (*want)(const char *, void *), must;
	} places[] = { { c->cli->program_dir, want_program, true }, { libexec, want_program, false },
		{ c->cli->rules ? c->cli->rules : "", want_rules, true } };
	static struct packages p;
	json_t *manifest;

	memset(&p, 0, sizeof(p));
	p.list = json_array();
	packages_release(c, &p);
	snprintf(libexec, sizeof(libexec), "%s/../libexec/sluis", c->cli->program_dir);
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		size_t count;
		char **names = names_in(places[i].dir, places[i].want, NULL, &count), path[8400];
		char *real = realpath(places[i].dir, NULL);
		struct stat st;

		if (!names && places[i].must)
			collect_missing(c, places[i].dir, strerror(errno));
		for (size_t j = 0; names && real && j < count; j++) {
			snprintf(path, sizeof(path), "%s/%s", real, names[j]);
			if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
				add_package(c, &p, path);
		}
		names_free(names, count);
		free(real);
	}
	manifest = packages_manifest(&p);
	return json_pack("{s:s,s:o,s:o}", "version", SLUIS_VERSION, "manifest", manifest, "files", p.list);
}

/* --- all of it --- */

static json_t *case_json(const struct bundle *b)
{
	char when[25];

	clock_rfc3339(b->started_us, when);
	return json_pack("{s:s,s:s,s:o,s:o,s:s,s:i,s:s,s:s,s:s}", "format", MANIFEST_EVIDENCE, "case", b->wish.name, "note",
		json_of(bytes_str(b->wish.note)), "by", json_of(bytes_str(who_asks(b->wish.by))), "host", b->host, "uid", (int)getuid(),
		"began", when, "version", SLUIS_VERSION, "configuration", b->site.config);
}

static enum err members(struct bundle *b)
{
	struct collect *c = &b->c;
	json_t *clock = b->clock;

	b->clock = NULL;
	TRY(collect_json(c, "clock.json", clock));
	TRY(collect_json(c, "case.json", case_json(b)));
	TRY(ledger(b));
	TRY(log_files(b, b->site.access_log));
	TRY(log_files(b, b->site.error_log));
	TRY(log_files(b, b->site.alerts));
	TRY(history(b));
	TRY(configuration(b));
	TRY(evidence_state(c));
	TRY(collect_json(c, "packages.json", evidence_packages(c)));
	return collect_json(c, "missing.json", json_incref(c->missing));
}

static enum err custody(struct bundle *b)
{
	struct custody_entry entry = { .action = BYTES("collected"), .by = bytes_str(who_asks(b->wish.by)),
		.host = bytes_str(b->host), .to = BYTES(""), .reason = bytes_str(b->wish.note) };
	struct text log;
	char when[25];
	enum err e;

	clock_rfc3339(clock_real_us(), when);
	entry.time = bytes_str(when);
	tar_writer_digest(b->c.tar, entry.archive);
	text_init_growing(&log, CUSTODY_MAX);
	e = custody_add(&log, &entry, b->key);
	if (e == OK)
		e = tar_writer_member(b->c.tar, CUSTODY_NAME, text_bytes(&log), b->c.now_s);
	text_fini(&log);
	return e;
}

static enum err seal_off(struct bundle *b)
{
	unsigned char mem[128], signature[ED25519_SIGNATURE_LEN], public[ED25519_PUBLIC_LEN], pem_mem[512];
	struct text what, pem;

	TRY(tar_writer_member(b->c.tar, MANIFEST_NAME, text_bytes(&b->c.manifest), b->c.now_s));
	if (b->key) {
		text_init(&what, mem, sizeof(mem));
		text_init(&pem, pem_mem, sizeof(pem_mem));
		manifest_signed_text(MANIFEST_EVIDENCE, text_bytes(&b->c.manifest), &what);
		TRY(ed25519_sign(b->key, text_bytes(&what), signature));
		ed25519_public(b->key, public);
		TRY(ed25519_public_write(public, &pem));
		TRY(tar_writer_member(b->c.tar, MANIFEST_SIG, bytes_of(signature, sizeof(signature)), b->c.now_s));
		TRY(tar_writer_member(b->c.tar, MANIFEST_SIGNER, text_bytes(&pem), b->c.now_s));
	}
	TRY(custody(b));
	return tar_writer_close(b->c.tar);
}

/* What the files alone will take, so that a full disk is told before an hour has gone. */
static uint64_t size_of_folder(const char *dir)
{
	size_t count;
	char **list = names_in(dir, want_all, NULL, &count);
	uint64_t sum = 0;

	for (size_t i = 0; list && i < count; i++) {
		char path[8400];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, list[i]);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	names_free(list, count);
	return sum;
}

static uint64_t estimate(const struct bundle *b)
{
	char dir[4200];
	uint64_t sum = SLACK;
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/ledger", b->site.state_dir);
	sum += size_of_folder(dir);
	snprintf(dir, sizeof(dir), "%s/history", b->site.state_dir);
	sum += size_of_folder(dir);
	if (b->site.access_log[0] && stat(b->site.access_log, &st) == 0)
		sum += (uint64_t)st.st_size;
	return sum;
}

static bool is_name(const char *s)
{
	return *s && *s != '.' && strlen(s) <= 64 &&
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(s);
}

static bool is_day(const char *s)
{
	static const char form[] = "dddd-dd-dd";
	size_t i = 0;

	for (; i < 10 && s[i]; i++)
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != '-')
			return false;
	return i == 10 && (s[10] == 0 || s[10] == 'T');
}

static void choose_path(struct bundle *b)
{
	char stamp[25], compact[20];
	size_t n = 0;
	struct stat st;

	clock_rfc3339(b->started_us, stamp);
	for (size_t i = 0; i < 19; i++)
		if (stamp[i] != '-' && stamp[i] != ':')
			compact[n++] = stamp[i];
	compact[n] = 0;
	if (b->wish.out && (stat(b->wish.out, &st) < 0 || !S_ISDIR(st.st_mode)))
		snprintf(b->path, sizeof(b->path), "%s", b->wish.out);
	else
		snprintf(b->path, sizeof(b->path), "%s%s%s-%sZ.evidence.tar", b->wish.out ? b->wish.out : "", b->wish.out ? "/" : "",
			b->wish.name, compact);
}

static int report(struct bundle *b, uint64_t size)
{
	const struct cli *cli = b->c.cli;
	unsigned char public[ED25519_PUBLIC_LEN];
	char print[80] = "";

	if (b->key) {
		ed25519_public(b->key, public);
		ed25519_fingerprint(public, print);
	}
	if (cli->as_json) {
		json_t *o = json_pack("{s:o,s:I,s:I,s:b,s:s,s:O}", "file", json_of(bytes_str(b->path)), "bytes", (json_int_t)size,
			"members", (json_int_t)b->c.members, "signed", b->key != NULL, "signer", print, "missing", b->c.missing);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
		return 0;
	}
	cli_say(cli, stdout, W_EV_COLLECTED, b->path, b->c.members, (double)size / 1e6);
	if (b->key)
		cli_say(cli, stdout, W_EV_SIGNED_BY, print);
	if (json_array_size(b->c.missing))
		cli_say(cli, stdout, W_EV_MISSING_COUNT, json_array_size(b->c.missing));
	for (size_t i = 0; i < json_array_size(b->c.missing); i++) {
		const json_t *m = json_array_get(b->c.missing, i);

		printf("  %s: %s\n", json_string_value(json_object_get(m, "name")), json_string_value(json_object_get(m, "why")));
	}
	cli_say(cli, stdout, W_EV_COLLECT_NEXT, b->path, b->path);
	return 0;
}

static int write_bundle(struct bundle *b)
{
	const struct cli *cli = b->c.cli;
	uint64_t have, need = estimate(b), size;
	enum err e;

	choose_path(b);
	if (!output_has_room(b->path, need, &have))
		return cli_fail_in(cli, W_NO_ROOM, b->path, (double)need / 1e6, (double)have / 1e6);
	if (!output_open(&b->out, b->path, false))
		return cli_fail_in(cli, errno == EEXIST ? W_EXISTS : W_CANNOT_WRITE, b->path, strerror(errno));
	e = tar_writer_open(b->out.fd, &b->c.tar);
	if (e == OK)
		e = members(b);
	if (e == OK)
		e = seal_off(b);
	if (b->c.shows_progress)
		fputs("\r\033[K", stderr);
	if (e != OK) {
		cli_fail_in(cli, W_CANNOT_WRITE, b->path, e == ERR_IO || e == ERR_MEMORY ? strerror(errno) : err_name(e));
		output_drop(&b->out);
		return 1;
	}
	size = tar_writer_at(b->c.tar);
	if (!output_commit(&b->out, false))
		return cli_fail_in(cli, errno == EEXIST ? W_EXISTS : W_CANNOT_WRITE, b->path, strerror(errno));
	return report(b, size);
}

static int usage(const struct cli *cli)
{
	cli_fail_in(cli, W_EV_COLLECT_USAGE);
	return 2;
}

int evidence_collect(const struct cli *cli, int argc, char **argv)
{
	static struct bundle b; /* large, and one a process */
	const struct option options[] = { { "--for", &b.wish.name, NULL }, { "--note", &b.wish.note, NULL },
		{ "--out", &b.wish.out, NULL }, { "--key", &b.wish.key, NULL }, { "--by", &b.wish.by, NULL },
		{ "--from", &b.wish.from, NULL }, { "--to", &b.wish.to, NULL }, { "--unsigned", NULL, &b.wish.is_unsigned }, { 0 } };
	int status = 1;

	b.clock = evidence_clock(); /* before anything else */
	b.started_us = clock_real_us();
	b.wish.name = "evidence";
	b.wish.note = "";
	b.c = (struct collect){ .cli = cli, .site = &b.site, .missing = json_array(), .now_s = (int64_t)(b.started_us / 1000000),
		.sha = sha256_new(), .shows_progress = isatty(2) && !cli->as_json };
	text_init_growing(&b.c.manifest, MANIFEST_MAX);
	gethostname(b.host, sizeof(b.host) - 1);
	if (!options_take(cli, options, argc, argv, NULL))
		status = usage(cli);
	else if (!is_name(b.wish.name))
		status = cli_fail_in(cli, W_EV_CASE_NAME, b.wish.name) + 1;
	else if ((b.wish.from && !is_day(b.wish.from)) || (b.wish.to && !is_day(b.wish.to)))
		status = cli_fail_in(cli, W_EV_DAY, b.wish.from && !is_day(b.wish.from) ? b.wish.from : b.wish.to) + 1;
	else {
		if (!site_load(cli, &b.site))
			collect_missing(&b.c, b.site.config, "the configuration cannot be read: defaults were used");
		if (!b.wish.is_unsigned)
			b.key = signing_key(cli, &b.site, b.wish.key);
		else
			cli_fail_in(cli, W_EV_UNSIGNED_LOUD);
		if (b.key || b.wish.is_unsigned)
			status = write_bundle(&b);
		site_fini(&b.site);
	}
	tar_writer_free(&b.c.tar);
	ed25519_free(&b.key);
	sha256_free(&b.c.sha);
	text_fini(&b.c.manifest);
	json_decref(b.c.missing);
	json_decref(b.clock);
	return status;
}
