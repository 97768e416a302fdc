/* sluis config history, diff, rollback: configurations that were in use. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int history(const struct cli *cli)
{
	json_t *a = cli_ask(cli, json_pack("{s:s}", "command", "history"));
	const json_t *list = json_object_get(a, "history");

	if (!a)
		return 1;
	if (cli->as_json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("%6s  %-24s  %6s  %s\n", "NUMBER", "TIME", "UID", "WHY");
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *e = json_array_get(list, i);
			const char *time = json_string_value(json_object_get(e, "time"));
			const char *why = json_string_value(json_object_get(e, "why"));

			printf("%6lld  %-24s  %6lld  %s\n", (long long)json_integer_value(json_object_get(e, "number")),
				time ? time : "-", (long long)json_integer_value(json_object_get(e, "uid")), why ? why : "-");
		}
	}
	json_decref(a);
	return 0;
}

/* The text of an entry as an anonymous file; 0 is what is in use. */
static int fetch(const struct cli *cli, uint64_t number)
{
	json_t *a = cli_ask(cli, json_pack("{s:s,s:I}", "command", "show", "number", (json_int_t)number));
	const json_t *text = json_object_get(a, "text");
	int fd = -1;

	if (a && memfd_sealed("sluis-config", bytes_of(json_string_value(text), json_string_length(text)), &fd) != OK)
		cli_fail(1, "no memory");
	json_decref(a);
	return fd;
}

/* diff N: between entry N and what is in use; diff N M: between two. Exit status of diff. */
static int diff(const struct cli *cli, uint64_t from, uint64_t to)
{
	int a = fetch(cli, from), b = a < 0 ? -1 : fetch(cli, to);
	char pa[40], pb[40], la[40], lb[40];

	if (b < 0)
		return 1;
	if (fd_cloexec(a, false) != OK || fd_cloexec(b, false) != OK)
		return 1;
	snprintf(pa, sizeof(pa), "/proc/self/fd/%d", a);
	snprintf(pb, sizeof(pb), "/proc/self/fd/%d", b);
	snprintf(la, sizeof(la), "history %llu", (unsigned long long)from);
	snprintf(lb, sizeof(lb), to ? "history %llu" : "in use", (unsigned long long)to);
	execlp("diff", "diff", "-u", "--label", la, "--label", lb, pa, pb, (char *)NULL);
	return cli_fail(1, "diff: %s", strerror(errno));
}

static int rollback(const struct cli *cli, uint64_t number)
{
	json_t *a = cli_ask(cli, json_pack("{s:s,s:I}", "command", "rollback", "number", (json_int_t)number));

	if (!a)
		return 1;
	printf("generation %lld is in use, with the configuration of entry %llu\n"
	       "the configuration file was not changed: a reload takes it again\n",
		(long long)json_integer_value(json_object_get(a, "generation")), (unsigned long long)number);
	json_decref(a);
	return 0;
}

int cli_config(const struct cli *cli, int argc, char **argv)
{
	uint64_t n = 0, m = 0;

	if (argc == 1 && strcmp(argv[0], "history") == 0)
		return history(cli);
	if (argc >= 2 && (bytes_u64(bytes_str(argv[1]), &n) != OK || n == 0 || n >= UINT32_MAX))
		return cli_fail(2, "'%s' is not a number of sluis config history", argv[1]);
	if (argc == 3 && (bytes_u64(bytes_str(argv[2]), &m) != OK || m == 0 || m >= UINT32_MAX))
		return cli_fail(2, "'%s' is not a number of sluis config history", argv[2]);
	if ((argc == 2 || argc == 3) && strcmp(argv[0], "diff") == 0)
		return diff(cli, n, m);
	if (argc == 2 && strcmp(argv[0], "rollback") == 0)
		return rollback(cli, n);
	return cli_fail(2, "usage: sluis config history | diff N [M] | rollback N");
}
