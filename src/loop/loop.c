/* epoll and a hierarchical timer wheel: 256 slots of 8 ms, 64 of 2 s, 64 of 131 s, and a list beyond. */
#define _GNU_SOURCE
#include "loop/loop.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS	   8
#define EVENTS_MAX 256
#define NEAR_SLOTS 256
#define FAR_SLOTS  64
#define FARTHER_TICKS ((uint64_t)NEAR_SLOTS * FAR_SLOTS)

struct loop {
	int epfd;
	bool is_stopping;
	uint64_t now_us, real_us, turn;
	uint64_t tick; /* all slots up to this tick have been run */
	size_t timers; /* how many are set */
	struct timer *near[NEAR_SLOTS], *far[FAR_SLOTS], *farther[FAR_SLOTS], *beyond;
	struct epoll_event events[EVENTS_MAX];
	int event_count, event_next;
	void (*at_turn_end)(void *);
	void *turn_end_ctx;
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		free(l);
		return NULL;
	}
	loop_tick(l);
	l->tick = loop_now_ms(l) / TICK_MS;
	return l;
}

void loop_free(struct loop **l)
{
	if (!*l)
		return;
	close((*l)->epfd);
	free(*l);
	*l = NULL;
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_us / 1000;
}

uint64_t loop_now_us(const struct loop *l)
{
	return l->now_us;
}

uint64_t loop_real_us(const struct loop *l)
{
	return l->real_us;
}

void loop_tick(struct loop *l)
{
	l->now_us = clock_mono_us();
	l->real_us = clock_real_us();
}

enum err loop_add(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	CHECK(!w->is_added);
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return ERR_IO;
	w->is_added = true;
	w->turn = 0;
	return OK;
}

enum err loop_change(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	CHECK(w->is_added);
	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? ERR_IO : OK;
}

void loop_remove(struct loop *l, struct watch *w, bool about_to_close)
{
	if (!w->is_added)
		return;
	if (!about_to_close)
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = l->event_next; i < l->event_count; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
	w->is_added = false;
}

void loop_at_turn_end(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	l->at_turn_end = fn;
	l->turn_end_ctx = ctx;
}

static void timer_link(struct timer **slot, struct timer *t)
{
	t->next = *slot;
	t->prev = slot;
	if (t->next)
		t->next->prev = &t->next;
	*slot = t;
}

static void timer_unlink(struct timer *t)
{
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->prev = NULL;
	t->next = NULL;
}

static void timer_place(struct loop *l, struct timer *t)
{
	uint64_t due = (t->due_ms + TICK_MS - 1) / TICK_MS;

	/* A slot holds what is due before it comes round again; the slot of now has been run or emptied already, so
	 * that a whole round ahead is within reach. */
	if (due <= l->tick)
		due = l->tick + 1;
	if (due - l->tick <= NEAR_SLOTS)
		timer_link(&l->near[due % NEAR_SLOTS], t);
	else if (due / NEAR_SLOTS - l->tick / NEAR_SLOTS <= FAR_SLOTS)
		timer_link(&l->far[due / NEAR_SLOTS % FAR_SLOTS], t);
	else if (due / FARTHER_TICKS - l->tick / FARTHER_TICKS <= FAR_SLOTS)
		timer_link(&l->farther[due / FARTHER_TICKS % FAR_SLOTS], t);
	else
		timer_link(&l->beyond, t);
}

void loop_timer_set(struct loop *l, struct timer *t, uint64_t in_ms, void (*on_due)(struct timer *t))
{
	uint64_t due = loop_now_ms(l) + in_ms;

	t->on_due = on_due;
	if (t->prev) {
		bool is_later = due >= t->due_ms;
		t->due_ms = due;
		if (is_later)
			return; /* it stays where it is and moves on when it fires */
		timer_unlink(t);
	} else {
		t->due_ms = due;
		l->timers++;
	}
	timer_place(l, t);
}

void loop_timer_clear(struct loop *l, struct timer *t)
{
	if (!t->prev)
		return;
	timer_unlink(t);
	l->timers--;
}

static void timers_cascade(struct loop *l, struct timer **slot)
{
	struct timer *list = NULL;

	while (*slot) {
		struct timer *t = *slot;
		timer_unlink(t);
		t->next = list;
		list = t;
	}
	while (list) {
		struct timer *t = list;
		list = t->next;
		timer_place(l, t);
	}
}

static void timers_fire(struct loop *l, struct timer **slot)
{
	struct timer *mine = NULL;

	/* Onto a list of our own first: a callback may set timers into this very slot. */
	while (*slot) {
		struct timer *t = *slot;
		timer_unlink(t);
		timer_link(&mine, t);
	}
	while (mine) {
		struct timer *t = mine;
		timer_unlink(t);
		if (t->due_ms > l->tick * TICK_MS) {
			timer_place(l, t);
			continue;
		}
		l->timers--;
		t->on_due(t);
	}
}

static void timers_run(struct loop *l)
{
	uint64_t now = loop_now_ms(l) / TICK_MS;

	if (l->timers == 0) {
		l->tick = now;
		return;
	}
	while (l->tick < now) {
		uint64_t next = l->tick + 1;

		/* While l->tick is still the tick before, so that what is due at next lands in next's own slot. */
		if (next % (FARTHER_TICKS * FAR_SLOTS) == 0)
			timers_cascade(l, &l->beyond);
		if (next % FARTHER_TICKS == 0)
			timers_cascade(l, &l->farther[next / FARTHER_TICKS % FAR_SLOTS]);
		if (next % NEAR_SLOTS == 0)
			timers_cascade(l, &l->far[next / NEAR_SLOTS % FAR_SLOTS]);
		l->tick = next;
		timers_fire(l, &l->near[l->tick % NEAR_SLOTS]);
	}
}

static int loop_sleep_ms(struct loop *l)
{
	uint64_t now = loop_now_ms(l);

	if (l->timers == 0)
		return -1;
	for (uint64_t i = 1; i < NEAR_SLOTS; i++) {
		uint64_t tick = l->tick + i;
		if (l->near[tick % NEAR_SLOTS] || tick % NEAR_SLOTS == 0) {
			uint64_t at = tick * TICK_MS;
			return at > now ? (int)(at - now) : 0;
		}
	}
	return NEAR_SLOTS * TICK_MS;
}

void loop_run(struct loop *l)
{
	while (!l->is_stopping) {
		l->event_next = l->event_count = 0;
		if (l->at_turn_end)
			l->at_turn_end(l->turn_end_ctx);
		int n = epoll_wait(l->epfd, l->events, EVENTS_MAX, loop_sleep_ms(l));
		if (n < 0)
			CHECK(errno == EINTR);
		loop_tick(l);
		l->turn++;
		l->event_count = n > 0 ? n : 0;
		while (l->event_next < l->event_count) {
			struct epoll_event *ev = &l->events[l->event_next++];
			struct watch *w = ev->data.ptr;
			if (w)
				w->on_event(w, ev->events);
		}
		timers_run(l);
	}
	l->is_stopping = false;
}
