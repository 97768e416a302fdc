/* Request and response heads. A head is read in one pass once its end is there; until then only the end is
 * looked for, from where the last look stopped. */
#include "http1/parse.h"
#include "http1/parse_priv.h"

static enum err refuse(struct http1_refusal *why, uint16_t status, const char *reason)
{
	*why = (struct http1_refusal){ status, reason };
	return status == 414 || status == 431 ? ERR_LIMIT : ERR_SYNTAX;
}

/* RFC 9112 3.2: which form the target has; the parts of its path and query. */
static enum err read_target(struct http_request *r, struct http1_refusal *why)
{
	struct bytes t = r->target;
	size_t i;

	for (i = 0; i < t.len; i++)
		if (!http1_is(t.at[i], CH_TARGET))
			return refuse(why, 400, "target-character");
	if (t.at[0] == '/') {
		r->form = HTTP_FORM_ORIGIN;
	} else if (bytes_eq(t, BYTES("*"))) {
		r->form = HTTP_FORM_ASTERISK;
		return r->method == HTTP_OPTIONS ? OK : refuse(why, 400, "target-form");
	} else if (r->method == HTTP_CONNECT) {
		r->form = HTTP_FORM_AUTHORITY;
		return OK;
	} else {
		size_t scheme = bytes_find(t, BYTES("://"));
		if (scheme == SIZE_MAX || !(bytes_eq_nocase(bytes_cut(t, 0, scheme), BYTES("http")) ||
			bytes_eq_nocase(bytes_cut(t, 0, scheme), BYTES("https"))))
			return refuse(why, 400, "target-form");
		r->form = HTTP_FORM_ABSOLUTE;
		for (i = scheme + 3; i < t.len && t.at[i] != '/' && t.at[i] != '?'; i++)
			;
		r->authority = bytes_cut(t, scheme + 3, i);
		if (r->authority.len == 0)
			return refuse(why, 400, "target-form");
		t = bytes_cut(t, i, t.len);
	}
	i = bytes_find_byte(t, '?');
	r->raw_path = bytes_cut(t, 0, i);
	r->has_query = i != SIZE_MAX;
	if (r->has_query)
		r->raw_query = bytes_cut(t, i + 1, t.len);
	return OK;
}

static enum err read_version(struct bytes v, uint8_t *minor, struct http1_refusal *why)
{
	if (bytes_eq(v, BYTES("HTTP/1.1")))
		*minor = 1;
	else if (bytes_eq(v, BYTES("HTTP/1.0")))
		*minor = 0;
	else if (v.len == 8 && bytes_starts(v, BYTES("HTTP/")) && v.at[5] >= '0' && v.at[5] <= '9' && v.at[6] == '.' &&
		v.at[7] >= '0' && v.at[7] <= '9')
		return refuse(why, 505, "version");
	else
		return refuse(why, 400, "request-line");
	return OK;
}

/* Exactly one space between the three parts, RFC 9112 3. */
static enum err read_request_line(struct bytes line, const struct http1_limits *limits, struct http_request *r,
	struct http1_refusal *why)
{
	size_t method = 0, end;

	if (line.len > limits->line_max)
		return refuse(why, 414, "request-line-too-long");
	while (method < line.len && http1_is(line.at[method], CH_TOKEN))
		method++;
	if (method == 0 || method == line.len || line.at[method] != ' ')
		return refuse(why, 400, "method");
	r->method_text = bytes_cut(line, 0, method);
	/* Methods are case-sensitive, and all that are registered are made of these. Servers differ on the rest. */
	for (size_t i = 0; i < method; i++)
		if ((line.at[i] < 'A' || line.at[i] > 'Z') && line.at[i] != '-' && line.at[i] != '_')
			return refuse(why, 400, "method");
	r->method = http_method(r->method_text);
	end = method + 1;
	while (end < line.len && line.at[end] != ' ' && line.at[end] != '\t')
		end++;
	if (end == line.len || end == method + 1 || line.at[end] != ' ')
		return refuse(why, 400, "request-line");
	r->target = bytes_cut(line, method + 1, end);
	TRY(read_version(bytes_cut(line, end + 1, line.len), &r->minor, why));
	return read_target(r, why);
}

/* An upgrade may be ignored, RFC 9110 7.8. To another version of HTTP it is: requests in such a tunnel would
 * pass no policy ("h2c"); and TLS inside the connection would be the same. */
static bool is_upgrade_let_pass(struct bytes upgrade)
{
	struct bytes item;
	bool any = false;

	while (http1_list_next(&upgrade, &item)) {
		struct bytes name = bytes_cut(item, 0, bytes_find_byte(item, '/'));
		if (bytes_eq_nocase(name, BYTES("h2c")) || bytes_eq_nocase(name, BYTES("h2")) ||
			bytes_eq_nocase(name, BYTES("http")) || bytes_eq_nocase(name, BYTES("tls")))
			return false;
		any = true;
	}
	return any;
}

/* RFC 9112 6.3 for requests, and what of it we do not let pass. */
static enum err request_framing(struct http_request *r, const struct http1_head *h, struct http1_refusal *why)
{
	if (h->hosts > 1)
		return refuse(why, 400, "host-repeated");
	if (h->hosts == 0 && r->minor == 1)
		return refuse(why, 400, "host-missing");
	if (h->has_length && h->has_coding)
		return refuse(why, 400, "length-and-coding");
	if (h->has_coding && r->minor == 0)
		return refuse(why, 400, "coding-in-http-1.0");
	if (h->expects_other)
		return refuse(why, 417, "expectation");
	r->framing = h->has_coding ? HTTP_BODY_CHUNKED : h->has_length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	r->length = h->length;
	r->keep_alive = r->minor == 1 ? !h->has_close : h->has_keep_alive && !h->has_close;
	r->expects_continue = h->expects_continue && r->minor == 1 && r->framing != HTTP_BODY_NONE;
	if (h->names_upgrade && r->minor == 1 && is_upgrade_let_pass(h->upgrade))
		r->upgrade = h->upgrade;
	return OK;
}

enum err http1_parse_request(struct bytes in, const struct http1_limits *limits, struct arena *arena,
	size_t *scanned, size_t *used, struct http_request *out, struct http1_refusal *why)
{
	struct http_request r = { 0 };
	struct http1_head h = { 0 };
	struct bytes line;
	size_t at = 0, lead = 0;
	enum err e;

	if (in.len >= 2 && in.at[0] == '\r' && in.at[1] == '\n')
		lead = 2; /* RFC 9112 2.2: one empty line before the request line is let pass */
	*why = (struct http1_refusal){ 400, "syntax" };
	e = http1_line(in, lead, &line, &at, &why->reason);
	if (e == ERR_AGAIN)
		return in.len - lead > limits->line_max + 2 ? refuse(why, 414, "request-line-too-long") : e;
	if (e != OK)
		return e;
	if (line.len == 0)
		return refuse(why, 400, "request-line");
	TRY(read_request_line(line, limits, &r, why));
	if (in.len - at >= 2 && in.at[at] == '\r' && in.at[at + 1] == '\n') {
		at += 2; /* no field at all */
	} else {
		e = http1_head_end(in, limits, scanned);
		if (e != OK) {
			/* Bad bytes are refused as soon as they are there, not when a head's end comes. */
			if (e == ERR_LIMIT)
				return refuse(why, 431, "head-too-large");
			for (size_t i = at;;) {
				enum err bad = http1_line(in, i, &line, &i, &why->reason);
				if (bad != OK)
					return bad;
			}
		}
		TRY(http1_fields(in, &at, limits, arena, &h, why));
	}
	r.fields = h.fields;
	r.field_count = h.count;
	TRY(request_framing(&r, &h, why));
	*used = at;
	*out = r;
	return OK;
}

/* RFC 9112 6.3 for responses. */
static enum err response_framing(struct http_response *r, const struct http1_head *h, enum http_method method,
	const char **why)
{
	if (h->has_length && h->has_coding) {
		*why = "length-and-coding";
		return ERR_SYNTAX;
	}
	if (h->has_coding && r->minor == 0) {
		*why = "coding-in-http-1.0"; /* RFC 9112 6.1: its framing cannot be trusted */
		return ERR_SYNTAX;
	}
	if (r->status == 101 && r->upgrade.len == 0) {
		*why = "upgrade-missing";
		return ERR_SYNTAX;
	}
	r->keep_alive = r->minor == 1 ? !h->has_close : h->has_keep_alive && !h->has_close;
	/* RFC 9110 8.6, RFC 9112 6.1: these have no body; a server that announces one may send it after all. */
	if ((r->status < 200 || r->status == 204) && (h->has_coding || h->length > 0)) {
		*why = "body-not-allowed";
		return ERR_SYNTAX;
	}
	r->length = h->length;
	if (method == HTTP_HEAD || r->status < 200 || r->status == 204 || r->status == 304) {
		r->framing = HTTP_BODY_NONE;
		if (!h->has_length)
			r->length = UINT64_MAX; /* none was told: none is passed on */
	} else if (h->has_coding) {
		r->framing = HTTP_BODY_CHUNKED;
	} else if (h->has_length) {
		r->framing = HTTP_BODY_LENGTH;
	} else {
		r->framing = HTTP_BODY_UNTIL_CLOSE;
		r->keep_alive = false;
	}
	return OK;
}

static enum err read_status_line(struct bytes line, struct http_response *r, const char **why)
{
	*why = "status-line";
	if (line.len < 12 || !bytes_starts(line, BYTES("HTTP/1.")) || (line.at[7] != '0' && line.at[7] != '1') ||
		line.at[8] != ' ' || (line.len > 12 && line.at[12] != ' '))
		return ERR_SYNTAX;
	for (size_t i = 9; i < 12; i++) {
		if (line.at[i] < '0' || line.at[i] > '9')
			return ERR_SYNTAX;
		r->status = (uint16_t)(r->status * 10 + (line.at[i] - '0'));
	}
	if (r->status < 100)
		return ERR_SYNTAX;
	r->minor = (uint8_t)(line.at[7] - '0');
	r->reason = bytes_cut(line, 13, line.len);
	return OK;
}

enum err http1_parse_response(struct bytes in, const struct http1_limits *limits, struct arena *arena,
	enum http_method request_method, size_t *scanned, size_t *used, struct http_response *out, const char **why)
{
	struct http1_refusal refusal = { 0 };
	struct http1_limits mine = *limits;
	struct http_response r = { 0 };
	struct http1_head h = { 0 };
	struct bytes line;
	size_t at = 0;
	enum err e;

	mine.drop_ambiguous = true; /* a server's own fields are not an attack; what is ambiguous is left out */
	*why = "syntax";
	e = http1_line(in, 0, &line, &at, why);
	if (e != OK && e != ERR_AGAIN)
		return e;
	if (e == OK ? line.len > limits->line_max : in.len > limits->line_max + 2) {
		*why = "status-line-too-long";
		return ERR_LIMIT;
	}
	if (e == ERR_AGAIN)
		return e;
	TRY(read_status_line(line, &r, why));
	if (in.len - at >= 2 && in.at[at] == '\r' && in.at[at + 1] == '\n') {
		at += 2;
	} else {
		e = http1_head_end(in, limits, scanned);
		*why = "head-too-large";
		if (e != OK)
			return e;
		e = http1_fields(in, &at, &mine, arena, &h, &refusal);
		*why = refusal.reason ? refusal.reason : "syntax";
		if (e != OK)
			return e;
	}
	r.fields = h.fields;
	r.field_count = h.count;
	r.upgrade = h.names_upgrade ? h.upgrade : BYTES("");
	TRY(response_framing(&r, &h, request_method, why));
	*used = at;
	*out = r;
	return OK;
}
