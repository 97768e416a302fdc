/* sluis backup create: what is no secret lies open in the archive, what is one lies sealed in it. */
#define _GNU_SOURCE
#include "cli/backup_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"
#include "cli/files.h"
#include "cli/tty.h"
#include "evidence/manifest.h"
#include "evidence/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLACK (4u << 20)

struct making {
	struct collect c;
	struct site site;
	struct item_list list;
	struct output out;
	struct ed25519_key *key;
	struct text passphrase, secrets; /* secrets: the inner archive */
	uint64_t now_us;
};

/* --- the passphrase --- */

bool passphrase_read(const struct cli *cli, const char *file, bool twice, struct text *out)
{
	size_t end;

	if (!file && !tty_ask_secret(cli, W_BK_PASSPHRASE, twice ? W_BK_PASSPHRASE_AGAIN : WORD_COUNT, W_BK_NO_TERMINAL, W_BK_NOT_THE_SAME, out))
		return false;
	if (file && file_read(file, out) != OK)
		return cli_fail_in(cli, W_CANNOT_READ, file, strerror(errno)) == 0;
	end = bytes_find_byte(text_bytes(out), '\n'); /* the first line, so that an editor's line feed does no harm */
	if (end != SIZE_MAX)
		out->len = end;
	if (out->len && out->at[out->len - 1] == '\r')
		out->len--;
	if (out->len < PASSPHRASE_LEAST)
		return cli_fail_in(cli, W_BK_SHORT, PASSPHRASE_LEAST) == 0;
	return true;
}

/* --- the index --- */

static json_t *item_json(const struct item *i, const char *member)
{
	json_t *o = json_pack("{s:o,s:o,s:o,s:i}", "path", json_of(bytes_str(i->path)), "user", json_of(bytes_str(i->user)), "group",
		json_of(bytes_str(i->group)), "mode", (int)i->mode);

	if (member)
		json_object_set_new(o, "member", json_string(member));
	return o;
}

static json_t *items_json(const struct item_list *l, bool secret)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].is_secret == secret)
			json_array_append_new(list, item_json(&l->at[i], l->at[i].member));
	return list;
}

/* The state's folders as they are now; others get ordinary rights when they are missing. */
static json_t *folders_json(const struct site *s)
{
	static const char *const names[] = { "", "/history", "/ledger" };
	json_t *list = json_array();

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct item item = { 0 };

		snprintf(item.path, sizeof(item.path), "%.4000s%s", s->state_dir, names[i]);
		if (backup_owner(&item))
			json_array_append_new(list, item_json(&item, NULL));
	}
	return list;
}

/* What each day of the ledger ends with, so that the days themselves can be held against it wherever they are kept. */
static json_t *rows_of(sqlite3 *db, const char *sql)
{
	json_t *list = json_array();
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK)
		while (sqlite3_step(s) == SQLITE_ROW) {
			json_t *row = json_object();

			for (int i = 0; i < sqlite3_column_count(s); i++) {
				const char *text = (const char *)sqlite3_column_text(s, i);

				json_object_set_new(row, sqlite3_column_name(s, i), text ? json_of(bytes_str(text)) : json_null());
			}
			json_array_append_new(list, row);
		}
	sqlite3_finalize(s);
	return list;
}

static bool want_day(const char *name, void *ctx)
{
	(void)ctx;
	return bytes_ends(bytes_str(name), BYTES(".ledger"));
}

static json_t *roots_json(const struct making *m)
{
	char dir[4200], path[4600];
	json_t *days = json_array();
	size_t count;

	snprintf(dir, sizeof(dir), "%s/ledger", m->site.state_dir);
	char **names = names_in(dir, want_day, NULL, &count);
	for (size_t i = 0; names && i < count; i++) {
		sqlite3 *db = NULL;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
			sqlite3_busy_timeout(db, 5000);
			json_array_append_new(days, json_pack("{s:o,s:o,s:o,s:o}", "file", json_of(bytes_str(names[i])), "meta",
				rows_of(db, "SELECT * FROM meta"), "last_batch",
				rows_of(db, "SELECT * FROM batch ORDER BY batch DESC LIMIT 1"), "seal", rows_of(db, "SELECT * FROM seal")));
		}
		sqlite3_close(db);
	}
	names_free(names, count);
	return days;
}

static enum err index_member(struct making *m)
{
	char host[256] = "", when[25];

	gethostname(host, sizeof(host) - 1);
	clock_rfc3339(m->now_us, when);
	return collect_json(&m->c, BACKUP_INDEX, json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:O,s:o}", "format", BACKUP_FORMAT, "time", when,
		"host", host, "version", SLUIS_VERSION, "config", json_of(bytes_str(m->list.at[0].path)), "folders",
		folders_json(&m->site), "files", items_json(&m->list, false), "left_out", m->list.left_out, "ledger_roots", roots_json(m)));
}

/* --- members --- */

static enum err put_item(struct making *m, const struct item *i)
{
	AUTO(fd_close) int fd = -1;
	size_t missing = json_array_size(m->c.missing);
	char temporary[4300];
	const char *why = "";
	enum err e;

	snprintf(temporary, sizeof(temporary), "%s-copy", m->out.partial);
	if (i->is_database && !sqlite_copy(i->path, temporary, &fd, &why)) {
		cli_fail_in(m->c.cli, W_CANNOT_READ, i->path, why);
		return ERR_DENIED;
	}
	if (!i->is_database)
		fd = open(i->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		cli_fail_in(m->c.cli, W_CANNOT_READ, i->path, strerror(errno));
		return ERR_DENIED;
	}
	e = collect_fd(&m->c, i->member, fd);
	if (e == OK && json_array_size(m->c.missing) != missing) {
		cli_fail_in(m->c.cli, W_CANNOT_READ, i->path, cli_word(m->c.cli, W_BK_CHANGED_MEANWHILE));
		return ERR_DENIED;
	}
	return e;
}

static enum err put_items(struct making *m, bool secret)
{
	for (size_t i = 0; i < m->list.count; i++)
		if (m->list.at[i].is_secret == secret)
			TRY(put_item(m, &m->list.at[i]));
	return OK;
}

/* The inner archive, made with the same functions as the outer one. */
static enum err put_secrets(struct making *m, const unsigned char before[SHA256_LEN])
{
	struct tar_writer *outer = m->c.tar;
	size_t manifest = m->c.manifest.len;
	char hex[2 * SHA256_LEN + 1] = "";
	struct text t;
	enum err e;

	text_init(&t, hex, 2 * SHA256_LEN);
	hex_put(&t, bytes_of(before, SHA256_LEN));
	m->c.tar = NULL;
	e = tar_writer_open_text(&m->secrets, &m->c.tar);
	if (e == OK)
		e = collect_json(&m->c, BACKUP_SEAL_INDEX, json_pack("{s:s,s:o}", "before_sealed", hex, "files",
			items_json(&m->list, true)));
	if (e == OK)
		e = put_items(m, true);
	if (e == OK)
		e = tar_writer_close(m->c.tar);
	tar_writer_free(&m->c.tar);
	m->c.tar = outer;
	m->c.manifest.len = manifest;
	return e;
}

static enum err put_sealed(struct making *m)
{
	unsigned char before[SHA256_LEN];
	struct text sealed;
	enum err e;

	tar_writer_digest(m->c.tar, before);
	e = put_secrets(m, before);
	text_init_growing(&sealed, m->secrets.len + SEAL_OVERHEAD);
	if (e == OK)
		e = seal(text_bytes(&m->secrets), text_bytes(&m->passphrase), SEAL_COST, &sealed);
	if (e == OK)
		e = tar_writer_member(m->c.tar, BACKUP_SEALED, text_bytes(&sealed), m->c.now_s);
	text_fini(&sealed);
	return e;
}

static enum err put_signature(struct making *m)
{
	unsigned char before[SHA256_LEN], mem[256], pem_mem[512], signature[ED25519_SIGNATURE_LEN], public[ED25519_PUBLIC_LEN];
	struct text what, pem;

	tar_writer_digest(m->c.tar, before);
	text_init(&what, mem, sizeof(mem));
	text_init(&pem, pem_mem, sizeof(pem_mem));
	backup_signed_text(text_bytes(&m->c.manifest), before, &what);
	TRY(ed25519_sign(m->key, text_bytes(&what), signature));
	ed25519_public(m->key, public);
	TRY(ed25519_public_write(public, &pem));
	TRY(tar_writer_member(m->c.tar, MANIFEST_SIG, bytes_of(signature, sizeof(signature)), m->c.now_s));
	return tar_writer_member(m->c.tar, MANIFEST_SIGNER, text_bytes(&pem), m->c.now_s);
}

static enum err put_all(struct making *m)
{
	TRY(tar_writer_open(m->out.fd, &m->c.tar));
	TRY(index_member(m));
	TRY(put_items(m, false));
	TRY(tar_writer_member(m->c.tar, MANIFEST_NAME, text_bytes(&m->c.manifest), m->c.now_s));
	TRY(put_sealed(m));
	if (m->key)
		TRY(put_signature(m));
	return tar_writer_close(m->c.tar);
}

/* --- the command --- */

static int report(const struct making *m, const char *path, uint64_t size)
{
	const struct cli *cli = m->c.cli;
	size_t secret = 0;

	for (size_t i = 0; i < m->list.count; i++)
		secret += m->list.at[i].is_secret;
	if (cli->as_json) {
		json_t *o = json_pack("{s:o,s:I,s:I,s:I,s:b,s:O}", "file", json_of(bytes_str(path)), "bytes", (json_int_t)size, "files",
			(json_int_t)m->list.count, "sealed", (json_int_t)secret, "signed", m->key != NULL, "left_out", m->list.left_out);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
		return 0;
	}
	cli_say(cli, stdout, W_BK_CREATED, path, m->list.count, secret, (double)size / 1e6);
	if (!m->key)
		cli_say(cli, stdout, W_BK_CREATED_UNSIGNED);
	for (size_t i = 0; i < json_array_size(m->list.left_out); i++) {
		const json_t *o = json_array_get(m->list.left_out, i);

		cli_say(cli, stdout, W_BK_LEFT_OUT, json_string_value(json_object_get(o, "name")),
			json_string_value(json_object_get(o, "why")));
	}
	cli_say(cli, stdout, W_BK_CREATE_NEXT, path);
	return 0;
}

static uint64_t size_of(const struct item_list *l)
{
	uint64_t sum = SLACK;
	struct stat st;

	for (size_t i = 0; i < l->count; i++)
		if (stat(l->at[i].path, &st) == 0)
			sum += (uint64_t)st.st_size;
	return sum;
}

static int write_backup(struct making *m, const char *path)
{
	const struct cli *cli = m->c.cli;
	uint64_t have, need = size_of(&m->list), size;
	enum err e;

	if (!output_has_room(path, need, &have))
		return cli_fail_in(cli, W_NO_ROOM, path, (double)need / 1e6, (double)have / 1e6);
	if (!output_open(&m->out, path, false))
		return cli_fail_in(cli, errno == EEXIST ? W_EXISTS : W_CANNOT_WRITE, path, strerror(errno));
	e = put_all(m);
	if (m->c.shows_progress)
		fputs("\r\033[K", stderr);
	if (e != OK) {
		if (e != ERR_DENIED)
			cli_fail_in(cli, W_CANNOT_WRITE, path, e == ERR_IO ? strerror(errno) : err_name(e));
		output_drop(&m->out);
		return 1;
	}
	size = tar_writer_at(m->c.tar);
	if (!output_commit(&m->out, false))
		return cli_fail_in(cli, errno == EEXIST ? W_EXISTS : W_CANNOT_WRITE, path, strerror(errno));
	return report(m, path, size);
}

static int make(struct making *m, const char *path, const char *passphrase, bool with_ledger)
{
	const struct cli *cli = m->c.cli;
	char key[4200];

	if (!site_load(cli, &m->site))
		return cli_fail_in(cli, W_CANNOT_READ, m->site.config, strerror(errno));
	if (!m->site.is_valid)
		return cli_fail_in(cli, W_BK_INVALID, m->site.config);
	if (!backup_list(cli, &m->site, with_ledger, &m->list) || !passphrase_read(cli, passphrase, true, &m->passphrase))
		return 1;
	snprintf(key, sizeof(key), "%s/ledger.key", m->site.state_dir);
	if (access(key, F_OK) == 0) {
		m->key = signing_key(cli, &m->site, NULL);
		if (!m->key)
			return 1;
	}
	return write_backup(m, path);
}

int backup_create(const struct cli *cli, int argc, char **argv)
{
	const char *path = NULL, *passphrase = NULL;
	bool with_ledger = false;
	const struct option options[] = { { "--passphrase-file", &passphrase, NULL }, { "--with-ledger", NULL, &with_ledger }, { 0 } };
	static struct making m;
	int status;

	if (!options_take(cli, options, argc, argv, &path) || !path) {
		cli_fail_in(cli, W_BK_CREATE_USAGE);
		return 2;
	}
	m.now_us = clock_real_us();
	m.c = (struct collect){ .cli = cli, .site = &m.site, .missing = json_array(), .now_s = (int64_t)(m.now_us / 1000000),
		.sha = sha256_new(), .shows_progress = isatty(2) && !cli->as_json };
	text_init_growing(&m.c.manifest, MANIFEST_MAX);
	text_init_growing(&m.passphrase, 4096);
	text_init_growing(&m.secrets, BACKUP_SEALED_MAX);
	status = make(&m, path, passphrase, with_ledger);
	if (m.passphrase.at)
		secret_wipe(m.passphrase.at, m.passphrase.len);
	if (m.secrets.at)
		secret_wipe(m.secrets.at, m.secrets.len);
	text_fini(&m.passphrase);
	text_fini(&m.secrets);
	text_fini(&m.c.manifest);
	tar_writer_free(&m.c.tar);
	sha256_free(&m.c.sha);
	json_decref(m.c.missing);
	backup_list_fini(&m.list);
	ed25519_free(&m.key);
	site_fini(&m.site);
	return status;
}
