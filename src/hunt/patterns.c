/* A database is compiled for the machine that it runs on, and each set has scratch space of its own. */
#include "hunt/patterns.h"

#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_MOST (1u << 30) /* Vectorscan counts a piece with 32 bits */

struct patterns {
	enum patterns_mode mode;
	char **texts;
	unsigned *flags, *ids;
	size_t count, cap;
	hs_database_t *db;
	hs_scratch_t *scratch;
	hs_stream_t *stream;
	bool is_later; /* to be compiled at the first scan */
	char why[PATTERNS_ERROR_MAX];
};

struct patterns *patterns_new(enum patterns_mode mode)
{
	struct patterns *p = calloc(1, sizeof(*p));

	if (p)
		p->mode = mode;
	return p;
}

void patterns_free(struct patterns **pp)
{
	struct patterns *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	if (p->stream)
		(void)hs_close_stream(p->stream, p->scratch, NULL, NULL);
	for (size_t i = 0; i < p->count; i++)
		free(p->texts[i]);
	free((void *)p->texts);
	free(p->flags);
	free(p->ids);
	(void)hs_free_scratch(p->scratch);
	(void)hs_free_database(p->db);
	free(p);
}

static bool grow(struct patterns *p)
{
	size_t cap = p->cap ? p->cap * 2 : 64;
	char **texts = (char **)realloc((void *)p->texts, cap * sizeof(*texts));
	unsigned *flags, *ids;

	if (texts)
		p->texts = texts;
	flags = realloc(p->flags, cap * sizeof(*flags));
	if (flags)
		p->flags = flags;
	ids = realloc(p->ids, cap * sizeof(*ids));
	if (ids)
		p->ids = ids;
	if (!texts || !flags || !ids)
		return false;
	p->cap = cap;
	return true;
}

/* Every octet that could mean something as \xNN. */
static char *as_expression(struct bytes in, bool is_plain)
{
	char *out = malloc(in.len * 4 + 1), *to = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = in.at[i];
		bool is_word = (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;

		if (is_plain && !is_word)
			to += snprintf(to, 5, "\\x%02x", c);
		else
			*to++ = (char)c;
	}
	*to = 0;
	return out;
}

static enum err is_valid(const char *text, unsigned flags, char error[PATTERNS_ERROR_MAX])
{
	hs_compile_error_t *why = NULL;
	hs_expr_info_t *info = NULL;

	if (hs_expression_info(text, flags, &info, &why) == HS_SUCCESS) {
		free(info);
		return OK;
	}
	snprintf(error, PATTERNS_ERROR_MAX, "'%.120s' is no expression that can be searched for: %s", text, why ? why->message : "out of memory");
	(void)hs_free_compile_error(why);
	return ERR_SYNTAX;
}

enum err patterns_add(struct patterns *p, struct bytes expression, bool has_case, bool is_plain, unsigned *id, char error[PATTERNS_ERROR_MAX])
{
	unsigned flags = (has_case ? 0 : HS_FLAG_CASELESS) | (p->mode == PATTERNS_FIELD ? HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_DOTALL : HS_FLAG_MULTILINE);
	char *text;
	enum err e;

	if (expression.len > PATTERNS_TEXT_MAX || expression.len == 0) {
		snprintf(error, PATTERNS_ERROR_MAX, "an expression has 1 to %d octets", PATTERNS_TEXT_MAX);
		return ERR_LIMIT;
	}
	if (p->count == p->cap && !grow(p))
		return ERR_MEMORY;
	text = as_expression(expression, is_plain);
	if (!text)
		return ERR_MEMORY;
	e = is_valid(text, flags, error);
	for (size_t i = 0; e == OK && i < p->count; i++)
		if (p->flags[i] == flags && strcmp(p->texts[i], text) == 0) {
			*id = (unsigned)i;
			free(text);
			return OK;
		}
	if (e != OK) {
		free(text);
		return e;
	}
	p->texts[p->count] = text;
	p->flags[p->count] = flags;
	p->ids[p->count] = (unsigned)p->count;
	*id = (unsigned)p->count++;
	return OK;
}

size_t patterns_count(const struct patterns *p)
{
	return p->count;
}

enum err patterns_compile(struct patterns *p, char error[PATTERNS_ERROR_MAX])
{
	hs_compile_error_t *why = NULL;
	unsigned mode = p->mode == PATTERNS_STREAM ? HS_MODE_STREAM : HS_MODE_BLOCK;

	if (p->count == 0)
		return OK;
	if (hs_compile_multi((const char *const *)p->texts, p->flags, p->ids, (unsigned)p->count, mode, NULL, &p->db, &why) != HS_SUCCESS) {
		snprintf(error, PATTERNS_ERROR_MAX, "the expressions cannot be searched for together: %.200s", why ? why->message : "out of memory");
		(void)hs_free_compile_error(why);
		return ERR_SYNTAX;
	}
	return hs_alloc_scratch(p->db, &p->scratch) == HS_SUCCESS ? OK : ERR_MEMORY;
}

void patterns_compile_later(struct patterns *p)
{
	p->is_later = true;
}

const char *patterns_why(const struct patterns *p)
{
	return p->why;
}

/* False: there is nothing to look for, or it cannot be looked for. */
static bool is_ready(struct patterns *p)
{
	if (!p->db && p->is_later && p->count) {
		p->is_later = false;
		if (patterns_compile(p, p->why) != OK && !*p->why)
			snprintf(p->why, sizeof(p->why), "out of memory");
	}
	return p->db && !*p->why;
}

struct match_ctx {
	patterns_on_match *on;
	void *ctx;
};

static int on_hs_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
	struct match_ctx *m = ctx;

	(void)from;
	(void)flags;
	return !m->on(m->ctx, id, to);
}

void patterns_scan(struct patterns *p, struct bytes in, patterns_on_match *on, void *ctx)
{
	struct match_ctx m = { on, ctx };
	hs_error_t e;

	CHECK(p->mode != PATTERNS_STREAM && in.len <= SCAN_MOST);
	if (!is_ready(p))
		return;
	e = hs_scan(p->db, in.len ? (const char *)in.at : "", (unsigned)in.len, 0, p->scratch, on_hs_match, &m);
	CHECK(e == HS_SUCCESS || e == HS_SCAN_TERMINATED);
}

enum err patterns_stream_begin(struct patterns *p)
{
	hs_error_t e;

	CHECK(p->mode == PATTERNS_STREAM);
	if (!is_ready(p))
		return OK;
	e = p->stream ? hs_reset_stream(p->stream, 0, NULL, NULL, NULL) : hs_open_stream(p->db, 0, &p->stream);
	return e == HS_SUCCESS ? OK : ERR_MEMORY;
}

void patterns_stream_feed(struct patterns *p, struct bytes in, patterns_on_match *on, void *ctx)
{
	struct match_ctx m = { on, ctx };
	hs_error_t e;

	CHECK(in.len <= SCAN_MOST);
	if (!p->stream || in.len == 0)
		return;
	e = hs_scan_stream(p->stream, (const char *)in.at, (unsigned)in.len, 0, p->scratch, on_hs_match, &m);
	CHECK(e == HS_SUCCESS || e == HS_SCAN_TERMINATED);
}

void patterns_stream_end(struct patterns *p, patterns_on_match *on, void *ctx)
{
	struct match_ctx m = { on, ctx };

	if (!p->stream)
		return;
	(void)hs_reset_stream(p->stream, 0, p->scratch, on_hs_match, &m); /* what ends with the file is told now */
}
