/* Where this machine's state is, as the configuration says. */
#include "cli/cli.h"

#include "base/fd.h"
#include "conf/bundle.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_STATE_DIR "/var/lib/sluis"

static bool state_dir_of(const struct cli *cli, char *out, size_t size)
{
	char *dir = strdup(cli->config);
	struct disk_source disk;
	struct conf_errors errors = { 0 };
	struct conf *conf = NULL;
	struct text text;
	bool ok = false;

	text_init_growing(&text, 16u << 20);
	if (!dir || file_read(cli->config, &text) != OK) {
		cli_fail(1, "%s cannot be read", cli->config);
	} else {
		disk_source_init(&disk, dirname(dir), cli->rules);
		/* A file with mistakes still says where its state is. */
		(void)!conf_load(bytes_str(cli->config), text_bytes(&text), &disk.source, &conf, &errors);
		ok = conf && conf->state_dir.len && snprintf(out, size, "%.*s", FMT(conf->state_dir)) < (int)size;
		if (!ok)
			cli_fail(1, "%s has no state_dir", cli->config);
		conf_free(&conf);
	}
	text_fini(&text);
	free(dir);
	return ok;
}

const char *cli_state_dir(const struct cli *cli, char *out, size_t size)
{
	if (cli->config)
		return state_dir_of(cli, out, size) ? out : NULL;
	snprintf(out, size, DEFAULT_STATE_DIR);
	return out;
}

const char *cli_ledger_dir(const struct cli *cli, char *out, size_t size)
{
	char state[4096];

	if (!cli_state_dir(cli, state, sizeof(state)))
		return NULL;
	snprintf(out, size, "%s/ledger", state);
	return out;
}
