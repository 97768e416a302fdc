/* The release manifest of an installation: where it is, where the files that it names are, and whether they are those. For sluis
 * verify-self and the programs' sums in evidence; what a manifest looks like is in evidence/release.h. */
#ifndef CLI_RELEASE_FILES_H
#define CLI_RELEASE_FILES_H

#include "cli/cli.h"
#include "cli/tree.h"
#include "evidence/release.h"

#define RELEASE_MANIFEST "share/sluis/release.manifest" /* below the prefix; beside the programs in a build folder */
#define RELEASE_SIG_END	 ".sig"

/* Made by the build: whose signature a release manifest must have. */
extern const bool release_key_is_development;
extern const unsigned char release_key_public[ED25519_PUBLIC_LEN];

/* An installation. */
struct release_place {
	const struct tree *tree;
	char prefix[TREE_PATH_MAX];  /* bin, libexec and share are below it; of a build folder, the folder */
	const char *rules;	     /* of a build folder: where the shipped rules are */
	bool is_build;
};
struct release_seen {
	char path[TREE_PATH_MAX + 64]; /* of the manifest */
	struct text text, signature;
	struct release r;    /* views into text */
	bool has_signature;  /* could be read */
	bool is_signed;	     /* and holds */
	unsigned line;	     /* of a manifest that is none */
};

/* This program's installation, or, in another tree, the one below /usr or /usr/local. */
void release_locate(struct release_place *p, const struct cli *cli, const struct tree *tree);
/* Where the file of a manifest's path is, in the tree. */
void release_path(const struct release_place *p, struct bytes path, char out[TREE_PATH_MAX + 256]);
/* Reads file (on this machine), or the installation's manifest if NULL. In all cases the caller calls release_unload. ERR_SYNTAX, ERR_LIMIT,
 * ERR_UNSUPPORTED: it is none (line); else errno says why it cannot be read. */
enum err release_load(struct release_seen *s, const struct release_place *p, const char *file, const unsigned char key[ED25519_PUBLIC_LEN]) MUST_USE;
void release_unload(struct release_seen *s);

/* The folders in which nothing but released files belongs: the next one, its path in manifests ("bin") and whether name there is such a file. */
struct release_folder {
	const char *name;
	bool only_ours; /* other people's files are there too: those whose name begins with sluis count */
};
extern const struct release_folder release_folders[3];
/* The folder's path in the tree. False: this place has it not apart. */
bool release_folder_path(const struct release_place *p, const struct release_folder *f, char out[TREE_PATH_MAX + 256]);
bool release_counts(const struct release_place *p, const struct release_folder *f, const char *name);

#endif
