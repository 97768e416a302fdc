/* A stream of messages in a buffer of one. What does not fit of a message is passed over, so that a sender with long messages costs
 * no more than another. */
#include "watch/syslog.h"

#define COUNT_DIGITS 7 /* of RFC 6587 3.4.1's count: more than anybody's message, less than an overflow */

void syslog_frames_init(struct syslog_frames *f)
{
	f->framing = SYSLOG_UNDECIDED;
	f->reason = NULL;
	f->messages = f->cut = f->passed_over = 0;
	f->left = f->len = 0;
	f->digits = 0;
	f->is_counting = true;
	f->is_cut = false;
}

static enum err fail(struct syslog_frames *f, enum err e, const char *reason)
{
	f->reason = reason;
	return e;
}

static void keep(struct syslog_frames *f, struct bytes part)
{
	size_t n = part.len < SYSLOG_MESSAGE_MAX - f->len ? part.len : SYSLOG_MESSAGE_MAX - f->len;

	if (n)
		memcpy(f->mem + f->len, part.at, n);
	f->len += n;
	f->passed_over += part.len - n;
	f->is_cut = f->is_cut || n < part.len;
}

static void tell(struct syslog_frames *f, syslog_on_message *on, void *ctx)
{
	struct bytes message = bytes_of(f->mem, f->len);

	if (message.len && message.at[message.len - 1] == '\r' && f->framing == SYSLOG_LINES)
		message.len--;
	f->len = 0;
	f->cut += f->is_cut;
	f->is_cut = false;
	if (message.len == 0)
		return;
	f->messages++;
	on(ctx, message);
}

/* MSG-LEN = NONZERO-DIGIT *DIGIT, then a space: RFC 6587 3.4.1. */
static enum err count(struct syslog_frames *f, unsigned char c)
{
	if (c == ' ' && f->digits) {
		f->is_counting = false;
		f->digits = 0;
		return OK;
	}
	if (c < '0' || c > '9' || (c == '0' && f->digits == 0))
		return fail(f, ERR_SYNTAX, "a frame begins with its message's length and a space (octet counting, RFC 6587 3.4.1)");
	if (++f->digits > COUNT_DIGITS)
		return fail(f, ERR_LIMIT, "a frame's length has more than 7 digits");
	f->left = f->left * 10 + (c - (size_t)'0');
	return OK;
}

static enum err feed_counted(struct syslog_frames *f, struct bytes piece, syslog_on_message *on, void *ctx)
{
	size_t at = 0, n;

	while (at < piece.len) {
		if (f->is_counting) {
			TRY(count(f, piece.at[at++]));
			continue;
		}
		n = f->left < piece.len - at ? f->left : piece.len - at;
		keep(f, bytes_cut(piece, at, at + n));
		f->left -= n;
		at += n;
		if (f->left == 0) {
			f->is_counting = true;
			tell(f, on, ctx);
		}
	}
	return OK;
}

static void feed_lines(struct syslog_frames *f, struct bytes piece, syslog_on_message *on, void *ctx)
{
	size_t n;

	while ((n = bytes_find_byte(piece, '\n')) != SIZE_MAX) {
		keep(f, bytes_cut(piece, 0, n));
		tell(f, on, ctx);
		piece = bytes_cut(piece, n + 1, piece.len);
	}
	keep(f, piece);
}

enum err syslog_frames_feed(struct syslog_frames *f, struct bytes piece, syslog_on_message *on, void *ctx)
{
	if (f->reason)
		return ERR_SYNTAX;
	if (piece.len == 0)
		return OK;
	if (f->framing == SYSLOG_UNDECIDED) {
		if (piece.at[0] == '<')
			f->framing = SYSLOG_LINES;
		else if (piece.at[0] >= '1' && piece.at[0] <= '9')
			f->framing = SYSLOG_COUNTED;
		else
			return fail(f, ERR_SYNTAX, "no syslog: it begins neither with a message's length nor with \"<\" (RFC 6587 3.4)");
	}
	if (f->framing == SYSLOG_COUNTED)
		return feed_counted(f, piece, on, ctx);
	feed_lines(f, piece, on, ctx);
	return OK;
}

enum err syslog_frames_end(struct syslog_frames *f, syslog_on_message *on, void *ctx)
{
	if (f->reason)
		return ERR_SYNTAX;
	if (f->framing == SYSLOG_COUNTED && (!f->is_counting || f->digits))
		return fail(f, ERR_SYNTAX, "it ended in the middle of a frame");
	if (f->framing == SYSLOG_LINES)
		tell(f, on, ctx);
	return OK;
}
