/* Which language, and its words. */
#include "cli/lang.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

enum lang lang_of_environment(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v) /* the first that is set decides: locale(7) */
			return strncmp(v, "nl", 2) == 0 && (v[2] == 0 || v[2] == '_' || v[2] == '.') ? LANG_NL : LANG_EN;
	}
	return LANG_EN;
}

bool lang_parse(const char *name, enum lang *out)
{
	if (strcmp(name, "en") == 0)
		*out = LANG_EN;
	else if (strcmp(name, "nl") == 0)
		*out = LANG_NL;
	else
		return false;
	return true;
}

const char *lang_word(enum lang l, enum word w)
{
	static const char *const words[WORD_COUNT][LANG_COUNT] = {
#define WORD(sym, en, nl) [sym] = { en, nl },
#include "cli/words.tbl"
#undef WORD
	};

	CHECK(w < WORD_COUNT && l < LANG_COUNT);
	return words[w][l];
}
