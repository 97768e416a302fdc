/* The widths are known when all is there, so cells are kept until then. */
#include "cli/columns.h"

#include "ledger/record.h"

#include <stdlib.h>

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void cut(char *s, size_t most)
{
	for (size_t n = 0; *s; s++) {
		if (((unsigned char)*s & 0xc0) == 0x80)
			continue;
		if (n++ == most)
			break;
	}
	*s = 0;
}

void columns_add(struct columns *c, struct bytes cell, size_t most)
{
	struct text t;
	char *s;

	text_init_growing(&t, 1u << 20);
	ledger_text_clean(&t, cell);
	text_byte(&t, 0);
	s = t.failed ? strdup("?") : strdup((const char *)t.at);
	text_fini(&t);
	CHECK(s);
	if (most)
		cut(s, most);
	if (c->used == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->cells = realloc(c->cells, c->cap * sizeof(*c->cells));
		CHECK(c->cells);
	}
	c->cells[c->used++] = s;
}

void columns_init_bare(struct columns *c, size_t count)
{
	CHECK(count <= COLUMNS_MAX);
	*c = (struct columns){ .count = count };
}

void columns_init(struct columns *c, const char *head)
{
	struct bytes left = bytes_str(head);

	columns_init_bare(c, 0);
	while (left.len) {
		size_t end = bytes_find_byte(left, '|');

		columns_add(c, bytes_cut(left, 0, end), 0);
		c->count++;
		left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
	}
	CHECK(c->count && c->count <= COLUMNS_MAX);
}

/* No blanks at the end of a line. */
static bool is_row_empty_from(const struct columns *c, size_t i)
{
	do {
		if (*c->cells[i])
			return false;
	} while (++i % c->count);
	return true;
}

void columns_print(struct columns *c, FILE *to)
{
	size_t width[COLUMNS_MAX] = { 0 };

	CHECK(c->used % c->count == 0);
	for (size_t i = 0; i < c->used; i++) {
		size_t n = characters(c->cells[i]);

		if (n > width[i % c->count])
			width[i % c->count] = n;
	}
	for (size_t i = 0; i < c->used; i++) {
		bool is_last = i % c->count == c->count - 1;
		size_t n = characters(c->cells[i]);
		bool is_end = is_last || is_row_empty_from(c, i + 1);

		fprintf(to, "%s%*s", c->cells[i], is_end ? 0 : (int)(width[i % c->count] - n + 2), "");
		if (is_last)
			fputc('\n', to);
	}
	for (size_t i = 0; i < c->used; i++)
		free(c->cells[i]);
	free(c->cells);
	*c = (struct columns){ 0 };
}
