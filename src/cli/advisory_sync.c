/* sluis advisory sync: this process fetches and keeps, and reads nothing but hashes; what came is parsed by children that can do nothing
 * else. What was kept is noted at once, so that a run that was cut goes on where it stopped. */
#define _GNU_SOURCE
#include "cli/advisory_fetch.h"
#include "cli/advisory_priv.h"
#include "cli/evidence_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/sha256.h"
#include "crypto/sha512.h"
#include "csaf/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define METADATA_MAX	(1u << 20)
#define LISTING_MAX	(32u << 20)
#define HASH_MAX	4096
#define RUN_SECONDS	1800 /* a run; the next one goes on */
#define URL_MAX		2600

struct sync {
	const struct cli *cli;
	const struct advisory_place *place;
	struct fetcher *fetcher;
	struct advisory_lists lists;
	json_t *files;	 /* url -> {date, sha512} of what was kept */
	json_t *sources; /* url -> etag of what was done with completely */
	json_t *refused; /* [{url, why}] */
	size_t added, updated, same;
	bool is_broken;
	char why[FETCH_WORDS_MAX];
	char state[ADVISORY_PATH_MAX];
	uint64_t until_us;
};

/* --- what is noted --- */

static void load_state(struct sync *s)
{
	json_t *state, *member;

	snprintf(s->state, sizeof(s->state), "%s/.sync.json", s->place->kept);
	state = json_load_file(s->state, JSON_REJECT_DUPLICATES, NULL);
	member = json_object_get(state, "files");
	s->files = json_is_object(member) ? json_incref(member) : json_object();
	member = json_object_get(state, "sources");
	s->sources = json_is_object(member) ? json_incref(member) : json_object();
	json_decref(state);
}

static bool save_state(struct sync *s)
{
	json_t *state = json_pack("{s:O,s:O}", "files", s->files, "sources", s->sources);
	char *text = json_dumps(state, JSON_INDENT(1));
	struct output o;
	bool ok = text && output_make_folder(s->state) && output_open(&o, s->state, true);

	if (ok && (fd_write_all(o.fd, bytes_str(text)) != OK || !output_commit(&o, true))) {
		output_drop(&o);
		ok = false;
	}
	if (!ok)
		cli_fail_in(s->cli, W_ADV_S_STATE, s->state, strerror(errno));
	free(text);
	json_decref(state);
	return ok;
}

static void refuse(struct sync *s, const char *url, const char *why)
{
	json_array_append_new(s->refused, json_pack("{s:o,s:o}", "url", json_of(bytes_str(url)), "why", json_of(bytes_str(why))));
	if (!s->cli->as_json)
		cli_say(s->cli, stderr, W_ADV_S_ITEM, url, why);
}

static void stop(struct sync *s, const char *why)
{
	s->is_broken = true;
	snprintf(s->why, sizeof(s->why), "%.290s", why);
}

/* --- one document --- */

/* Whether the bytes have the sum that the hash file begins with. */
static bool sum_fits(struct bytes file, struct bytes document)
{
	unsigned char want[SHA512_LEN], have[SHA512_LEN];
	size_t end = 0;

	while (end < file.len && file.at[end] > ' ')
		end++;
	if (end == 2 * SHA512_LEN)
		sha512_of(document, have);
	else if (end == 2 * SHA256_LEN)
		sha256_of(document, have);
	else
		return false;
	return hex_read(bytes_cut(file, 0, end), want, end / 2) == OK && memcmp(want, have, end / 2) == 0;
}

/* The hash file: the one that is named, else beside the document. */
static enum fetched fetch_sum(struct sync *s, const char *url, const char *named, struct text *out, char why[FETCH_WORDS_MAX])
{
	static const char *const ends[] = { ".sha512", ".sha256" };
	char beside[URL_MAX + 16], etag[256] = "";
	enum fetched got = *named ? fetch(s->fetcher, named, HASH_MAX, out, etag, why) : FETCHED_NOT;

	for (size_t i = 0; got == FETCHED_NOT && i < COUNT_OF(ends); i++) {
		text_fini(out);
		text_init_growing(out, HASH_MAX);
		etag[0] = 0;
		snprintf(beside, sizeof(beside), "%s%s", url, ends[i]);
		got = fetch(s->fetcher, beside, HASH_MAX, out, etag, why);
	}
	return got;
}

static void keep(struct sync *s, const char *url, const char *date, struct bytes document)
{
	unsigned char sum[SHA512_LEN];
	char hex[2 * SHA512_LEN + 1] = "", why[2 * CSAF_WORDS_MAX + 40];
	struct advisory_verdict v;
	enum advisory_kept kept;
	struct text t;

	if (advisory_judge(&s->lists.view, document, &v) != OK || !v.is_valid) {
		snprintf(why, sizeof(why), "%zu findings, the first: %s", v.count, v.why[0] ? v.why : "it could not be read");
		refuse(s, url, why);
		return;
	}
	kept = advisory_keep(s->place, &v, document);
	if (kept == KEPT_FAILED) {
		stop(s, strerror(errno));
		return;
	}
	s->added += kept == KEPT_NEW;
	s->updated += kept == KEPT_NEWER;
	s->same += kept == KEPT_SAME || kept == KEPT_OLDER;
	sha512_of(document, sum);
	text_init(&t, hex, sizeof(hex) - 1);
	hex_put(&t, bytes_of(sum, sizeof(sum)));
	json_object_set_new(s->files, url, json_pack("{s:s,s:s}", "date", date, "sha512", hex));
	if (!save_state(s))
		stop(s, "what was kept could not be noted");
}

static bool is_known(const struct sync *s, const char *url, const char *date, struct bytes sum)
{
	const json_t *known = json_object_get(s->files, url);
	const char *known_date = json_string_value(json_object_get(known, "date")), *known_sum = json_string_value(json_object_get(known, "sha512"));

	if (*date && known_date && strcmp(date, known_date) == 0)
		return true;
	return known_sum && sum.len >= 2 * SHA512_LEN && bytes_eq_nocase(bytes_cut(sum, 0, 2 * SHA512_LEN), bytes_str(known_sum));
}

static void take_document(struct sync *s, const char *url, const char *date, const char *hash_url)
{
	char why[FETCH_WORDS_MAX], etag[256] = "";
	struct text sum, document;
	enum fetched got;

	if (clock_mono_us() > s->until_us) {
		stop(s, "the time for one run is over");
		return;
	}
	if (is_known(s, url, date, BYTES(""))) {
		s->same++;
		return;
	}
	text_init_growing(&sum, HASH_MAX);
	text_init_growing(&document, CSAF_DOCUMENT_MAX);
	got = fetch_sum(s, url, hash_url, &sum, why);
	if (got == FETCHED && is_known(s, url, "", text_bytes(&sum))) {
		s->same++;
	} else if (got == FETCHED) {
		got = fetch(s->fetcher, url, CSAF_DOCUMENT_MAX, &document, etag, why);
		if (got == FETCHED && !sum_fits(text_bytes(&sum), text_bytes(&document)))
			refuse(s, url, "its bytes do not have the sum that the provider gives");
		else if (got == FETCHED)
			keep(s, url, date, text_bytes(&document));
		else if (got == FETCHED_NOT)
			refuse(s, url, why);
	} else if (got == FETCHED_NOT) {
		refuse(s, url, "the provider gives no SHA-512 or SHA-256 of it");
	}
	if (got == FETCHED_BROKEN)
		stop(s, why);
	text_fini(&document);
	text_fini(&sum);
}

/* --- listings --- */

typedef enum err lines_fn(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]);

/* The child's answer: "+" and the lines, or "-" and why not. */
static void to_lines(struct bytes in, struct text *out, void *ctx)
{
	lines_fn *const *fn = ctx;
	char error[CSAF_WORDS_MAX] = "";

	text_byte(out, '+');
	if ((*fn)(in, out, error) != OK) {
		out->len = 0;
		text_fmt(out, "-%s", error);
	}
}

/* False: *why says what is wrong with it. The lines stand behind the first octet. */
static bool read_lines(lines_fn *fn, struct bytes in, struct text *out, char why[FETCH_WORDS_MAX])
{
	enum err e = advisory_confined(to_lines, in, out, &fn);

	if (e == OK && out->len && out->at[0] == '+')
		return true;
	advisory_clean(e == OK ? bytes_cut(text_bytes(out), 1, 250) : BYTES(""), why, FETCH_WORDS_MAX);
	if (!why[0])
		snprintf(why, FETCH_WORDS_MAX, "it could not be read");
	return false;
}

static bool take_field(struct bytes *line, char *out, size_t size)
{
	size_t tab = bytes_find_byte(*line, '\t');
	struct bytes field = bytes_cut(*line, 0, tab);

	snprintf(out, size, "%.*s", field.len < size ? (int)field.len : 0, (const char *)field.at);
	*line = tab == SIZE_MAX ? BYTES("") : bytes_cut(*line, tab + 1, line->len);
	return out[0] != 0;
}

static bool next_line(struct bytes *left, struct bytes *line)
{
	size_t end = bytes_find_byte(*left, '\n');

	if (end == SIZE_MAX)
		return false;
	*line = bytes_cut(*left, 0, end);
	*left = bytes_cut(*left, end + 1, left->len);
	return true;
}

/* base: the folder that paths are in, or "" where they are whole addresses. */
static void take_entries(struct sync *s, struct bytes lines, const char *base)
{
	char name[CSAF_URL_MAX + 1], url[URL_MAX], date[80], hash[CSAF_URL_MAX + 1];
	struct bytes line;

	while (!s->is_broken && next_line(&lines, &line)) {
		bool is_bad = line.len && line.at[0] == '!';

		if (is_bad)
			line = bytes_cut(line, 1, line.len);
		if (!take_field(&line, name, sizeof(name)))
			continue;
		(void)take_field(&line, date, sizeof(date));
		(void)take_field(&line, hash, sizeof(hash));
		snprintf(url, sizeof(url), "%s%s", base, name);
		if (is_bad)
			refuse(s, name, "this name may not be asked for: only names inside the folder, and https");
		else
			take_document(s, url, date, hash);
	}
}

static enum fetched fetch_listing(struct sync *s, const char *url, struct text *out, char etag[256], char why[FETCH_WORDS_MAX])
{
	const char *known = json_string_value(json_object_get(s->sources, url));

	snprintf(etag, 256, "%s", known ? known : "");
	return fetch(s->fetcher, url, LISTING_MAX, out, etag, why);
}

/* One listing; FETCHED_NOT: there is none under this address. */
static enum fetched take_listing(struct sync *s, const char *url, const char *base, lines_fn *fn)
{
	char etag[256], why[FETCH_WORDS_MAX] = "";
	size_t refused = json_array_size(s->refused);
	struct text in, lines;
	enum fetched got;

	text_init_growing(&in, LISTING_MAX);
	text_init_growing(&lines, 2 * LISTING_MAX);
	got = fetch_listing(s, url, &in, etag, why);
	if (got == FETCHED_BROKEN)
		stop(s, why);
	else if (got == FETCHED && !read_lines(fn, text_bytes(&in), &lines, why))
		refuse(s, url, why);
	else if (got == FETCHED) {
		take_entries(s, bytes_cut(text_bytes(&lines), 1, lines.len), base);
		/* Asked for conditionally only when nothing of it is left to do. */
		if (!s->is_broken && json_array_size(s->refused) == refused && etag[0])
			json_object_set_new(s->sources, url, json_string(etag));
	}
	text_fini(&lines);
	text_fini(&in);
	return got;
}

static void take_directory(struct sync *s, const char *base)
{
	char url[URL_MAX];

	snprintf(url, sizeof(url), "%.2500schanges.csv", base);
	if (take_listing(s, url, base, csaf_changes_lines) != FETCHED_NOT)
		return;
	snprintf(url, sizeof(url), "%.2500sindex.txt", base);
	if (take_listing(s, url, base, csaf_index_lines) == FETCHED_NOT)
		refuse(s, base, "there is neither changes.csv nor index.txt");
}

/* --- the provider --- */

static bool address(const char *given, char out[URL_MAX])
{
	struct bytes b = bytes_str(given);
	size_t host;

	if (!bytes_starts(b, BYTES("https://")))
		return false;
	host = bytes_find_byte(bytes_cut(b, 8, b.len), '/');
	if (host == SIZE_MAX || host + 9 == b.len)
		snprintf(out, URL_MAX, "%.*s/.well-known/csaf/provider-metadata.json", FMT(bytes_cut(b, 0, host == SIZE_MAX ? b.len : 8 + host)));
	else
		snprintf(out, URL_MAX, "%.2500s", given);
	return csaf_url_is_safe(bytes_str(out));
}

static void take_provider(struct sync *s, struct bytes lines, char name[256])
{
	struct bytes line;

	while (!s->is_broken && next_line(&lines, &line)) {
		char value[CSAF_URL_MAX + 2];

		snprintf(value, sizeof(value), "%.*s", FMT(bytes_cut(line, 2, line.len)));
		if (bytes_starts(line, BYTES("N ")))
			advisory_clean(bytes_str(value), name, 256);
		else if (bytes_starts(line, BYTES("D ")))
			take_directory(s, value);
		else if (bytes_starts(line, BYTES("F ")) && take_listing(s, value, "", csaf_feed_lines) == FETCHED_NOT)
			refuse(s, value, "there is no such feed");
	}
}

static void tell(const struct sync *s, const char *url, const char *name)
{
	json_t *o;

	if (!s->cli->as_json) {
		if (s->is_broken)
			cli_say(s->cli, stderr, W_ADV_S_BROKEN, url, s->why);
		cli_say(s->cli, stdout, W_ADV_S_SUM, name, s->added, s->updated, s->same, json_array_size(s->refused));
		return;
	}
	o = json_pack("{s:s,s:o,s:I,s:I,s:I,s:O,s:b,s:b}", "url", url, "publisher", json_of(bytes_str(name)), "added", (json_int_t)s->added, "updated",
		(json_int_t)s->updated, "unchanged", (json_int_t)s->same, "refused", s->refused, "complete", !s->is_broken, "signatures_checked", 0);
	if (s->is_broken)
		json_object_set_new(o, "why", json_of(bytes_str(s->why)));
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static int run(struct sync *s, const char *url)
{
	char etag[256] = "", why[FETCH_WORDS_MAX] = "", name[256] = "";
	struct text metadata, lines;
	int status;

	text_init_growing(&metadata, METADATA_MAX);
	text_init_growing(&lines, METADATA_MAX);
	if (fetch(s->fetcher, url, METADATA_MAX, &metadata, etag, why) != FETCHED) {
		status = cli_fail_in(s->cli, W_ADV_S_FETCH, url, why) + 1;
	} else if (!read_lines(csaf_provider_lines, text_bytes(&metadata), &lines, why)) {
		status = cli_fail_in(s->cli, W_ADV_S_META, url, why) + 1;
	} else {
		take_provider(s, bytes_cut(text_bytes(&lines), 1, lines.len), name);
		if (!save_state(s))
			s->is_broken = true;
		tell(s, url, name);
		status = s->is_broken || json_array_size(s->refused);
	}
	text_fini(&lines);
	text_fini(&metadata);
	return status;
}

int advisory_sync(const struct cli *cli, const struct advisory_place *place, int argc, char **argv)
{
	struct sync s = { .cli = cli, .place = place, .until_us = clock_mono_us() + RUN_SECONDS * 1000000ull };
	const char *ca = NULL, *given = NULL;
	const struct option options[] = { { "--ca", &ca, NULL }, { 0 } };
	char url[URL_MAX];
	int status;

	if (!options_take(cli, options, argc, argv, &given) || !given)
		return given ? 2 : cli_fail_in(cli, W_ADV_USAGE) + 1;
	if (!address(given, url))
		return cli_fail_in(cli, W_ADV_S_HTTPS, given) + 1;
	s.fetcher = fetcher_new(ca);
	CHECK(s.fetcher);
	advisory_lists_load(cli, &s.lists);
	load_state(&s);
	s.refused = json_array();
	status = run(&s, url);
	json_decref(s.files);
	json_decref(s.sources);
	json_decref(s.refused);
	advisory_lists_fini(&s.lists);
	fetcher_free(&s.fetcher);
	return status;
}
