/* sluis user import: the table is read by a process of its own that can do nothing else, for it may come from anywhere; what it made of it is
 * checked, told and added here. */
#define _GNU_SOURCE
#include "cli/user_priv.h"

#include "base/fd.h"
#include "base/secret.h"
#include "ledger/record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MOST   (16u << 20)
#define ANSWER_MOST (64u << 20)

struct import {
	const struct cli *cli;
	const char *file;
	bool skips_existing, is_dry;
	json_t *table;
	size_t added, skipped, wrong;
};

/* --- reading --- */

static bool read_file(struct import *im, struct text *content, bool *is_open)
{
	AUTO(fd_close) int fd = open(im->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	enum err e;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cli_fail_in(im->cli, W_CANNOT_READ, im->file, strerror(errno)) == 0;
	*is_open = (st.st_mode & 077) != 0;
	e = fd_read_all(fd, content);
	if (e != OK)
		cli_fail_in(im->cli, W_CANNOT_READ, im->file, e == ERR_LIMIT ? err_name(e) : strerror(errno));
	return e == OK;
}

static void helper(const struct import *im, struct bytes content, int to)
{
	char *answer;

	(void)!prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cli_confine_reader() != OK)
		_exit(1);
	answer = json_dumps(user_table(im->cli, im->file, content), JSON_COMPACT);
	_exit(answer && fd_write_all(to, bytes_str(answer)) == OK ? 0 : 1);
}

/* NULL: the helper failed. */
static json_t *parse_apart(const struct import *im, struct bytes content)
{
	json_t *table = NULL;
	struct text t;
	int up[2];
	pid_t pid;

	fflush(stdout);
	if (pipe2(up, O_CLOEXEC) < 0)
		return NULL;
	pid = fork();
	if (pid == 0) {
		close(up[0]);
		helper(im, content, up[1]);
	}
	close(up[1]);
	text_init_growing(&t, ANSWER_MOST);
	if (pid > 0 && fd_read_all(up[0], &t) == OK)
		table = json_loadb((const char *)t.at, t.len, JSON_REJECT_DUPLICATES, NULL);
	if (t.at)
		secret_wipe(t.at, t.len);
	text_fini(&t);
	close(up[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return table;
}

/* --- telling --- */

static void tell_line(FILE *to, const char *line)
{
	char mem[2048];
	struct text t;

	text_init(&t, mem, sizeof(mem) - 1);
	ledger_text_clean(&t, bytes_cut(bytes_str(line), 0, sizeof(mem) - 2));
	mem[t.len] = 0;
	fprintf(to, "%s\n", mem);
}

/* FILE:LINE: name: what. Also kept for --json. */
static void fault(struct import *im, const json_t *user, const char *what)
{
	char line[1200];

	im->wrong++;
	snprintf(line, sizeof(line), "%s:%lld: name: %s: %s", im->file, people_number(user, "line"), people_text(user, "name"), what);
	json_array_append_new(json_object_get(im->table, "errors"), json_string(line));
	tell_line(stderr, line);
}

static void tell_errors(struct import *im)
{
	const json_t *errors = json_object_get(im->table, "errors");

	for (size_t i = 0; i < json_array_size(errors); i++)
		if (json_is_string(json_array_get(errors, i)))
			tell_line(stderr, json_string_value(json_array_get(errors, i)));
	im->wrong = (size_t)people_number(im->table, "wrong");
	if (im->wrong > json_array_size(errors))
		cli_say(im->cli, stderr, W_IMP_MORE, im->wrong - json_array_size(errors));
}

static int end(struct import *im)
{
	bool ok = im->wrong == 0;
	size_t users = json_array_size(json_object_get(im->table, "users"));

	if (im->cli->as_json)
		return (void)people_end(im->cli, json_pack("{s:b,s:O,s:I,s:I,s:I,s:b}", "ok", (int)ok, "errors", json_object_get(im->table, "errors"), "users",
			(json_int_t)users, "added", (json_int_t)im->added, "skipped", (json_int_t)im->skipped, "dry_run", (int)im->is_dry)), ok ? 0 : 1;
	if (im->is_dry)
		cli_say(im->cli, stdout, ok ? W_IMP_GOOD : W_IMP_BAD, users, im->wrong);
	else if (!ok && im->added == 0)
		cli_say(im->cli, stdout, W_IMP_NOTHING, im->wrong);
	else
		cli_say(im->cli, stdout, W_IMP_DONE, im->added, im->skipped, im->wrong);
	return ok ? 0 : 1;
}

/* --- adding --- */

/* Marks who is there already, before anybody is added. False: sluisd could not be asked, and that was said. */
static bool find_existing(struct import *im)
{
	json_t *there = people_list(im->cli, json_pack("{s:s}", "what", "user.list"), "users"), *names = json_object();
	const json_t *users = json_object_get(im->table, "users");

	for (size_t i = 0; i < json_array_size(there); i++)
		json_object_set_new(names, people_text(json_array_get(there, i), "name"), json_true());
	for (size_t i = 0; there && i < json_array_size(users); i++) {
		json_t *u = json_array_get(users, i);

		if (!json_object_get(names, people_text(u, "name")))
			continue;
		json_object_set_new(u, "exists", json_true());
		if (!im->skips_existing)
			fault(im, u, cli_word(im->cli, W_IMP_EXISTS));
	}
	json_decref(names);
	json_decref(there);
	return there != NULL;
}

/* False: nobody answers any more. */
static bool add_one(struct import *im, json_t *user)
{
	json_t *request = json_deep_copy(user), *a;

	json_object_del(request, "line");
	json_object_set_new(request, "what", json_string("user.add"));
	a = people_ask_any(im->cli, request);
	if (!a)
		return false;
	if (!people_told_no(a))
		im->added++;
	else if (people_why_is(a, "exists") && im->skips_existing)
		im->skipped++;
	else
		fault(im, user, people_why_is(a, "exists") ? cli_word(im->cli, W_IMP_EXISTS) : people_text(a, "error"));
	json_decref(a);
	return true;
}

static int add_all(struct import *im)
{
	const json_t *users = json_object_get(im->table, "users");

	if (!find_existing(im))
		return 1;
	for (size_t i = 0; im->wrong == 0 && i < json_array_size(users); i++) {
		json_t *u = json_array_get(users, i);

		if (json_is_true(json_object_get(u, "exists"))) {
			im->skipped++;
		} else if (!add_one(im, u)) {
			cli_say(im->cli, stderr, W_IMP_DONE, im->added, im->skipped, (size_t)1);
			return 1;
		}
	}
	return end(im);
}

int user_import(const struct cli *cli, int argc, char **argv)
{
	struct import im = { .cli = cli };
	const struct option options[] = { { "--skip-existing", NULL, &im.skips_existing }, { "--dry-run", NULL, &im.is_dry }, { 0 } };
	bool is_open = false;
	struct text content;
	int status = 2;

	if (!options_take(cli, options, argc, argv, &im.file))
		return 2;
	if (!im.file)
		return 1 + cli_fail_in(cli, W_USR_USAGE);
	text_init_growing(&content, FILE_MOST);
	if (!read_file(&im, &content, &is_open)) {
		text_fini(&content);
		return 2;
	}
	im.table = parse_apart(&im, text_bytes(&content));
	if (content.at)
		secret_wipe(content.at, content.len);
	text_fini(&content);
	if (!im.table)
		return 1 + cli_fail_in(cli, W_IMP_FAILED, im.file);
	if (is_open && json_is_true(json_object_get(im.table, "has_secrets")))
		cli_say(cli, stderr, W_IMP_OPEN, im.file, im.file);
	tell_errors(&im);
	status = im.is_dry || im.wrong ? end(&im) : add_all(&im);
	json_decref(im.table);
	return status;
}
