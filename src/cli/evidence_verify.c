/* sluis evidence verify and handover: a bundle held against itself, and a line more in its custody log. The bundle may come
 * from anyone: it is read by engines with limits, and nothing of it is extracted but the ledger's days, for their own check. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "evidence/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MOST   (16ull << 40)
#define MEMBERS_MOST 100000

struct findings {
	const struct cli *cli;
	json_t *faults, *custody, *days, *ledger_result;
	struct bundle_ledger ledger;
	bool shows_progress, allows_unsigned;
	size_t forgiven;
	uint64_t told;
};

static const struct {
	enum word word;
	const char *code;
} fault_words[EVIDENCE_FAULTS] = {
	[EVIDENCE_DAMAGED] = { W_EV_DAMAGED, "damaged" },
	[EVIDENCE_REFUSED] = { W_EV_REFUSED, "refused" },
	[EVIDENCE_TOO_LARGE] = { W_EV_TOO_LARGE, "too_large" },
	[EVIDENCE_MISSING] = { W_EV_MISSING, "missing" },
	[EVIDENCE_EXTRA] = { W_EV_EXTRA, "extra" },
	[EVIDENCE_CHANGED] = { W_EV_CHANGED, "changed" },
	[EVIDENCE_REORDERED] = { W_EV_REORDERED, "reordered" },
	[EVIDENCE_TWICE] = { W_EV_TWICE, "twice" },
	[EVIDENCE_NO_MANIFEST] = { W_EV_NO_MANIFEST, "no_manifest" },
	[EVIDENCE_BAD_MANIFEST] = { W_EV_BAD_MANIFEST, "bad_manifest" },
	[EVIDENCE_UNSIGNED] = { W_EV_UNSIGNED, "unsigned" },
	[EVIDENCE_BAD_SIGNATURE] = { W_EV_BAD_SIGNATURE, "bad_signature" },
	[EVIDENCE_OTHER_KEY] = { W_EV_OTHER_KEY, "other_key" },
	[EVIDENCE_NO_CUSTODY] = { W_EV_NO_CUSTODY, "no_custody" },
	[EVIDENCE_CUSTODY_LINE] = { W_EV_CUSTODY_LINE, "custody_line" },
	[EVIDENCE_CUSTODY_PREFIX] = { W_EV_CUSTODY_PREFIX, "custody_prefix" },
	[EVIDENCE_CUSTODY_KEY] = { W_EV_CUSTODY_KEY, "custody_key" },
};
static const enum word custody_words[] = {
	[CUSTODY_NOT_A_LINE] = W_EV_C_NOT_A_LINE,
	[CUSTODY_NUMBER] = W_EV_C_NUMBER,
	[CUSTODY_PREV] = W_EV_C_PREV,
	[CUSTODY_ARCHIVE] = W_EV_C_ARCHIVE,
	[CUSTODY_SIGNATURE] = W_EV_C_SIGNATURE,
};

static void on_fault(void *ctx, enum evidence_fault f, struct bytes name)
{
	struct findings *n = ctx;

	if (f == EVIDENCE_UNSIGNED && n->allows_unsigned) {
		n->forgiven++;
		return;
	}
	json_array_append_new(n->faults, json_pack("{s:s,s:o,s:i}", "fault", fault_words[f].code, "member", json_of(name), "kind", (int)f));
}

static void on_entry(void *ctx, const struct custody_entry *e)
{
	struct findings *n = ctx;
	char print[80] = "";

	if (e->is_signed)
		ed25519_fingerprint(e->signer, print);
	json_array_append_new(n->custody, json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:s}", "n", (json_int_t)e->n, "time",
		json_of(e->time), "action", json_of(e->action), "by", json_of(e->by), "host", json_of(e->host), "to", json_of(e->to),
		"reason", json_of(e->reason), "signed", e->is_signed, "signer", print));
}

static void on_progress(void *ctx, uint64_t at)
{
	struct findings *n = ctx;

	if (!n->shows_progress || at < n->told + (16u << 20))
		return;
	n->told = at;
	fprintf(stderr, "\r%.1f MB ", (double)at / 1e6);
}

/* --- the ledger's days --- */

static void on_content(void *ctx, struct bytes name, struct bytes piece)
{
	struct findings *n = ctx;

	bundle_ledger_content(&n->ledger, name, piece);
	if (piece.len == 0 && bytes_starts(name, BYTES("ledger/")) && bytes_ends(name, BYTES(".ledger")))
		json_array_append_new(n->days, json_of(name));
}

/* --- telling --- */

static void print_text(const char *s)
{
	for (; *s; s++) /* what others wrote does not steer this terminal */
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void print_fault(const struct cli *cli, const struct evidence_check *c, const json_t *f)
{
	enum evidence_fault kind = (enum evidence_fault)json_integer_value(json_object_get(f, "kind"));
	const char *member = json_string_value(json_object_get(f, "member"));

	fputs("  ", stdout);
	if (kind == EVIDENCE_CUSTODY_LINE)
		cli_say(cli, stdout, fault_words[kind].word, (unsigned long long)c->line, cli_word(cli, custody_words[c->custody]));
	else if (kind == EVIDENCE_DAMAGED || kind == EVIDENCE_REFUSED)
		cli_say(cli, stdout, fault_words[kind].word, (unsigned long long)c->end);
	else
		cli_say(cli, stdout, fault_words[kind].word, member ? member : "");
	putchar('\n');
}

static const char *field(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void print_action(const struct cli *cli, const char *action)
{
	static const struct {
		const char *code;
		enum word word;
	} known[] = { { "collected", W_EV_A_COLLECTED }, { "verified", W_EV_A_VERIFIED }, { "handed_over", W_EV_A_HANDED_OVER },
		{ "received", W_EV_A_RECEIVED } };

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (strcmp(action, known[i].code) == 0)
			action = cli_word(cli, known[i].word);
	print_text(action);
}

static void print_custody(const struct cli *cli, const json_t *list)
{
	cli_say(cli, stdout, W_EV_CUSTODY_TITLE, json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);

		printf("  %lld  %s  ", (long long)json_integer_value(json_object_get(e, "n")), field(e, "time"));
		print_action(cli, field(e, "action"));
		cli_say(cli, stdout, W_EV_BY);
		print_text(field(e, "by"));
		putchar('@');
		print_text(field(e, "host"));
		if (*field(e, "to")) {
			cli_say(cli, stdout, W_EV_TO);
			print_text(field(e, "to"));
		}
		if (*field(e, "reason")) {
			fputs(": ", stdout);
			print_text(field(e, "reason"));
		}
		if (!json_is_true(json_object_get(e, "signed")))
			cli_say(cli, stdout, W_EV_LINE_UNSIGNED);
		putchar('\n');
	}
}

static void print_ledger(const struct cli *cli, const json_t *l)
{
	const json_t *list = json_object_get(l, "findings"), *first = json_array_get(list, 0);

	if (!json_is_true(json_object_get(l, "checked"))) {
		cli_say(cli, stdout, W_EV_LEDGER_UNCHECKED, field(l, "why"));
	} else if (json_is_true(json_object_get(l, "ok"))) {
		cli_say(cli, stdout, W_EV_LEDGER_GOOD, (unsigned long long)json_integer_value(json_object_get(l, "files")),
			(unsigned long long)json_integer_value(json_object_get(l, "records")));
	} else {
		cli_say(cli, stdout, W_EV_LEDGER_BAD, json_array_size(list));
		print_text(field(first, "file"));
		fputs(": ", stdout);
		print_text(field(first, "what"));
		putchar('\n');
	}
}

static int tell(const struct cli *cli, const char *path, struct findings *n, const struct evidence_check *c, bool pinned)
{
	bool ok = json_array_size(n->faults) == 0;
	char print[80] = "";

	if (c->has_signer)
		ed25519_fingerprint(c->signer, print);
	if (cli->as_json) {
		json_t *o = json_pack("{s:o,s:b,s:I,s:I,s:s,s:b,s:O,s:O,s:O,s:O}", "file", json_of(bytes_str(path)), "ok", ok, "members",
			(json_int_t)c->members, "bytes", (json_int_t)c->bytes, "signer", print, "signer_was_given", pinned, "faults",
			n->faults, "custody", n->custody, "ledger_days", n->days, "ledger", n->ledger_result);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
		return ok ? 0 : 1;
	}
	cli_say(cli, stdout, ok ? W_EV_GOOD : W_EV_BAD, path, c->members, (double)c->bytes / 1e6);
	for (size_t i = 0; i < json_array_size(n->faults); i++)
		print_fault(cli, c, json_array_get(n->faults, i));
	if (n->forgiven)
		cli_say(cli, stdout, W_EV_FORGIVEN);
	if (c->has_signer)
		cli_say(cli, stdout, pinned ? W_EV_SIGNER_GIVEN : W_EV_SIGNER_INSIDE, print);
	print_ledger(cli, n->ledger_result);
	print_custody(cli, n->custody);
	return ok ? 0 : 1;
}

/* --- checking --- */

struct checking {
	struct findings n;
	struct evidence_check c;
	unsigned char key[ED25519_PUBLIC_LEN];
	int fd;
};

static void checking_fini(struct checking *k)
{
	fd_close(&k->fd);
	evidence_check_fini(&k->c);
	json_decref(k->n.faults);
	json_decref(k->n.custody);
	json_decref(k->n.days);
	json_decref(k->n.ledger_result);
	bundle_ledger_fini(&k->n.ledger);
}

/* False: it could not be tried, and that was said. */
static bool run_check(const struct cli *cli, struct checking *k, const char *path, const char *key, bool allows_unsigned)
{
	struct tar_reader *r = NULL;

	*k = (struct checking){ .n = { .cli = cli, .faults = json_array(), .custody = json_array(), .days = json_array(),
		.ledger.fd = -1, .shows_progress = isatty(2) && !cli->as_json, .allows_unsigned = allows_unsigned }, .fd = -1 };
	k->c = (struct evidence_check){ .ctx = &k->n, .fault = on_fault, .entry = on_entry, .progress = on_progress,
		.content = on_content, .limits = { .bytes = BYTES_MOST, .members = MEMBERS_MOST } };
	if (key && !public_key_read(cli, key, k->key))
		return false;
	if (key)
		k->c.key = k->key;
	k->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (k->fd < 0 || tar_reader_open(k->fd, &k->c.limits, &r) != OK) {
		cli_fail_in(cli, W_CANNOT_READ, path, k->fd < 0 ? strerror(errno) : cli_word(cli, W_NO_REGULAR_FILE));
		return false;
	}
	(void)!evidence_check(&k->c, r); /* its faults are in k->n, where some may be forgiven */
	k->n.ledger_result = bundle_ledger_verify(&k->n.ledger);
	bundle_ledger_fini(&k->n.ledger);
	tar_reader_free(&r);
	if (k->n.shows_progress)
		fputs("\r\033[K", stderr);
	return true;
}

int evidence_verify(const struct cli *cli, int argc, char **argv)
{
	const char *path = NULL, *key = NULL;
	bool allows_unsigned = false;
	const struct option options[] = { { "--key", &key, NULL }, { "--unsigned", NULL, &allows_unsigned }, { 0 } };
	struct checking k = { .fd = -1 };
	int status = 1;

	if (!options_take(cli, options, argc, argv, &path) || !path) {
		cli_fail_in(cli, W_EV_VERIFY_USAGE);
		return 2;
	}
	if (run_check(cli, &k, path, key, allows_unsigned))
		status = tell(cli, path, &k.n, &k.c, key != NULL);
	checking_fini(&k);
	return status;
}

/* --- handing over --- */

/* The first len bytes of from, shared with it where the file system can. */
static bool copy_front(int from, int to, uint64_t len)
{
	static unsigned char buf[1u << 16];
	off_t at = 0;

	while (len) {
		ssize_t n = copy_file_range(from, &at, to, NULL, len < (1u << 30) ? (size_t)len : 1u << 30, 0);

		if (n <= 0) {
			size_t want = len < sizeof(buf) ? (size_t)len : sizeof(buf);

			n = pread(from, buf, want, at);
			if (n <= 0 || fd_write_all(to, bytes_of(buf, (size_t)n)) != OK)
				return false;
			at += n;
		}
		len -= (uint64_t)n;
	}
	return true;
}

/* A copy with one more member takes the old archive's place in one step: a crash leaves the one or the other. */
static int append(const struct cli *cli, const char *path, struct checking *k, const struct text *log)
{
	struct tar_writer *w = NULL;
	struct output out;
	uint64_t have;
	enum err e = OK;
	bool ok;

	if (!output_has_room(path, k->c.end, &have))
		return cli_fail_in(cli, W_NO_ROOM, path, (double)k->c.end / 1e6, (double)have / 1e6);
	if (!output_open(&out, path, true))
		return cli_fail_in(cli, W_CANNOT_WRITE, path, strerror(errno));
	ok = copy_front(k->fd, out.fd, k->c.end);
	if (ok)
		e = tar_writer_open(out.fd, &w);
	if (ok && e == OK)
		e = tar_writer_member(w, CUSTODY_NAME, text_bytes(log), (int64_t)(clock_real_us() / 1000000));
	if (ok && e == OK)
		e = tar_writer_close(w);
	tar_writer_free(&w);
	if (!ok || e != OK || !output_commit(&out, true)) {
		cli_fail_in(cli, W_CANNOT_WRITE, path, strerror(errno));
		output_drop(&out);
		return 1;
	}
	return 0;
}

struct passing {
	const char *path, *to, *reason, *by, *key;
	bool is_unsigned, received;
};

static int add_line(const struct cli *cli, const struct passing *p, struct checking *k, const struct ed25519_key *key)
{
	struct custody_entry entry = { .action = p->received ? BYTES("received") : BYTES("handed_over"),
		.by = bytes_str(who_asks(p->by)), .to = p->to ? bytes_str(p->to) : BYTES(""), .reason = bytes_str(p->reason) };
	char host[256] = "", when[25];
	enum err e;
	int status;

	gethostname(host, sizeof(host) - 1);
	clock_rfc3339(clock_real_us(), when);
	entry.host = bytes_str(host);
	entry.time = bytes_str(when);
	memcpy(entry.archive, k->c.archive, SHA256_LEN);
	e = custody_add(&k->c.log, &entry, key);
	if (e != OK)
		return cli_fail_in(cli, W_EV_TOO_LONG, CUSTODY_FIELD_MAX);
	status = append(cli, p->path, k, &k->c.log);
	if (status == 0 && cli->as_json)
		printf("{\"ok\":true,\"lines\":%zu}\n", k->c.entries + 1);
	else if (status == 0)
		cli_say(cli, stdout, p->received ? W_EV_RECEIVED : W_EV_HANDED_OVER, p->path, p->to ? p->to : "", k->c.entries + 1);
	return status;
}

static int hand_over(const struct cli *cli, const struct passing *p)
{
	struct checking k = { .fd = -1 };
	struct ed25519_key *key = NULL;
	struct site site;
	int status = 1;

	if (!p->is_unsigned) {
		/* Whoever receives a bundle may have no configuration here: --key then names the key. */
		(void)!site_load(cli, &site);
		key = signing_key(cli, &site, p->key);
		site_fini(&site);
		if (!key)
			return 1;
	}
	if (run_check(cli, &k, p->path, NULL, true)) {
		if (json_array_size(k.n.faults)) {
			tell(cli, p->path, &k.n, &k.c, false);
			cli_fail_in(cli, W_EV_NOT_HANDED);
		} else {
			status = add_line(cli, p, &k, key);
		}
	}
	ed25519_free(&key);
	checking_fini(&k);
	return status;
}

int evidence_handover(const struct cli *cli, int argc, char **argv)
{
	struct passing p = { 0 };
	const struct option options[] = { { "--to", &p.to, NULL }, { "--reason", &p.reason, NULL }, { "--by", &p.by, NULL },
		{ "--key", &p.key, NULL }, { "--unsigned", NULL, &p.is_unsigned }, { "--received", NULL, &p.received }, { 0 } };

	if (!options_take(cli, options, argc, argv, &p.path) || !p.path || !p.reason || (!p.to && !p.received)) {
		cli_fail_in(cli, W_EV_HANDOVER_USAGE);
		return 2;
	}
	return hand_over(cli, &p);
}
