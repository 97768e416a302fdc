/* The release manifest, the files that it names, what lies beside them, and who may change all of these. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"
#include "cli/files.h"
#include "cli/verify_self_priv.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_MOST (TREE_PATH_MAX + 256)

/* --- the manifest --- */

static bool load(struct self *s)
{
	const char *path = s->manifest;
	struct release_seen *r = &s->release;
	enum err e = release_load(r, &s->place, s->manifest, s->key);
	char detail[64];

	if (e == OK)
		return true;
	if (!path)
		path = r->path;
	if (e == ERR_IO) {
		self_result(s, SELF_MANIFEST, SELF_NOT_CHECKED, errno == ENOENT ? W_SELF_R_NO_MANIFEST : W_SELF_R_UNREADABLE, path);
		return false;
	}
	snprintf(detail, sizeof(detail), "%s %u", e == ERR_UNSUPPORTED ? "format," : "line", r->line);
	self_find(s, SELF_MANIFEST, DIFF_NO_MANIFEST, path, detail);
	self_result(s, SELF_MANIFEST, SELF_GOOD, W_SELF_R_MANIFEST_BAD, NULL);
	return false;
}

void self_manifest(struct self *s)
{
	const struct release *r = &s->release.r;
	char text[200];

	s->has_release = load(s);
	if (!s->has_release)
		return;
	if (!s->release.has_signature)
		self_find(s, SELF_MANIFEST, DIFF_UNSIGNED, s->release.path, NULL);
	else if (!s->release.is_signed)
		self_find(s, SELF_MANIFEST, DIFF_SIGNATURE, s->release.path, NULL);
	else if (!s->is_key_given && r->is_development != release_key_is_development)
		self_find(s, SELF_MANIFEST, DIFF_KEY_KIND, s->release.path, NULL);
	/* Another disk may hold another release; a manifest of another release beside this program is an old or a smuggled one. */
	snprintf(text, sizeof(text), "%.*s, " SLUIS_VERSION, FMT(r->version));
	if (!s->root && !bytes_eq(r->version, BYTES(SLUIS_VERSION)))
		self_find(s, SELF_MANIFEST, DIFF_VERSION, s->release.path, text);
	snprintf(text, sizeof(text), "sluis %.*s, build %.*s", FMT(r->version), FMT(bytes_cut(r->build, 0, 16)));
	self_result(s, SELF_MANIFEST, SELF_GOOD, !s->release.is_signed ? W_SELF_R_MANIFEST_BAD : s->is_key_given ? W_SELF_R_KEY_GIVEN :
		r->is_development ? W_SELF_R_DEVELOPMENT : W_SELF_R_RELEASE, text);
}

#define FOLDERS_MOST 4 /* below one of a release */

/* --- the files --- */

static bool is_sum(const char *hex, const unsigned char sum[SHA256_LEN])
{
	unsigned char raw[SHA256_LEN];

	return hex_read(bytes_str(hex), raw, sizeof(raw)) == OK && memcmp(raw, sum, sizeof(raw)) == 0;
}

/* False: it could not be read. */
static bool file(struct self *s, const struct release_file *f)
{
	char path[PATH_MOST], hex[2 * SHA256_LEN + 1];
	struct stat st;

	release_path(&s->place, f->path, path);
	AUTO(fd_close) int fd = tree_file(&s->tree, path, O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return false;
	if (fd < 0 && errno != ELOOP) {
		self_find(s, SELF_PROGRAMS, DIFF_MISSING, path, NULL);
		return true;
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		self_find(s, SELF_PROGRAMS, DIFF_NO_FILE, path, NULL);
		return true;
	}
	self_rights_of(s, path, &st, RIGHT_PROGRAM);
	if (!evidence_file_sum(fd, hex))
		return false;
	if ((uint64_t)st.st_size != f->size || !is_sum(hex, f->sha256))
		self_find(s, SELF_PROGRAMS, DIFF_CHANGED, path, hex);
	return true;
}

static bool is_released(const struct self *s, const char *path)
{
	char named[PATH_MOST];

	for (size_t i = 0; i < s->release.r.file_count; i++) {
		release_path(&s->place, s->release.r.files[i].path, named);
		if (strcmp(named, path) == 0)
			return true;
	}
	return false;
}

/* A folder in which released files lie. */
static bool has_released(const struct self *s, const char *path)
{
	char named[PATH_MOST];
	size_t len = strlen(path);

	for (size_t i = 0; i < s->release.r.file_count; i++) {
		release_path(&s->place, s->release.r.files[i].path, named);
		if (strncmp(named, path, len) == 0 && named[len] == '/')
			return true;
	}
	return false;
}

/* f: whose names count in dir; NULL: all do. */
static bool beside_in(struct self *s, const struct release_folder *f, const char *dir, unsigned depth)
{
	char path[PATH_MOST + 300];
	size_t count;
	char **names = tree_names(&s->tree, dir, &count);
	bool is_done = true;
	struct stat st;

	if (!names)
		return errno == ENOENT; /* its files are missing: that was told */
	for (size_t i = 0; is_done && i < count; i++) {
		int n = snprintf(path, sizeof(path), "%s/%s", dir, names[i]);

		if ((f && !release_counts(&s->place, f, names[i])) || is_released(s, path))
			continue;
		if (depth < FOLDERS_MOST && n < PATH_MOST && has_released(s, path))
			is_done = beside_in(s, NULL, path, depth + 1);
		else
			self_find(s, SELF_PROGRAMS, DIFF_EXTRA, path, NULL);
	}
	names_free(names, count);
	AUTO(fd_close) int fd = tree_file(&s->tree, dir, O_PATH);
	if (fd >= 0 && fstat(fd, &st) == 0)
		self_rights_of(s, dir, &st, RIGHT_PROGRAM);
	return is_done;
}

/* What lies in a folder of ours and is not released: sluisd would start a program, and load rules, that it finds there. */
static bool beside(struct self *s, const struct release_folder *f)
{
	char dir[PATH_MOST];

	return !release_folder_path(&s->place, f, dir) || beside_in(s, f, dir, 0);
}

void self_programs(struct self *s)
{
	char detail[PATH_MOST + 64];
	bool is_done = true;

	if (!s->has_release) {
		self_result(s, SELF_PROGRAMS, SELF_NOT_CHECKED, W_SELF_R_NO_RELEASE, NULL);
		return;
	}
	for (size_t i = 0; is_done && i < s->release.r.file_count; i++) {
		is_done = file(s, &s->release.r.files[i]);
		if (!is_done)
			release_path(&s->place, s->release.r.files[i].path, detail);
	}
	for (size_t i = 0; is_done && i < COUNT_OF(release_folders); i++) {
		is_done = beside(s, &release_folders[i]);
		if (!is_done)
			(void)release_folder_path(&s->place, &release_folders[i], detail);
	}
	if (is_done)
		snprintf(detail, sizeof(detail), "%zu", s->release.r.file_count);
	self_result(s, SELF_PROGRAMS, is_done ? SELF_GOOD : SELF_NOT_CHECKED, is_done ? W_SELF_R_FILES : W_SELF_R_UNREADABLE, detail);
}

/* --- who may change or read --- */

void self_rights_of(struct self *s, const char *path, const struct stat *st, enum self_right right)
{
	/* What root's own group may do, root may do. */
	unsigned mode = st->st_mode & 07777, open = mode & (st->st_gid == 0 ? 07 : 077);
	char detail[64];

	snprintf(detail, sizeof(detail), "mode %04o, uid %u, gid %u", mode, st->st_uid, st->st_gid);
	if (right == RIGHT_SECRET && open)
		self_find(s, SELF_RIGHTS, DIFF_READABLE, path, detail);
	else if (open & 022)
		self_find(s, SELF_RIGHTS, DIFF_WRITABLE, path, detail);
	if (right != RIGHT_FOLDER && st->st_uid != 0 && st->st_uid != geteuid())
		self_find(s, SELF_RIGHTS, DIFF_OWNER, path, detail);
}

/* What is not there has no rights. False: it may not be looked at. */
static bool look(struct self *s, const char *path, enum self_right right)
{
	AUTO(fd_close) int fd = tree_file(&s->tree, path, O_PATH);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	self_rights_of(s, path, &st, right);
	return true;
}

void self_rights(struct self *s)
{
	static const struct {
		const char *name;
		enum self_right right;
	} state[] = { { "", RIGHT_PROGRAM }, { "/history", RIGHT_PROGRAM }, { "/ledger", RIGHT_FOLDER }, { "/ledger.key", RIGHT_SECRET },
		{ "/identity", RIGHT_FOLDER }, { "/tokens.key", RIGHT_SECRET } };
	const char *unseen = NULL;
	char path[COUNT_OF(state)][TREE_PATH_MAX + 64];

	if (!look(s, s->site.config, RIGHT_PROGRAM))
		unseen = s->site.config;
	for (size_t i = 0; i < s->site.count; i++) {
		const struct site_file *f = &s->site.files[i];

		if ((f->kind == SITE_KEY || f->kind == SITE_PLAIN) && !look(s, f->path, f->kind == SITE_KEY ? RIGHT_SECRET : RIGHT_FOLDER))
			unseen = f->path;
	}
	for (size_t i = 0; i < COUNT_OF(state); i++) {
		snprintf(path[i], sizeof(path[i]), "%s%s", s->site.state_dir, state[i].name);
		if (!look(s, path[i], state[i].right))
			unseen = path[i];
	}
	/* Keys of a configuration with mistakes may not be among the files that it was seen to name. */
	if (!unseen && s->site.text.len && !s->site.is_valid)
		self_result(s, SELF_RIGHTS, SELF_NOT_CHECKED, W_SELF_R_INVALID, s->site.config);
	else
		self_result(s, SELF_RIGHTS, unseen ? SELF_NOT_CHECKED : SELF_GOOD, unseen ? W_SELF_R_UNREADABLE : W_SELF_R_RIGHTS, unseen);
}
