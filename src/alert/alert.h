/* An alert in the forms that destinations take: one JSON line (the form that is kept), a mail, a syslog message. Bytes only: no file, no
 * socket, no clock. docs/alerts.md has the fields. */
#ifndef ALERT_ALERT_H
#define ALERT_ALERT_H

#include "alert/group.h"
#include "base/text.h"

#include <jansson.h>

#define ALERT_LINE_MAX	 (80u << 10) /* octets of a JSON line, its LF included */
#define ALERT_SYSLOG_MAX 8192	     /* octets of a syslog message; RFC 5424 6.1: receivers SHOULD take 2048 and may cut longer ones */
#define ALERT_MAIL_MAX	 (1u << 20)
#define ALERT_MAIL_ALERTS_MAX 50

enum alert_lang { ALERT_EN, ALERT_NL };

const char *alert_kind_name(enum alert_kind k); /* first, again, limited */

/* Appends one line with its LF, at most ALERT_LINE_MAX. host: observer.hostname, "" not known. Bytes that are no UTF-8 become U+FFFD. */
void alert_put_json(struct text *t, const struct alert *a, const char *host, uint64_t now_us);

/* What destinations need of a line. Texts are UTF-8, views into root; what is not there is empty. They may hold control octets. */
struct alert_fields {
	json_t *root;
	struct bytes id; /* ALERT_ID_LEN digits and a-f; always there */
	enum alert_kind kind;
	enum hunt_class class;
	struct bytes host, time, time_from, created; /* time: @timestamp, RFC 3339; created: event.created */
	struct bytes rule, title, advisories, source; /* advisories: the first; source: sluis.source */
	struct bytes client, method, url, user_agent, user, path, where, note, message;
	struct bytes first, last; /* RFC 3339 */
	uint64_t count, status, line;
	const json_t *held; /* sluis.held: a list, or NULL */
};

/* line: with or without its LF. ERR_SYNTAX: no alert of ours (no object, no id, kind or class); ERR_LIMIT: over ALERT_LINE_MAX. On success
 * alert_fields_fini frees. */
enum err alert_read_json(struct bytes line, struct alert_fields *out) MUST_USE;
void alert_fields_fini(struct alert_fields *f);

/* What to do next, by class (alert/next.tbl): appends the step i (from 0) for people, one line without its end; false: there are no more.
 * Commands in it name the advisory and the client where these are plain (they come from packs and from strangers, and are copied into
 * shells), else the words CVE and CLIENT. */
#define ALERT_SOURCE_GATEWAY "gateway" /* sluis.source of what is about people's sign-ins and sessions */
enum alert_of { ALERT_OF_HUNT, ALERT_OF_GATEWAY };
enum alert_of alert_of_source(struct bytes source);
bool alert_put_next(struct text *t, enum hunt_class c, enum alert_of of, enum alert_lang language, size_t i, struct bytes advisory, struct bytes client);

struct alert_mail {
	const char *from, *to; /* bare addresses */
	const char *host;      /* the sender's name, for Message-ID; "" not known */
	enum alert_lang language;
	uint64_t now_us;
};
/* Appends a whole RFC 5322 message about 1 to ALERT_MAIL_ALERTS_MAX alerts: what, where, when and how that is known, who, what to do.
 * ERR_SYNTAX: an address with what a mail field may not have; ERR_LIMIT: out ran full. */
enum err alert_put_mail(struct text *out, const struct alert_fields *alerts, size_t count, const struct alert_mail *m) MUST_USE;

/* Appends one RFC 5424 message without framing and without LF, at most ALERT_SYSLOG_MAX octets: PRI of the facility (0 to 23) and the
 * class (compromise 2, probe 3, attempt 5, trace 6), APP-NAME sluis, MSGID ALERT, MSG the JSON line. What is too long loses the end of its
 * excerpt, then other texts, never its form. line: that f was read from. */
#define ALERT_FACILITY_DEFAULT 10 /* security/authorization; RFC 5424 6.2.1 */
void alert_put_syslog(struct text *t, const struct alert_fields *f, struct bytes line, unsigned facility);
/* "auth", "authpriv", "daemon", "user", "local0" to "local7"; false: none of them. */
bool alert_facility_parse(const char *name, unsigned *out);

#endif
