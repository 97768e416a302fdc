/* What only several nodes need to share: codes on their way to an app, for the browser may come to another node with it, and the keys that sign tokens
 * for servers, for a server asks any node which they are. */
#include "auth/store_nodes.h"

#include "auth/store_priv.h"

#define CODES_KEPT_S 600
#define KEYS_KEPT_S  (30 * 86400)

static enum err clear_old(struct store *s, enum statement n, uint64_t before_s)
{
	struct query q = store_ask(s, n);

	ask_u64(&q, before_s);
	return store_run(&q);
}

static enum err tell(struct store *s, const char *word, struct bytes what)
{
	unsigned char mem[STORE_ENDED_MOST * 17 + 16];
	struct query q = store_ask(s, SQL_TELL);
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_str(&t, word);
	text_add(&t, what);
	CHECK(s->in_transaction); /* alone it would give a row */
	if (t.failed)
		return ERR_LIMIT;
	ask_text(&q, text_bytes(&t));
	return store_change_later(&q, SQL_TELL);
}

enum err store_tell_ended(struct store *s, struct bytes ids)
{
	return tell(s, "end ", ids);
}

enum err store_tell_flows(struct store *s, struct bytes which)
{
	return which.len > STORE_TELL_MOST ? ERR_LIMIT : tell(s, "flows ", which);
}

enum err store_code_put(struct store *s, const struct store_code *c, uint64_t now_s)
{
	struct query q = store_ask(s, SQL_CODE_PUT);
	enum err e;

	ask_blob(&q, c->hash, sizeof(c->hash));
	ask_blob(&q, c->nonce, sizeof(c->nonce));
	ask_text(&q, bytes_str(c->session));
	ask_text(&q, bytes_str(c->host));
	ask_blob(&q, c->target.at, c->target.len);
	ask_u64(&q, c->until_s);
	e = store_change(&q, SQL_CODE_PUT);
	return e == OK ? clear_old(s, SQL_CODE_OLD, now_s > CODES_KEPT_S ? now_s - CODES_KEPT_S : 0) : e;
}

enum err store_code_take(struct store *s, const unsigned char hash[32], struct arena *a, struct store_code *out)
{
	struct query q = store_ask(s, SQL_CODE_TAKE);
	struct store_code c = { 0 };
	bool has_row = false;
	enum err e;

	ask_blob(&q, hash, 32);
	e = store_next(&q, &has_row);
	if (e == OK && !has_row)
		e = ERR_NOT_FOUND;
	if (e == OK) {
		memcpy(c.hash, hash, sizeof(c.hash));
		row_fixed(&q, 0, c.nonce, sizeof(c.nonce));
		row_string(&q, 1, c.session, sizeof(c.session));
		row_string(&q, 2, c.host, sizeof(c.host));
		c.target = arena_copy(a, row_blob(&q, 3, 0, STORE_TARGET_MAX));
		c.until_s = row_u64(&q, 4, INT64_MAX);
		e = row_check(&q, "code", 0);
	}
	if (e == OK && !c.target.at)
		e = ERR_MEMORY;
	if (e == OK)
		*out = c;
	return store_end(&q, e);
}

enum err store_key_put(struct store *s, const unsigned char key[64], uint64_t now_s)
{
	struct query q = store_ask(s, SQL_KEY_PUT);

	ask_blob(&q, key, 64);
	ask_u64(&q, now_s);
	TRY(store_change(&q, SQL_KEY_PUT));
	return clear_old(s, SQL_KEY_OLD, now_s > KEYS_KEPT_S ? now_s - KEYS_KEPT_S : 0);
}

enum err store_keys(struct store *s, uint64_t since_s, bool (*one)(void *ctx, const unsigned char key[64]), void *ctx)
{
	struct query q = store_ask(s, SQL_KEYS);
	unsigned char key[64];
	bool has_row = true;
	enum err e;

	ask_u64(&q, since_s);
	do {
		e = store_next(&q, &has_row);
		if (e == OK && has_row) {
			row_fixed(&q, 0, key, sizeof(key));
			e = row_check(&q, "node_key", 0);
		}
	} while (e == OK && has_row && one(ctx, key));
	return store_end(&q, e);
}
