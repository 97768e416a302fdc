/* What is written here is all that a server or client gets to see: nothing passes that was not read. */
#include "http1/write.h"

void http1_write_field(struct text *t, struct bytes name, struct bytes value)
{
	text_add(t, name);
	text_lit(t, ": ");
	text_add(t, value);
	text_lit(t, "\r\n");
}

static bool is_edited_away(const struct http1_edit *e, bool on_response, struct bytes name)
{
	for (; e; e = e->next)
		if (e->on_response == on_response && (e->removes || e->replaces) && bytes_eq_nocase(e->name, name))
			return true;
	return false;
}

static bool is_value(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if ((v.at[i] < 0x20 && v.at[i] != '\t') || v.at[i] == 0x7f)
			return false;
	return true;
}

/* These are written from what was read, never from a rule: two of them would be two readings. */
static bool is_framing(struct bytes name)
{
	enum http_field_id id = http_field_id(name);

	return id == HTTP_CONTENT_LENGTH || id == HTTP_TRANSFER_ENCODING || id == HTTP_CONNECTION || id == HTTP_UPGRADE ||
		id == HTTP_TRAILER || id == HTTP_TE || id == HTTP_KEEP_ALIVE || id == HTTP_PROXY_CONNECTION;
}

/* The last of several replacements counts. A value that a policy took from a request is checked: nobody
 * writes lines of his own into a head. */
static void write_edits(struct text *t, const struct http1_edit *e, bool on_response)
{
	for (; e; e = e->next) {
		bool is_last = true;
		if (e->removes || e->on_response != on_response || !is_value(e->value) || is_framing(e->name))
			continue;
		for (const struct http1_edit *later = e->next; later && e->replaces; later = later->next)
			if (later->on_response == on_response && (later->replaces || later->removes) &&
				bytes_eq_nocase(later->name, e->name))
				is_last = false;
		if (is_last)
			http1_write_field(t, e->name, e->value);
	}
}

/* What only a proxy may say; X-Forwarded-User, -Prefix and the like too. */
static bool is_forwarded(const struct http_field *f)
{
	return f->id == HTTP_X_REAL_IP || f->id == HTTP_FORWARDED ||
		(f->name.len > 12 && bytes_eq_nocase(bytes_cut(f->name, 0, 12), BYTES("x-forwarded-")));
}

static void write_forwarded(struct text *t, const struct http_request *r, const struct http1_forward *f)
{
	const struct http_field *f0 = r->fields;

	text_lit(t, "X-Forwarded-For: ");
	if (f->is_trusted)
		for (size_t i = 0; i < r->field_count; i++)
			if (f0[i].id == HTTP_X_FORWARDED_FOR && f0[i].value.len) {
				text_add(t, f0[i].value);
				text_lit(t, ", ");
			}
	text_add(t, f->client);
	text_lit(t, "\r\n");
	if (!f->is_trusted || !http_find_field_id(f0, r->field_count, HTTP_X_FORWARDED_PROTO))
		http1_write_field(t, BYTES("X-Forwarded-Proto"), r->scheme);
	if ((!f->is_trusted || !http_find_field_id(f0, r->field_count, HTTP_X_FORWARDED_HOST)) && r->authority.len)
		http1_write_field(t, BYTES("X-Forwarded-Host"), r->authority);
	if (!f->is_trusted || !http_find_field_id(f0, r->field_count, HTTP_X_FORWARDED_PORT)) {
		text_lit(t, "X-Forwarded-Port: ");
		text_u64(t, f->port);
		text_lit(t, "\r\n");
	}
}

static bool may_trail(struct bytes name)
{
	static const struct bytes never[] = { LIT("authorization"), LIT("www-authenticate"), LIT("cache-control"), LIT("content-encoding"),
		LIT("content-range"), LIT("max-forwards"), LIT("pragma"), LIT("range"), LIT("age"), LIT("expires"), LIT("vary") };
	struct http_field f = { .name = name, .id = (uint16_t)http_field_id(name) };

	switch (f.id) {
	case HTTP_HOST: case HTTP_EXPECT: case HTTP_COOKIE: case HTTP_SET_COOKIE: case HTTP_CONTENT_TYPE: case HTTP_LOCATION:
	case HTTP_DATE: case HTTP_PROXY_AUTHENTICATE: case HTTP_PROXY_AUTHORIZATION: case HTTP_X_REQUEST_ID: case HTTP_X_FORWARDED_FOR:
		return false;
	default: break;
	}
	for (size_t i = 0; i < COUNT_OF(never); i++)
		if (bytes_eq_nocase(never[i], name))
			return false;
	/* Who has signed in is told in the head, by us (proxy/admit_app.c): at the end nobody else may say it, in either direction. */
	if (http_is_sluis_field(name))
		return false;
	/* '_' and '.' as in a head: another reader may take the name for one of those above. */
	return !is_framing(name) && !is_forwarded(&f) && bytes_find_byte(name, '_') == SIZE_MAX && bytes_find_byte(name, '.') == SIZE_MAX;
}

void http1_write_last_chunk(struct text *t, struct bytes trailers, const struct http1_edit *edits, bool on_response)
{
	text_lit(t, "0\r\n");
	while (trailers.len) {
		size_t end = bytes_find(trailers, BYTES("\r\n")), colon;
		struct bytes line = bytes_cut(trailers, 0, end), name;

		trailers = end == SIZE_MAX ? BYTES("") : bytes_cut(trailers, end + 2, trailers.len);
		colon = bytes_find_byte(line, ':');
		name = bytes_cut(line, 0, colon);
		if (colon != SIZE_MAX && may_trail(name) && !is_edited_away(edits, on_response, name))
			http1_write_field(t, name, bytes_trim(bytes_cut(line, colon + 1, line.len)));
	}
	text_lit(t, "\r\n");
}

void http1_write_request(struct text *t, const struct http_request *r, const struct http1_forward *f)
{
	text_add(t, r->method_text);
	text_byte(t, ' ');
	text_add(t, r->form == HTTP_FORM_ASTERISK ? BYTES("*") : r->wire_path);
	if (r->has_query) {
		text_byte(t, '?');
		text_add(t, r->raw_query);
	}
	text_lit(t, " HTTP/1.1\r\n");
	if (!is_edited_away(f->edits, false, BYTES("Host")))
		http1_write_field(t, BYTES("Host"), r->authority);
	for (size_t i = 0; i < r->field_count; i++) {
		const struct http_field *x = &r->fields[i];
		if (x->is_hop || x->id == HTTP_HOST || x->id == HTTP_X_REQUEST_ID || x->id == HTTP_X_FORWARDED_FOR ||
			(!f->is_trusted && is_forwarded(x)) || (f->edits && is_edited_away(f->edits, false, x->name)))
			continue;
		http1_write_field(t, x->name, x->value);
	}
	write_forwarded(t, r, f);
	http1_write_field(t, BYTES("X-Request-Id"), f->request_id);
	write_edits(t, f->edits, false);
	if (r->upgrade.len) {
		text_lit(t, "Connection: upgrade\r\n");
		http1_write_field(t, BYTES("Upgrade"), r->upgrade);
	}
	if (r->expects_continue)
		text_lit(t, "Expect: 100-continue\r\n");
	if (r->framing == HTTP_BODY_CHUNKED) {
		text_lit(t, "Transfer-Encoding: chunked\r\n");
	} else if (r->framing == HTTP_BODY_LENGTH) {
		text_lit(t, "Content-Length: ");
		text_u64(t, r->length);
		text_lit(t, "\r\n");
	}
	text_lit(t, "\r\n");
}

void http1_write_response(struct text *t, const struct http_response *r, const struct http1_reply *reply)
{
	text_lit(t, "HTTP/1.1 ");
	text_u64(t, r->status);
	text_byte(t, ' ');
	if (r->reason.len)
		text_add(t, r->reason);
	else
		text_str(t, http_reason(r->status));
	text_lit(t, "\r\n");
	for (size_t i = 0; i < r->field_count; i++) {
		const struct http_field *x = &r->fields[i];
		if (x->is_hop || (reply->edits && is_edited_away(reply->edits, true, x->name)))
			continue;
		http1_write_field(t, x->name, x->value);
	}
	write_edits(t, reply->edits, true);
	if (r->status == 101) {
		text_lit(t, "Connection: upgrade\r\n");
		http1_write_field(t, BYTES("Upgrade"), r->upgrade);
	} else if (r->status >= 200) {
		if (reply->framing == HTTP_BODY_CHUNKED) {
			text_lit(t, "Transfer-Encoding: chunked\r\n");
		} else if (reply->framing == HTTP_BODY_LENGTH || (reply->framing == HTTP_BODY_NONE && reply->length != UINT64_MAX && r->status != 204)) {
			text_lit(t, "Content-Length: ");
			text_u64(t, reply->length);
			text_lit(t, "\r\n");
		}
		if (reply->closes)
			text_lit(t, "Connection: close\r\n");
		else if (reply->client_minor == 0)
			text_lit(t, "Connection: keep-alive\r\n");
	}
	text_lit(t, "\r\n");
}
