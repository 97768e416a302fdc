/* The configuration is read by the same code that sluisd uses; a source in between notes which files it asks for. */
#define _GNU_SOURCE
#include "cli/site.h"

#include "base/fd.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_MOST (16u << 20)

struct noting {
	struct conf_source source;
	struct disk_source disk;
	struct site *site;
	const char *rules;
	const struct tree *tree; /* NULL: this machine */
};

bool site_holds_key(struct bytes content)
{
	return bytes_find(content, BYTES("PRIVATE KEY-----")) != SIZE_MAX;
}

/* Empty: none, or longer than any path may be. */
static void absolute(const char *dir, struct bytes path, char out[PATH_MAX])
{
	char cwd[PATH_MAX] = "";
	int n = -1;

	if (path.len > 0 && path.at[0] == '/')
		n = snprintf(out, PATH_MAX, "%.*s", FMT(path));
	else if (path.len > 0 && dir[0] == '/')
		n = snprintf(out, PATH_MAX, "%s/%.*s", dir, FMT(path));
	else if (path.len > 0 && getcwd(cwd, sizeof(cwd)))
		n = snprintf(out, PATH_MAX, "%s/%s%s%.*s", cwd, dir, *dir ? "/" : "", FMT(path));
	if (n < 0 || n >= PATH_MAX)
		out[0] = 0;
}

static void note(struct site *s, const char *path, enum site_kind kind)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->files[i].path, path) == 0) {
			if (kind == SITE_KEY)
				s->files[i].kind = kind;
			return;
		}
	if (s->count == SITE_FILES_MAX || !s->files)
		return;
	s->files[s->count].kind = kind;
	s->files[s->count].path = strdup(path);
	CHECK(s->files[s->count].path);
	s->count++;
}

static enum err tree_read(const struct tree *tree, const char *path, struct text *out)
{
	AUTO(fd_close) int fd = tree_file(tree, path, 0);

	return fd < 0 ? ERR_NOT_FOUND : fd_read_all(fd, out);
}

static enum err tree_get(const struct tree *tree, const char *path, struct arena *arena, struct bytes *out)
{
	struct text t;
	enum err e;

	text_init_growing(&t, TEXT_MOST);
	e = *path ? tree_read(tree, path, &t) : ERR_NOT_FOUND;
	if (e == OK) {
		*out = arena_copy(arena, text_bytes(&t));
		e = out->at ? OK : ERR_MEMORY;
	}
	text_fini(&t);
	return e;
}

static enum err noting_get(struct conf_source *source, struct bytes path, struct arena *arena, struct bytes *out)
{
	struct noting *n = CONTAINER_OF(source, struct noting, source);
	char name[PATH_MAX];

	if (bytes_starts(path, BYTES("rules:"))) {
		snprintf(name, sizeof(name), "%s/%.*s.yaml", n->rules ? n->rules : "rules", FMT(bytes_cut(path, 6, path.len)));
		note(n->site, name, SITE_RULES);
	} else {
		absolute(n->disk.base_dir, path, name);
		note(n->site, name, bytes_starts(path, BYTES("/etc/ssl/certs/ca-certificates")) ? SITE_SYSTEM : SITE_PLAIN);
	}
	return n->tree ? tree_get(n->tree, name, arena, out) : n->disk.source.get(&n->disk.source, path, arena, out);
}

static void take_conf(struct site *s, const char *dir)
{
	const struct conf *c = s->conf;

	absolute("", c->state_dir, s->state_dir);
	absolute("", c->admin_socket, s->socket);
	/* sluisd takes logs from the configuration's folder, the two above from its own. */
	absolute(dir, c->access_log, s->access_log);
	absolute(dir, c->error_log, s->error_log);
	absolute(dir, c->detect.alerts, s->alerts);
	for (size_t i = 0; i < c->key_count; i++) {
		char name[PATH_MAX];

		absolute(dir, c->keys[i], name);
		note(s, name, SITE_KEY);
	}
	for (size_t i = 0; i < c->secret_count; i++) {
		char name[PATH_MAX];

		absolute(dir, c->secrets[i], name);
		note(s, name, SITE_KEY);
	}
}

bool site_load(const struct cli *cli, struct site *s)
{
	return site_load_in(cli, NULL, cli->rules, s);
}

bool site_load_in(const struct cli *cli, const struct tree *tree, const char *rules, struct site *s)
{
	const char *file = cli->config ? cli->config : SITE_DEFAULT_CONFIG;
	struct conf_errors errors = { 0 };
	struct noting n = { .source.get = noting_get, .site = s, .rules = rules, .tree = tree };
	char dir[PATH_MAX];

	memset(s, 0, sizeof(*s));
	s->files = calloc(SITE_FILES_MAX, sizeof(*s->files));
	text_init_growing(&s->text, TEXT_MOST);
	if (tree && file[0] != '/')
		snprintf(s->config, sizeof(s->config), "/%s", file);
	else
		absolute("", bytes_str(file), s->config);
	snprintf(s->state_dir, sizeof(s->state_dir), "/var/lib/sluis");
	if (!s->files || (tree ? tree_read(tree, s->config, &s->text) : file_read(s->config, &s->text)) != OK)
		return false;
	snprintf(dir, sizeof(dir), "%s", s->config);
	disk_source_init(&n.disk, dirname(dir), rules);
	s->is_valid = conf_load(bytes_str(s->config), text_bytes(&s->text), &n.source, &s->conf, &errors) == OK;
	if (s->conf)
		take_conf(s, n.disk.base_dir);
	if (cli->socket)
		snprintf(s->socket, sizeof(s->socket), "%s", cli->socket);
	if (!s->state_dir[0])
		snprintf(s->state_dir, sizeof(s->state_dir), "/var/lib/sluis");
	return true;
}

void site_fini(struct site *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->files[i].path);
	free(s->files);
	conf_free(&s->conf);
	text_fini(&s->text);
	memset(s, 0, sizeof(*s));
}

const char *site_ledger_dir(const struct cli *cli, char out[SITE_LEDGER_MAX])
{
	struct site s;
	bool is_read = site_load(cli, &s);

	snprintf(out, SITE_LEDGER_MAX, "%s/ledger", s.state_dir);
	site_fini(&s);
	if (is_read || !cli->config)
		return out;
	cli_fail_in(cli, W_ASK_UNREAD, cli->config);
	return NULL;
}
