/* Takes alerts from a journal to destinations: each in order, one at a time, again and again until it is taken; only then its position is
 * written, so that a restart loses nothing (and may repeat one: receivers drop repeats by id). One thread, nothing blocks but the
 * disk. libcurl may resolve names in threads of its own. docs/alerts.md has what receivers need to know. */
#ifndef ALERT_DELIVER_H
#define ALERT_DELIVER_H

#include "alert/alert.h"
#include "alert/journal.h"

enum deliver_kind { DELIVER_FILE, DELIVER_SYSLOG_UDP, DELIVER_SYSLOG_TCP, DELIVER_SYSLOG_TLS, DELIVER_WEBHOOK, DELIVER_MAIL };

#define DELIVER_URL_MAX	   1000
#define DELIVER_TEXT_MAX   250
#define DELIVER_SECRET_MAX 256
#define DELIVER_ERROR_MAX  600
#define DELIVER_TOS_MAX	   64

/* A destination. deliver_to_parse fills name, kind, url and the defaults; the rest is the caller's to set. */
struct deliver_to {
	char name[JOURNAL_NAME_MAX + 1];
	enum deliver_kind kind;
	char url[DELIVER_URL_MAX + 1];	 /* as written; of a file: its path */
	char from[DELIVER_TEXT_MAX + 1]; /* mail: bare addresses */
	char to[DELIVER_TEXT_MAX + 1];
	char user[DELIVER_TEXT_MAX + 1];	   /* mail: signs in with secret as its password; "" does not */
	unsigned char secret[DELIVER_SECRET_MAX]; /* webhook: the key of signatures; mail: the password */
	size_t secret_len;			   /* 0: none; a webhook without is not signed */
	char ca[DELIVER_URL_MAX + 1];		   /* a PEM file of authorities: instead of the system's. "": the system's */
	enum alert_lang language;		   /* mail */
	unsigned facility;			   /* syslog, 0 to 23 */
	unsigned mail_gap_s;			   /* at least so long between two mails; 60 */
	bool is_loopback;			   /* the host is an address of this machine: plain http and smtp are allowed */
};

/* url: file:/PATH, syslog+udp://HOST[:514], syslog+tcp://HOST[:601] (RFC 6587 3.4.1), syslog+tls://HOST[:6514] (RFC 5425),
 * https://..., http://127.0.0.1... (loopback addresses only), smtp://HOST[:25] (STARTTLS is required but on loopback), smtps://HOST[:465].
 * ERR_SYNTAX with error: what is wrong and what to write. */
enum err deliver_to_parse(const char *name, const char *url, struct deliver_to *out, char error[DELIVER_ERROR_MAX]) MUST_USE;
/* Whether all that the kind needs is there (from, to, user with secret) and the files can be read; ERR_SYNTAX with error. */
enum err deliver_to_check(const struct deliver_to *to, char error[DELIVER_ERROR_MAX]) MUST_USE;
/* Wipes the secret. */
void deliver_to_fini(struct deliver_to *to);

struct deliver_options {
	const char *host; /* of this machine, for mails; "" not known */
	/* A destination begins to fail, or works again (error is ""): once per change, not per try. */
	void (*on_state)(void *ctx, const char *name, bool is_failing, const char *error);
	/* A line of the journal that is no alert was passed over, or a position could not be written. */
	void (*on_problem)(void *ctx, const char *name, const char *what);
	void *ctx;
};

struct deliver;

/* folder: of the journal, stays the caller's. tos are copied (names differ); at most DELIVER_TOS_MAX. Where no destination of the journal
 * has a position yet, all begin with its first line; one that is added later begins with the next to come. ERR_SYNTAX: a position file that
 * is none, or two of one name; ERR_IO; ERR_MEMORY; with error. */
enum err deliver_new(int folder, const struct deliver_to *tos, size_t count, const struct deliver_options *options, struct deliver **out,
	char error[DELIVER_ERROR_MAX]) MUST_USE;
/* Breaks off what is under way (it is sent again after the next start) and wipes secrets. */
void deliver_free(struct deliver **d);
/* Does what can be done without waiting. now_ms: a clock that only goes forward; real_us: since 1970, for signatures and mails. Returns after how
 * many ms it wants to be called again at the latest (at most 1000: other processes may have written to the journal); earlier when
 * deliver_wait returns. */
unsigned deliver_step(struct deliver *d, uint64_t now_ms, uint64_t real_us);
/* Waits until a connection, or extra_fd (-1: none), can go on, or ms have passed, or deliver_wakeup. True: extra_fd is readable. */
bool deliver_wait(struct deliver *d, int extra_fd, unsigned ms);
/* Ends a wait; the only function that another thread may call. */
void deliver_wakeup(struct deliver *d);
/* How many destinations have all that is in the journal now, and how many fail. */
size_t deliver_done(const struct deliver *d);
size_t deliver_failing(const struct deliver *d);

#endif
