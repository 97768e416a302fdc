/* The names of the language, and what to write instead of one that it does not have. */
#include "policy/policy_priv.h"

const struct policy_field_info policy_fields[POLICY_FIELD_COUNT] = {
#define POLICY_FIELD(sym, name, type, doc) { name, doc, type },
#include "policy/fields.tbl"
#undef POLICY_FIELD
};

const struct policy_function policy_functions[] = {
#define POLICY_FUNCTION(name, op, type, args, most, wants_name, signature, doc, example) \
	{ name, op, type, args, most, wants_name },
#include "policy/functions.tbl"
#undef POLICY_FUNCTION
};
const size_t policy_function_count = COUNT_OF(policy_functions);

/* Names of the same things in the filter languages of others. */
static const struct { const char *theirs, *ours; } others[] = {
	{ "ip.src", "client.ip" }, { "ip.addr", "client.ip" }, { "src", "client.ip" }, { "remote_addr", "client.ip" },
	{ "http.request.method", "http.method" }, { "method", "http.method" }, { "http.request.uri", "http.target" },
	{ "http.request.uri.path", "http.path" }, { "path", "http.path" }, { "url", "http.target" }, { "uri", "http.target" },
	{ "http.request.uri.query", "http.query" }, { "http.request.full_uri", "http.target" }, { "host", "http.host" },
	{ "http.request.version", "http.version" }, { "user_agent", "http.user_agent" }, { "ssl", "tls" },
	{ "http.request.headers", "header(\"Name\") or any_header(\"Name\")" }, { "http.header", "header(\"Name\")" },
	{ "http.cookie", "header(\"Cookie\") or cookie(\"name\")" }, { "http.response.code", "response.status" },
	{ "http.request.timestamp.sec", "time.unix" }, { "status", "response.status" }, { "substring", "matches" },
	{ "regex", "matches" }, { "length", "len" }, { "to_lower", "lower" }, { "tolower", "lower" }, { "url_param", "query" },
	{ "user", "user.name" }, { "username", "user.name" }, { "group", "user.groups" }, { "groups", "user.groups" }, { "mfa", "session.mfa" },
	{ "req.hdr", "header" }, { "res.hdr", "response.header" },
};

const char *policy_nearest_name(struct bytes name)
{
	const char *best = NULL;
	unsigned least = name.len < 4 ? 2 : 4;

	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (bytes_eq(name, bytes_str(others[i].theirs)))
			return others[i].ours;
	for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
		if (bytes_distance(name, bytes_str(policy_fields[i].name)) < least)
			least = bytes_distance(name, bytes_str(best = policy_fields[i].name));
	for (size_t i = 0; i < policy_function_count; i++)
		if (bytes_distance(name, bytes_str(policy_functions[i].name)) < least)
			least = bytes_distance(name, bytes_str(best = policy_functions[i].name));
	return best;
}
