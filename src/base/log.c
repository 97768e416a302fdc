/* Formats an event into one line and writes it with one call. */
#include "base/log.h"
#include "base/clock.h"
#include "base/text.h"

#include <unistd.h>

#define LOG_LINE_MAX  2048
#define LOG_VALUE_MAX 512

static struct {
	const char *process;
	int index;
	enum log_level least;
} log_who = { "sluis", -1, LOG_LEVEL_INFO };

#define INFO LOG_LEVEL_INFO
#define WARN LOG_LEVEL_WARN
#define ERROR LOG_LEVEL_ERROR
#define DEBUG LOG_LEVEL_DEBUG
static const struct event_info infos[] = {
#define EVENT(sym, name, level, doc) { name, doc, level },
#include "base/events.tbl"
#undef EVENT
};
#undef INFO
#undef WARN
#undef ERROR
#undef DEBUG

const struct event_info *event_info(enum event e)
{
	CHECK((unsigned)e < EVENT_COUNT);
	return &infos[e];
}

const char *log_level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_DEBUG: return "debug";
	case LOG_LEVEL_INFO: return "info";
	case LOG_LEVEL_WARN: return "warn";
	case LOG_LEVEL_ERROR: return "error";
	}
	return "?";
}

void log_init(const char *process, int index, enum log_level least)
{
	log_who.process = process;
	log_who.index = index;
	log_who.least = least;
}

void log_set_level(enum log_level least)
{
	log_who.least = least;
}

static bool log_is_plain(struct bytes b)
{
	if (b.len == 0)
		return false;
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] <= ' ' || b.at[i] >= 127 || b.at[i] == '"' || b.at[i] == '\\' || b.at[i] == '=')
			return false;
	return true;
}

/* Anything that is not printable ASCII becomes \xNN: a peer cannot forge a line or move a terminal's cursor. */
static void log_value(struct text *t, struct bytes b)
{
	bool cut = b.len > LOG_VALUE_MAX;

	if (cut)
		b.len = LOG_VALUE_MAX;
	if (log_is_plain(b) && !cut) {
		text_add(t, b);
		return;
	}
	text_byte(t, '"');
	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i];
		if (c == '"' || c == '\\') {
			text_byte(t, '\\');
			text_byte(t, c);
		} else if (c < ' ' || c >= 127) {
			text_fmt(t, "\\x%02x", c);
		} else {
			text_byte(t, c);
		}
	}
	if (cut)
		text_lit(t, "...");
	text_byte(t, '"');
}

void log_event(enum event e, const struct kv *kvs)
{
	const struct event_info *info = event_info(e);
	unsigned char buf[LOG_LINE_MAX];
	char when[25];
	struct text t;

	if (info->level < log_who.least)
		return;
	text_init(&t, buf, sizeof buf - 1);
	clock_rfc3339(clock_real_us(), when);
	text_fmt(&t, "%s level=%s process=%s", when, log_level_name(info->level), log_who.process);
	if (log_who.index >= 0)
		text_fmt(&t, ".%d", log_who.index);
	text_fmt(&t, " event=%s", info->name);
	for (; kvs->key; kvs++) {
		size_t before = t.len;
		text_byte(&t, ' ');
		text_str(&t, kvs->key);
		text_byte(&t, '=');
		if (kvs->type == KV_IS_INT)
			text_fmt(&t, "%lld", (long long)kvs->i);
		else if (kvs->type == KV_IS_UINT)
			text_u64(&t, kvs->u);
		else
			log_value(&t, kvs->bytes);
		if (t.failed) { /* a whole pair or none: never half a value */
			t.len = before;
			break;
		}
	}
	buf[t.len++] = '\n';
	/* A log that cannot be written must not stop the service. */
	ssize_t ignored = write(STDERR_FILENO, buf, t.len);
	(void)ignored;
}
