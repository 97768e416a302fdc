/* Bytes that are pulled through layers: a file, what a compressor made of it, a member of an archive. */
#ifndef HUNT_STREAM_PRIV_H
#define HUNT_STREAM_PRIV_H

#include "base/bytes.h"
#include "base/err.h"

#include "hunt/layout.h"

#include <archive.h>

#define STREAM_HEAD 512

enum stream_form { STREAM_PLAIN, STREAM_GZIP, STREAM_FILTERED, STREAM_ARCHIVE };
struct stream {
	/* The next piece, a view until the next call. ERR_CLOSED: that was all; ERR_SYNTAX: damaged or cut off; ERR_LIMIT: too much for
	 * what it was packed in; ERR_IO. */
	enum err (*next)(struct stream *s, struct bytes *out);
	void (*fini)(struct stream *s);
	struct stream *inner;
	uint64_t in, out; /* bytes read from inner and given */
	enum err failed;  /* what next answered, for good */
	unsigned char head[STREAM_HEAD];
	size_t head_len;
	struct bytes rest; /* of the piece that head ends in */
	bool has_head;
	void *state;
};

/* Of calls of somebody else's; state was allocated and is freed with the stream. NULL without memory: state is freed. */
struct stream *stream_of_calls(enum err (*next)(struct stream *s, struct bytes *out), void *state) MUST_USE;
/* fd stays the caller's. *total grows by what is read. NULL without memory. */
struct stream *stream_of_fd(int fd, uint64_t *total) MUST_USE;
struct stream *stream_gunzip(struct stream *inner) MUST_USE;
struct stream *stream_unfilter(struct stream *inner) MUST_USE;
struct stream *stream_of_member(struct archive *a, uint64_t size) MUST_USE;
/* Not inner. Accepts NULL. */
void stream_free(struct stream **s);
/* What it begins with says; nothing is lost. */
enum stream_form stream_form(struct stream *s);
enum err stream_next(struct stream *s, struct bytes *out) MUST_USE;
/* An archive that reads from s, in streaming formats only; NULL without memory or when it is none. */
struct archive *stream_archive(struct stream *s) MUST_USE;

/* hunt/source.c, for a source with files of its own: gives f with what content holds, unpacked as hunt_source_read does it, and the members of
 * archives. All of it unpacks to at most unpacked_max octets. */
void source_give(struct stream *content, const struct hunt_file *f, struct hunt_layout *layout, uint64_t unpacked_max, const struct hunt_sink *sink);

#endif
