/* state/sockets.json: the kernel's tables of sockets, each row with the processes that hold it. */
#define _GNU_SOURCE
#include "cli/evidence_sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define OWNERS_MAX (1u << 20)
#define ROWS_MAX   200000

static int by_inode(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void add_owner(struct owners *o, uint64_t inode, long pid)
{
	if (o->count == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 1024;
		struct owner *at = cap <= OWNERS_MAX ? reallocarray(o->at, cap, sizeof(*at)) : NULL;

		if (!at)
			return;
		o->at = at;
		o->cap = cap;
	}
	o->at[o->count++] = (struct owner){ inode, pid };
}

static void owners_of(struct owners *o, long pid)
{
	char dir[64], path[400], link[64];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%ld/fd", pid);
	d = opendir(dir);
	if (!d) {
		o->unreadable++;
		return;
	}
	while ((e = readdir(d))) {
		unsigned long long inode;
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = 0;
		if (sscanf(link, "socket:[%llu]", &inode) == 1)
			add_owner(o, inode, pid);
	}
	closedir(d);
}

void owners_read(struct owners *o)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint64_t pid;

	memset(o, 0, sizeof(*o));
	while (d && (e = readdir(d)))
		if (bytes_u64(bytes_str(e->d_name), &pid) == OK)
			owners_of(o, (long)pid);
	if (d)
		closedir(d);
	if (o->count)
		qsort(o->at, o->count, sizeof(*o->at), by_inode);
}

void owners_fini(struct owners *o)
{
	free(o->at);
	memset(o, 0, sizeof(*o));
}

static json_t *pids_of(const struct owners *o, uint64_t inode)
{
	size_t low = 0, high = o->count;
	json_t *list = json_array();

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (o->at[mid].inode < inode)
			low = mid + 1;
		else
			high = mid;
	}
	for (long last = -1; inode && low < o->count && o->at[low].inode == inode; low++) {
		if (o->at[low].pid != last)
			json_array_append_new(list, json_integer(o->at[low].pid));
		last = o->at[low].pid;
	}
	return list;
}

/* "0100007F:0050" as the kernel writes it, each group of eight digits in the machine's order. */
static void address(const char *hex, char out[80])
{
	const char *colon = strchr(hex, ':');
	uint32_t words[4] = { 0 };
	size_t n = colon ? (size_t)(colon - hex) / 8 : 0;
	char text[INET6_ADDRSTRLEN] = "?";

	for (size_t i = 0; i < n && i < 4; i++) {
		char part[9] = { 0 };

		memcpy(part, hex + 8 * i, 8);
		words[i] = (uint32_t)strtoul(part, NULL, 16);
	}
	inet_ntop(n == 4 ? AF_INET6 : AF_INET, words, text, sizeof(text));
	snprintf(out, 80, n == 4 ? "[%s]:%lu" : "%s:%lu", text, colon ? strtoul(colon + 1, NULL, 16) : 0);
}

static const char *state_name(bool is_tcp, unsigned state)
{
	static const char *const names[] = { "?", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait",
		"close", "close-wait", "last-ack", "listen", "closing", "new-syn-recv" };

	if (!is_tcp)
		return state == 1 ? "connected" : "unconnected";
	return state < COUNT_OF(names) ? names[state] : "?";
}

static json_t *inet_row(const char *protocol, char *line, const struct owners *o)
{
	char local[64], remote[64], tx[32], la[80], ra[80];
	unsigned state, uid;
	unsigned long long inode;

	if (sscanf(line, " %*d: %63s %63s %x %31s %*s %*s %u %*d %llu", local, remote, &state, tx, &uid, &inode) != 6)
		return NULL;
	address(local, la);
	address(remote, ra);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:o}", "protocol", protocol, "local", la, "remote", ra, "state",
		state_name(protocol[0] == 't', state), "queues", tx, "uid", (int)uid, "inode", (json_int_t)inode, "pids",
		pids_of(o, inode));
}

static json_t *unix_row(const char *protocol, char *line, const struct owners *o)
{
	unsigned flags, type, state;
	unsigned long long inode;
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %x %x %x %llu%n", &flags, &type, &state, &inode, &at) != 4)
		return NULL;
	while (line[at] == ' ')
		at++;
	return json_pack("{s:s,s:o,s:i,s:b,s:I,s:o}", "protocol", protocol, "path", json_of(bytes_str(line + at)), "type", (int)type,
		"listens", (flags & 0x10000) != 0, "inode", (json_int_t)inode, "pids", pids_of(o, inode));
}

/* The rows of one table; NULL: it cannot be read. *cut: there were more than are kept. */
static bool table(json_t *list, const char *protocol, const struct owners *o, bool *cut)
{
	bool is_unix = strcmp(protocol, "unix") == 0;
	char path[64], *line = NULL;
	size_t cap = 0;
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s", protocol);
	f = fopen(path, "re");
	if (!f)
		return false;
	for (size_t i = 0; (n = getline(&line, &cap, f)) > 0; i++) {
		json_t *row;

		if (i == 0)
			continue;
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (json_array_size(list) >= ROWS_MAX) {
			*cut = true;
			break;
		}
		row = is_unix ? unix_row(protocol, line, o) : inet_row(protocol, line, o);
		json_array_append_new(list, row ? row : json_of(bytes_str(line)));
	}
	free(line);
	fclose(f);
	return true;
}

json_t *evidence_sockets(struct collect *c)
{
	static const char *const protocols[] = { "tcp", "tcp6", "udp", "udp6", "unix" };
	json_t *list = json_array();
	struct owners o;
	bool cut = false;

	owners_read(&o);
	for (size_t i = 0; i < COUNT_OF(protocols); i++)
		if (!table(list, protocols[i], &o, &cut))
			collect_missing(c, protocols[i], "this table of sockets cannot be read");
	if (cut)
		collect_missing(c, "state/sockets.json", "more sockets than are kept");
	if (o.unreadable)
		collect_missing(c, "state/sockets.json", "not every process may be asked for its sockets: run as root");
	owners_fini(&o);
	return list;
}
