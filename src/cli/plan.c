/* sluis plan: recovery plans as files in state_dir/plans, one at a time under a lock, with who and when in the ledger. */
#define _GNU_SOURCE
#include "cli/plan_priv.h"

#include "admin/server.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cli/evidence_priv.h"
#include "cli/output.h"
#include "cli/site.h"
#include "ledger/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK_S 10

const char *plan_clean(const char *s, char out[2100])
{
	struct text t;

	text_init(&t, out, 2099);
	ledger_text_clean(&t, bytes_cut(bytes_str(s), 0, 2000));
	out[t.len] = 0;
	return out;
}

enum plan_lang plan_language(const struct plan_call *c)
{
	return c->cli->lang == LANG_NL ? PLAN_NL : PLAN_EN;
}

void plan_path(const struct plan_call *c, const char *id, char out[4300])
{
	snprintf(out, 4300, "%s/%s.json", c->dir, id);
}

struct plan_who plan_user(struct plan_call *c)
{
	const struct passwd *p = getpwuid(getuid());

	if (p)
		snprintf(c->user, sizeof(c->user), "%s", p->pw_name);
	else
		snprintf(c->user, sizeof(c->user), "%u", (unsigned)getuid());
	return (struct plan_who){ .uid = (unsigned)getuid(), .user = c->user, .by = c->by ? c->by : "" };
}

bool plan_lock(struct plan_call *c, int *fd)
{
	char inside[4210];

	snprintf(inside, sizeof(inside), "%s/x", c->dir);
	*fd = output_make_folder(inside) ? open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (*fd >= 0 && flock(*fd, LOCK_EX) == 0)
		return true;
	cli_fail_in(c->cli, W_PLAN_FOLDER, c->dir, strerror(errno));
	fd_close(fd);
	return false;
}

struct plan *plan_load(const struct plan_call *c, const char *id)
{
	char path[4300], error[PLAN_ERROR_MAX];
	struct plan *p = NULL;
	struct text t;
	enum err e;

	if (!plan_is_id(id)) {
		cli_fail_in(c->cli, W_PLAN_BAD_ID, id);
		return NULL;
	}
	plan_path(c, id, path);
	text_init_growing(&t, PLAN_FILE_MAX);
	e = file_read(path, &t);
	if (e != OK && errno == ENOENT)
		cli_fail_in(c->cli, W_PLAN_NO_PLAN, id, c->dir);
	else if (e != OK)
		cli_fail_in(c->cli, W_PLAN_FILE, path, e == ERR_LIMIT ? err_name(e) : strerror(errno));
	else if (plan_read(text_bytes(&t), path, &p, error) != OK)
		cli_fail(1, "%s", error);
	text_fini(&t);
	return p;
}

bool plan_save(const struct plan_call *c, const struct plan *p, bool replace)
{
	char path[4300];
	struct output o;
	struct text t;
	bool ok;

	plan_path(c, plan_text(p, "id", PLAN_EN), path);
	text_init_growing(&t, 2 * PLAN_FILE_MAX);
	plan_write(p, &t);
	errno = EFBIG;
	ok = !t.failed && t.len <= PLAN_FILE_MAX && output_open(&o, path, replace);
	if (ok && fd_write_all(o.fd, text_bytes(&t)) != OK) {
		int error = errno;

		output_drop(&o);
		errno = error;
		ok = false;
	}
	ok = ok && output_commit(&o, replace);
	text_fini(&t);
	return ok;
}

/* Where sluisd is asked: as cli_ask finds it, but a daemon that does not run is an answer here. */
static void find_socket(const struct plan_call *c, char out[4096])
{
	const char *path = c->cli->socket ? c->cli->socket : getenv("SLUIS_SOCKET");
	struct site s;

	snprintf(out, 4096, "%s", path ? path : CLI_DEFAULT_SOCKET);
	if (c->cli->socket || !c->cli->config)
		return;
	if (site_load(c->cli, &s) && s.socket[0])
		snprintf(out, 4096, "%s", s.socket);
	site_fini(&s);
}

const char *plan_tell_ledger(const struct plan_call *c, const char *verb, const char *step, const char *detail, char mem[300])
{
	char text[300], socket[4096], error[200];
	json_t *answer = NULL;
	const char *why = NULL;

	find_socket(c, socket);
	snprintf(text, sizeof(text), "plan %s %s%s%s", verb, c->id, *step ? " " : "", step);
	json_t *request = json_pack("{s:s,s:s,s:s}", "command", "note", "text", text, "detail", detail);
	if (admin_call(socket, request, ASK_S, &answer) != OK) {
		why = cli_word(c->cli, W_PLAN_NO_SLUISD);
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		const char *said = json_string_value(json_object_get(answer, "error"));
		FILE *f = fmemopen(mem, 300, "w");

		snprintf(error, sizeof(error), "%s", said ? said : "?");
		if (f) {
			cli_say(c->cli, f, W_PLAN_REFUSED, error);
			fclose(f);
		}
		mem[299] = 0;
		why = f ? mem : "?";
	} else if (!json_is_true(json_object_get(answer, "ledger"))) {
		why = cli_word(c->cli, W_PLAN_LEDGER_OFF);
	}
	json_decref(request);
	json_decref(answer);
	return why;
}

/* SHA-256 and size of a file. False: that was said. */
static bool read_evidence(const struct plan_call *c, struct plan_act *a, char hex[2 * SHA256_LEN + 1], char path[4096])
{
	static unsigned char piece[1 << 16];
	unsigned char sum[SHA256_LEN];
	struct sha256 *h;
	struct stat st;
	struct text t;
	ssize_t n = -1;

	AUTO(fd_close) int fd = open(c->evidence, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !realpath(c->evidence, path)) {
		cli_fail_in(c->cli, W_PLAN_FILE, c->evidence, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		cli_fail_in(c->cli, W_PLAN_NO_REGULAR, c->evidence);
		return false;
	}
	h = sha256_new();
	sha256_begin(h);
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		sha256_add(h, bytes_of(piece, (size_t)n));
		a->evidence_size += (uint64_t)n;
	}
	sha256_end(h, sum);
	sha256_free(&h);
	if (n < 0) {
		cli_fail_in(c->cli, W_PLAN_FILE, c->evidence, strerror(errno));
		return false;
	}
	text_init(&t, hex, 2 * SHA256_LEN);
	hex_put(&t, bytes_of(sum, sizeof(sum)));
	hex[2 * SHA256_LEN] = 0;
	a->evidence = path;
	a->sha256 = hex;
	return true;
}

static int refuse(const struct plan_call *c, const struct plan *p, enum plan_answer answer, bool is_undo)
{
	char mem[4000];
	struct text t;

	text_init(&t, mem, sizeof(mem) - 1);
	plan_blockers(p, c->step, is_undo, &t);
	mem[t.len] = 0;
	switch (answer) {
	case PLAN_YES: return 0;
	case PLAN_NO_STEP: return cli_fail_in(c->cli, W_PLAN_NO_STEP, c->step, c->id);
	case PLAN_DONE_BEFORE: return cli_fail_in(c->cli, W_PLAN_DONE_BEFORE, c->step);
	case PLAN_NOT_YET: return cli_fail_in(c->cli, W_PLAN_NOT_YET, c->step, mem);
	case PLAN_WANTS_PROOF: return cli_fail_in(c->cli, is_undo ? W_PLAN_WANTS_REASON : W_PLAN_WANTS_PROOF, c->step);
	case PLAN_WANTS_EVIDENCE: return cli_fail_in(c->cli, W_PLAN_WANTS_EVIDENCE, c->step);
	case PLAN_BAD_TEXT: return cli_fail_in(c->cli, W_PLAN_BAD_TEXT);
	case PLAN_NOT_DONE: return cli_fail_in(c->cli, W_PLAN_NOT_DONE, c->step);
	case PLAN_IS_NEEDED: return cli_fail_in(c->cli, W_PLAN_IS_NEEDED, c->step, mem);
	}
	return 1;
}

static void tell_act(const struct plan_call *c, const struct plan *p, bool is_undo, const char *why)
{
	if (c->cli->as_json) {
		json_t *j = json_pack("{s:s,s:s,s:s,s:b,s:s}", "plan", c->id, "step", c->step, "state", is_undo ? "undone" : "done", "ledger", (int)!why,
			"ledger_why", why ? why : "");

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
		return;
	}
	cli_say(c->cli, stdout, is_undo ? W_PLAN_STEP_UNDONE : W_PLAN_STEP_DONE, c->step);
	cli_say(c->cli, stdout, W_PLAN_PROGRESS, plan_done_count(p), plan_count(p));
	if (why)
		cli_say(c->cli, stderr, W_PLAN_NOT_LEDGER, why);
}

/* The ledger is told before the file is written: a record of a step that was not kept can be seen, a step without record could not. */
static int act(struct plan_call *c, bool is_undo)
{
	struct plan_act a = { .now_us = clock_real_us(), .who = plan_user(c), .note = c->note ? c->note : "", .evidence = "", .sha256 = "" };
	char hex[2 * SHA256_LEN + 1], evidence[4096], mem[300], path[4300], detail[100] = "";
	enum plan_answer answer;
	const char *why;
	struct plan *p;
	int status;

	if (c->evidence && !read_evidence(c, &a, hex, evidence)) /* before the lock: it may be large */
		return 1;
	AUTO(fd_close) int lock = -1;
	if (!plan_lock(c, &lock))
		return 1;
	p = plan_load(c, c->id);
	if (!p)
		return 1;
	answer = is_undo ? plan_may_undo(p, c->step, &a) : plan_may_done(p, c->step, &a);
	status = refuse(c, p, answer, is_undo);
	if (answer != PLAN_YES) {
		plan_free(&p);
		return status;
	}
	if (*a.sha256)
		snprintf(detail, sizeof(detail), "evidence sha256 %s", a.sha256);
	why = plan_tell_ledger(c, is_undo ? "undo" : "done", c->step, detail, mem);
	(is_undo ? plan_undo : plan_done)(p, c->step, &a, !why);
	if (plan_save(c, p, true)) {
		tell_act(c, p, is_undo, why);
	} else {
		plan_path(c, c->id, path);
		status = cli_fail_in(c->cli, why ? W_PLAN_WRITE : W_PLAN_WRITE_NOTED, path, strerror(errno));
	}
	plan_free(&p);
	return status;
}

int plan_call_done(struct plan_call *c)
{
	return act(c, false);
}

int plan_call_undo(struct plan_call *c)
{
	return act(c, true);
}

static const struct {
	const char *name;
	bool takes_id, takes_step;
	int (*run)(struct plan_call *c);
	const char *options;
} calls[] = {
	{ "new", false, false, plan_call_new, "advisory appliance inventory window product by" },
	{ "list", false, false, plan_call_list, "" },
	{ "show", true, false, plan_call_show, "" },
	{ "next", true, false, plan_call_next, "" },
	{ "done", true, true, plan_call_done, "note evidence by" },
	{ "undo", true, true, plan_call_undo, "note by" },
	{ "export", true, false, plan_call_export, "format output" },
};

static const char **place_of(struct plan_call *c, struct bytes name)
{
	const struct {
		const char *name;
		const char **at;
	} places[] = { { "advisory", &c->advisory }, { "appliance", &c->appliance }, { "inventory", &c->inventory }, { "window", &c->window },
		{ "product", &c->product }, { "note", &c->note }, { "evidence", &c->evidence }, { "by", &c->by }, { "format", &c->format },
		{ "output", &c->output } };

	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (bytes_eq(name, bytes_str(places[i].name)))
			return places[i].at;
	return NULL;
}

/* The options that this subcommand has, and --plans. */
static bool take_words(struct plan_call *c, const char *options, int argc, char **argv, const char *words[3])
{
	struct option list[8] = { { .name = "--plans", .value = &c->plans } };
	char names[6][24];
	size_t n = 0;
	int word = 0;

	for (const char *o = options; *o; n++) {
		size_t len = strcspn(o, " ");

		CHECK(n < COUNT_OF(names));
		snprintf(names[n], sizeof(names[n]), "--%.*s", (int)len, o);
		list[n + 1] = (struct option){ .name = names[n], .value = place_of(c, bytes_of(o, len)) };
		o += len + (o[len] == ' ');
	}
	for (int i = 0; i < argc; i++) {
		bool is_option = argv[i][0] == '-';

		if (!is_option && word < 2) {
			words[word++] = argv[i];
			continue;
		}
		if (!options_take(c->cli, list, is_option && i + 1 < argc ? 2 : 1, argv + i, NULL))
			return false;
		i++;
	}
	return true;
}

/* Without -c and without a packaged configuration it is the default. */
static bool find_folder(struct plan_call *c)
{
	struct site s;
	bool is_read;

	if (c->plans) {
		snprintf(c->dir, sizeof(c->dir), "%.4000s", c->plans);
		return true;
	}
	is_read = site_load(c->cli, &s);
	snprintf(c->dir, sizeof(c->dir), "%s/plans", s.state_dir);
	site_fini(&s);
	if (!is_read && c->cli->config)
		cli_fail_in(c->cli, W_PLAN_FILE, c->cli->config, strerror(errno));
	return is_read || !c->cli->config;
}

int cli_plan(const struct cli *cli, int argc, char **argv)
{
	struct plan_call c = { .cli = cli };

	for (size_t i = 0; argc && i < COUNT_OF(calls); i++) {
		const char *words[3] = { NULL };

		if (strcmp(argv[0], calls[i].name) != 0)
			continue;
		if (!take_words(&c, calls[i].options, argc - 1, argv + 1, words))
			return 2;
		if (calls[i].takes_id != (words[0] != NULL) || calls[i].takes_step != (words[1] != NULL))
			break;
		c.id = words[0];
		c.step = words[1];
		return find_folder(&c) ? calls[i].run(&c) : 1;
	}
	cli_fail_in(cli, W_PLAN_USAGE);
	return 2;
}
