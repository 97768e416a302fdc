/* scribe: writes the ledger. It reads the rings of all other processes, which cannot reach it otherwise, and has the keeper sign each
 * batch. Its files are in one folder; it has no network. It outlives generations: there is one, and so one chain. */
#define _GNU_SOURCE
#include "roles/scribe_priv.h"

#include "base/fd.h"
#include "base/log.h"
#include "jail/jail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS	      100
#define TEXTS_MOST    (512u << 20)
#define CHUNK_MOST    (1u << 20) /* of one writer at a time; of the dialer all, so that opens come before closes */
#define RECORDS_MOST  (1u << 16) /* the same in records, which a captured writer can make very short */
#define GATHER_MOST   (1u << 18) /* a batch that has so many waits for the keeper or the disk; the rings hold the rest */
#define ITEMS_MOST    (1u << 23)
#define INDEX_BITS    24

static struct scribe scribe;

/* --- the batch that is being gathered --- */

struct item *scribe_item(struct scribe *s, const char *process)
{
	if (s->item_count == s->item_cap) {
		size_t cap = s->item_cap ? 2 * s->item_cap : 4096;

		s->items = realloc(s->items, cap * sizeof(*s->items));
		CHECK(s->items && cap <= ITEMS_MOST);
		s->item_cap = cap;
	}
	s->items[s->item_count] = (struct item){ .process = process, .at_us = s->at_us };
	return &s->items[s->item_count++];
}

void scribe_copy_texts(struct scribe *s, struct ledger_record *r)
{
	struct bytes *const texts[] = { &r->listener, &r->session, &r->user, &r->name, &r->outcome, &r->detail };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (texts[i]->len)
			*texts[i] = arena_copy(&s->texts, *texts[i]);
		CHECK(texts[i]->len == 0 || texts[i]->at);
	}
}

void scribe_note(struct scribe *s, const struct ledger_record *r)
{
	struct item *it = scribe_item(s, "scribe");

	it->r = *r;
	scribe_copy_texts(s, &it->r);
}

void scribe_note_text(struct scribe *s, const char *outcome, const char *fmt, ...)
{
	struct ledger_record r = { .kind = LEDGER_SELF, .outcome = bytes_str(outcome) };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r.detail = bytes_str(text);
	scribe_note(s, &r);
}

static uint64_t slot_of(const struct scribe *s, size_t index)
{
	return s->serial << INDEX_BITS | (index + 1);
}

/* The item in which an open still waits, or NULL: it is on disk. */
static struct item *item_of_slot(struct scribe *s, uint64_t slot)
{
	size_t index = (size_t)(slot & ((1u << INDEX_BITS) - 1));

	if (slot >> INDEX_BITS != s->serial || index == 0 || index > s->item_count)
		return NULL;
	return &s->items[index - 1];
}

uint64_t scribe_owner(enum role_id role, uint32_t generation, uint16_t index)
{
	return (uint64_t)(role + 1) << 56 | (uint64_t)generation << 16 | index;
}

struct tap *scribe_find_tap(struct scribe *s, uint64_t owner)
{
	for (struct tap *t = s->taps; t; t = t->next)
		if (t->owner == owner && !t->is_ended)
			return t;
	return NULL;
}

/* --- records --- */

/* What each process may write. Anything else is no process of ours. */
static bool may_write(enum role_id role, const struct ledger_record *r)
{
	if (r->kind == LEDGER_SELF)
		return role != ROLE_MASTER && r->state == LEDGER_NONE && bytes_eq(r->outcome, BYTES("ended"));
	switch (role) {
	case ROLE_WORKER:
		return ((r->kind == LEDGER_IN || r->kind == LEDGER_USE) && (r->state == LEDGER_OPEN || r->state == LEDGER_CLOSE)) ||
			(r->kind == LEDGER_OUT && r->state == LEDGER_CLOSE) || (r->kind == LEDGER_POLICY && r->state == LEDGER_NONE);
	case ROLE_DIALER:
		return r->kind == LEDGER_OUT && (r->state == LEDGER_OPEN || r->state == LEDGER_CLOSE || r->state == LEDGER_NONE);
	case ROLE_PROBER: return r->kind == LEDGER_HEALTH && r->state == LEDGER_NONE;
	case ROLE_MASTER: return (r->kind == LEDGER_COMMAND || r->kind == LEDGER_REVOKED || r->kind == LEDGER_ISOLATION) &&
		r->state == LEDGER_NONE;
	case ROLE_IDENTITY: return (r->kind == LEDGER_SIGN_IN || r->kind == LEDGER_SIGN_OUT || r->kind == LEDGER_REVOKED) &&
		r->state == LEDGER_NONE;
	case ROLE_KEEPER:
	case ROLE_SCRIBE:
	case ROLE_WATCHER:
	case ROLE_HASHER:
	case ROLE_DIRECTORY:
	case ROLE_COUNT: break;
	}
	return false;
}

/* What the dialer connects is the worker's that it is for. */
static uint64_t owner_of_record(const struct tap *t, const struct ledger_record *r)
{
	return t->role == ROLE_DIALER ? scribe_owner(ROLE_WORKER, t->generation, r->owner) : t->owner;
}

static enum err take_open(struct scribe *s, struct tap *t, const struct ledger_record *r)
{
	uint64_t owner = owner_of_record(t, r);
	struct item *it = scribe_item(s, t->process);
	char detail[PROCESS_MAX + 4];
	enum err e;

	it->r = *r;
	if (t->role == ROLE_DIALER) {
		snprintf(detail, sizeof(detail), "for worker/%u/%u", r->owner, t->generation);
		it->r.detail = arena_copy(&s->texts, bytes_str(detail));
		CHECK(it->r.detail.at);
	}
	if (!scribe_find_tap(s, owner)) { /* dialed for a worker that ended meanwhile */
		it->is_whole = true;
		it->r.outcome = BYTES("its worker ended");
		return OK;
	}
	e = ledger_live_open(s->live, owner, r, slot_of(s, (size_t)(it - s->items)));
	return e == ERR_LIMIT ? OK : e; /* too many to remember: its close is recorded all the same */
}

static void merge(struct item *open, const struct ledger_record *close)
{
	open->is_whole = true;
	open->r.end_us = close->end_us;
	open->r.has_counts = close->has_counts;
	open->r.requests = close->requests;
	open->r.bytes_in = close->bytes_in;
	open->r.bytes_out = close->bytes_out;
	open->r.outcome = close->outcome;
	if (close->user.len)
		open->r.user = close->user;
}

static enum err take_close(struct scribe *s, struct tap *t, const struct ledger_record *r)
{
	uint64_t slot = 0, start = 0;
	enum err e = ledger_live_close(s->live, owner_of_record(t, r), r, &slot, &start);
	struct item *open = e == OK ? item_of_slot(s, slot) : NULL;
	struct item *it;

	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (open) {
		merge(open, r);
		return OK;
	}
	it = scribe_item(s, t->process);
	it->r = *r;
	if (e == OK)
		it->r.start_us = start;
	return OK;
}

bool scribe_close_orphan(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot)
{
	struct scribe *s = ctx;
	struct item *it = item_of_slot(s, slot);

	(void)owner;
	if (it) {
		it->is_whole = true;
		it->r.outcome = BYTES("its process ended");
		return true;
	}
	it = scribe_item(s, "scribe");
	it->r = *r;
	it->r.state = LEDGER_CLOSE;
	scribe_copy_texts(s, &it->r);
	it->r.outcome = BYTES("its process ended");
	return true;
}

/* A process of the tap ended at s->ended_us. The dialers' records are read first, so there may be connections already that were made
 * for its successor, which starts at the earliest BACKOFF_LEAST_MS later. */
static bool close_ended(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot)
{
	const struct scribe *s = ctx;

	if (r->kind == LEDGER_OUT && r->start_us > s->ended_us)
		return false;
	return scribe_close_orphan(ctx, r, owner, slot);
}

static enum err take_record(struct scribe *s, struct tap *t, const struct ledger_record *r)
{
	if (!may_write(t->role, r))
		return ERR_DENIED;
	if (r->kind == LEDGER_SELF) { /* the master's word behind the last of a process that ended */
		s->ended_us = r->end_us;
		ledger_live_each(s->live, t->owner, close_ended, s);
		return OK;
	}
	if (r->state == LEDGER_OPEN)
		return take_open(s, t, r);
	if (r->state == LEDGER_CLOSE)
		return take_close(s, t, r);
	scribe_item(s, t->process)->r = *r;
	return OK;
}

static void violation(struct scribe *s, struct tap *t, const char *what)
{
	unsigned char mem[7];
	struct text body;

	LOG(EV_IPC_VIOLATION, KV_STR("sender", role_name(t->role)), KV_UINT("index", t->index), KV_STR("what", what));
	/* The rest of its ring is not read; the master gives its successor another. */
	ledger_live_each(s->live, t->owner, scribe_close_orphan, s);
	t->is_ended = true;
	if (t->role == ROLE_MASTER) {
		role_exit(s->run, 1);
		return;
	}
	text_init(&body, mem, sizeof(mem));
	text_put_u8(&body, (uint8_t)t->role);
	text_put_u16(&body, t->index);
	text_put_u32(&body, t->generation);
	if (role_send(s->run->control, MSG_VIOLATION, text_bytes(&body), NULL, 0) != OK)
		role_exit(s->run, 1);
}

/* --- gathering --- */

/* A copy, before anything of it is looked at: the writer may change what is in the ring. */
static void copy_chunk(struct scribe *s, struct tap *t)
{
	size_t most = t->role == ROLE_DIALER ? LEDGER_RING_BYTES : CHUNK_MOST, want;
	unsigned char *mem;

	t->chunk = BYTES("");
	t->head = __atomic_load_n(&t->ring->head, __ATOMIC_ACQUIRE);
	if (t->is_ended || t->head == t->tail)
		return;
	want = t->head - t->tail < most ? (size_t)(t->head - t->tail) : most;
	mem = arena_alloc_raw(&s->texts, want);
	CHECK(mem);
	if (ledger_ring_read(t->ring, t->tail, mem, want, &want) != OK)
		violation(s, t, "the ring's numbers");
	else
		t->chunk = bytes_of(mem, want);
}

static void parse_chunk(struct scribe *s, struct tap *t)
{
	bool is_whole = t->tail + t->chunk.len == t->head; /* else it was cut, perhaps within a record: the rest comes next time */
	struct reader r = { .left = t->chunk };

	for (unsigned n = 0; r.left.len && (n < RECORDS_MOST || t->role == ROLE_DIALER); n++) {
		size_t len = r.left.len < 2 ? LEDGER_WIRE_MAX : (size_t)(r.left.at[0] | r.left.at[1] << 8) + 2;
		struct ledger_record rec;
		enum err e;

		if (len > r.left.len && !is_whole)
			break;
		if (len > r.left.len || len > LEDGER_WIRE_MAX) {
			violation(s, t, "a record's length");
			break;
		}
		e = ledger_record_take(&r, &rec);
		if (e == OK)
			e = take_record(s, t, &rec);
		if (e != OK) {
			violation(s, t, e == ERR_SYNTAX ? "not a record" : "a record that it may not write");
			break;
		}
	}
	t->tail += t->chunk.len - r.left.len;
}

static void note_lost(struct scribe *s, struct tap *t)
{
	uint64_t lost = __atomic_load_n(&t->ring->lost, __ATOMIC_RELAXED), more = lost - t->lost_told;
	struct item *it;

	if (more == 0 || more >> 40)
		return; /* a writer that lies about so many is not worth a record that no number fits */
	t->lost_told = lost;
	it = scribe_item(s, t->process);
	it->r = (struct ledger_record){ .kind = LEDGER_SELF, .outcome = BYTES("lost"), .has_counts = true, .requests = more,
		.detail = BYTES("records of this process that there was no room for; requests is their number") };
	board_add(&s->board->lost, more);
	LOG(EV_LEDGER_LOST, KV_STR("process", t->process), KV_UINT("records", more));
}

/* Nothing is left of what was in the rings when they were last looked at. */
static bool is_drained(const struct scribe *s)
{
	for (const struct tap *t = s->taps; t; t = t->next)
		if (!t->is_ended && t->tail != t->head)
			return false;
	return true;
}

static void take_news(struct scribe *s)
{
	for (size_t i = 0; i < s->news_count; i++) {
		struct config_news *n = &s->news[i];
		struct item *it = scribe_item(s, "master");
		char outcome[128];

		it->attachment = n->bundle;
		snprintf(outcome, sizeof(outcome), "generation %u, uid %u: %s", n->generation, n->uid, n->why);
		it->r = (struct ledger_record){ .kind = LEDGER_CONFIG, .outcome = bytes_str(outcome) };
		scribe_copy_texts(s, &it->r);
	}
	s->news_count = 0;
}

/* A writer that has ended, after all that it wrote was taken. */
static void end_tap(struct scribe *s, struct tap *t)
{
	ledger_live_each(s->live, t->owner, scribe_close_orphan, s);
	t->is_ended = true;
}

void scribe_tick(struct scribe *s)
{
	uint64_t now = loop_real_us(s->run->loop);

	if (now > s->at_us)
		s->at_us = now;
}

/* Everything that the writers have written until now. Workers' bytes are copied before the dialers', and the dialers'
 * records taken first: a worker's close is never seen before the dialer's open. */
void scribe_gather(struct scribe *s)
{
	scribe_tick(s);
	for (int dialers = 0; dialers < 2; dialers++)
		for (struct tap *t = s->taps; t; t = t->next)
			if ((t->role == ROLE_DIALER) == (dialers == 1))
				copy_chunk(s, t);
	for (int others = 0; others < 2; others++)
		for (struct tap *t = s->taps; t; t = t->next)
			if ((t->role != ROLE_DIALER) == (others == 1)) {
				parse_chunk(s, t);
				note_lost(s, t);
				if (t->is_dead && !t->is_ended && t->tail == t->head)
					end_tap(s, t);
			}
	take_news(s);
	s->has_all = s->wants_flush && is_drained(s); /* it is asked for when all writers have ended */
}

void scribe_batch_done(struct scribe *s)
{
	for (struct tap **at = &s->taps, *t; (t = *at);) {
		ledger_ring_taken(t->ring, &t->tail, 0);
		__atomic_store_n(&t->ring->lost_told, t->lost_told, __ATOMIC_RELAXED);
		if (!t->is_ended) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		munmap(t->ring, board_size(BOARD_RING));
		free(t);
	}
	for (size_t i = 0; i < s->item_count; i++)
		if (s->items[i].attachment.len)
			munmap((void *)(uintptr_t)s->items[i].attachment.at, s->items[i].attachment.len);
	s->item_count = 0;
	s->serial++;
	arena_fini(&s->texts);
	arena_init_growing(&s->texts, TEXTS_MOST);
}

static bool has_more(const struct scribe *s)
{
	for (const struct tap *t = s->taps; t; t = t->next)
		if (!t->is_ended && __atomic_load_n(&t->ring->head, __ATOMIC_RELAXED) - t->tail >= CHUNK_MOST / 4)
			return true;
	return false;
}

/* As its writer sees it, also while nothing is taken: a disk that is full shows in how the rings fill. */
static void note_unread(struct scribe *s)
{
	uint64_t most = 0;

	for (const struct tap *t = s->taps; t; t = t->next) {
		uint64_t tail = __atomic_load_n(&t->ring->tail, __ATOMIC_RELAXED), unread = __atomic_load_n(&t->ring->head, __ATOMIC_RELAXED) - tail;

		if (!t->is_ended && unread <= LEDGER_RING_BYTES && unread > most)
			most = unread;
	}
	__atomic_store_n(&s->board->unread, most, __ATOMIC_RELAXED);
}

static void on_poll(struct timer *t)
{
	struct scribe *s = CONTAINER_OF(t, struct scribe, poll);

	note_unread(s);
	if (s->state == SCRIBE_IDLE) {
		/* Before the files were looked at, a ring's place is not known; what waits for the disk stays as it is. */
		if (s->has_looked && (s->item_count == 0 || !s->is_failing) && s->item_count < GATHER_MOST)
			scribe_gather(s);
		scribe_advance(s);
	}
	if (s->wants_flush && s->state == SCRIBE_IDLE && (s->is_failing || s->is_stopped))
		scribe_flushed(s); /* it cannot be written now, and Sluis ends */
	loop_timer_set(s->run->loop, t, s->state == SCRIBE_IDLE && !s->is_failing && has_more(s) ? 1 : POLL_MS, on_poll);
}

/* --- what this process hears --- */

static enum err on_dir(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };

	(void)from;
	scribe.run_id = reader_u64(&r) >> 1; /* SQLite's integers have a sign */
	if (!reader_done(&r) || fchdir(m->fds[0]) < 0)
		return ERR_IO;
	run->writes = ".";
	return OK;
}

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	void *at;

	(void)run, (void)from;
	if (m->body.at[0] != BOARD_LEDGER || scribe.board)
		return ERR_SYNTAX;
	TRY(board_map(BOARD_LEDGER, m->fds[0], true, &at));
	scribe.board = at;
	return OK;
}

/* Which writer a message is about. */
static enum err read_writer(struct bytes body, enum role_id *role, uint16_t *index, uint32_t *generation)
{
	struct reader r = { .left = body };
	uint8_t n = reader_u8(&r);

	*index = reader_u16(&r);
	*generation = reader_u32(&r);
	if (!reader_done(&r) || n >= ROLE_COUNT)
		return ERR_SYNTAX;
	*role = (enum role_id)n;
	return OK;
}

static enum err on_ring(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = &scribe;
	enum role_id role;
	uint16_t index;
	uint32_t generation;
	struct tap *t;
	void *at;

	(void)run, (void)from;
	TRY(read_writer(m->body, &role, &index, &generation));
	if (m->fds_lost || scribe_find_tap(s, scribe_owner(role, generation, index)))
		return ERR_ORDER;
	TRY(board_map(BOARD_RING, m->fds[0], true, &at));
	t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_MEMORY;
	*t = (struct tap){ .next = s->taps, .ring = at, .owner = scribe_owner(role, generation, index), .role = role, .index = index,
		.generation = generation };
	t->id = t->ring->id & INT64_MAX;
	t->lost_told = __atomic_load_n(&t->ring->lost_told, __ATOMIC_RELAXED);
	snprintf(t->process, sizeof(t->process), "%s/%u/%u", role_name(role), index, generation);
	if (!s->store || ledger_store_position(s->store, bytes_str(t->process), t->id, &t->tail) != OK)
		t->tail = __atomic_load_n(&t->ring->tail, __ATOMIC_ACQUIRE);
	s->taps = t;
	return OK;
}

static enum err on_ring_end(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = &scribe;
	enum role_id role;
	uint16_t index;
	uint32_t generation;
	struct tap *t;

	(void)run, (void)from;
	TRY(read_writer(m->body, &role, &index, &generation));
	t = scribe_find_tap(s, scribe_owner(role, generation, index));
	if (!t) /* a violation of its ended it here already */
		return OK;
	t->is_dead = true;
	return OK;
}

/* Kept until a batch is being gathered. */
static enum err on_config(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = &scribe;
	struct reader r = { .left = m->body };
	struct config_news n = { .generation = reader_u32(&r), .uid = reader_u32(&r) };
	uint32_t keep_days = reader_u32(&r);
	uint64_t keep_bytes = reader_u64(&r);
	uint8_t is_news = reader_u8(&r);
	struct bytes why = bytes_cut(reader_rest(&r), 0, sizeof(n.why) - 1);
	struct stat st;
	void *at;

	(void)run, (void)from;
	if (r.failed)
		return ERR_SYNTAX;
	s->keep_days = keep_days;
	s->keep_bytes = keep_bytes;
	s->has_conf = s->is_retention_due = true;
	if (!is_news || m->fds_lost || s->news_count == COUNT_OF(s->news))
		return OK; /* known, or nowhere to put it: it stays in the history */
	if (fstat(m->fds[0], &st) < 0 || st.st_size <= 0)
		return ERR_IO;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->fds[0], 0);
	if (at == MAP_FAILED)
		return ERR_MEMORY;
	n.bundle = bytes_of(at, (size_t)st.st_size);
	memcpy(n.why, why.at, why.len);
	s->news[s->news_count++] = n;
	return OK;
}

static enum err on_flush(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = &scribe;

	(void)run, (void)from, (void)m;
	if (s->wants_flush)
		return ERR_ORDER;
	s->wants_flush = true;
	if (s->state == SCRIBE_IDLE)
		on_poll(&s->poll);
	return OK;
}

static enum err scribe_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role != ROLE_KEEPER)
		return ERR_DENIED;
	/* index is the keeper's generation: the newest signs */
	if (!scribe.keeper || (uint16_t)(c->index - scribe.keeper->index) < 0x8000)
		scribe.keeper = c;
	return OK;
}

static void scribe_peer_gone(struct role_run *run, struct channel *c)
{
	struct scribe *s = &scribe;

	if (s->asked == c)
		s->asked = NULL;
	if (s->keeper != c)
		return;
	s->keeper = NULL;
	for (struct channel *o = run->channels; o; o = o->next)
		if (o != c && (!s->keeper || (uint16_t)(o->index - s->keeper->index) < 0x8000))
			s->keeper = o;
	scribe_keeper_lost(s);
}

static enum err scribe_start(struct role_run *run)
{
	struct scribe *s = &scribe;

	s->run = run;
	run->data = s;
	s->live = ledger_live_new(LEDGER_LIVE_MAX);
	if (!s->board || !run->writes || !s->live)
		return ERR_ORDER;
	umask(077);
	arena_init_growing(&s->texts, TEXTS_MOST);
	s->serial = 1;
	return OK;
}

static enum err scribe_run(struct role_run *run)
{
	loop_timer_set(run->loop, &scribe.poll, POLL_MS, on_poll);
	return OK;
}

static const struct role role_scribe = {
	.id = ROLE_SCRIBE,
	.syscalls = jail_scribe,
	.files = 4096,
	.hears = (const struct call[]){
		/* message             from               when                        handler */
		{ MSG_LEDGER_DIR,      FROM(ROLE_MASTER), WHEN_SETUP,                 on_dir },
		{ MSG_BOARD,           FROM(ROLE_MASTER), WHEN_SETUP,                 on_board },
		{ MSG_RING,            FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING,  on_ring },
		{ MSG_RING_END,        FROM(ROLE_MASTER), WHEN_RUNNING,               on_ring_end },
		{ MSG_LEDGER_CONFIG,   FROM(ROLE_MASTER), WHEN_RUNNING,               on_config },
		{ MSG_LEDGER_FLUSH,    FROM(ROLE_MASTER), WHEN_RUNNING,               on_flush },
		{ MSG_LEDGER_HEAD_IS,  FROM(ROLE_KEEPER), WHEN_RUNNING,               scribe_on_head_is },
		{ MSG_LEDGER_SIGNED,   FROM(ROLE_KEEPER), WHEN_RUNNING,               scribe_on_signed },
		{ MSG_DAY_SIGNED,      FROM(ROLE_KEEPER), WHEN_RUNNING,               scribe_on_day_signed },
		{ 0 },
	},
	.start = scribe_start,
	.run = scribe_run,
	.peer = scribe_peer,
	.peer_gone = scribe_peer_gone,
};

int main(int argc, char **argv)
{
	return role_main(&role_scribe, argc, argv);
}
