/* A line is written by hand and not by a JSON library, so that its bytes are ours: what is signed is the line as it
 * stands, up to its signature. */
#include "evidence/custody.h"

#include "json/write.h"

#include <jansson.h>

#define SIGNATURE_KEY ",\"signature\":\""
#define TAIL_LEN      (sizeof(SIGNATURE_KEY) - 1 + 2 * ED25519_SIGNATURE_LEN + 2) /* "} */

static void signed_text(struct bytes front, struct text *out)
{
	text_lit(out, "sluis-custody-1\n");
	text_add(out, front);
	text_byte(out, '\n');
}

static void put_field(struct text *t, const char *key, struct bytes value)
{
	text_fmt(t, ",\"%s\":", key);
	json_put_string(t, value);
}

static void put_hex(struct text *t, const char *key, const unsigned char *at, size_t len)
{
	text_fmt(t, ",\"%s\":\"", key);
	hex_put(t, bytes_of(at, len));
	text_byte(t, '"');
}

/* How many lines, and the SHA-256 of the last one with its line feed (zeros when there is none). */
static enum err last_line(struct bytes log, uint64_t *count, unsigned char sum[SHA256_LEN])
{
	memset(sum, 0, SHA256_LEN);
	*count = 0;
	while (log.len) {
		size_t end = bytes_find_byte(log, '\n');

		if (end == SIZE_MAX)
			return ERR_SYNTAX;
		sha256_of(bytes_cut(log, 0, end + 1), sum);
		log = bytes_cut(log, end + 1, log.len);
		++*count;
	}
	return OK;
}

enum err custody_add(struct text *log, const struct custody_entry *e, const struct ed25519_key *key)
{
	unsigned char mem[CUSTODY_LINE_MAX], signed_mem[CUSTODY_LINE_MAX + 64], prev[SHA256_LEN], public[ED25519_PUBLIC_LEN];
	unsigned char signature[ED25519_SIGNATURE_LEN];
	const struct bytes fields[] = { e->time, e->action, e->by, e->host, e->to, e->reason };
	struct text line, what;
	uint64_t count;

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (fields[i].len > CUSTODY_FIELD_MAX)
			return ERR_LIMIT;
	TRY(last_line(text_bytes(log), &count, prev));
	text_init(&line, mem, sizeof(mem));
	text_fmt(&line, "{\"n\":%llu", (unsigned long long)count + 1);
	put_field(&line, "time", e->time);
	put_field(&line, "action", e->action);
	put_field(&line, "by", e->by);
	put_field(&line, "host", e->host);
	put_field(&line, "to", e->to);
	put_field(&line, "reason", e->reason);
	put_hex(&line, "archive_sha256", e->archive, SHA256_LEN);
	put_hex(&line, "prev", prev, SHA256_LEN);
	if (key) {
		ed25519_public(key, public);
		put_hex(&line, "signer", public, sizeof(public));
		text_init(&what, signed_mem, sizeof(signed_mem));
		signed_text(text_bytes(&line), &what);
		if (line.failed || what.failed)
			return ERR_LIMIT;
		TRY(ed25519_sign(key, text_bytes(&what), signature));
		put_hex(&line, "signature", signature, sizeof(signature));
	}
	text_lit(&line, "}\n");
	if (line.failed || log->len + line.len > CUSTODY_MAX)
		return ERR_LIMIT;
	text_add(log, text_bytes(&line));
	return log->failed ? ERR_LIMIT : OK;
}

static bool take_string(const json_t *o, const char *key, struct bytes *out)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) > CUSTODY_FIELD_MAX)
		return false;
	*out = bytes_of(json_string_value(v), json_string_length(v));
	return true;
}

static bool take_hex(const json_t *o, const char *key, unsigned char *out, size_t len)
{
	struct bytes hex;

	return take_string(o, key, &hex) && hex_read(hex, out, len) == OK;
}

static bool take_entry(const json_t *o, struct custody_entry *e)
{
	json_int_t n = json_integer_value(json_object_get(o, "n"));

	e->n = n > 0 ? (uint64_t)n : 0;
	e->is_signed = json_object_get(o, "signature") != NULL;
	/* No key too many: a line whose signature's name was changed is not one without a signature. */
	return json_is_object(o) && json_object_size(o) == (e->is_signed ? 11 : 9) && take_string(o, "time", &e->time) && take_string(o, "action", &e->action) &&
		take_string(o, "by", &e->by) && take_string(o, "host", &e->host) && take_string(o, "to", &e->to) &&
		take_string(o, "reason", &e->reason) && take_hex(o, "archive_sha256", e->archive, SHA256_LEN) &&
		take_hex(o, "prev", e->prev, SHA256_LEN) && (!e->is_signed || take_hex(o, "signer", e->signer, ED25519_PUBLIC_LEN));
}

static bool is_signature_right(struct bytes line, const struct custody_entry *e)
{
	unsigned char signature[ED25519_SIGNATURE_LEN], mem[CUSTODY_LINE_MAX + 64];
	struct bytes tail;
	struct text what;

	if (!e->is_signed)
		return true; /* it claims no signature: for the caller to tell */
	if (line.len < TAIL_LEN)
		return false;
	tail = bytes_cut(line, line.len - TAIL_LEN, line.len);
	if (!bytes_starts(tail, BYTES(SIGNATURE_KEY)) || !bytes_ends(tail, BYTES("\"}")) ||
		hex_read(bytes_cut(tail, sizeof(SIGNATURE_KEY) - 1, tail.len - 2), signature, sizeof(signature)) != OK)
		return false;
	text_init(&what, mem, sizeof(mem));
	signed_text(bytes_cut(line, 0, line.len - TAIL_LEN), &what);
	return !what.failed && ed25519_verify(e->signer, text_bytes(&what), bytes_of(signature, sizeof(signature)));
}

struct chain {
	uint64_t n;
	unsigned char prev[SHA256_LEN];
	const unsigned char *archive;
	void (*each)(void *ctx, const struct custody_entry *e);
	void *ctx;
};

static enum custody_fault check_line(struct chain *c, struct bytes line, json_t *o)
{
	struct custody_entry e = { 0 };

	if (!take_entry(o, &e))
		return CUSTODY_NOT_A_LINE;
	if (e.n != c->n)
		return CUSTODY_NUMBER;
	if (memcmp(e.prev, c->prev, SHA256_LEN) != 0)
		return CUSTODY_PREV;
	if (memcmp(e.archive, c->archive, SHA256_LEN) != 0)
		return CUSTODY_ARCHIVE;
	if (!is_signature_right(line, &e))
		return CUSTODY_SIGNATURE;
	c->each(c->ctx, &e);
	return CUSTODY_OK;
}

enum custody_fault custody_check(struct bytes log, const unsigned char archive[SHA256_LEN],
	void (*each)(void *ctx, const struct custody_entry *e), void *ctx, uint64_t *line)
{
	struct chain c = { .archive = archive, .each = each, .ctx = ctx };

	while (log.len) {
		size_t end = bytes_find_byte(log, '\n');
		struct bytes text = bytes_cut(log, 0, end);
		enum custody_fault f = CUSTODY_NOT_A_LINE;
		json_t *o;

		*line = ++c.n;
		if (end == SIZE_MAX || end > CUSTODY_LINE_MAX)
			return f;
		o = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
		f = check_line(&c, text, o);
		json_decref(o);
		if (f != CUSTODY_OK)
			return f;
		sha256_of(bytes_cut(log, 0, end + 1), c.prev);
		log = bytes_cut(log, end + 1, log.len);
	}
	return CUSTODY_OK;
}
