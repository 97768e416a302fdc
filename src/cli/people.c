/* identity answers refusals with a stable name beside its English words: people read ours. */
#define _GNU_SOURCE
#include "cli/people.h"

#include "auth/password.h"
#include "auth/store.h"

#include <stdlib.h>
#include <time.h>

static const struct {
	const char *why;
	enum word word;
} refusals[] = { { "name", W_ID_NAME }, { "none", W_ID_NONE }, { "exists", W_ID_EXISTS }, { "text", W_ID_TEXT }, { "groups", W_ID_GROUPS },
	{ "hash", W_ID_HASH }, { "busy", W_ID_BUSY }, { "memory", W_ID_MEMORY }, { "app", W_ID_APP }, { "too_short", W_PW_SHORT },
	{ "too_long", W_PW_LONG }, { "common", W_PW_COMMON }, { "characters", W_PW_CHARACTERS } };

json_t *people_ask_any(const struct cli *cli, json_t *request)
{
	json_object_set_new(request, "command", json_string("identity"));
	return cli_ask_any(cli, request);
}

bool people_told_no(const json_t *answer)
{
	return !json_is_true(json_object_get(answer, "ok"));
}

bool people_why_is(const json_t *answer, const char *why)
{
	return strcmp(people_text(answer, "why"), why) == 0;
}

void people_tell_no(const struct cli *cli, const json_t *answer)
{
	const char *error = people_text(answer, "error");

	for (size_t i = 0; i < COUNT_OF(refusals); i++)
		if (people_why_is(answer, refusals[i].why)) {
			cli_fail(1, "%s", cli_word(cli, refusals[i].word));
			return;
		}
	cli_fail_in(cli, W_ID_REFUSED, *error ? error : "?");
}

json_t *people_ask(const struct cli *cli, json_t *request)
{
	json_t *answer = people_ask_any(cli, request);

	if (answer && people_told_no(answer)) {
		people_tell_no(cli, answer);
		json_decref(answer);
		return NULL;
	}
	return answer;
}

json_t *people_list(const struct cli *cli, json_t *request, const char *key)
{
	json_t *all = json_array();
	bool goes_on = true;

	while (goes_on) {
		json_t *part = people_ask(cli, json_deep_copy(request));
		const json_t *list = json_object_get(part, key), *more = json_object_get(part, "more");

		if (part)
			json_array_extend(all, (json_t *)(uintptr_t)list);
		/* A part without anything would be asked for again and again. */
		goes_on = part && json_is_string(more) && json_array_size(list);
		if (goes_on)
			json_object_set(request, "after", (json_t *)(uintptr_t)more);
		if (!part) {
			json_decref(all);
			all = NULL;
		}
		json_decref(part);
	}
	json_decref(request);
	return all;
}

bool people_name(struct bytes in, char out[PEOPLE_NAME_MAX + 1])
{
	if (!store_name_is_valid(in))
		return false;
	for (size_t i = 0; i < in.len; i++)
		out[i] = (char)ascii_lower(in.at[i]);
	out[in.len] = 0;
	return true;
}

int people_take_name(const struct cli *cli, const char *in, char out[PEOPLE_NAME_MAX + 1])
{
	return people_name(bytes_str(in), out) ? 0 : 1 + cli_fail(1, "'%s': %s", in, cli_word(cli, W_ID_NAME));
}

const char *people_refusal(const struct cli *cli, const char *why)
{
	if (strcmp(why, "name") == 0)
		return cli_word(cli, W_PW_NAME);
	for (size_t i = 0; i < COUNT_OF(refusals); i++)
		if (strcmp(why, refusals[i].why) == 0)
			return cli_word(cli, refusals[i].word);
	return why;
}

const char *people_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

long long people_number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

void people_when(const struct cli *cli, long long s, char out[64])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (s <= 0 || !gmtime_r(&t, &tm) || !strftime(out, 64, "%Y-%m-%d %H:%M", &tm))
		snprintf(out, 64, "%s", cli_word(cli, W_ID_NEVER));
}

void people_names(const json_t *list, struct text *out)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		text_str(out, i ? ", " : "");
		text_str(out, s ? s : "?");
	}
}

int people_end(const struct cli *cli, json_t *answer)
{
	if (cli->as_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(answer);
	return 0;
}
