/* Format: the main file's name and text, then pairs of (path, bytes), each a u32 length and the bytes. */
#include "conf/bundle.h"
#include "base/fd.h"
#include "base/reader.h"

#include <stdio.h>

#define FILE_MOST   (16u << 20)

static void put(struct text *t, struct bytes b)
{
	text_put_u32(t, (uint32_t)b.len);
	text_add(t, b);
}

static struct bytes take(struct reader *r)
{
	return reader_take(r, reader_u32(r));
}

static enum err writer_get(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	struct bundle_writer *w = CONTAINER_OF(s, struct bundle_writer, source);

	TRY(w->from->get(w->from, path, arena, out));
	put(&w->out, path);
	put(&w->out, *out);
	return w->out.failed ? ERR_LIMIT : OK;
}

void bundle_writer_init(struct bundle_writer *w, struct conf_source *from, struct bytes file, struct bytes text)
{
	w->source.get = writer_get;
	w->from = from;
	text_init_growing(&w->out, BUNDLE_MOST);
	put(&w->out, file);
	put(&w->out, text);
}

void bundle_writer_fini(struct bundle_writer *w)
{
	text_fini(&w->out);
}

static enum err reader_get(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	struct bundle_reader *b = CONTAINER_OF(s, struct bundle_reader, source);
	struct reader r = { .left = b->all };

	(void)arena;
	take(&r);
	take(&r);
	while (!r.failed && r.left.len) {
		struct bytes name = take(&r), data = take(&r);
		if (!r.failed && bytes_eq(name, path)) {
			*out = data;
			return OK;
		}
	}
	return ERR_NOT_FOUND;
}

enum err bundle_reader_init(struct bundle_reader *b, struct bytes all)
{
	struct reader r = { .left = all };

	b->source.get = reader_get;
	b->all = all;
	b->file = take(&r);
	b->text = take(&r);
	while (!r.failed && r.left.len) {
		take(&r);
		take(&r);
	}
	return reader_done(&r) ? OK : ERR_SYNTAX;
}

static enum err disk_get(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	struct disk_source *d = CONTAINER_OF(s, struct disk_source, source);
	char name[4096];
	struct text t;
	enum err e;

	if (path.len == 0 || bytes_find_byte(path, 0) != SIZE_MAX)
		return ERR_NOT_FOUND;
	if (bytes_starts(path, BYTES("rules:")))
		snprintf(name, sizeof name, "%s/%.*s.yaml", d->rules_dir ? d->rules_dir : "rules", FMT(bytes_cut(path, 6, path.len)));
	else if (path.at[0] == '/' || !d->base_dir)
		snprintf(name, sizeof name, "%.*s", FMT(path));
	else
		snprintf(name, sizeof name, "%s/%.*s", d->base_dir, FMT(path));
	text_init_growing(&t, FILE_MOST);
	e = file_read(name, &t);
	if (e == OK) {
		*out = arena_copy(arena, text_bytes(&t));
		e = out->at ? OK : ERR_MEMORY;
	}
	text_fini(&t);
	return e;
}

void disk_source_init(struct disk_source *s, const char *base_dir, const char *rules_dir)
{
	s->source.get = disk_get;
	s->base_dir = base_dir;
	s->rules_dir = rules_dir;
}
