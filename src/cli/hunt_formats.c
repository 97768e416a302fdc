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
	struct hunt_disk_options disk = hunt_disk_defaults;
	enum err e;

	disk.layout = layout;
	e = fd >= 0 && is_disk(fd) ? hunt_disk_read(fd, path, &disk, sink) : ERR_UNSUPPORTED;
	/* Two octets in the right place make a log look like a disk; who writes into logs must not keep them from being read so. */
	return e == ERR_UNSUPPORTED ? hunt_source_read(path, layout, o, sink) : e;
}
