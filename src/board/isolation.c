/* The list of what is isolated: published word by word under a sequence number, copied by its readers, matched there. */
#include "board/isolation.h"

#define TRIES 1000

static const char *const kinds[ISOLATE_KINDS] = { "client", "target", "user", "node" };

_Static_assert(sizeof(struct isolation_entry) % 8 == 0, "it travels in words");

void board_isolation_write(struct board_isolation *b, const struct isolation_entry *list, size_t count)
{
	uint64_t epoch = __atomic_load_n(&b->epoch, __ATOMIC_RELAXED) | 1;

	CHECK(count <= ISOLATION_MAX);
	__atomic_store_n(&b->epoch, epoch, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&b->count, count, __ATOMIC_RELAXED);
	for (size_t i = 0; i < count; i++)
		for (size_t w = 0; w < ISOLATION_WORDS; w++) {
			uint64_t word;

			memcpy(&word, (const unsigned char *)&list[i] + w * 8, 8);
			__atomic_store_n(&b->words[i][w], word, __ATOMIC_RELAXED);
		}
	__atomic_store_n(&b->epoch, epoch + 1, __ATOMIC_RELEASE);
}

/* The writer is the master, but a number that is out of range must not lead out of an array. */
static void tame(struct isolation_list *l)
{
	l->has_node = false;
	for (size_t i = 0; i < l->count; i++) {
		struct isolation_entry *e = &l->list[i];

		if (e->name_len > ISOLATION_NAME_MAX)
			e->name_len = ISOLATION_NAME_MAX;
		if (e->bits > 128)
			e->bits = 128;
		l->has_node |= e->kind == ISOLATE_NODE;
	}
}

bool board_isolation_read(const struct board_isolation *b, struct isolation_list *out)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		uint64_t epoch = __atomic_load_n(&b->epoch, __ATOMIC_ACQUIRE);
		uint64_t count = __atomic_load_n(&b->count, __ATOMIC_RELAXED);

		if (epoch & 1 || count > ISOLATION_MAX)
			continue;
		for (size_t i = 0; i < count; i++)
			for (size_t w = 0; w < ISOLATION_WORDS; w++) {
				uint64_t word = __atomic_load_n(&b->words[i][w], __ATOMIC_RELAXED);

				memcpy((unsigned char *)&out->list[i] + w * 8, &word, 8);
			}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		out->count = count;
		tame(out);
		if (epoch != __atomic_load_n(&b->epoch, __ATOMIC_RELAXED))
			continue;
		out->epoch = epoch;
		return true;
	}
	out->epoch = UINT64_MAX; /* odd: no board has it at rest */
	return false;
}

static struct bytes name_of(const struct isolation_entry *e)
{
	return bytes_of(e->name, e->name_len);
}

bool isolation_covers(const struct isolation_entry *e, const struct addr *a)
{
	struct addr_prefix p = { .bits = e->bits };

	memcpy(p.ip, e->ip, sizeof(p.ip));
	return e->name_len == 0 && (!e->port || e->port == a->port) && addr_in(a, &p);
}

static bool has_address(const struct isolation_list *l, enum isolation_kind kind, const struct addr *a)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->list[i].kind == kind && isolation_covers(&l->list[i], a))
			return true;
	return false;
}

bool isolation_has_client(const struct isolation_list *l, const struct addr *a)
{
	return has_address(l, ISOLATE_CLIENT, a);
}

bool isolation_has_target(const struct isolation_list *l, const struct addr *a)
{
	return has_address(l, ISOLATE_TARGET, a);
}

bool isolation_has_user(const struct isolation_list *l, struct bytes user)
{
	for (size_t i = 0; user.len && i < l->count; i++)
		if (l->list[i].kind == ISOLATE_USER && bytes_eq(name_of(&l->list[i]), user))
			return true;
	return false;
}

bool isolation_has_server(const struct isolation_list *l, struct bytes pool, struct bytes server)
{
	for (size_t i = 0; i < l->count; i++) {
		struct bytes name = name_of(&l->list[i]);

		if (l->list[i].kind != ISOLATE_TARGET || name.len == 0 || !bytes_starts(name, pool))
			continue;
		if (name.len == pool.len ||
			(name.at[pool.len] == '/' &&
				bytes_eq(bytes_cut(name, pool.len + 1, name.len), server)))
			return true;
	}
	return false;
}

static enum err parse_address(enum isolation_kind kind, struct bytes what, struct isolation_entry *out)
{
	struct addr_prefix p;
	struct addr a;

	if (kind == ISOLATE_TARGET && addr_parse(what, &a) == OK && a.port) {
		out->bits = 128;
		out->port = a.port;
		memcpy(out->ip, a.ip, sizeof(out->ip));
		return OK;
	}
	TRY(addr_parse_prefix(what, &p));
	out->bits = p.bits;
	memcpy(out->ip, p.ip, sizeof(out->ip));
	return OK;
}

static enum err parse_name(struct bytes what, struct isolation_entry *out)
{
	if (what.len == 0)
		return ERR_SYNTAX;
	if (what.len > ISOLATION_NAME_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < what.len; i++)
		if (what.at[i] < ' ' || what.at[i] == 127)
			return ERR_SYNTAX;
	out->name_len = (uint16_t)what.len;
	memcpy(out->name, what.at, what.len);
	return OK;
}

enum err isolation_parse(enum isolation_kind kind, struct bytes what, struct isolation_entry *out)
{
	struct isolation_entry e = { .kind = (uint8_t)kind };

	switch (kind) {
	case ISOLATE_CLIENT: TRY(parse_address(kind, what, &e)); break;
	case ISOLATE_TARGET:
		if (parse_address(kind, what, &e) != OK)
			TRY(parse_name(what, &e));
		break;
	case ISOLATE_USER: TRY(parse_name(what, &e)); break;
	case ISOLATE_NODE:
		if (!bytes_eq(what, BYTES("node")))
			return ERR_SYNTAX;
		break;
	case ISOLATE_KINDS: return ERR_SYNTAX;
	}
	*out = e;
	return OK;
}

static void put_address(const struct isolation_entry *e, struct text *t)
{
	struct addr a = { .port = e->port };
	unsigned all = 128;

	memcpy(a.ip, e->ip, sizeof(a.ip));
	if (e->port) {
		addr_write(&a, t);
		return;
	}
	addr_write_ip(&a, t);
	if (e->bits == all)
		return;
	text_byte(t, '/');
	text_u64(t, addr_is_v4(&a) && e->bits >= 96 ? e->bits - 96u : e->bits);
}

void isolation_put(const struct isolation_entry *e, struct text *t)
{
	if (e->kind == ISOLATE_NODE)
		text_lit(t, "node");
	else if (e->name_len)
		text_add(t, name_of(e));
	else
		put_address(e, t);
}

bool isolation_is_same(const struct isolation_entry *a, const struct isolation_entry *b)
{
	return a->kind == b->kind && a->bits == b->bits && a->port == b->port &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && bytes_eq(name_of(a), name_of(b));
}

const char *isolation_kind_name(enum isolation_kind kind)
{
	return kind < ISOLATE_KINDS ? kinds[kind] : "unknown";
}

bool isolation_kind_find(struct bytes name, enum isolation_kind *out)
{
	for (size_t i = 0; i < ISOLATE_KINDS; i++)
		if (bytes_eq(name, bytes_str(kinds[i]))) {
			*out = (enum isolation_kind)i;
			return true;
		}
	return false;
}
