/* For the build and the packager alone, never installed: writes the release manifest of files as they are now, and its signature. It
 * is run over what was installed, since installing and packaging strip programs; sluis verify-self reads what it wrote.
 *
 *     release_manifest KEY PREFIX PATH ...           PREFIX/PATH, written to PREFIX/share/sluis/release.manifest
 *     release_manifest KEY PREFIX again              the same paths as that manifest has, after files were changed
 *     release_manifest KEY --out FILE PATH=FILE ...  files that are elsewhere
 * Where the build system installs, MESON_INSTALL_DESTDIR_PREFIX takes the place of a PREFIX "-". */
#define _GNU_SOURCE
#include "base/fd.h"
#include "base/secret.h"
#include "cli/release_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "release_manifest: %s: %s\n", path, what);
	return 1;
}

static enum err key_read(const char *path, struct ed25519_key **out)
{
	unsigned char mem[4096], public[ED25519_PUBLIC_LEN];
	struct text pem;
	enum err e;

	text_init(&pem, mem, sizeof(mem));
	e = file_read(path, &pem);
	if (e == OK)
		e = ed25519_load(text_bytes(&pem), out);
	secret_wipe(mem, sizeof(mem));
	if (e != OK)
		return e;
	ed25519_public(*out, public);
	return memcmp(public, release_key_public, sizeof(public)) == 0 ? OK : ERR_DENIED;
}

static bool sum(const char *path, struct release_file *f)
{
	static unsigned char buf[PIECE];
	struct sha256 *s = sha256_new();
	FILE *in = fopen(path, "r");
	size_t n = 0;

	f->size = 0;
	sha256_begin(s);
	while (in && (n = fread(buf, 1, sizeof(buf), in)) > 0) {
		sha256_add(s, bytes_of(buf, n));
		f->size += n;
	}
	sha256_end(s, f->sha256);
	sha256_free(&s);
	if (!in || ferror(in)) {
		if (in)
			fclose(in);
		return false;
	}
	return fclose(in) == 0;
}

/* Keeps the order of paths. spec: PATH below prefix, or PATH=FILE. */
static bool add(struct release *r, const char *prefix, const char *spec)
{
	const char *file = strchr(spec, '=');
	struct release_file f = { .path = bytes_of(spec, file ? (size_t)(file - spec) : strlen(spec)) };
	char path[4200];
	size_t i = r->file_count;

	snprintf(path, sizeof(path), "%s/%.*s", prefix ? prefix : "", FMT(f.path));
	if (i == RELEASE_FILES_MAX || !release_path_is_plain(f.path) || !sum(file ? file + 1 : path, &f)) {
		fail(spec, i == RELEASE_FILES_MAX ? "more files than a manifest has" : errno ? strerror(errno) : "is no plain path");
		return false;
	}
	for (; i > 0 && bytes_cmp(r->files[i - 1].path, f.path) > 0; i--)
		r->files[i] = r->files[i - 1];
	r->files[i] = f;
	r->file_count++;
	return true;
}

/* The paths of the manifest that is there; its text stays as long as r is used. */
static bool add_again(struct release *r, const char *prefix, const char *manifest)
{
	static struct release before;
	static char paths[RELEASE_FILES_MAX][RELEASE_PATH_MAX + 1];
	struct text t;
	unsigned line;
	bool is_done;

	text_init_growing(&t, RELEASE_TEXT_MAX);
	is_done = file_read(manifest, &t) == OK && release_parse(text_bytes(&t), &before, &line) == OK;
	for (size_t i = 0; is_done && i < before.file_count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%.*s", FMT(before.files[i].path));
		is_done = add(r, prefix, paths[i]);
	}
	text_fini(&t);
	return is_done;
}

static bool put(const char *path, struct bytes b)
{
	FILE *out = fopen(path, "w");

	if (!out)
		return false;
	if (fwrite(b.at, 1, b.len, out) != b.len) {
		fclose(out);
		return false;
	}
	return fclose(out) == 0 && chmod(path, 0644) == 0;
}

static int write_both(const struct release *r, const struct ed25519_key *key, const char *path)
{
	struct text manifest, signature;
	char name[4300];
	int status = 1;

	text_init_growing(&manifest, RELEASE_TEXT_MAX);
	text_init_growing(&signature, 1024);
	release_write(r, &manifest);
	snprintf(name, sizeof(name), "%s" RELEASE_SIG_END, path);
	if (manifest.failed || release_sign(key, text_bytes(&manifest), &signature) != OK)
		fail(path, "cannot be signed");
	else if (!put(path, text_bytes(&manifest)) || !put(name, text_bytes(&signature)))
		fail(path, strerror(errno));
	else
		status = 0;
	text_fini(&manifest);
	text_fini(&signature);
	return status;
}

int main(int argc, char **argv)
{
	static struct release r = { .version = BYTES(SLUIS_VERSION) };
	const char *prefix = argc > 2 ? argv[2] : NULL;
	bool is_elsewhere = prefix && strcmp(prefix, "--out") == 0, is_done = true;
	struct ed25519_key *key = NULL;
	char path[4200];
	enum err e;
	int status;

	if (prefix && strcmp(prefix, "-") == 0)
		prefix = getenv("MESON_INSTALL_DESTDIR_PREFIX");
	if (!prefix || argc < (is_elsewhere ? 5 : 4)) {
		fprintf(stderr, "usage: release_manifest KEY PREFIX PATH ... | KEY PREFIX again | KEY --out FILE PATH=FILE ...\n");
		return 2;
	}
	r.is_development = release_key_is_development;
	e = key_read(argv[1], &key);
	if (e != OK) {
		ed25519_free(&key);
		return fail(argv[1], e == ERR_DENIED ? "is not the key that these programs were built for" : "is no Ed25519 private key that can be read");
	}
	snprintf(path, sizeof(path), is_elsewhere ? "%s" : "%s/" RELEASE_MANIFEST, is_elsewhere ? argv[3] : prefix);
	if (!is_elsewhere && strcmp(argv[3], "again") == 0)
		is_done = add_again(&r, prefix, path);
	else
		for (int i = is_elsewhere ? 4 : 3; is_done && i < argc; i++)
			is_done = add(&r, is_elsewhere ? NULL : prefix, argv[i]);
	status = is_done ? write_both(&r, key, path) : 1;
	ed25519_free(&key);
	return status;
}
