/* The codec of calls. A body is: request u32, call u8, flags u8 (1: a token, 2: of a flow), client 16, token 32 (zeros: none), arguments u8, then each as
 * u16 and octets. An answer: request u32, result u8, flags u8, wait u32, [token 32], values u8, each as u16 and octets. */
#include "auth/call.h"

#include "base/reader.h"

enum { HAS_TOKEN = 1, OF_FLOW = 2 };

static const struct {
	const char *name;
	enum auth_token_kind token;
	uint8_t least, most;
} calls[CALL_COUNT] = {
#define CALL(sym, name, token, least, most, doc) [sym] = { name, token, least, most },
#include "auth/calls.tbl"
#undef CALL
};

const char *auth_call_name(enum auth_call_id c)
{
	return c < CALL_COUNT ? calls[c].name : "unknown";
}

/* Portal's and app's tokens differ in what they find, which only identity knows. */
static bool fits_token(enum auth_call_id id, bool has_token, bool is_flow)
{
	switch (calls[id].token) {
	case TOKEN_NONE: return !has_token && !is_flow;
	case TOKEN_FLOW: return has_token && is_flow;
	case TOKEN_PORTAL: case TOKEN_APP: case TOKEN_ANY: return has_token && !is_flow;
	case TOKEN_FLOW_OR_PORTAL: return has_token;
	}
	return false;
}

static bool is_by_table(const struct auth_call *c)
{
	return c->id < CALL_COUNT && c->arg_count >= calls[c->id].least && c->arg_count <= calls[c->id].most &&
	       (c->token.len == 0 || c->token.len == AUTH_TOKEN_LEN) && fits_token(c->id, c->token.len > 0, c->token_is_flow);
}

static void put_all(struct text *t, const struct bytes *list, size_t n)
{
	text_put_u8(t, (uint8_t)n);
	for (size_t i = 0; i < n; i++)
		text_put_bytes(t, list[i]);
}

static bool take_all(struct reader *r, struct bytes *list, size_t most, size_t *n)
{
	*n = reader_u8(r);
	if (*n > most)
		return false;
	for (size_t i = 0; i < *n; i++)
		list[i] = reader_bytes(r);
	return reader_done(r);
}

void auth_call_write(struct text *t, const struct auth_call *c)
{
	static const unsigned char none[AUTH_TOKEN_LEN];

	CHECK(is_by_table(c));
	text_put_u32(t, c->request);
	text_put_u8(t, (uint8_t)c->id);
	text_put_u8(t, (uint8_t)((c->token.len ? HAS_TOKEN : 0) | (c->token_is_flow ? OF_FLOW : 0)));
	text_add(t, bytes_of(c->client.ip, sizeof c->client.ip));
	text_add(t, c->token.len ? c->token : bytes_of(none, sizeof none));
	put_all(t, c->args, c->arg_count);
}

enum err auth_call_parse(struct bytes body, struct auth_call *out)
{
	struct reader r = { .left = body };
	struct auth_call c = { 0 };
	struct bytes ip, token;
	uint8_t flags;

	c.request = reader_u32(&r);
	c.id = (enum auth_call_id)reader_u8(&r);
	flags = reader_u8(&r);
	ip = reader_take(&r, sizeof c.client.ip);
	token = reader_take(&r, AUTH_TOKEN_LEN);
	if (r.failed || flags > (HAS_TOKEN | OF_FLOW))
		return ERR_SYNTAX;
	memcpy(c.client.ip, ip.at, sizeof c.client.ip);
	c.token = flags & HAS_TOKEN ? token : BYTES("");
	c.token_is_flow = flags & OF_FLOW;
	if (!take_all(&r, c.args, AUTH_ARGS_MAX, &c.arg_count) || !is_by_table(&c))
		return ERR_SYNTAX;
	*out = c;
	return OK;
}

void auth_answer_write(struct text *t, const struct auth_answer *a)
{
	CHECK(a->result < AUTH_RESULT_COUNT && a->value_count <= AUTH_VALUES_MAX && (a->token.len == 0 || a->token.len == AUTH_TOKEN_LEN));
	text_put_u32(t, a->request);
	text_put_u8(t, (uint8_t)a->result);
	text_put_u8(t, (uint8_t)((a->token.len ? HAS_TOKEN : 0) | (a->token_is_flow ? OF_FLOW : 0)));
	text_put_u32(t, a->wait_s);
	text_add(t, a->token);
	put_all(t, a->values, a->value_count);
}

enum err auth_answer_parse(struct bytes body, struct auth_answer *out)
{
	struct reader r = { .left = body };
	struct auth_answer a = { 0 };
	uint8_t flags;

	a.request = reader_u32(&r);
	a.result = (enum auth_result)reader_u8(&r);
	flags = reader_u8(&r);
	a.wait_s = reader_u32(&r);
	if (flags & HAS_TOKEN)
		a.token = reader_take(&r, AUTH_TOKEN_LEN);
	a.token_is_flow = flags & OF_FLOW;
	if (flags > (HAS_TOKEN | OF_FLOW) || a.result >= AUTH_RESULT_COUNT || !take_all(&r, a.values, AUTH_VALUES_MAX, &a.value_count))
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

bool auth_line_next(struct bytes *lines, struct auth_line *out)
{
	size_t end = bytes_find_byte(*lines, '\n');
	struct bytes line = bytes_cut(*lines, 0, end);

	if (lines->len == 0)
		return false;
	*lines = end == SIZE_MAX ? BYTES("") : bytes_cut(*lines, end + 1, lines->len);
	*out = (struct auth_line){ .count = 0 };
	for (;;) {
		size_t tab = bytes_find_byte(line, '\t');

		if (out->count < AUTH_FIELDS_MAX)
			out->fields[out->count++] = bytes_cut(line, 0, tab);
		if (tab == SIZE_MAX)
			return true;
		line = bytes_cut(line, tab + 1, line.len);
	}
}
