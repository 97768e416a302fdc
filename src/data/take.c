/* Values out of a tree, with errors that say where, what, and what to write instead. */
#include "data/data_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err data_fail(const struct data *d, const json_t *at, char error[DATA_ERROR_MAX], const char *fmt, ...)
{
	int n = snprintf(error, DATA_ERROR_MAX, "%s:%u: ", d->name, data_line(d, at));
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && n < DATA_ERROR_MAX)
		vsnprintf(error + n, DATA_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return ERR_SYNTAX;
}

/* The next word of words; {0} at the end. */
static struct bytes next_word(const char **words)
{
	size_t n;

	*words += strspn(*words, " ");
	n = strcspn(*words, " ");
	*words += n;
	return bytes_of(*words - n, n);
}

/* One letter more, less, another, or two that changed places. */
static bool is_near(struct bytes a, struct bytes b)
{
	size_t front = 0, back = 0, least = a.len < b.len ? a.len : b.len, most = a.len < b.len ? b.len : a.len;

	while (front < least && a.at[front] == b.at[front])
		front++;
	while (back < least - front && a.at[a.len - 1 - back] == b.at[b.len - 1 - back])
		back++;
	return most >= 3 && most - front - back <= (a.len == b.len ? 2 : 1);
}

enum err data_keys(const struct data *d, const json_t *object, const char *keys, char error[DATA_ERROR_MAX])
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return data_fail(d, object, error, "a map is expected here, with the keys: %s", keys);
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		struct bytes name = bytes_str(key), near = { 0 }, w;
		bool is_known = false;

		for (const char *at = keys; (w = next_word(&at)).len && !is_known;) {
			is_known = bytes_eq(w, name);
			if (is_near(w, name))
				near = w;
		}
		if (is_known)
			continue;
		return near.len ? data_fail(d, value, error, "'%s' is not a key here; did you mean %.*s?", key, FMT(near)) :
				  data_fail(d, value, error, "'%s' is not a key here; these are: %s", key, keys);
	}
	return OK;
}

enum err data_text(const struct data *d, const json_t *object, const char *key, bool needed, const char **out, char error[DATA_ERROR_MAX])
{
	const json_t *v = json_object_get(object, key);

	*out = NULL;
	if (!v)
		return needed ? data_fail(d, object, error, "'%s' is missing", key) : OK;
	if (!json_is_string(v))
		return data_fail(d, v, error, "'%s' must be a text", key);
	if (needed && json_string_length(v) == 0)
		return data_fail(d, v, error, "'%s' is empty", key);
	*out = json_string_value(v);
	return OK;
}

enum err data_list(const struct data *d, const json_t *object, const char *key, bool needed, const json_t **out, char error[DATA_ERROR_MAX])
{
	const json_t *v = json_object_get(object, key);

	*out = NULL;
	if (!v)
		return needed ? data_fail(d, object, error, "'%s' is missing", key) : OK;
	if (!json_is_array(v))
		return data_fail(d, v, error, "'%s' must be a list: each item on a line of its own that begins with -, or [a, b]", key);
	*out = v;
	return OK;
}

enum err data_bool(const struct data *d, const json_t *object, const char *key, bool *out, char error[DATA_ERROR_MAX])
{
	const char *text;

	TRY(data_text(d, object, key, false, &text, error));
	if (!text)
		return OK;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return data_fail(d, json_object_get(object, key), error, "'%s' is true or false, not '%.40s'", key, text);
	*out = text[0] == 't';
	return OK;
}

enum err data_number(const struct data *d, const json_t *object, const char *key, uint64_t most, uint64_t *out, char error[DATA_ERROR_MAX])
{
	const char *text;
	uint64_t n = 0;

	TRY(data_text(d, object, key, false, &text, error));
	if (!text)
		return OK;
	for (const char *at = text; *at; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (digit > 9 || n > most / 10 || n * 10 + digit > most)
			return data_fail(d, json_object_get(object, key), error, "'%s' is a whole number of at most %llu, not '%.40s'", key, (unsigned long long)most, text);
		n = n * 10 + digit;
	}
	if (!*text)
		return data_fail(d, json_object_get(object, key), error, "'%s' is empty", key);
	*out = n;
	return OK;
}

enum err data_choice(const struct data *d, const json_t *object, const char *key, bool needed, const char *words, unsigned *out, char error[DATA_ERROR_MAX])
{
	const char *text, *at = words;
	unsigned n = 0;
	struct bytes w;

	TRY(data_text(d, object, key, needed, &text, error));
	if (!text)
		return OK;
	for (; (w = next_word(&at)).len; n++)
		if (bytes_eq(w, bytes_str(text))) {
			*out = n;
			return OK;
		}
	return data_fail(d, json_object_get(object, key), error, "'%s' is '%.40s'; it may be: %s", key, text, words);
}
