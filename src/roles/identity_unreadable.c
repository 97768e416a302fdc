/* Rows of the store that cannot be read: each is told of, but not each time that it is met, for whoever it belongs to may come again and again. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "crypto/sha256.h"

#define TOLD_MOST 64
#define TOLD_S	  3600

static struct { unsigned char rows[TOLD_MOST][SHA256_LEN]; unsigned count; uint64_t until_s; } told;

static void name_of(const char *table, struct bytes row, unsigned char out[SHA256_LEN])
{
	unsigned char mem[128];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_str(&t, table);
	text_byte(&t, ' ');
	text_add(&t, row);
	sha256_of(text_bytes(&t), out);
}

void identity_unreadable(void *ctx, const char *table, struct bytes row)
{
	const struct identity *id = ctx;
	uint64_t now_s = identity_now_s(id);
	unsigned char name[SHA256_LEN];

	if (now_s >= told.until_s) {
		told.count = 0;
		told.until_s = now_s + TOLD_S;
	}
	name_of(table, row, name);
	for (unsigned i = 0; i < told.count; i++)
		if (memcmp(told.rows[i], name, sizeof name) == 0)
			return;
	if (told.count == TOLD_MOST)
		return;
	memcpy(told.rows[told.count++], name, sizeof name);
	LOG(EV_STORE_UNREADABLE, KV_STR("table", table), KV_BYTES("row", row));
}
