/* Advisories on disk: shipped ones beside the rules, added ones in state_dir/advisories under the file name that the standard makes of
 * their id. What came from a stranger is parsed by a child that can do nothing else. */
#define _GNU_SOURCE
#include "cli/advisory_priv.h"

#include "base/fd.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/site.h"
#include "crypto/sha256.h"
#include "ledger/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX    (64u << 20)
#define CHILD_SECONDS 120 /* a document made to be slow ends its own child */

bool advisory_locate(const struct cli *cli, struct advisory_place *out)
{
	struct site s;
	bool is_read = site_load(cli, &s);

	snprintf(out->kept, sizeof(out->kept), "%s/advisories", s.state_dir);
	snprintf(out->shipped, sizeof(out->shipped), "%s/advisories", cli->rules ? cli->rules : "rules");
	site_fini(&s);
	if (is_read || !cli->config)
		return true;
	cli_fail_in(cli, W_CANNOT_READ, cli->config, strerror(errno));
	return false;
}

static void load_list(const struct cli *cli, const char *name, enum err (*read)(struct bytes, json_t **), json_t **out)
{
	char path[ADVISORY_PATH_MAX];
	struct text t;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/%s", cli->rules ? cli->rules : "rules", name);
	text_init_growing(&t, 1u << 20);
	if (file_read(path, &t) != OK || read(text_bytes(&t), out) != OK)
		*out = NULL;
	text_fini(&t);
}

void advisory_lists_load(const struct cli *cli, struct advisory_lists *out)
{
	load_list(cli, "cwe.txt", csaf_weaknesses, &out->weaknesses);
	load_list(cli, "languages.txt", csaf_languages, &out->languages);
	out->view = (struct csaf_lists){ .weaknesses = out->weaknesses, .is_complete = true, .languages = out->languages };
}

void advisory_lists_fini(struct advisory_lists *l)
{
	json_decref(l->weaknesses);
	json_decref(l->languages);
}

bool advisory_read(const char *path, json_t **out, char error[CSAF_WORDS_MAX])
{
	struct text t;
	enum err e;

	text_init_growing(&t, CSAF_DOCUMENT_MAX + 1);
	errno = 0;
	e = file_read(path, &t);
	if (e != OK)
		snprintf(error, CSAF_WORDS_MAX, "%s", e == ERR_LIMIT ? "larger than a document may be" : strerror(errno ? errno : EIO));
	else
		e = csaf_parse(text_bytes(&t), out, error);
	text_fini(&t);
	return e == OK;
}

/* stat, not access: this runs confined. */
static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static bool is_namesake(const char *name, void *ctx)
{
	const char *stem = ctx;
	size_t n = strlen(stem);

	return strncmp(name, stem, n) == 0 && name[n] == '.' && strlen(name) == n + 1 + 16 + 5 && strspn(name + n + 1, "0123456789abcdef") == 16 &&
		strcmp(name + n + 17, ".json") == 0;
}

/* Others have published something under the same id: who asks by id is told where that is. */
static void tell_namesakes(const struct cli *cli, const struct advisory_place *place, const char *what, const char *file)
{
	char stem[256];
	size_t count = 0;
	char **names;

	if (csaf_file_name(what, stem) != OK)
		return;
	stem[strlen(stem) - 5 > 200 ? 200 : strlen(stem) - 5] = 0;
	names = names_in(place->kept, is_namesake, stem, &count);
	for (size_t i = 0; names && i < count; i++) {
		char path[ADVISORY_PATH_MAX];

		snprintf(path, sizeof(path), "%s/%.255s", place->kept, names[i]);
		if (strcmp(path, file) != 0)
			cli_say(cli, stderr, W_ADV_NAMESAKE, what, path);
	}
	if (names)
		names_free(names, count);
}

json_t *advisory_find(const struct cli *cli, const struct advisory_place *place, const char *what)
{
	char name[256], path[ADVISORY_PATH_MAX] = "", error[CSAF_WORDS_MAX];
	const char *file = path;
	json_t *doc = NULL;

	if (!strchr(what, '/') && csaf_file_name(what, name) == OK) {
		snprintf(path, sizeof(path), "%s/%s", place->kept, name);
		if (!is_there(path)) /* shipped ones are named as their id is written */
			snprintf(path, sizeof(path), "%s/%.250s.json", place->shipped, what);
	}
	if (!is_there(file))
		file = what;
	if (!is_there(file))
		cli_fail_in(cli, W_ADV_NONE, what);
	else if (!advisory_read(file, &doc, error))
		cli_fail_in(cli, W_CANNOT_READ, file, error);
	if (doc && file == path)
		tell_namesakes(cli, place, what, file);
	return doc;
}

void advisory_print(FILE *to, const char *text)
{
	while (*text) {
		char mem[512];
		size_t n = 0;
		struct text t;

		while (n < sizeof(mem) - 4 && (unsigned char)text[n] >= ' ') /* a text is cut between two characters */
			n++;
		while (n > 1 && n == sizeof(mem) - 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		text_init(&t, mem, sizeof(mem));
		ledger_text_clean(&t, bytes_of(text, n));
		fwrite(mem, 1, t.len, to);
		text += n;
		if (n == 0) {
			fputc(' ', to);
			text++;
		}
	}
}

json_t *advisory_findings_json(const struct csaf_findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->count && i < CSAF_FINDINGS_MAX; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "test", f->list[i].test, "pointer", f->list[i].pointer, "message", f->list[i].words));
	return list;
}

/* --- judged without power --- */

static NORETURN void run_child(confined_fn *fn, struct bytes in, int fd, void *ctx)
{
	struct text answer;

	alarm(CHILD_SECONDS);
	if (cli_confine() != OK)
		_exit(3);
	text_init_growing(&answer, ANSWER_MAX);
	fn(in, &answer, ctx);
	_exit(answer.failed || fd_write_all(fd, text_bytes(&answer)) != OK);
}

enum err advisory_confined(confined_fn *fn, struct bytes in, struct text *out, void *ctx)
{
	int ends[2], status = -1;
	enum err e;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ERR_IO;
	fflush(NULL);
	child = fork();
	if (child == 0)
		run_child(fn, in, ends[1], ctx);
	fd_close(&ends[1]);
	e = child < 0 ? ERR_IO : fd_read_all(ends[0], out);
	fd_close(&ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	return e != OK ? e : WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OK : ERR_DENIED;
}

/* The answer: valid or not, id, version, file name, how many, why, namespace; one line each. */
static void judge(struct bytes in, struct text *out, void *ctx)
{
	char error[CSAF_WORDS_MAX], name[256] = "";
	struct csaf_findings f = { 0 };
	struct csaf_summary s;
	json_t *doc;

	if (csaf_parse(in, &doc, error) != OK) {
		text_fmt(out, "0\n\n\n\n1\n%s\n", error);
		return;
	}
	csaf_validate(doc, ctx, &f);
	csaf_summarise(doc, &s);
	if (f.count) {
		text_fmt(out, "0\n%.250s\n\n\n%zu\n%s %s: %s\n", strchr(s.id, '\n') ? "" : s.id, f.count, f.list[0].test, f.list[0].pointer, f.list[0].words);
	} else if (csaf_file_name(s.id, name) != OK || strlen(s.version) > 120 || strlen(s.id) > 250 || strchr(s.id, '\n') ||
		strlen(s.namespace) > 500) {
		text_fmt(out, "0\n\n\n\n1\nits id, its version or its publisher's namespace is too long to keep it under\n");
	} else {
		text_fmt(out, "1\n%s\n%s\n%s\n0\n\n%s\n", s.id, s.version, name, s.namespace); /* a URI has no line's end */
	}
}

void advisory_clean(struct bytes b, char *out, size_t size)
{
	struct text t;

	text_init(&t, out, size - 1);
	ledger_text_clean(&t, bytes_cut(b, 0, size - 4));
	out[t.len] = 0;
}

static void next_line(struct bytes *left, char *out, size_t size)
{
	size_t end = bytes_find_byte(*left, '\n');

	advisory_clean(bytes_cut(*left, 0, end), out, size);
	*left = end == SIZE_MAX ? BYTES("") : bytes_cut(*left, end + 1, left->len);
}

enum err advisory_judge(const struct csaf_lists *lists, struct bytes in, struct advisory_verdict *out)
{
	struct text answer;
	struct bytes left;
	char flag[8], count[32];
	enum err e;

	memset(out, 0, sizeof(*out));
	text_init_growing(&answer, 65536);
	e = advisory_confined(judge, in, &answer, (void *)(uintptr_t)lists);
	left = text_bytes(&answer);
	next_line(&left, flag, sizeof(flag));
	next_line(&left, out->id, sizeof(out->id));
	next_line(&left, out->version, sizeof(out->version));
	next_line(&left, out->name, sizeof(out->name));
	next_line(&left, count, sizeof(count));
	next_line(&left, out->why, sizeof(out->why));
	next_line(&left, out->namespace, sizeof(out->namespace));
	text_fini(&answer);
	out->count = strtoul(count, NULL, 10);
	out->is_valid = e == OK && flag[0] == '1' && out->name[0] && out->name[0] != '.' && !strchr(out->name, '/');
	return e;
}

/* --- kept --- */

/* Whether the file holds a document that is not this one. What cannot be read is nobody's. */
static bool is_of_another(const char *path, const struct advisory_verdict *v)
{
	char error[CSAF_WORDS_MAX];
	struct csaf_summary s;
	json_t *doc = NULL;
	bool is;

	if (access(path, F_OK) != 0 || !advisory_read(path, &doc, error))
		return false;
	csaf_summarise(doc, &s);
	is = strcmp(s.id, v->id) != 0 || strcmp(s.namespace, v->namespace) != 0;
	json_decref(doc);
	return is;
}

static void hashed_name(const struct advisory_verdict *v, char out[256])
{
	unsigned char digest[SHA256_LEN];
	char whole[sizeof(v->namespace) + sizeof(v->id) + 2];
	int n = snprintf(whole, sizeof(whole), "%s\n%s", v->namespace, v->id);
	struct text t;

	sha256_of(bytes_of(whole, (size_t)n), digest);
	text_init(&t, out, 255);
	text_fmt(&t, "%.*s.", (int)(strlen(v->name) - 5 > 200 ? 200 : strlen(v->name) - 5), v->name);
	hex_put(&t, bytes_of(digest, 8));
	text_lit(&t, ".json");
	out[t.len] = 0;
}

/* The standard's name belongs to whose document has it first, the shipped one's or a kept one's: nothing is lost to a namesake. */
static void choose_name(const struct advisory_place *place, struct advisory_verdict *v)
{
	char path[ADVISORY_PATH_MAX], name[256];
	bool is_taken;

	hashed_name(v, name);
	snprintf(path, sizeof(path), "%s/%s", place->kept, name);
	is_taken = access(path, F_OK) == 0; /* it has been kept so, whoever has the name now */
	snprintf(path, sizeof(path), "%s/%s", place->kept, v->name);
	if (!is_taken && access(path, F_OK) != 0)
		snprintf(path, sizeof(path), "%s/%.250s.json", place->shipped, v->id);
	if (is_taken || is_of_another(path, v))
		snprintf(v->name, sizeof(v->name), "%s", name);
}

enum advisory_kept advisory_keep(const struct advisory_place *place, struct advisory_verdict *v, struct bytes in)
{
	char path[ADVISORY_PATH_MAX], error[CSAF_WORDS_MAX];
	struct csaf_summary s = { .version = "" };
	enum advisory_kept kept = KEPT_NEW;
	json_t *old = NULL;
	struct output o;

	choose_name(place, v);
	snprintf(path, sizeof(path), "%s/%s", place->kept, v->name);
	if (!output_make_folder(path))
		return KEPT_FAILED;
	if (access(path, F_OK) == 0 && advisory_read(path, &old, error)) {
		csaf_summarise(old, &s);
		int d = csaf_version_cmp(s.version, v->version);

		kept = d > 0 ? KEPT_OLDER : d == 0 ? KEPT_SAME : KEPT_NEWER;
	}
	json_decref(old);
	if (kept == KEPT_OLDER || kept == KEPT_SAME)
		return kept;
	if (!output_open(&o, path, true))
		return KEPT_FAILED;
	if (fd_write_all(o.fd, in) != OK || fchmod(o.fd, 0640) < 0 || !output_commit(&o, true)) {
		output_drop(&o);
		return KEPT_FAILED;
	}
	return kept;
}
