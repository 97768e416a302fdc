/* Sessions stand in chunks that are made when their first slot is wanted and stay, so that a pointer to one holds as long as it lives. What is looked
 * at every second is kept beside them, packed: a tick over 100,000 sessions touches few of the sessions themselves. */
#include "auth/sessions.h"

#include "auth/facts.h"
#include "auth/slot_index.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#include <stdlib.h>

#define NONE	      UINT32_MAX
#define AUTH_ID_BYTES 8
#define CHUNK	      256u
#define CHUNKS	      (BOARD_SESSION_SLOTS / CHUNK)
#define USER_BUCKETS  (1u << 16)
#define UNKNOWN_S     5 /* then it is asked again */
#define REST	      1024u /* a freed slot rests until so many wait, or no fresh one is left */

_Static_assert(BOARD_SESSION_SLOTS % CHUNK == 0, "whole chunks");
_Static_assert(AUTH_ID_LEN == 2 * AUTH_ID_BYTES, "ids are hexadecimal");
_Static_assert(AUTH_TOKEN_LEN == SHA256_LEN, "a token that is none is hashed as one");

/* Beside each session; what a slot that is free keeps is its seen word and its place in the queue. */
struct node {
	uint64_t due_s; /* no need to look before: it cannot be over or idle */
	uint32_t seen;	/* what the board said when it was last looked at: an old word says nothing new, whoever's session it was */
	uint32_t child; /* the first of a portal's */
	uint32_t older, younger; /* children of the same portal */
	uint32_t user_next, user_previous; /* in the same bucket of users */
	uint32_t free_next;
	bool is_live;
	bool is_restored; /* since the last tick: what the board says of its slot may be about who stood there before */
};
struct chunk {
	struct node nodes[CHUNK];
	struct session sessions[CHUNK];
};
struct sessions {
	struct board_sessions *board;
	struct sessions_hooks hooks;
	uint32_t most, count;
	uint32_t fresh; /* slots from here on were never used */
	uint32_t free_first, free_last, free_count;
	struct slot_index by_hash, by_id;
	struct chunk *chunks[CHUNKS];
	uint32_t users[USER_BUCKETS];
};

static struct node *node_at(const struct sessions *t, uint32_t slot)
{
	return &t->chunks[slot / CHUNK]->nodes[slot % CHUNK];
}

static struct session *session_at(const struct sessions *t, uint32_t slot)
{
	return &t->chunks[slot / CHUNK]->sessions[slot % CHUNK];
}

static bool is_portal(const struct session *s)
{
	return s->parent_generation == 0;
}

/* --- the board --- */

/* The one function that writes a generation. Release: who sees the new one sees all that was done before. */
static uint32_t move_on(struct sessions *t, uint32_t slot, uint32_t steps)
{
	uint32_t g = __atomic_load_n(&t->board->generation[slot], __ATOMIC_RELAXED) + steps; /* one writer */

	__atomic_store_n(&t->board->generation[slot], g, __ATOMIC_RELEASE);
	return g;
}

static void next_epoch(struct sessions *t)
{
	__atomic_store_n(&t->board->epoch, __atomic_load_n(&t->board->epoch, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

/* --- making and freeing --- */

enum err sessions_new(struct board_sessions *board, uint32_t most, const struct sessions_hooks *hooks, struct sessions **out)
{
	struct sessions *t = calloc(1, sizeof(*t));

	CHECK(most > 0 && most <= BOARD_SESSION_SLOTS);
	if (!t)
		return ERR_MEMORY;
	*t = (struct sessions){ .board = board, .hooks = *hooks, .most = most, .free_first = NONE, .free_last = NONE };
	for (uint32_t i = 0; i < USER_BUCKETS; i++)
		t->users[i] = NONE;
	if (slot_index_init(&t->by_hash, most) != OK || slot_index_init(&t->by_id, most) != OK) {
		sessions_free(&t);
		return ERR_MEMORY;
	}
	for (uint32_t i = 0; i < BOARD_SESSION_SLOTS; i++)
		if (__atomic_load_n(&board->generation[i], __ATOMIC_RELAXED) & 1)
			move_on(t, i, 1);
	next_epoch(t);
	*out = t;
	return OK;
}

void sessions_free(struct sessions **at)
{
	struct sessions *t = *at;

	if (!t)
		return;
	for (uint32_t i = 0; i < CHUNKS; i++) {
		if (t->chunks[i])
			secret_wipe(t->chunks[i]->sessions, sizeof(t->chunks[i]->sessions));
		free(t->chunks[i]);
	}
	slot_index_fini(&t->by_hash);
	slot_index_fini(&t->by_id);
	free(t);
	*at = NULL;
}

uint32_t sessions_count(const struct sessions *t)
{
	return t->count;
}

/* --- slots --- */

/* Fresh ones until some wait, then the one that was freed first: a slot rests, and no more memory is taken than that needs. */
static enum err slot_take(struct sessions *t, uint32_t *out)
{
	uint32_t slot = t->fresh;

	if (t->free_count && (t->free_count >= REST || t->fresh == BOARD_SESSION_SLOTS)) {
		slot = t->free_first;
		t->free_first = node_at(t, slot)->free_next;
		if (--t->free_count == 0)
			t->free_last = NONE;
		*out = slot;
		return OK;
	}
	CHECK(slot < BOARD_SESSION_SLOTS); /* most is not above it */
	if (!t->chunks[slot / CHUNK])
		t->chunks[slot / CHUNK] = calloc(1, sizeof(struct chunk));
	if (!t->chunks[slot / CHUNK])
		return ERR_MEMORY;
	t->fresh++;
	*out = slot;
	return OK;
}

static void slot_free(struct sessions *t, uint32_t slot)
{
	struct node *n = node_at(t, slot);

	*n = (struct node){ .seen = n->seen, .free_next = NONE };
	secret_wipe(session_at(t, slot), sizeof(struct session));
	if (t->free_count++)
		node_at(t, t->free_last)->free_next = slot;
	else
		t->free_first = slot;
	t->free_last = slot;
}

/* --- the ways to a session --- */

static uint64_t key_of(const unsigned char *at)
{
	uint64_t key;

	memcpy(&key, at, sizeof(key));
	return key;
}

/* Ids are hexadecimal: sixteen lower case digits, and nothing else finds one. */
static bool id_read(struct bytes id, unsigned char out[AUTH_ID_BYTES])
{
	for (size_t i = 0; i < id.len; i++)
		if (id.at[i] >= 'A' && id.at[i] <= 'F')
			return false;
	return hex_read(id, out, AUTH_ID_BYTES) == OK;
}

static uint64_t id_key(const struct session *s)
{
	unsigned char id[AUTH_ID_BYTES];

	CHECK(id_read(bytes_str(s->kept.id), id));
	return key_of(id);
}

struct looking {
	const struct sessions *t;
	struct bytes hash, id;
};

static bool is_of_hash(void *ctx, uint32_t slot)
{
	const struct looking *l = ctx;

	return secret_eq(bytes_of(session_at(l->t, slot)->kept.hash, SHA256_LEN), l->hash);
}

static bool is_of_id(void *ctx, uint32_t slot)
{
	const struct looking *l = ctx;

	return bytes_eq(bytes_str(session_at(l->t, slot)->kept.id), l->id);
}

static struct session *find_hash(const struct sessions *t, const unsigned char hash[SHA256_LEN])
{
	struct looking l = { .t = t, .hash = bytes_of(hash, SHA256_LEN) };
	uint32_t slot = slot_index_find(&t->by_hash, key_of(hash), is_of_hash, &l);

	return slot == SLOT_INDEX_NONE ? NULL : session_at(t, slot);
}

struct session *sessions_find_id(struct sessions *t, struct bytes id)
{
	struct looking l = { .t = t, .id = id };
	unsigned char raw[AUTH_ID_BYTES];
	uint32_t slot;

	if (!id_read(id, raw))
		return NULL;
	slot = slot_index_find(&t->by_id, key_of(raw), is_of_id, &l);
	return slot == SLOT_INDEX_NONE ? NULL : session_at(t, slot);
}

struct session *sessions_at(struct sessions *t, uint32_t slot)
{
	return slot < t->fresh && node_at(t, slot)->is_live ? session_at(t, slot) : NULL;
}

static void note_due(const struct sessions *t, struct node *n, const struct store_session *k)
{
	uint64_t idle;

	n->due_s = k->until_s;
	if (k->idle_s && !__builtin_add_overflow(k->seen_s, (uint64_t)k->idle_s + t->hooks.slack_s, &idle) && idle < n->due_s)
		n->due_s = idle;
}

static void saw(struct sessions *t, struct session *s, uint64_t when_s)
{
	if (when_s <= s->kept.seen_s)
		return;
	s->kept.seen_s = when_s;
	note_due(t, node_at(t, s->slot), &s->kept);
}

/* A clock that went back makes nothing idle. */
static bool is_idle(const struct sessions *t, const struct store_session *k, uint64_t now_s)
{
	return k->idle_s && now_s > k->seen_s && now_s - k->seen_s >= (uint64_t)k->idle_s + t->hooks.slack_s;
}

static const char unknown[] = "unknown";

/* NULL: it lives. unknown: whether another node saw it cannot be said now. */
static const char *why_over(struct sessions *t, struct session *s, uint64_t now_s)
{
	uint64_t seen;

	if (now_s >= s->kept.until_s)
		return "over";
	if (!is_idle(t, &s->kept, now_s))
		return NULL;
	if (!t->hooks.seen)
		return "idle";
	seen = t->hooks.seen(t->hooks.ctx, s);
	if (seen == UINT64_MAX)
		return unknown;
	saw(t, s, seen < now_s ? seen : now_s);
	return is_idle(t, &s->kept, now_s) ? "idle" : NULL;
}

struct session *sessions_find(struct sessions *t, struct bytes token, uint64_t now_s)
{
	static const unsigned char none[AUTH_TOKEN_LEN];
	unsigned char hash[SHA256_LEN];
	bool is_token = token.len == AUTH_TOKEN_LEN;
	struct session *s;
	bool lives;

	/* What is no token goes the same way, and what it finds is not told. */
	sha256_of(is_token ? token : bytes_of(none, sizeof(none)), hash);
	s = find_hash(t, hash);
	secret_wipe(hash, sizeof(hash));
	if (!s)
		return NULL;
	lives = is_token && !why_over(t, s, now_s);
	if (!is_portal(s))
		lives &= !why_over(t, session_at(t, s->parent_slot), now_s);
	return lives ? s : NULL;
}

/* --- lists --- */

static uint32_t *bucket_of(struct sessions *t, int64_t user)
{
	return &t->users[(uint64_t)user % USER_BUCKETS];
}

static void list_in(struct sessions *t, const struct session *s)
{
	struct node *n = node_at(t, s->slot);
	uint32_t *bucket = bucket_of(t, s->kept.user);

	n->child = n->older = n->younger = n->user_previous = NONE;
	n->user_next = *bucket;
	if (*bucket != NONE)
		node_at(t, *bucket)->user_previous = s->slot;
	*bucket = s->slot;
	if (!is_portal(s)) {
		struct node *parent = node_at(t, s->parent_slot);

		n->older = parent->child;
		if (n->older != NONE)
			node_at(t, n->older)->younger = s->slot;
		parent->child = s->slot;
	}
}

static void list_out(struct sessions *t, const struct session *s)
{
	const struct node *n = node_at(t, s->slot);

	if (n->user_next != NONE)
		node_at(t, n->user_next)->user_previous = n->user_previous;
	if (n->user_previous != NONE)
		node_at(t, n->user_previous)->user_next = n->user_next;
	else
		*bucket_of(t, s->kept.user) = n->user_next;
	if (is_portal(s))
		return;
	if (n->older != NONE)
		node_at(t, n->older)->younger = n->younger;
	if (n->younger != NONE)
		node_at(t, n->younger)->older = n->older;
	else
		node_at(t, s->parent_slot)->child = n->older;
}

/* --- in --- */

static enum err enter(struct sessions *t, const struct store_session *kept, const struct session *parent, struct session **out)
{
	struct session *s;
	uint32_t slot;

	if (t->count >= t->most)
		return ERR_LIMIT;
	TRY(slot_take(t, &slot));
	s = session_at(t, slot);
	*s = (struct session){ .kept = *kept, .slot = slot };
	if (parent) {
		s->parent_slot = parent->slot;
		s->parent_generation = parent->generation;
	}
	list_in(t, s);
	slot_index_put(&t->by_hash, key_of(s->kept.hash), slot);
	slot_index_put(&t->by_id, id_key(s), slot);
	note_due(t, node_at(t, slot), &s->kept);
	node_at(t, slot)->is_live = true;
	t->count++;
	s->generation = move_on(t, slot, 1);
	CHECK(s->generation & 1);
	*out = s;
	return OK;
}

static void new_id(struct sessions *t, char out[AUTH_ID_LEN + 1])
{
	unsigned char id[AUTH_ID_BYTES];
	struct text hex;

	do {
		random_bytes(id, sizeof(id));
		text_init(&hex, out, AUTH_ID_LEN);
		hex_put(&hex, bytes_of(id, sizeof(id)));
	} while (sessions_find_id(t, text_bytes(&hex)));
	out[AUTH_ID_LEN] = 0;
}

enum err sessions_add(struct sessions *t, const struct store_session *of, const struct session *parent, unsigned char token[AUTH_TOKEN_LEN],
	struct session **out)
{
	struct store_session kept = *of;
	unsigned char made[AUTH_TOKEN_LEN];
	enum err e;

	CHECK(!parent || (is_portal(parent) && sessions_at(t, parent->slot) == parent && parent->kept.user == of->user));
	random_bytes(made, sizeof(made));
	sha256_of(bytes_of(made, sizeof(made)), kept.hash);
	new_id(t, kept.id);
	memset(kept.parent, 0, sizeof(kept.parent));
	if (parent)
		memcpy(kept.parent, parent->kept.id, sizeof(kept.parent));
	e = enter(t, &kept, parent, out);
	if (e == OK)
		memcpy(token, made, sizeof(made));
	secret_wipe(made, sizeof(made));
	return e;
}

enum err sessions_restore(struct sessions *t, const struct store_session *of, struct session **out)
{
	unsigned char id[AUTH_ID_BYTES];
	struct session *parent = NULL;

	if (!memchr(of->id, 0, sizeof(of->id)) || !memchr(of->parent, 0, sizeof(of->parent)) || !id_read(bytes_str(of->id), id))
		return ERR_SYNTAX;
	if (of->parent[0]) {
		parent = sessions_find_id(t, bytes_str(of->parent));
		if (!parent || !is_portal(parent) || parent->kept.user != of->user)
			return ERR_NOT_FOUND;
	}
	if (sessions_find_id(t, bytes_str(of->id)) || find_hash(t, of->hash))
		return ERR_ORDER;
	TRY(enter(t, of, parent, out));
	node_at(t, (*out)->slot)->is_restored = true;
	return OK;
}

/* --- changes --- */

void sessions_changed(struct sessions *t, struct session *s)
{
	CHECK(sessions_at(t, s->slot) == s);
	s->generation = move_on(t, s->slot, 2);
	for (uint32_t i = node_at(t, s->slot)->child; i != NONE; i = node_at(t, i)->older)
		session_at(t, i)->parent_generation = s->generation;
	note_due(t, node_at(t, s->slot), &s->kept);
	next_epoch(t);
}

bool sessions_user_changed(struct sessions *t, int64_t user)
{
	bool is_one = false;

	for (uint32_t i = *bucket_of(t, user); i != NONE; i = node_at(t, i)->user_next)
		if (session_at(t, i)->kept.user == user) {
			sessions_changed(t, session_at(t, i));
			is_one = true;
		}
	return is_one;
}

void sessions_all_changed(struct sessions *t)
{
	for (uint32_t i = 0; i < t->fresh; i++)
		if (node_at(t, i)->is_live)
			sessions_changed(t, session_at(t, i));
}

void sessions_news(struct sessions *t, struct session *s)
{
	CHECK(sessions_at(t, s->slot) == s);
	__atomic_store_n(&t->board->news[s->slot], sessions_news_of(t, s) + 1, __ATOMIC_RELEASE);
}

uint32_t sessions_news_of(const struct sessions *t, const struct session *s)
{
	return __atomic_load_n(&t->board->news[s->slot], __ATOMIC_RELAXED); /* one writer */
}

void sessions_rotate(struct sessions *t, struct session *s, unsigned char token[AUTH_TOKEN_LEN])
{
	CHECK(sessions_at(t, s->slot) == s);
	slot_index_take(&t->by_hash, key_of(s->kept.hash), s->slot);
	random_bytes(token, AUTH_TOKEN_LEN);
	sha256_of(bytes_of(token, AUTH_TOKEN_LEN), s->kept.hash);
	slot_index_put(&t->by_hash, key_of(s->kept.hash), s->slot);
	sessions_changed(t, s);
}

enum err sessions_take(struct sessions *t, struct session *s, const struct store_session *now)
{
	struct store_session *k = &s->kept;
	bool is_rotated = memcmp(k->hash, now->hash, sizeof(k->hash)) != 0;
	bool is_changed = is_rotated || k->until_s != now->until_s || k->proved_s != now->proved_s || k->idle_s != now->idle_s || k->has_mfa != now->has_mfa ||
		k->is_device_bound != now->is_device_bound || strcmp(k->method, now->method) != 0;
	uint64_t seen = k->seen_s > now->seen_s ? k->seen_s : now->seen_s;
	struct session *of_hash = is_rotated ? find_hash(t, now->hash) : s;

	CHECK(sessions_at(t, s->slot) == s);
	if (strcmp(k->id, now->id) != 0 || strcmp(k->parent, now->parent) != 0 || strcmp(k->host, now->host) != 0 || k->user != now->user || (of_hash && of_hash != s))
		return ERR_ORDER;
	if (is_rotated)
		slot_index_take(&t->by_hash, key_of(k->hash), s->slot);
	*k = *now;
	k->seen_s = seen;
	if (is_rotated)
		slot_index_put(&t->by_hash, key_of(k->hash), s->slot);
	note_due(t, node_at(t, s->slot), k);
	if (is_changed)
		sessions_changed(t, s);
	return OK;
}

/* --- out --- */

/* Workers see it first: what ends does not wait for a disk. */
static void end_one(struct sessions *t, struct session *s, const char *why)
{
	uint32_t slot = s->slot;

	move_on(t, slot, 1);
	next_epoch(t);
	t->hooks.ended(t->hooks.ctx, s, why);
	list_out(t, s);
	slot_index_take(&t->by_hash, key_of(s->kept.hash), slot);
	slot_index_take(&t->by_id, id_key(s), slot);
	t->count--;
	slot_free(t, slot);
}

void sessions_end(struct sessions *t, struct session *s, const char *why)
{
	const struct node *n = node_at(t, s->slot);

	CHECK(sessions_at(t, s->slot) == s);
	while (n->child != NONE)
		end_one(t, session_at(t, n->child), why);
	end_one(t, s, why);
}

size_t sessions_end_all(struct sessions *t, bool (*match)(void *ctx, const struct session *s), void *ctx, const char *why)
{
	uint32_t before = t->count;

	/* Of a hundred thousand the last would go on for seconds: all of them first where workers see it, then one by one what the disk is told. */
	for (uint32_t i = 0; i < t->fresh; i++)
		if (node_at(t, i)->is_live && match(ctx, session_at(t, i))) {
			for (uint32_t c = node_at(t, i)->child; c != NONE; c = node_at(t, c)->older)
				sessions_changed(t, session_at(t, c));
			sessions_changed(t, session_at(t, i));
		}
	if (t->hooks.moved)
		t->hooks.moved(t->hooks.ctx);
	for (uint32_t i = 0; i < t->fresh; i++)
		if (node_at(t, i)->is_live && match(ctx, session_at(t, i)))
			sessions_end(t, session_at(t, i), why);
	return before - t->count;
}

void sessions_each(struct sessions *t, bool (*one)(void *ctx, struct session *s), void *ctx)
{
	for (uint32_t i = 0; i < t->fresh; i++)
		if (node_at(t, i)->is_live && !one(ctx, session_at(t, i)))
			return;
}

struct session *sessions_of_app(struct sessions *t, const struct session *portal, struct bytes host)
{
	CHECK(is_portal(portal));
	for (uint32_t i = node_at(t, portal->slot)->child; i != NONE; i = node_at(t, i)->older)
		if (bytes_eq(bytes_str(session_at(t, i)->kept.host), host))
			return session_at(t, i);
	return NULL;
}

size_t sessions_bound(struct sessions *t, const struct session *s)
{
	uint32_t portal = is_portal(s) ? s->slot : s->parent_slot;
	size_t n = session_at(t, portal)->kept.is_device_bound;

	for (uint32_t i = node_at(t, portal)->child; i != NONE; i = node_at(t, i)->older)
		n += session_at(t, i)->kept.is_device_bound;
	return n;
}

size_t sessions_of_user(struct sessions *t, int64_t user, struct session **out, size_t most)
{
	size_t n = 0;

	for (uint32_t i = *bucket_of(t, user); i != NONE; i = node_at(t, i)->user_next) {
		struct session *s = session_at(t, i);
		size_t at = n < most ? n : most;

		if (s->kept.user != user || !is_portal(s))
			continue;
		n++;
		while (at > 0 && out[at - 1]->kept.since_s < s->kept.since_s) {
			if (at < most)
				out[at] = out[at - 1];
			at--;
		}
		if (at < most)
			out[at] = s;
	}
	return n;
}

/* --- time --- */

/* The time that a worker's 32 bits mean: the last such one up to now, and now for what lies ahead. */
static uint64_t time_of(uint32_t seen, uint64_t now_s)
{
	uint32_t ago = (uint32_t)now_s - seen;

	return ago > INT32_MAX || ago > now_s ? now_s : now_s - ago;
}

static void take_seen(struct sessions *t, const struct board_seen *seen, uint64_t now_s)
{
	for (uint32_t i = 0; i < t->fresh; i++) {
		struct node *n = node_at(t, i);
		uint32_t word = __atomic_load_n(&seen->seen_s[i], __ATOMIC_RELAXED);
		bool is_restored = n->is_restored;
		struct session *s;

		n->is_restored = false;
		if (word == n->seen)
			continue;
		n->seen = word; /* of a free slot too: it is not to speak for the next session */
		if (!n->is_live || is_restored || word == 0)
			continue;
		s = session_at(t, i);
		saw(t, s, time_of(word, now_s));
		if (!is_portal(s))
			saw(t, session_at(t, s->parent_slot), time_of(word, now_s));
	}
}

void sessions_tick(struct sessions *t, const struct board_seen *seen, uint64_t now_s)
{
	take_seen(t, seen, now_s); /* all of it first: an app may stand behind its portal */
	for (uint32_t i = 0; i < t->fresh; i++) {
		struct node *n = node_at(t, i);
		const char *why;

		if (!n->is_live || now_s < n->due_s)
			continue;
		why = why_over(t, session_at(t, i), now_s);
		if (why == unknown)
			n->due_s = now_s + UNKNOWN_S;
		else if (why)
			sessions_end(t, session_at(t, i), why);
		else
			note_due(t, n, &session_at(t, i)->kept);
	}
}
