/* sluis isolate and release: the list is the master's. A change goes to the board first, so that it holds at once, then to
 * the disk; the asker is answered when every worker, those of old generations included, says that it has cut. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LOOK_MS    5    /* between two looks whether all workers have cut */
#define OBEY_MS    900 /* a worker that has not by then is ended, so that a second is kept: its successor begins with the list */
#define SAVE_S     10   /* between two tries to write a list that could not be written */
#define FOR_MOST_S (3660ull * 86400)

struct isolation_asker { /* who waits for the workers */
	struct admin_conn *conn;
	json_t *answer;
	uint64_t epoch, before, end_ms;
};
struct isolation {
	int fd;
	struct board_isolation *board;
	struct isolated_list list;
	struct isolation_list published; /* the same, as its readers see it */
	char state_dir[4097];
	bool is_loaded, is_unsaved;
	uint64_t save_at_ms;
	struct timer look;
	struct isolation_asker askers[ADMIN_CONNS_MAX];
	struct master *master;
};

static struct isolation all = { .fd = -1 };

/* Once for each change, after it holds. */
static void tell_change(struct master *m, const struct isolated *e, bool is_set, uid_t uid, const char *why)
{
	unsigned char mem[ISOLATION_NAME_MAX];
	struct text what;

	text_init(&what, mem, sizeof(mem));
	isolation_put(&e->entry, &what);
	LOG(is_set ? EV_ISOLATION_SET : EV_ISOLATION_RELEASED,
		KV_STR("kind", isolation_kind_name((enum isolation_kind)e->entry.kind)),
		KV_BYTES("what", text_bytes(&what)), KV_UINT("uid", uid), KV_STR("why", why));
	master_ledger_isolation(m, isolation_kind_name((enum isolation_kind)e->entry.kind), text_bytes(&what), uid,
		is_set ? "isolated" : "released", why);
}

int master_isolation_board(void)
{
	return all.fd;
}

static void publish(void)
{
	static struct isolation_entry entries[ISOLATION_MAX];

	for (size_t i = 0; i < all.list.count; i++)
		entries[i] = all.list.list[i].entry;
	board_isolation_write(all.board, entries, all.list.count);
	CHECK(board_isolation_read(all.board, &all.published));
}

static bool save(struct master *m)
{
	enum err e = isolated_save(bytes_str(all.state_dir), &all.list);

	all.is_unsaved = e != OK;
	all.save_at_ms = loop_now_ms(m->loop) + SAVE_S * 1000;
	if (e != OK)
		LOG(EV_ISOLATION_UNSAVED, KV_STR("state_dir", all.state_dir), KV_STR("result", err_name(e)),
			KV_ERRNO());
	return e == OK;
}

static enum err say(char *out, size_t size, const char *why)
{
	int error = errno;

	snprintf(out, size,
		"what is isolated stands in %s/" ISOLATED_FILE
		", and %s%s%s; mend it, or move it away and isolate anew",
		all.state_dir, why, error ? ": " : "", error ? strerror(error) : "");
	return ERR_SYNTAX;
}

static enum err load(struct bytes state_dir, char *error, size_t size)
{
	const char *why = "";
	void *at;

	snprintf(all.state_dir, sizeof(all.state_dir), "%.*s", FMT(state_dir));
	errno = 0;
	if (isolated_load(state_dir, &all.list, &why) != OK)
		return say(error, size, why);
	if (board_create(BOARD_ISOLATION, &all.fd) != OK ||
		board_map(BOARD_ISOLATION, all.fd, true, &at) != OK) {
		snprintf(error, size, "no memory for the list of what is isolated");
		return ERR_MEMORY;
	}
	all.board = at;
	all.is_loaded = true;
	if (all.list.count)
		publish();
	return OK;
}

enum err master_isolation_use(struct master *m, struct bytes state_dir, char *error, size_t size)
{
	struct bytes now = bytes_str(all.state_dir);
	char path[4097];

	all.master = m;
	if (!all.is_loaded)
		return load(state_dir, error, size);
	if (bytes_eq(state_dir, now) || (all.list.count == 0 && !all.is_unsaved))
		return OK;
	/* The list moves along, or the configuration must not come into use: a restart would forget it. */
	snprintf(path, sizeof(path), "%.*s", FMT(state_dir));
	if (state_dir.len && mkdir(path, 0700) < 0 && errno != EEXIST)
		LOG(EV_SYSTEM, KV_STR("call", "mkdir"), KV_BYTES("path", state_dir), KV_ERRNO());
	if (isolated_save(state_dir, &all.list) == OK)
		return OK;
	snprintf(error, size,
		"what is isolated cannot be written to this state_dir (%s); a restart would forget it",
		strerror(errno));
	return ERR_IO;
}

void master_isolation_activated(struct bytes state_dir)
{
	snprintf(all.state_dir, sizeof(all.state_dir), "%.*s", FMT(state_dir));
}

/* --- telling the workers --- */

static bool is_told(const struct child *c)
{
	return c->pid > 0 && c->control.fd >= 0 && (c->role == ROLE_WORKER || c->role == ROLE_DIALER);
}

static void tell(struct master *m)
{
	for (struct generation *g = m->generations; g; g = g->next)
		for (size_t i = 0; i < g->child_count; i++)
			if (is_told(&g->children[i]))
				(void)!child_send(&g->children[i], MSG_ISOLATION, BYTES(""),
					-1); /* not taken: it is ended */
}

/* All that was ever cut, wherever it stands by now. */
static uint64_t count_cut(const struct master *m)
{
	uint64_t n = m->active ? m->active->board->base[M_ISOLATION_CUT] : 0;

	for (const struct generation *g = m->generations; g; g = g->next)
		for (size_t i = 0; i < g->child_count; i++)
			if (g->children[i].counters)
				n += __atomic_load_n(&g->children[i].counters->counters[M_ISOLATION_CUT],
					     __ATOMIC_RELAXED) -
				     g->children[i].folded[M_ISOLATION_CUT];
	return n;
}

/* A worker that is only starting begins with the list; one that has ended has nobody to cut. */
static bool has_obeyed(const struct child *c, uint64_t epoch)
{
	return c->role != ROLE_WORKER || c->pid <= 0 || !c->is_ready || !c->counters ||
	       __atomic_load_n(&c->counters->isolation_epoch, __ATOMIC_ACQUIRE) >= epoch;
}

static size_t count_waiting(struct master *m, uint64_t epoch, bool is_late)
{
	size_t n = 0;

	for (struct generation *g = m->generations; g; g = g->next)
		for (size_t i = 0; i < g->child_count; i++) {
			struct child *c = &g->children[i];

			if (has_obeyed(c, epoch))
				continue;
			n++;
			if (!is_late)
				continue;
			LOG(EV_IPC_VIOLATION, KV_STR("sender", role_name(c->role)),
				KV_UINT("index", c->index), KV_INT("pid", c->pid),
				KV_STR("what", "does not obey an isolation within a second"));
			child_kill(c);
		}
	return n;
}

static void look(struct timer *t)
{
	struct isolation *a = CONTAINER_OF(t, struct isolation, look);
	struct master *m = a->master;
	bool waits = false;

	for (size_t i = 0; i < COUNT_OF(a->askers); i++) {
		struct isolation_asker *k = &a->askers[i];
		bool is_late = loop_now_ms(m->loop) >= k->end_ms;
		size_t left;

		if (!k->answer)
			continue;
		left = count_waiting(m, k->epoch, is_late);
		if (left && !is_late) {
			waits = true;
			continue;
		}
		json_object_set_new(k->answer, "cut", json_integer((json_int_t)(count_cut(m) - k->before)));
		json_object_set_new(k->answer, "ended_workers", json_integer((json_int_t)left));
		if (k->conn)
			admin_answer(k->conn, k->answer);
		else
			json_decref(k->answer);
		*k = (struct isolation_asker){ 0 };
	}
	if (waits)
		loop_timer_set(m->loop, t, LOOK_MS, look);
}

void master_isolation_on_gone(struct admin_conn *c)
{
	for (size_t i = 0; i < COUNT_OF(all.askers); i++)
		if (all.askers[i].conn == c)
			all.askers[i].conn = NULL;
}

/* Answers c when the workers have obeyed; takes answer. NULL, or an answer for now. */
static json_t *answer_later(struct master *m, struct admin_conn *c, json_t *answer, uint64_t before)
{
	for (size_t i = 0; i < COUNT_OF(all.askers); i++) {
		if (all.askers[i].answer)
			continue;
		all.askers[i] = (struct isolation_asker){ .conn = c,
			.answer = answer,
			.epoch = all.board->epoch,
			.before = before,
			.end_ms = loop_now_ms(m->loop) + OBEY_MS };
		if (!timer_is_set(&all.look))
			loop_timer_set(m->loop, &all.look, LOOK_MS, look);
		return NULL;
	}
	return answer;
}

/* --- what is meant --- */

/* "what" and what is wrong with it. */
static json_t *fail(struct bytes what, const char *problem)
{
	char buf[1024];
	json_t *j;

	snprintf(buf, sizeof(buf), "%.*s %s", FMT(what), problem);
	j = admin_error(buf);
	return j ? j : admin_error("what is to be isolated is not text");
}

static bool is_named(const struct conf *conf, struct bytes what)
{
	for (size_t i = 0; i < conf->pool_count; i++) {
		const struct conf_pool *p = &conf->pools[i];

		if (bytes_eq(p->name, what))
			return true;
		for (size_t k = 0; k < p->server_count && bytes_starts(what, p->name); k++)
			if (what.len > p->name.len && what.at[p->name.len] == '/' &&
				bytes_eq(bytes_cut(what, p->name.len + 1, what.len), p->servers[k].name))
				return true;
	}
	return false;
}

/* Also of old configurations, whose connections may still be open. */
static bool is_named_anywhere(const struct master *m, struct bytes what)
{
	for (const struct generation *g = m->generations; g; g = g->next)
		if (g->conf && is_named(g->conf, what))
			return true;
	return false;
}

/* Whether a server may be meant; of servers with DNS names the master does not know the addresses. */
static bool is_address_used(const struct conf *conf, const struct isolation_entry *e, bool names_count)
{
	for (size_t i = 0; i < conf->pool_count; i++)
		for (size_t k = 0; k < conf->pools[i].server_count; k++) {
			const struct conf_server *s = &conf->pools[i].servers[k];
			struct addr a = s->address;

			a.port = s->port;
			if (s->is_name ? names_count : isolation_covers(e, &a))
				return true;
		}
	return false;
}

static bool is_known(const struct master *m, const struct isolation_entry *e)
{
	if (e->kind != ISOLATE_TARGET || !m->active)
		return true;
	return e->name_len ? is_named(m->active->conf, bytes_of(e->name, e->name_len))
			   : is_address_used(m->active->conf, e, true);
}

static json_t *guess(const struct master *m, struct bytes what, enum isolation_kind *kind)
{
	struct isolation_entry e;
	struct addr a;

	if (isolation_parse(ISOLATE_CLIENT, what, &e) == OK) {
		*kind = ISOLATE_CLIENT;
		return is_address_used(m->active->conf, &e, false)
			       ? fail(what,
					 "is a configured server's address, and may be a client's too; add --as target or --as client")
			       : NULL;
	}
	if (addr_parse_ip(bytes_cut(what, 0, bytes_find_byte(what, '/')), &a) == OK)
		return fail(what, "is no prefix: its bits behind the prefix must be zero (10.0.0.0/8)");
	*kind = bytes_eq(what, BYTES("node")) ? ISOLATE_NODE : ISOLATE_TARGET;
	if (*kind == ISOLATE_NODE && is_named_anywhere(m, what))
		return fail(
			what, "is a pool's name, and means this whole node; add --as target or --as node");
	if (*kind == ISOLATE_NODE || (isolation_parse(ISOLATE_TARGET, what, &e) == OK && e.name_len == 0) ||
		is_named_anywhere(m, what))
		return NULL;
	return fail(what,
		"is no address, no POOL or POOL/SERVER of the configuration (sluis status lists them), and not node; a user "
		"needs --as user");
}

static json_t *recognise(
	const struct master *m, struct bytes what, struct bytes as, struct isolation_entry *out)
{
	enum isolation_kind kind = ISOLATE_CLIENT;
	json_t *wrong = NULL;

	if (!m->active)
		return admin_error("no configuration is in use yet");
	if (!what.len)
		return admin_error(
			"name what to isolate: an address or prefix, POOL, POOL/SERVER, a user, or node");
	if (!as.len)
		wrong = guess(m, what, &kind);
	else if (!isolation_kind_find(as, &kind))
		wrong = fail(as, "is not a kind: --as client, target, user or node");
	if (wrong)
		return wrong;
	if (isolation_parse(kind, what, out) != OK)
		return fail(what,
			kind == ISOLATE_CLIENT ? "is no address or prefix; write 192.0.2.7 or 10.0.0.0/8"
			: kind == ISOLATE_NODE
				? "is not this node; write node"
				: "cannot be isolated: at most 512 bytes, without control characters");
	if (kind == ISOLATE_TARGET && out->name_len && !is_named_anywhere(m, what))
		return fail(what,
			"is no POOL and no POOL/SERVER; sluis status lists them, and address or address:port is possible too");
	return NULL;
}

/* --- changes --- */

static struct isolated *find(const struct isolation_entry *e)
{
	for (size_t i = 0; i < all.list.count; i++)
		if (isolation_is_same(&all.list.list[i].entry, e))
			return &all.list.list[i];
	return NULL;
}

static void remove_at(size_t i)
{
	memmove(&all.list.list[i], &all.list.list[i + 1],
		(all.list.count - i - 1) * sizeof(all.list.list[0]));
	all.list.count--;
}

void master_isolation_tick(struct master *m)
{
	uint64_t now = loop_real_us(m->loop);
	bool changed = false;

	for (size_t i = 0; i < all.list.count;) {
		struct isolated e = all.list.list[i];

		if (!e.until_us || e.until_us > now) {
			i++;
			continue;
		}
		remove_at(i);
		changed = true;
		publish();
		tell_change(m, &e, false, e.uid, "its time is over");
	}
	if (changed)
		tell(m);
	if (changed || (all.is_unsaved && loop_now_ms(m->loop) >= all.save_at_ms))
		save(m);
}

static json_t *entry_json(const struct master *m, const struct isolated *e)
{
	unsigned char mem[ISOLATION_NAME_MAX];
	struct text what;

	text_init(&what, mem, sizeof(mem));
	isolation_put(&e->entry, &what);
	return json_pack("{s:s,s:s%,s:I,s:I,s:I,s:s,s:b}", "kind",
		isolation_kind_name((enum isolation_kind)e->entry.kind), "what", (const char *)what.at,
		what.len, "since_us", (json_int_t)e->since_us, "until_us", (json_int_t)e->until_us, "uid",
		(json_int_t)e->uid, "reason", e->reason, "known", (int)is_known(m, &e->entry));
}

static struct bytes string_of(const json_t *request, const char *key)
{
	const json_t *s = json_object_get(request, key);

	return bytes_of(json_string_value(s), json_string_length(s));
}

static json_t *done(const struct master *m, const struct isolated *e, bool already)
{
	return json_pack("{s:b,s:o,s:b,s:b}", "ok", 1, "isolation", entry_json(m, e), "already", (int)already,
		"saved", (int)!all.is_unsaved);
}

/* Reads what the request says besides WHAT. NULL: all is well. */
static json_t *take_options(struct master *m, const json_t *request, struct isolated *e)
{
	struct bytes reason = string_of(request, "reason");
	json_int_t until = json_integer_value(json_object_get(request, "until_us"));
	json_int_t seconds = json_integer_value(json_object_get(request, "for_s"));
	uint64_t now = loop_real_us(m->loop);

	if (!isolated_reason_is_good(reason))
		return admin_error("a reason is at most 256 bytes long, without control characters");
	if (seconds < 0 || (uint64_t)seconds > FOR_MOST_S)
		return admin_error("an isolation lasts at most ten years, or until sluis release");
	if (seconds)
		until = (json_int_t)(now + (uint64_t)seconds * 1000000);
	if (until < 0 || (until && (uint64_t)until <= now))
		return admin_error("the time until which it is to hold is over already");
	e->until_us = (uint64_t)until;
	if (reason.len)
		memcpy(e->reason, reason.at, reason.len);
	return NULL;
}

/* It is on the list already: a new reason or end replaces the old one, who and since stay. */
static json_t *renew(struct master *m, struct isolated *old, const struct isolated *e)
{
	if (e->until_us || e->reason[0]) {
		old->until_us = e->until_us ? e->until_us : old->until_us;
		if (e->reason[0])
			memcpy(old->reason, e->reason, sizeof(old->reason));
		tell_change(m, old, true, e->uid, e->reason);
	}
	save(m);
	return done(m, old, true);
}

json_t *master_isolate(struct master *m, struct admin_conn *c, const json_t *request)
{
	uint64_t before = count_cut(m);
	struct isolated e = { .uid = c->uid, .since_us = loop_real_us(m->loop) }, *old;
	json_t *wrong = recognise(m, string_of(request, "what"), string_of(request, "as"), &e.entry);

	if (!wrong)
		wrong = take_options(m, request, &e);
	if (wrong)
		return wrong;
	old = find(&e.entry);
	if (old)
		return answer_later(m, c, renew(m, old, &e), before);
	if (all.list.count >= ISOLATION_MAX)
		return admin_error(
			"1024 entries are isolated already; isolate a prefix or a pool instead of many single ones");
	all.list.list[all.list.count++] = e;
	publish();
	tell(m);
	save(m);
	tell_change(m, &e, true, e.uid, e.reason);
	return answer_later(m, c, done(m, &e, false), before);
}

/* By what it says, of any kind. */
json_t *master_release(struct master *m, struct admin_conn *c, const json_t *request)
{
	struct bytes what = string_of(request, "what"), as = string_of(request, "as");
	uint64_t before = count_cut(m);
	struct isolated found = { 0 };
	size_t n = 0, at = 0;

	if (!what.len)
		return admin_error("name what to release; sluis isolate list shows what is isolated");
	for (unsigned kind = 0; kind < ISOLATE_KINDS; kind++) {
		struct isolation_entry e;

		if ((as.len && !bytes_eq(as, bytes_str(isolation_kind_name((enum isolation_kind)kind)))) ||
			isolation_parse((enum isolation_kind)kind, what, &e) != OK)
			continue;
		for (size_t i = 0; i < all.list.count; i++)
			if (isolation_is_same(&all.list.list[i].entry, &e)) {
				n++;
				at = i;
			}
	}
	if (n > 1)
		return fail(what,
			"is isolated in more than one sense; add --as client, --as target, --as user or --as node");
	if (n == 0)
		return json_pack("{s:b,s:b,s:b}", "ok", 1, "already", 1, "saved", (int)!all.is_unsaved);
	found = all.list.list[at];
	remove_at(at);
	publish();
	tell(m);
	save(m);
	tell_change(m, &found, false, c->uid, "");
	return answer_later(m, c, done(m, &found, false), before);
}

json_t *master_isolated(struct master *m, struct admin_conn *c, const json_t *request)
{
	json_t *list = json_array();

	(void)c, (void)request;
	for (size_t i = 0; i < all.list.count; i++)
		json_array_append_new(list, entry_json(m, &all.list.list[i]));
	return json_pack("{s:b,s:o,s:b}", "ok", 1, "isolated", list, "saved", (int)!all.is_unsaved);
}

bool master_isolation_has(const struct conf_pool *p, const struct conf_server *s)
{
	struct addr a = s->address;

	a.port = s->port;
	return isolation_has_server(&all.published, p->name, s->name) ||
	       (!s->is_name && isolation_has_target(&all.published, &a));
}
