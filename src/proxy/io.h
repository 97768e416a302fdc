/* One end of a relay: a non-blocking socket, plain or TLS, that remembers whether the kernel has something
 * for it, so that no call is made whose answer is known. */
#ifndef PROXY_IO_H
#define PROXY_IO_H

#include "loop/loop.h"
#include "tls/tls.h"

struct io {
	struct watch watch; /* watch.fd is owned by the io */
	struct tls_stream *tls;
	bool readable, writable; /* as far as is known */
	bool peer_ended;	 /* the kernel told of an end: a read will meet it */
	bool broken;		 /* the kernel told of an error or a full end: nothing can be sent */
	bool handshaking;
};

/* A part of memory that is being filled at its end and emptied at its start. */
struct buf {
	unsigned char *mem;
	size_t start, end, cap;
	size_t most; /* beyond it nothing was ever written */
};
static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}
static inline size_t buf_room(const struct buf *b)
{
	return b->cap - b->end;
}
static inline struct bytes buf_bytes(const struct buf *b)
{
	return bytes_of(b->mem + b->start, buf_len(b));
}

/* n octets were written behind what is there. */
static inline void buf_filled(struct buf *b, size_t n)
{
	b->end += n;
	b->most = b->end > b->most ? b->end : b->most;
}

/* Blocks of two sizes, kept for reuse; one owner, one thread. */
#define BUF_SMALL (16 * 1024)
#define BUF_LARGE (128 * 1024)
struct buf_pool {
	void *free_small, *free_large;
	unsigned small_count, large_count; /* kept */
};
enum err buf_take(struct buf_pool *p, struct buf *b, size_t size) MUST_USE; /* size: BUF_SMALL or BUF_LARGE */
void buf_give(struct buf_pool *p, struct buf *b);	   /* accepts an empty buf; leaves one behind */
void buf_wipe(struct buf *b); /* all that was in it since it was taken, before it is given back: tokens and passwords came in here */
void buf_give_if_empty(struct buf_pool *p, struct buf *b);
/* Moves what is there to the front. */
void buf_pack(struct buf *b);
/* A text that appends to the buffer; buf_text_end takes over what was written (nothing when it failed). */
struct text buf_text(struct buf *b);
enum err buf_text_end(struct buf *b, const struct text *t) MUST_USE;

/* What epoll said. */
static inline void io_note(struct io *io, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		io->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		io->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		io->peer_ended = true;
	if (events & (EPOLLHUP | EPOLLERR))
		io->broken = true;
	if (io->tls)
		tls_note(io->tls, io->peer_ended);
}
/* Appends what can be read to b. OK: something came. ERR_AGAIN: nothing now (or b is full). ERR_CLOSED, ERR_TLS, ERR_IO: no more. */
enum err io_read(struct io *io, struct buf *b) MUST_USE;
/* Sends from b. OK: b is empty now. ERR_AGAIN: the rest later. */
enum err io_write(struct io *io, struct buf *b) MUST_USE;
/* Whether io_read may find something without a new event. */
bool io_may_read(const struct io *io);
void io_close(struct loop *l, struct io *io);

#endif
