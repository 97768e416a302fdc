/* A batch on its way to the disk: the keeper's head is known, the day's file is open, records go in, the keeper signs, SQLite
 * commits, the keeper hears of it, the rings may be written over. Any step may fail; then all of it is taken back and tried again. */
#define _GNU_SOURCE
#include "roles/scribe_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "ledger/days.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 5000 /* for an answer of the keeper */
#define DAY_US	    UINT64_C(86400000000)

static void failing(struct scribe *s, const char *what)
{
	if (s->board->state != LEDGER_FAILS) {
		board_text_write(&s->board->why, bytes_str(what));
		__atomic_store_n(&s->board->state, LEDGER_FAILS, __ATOMIC_RELAXED);
		LOG(EV_LEDGER_FAILS, KV_STR("what", what));
	}
	s->is_failing = true;
	s->state = SCRIBE_IDLE; /* the poll tries again */
}

static void stopped(struct scribe *s, const char *what)
{
	failing(s, what);
	if (!s->is_stopped)
		LOG(EV_LEDGER_STOPPED, KV_STR("what", what));
	s->is_stopped = true;
}

static void take_back(struct scribe *s)
{
	loop_timer_clear(s->run->loop, &s->patience);
	if (s->state == SCRIBE_SIGNING && s->store)
		ledger_store_rollback(s->store);
	s->state = SCRIBE_IDLE;
}

static void on_impatience(struct timer *t)
{
	struct scribe *s = CONTAINER_OF(t, struct scribe, patience);

	take_back(s);
	s->asked = NULL;
}

static void wait_for_keeper(struct scribe *s, enum scribe_state state)
{
	s->state = state;
	loop_timer_set(s->run->loop, &s->patience, PATIENCE_MS, on_impatience);
}

void scribe_keeper_lost(struct scribe *s)
{
	if (s->state != SCRIBE_IDLE)
		take_back(s);
}

/* --- the files --- */

static uint64_t size_of(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void sum_older(struct scribe *s)
{
	struct ledger_day *days = NULL;
	size_t count = 0;

	s->older_size = 0;
	if (ledger_days(".", &days, &count) != OK)
		return;
	for (size_t i = 0; i < count; i++)
		if (strcmp(days[i].day, s->day) != 0)
			s->older_size += size_of(days[i].file);
	free(days);
}

static void note_size(struct scribe *s)
{
	char file[LEDGER_FILE_MAX], journal[LEDGER_FILE_MAX + 4];

	ledger_day_file(s->day, file);
	snprintf(journal, sizeof(journal), "%s-wal", file);
	__atomic_store_n(&s->board->size, s->older_size + size_of(file) + size_of(journal), __ATOMIC_RELAXED);
}

static enum err open_day(struct scribe *s, const char *day)
{
	char name[LEDGER_FILE_MAX];
	const char *why = "";
	enum err e;

	ledger_day_file(day, name);
	e = ledger_store_open(name, bytes_str(day), s->public_key, &s->store, &why);
	if (e != OK) {
		failing(s, why);
		return e;
	}
	memcpy(s->day, day, sizeof(s->day));
	sum_older(s);
	return OK;
}

/* --- what was open when the last scribe ended --- */

static uint64_t owner_of_process(struct bytes p)
{
	size_t a = bytes_find_byte(p, '/'), b;
	uint64_t index, generation;

	if (!bytes_starts(p, BYTES("worker/")))
		return LEDGER_NOBODY;
	p = bytes_cut(p, a + 1, p.len);
	b = bytes_find_byte(p, '/');
	if (b == SIZE_MAX || bytes_u64(bytes_cut(p, 0, b), &index) != OK || bytes_u64(bytes_cut(p, b + 1, p.len), &generation) != OK)
		return LEDGER_NOBODY;
	return scribe_owner(ROLE_WORKER, (uint32_t)generation, (uint16_t)index);
}

static void on_old_state(void *ctx, const struct ledger_record *r, struct bytes process)
{
	struct scribe *s = ctx;
	uint64_t owner, slot, start;

	/* who opened it: the worker itself, or the dialer or a scribe "for worker/0/3" */
	owner = owner_of_process(bytes_starts(r->detail, BYTES("for ")) ? bytes_cut(r->detail, 4, r->detail.len) : process);
	if (r->state == LEDGER_OPEN || r->state == LEDGER_CARRIED)
		(void)!ledger_live_open(s->live, owner ? owner : 1, r, 0);
	else if (r->state == LEDGER_CLOSE)
		(void)!ledger_live_close(s->live, LEDGER_NOBODY, r, &slot, &start);
}

static bool close_if_nobodys(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot)
{
	struct scribe *s = ctx;

	return !scribe_find_tap(s, owner) && scribe_close_orphan(ctx, r, owner, slot);
}

/* A ring's place stands in the files of the run whose ring it is, and rings are made anew in each. */
static bool take_positions(struct scribe *s)
{
	bool is_of_this_run = false;

	for (struct tap *t = s->taps; t; t = t->next)
		if (ledger_store_position(s->store, bytes_str(t->process), t->id, &t->tail) == OK)
			is_of_this_run = true;
	return is_of_this_run;
}

/* A scribe that ended while Sluis goes on leaves its connections to us; those of an earlier run ended with it. */
static enum err restore(struct scribe *s)
{
	bool is_of_this_run = take_positions(s);

	TRY(ledger_store_states(s->store, on_old_state, s));
	ledger_live_each(s->live, LEDGER_NOBODY, is_of_this_run ? close_if_nobodys : scribe_close_orphan, s);
	return OK;
}

/* --- start --- */

static bool carry(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot);

/* The day before was sealed, and of the next nothing was written: what is open still has to be carried there. */
static enum err restore_sealed(struct scribe *s, const struct ledger_day *day)
{
	enum err e;

	TRY(ledger_store_read(day->file, &s->store));
	e = restore(s);
	ledger_store_close(&s->store);
	if (e == OK)
		ledger_live_each(s->live, LEDGER_NOBODY, carry, s);
	return e;
}

/* Where the chain stands: the newest file that has a batch says it. One behind it, which a scribe had made when it was killed, has
 * none and goes. A file that is not sealed is gone on with, or sealed if its day is over. */
static enum err look_at_files(struct scribe *s, const struct ledger_day *days, size_t count)
{
	struct ledger_last last = { 0 };

	while (count && last.head.batch == 0) {
		TRY(ledger_store_peek(days[--count].file, &last));
		if (last.head.batch == 0)
			(void)unlink(days[count].file); /* else it stays, and is no harm */
	}
	if (last.head.batch == 0)
		return OK;
	s->head = last.head;
	s->seq = last.seq;
	/* A clock that was set back: the ledger's time goes on, and a day that is sealed stays so. */
	if (last.is_sealed && chain_day_parse(bytes_str(days[count].day), &last.at_us) == OK)
		last.at_us += DAY_US;
	if (last.at_us > s->at_us)
		s->at_us = last.at_us;
	if (last.is_sealed)
		return restore_sealed(s, &days[count]);
	TRY(open_day(s, days[count].day));
	return restore(s);
}

static enum err look(struct scribe *s)
{
	struct ledger_day *days = NULL;
	size_t count = 0;
	enum err e;

	s->head = (struct ledger_head){ 0 };
	TRY(ledger_days(".", &days, &count));
	e = look_at_files(s, days, count);
	free(days);
	TRY(e);
	scribe_note_text(s, "started", "run %llx", (unsigned long long)s->run_id);
	return OK;
}

static enum err send_kept(void *ctx, uint64_t batch, const unsigned char prev[SHA256_LEN], const unsigned char hash[SHA256_LEN],
	const unsigned char signature[ED25519_SIGNATURE_LEN])
{
	struct scribe *s = ctx;
	unsigned char mem[136];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_put_u64(&t, batch);
	text_add(&t, bytes_of(prev, SHA256_LEN));
	text_add(&t, bytes_of(hash, SHA256_LEN));
	text_add(&t, bytes_of(signature, ED25519_SIGNATURE_LEN));
	return s->keeper ? role_send(s->keeper, MSG_LEDGER_KEPT, text_bytes(&t), NULL, 0) : ERR_CLOSED;
}

/* The keeper's head and the files': the same, or the keeper missed the last (it is shown them), or the files lack some. */
static enum err reconcile(struct scribe *s, const struct ledger_head *h)
{
	if (h->batch == s->head.batch && memcmp(h->hash, s->head.hash, SHA256_LEN) == 0)
		return OK;
	if (h->batch < s->head.batch && s->store)
		return ledger_store_batches(s->store, h->batch ? h->batch : s->head.batch - 1, send_kept, s);
	if (h->batch < s->head.batch) {
		stopped(s, "ledger.head is behind the newest file, which is sealed: restore ledger.head, or move the ledger's folder away");
		return ERR_ORDER;
	}
	LOG(EV_LEDGER_GAP, KV_UINT("files", s->head.batch), KV_UINT("keeper", h->batch));
	scribe_note_text(s, "gap", "the files ended with batch %llu, the keeper's head is batch %llu: what was between is lost or was changed",
		(unsigned long long)s->head.batch, (unsigned long long)h->batch);
	s->head = *h;
	return OK;
}

enum err scribe_on_head_is(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = run->data;
	struct reader r = { .left = m->body };
	struct ledger_head h = { .batch = reader_u64(&r) };
	struct bytes hash = reader_take(&r, SHA256_LEN), key = reader_take(&r, ED25519_PUBLIC_LEN);
	bool is_first = !s->has_looked;
	enum err e;

	if (!reader_done(&r))
		return ERR_SYNTAX;
	if (s->state != SCRIBE_ASKING || from != s->keeper)
		return OK; /* late */
	loop_timer_clear(s->run->loop, &s->patience);
	s->state = SCRIBE_IDLE;
	memcpy(h.hash, hash.at, sizeof(h.hash));
	memcpy(s->public_key, key.at, sizeof(s->public_key));
	scribe_tick(s);
	if (!s->has_looked && look(s) != OK) {
		ledger_store_close(&s->store);
		failing(s, "the newest file cannot be read");
		return OK;
	}
	s->has_looked = true;
	e = reconcile(s, &h);
	if (e == ERR_SYNTAX || e == ERR_IO)
		failing(s, "the newest file cannot be read");
	if (e != OK)
		return OK; /* asked again */
	s->asked = from;
	if (is_first) /* what waited in the rings is in the first batch: a scribe that dies often gets on all the same */
		scribe_gather(s);
	scribe_advance(s);
	return OK;
}

/* --- the day is over --- */

static bool carry(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot)
{
	struct scribe *s = ctx;
	struct item *it;
	char detail[PROCESS_MAX + 8];

	if (slot >> 24 == s->serial)
		return false; /* it opens in the batch that comes, so in the new day's file */
	it = scribe_item(s, "scribe");
	it->r = *r;
	it->r.state = LEDGER_CARRIED;
	snprintf(detail, sizeof(detail), "for worker/%u/%u", (unsigned)(owner & 0xffff), (unsigned)(owner >> 16 & 0xffffffff));
	it->r.detail = bytes_str(detail);
	scribe_copy_texts(s, &it->r);
	return false;
}

static void remove_one(struct scribe *s, const struct ledger_day *day, const char *why)
{
	char hex[2 * SHA256_LEN + 1];
	struct ledger_last last;
	struct text t;

	if (s->removal_count == REMOVALS_MAX)
		return; /* the rest at the next change of day */
	if (ledger_store_peek(day->file, &last) != OK)
		return; /* what is to be said of it cannot be read: it stays, for somebody to look at */
	text_init(&t, hex, sizeof(hex) - 1);
	hex_put(&t, bytes_of(last.head.hash, SHA256_LEN));
	hex[2 * SHA256_LEN] = 0;
	scribe_note_text(s, "removed", "%s: its last batch is %llu with hash %s, its last record %llu; %s", day->file,
		(unsigned long long)last.head.batch, hex, (unsigned long long)last.seq, why);
	memcpy(s->removals[s->removal_count++], day->file, sizeof(day->file));
}

/* Old files go, oldest first, never the one that is written. The record of it is on disk before. */
static void retention(struct scribe *s, const char *today)
{
	uint64_t now = 0, begin = 0, sum = 0;
	struct ledger_day *days = NULL;
	size_t count = 0;

	if (chain_day_parse(bytes_str(today), &now) != OK || ledger_days(".", &days, &count) != OK)
		return;
	for (size_t i = 0; i < count; i++)
		sum += size_of(days[i].file);
	for (size_t i = 0; i + 1 < count && strcmp(days[i].day, today) < 0; i++) {
		bool is_old = s->keep_days && chain_day_parse(bytes_str(days[i].day), &begin) == OK &&
			now - begin > (uint64_t)s->keep_days * DAY_US;

		if (!is_old && (s->keep_bytes == 0 || sum <= s->keep_bytes))
			break;
		remove_one(s, &days[i], is_old ? "older than ledger.keep" : "over ledger.keep_size");
		sum -= size_of(days[i].file);
	}
	free(days);
}

static void day_is_over(struct scribe *s)
{
	unsigned char mem[50];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_add(&t, bytes_str(s->day));
	text_put_u64(&t, s->head.batch);
	text_add(&t, bytes_of(s->head.hash, SHA256_LEN));
	if (role_send(s->keeper, MSG_DAY_SIGN, text_bytes(&t), NULL, 0) == OK)
		wait_for_keeper(s, SCRIBE_SEALING);
}

enum err scribe_on_day_signed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = run->data;

	if (s->state != SCRIBE_SEALING || from != s->keeper)
		return OK;
	take_back(s);
	if (m->body.at[0] != 0) {
		s->asked = NULL; /* ask for the head again */
		return OK;
	}
	if (ledger_store_seal(s->store, &s->head, m->body.at + 1) != OK) {
		failing(s, ledger_store_error(s->store));
		return OK;
	}
	ledger_store_close(&s->store);
	ledger_live_each(s->live, LEDGER_NOBODY, carry, s);
	scribe_advance(s);
	return OK;
}

/* --- the batch --- */

static enum err fill(struct scribe *s)
{
	TRY(ledger_store_begin(s->store, s->head.batch + 1, s->seq + 1));
	for (size_t i = 0; i < s->item_count; i++) {
		struct item *it = &s->items[i];
		struct ledger_record r = it->r;
		char hex[2 * SHA256_LEN + 1];

		if (it->is_whole)
			r.state = LEDGER_WHOLE;
		if (it->attachment.len) {
			TRY(ledger_store_attach(s->store, it->attachment, hex));
			r.detail = bytes_str(hex);
		}
		TRY(ledger_store_add(s->store, it->at_us, bytes_str(it->process), &r));
	}
	for (struct tap *t = s->taps; t; t = t->next)
		TRY(ledger_store_position_set(s->store, bytes_str(t->process), t->id, t->tail));
	return OK;
}

static void sign(struct scribe *s)
{
	unsigned char hash[SHA256_LEN], mem[72];
	struct text t;

	if (fill(s) != OK) {
		failing(s, ledger_store_error(s->store));
		ledger_store_rollback(s->store);
		return;
	}
	ledger_store_digest(s->store, s->head.hash, s->at_us, hash);
	text_init(&t, mem, sizeof(mem));
	text_put_u64(&t, s->head.batch + 1);
	text_add(&t, bytes_of(s->head.hash, SHA256_LEN));
	text_add(&t, bytes_of(hash, sizeof(hash)));
	if (role_send(s->keeper, MSG_LEDGER_SIGN, text_bytes(&t), NULL, 0) == OK)
		wait_for_keeper(s, SCRIBE_SIGNING);
	else
		ledger_store_rollback(s->store);
}

static void remove_files(struct scribe *s)
{
	if (s->removal_count == 0)
		return;
	for (size_t i = 0; i < s->removal_count; i++)
		if (unlink(s->removals[i]) == 0)
			LOG(EV_LEDGER_REMOVED, KV_STR("file", s->removals[i]));
	s->removal_count = 0;
	sum_older(s);
}

static void written(struct scribe *s)
{
	note_size(s);
	board_add(&s->board->records, s->item_count);
	__atomic_store_n(&s->board->batch, s->head.batch, __ATOMIC_RELAXED);
	__atomic_store_n(&s->board->written_us, s->at_us, __ATOMIC_RELAXED);
	s->is_failing = false;
	if (s->board->state == LEDGER_WRITES)
		return;
	__atomic_store_n(&s->board->state, LEDGER_WRITES, __ATOMIC_RELAXED);
	board_text_write(&s->board->why, BYTES(""));
	LOG(EV_LEDGER_WRITES, KV_STR("day", s->day), KV_UINT("batch", s->head.batch));
}

enum err scribe_on_signed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct scribe *s = run->data;
	struct reader r = { .left = m->body };
	uint64_t batch = reader_u64(&r);
	uint8_t status = reader_u8(&r);
	struct bytes signature = reader_take(&r, ED25519_SIGNATURE_LEN);
	unsigned char prev[SHA256_LEN];

	if (!reader_done(&r))
		return ERR_SYNTAX;
	if (s->state != SCRIBE_SIGNING || from != s->keeper || batch != s->head.batch + 1)
		return OK;
	loop_timer_clear(s->run->loop, &s->patience);
	if (status != 0) { /* another keeper's head, or one that missed a batch */
		take_back(s);
		s->asked = NULL;
		return OK;
	}
	s->state = SCRIBE_IDLE;
	if (ledger_store_commit(s->store, signature.at) != OK) {
		failing(s, ledger_store_error(s->store));
		return OK;
	}
	memcpy(prev, s->head.hash, sizeof(prev));
	ledger_store_last(s->store, &s->head, &s->seq);
	(void)!send_kept(s, s->head.batch, prev, s->head.hash, signature.at);
	written(s);
	remove_files(s);
	scribe_batch_done(s);
	scribe_advance(s); /* the flush at the end */
	return OK;
}

/* The last batch before Sluis ends has been written, or nothing can be. */
void scribe_flushed(struct scribe *s)
{
	s->wants_flush = false;
	if (s->store) /* no companions are left behind */
		ledger_store_close(&s->store);
	(void)!role_send(s->run->control, MSG_LEDGER_FLUSHED, BYTES(""), NULL, 0);
	role_exit(s->run, 0);
}

void scribe_advance(struct scribe *s)
{
	char today[LEDGER_DAY_LEN + 1];

	if (s->state != SCRIBE_IDLE || !s->keeper || s->is_stopped)
		return;
	if (s->asked != s->keeper) {
		if (role_send(s->keeper, MSG_LEDGER_HEAD, BYTES(""), NULL, 0) == OK)
			wait_for_keeper(s, SCRIBE_ASKING);
		return;
	}
	if (s->item_count == 0 && s->has_all && !s->said_end) {
		s->said_end = true;
		scribe_note_text(s, "stopped", "run %llx", (unsigned long long)s->run_id);
	}
	if (s->item_count == 0 && s->has_all) {
		scribe_flushed(s);
		return;
	}
	chain_day(s->at_us, today);
	if (s->store && strcmp(s->day, today) < 0 && s->head.batch) {
		day_is_over(s);
		return;
	}
	if (s->item_count == 0)
		return;
	if (!s->store) {
		if (open_day(s, today) != OK)
			return;
		s->is_retention_due = true;
	}
	if (s->is_retention_due && s->has_conf) {
		s->is_retention_due = false;
		retention(s, today);
	}
	sign(s);
}
