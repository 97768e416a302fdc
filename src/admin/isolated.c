/* A plain JSON file, so that an administrator can read it when nothing runs. */
#define _GNU_SOURCE
#include "admin/isolated.h"

#include "base/clock.h"
#include "base/fd.h"
#include "json/write.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

bool isolated_reason_is_good(struct bytes reason)
{
	for (size_t i = 0; i < reason.len; i++)
		if (reason.at[i] < ' ' || reason.at[i] == 127)
			return false;
	return reason.len <= ISOLATED_REASON_MAX;
}

/* A whole number that is not negative; absent is 0 where that is allowed. */
static bool take_number(const json_t *j, const char *key, bool is_needed, uint64_t most, uint64_t *out)
{
	const json_t *n = json_object_get(j, key);

	*out = 0;
	if (!n)
		return !is_needed;
	if (!json_is_integer(n) || json_integer_value(n) < 0 || (uint64_t)json_integer_value(n) > most)
		return false;
	*out = (uint64_t)json_integer_value(n);
	return true;
}

static struct bytes string_of(const json_t *j, const char *key)
{
	const json_t *s = json_object_get(j, key);

	return bytes_of(json_string_value(s), json_string_length(s));
}

static const char *take_entry(const json_t *j, struct isolated *out)
{
	struct bytes what = string_of(j, "what"), reason = string_of(j, "reason");
	enum isolation_kind kind;
	uint64_t uid;

	*out = (struct isolated){ 0 };
	if (!isolation_kind_find(string_of(j, "kind"), &kind))
		return "an entry's kind is client, target, user or node";
	if (isolation_parse(kind, what, &out->entry) != OK)
		return "an entry's what does not fit its kind";
	if (!take_number(j, "since_us", true, INT64_MAX, &out->since_us) ||
		!take_number(j, "until_us", false, INT64_MAX, &out->until_us) ||
		!take_number(j, "uid", true, UINT32_MAX, &uid))
		return "an entry's since_us, until_us and uid are whole numbers";
	if (!isolated_reason_is_good(reason))
		return "an entry's reason is text of at most 256 bytes, without control characters";
	if (reason.len)
		memcpy(out->reason, reason.at, reason.len);
	out->uid = (uid_t)uid;
	return NULL;
}

static bool is_there(const struct isolated_list *l, const struct isolation_entry *e)
{
	for (size_t i = 0; i < l->count; i++)
		if (isolation_is_same(&l->list[i].entry, e))
			return true;
	return false;
}

enum err isolated_parse(struct bytes text, struct isolated_list *out, const char **why)
{
	json_t *j = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(j, "isolated");
	enum err e = OK;

	out->count = 0;
	*why = NULL;
	if (json_integer_value(json_object_get(j, "format")) != 1 || !json_is_array(list))
		*why = "it is not JSON with format 1 and a list isolated";
	else if (json_array_size(list) > ISOLATION_MAX)
		e = ERR_LIMIT;
	for (size_t i = 0; e == OK && !*why && i < json_array_size(list); i++) {
		*why = take_entry(json_array_get(list, i), &out->list[out->count]);
		if (!*why && !is_there(out, &out->list[out->count].entry))
			out->count++;
	}
	json_decref(j);
	if (e == ERR_LIMIT)
		*why = "it has more than 1024 entries";
	return e == OK && *why ? ERR_SYNTAX : e;
}

void isolated_write(const struct isolated_list *l, struct text *t)
{
	text_lit(t, "{\"format\":1,\"isolated\":[");
	for (size_t i = 0; i < l->count; i++) {
		const struct isolated *e = &l->list[i];
		unsigned char mem[ISOLATION_NAME_MAX];
		struct text what;
		char since[25];

		clock_rfc3339(e->since_us, since);
		text_init(&what, mem, sizeof(mem));
		isolation_put(&e->entry, &what);
		text_fmt(t, "%s\n{\"kind\":\"%s\",\"what\":", i ? "," : "",
			isolation_kind_name((enum isolation_kind)e->entry.kind));
		json_put_string(t, text_bytes(&what));
		text_fmt(t,
			",\"since\":\"%s\",\"since_us\":%llu,\"until_us\":%llu,\"uid\":%u,\"reason\":", since,
			(unsigned long long)e->since_us, (unsigned long long)e->until_us, (unsigned)e->uid);
		json_put_string(t, bytes_str(e->reason));
		text_byte(t, '}');
	}
	text_lit(t, "\n]}\n");
}

static enum err path_of(struct bytes state_dir, const char *end, char *out, size_t size)
{
	if (state_dir.len == 0)
		return ERR_NOT_FOUND;
	return snprintf(out, size, "%.*s/" ISOLATED_FILE "%s", FMT(state_dir), end) < (int)size ? OK
												: ERR_LIMIT;
}

enum err isolated_load(struct bytes state_dir, struct isolated_list *out, const char **why)
{
	char path[4200];
	struct text t;
	enum err e = path_of(state_dir, "", path, sizeof(path));

	out->count = 0;
	*why = "it cannot be read";
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? OK : ERR_IO;
	text_init_growing(&t, ISOLATED_FILE_MAX);
	errno = 0;
	e = fd_read_all(fd, &t);
	if (e == OK)
		e = isolated_parse(text_bytes(&t), out, why);
	text_fini(&t);
	return e;
}

static enum err write_file(const char *path, struct bytes content)
{
	AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return ERR_IO;
	TRY(fd_write_all(fd, content));
	return fsync(fd) < 0 ? ERR_IO : OK;
}

enum err isolated_save(struct bytes state_dir, const struct isolated_list *l)
{
	char path[4200], temporary[4200], dir[4200];
	struct text t;
	enum err e;

	TRY(path_of(state_dir, "", path, sizeof(path)));
	TRY(path_of(state_dir, ".new", temporary, sizeof(temporary)));
	snprintf(dir, sizeof(dir), "%.*s", FMT(state_dir));
	text_init_growing(&t, ISOLATED_FILE_MAX);
	isolated_write(l, &t);
	e = t.failed ? ERR_MEMORY : write_file(temporary, text_bytes(&t));
	text_fini(&t);
	if (e == OK && rename(temporary, path) < 0)
		e = ERR_IO;
	if (e != OK) {
		int error = errno;

		unlink(temporary);
		errno = error;
		return e;
	}
	/* The name, too, must be on the disk before anybody is told that the list is kept. */
	AUTO(fd_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? ERR_IO : OK;
}
