/* The day files of a ledger's folder: DAY.ledger, one a day. */
#ifndef LEDGER_DAYS_H
#define LEDGER_DAYS_H

#include "ledger/chain.h"

#include <sqlite3.h>

#define LEDGER_SUFFIX	 ".ledger"
#define LEDGER_FILE_MAX	 (LEDGER_DAY_LEN + sizeof(LEDGER_SUFFIX)) /* with its NUL */

struct ledger_day {
	char day[LEDGER_DAY_LEN + 1];
	char file[LEDGER_FILE_MAX]; /* its name in the folder */
};

/* All of them, oldest first; free(*out). ERR_NOT_FOUND: no such folder; ERR_DENIED; a folder without any gives *count 0. */
enum err ledger_days(const char *dir, struct ledger_day **out, size_t *count) MUST_USE;
void ledger_day_file(const char *day, char out[LEDGER_FILE_MAX]);
/* The scribe has made the file, and its tables not yet. A reader may come at that moment, and a kill may leave it so. */
bool ledger_day_is_blank(sqlite3 *db);

#endif
