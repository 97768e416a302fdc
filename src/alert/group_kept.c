/* The bounds are such that the JSON line of any alert fits ALERT_LINE_MAX, even where each octet takes six. */
#include "alert/group_priv.h"

#include <stdlib.h>
#include <string.h>

#define CLIENT_MAX 256
#define URL_MAX	   2048
#define SMALL_MAX  512
#define WORD_MAX   128

static const struct {
	size_t at, most;
} texts[] = {
	{ offsetof(struct hunt_finding, rule), KEPT_TEXT_MAX },
	{ offsetof(struct hunt_finding, title), SMALL_MAX },
	{ offsetof(struct hunt_finding, source), SMALL_MAX },
	{ offsetof(struct hunt_finding, advisories), SMALL_MAX },
	{ offsetof(struct hunt_finding, path), KEPT_TEXT_MAX },
	{ offsetof(struct hunt_finding, where), KEPT_TEXT_MAX },
	{ offsetof(struct hunt_finding, when_how), WORD_MAX },
	{ offsetof(struct hunt_finding, note), SMALL_MAX },
};
static const struct {
	size_t at, most;
} views[] = {
	{ offsetof(struct hunt_finding, client), CLIENT_MAX },
	{ offsetof(struct hunt_finding, method), WORD_MAX },
	{ offsetof(struct hunt_finding, url), URL_MAX },
	{ offsetof(struct hunt_finding, user_agent), SMALL_MAX },
	{ offsetof(struct hunt_finding, user), SMALL_MAX / 2 },
	{ offsetof(struct hunt_finding, excerpt), HUNT_EXCERPT_MAX },
};

static const char *text_at(const struct hunt_finding *f, size_t i)
{
	const char *s = *(const char *const *)(const void *)((const char *)f + texts[i].at);

	return s ? s : "";
}

static struct bytes view_at(const struct hunt_finding *f, size_t i)
{
	return bytes_cut(*(const struct bytes *)(const void *)((const char *)f + views[i].at), 0, views[i].most);
}

enum err kept_copy(struct kept *k, const struct hunt_finding *f)
{
	size_t size = 1;
	char *next, *memory;
	struct hunt_finding copy = *f;

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		size += strnlen(text_at(f, i), texts[i].most) + 1;
	for (size_t i = 0; i < COUNT_OF(views); i++)
		size += view_at(f, i).len;
	next = memory = calloc(1, size);
	if (!memory)
		return ERR_MEMORY;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		size_t n = strnlen(text_at(f, i), texts[i].most);

		memcpy(next, text_at(f, i), n);
		*(const char **)(void *)((char *)&copy + texts[i].at) = next;
		next += n + 1;
	}
	for (size_t i = 0; i < COUNT_OF(views); i++) {
		struct bytes v = view_at(f, i);

		if (v.len)
			memcpy(next, v.at, v.len);
		*(struct bytes *)(void *)((char *)&copy + views[i].at) = bytes_of(next, v.len);
		next += v.len;
	}
	*k = (struct kept){ copy, memory };
	return OK;
}

struct hunt_finding kept_bounded(const struct hunt_finding *f)
{
	struct hunt_finding copy = *f;

	for (size_t i = 0; i < COUNT_OF(views); i++)
		*(struct bytes *)(void *)((char *)&copy + views[i].at) = view_at(f, i);
	return copy;
}

void kept_fini(struct kept *k)
{
	free(k->memory);
	k->memory = NULL;
}

char *kept_text(const char *s)
{
	return strndup(s, KEPT_TEXT_MAX);
}

bool kept_is(const char *copy, const char *s)
{
	size_t n = strlen(copy);

	return strncmp(copy, s, n) == 0 && (s[n] == 0 || n == KEPT_TEXT_MAX);
}

struct bytes kept_cut(struct bytes client)
{
	return bytes_cut(client, 0, CLIENT_MAX);
}
