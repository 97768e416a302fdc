/* sluis isolate: takes a client, a target, a user or this node out of use, and tells what is. */
#define _GNU_SOURCE
#include "cli/isolation.h"

#include <pwd.h>
#include <stdio.h>
#include <time.h>

static const char usage[] =
	"usage: sluis isolate [WHAT [--as client|target|user|node] [--reason TEXT] [--until TIME | --for TIME] | list]";

bool isolation_read_duration(const char *text, uint64_t *seconds)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct bytes b = bytes_str(text);
	uint64_t n;

	for (size_t i = 0; b.len > 1 && i < COUNT_OF(units); i++)
		if (b.at[b.len - 1] == units[i].unit && bytes_u64(bytes_cut(b, 0, b.len - 1), &n) == OK &&
			n > 0 && n <= 10 * 366 * 86400ull)
			return !__builtin_mul_overflow(n, units[i].s, seconds);
	return false;
}

bool isolation_read_time(const char *text, uint64_t *real_us)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
		"%Y-%m-%d %H:%M" };

	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i], &tm);
		bool is_utc = end && strcmp(end, "Z") == 0;
		time_t t;

		if (!end || (*end && !is_utc))
			continue;
		t = is_utc ? timegm(&tm) : mktime(&tm);
		if (t <= 0)
			return false;
		*real_us = (uint64_t)t * 1000000;
		return true;
	}
	return false;
}

/* One option and its value. 0, or the exit status. */
static int take_option(const struct cli *cli, const char *name, const char *value, bool may_last, struct isolation_call *out)
{
	if (strcmp(name, "--as") == 0)
		out->as = value;
	else if (may_last && strcmp(name, "--reason") == 0)
		out->reason = value;
	else if (may_last && strcmp(name, "--until") == 0)
		return isolation_read_time(value, &out->until_us)
			       ? 0
			       : 1 + cli_fail_in(cli, W_ISOLATE_NO_UNTIL, value);
	else if (may_last && (strcmp(name, "--for") == 0 || strcmp(name, "for") == 0))
		return isolation_read_duration(value, &out->for_s)
			       ? 0
			       : 1 + cli_fail_in(cli, W_ISOLATE_NO_FOR, value);
	else
		return 1 + cli_fail_in(cli, W_ISOLATE_OPTION, name);
	return 0;
}

int isolation_read_call(const struct cli *cli, int argc, char **argv, bool may_last, struct isolation_call *out)
{
	*out = (struct isolation_call){ 0 };
	for (int i = 0; i < argc; i++) {
		bool is_option = argv[i][0] == '-' || (may_last && out->what && strcmp(argv[i], "for") == 0);
		int status;

		if (!is_option && out->what)
			return 1 + cli_fail_in(cli, W_ISOLATE_ONE, out->what, argv[i]);
		if (!is_option) {
			out->what = argv[i];
			continue;
		}
		if (i + 1 == argc)
			return 1 + cli_fail_in(cli, W_ISOLATE_VALUE, argv[i]);
		status = take_option(cli, argv[i], argv[i + 1], may_last, out);
		if (status)
			return status;
		i++;
	}
	if (out->until_us && out->for_s)
		return 1 + cli_fail_in(cli, W_ISOLATE_EITHER);
	return 0;
}

static const char *string_of(const json_t *entry, const char *key)
{
	const char *s = json_string_value(json_object_get(entry, key));

	return s ? s : "";
}

static long long number_of(const json_t *entry, const char *key)
{
	return (long long)json_integer_value(json_object_get(entry, key));
}

const char *isolation_kind_word(const struct cli *cli, const json_t *entry)
{
	static const struct {
		const char *name;
		enum word word;
	} kinds[] = { { "client", W_ISOLATE_CLIENT }, { "target", W_ISOLATE_TARGET },
		{ "user", W_ISOLATE_USER }, { "node", W_ISOLATE_NODE } };

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(string_of(entry, "kind"), kinds[i].name) == 0)
			return cli_word(cli, kinds[i].word);
	return "?";
}

int isolation_end(const struct cli *cli, json_t *answer, enum word unsaved)
{
	int status = json_is_true(json_object_get(answer, "saved")) ? 0 : 1;

	if (cli->as_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(answer);
	return status ? cli_fail(status, "%s", cli_word(cli, unsaved)) : 0;
}

/* Local time, "2026-11-24 18:00:00"; - for none. */
static const char *when(long long us, char *out, size_t size)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (!us || !localtime_r(&t, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, size, "-");
	return out;
}

static const char *who(long long uid, char *out, size_t size)
{
	const struct passwd *p = getpwuid((uid_t)uid);

	snprintf(out, size, "%s", p ? p->pw_name : "");
	if (!p)
		snprintf(out, size, "%lld", uid);
	return out;
}

/* Columns as wide as what stands in them needs; six of them. */
static void print_row(const char *const *cells, int what_width)
{
	printf("%-*s  %-10s  %-19s  %-19s  %-10s  %s\n", what_width, cells[0], cells[1], cells[2], cells[3],
		cells[4], cells[5]);
}

static void print_head(const struct cli *cli, int what_width)
{
	char head[200], *at = head;
	const char *cells[6];

	snprintf(head, sizeof(head), "%s", cli_word(cli, W_ISOLATE_HEAD));
	for (size_t i = 0; i < COUNT_OF(cells); i++)
		cells[i] = strsep(&at, "|");
	print_row(cells, what_width);
}

static void print_entry(const struct cli *cli, const json_t *e, int what_width)
{
	char since[32], until[32], by[64], why[600];
	bool is_known = json_is_true(json_object_get(e, "known"));
	const char *reason = string_of(e, "reason");
	const char *cells[6] = { string_of(e, "what"), isolation_kind_word(cli, e),
		when(number_of(e, "since_us"), since, sizeof(since)),
		when(number_of(e, "until_us"), until, sizeof(until)),
		who(number_of(e, "uid"), by, sizeof(by)), why };

	snprintf(why, sizeof(why), "%s%s%s%s", reason,
		is_known  ? ""
		: *reason ? " ("
			  : "(",
		is_known ? "" : cli_word(cli, W_ISOLATE_UNKNOWN), is_known ? "" : ")");
	print_row(cells, what_width);
}

static int list(const struct cli *cli)
{
	json_t *a = cli_ask(cli, json_pack("{s:s}", "command", "isolated"));
	const json_t *all = json_object_get(a, "isolated");
	int width = 4;

	if (!a)
		return 1;
	for (size_t i = 0; i < json_array_size(all); i++) {
		size_t n = strlen(string_of(json_array_get(all, i), "what"));

		width = n > 60 ? 60 : n > (size_t)width ? (int)n : width;
	}
	if (!cli->as_json && json_array_size(all))
		print_head(cli, width);
	for (size_t i = 0; !cli->as_json && i < json_array_size(all); i++)
		print_entry(cli, json_array_get(all, i), width);
	if (!cli->as_json && !json_array_size(all))
		puts(cli_word(cli, W_ISOLATE_NONE));
	return isolation_end(cli, a, W_ISOLATE_UNSAVED);
}

/* The format comes from words.tbl, where both languages take the same arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void tell(const struct cli *cli, const json_t *a)
{
	const json_t *e = json_object_get(a, "isolation");
	bool already = json_is_true(json_object_get(a, "already"));
	long long until = number_of(e, "until_us");
	char time[32];

	printf(cli_word(cli, already ? W_ISOLATE_ALREADY : W_ISOLATE_DONE), string_of(e, "what"),
		isolation_kind_word(cli, e), number_of(a, "cut"), until ? cli_word(cli, W_ISOLATE_UNTIL) : "",
		until ? when(until, time, sizeof(time)) : "");
	if (number_of(a, "ended_workers"))
		printf(cli_word(cli, W_ISOLATE_ENDED), number_of(a, "ended_workers"));
	if (!json_is_true(json_object_get(e, "known")))
		fputs(cli_word(cli, W_ISOLATE_NOBODY), stdout);
	if (!until)
		printf(cli_word(cli, W_ISOLATE_HOLDS), string_of(e, "what"), string_of(e, "kind"));
}
#pragma GCC diagnostic pop

int cli_isolate(const struct cli *cli, int argc, char **argv)
{
	struct isolation_call call;
	json_t *a;
	int status = isolation_read_call(cli, argc, argv, true, &call);

	if (status)
		return status;
	if (!call.what && argc)
		return cli_fail(2, "%s", usage);
	if (!call.what || (strcmp(call.what, "list") == 0 && argc == 1))
		return list(cli);
	a = cli_ask(cli, json_pack("{s:s,s:s,s:s,s:s,s:I,s:I}", "command", "isolate", "what", call.what, "as",
				 call.as ? call.as : "", "reason", call.reason ? call.reason : "", "until_us",
				 (json_int_t)call.until_us, "for_s", (json_int_t)call.for_s));
	if (!a)
		return 1;
	if (!cli->as_json)
		tell(cli, a);
	return isolation_end(cli, a, W_ISOLATE_UNSAVED);
}
