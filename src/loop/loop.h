/* One thread's event loop over epoll: descriptors registered once, edge-triggered; timers in a wheel
 * with a granularity of 8 ms, no system call per timer; the clock is read once per turn.
 * One thread owns a loop and all that hangs on it. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/err.h"

#include <sys/epoll.h>

struct loop;

/* A descriptor's place in the loop. Embedded in its owner; the owner closes fd after loop_remove. */
struct watch {
	int fd;
	/* events are EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as epoll tells them */
	void (*on_event)(struct watch *w, uint32_t events);
	uint64_t turn; /* the loop's own */
	bool is_added;
};

/* A point in time. Embedded in its owner; zeroed before first use. */
struct timer {
	struct timer *next, **prev; /* prev is NULL while not set */
	uint64_t due_ms;
	void (*on_due)(struct timer *t);
};

struct loop *loop_new(void);
void loop_free(struct loop **l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Time of this turn. Monotonic milliseconds and microseconds; wall clock microseconds. */
uint64_t loop_now_ms(const struct loop *l);
uint64_t loop_now_us(const struct loop *l);
uint64_t loop_real_us(const struct loop *l);
/* Reads the clocks anew in the middle of a turn (after long work). */
void loop_tick(struct loop *l);

/* events: usually EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, registered once for a descriptor's life. */
enum err loop_add(struct loop *l, struct watch *w, uint32_t events) MUST_USE;
enum err loop_change(struct loop *l, struct watch *w, uint32_t events) MUST_USE;
/* No event will reach w any more, so its memory may be freed at once. With about_to_close the kernel forgets the
 * descriptor by itself and the system call is saved: only for one that no other process ever held. A copy that is
 * still open elsewhere, or in a message on its way, keeps it in the kernel's list, and its next event would be
 * given to memory that is gone. */
void loop_remove(struct loop *l, struct watch *w, bool about_to_close);

/* Sets or moves a timer, in milliseconds from now. Never fails: the timer is the owner's memory.
 * Moving it later is nearly free: it is re-armed when it fires. */
void loop_timer_set(struct loop *l, struct timer *t, uint64_t in_ms, void (*on_due)(struct timer *t));
void loop_timer_clear(struct loop *l, struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return t->prev != NULL;
}
/* Called once at the end of each turn, before sleeping: for batches of writes and log lines. */
void loop_at_turn_end(struct loop *l, void (*fn)(void *ctx), void *ctx);

#endif
