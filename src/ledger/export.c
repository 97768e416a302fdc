/* Names that the access log uses (proxy/access_log.c) mean the same here. Nothing of a record is lost: docs/ledger.md tells for each
 * column where it went, and what is split (POOL/SERVER, SET/RULE, METHOD HOST TARGET) can be put together again. */
#include "ledger/export.h"

#include "base/clock.h"
#include "json/write.h"
#include "ledger/chain.h"

#define TIME_MOST 253402300799999999 /* 9999-12-31T23:59:59.999999Z: what RFC 3339 can say */

/* Arrays of JSON, as ECS wants category and type. start and end are added by the state. */
static const struct {
	const char *action, *category, *type;
} kinds[LEDGER_KIND_COUNT] = {
	[LEDGER_IN] = { "client-connection", "\"network\"", "\"connection\"" },
	[LEDGER_USE] = { "server-use", "\"network\"", "\"connection\"" },
	[LEDGER_OUT] = { "server-connection", "\"network\"", "\"connection\"" },
	[LEDGER_POLICY] = { "policy-block", "\"network\",\"web\"", "\"access\",\"denied\"" },
	[LEDGER_CONFIG] = { "configuration-in-use", "\"configuration\"", "\"change\"" },
	[LEDGER_COMMAND] = { "administrator-command", "\"configuration\"", "\"change\"" },
	[LEDGER_ISOLATION] = { "isolation", "\"configuration\",\"network\"", "\"change\"" },
	[LEDGER_HEALTH] = { "server-health", "\"host\"", "\"change\"" },
	[LEDGER_SIGN_IN] = { "sign-in", "\"authentication\"", "\"start\"" },
	[LEDGER_SIGN_OUT] = { "sign-out", "\"authentication\"", "\"end\"" },
	[LEDGER_REVOKED] = { "sessions-revoked", "\"session\"", "\"end\"" },
	[LEDGER_SELF] = { "ledger", "\"host\"", "\"info\"" },
};

struct line {
	struct text *t;
	const struct ledger_row *row;
	enum ledger_kind kind; /* LEDGER_KIND_COUNT: none that is known */
	enum ledger_state state;
	unsigned unfit;
};

/* --- cells --- */

static bool is_number(enum ledger_column c)
{
	switch (c) {
	case COL_SEQ:
	case COL_AT:
	case COL_CONN:
	case COL_CLIENT_PORT:
	case COL_START:
	case COL_END:
	case COL_REQUESTS:
	case COL_IN:
	case COL_OUT:
	case COL_BATCH:
	case COL_MARK: return true;
	default: return false;
	}
}

static bool is_fit(const struct ledger_row *row, enum ledger_column c)
{
	const struct ledger_cell *cell = &row->cells[c];
	bool is_needed = c == COL_SEQ || c == COL_AT || c == COL_KIND || c == COL_PROCESS || c == COL_BATCH || c == COL_MARK;

	if (cell->type == CELL_NULL)
		return !is_needed;
	if (!is_number(c))
		return cell->type == CELL_TEXT;
	if (cell->type != CELL_INT || cell->n < 0)
		return false;
	if (c == COL_CLIENT_PORT)
		return cell->n <= UINT16_MAX;
	return (c != COL_AT && c != COL_START && c != COL_END) || cell->n <= TIME_MOST;
}

static bool has(const struct line *l, enum ledger_column c)
{
	return l->row->cells[c].type != CELL_NULL && !(l->unfit & 1u << c);
}

static uint64_t number(const struct line *l, enum ledger_column c)
{
	return has(l, c) ? (uint64_t)l->row->cells[c].n : 0;
}

static struct bytes words(const struct line *l, enum ledger_column c)
{
	return has(l, c) ? l->row->cells[c].text : BYTES("");
}

static void look(struct line *l)
{
	unsigned char mem[8192]; /* no record's line is longer (ledger/store.c) */
	struct text canonical;
	unsigned kind = 0, state = 0;

	for (unsigned c = 0; c < COL_COUNT; c++)
		if (!is_fit(l->row, (enum ledger_column)c))
			l->unfit |= 1u << c;
	while (kind < LEDGER_KIND_COUNT && !bytes_eq(words(l, COL_KIND), bytes_str(ledger_kind_name((enum ledger_kind)kind))))
		kind++;
	while (state < LEDGER_STATE_COUNT && !bytes_eq(words(l, COL_STATE), bytes_str(ledger_state_name((enum ledger_state)state))))
		state++;
	l->kind = (enum ledger_kind)kind;
	l->state = state < LEDGER_STATE_COUNT ? (enum ledger_state)state : LEDGER_NONE;
	if (kind == LEDGER_KIND_COUNT)
		l->unfit |= 1u << COL_KIND;
	if (state == LEDGER_STATE_COUNT)
		l->unfit |= 1u << COL_STATE;
	text_init(&canonical, mem, sizeof(mem));
	ledger_row_line(&canonical, l->row);
	if (canonical.failed || chain_mark(text_bytes(&canonical)) != (uint64_t)l->row->cells[COL_MARK].n)
		l->unfit |= 1u << COL_MARK;
}

/* --- members --- */

/* key: ",\"name\":" */
static void put_string(const struct line *l, const char *key, struct bytes v)
{
	if (v.len == 0)
		return;
	text_str(l->t, key);
	json_put_string(l->t, v);
}

static void put_number(const struct line *l, const char *key, uint64_t n)
{
	text_str(l->t, key);
	text_u64(l->t, n);
}

static void put_column(const struct line *l, const char *key, enum ledger_column c)
{
	if (!has(l, c))
		return;
	if (is_number(c))
		put_number(l, key, number(l, c));
	else
		put_string(l, key, words(l, c));
}

static void put_time(const struct line *l, const char *key, enum ledger_column c)
{
	uint64_t us = number(l, c);
	char when[25];

	if (!has(l, c))
		return;
	clock_rfc3339(us, when);
	text_str(l->t, key);
	text_fmt(l->t, "\"%.23s%03uZ\"", when, (unsigned)(us % 1000)); /* the access log's milliseconds, and what the ledger knows more */
}

static void put_ip(const struct line *l, const char *key, const struct addr *a)
{
	text_str(l->t, key);
	text_byte(l->t, '"');
	addr_write_ip(a, l->t);
	text_byte(l->t, '"');
}

/* A field of the type ip takes nothing else: a collector would refuse the whole line. */
static void put_ends(const struct line *l)
{
	struct addr a;

	if (addr_parse_ip(words(l, COL_CLIENT), &a) == OK)
		put_ip(l, ",\"source.ip\":", &a);
	else
		put_string(l, ",\"source.address\":", words(l, COL_CLIENT));
	put_column(l, ",\"source.port\":", COL_CLIENT_PORT);
	if (addr_parse(words(l, COL_TARGET), &a) == OK) {
		put_ip(l, ",\"destination.ip\":", &a);
		put_number(l, ",\"destination.port\":", a.port);
	} else {
		put_string(l, ",\"destination.address\":", words(l, COL_TARGET));
	}
}

static void put_counts(const struct line *l)
{
	int64_t sum; /* ECS's numbers have a sign */

	put_column(l, l->kind == LEDGER_SELF ? ",\"sluis.ledger.lost\":" : ",\"sluis.requests\":", COL_REQUESTS);
	put_column(l, ",\"source.bytes\":", COL_IN);
	put_column(l, ",\"destination.bytes\":", COL_OUT);
	if (has(l, COL_IN) && has(l, COL_OUT) && !__builtin_add_overflow(number(l, COL_IN), number(l, COL_OUT), &sum))
		put_number(l, ",\"network.bytes\":", (uint64_t)sum);
}

/* A server that has no name of its own is called as it was written: HOST:PORT. */
static struct bytes domain_of(struct bytes server)
{
	size_t colon = bytes_find_byte(server, ':');
	struct bytes host = bytes_cut(server, 0, colon);
	uint64_t port;
	struct addr a;

	if (colon == SIZE_MAX || host.len == 0 || bytes_u64(bytes_cut(server, colon + 1, server.len), &port) != OK || port > UINT16_MAX ||
		addr_parse_ip(host, &a) == OK)
		return BYTES("");
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = ascii_lower(host.at[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_')
			return BYTES("");
	}
	return host;
}

static void put_server(const struct line *l)
{
	struct bytes name = words(l, COL_NAME), server;
	size_t slash = bytes_find_byte(name, '/');

	if (slash == SIZE_MAX) {
		put_string(l, ",\"sluis.name\":", name);
		return;
	}
	server = bytes_cut(name, slash + 1, name.len);
	put_string(l, ",\"destination.domain\":", domain_of(server));
	put_string(l, ",\"sluis.pool\":", bytes_cut(name, 0, slash));
	put_string(l, ",\"sluis.server\":", server);
}

static void put_rule(const struct line *l)
{
	struct bytes name = words(l, COL_NAME);
	size_t slash = bytes_find_byte(name, '/');

	put_string(l, ",\"rule.name\":", slash == SIZE_MAX ? name : bytes_cut(name, slash + 1, name.len));
	if (slash != SIZE_MAX)
		put_string(l, ",\"rule.ruleset\":", bytes_cut(name, 0, slash));
}

/* METHOD HOST TARGET */
static void put_request(const struct line *l)
{
	struct bytes all = words(l, COL_DETAIL), rest;
	size_t first = bytes_find_byte(all, ' '), second;

	rest = first == SIZE_MAX ? BYTES("") : bytes_cut(all, first + 1, all.len);
	second = bytes_find_byte(rest, ' ');
	if (first == SIZE_MAX || second == SIZE_MAX) {
		put_string(l, ",\"message\":", all);
		return;
	}
	put_string(l, ",\"http.request.method\":", bytes_cut(all, 0, first));
	put_string(l, ",\"url.domain\":", bytes_cut(rest, 0, second));
	put_string(l, ",\"url.original\":", bytes_cut(rest, second + 1, rest.len));
}

static void put_name_and_detail(const struct line *l)
{
	switch (l->kind) {
	case LEDGER_IN:
	case LEDGER_USE:
	case LEDGER_OUT:
	case LEDGER_HEALTH: put_server(l); break;
	case LEDGER_POLICY: put_rule(l); break;
	case LEDGER_COMMAND: put_string(l, ",\"sluis.command\":", words(l, COL_NAME)); break;
	case LEDGER_CONFIG:
	case LEDGER_ISOLATION:
	case LEDGER_SIGN_IN:
	case LEDGER_SIGN_OUT:
	case LEDGER_REVOKED:
	case LEDGER_SELF:
	case LEDGER_KIND_COUNT: put_string(l, ",\"sluis.name\":", words(l, COL_NAME)); break;
	}
	if (l->kind == LEDGER_POLICY)
		put_request(l);
	else
		put_string(l, l->kind == LEDGER_CONFIG ? ",\"sluis.config.sha256\":" : ",\"message\":", words(l, COL_DETAIL));
}

/* --- what kind of event it is --- */

static bool is_loss(const struct line *l)
{
	return l->kind == LEDGER_SELF && (bytes_eq(words(l, COL_OUTCOME), BYTES("lost")) || bytes_eq(words(l, COL_OUTCOME), BYTES("gap")));
}

/* success, failure or unknown; NULL: the question does not arise. */
static const char *outcome_of(const struct line *l)
{
	static const struct {
		struct bytes word;
		const char *outcome;
	} known[] = { { LIT("done"), "success" }, { LIT("begun"), "success" }, { LIT("ok"), "success" }, { LIT("refused"), "failure" },
		{ LIT("failed"), "failure" }, { LIT("denied"), "failure" } };
	struct bytes outcome = words(l, COL_OUTCOME);

	switch (l->kind) {
	case LEDGER_IN:
	case LEDGER_USE:
	case LEDGER_OUT:
	case LEDGER_KIND_COUNT: return NULL;
	case LEDGER_SELF: return is_loss(l) ? "failure" : NULL;
	case LEDGER_POLICY: return "failure"; /* what the client wanted did not happen */
	case LEDGER_CONFIG:
	case LEDGER_ISOLATION: return "success";
	case LEDGER_HEALTH: return bytes_eq(outcome, BYTES("up")) ? "success" : bytes_eq(outcome, BYTES("down")) ? "failure" : "unknown";
	case LEDGER_COMMAND:
	case LEDGER_SIGN_IN:
	case LEDGER_SIGN_OUT:
	case LEDGER_REVOKED: break;
	}
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (bytes_eq(outcome, known[i].word))
			return known[i].outcome;
	return "unknown";
}

static const char *type_of_state(enum ledger_state s)
{
	static const char *const types[LEDGER_STATE_COUNT] = { "", ",\"start\"", ",\"end\"", ",\"start\",\"end\"", ",\"info\"" };

	return types[s];
}

static void put_event(const struct line *l)
{
	const char *outcome = outcome_of(l);

	text_str(l->t, l->state == LEDGER_CARRIED ? ",\"event.kind\":\"state\"" : ",\"event.kind\":\"event\"");
	if (l->kind < LEDGER_KIND_COUNT)
		text_fmt(l->t, ",\"event.category\":[%s],\"event.type\":[%s%s],\"event.action\":\"%s\"", kinds[l->kind].category,
			is_loss(l) ? "\"error\"" : kinds[l->kind].type, type_of_state(l->state), kinds[l->kind].action);
	if (outcome)
		text_fmt(l->t, ",\"event.outcome\":\"%s\"", outcome);
	put_column(l, ",\"event.reason\":", COL_OUTCOME);
	put_time(l, ",\"event.start\":", COL_START);
	put_time(l, ",\"event.end\":", COL_END);
	if (has(l, COL_START) && has(l, COL_END) && number(l, COL_END) >= number(l, COL_START) &&
		number(l, COL_END) - number(l, COL_START) <= INT64_MAX / 1000)
		put_number(l, ",\"event.duration\":", (number(l, COL_END) - number(l, COL_START)) * 1000);
}

static void put_damaged(const struct line *l)
{
	bool is_first = true;

	for (unsigned c = 0; c < COL_COUNT; c++) {
		if (!(l->unfit & 1u << c))
			continue;
		text_str(l->t, is_first ? ",\"sluis.ledger.damaged\":[\"" : ",\"");
		text_str(l->t, ledger_column_name((enum ledger_column)c));
		text_byte(l->t, '"');
		is_first = false;
	}
	if (!is_first)
		text_byte(l->t, ']');
}

unsigned ledger_export_line(struct text *t, const struct ledger_row *row, struct bytes day)
{
	struct line l = { .t = t, .row = row };

	look(&l);
	text_byte(t, '{');
	put_time(&l, "\"@timestamp\":", COL_AT);
	text_str(t, has(&l, COL_AT) ? ",\"ecs.version\":\"8.11.0\"" : "\"ecs.version\":\"8.11.0\"");
	put_string(&l, ",\"sluis.ledger.day\":", day);
	put_column(&l, ",\"sluis.ledger.seq\":", COL_SEQ);
	put_column(&l, ",\"sluis.ledger.batch\":", COL_BATCH);
	put_string(&l, ",\"sluis.ledger.kind\":", row->cells[COL_KIND].text); /* also one that is not known here */
	put_string(&l, ",\"sluis.ledger.state\":", row->cells[COL_STATE].text);
	put_event(&l);
	put_ends(&l);
	put_column(&l, ",\"user.name\":", COL_USER);
	put_counts(&l);
	put_column(&l, ",\"sluis.listener\":", COL_LISTENER);
	put_name_and_detail(&l);
	put_column(&l, ",\"sluis.session\":", COL_SESSION);
	put_column(&l, ",\"sluis.connection\":", COL_CONN);
	put_column(&l, ",\"sluis.process\":", COL_PROCESS);
	put_damaged(&l);
	text_lit(t, ",\"observer.vendor\":\"Sluis\",\"observer.product\":\"Sluis\",\"observer.type\":\"proxy\",\"observer.version\":\"" SLUIS_VERSION "\"}\n");
	return l.unfit;
}
