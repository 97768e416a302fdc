/* One pass over the archive: the digests of all members are kept until the manifest comes, and are then compared by name
 * and by order. The custody logs come last. */
#include "evidence/verify.h"

#include "base/arena.h"

#include <stdlib.h>

#define NAMES_MOST (64u << 20)
#define SMALL_MAX  65536

struct seen {
	struct bytes name;
	unsigned char sum[SHA256_LEN];
	size_t order;
};
struct list {
	struct seen *at;
	size_t count, cap;
};
enum stage { STAGE_MEMBERS, STAGE_MANIFEST, STAGE_SIGNATURE, STAGE_SIGNER, STAGE_CUSTODY };
struct pass {
	struct evidence_check *c;
	struct tar_reader *r;
	struct sha256 *sha;
	struct arena arena;
	struct list members;
	struct text manifest, signature, signer;
	enum stage stage; /* what came last */
};

static void fault(struct evidence_check *c, enum evidence_fault f, struct bytes name)
{
	c->faults++;
	c->fault(c->ctx, f, name);
}

static enum err list_add(struct list *l, struct arena *arena, struct bytes name, const unsigned char sum[SHA256_LEN])
{
	struct bytes copy = arena_copy(arena, name);

	if (!copy.at)
		return ERR_LIMIT;
	if (l->count == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct seen *at = reallocarray(l->at, cap, sizeof(*at));

		if (!at)
			return ERR_MEMORY;
		l->at = at;
		l->cap = cap;
	}
	l->at[l->count] = (struct seen){ .name = copy, .order = l->count };
	memcpy(l->at[l->count++].sum, sum, SHA256_LEN);
	return OK;
}

static int by_name(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int d = bytes_cmp(x->name, y->name);

	return d ? d : x->order < y->order ? -1 : x->order > y->order;
}

/* A name twice would make one of the two invisible to whoever extracts the archive. */
static void tell_twice(struct evidence_check *c, const struct list *l)
{
	for (size_t i = 1; i < l->count; i++)
		if (bytes_eq(l->at[i].name, l->at[i - 1].name))
			fault(c, EVIDENCE_TWICE, l->at[i].name);
}

/* Both sorted by name. */
static void compare(struct evidence_check *c, const struct list *have, const struct list *want)
{
	size_t i = 0, j = 0, before = c->faults;
	struct bytes moved = BYTES("");
	size_t first = SIZE_MAX;

	while (i < have->count || j < want->count) {
		int d = i == have->count ? 1 : j == want->count ? -1 : bytes_cmp(have->at[i].name, want->at[j].name);

		if (d < 0) {
			fault(c, EVIDENCE_EXTRA, have->at[i++].name);
		} else if (d > 0) {
			fault(c, EVIDENCE_MISSING, want->at[j++].name);
		} else {
			if (memcmp(have->at[i].sum, want->at[j].sum, SHA256_LEN) != 0)
				fault(c, EVIDENCE_CHANGED, have->at[i].name);
			if (have->at[i].order != want->at[j].order && have->at[i].order < first) {
				first = have->at[i].order;
				moved = have->at[i].name;
			}
			i++;
			j++;
		}
	}
	if (first != SIZE_MAX && c->faults == before) /* with one missing or extra, all behind it have moved */
		fault(c, EVIDENCE_REORDERED, moved);
}

static enum err hold_against_manifest(struct pass *p)
{
	struct bytes left = text_bytes(&p->manifest);
	struct list want = { 0 };
	struct manifest_line line;
	enum err e;

	while ((e = manifest_next(&left, &line)) == OK) {
		e = list_add(&want, &p->arena, line.name, line.sum);
		if (e != OK)
			break;
	}
	if (e == ERR_SYNTAX) {
		fault(p->c, EVIDENCE_BAD_MANIFEST, BYTES(MANIFEST_NAME));
		e = ERR_CLOSED;
	}
	if (e == ERR_CLOSED) {
		if (p->members.count)
			qsort(p->members.at, p->members.count, sizeof(*p->members.at), by_name);
		if (want.count)
			qsort(want.at, want.count, sizeof(*want.at), by_name);
		tell_twice(p->c, &p->members);
		tell_twice(p->c, &want);
		compare(p->c, &p->members, &want);
		e = OK;
	}
	free(want.at);
	return e;
}

static void check_signature(struct pass *p)
{
	unsigned char mem[128];
	struct text what;

	if (p->signature.len == 0 || p->signer.len == 0) {
		fault(p->c, EVIDENCE_UNSIGNED, BYTES(MANIFEST_SIG));
		return;
	}
	if (manifest_signer(text_bytes(&p->signer), p->c->signer) != OK) {
		fault(p->c, EVIDENCE_BAD_SIGNATURE, BYTES(MANIFEST_SIGNER));
		return;
	}
	p->c->has_signer = true;
	text_init(&what, mem, sizeof(mem));
	manifest_signed_text(MANIFEST_EVIDENCE, text_bytes(&p->manifest), &what);
	CHECK(!what.failed);
	if (!ed25519_verify(p->c->signer, text_bytes(&what), text_bytes(&p->signature)))
		fault(p->c, EVIDENCE_BAD_SIGNATURE, BYTES(MANIFEST_SIG));
	if (p->c->key && memcmp(p->c->key, p->c->signer, ED25519_PUBLIC_LEN) != 0)
		fault(p->c, EVIDENCE_OTHER_KEY, BYTES(MANIFEST_SIGNER));
}

/* The content's digest; kept in *to as well when that is not NULL. */
static enum err take_content(struct pass *p, struct bytes name, struct text *to, unsigned char sum[SHA256_LEN])
{
	struct bytes piece;
	enum err e;

	sha256_begin(p->sha);
	while ((e = tar_reader_read(p->r, &piece)) == OK) {
		sha256_add(p->sha, piece);
		p->c->bytes += piece.len;
		if (to)
			text_add(to, piece);
		if (p->c->content && piece.len)
			p->c->content(p->c->ctx, name, piece);
		if (p->c->progress)
			p->c->progress(p->c->ctx, tar_reader_at(p->r));
	}
	if (e != ERR_CLOSED)
		return e;
	if (p->c->content)
		p->c->content(p->c->ctx, name, BYTES(""));
	sha256_end(p->sha, sum);
	return to && to->failed ? ERR_LIMIT : OK;
}

static enum err take_custody(struct pass *p, const struct tar_member *m)
{
	unsigned char sum[SHA256_LEN];
	struct text log;
	enum err e;

	if (p->stage != STAGE_CUSTODY)
		TRY(tar_reader_digest(p->r, m->at, p->c->archive));
	text_init_growing(&log, CUSTODY_MAX);
	e = take_content(p, m->name, &log, sum);
	if (e != OK) {
		text_fini(&log);
		return e;
	}
	if (log.len <= p->c->log.len || !bytes_starts(text_bytes(&log), text_bytes(&p->c->log)))
		fault(p->c, EVIDENCE_CUSTODY_PREFIX, BYTES(CUSTODY_NAME));
	text_fini(&p->c->log);
	p->c->log = log;
	p->stage = STAGE_CUSTODY;
	return OK;
}

static enum err take_member(struct pass *p, const struct tar_member *m)
{
	static const struct {
		const char *name;
		enum stage after, stage;
	} special[] = {
		{ MANIFEST_NAME, STAGE_MEMBERS, STAGE_MANIFEST },
		{ MANIFEST_SIG, STAGE_MANIFEST, STAGE_SIGNATURE },
		{ MANIFEST_SIGNER, STAGE_SIGNATURE, STAGE_SIGNER },
	};
	struct text *to[] = { &p->manifest, &p->signature, &p->signer };
	unsigned char sum[SHA256_LEN];

	p->c->members++;
	for (size_t i = 0; i < COUNT_OF(special); i++)
		if (bytes_eq(m->name, bytes_str(special[i].name)) && p->stage == special[i].after) {
			p->stage = special[i].stage;
			return take_content(p, m->name, to[i], sum);
		}
	if (bytes_eq(m->name, BYTES(CUSTODY_NAME)) && p->stage >= STAGE_MANIFEST)
		return take_custody(p, m);
	TRY(take_content(p, m->name, NULL, sum));
	if (p->stage != STAGE_MEMBERS) {
		fault(p->c, EVIDENCE_EXTRA, m->name);
		return OK;
	}
	return list_add(&p->members, &p->arena, m->name, sum);
}

static enum err read_all(struct pass *p)
{
	struct tar_member m;
	enum err e;

	while ((e = tar_reader_next(p->r, &m)) == OK)
		TRY(take_member(p, &m));
	return e == ERR_CLOSED ? OK : e;
}

struct first {
	struct evidence_check *c;
};

static void each_entry(void *ctx, const struct custody_entry *e)
{
	struct first *f = ctx;
	struct evidence_check *c = f->c;

	c->entries++;
	if (e->n == 1 && c->has_signer && (!e->is_signed || memcmp(e->signer, c->signer, ED25519_PUBLIC_LEN) != 0))
		fault(c, EVIDENCE_CUSTODY_KEY, BYTES(CUSTODY_NAME));
	c->entry(c->ctx, e);
}

static void check_custody(struct pass *p)
{
	struct first f = { p->c };

	if (p->c->log.len == 0) {
		fault(p->c, EVIDENCE_NO_CUSTODY, BYTES(CUSTODY_NAME));
		return;
	}
	p->c->custody = custody_check(text_bytes(&p->c->log), p->c->archive, each_entry, &f, &p->c->line);
	if (p->c->custody != CUSTODY_OK)
		fault(p->c, EVIDENCE_CUSTODY_LINE, BYTES(CUSTODY_NAME));
}

bool evidence_check(struct evidence_check *c, struct tar_reader *r)
{
	struct pass p = { .c = c, .r = r, .sha = sha256_new() };
	enum err e;

	arena_init_growing(&p.arena, NAMES_MOST);
	text_init_growing(&p.manifest, MANIFEST_MAX);
	text_init_growing(&p.signature, SMALL_MAX);
	text_init_growing(&p.signer, SMALL_MAX);
	text_init_growing(&c->log, CUSTODY_MAX);
	e = read_all(&p);
	c->end = tar_reader_end(r);
	if (e != OK)
		fault(c, e == ERR_DENIED ? EVIDENCE_REFUSED : e == ERR_LIMIT ? EVIDENCE_TOO_LARGE : EVIDENCE_DAMAGED, BYTES(""));
	if (p.stage == STAGE_MEMBERS) {
		fault(c, EVIDENCE_NO_MANIFEST, BYTES(MANIFEST_NAME));
	} else {
		if (hold_against_manifest(&p) != OK)
			fault(c, EVIDENCE_TOO_LARGE, BYTES(MANIFEST_NAME));
		check_signature(&p);
		check_custody(&p);
	}
	free(p.members.at);
	text_fini(&p.manifest);
	text_fini(&p.signature);
	text_fini(&p.signer);
	arena_fini(&p.arena);
	sha256_free(&p.sha);
	return c->faults == 0;
}

void evidence_check_fini(struct evidence_check *c)
{
	text_fini(&c->log);
}
