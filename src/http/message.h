/* A request and a response as all rooms above see them: views into the bytes that came and into the
 * request's arena; nothing here owns memory. http1 fills them, http makes them canonical, policy reads
 * them, proxy writes them on. RFC 9110. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/bytes.h"

enum http_method { HTTP_OTHER, HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_CONNECT, HTTP_OPTIONS,
	HTTP_TRACE, HTTP_PATCH };
enum http_form { HTTP_FORM_ORIGIN, HTTP_FORM_ABSOLUTE, HTTP_FORM_AUTHORITY, HTTP_FORM_ASTERISK };
enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

/* Fields that the proxy itself looks at; all others are HTTP_FIELD_OTHER. Names are in fields.tbl. */
enum http_field_id {
	HTTP_FIELD_OTHER,
#define FIELD(sym, name) sym,
#include "http/fields.tbl"
#undef FIELD
	HTTP_FIELD_COUNT
};

struct http_field {
	struct bytes name, value; /* as they came; value without surrounding white space */
	uint16_t id;		  /* enum http_field_id */
	bool is_hop;		  /* not to be forwarded: hop-by-hop, or named by Connection */
};

struct http_request {
	enum http_method method;
	enum http_form form;
	uint8_t minor; /* HTTP/1.minor: 0 or 1 */
	struct bytes method_text;
	struct bytes target; /* raw, as received */
	struct bytes raw_path, raw_query; /* parts of target, without the '?' */
	bool has_query;
	/* canonical, set by http/canon: */
	struct bytes path; /* decoded once, no dot segments; what policies see */
	struct bytes wire_path; /* the same path, encoded: what the server gets. Decoding it gives path. */
	struct bytes scheme; /* "http" or "https": of the connection */
	struct bytes host; /* lower case, without port */
	struct bytes authority; /* host and port as the client wrote them */
	uint16_t port; /* 0 when the client named none */
	struct http_field *fields;
	size_t field_count;
	enum http_framing framing;
	uint64_t length; /* for HTTP_BODY_LENGTH */
	bool keep_alive, expects_continue;
	struct bytes upgrade; /* the Upgrade field's value when Connection names upgrade, else empty */
};

struct http_response {
	uint16_t status;
	uint8_t minor;
	struct bytes reason;
	struct http_field *fields;
	size_t field_count;
	enum http_framing framing;
	uint64_t length;
	bool keep_alive;
	struct bytes upgrade;
};

/* The first field of that name (any case), or NULL. */
const struct http_field *http_find_field(const struct http_field *f, size_t n, struct bytes name);
const struct http_field *http_find_field_id(const struct http_field *f, size_t n, enum http_field_id id);
enum http_field_id http_field_id(struct bytes name);
enum http_method http_method(struct bytes name);
/* Fields that say who has signed in: "Sluis-" and more, in any case. Only the gateway makes them (docs/gateway.md). */
bool http_is_sluis_field(struct bytes name);
bool http_is_token(struct bytes b); /* RFC 9110 5.6.2; the empty one is none */
/* "Not Found" for 404; "Unknown" for a status this table does not have. */
const char *http_reason(unsigned status);

#endif
