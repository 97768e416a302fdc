/* Members are told by the end of their name: the folder above differs per appliance and moment. */
#include "response/bundle.h"

#include <archive.h>
#include <archive_entry.h>

static const struct bundle_limits defaults = { BUNDLE_UNPACKED, BUNDLE_MEMBERS_MAX };
static const char *const ends[BUNDLE_FILE_COUNT] = { "nsconfig/ns.conf", "nsconfig/rc.netscaler", "flash/.version", "boot/loader.conf" };

struct taking {
	struct archive *a;
	const struct bundle_limits *limits;
	struct bundle *out;
	uint64_t unpacked;
	size_t name_len[BUNDLE_FILE_COUNT]; /* of the member that was taken: the shortest is the appliance's own, not a copy of it */
};

static bool has_end(struct bytes name, const char *end)
{
	struct bytes e = bytes_str(end);

	return bytes_ends(name, e) && (name.len == e.len || name.at[name.len - e.len - 1] == '/');
}

/* Which file it is; BUNDLE_FILE_COUNT: none that is wanted. */
static size_t which(const struct taking *t, struct archive_entry *entry)
{
	struct bytes name = bytes_str(archive_entry_pathname(entry));

	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return BUNDLE_FILE_COUNT;
	for (size_t i = 0; i < BUNDLE_FILE_COUNT; i++)
		if (has_end(name, ends[i]) && (!t->out->has[i] || name.len < t->name_len[i]))
			return i;
	return BUNDLE_FILE_COUNT;
}

static enum err take_content(struct taking *t, struct text *to)
{
	const void *at;
	size_t n;
	la_int64_t offset;

	for (;;) {
		int r = archive_read_data_block(t->a, &at, &n, &offset);

		if (r == ARCHIVE_EOF)
			return OK;
		if (r < ARCHIVE_WARN)
			return ERR_CLOSED;
		if (n > t->limits->unpacked - t->unpacked)
			return ERR_LIMIT;
		t->unpacked += n;
		if (to) {
			text_add(to, bytes_of(at, n)); /* holes of sparse files are left out: text files have none */
			if (to->failed)
				return ERR_LIMIT;
		}
	}
}

static enum err take_member(struct taking *t, struct archive_entry *entry)
{
	size_t i = which(t, entry);
	struct text *to = i < BUNDLE_FILE_COUNT ? &t->out->files[i] : NULL;
	enum err e;

	if (t->out->members++ >= t->limits->members)
		return ERR_LIMIT;
	if (to)
		to->len = 0;
	e = take_content(t, to);
	if (to && (e == OK || e == ERR_CLOSED) && to->len) {
		t->out->has[i] = true;
		t->name_len[i] = bytes_str(archive_entry_pathname(entry)).len;
	}
	return e;
}

static enum err take_all(struct taking *t)
{
	struct archive_entry *entry;
	bool has_any = false;

	for (;;) {
		int r = archive_read_next_header(t->a, &entry);
		enum err e;

		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN) {
			if (t->out->members == 0)
				return ERR_SYNTAX;
			t->out->is_damaged = true;
			break;
		}
		e = take_member(t, entry);
		if (e == ERR_CLOSED) {
			t->out->is_damaged = true;
			break;
		}
		TRY(e);
	}
	for (size_t i = 0; i < BUNDLE_FILE_COUNT; i++)
		has_any |= t->out->has[i];
	return has_any ? OK : ERR_NOT_FOUND;
}

static struct archive *reader(struct bundle *out)
{
	struct archive *a = archive_read_new();

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < BUNDLE_FILE_COUNT; i++)
		text_init_growing(&out->files[i], BUNDLE_FILE_MAX);
	CHECK(a);
	/* No filter that starts a program, and no format but tar: the fewer parsers a stranger reaches, the better. */
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_tar(a);
	return a;
}

static enum err run(struct archive *a, int opened, const struct bundle_limits *limits, struct bundle *out)
{
	struct taking t = { .a = a, .limits = limits ? limits : &defaults, .out = out };
	enum err e = opened == ARCHIVE_OK ? take_all(&t) : ERR_SYNTAX;

	archive_read_free(a);
	return e;
}

enum err bundle_read(int fd, const struct bundle_limits *limits, struct bundle *out)
{
	struct archive *a = reader(out);

	return run(a, archive_read_open_fd(a, fd, 65536), limits, out);
}

enum err bundle_read_bytes(struct bytes in, const struct bundle_limits *limits, struct bundle *out)
{
	struct archive *a = reader(out);

	return run(a, archive_read_open_memory(a, in.at ? in.at : (const unsigned char *)"", in.len), limits, out);
}

void bundle_fini(struct bundle *b)
{
	for (size_t i = 0; i < BUNDLE_FILE_COUNT; i++)
		text_fini(&b->files[i]);
	memset(b, 0, sizeof(*b));
}

/* The first thing in the text that is written as a build. */
static bool find_version(struct bytes in, struct ns_version *out)
{
	for (size_t i = 0; i < in.len && i < 65536; i++) {
		if (i && ((in.at[i - 1] >= '0' && in.at[i - 1] <= '9') || in.at[i - 1] == '.'))
			continue;
		if ((in.at[i] == 'n' || in.at[i] == 'N' || (in.at[i] >= '0' && in.at[i] <= '9')) &&
			ns_version_parse(bytes_cut(in, i, bytes_find_byte(bytes_cut(in, i, in.len), '\n') == SIZE_MAX ? in.len : i + bytes_find_byte(bytes_cut(in, i, in.len), '\n')), out) == OK)
			return true;
	}
	return false;
}

bool bundle_version(const struct bundle *b, struct ns_version *out)
{
	static const enum bundle_file order[] = { BUNDLE_VERSION, BUNDLE_LOADER };

	for (size_t i = 0; i < COUNT_OF(order); i++)
		if (b->has[order[i]] && find_version(text_bytes(&b->files[order[i]]), out))
			return true;
	return false;
}
