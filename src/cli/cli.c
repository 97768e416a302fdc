/* Options that all subcommands share, the table of subcommands, help. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/fd.h"

#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct command {
	const char *name, *args, *help, *more, *options, *example;
	int (*run)(const struct cli *cli, int argc, char **argv);
} commands[] = {
#define COMMAND_AS(symbol, name, args, help, more, options, example) { name, args, help, more, options, example, cli_##symbol },
#include "cli/commands.tbl"
#undef COMMAND_AS
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static void usage(FILE *to)
{
	fprintf(to, "usage: sluis [-c FILE] [-s SOCKET] COMMAND ...\n\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		fprintf(to, "  %-11s %-34s %s\n", commands[i].name, commands[i].args, commands[i].help);
	fprintf(to, "\n  -c, --config FILE    the configuration; its admin.socket is where sluisd is asked\n"
		    "  -s, --socket SOCKET  ask sluisd there (else $SLUIS_SOCKET, else %s)\n"
		    "      --rules DIR      where shipped rules are\n"
		    "      --lang nl|en     what people read, in Dutch or English\n\n"
		    "sluis help COMMAND explains a command, man sluis.yaml the configuration.\n",
		CLI_DEFAULT_SOCKET);
}

/* Words, in lines of at most 80 columns. */
static void print_wrapped(const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + n > 80) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column ? " " : "", (int)n, text);
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void explain(const struct command *c)
{
	printf("usage: sluis %s%s%s%s\n\n", c->name, *c->args ? " " : "", c->args, *c->options ? " [OPTIONS]" : "");
	print_wrapped(*c->more ? c->more : c->help);
	for (const char *o = c->options; *o;) {
		size_t what = strcspn(o, "\t"), line = strcspn(o, "\n");

		printf("%s  %-18.*s %.*s\n", o == c->options ? "\n" : "", (int)what, o, (int)(line - what - 1), o + what + 1);
		o += line + (o[line] == '\n');
	}
	printf("\nexample:\n  %s\n", c->example);
}

int cli_help(const struct cli *cli, int argc, char **argv)
{
	const struct command *c = argc ? find_command(argv[0]) : NULL;

	(void)cli;
	if (argc && !c)
		return cli_fail(2, "there is no command '%s'; sluis --help lists them", argv[0]);
	if (c)
		explain(c);
	else
		usage(stdout);
	return 0;
}

int cli_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("sluis: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

const char *cli_word(const struct cli *cli, enum word w)
{
	return lang_word(cli->lang, w);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the one place; tests/house/words.py compares the languages' formats */
void cli_say(const struct cli *cli, FILE *to, enum word w, ...)
{
	va_list ap;

	va_start(ap, w);
	vfprintf(to, cli_word(cli, w), ap);
	va_end(ap);
}

int cli_fail_in(const struct cli *cli, enum word w, ...)
{
	va_list ap;

	fputs("sluis: ", stderr);
	va_start(ap, w);
	vfprintf(stderr, cli_word(cli, w), ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}
#pragma GCC diagnostic pop

static void find_program_dir(struct cli *cli)
{
	static char rules[4200];
	char self[4000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return;
	self[n] = 0;
	snprintf(cli->program_dir, sizeof(cli->program_dir), "%s", dirname(self));
	snprintf(rules, sizeof(rules), "%s/../rules", cli->program_dir);
	if (access(rules, R_OK) < 0)
		snprintf(rules, sizeof(rules), "%s/../share/sluis/rules", cli->program_dir);
	cli->rules = rules;
}

/* Takes the shared options out of argv, wherever they stand. Negative: wrongly called. */
static int take_options(struct cli *cli, int argc, char **argv)
{
	int kept = 0;

	for (int i = 0; i < argc; i++) {
		struct bytes a = bytes_str(argv[i]);
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		uint64_t n;

		if (bytes_eq(a, BYTES("--json"))) {
			cli->as_json = true;
			continue;
		}
		if (bytes_eq(a, BYTES("-c")) || bytes_eq(a, BYTES("--config")))
			cli->config = value;
		else if (bytes_eq(a, BYTES("-s")) || bytes_eq(a, BYTES("--socket")))
			cli->socket = value;
		else if (bytes_eq(a, BYTES("--rules")))
			cli->rules = value;
		else if (bytes_eq(a, BYTES("--lang"))) {
			if (!value || !lang_parse(value, &cli->lang))
				return cli_fail(-1, "--lang wants nl or en");
		} else if (bytes_eq(a, BYTES("--confirm"))) {
			if (!value || bytes_u64(bytes_str(value), &n) != OK || n == 0 || n > 86400)
				return cli_fail(-1, "--confirm wants a number of seconds, 1 to 86400");
			cli->confirm = (int)n;
		} else {
			argv[kept++] = argv[i];
			continue;
		}
		if (!value)
			return cli_fail(-1, "%s wants a value", argv[i]);
		i++;
	}
	return kept;
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int cli_main(int argc, char **argv)
{
	struct cli cli = { .lang = lang_of_environment() };
	const struct command *c;

	find_program_dir(&cli);
	argc = take_options(&cli, argc, argv);
	if (argc < 0)
		return 2;
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (is_help(argv[1]))
		return cli_help(&cli, 0, NULL);
	if (strcmp(argv[1], "--version") == 0)
		return cli_version(&cli, 0, NULL);
	c = find_command(argv[1]);
	if (!c)
		return cli_fail(2, "there is no command '%s'; sluis --help lists them", argv[1]);
	for (int i = 2; i < argc; i++)
		if (is_help(argv[i]))
			return cli_help(&cli, 1, argv + 1);
	return c->run(&cli, argc - 2, argv + 2);
}
