/* Lines out of pieces of any size. A line that lies in one piece is a view of it; only what is cut between two pieces is
 * copied, at most NSLOG_LINE_MAX octets. */
#ifndef NSLOG_LINES_PRIV_H
#define NSLOG_LINES_PRIV_H

#include "nslog/nslog.h"

struct lines {
	struct bytes piece;
	size_t len;    /* of what is kept in mem */
	bool overlong; /* the line being read is too long; its end is still to come */
	unsigned char mem[NSLOG_LINE_MAX];
};

void lines_begin(struct lines *l);
/* Call lines_next until it says false, then put the next piece. */
void lines_put(struct lines *l, struct bytes piece);
/* *overlong: the line is too long and *line is empty. Without its line feed, and a carriage return before that. */
bool lines_next(struct lines *l, struct bytes *line, bool *overlong);
/* What is left at the end of the file, without a line feed; false: nothing. */
bool lines_last(struct lines *l, struct bytes *line, bool *overlong);

#endif
