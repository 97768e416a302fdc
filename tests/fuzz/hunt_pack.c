/* Any text as an indicator pack, and as a layout: taken or refused with words that say where. (Expressions are checked one by one, not
 * compiled together: that takes longer than a fuzzer may.) */
#include "hunt/pack.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char layout_text[] = "name: x\nroots: []\nsingles: []\nlogs:\n  - {name: access, format: web, path: '^/a', example: /a}\n"
				  "  - {name: shell, format: syslog, path: '^/b', example: /b}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hunt_layout *layout;
	struct hunt_layout *other = NULL;
	char error[DATA_ERROR_MAX] = "", path[LAYOUT_PATH_MAX];
	struct hunt_rules *rules;

	if (!layout)
		CHECK(hunt_layout_read(bytes_str(layout_text), "layout", &layout, error) == OK);
	if (size > 16384)
		return 0;
	rules = hunt_rules_new();
	CHECK(rules);
	if (hunt_rules_add(rules, layout, bytes_of(data, size), "pack", error) == ERR_SYNTAX)
		CHECK(strncmp(error, "pack:", 5) == 0);
	hunt_rules_free(&rules);
	if (hunt_layout_read(bytes_of(data, size), "layout", &other, error) == OK)
		CHECK(!hunt_layout_map(other, "x/var/log/a", false, path) || path[0] == '/');
	hunt_layout_free(&other);
	return 0;
}
