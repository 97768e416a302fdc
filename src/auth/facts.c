/* Facts of a session as octets: numbers first, then texts as u16 and octets, groups by their number. */
#include "auth/facts.h"

#include "base/reader.h"

enum { HAS_MFA = 1, DEVICE_BOUND = 2, MUST_CHANGE = 4 };

#define HASH_LEN sizeof(((struct auth_facts *)0)->device_hash)

static void put_device(struct text *t, const struct auth_facts *f)
{
	text_put_u64(t, f->device_until_s);
	text_put_u64(t, f->device_before_until_s);
	text_put_u64(t, f->device_grace_s);
	text_put_u64(t, f->device_challenge_until_s);
	text_add(t, bytes_of(f->device_hash, HASH_LEN));
	text_add(t, bytes_of(f->device_before, HASH_LEN));
	text_add(t, bytes_of(f->device_challenge, HASH_LEN));
}

static void take_hash(struct reader *r, unsigned char out[HASH_LEN])
{
	struct bytes b = reader_take(r, HASH_LEN);

	if (b.len == HASH_LEN)
		memcpy(out, b.at, HASH_LEN);
}

static void take_device(struct reader *r, struct auth_facts *f)
{
	f->device_until_s = reader_u64(r);
	f->device_before_until_s = reader_u64(r);
	f->device_grace_s = reader_u64(r);
	f->device_challenge_until_s = reader_u64(r);
	take_hash(r, f->device_hash);
	take_hash(r, f->device_before);
	take_hash(r, f->device_challenge);
}

void auth_facts_write(struct text *t, const struct auth_facts *f)
{
	text_put_u32(t, f->slot);
	text_put_u32(t, f->generation);
	text_put_u64(t, f->since_s);
	text_put_u64(t, f->until_s);
	text_put_u64(t, f->proved_s);
	text_put_u32(t, f->idle_s);
	text_put_u64(t, f->jwt_until_s);
	text_put_u8(t, (uint8_t)((f->has_mfa ? HAS_MFA : 0) | (f->is_device_bound ? DEVICE_BOUND : 0) | (f->must_change ? MUST_CHANGE : 0)));
	text_put_u32(t, f->news);
	text_put_u64(t, f->begun_s);
	put_device(t, f);
	text_add(t, bytes_of(f->id, AUTH_ID_LEN));
	text_put_bytes(t, f->method);
	text_put_bytes(t, f->user);
	text_put_bytes(t, f->display);
	text_put_bytes(t, f->mail);
	text_put_bytes(t, f->language);
	text_put_bytes(t, f->jwt);
	text_put_u8(t, (uint8_t)f->group_count);
	for (size_t i = 0; i < f->group_count; i++)
		text_put_bytes(t, f->groups[i]);
}

enum err auth_facts_parse(struct bytes b, struct auth_facts *out)
{
	struct reader r = { .left = b };
	struct auth_facts f = { 0 };
	struct bytes id;
	uint8_t flags;

	f.slot = reader_u32(&r);
	f.generation = reader_u32(&r);
	f.since_s = reader_u64(&r);
	f.until_s = reader_u64(&r);
	f.proved_s = reader_u64(&r);
	f.idle_s = reader_u32(&r);
	f.jwt_until_s = reader_u64(&r);
	flags = reader_u8(&r);
	f.news = reader_u32(&r);
	f.begun_s = reader_u64(&r);
	take_device(&r, &f);
	id = reader_take(&r, AUTH_ID_LEN);
	f.method = reader_bytes(&r);
	f.user = reader_bytes(&r);
	f.display = reader_bytes(&r);
	f.mail = reader_bytes(&r);
	f.language = reader_bytes(&r);
	f.jwt = reader_bytes(&r);
	f.group_count = reader_u8(&r);
	if (f.group_count > AUTH_GROUPS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < f.group_count; i++)
		f.groups[i] = reader_bytes(&r);
	if (!reader_done(&r) || flags > (HAS_MFA | DEVICE_BOUND | MUST_CHANGE))
		return ERR_SYNTAX;
	memcpy(f.id, id.at, AUTH_ID_LEN);
	f.has_mfa = flags & HAS_MFA;
	f.is_device_bound = flags & DEVICE_BOUND;
	f.must_change = flags & MUST_CHANGE;
	*out = f;
	return OK;
}
