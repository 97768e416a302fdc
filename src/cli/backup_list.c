/* What a backup holds: the configuration and the files it names, and the state folder. What this list does not know in the
 * state folder is taken along as a secret: nothing is forgotten, and nothing is told. */
#define _GNU_SOURCE
#include "cli/backup_priv.h"

#include "base/fd.h"
#include "base/secret.h"
#include "cli/files.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool backup_owner(struct item *i)
{
	const struct passwd *p;
	const struct group *g;
	struct stat st;

	if (stat(i->path, &st) < 0)
		return false;
	p = getpwuid(st.st_uid);
	g = getgrgid(st.st_gid);
	if (p)
		snprintf(i->user, sizeof(i->user), "%s", p->pw_name);
	else
		snprintf(i->user, sizeof(i->user), "%u", (unsigned)st.st_uid);
	if (g)
		snprintf(i->group, sizeof(i->group), "%s", g->gr_name);
	else
		snprintf(i->group, sizeof(i->group), "%u", (unsigned)st.st_gid);
	i->mode = st.st_mode & 0777;
	return true;
}

/* "/a/../b" and "/a//b" as "/b" and "/a/b". */
static void tidy(const char *path, char out[4096])
{
	size_t n = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			while (n && out[--n] != '/')
				;
		} else if (len && !(len == 1 && *path == '.') && n + len + 2 < 4096) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	out[n] = 0;
}

static void leave_out(struct item_list *l, const char *path, const char *why)
{
	json_array_append_new(l->left_out, json_pack("{s:o,s:s}", "name", json_of(bytes_str(path)), "why", why));
}

static bool holds_key(const char *path)
{
	struct text t;
	bool yes;

	text_init_growing(&t, BUNDLE_MOST);
	yes = file_read(path, &t) == OK && site_holds_key(text_bytes(&t));
	if (t.at)
		secret_wipe(t.at, t.len);
	text_fini(&t);
	return yes;
}

/* False: it cannot be taken along, and that was said. */
static bool add(const struct cli *cli, struct item_list *l, const char *path, bool is_secret, bool is_database)
{
	struct item *i;
	char number[32];

	if (l->count == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct item *at = reallocarray(l->at, cap, sizeof(*at));

		CHECK(at);
		l->at = at;
		l->cap = cap;
	}
	i = &l->at[l->count];
	*i = (struct item){ .is_secret = is_secret, .is_database = is_database };
	tidy(path, i->path);
	for (size_t j = 0; j < l->count; j++)
		if (strcmp(l->at[j].path, i->path) == 0)
			return true;
	if (!backup_path_is_safe(bytes_str(i->path)) || !backup_owner(i) || access(i->path, R_OK) < 0) {
		cli_fail_in(cli, W_CANNOT_READ, i->path, strerror(errno));
		return false;
	}
	i->is_secret = is_secret || (!is_database && holds_key(i->path));
	collect_name(i->is_secret ? "secrets/" : "files/", i->path, i->member);
	snprintf(number, sizeof(number), "%s/number-%zu", i->is_secret ? "secrets" : "files", l->count);
	if (!i->member[0])
		snprintf(i->member, sizeof(i->member), "%s", number);
	l->count++;
	return true;
}

static bool add_configuration(const struct cli *cli, const struct site *s, struct item_list *l)
{
	bool ok = add(cli, l, s->config, false, false);

	for (size_t i = 0; ok && i < s->count; i++) {
		const struct site_file *f = &s->files[i];

		if (f->kind == SITE_RULES)
			leave_out(l, f->path, "comes with Sluis");
		else if (f->kind == SITE_SYSTEM)
			leave_out(l, f->path, "comes with the system");
		else
			ok = add(cli, l, f->path, f->kind == SITE_KEY, false);
	}
	return ok;
}

static bool want_all(const char *name, void *ctx)
{
	(void)name, (void)ctx;
	return true;
}

/* Every regular file of a folder below the state folder. */
static bool add_folder(const struct cli *cli, struct item_list *l, const char *dir, bool (*take)(const struct cli *cli,
	struct item_list *l, const char *path, const char *name))
{
	size_t count;
	char **list = names_in(dir, want_all, NULL, &count);
	bool ok = list || errno == ENOENT;

	if (!ok)
		cli_fail_in(cli, W_CANNOT_READ, dir, strerror(errno));
	for (size_t i = 0; ok && i < count; i++) {
		char path[8400];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, list[i]);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			ok = take(cli, l, path, list[i]);
	}
	names_free(list, count);
	return ok;
}

static bool take_plain(const struct cli *cli, struct item_list *l, const char *path, const char *name)
{
	(void)name;
	return add(cli, l, path, false, false);
}

static bool is_journal(const char *name)
{
	struct bytes n = bytes_str(name);

	return bytes_ends(n, BYTES("-wal")) || bytes_ends(n, BYTES("-shm")) || bytes_ends(n, BYTES("-journal"));
}

static bool take_state(const struct cli *cli, struct item_list *l, const char *path, const char *name)
{
	if (is_journal(name))
		return true; /* its database takes it along */
	return add(cli, l, path, strcmp(name, "isolated.json") != 0, bytes_ends(bytes_str(name), BYTES(".db")));
}

static bool take_ledger(const struct cli *cli, struct item_list *l, const char *path, const char *name)
{
	return is_journal(name) || add(cli, l, path, false, bytes_ends(bytes_str(name), BYTES(".ledger")));
}

static bool take_roots(const struct cli *cli, struct item_list *l, const char *path, const char *name)
{
	if (strcmp(name, "ledger.pub") == 0 || strcmp(name, "ledger.head") == 0)
		return add(cli, l, path, false, false);
	if (!is_journal(name))
		leave_out(l, path, "is the ledger itself: --with-ledger takes it along");
	return true;
}

bool backup_list(const struct cli *cli, const struct site *s, bool with_ledger, struct item_list *out)
{
	static const char *const plain[] = { "history", "plans", "advisories" };
	char dir[4200];
	bool ok;

	*out = (struct item_list){ .left_out = json_array() };
	ok = add_configuration(cli, s, out) && add_folder(cli, out, s->state_dir, take_state);
	for (size_t i = 0; ok && i < COUNT_OF(plain); i++) {
		snprintf(dir, sizeof(dir), "%s/%s", s->state_dir, plain[i]);
		ok = add_folder(cli, out, dir, take_plain);
	}
	snprintf(dir, sizeof(dir), "%s/identity", s->state_dir);
	ok = ok && add_folder(cli, out, dir, take_state);
	snprintf(dir, sizeof(dir), "%s/ledger", s->state_dir);
	return ok && add_folder(cli, out, dir, with_ledger ? take_ledger : take_roots);
}

void backup_list_fini(struct item_list *l)
{
	free(l->at);
	json_decref(l->left_out);
	*l = (struct item_list){ 0 };
}
