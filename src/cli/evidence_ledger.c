/* The ledger inside a bundle: its files are put into a folder of their own while the bundle is read, and then verified like any
 * other ledger. What is found was so when the bundle was made: it is no fault of the bundle. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"

#include "base/fd.h"
#include "ledger/days.h"
#include "ledger/verify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_ledger_file(struct bytes name)
{
	char text[LEDGER_FILE_MAX] = { 0 }, day[LEDGER_FILE_MAX];

	if (bytes_eq(name, BYTES("ledger.pub")) || bytes_eq(name, BYTES("ledger.head")))
		return true;
	if (name.len != LEDGER_FILE_MAX - 1)
		return false;
	memcpy(text, name.at, name.len);
	ledger_day_file(text, day);
	return strcmp(text, day) == 0;
}

static bool make_folder(struct bundle_ledger *l)
{
	const char *tmp = getenv("TMPDIR");

	if (l->dir[0])
		return true;
	snprintf(l->dir, sizeof(l->dir), "%.200s/sluis-ledger-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(l->dir))
		l->dir[0] = 0;
	return l->dir[0] != 0;
}

void bundle_ledger_content(struct bundle_ledger *l, struct bytes name, struct bytes piece)
{
	char path[300];

	if (!bytes_starts(name, BYTES("ledger/")) || !is_ledger_file(bytes_cut(name, 7, name.len)))
		return;
	if (piece.len == 0) {
		fd_close(&l->fd);
		return;
	}
	if (l->fd < 0 && make_folder(l)) {
		snprintf(path, sizeof(path), "%s/%.*s", l->dir, FMT(bytes_cut(name, 7, name.len)));
		l->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		l->files++;
	}
	if (l->fd < 0 || fd_write_all(l->fd, piece) != OK)
		l->is_incomplete = true;
}

static void on_finding(void *ctx, const struct ledger_finding *f)
{
	json_array_append_new(ctx, json_pack("{s:s,s:s,s:I,s:s}", "fault", ledger_fault_name(f->fault), "file", f->file, "record",
		(json_int_t)f->seq, "what", f->what));
}

json_t *bundle_ledger_verify(struct bundle_ledger *l)
{
	json_t *findings = json_array();
	struct ledger_report r;
	enum err e = !l->dir[0] ? ERR_NOT_FOUND : l->is_incomplete ? ERR_IO : ledger_verify(l->dir, NULL, on_finding, findings, &r);

	fd_close(&l->fd);
	if (e != OK) {
		json_decref(findings);
		return json_pack("{s:b,s:s}", "checked", 0, "why", e == ERR_NOT_FOUND ? "no day of the ledger is in the bundle" :
			e == ERR_IO ? "there was no room for its files in the folder for temporary files" : "its ledger.pub is missing");
	}
	return json_pack("{s:b,s:b,s:I,s:I,s:o}", "checked", 1, "ok", r.findings == 0, "files", (json_int_t)r.files, "records",
		(json_int_t)r.records, "findings", findings);
}

static void drop(const struct bundle_ledger *l, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", l->dir, name);
	unlink(path);
}

void bundle_ledger_fini(struct bundle_ledger *l)
{
	struct ledger_day *days = NULL;
	size_t count = 0;

	fd_close(&l->fd);
	if (!l->dir[0])
		return;
	if (ledger_days(l->dir, &days, &count) == OK)
		for (size_t i = 0; i < count; i++)
			drop(l, days[i].file);
	free(days);
	drop(l, "ledger.pub");
	drop(l, "ledger.head");
	rmdir(l->dir);
	l->dir[0] = 0;
}
