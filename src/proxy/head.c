/* Heads that go onward: what a server and a client get to see beyond the message itself. */
#include "proxy/engine.h"
#include "base/clock.h"
#include "http/error_page.h"

void exchange_id(struct exchange *x)
{
	static const char digits[] = "0123456789abcdef";
	struct engine *g = x->engine;
	uint64_t n;

	if (x->id[0])
		return;
	/* Unique over workers and restarts (a random prefix), and in order within one. */
	n = g->id_prefix;
	for (int i = 11; i >= 0; i--, n >>= 4)
		x->id[i] = digits[n & 15];
	n = ++g->id_next;
	for (int i = REQUEST_ID_LEN - 1; i >= 12; i--, n >>= 4)
		x->id[i] = digits[n & 15];
}

enum err exchange_write_request(struct exchange *x)
{
	struct text t = buf_text(&x->up_out), a;
	unsigned char client[64];
	struct client *c = x->client;
	struct http1_forward f = { .edits = x->edits, .port = c->listener->conf->address.port };

	exchange_id(x);
	text_init(&a, client, sizeof client);
	addr_write_ip(&c->peer, &a);
	f.client = text_bytes(&a);
	f.request_id = bytes_str(x->id);
	f.is_trusted = x->peer_is_trusted;
	http1_write_request(&t, &x->req, &f);
	return buf_text_end(&x->up_out, &t);
}

static void put_hsts(struct text *t, const struct conf_tls *tls)
{
	text_lit(t, "max-age=");
	text_u64(t, tls->hsts_s);
	if (tls->hsts_subdomains)
		text_lit(t, "; includeSubDomains");
	if (tls->hsts_preload)
		text_lit(t, "; preload");
}

static const struct http1_edit
	no_site_data = { .name = LIT("Clear-Site-Data"), .removes = true, .on_response = true },
	no_cookies = { .next = &no_site_data, .name = LIT("Set-Cookie"), .removes = true, .on_response = true };

enum err exchange_write_response(struct exchange *x)
{
	const struct conf_listener *l = x->client->listener->conf;
	struct http1_edit hsts = { .name = BYTES("Strict-Transport-Security"), .replaces = true, .on_response = true };
	struct http1_edit sticky = { .name = BYTES("Set-Cookie"), .on_response = true };
	struct http1_reply reply = { .framing = x->res.framing, .length = x->res.length, .closes = x->client->closes,
		.client_minor = x->req.minor, .edits = x->edits };
	unsigned char mem[128], cookie[512];
	struct text t = buf_text(&x->out), v;

	if (x->res.status < 200 && x->res.status != 101) {
		/* What is not the answer yet sets nothing: those fields are looked at in the answer, and only there. */
		reply.edits = x->engine->conf->gateway.is_on ? &no_cookies : NULL;
	} else {
		if (x->re_chunk)
			reply.framing = HTTP_BODY_CHUNKED;
		else if (reply.framing == HTTP_BODY_CHUNKED)
			reply.framing = HTTP_BODY_UNTIL_CLOSE;
		if (x->client->io.tls && l->tls.hsts_s) {
			text_init(&v, mem, sizeof mem);
			put_hsts(&v, &l->tls);
			hsts.value = text_bytes(&v);
			hsts.next = reply.edits;
			reply.edits = &hsts;
		}
		if (x->sticky_set) {
			text_init(&v, cookie, sizeof cookie);
			text_add(&v, x->pool->conf->sticky_cookie);
			text_byte(&v, '=');
			text_add(&v, x->pool->conf->servers[x->server].name);
			text_str(&v, x->client->io.tls ? "; Path=/; HttpOnly; Secure; SameSite=Lax" : "; Path=/; HttpOnly; SameSite=Lax");
			sticky.value = text_bytes(&v);
			sticky.next = reply.edits;
			if (!v.failed)
				reply.edits = &sticky;
		}
	}
	http1_write_response(&t, &x->res, &reply);
	return buf_text_end(&x->out, &t);
}

void exchange_write_local(struct exchange *x, struct text *t, unsigned status, struct bytes type, struct bytes location,
	struct bytes body)
{
	struct engine *g = x->engine;
	uint64_t now_s = loop_real_us(g->loop) / 1000000;

	if (g->date_s != now_s) {
		clock_imf(loop_real_us(g->loop), g->date);
		g->date_s = now_s;
	}
	text_lit(t, "HTTP/1.1 ");
	text_u64(t, status);
	text_byte(t, ' ');
	text_str(t, http_reason(status));
	text_lit(t, "\r\n");
	http1_write_field(t, BYTES("Date"), bytes_str(g->date));
	if (type.len) {
		http1_write_field(t, BYTES("Content-Type"), type);
		text_lit(t, "X-Content-Type-Options: nosniff\r\n");
	}
	if (x->client->listener->conf && x->client->io.tls && x->client->listener->conf->tls.hsts_s) {
		text_lit(t, "Strict-Transport-Security: ");
		put_hsts(t, &x->client->listener->conf->tls);
		text_lit(t, "\r\n");
	}
	text_add(t, x->local_head);
	if (type.len && !x->local_head.len) {
		text_lit(t, "Content-Security-Policy: default-src 'none'; style-src " ERROR_PAGE_STYLE
			    "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n");
		text_lit(t, "Referrer-Policy: no-referrer\r\n");
	}
	if (!x->local_keeps)
		text_lit(t, "Cache-Control: no-store\r\n");
	if (location.len)
		http1_write_field(t, BYTES("Location"), location);
	if (status == 405)
		text_lit(t, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
	if ((status == 503 && !x->is_isolated) || status == 429)
		text_lit(t, "Retry-After: 5\r\n");
	text_lit(t, "Content-Length: ");
	text_u64(t, body.len);
	text_lit(t, "\r\n");
	if (x->client->closes)
		text_lit(t, "Connection: close\r\n");
	text_lit(t, "\r\n");
	if (x->req.method != HTTP_HEAD) {
		text_add(t, body);
		x->body_out = body.len;
	}
}
