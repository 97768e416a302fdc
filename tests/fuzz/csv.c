/* A table that came from elsewhere: every field lies in the input or in the record's own memory, lines only grow, and what is written out again
 * with quotes is read as the same. */
#include "base/err.h"
#include "data/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct csv_record record, again;

static bool is_within(struct bytes b, const unsigned char *at, size_t size)
{
	return b.len == 0 || (b.at >= at && b.len <= size && (size_t)(b.at - at) <= size - b.len);
}

static void write_record(struct text *t, const struct csv_record *r)
{
	for (size_t i = 0; i < r->count; i++) {
		text_str(t, i ? ",\"" : "\"");
		for (size_t k = 0; k < r->fields[i].len; k++) {
			if (r->fields[i].at[k] == '"')
				text_byte(t, '"');
			text_byte(t, r->fields[i].at[k]);
		}
		text_byte(t, '"');
	}
	text_lit(t, "\r\n");
}

static void read_again(const struct csv_record *r)
{
	static unsigned char mem[CSV_FIELDS_MAX * (2 * CSV_FIELD_MAX + 3) + 2];
	struct text t;
	struct csv c;
	enum err e;

	text_init(&t, mem, sizeof(mem));
	write_record(&t, r);
	CHECK(!t.failed);
	csv_init(&c, text_bytes(&t));
	c.separator = ','; /* of one field alone it cannot be told */
	e = csv_next(&c, &again);
	CHECK(e == OK || e == ERR_LIMIT); /* all that has quotes must fit, also what came without */
	if (e != OK)
		return;
	CHECK(again.count == r->count);
	for (size_t i = 0; i < r->count; i++)
		CHECK(bytes_eq(again.fields[i], r->fields[i]));
	CHECK(csv_next(&c, &again) == ERR_NOT_FOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned line = 0;
	struct csv c;
	enum err e;

	csv_init(&c, bytes_of(data, size));
	while ((e = csv_next(&c, &record)) == OK) {
		CHECK(record.count >= 1 && record.count <= CSV_FIELDS_MAX && c.record_line > line);
		line = c.record_line;
		for (size_t i = 0; i < record.count; i++)
			CHECK(record.fields[i].len <= CSV_FIELD_MAX && (is_within(record.fields[i], data, size) ||
				is_within(record.fields[i], record.mem, sizeof(record.mem))));
		read_again(&record);
	}
	CHECK(e == ERR_NOT_FOUND || c.why);
	return 0;
}
