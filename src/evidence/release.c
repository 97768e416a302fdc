/* The release manifest's text, strictly: one way to write it, so that one signature fits one text. */
#include "evidence/release.h"

#define FIRST_LINE "sluis-release-1"

/* The next line without its line feed; false: there is none, or it is not ended. */
static bool take_line(struct bytes *left, struct bytes *out)
{
	size_t end = bytes_find_byte(*left, '\n');

	if (end == SIZE_MAX)
		return false;
	*out = bytes_cut(*left, 0, end);
	*left = bytes_cut(*left, end + 1, left->len);
	return true;
}

/* What stands behind "KEY ". */
static bool take_value(struct bytes line, struct bytes key, struct bytes *out)
{
	if (!bytes_starts(line, key))
		return false;
	*out = bytes_cut(line, key.len, line.len);
	return out->len > 0;
}

static bool is_path_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '+';
}

bool release_path_is_plain(struct bytes path)
{
	size_t start = 0;

	if (path.len == 0 || path.len > RELEASE_PATH_MAX)
		return false;
	for (size_t i = 0; i <= path.len; i++) {
		struct bytes segment;

		if (i < path.len && path.at[i] != '/') {
			if (!is_path_byte(path.at[i]))
				return false;
			continue;
		}
		segment = bytes_cut(path, start, i);
		if (segment.len == 0 || bytes_eq(segment, BYTES(".")) || bytes_eq(segment, BYTES("..")))
			return false;
		start = i + 1;
	}
	return true;
}

static bool is_version(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!is_path_byte(v.at[i]) && v.at[i] != '~')
			return false;
	return v.len > 0 && v.len <= 64;
}

/* Digits without a zero before them: the one way to write a number. */
static bool take_size(struct bytes in, uint64_t *out)
{
	return !(in.len > 1 && in.at[0] == '0') && bytes_u64(in, out) == OK;
}

static bool is_lower_hex(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!((b.at[i] >= '0' && b.at[i] <= '9') || (b.at[i] >= 'a' && b.at[i] <= 'f')))
			return false;
	return true;
}

/* "SHA256 SIZE PATH" */
static enum err parse_file(struct bytes in, struct release_file *out)
{
	struct release_file f;
	size_t space;

	if (in.len < 2 * SHA256_LEN + 4 || in.at[2 * SHA256_LEN] != ' ' || !is_lower_hex(bytes_cut(in, 0, 2 * SHA256_LEN)))
		return ERR_SYNTAX;
	TRY(hex_read(bytes_cut(in, 0, 2 * SHA256_LEN), f.sha256, SHA256_LEN));
	in = bytes_cut(in, 2 * SHA256_LEN + 1, in.len);
	space = bytes_find_byte(in, ' ');
	if (space == SIZE_MAX || !take_size(bytes_cut(in, 0, space), &f.size))
		return ERR_SYNTAX;
	f.path = bytes_cut(in, space + 1, in.len);
	if (!release_path_is_plain(f.path))
		return ERR_SYNTAX;
	*out = f;
	return OK;
}

static void build_of(struct bytes file_lines, struct text *out)
{
	unsigned char digest[SHA256_LEN];

	sha256_of(file_lines, digest);
	hex_put(out, bytes_of(digest, sizeof(digest)));
}

static bool is_build_of(struct bytes build, struct bytes file_lines)
{
	unsigned char mem[2 * SHA256_LEN];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	build_of(file_lines, &t);
	return bytes_eq(build, text_bytes(&t));
}

static enum err parse_head(struct bytes *left, struct release *out, unsigned *line)
{
	struct bytes l, key;

	*line = 1;
	if (!take_line(left, &l))
		return ERR_SYNTAX;
	if (!bytes_eq(l, BYTES(FIRST_LINE)))
		return bytes_starts(l, BYTES("sluis-release-")) ? ERR_UNSUPPORTED : ERR_SYNTAX;
	*line = 2;
	if (!take_line(left, &l) || !take_value(l, BYTES("version "), &out->version) || !is_version(out->version))
		return ERR_SYNTAX;
	*line = 3;
	if (!take_line(left, &l) || !take_value(l, BYTES("build "), &out->build) || out->build.len != 2 * SHA256_LEN)
		return ERR_SYNTAX;
	*line = 4;
	if (!take_line(left, &l) || !take_value(l, BYTES("key "), &key))
		return ERR_SYNTAX;
	out->is_development = bytes_eq(key, BYTES("development"));
	return out->is_development || bytes_eq(key, BYTES("release")) ? OK : ERR_SYNTAX;
}

enum err release_parse(struct bytes text, struct release *out, unsigned *line)
{
	struct bytes left = text, files, l, value;

	out->file_count = 0;
	*line = 1;
	if (text.len > RELEASE_TEXT_MAX)
		return ERR_LIMIT;
	TRY(parse_head(&left, out, line));
	files = left;
	while (left.len) {
		struct release_file *f = &out->files[out->file_count];

		++*line;
		if (out->file_count == RELEASE_FILES_MAX)
			return ERR_LIMIT;
		if (!take_line(&left, &l) || !take_value(l, BYTES("file "), &value))
			return ERR_SYNTAX;
		TRY(parse_file(value, f));
		if (out->file_count && bytes_cmp(f[-1].path, f->path) >= 0)
			return ERR_SYNTAX;
		out->file_count++;
	}
	if (is_build_of(out->build, files))
		return OK;
	*line = 3;
	return ERR_SYNTAX;
}

void release_write(const struct release *r, struct text *out)
{
	struct text files;

	text_init_growing(&files, RELEASE_TEXT_MAX);
	for (size_t i = 0; i < r->file_count; i++) {
		const struct release_file *f = &r->files[i];

		text_lit(&files, "file ");
		hex_put(&files, bytes_of(f->sha256, SHA256_LEN));
		text_byte(&files, ' ');
		text_u64(&files, f->size);
		text_byte(&files, ' ');
		text_add(&files, f->path);
		text_byte(&files, '\n');
	}
	text_lit(out, FIRST_LINE "\nversion ");
	text_add(out, r->version);
	text_lit(out, "\nbuild ");
	build_of(text_bytes(&files), out);
	text_str(out, r->is_development ? "\nkey development\n" : "\nkey release\n");
	text_add(out, text_bytes(&files));
	out->failed |= files.failed;
	text_fini(&files);
}

const struct release_file *release_find(const struct release *r, struct bytes path)
{
	for (size_t i = 0; i < r->file_count; i++)
		if (bytes_eq(r->files[i].path, path))
			return &r->files[i];
	return NULL;
}

enum err release_sign(const struct ed25519_key *key, struct bytes text, struct text *out)
{
	unsigned char signature[ED25519_SIGNATURE_LEN];

	TRY(ed25519_sign(key, text, signature));
	hex_put(out, bytes_of(signature, sizeof(signature)));
	text_byte(out, '\n');
	return OK;
}

bool release_is_signed(const unsigned char key[ED25519_PUBLIC_LEN], struct bytes text, struct bytes signature)
{
	unsigned char raw[ED25519_SIGNATURE_LEN];

	if (bytes_ends(signature, BYTES("\n")))
		signature.len--;
	return hex_read(signature, raw, sizeof(raw)) == OK && ed25519_verify(key, text, bytes_of(raw, sizeof(raw)));
}
