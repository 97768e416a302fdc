/* sluis advisory: security advisories in CSAF 2.0, shipped or added: which there are, what one says, whether a document holds to the
 * standard, and keeping more of them. */
#define _GNU_SOURCE
#include "cli/advisory_priv.h"

#include "base/fd.h"
#include "cli/files.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* --- list --- */

static bool is_json(const char *name, void *ctx)
{
	(void)ctx;
	return bytes_ends(bytes_str(name), BYTES(".json"));
}

/* The products that are first fixed (or fixed), by name. */
static json_t *fixed_names(const json_t *doc)
{
	json_t *out = json_array(), *names = csaf_product_names(doc), *vulnerability, *id;
	size_t i, k;

	json_array_foreach (json_object_get(doc, "vulnerabilities"), i, vulnerability) {
		const json_t *status = json_object_get(vulnerability, "product_status");
		const json_t *ids = json_object_get(status, "first_fixed") ? json_object_get(status, "first_fixed") : json_object_get(status, "fixed");

		json_array_foreach (ids, k, id) {
			const char *name = json_string_value(json_object_get(names, json_is_string(id) ? json_string_value(id) : ""));

			if (name)
				json_array_append_new(out, json_string(name));
		}
	}
	json_decref(names);
	return out;
}

static void list_folder(const struct cli *cli, const char *dir, const char *from, json_t *out)
{
	char path[ADVISORY_PATH_MAX], error[CSAF_WORDS_MAX], key[800];
	size_t count;
	char **names = names_in(dir, is_json, NULL, &count);

	for (size_t i = 0; names && i < count; i++) {
		struct csaf_summary s;
		json_t *doc, *o;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (!advisory_read(path, &doc, error)) {
			cli_fail_in(cli, W_CANNOT_READ, path, error);
			continue;
		}
		csaf_summarise(doc, &s);
		o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:s}", "id", s.id, "version", s.version, "title", s.title, "date", s.date, "severity",
			s.severity, "publisher", s.publisher, "namespace", s.namespace, "from", from, "fixed", fixed_names(doc), "file", path);
		snprintf(key, sizeof(key), "%.250s\n%.500s", s.id, s.namespace);
		json_object_set_new(out, key, o); /* a kept one takes the place of the shipped one of the same publisher */
		json_decref(doc);
	}
	if (names)
		names_free(names, count);
}

static const char *word_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Ids that more than one has: {id: whether}. */
static json_t *shared_ids(json_t *list)
{
	json_t *ids = json_object(), *o;
	const char *key;

	json_object_foreach (list, key, o)
		json_object_set_new(ids, word_of(o, "id"), json_boolean(json_object_get(ids, word_of(o, "id")) != NULL));
	return ids;
}

static void print_list(const struct cli *cli, json_t *list)
{
	json_t *o, *shared = shared_ids(list);
	const char *key;

	printf("%-18s %-10s %-14s %-8s %s\n", cli_word(cli, W_ADV_ID), cli_word(cli, W_ADV_DATE), cli_word(cli, W_ADV_SEVERITY),
		cli_word(cli, W_ADV_FROM), cli_word(cli, W_ADV_TITLE));
	json_object_foreach (list, key, o) {
		const char *id = word_of(o, "id");

		advisory_print(stdout, id);
		printf("%*s %-10.10s %-14s %-8s ", (int)(strlen(id) < 18 ? 18 - strlen(id) : 0), "", word_of(o, "date"), word_of(o, "severity"),
			cli_word(cli, strcmp(word_of(o, "from"), "kept") == 0 ? W_ADV_KEPT : W_ADV_SHIPPED));
		advisory_print(stdout, word_of(o, "title"));
		if (json_is_true(json_object_get(shared, id))) {
			printf("\n%19s%s: ", "", cli_word(cli, W_ADV_BY));
			advisory_print(stdout, word_of(o, "publisher"));
			printf(" (");
			advisory_print(stdout, word_of(o, "file"));
			printf(")");
		}
		printf("\n%19s%s: ", "", cli_word(cli, W_ADV_FIXED_IN));
		for (size_t i = 0; i < json_array_size(json_object_get(o, "fixed")); i++) {
			printf("%s", i ? "; " : "");
			advisory_print(stdout, json_string_value(json_array_get(json_object_get(o, "fixed"), i)));
		}
		if (!json_array_size(json_object_get(o, "fixed")))
			printf("%s", cli_word(cli, W_ADV_NOT_SAID));
		putchar('\n');
	}
	json_decref(shared);
}

static int list(const struct cli *cli, const struct advisory_place *place)
{
	json_t *all = json_object(), *o, *array = json_array();
	const char *id;

	if (cli_confine_reader() != OK)
		return cli_fail_in(cli, W_ADV_CONFINE) + 1;
	list_folder(cli, place->shipped, "shipped", all);
	list_folder(cli, place->kept, "kept", all);
	if (cli->as_json) {
		json_object_foreach (all, id, o)
			json_array_append(array, o);
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_list(cli, all);
	}
	json_decref(array);
	json_decref(all);
	return 0;
}

/* --- validate --- */

static void print_findings(const struct cli *cli, const char *path, const struct csaf_findings *f)
{
	if (!f->count)
		cli_say(cli, stdout, W_ADV_GOOD, path, csaf_test_count());
	else
		cli_say(cli, stdout, W_ADV_BAD, path, f->count);
	for (size_t i = 0; i < f->count && i < CSAF_FINDINGS_MAX; i++) {
		printf("  %-9s ", f->list[i].test);
		advisory_print(stdout, f->list[i].pointer[0] ? f->list[i].pointer : "/");
		printf(": ");
		advisory_print(stdout, f->list[i].words);
		putchar('\n');
	}
	if (f->count > CSAF_FINDINGS_MAX)
		cli_say(cli, stdout, W_ADV_MORE, f->count - CSAF_FINDINGS_MAX);
	if (f->unchecked)
		cli_say(cli, stdout, W_ADV_UNCHECKED, f->unchecked);
}

/* 0 good, 1 fails, 2 cannot be read. */
static int validate_one(const struct cli *cli, const struct csaf_lists *lists, const char *path, json_t *out)
{
	char error[CSAF_WORDS_MAX];
	struct csaf_findings f = { 0 };
	json_t *doc;
	int status;

	if (!advisory_read(path, &doc, error)) {
		if (cli->as_json)
			json_array_append_new(out, json_pack("{s:s,s:s,s:s}", "file", path, "result", "unreadable", "message", error));
		else
			cli_fail_in(cli, W_CANNOT_READ, path, error);
		return 2;
	}
	csaf_validate(doc, lists, &f);
	if (cli->as_json)
		json_array_append_new(out, json_pack("{s:s,s:s,s:I,s:I,s:o}", "file", path, "result", f.count ? "invalid" : "valid", "count",
			(json_int_t)f.count, "unchecked", (json_int_t)f.unchecked, "findings", advisory_findings_json(&f)));
	else
		print_findings(cli, path, &f);
	json_decref(doc);
	status = f.count ? 1 : 0;
	csaf_findings_fini(&f);
	return status;
}

static int validate(const struct cli *cli, int argc, char **argv)
{
	struct advisory_lists lists;
	json_t *out = json_array();
	int status = 0;

	advisory_lists_load(cli, &lists);
	if (cli_confine_reader() != OK)
		return cli_fail_in(cli, W_ADV_CONFINE) + 1;
	for (int i = 0; i < argc; i++) {
		int one = validate_one(cli, &lists.view, argv[i], out);

		status = one > status ? one : status;
	}
	if (cli->as_json) {
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(out);
	advisory_lists_fini(&lists);
	return status;
}

/* --- add --- */

static void print_added(const struct advisory_place *place, const struct advisory_verdict *v, enum advisory_kept kept)
{
	char path[ADVISORY_PATH_MAX];
	json_t *o;

	snprintf(path, sizeof(path), "%s/%s", place->kept, v->name);
	o = json_pack("{s:s,s:s,s:s,s:b}", "id", v->id, "version", v->version, "file", path, "changed", kept != KEPT_SAME);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static int add(const struct cli *cli, const struct advisory_place *place, const char *path)
{
	static const enum word words[] = { [KEPT_NEW] = W_ADV_ADDED, [KEPT_NEWER] = W_ADV_UPDATED, [KEPT_SAME] = W_ADV_SAME, [KEPT_OLDER] = W_ADV_OLDER,
		[KEPT_FAILED] = W_ADV_NOT_KEPT };
	struct advisory_verdict v = { 0 };
	struct advisory_lists lists;
	enum advisory_kept kept;
	struct text t;
	int status = 0;

	text_init_growing(&t, CSAF_DOCUMENT_MAX + 1);
	advisory_lists_load(cli, &lists);
	if (file_read(path, &t) != OK)
		status = cli_fail_in(cli, W_CANNOT_READ, path, strerror(errno)) + 1;
	else if (advisory_judge(&lists.view, text_bytes(&t), &v) != OK)
		status = cli_fail_in(cli, W_ADV_CONFINE) + 1;
	else if (!v.is_valid)
		status = cli_fail_in(cli, W_ADV_REFUSED, path, v.count, v.why);
	if (status == 0) {
		kept = advisory_keep(place, &v, text_bytes(&t));
		if (kept == KEPT_FAILED || kept == KEPT_OLDER)
			status = cli_fail_in(cli, words[kept], v.id, kept == KEPT_FAILED ? strerror(errno) : v.version);
		else if (cli->as_json)
			print_added(place, &v, kept);
		else
			cli_say(cli, stdout, words[kept], v.id, v.version);
	}
	advisory_lists_fini(&lists);
	text_fini(&t);
	return status;
}

/* Straight out: exit handlers of libraries may need more than a confined process may do. */
static NORETURN void leave(int status)
{
	fflush(stdout);
	_exit(status);
}

int cli_advisory(const struct cli *cli, int argc, char **argv)
{
	struct advisory_place place;
	const char *verb = argc ? argv[0] : "";

	signal(SIGPIPE, SIG_IGN);
	if (strcmp(verb, "validate") == 0 && argc >= 2)
		leave(validate(cli, argc - 1, argv + 1));
	if (!advisory_locate(cli, &place))
		return 2;
	if (strcmp(verb, "list") == 0 && argc == 1)
		leave(list(cli, &place));
	if (strcmp(verb, "show") == 0 && argc == 2)
		leave(advisory_show(cli, &place, argv[1]));
	if (strcmp(verb, "add") == 0 && argc == 2)
		return add(cli, &place, argv[1]);
	if (strcmp(verb, "sync") == 0 && argc >= 2)
		return advisory_sync(cli, &place, argc - 1, argv + 1);
	return cli_fail_in(cli, W_ADV_USAGE) + 1;
}
