/* The store where it is a PostgreSQL that several nodes share: the way to it, what other nodes do, and what goes on while it is lost.
 *
 *   the dialer connects -> libpq speaks (store_connecting) -> sessions are read and held against ours -> news come by NOTIFY, at each turn's end
 *   lost: sessions that are known go on; after store_grace nobody passes, and nobody is signed out; what ends meanwhile is removed when it is back. */
#include "roles/identity_priv.h"

#include "auth/store_nodes.h"
#include "auth/store_postgresql.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "crypto/sha256.h"
#include "roles/dialed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTEMPT_MS   5000 /* from the dial to the first answer */
#define AGAIN_MS     250
#define AGAIN_MOST_MS 2000
#define TOLD_S	     60	  /* that it is still lost */
#define LOOKUPS_US   100000 /* in a second, on tokens that nobody knows: a flood of them is not to keep everybody waiting */
#define ENDED_SLOTS  (1u << 17)
#define SEEN_A_TICK  2000
#define KEY_S	     600  /* how often the others are told that our key is in use */
#define SLACK_S	     60
#define TELL_FIRST   500 /* sessions: fewer are removed in no time */
#define FLOWS_ALL    BYTES("all")

static const struct conf_store *conf_of(const struct identity *id)
{
	return &id->conf->gateway.store;
}

static void tell_board(struct identity *id)
{
	struct link *l = &id->link;
	uint32_t state = l->state == LINK_UP ? BOARD_STORE_CONNECTED : l->is_closed ? BOARD_STORE_CLOSED : BOARD_STORE_LOST;

	__atomic_store_n(&id->board->store_server, l->server, __ATOMIC_RELAXED);
	__atomic_store_n(&id->board->store_since_s, l->since_s, __ATOMIC_RELAXED);
	__atomic_store_n(&id->board->store_state, state, __ATOMIC_RELEASE);
}

/* --- what other nodes do --- */

static uint64_t number_of(const char *session)
{
	unsigned char id[8] = { 0 };
	uint64_t n;

	(void)!hex_read(bytes_str(session), id, sizeof id); /* random octets */
	memcpy(&n, id, sizeof n);
	return n;
}

void identity_store_ended(struct identity *id, const char *session)
{
	uint64_t n = number_of(session);

	if (id->link.ended)
		id->link.ended[n % ENDED_SLOTS] = n;
}

static bool has_ended(const struct identity *id, const char *session)
{
	uint64_t n = number_of(session);

	return id->link.ended[n % ENDED_SLOTS] == n;
}

static void end_elsewhere(struct identity *id, struct bytes session)
{
	struct session *s = sessions_find_id(id->sessions, session);

	if (s)
		sessions_end(id->sessions, s, IDENTITY_ELSEWHERE);
}

/* A session as the store has it now. */
static void learn(struct identity *id, const struct store_session *x, bool may_ask)
{
	struct session *s = sessions_find_id(id->sessions, bytes_str(x->id));
	struct store_session parent, before;
	struct store_user u;
	enum err e;

	if (!s && has_ended(id, x->id))
		return; /* its removal is on its way */
	if (s)
		before = s->kept;
	if (s && sessions_take(id->sessions, s, x) == OK) {
		s->round = id->link.round;
		if (s->seen_kept_s < x->seen_s)
			s->seen_kept_s = x->seen_s;
		identity_device_elsewhere(id, s, &before);
		return;
	}
	if (s) {
		LOG(EV_IDENTITY_STORE, KV_STR("what", "session_take"), KV_STR("id", x->id), KV_STR("why", "the store has another session of that id"));
		sessions_end(id->sessions, s, IDENTITY_ELSEWHERE);
		return;
	}
	if (may_ask && x->parent[0] && !sessions_find_id(id->sessions, bytes_str(x->parent))) {
		e = store_session_get(id->store, bytes_str(x->parent), &parent);
		if (e == ERR_SYNTAX)
			return; /* a browser may bring its app's cookie again and again, and the log has it */
		if (e == OK && !parent.parent[0])
			learn(id, &parent, true);
	}
	e = sessions_restore(id->sessions, x, &s);
	if (e != OK) {
		LOG(EV_IDENTITY_STORE, KV_STR("what", "session_restore"), KV_STR("id", x->id), KV_STR("why", err_name(e)));
		return;
	}
	s->round = id->link.round;
	s->seen_kept_s = x->seen_s;
	if (may_ask) { /* who it is is to be known when the store is lost */
		arena_reset(&id->scratch);
		(void)!store_user_known(id->store, x->user, &id->scratch, &u);
	}
}

static void end_flows_elsewhere(struct identity *id, struct bytes which)
{
	unsigned char sid[STORE_SID_LEN];
	struct flow_which w = { .user = 0 };
	uint64_t user;

	if (hex_read(which, sid, sizeof sid) == OK)
		w.sid = sid;
	else if (bytes_u64(which, &user) == OK && user <= INT64_MAX)
		w.user = (int64_t)user;
	else if (!bytes_eq(which, FLOWS_ALL))
		return; /* a newer Sluis's */
	flows_end_here(id, &w);
}

static void on_news(void *ctx, enum store_news_kind kind, struct bytes session, int64_t user)
{
	struct identity *id = ctx;
	struct store_session x;
	struct store_user u;
	size_t n;
	enum err e;

	switch (kind) {
	case STORE_NEWS_ENDED: end_elsewhere(id, session); break;
	case STORE_NEWS_FLOWS: end_flows_elsewhere(id, session); break;
	case STORE_NEWS_USER:
		flows_end_here(id, &(struct flow_which){ .user = user });
		if (!sessions_user_changed(id->sessions, user))
			break;
		arena_reset(&id->scratch);
		e = store_user_known(id->store, user, &id->scratch, &u);
		if (e == ERR_NOT_FOUND || (e == OK && u.is_disabled))
			(void)!identity_end_user(id, user, "disabled", &n);
		else if (e != OK && e != ERR_SYNTAX) /* who cannot be read is refused, until the row is put right */
			store_disconnect(id->store, "who a user is could not be read"); /* all is read anew */
		break;
	case STORE_NEWS_SESSION:
		e = store_session_get(id->store, session, &x);
		if (e == OK)
			learn(id, &x, true);
		else if (e == ERR_NOT_FOUND || e == ERR_SYNTAX)
			end_elsewhere(id, session);
		else
			store_disconnect(id->store, "a session that changed could not be read");
		break;
	}
}

/* --- the connection --- */

static void stop_watching(struct identity *id)
{
	struct watch *w = &id->link.watch;

	if (w->fd < 0)
		return;
	loop_remove(id->run->loop, w, false);
	fd_close(&w->fd);
}

static void try_again(struct timer *t);

static void lost(struct identity *id, const char *why)
{
	struct link *l = &id->link;
	const struct conf_pool *p = conf_of(id)->is_shared ? &id->conf->pools[conf_of(id)->pool] : NULL;
	uint64_t now_s = identity_now_s(id);
	bool was_up = l->state == LINK_UP;
	char said[400];

	snprintf(said, sizeof said, "%s", why); /* it may be the store's */
	stop_watching(id);
	store_disconnect(id->store, said);
	l->state = LINK_DOWN;
	if (was_up || l->told_s == 0 || now_s >= l->told_s + TOLD_S) {
		LOG(EV_STORE_LOST, KV_BYTES("server", p && l->server < p->server_count ? p->servers[l->server].name : BYTES("?")), KV_STR("why", said));
		l->told_s = now_s;
	}
	if (was_up) {
		l->since_s = now_s;
		l->lost_ms = loop_now_ms(id->run->loop);
		l->again_ms = 0;
	} else if (p) {
		l->server = (uint16_t)((l->server + 1u) % p->server_count);
	}
	tell_board(id);
	loop_timer_set(id->run->loop, &l->timer, l->again_ms, try_again);
	l->again_ms = l->again_ms < AGAIN_MS ? AGAIN_MS : l->again_ms * 2 > AGAIN_MOST_MS ? AGAIN_MOST_MS : l->again_ms * 2;
}

static bool is_gone(void *ctx, const struct session *s)
{
	const struct identity *id = ctx;

	return s->round != id->link.round && s->parent_generation == 0;
}

static bool is_gone_of_app(void *ctx, const struct session *s)
{
	const struct identity *id = ctx;

	return s->round != id->link.round;
}

static bool learn_one(void *ctx, const struct store_session *x)
{
	learn(ctx, x, false);
	return true;
}

/* What ended while it was lost goes first, or it would be read back. */
static enum err remove_ended(struct identity *id)
{
	struct removals *r = &id->link.removals;

	if (!r->count)
		return OK;
	TRY(store_begin(id->store));
	for (size_t i = 0; i < r->count; i++)
		(void)!store_session_remove(id->store, r->ids[i]); /* the commit says whether */
	TRY(store_commit(id->store));
	for (size_t i = 0; i < r->count; i++) /* it may have been learned again, where its number was forgotten */
		end_elsewhere(id, bytes_str(r->ids[i]));
	removals_done(r);
	return OK;
}

static void changed(void *ctx, int64_t user)
{
	struct identity *id = ctx;

	(void)sessions_user_changed(id->sessions, user);
}

static enum err read_all(struct identity *id)
{
	TRY(remove_ended(id));
	TRY(store_know_all(id->store, changed, id));
	id->link.round++;
	TRY(store_sessions(id->store, learn_one, id));
	sessions_end_all(id->sessions, is_gone, id, IDENTITY_ELSEWHERE);
	sessions_end_all(id->sessions, is_gone_of_app, id, IDENTITY_ELSEWHERE);
	return OK;
}

static void on_readable(struct watch *w, uint32_t events)
{
	(void)w, (void)events; /* identity_store_turn looks, at the end of each turn */
}

static void connected(struct identity *id)
{
	struct link *l = &id->link;
	const struct conf_pool *p = &id->conf->pools[conf_of(id)->pool];

	loop_timer_clear(id->run->loop, &l->timer);
	if (read_all(id) != OK) {
		lost(id, store_error(id->store));
		return;
	}
	l->watch.on_event = on_readable;
	if (loop_change(id->run->loop, &l->watch, EPOLLIN) != OK) {
		lost(id, "no place in the loop");
		return;
	}
	l->state = LINK_UP;
	l->is_closed = false;
	l->again_ms = 0;
	l->told_s = 0;
	l->key_told_s = 0;
	l->since_s = identity_now_s(id);
	tell_board(id);
	LOG(EV_STORE_BACK, KV_BYTES("server", p->servers[l->server].name), KV_UINT("sessions", sessions_count(id->sessions)));
	/* What others ended meanwhile nobody has told us, and what we ended nobody has told them. */
	flows_end_here(id, &(struct flow_which){ .user = 0 });
	if (l->has_flows_to_tell)
		identity_store_tell_flows(id, &(struct flow_which){ .user = 0 });
	identity_store_tick(id); /* our key, for the others */
}

static void go_on(struct identity *id)
{
	struct link *l = &id->link;
	bool wants_write = false;
	enum err e = store_connecting(id->store, &wants_write);

	if (e == OK)
		connected(id);
	else if (e != ERR_AGAIN)
		lost(id, store_error(id->store));
	else if (loop_change(id->run->loop, &l->watch, EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0)) != OK)
		lost(id, "no place in the loop");
}

static void on_event(struct watch *w, uint32_t events)
{
	(void)events;
	go_on(CONTAINER_OF(w, struct identity, link.watch));
}

static void too_long(struct timer *t)
{
	lost(CONTAINER_OF(t, struct identity, link.timer), "no connection within the time limit");
}

/* libpq closes its descriptor by itself, so the loop has a copy. */
static enum err speak(struct identity *id, int fd, const struct addr *to)
{
	const struct conf_store *c = conf_of(id);
	const struct conf_server *s = &id->conf->pools[c->pool].servers[id->link.server];
	struct link *l = &id->link;
	struct store_server server = { .host = s->host, .address = *to, .user = c->user, .database = c->database, .password = text_bytes(&l->password),
		.ca = c->has_tls ? l->ca_path : NULL };
	enum err e;

	l->watch = (struct watch){ .fd = fd_copy(fd), .on_event = on_event };
	dialed_give(fd);
	e = store_connect(id->store, &server);
	dialed_give(-1);
	if (l->watch.fd < 0)
		return store_disconnect(id->store, "no descriptor left"), ERR_LIMIT;
	if (e != ERR_AGAIN)
		return e;
	return loop_add(id->run->loop, &l->watch, EPOLLIN | EPOLLOUT);
}

enum err identity_store_on_dialed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data;
	struct link *l = &id->link;
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	enum err e = (enum err)reader_u8(&r);
	int error = (int)reader_u32(&r), fd;
	struct addr to = { .port = 0 };
	struct bytes ip;

	(void)from;
	if (l->state != LINK_DIALING || request != l->dial)
		return OK; /* one that was given up */
	if (m->type == MSG_DIAL_FAILED) {
		errno = error;
		lost(id, e == ERR_NOT_FOUND ? "no address of the name is known" : e == ERR_DENIED ? "isolated, or the ledger cannot be written" :
			e == ERR_TIMEOUT ? "no connection within the time limit" : error ? strerror(error) : err_name(e));
		return OK;
	}
	if (m->fds_lost) {
		lost(id, "no descriptor left");
		return OK;
	}
	ip = reader_take(&r, sizeof to.ip);
	if (ip.len == sizeof to.ip)
		memcpy(to.ip, ip.at, sizeof to.ip);
	to.port = reader_u16(&r);
	fd = m->fds[0];
	m->fds[0] = -1;
	l->state = LINK_CONNECTING;
	if (speak(id, fd, &to) != OK)
		lost(id, store_error(id->store));
	return OK;
}

static void try_again(struct timer *t)
{
	struct identity *id = CONTAINER_OF(t, struct identity, link.timer);
	struct link *l = &id->link;
	struct channel *dialer = NULL;
	unsigned char mem[8];
	struct text body;

	if (!conf_of(id)->is_shared)
		return;
	/* Of the configuration in use: others may number their servers otherwise. */
	for (struct channel *c = id->run->channels; c; c = c->next)
		if (c->role == ROLE_DIALER && c->index == (uint16_t)id->generation && !c->is_closed)
			dialer = c;
	text_init(&body, mem, sizeof mem);
	text_put_u32(&body, ++l->dial);
	text_put_u16(&body, conf_of(id)->pool);
	text_put_u16(&body, l->server);
	if (!dialer || role_send(dialer, MSG_DIAL, text_bytes(&body), NULL, 0) != OK) {
		loop_timer_set(id->run->loop, t, AGAIN_MS, try_again); /* it is on its way */
		return;
	}
	l->state = LINK_DIALING;
	loop_timer_set(id->run->loop, t, ATTEMPT_MS, too_long);
}

/* --- what the other parts of identity ask --- */

static void forget_password(struct link *l)
{
	secret_wipe(l->password_mem, sizeof l->password_mem);
	text_init(&l->password, l->password_mem, sizeof l->password_mem);
}

static enum err take_conf(struct identity *id)
{
	struct link *l = &id->link;
	const struct conf_store *c = conf_of(id);
	unsigned char hash[SHA256_LEN];
	int ca = -1;

	sha256_of(c->has_tls ? c->ca_pem : BYTES(""), hash);
	if (l->ca < 0 || !c->has_tls || memcmp(hash, l->ca_hash, sizeof hash) != 0) {
		if (c->has_tls)
			TRY(memfd_sealed("sluis-ca", c->ca_pem, &ca));
		/* libpq opens the file in the middle of connecting: the one before stays until there is another one after this. */
		fd_close(&l->ca_before);
		l->ca_before = l->ca;
		l->ca = ca;
		l->ca_path[0] = 0;
		if (ca >= 0)
			snprintf(l->ca_path, sizeof l->ca_path, "/proc/self/fd/%d", ca);
		memcpy(l->ca_hash, hash, sizeof hash);
	}
	if (!c->has_password)
		forget_password(l);
	snprintf(l->url, sizeof l->url, "%.*s", FMT(c->url));
	return OK;
}

enum err identity_store_on_secret(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data ? run->data : identity_self();
	struct link *l = &id->link;

	(void)from;
	if (m->fds_lost)
		return ERR_LIMIT;
	forget_password(l);
	if (fd_read_at_start(m->fds[0], &l->password) != OK)
		l->password.len = 0; /* the server says no, and the log tells */
	while (l->password.len && (l->password.at[l->password.len - 1] == '\n' || l->password.at[l->password.len - 1] == '\r'))
		l->password.len--;
	return OK;
}

void identity_store_init(struct identity *id)
{
	static const char *const files[] = { "HOME", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGPASSFILE", "PGSSLCRLDIR", "PGCHANNELBINDING", "PGREQUIREPEER",
		"PGSSLMAXPROTOCOLVERSION", "PGKRBSRVNAME", "PGGSSLIB", "PGSSLSNI", "PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE" };

	for (size_t i = 0; i < COUNT_OF(files); i++) /* what the configuration does not say libpq would take from there */
		unsetenv(files[i]);
	setenv("HOME", "/nonexistent", 1); /* else libpq looks for it in the list of users */
	id->link.watch.fd = id->link.ca = id->link.ca_before = id->link.removals.fd = -1;
}

enum err identity_store_open(struct identity *id)
{
	struct link *l = &id->link;

	if (!conf_of(id)->is_shared)
		return store_open(".", &id->store);
	l->is_shared = true;
	l->is_closed = true; /* nobody is known yet */
	l->since_s = identity_now_s(id);
	TRY(take_conf(id));
	TRY(removals_open(&l->removals));
	l->ended = calloc(ENDED_SLOTS, sizeof *l->ended);
	return l->ended ? store_open_postgresql(bytes_str(l->url), &id->store) : ERR_MEMORY;
}

void identity_store_run(struct identity *id)
{
	if (!id->link.is_shared)
		return;
	tell_board(id);
	loop_timer_set(id->run->loop, &id->link.timer, 0, try_again);
}

void identity_store_config(struct identity *id)
{
	struct link *l = &id->link;
	bool is_other;

	if (!l->is_shared || !conf_of(id)->is_shared)
		return; /* the master does not let it change from one to the other */
	is_other = !bytes_eq(conf_of(id)->url, bytes_str(l->url));
	if (take_conf(id) != OK)
		LOG(EV_IDENTITY_STORE, KV_STR("what", "store_ca"), KV_STR("why", "no memory for the authorities: they are as before"));
	if (is_other)
		l->server = 0;
	if (is_other && l->state != LINK_DOWN) {
		snprintf(l->url, sizeof l->url, "%.*s", FMT(conf_of(id)->url));
		lost(id, "the configuration names another store");
	}
}

bool identity_store_is_lost(const struct identity *id)
{
	return id->link.is_shared && (id->link.state != LINK_UP || !store_is_connected(id->store));
}

void identity_store_fails(const struct identity *id, const char *what)
{
	if (!identity_store_is_lost(id))
		LOG(EV_IDENTITY_STORE, KV_STR("what", what), KV_STR("why", store_error(id->store)));
}

bool identity_store_is_closed(const struct identity *id)
{
	return id->link.is_closed;
}

struct ends_walk {
	struct identity *id;
	bool (*match)(void *ctx, const struct session *s);
	void *ctx;
	struct text ids;
	unsigned char mem[STORE_ENDED_MOST * 17];
	enum err e;
};

static bool tell_end(void *ctx, struct session *s)
{
	struct ends_walk *w = ctx;

	if (!w->match(w->ctx, s))
		return true;
	if (w->ids.len)
		text_byte(&w->ids, ' ');
	text_str(&w->ids, s->kept.id);
	if (w->ids.cap - w->ids.len < 17) {
		w->e = store_tell_ended(w->id->store, text_bytes(&w->ids));
		w->ids.len = 0;
	}
	return w->e == OK;
}

void identity_store_tell_ends(struct identity *id, bool (*match)(void *ctx, const struct session *s), void *ctx)
{
	struct ends_walk w = { .id = id, .match = match, .ctx = ctx };

	if (id->link.state != LINK_UP || sessions_count(id->sessions) < TELL_FIRST || store_begin(id->store) != OK)
		return;
	text_init(&w.ids, w.mem, sizeof w.mem);
	sessions_each(id->sessions, tell_end, &w);
	if (w.e == OK && w.ids.len)
		w.e = store_tell_ended(id->store, text_bytes(&w.ids));
	if (store_commit(id->store) != OK || w.e != OK)
		identity_store_fails(id, "tell_ended"); /* they hear it with the removal */
}

void identity_store_tell_flows(struct identity *id, const struct flow_which *w)
{
	unsigned char mem[2 * STORE_SID_LEN + 1];
	enum err e = ERR_IO;
	struct text t;

	if (!id->link.is_shared)
		return;
	text_init(&t, mem, sizeof mem);
	if (w->sid)
		hex_put(&t, bytes_of(w->sid, STORE_SID_LEN));
	else if (w->user)
		text_u64(&t, (uint64_t)w->user);
	else
		text_add(&t, FLOWS_ALL);
	if (id->link.state == LINK_UP && store_begin(id->store) == OK) {
		e = store_tell_flows(id->store, text_bytes(&t));
		if (store_commit(id->store) != OK)
			e = ERR_IO;
	}
	id->link.has_flows_to_tell = e != OK && (id->link.has_flows_to_tell || identity_store_is_lost(id));
	if (e != OK)
		identity_store_fails(id, "tell_flows");
}

uint64_t identity_store_seen(void *ctx, const struct session *s)
{
	struct identity *id = ctx;
	struct store_session x;
	enum err e;

	if (!id->link.is_shared)
		return 0;
	if (id->link.state != LINK_UP)
		return UINT64_MAX;
	e = store_session_get(id->store, bytes_str(s->kept.id), &x);
	return e == OK ? x.seen_s : e == ERR_NOT_FOUND || e == ERR_SYNTAX ? 0 : UINT64_MAX;
}

uint32_t identity_store_slack(const struct identity *id)
{
	return id->conf->gateway.store.is_shared ? SLACK_S : 0;
}

struct session *identity_find(struct identity *id, struct bytes token)
{
	uint64_t now_s = identity_now_s(id), begin_us;
	struct session *s = sessions_find(id->sessions, token, now_s);
	unsigned char hash[SHA256_LEN];
	struct store_session x;
	struct link *l = &id->link;

	if (s || l->state != LINK_UP || token.len != AUTH_TOKEN_LEN)
		return s;
	if (l->lookups_s != now_s) {
		l->lookups_s = now_s;
		l->lookups_us = 0;
	}
	if (l->lookups_us >= LOOKUPS_US) /* a session that is new at another node is told of in a moment anyway */
		return NULL;
	begin_us = clock_mono_us();
	sha256_of(token, hash);
	if (store_session_by_hash(id->store, hash, &x) == OK)
		learn(id, &x, true);
	l->lookups_us += clock_mono_us() - begin_us;
	secret_wipe(hash, sizeof hash);
	return sessions_find(id->sessions, token, now_s);
}

struct seen_walk { struct identity *id; struct session *list[SEEN_A_TICK]; unsigned count; uint32_t from; };

static bool note_seen(void *ctx, struct session *s)
{
	struct seen_walk *w = ctx;

	if (s->slot >= w->from && s->kept.seen_s > s->seen_kept_s)
		w->list[w->count++] = s;
	return w->count < SEEN_A_TICK;
}

static int by_id(const void *a, const void *b)
{
	const struct session *const *x = a, *const *y = b;

	return strcmp((*x)->kept.id, (*y)->kept.id);
}

/* In the order of their ids, and with nothing else: nodes that write the same rows do not wait for each other in a ring. False: no more now. */
static bool keep_seen(struct identity *id)
{
	static struct seen_walk w;
	bool is_last;
	enum err e;

	w = (struct seen_walk){ .id = id, .from = id->link.seen_slot };
	sessions_each(id->sessions, note_seen, &w);
	is_last = w.count < SEEN_A_TICK;
	id->link.seen_slot = is_last ? 0 : w.list[w.count - 1]->slot + 1;
	if (w.count == 0 || store_begin(id->store) != OK)
		return false;
	qsort(w.list, w.count, sizeof(struct session *), by_id);
	for (unsigned i = 0; i < w.count; i++)
		(void)!store_session_seen(id->store, w.list[i]->kept.id, w.list[i]->kept.seen_s); /* the commit says whether */
	e = store_commit(id->store);
	for (unsigned i = 0; i < w.count && e == OK; i++)
		w.list[i]->seen_kept_s = w.list[i]->kept.seen_s + SLACK_S / 4; /* at most four times a minute */
	return e == OK && !is_last;
}

void identity_store_keep_seen(struct identity *id, bool all)
{
	if (id->link.state != LINK_UP)
		return;
	if (all)
		id->link.seen_slot = 0;
	while (keep_seen(id) && all)
		;
}

enum err identity_store_remove_of(struct identity *id, int64_t user)
{
	return id->link.state == LINK_UP ? store_session_remove_of(id->store, user) : OK;
}

void identity_store_tick(struct identity *id)
{
	struct link *l = &id->link;
	uint64_t now_s = identity_now_s(id);

	if (!l->is_shared)
		return;
	if (l->state == LINK_UP && l->removals.count && remove_ended(id) != OK)
		identity_store_fails(id, "session_remove");
	if (l->state == LINK_UP && id->has_key && now_s >= l->key_told_s + KEY_S) {
		if (store_key_put(id->store, id->key, now_s) == OK)
			l->key_told_s = now_s;
		else
			identity_store_fails(id, "key_put");
	}
	if (l->state != LINK_UP && !l->is_closed && loop_now_ms(id->run->loop) >= l->lost_ms + conf_of(id)->grace_s * UINT64_C(1000)) {
		l->is_closed = true;
		LOG(EV_STORE_CLOSED, KV_UINT("after", conf_of(id)->grace_s));
		sessions_all_changed(id->sessions); /* workers ask again, and nobody passes */
		tell_board(id);
	}
}

void identity_store_turn(struct identity *id)
{
	struct link *l = &id->link;

	removals_keep(&l->removals);
	if (l->state != LINK_UP)
		return;
	if (!store_is_connected(id->store) || store_news(id->store, on_news, id) != OK)
		lost(id, store_error(id->store));
}

void identity_store_end(struct identity *id)
{
	struct link *l = &id->link;

	loop_timer_clear(id->run->loop, &l->timer);
	stop_watching(id);
	fd_close(&l->ca);
	fd_close(&l->ca_before);
	forget_password(l);
	removals_keep(&l->removals);
	removals_free(&l->removals);
	free(l->ended);
	l->ended = NULL;
}

bool identity_store_code(struct identity *id, const struct code *k, const struct session *s)
{
	struct store_code c = { .target = bytes_str(k->target), .until_s = k->until_s };

	memcpy(c.hash, k->hash, sizeof c.hash);
	memcpy(c.nonce, k->nonce, sizeof c.nonce);
	memcpy(c.session, s->kept.id, sizeof c.session);
	memcpy(c.host, k->host, sizeof c.host);
	if (store_code_put(id->store, &c, identity_now_s(id)) == OK)
		return true;
	identity_store_fails(id, "code_put");
	return false;
}

bool identity_store_code_take(struct identity *id, const unsigned char hash[32], struct code *out)
{
	struct store_code c;
	struct store_session x;
	struct session *s;

	if (store_code_take(id->store, hash, &id->arena, &c) != OK || c.until_s <= identity_now_s(id))
		return false;
	if (!sessions_find_id(id->sessions, bytes_str(c.session)) && store_session_get(id->store, bytes_str(c.session), &x) == OK)
		learn(id, &x, true); /* it is new, and its news have not come yet */
	s = sessions_find_id(id->sessions, bytes_str(c.session));
	*out = (struct code){ .until_s = c.until_s, .target = s ? malloc(c.target.len + 1) : NULL };
	if (!out->target)
		return false;
	memcpy(out->target, c.target.at, c.target.len);
	out->target[c.target.len] = 0;
	memcpy(out->hash, c.hash, sizeof out->hash);
	memcpy(out->nonce, c.nonce, sizeof out->nonce);
	memcpy(out->host, c.host, sizeof out->host);
	out->slot = s->slot;
	out->generation = s->generation;
	return true;
}
