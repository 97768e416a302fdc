/* Answers by ourselves: refusals with their page, and whatever else needs no server. */
#include "proxy/engine.h"

#include "http/error_page.h"

void exchange_refuse(struct exchange *x, unsigned status, const char *why)
{
	struct engine *g = x->engine;
	struct bytes type;
	unsigned char mem[8192];
	struct text t;

	if (!x->real_us) {
		x->started_us = loop_now_us(g->loop);
		x->real_us = loop_real_us(g->loop);
	}
	x->refusal = why;
	text_init(&t, mem, sizeof mem);
	exchange_id(x);
	if (x->is_isolated)
		error_page_write_isolated(&t, status, x->req.fields, x->req.field_count, bytes_str(x->id), g->conf->contact, &type);
	else
		error_page_write(&t, status, x->req.fields, x->req.field_count, bytes_str(x->id), g->conf->contact, &type);
	if (status == 408 || status == 413 || status == 400 || status == 431 || status == 414)
		x->client->closes = true;
	exchange_reply(x, status, type, BYTES(""), t.failed ? BYTES("") : text_bytes(&t));
}

void exchange_refuse_isolated(struct exchange *x, unsigned status)
{
	board_add(&x->engine->board->counters[M_ISOLATED], 1);
	x->is_isolated = true;
	x->client->closes = true;
	exchange_refuse(x, status, "isolated");
}

void exchange_reply(struct exchange *x, unsigned status, struct bytes content_type, struct bytes location,
	struct bytes body)
{
	struct engine *g = x->engine;
	struct client *c = x->client;
	struct text t;

	upstream_uncount(x); /* also for a connection that is still being made */
	if (x->up) {
		struct upstream *u = x->up;
		x->up = NULL;
		upstream_done(u, false);
	}
	/* Nothing that was asked for may come to an exchange that is answered. */
	upstream_stop_waiting(x);
	loop_timer_clear(g->loop, &x->timer);
	x->is_local = true;
	x->status = (uint16_t)status;
	x->down_done = x->head_written = true;
	if (!x->up_done)
		c->closes = true;
	buf_give(&g->bufs, &x->out);
	if (buf_take(&g->bufs, &x->out, body.len > BUF_SMALL - 4096 ? BUF_LARGE : BUF_SMALL) != OK) {
		client_close(c);
		return;
	}
	t = buf_text(&x->out);
	exchange_write_local(x, &t, status, content_type, location, body);
	if (buf_text_end(&x->out, &t) != OK) {
		client_close(c);
		return;
	}
	if (!exchange_pump(x))
		return;
}
