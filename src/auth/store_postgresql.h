/* The store in a PostgreSQL that several nodes share: one truth about users, factors and sessions behind the functions of auth/store.h. The
 * connection is made elsewhere (sluis-identity has no network): its descriptor is handed to libpq by roles/dialed.h. A call blocks for one round trip, and
 * STORE_WAIT_MS at most: then, as at any other failure of the connection, it is over, and all calls are ERR_IO at once until there is another one.
 * What other nodes change is told by NOTIFY, which triggers of the schema send with the change itself (store_news). */
#ifndef AUTH_STORE_POSTGRESQL_H
#define AUTH_STORE_POSTGRESQL_H

#include "auth/store.h"

#define STORE_WAIT_MS	2000
#define STORE_SETUP_MS	5000 /* making the tables: another node may be at it */
#define STORE_HOST_MAX	255

struct store_server {
	struct bytes host;    /* as its certificate must say; an address likewise */
	struct addr address;  /* where the descriptor leads */
	struct bytes user, database, password;
	const char *ca;	      /* file of certificates that it is checked with; NULL: no TLS */
};
enum store_news_kind { STORE_NEWS_SESSION, STORE_NEWS_ENDED, STORE_NEWS_USER, STORE_NEWS_FLOWS };

/* Not connected yet. what: for messages, "postgresql://sluis@db.example.org/sluis". ERR_MEMORY. */
enum err store_open_postgresql(struct bytes what, struct store **out) MUST_USE;
bool store_is_connected(const struct store *s);
/* Begins; the connection before is closed. ERR_AGAIN: see store_connecting. ERR_IO: store_error says why. */
enum err store_connect(struct store *s, const struct store_server *to) MUST_USE;
/* When store_fd can be read, or written where *wants_write. OK: it is connected, has this Sluis's schema, and tells news from here on. ERR_AGAIN: goes
 * on. ERR_IO: no; ERR_ORDER: the schema is a newer Sluis's; store_error says why. */
enum err store_connecting(struct store *s, bool *wants_write) MUST_USE;
int store_fd(const struct store *s); /* the library's; -1: none */
void store_disconnect(struct store *s, const char *why);
/* What other nodes did since it was last asked, as far as it has come: a session is new or has changed, has ended (id), a user has changed, sign-ins
 * under way have ended (id: as store_tell_flows was given it). Also after any other call, for news come with answers. ERR_IO: the connection is lost. */
enum err store_news(struct store *s, void (*one)(void *ctx, enum store_news_kind kind, struct bytes id, int64_t user), void *ctx) MUST_USE;
/* For store_user_known: all who have a session, anew; changed: of whom something is another than was known, and who is not
 * among them any more: he has no session, or his row cannot be read. */
enum err store_know_all(struct store *s, void (*changed)(void *ctx, int64_t user), void *ctx) MUST_USE;

#endif
