/* For the build alone, never installed: writes the C file that holds the public key which release manifests are signed with. Without a
 * release key it makes a development key for this build folder, once, readable by its owner alone. It signs nothing.
 *
 *     release_key DEVELOPMENT.key RELEASE.key|"" OUT.c */
#define _GNU_SOURCE
#include "base/fd.h"
#include "base/secret.h"
#include "crypto/ed25519.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY_MODE 0600

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "release_key: %s: %s\n", path, what);
	return 1;
}

static enum err make(const char *path)
{
	unsigned char mem[ED25519_PEM_MAX];
	struct ed25519_key *key = ed25519_new();
	struct text pem;
	enum err e = key ? OK : ERR_MEMORY;

	text_init(&pem, mem, sizeof(mem));
	if (e == OK)
		e = ed25519_write(key, &pem);
	ed25519_free(&key);
	if (e == OK) {
		AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KEY_MODE);

		e = fd < 0 ? ERR_IO : fd_write_all(fd, text_bytes(&pem));
	}
	secret_wipe(mem, sizeof(mem));
	return e;
}

static enum err public_of(const char *path, unsigned char out[ED25519_PUBLIC_LEN])
{
	unsigned char mem[4096];
	struct ed25519_key *key = NULL;
	struct text pem;
	enum err e;

	text_init(&pem, mem, sizeof(mem));
	e = file_read(path, &pem);
	if (e == OK)
		e = ed25519_load(text_bytes(&pem), &key);
	secret_wipe(mem, sizeof(mem));
	if (e == OK)
		ed25519_public(key, out);
	ed25519_free(&key);
	return e;
}

static bool write_source(const char *path, const unsigned char key[ED25519_PUBLIC_LEN], bool is_development)
{
	FILE *out = fopen(path, "w");

	if (!out)
		return false;
	fprintf(out, "/* Made by packaging/release_key.c: whose signature a release manifest must have. */\n#include \"cli/release_files.h\"\n\n"
		     "const bool release_key_is_development = %s;\nconst unsigned char release_key_public[ED25519_PUBLIC_LEN] = {",
		is_development ? "true" : "false");
	for (unsigned i = 0; i < ED25519_PUBLIC_LEN; i++)
		fprintf(out, "%s0x%02x,", i % 8 ? " " : "\n\t", key[i]);
	fprintf(out, "\n};\n");
	return fclose(out) == 0;
}

int main(int argc, char **argv)
{
	unsigned char key[ED25519_PUBLIC_LEN];
	bool is_development;
	const char *path;
	enum err e;

	if (argc != 4) {
		fprintf(stderr, "usage: release_key DEVELOPMENT.key RELEASE.key|\"\" OUT.c\n");
		return 2;
	}
	is_development = argv[2][0] == 0;
	path = is_development ? argv[1] : argv[2];
	if (is_development && access(path, F_OK) < 0 && make(path) != OK)
		return fail(path, strerror(errno));
	e = public_of(path, key);
	if (e != OK)
		return fail(path, e == ERR_SYNTAX || e == ERR_UNSUPPORTED ? "is no Ed25519 private key in PEM without a passphrase" : strerror(errno));
	return write_source(argv[3], key, is_development) ? 0 : fail(argv[3], strerror(errno));
}
