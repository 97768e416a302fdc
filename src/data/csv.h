/* Tables as text: RFC 4180, with what spreadsheets make of it in practice. Bytes in, fields out; what the columns mean is the caller's. Lines
 * end in CRLF or LF; empty lines are passed over; UTF-8 with or without a byte order mark. The separator is a comma, or a semicolon when the
 * first line has one and no comma outside quotes (spreadsheets write these where the comma is for decimals). */
#ifndef DATA_CSV_H
#define DATA_CSV_H

#include "base/bytes.h"
#include "base/text.h"

#define CSV_FIELDS_MAX 64
#define CSV_FIELD_MAX  4096 /* octets of one field */

struct csv {
	struct bytes left;
	unsigned char separator;
	unsigned line;	     /* of what is read next, from 1 */
	unsigned record_line; /* where the record that was read last begins; after an error, where the error is */
	const char *why;     /* after an error, in words */
};
struct csv_record {
	struct bytes fields[CSV_FIELDS_MAX]; /* views into the input; those with doubled quotes into mem */
	size_t count;
	unsigned char mem[CSV_FIELDS_MAX * CSV_FIELD_MAX / 8]; /* 32 KiB: no record has more octets in such fields */
};

/* in must live as long as c is read. */
void csv_init(struct csv *c, struct bytes in);
/* The next record. ERR_NOT_FOUND: there is none left; ERR_SYNTAX, ERR_LIMIT: c->why and c->record_line say why and where, and nothing more
 * can be read. */
enum err csv_next(struct csv *c, struct csv_record *out) MUST_USE;

#endif
