/* Pieces of sluis evidence and sluis backup: what people are told, members of an archive that is being made. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"

#include "base/fd.h"
#include "base/secret.h"
#include "evidence/manifest.h"
#include "json/write.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

json_t *json_of(struct bytes b)
{
	json_t *s = json_stringn((const char *)b.at, b.len);
	struct text t;

	if (s)
		return s;
	text_init_growing(&t, 8 * b.len + 64); /* no UTF-8: what is none becomes U+FFFD */
	json_put_string(&t, b);
	s = t.failed ? NULL : json_loadb((const char *)t.at, t.len, JSON_DECODE_ANY, NULL);
	text_fini(&t);
	return s ? s : json_null();
}

void collect_missing(struct collect *c, const char *name, const char *why)
{
	json_array_append_new(c->missing, json_pack("{s:o,s:s}", "name", json_of(bytes_str(name)), "why", why));
}

void collect_name(const char *prefix, const char *path, char out[TAR_NAME_MAX + 1])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@,=:/";
	char mem[TAR_NAME_MAX + 1];
	struct text t;

	text_init(&t, mem, sizeof(mem) - 1);
	text_str(&t, prefix);
	while (*path == '/')
		path++;
	for (const char *p = path; *p; p++) {
		bool starts = p == path || p[-1] == '/';
		size_t n = starts ? strcspn(p, "/") : 9;

		if (*p == '/' && p > path && p[-1] == '/')
			continue; /* "a//b" names the same file */
		if (!strchr(plain, *p) || (n <= 2 && strspn(p, ".") >= n))
			text_fmt(&t, "%%%02X", (unsigned char)*p);
		else
			text_byte(&t, (unsigned char)*p);
	}
	memcpy(out, mem, t.len);
	out[t.len] = 0;
	if (t.failed || !tar_name_is_safe(bytes_str(out)))
		out[0] = 0;
}

static void progress(struct collect *c)
{
	if (c->shows_progress)
		fprintf(stderr, "\r%zu files, %.1f MB ", c->members, (double)tar_writer_at(c->tar) / 1e6);
}

static enum err end_member(struct collect *c, const char *name)
{
	unsigned char sum[SHA256_LEN];

	TRY(tar_writer_end(c->tar));
	sha256_end(c->sha, sum);
	manifest_add(&c->manifest, bytes_str(name), sum);
	c->members++;
	progress(c);
	return c->manifest.failed ? ERR_LIMIT : OK;
}

static enum err add(struct collect *c, struct bytes b)
{
	sha256_add(c->sha, b);
	return tar_writer_add(c->tar, b);
}

enum err collect_bytes(struct collect *c, const char *name, struct bytes content)
{
	TRY(tar_writer_begin(c->tar, name, content.len, c->now_s));
	sha256_begin(c->sha);
	TRY(add(c, content));
	return end_member(c, name);
}

enum err collect_json(struct collect *c, const char *name, json_t *o)
{
	char *s = json_dumps(o, JSON_INDENT(1));
	enum err e = ERR_MEMORY;
	struct text t;

	json_decref(o);
	if (s) {
		text_init_growing(&t, SIZE_MAX / 2);
		text_str(&t, s);
		text_byte(&t, '\n');
		e = t.failed ? ERR_MEMORY : collect_bytes(c, name, text_bytes(&t));
		text_fini(&t);
	}
	free(s);
	if (e == ERR_MEMORY)
		errno = ENOMEM;
	return e;
}

/* left bytes from fd; a file that became shorter meanwhile is filled with zeros, and that is noted. */
static enum err copy(struct collect *c, const char *name, int fd, uint64_t left)
{
	static unsigned char buf[PIECE];
	bool is_short = false;

	while (left) {
		size_t want = left < sizeof(buf) ? (size_t)left : sizeof(buf);
		ssize_t n = is_short ? 0 : read(fd, buf, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!is_short)
				collect_missing(c, name, n < 0 ? strerror(errno) : "became shorter while it was read; zeros follow");
			is_short = true;
			memset(buf, 0, want);
			n = (ssize_t)want;
		}
		TRY(add(c, bytes_of(buf, (size_t)n)));
		left -= (uint64_t)n;
		if (c->shows_progress && left % (16 * PIECE) < PIECE)
			progress(c);
	}
	return OK;
}

enum err collect_fd(struct collect *c, const char *name, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		collect_missing(c, name, strerror(errno));
		return OK;
	}
	TRY(tar_writer_begin(c->tar, name, (uint64_t)st.st_size, st.st_mtime));
	sha256_begin(c->sha);
	TRY(copy(c, name, fd, (uint64_t)st.st_size));
	return end_member(c, name);
}

enum err collect_file(struct collect *c, const char *name, const char *path, bool follows)
{
	/* Without O_NONBLOCK a named pipe in its place would hold us up for ever. */
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follows ? 0 : O_NOFOLLOW));
	struct stat st;

	if (fd < 0) {
		collect_missing(c, path, errno == ELOOP ? "is a symbolic link" : strerror(errno));
		return OK;
	}
	if (!*name || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		collect_missing(c, path, *name ? "is no regular file" : "its name is too long for an archive");
		return OK;
	}
	return collect_fd(c, name, fd);
}

bool evidence_file_sum(int fd, char out[2 * SHA256_LEN + 1])
{
	static unsigned char buf[PIECE];
	unsigned char sum[SHA256_LEN];
	struct sha256 *s = sha256_new();
	struct text t;
	ssize_t n;

	sha256_begin(s);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sha256_add(s, bytes_of(buf, (size_t)n));
	sha256_end(s, sum);
	sha256_free(&s);
	text_init(&t, out, 2 * SHA256_LEN);
	hex_put(&t, bytes_of(sum, sizeof(sum)));
	out[2 * SHA256_LEN] = 0;
	return n == 0;
}

struct ed25519_key *signing_key(const struct cli *cli, const struct site *s, const char *path)
{
	char standard[4200], mem[4096];
	struct ed25519_key *key = NULL;
	struct text t;
	enum err e;

	snprintf(standard, sizeof(standard), "%s/ledger.key", s->state_dir);
	if (!path)
		path = standard;
	text_init(&t, mem, sizeof(mem));
	e = file_read(path, &t);
	if (e == OK)
		e = ed25519_load(text_bytes(&t), &key);
	secret_wipe(mem, sizeof(mem));
	if (e != OK)
		cli_fail_in(cli, e == ERR_NOT_FOUND ? W_EV_KEY_NONE : e == ERR_SYNTAX || e == ERR_UNSUPPORTED ? W_EV_KEY_KIND :
			W_EV_KEY_DENIED, path);
	return key;
}

const char *who_asks(const char *by)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *p;

	if (by)
		return by;
	if (sudo && *sudo && getuid() == 0)
		return sudo;
	p = getpwuid(getuid());
	return p ? p->pw_name : "?";
}

bool public_key_read(const struct cli *cli, const char *path, unsigned char out[ED25519_PUBLIC_LEN])
{
	char mem[4096];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	if (file_read(path, &t) == OK && ed25519_public_load(text_bytes(&t), out) == OK)
		return true;
	cli_fail_in(cli, W_EV_PUB_BAD, path);
	return false;
}
