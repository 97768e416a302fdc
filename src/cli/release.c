/* sluis release: takes back sluis isolate. */
#include "cli/isolation.h"

#include <stdio.h>

/* The format comes from words.tbl, where both languages take the same arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void tell(const struct cli *cli, const json_t *a, const char *what)
{
	const json_t *e = json_object_get(a, "isolation");

	if (e)
		printf(cli_word(cli, W_RELEASE_DONE), json_string_value(json_object_get(e, "what")),
			isolation_kind_word(cli, e));
	else
		printf(cli_word(cli, W_RELEASE_ALREADY), what);
}
#pragma GCC diagnostic pop

int cli_release(const struct cli *cli, int argc, char **argv)
{
	struct isolation_call call;
	int status = isolation_read_call(cli, argc, argv, false, &call);
	json_t *a;

	if (status)
		return status;
	if (!call.what)
		return 1 + cli_fail_in(cli, W_RELEASE_USAGE);
	a = cli_ask(cli, json_pack("{s:s,s:s,s:s}", "command", "release", "what", call.what, "as",
				 call.as ? call.as : ""));
	if (!a)
		return 1;
	if (!cli->as_json)
		tell(cli, a, call.what);
	return isolation_end(cli, a, W_RELEASE_UNSAVED);
}
