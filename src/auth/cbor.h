/* CBOR (RFC 8949) as authenticators write it: the CTAP2 canonical form (CTAP 2.0, 2019-01-30, section 6). Every number and length in its shortest
 * form, no indefinite lengths, no tags, keys of maps sorted and so never twice, four levels deep at most. Not for other CBOR.
 *
 * Read in place, front to back, with the reader of base: nothing is allocated, so no length that a peer tells sizes anything, and byte strings are
 * views. (libcbor builds a tree of copies from the heap, makes room for arrays as long as they say they are, and takes what is not canonical.) */
#ifndef AUTH_CBOR_H
#define AUTH_CBOR_H

#include "base/reader.h"

#define CBOR_DEPTH_MAX 4 /* arrays and maps within each other */

/* In the order of their major types, which is that of keys in a map. */
enum cbor_kind { CBOR_UINT, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_SIMPLE = 7 };
struct cbor_item {
	enum cbor_kind kind;
	uint64_t n;	     /* the number; -1 - n of a negative one; items of an array, pairs of a map */
	struct bytes string; /* of bytes and text. Text is not held against UTF-8: compare it, do not show it */
};

/* One item's head, with its string; what an array or a map holds comes next. Of a reader that failed: CBOR_SIMPLE, 0. */
struct cbor_item cbor_next(struct reader *r);
/* A whole item with all that it holds, of no interest but well formed. depth: arrays and maps that it may be deep; 0: none. */
void cbor_skip(struct reader *r, unsigned depth);
/* Items of one kind, or the reader fails. */
uint64_t cbor_map(struct reader *r); /* how many pairs */
struct bytes cbor_bytes(struct reader *r);
struct bytes cbor_text(struct reader *r);
int64_t cbor_int(struct reader *r); /* within INT32_MIN..INT32_MAX */

/* A key of a map: the reader fails when it does not stand behind the last one. *last: the octets of the one before, none at first. The caller
 * then reads the value. Keys are numbers or strings. */
struct cbor_item cbor_key(struct reader *r, struct bytes *last);

#endif
