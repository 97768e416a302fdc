/* sluis hunt: which report is written, and disk images as one more thing to look at. */
#define _GNU_SOURCE
#include "cli/hunt_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "hunt/disk.h"
#include "hunt/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_MOST (64u << 20)
#define DISK_LOOK 70000

static const char *const names[] = { "table", "json", "ocsf", "stix", "html" };

bool hunt_format_find(const char *name, enum hunt_format *out)
{
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum hunt_format)i;
			return true;
		}
	return false;
}

enum err hunt_report_open(const struct cli *cli, const struct hunt_report_options *o, FILE *to, struct hunt_report *r, struct hunt_output *out)
{
	*r = (struct hunt_report){ .to = to };
	switch (o->format) {
	case HUNT_FORMAT_OCSF:
		TRY(hunt_ocsf_open(to, clock_real_us(), &r->ocsf));
		*out = hunt_ocsf_output(r->ocsf);
		return OK;
	case HUNT_FORMAT_STIX:
		TRY(hunt_stix_open(to, o->organisation ? o->organisation : "(organisation not named)", o->tlp, clock_real_us(), &r->stix));
		*out = hunt_stix_output(r->stix);
		return OK;
	case HUNT_FORMAT_HTML:
		text_init_growing(&r->text, PAGE_MOST);
		TRY(hunt_page_open(&r->text, cli->lang == LANG_NL ? HUNT_PAGE_NL : HUNT_PAGE_EN, &r->page));
		*out = hunt_page_output(r->page);
		return OK;
	case HUNT_FORMAT_JSON: *out = hunt_json_output(to); return OK;
	case HUNT_FORMAT_TABLE: *out = hunt_table_output(cli, to); return OK;
	}
	return ERR_UNSUPPORTED;
}

enum err hunt_report_close(struct hunt_report *r)
{
	enum err e = OK;

	if (r->ocsf)
		e = hunt_ocsf_close(&r->ocsf);
	if (r->stix)
		e = hunt_stix_close(&r->stix);
	if (r->page) {
		e = r->text.failed ? ERR_LIMIT : fwrite(r->text.at, 1, r->text.len, r->to) == r->text.len ? OK : ERR_IO;
		hunt_page_close(&r->page);
	}
	text_fini(&r->text);
	return fflush(r->to) == 0 && !ferror(r->to) ? e : ERR_IO;
}

/* --- disk images --- */

struct unpacked {
	const struct hunt_sink *sink;
	bool is_packed;
};

static bool is_packed(const char *name)
{
	static const struct bytes ends[] = { LIT(".gz"), LIT(".xz"), LIT(".zst"), LIT(".bz2"), LIT(".tgz") };

	for (size_t i = 0; i < COUNT_OF(ends); i++)
		if (bytes_ends(bytes_str(name), ends[i]))
			return true;
	return false;
}

/* Packed files within an image would be searched as they are packed, which finds nothing: that is said instead. */
static bool on_file(void *ctx, const struct hunt_file *f)
{
	struct unpacked *u = ctx;
	bool wants = u->sink->file(u->sink->ctx, f);

	u->is_packed = wants && f->kind == HUNT_REGULAR && is_packed(f->path);
	if (!u->is_packed)
		return wants;
	u->sink->problem(u->sink->ctx, f->where, "packed files within a disk image are not read; mount the image read-only and name the folder");
	u->sink->end(u->sink->ctx, ERR_UNSUPPORTED);
	return false;
}

static void on_bytes(void *ctx, struct bytes b, uint64_t offset)
{
	const struct unpacked *u = ctx;

	u->sink->bytes(u->sink->ctx, b, offset);
}

static void on_end(void *ctx, enum err e)
{
	const struct unpacked *u = ctx;

	u->sink->end(u->sink->ctx, e);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	const struct unpacked *u = ctx;

	u->sink->problem(u->sink->ctx, where, what);
}

static void on_progress(void *ctx, uint64_t bytes_read, const char *where)
{
	const struct unpacked *u = ctx;

	if (u->sink->progress)
		u->sink->progress(u->sink->ctx, bytes_read, where);
}

static bool is_disk(int fd)
{
	unsigned char *begin = calloc(1, DISK_LOOK);
	struct stat st;
	ssize_t n = begin && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) ? pread(fd, begin, DISK_LOOK, 0) : -1;
	bool yes = n > 0 && hunt_disk_is(bytes_of(begin, (size_t)n));

	free(begin);
	return yes;
}

enum err hunt_read_path(const char *path, struct hunt_layout *layout, const struct source_options *o, const struct hunt_sink *sink)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct unpacked u = { .sink = sink };
	const struct hunt_sink through = { .ctx = &u, .file = on_file, .bytes = on_bytes, .end = on_end, .problem = on_problem, .progress = on_progress };

	enum err e = fd >= 0 && is_disk(fd) ? hunt_disk_read(fd, path, &hunt_disk_defaults, &through) : ERR_UNSUPPORTED;

	/* Two octets in the right place make a log look like a disk; who writes into logs must not keep them from being read so. */
	return e == ERR_UNSUPPORTED ? hunt_source_read(path, layout, o, sink) : e;
}
