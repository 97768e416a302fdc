/* What administrators have isolated, with who, when and why: state_dir/isolated.json, written whole or not at all. A list
 * that is there and cannot be read is an error, never an empty list. */
#ifndef ADMIN_ISOLATED_H
#define ADMIN_ISOLATED_H

#include "board/isolation.h"

#include <sys/types.h>

#define ISOLATED_REASON_MAX 256
#define ISOLATED_FILE       "isolated.json"
#define ISOLATED_FILE_MAX   (8u << 20)

struct isolated {
	struct isolation_entry entry;
	uint64_t since_us, until_us; /* until: 0: until it is released */
	uid_t uid;
	char reason[ISOLATED_REASON_MAX + 1]; /* UTF-8 without control characters; may be empty */
};
struct isolated_list {
	struct isolated list[ISOLATION_MAX];
	size_t count;
};

/* Whether a reason may be kept: its length, no control characters. */
bool isolated_reason_is_good(struct bytes reason);
/* ERR_SYNTAX, ERR_LIMIT (too many), ERR_MEMORY; why (static) says what is wrong. */
enum err isolated_parse(struct bytes text, struct isolated_list *out, const char **why) MUST_USE;
void isolated_write(const struct isolated_list *l, struct text *t);
/* From state_dir. No file: an empty list. ERR_IO: errno says why it cannot be read. */
enum err isolated_load(struct bytes state_dir, struct isolated_list *out, const char **why) MUST_USE;
/* ERR_NOT_FOUND: there is no state_dir. */
enum err isolated_save(struct bytes state_dir, const struct isolated_list *l) MUST_USE;

#endif
