/* Walking the tree. Nothing is allocated but strings that must be made (lower, query), and those in the
 * request's arena; when that is full they are empty. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/policy_priv.h"
#include "http/params.h"

#include <pcre2.h>
#include <stdlib.h>

static bool eval_bool(const struct policy_expr *e, const struct policy_input *in);

static struct bytes field_of(const struct policy_input *in, enum http_field_id id)
{
	const struct http_field *f = http_find_field_id(in->req->fields, in->req->field_count, id);

	return f ? f->value : BYTES("");
}

static struct bytes string_field(enum policy_field_id f, const struct policy_input *in)
{
	const struct http_request *r = in->req;

	switch (f) {
	case F_LISTENER: return in->listener;
	case F_TLS_VERSION: return in->tls_version;
	case F_TLS_SNI: return in->tls_sni;
	case F_TLS_CIPHER: return in->tls_cipher;
	case F_TLS_SUBJECT: return in->tls_client_subject;
	case F_METHOD: return r->method_text;
	case F_TARGET: return r->target;
	case F_PATH: return r->path;
	case F_PATH_RAW: return r->raw_path;
	case F_QUERY: return r->raw_query;
	case F_HOST: return r->host;
	case F_SCHEME: return r->scheme;
	case F_VERSION: return r->minor ? BYTES("1.1") : BYTES("1.0");
	case F_USER_AGENT: return field_of(in, HTTP_USER_AGENT);
	case F_REFERER: return field_of(in, HTTP_REFERER);
	default: return BYTES("");
	}
}

static int64_t int_field(enum policy_field_id f, const struct policy_input *in)
{
	int64_t s = (int64_t)(in->real_us / 1000000);

	switch (f) {
	case F_PEER_PORT: return in->peer.port;
	case F_PORT: return in->req->port;
	case F_CONTENT_LENGTH: return in->req->framing == HTTP_BODY_LENGTH ? (int64_t)in->req->length : 0;
	case F_STATUS: return in->res ? in->res->status : 0;
	case F_HOUR: return s / 3600 % 24;
	case F_WEEKDAY: return (s / 86400 + 3) % 7 + 1; /* 1970-01-01 was a Thursday */
	case F_UNIX: return s;
	default: return 0;
	}
}

static int64_t eval_int(const struct policy_expr *e, const struct policy_input *in)
{
	if (e->op == OP_INT)
		return e->number;
	if (e->op == OP_LEN)
		return (int64_t)policy_eval_string(e->a, in).len;
	return int_field(e->field, in);
}

static const struct addr *eval_address(const struct policy_expr *e, const struct policy_input *in)
{
	if (e->op == OP_ADDRESS)
		return &e->address;
	return e->field == F_CLIENT_IP ? &in->client : &in->peer;
}

static struct bytes with_case(struct bytes s, bool upper, const struct policy_input *in)
{
	unsigned char *out = arena_alloc_raw(in->arena, s.len);

	if (!out)
		return BYTES("");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char low = ascii_lower(s.at[i]);
		out[i] = upper && low >= 'a' && low <= 'z' ? (unsigned char)(low & ~0x20) : upper ? s.at[i] : low;
	}
	return bytes_of(out, s.len);
}

static struct bytes as_text(const struct policy_expr *e, const struct policy_input *in)
{
	unsigned char *mem = arena_alloc_raw(in->arena, 64);
	struct text t;

	if (!mem)
		return BYTES("");
	text_init(&t, mem, 64);
	if (e->type == POLICY_ADDRESS)
		addr_write_ip(eval_address(e, in), &t);
	else
		text_u64(&t, (uint64_t)eval_int(e, in));
	return text_bytes(&t);
}

static struct bytes concat(struct bytes a, struct bytes b, const struct policy_input *in)
{
	unsigned char *out = arena_alloc_raw(in->arena, a.len + b.len);

	if (!out)
		return BYTES("");
	if (a.len)
		memcpy(out, a.at, a.len);
	if (b.len)
		memcpy(out + a.len, b.at, b.len);
	return bytes_of(out, a.len + b.len);
}

struct bytes policy_eval_string(const struct policy_expr *e, const struct policy_input *in)
{
	const struct http_field *f;
	struct bytes v = BYTES("");

	if (e->type == POLICY_INT || e->type == POLICY_ADDRESS)
		return as_text(e, in);
	switch (e->op) {
	case OP_STRING: return e->string;
	case OP_FIELD: return string_field(e->field, in);
	case OP_LOWER: case OP_UPPER: return with_case(policy_eval_string(e->a, in), e->op == OP_UPPER, in);
	case OP_HEADER:
		f = http_find_field(in->req->fields, in->req->field_count, e->a->string);
		return f ? f->value : v;
	case OP_RESPONSE_HEADER:
		f = in->res ? http_find_field(in->res->fields, in->res->field_count, e->a->string) : NULL;
		return f ? f->value : v;
	case OP_COOKIE:
		return http_cookie_find(in->req->fields, in->req->field_count, e->a->string, &v) ? v : BYTES("");
	case OP_QUERY: return http_query_find(in->req->raw_query, e->a->string, in->arena, &v) ? v : BYTES("");
	case OP_TEXT_DECODE:
		v = http_percent_decode(policy_eval_string(e->a, in), false, in->arena);
		return v.at ? with_case(v, false, in) : BYTES("");
	case OP_CONCAT: return concat(policy_eval_string(e->a, in), policy_eval_string(e->b, in), in);
	default: return v;
	}
}

static bool equal(const struct policy_expr *e, const struct policy_input *in)
{
	switch (e->a->type) {
	case POLICY_STRING: return bytes_eq(policy_eval_string(e->a, in), policy_eval_string(e->b, in));
	case POLICY_INT: return eval_int(e->a, in) == eval_int(e->b, in);
	case POLICY_BOOL: return eval_bool(e->a, in) == eval_bool(e->b, in);
	case POLICY_ADDRESS: return memcmp(eval_address(e->a, in)->ip, eval_address(e->b, in)->ip, 16) == 0;
	}
	return false;
}

/* A match that runs into PCRE2's limits counts as a match: a pattern that blocks must not be escaped by
 * making it slow. */
static bool matches(const struct policy_expr *e, const struct policy_input *in)
{
	struct bytes s = policy_eval_string(e->a, in);
	int n;

	n = pcre2_match(e->regex, s.at ? s.at : (const unsigned char *)"", s.len, 0, 0, e->match, NULL);
	return n >= 0 || (n != PCRE2_ERROR_NOMATCH && n != PCRE2_ERROR_PARTIAL);
}

static int find_cmp(const void *key, const void *item)
{
	return bytes_cmp(*(const struct bytes *)key, *(const struct bytes *)item);
}

static bool in_any(const struct policy_expr *e, const struct policy_input *in)
{
	if (e->op == OP_IN_STRINGS) {
		struct bytes s = policy_eval_string(e->a, in);
		return e->count && bsearch(&s, e->strings, e->count, sizeof *e->strings, find_cmp) != NULL;
	}
	for (size_t i = 0; i < e->count; i++)
		if (e->op == OP_IN_INTS ? e->numbers[i] == eval_int(e->a, in) : addr_in(eval_address(e->a, in), &e->prefixes[i]))
			return true;
	return false;
}

static bool has_tag(const struct policy_expr *e, const struct policy_input *in)
{
	for (size_t i = 0; i < in->tag_count; i++)
		if (bytes_eq(in->tags[i], e->a->string))
			return true;
	return false;
}

static bool eval_bool(const struct policy_expr *e, const struct policy_input *in)
{
	switch (e->op) {
	case OP_OR: return eval_bool(e->a, in) || eval_bool(e->b, in);
	case OP_AND: return eval_bool(e->a, in) && eval_bool(e->b, in);
	case OP_NOT: return !eval_bool(e->a, in);
	case OP_EQ: return equal(e, in);
	case OP_NE: return !equal(e, in);
	case OP_LT: return eval_int(e->a, in) < eval_int(e->b, in);
	case OP_LE: return eval_int(e->a, in) <= eval_int(e->b, in);
	case OP_GT: return eval_int(e->a, in) > eval_int(e->b, in);
	case OP_GE: return eval_int(e->a, in) >= eval_int(e->b, in);
	case OP_CONTAINS: return bytes_find(policy_eval_string(e->a, in), policy_eval_string(e->b, in)) != SIZE_MAX;
	case OP_MATCHES: return matches(e, in);
	case OP_IN_STRINGS: case OP_IN_ADDRESSES: case OP_IN_INTS: return in_any(e, in);
	case OP_STARTS: return bytes_starts(policy_eval_string(e->a, in), policy_eval_string(e->b, in));
	case OP_ENDS: return bytes_ends(policy_eval_string(e->a, in), policy_eval_string(e->b, in));
	case OP_TAG: return has_tag(e, in);
	case OP_FIELD: return in->is_tls; /* the only field of this type */
	case OP_BOOL: return e->number != 0;
	default: return false;
	}
}

bool policy_is_true(const struct policy_expr *e, const struct policy_input *in)
{
	if (in->arena_is_scratch)
		arena_reset(in->arena);
	return eval_bool(e, in);
}

struct bytes policy_string(const struct policy_expr *e, const struct policy_input *in)
{
	return policy_eval_string(e, in);
}

bool policy_needs_response(const struct policy_expr *e)
{
	return e->looks_at_response;
}

const struct policy_rule *policy_match(const struct policy_rule *rules, size_t count, size_t *next,
	const struct policy_input *in)
{
	while (*next < count) {
		const struct policy_rule *r = &rules[(*next)++];
		if (r->on_response != (in->res != NULL))
			continue;
		if (!r->when || policy_is_true(r->when, in))
			return r;
	}
	return NULL;
}
