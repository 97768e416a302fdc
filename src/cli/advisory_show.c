/* sluis advisory show: one document for people: what it is about, what is affected, what is fixed, what to do, where to read more. */
#define _GNU_SOURCE
#include "cli/advisory_priv.h"

#include <stdlib.h>

static const char *word_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void line(const struct cli *cli, enum word label, const char *text)
{
	if (!*text)
		return;
	printf("%-12s ", cli_word(cli, label));
	advisory_print(stdout, text);
	putchar('\n');
}

/* Words in lines of at most 100 columns, all with this indentation. */
static void paragraph(const char *text)
{
	size_t column = 0;

	while (*text) {
		char word[200];
		size_t n = 0; /* a word that is longer is several: a text may be one word of megabytes */

		while (n < sizeof(word) - 1 && !strchr(" \n\t", text[n])) /* the text's end is found too */
			n++;
		snprintf(word, sizeof(word), "%.*s", (int)n, text);
		if (column && column + 1 + n > 100) {
			putchar('\n');
			column = 0;
		}
		if (n) {
			column += (size_t)printf("%s", column ? " " : "  ");
			advisory_print(stdout, word);
			column += strlen(word);
		}
		text += n;
		text += *text == ' ' || *text == '\n' || *text == '\t';
	}
	putchar('\n');
}

static void print_ids(const struct cli *cli, const json_t *names, const json_t *ids, enum word heading)
{
	json_t *id;
	size_t i;

	if (!json_array_size(ids))
		return;
	printf("\n%s\n", cli_word(cli, heading));
	json_array_foreach (ids, i, id) {
		const char *name = json_string_value(json_object_get(names, json_is_string(id) ? json_string_value(id) : ""));

		printf("  - ");
		advisory_print(stdout, name ? name : "?");
		putchar('\n');
	}
}

static void print_notes(const json_t *notes)
{
	json_t *note;
	size_t i;

	json_array_foreach (notes, i, note) {
		if (*word_of(note, "title")) {
			printf("\n  ");
			advisory_print(stdout, word_of(note, "title"));
			printf(":\n");
		} else {
			putchar('\n');
		}
		paragraph(word_of(note, "text"));
	}
}

static void print_remedies(const struct cli *cli, const json_t *vulnerability)
{
	static const struct {
		const char *category;
		enum word word;
	} kinds[] = { { "vendor_fix", W_ADV_VENDOR_FIX }, { "mitigation", W_ADV_MITIGATION }, { "workaround", W_ADV_WORKAROUND },
		{ "no_fix_planned", W_ADV_NO_FIX }, { "none_available", W_ADV_NO_FIX_YET } };
	json_t *item;
	size_t i;

	if (json_array_size(json_object_get(vulnerability, "remediations")))
		printf("\n%s\n", cli_word(cli, W_ADV_REMEDIES));
	json_array_foreach (json_object_get(vulnerability, "remediations"), i, item) {
		printf("  [");
		for (size_t k = 0; k < COUNT_OF(kinds); k++)
			if (strcmp(word_of(item, "category"), kinds[k].category) == 0)
				printf("%s", cli_word(cli, kinds[k].word));
		printf("%s%.10s]\n", *word_of(item, "date") ? ", " : "", word_of(item, "date"));
		paragraph(word_of(item, "details"));
	}
}

static void print_vulnerability(const struct cli *cli, const json_t *names, const json_t *v)
{
	const json_t *status = json_object_get(v, "product_status");
	json_t *item;
	size_t i;

	putchar('\n');
	line(cli, W_ADV_CVE, word_of(v, "cve"));
	line(cli, W_ADV_PUBLISHED, word_of(v, "release_date"));
	line(cli, W_ADV_WEAKNESS, word_of(json_object_get(v, "cwe"), "name"));
	print_notes(json_object_get(v, "notes"));
	json_array_foreach (json_object_get(v, "threats"), i, item) {
		printf("\n%s %.10s\n", cli_word(cli, W_ADV_THREAT), word_of(item, "date"));
		paragraph(word_of(item, "details"));
	}
	print_ids(cli, names, json_object_get(status, "known_affected"), W_ADV_AFFECTED);
	print_ids(cli, names, json_object_get(status, "fixed"), W_ADV_FIXED);
	print_ids(cli, names, json_object_get(status, "known_not_affected"), W_ADV_NOT_AFFECTED);
	print_ids(cli, names, json_object_get(status, "under_investigation"), W_ADV_INVESTIGATED);
	print_remedies(cli, v);
}

static void print_document(const struct cli *cli, const json_t *doc)
{
	const json_t *document = json_object_get(doc, "document");
	struct csaf_summary s;
	json_t *item, *names = csaf_product_names(doc);
	size_t i;

	csaf_summarise(doc, &s);
	advisory_print(stdout, s.title);
	printf("\n\n");
	line(cli, W_ADV_L_ID, s.id);
	line(cli, W_ADV_L_VERSION, s.version);
	line(cli, W_ADV_L_DATE, s.date);
	line(cli, W_ADV_L_STATUS, s.status);
	line(cli, W_ADV_L_SEVERITY, s.severity);
	line(cli, W_ADV_L_PUBLISHER, s.publisher);
	line(cli, W_ADV_L_TLP, s.tlp);
	print_notes(json_object_get(document, "notes"));
	json_array_foreach (json_object_get(doc, "vulnerabilities"), i, item)
		print_vulnerability(cli, names, item);
	json_decref(names);
	if (json_array_size(json_object_get(document, "references")))
		printf("\n%s\n", cli_word(cli, W_ADV_REFERENCES));
	json_array_foreach (json_object_get(document, "references"), i, item) {
		printf("  - ");
		advisory_print(stdout, word_of(item, "summary"));
		printf(": ");
		advisory_print(stdout, word_of(item, "url"));
		putchar('\n');
	}
}

int advisory_show(const struct cli *cli, const struct advisory_place *place, const char *what)
{
	json_t *doc;

	if (cli_confine_reader() != OK)
		return cli_fail_in(cli, W_ADV_CONFINE) + 1;
	doc = advisory_find(cli, place, what);
	if (!doc)
		return 2;
	if (cli->as_json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_document(cli, doc);
	}
	json_decref(doc);
	return 0;
}
