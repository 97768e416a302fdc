/* Reads a message front to back. A reader that ran short stays failed and answers 0 and empty bytes, so
 * that a parser reads like its message and checks once, with reader_done. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/bytes.h"

struct reader {
	struct bytes left;
	bool failed;
};

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r); /* little-endian, as text_put_u16 writes */
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* The next n bytes, a view into the message. */
struct bytes reader_take(struct reader *r, size_t n);
struct bytes reader_bytes(struct reader *r); /* as text_put_bytes writes them: a view */
/* All that is left. */
struct bytes reader_rest(struct reader *r);
/* True if nothing failed and nothing is left over. */
bool reader_done(const struct reader *r) MUST_USE;

#endif
