/* Any Accept, Accept-Language, contact and status: the page is whole and of its type, JSON is JSON that says what was put in, and
 * nothing of the contact is markup. The first two bytes are the status, then two lines: Accept, which is
 * Accept-Language too, and the contact. */
#include "http/accept.h"
#include "http/error_page.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct bytes page, unsigned status)
{
	json_t *j = json_loadb((const char *)page.at, page.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

	CHECK(j && json_integer_value(json_object_get(j, "status")) == (json_int_t)status);
	CHECK(json_object_get(j, "request_id"));
	json_decref(j);
}

static void check_html(struct bytes page, struct bytes contact)
{
	static const struct bytes open = LIT("<span class=\"contact\">");
	size_t at = bytes_find(page, open);
	struct bytes rest = bytes_cut(page, at + open.len, page.len);

	CHECK(bytes_starts(page, BYTES("<!doctype html>")) && bytes_ends(page, BYTES("</html>\n")));
	CHECK((at != SIZE_MAX) == (contact.len > 0));
	if (contact.len)
		CHECK(bytes_find_byte(rest, '<') == bytes_find(rest, BYTES("</span></p>")));
}

/* Media types are compared without case (RFC 9110 8.3.1), so this must not know "Json" from "json" either. */
static bool may_mean_json(struct bytes accept)
{
	for (size_t i = 0; i < accept.len; i++)
		if (accept.at[i] == '*' || bytes_eq_nocase(bytes_cut(accept, i, i + 4), BYTES("json")))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[65536];
	struct http_field f = { .id = HTTP_ACCEPT }, both[2] = { { .id = HTTP_ACCEPT }, { .id = HTTP_ACCEPT_LANGUAGE } };
	struct bytes in, contact, type;
	struct http_accept a;
	unsigned status;
	struct text t;
	size_t line;

	if (size < 2 || size > 8192)
		return 0;
	status = 400 + (data[0] | (unsigned)data[1] << 8) % 200;
	in = bytes_of(data + 2, size - 2);
	line = bytes_find_byte(in, '\n');
	f.value = bytes_cut(in, 0, line);
	contact = line == SIZE_MAX ? BYTES("") : bytes_cut(in, line + 1, in.len);
	a = http_accept_find(&f, 1, BYTES("text/html"));
	CHECK(a.q >= -1 && a.q <= 1000 && a.specific <= 3 && (a.q >= 0) == (a.specific > 0));
	text_init(&t, mem, sizeof mem);
	error_page_write(&t, status, &f, 1, BYTES("4711"), contact, &type);
	CHECK(!t.failed);
	if (bytes_starts(type, BYTES("application/problem+json")))
		check_json(text_bytes(&t), status);
	else
		check_html(text_bytes(&t), contact);
	if (a.q > 0 && !may_mean_json(f.value))
		CHECK(bytes_starts(type, BYTES("text/html")));
	both[0].value = both[1].value = f.value;
	text_init(&t, mem, sizeof mem);
	error_page_write_isolated(&t, status, both, 2, BYTES("4711"), contact, &type);
	CHECK(!t.failed);
	if (bytes_starts(type, BYTES("application/problem+json")))
		check_json(text_bytes(&t), status);
	else
		check_html(text_bytes(&t), contact);
	return 0;
}
