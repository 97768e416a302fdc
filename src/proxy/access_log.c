/* The access log: one JSON line per request with ECS field names, formatted once into a buffer that is
 * written at the end of a turn when it is half full or a second old. A disk that is full loses lines, which
 * are counted, and never holds up a request. */
#include "proxy/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "board/requests.h"
#include "json/write.h"

#include <errno.h>
#include <unistd.h>

static void put_string(struct text *t, const char *key, struct bytes v)
{
	if (v.len == 0)
		return;
	text_str(t, key);
	json_put_string(t, v);
}

static void put_number(struct text *t, const char *key, uint64_t n)
{
	text_str(t, key);
	text_u64(t, n);
}

static void put_address(struct text *t, const char *key, const struct addr *a)
{
	text_str(t, key);
	text_byte(t, '"');
	addr_write_ip(a, t);
	text_byte(t, '"');
}

static struct bytes field_value(const struct exchange *x, enum http_field_id id)
{
	const struct http_field *f = http_find_field_id(x->req.fields, x->req.field_count, id);

	return f ? f->value : BYTES("");
}

static void put_request(struct text *t, struct exchange *x)
{
	put_string(t, ",\"http.request.method\":", x->req.method_text);
	put_string(t, ",\"url.original\":", admit_shown_target(x));
	if (x->req.path.len && !bytes_eq(x->req.path, x->req.raw_path))
		put_string(t, ",\"url.path\":", x->req.path);
	put_string(t, ",\"url.domain\":", x->req.host);
	text_str(t, x->req.minor ? ",\"http.version\":\"1.1\"" : ",\"http.version\":\"1.0\"");
	put_number(t, ",\"http.response.status_code\":", x->status);
	put_number(t, ",\"http.request.body.bytes\":", x->body_in);
	put_number(t, ",\"http.response.body.bytes\":", x->body_out);
	put_string(t, ",\"user_agent.original\":", field_value(x, HTTP_USER_AGENT));
	put_string(t, ",\"http.request.referrer\":", field_value(x, HTTP_REFERER));
	put_string(t, ",\"http.request.id\":", bytes_str(x->id));
}

static void put_decision(struct text *t, struct exchange *x)
{
	const struct client *c = x->client;

	if (c->listener->conf)
		put_string(t, ",\"sluis.listener\":", c->listener->conf->name);
	if (x->pool) {
		put_string(t, ",\"sluis.pool\":", x->pool->conf->name);
		if (!x->is_local)
			put_string(t, ",\"sluis.server\":", x->pool->conf->servers[x->server].name);
	}
	if (x->session) {
		put_string(t, ",\"user.name\":", x->session->facts.user);
		put_string(t, ",\"sluis.session\":", bytes_str(x->session->facts.id));
	}
	if (x->app)
		put_string(t, ",\"sluis.app\":", x->app->id);
	put_string(t, ",\"sluis.denied_by\":", x->denied_by);
	if (x->tries)
		put_number(t, ",\"sluis.retries\":", x->tries);
	if (x->rule) {
		put_string(t, ",\"rule.name\":", x->rule->name);
		put_string(t, ",\"rule.ruleset\":", x->rule->set);
	}
	if (x->refusal)
		put_string(t, ",\"event.reason\":", bytes_str(x->refusal));
	if (x->refusal && x->tls_error)
		put_string(t, ",\"error.message\":", bytes_str(x->tls_error));
	if (x->tag_count) {
		text_lit(t, ",\"tags\":[");
		for (size_t i = 0; i < x->tag_count; i++) {
			if (i)
				text_byte(t, ',');
			json_put_string(t, x->tags[i]);
		}
		text_byte(t, ']');
	}
	if (c->io.tls) {
		put_string(t, ",\"tls.version\":", c->tls.version);
		put_string(t, ",\"tls.cipher\":", c->tls.cipher);
		if (c->tls.is_resumed)
			text_lit(t, ",\"tls.resumed\":true");
		put_string(t, ",\"tls.client.subject\":", c->tls.client_subject);
	}
}

static void put_line(struct text *t, struct exchange *x)
{
	uint64_t took_us = loop_now_us(x->engine->loop) - x->started_us;
	const struct addr *source = x->input.req ? &x->input.client : &x->client->peer;
	char when[25];

	clock_rfc3339(x->real_us, when);
	text_lit(t, "{\"@timestamp\":\"");
	text_str(t, when);
	put_number(t, "\",\"event.duration\":", took_us * 1000);
	put_address(t, ",\"source.ip\":", source);
	put_number(t, ",\"source.port\":", x->client->peer.port);
	put_request(t, x);
	put_decision(t, x);
	text_lit(t, "}\n");
}

static void count(struct exchange *x)
{
	static const enum metric by_class[] = { [1] = M_STATUS_1XX, M_STATUS_2XX, M_STATUS_3XX, M_STATUS_4XX, M_STATUS_5XX };
	uint64_t *counters = x->engine->board->counters;
	uint64_t ms = (loop_now_us(x->engine->loop) - x->started_us) / 1000;
	unsigned class = x->status / 100, bucket = 0;

	board_add(&counters[M_REQUESTS], 1);
	if (class >= 1 && class <= 5)
		board_add(&counters[by_class[class]], 1);
	board_add(&counters[M_BYTES_IN], x->body_in);
	board_add(&counters[M_BYTES_OUT], x->body_out);
	while (bucket < 15 && ms >= 1ULL << bucket)
		bucket++;
	board_add(&x->engine->board->latency_buckets[bucket], 1);
}

/* For the watcher (detect:), which looks for signs of an attack; it may be late, and nothing waits for it. */
static void tell_watcher(struct exchange *x)
{
	const struct addr *source = x->input.req ? &x->input.client : &x->client->peer;
	struct request_seen seen = { .at_us = x->real_us, .status = x->status, .size = x->body_out, .is_http10 = x->req.minor == 0,
		.method = x->req.method_text, .target = admit_shown_target(x), .host = x->req.host, .referer = field_value(x, HTTP_REFERER),
		.user_agent = field_value(x, HTTP_USER_AGENT) };

	memcpy(seen.client, source->ip, sizeof(seen.client));
	board_add(&x->engine->board->counters[requests_write(x->engine->seen, &seen) ? M_DETECT_SEEN : M_DETECT_LOST], 1);
}

void access_log_write(struct exchange *x)
{
	struct engine *g = x->engine;
	size_t before = g->access_out.len;

	if (x->real_us == 0 || x->client->listener->conf == NULL)
		return; /* nothing was asked */
	count(x);
	if (g->seen)
		tell_watcher(x);
	if (g->access_fd < 0)
		return;
	put_line(&g->access_out, x);
	if (g->access_out.failed) { /* no room: write what is there, then once more */
		g->access_out.failed = false;
		g->access_out.len = before;
		access_log_flush(g);
		put_line(&g->access_out, x);
		if (g->access_out.failed) {
			g->access_out.failed = false;
			g->access_out.len = 0;
			board_add(&g->board->counters[M_LOG_LOST], 1);
		}
	}
}

static uint64_t count_lines(struct bytes b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b.len; i++)
		n += b.at[i] == '\n';
	return n;
}

void access_log_flush(struct engine *g)
{
	struct bytes b = text_bytes(&g->access_out);

	while (b.len) {
		ssize_t n = write(g->access_fd, b.at, b.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			uint64_t lost = count_lines(b), now = loop_now_ms(g->loop);
			board_add(&g->board->counters[M_LOG_LOST], lost);
			g->access_lost += lost;
			if (now - g->access_lost_logged_ms > 10000 || g->access_lost_logged_ms == 0) {
				LOG(EV_LOG_LOST, KV_UINT("lines", g->access_lost), KV_ERRNO());
				g->access_lost_logged_ms = now;
				g->access_lost = 0;
			}
			break;
		}
		b = bytes_cut(b, (size_t)n, b.len);
	}
	g->access_out.len = 0;
}
