/* A record of every kind as its line, octet for octet; texts that want to end the line early; rows that no ledger writes. */
#include "ledger/export.h"

#include "ledger/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#define N(col, value) { col, { CELL_INT, value, { NULL, 0 } } }
#define T(col, value) { col, { CELL_TEXT, 0, LIT(value) } }
#define BLOB(col)     { col, { CELL_OTHER, 0, LIT("") } }
#define NONE(col)     { col, { CELL_NULL, 0, { NULL, 0 } } }
#define START	      N(COL_START, 1578571200000001)
#define END	      N(COL_END, 1578571201500001)
#define TIMES	      "\"event.start\":\"2020-01-09T12:00:00.000001Z\",\"event.end\":\"2020-01-09T12:00:01.500001Z\",\"event.duration\":1500000000,"

static const struct {
	const char *why;
	struct { enum ledger_column column; struct ledger_cell cell; } cells[18];
	unsigned unfit;
	const char *want; /* behind the batch, before process and observer */
} cases[] = {
	{ "a client's connection that begins", { T(COL_KIND, "in"), T(COL_STATE, "open"), N(COL_CONN, 7), T(COL_CLIENT, "192.0.2.1"),
		N(COL_CLIENT_PORT, 40000), T(COL_LISTENER, "web"), START }, 0,
		"\"sluis.ledger.kind\":\"in\",\"sluis.ledger.state\":\"open\",\"event.kind\":\"event\",\"event.category\":[\"network\"],"
		"\"event.type\":[\"connection\",\"start\"],\"event.action\":\"client-connection\",\"event.start\":\"2020-01-09T12:00:00.000001Z\","
		"\"source.ip\":\"192.0.2.1\",\"source.port\":40000,\"sluis.listener\":\"web\",\"sluis.connection\":7" },
	{ "its use of a server, whole", { T(COL_KIND, "use"), T(COL_STATE, "whole"), N(COL_CONN, 8), T(COL_CLIENT, "2001:db8::1"), N(COL_CLIENT_PORT, 1),
		T(COL_LISTENER, "web"), T(COL_SESSION, "s1"), T(COL_USER, "CN=a"), T(COL_TARGET, "[2001:db8::2]:8443"),
		T(COL_NAME, "app/app.internal:8443"), START, END, N(COL_REQUESTS, 2), N(COL_IN, 10), N(COL_OUT, 32) }, 0,
		"\"sluis.ledger.kind\":\"use\",\"sluis.ledger.state\":\"whole\",\"event.kind\":\"event\",\"event.category\":[\"network\"],"
		"\"event.type\":[\"connection\",\"start\",\"end\"],\"event.action\":\"server-use\"," TIMES
		"\"source.ip\":\"2001:db8::1\",\"source.port\":1,\"destination.ip\":\"2001:db8::2\",\"destination.port\":8443,\"user.name\":\"CN=a\","
		"\"sluis.requests\":2,\"source.bytes\":10,\"destination.bytes\":32,\"network.bytes\":42,\"sluis.listener\":\"web\","
		"\"destination.domain\":\"app.internal\",\"sluis.pool\":\"app\",\"sluis.server\":\"app.internal:8443\",\"sluis.session\":\"s1\","
		"\"sluis.connection\":8" },
	{ "a connection to a server that is carried into the day", { T(COL_KIND, "out"), T(COL_STATE, "carried"), N(COL_CONN, 9),
		T(COL_TARGET, "10.0.0.11:8080"), T(COL_NAME, "app/10.0.0.11:8080"), START, T(COL_DETAIL, "for worker/0/1") }, 0,
		"\"sluis.ledger.kind\":\"out\",\"sluis.ledger.state\":\"carried\",\"event.kind\":\"state\",\"event.category\":[\"network\"],"
		"\"event.type\":[\"connection\",\"info\"],\"event.action\":\"server-connection\",\"event.start\":\"2020-01-09T12:00:00.000001Z\","
		"\"destination.ip\":\"10.0.0.11\",\"destination.port\":8080,\"sluis.pool\":\"app\",\"sluis.server\":\"10.0.0.11:8080\","
		"\"message\":\"for worker/0/1\",\"sluis.connection\":9" },
	{ "and that ends, with a reason", { T(COL_KIND, "out"), T(COL_STATE, "close"), N(COL_CONN, 9), T(COL_TARGET, "10.0.0.11:8080"),
		T(COL_NAME, "app/web1"), N(COL_REQUESTS, 0), N(COL_IN, 0), N(COL_OUT, 0), T(COL_OUTCOME, "its worker ended") }, 0,
		"\"sluis.ledger.kind\":\"out\",\"sluis.ledger.state\":\"close\",\"event.kind\":\"event\",\"event.category\":[\"network\"],"
		"\"event.type\":[\"connection\",\"end\"],\"event.action\":\"server-connection\",\"event.reason\":\"its worker ended\","
		"\"destination.ip\":\"10.0.0.11\",\"destination.port\":8080,\"sluis.requests\":0,\"source.bytes\":0,\"destination.bytes\":0,"
		"\"network.bytes\":0,\"sluis.pool\":\"app\",\"sluis.server\":\"web1\",\"sluis.connection\":9" },
	{ "a blocked request, hostile", { T(COL_KIND, "policy"), T(COL_CLIENT, "192.0.2.1"), N(COL_CLIENT_PORT, 2), T(COL_LISTENER, "web"),
		T(COL_NAME, "netscaler/vpns"), T(COL_OUTCOME, "block 403"), T(COL_DETAIL, "GET  /\"}\n\x01\xff a\xc3\xa9\\") }, 0,
		"\"sluis.ledger.kind\":\"policy\",\"event.kind\":\"event\",\"event.category\":[\"network\",\"web\"],\"event.type\":[\"access\",\"denied\"],"
		"\"event.action\":\"policy-block\",\"event.outcome\":\"failure\",\"event.reason\":\"block 403\",\"source.ip\":\"192.0.2.1\","
		"\"source.port\":2,\"sluis.listener\":\"web\",\"rule.name\":\"vpns\",\"rule.ruleset\":\"netscaler\",\"http.request.method\":\"GET\","
		"\"url.original\":\"/\\\"}\\u000a\\u0001\\ufffd a\xc3\xa9\\\\\"" },
	{ "a rule without a set, a detail of another form", { T(COL_KIND, "policy"), T(COL_NAME, "mine"), T(COL_OUTCOME, "block 403"),
		T(COL_DETAIL, "- x") }, 0,
		"\"sluis.ledger.kind\":\"policy\",\"event.kind\":\"event\",\"event.category\":[\"network\",\"web\"],\"event.type\":[\"access\",\"denied\"],"
		"\"event.action\":\"policy-block\",\"event.outcome\":\"failure\",\"event.reason\":\"block 403\",\"rule.name\":\"mine\",\"message\":\"- x\"" },
	{ "a configuration", { T(COL_KIND, "config"), T(COL_OUTCOME, "generation 2, uid 0: reload"), T(COL_DETAIL, "00ff") }, 0,
		"\"sluis.ledger.kind\":\"config\",\"event.kind\":\"event\",\"event.category\":[\"configuration\"],\"event.type\":[\"change\"],"
		"\"event.action\":\"configuration-in-use\",\"event.outcome\":\"success\",\"event.reason\":\"generation 2, uid 0: reload\","
		"\"sluis.config.sha256\":\"00ff\"" },
	{ "a command that was refused", { T(COL_KIND, "command"), T(COL_USER, "uid 0"), T(COL_NAME, "drain app/web1"), T(COL_OUTCOME, "refused") }, 0,
		"\"sluis.ledger.kind\":\"command\",\"event.kind\":\"event\",\"event.category\":[\"configuration\"],\"event.type\":[\"change\"],"
		"\"event.action\":\"administrator-command\",\"event.outcome\":\"failure\",\"event.reason\":\"refused\",\"user.name\":\"uid 0\","
		"\"sluis.command\":\"drain app/web1\"" },
	{ "an isolation", { T(COL_KIND, "isolation"), T(COL_USER, "uid 0"), T(COL_NAME, "client 192.0.2.1"), T(COL_OUTCOME, "isolated"),
		T(COL_DETAIL, "case 12") }, 0,
		"\"sluis.ledger.kind\":\"isolation\",\"event.kind\":\"event\",\"event.category\":[\"configuration\",\"network\"],"
		"\"event.type\":[\"change\"],\"event.action\":\"isolation\",\"event.outcome\":\"success\",\"event.reason\":\"isolated\","
		"\"user.name\":\"uid 0\",\"sluis.name\":\"client 192.0.2.1\",\"message\":\"case 12\"" },
	{ "a server that is down", { T(COL_KIND, "health"), T(COL_NAME, "app/1.2.3.4:80"), T(COL_OUTCOME, "down"), T(COL_DETAIL, "no answer") }, 0,
		"\"sluis.ledger.kind\":\"health\",\"event.kind\":\"event\",\"event.category\":[\"host\"],\"event.type\":[\"change\"],"
		"\"event.action\":\"server-health\",\"event.outcome\":\"failure\",\"event.reason\":\"down\",\"sluis.pool\":\"app\","
		"\"sluis.server\":\"1.2.3.4:80\",\"message\":\"no answer\"" },
	{ "a sign-in", { T(COL_KIND, "sign-in"), T(COL_SESSION, "s"), T(COL_USER, "a@b"), T(COL_OUTCOME, "ok"), T(COL_NAME, "sso") }, 0,
		"\"sluis.ledger.kind\":\"sign-in\",\"event.kind\":\"event\",\"event.category\":[\"authentication\"],\"event.type\":[\"start\"],"
		"\"event.action\":\"sign-in\",\"event.outcome\":\"success\",\"event.reason\":\"ok\",\"user.name\":\"a@b\",\"sluis.name\":\"sso\","
		"\"sluis.session\":\"s\"" },
	{ "a sign-out", { T(COL_KIND, "sign-out"), T(COL_USER, "a@b") }, 0,
		"\"sluis.ledger.kind\":\"sign-out\",\"event.kind\":\"event\",\"event.category\":[\"authentication\"],\"event.type\":[\"end\"],"
		"\"event.action\":\"sign-out\",\"event.outcome\":\"unknown\",\"user.name\":\"a@b\"" },
	{ "sessions that were revoked", { T(COL_KIND, "revoked"), T(COL_OUTCOME, "done"), T(COL_DETAIL, "all") }, 0,
		"\"sluis.ledger.kind\":\"revoked\",\"event.kind\":\"event\",\"event.category\":[\"session\"],\"event.type\":[\"end\"],"
		"\"event.action\":\"sessions-revoked\",\"event.outcome\":\"success\",\"event.reason\":\"done\",\"message\":\"all\"" },
	{ "records that were lost", { T(COL_KIND, "ledger"), T(COL_OUTCOME, "lost"), N(COL_REQUESTS, 12) }, 0,
		"\"sluis.ledger.kind\":\"ledger\",\"event.kind\":\"event\",\"event.category\":[\"host\"],\"event.type\":[\"error\"],"
		"\"event.action\":\"ledger\",\"event.outcome\":\"failure\",\"event.reason\":\"lost\",\"sluis.ledger.lost\":12" },
	{ "a start of the ledger", { T(COL_KIND, "ledger"), T(COL_OUTCOME, "started"), T(COL_DETAIL, "run 1") }, 0,
		"\"sluis.ledger.kind\":\"ledger\",\"event.kind\":\"event\",\"event.category\":[\"host\"],\"event.type\":[\"info\"],"
		"\"event.action\":\"ledger\",\"event.reason\":\"started\",\"message\":\"run 1\"" },
	{ "addresses that are none go where any text may be", { T(COL_KIND, "use"), T(COL_STATE, "open"), T(COL_CLIENT, "10.0.0.1'"),
		T(COL_TARGET, "10.0.0.11"), T(COL_NAME, "app") }, 0,
		"\"sluis.ledger.kind\":\"use\",\"sluis.ledger.state\":\"open\",\"event.kind\":\"event\",\"event.category\":[\"network\"],"
		"\"event.type\":[\"connection\",\"start\"],\"event.action\":\"server-use\",\"source.address\":\"10.0.0.1'\","
		"\"destination.address\":\"10.0.0.11\",\"sluis.name\":\"app\"" },
	{ "sums that would wrap are none", { T(COL_KIND, "in"), N(COL_IN, INT64_MAX), N(COL_OUT, INT64_MAX), START, N(COL_END, 1) }, 0,
		"\"sluis.ledger.kind\":\"in\",\"event.kind\":\"event\",\"event.category\":[\"network\"],\"event.type\":[\"connection\"],"
		"\"event.action\":\"client-connection\",\"event.start\":\"2020-01-09T12:00:00.000001Z\",\"event.end\":\"1970-01-01T00:00:00.000001Z\","
		"\"source.bytes\":9223372036854775807,\"destination.bytes\":9223372036854775807" },
	{ "what a ledger never writes is left out and named", { T(COL_KIND, "in"), N(COL_CLIENT, 5), N(COL_CLIENT_PORT, 65536),
		T(COL_START, "1"), N(COL_END, 253402300800000000), BLOB(COL_DETAIL), N(COL_IN, -1) },
		1u << COL_CLIENT | 1u << COL_CLIENT_PORT | 1u << COL_START | 1u << COL_END | 1u << COL_DETAIL | 1u << COL_IN,
		"\"sluis.ledger.kind\":\"in\",\"event.kind\":\"event\",\"event.category\":[\"network\"],\"event.type\":[\"connection\"],"
		"\"event.action\":\"client-connection\"" },
	{ "a kind and a state that are none", { T(COL_KIND, "\"in"), T(COL_STATE, "shut"), T(COL_NAME, "n") }, 1u << COL_KIND | 1u << COL_STATE,
		"\"sluis.ledger.kind\":\"\\\"in\",\"sluis.ledger.state\":\"shut\",\"event.kind\":\"event\",\"sluis.name\":\"n\"" },
};

static struct ledger_row row_of(size_t i)
{
	struct ledger_row row = { 0 };
	unsigned char mem[8192];
	struct text line;

	row.cells[COL_SEQ] = (struct ledger_cell){ CELL_INT, 5, { NULL, 0 } };
	row.cells[COL_AT] = (struct ledger_cell){ CELL_INT, 1578571201999999, { NULL, 0 } };
	row.cells[COL_BATCH] = (struct ledger_cell){ CELL_INT, 3, { NULL, 0 } };
	row.cells[COL_PROCESS] = (struct ledger_cell){ CELL_TEXT, 0, LIT("worker/0") };
	for (size_t k = 0; k < COUNT_OF(cases[i].cells) && cases[i].cells[k].column; k++)
		row.cells[cases[i].cells[k].column] = cases[i].cells[k].cell;
	text_init(&line, mem, sizeof(mem));
	ledger_row_line(&line, &row);
	row.cells[COL_MARK] = (struct ledger_cell){ CELL_INT, (int64_t)chain_mark(text_bytes(&line)), { NULL, 0 } };
	return row;
}

static void test_lines(void **state)
{
	static const char head[] = "{\"@timestamp\":\"2020-01-09T12:00:01.999999Z\",\"ecs.version\":\"8.11.0\",\"sluis.ledger.day\":\"2020-01-09\","
				   "\"sluis.ledger.seq\":5,\"sluis.ledger.batch\":3,";
	unsigned kinds = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ledger_row row = row_of(i);
		char mem[8192] = { 0 }, want[8192];
		struct text t;
		json_t *j;

		text_init(&t, mem, sizeof(mem) - 1);
		if (ledger_export_line(&t, &row, BYTES("2020-01-09")) != cases[i].unfit)
			fail_msg("%s: other columns are unfit: %s", cases[i].why, mem);
		snprintf(want, sizeof(want), "%s%s,\"sluis.process\":\"worker/0\",\"%s", head, cases[i].want,
			cases[i].unfit ? "sluis.ledger.damaged\":[\"" : "observer.vendor\":");
		if (strncmp(mem, want, strlen(want)) != 0)
			fail_msg("%s:\n%s\nis not\n%s", cases[i].why, mem, want);
		if (strchr(mem, '\n') != mem + t.len - 1)
			fail_msg("%s: not one line", cases[i].why);
		j = json_loads(mem, JSON_REJECT_DUPLICATES, NULL);
		if (!j)
			fail_msg("%s: not JSON: %s", cases[i].why, mem);
		json_decref(j);
		for (unsigned k = 0; k < LEDGER_KIND_COUNT; k++)
			if (bytes_eq(row.cells[COL_KIND].text, bytes_str(ledger_kind_name((enum ledger_kind)k))))
				kinds |= 1u << k;
	}
	assert_int_equal(kinds, (1u << LEDGER_KIND_COUNT) - 1); /* every kind was among them */
}

/* Each column of each row, one at a time: what was changed after the mark was made is named. */
static void test_changes(void **state)
{
	char mem[8192];
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (unsigned c = 0; c < COL_COUNT; c++) {
			struct ledger_row row = row_of(i);

			if (c == COL_BATCH)
				continue; /* which batch has it is not in its line: verify compares that with the batch */
			row.cells[c] = (struct ledger_cell){ CELL_INT, row.cells[c].n ^ 1, { NULL, 0 } };
			text_init(&t, mem, sizeof(mem));
			if (!(ledger_export_line(&t, &row, BYTES("2020-01-09")) & 1u << COL_MARK))
				fail_msg("%s: a changed %s is not seen", cases[i].why, ledger_column_name((enum ledger_column)c));
			assert_false(t.failed);
		}
}

/* Nothing at all in a row: still one line of JSON. */
static void test_nothing(void **state)
{
	struct ledger_row row = { 0 };
	char mem[2048] = { 0 };
	struct text t;
	json_t *j;

	(void)state;
	text_init(&t, mem, sizeof(mem) - 1);
	assert_int_equal(ledger_export_line(&t, &row, BYTES("2020-01-09")),
		1u << COL_SEQ | 1u << COL_AT | 1u << COL_KIND | 1u << COL_PROCESS | 1u << COL_BATCH | 1u << COL_MARK);
	j = json_loads(mem, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "sluis.ledger.day")), "2020-01-09");
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_changes), cmocka_unit_test(test_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
