/* A build folder has all programs beside each other and the rules in the sources; the manifest names both as they are installed. */
#define _GNU_SOURCE
#include "cli/release_files.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct release_folder release_folders[3] = { { "bin", true }, { "libexec/sluis", false }, { "share/sluis/rules", false } };

static bool exists(const struct tree *t, const char *prefix, const char *name)
{
	char path[TREE_PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", prefix, name);
	AUTO(fd_close) int fd = tree_file(t, path, O_PATH);
	return fd >= 0;
}

static void locate_other(struct release_place *p)
{
	static const char *const prefixes[] = { "/usr", "/usr/local" };
	static const char *const signs[] = { RELEASE_MANIFEST, "bin/sluisd", "bin/sluis" };

	for (size_t s = 0; s < COUNT_OF(signs); s++)
		for (size_t i = 0; i < COUNT_OF(prefixes); i++)
			if (exists(p->tree, prefixes[i], signs[s])) {
				snprintf(p->prefix, sizeof(p->prefix), "%s", prefixes[i]);
				return;
			}
	snprintf(p->prefix, sizeof(p->prefix), "%s", prefixes[0]);
}

void release_locate(struct release_place *p, const struct cli *cli, const struct tree *tree)
{
	const char *slash = strrchr(cli->program_dir, '/');
	struct bytes dir = bytes_str(cli->program_dir);

	memset(p, 0, sizeof(*p));
	p->tree = tree;
	if (tree->is_other) {
		locate_other(p);
		return;
	}
	p->is_build = !bytes_ends(dir, BYTES("/bin")) && exists(tree, cli->program_dir, "release.manifest");
	p->rules = cli->rules ? cli->rules : "";
	snprintf(p->prefix, sizeof(p->prefix), "%.*s", p->is_build || !slash ? (int)dir.len : (int)(slash - cli->program_dir), cli->program_dir);
}

/* Behind the folder, or NULL: not in it. */
static bool is_in(struct bytes path, struct bytes folder, struct bytes *rest)
{
	if (!bytes_starts(path, folder))
		return false;
	*rest = bytes_cut(path, folder.len, path.len);
	return true;
}

void release_path(const struct release_place *p, struct bytes path, char out[TREE_PATH_MAX + 256])
{
	struct bytes rest;

	if (p->is_build && is_in(path, BYTES("share/sluis/rules/"), &rest))
		snprintf(out, TREE_PATH_MAX + 256, "%s/%.*s", p->rules, FMT(rest));
	else if (p->is_build && (is_in(path, BYTES("bin/"), &rest) || is_in(path, BYTES("libexec/sluis/"), &rest)))
		snprintf(out, TREE_PATH_MAX + 256, "%s/%.*s", p->prefix, FMT(rest));
	else
		snprintf(out, TREE_PATH_MAX + 256, "%s/%.*s", p->prefix, FMT(path));
}

bool release_folder_path(const struct release_place *p, const struct release_folder *f, char out[TREE_PATH_MAX + 256])
{
	if (p->is_build && f == &release_folders[1])
		return false; /* the same as the first */
	if (p->is_build)
		snprintf(out, TREE_PATH_MAX + 256, "%s", f->only_ours ? p->prefix : p->rules);
	else
		snprintf(out, TREE_PATH_MAX + 256, "%s/%s", p->prefix, f->name);
	return true;
}

bool release_counts(const struct release_place *p, const struct release_folder *f, const char *name)
{
	if (!f->only_ours)
		return true;
	/* "sluisd.p" and the like are the compiler's */
	return strncmp(name, "sluis", 5) == 0 && !(p->is_build && strchr(name, '.'));
}

static enum err read_into(const struct tree *t, const char *path, struct text *out)
{
	AUTO(fd_close) int fd = tree_file(t, path, O_NOFOLLOW);

	return fd < 0 ? ERR_IO : fd_read_all(fd, out);
}

enum err release_load(struct release_seen *s, const struct release_place *p, const char *file, const unsigned char key[ED25519_PUBLIC_LEN])
{
	static const struct tree here = { .fd = -1 };
	const struct tree *t = file ? &here : p->tree;
	char sig[sizeof(s->path) + 8];
	enum err e;

	memset(s, 0, sizeof(*s));
	text_init_growing(&s->text, RELEASE_TEXT_MAX);
	text_init_growing(&s->signature, 1024);
	if (file)
		snprintf(s->path, sizeof(s->path), "%s", file);
	else
		snprintf(s->path, sizeof(s->path), "%s/%s", p->prefix, p->is_build ? "release.manifest" : RELEASE_MANIFEST);
	TRY(read_into(t, s->path, &s->text));
	snprintf(sig, sizeof(sig), "%s" RELEASE_SIG_END, s->path);
	s->has_signature = read_into(t, sig, &s->signature) == OK;
	s->is_signed = s->has_signature && release_is_signed(key, text_bytes(&s->text), text_bytes(&s->signature));
	e = release_parse(text_bytes(&s->text), &s->r, &s->line);
	return e;
}

void release_unload(struct release_seen *s)
{
	text_fini(&s->text);
	text_fini(&s->signature);
}
