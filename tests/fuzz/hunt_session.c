/* Any ns.log, whole and in two pieces: what is told of its sessions lies in it, and names the addresses. */
#include "hunt/scan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char layout_text[] = "name: x\nroots: []\nsingles: []\nlogs:\n  - {name: ns, format: plain, path: '^/ns', example: /ns}\n";
static const char pack_text[] = "name: x\ntitle: x\nentries:\n  - {id: s, title: session, kind: session, logs: [ns], class: trace, confidence: low, source: none,\n"
				"     words: [Client_ip, SessionId], same_network: {v4: 24, v6: 48}}\n";

static void on_summary(void *ctx, const struct hunt_summary *s)
{
	(void)ctx;
	(void)s;
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	const size_t *size = ctx;

	CHECK(strcmp(f->rule, "s") == 0 && f->client.len && f->line && f->offset < *size && strstr(f->note, " and from "));
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	(void)where;
	(void)what;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hunt_layout *layout;
	static struct hunt_rules *rules;
	struct hunt_file file = { .path = "/ns", .where = "ns", .user = "", .group = "", .target = "" };
	const struct hunt_output out = { on_summary, on_finding, on_problem, on_summary, &size };
	char error[DATA_ERROR_MAX] = "";
	struct hunt_scan *scan;
	struct hunt_sink sink;

	if (!rules) {
		CHECK(hunt_layout_read(bytes_str(layout_text), "layout", &layout, error) == OK);
		rules = hunt_rules_new();
		CHECK(rules && hunt_rules_add(rules, layout, bytes_str(pack_text), "pack", error) == OK && hunt_rules_compile(rules, error) == OK);
	}
	scan = hunt_scan_new(rules, layout, &out);
	CHECK(scan);
	sink = hunt_scan_sink(scan);
	for (int i = 0; i < 2 && sink.file(sink.ctx, &file); i++) {
		sink.bytes(sink.ctx, bytes_of(data, i ? size / 2 : size), 0);
		if (i)
			sink.bytes(sink.ctx, bytes_of(data + size / 2, size - size / 2), size / 2);
		sink.end(sink.ctx, OK);
	}
	hunt_scan_free(&scan);
	return 0;
}
