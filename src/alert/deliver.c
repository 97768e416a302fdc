/* The engine: per destination a reader, a batch that is under way, and what is to be done when. Order is kept because a batch stays the
 * first until it is taken; nothing is lost because its position is written only then. */
#include "alert/deliver.h"

#include "alert/deliver_priv.h"
#include "crypto/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS	      1000u
#define SENDING_MS    20u /* acknowledgements of TCP are no event */
#define RETRY_LEAST_MS 1000u
#define RETRY_MOST_MS  300000u
#define AT_ONCE	      100u /* alerts of a destination per step: the others have their turn */

static const struct deliver_way *way_of(const struct dest *t)
{
	switch (t->to.kind) {
	case DELIVER_FILE: return deliver_file_way();
	case DELIVER_SYSLOG_UDP:
	case DELIVER_SYSLOG_TCP:
	case DELIVER_SYSLOG_TLS: return deliver_syslog_way();
	case DELIVER_WEBHOOK: return deliver_webhook_way();
	case DELIVER_MAIL: return deliver_mail_way();
	}
	CHECK(!"a kind");
	return NULL;
}

/* --- libcurl, as all kinds use it --- */

/* NOSIGNAL stays off: libcurl then keeps SIGPIPE away during its calls, which OpenSSL's writes to a closed connection raise. (SIGALRM is used
 * by builds without a threaded resolver only.) QUICK_EXIT: whoever gives up a name that nobody answers does not wait for that thread. */

bool dest_curl(struct dest *t, const char *schemes)
{
	CURL *c = curl_easy_init();
	bool ok;

	CHECK(!t->curl);
	t->curl = c;
	t->error[0] = 0;
	ok = c && curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, schemes) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S) == CURLE_OK && curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_USERAGENT, "sluis/" SLUIS_VERSION) == CURLE_OK && (!t->to.ca[0] || curl_easy_setopt(c, CURLOPT_CAINFO, t->to.ca) == CURLE_OK);
	if (!ok) {
		dest_curl_stop(t);
		dest_failed(t, "no memory");
	}
	return ok;
}

bool dest_curl_start(struct dest *t)
{
	t->is_in_multi = curl_multi_add_handle(t->d->multi, t->curl) == CURLM_OK;
	return t->is_in_multi;
}

void dest_curl_stop(struct dest *t)
{
	if (t->is_in_multi)
		curl_multi_remove_handle(t->d->multi, t->curl);
	t->is_in_multi = t->is_open = t->is_used = false;
	if (t->curl)
		curl_easy_cleanup(t->curl);
	t->curl = NULL;
	curl_slist_free_all(t->list);
	t->list = NULL;
	text_fini(&t->out);
	t->out = (struct text){ 0 };
}

const char *dest_curl_why(const struct dest *t, CURLcode code)
{
	return t->error[0] ? t->error : curl_easy_strerror(code);
}

/* --- batches --- */

static void drop_batch(struct dest *t)
{
	for (size_t i = 0; i < t->count; i++)
		alert_fields_fini(&t->alerts[i]);
	t->count = 0;
	t->lines.len = 0;
}

struct bytes dest_line(const struct dest *t)
{
	return bytes_of(t->lines.at, t->lines.len - 1);
}

static void problem(const struct dest *t, const char *what)
{
	if (t->d->options.on_problem)
		t->d->options.on_problem(t->d->options.ctx, t->to.name, what);
}

static void keep_position(struct dest *t, struct journal_at at)
{
	char what[160];

	t->taken = at;
	if (journal_position_write(t->d->folder, t->to.name, at) == OK) {
		t->has_position_trouble = false;
	} else if (!t->has_position_trouble) {
		t->has_position_trouble = true;
		snprintf(what, sizeof(what), "its position cannot be written (%s): after a restart alerts are sent again", strerror(errno));
		problem(t, what);
	}
}

/* What is no alert would be refused for ever: it is passed over, and told. */
static void pass_over(struct dest *t, struct journal_at at)
{
	char what[120];

	snprintf(what, sizeof(what), "the journal's line before octet %llu of %08llu.jsonl is no alert and was passed over", (unsigned long long)at.offset,
		(unsigned long long)at.segment);
	problem(t, what);
	if (!t->count)
		keep_position(t, at);
}

static void fill_batch(struct dest *t)
{
	size_t most = t->to.kind == DELIVER_MAIL ? ALERT_MAIL_ALERTS_MAX : 1;

	t->has_all = false;
	while (t->count < most) {
		struct journal_at after;
		struct bytes line;
		enum err e = journal_read(t->reader, ALERT_LINE_MAX, &line, &after);

		if (e == ERR_AGAIN) {
			t->has_all = t->count == 0;
			return;
		}
		if (e != OK && e != ERR_LIMIT) {
			t->until_ms = t->d->now_ms + IDLE_MS;
			t->state = DEST_RESTING;
			return;
		}
		t->after = after;
		if (e != OK || alert_read_json(line, &t->alerts[t->count]) != OK) {
			pass_over(t, after);
			continue;
		}
		text_add(&t->lines, line);
		CHECK(!t->lines.failed);
		t->count++;
	}
}

static void tell_state(const struct dest *t, const char *why)
{
	if (t->d->options.on_state)
		t->d->options.on_state(t->d->options.ctx, t->to.name, t->is_failing, why);
}

void dest_taken(struct dest *t)
{
	drop_batch(t);
	t->failures = 0;
	t->state = DEST_IDLE;
	keep_position(t, t->after);
	if (t->to.kind == DELIVER_MAIL && t->to.mail_gap_s) {
		t->state = DEST_RESTING;
		t->until_ms = t->d->now_ms + (uint64_t)t->to.mail_gap_s * 1000;
	}
	if (!t->is_failing)
		return;
	t->is_failing = false;
	tell_state(t, "");
}

/* Twice as long each time, a quarter more or less, so that many who lost one receiver do not come back at one moment. */
static uint64_t delay_of(unsigned failures)
{
	uint64_t ms = failures < 9 ? (uint64_t)RETRY_LEAST_MS << failures : RETRY_MOST_MS;
	uint16_t random;

	random_bytes(&random, sizeof(random));
	ms = ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
	return ms * 3 / 4 + ms / 2 * random / UINT16_MAX;
}

void dest_failed(struct dest *t, const char *why)
{
	t->state = DEST_RESTING;
	t->until_ms = t->d->now_ms + delay_of(t->failures);
	t->failures++;
	if (t->is_failing)
		return;
	t->is_failing = true;
	tell_state(t, why);
}

/* --- a step --- */

static void work(struct dest *t)
{
	const struct deliver_way *way = way_of(t);

	if (t->state == DEST_SENDING && way->go_on)
		way->go_on(t);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		if (t->state == DEST_RESTING && t->d->now_ms >= t->until_ms)
			t->state = DEST_IDLE;
		if (t->state != DEST_IDLE)
			return;
		fill_batch(t);
		if (!t->count)
			return;
		t->state = DEST_SENDING;
		t->began_ms = t->d->now_ms;
		way->begin(t);
	}
}

static void hear_of_transfers(struct deliver *d)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(d->multi, &left))) {
		CURLcode code = m->data.result;
		struct dest *t = NULL;

		if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK || !t)
			continue;
		CHECK(t->curl == m->easy_handle && way_of(t)->done);
		if (t->state == DEST_SENDING)
			way_of(t)->done(t, code);
	}
}

/* A second at most; what is between two tries is waited for. */
static unsigned next_ms(const struct deliver *d)
{
	uint64_t ms = IDLE_MS;

	for (size_t i = 0; i < d->count; i++) {
		const struct dest *t = &d->dests[i];
		uint64_t own = IDLE_MS;

		if (t->state == DEST_RESTING)
			own = t->until_ms > d->now_ms ? t->until_ms - d->now_ms : 0;
		else if (t->state == DEST_SENDING && t->is_open)
			own = SENDING_MS;
		else if (t->state == DEST_IDLE && !t->has_all)
			own = 0;
		ms = own < ms ? own : ms;
	}
	return (unsigned)ms;
}

unsigned deliver_step(struct deliver *d, uint64_t now_ms, uint64_t real_us)
{
	int running;

	d->now_ms = now_ms;
	d->real_us = real_us;
	curl_multi_perform(d->multi, &running);
	hear_of_transfers(d);
	for (size_t i = 0; i < d->count; i++) {
		work(&d->dests[i]);
		deliver_syslog_look(&d->dests[i]);
	}
	curl_multi_perform(d->multi, &running); /* what has just begun */
	hear_of_transfers(d);
	return next_ms(d);
}

bool deliver_wait(struct deliver *d, int extra_fd, unsigned ms)
{
	struct curl_waitfd fds[DELIVER_TOS_MAX + 1];
	unsigned n = 0;

	if (extra_fd >= 0)
		fds[n++] = (struct curl_waitfd){ .fd = extra_fd, .events = CURL_WAIT_POLLIN };
	for (size_t i = 0; i < d->count; i++)
		n += deliver_syslog_waits(&d->dests[i], &fds[n]);
	curl_multi_poll(d->multi, fds, n, (int)(ms < 600000 ? ms : 600000), NULL);
	return extra_fd >= 0 && fds[0].revents;
}

void deliver_wakeup(struct deliver *d)
{
	curl_multi_wakeup(d->multi);
}

size_t deliver_done(const struct deliver *d)
{
	struct journal_at end;
	size_t n = 0;

	if (journal_end(d->folder, &end) != OK)
		return 0;
	for (size_t i = 0; i < d->count; i++)
		n += d->dests[i].taken.segment == end.segment && d->dests[i].taken.offset >= end.offset;
	return n;
}

size_t deliver_failing(const struct deliver *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++)
		n += d->dests[i].is_failing;
	return n;
}

/* --- beginning and end --- */

static enum err fail(char error[DELIVER_ERROR_MAX], enum err e, const char *what, const char *name)
{
	if (e == ERR_IO)
		snprintf(error, DELIVER_ERROR_MAX, "%s%s: %s", what, name, strerror(errno));
	else
		snprintf(error, DELIVER_ERROR_MAX, "%s%s", what, name);
	return e;
}

/* Where a destination goes on; a new one's beginning is written at once, so that it stays that. */
static enum err find_place(struct dest *t, struct journal_at start, char error[DELIVER_ERROR_MAX])
{
	enum err e = journal_position_read(t->d->folder, t->to.name, &t->taken);

	if (e == ERR_NOT_FOUND) {
		t->taken = start;
		e = journal_position_write(t->d->folder, t->to.name, start);
	}
	if (e == ERR_SYNTAX)
		return fail(error, e, "the position in the journal cannot be read; remove this file, and the destination begins with the next alert: ", t->to.name);
	if (e != OK)
		return fail(error, e, "the position in the journal, of destination ", t->to.name);
	t->reader = journal_reader_new(t->d->folder, t->taken);
	return t->reader ? OK : fail(error, ERR_MEMORY, "no memory for destination ", t->to.name);
}

static enum err open_all(struct deliver *d, const struct deliver_to *tos, size_t count, char error[DELIVER_ERROR_MAX])
{
	struct journal_at start = { 1, 0 };
	bool has_positions = false;
	enum err e = journal_has_positions(d->folder, &has_positions);

	if (e == OK)
		e = has_positions ? journal_end(d->folder, &start) : journal_begin(d->folder, &start);
	if (e != OK)
		return fail(error, e, "the journal's folder", "");
	for (size_t i = 0; i < count; i++) {
		struct dest *t = &d->dests[i];

		for (size_t k = 0; k < i; k++)
			if (strcmp(tos[k].name, tos[i].name) == 0)
				return fail(error, ERR_SYNTAX, "two destinations have the name ", tos[i].name);
		t->d = d;
		t->to = tos[i];
		text_init_growing(&t->lines, (size_t)ALERT_MAIL_ALERTS_MAX * ALERT_LINE_MAX);
		d->count++;
		TRY(find_place(t, start, error));
	}
	return OK;
}

enum err deliver_new(int folder, const struct deliver_to *tos, size_t count, const struct deliver_options *options, struct deliver **out,
	char error[DELIVER_ERROR_MAX])
{
	struct deliver *d = calloc(1, sizeof(*d));
	enum err e = ERR_MEMORY;

	CHECK(count <= DELIVER_TOS_MAX);
	if (d && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		d->folder = folder;
		d->options = *options;
		snprintf(d->host, sizeof(d->host), "%s", options->host ? options->host : "");
		d->options.host = d->host;
		d->multi = curl_multi_init();
		d->dests = calloc(count ? count : 1, sizeof(d->dests[0]));
	}
	if (d && d->multi && d->dests)
		e = open_all(d, tos, count, error);
	else
		fail(error, e, "no memory for destinations", "");
	if (e == OK)
		*out = d;
	else
		deliver_free(&d);
	return e;
}

void deliver_free(struct deliver **dp)
{
	struct deliver *d = *dp;

	if (!d)
		return;
	for (size_t i = 0; d->dests && i < d->count; i++) {
		struct dest *t = &d->dests[i];

		dest_curl_stop(t);
		drop_batch(t);
		text_fini(&t->lines);
		journal_reader_free(&t->reader);
		deliver_to_fini(&t->to);
	}
	if (d->multi)
		curl_multi_cleanup(d->multi);
	free(d->dests);
	free(d);
	*dp = NULL;
}
