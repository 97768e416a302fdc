/* The order of members is fixed, so one pass and no search is enough; the first thing that is wrong ends it. */
#include "evidence/backup.h"

#include "base/secret.h"
#include "evidence/manifest.h"
#include "evidence/seal.h"

#include <jansson.h>

#define ARENA_MOST (64u << 20)
#define SMALL_MAX  65536

bool backup_path_is_safe(struct bytes path)
{
	if (path.len < 2 || path.len > BACKUP_PATH_MAX || path.at[0] != '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] < 0x20 || path.at[i] == 0x7f)
			return false;
	for (path = bytes_cut(path, 1, path.len);;) {
		size_t n = bytes_find_byte(path, '/');
		struct bytes segment = bytes_cut(path, 0, n);

		if (segment.len == 0 || segment.len > 255 || bytes_eq(segment, BYTES(".")) || bytes_eq(segment, BYTES("..")))
			return false;
		if (n == SIZE_MAX)
			return true;
		path = bytes_cut(path, n + 1, path.len);
	}
}

void backup_signed_text(struct bytes manifest, const unsigned char before[SHA256_LEN], struct text *out)
{
	manifest_signed_text(BACKUP_FORMAT, manifest, out);
	hex_put(out, bytes_of(before, SHA256_LEN));
	text_byte(out, '\n');
}

static void set_name(struct backup *b, struct bytes name)
{
	size_t n = name.len < TAR_NAME_MAX ? name.len : TAR_NAME_MAX;

	if (n)
		memcpy(b->name, name.at, n);
	b->name[n] = 0;
}

static enum backup_fault differs(struct backup *b, struct bytes name)
{
	set_name(b, name);
	return BACKUP_DIFFERS;
}

/* --- the two indexes --- */

static bool take_string(struct backup *b, const json_t *o, const char *key, size_t most, struct bytes *out)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) > most)
		return false;
	*out = arena_copy(&b->arena, bytes_of(json_string_value(v), json_string_length(v)));
	return out->at != NULL;
}

static bool take_file(struct backup *b, const json_t *o, struct backup_file *f)
{
	const json_t *mode = json_object_get(o, "mode");
	json_int_t bits = json_integer_value(mode);

	*f = (struct backup_file){ .is_folder = !json_object_get(o, "member"), .member = BYTES("") };
	f->mode = (unsigned)bits;
	return json_is_object(o) && json_is_integer(mode) && bits >= 0 && bits <= 0777 &&
		take_string(b, o, "path", BACKUP_PATH_MAX, &f->path) && take_string(b, o, "user", 64, &f->user) &&
		take_string(b, o, "group", 64, &f->group) && backup_path_is_safe(f->path) &&
		(f->is_folder || (take_string(b, o, "member", TAR_NAME_MAX, &f->member) && tar_name_is_safe(f->member)));
}

/* Appends the files of list to b. */
static enum backup_fault take_files(struct backup *b, const json_t *list, bool is_sealed)
{
	size_t more = json_array_size(list);
	struct backup_file *all;

	if (!json_is_array(list) || more > BACKUP_FILES_MAX || b->count > BACKUP_FILES_MAX)
		return BACKUP_INDEX_BAD;
	all = arena_array(&b->arena, b->count + more + 1, sizeof(*all));
	if (!all)
		return BACKUP_NO_MEMORY;
	if (b->count)
		memcpy(all, b->files, b->count * sizeof(*all));
	b->files = all;
	for (size_t i = 0; i < more; i++, b->count++) {
		if (!take_file(b, json_array_get(list, i), &all[b->count]))
			return BACKUP_INDEX_BAD;
		all[b->count].is_sealed = is_sealed;
	}
	return BACKUP_OK;
}

static enum backup_fault take_index(struct backup *b, struct bytes text)
{
	json_t *o = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
	const char *format = json_string_value(json_object_get(o, "format"));
	enum backup_fault f = BACKUP_OK;

	if (!format || strcmp(format, BACKUP_FORMAT) != 0)
		f = BACKUP_NOT_ONE;
	else if (!take_string(b, o, "config", BACKUP_PATH_MAX, &b->config) || !take_string(b, o, "time", 64, &b->time) ||
		!take_string(b, o, "host", 256, &b->host) || !take_string(b, o, "version", 64, &b->version))
		f = BACKUP_INDEX_BAD;
	if (f == BACKUP_OK)
		f = take_files(b, json_object_get(o, "folders"), false);
	if (f == BACKUP_OK)
		f = take_files(b, json_object_get(o, "files"), false);
	b->plain = b->count;
	json_decref(o);
	return f;
}

/* --- the outer archive --- */

struct pass {
	struct backup *b;
	struct tar_reader *r;
	struct sha256 *sha;
	struct text manifest;	/* as it is in the archive */
	struct text made;	/* as it must be */
	struct text signature, signer;
	unsigned char before_signature[SHA256_LEN];
};

static enum backup_fault of_err(enum err e)
{
	return e == OK ? BACKUP_OK : e == ERR_MEMORY ? BACKUP_NO_MEMORY : BACKUP_DAMAGED;
}

/* Reads the member's content into to (when not NULL), its sum into sum and a line into what the manifest must be. */
static enum backup_fault take_content(struct pass *p, struct bytes name, struct text *to, unsigned char sum[SHA256_LEN])
{
	struct bytes piece;
	enum err e;

	sha256_begin(p->sha);
	while ((e = tar_reader_read(p->r, &piece)) == OK) {
		sha256_add(p->sha, piece);
		p->b->bytes += piece.len;
		if (to)
			text_add(to, piece);
	}
	sha256_end(p->sha, sum);
	if (e != ERR_CLOSED || (to && to->failed))
		return BACKUP_DAMAGED;
	manifest_add(&p->made, name, sum);
	return p->made.failed ? BACKUP_DAMAGED : BACKUP_OK;
}

/* The next member, which must have this name. */
static enum backup_fault expect(struct pass *p, struct bytes name, struct tar_member *m)
{
	enum err e = tar_reader_next(p->r, m);

	if (e == ERR_CLOSED)
		return differs(p->b, name);
	if (e != OK)
		return of_err(e);
	return bytes_eq(m->name, name) ? BACKUP_OK : differs(p->b, m->name);
}

static enum backup_fault read_index(struct pass *p)
{
	unsigned char sum[SHA256_LEN];
	struct tar_member m;
	struct text t;
	enum backup_fault f;
	enum err e = tar_reader_next(p->r, &m);

	if (e != OK)
		return e == ERR_CLOSED ? BACKUP_NOT_ONE : of_err(e);
	if (!bytes_eq(m.name, BYTES(BACKUP_INDEX)))
		return BACKUP_NOT_ONE;
	text_init_growing(&t, BACKUP_INDEX_MAX);
	f = take_content(p, BYTES(BACKUP_INDEX), &t, sum);
	if (f == BACKUP_OK)
		f = take_index(p->b, text_bytes(&t));
	text_fini(&t);
	return f;
}

static enum backup_fault read_files(struct pass *p)
{
	for (size_t i = 0; i < p->b->count; i++) {
		struct backup_file *file = &p->b->files[i];
		struct tar_member m;
		enum backup_fault f;

		if (file->is_folder)
			continue;
		f = expect(p, file->member, &m);
		if (f == BACKUP_OK)
			f = take_content(p, file->member, NULL, file->sum);
		if (f != BACKUP_OK)
			return f;
	}
	return BACKUP_OK;
}

/* The first line that is not the same, by its name. */
static enum backup_fault compare_manifest(struct pass *p)
{
	struct bytes have = text_bytes(&p->made), want = text_bytes(&p->manifest);
	struct manifest_line h, w;

	while (manifest_next(&have, &h) == OK) {
		if (manifest_next(&want, &w) != OK)
			return differs(p->b, BYTES(MANIFEST_NAME));
		if (!bytes_eq(h.name, w.name) || memcmp(h.sum, w.sum, SHA256_LEN) != 0)
			return differs(p->b, h.name);
	}
	return want.len ? differs(p->b, BYTES(MANIFEST_NAME)) : BACKUP_OK;
}

static enum backup_fault read_manifest(struct pass *p)
{
	unsigned char sum[SHA256_LEN];
	struct tar_member m;
	size_t made;
	enum backup_fault f = expect(p, BYTES(MANIFEST_NAME), &m);

	if (f != BACKUP_OK)
		return f;
	made = p->made.len;
	f = take_content(p, BYTES(MANIFEST_NAME), &p->manifest, sum);
	p->made.len = made; /* the manifest does not name itself */
	return f == BACKUP_OK ? compare_manifest(p) : f;
}

static enum backup_fault read_sealed(struct pass *p)
{
	unsigned char sum[SHA256_LEN];
	struct tar_member m;
	enum backup_fault f = expect(p, BYTES(BACKUP_SEALED), &m);

	if (f == BACKUP_OK)
		f = of_err(tar_reader_digest(p->r, m.at, p->b->before_sealed));
	return f == BACKUP_OK ? take_content(p, BYTES(BACKUP_SEALED), &p->b->sealed, sum) : f;
}

/* Nothing more, or a signature and its key, and then nothing more. */
static enum backup_fault read_signature(struct pass *p)
{
	unsigned char sum[SHA256_LEN];
	struct tar_member m;
	enum backup_fault f;
	enum err e = tar_reader_next(p->r, &m);

	if (e == ERR_CLOSED)
		return BACKUP_OK;
	if (e != OK)
		return of_err(e);
	if (!bytes_eq(m.name, BYTES(MANIFEST_SIG)))
		return differs(p->b, m.name);
	f = of_err(tar_reader_digest(p->r, m.at, p->before_signature));
	if (f == BACKUP_OK)
		f = take_content(p, BYTES(MANIFEST_SIG), &p->signature, sum);
	if (f == BACKUP_OK)
		f = expect(p, BYTES(MANIFEST_SIGNER), &m);
	if (f == BACKUP_OK)
		f = take_content(p, BYTES(MANIFEST_SIGNER), &p->signer, sum);
	if (f != BACKUP_OK)
		return f;
	p->b->is_signed = true;
	e = tar_reader_next(p->r, &m);
	return e == ERR_CLOSED ? BACKUP_OK : e == OK ? differs(p->b, m.name) : of_err(e);
}

static enum backup_fault check_signature(struct pass *p, const unsigned char *key)
{
	unsigned char mem[256];
	struct text what;

	if (!p->b->is_signed)
		return key ? BACKUP_OTHER_KEY : BACKUP_OK;
	if (manifest_signer(text_bytes(&p->signer), p->b->signer) != OK)
		return BACKUP_SIGNATURE_BAD;
	text_init(&what, mem, sizeof(mem));
	backup_signed_text(text_bytes(&p->manifest), p->before_signature, &what);
	CHECK(!what.failed);
	if (!ed25519_verify(p->b->signer, text_bytes(&what), text_bytes(&p->signature)))
		return BACKUP_SIGNATURE_BAD;
	return key && memcmp(key, p->b->signer, ED25519_PUBLIC_LEN) != 0 ? BACKUP_OTHER_KEY : BACKUP_OK;
}

enum backup_fault backup_read(struct backup *b, struct tar_reader *r, const unsigned char *key)
{
	static enum backup_fault (*const steps[])(struct pass *p) = { read_index, read_files, read_manifest, read_sealed,
		read_signature };
	struct pass p = { .b = b, .r = r, .sha = sha256_new() };
	enum backup_fault f = BACKUP_OK;

	memset(b, 0, sizeof(*b));
	arena_init_growing(&b->arena, ARENA_MOST);
	text_init_growing(&b->sealed, BACKUP_SEALED_MAX + (1u << 20));
	text_init_growing(&b->opened, BACKUP_SEALED_MAX + (1u << 20));
	text_init_growing(&p.manifest, MANIFEST_MAX);
	text_init_growing(&p.made, MANIFEST_MAX);
	text_init_growing(&p.signature, SMALL_MAX);
	text_init_growing(&p.signer, SMALL_MAX);
	for (size_t i = 0; f == BACKUP_OK && i < COUNT_OF(steps); i++)
		f = steps[i](&p);
	if (f == BACKUP_OK)
		f = check_signature(&p, key);
	b->at = tar_reader_at(r);
	text_fini(&p.manifest);
	text_fini(&p.made);
	text_fini(&p.signature);
	text_fini(&p.signer);
	sha256_free(&p.sha);
	return f;
}

/* --- the sealed part --- */

static enum backup_fault take_seal_index(struct backup *b, struct bytes text)
{
	json_t *o = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
	const char *hex = json_string_value(json_object_get(o, "before_sealed"));
	unsigned char before[SHA256_LEN];
	enum backup_fault f;

	if (!hex || hex_read(bytes_str(hex), before, sizeof(before)) != OK)
		f = BACKUP_INDEX_BAD;
	else if (memcmp(before, b->before_sealed, SHA256_LEN) != 0)
		f = BACKUP_OUTER_CHANGED;
	else
		f = take_files(b, json_object_get(o, "files"), true);
	json_decref(o);
	return f;
}

static enum backup_fault take_secrets(struct backup *b, struct pass *p, struct text *content)
{
	unsigned char sum[SHA256_LEN];
	struct tar_member m;
	struct text index;
	enum backup_fault f = expect(p, BYTES(BACKUP_SEAL_INDEX), &m);

	text_init_growing(&index, BACKUP_INDEX_MAX);
	if (f == BACKUP_OK)
		f = take_content(p, BYTES(BACKUP_SEAL_INDEX), &index, sum);
	if (f == BACKUP_OK)
		f = take_seal_index(b, text_bytes(&index));
	text_fini(&index);
	for (size_t i = b->plain; f == BACKUP_OK && i < b->count; i++) {
		struct backup_file *file = &b->files[i];
		size_t before = content->len;

		f = file->is_folder ? BACKUP_INDEX_BAD : expect(p, file->member, &m);
		if (f == BACKUP_OK)
			f = take_content(p, file->member, content, file->sum);
		file->content = bytes_of(NULL, content->len - before);
	}
	if (f == BACKUP_OK && tar_reader_next(p->r, &m) != ERR_CLOSED)
		f = BACKUP_DAMAGED;
	return f;
}

enum backup_fault backup_unseal(struct backup *b, struct bytes passphrase)
{
	const struct tar_limits limits = { .bytes = BACKUP_SEALED_MAX + BACKUP_INDEX_MAX, .members = BACKUP_FILES_MAX };
	struct pass p = { .b = b, .sha = sha256_new() };
	struct text plain;
	enum backup_fault f;
	enum err e;
	size_t at = 0;

	text_init_growing(&plain, BACKUP_SEALED_MAX + (1u << 20));
	text_init_growing(&p.made, MANIFEST_MAX);
	e = seal_open(text_bytes(&b->sealed), passphrase, &plain);
	f = e == ERR_DENIED ? BACKUP_PASSPHRASE : of_err(e);
	if (f == BACKUP_OK)
		f = of_err(tar_reader_open_bytes(text_bytes(&plain), &limits, &p.r));
	if (f == BACKUP_OK)
		f = take_secrets(b, &p, &b->opened);
	for (size_t i = b->plain; f == BACKUP_OK && i < b->count; i++) { /* only now opened no longer moves */
		b->files[i].content.at = b->opened.at + at;
		at += b->files[i].content.len;
	}
	tar_reader_free(&p.r);
	if (plain.len)
		secret_wipe(plain.at, plain.len);
	text_fini(&plain);
	text_fini(&p.made);
	sha256_free(&p.sha);
	return f;
}

void backup_fini(struct backup *b)
{
	if (b->opened.len)
		secret_wipe(b->opened.at, b->opened.len);
	text_fini(&b->opened);
	text_fini(&b->sealed);
	arena_fini(&b->arena);
	memset(b, 0, sizeof(*b));
}
