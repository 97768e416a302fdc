/* watcher: looks for signs of an attack in what the workers say of the requests that they have answered (detect:), and writes alerts. It
 * reads shared memory and appends to one file; it has no network, no channel to any other process, and nothing waits for it. What it
 * looks for are a hunt's indicators, so a request is put to the scan as the line that an appliance would have logged of it. */
#include "roles/role.h"
#include "alert/appender.h"
#include "base/log.h"
#include "base/reader.h"
#include "board/board.h"
#include "board/requests.h"
#include "conf/conf.h"
#include "jail/jail.h"
#include "watch/live.h"
#include "watch/webline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS	     100
#define CHUNK_MOST   (256u << 10)
#define CHUNKS_MOST  32 /* of one worker in one turn */
#define LINES_MOST   (4 * CHUNK_MOST)
#define PLACES	     16384
#define SPOILED_MS   60000
#define CLIENTS	     4096 /* whose addresses are remembered; a power of two */
#define SOURCE	     "front door"

_Static_assert(CHUNK_MOST >= REQUEST_WIRE_MAX, "a whole record has room");
_Static_assert(LINES_MOST >= 4 * REQUEST_WIRE_MAX + 512, "a whole line has room, each octet of it written as \\xNN");

struct place { /* of a line in lines */
	uint64_t at_us;
	size_t begin, len;
};
struct client {
	unsigned char ip[16];
	bool is_known, is_wanted;
};

struct watcher {
	struct role_run *run;
	struct conf *conf;
	struct requests_ring *rings[BOARD_WORKERS_MAX];
	uint64_t tails[BOARD_WORKERS_MAX];
	uint64_t spoiled_ms[BOARD_WORKERS_MAX]; /* when it was last told that one wrote nonsense; 0: never */
	struct hunt_layout *layout;
	struct hunt_rules *rules;
	struct live *live;
	struct alert_group *group;
	struct timer timer;
	struct text lines, ordered;
	struct place places[PLACES]; /* of lines */
	size_t place_count;
	struct webline line;
	const char *path; /* of the log that the lines would stand in */
	struct client clients[CLIENTS];
	struct appender alerts;
};

static struct watcher w;
static unsigned char chunk[CHUNK_MOST];

/* --- what is found --- */

static void on_alert(void *ctx, const struct alert *a)
{
	(void)ctx;
	if (appender_put(&w.alerts, a, loop_real_us(w.run->loop)) != OK)
		LOG(EV_ALERT_LOST, KV_STR("why", "there is no more room for alerts that wait for the disk"));
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	LOG(EV_INTERNAL, KV_STR("what", what), KV_STR("where", where));
}

static void write_alerts(void)
{
	if (appender_write(&w.alerts) != OK)
		LOG(EV_ALERT_UNWRITTEN, KV_ERRNO());
}

/* --- what the workers say --- */

static int by_time(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->at_us != y->at_us ? (x->at_us > y->at_us) - (x->at_us < y->at_us) : (x->begin > y->begin) - (x->begin < y->begin);
}

/* In the order of time, whichever worker answered: of two steps the first comes first. */
static void scan_lines(void)
{
	struct live_lines in = { .path = w.path, .where = "", .source = SOURCE, .now_us = loop_real_us(w.run->loop) };

	qsort(w.places, w.place_count, sizeof(*w.places), by_time);
	w.ordered.len = 0;
	for (size_t i = 0; i < w.place_count; i++)
		text_add(&w.ordered, bytes_cut(text_bytes(&w.lines), w.places[i].begin, w.places[i].begin + w.places[i].len));
	in.lines = text_bytes(&w.ordered);
	live_take(w.live, &in);
	w.lines.len = 0;
	w.place_count = 0;
}

static void add_line(const struct request_seen *seen)
{
	struct weblog log = { .at_us = seen->at_us, .method = seen->method, .target = seen->target, .status = seen->status, .size = seen->size,
		.referer = seen->referer, .user_agent = seen->user_agent, .protocol = seen->is_http10 ? BYTES("HTTP/1.0") : BYTES("HTTP/1.1") };
	struct addr a = { 0 };
	size_t begin;

	memcpy(a.ip, seen->client, sizeof(a.ip));
	if (w.lines.len + 4 * REQUEST_WIRE_MAX + 512 > LINES_MOST || w.place_count == PLACES)
		scan_lines();
	begin = w.lines.len;
	webline_put(&w.line, &w.lines, &a, &log);
	w.places[w.place_count++] = (struct place){ seen->at_us, begin, w.lines.len - begin };
}

/* What a worker wrote cannot be understood: all that is there is passed over, and what comes after it is a record again, of this worker or of
 * the one that takes its place. */
static void spoil(unsigned i)
{
	uint64_t now = loop_now_ms(w.run->loop);

	if (!w.spoiled_ms[i] || now - w.spoiled_ms[i] > SPOILED_MS) {
		LOG(EV_IPC_VIOLATION, KV_STR("sender", "worker"), KV_UINT("index", i), KV_STR("what", "not a record of a request"));
		w.spoiled_ms[i] = now;
	}
	w.tails[i] = requests_skip(w.rings[i]);
}

/* Indicators that are about a client's address: what was looked at is remembered, for the same clients ask again and again. */
static bool is_wanted_client(const struct request_seen *seen)
{
	unsigned char mem[64];
	struct client *c;
	struct addr a = { 0 };
	uint64_t h = 0;
	struct text t;

	for (size_t i = 0; i < sizeof(seen->client); i += 8) {
		uint64_t word;

		memcpy(&word, seen->client + i, 8);
		h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	}
	c = &w.clients[h >> 32 & (CLIENTS - 1)];
	if (!c->is_known || memcmp(c->ip, seen->client, sizeof(c->ip)) != 0) {
		memcpy(a.ip, seen->client, sizeof(a.ip));
		memcpy(c->ip, seen->client, sizeof(c->ip));
		text_init(&t, mem, sizeof(mem));
		addr_write_ip(&a, &t);
		c->is_wanted = hunt_rules_may_hold(w.rules, text_bytes(&t));
		c->is_known = true;
	}
	return c->is_wanted;
}

/* Fields too: indicators look at what they decode to. */
static bool is_encoded(const struct request_seen *seen)
{
	return bytes_find_byte(seen->texts, '%') != SIZE_MAX || bytes_find_byte(seen->texts, '\\') != SIZE_MAX;
}

/* True: there is more. */
static bool take_chunk(unsigned i)
{
	struct request_seen seen;
	struct bytes in;
	bool has_words;
	size_t len = 0;
	enum err e = requests_read(w.rings[i], w.tails[i], chunk, sizeof(chunk), &len);

	if (e != OK) {
		spoil(i);
		return false;
	}
	in = bytes_of(chunk, len);
	/* Most chunks have no word of any indicator in them; then only what is encoded is worth a look. */
	has_words = len && hunt_rules_may_hold(w.rules, in);
	while (in.len && (e = requests_take(&in, &seen)) == OK)
		if (is_encoded(&seen) || is_wanted_client(&seen) || (has_words && hunt_rules_may_hold(w.rules, seen.texts)))
			add_line(&seen);
	if (e == ERR_SYNTAX || (e == ERR_AGAIN && in.len == len)) {
		spoil(i);
		return false;
	}
	w.tails[i] += len - in.len;
	requests_taken(w.rings[i], w.tails[i]);
	return len == sizeof(chunk);
}

static void look(void)
{
	for (unsigned i = 0; i < BOARD_WORKERS_MAX; i++)
		for (unsigned n = 0; w.rings[i] && n < CHUNKS_MOST && take_chunk(i); n++)
			;
	scan_lines();
	alert_group_tick(w.group, loop_real_us(w.run->loop));
	write_alerts();
}

static void on_time(struct timer *t)
{
	look();
	loop_timer_set(w.run->loop, t, LOOK_MS, on_time);
}

/* --- start and end --- */

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint8_t kind = reader_u8(&r);
	uint16_t index = reader_u16(&r);
	void *at;

	(void)run, (void)from;
	if (!reader_done(&r) || kind != BOARD_REQUESTS || index >= BOARD_WORKERS_MAX || w.rings[index])
		return ERR_SYNTAX;
	TRY(board_map(BOARD_REQUESTS, m->fds[0], true, &at));
	w.rings[index] = at;
	w.tails[index] = w.rings[index]->tail; /* of a watcher before this one */
	return OK;
}

static enum err on_alerts(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)run, (void)from;
	if (!m->fds_lost) /* the file before is better than none */
		appender_take(&w.alerts, &m->fds[0]);
	return OK;
}

/* It is logged, and whoever asked for this configuration is told. */
static enum err refused(const char *what)
{
	LOG(EV_PACK_REFUSED, KV_STR("what", what));
	(void)!role_send(w.run->control, MSG_REFUSED, bytes_cut(bytes_str(what), 0, 500), NULL, 0);
	return ERR_SYNTAX;
}

static enum err read_packs(void)
{
	const struct conf_detect *d = &w.conf->detect;
	char error[DATA_ERROR_MAX] = "", name[300];

	w.rules = hunt_rules_new();
	if (!w.rules)
		return ERR_MEMORY;
	if (hunt_layout_read(d->layout, "layout/netscaler.yaml", &w.layout, error) != OK)
		return refused(error);
	for (size_t i = 0; i < d->pack_count; i++) {
		snprintf(name, sizeof(name), "%.*s", FMT(bytes_cut(d->packs[i].name, 0, sizeof(name) - 1)));
		if (hunt_rules_add(w.rules, w.layout, d->packs[i].text, name, error) != OK)
			return refused(error);
	}
	return hunt_rules_compile_web(w.rules, w.layout, error) == OK ? OK : refused(error);
}

static enum err watcher_start(struct role_run *run)
{
	struct alert_group_options options;

	w.run = run;
	TRY(role_conf(run, &w.conf));
	if (!w.conf->detect.is_on || w.alerts.fd < 0)
		return ERR_ORDER;
	TRY(read_packs());
	w.path = live_path_of(w.layout, "access");
	if (!w.path)
		return refused("the layout has no log 'access'");
	options.window_us = (uint64_t)w.conf->detect.window_s * 1000000;
	for (size_t i = 0; i < HUNT_CLASS_COUNT; i++)
		options.per_hour[i] = w.conf->detect.per_hour;
	w.group = alert_group_new(&options, on_alert, NULL);
	w.live = w.group ? live_new(w.rules, w.layout, w.group, on_problem, NULL) : NULL;
	text_init_growing(&w.lines, LINES_MOST);
	text_init_growing(&w.ordered, LINES_MOST);
	return w.live ? OK : ERR_MEMORY;
}

static enum err watcher_run(struct role_run *run)
{
	loop_timer_set(run->loop, &w.timer, LOOK_MS, on_time);
	return OK;
}

/* The workers are gone: what they wrote until then, and what waits for the end of a window. */
static void watcher_end(struct role_run *run)
{
	look();
	alert_group_flush(w.group, loop_real_us(run->loop));
	write_alerts();
}

static const struct role role_watcher = {
	.id = ROLE_WATCHER,
	.syscalls = jail_watcher,
	.hears = (const struct call[]){
		/* message    from               when                         handler */
		{ MSG_BOARD,  FROM(ROLE_MASTER), WHEN_SETUP,                  on_board },
		{ MSG_ALERTS, FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING,   on_alerts },
		{ 0 },
	},
	.start = watcher_start,
	.run = watcher_run,
	.end = watcher_end,
};

int main(int argc, char **argv)
{
	appender_init(&w.alerts);
	return role_main(&role_watcher, argc, argv);
}
