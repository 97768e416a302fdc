/* A reader sees whole lines only: what is behind the last line feed is still being written, or will be cut off. A segment is final as
 * soon as a later one exists, so at its end it is read once more after that was seen. */
#define _GNU_SOURCE
#include "alert/journal.h"

#include "alert/journal_priv.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MOST 65536u

struct journal_reader {
	int folder, fd; /* folder: the caller's; fd: -1 before the first read of a segment */
	struct journal_at at;
	bool is_checked;      /* that at is a line's beginning */
	struct text buffer;   /* from at on */
	size_t used;	      /* of the buffer: lines that were given */
	uint64_t passed_over; /* octets of a line that is too long, before the buffer */
};

struct journal_reader *journal_reader_new(int folder, struct journal_at from)
{
	struct journal_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->folder = folder;
	r->fd = -1;
	text_init_growing(&r->buffer, JOURNAL_SEGMENT_MOST);
	journal_seek(r, from);
	return r;
}

void journal_reader_free(struct journal_reader **r)
{
	if (!*r)
		return;
	fd_close(&(*r)->fd);
	text_fini(&(*r)->buffer);
	free(*r);
	*r = NULL;
}

void journal_seek(struct journal_reader *r, struct journal_at to)
{
	if (to.segment != r->at.segment)
		fd_close(&r->fd);
	r->at = to;
	r->is_checked = false;
	r->buffer.len = r->used = 0;
	r->passed_over = 0;
}

/* After a loss of power a segment may be shorter than a position says, or written anew: then the next line's beginning. */
static enum err check_place(struct journal_reader *r)
{
	struct stat st;
	unsigned char c = '\n';

	if (fstat(r->fd, &st) != 0)
		return ERR_IO;
	if (r->at.offset > (uint64_t)st.st_size)
		r->at.offset = (uint64_t)st.st_size;
	while (r->at.offset) {
		ssize_t n = pread(r->fd, &c, 1, (off_t)(r->at.offset - 1));

		if (n < 0)
			return ERR_IO;
		if (n == 0 || c == '\n')
			break;
		r->at.offset++;
		if (r->at.offset > (uint64_t)st.st_size)
			return ERR_AGAIN;
	}
	r->is_checked = true;
	return OK;
}

static enum err open_here(struct journal_reader *r)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t next;

	if (r->at.segment && r->at.segment <= SEGMENT_LAST) {
		segment_name(r->at.segment, name);
		r->fd = openat(r->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (r->fd >= 0)
			return OK;
		if (errno != ENOENT)
			return ERR_IO;
	}
	TRY(segment_after(r->folder, r->at.segment, &next));
	if (!next)
		return ERR_AGAIN;
	r->at = (struct journal_at){ next, 0 };
	segment_name(next, name);
	r->fd = openat(r->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return r->fd >= 0 ? OK : ERR_IO;
}

/* ERR_AGAIN: nothing more. */
static enum err fill(struct journal_reader *r)
{
	unsigned char room[READ_MOST];
	uint64_t from = r->at.offset + r->passed_over + r->buffer.len;
	ssize_t n = pread(r->fd, room, sizeof(room), (off_t)from);

	if (n < 0)
		return ERR_IO;
	if (n == 0)
		return ERR_AGAIN;
	text_add(&r->buffer, bytes_of(room, (size_t)n));
	return r->buffer.failed ? ERR_MEMORY : OK;
}

static void drop_used(struct journal_reader *r)
{
	if (!r->used)
		return;
	memmove(r->buffer.at, r->buffer.at + r->used, r->buffer.len - r->used);
	r->buffer.len -= r->used;
	r->used = 0;
}

/* The segment's end: OK when a later one is there, and this has nothing more. */
static enum err next_segment(struct journal_reader *r)
{
	uint64_t next;

	TRY(segment_after(r->folder, r->at.segment, &next));
	if (!next) {
		r->buffer.len = 0; /* half a line can be cut off and written anew: it is read again */
		r->passed_over = 0;
		return ERR_AGAIN;
	}
	if (fill(r) == OK)
		return OK;
	journal_seek(r, (struct journal_at){ next, 0 });
	return OK;
}

/* The whole line at the buffer's beginning, if it is there. */
static enum err take_line(struct journal_reader *r, size_t most, struct bytes *line, struct journal_at *after)
{
	size_t end = bytes_find_byte(text_bytes(&r->buffer), '\n');
	bool is_long;

	if (end == SIZE_MAX) {
		if (r->buffer.len > most) {
			r->passed_over += r->buffer.len;
			r->buffer.len = 0;
		}
		return ERR_AGAIN;
	}
	is_long = r->passed_over || end >= most;
	r->at.offset += r->passed_over + end + 1;
	r->passed_over = 0;
	r->used = end + 1;
	*line = bytes_of(r->buffer.at, end + 1);
	*after = r->at;
	return is_long ? ERR_LIMIT : OK;
}

enum err journal_read(struct journal_reader *r, size_t most, struct bytes *line, struct journal_at *after)
{
	enum err e;

	drop_used(r);
	for (;;) {
		if (r->fd < 0)
			TRY(open_here(r));
		if (!r->is_checked)
			TRY(check_place(r));
		e = take_line(r, most, line, after);
		if (e != ERR_AGAIN)
			return e;
		e = fill(r);
		if (e == ERR_AGAIN)
			e = next_segment(r);
		TRY(e);
	}
}
