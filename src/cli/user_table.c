/* A list of users as a table. Everything in it is looked at before anybody is added, and every mistake is named: who imports a hundred people mends
 * the file once. */
#include "cli/user_priv.h"

#include "auth/facts.h"
#include "auth/password.h"
#include "data/csv.h"

#include <stdio.h>

#define TEXT_MOST   200 /* octets of a display name or mail address */
#define GROUP_MOST  64
#define ERRORS_MOST 200

enum column { C_NAME, C_DISPLAY, C_MAIL, C_GROUPS, C_PASSWORD, C_HASH, C_MUST_CHANGE, C_COUNT };
static const char *const columns[C_COUNT] = { "name", "display", "mail", "groups", "password", "hash", "must_change" };

struct table {
	const struct cli *cli;
	const char *file;
	struct csv csv;
	struct csv_record record;
	enum column at[CSV_FIELDS_MAX]; /* what each column is */
	size_t count;
	json_t *errors, *users, *lines; /* lines: of each name, to find one that is there twice */
	size_t wrong;
};

/* FILE:LINE: column: what, of which the file's own words are cleaned where they are printed. */
static void fault(struct table *t, const char *column, const char *what)
{
	char line[1200];

	if (t->wrong++ >= ERRORS_MOST)
		return;
	snprintf(line, sizeof(line), "%s:%u: %s%s%s", t->file, t->csv.record_line, column, *column ? ": " : "", what);
	json_array_append_new(t->errors, json_string(line));
}

static void fault_word(struct table *t, enum column c, enum word w)
{
	fault(t, columns[c], cli_word(t->cli, w));
}

static struct bytes field(const struct table *t, enum column c)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->at[i] == c)
			return c == C_PASSWORD ? t->record.fields[i] : bytes_trim(t->record.fields[i]);
	return BYTES("");
}

static bool has_column(const struct table *t, enum column c)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->at[i] == c)
			return true;
	return false;
}

static bool read_header(struct table *t)
{
	for (t->count = 0; t->count < t->record.count; t->count++) {
		struct bytes name = bytes_trim(t->record.fields[t->count]);
		char told[80];
		size_t c = 0;

		while (c < C_COUNT && !bytes_eq_nocase(name, bytes_str(columns[c])))
			c++;
		snprintf(told, sizeof(told), "%.*s", FMT(bytes_cut(name, 0, 60)));
		if (c == C_COUNT) {
			fault(t, told, cli_word(t->cli, W_IMP_COLUMN));
			return false;
		}
		if (has_column(t, (enum column)c)) {
			fault(t, columns[c], cli_word(t->cli, W_IMP_TWICE));
			return false;
		}
		t->at[t->count] = (enum column)c;
	}
	if (!has_column(t, C_NAME)) {
		fault_word(t, C_NAME, W_IMP_NO_NAME);
		return false;
	}
	return true;
}

static bool is_plain(struct bytes b, size_t most)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < ' ' || b.at[i] == 127)
			return false;
	return b.len <= most;
}

static json_t *text_of(struct table *t, enum column c)
{
	struct bytes b = field(t, c);
	json_t *j = is_plain(b, TEXT_MOST) ? json_stringn(b.len ? (const char *)b.at : "", b.len) : NULL; /* NULL: not UTF-8 */

	if (!j)
		fault_word(t, c, W_ID_TEXT);
	return j ? j : json_string("");
}

static json_t *groups_of(struct table *t)
{
	struct bytes left = field(t, C_GROUPS);
	json_t *list = json_array();

	while (left.len) {
		size_t end = 0;
		struct bytes g;
		json_t *j;

		while (end < left.len && left.at[end] != ';' && left.at[end] != '|')
			end++;
		g = bytes_trim(bytes_cut(left, 0, end));
		left = end < left.len ? bytes_cut(left, end + 1, left.len) : BYTES("");
		if (g.len == 0)
			continue;
		j = is_plain(g, GROUP_MOST) && bytes_find_byte(g, ',') == SIZE_MAX && json_array_size(list) < AUTH_GROUPS_MAX ?
			json_stringn((const char *)g.at, g.len) : NULL;
		if (!j) {
			fault_word(t, C_GROUPS, W_IMP_GROUPS);
			break;
		}
		json_array_append_new(list, j);
	}
	return list;
}

static void fault_fields(struct table *t)
{
	char told[400] = "";
	FILE *f = fmemopen(told, sizeof(told), "w");

	CHECK(f);
	cli_say(t->cli, f, W_IMP_FIELDS, t->record.count, t->count);
	fclose(f);
	fault(t, "", told);
}

/* Who chose the password is asked to choose another; a hash that is taken over is the person's own. */
static bool must_change(struct table *t, bool is_given)
{
	static const struct {
		const char *word;
		bool is;
	} words[] = { { "yes", true }, { "true", true }, { "1", true }, { "ja", true }, { "no", false }, { "false", false }, { "0", false }, { "nee", false } };
	struct bytes b = field(t, C_MUST_CHANGE);

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (bytes_eq_nocase(b, bytes_str(words[i].word)))
			return words[i].is;
	if (b.len)
		fault_word(t, C_MUST_CHANGE, W_IMP_YES_NO);
	return is_given;
}

static void read_secrets(struct table *t, const char *name, json_t *user)
{
	struct bytes password = field(t, C_PASSWORD), hash = field(t, C_HASH);
	const char *why = password.len == 0 ? NULL : password.len > PASSWORD_MOST ? "too_long" : password_refusal(password, bytes_str(name));

	if (password.len && hash.len)
		fault_word(t, C_HASH, W_IMP_BOTH);
	if (why)
		fault(t, columns[C_PASSWORD], people_refusal(t->cli, why));
	else if (password.len)
		json_object_set_new(user, "password", json_stringn((const char *)password.at, password.len));
	if (hash.len && !password_hash_is_valid(hash))
		fault_word(t, C_HASH, W_ID_HASH);
	else if (hash.len)
		json_object_set_new(user, "hash", json_stringn((const char *)hash.at, hash.len));
	if (password.len || hash.len || field(t, C_MUST_CHANGE).len)
		json_object_set_new(user, "must_change", json_boolean(must_change(t, password.len > 0)));
}

static void read_user(struct table *t)
{
	char name[PEOPLE_NAME_MAX + 1] = "", told[200];
	json_t *before, *user;

	if (t->record.count != t->count) {
		fault_fields(t);
		return;
	}
	if (!people_name(field(t, C_NAME), name))
		fault_word(t, C_NAME, W_ID_NAME);
	before = json_object_get(t->lines, name);
	if (before && name[0]) {
		snprintf(told, sizeof(told), "%s (%lld)", cli_word(t->cli, W_IMP_SAME), (long long)json_integer_value(before));
		fault(t, columns[C_NAME], told);
	}
	json_object_set_new(t->lines, name, json_integer(t->csv.record_line));
	user = json_pack("{s:i,s:s,s:o,s:o,s:o}", "line", (int)t->csv.record_line, "name", name, "display", text_of(t, C_DISPLAY), "mail",
		text_of(t, C_MAIL), "groups", groups_of(t));
	CHECK(user);
	read_secrets(t, name, user);
	json_array_append_new(t->users, user);
}

json_t *user_table(const struct cli *cli, const char *file, struct bytes content)
{
	static struct table t; /* a record is too large for the stack */
	bool has_header = false, goes_on = true, has_secrets;
	enum err e = OK;

	t = (struct table){ .cli = cli, .file = file, .errors = json_array(), .users = json_array(), .lines = json_object() };
	csv_init(&t.csv, content);
	while (goes_on && (e = csv_next(&t.csv, &t.record)) == OK) {
		if (has_header)
			read_user(&t);
		else
			goes_on = has_header = read_header(&t);
	}
	if (e == ERR_SYNTAX || e == ERR_LIMIT)
		fault(&t, "", t.csv.why);
	else if (goes_on && !has_header)
		fault_word(&t, C_NAME, W_IMP_NO_NAME);
	has_secrets = has_column(&t, C_PASSWORD) || has_column(&t, C_HASH);
	json_decref(t.lines);
	return json_pack("{s:o,s:o,s:b,s:I}", "errors", t.errors, "users", t.users, "has_secrets", (int)has_secrets, "wrong", (json_int_t)t.wrong);
}
