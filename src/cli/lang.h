/* What people read, in Dutch and English: one line per text in cli/words.tbl. --lang chooses; without it LC_ALL,
 * LC_MESSAGES or LANG, where nl is Dutch and all else English. JSON and machine formats are the same in both. */
#ifndef CLI_LANG_H
#define CLI_LANG_H

#include <stdbool.h>

enum lang { LANG_EN, LANG_NL, LANG_COUNT };

enum word {
#define WORD(sym, en, nl) sym,
#include "cli/words.tbl"
#undef WORD
	WORD_COUNT
};

/* The language that the environment asks for. */
enum lang lang_of_environment(void);
/* "en", "nl"; false: neither. */
bool lang_parse(const char *name, enum lang *out);
const char *lang_word(enum lang l, enum word w);

#endif
