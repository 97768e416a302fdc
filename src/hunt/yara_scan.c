/* A file's content in windows for YARA. They lie over each other, so that a string at the end of one is in the next as a whole; a rule
 * is told once per file. */
#include "hunt/scan_priv.h"
#include "hunt/yara.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct yara_window {
	unsigned char *mem;
	size_t len;
	uint64_t offset; /* of mem, in the file */
	size_t fresh;	 /* octets that were in no window yet */
	unsigned char *told; /* per rule, in this file */
	bool is_off;
	enum err failed; /* of this file, told once */
};

struct yara_window *yara_window_new(const struct hunt_yara *y)
{
	struct yara_window *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->mem = malloc(YARA_WINDOW); /* what a small file does not touch is no memory in use */
	w->told = calloc(hunt_yara_count(y) + 1, 1);
	if (!w->mem || !w->told)
		yara_window_free(&w);
	return w;
}

void yara_window_free(struct yara_window **pw)
{
	struct yara_window *w = *pw;

	*pw = NULL;
	if (!w)
		return;
	free(w->mem);
	free(w->told);
	free(w);
}

static bool is_text_end(unsigned char c)
{
	return c == '\n' || c == 0;
}

/* The line, or what stands around: of a match that is longer, its beginning. */
static struct bytes around(const struct yara_window *w, size_t at, size_t len)
{
	size_t from = at, to = at + (len < 512 ? len : 512);

	while (from > 0 && at - from < 256 && !is_text_end(w->mem[from - 1]))
		from--;
	for (size_t more = 0; to < w->len && more < 256 && !is_text_end(w->mem[to]); more++)
		to++;
	return bytes_cut(bytes_of(w->mem, w->len), from, to);
}

static void on_hit(void *ctx, size_t index, uint64_t offset, size_t len)
{
	struct hunt_scan *s = ctx;
	struct yara_window *w = s->yara;
	struct hunt_finding f = { .has_offset = true, .offset = offset };

	if (w->told[index])
		return;
	w->told[index] = 1;
	scan_complete(s, &f);
	f.excerpt = bytes_str(s->path);
	if (len && offset >= w->offset && offset - w->offset < w->len)
		f.excerpt = around(w, (size_t)(offset - w->offset), len);
	scan_tell(s, hunt_yara_rule(s->rules->yara, index), &f);
}

static void on_slow(void *ctx, size_t index)
{
	struct hunt_scan *s = ctx;
	char what[400];

	snprintf(what, sizeof(what), "the YARA rule %.200s took too long here (--yara-timeout): it is not looked for any more, neither in the files that follow",
		hunt_yara_rule(s->rules->yara, index)->id + sizeof("yara:") - 1);
	scan_problem(s, s->where, what);
}

static void tell_failed(struct hunt_scan *s, enum err e)
{
	struct yara_window *w = s->yara;

	if (w->failed != OK)
		return;
	w->failed = e;
	scan_problem(s, s->where,
		e == ERR_TIMEOUT  ? "the YARA rules took too long too often (--yara-timeout): they are not looked for in the rest of this file and those that follow" :
		e == ERR_MEMORY	  ? "no memory for the YARA rules; some of them were not looked for in all of this file" :
				    "a YARA rule asks for more than can be counted here; some were not looked for in all of this file");
	w->is_off = e == ERR_TIMEOUT;
}

static void look(struct hunt_scan *s)
{
	struct yara_window *w = s->yara;
	const struct hunt_yara_calls calls = { on_hit, on_slow, s };
	enum err e = hunt_yara_look(s->rules->yara, bytes_of(w->mem, w->len), w->offset, w->offset + w->len, &calls);

	w->fresh = 0;
	if (e != OK)
		tell_failed(s, e);
}

void scan_yara_begin(struct hunt_scan *s)
{
	struct yara_window *w = s->yara;

	if (!w)
		return;
	w->len = w->fresh = 0;
	w->offset = 0;
	w->failed = OK;
	memset(w->told, 0, hunt_yara_count(s->rules->yara));
}

void scan_yara(struct hunt_scan *s, struct bytes b)
{
	struct yara_window *w = s->yara;

	while (w && !w->is_off && b.len) {
		size_t n;

		if (w->len == YARA_WINDOW) {
			look(s);
			memmove(w->mem, w->mem + YARA_WINDOW - YARA_OVERLAP, YARA_OVERLAP);
			w->offset += YARA_WINDOW - YARA_OVERLAP;
			w->len = YARA_OVERLAP;
		}
		n = b.len < YARA_WINDOW - w->len ? b.len : YARA_WINDOW - w->len;
		memcpy(w->mem + w->len, b.at, n);
		w->len += n;
		w->fresh += n;
		b = bytes_cut(b, n, b.len);
	}
}

void scan_yara_end(struct hunt_scan *s)
{
	struct yara_window *w = s->yara;

	if (w && !w->is_off && (w->fresh || w->offset == 0))
		look(s);
}
