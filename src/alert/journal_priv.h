/* Segments of a journal by number; what writer, readers and positions share. */
#ifndef ALERT_JOURNAL_PRIV_H
#define ALERT_JOURNAL_PRIV_H

#include "alert/journal.h"

#define SEGMENT_NAME_MAX 16
#define SEGMENT_LAST	 99999999u /* 1.6 PB of alerts */

void segment_name(uint64_t n, char out[SEGMENT_NAME_MAX]); /* 00000001.jsonl */
/* The lowest and highest number that is there; 0 and 0 where there is none. */
enum err segment_range(int folder, uint64_t *first, uint64_t *last) MUST_USE;
/* The lowest that is there and over n; 0: none. */
enum err segment_after(int folder, uint64_t n, uint64_t *out) MUST_USE;

#endif
