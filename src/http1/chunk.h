/* Chunked bodies, RFC 9112 7.1, read strictly: CRLF only, hexadecimal sizes of at most 16 digits without
 * sign or space, extensions bounded and dropped, trailers bounded. */
#ifndef HTTP1_CHUNK_H
#define HTTP1_CHUNK_H

#include "base/bytes.h"

struct chunk_reader { /* zeroed before the first byte */
	uint8_t state;
	uint8_t digits;
	bool seen_field; /* the current trailer line has a byte */
	bool seen_colon; /* and its name has ended */
	uint64_t left;	 /* of the current chunk's data */
	size_t line;	 /* bytes of the current extension, or of all trailers so far */
};

/* Reads a part: advances *used over in and names at most one run of data in *data (a view into in, may be
 * empty). OK: the body has ended behind *used. ERR_AGAIN: call again with what follows *used, at once when
 * data was found, else when more bytes came. ERR_SYNTAX, ERR_LIMIT: refuse. Trailers are checked and
 * dropped (RFC 9110 6.5.1 lets an intermediary), except that trailers_out (may be NULL) collects their
 * raw lines. */
struct text;
enum err chunk_read(struct chunk_reader *c, struct bytes in, size_t *used, struct bytes *data,
	struct text *trailers_out) MUST_USE;

#endif
