/* What administrators have taken out of use: the list that the master publishes and that workers and the dialer obey, and
 * whether something is on it. Reading and writing of names is here too, matching is pure; who asked, when and why is not
 * for those processes (admin/isolated.h). */
#ifndef BOARD_ISOLATION_H
#define BOARD_ISOLATION_H

#include "base/text.h"
#include "net/addr.h"

#define ISOLATION_MAX      1024 /* entries */
#define ISOLATION_NAME_MAX 512

enum isolation_kind { ISOLATE_CLIENT, ISOLATE_TARGET, ISOLATE_USER, ISOLATE_NODE, ISOLATE_KINDS };

struct isolation_entry {
	uint8_t kind;      /* enum isolation_kind */
	uint8_t bits;      /* client, target by address: of the prefix */
	uint16_t port;     /* target by address; 0: any */
	uint16_t name_len; /* user; target by name, POOL or POOL/SERVER; 0: by address */
	uint16_t unused;
	unsigned char ip[16];
	unsigned char name[ISOLATION_NAME_MAX];
};

/* The board: one writer, the master. epoch changes with every change, and is odd while the list is being written. */
#define ISOLATION_WORDS (sizeof(struct isolation_entry) / 8)
struct board_isolation {
	uint64_t epoch, count;
	uint64_t words[ISOLATION_MAX][ISOLATION_WORDS];
};
/* A reader's own copy. Zeroed: nothing is isolated, as on a new board. */
struct isolation_list {
	uint64_t epoch; /* of the board when it was copied */
	size_t count;
	bool has_node;
	struct isolation_entry list[ISOLATION_MAX];
};

void board_isolation_write(struct board_isolation *b, const struct isolation_entry *list, size_t count);
/* False: the writer was at it all the time; the copy is of no epoch, so that the next look reads again. */
bool board_isolation_read(const struct board_isolation *b, struct isolation_list *out);
/* What the data path asks per connection and per request. */
static inline bool board_isolation_is_news(const struct board_isolation *b, const struct isolation_list *l)
{
	return __atomic_load_n(&b->epoch, __ATOMIC_RELAXED) != l->epoch;
}

bool isolation_has_client(const struct isolation_list *l, const struct addr *a);
bool isolation_has_user(const struct isolation_list *l, struct bytes user);
/* By POOL or POOL/SERVER. */
bool isolation_has_server(const struct isolation_list *l, struct bytes pool, struct bytes server);
/* A server's address, with its port. */
bool isolation_has_target(const struct isolation_list *l, const struct addr *a);
bool isolation_covers(const struct isolation_entry *e, const struct addr *a); /* e: by address */

/* "192.0.2.1", "10.0.0.0/8", "192.0.2.1:80" (target), "POOL", "POOL/SERVER" (target), a user's bytes, "node". ERR_SYNTAX;
 * ERR_LIMIT: the name is too long. */
enum err isolation_parse(enum isolation_kind kind, struct bytes what, struct isolation_entry *out) MUST_USE;
/* The canonical way to write it; two entries that mean the same are written the same. */
void isolation_put(const struct isolation_entry *e, struct text *t);
bool isolation_is_same(const struct isolation_entry *a, const struct isolation_entry *b);
const char *isolation_kind_name(enum isolation_kind kind); /* "client", "target", "user", "node" */
bool isolation_kind_find(struct bytes name, enum isolation_kind *out);

#endif
