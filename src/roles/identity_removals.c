/* Sessions that ended while the shared store was lost, and that it still has. They are removed when it is back, before anything is read from it: else they
 * would be learned again. A file keeps their ids (16 hex digits and a line feed each; they open nothing), so that they stay ended when identity begins
 * again meanwhile. What is removed in one batch is here only until its commit, and not written for that. */
#include "roles/identity_priv.h"

#include "base/fd.h"
#include "base/log.h"
#include "crypto/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "unremoved"
#define ID_LEN	  16
#define MOST	  (1u << 20)

static bool add(struct removals *r, struct bytes id)
{
	if (r->count == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 64;
		char (*more)[ID_LEN + 1] = r->cap < MOST ? reallocarray(r->ids, cap, sizeof *more) : NULL;

		if (!more)
			return false;
		r->ids = more;
		r->cap = cap;
	}
	memcpy(r->ids[r->count], id.at, ID_LEN);
	r->ids[r->count++][ID_LEN] = 0;
	return true;
}

static bool is_id(struct bytes line)
{
	unsigned char number[ID_LEN / 2];

	return line.len == ID_LEN && hex_read(line, number, sizeof number) == OK;
}

/* A line that is none is what a full disk or a power failure left of the last one. */
static enum err read_file(struct removals *r)
{
	struct text all;
	struct bytes left;
	size_t bad = 0;

	text_init_growing(&all, (size_t)MOST * (ID_LEN + 2));
	if (fd_read_at_start(r->fd, &all) != OK) {
		text_fini(&all);
		return ERR_IO;
	}
	r->is_torn = all.len && all.at[all.len - 1] != '\n';
	for (left = text_bytes(&all); left.len;) {
		size_t end = bytes_find_byte(left, '\n');
		struct bytes line = bytes_cut(left, 0, end == SIZE_MAX ? left.len : end);

		if (line.len && (!is_id(line) || !add(r, line)))
			bad++;
		left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
	}
	text_fini(&all);
	r->kept = r->count;
	if (r->count || bad)
		LOG(EV_IDENTITY_STORE, KV_STR("what", FILE_NAME), KV_UINT("sessions", r->count), KV_UINT("unreadable", bad), KV_STR("why",
			"they ended while the store was lost, and are removed from it when it is connected"));
	return OK;
}

enum err removals_open(struct removals *r)
{
	r->fd = open(FILE_NAME, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd >= 0 && read_file(r) == OK)
		return OK;
	/* Without them what was ended would be let in again. */
	LOG(EV_IDENTITY_STORE, KV_STR("what", FILE_NAME), KV_STR("why", "the file in state_dir/identity cannot be read: put its rights right, or move it away "
		"and revoke again what was revoked while the store was lost"));
	return ERR_IO;
}

void removals_add(struct removals *r, const char *session)
{
	if (!add(r, bytes_str(session)))
		LOG(EV_IDENTITY_STORE, KV_STR("what", "session_remove"), KV_STR("id", session), KV_STR("why", "no memory to try it again: it has ended at this node alone"));
}

size_t removals_mark(const struct removals *r)
{
	return r->count;
}

void removals_drop(struct removals *r, size_t mark)
{
	if (mark < r->count)
		r->count = mark;
}

void removals_keep(struct removals *r)
{
	unsigned char mem[4096];
	struct text t;
	enum err e = OK;

	if (r->fd < 0 || r->kept >= r->count)
		return;
	text_init(&t, mem, sizeof mem);
	if (r->is_torn) /* or the next id would stand in the line of half a one */
		text_byte(&t, '\n');
	for (size_t i = r->kept; i < r->count && e == OK; i++) {
		text_str(&t, r->ids[i]);
		text_byte(&t, '\n');
		if (t.cap - t.len <= ID_LEN || i + 1 == r->count) {
			e = fd_write_all(r->fd, text_bytes(&t));
			t.len = 0;
		}
	}
	r->is_torn = e != OK;
	r->kept = r->count; /* a disk that is full is told of once, and not asked again for these */
	if (e != OK || fdatasync(r->fd))
		LOG(EV_IDENTITY_STORE, KV_STR("what", FILE_NAME), KV_STR("why", strerror(errno)), KV_STR("until", "the store is back, a restart would bring back what was ended"));
}

void removals_done(struct removals *r)
{
	if (r->fd >= 0 && (r->kept || r->is_torn) && (ftruncate(r->fd, 0) || fdatasync(r->fd))) /* then they are removed once more some day, which changes nothing */
		LOG(EV_IDENTITY_STORE, KV_STR("what", FILE_NAME), KV_STR("why", strerror(errno)));
	else
		r->is_torn = false;
	r->count = r->kept = 0;
}

void removals_free(struct removals *r)
{
	fd_close(&r->fd);
	free(r->ids);
	*r = (struct removals){ .fd = -1 };
}
