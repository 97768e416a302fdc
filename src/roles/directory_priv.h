/* directory's parts: the process, its questions and its connections (directory.c), and how LDAP is spoken (directory_ldap.c). One thread, one question
 * at a time: whoever answers may block, until the question's time is over. */
#ifndef ROLES_DIRECTORY_PRIV_H
#define ROLES_DIRECTORY_PRIV_H

#include "auth/directory.h"
#include "base/arena.h"
#include "conf/conf.h"
#include "roles/role.h"

#define SECRETS_MAX	   64
#define SECRET_MAX	   1024 /* octets of a password for another service */
#define DIRECTORY_SPARE_MS 5000 /* behind a question's time limit: then the process ends */

struct directory {
	struct role_run *run;
	struct conf *conf;
	struct channel *dialer; /* NULL: none now */
	uint32_t dials;
	struct bytes secrets[SECRETS_MAX]; /* by their numbers in conf, without the line's end; .at NULL: not given */
	struct arena arena;		   /* of one question: what its answer looks into */
};

uint64_t directory_now_ms(void); /* monotonic; the loop's time stands still while a question is asked */
/* A connection to a server of a provider's pool, made by the dialer; the caller's, and it does not block. Waits for it until end_ms. Not OK: *why (the
 * arena's) says what failed. */
enum err directory_dial(struct directory *d, uint16_t pool, uint16_t server, uint64_t end_ms, int *fd, struct bytes *why) MUST_USE;
/* Text in the arena; empty where it has no room. */
struct bytes directory_text(struct directory *d, const char *fmt, ...) PRINTF(2, 3);
/* The answer says why, and that status. */
void directory_refuse(struct directory_answer *a, enum directory_status status, struct bytes why);

/* directory_ldap.c */
/* Before the jail: authorities are read. */
enum err ldap_start(struct directory *d) MUST_USE;
/* DIRECTORY_PASSWORD and DIRECTORY_LOOKUP. a->request is filled in already. */
void ldap_answer(struct directory *d, const struct conf_ldap *p, const struct directory_ask *ask, uint64_t end_ms, struct directory_answer *a);

/* directory_oidc.c */
/* Before the jail: libraries are prepared. */
enum err oidc_start(struct directory *d) MUST_USE;
/* The other kinds, likewise. */
void oidc_answer(struct directory *d, const struct conf_oidc *o, const struct directory_ask *q, uint64_t end_ms, struct directory_answer *out);

#endif
