/* One small page: what happened, what the reader can do, and the number under which we find it. */
#include "http/error_page.h"
#include "http/message.h"
#include "json/write.h"

static void put_html(struct text *t, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		switch (b.at[i]) {
		case '<': text_lit(t, "&lt;"); break;
		case '>': text_lit(t, "&gt;"); break;
		case '&': text_lit(t, "&amp;"); break;
		case '"': text_lit(t, "&quot;"); break;
		case '\'': text_lit(t, "&#39;"); break;
		default: text_byte(t, b.at[i]);
		}
	}
}

static const char *advice(unsigned status)
{
	switch (status) {
	case 400: case 414: case 417: case 431: return "The request could not be understood. Nothing was passed on.";
	case 403: return "This request is not allowed here.";
	case 404: return "There is nothing at this address.";
	case 405: return "This method is not allowed here.";
	case 408: return "The request took too long to arrive. Please try again.";
	case 413: return "What you sent is larger than is allowed here.";
	case 429: return "Too many requests in a short time. Please wait a moment and try again.";
	case 502: return "The application did not answer properly. Please try again in a moment.";
	case 503: return "The application cannot be reached just now. Please try again in a moment.";
	case 504: return "The application took too long to answer. Please try again in a moment.";
	default: return "The request could not be answered.";
	}
}

/* JSON when it is asked for and HTML is not; programs that accept everything get JSON only if they name it. */
static bool wants_json(struct bytes accept)
{
	size_t json = bytes_find(accept, BYTES("application/json")), html = bytes_find(accept, BYTES("text/html"));

	if (json == SIZE_MAX)
		json = bytes_find(accept, BYTES("+json"));
	return json != SIZE_MAX && (html == SIZE_MAX || json < html);
}

void error_page_write(struct text *t, unsigned status, struct bytes accept, struct bytes request_id,
	struct bytes contact, struct bytes *type)
{
	const char *reason = http_reason(status);

	if (wants_json(accept)) {
		*type = BYTES("application/problem+json");
		text_fmt(t, "{\"status\":%u,\"title\":\"%s\",\"detail\":\"%s\",\"request_id\":", status, reason, advice(status));
		json_put_string(t, request_id);
		if (contact.len) {
			text_lit(t, ",\"contact\":");
			json_put_string(t, contact);
		}
		text_lit(t, "}\n");
		return;
	}
	*type = BYTES("text/html; charset=utf-8");
	text_fmt(t, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%u %s</title>\n"
		"<main>\n<h1>%s</h1>\n<p>%s</p>\n", status, reason, reason, advice(status));
	if (contact.len) {
		text_lit(t, "<p>");
		put_html(t, contact);
		text_lit(t, "</p>\n");
	}
	text_lit(t, "<p>Request number: <code>");
	put_html(t, request_id);
	text_lit(t, "</code></p>\n</main>\n</html>\n");
}
