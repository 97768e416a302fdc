/* The Sleuth Kit reads through a function of ours, so that the image is a descriptor (a confined process opens nothing) and what was
 * added around it is not seen. Its structures come from an image that an attacker may have written: all counts are bounded here. */
#define _GNU_SOURCE
#include "hunt/disk.h"

#include "base/text.h"
#include "hunt/stream_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tsk/libtsk.h>
#include <unistd.h>

#define SYSTEMS_MOST 64
#define PATH_MOST    8192
#define SECTOR	     512
#define PIECE	     65536
#define PROGRESS     (64u << 20)

const struct hunt_disk_options hunt_disk_defaults = { .file_most = 4ull << 30, .files_most = 10000000, .bytes_most = 4ull << 40 };

struct image {
	TSK_IMG_INFO tsk; /* first: the library hands it back to us */
	int fd;
	uint64_t skip; /* octets in front that are not the disk's */
	bool has_failed;
};

struct reading {
	struct image *img;
	const char *name;
	const struct hunt_disk_options *options;
	const struct hunt_sink *sink;
	uint64_t starts[SYSTEMS_MOST]; /* of the file systems that were read */
	size_t count;
	char mount[300];
	uint64_t files, bytes, told;
	uint64_t left; /* of the present file */
	bool is_cut, is_ended;
};

static const char added[] = " Done\n";

static ssize_t image_read(TSK_IMG_INFO *tsk, TSK_OFF_T at, char *to, size_t len)
{
	struct image *i = (struct image *)tsk;
	size_t have = 0;

	if (at < 0 || at >= tsk->size)
		return -1;
	if ((uint64_t)len > (uint64_t)(tsk->size - at))
		len = (size_t)(tsk->size - at);
	while (have < len) {
		ssize_t n = pread(i->fd, to + have, len - have, (off_t)((uint64_t)at + i->skip + have));

		if (n < 0)
			i->has_failed = true;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have || !len ? (ssize_t)have : -1;
}

static void image_close(TSK_IMG_INFO *tsk)
{
	(void)tsk; /* the descriptor is the caller's, the memory hunt_disk_read's */
}

static void image_stat(TSK_IMG_INFO *tsk, FILE *to)
{
	(void)tsk;
	(void)to;
}

__attribute__((format(printf, 2, 3))) static void problem(const struct reading *r, const char *fmt, ...)
{
	char words[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	r->sink->problem(r->sink->ctx, r->name, words);
}

/* --- files --- */

static enum hunt_kind kind_of(const TSK_FS_META *m)
{
	switch (m->type) {
	case TSK_FS_META_TYPE_REG: return HUNT_REGULAR;
	case TSK_FS_META_TYPE_DIR: return HUNT_DIRECTORY;
	case TSK_FS_META_TYPE_LNK: return HUNT_SYMLINK;
	default: return HUNT_OTHER; /* the library's enum: devices, sockets and its own virtual files */
	}
}

static TSK_WALK_RET_ENUM on_block(TSK_FS_FILE *f, TSK_OFF_T at, TSK_DADDR_T block, char *bytes, size_t len, TSK_FS_BLOCK_FLAG_ENUM flags, void *arg)
{
	struct reading *r = arg;

	(void)f;
	(void)block;
	(void)flags;
	if (len > r->left || r->bytes + len > r->options->bytes_most) {
		r->is_cut = true;
		return TSK_WALK_STOP;
	}
	r->left -= len;
	r->bytes += len;
	r->sink->bytes(r->sink->ctx, bytes_of(bytes, len), (uint64_t)at);
	if (r->sink->progress && r->bytes - r->told >= PROGRESS) {
		r->told = r->bytes;
		r->sink->progress(r->sink->ctx, r->bytes, r->name);
	}
	return TSK_WALK_CONT;
}

/* A file's content, pulled. */
struct content {
	struct reading *r;
	TSK_FS_FILE *f;
	uint64_t at;
	unsigned char mem[PIECE];
};

static enum err next_of_content(struct stream *s, struct bytes *out)
{
	struct content *c = s->state;
	ssize_t n;

	if (c->at >= (uint64_t)c->f->meta->size)
		return ERR_CLOSED;
	if (c->at >= c->r->options->file_most || c->r->bytes >= c->r->options->bytes_most)
		return ERR_LIMIT;
	n = tsk_fs_file_read(c->f, (TSK_OFF_T)c->at, (char *)c->mem, sizeof(c->mem), TSK_FS_FILE_READ_FLAG_NONE);
	if (n <= 0) {
		tsk_error_reset();
		return ERR_IO;
	}
	c->at += (uint64_t)n;
	c->r->bytes += (uint64_t)n;
	*out = bytes_of(c->mem, (size_t)n);
	return OK;
}

static bool is_packed(const struct hunt_file *file)
{
	static const struct bytes ends[] = { LIT(".gz"), LIT(".xz"), LIT(".zst"), LIT(".bz2"), LIT(".tgz"), LIT(".tar"), LIT(".zip") };

	for (size_t i = 0; file->kind == HUNT_REGULAR && file->size && i < COUNT_OF(ends); i++)
		if (bytes_ends(bytes_str(file->path), ends[i]))
			return true;
	return false;
}

static void give_packed(struct reading *r, TSK_FS_FILE *f, const struct hunt_file *file)
{
	struct content *c = calloc(1, sizeof(*c));
	struct stream *s;

	if (!c) {
		r->sink->problem(r->sink->ctx, file->where, "no memory to read it");
		return;
	}
	c->r = r;
	c->f = f;
	s = stream_of_calls(next_of_content, c);
	if (s)
		source_give(s, file, r->options->layout, r->options->bytes_most, r->sink);
	stream_free(&s);
}

static void give(struct reading *r, TSK_FS_FILE *f, const struct hunt_file *file)
{
	enum err e = OK;

	if (r->options->layout && is_packed(file)) {
		give_packed(r, f, file);
		return;
	}

	if (!r->sink->file(r->sink->ctx, file))
		return;
	if (file->kind != HUNT_REGULAR) {
		r->sink->end(r->sink->ctx, OK);
		return;
	}
	r->left = r->options->file_most;
	r->is_cut = false;
	if (tsk_fs_file_walk(f, TSK_FS_FILE_WALK_FLAG_NONE, on_block, r) != 0)
		e = ERR_IO;
	if (r->is_cut) {
		e = ERR_LIMIT;
		r->sink->problem(r->sink->ctx, file->where, "larger than is read of one file, or of all; the rest was not looked at");
	} else if (e != OK) {
		r->sink->problem(r->sink->ctx, file->where, "its content cannot be read to the end");
	}
	tsk_error_reset();
	r->sink->end(r->sink->ctx, e);
}

static TSK_WALK_RET_ENUM on_file(TSK_FS_FILE *f, const char *folder, void *arg)
{
	struct reading *r = arg;
	const TSK_FS_META *m = f->meta;
	bool is_deleted = f->name && (f->name->flags & TSK_FS_NAME_FLAG_UNALLOC);
	char path[PATH_MOST], where[PATH_MOST + 1024];
	struct hunt_file file;

	if (!f->name || !f->name->name || TSK_FS_ISDOT(f->name->name) || !m || (is_deleted && !r->options->with_deleted) ||
		m->type == TSK_FS_META_TYPE_VIRT || m->type == TSK_FS_META_TYPE_VIRT_DIR) /* by its kind: any name may be a file's */
		return TSK_WALK_CONT;
	if (r->files++ >= r->options->files_most || r->bytes >= r->options->bytes_most) {
		r->is_ended = true;
		return TSK_WALK_STOP;
	}
	if (snprintf(path, sizeof(path), "%s/%s%s", r->mount, folder, f->name->name) >= (int)sizeof(path)) {
		problem(r, "a path is longer than %d octets and was passed over", PATH_MOST);
		return TSK_WALK_CONT;
	}
	snprintf(where, sizeof(where), "%.1000s!%s%s", r->name, path + 1, is_deleted ? " (deleted)" : "");
	file = (struct hunt_file){ .path = path, .where = where, .kind = kind_of(m), .has_owner = true, .has_times = true, .mode = (uint32_t)m->mode & 07777,
		.uid = (uint32_t)m->uid, .gid = (uint32_t)m->gid, .user = "", .group = "", .size = m->size > 0 ? (uint64_t)m->size : 0, .mtime_s = m->mtime,
		.ctime_s = m->ctime, .birth_s = m->crtime, .target = m->link ? m->link : "" };
	give(r, f, &file);
	return TSK_WALK_CONT;
}

/* --- file systems --- */

/* Where an FFS was last mounted stands in its superblock (fs_fsmnt of sys/ufs/ffs/fs.h), at 64 KB for UFS2 and at 8 KB for UFS1. */
static void find_mount(struct reading *r, uint64_t start)
{
	static const struct {
		uint64_t at;
		uint32_t magic;
	} kinds[] = { { 65536, 0x19540119 }, { 8192, 0x00011954 } };
	unsigned char sb[1376];
	size_t n = 0;

	r->mount[0] = 0;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (image_read(&r->img->tsk, (TSK_OFF_T)(start + kinds[i].at), (char *)sb, sizeof(sb)) != (ssize_t)sizeof(sb))
			continue;
		if ((sb[1372] | (uint32_t)sb[1373] << 8 | (uint32_t)sb[1374] << 16 | (uint32_t)sb[1375] << 24) != kinds[i].magic || sb[212] != '/')
			continue;
		while (n < sizeof(r->mount) - 1 && sb[212 + n] > 0x20 && sb[212 + n] < 0x7f)
			n++;
		memcpy(r->mount, sb + 212, n);
		r->mount[n] = 0;
		if (n == 1)
			r->mount[0] = 0;
		return;
	}
}

static bool read_system(struct reading *r, uint64_t start)
{
	TSK_FS_INFO *fs;

	for (size_t i = 0; i < r->count; i++)
		if (r->starts[i] == start)
			return true;
	if (r->count == SYSTEMS_MOST || start >= (uint64_t)r->img->tsk.size)
		return false;
	fs = tsk_fs_open_img(&r->img->tsk, (TSK_OFF_T)start, TSK_FS_TYPE_DETECT);
	if (!fs) {
		tsk_error_reset();
		return false;
	}
	r->starts[r->count++] = start;
	find_mount(r, start);
	if (tsk_fs_dir_walk(fs, fs->root_inum, TSK_FS_DIR_WALK_FLAG_RECURSE | TSK_FS_DIR_WALK_FLAG_ALLOC |
			(r->options->with_deleted ? TSK_FS_DIR_WALK_FLAG_UNALLOC : 0) | TSK_FS_DIR_WALK_FLAG_NOORPHAN, on_file, r) != 0)
		problem(r, "the file system at %llu cannot be read whole", (unsigned long long)start);
	tsk_error_reset();
	tsk_fs_close(fs);
	return true;
}

struct label {
	struct reading *r;
	uint64_t slice;
	unsigned depth;
};

static void read_label(struct reading *r, uint64_t start, TSK_VS_TYPE_ENUM type, unsigned depth);

/* A slice holds a file system, or a BSD label whose partitions count from the disk's begin or from the slice's. */
static TSK_WALK_RET_ENUM on_partition(TSK_VS_INFO *vs, const TSK_VS_PART_INFO *p, void *arg)
{
	const struct label *l = arg;
	uint64_t at;

	if (!(p->flags & TSK_VS_PART_FLAG_ALLOC) || __builtin_mul_overflow((uint64_t)p->start, (uint64_t)vs->block_size, &at))
		return TSK_WALK_CONT;
	if (!read_system(l->r, at) && (l->slice == 0 || !read_system(l->r, l->slice + at)) && l->depth == 0)
		read_label(l->r, at, TSK_VS_TYPE_BSD, 1);
	return l->r->is_ended ? TSK_WALK_STOP : TSK_WALK_CONT;
}

static void read_label(struct reading *r, uint64_t start, TSK_VS_TYPE_ENUM type, unsigned depth)
{
	TSK_VS_INFO *vs = start < (uint64_t)r->img->tsk.size ? tsk_vs_open(&r->img->tsk, (TSK_OFF_T)start, type) : NULL;
	struct label l = { r, start, depth };

	if (vs) {
		tsk_vs_part_walk(vs, 0, vs->part_count ? vs->part_count - 1 : 0, TSK_VS_PART_FLAG_ALLOC, on_partition, &l);
		tsk_vs_close(vs);
	}
	tsk_error_reset();
}

/* --- the image --- */

/* "dd | ssh" through the appliance's command line puts its own words around the image; every offset in it is then wrong. */
static void repair(struct reading *r, uint64_t *size)
{
	char end[sizeof(added)];
	const size_t n = sizeof(added) - 1;

	if (*size > 2 * n && pread(r->img->fd, end, n, 0) == (ssize_t)n && memcmp(end, added, n) == 0) {
		r->img->skip = n;
		*size -= n;
		problem(r, "repaired: %zu octets in front of the image (\" Done\") are the appliance's shell's, and were left out", n);
	}
	if (*size > 2 * n && pread(r->img->fd, end, n, (off_t)(*size + r->img->skip - n)) == (ssize_t)n && memcmp(end, added, n) == 0) {
		*size -= n;
		problem(r, "repaired: %zu octets behind the image (\" Done\") are the appliance's shell's, and were left out", n);
	}
}

static bool size_of(int fd, uint64_t *size)
{
	off_t end = lseek(fd, 0, SEEK_END);

	*size = end > 0 ? (uint64_t)end : 0;
	return end >= 0;
}

enum err hunt_disk_read(int fd, const char *name, const struct hunt_disk_options *options, const struct hunt_sink *sink)
{
	struct reading r = { .name = name, .options = options, .sink = sink };
	uint64_t size;
	enum err e = ERR_UNSUPPORTED;

	if (!size_of(fd, &size))
		return ERR_IO;
	r.img = calloc(1, sizeof(*r.img));
	if (!r.img)
		return ERR_MEMORY;
	r.img->fd = fd;
	repair(&r, &size);
	if (!tsk_img_open_external(r.img, (TSK_OFF_T)size, SECTOR, image_read, image_close, image_stat)) {
		tsk_error_reset();
		free(r.img);
		return ERR_UNSUPPORTED;
	}
	if (!read_system(&r, 0))
		read_label(&r, 0, TSK_VS_TYPE_DETECT, 0);
	if (r.is_ended)
		problem(&r, "more files or octets than are read of one image; the rest was not looked at");
	if (r.count)
		e = r.is_ended ? ERR_LIMIT : OK;
	else if (r.img->has_failed)
		e = ERR_IO;
	tsk_img_close(&r.img->tsk);
	free(r.img);
	return e;
}

static bool has_at(struct bytes b, size_t at, struct bytes what)
{
	return bytes_eq(bytes_cut(b, at, at + what.len), what);
}

bool hunt_disk_is(struct bytes b)
{
	if (has_at(b, 0, BYTES(" Done\n")))
		b = bytes_cut(b, sizeof(added) - 1, b.len);
	return has_at(b, 510, BYTES("\x55\xaa")) || has_at(b, 512, BYTES("EFI PART")) || has_at(b, 512, BYTES("\x57\x45\x56\x82")) ||
		has_at(b, 65536 + 1372, BYTES("\x19\x01\x54\x19")) || has_at(b, 8192 + 1372, BYTES("\x54\x19\x01\x00")) || has_at(b, 1024 + 56, BYTES("\x53\xef"));
}
