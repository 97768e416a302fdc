/* Nothing here decides what is fetched; it only says what may be asked for. */
#include "csaf/provider.h"

#include "csaf/csaf_priv.h"

bool csaf_path_is_safe(struct bytes path)
{
	size_t from = 0;

	if (!path.len || path.len > 500 || !bytes_ends(path, BYTES(".json")))
		return false;
	for (size_t i = 0; i <= path.len; i++) {
		unsigned char c = i < path.len ? path.at[i] : '/';

		if (c == '/') {
			if (i == from || path.at[from] == '.')
				return false; /* an empty part, .., or a hidden name */
			from = i + 1;
		} else if (!((ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || strchr("+-_.", c))) {
			return false;
		}
	}
	return true;
}

bool csaf_url_is_safe(struct bytes url)
{
	size_t host;

	if (!bytes_starts(url, BYTES("https://")) || url.len > CSAF_URL_MAX)
		return false;
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= ' ' || url.at[i] >= 0x7f || strchr("\"<>\\^`{|}#", url.at[i]))
			return false;
	host = bytes_find_byte(bytes_cut(url, 8, url.len), '/');
	if (host == SIZE_MAX || host == 0)
		return false;
	if (bytes_find_byte(bytes_cut(url, 8, 8 + host), '@') != SIZE_MAX)
		return false;
	return bytes_find(url, BYTES("/../")) == SIZE_MAX && bytes_find(url, BYTES("/./")) == SIZE_MAX;
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static void url_line(struct text *out, const char *kind, const char *url, bool is_folder)
{
	if (!url || !csaf_url_is_safe(bytes_str(url)))
		return;
	text_fmt(out, "%s %s%s\n", kind, url, is_folder && !bytes_ends(bytes_str(url), BYTES("/")) ? "/" : "");
}

static enum err refuse(char error[CSAF_WORDS_MAX], const char *words)
{
	snprintf(error, CSAF_WORDS_MAX, "%s", words);
	return ERR_SYNTAX;
}

enum err csaf_provider_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX])
{
	json_t *doc, *item, *feed;
	const char *name, *role, *version;
	enum err e = OK;
	size_t i, k;

	TRY(csaf_parse(in, &doc, error));
	name = text_at(get(doc, "publisher"), "name");
	role = text_at(doc, "role");
	version = text_at(doc, "metadata_version");
	if (!version || strcmp(version, "2.0") != 0)
		e = refuse(error, "/metadata_version is not 2.0");
	else if (!name || !*name || !is_plain(name))
		e = refuse(error, "/publisher/name is missing");
	else if (!role || strncmp(role, "csaf_", 5) != 0 || !is_plain(role))
		e = refuse(error, "/role is missing");
	else if (!json_array_size(get(doc, "distributions")))
		e = refuse(error, "/distributions is missing: it does not say where its documents are");
	if (e == OK)
		text_fmt(out, "N %.200s\nR %.60s\n", name, role);
	json_array_foreach (get(doc, "distributions"), i, item) {
		if (e != OK)
			break;
		url_line(out, "D", text_at(item, "directory_url"), true);
		json_array_foreach (get2(item, "rolie", "feeds"), k, feed)
			url_line(out, "F", text_at(feed, "url"), false);
	}
	json_decref(doc);
	return e;
}

static struct bytes take_line(struct bytes *left)
{
	size_t end = bytes_find_byte(*left, '\n');
	struct bytes line = bytes_cut(*left, 0, end);

	*left = end == SIZE_MAX ? BYTES("") : bytes_cut(*left, end + 1, left->len);
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* A name that may not be asked for, told with only printable characters. */
static void bad_line(struct text *out, struct bytes name)
{
	text_byte(out, '!');
	for (size_t i = 0; i < name.len && i < 200; i++)
		text_byte(out, name.at[i] < ' ' || name.at[i] >= 0x7f ? '?' : name.at[i]);
	text_byte(out, '\n');
}

static bool take_quoted(struct bytes *left, struct bytes *out)
{
	size_t end;

	*left = bytes_trim(*left);
	if (!left->len || left->at[0] != '"')
		return false;
	end = bytes_find_byte(bytes_cut(*left, 1, left->len), '"');
	if (end == SIZE_MAX)
		return false;
	*out = bytes_cut(*left, 1, 1 + end);
	*left = bytes_trim(bytes_cut(*left, end + 2, left->len));
	return true;
}

static bool is_date(struct bytes b)
{
	char s[64];

	snprintf(s, sizeof(s), "%.*s", (int)(b.len < sizeof(s) ? b.len : sizeof(s) - 1), (const char *)b.at);
	return b.len < sizeof(s) && is_date_time(s);
}

enum err csaf_changes_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX])
{
	size_t n = 0;

	while (in.len) {
		struct bytes line = take_line(&in), path, date, left = line;

		if (!bytes_trim(line).len)
			continue;
		if (++n > CSAF_ENTRIES_MAX)
			return refuse(error, "more lines than are read");
		if (!take_quoted(&left, &path) || !left.len || left.at[0] != ',')
			return refuse(error, "a line is not \"PATH\",\"DATE\"");
		left = bytes_cut(left, 1, left.len);
		if (!take_quoted(&left, &date) || left.len || !is_date(date))
			return refuse(error, "a line is not \"PATH\",\"DATE\"");
		if (csaf_path_is_safe(path))
			text_fmt(out, "%.*s\t%.*s\n", FMT(path), FMT(date));
		else
			bad_line(out, path);
	}
	return OK;
}

enum err csaf_index_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX])
{
	size_t n = 0;

	while (in.len) {
		struct bytes line = bytes_trim(take_line(&in));

		if (!line.len)
			continue;
		if (++n > CSAF_ENTRIES_MAX)
			return refuse(error, "more lines than are read");
		if (csaf_path_is_safe(line))
			text_fmt(out, "%.*s\t\n", FMT(line));
		else
			bad_line(out, line);
	}
	return OK;
}

/* The hash's link: SHA-512 before SHA-256. */
static const char *hash_link(const json_t *entry)
{
	const char *found = "";
	json_t *link;
	size_t i;

	json_array_foreach (get(entry, "link"), i, link) {
		const char *rel = text_at(link, "rel"), *href = text_at(link, "href");

		if (rel && href && strcmp(rel, "hash") == 0 && csaf_url_is_safe(bytes_str(href)) &&
			(!*found || bytes_ends(bytes_str(href), BYTES(".sha512"))))
			found = href;
	}
	return found;
}

enum err csaf_feed_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX])
{
	json_t *doc, *entry;
	enum err e = OK;
	size_t i;

	TRY(csaf_parse(in, &doc, error));
	if (!json_is_array(get2(doc, "feed", "entry")))
		e = refuse(error, "/feed/entry is missing");
	else if (json_array_size(get2(doc, "feed", "entry")) > CSAF_ENTRIES_MAX)
		e = refuse(error, "more entries than are read");
	json_array_foreach (get2(doc, "feed", "entry"), i, entry) {
		const char *url = text_at(get(entry, "content"), "src"), *date = text_at(entry, "updated");

		if (e != OK)
			break;
		if (!url || !csaf_url_is_safe(bytes_str(url)) || !bytes_ends(bytes_str(url), BYTES(".json")))
			bad_line(out, bytes_str(url ? url : "an entry without content"));
		else
			text_fmt(out, "%s\t%s\t%s\n", url, date && is_date_time(date) ? date : "", hash_link(entry));
	}
	json_decref(doc);
	return e;
}
