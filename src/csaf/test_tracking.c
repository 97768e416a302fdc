/* Mandatory tests about the document itself, its versions, its history and its languages: 6.1.12, 6.1.14 to 6.1.22, 6.1.28, 6.1.30. */
#include "csaf/csaf_priv.h"

#include <stdlib.h>

static const json_t *tracking_of(const struct check *c)
{
	return get2(c->doc, "document", "tracking");
}

#define DOCUMENT	 AT(NULL, "document")
#define TRACKING	 AT(AT(NULL, "document"), "tracking")
#define REVISION(i, key) AT(AT_I(AT(TRACKING, "revision_history"), (i)), key)

/* --- 6.1.12, 6.1.15, 6.1.28 --- */

static void check_language(struct check *c, const char *key)
{
	const char *tag = text_at(get(c->doc, "document"), key);
	char primary[9] = "";
	size_t n = tag ? strcspn(tag, "-") : 0;

	if (!tag || n < 2 || n >= sizeof(primary) || !is_language(tag))
		return; /* the structure, or x- and i-, which no list has */
	for (size_t i = 0; i < n; i++)
		primary[i] = (char)ascii_lower((unsigned char)tag[i]);
	if (n == 3 && primary[0] == 'q' && primary[1] <= 't')
		return; /* qaa to qtz: private use */
	if (!c->lists || !c->lists->languages)
		c->out->unchecked++;
	else if (!get(c->lists->languages, primary))
		report(c, AT(AT(NULL, "document"), key), "'%.40s': there is no language %s", tag, primary);
}

void test_language(struct check *c)
{
	check_language(c, "lang");
	check_language(c, "source_lang");
}

void test_translator(struct check *c)
{
	const json_t *document = get(c->doc, "document");
	const char *category = text_at(get(document, "publisher"), "category");

	if (category && strcmp(category, "translator") == 0 && !text_at(document, "source_lang"))
		report(c, DOCUMENT, "the publisher is a translator, so source_lang must say what was translated");
}

void test_translation(struct check *c)
{
	const char *lang = text_at(get(c->doc, "document"), "lang"), *source = text_at(get(c->doc, "document"), "source_lang");

	if (lang && source && bytes_eq_nocase(bytes_str(lang), bytes_str(source)))
		report(c, AT(AT(NULL, "document"), "source_lang"), "is the document's own language '%.40s'", lang);
}

/* --- the history in the order of its dates --- */

struct revision {
	const char *date, *number;
	size_t index;
};

static int by_date(const void *pa, const void *pb)
{
	const struct revision *a = pa, *b = pb;
	int d = date_cmp(a->date, b->date);

	if (!d)
		d = csaf_version_cmp(a->number, b->number); /* what came out at one moment stands in the order of its numbers */
	return d ? d : (a->index > b->index) - (a->index < b->index);
}

/* What has a date and a version; sorted. The caller frees it; NULL when there is none. */
static struct revision *history_of(struct check *c, size_t *count)
{
	const json_t *list = get(tracking_of(c), "revision_history");
	struct revision *out = calloc(json_array_size(list) + 1, sizeof(*out));
	json_t *item;
	size_t i, n = 0;

	CHECK(out);
	json_array_foreach (list, i, item) {
		const char *date = text_at(item, "date"), *number = text_at(item, "number");

		if (date && number && is_date_time(date) && is_version(number))
			out[n++] = (struct revision){ date, number, i };
	}
	qsort(out, n, sizeof(*out), by_date);
	*count = n;
	return out;
}

void test_sorted_history(struct check *c)
{
	size_t n;
	struct revision *r = history_of(c, &n);

	for (size_t i = 1; i < n; i++)
		if (csaf_version_cmp(r[i - 1].number, r[i].number) > 0)
			report(c, REVISION(r[i].index, "number"), "%.40s is of a later date than %.40s, which is a higher version", r[i].number, r[i - 1].number);
	free(r);
}

void test_latest_version(struct check *c)
{
	const char *version = text_at(tracking_of(c), "version"), *status = text_at(tracking_of(c), "status");
	size_t n;
	struct revision *r = history_of(c, &n);

	if (n && version && is_version(version) && !version_same(version, r[n - 1].number, status && strcmp(status, "draft") == 0))
		report(c, AT(TRACKING, "version"), "is %.40s; the latest revision is %.40s", version, r[n - 1].number);
	free(r);
}

void test_history_gap(struct check *c)
{
	size_t n;
	struct revision *r = history_of(c, &n);

	for (size_t i = 0; i < n; i++) {
		unsigned long major = version_major(r[i].number), before = i ? version_major(r[i - 1].number) : 0;

		if (i == 0 && major > 1)
			report(c, REVISION(r[i].index, "number"), "%.40s is the first: the history begins with 0 or 1", r[i].number);
		else if (i && major > before + 1)
			report(c, REVISION(r[i].index, "number"), "%.40s follows %.40s: a version between is missing", r[i].number, r[i - 1].number);
	}
	free(r);
}

void test_double_revision(struct check *c)
{
	json_t *seen = json_object(), *item;
	size_t i;

	json_array_foreach (get(tracking_of(c), "revision_history"), i, item) {
		const char *number = text_at(item, "number");

		if (!number)
			continue;
		if (json_object_get(seen, number))
			report(c, REVISION(i, "number"), "%.40s is in the history already", number);
		json_object_set_new(seen, number, json_true());
	}
	json_decref(seen);
}

/* --- versions and status --- */

static bool is_before_release(const char *version)
{
	return version_major(version) == 0;
}

static bool is_released(const struct check *c)
{
	const char *status = text_at(tracking_of(c), "status");

	return status && (strcmp(status, "final") == 0 || strcmp(status, "interim") == 0);
}

void test_draft_status(struct check *c)
{
	const char *version = text_at(tracking_of(c), "version"), *status = text_at(tracking_of(c), "status");

	if (version && status && is_version(version) && (is_before_release(version) || has_pre_release(version)) && strcmp(status, "draft") != 0)
		report(c, AT(TRACKING, "status"), "is %.20s; version %.40s is a draft's", status, version);
}

void test_released_history(struct check *c)
{
	size_t n;
	struct revision *r = history_of(c, &n);

	for (size_t i = 0; is_released(c) && i < n; i++)
		if (is_before_release(r[i].number))
			report(c, REVISION(r[i].index, "number"), "%.40s is from before the release, and does not belong into the history of a released document", r[i].number);
	free(r);
}

void test_pre_release_history(struct check *c)
{
	size_t n;
	struct revision *r = history_of(c, &n);

	for (size_t i = 0; i < n; i++)
		if (has_pre_release(r[i].number))
			report(c, REVISION(r[i].index, "number"), "%.40s is a pre-release; the history has none", r[i].number);
	free(r);
}

void test_non_draft_version(struct check *c)
{
	const char *version = text_at(tracking_of(c), "version");

	if (is_released(c) && version && is_version(version) && has_pre_release(version))
		report(c, AT(TRACKING, "version"), "%.40s is a pre-release, and the document is released", version);
}

void test_mixed_versions(struct check *c)
{
	const char *version = text_at(tracking_of(c), "version");
	size_t n;
	struct revision *r = history_of(c, &n);

	for (size_t i = 0; version && is_version(version) && i < n; i++)
		if (is_integer_version(r[i].number) != is_integer_version(version))
			report(c, REVISION(r[i].index, "number"), "%.40s and the document's %.40s: use integers or semantic versions, not both", r[i].number, version);
	free(r);
}
