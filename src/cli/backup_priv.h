/* What the files of sluis backup share. */
#ifndef CLI_BACKUP_PRIV_H
#define CLI_BACKUP_PRIV_H

#include "cli/evidence_priv.h"
#include "evidence/backup.h"

/* What goes into a backup. */
struct item {
	char path[4096], member[TAR_NAME_MAX + 1];
	char user[65], group[65];
	unsigned mode;
	bool is_secret, is_database; /* a database is copied by SQLite */
};
struct item_list {
	struct item *at;
	size_t count, cap;
	json_t *left_out; /* array of {name, why} */
};
/* Everything that belongs to the state; what cannot be read is a mistake that was said: false. */
bool backup_list(const struct cli *cli, const struct site *s, bool with_ledger, struct item_list *out) MUST_USE;
void backup_list_fini(struct item_list *l);
/* Fills user, group and mode from path. */
bool backup_owner(struct item *i) MUST_USE;

/* From the file that was named, or asked on the terminal (twice when twice). At least PASSPHRASE_LEAST octets. False: said. */
#define PASSPHRASE_LEAST 8
bool passphrase_read(const struct cli *cli, const char *file, bool twice, struct text *out) MUST_USE;

int backup_create(const struct cli *cli, int argc, char **argv);
int backup_verify(const struct cli *cli, int argc, char **argv);
int backup_restore(const struct cli *cli, int argc, char **argv);

#endif
