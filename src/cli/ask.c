/* Asking sluisd over its admin socket, and saying in words why that failed. */
#include "cli/cli.h"

#include "admin/server.h"
#include "base/fd.h"
#include "conf/bundle.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_S 60 /* a reload answers when all its processes are ready */

/* admin_socket of the configuration in file, or NULL after saying why. */
static char *socket_of(const struct cli *cli)
{
	char *dir = strdup(cli->config), *out = NULL;
	struct disk_source disk;
	struct conf_errors errors = { 0 };
	struct conf *conf = NULL;
	struct text text;

	text_init_growing(&text, 16u << 20);
	if (!dir || file_read(cli->config, &text) != OK) {
		cli_fail_in(cli, W_ASK_UNREAD, cli->config);
	} else {
		disk_source_init(&disk, dirname(dir), cli->rules);
		/* A file with mistakes still names its socket: the daemon is to be asked, and refuses it with reasons. */
		if (conf_load(bytes_str(cli->config), text_bytes(&text), &disk.source, &conf, &errors) != OK &&
			conf->admin_socket.len == 0)
			cli_fail_in(cli, W_ASK_INVALID, cli->config);
		else if (conf->admin_socket.len == 0)
			cli_fail_in(cli, W_ASK_NO_SOCKET, cli->config);
		else
			out = strndup((const char *)conf->admin_socket.at, conf->admin_socket.len);
		conf_free(&conf);
	}
	text_fini(&text);
	free(dir);
	return out;
}

static void say_errors(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const json_t *list = json_object_get(answer, "errors");

	cli_fail(1, "%s", error ? error : "sluisd gave no reason");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);
		const char *file = json_string_value(json_object_get(e, "file"));
		const char *what = json_string_value(json_object_get(e, "what"));
		const char *hint = json_string_value(json_object_get(e, "hint"));

		fprintf(stderr, "%s:%d:%d: %s%s%s\n", file ? file : "?", (int)json_integer_value(json_object_get(e, "line")),
			(int)json_integer_value(json_object_get(e, "column")), what ? what : "?", hint && *hint ? "; " : "",
			hint ? hint : "");
	}
}

json_t *cli_ask_any(const struct cli *cli, json_t *request)
{
	const char *path = cli->socket ? cli->socket : getenv("SLUIS_SOCKET");
	char *from_config = NULL;
	json_t *answer = NULL;
	enum err e;

	if (!cli->socket && cli->config) {
		path = from_config = socket_of(cli);
		if (!path) {
			json_decref(request);
			return NULL;
		}
	}
	if (!path)
		path = CLI_DEFAULT_SOCKET;
	e = admin_call(path, request, ANSWER_S, &answer);
	json_decref(request);
	if (e == ERR_NOT_FOUND)
		cli_fail_in(cli, W_ASK_NOBODY, path);
	else if (e == ERR_DENIED)
		cli_fail_in(cli, W_ASK_DENIED, path);
	else if (e != OK)
		cli_fail_in(cli, W_ASK_FAILED, path, err_name(e));
	free(from_config);
	return e == OK ? answer : NULL;
}

json_t *cli_ask(const struct cli *cli, json_t *request)
{
	json_t *answer = cli_ask_any(cli, request);

	if (answer && !json_is_true(json_object_get(answer, "ok"))) {
		say_errors(answer);
		json_decref(answer);
		return NULL;
	}
	return answer;
}

int cli_ask_plain(const struct cli *cli, json_t *request)
{
	json_t *answer = cli_ask(cli, request);

	if (!answer)
		return 1;
	if (cli->as_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(answer);
	return 0;
}
