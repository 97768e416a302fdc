/* Names: fields, methods, reasons. */
#include "http/message.h"

static const struct {
	const char *name;
	size_t len;
} field_names[HTTP_FIELD_COUNT] = {
	[HTTP_FIELD_OTHER] = { "", 0 },
#define FIELD(sym, name) [sym] = { name, sizeof(name) - 1 },
#include "http/fields.tbl"
#undef FIELD
};

enum http_field_id http_field_id(struct bytes name)
{
	unsigned char first;

	if (name.len == 0)
		return HTTP_FIELD_OTHER;
	first = ascii_lower(name.at[0]);
	for (unsigned i = 1; i < HTTP_FIELD_COUNT; i++)
		if (field_names[i].len == name.len && (unsigned char)field_names[i].name[0] == first &&
			bytes_eq_nocase(name, bytes_of(field_names[i].name, name.len)))
			return (enum http_field_id)i;
	return HTTP_FIELD_OTHER;
}

bool http_is_sluis_field(struct bytes name)
{
	return name.len > 6 && bytes_eq_nocase(bytes_cut(name, 0, 6), BYTES("sluis-"));
}

bool http_is_token(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] <= ' ' || b.at[i] >= 127 || memchr("()<>@,;:\\\"/[]?={}", b.at[i], 17))
			return false;
	return b.len > 0;
}

const struct http_field *http_find_field(const struct http_field *f, size_t n, struct bytes name)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_eq_nocase(f[i].name, name))
			return &f[i];
	return NULL;
}

const struct http_field *http_find_field_id(const struct http_field *f, size_t n, enum http_field_id id)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].id == id)
			return &f[i];
	return NULL;
}

enum http_method http_method(struct bytes name)
{
	static const struct {
		struct bytes name;
		enum http_method method;
	} methods[] = { { LIT("GET"), HTTP_GET }, { LIT("HEAD"), HTTP_HEAD }, { LIT("POST"), HTTP_POST },
		{ LIT("PUT"), HTTP_PUT }, { LIT("DELETE"), HTTP_DELETE }, { LIT("CONNECT"), HTTP_CONNECT },
		{ LIT("OPTIONS"), HTTP_OPTIONS }, { LIT("TRACE"), HTTP_TRACE }, { LIT("PATCH"), HTTP_PATCH } };

	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (bytes_eq(methods[i].name, name))
			return methods[i].method;
	return HTTP_OTHER;
}

const char *http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = { { 100, "Continue" }, { 101, "Switching Protocols" }, { 103, "Early Hints" }, { 200, "OK" },
		{ 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 206, "Partial Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
		{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
		{ 411, "Length Required" }, { 412, "Precondition Failed" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" }, { 421, "Misdirected Request" }, { 422, "Unprocessable Content" },
		{ 425, "Too Early" }, { 426, "Upgrade Required" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" }, { 451, "Unavailable For Legal Reasons" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" } };

	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}
