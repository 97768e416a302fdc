#define _GNU_SOURCE
#include "watch/positions.h"

#include "base/fd.h"
#include "json/write.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool number_of(const json_t *o, const char *key, uint64_t *out)
{
	const json_t *n = json_object_get(o, key);
	const char *text = json_string_value(n);

	/* Written as text: a JSON number of a reader may have 53 bits. */
	return text && bytes_u64(bytes_str(text), out) == OK;
}

static enum err parse_one(const json_t *o, struct position *p)
{
	const char *path = json_string_value(json_object_get(o, "path"));
	uint64_t head_len;

	*p = (struct position){ .at.is_known = true };
	if (!path || path[0] != '/' || snprintf(p->path, sizeof(p->path), "%s", path) >= (int)sizeof(p->path))
		return ERR_SYNTAX;
	if (!number_of(o, "device", &p->at.device) || !number_of(o, "inode", &p->at.inode) || !number_of(o, "offset", &p->at.offset) ||
		!number_of(o, "line", &p->at.line) || !number_of(o, "head_hash", &p->at.head_hash) || !number_of(o, "head_len", &head_len) ||
		head_len > FOLLOW_HEAD_MAX || head_len > p->at.offset || p->at.offset > INT64_MAX)
		return ERR_SYNTAX;
	p->at.head_len = (uint32_t)head_len;
	return OK;
}

enum err positions_parse(struct bytes text, struct position *out, size_t *count)
{
	json_t *root = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *logs = json_object_get(root, "logs");
	enum err e = json_is_array(logs) ? OK : ERR_SYNTAX;

	*count = 0;
	if (e == OK && json_array_size(logs) > POSITIONS_MAX)
		e = ERR_LIMIT;
	for (size_t i = 0; e == OK && i < json_array_size(logs); i++) {
		e = parse_one(json_array_get(logs, i), &out[*count]);
		*count += e == OK;
	}
	json_decref(root);
	return e;
}

static void put_number(struct text *t, const char *key, uint64_t n)
{
	text_fmt(t, ",\"%s\":\"%llu\"", key, (unsigned long long)n);
}

void positions_put(struct text *t, const struct follow *logs, size_t count)
{
	bool is_first = true;

	text_lit(t, "{\"logs\":[");
	for (size_t i = 0; i < count; i++) {
		if (!logs[i].at.is_known)
			continue;
		text_str(t, is_first ? "\n{\"path\":" : ",\n{\"path\":");
		is_first = false;
		json_put_string(t, bytes_str(logs[i].path));
		put_number(t, "device", logs[i].at.device);
		put_number(t, "inode", logs[i].at.inode);
		put_number(t, "offset", logs[i].at.offset);
		put_number(t, "line", logs[i].at.line);
		put_number(t, "head_len", logs[i].at.head_len);
		put_number(t, "head_hash", logs[i].at.head_hash);
		text_byte(t, '}');
	}
	text_lit(t, "\n]}\n");
}

enum err positions_write(int folder, const char *name, struct bytes text)
{
	char beside[300];
	enum err e;
	int fd;

	snprintf(beside, sizeof(beside), "%.200s.new", name);
	fd = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ERR_IO;
	e = fd_write_all(fd, text);
	if (e == OK && fsync(fd) < 0)
		e = ERR_IO;
	fd_close(&fd);
	if (e == OK && (renameat(folder, beside, folder, name) < 0 || fsync(folder) < 0))
		e = ERR_IO;
	return e;
}
