/* The error log: one line per event, key=value pairs, written to descriptor 2 at once.
 * Rooms below roles/ return errors and do not log. What peers sent goes in as KV_BYTES and is quoted and
 * cut; keys, passwords, cookies and bodies are never handed in. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum event {
#define EVENT(sym, name, level, doc) sym,
#include "base/events.tbl"
#undef EVENT
	EVENT_COUNT
};

struct event_info {
	const char *name, *doc;
	enum log_level level;
};
const struct event_info *event_info(enum event e);
const char *log_level_name(enum log_level level);

struct kv {
	const char *key;
	enum { KV_IS_BYTES, KV_IS_INT, KV_IS_UINT } type;
	union {
		struct bytes bytes;
		int64_t i;
		uint64_t u;
	};
};
#define KV_BYTES(k, b) { .key = (k), .type = KV_IS_BYTES, .bytes = (b) }
#define KV_STR(k, s)   { .key = (k), .type = KV_IS_BYTES, .bytes = bytes_str(s) }
#define KV_INT(k, n)   { .key = (k), .type = KV_IS_INT, .i = (n) }
#define KV_UINT(k, n)  { .key = (k), .type = KV_IS_UINT, .u = (n) }

/* Who is speaking, for each line: "worker", 3. Call once at start. */
void log_init(const char *process, int index, enum log_level least);
void log_set_level(enum log_level least);
/* kvs ends with an entry whose key is NULL. */
void log_event(enum event e, const struct kv *kvs);
#define LOG(e, ...) log_event((e), (const struct kv[]){ __VA_ARGS__ __VA_OPT__(, ) { .key = NULL } })
/* errno as a key=value pair. */
#define KV_ERRNO() KV_STR("error", strerror(errno))

#endif
