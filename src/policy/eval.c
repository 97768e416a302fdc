/* Walking the tree. Nothing is allocated but texts that must be made (lower, query), and those in the arena of
 * the input; a text that does not fit makes its comparison unknown. */
#include "policy/policy_priv.h"
#include "http/params.h"

static struct bytes failed(struct policy_eval *v)
{
	v->failed = true;
	return BYTES("");
}

/* --- fields of heads --- */

struct head {
	const struct http_field *fields;
	size_t count;
};

static struct head head_of(const struct policy_expr *e, const struct policy_input *in)
{
	bool of_response = e->op == OP_RESPONSE_HEADER || e->op == OP_RESPONSE_ANY_HEADER;

	if (of_response)
		return in->res ? (struct head){ in->res->fields, in->res->field_count } : (struct head){ NULL, 0 };
	return (struct head){ in->req->fields, in->req->field_count };
}

/* The first field at or behind from that is meant, or h.count. */
static size_t find_field(struct head h, size_t from, uint16_t id, struct bytes name)
{
	if (id != HTTP_FIELD_OTHER) {
		while (from < h.count && h.fields[from].id != id)
			from++;
		return from;
	}
	while (from < h.count && (h.fields[from].name.len != name.len || !bytes_eq_nocase(h.fields[from].name, name)))
		from++;
	return from;
}

static uint64_t id_bit(uint16_t id)
{
	return UINT64_C(1) << (id & 63);
}

/* Names of one length share a bit: it only says which cannot be there. */
static uint64_t name_bit(struct bytes name)
{
	return UINT64_C(1) << (name.len & 63);
}

void policy_input_index(struct policy_input *in)
{
	_Static_assert(HTTP_FIELD_COUNT <= 64, "a bit for each");
	uint64_t ids = 0, again = 0, others = 0;

	for (size_t i = 0; i < in->req->field_count; i++) {
		const struct http_field *f = &in->req->fields[i];
		again |= ids & id_bit(f->id);
		ids |= id_bit(f->id);
		others |= name_bit(f->name);
	}
	in->ids = ids;
	in->ids_again = again;
	in->others = others;
	in->is_indexed = true;
}

/* RFC 9110 5.3: several fields of one name are one list. Which of them a server behind looks at is not known, so
 * all of them are shown. */
static __attribute__((noinline)) struct bytes join(struct policy_eval *v, struct head h, size_t first, uint16_t id, struct bytes name)
{
	struct bytes between = id == HTTP_COOKIE ? BYTES("; ") : BYTES(", ");
	size_t len = 0;
	unsigned char *out, *to;

	for (size_t i = first; i < h.count; i = find_field(h, i + 1, id, name))
		len += h.fields[i].value.len + between.len;
	to = out = arena_alloc_raw(v->in->arena, len);
	if (!out)
		return failed(v);
	for (size_t i = first; i < h.count; i = find_field(h, i + 1, id, name)) {
		if (h.fields[i].value.len)
			memcpy(to, h.fields[i].value.at, h.fields[i].value.len);
		to += h.fields[i].value.len;
		memcpy(to, between.at, between.len);
		to += between.len;
	}
	return bytes_of(out, len - between.len);
}

static struct bytes joined(struct policy_eval *v, struct head h, uint16_t id, struct bytes name)
{
	bool is_indexed = v->in->is_indexed && h.fields == v->in->req->fields;
	size_t first;

	if (is_indexed && !(id ? v->in->ids & id_bit(id) : v->in->others & name_bit(name)))
		return BYTES("");
	first = find_field(h, 0, id, name);
	if (first == h.count)
		return BYTES("");
	if ((is_indexed && id && !(v->in->ids_again & id_bit(id))) || find_field(h, first + 1, id, name) == h.count)
		return h.fields[first].value;
	return join(v, h, first, id, name);
}

static struct bytes header(const struct policy_expr *e, struct policy_eval *v)
{
	return joined(v, head_of(e, v->in), e->header, e->a->string);
}

static struct bytes field_of(struct policy_eval *v, enum http_field_id id)
{
	return joined(v, (struct head){ v->in->req->fields, v->in->req->field_count }, (uint16_t)id, BYTES(""));
}

static struct bytes any_header(const struct policy_expr *e, struct policy_eval *v)
{
	struct head h = head_of(e, v->in);
	size_t i = find_field(h, v->next_field, e->header, e->a->string);

	v->ended = i == h.count;
	if (v->ended)
		return BYTES("");
	v->next_field = i + 1;
	return h.fields[i].value;
}

static struct bytes any_cookie(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes value = BYTES("");

	v->ended = !http_cookie_next(v->in->req->fields, v->in->req->field_count, e->a->string, &v->next_field,
		&v->cookies_left, &value);
	return value;
}

static struct bytes any_query(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes value = BYTES("");

	v->ended = !http_query_next(&v->query_left, e->a->string, v->in->arena, &value);
	return !v->ended && !value.at ? failed(v) : value;
}

static struct bytes query(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes left = v->in->req->raw_query, value = BYTES("");

	if (http_query_next(&left, e->a->string, v->in->arena, &value) && !value.at)
		return failed(v);
	return value;
}

static struct bytes cookie(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes value = BYTES("");

	return http_cookie_find(v->in->req->fields, v->in->req->field_count, e->a->string, &value) ? value : BYTES("");
}

static struct bytes given(struct bytes b)
{
	return b.at ? b : BYTES("");
}

static struct bytes session_field(enum policy_field_id f, struct policy_eval *v)
{
	const struct policy_session *s = v->in->session;

	if (f == F_USER_GROUPS) {
		v->ended = !s || v->next_field >= s->group_count;
		return v->ended ? BYTES("") : given(s->groups[v->next_field++]);
	}
	return !s ? BYTES("") : given(f == F_USER_NAME ? s->user : s->method);
}

static struct bytes string_field(enum policy_field_id f, struct policy_eval *v)
{
	const struct policy_input *in = v->in;
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
	case F_USER_AGENT: return field_of(v, HTTP_USER_AGENT);
	case F_REFERER: return field_of(v, HTTP_REFERER);
	case F_SESSION_METHOD: case F_USER_NAME: case F_USER_GROUPS: return session_field(f, v);
	default: return BYTES("");
	}
}

/* --- values --- */

/* A clock that was set back makes nobody's proof younger than now. */
static int64_t age(uint64_t proved_s, int64_t now_s)
{
	return proved_s < (uint64_t)now_s ? now_s - (int64_t)proved_s : 0;
}

static int64_t int_field(enum policy_field_id f, const struct policy_input *in)
{
	int64_t s = (int64_t)(in->real_us / 1000000);

	switch (f) {
	case F_PEER_PORT: return in->peer.port;
	case F_PORT: return in->req->port;
	case F_CONTENT_LENGTH: return in->req->framing == HTTP_BODY_LENGTH ?
			(int64_t)(in->req->length > INT64_MAX ? INT64_MAX : in->req->length) : 0;
	case F_STATUS: return in->res ? in->res->status : 0;
	case F_HOUR: return s / 3600 % 24;
	case F_WEEKDAY: return (s / 86400 + 3) % 7 + 1; /* 1970-01-01 was a Thursday */
	case F_UNIX: return s;
	case F_SESSION_AGE: return in->session ? age(in->session->proved_s, s) : 0;
	default: return 0;
	}
}

static int64_t eval_int(const struct policy_expr *e, struct policy_eval *v)
{
	if (e->op == OP_INT)
		return e->number;
	if (e->op == OP_LEN)
		return (int64_t)policy_eval_string(e->a, v).len;
	return int_field((enum policy_field_id)e->field, v->in);
}

static const struct addr *eval_address(const struct policy_expr *e, const struct policy_eval *v)
{
	if (e->op == OP_ADDRESS)
		return &e->address;
	return e->field == F_CLIENT_IP ? &v->in->client : &v->in->peer;
}

static struct bytes with_case(struct bytes s, bool upper, struct policy_eval *v)
{
	unsigned char *out = arena_alloc_raw(v->in->arena, s.len), first = upper ? 'a' : 'A';

	if (!out)
		return failed(v);
	for (size_t i = 0; i < s.len; i++) /* without branches, so that the compiler takes many at a time */
		out[i] = (unsigned char)(s.at[i] ^ ((unsigned char)(s.at[i] - first) < 26 ? 0x20 : 0));
	return bytes_of(out, s.len);
}

static struct bytes decoded(struct bytes s, bool lower, struct policy_eval *v)
{
	struct bytes out = http_percent_decode(s, false, v->in->arena);
	unsigned char *low = (unsigned char *)(uintptr_t)out.at; /* just made, ours */

	if (!out.at)
		return failed(v);
	for (size_t i = 0; lower && i < out.len; i++)
		low[i] = ascii_lower(low[i]);
	return out;
}

static struct bytes as_text(const struct policy_expr *e, struct policy_eval *v)
{
	unsigned char *mem = arena_alloc_raw(v->in->arena, 64);
	struct text t;

	if (!mem)
		return failed(v);
	text_init(&t, mem, 64);
	if (e->type == POLICY_ADDRESS)
		addr_write_ip(eval_address(e, v), &t);
	else
		text_u64(&t, (uint64_t)eval_int(e, v));
	return text_bytes(&t);
}

static struct bytes concat(struct bytes a, struct bytes b, struct policy_eval *v)
{
	unsigned char *out = arena_alloc_raw(v->in->arena, a.len + b.len);

	if (!out)
		return failed(v);
	if (a.len)
		memcpy(out, a.at, a.len);
	if (b.len)
		memcpy(out + a.len, b.at, b.len);
	return bytes_of(out, a.len + b.len);
}

/* What needs more than a look; apart, so that what does not stays short. */
static __attribute__((noinline)) struct bytes make_string(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes s;

	if (e->type == POLICY_INT || e->type == POLICY_ADDRESS)
		return as_text(e, v);
	switch (e->op) {
	case OP_LOWER: case OP_UPPER: return with_case(policy_eval_string(e->a, v), e->op == OP_UPPER, v);
	case OP_ANY_HEADER: case OP_RESPONSE_ANY_HEADER: return any_header(e, v);
	case OP_COOKIE: return cookie(e, v);
	case OP_ANY_COOKIE: return any_cookie(e, v);
	case OP_QUERY: return query(e, v);
	case OP_ANY_QUERY: return any_query(e, v);
	case OP_REMOVE_QUERY:
		s = http_query_without(v->in->req->raw_query, e->a->string, v->in->arena);
		return s.at ? s : failed(v);
	case OP_TEXT_DECODE: case OP_URL_DECODE: return decoded(policy_eval_string(e->a, v), e->op == OP_TEXT_DECODE, v);
	case OP_CONCAT:
		s = policy_eval_string(e->a, v);
		return concat(s, policy_eval_string(e->b, v), v);
	default: return BYTES("");
	}
}

struct bytes policy_eval_string(const struct policy_expr *e, struct policy_eval *v)
{
	if (e->op == OP_STRING)
		return e->string;
	if (e->op == OP_FIELD && e->type == POLICY_STRING)
		return string_field((enum policy_field_id)e->field, v);
	if (e->op == OP_HEADER || e->op == OP_RESPONSE_HEADER)
		return header(e, v);
	return make_string(e, v);
}

/* --- comparisons --- */

static bool same_no_case(const unsigned char *at, struct bytes low)
{
	for (size_t i = 0; i < low.len; i++)
		if (ascii_lower(at[i]) != low.at[i])
			return false;
	return true;
}

/* Looks for one octet of the needle with memchr, which is fast, and compares around it. */
static bool find_by(struct bytes hay, struct bytes needle, size_t rare, unsigned char octet, bool no_case)
{
	const unsigned char *from = hay.at + rare, *end = hay.at + (hay.len - needle.len) + rare + 1, *p;

	for (unsigned tries = 0; from < end && (p = memchr(from, octet, (size_t)(end - from))) != NULL; from = p + 1) {
		if (no_case ? same_no_case(p - rare, needle) : memcmp(p - rare, needle.at, needle.len) == 0)
			return true;
		if (!no_case && ++tries == 32) /* not rare here: what is left goes to the search that is linear */
			return bytes_find(bytes_of(p - rare, (size_t)(hay.at + hay.len - (p - rare))), needle) != SIZE_MAX;
	}
	return false;
}

static bool contains(const struct policy_expr *e, struct bytes hay, struct bytes needle)
{
	unsigned char octet;

	if (e->b->op != OP_STRING)
		return bytes_find(hay, needle) != SIZE_MAX;
	if (hay.len < needle.len)
		return false;
	octet = needle.at[e->rare];
	if (find_by(hay, needle, e->rare, octet, e->no_case))
		return true;
	return e->no_case && octet >= 'a' && octet <= 'z' && find_by(hay, needle, e->rare, (unsigned char)(octet & ~0x20), true);
}

static enum policy_truth truth_of(bool b)
{
	return b ? POLICY_TRUE : POLICY_FALSE;
}

static enum policy_truth compare_strings(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes a = policy_eval_string(e->no_case ? e->a->a : e->a, v);
	struct bytes b = e->b->op == OP_STRING ? e->b->string : policy_eval_string(e->b, v);

	if (UNLIKELY(v->failed))
		return POLICY_UNKNOWN;
	switch (e->op) {
	case OP_CONTAINS: return truth_of(contains(e, a, b));
	case OP_STARTS: return truth_of(e->no_case ? a.len >= b.len && same_no_case(a.at, b) : bytes_starts(a, b));
	case OP_ENDS: return truth_of(e->no_case ? a.len >= b.len && same_no_case(a.at + (a.len - b.len), b) : bytes_ends(a, b));
	default: return truth_of((e->no_case ? a.len == b.len && same_no_case(a.at, b) : bytes_eq(a, b)) == (e->op == OP_EQ));
	}
}

static enum policy_truth compare_ints(const struct policy_expr *e, struct policy_eval *v)
{
	int64_t a = eval_int(e->a, v), b = eval_int(e->b, v);

	if (UNLIKELY(v->failed))
		return POLICY_UNKNOWN;
	switch (e->op) {
	case OP_NE: return truth_of(a != b);
	case OP_LT: return truth_of(a < b);
	case OP_LE: return truth_of(a <= b);
	case OP_GT: return truth_of(a > b);
	case OP_GE: return truth_of(a >= b);
	default: return truth_of(a == b);
	}
}

static enum policy_truth compare_truths(const struct policy_expr *e, struct policy_eval *v)
{
	enum policy_truth a = policy_eval_bool(e->a, v), b = policy_eval_bool(e->b, v);

	if (a == POLICY_UNKNOWN || b == POLICY_UNKNOWN)
		return POLICY_UNKNOWN;
	return truth_of((a == b) == (e->op == OP_EQ));
}

static enum policy_truth compare(const struct policy_expr *e, struct policy_eval *v)
{
	struct bytes s;
	int64_t n;

	if (v->in->arena_is_scratch)
		arena_reset(v->in->arena); /* texts live no longer than a comparison */
	v->failed = false;
	switch (e->op) {
	case OP_IN_STRINGS:
		s = policy_eval_string(e->a, v);
		return v->failed ? POLICY_UNKNOWN : truth_of(policy_strings_have(e->strings, e->count, s));
	case OP_IN_INTS:
		n = eval_int(e->a, v);
		return v->failed ? POLICY_UNKNOWN : truth_of(policy_ints_have(e->numbers, e->count, n));
	case OP_IN_ADDRESSES: return truth_of(policy_ranges_have(e->ranges, e->count, eval_address(e->a, v)));
	case OP_MATCHES:
		s = policy_eval_string(e->a, v);
		return v->failed || v->ended ? POLICY_UNKNOWN : policy_regex_matches(e->regex, s);
	case OP_CONTAINS: case OP_STARTS: case OP_ENDS: return compare_strings(e, v);
	default: break;
	}
	switch ((enum policy_type)e->a->type) {
	case POLICY_STRING: return compare_strings(e, v);
	case POLICY_INT: return compare_ints(e, v);
	case POLICY_ADDRESS:
		return truth_of((memcmp(eval_address(e->a, v)->ip, eval_address(e->b, v)->ip, 16) == 0) == (e->op == OP_EQ));
	case POLICY_BOOL: return compare_truths(e, v);
	}
	return POLICY_UNKNOWN;
}

enum policy_truth policy_eval_any(const struct policy_expr *e, struct policy_eval *v)
{
	enum policy_truth all = POLICY_FALSE;

	v->next_field = 0;
	v->cookies_left = BYTES("");
	v->query_left = v->in->req ? v->in->req->raw_query : BYTES("");
	for (;;) {
		struct policy_eval before = *v;
		enum policy_truth one = compare(e, v);
		if (v->ended)
			break;
		if (one == POLICY_TRUE) {
			*v = before;
			return POLICY_TRUE;
		}
		if (one == POLICY_UNKNOWN)
			all = POLICY_UNKNOWN;
	}
	v->ended = false;
	v->failed = false;
	return all;
}

static bool bool_field(enum policy_field_id f, const struct policy_input *in)
{
	switch (f) {
	case F_TLS: return in->is_tls;
	case F_SESSION_VALID: return in->session != NULL;
	case F_SESSION_MFA: return in->session && in->session->has_mfa;
	case F_SESSION_BOUND: return in->session && in->session->is_device_bound;
	default: return false;
	}
}

static bool has_tag(const struct policy_expr *e, const struct policy_input *in)
{
	for (size_t i = 0; i < in->tag_count; i++)
		if (bytes_eq(in->tags[i], e->a->string))
			return true;
	return false;
}

/* Chains of and, or are loops; what cannot be told may still be decided by the others (Kleene's logic). */
static enum policy_truth eval_chain(const struct policy_expr *e, struct policy_eval *v)
{
	uint8_t op = e->op;
	enum policy_truth decides = op == OP_OR ? POLICY_TRUE : POLICY_FALSE, all = op == OP_OR ? POLICY_FALSE : POLICY_TRUE;

	for (;; e = e->b) {
		enum policy_truth one = policy_eval_bool(e->op == op ? e->a : e, v);
		if (one == decides)
			return one;
		if (one == POLICY_UNKNOWN)
			all = POLICY_UNKNOWN;
		if (e->op != op)
			return all;
	}
}

enum policy_truth policy_eval_bool(const struct policy_expr *e, struct policy_eval *v)
{
	enum policy_truth t;

	switch (e->op) {
	case OP_OR: case OP_AND: return eval_chain(e, v);
	case OP_NOT:
		t = policy_eval_bool(e->a, v);
		return t == POLICY_UNKNOWN ? t : truth_of(t == POLICY_FALSE);
	case OP_TAG: return truth_of(has_tag(e, v->in));
	case OP_FIELD: return truth_of(bool_field((enum policy_field_id)e->field, v->in));
	case OP_BOOL: return truth_of(e->number != 0);
	default: return UNLIKELY(e->is_any) ? policy_eval_any(e, v) : compare(e, v);
	}
}

enum policy_truth policy_truth(const struct policy_expr *e, const struct policy_input *in)
{
	struct policy_eval v = { .in = in };

	return policy_eval_bool(e, &v);
}

bool policy_is_true(const struct policy_expr *e, const struct policy_input *in)
{
	return policy_truth(e, in) == POLICY_TRUE;
}

struct bytes policy_string(const struct policy_expr *e, const struct policy_input *in)
{
	struct policy_eval v = { .in = in };
	struct bytes s = policy_eval_string(e, &v);

	if (v.failed)
		return bytes_of(NULL, 0);
	return s.at ? s : BYTES("");
}

bool policy_needs_response(const struct policy_expr *e)
{
	return e->looks_at_response;
}

bool policy_needs_request(const struct policy_expr *e)
{
	return e->request_name.len > 0;
}

struct bytes policy_request_name(const struct policy_expr *e)
{
	return e->request_name;
}

const struct policy_rule *policy_match(const struct policy_rule *rules, size_t count, size_t *next,
	const struct policy_input *in, bool *is_unknown)
{
	struct policy_eval v = { .in = in };

	*is_unknown = false;
	while (*next < count) {
		const struct policy_rule *r = &rules[(*next)++];
		enum policy_truth t;
		if (r->on_response != (in->res != NULL))
			continue;
		t = r->when ? policy_eval_bool(r->when, &v) : POLICY_TRUE;
		if (t == POLICY_FALSE)
			continue;
		*is_unknown = t == POLICY_UNKNOWN;
		return r;
	}
	return NULL;
}
