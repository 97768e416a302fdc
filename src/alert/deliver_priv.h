/* A destination at work: what the engine (deliver.c) and the kinds share. A kind begins a try, is asked to go on, and says how it ended by
 * dest_taken or dest_failed, at once or later; the engine does the order, the waiting and the positions. */
#ifndef ALERT_DELIVER_PRIV_H
#define ALERT_DELIVER_PRIV_H

#include "alert/deliver.h"
#include "alert/smtp.h"

#include <curl/curl.h>

#define CONNECT_S 10L
#define TRY_MS	  30000u /* one try, connecting included */

enum dest_state {
	DEST_IDLE,    /* nothing under way; the batch may hold what failed */
	DEST_SENDING, /* the batch is with the kind */
	DEST_RESTING  /* nothing before until_ms */
};

struct dest {
	struct deliver *d;
	struct deliver_to to;
	struct journal_reader *reader;
	struct journal_at taken, after; /* the position that is written; that behind the batch */
	enum dest_state state;
	bool is_failing, has_all, has_position_trouble;
	unsigned failures; /* in a row */
	uint64_t until_ms, began_ms;

	struct text lines; /* of the batch, with their LFs */
	struct alert_fields alerts[ALERT_MAIL_ALERTS_MAX];
	size_t count;

	/* the kind's */
	CURL *curl;
	bool is_in_multi, is_open, is_used; /* of syslog: the connection stands, and an alert went over it */
	curl_socket_t socket;
	struct curl_slist *list;
	struct text out;
	size_t sent;
	uint64_t sent_ms;
	struct smtp_sending sending;
	char error[CURL_ERROR_SIZE];
};

struct deliver {
	int folder;
	CURLM *multi;
	struct deliver_options options;
	char host[256];
	struct dest *dests;
	size_t count;
	uint64_t now_ms, real_us;
};

/* Of a kind. begin: a try of the batch; go_on: called in every step while it is sending; done: libcurl ended the handle's transfer; stop: breaks
 * off and closes. go_on and done may be NULL. */
struct deliver_way {
	void (*begin)(struct dest *t);
	void (*go_on)(struct dest *t);
	void (*done)(struct dest *t, CURLcode code);
};
const struct deliver_way *deliver_file_way(void);
const struct deliver_way *deliver_syslog_way(void);
const struct deliver_way *deliver_webhook_way(void);
const struct deliver_way *deliver_mail_way(void);

void dest_taken(struct dest *t);
void dest_failed(struct dest *t, const char *why);

/* The line of the batch's only alert, without its LF. */
struct bytes dest_line(const struct dest *t);
/* A fresh handle with what all have in common: no scheme but these, TLS 1.2 at least and verified, limits of time. False: it was said. */
bool dest_curl(struct dest *t, const char *schemes);
bool dest_curl_start(struct dest *t);
/* Takes the handle out of the multi and frees it, its list and its message. */
void dest_curl_stop(struct dest *t);
const char *dest_curl_why(const struct dest *t, CURLcode code);

/* Of syslog: what an open connection waits for, between steps and while sending. */
bool deliver_syslog_waits(const struct dest *t, struct curl_waitfd *out);
/* An open connection that is not used now: closed when the peer has closed it. */
void deliver_syslog_look(struct dest *t);
/* HOST:PORT of to's url into a URL of another scheme. False: it does not fit. */
bool deliver_to_connect_url(const struct deliver_to *to, const char *scheme, char *out, size_t size);

#endif
