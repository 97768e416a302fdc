/* What Sluis wrote: the history of configurations, and the ledger. Both hold every configuration that was in use, so one is held against the
 * other. The ledger is read by a helper that can write nowhere but beside it and open no connection. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"
#include "cli/files.h"
#include "cli/verify_self_priv.h"

#include "admin/history.h"
#include "base/fd.h"
#include "jail/jail.h"
#include "ledger/days.h"
#include "ledger/verify.h"
#include "window/when.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MOST (64u << 20)
#define FINDINGS_MOST 1000
#define JUST_NOW_S  30 /* how long the ledger may take to write a configuration that is in use */

/* --- the helper --- */

static void on_finding(void *ctx, const struct ledger_finding *f)
{
	char detail[40] = "";

	if (json_array_size(ctx) == FINDINGS_MOST)
		return;
	if (f->seq)
		snprintf(detail, sizeof(detail), "record %llu, ", (unsigned long long)f->seq);
	json_array_append_new(ctx, json_pack("{s:s,s:s,s:s,s:s}", "fault", ledger_fault_name(f->fault), "file", f->file, "at", detail, "what", f->what));
}

/* SHA-256 of every configuration that a day holds; the day itself was verified before. */
static void configurations(const char *dir, const char *file, json_t *sums)
{
	char path[TREE_PATH_MAX + LEDGER_FILE_MAX];
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db, 5000);
		sqlite3_exec(db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON", NULL, NULL, NULL);
		if (sqlite3_prepare_v2(db, "SELECT sha256 FROM attachment", -1, &st, NULL) == SQLITE_OK)
			while (sqlite3_step(st) == SQLITE_ROW)
				json_object_set_new(sums, (const char *)sqlite3_column_text(st, 0), json_true());
		sqlite3_finalize(st);
	}
	sqlite3_close(db);
}

/* SQLite makes an index of a journal that has none; where it cannot, the day would seem damaged, which it is not. */
static bool is_readable(const char *dir, const struct ledger_day *days, size_t count)
{
	char path[TREE_PATH_MAX + LEDGER_FILE_MAX + 8];

	for (size_t i = 0; i < count; i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s-wal", dir, days[i].file);
		if (stat(path, &st) < 0 || st.st_size == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s-shm", dir, days[i].file);
		if (access(path, R_OK) < 0 && access(dir, W_OK) < 0)
			return false;
	}
	return true;
}

static json_t *read_ledger(const char *dir)
{
	json_t *findings = json_array(), *sums = json_object();
	struct ledger_day *days = NULL;
	struct ledger_report r = { 0 };
	size_t count = 0;
	enum err e = ledger_days(dir, &days, &count);

	if (e == OK && !is_readable(dir, days, count))
		e = ERR_DENIED;
	if (e == OK)
		e = ledger_verify(dir, NULL, on_finding, findings, &r);
	for (size_t i = 0; e == OK && i < count; i++)
		configurations(dir, days[i].file, sums);
	free(days);
	return json_pack("{s:i,s:I,s:I,s:I,s:I,s:o,s:o}", "err", (int)e, "first_us", (json_int_t)r.first_us, "files", (json_int_t)r.files, "records", (json_int_t)r.records, "lost",
		(json_int_t)r.lost, "findings", findings, "configurations", sums);
}

static enum err confine(const char *dir)
{
	static const int *const lists[] = { jail_scribe, jail_check, jail_ledger, NULL };
	static const char *const reads[] = { "/", NULL };
	const struct jail jail = { .role = "ledger", .syscalls = lists, .reads = reads, .writes = dir, .keeps_parent = true };
	unsigned char mem[512];
	struct text report;

	text_init(&report, mem, sizeof(mem));
	return jail_apply(&jail, &report);
}

/* Hears one folder; answers with JSON until the end of the pipe. */
static void helper(int from, int to)
{
	char dir[TREE_PATH_MAX];
	struct text t;
	char *answer;

	text_init(&t, dir, sizeof(dir) - 1);
	(void)!prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd_read_all(from, &t) != OK || t.len == 0)
		_exit(0);
	dir[t.len] = 0;
	if (confine(dir) != OK)
		_exit(1);
	answer = json_dumps(read_ledger(dir), JSON_COMPACT);
	_exit(answer && fd_write_all(to, bytes_str(answer)) == OK ? 0 : 1);
}

bool self_ledger_start(struct self_ledger *l)
{
	int down[2], up[2];
	pid_t pid;

	if (pipe2(down, O_CLOEXEC) < 0)
		return false;
	if (pipe2(up, O_CLOEXEC) < 0) {
		close(down[0]);
		close(down[1]);
		return false;
	}
	pid = fork();
	if (pid == 0) {
		close(down[1]);
		close(up[0]);
		helper(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	l->to = down[1];
	l->from = up[0];
	l->pid = pid;
	return pid > 0;
}

/* NULL: the helper could not do it. */
static json_t *ask(struct self_ledger *l, const char *dir)
{
	json_t *answer = NULL;
	struct text t;

	if (fd_write_all(l->to, bytes_str(dir)) != OK)
		return NULL;
	fd_close(&l->to);
	text_init_growing(&t, ANSWER_MOST);
	if (fd_read_all(l->from, &t) == OK)
		answer = json_loadb((const char *)t.at, t.len, 0, NULL);
	text_fini(&t);
	while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return answer;
}

/* --- the history --- */

struct entry {
	uint32_t number;
	bool has_text, has_bundle, has_note;
	bool is_just_made;
	unsigned char sum[SHA256_LEN]; /* of the bundle */
	bool has_sum, has_no_ledger; /* no ledger was kept while this was in use */
	uint64_t from_us;	     /* when it came into use, or 0; never before what is older */
};
struct history {
	char dir[TREE_PATH_MAX + 16];
	struct entry *list;
	size_t count;
};

static bool parse_name(const char *name, uint32_t *number, struct bytes *end)
{
	struct bytes b = bytes_str(name);
	size_t dot = bytes_find_byte(b, '.');
	uint64_t n;

	if (dot == SIZE_MAX || b.at[0] == '0' || bytes_u64(bytes_cut(b, 0, dot), &n) != OK || n == 0 || n >= UINT32_MAX)
		return false;
	*number = (uint32_t)n;
	*end = bytes_cut(b, dot, b.len);
	return bytes_eq(*end, BYTES(".yaml")) || bytes_eq(*end, BYTES(".bundle")) || bytes_eq(*end, BYTES(".json"));
}

static struct entry *entry_of(struct history *h, uint32_t number)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->list[i].number == number)
			return &h->list[i];
	h->list = reallocarray(h->list, h->count + 1, sizeof(*h->list));
	CHECK(h->list);
	h->list[h->count] = (struct entry){ .number = number };
	return &h->list[h->count++];
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct entry *)a)->number, y = ((const struct entry *)b)->number;

	return x < y ? -1 : x > y;
}

static void path_of(const struct history *h, uint32_t number, const char *end, char out[TREE_PATH_MAX + 64])
{
	snprintf(out, TREE_PATH_MAX + 64, "%s/%u.%s", h->dir, number, end);
}

static bool list_entries(struct self *s, struct history *h)
{
	size_t count;
	char **names = tree_names(&s->tree, h->dir, &count), path[TREE_PATH_MAX + 300];
	struct bytes end;
	uint32_t number;

	if (!names)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (names[i][0] == '.')
			continue; /* was being written when the power went */
		if (!parse_name(names[i], &number, &end)) {
			snprintf(path, sizeof(path), "%s/%s", h->dir, names[i]);
			self_find(s, SELF_HISTORY, DIFF_EXTRA, path, NULL);
			continue;
		}
		entry_of(h, number)->has_text |= bytes_eq(end, BYTES(".yaml"));
		entry_of(h, number)->has_bundle |= bytes_eq(end, BYTES(".bundle"));
		entry_of(h, number)->has_note |= bytes_eq(end, BYTES(".json"));
	}
	names_free(names, count);
	if (h->count)
		qsort(h->list, h->count, sizeof(*h->list), by_number);
	/* The text is written last: without it the newest is one that never came into use. */
	if (h->count && !h->list[h->count - 1].has_text)
		h->count--;
	return true;
}

static bool read_part(struct self *s, struct history *h, const struct entry *e, const char *end, struct text *out, struct stat *st)
{
	char path[TREE_PATH_MAX + 64];

	path_of(h, e->number, end, path);
	AUTO(fd_close) int fd = tree_file(&s->tree, path, O_NOFOLLOW);
	return fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && fd_read_all(fd, out) == OK;
}

static bool read_note(struct bytes note, struct entry *e)
{
	json_t *o = json_loadb((const char *)note.at, note.len, JSON_REJECT_DUPLICATES, NULL);
	const char *time = json_string_value(json_object_get(o, "time"));
	bool is = time && json_integer_value(json_object_get(o, "number")) == e->number && when_parse(bytes_str(time), 0, false, &e->from_us) == OK;

	json_decref(o);
	return is;
}

static bool keeps_no_ledger(struct bundle_reader *b)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = NULL;
	bool is_off;

	is_off = conf_load(b->file, b->text, &b->source, &conf, &errors) == OK && conf->ledger.mode == CONF_LEDGER_OFF;
	conf_free(&conf);
	return is_off;
}

static void entry(struct self *s, struct history *h, struct entry *e)
{
	struct text text, bundle, note;
	struct bundle_reader reader;
	struct stat st = { 0 };
	char path[TREE_PATH_MAX + 64];

	text_init_growing(&text, HISTORY_TEXT_MAX);
	text_init_growing(&bundle, BUNDLE_MOST);
	text_init_growing(&note, 4096);
	path_of(h, e->number, "bundle", path);
	if (!read_part(s, h, e, "bundle", &bundle, &st) || bundle_reader_init(&reader, text_bytes(&bundle)) != OK) {
		self_find(s, SELF_HISTORY, DIFF_HISTORY_BAD, path, NULL);
	} else {
		sha256_of(text_bytes(&bundle), e->sum);
		e->has_sum = true;
		e->is_just_made = st.st_mtime + JUST_NOW_S > time(NULL);
		e->has_no_ledger = keeps_no_ledger(&reader);
	}
	path_of(h, e->number, "yaml", path);
	if (!read_part(s, h, e, "yaml", &text, &st))
		self_find(s, SELF_HISTORY, DIFF_HISTORY_BAD, path, NULL);
	else if (e->has_sum && !bytes_eq(text_bytes(&text), reader.text))
		self_find(s, SELF_HISTORY, DIFF_HISTORY_TEXT, path, NULL);
	path_of(h, e->number, "json", path);
	if (!read_part(s, h, e, "json", &note, &st) || !read_note(text_bytes(&note), e))
		self_find(s, SELF_HISTORY, DIFF_HISTORY_BAD, path, NULL);
	if (e == &h->list[h->count - 1] && s->in_use &&
		!bytes_eq(text_bytes(&text), bytes_of(json_string_value(s->in_use), json_string_length(s->in_use)))) {
		path_of(h, e->number, "yaml", path);
		self_find(s, SELF_HISTORY, DIFF_NOT_IN_USE, path, NULL);
	}
	text_fini(&text);
	text_fini(&bundle);
	text_fini(&note);
}

static void gap(struct self *s, const struct history *h, uint32_t first, uint32_t last)
{
	char path[TREE_PATH_MAX + 64], detail[64];

	path_of(h, first, "yaml", path);
	snprintf(detail, sizeof(detail), "%u - %u", first, last);
	self_find(s, SELF_HISTORY, DIFF_GAP, path, detail);
}

static void entries(struct self *s, struct history *h)
{
	uint32_t newest = h->count ? h->list[h->count - 1].number : 0;
	uint32_t expect = newest > HISTORY_KEPT ? newest - HISTORY_KEPT + 1 : 1; /* what is older may have been removed */

	for (size_t i = 0; i < h->count; i++) {
		struct entry *e = &h->list[i];
		char path[TREE_PATH_MAX + 64];

		if (e->number > expect)
			gap(s, h, expect, e->number - 1);
		if (e->number >= expect)
			expect = e->number + 1;
		if (!e->has_text || !e->has_bundle || !e->has_note) {
			path_of(h, e->number, !e->has_text ? "yaml" : !e->has_bundle ? "bundle" : "json", path);
			self_find(s, SELF_HISTORY, DIFF_INCOMPLETE, path, NULL);
			continue;
		}
		entry(s, h, e);
	}
}

/* --- the ledger --- */

/* What came into use since the ledger begins, it has. Its older days may have been removed. */
static void compare(struct self *s, struct history *h, const json_t *sums, uint64_t first_us)
{
	uint64_t from_us = 0;

	for (size_t i = 0; i < h->count; i++) {
		struct entry *e = &h->list[i];
		char path[TREE_PATH_MAX + 64], hex[2 * SHA256_LEN + 1] = { 0 };
		struct text t;

		if (e->from_us > from_us)
			from_us = e->from_us;
		if (!e->has_sum || from_us <= first_us || e->has_no_ledger || (e->is_just_made && i + 1 == h->count))
			continue;
		text_init(&t, hex, sizeof(hex) - 1);
		hex_put(&t, bytes_of(e->sum, sizeof(e->sum)));
		if (json_object_get(sums, hex))
			continue;
		path_of(h, e->number, "bundle", path);
		self_find(s, SELF_HISTORY, DIFF_NOT_RECORDED, path, NULL);
	}
}

static void report(struct self *s, struct history *h, const json_t *answer, const char *dir)
{
	enum err e = (enum err)json_integer_value(json_object_get(answer, "err"));
	const json_t *findings = json_object_get(answer, "findings");
	char text[2 * TREE_PATH_MAX];

	if (e != OK) {
		self_result(s, SELF_LEDGER, SELF_NOT_CHECKED, W_SELF_R_LEDGER_UNREADABLE, dir);
		return;
	}
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		char path[2 * TREE_PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", dir, json_string_value(json_object_get(f, "file")));
		snprintf(text, sizeof(text), "%s: %s%s", json_string_value(json_object_get(f, "fault")), json_string_value(json_object_get(f, "at")),
			json_string_value(json_object_get(f, "what")));
		self_find(s, SELF_LEDGER, DIFF_LEDGER, path, text);
	}
	if (json_integer_value(json_object_get(answer, "lost")) == 0) /* else it may be the configuration that is missing */
		compare(s, h, json_object_get(answer, "configurations"),
			(uint64_t)json_integer_value(json_object_get(answer, "first_us")));
	snprintf(text, sizeof(text), "%lld, %lld", (long long)json_integer_value(json_object_get(answer, "files")),
		(long long)json_integer_value(json_object_get(answer, "records")));
	self_result(s, SELF_LEDGER, SELF_GOOD, W_SELF_R_LEDGER, text);
}

/* Without a folder: as it should be where nothing ran, or without a ledger. */
static void no_ledger(struct self *s, const struct history *h, const char *dir)
{
	const struct entry *newest = h->count ? &h->list[h->count - 1] : NULL;

	if (errno != ENOENT)
		self_result(s, SELF_LEDGER, SELF_NOT_CHECKED, W_SELF_R_UNREADABLE, dir);
	else
		self_result(s, SELF_LEDGER, SELF_NOT_LOOKED, W_SELF_R_NONE, dir);
	if (errno == ENOENT && newest && !newest->has_no_ledger && !newest->is_just_made)
		self_find(s, SELF_LEDGER, DIFF_NO_LEDGER, dir, NULL);
}

/* SQLite and what reads the keys follow links, which on an examined disk may lead anywhere, and wait for pipes. */
static bool is_plain(struct self *s, const char *dir)
{
	char path[TREE_PATH_MAX + 300];
	bool all = true;
	size_t count;
	char **names = tree_names(&s->tree, dir, &count);

	for (size_t i = 0; names && i < count; i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		AUTO(fd_close) int fd = tree_file(&s->tree, path, O_PATH | O_NOFOLLOW);
		if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
			continue; /* a journal may go while we look */
		self_find(s, SELF_LEDGER, DIFF_LINK, path, NULL);
		all = false;
	}
	names_free(names, count);
	return all;
}

static void ledger(struct self *s, struct self_ledger *l, struct history *h)
{
	char dir[TREE_PATH_MAX + 16], real[TREE_PATH_MAX];
	json_t *answer;

	snprintf(dir, sizeof(dir), "%s/ledger", s->site.state_dir);
	if (!tree_real(&s->tree, dir, real)) {
		no_ledger(s, h, dir);
		return;
	}
	answer = is_plain(s, dir) ? ask(l, real) : NULL;
	if (answer)
		report(s, h, answer, dir);
	else
		self_result(s, SELF_LEDGER, SELF_NOT_CHECKED, W_SELF_R_LEDGER_UNREADABLE, dir);
	json_decref(answer);
}

void self_history_and_ledger(struct self *s, struct self_ledger *l)
{
	struct history h = { 0 };
	char detail[64];

	if (s->site.is_valid && s->site.conf->state_dir.len == 0) {
		self_result(s, SELF_HISTORY, SELF_NOT_LOOKED, W_SELF_R_NONE, "state_dir");
		self_result(s, SELF_LEDGER, SELF_NOT_LOOKED, W_SELF_R_NONE, "state_dir");
		return;
	}
	snprintf(h.dir, sizeof(h.dir), "%s/history", s->site.state_dir);
	if (list_entries(s, &h)) {
		entries(s, &h);
		snprintf(detail, sizeof(detail), "%zu", h.count);
		if (s->process_count && !s->in_use)
			self_result(s, SELF_HISTORY, SELF_NOT_CHECKED, W_SELF_R_NO_ANSWER, NULL);
		else
			self_result(s, SELF_HISTORY, SELF_GOOD, W_SELF_R_HISTORY, detail);
		if (h.count == 0 && s->in_use)
			self_find(s, SELF_HISTORY, DIFF_NOT_IN_USE, h.dir, NULL);
	} else {
		if (errno == ENOENT && s->in_use) /* what runs was kept, or should have been */
			self_find(s, SELF_HISTORY, DIFF_MISSING, h.dir, NULL);
		self_result(s, SELF_HISTORY, errno == ENOENT ? SELF_NOT_LOOKED : SELF_NOT_CHECKED, errno == ENOENT ? W_SELF_R_NONE :
			W_SELF_R_UNREADABLE, h.dir);
	}
	ledger(s, l, &h);
	free(h.list);
}
