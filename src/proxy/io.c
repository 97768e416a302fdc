/* recv and send first, epoll only after EAGAIN. A short read means that the socket is drained, unless the
 * peer has ended: then one more read meets the end. */
#include "proxy/io.h"

#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_SMALL 1024
#define KEPT_LARGE 64

enum err buf_take(struct buf_pool *p, struct buf *b, size_t size)
{
	void **list = size == BUF_SMALL ? &p->free_small : &p->free_large;
	void *m = *list;

	CHECK(b->mem == NULL && (size == BUF_SMALL || size == BUF_LARGE));
	if (m) {
		memcpy(list, m, sizeof *list); /* the free block's first word names the next */
		(*(size == BUF_SMALL ? &p->small_count : &p->large_count))--;
	} else if (!(m = malloc(size))) {
		return ERR_MEMORY;
	}
	*b = (struct buf){ .mem = m, .cap = size };
	return OK;
}

void buf_give(struct buf_pool *p, struct buf *b)
{
	bool is_small = b->cap == BUF_SMALL;
	void **list = is_small ? &p->free_small : &p->free_large;
	unsigned *count = is_small ? &p->small_count : &p->large_count;

	if (!b->mem)
		return;
	if (*count >= (is_small ? KEPT_SMALL : KEPT_LARGE)) {
		free(b->mem);
	} else {
		memcpy(b->mem, list, sizeof *list);
		*list = b->mem;
		++*count;
	}
	*b = (struct buf){ 0 };
}

void buf_wipe(struct buf *b)
{
	if (b->mem)
		secret_wipe(b->mem, b->most);
}

void buf_give_if_empty(struct buf_pool *p, struct buf *b)
{
	if (b->start == b->end)
		buf_give(p, b);
}

void buf_pack(struct buf *b)
{
	if (b->start == 0)
		return;
	memmove(b->mem, b->mem + b->start, buf_len(b));
	b->end -= b->start;
	b->start = 0;
}

struct text buf_text(struct buf *b)
{
	struct text t;

	text_init(&t, b->mem + b->end, buf_room(b));
	return t;
}

enum err buf_text_end(struct buf *b, const struct text *t)
{
	if (t->failed)
		return ERR_LIMIT;
	buf_filled(b, t->len);
	return OK;
}

bool io_may_read(const struct io *io)
{
	return io->readable || (io->tls && tls_has_pending(io->tls));
}

enum err io_read(struct io *io, struct buf *b)
{
	size_t room = buf_room(b);
	ssize_t n;

	if (room == 0)
		return ERR_AGAIN;
	if (io->tls) {
		size_t got;
		enum err e = tls_read(io->tls, b->mem + b->end, room, &got);
		if (e == OK)
			buf_filled(b, got);
		else if (e == ERR_AGAIN)
			io->readable = false;
		return e;
	}
	if (!io->readable)
		return ERR_AGAIN;
	do
		n = recv(io->watch.fd, b->mem + b->end, room, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_filled(b, (size_t)n);
		if ((size_t)n < room && !io->peer_ended)
			io->readable = false;
		return OK;
	}
	if (n == 0)
		return ERR_CLOSED;
	if (errno == EAGAIN) {
		io->readable = false;
		return ERR_AGAIN;
	}
	return ERR_IO;
}

enum err io_write(struct io *io, struct buf *b)
{
	while (buf_len(b)) {
		ssize_t n;
		if (io->tls) {
			size_t sent;
			enum err e = tls_write(io->tls, buf_bytes(b), &sent);
			if (e == ERR_AGAIN)
				io->writable = false;
			if (e != OK)
				return e;
			b->start += sent;
			continue;
		}
		if (!io->writable)
			return ERR_AGAIN;
		n = send(io->watch.fd, b->mem + b->start, buf_len(b), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			io->writable = false;
			return ERR_AGAIN;
		}
		if (n < 0)
			return errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
		if ((size_t)n < buf_len(b))
			io->writable = false;
		b->start += (size_t)n;
	}
	b->start = b->end = 0;
	return OK;
}

void io_close(struct loop *l, struct io *io)
{
	if (io->tls)
		tls_free(&io->tls);
	if (io->watch.fd >= 0) {
		loop_remove(l, &io->watch, true);
		close(io->watch.fd);
		io->watch.fd = -1;
	}
}
