/* What sluis window tells besides connections: copies of events, of the ledger and of an appliance's logs alike. */
#include "cli/window_priv.h"

#include "ledger/record.h"

#include <stdlib.h>

#define TEXTS_MOST (8u << 20)
#define WHAT_MOST  600

/* A copy that outlives the event; what is not printable text becomes '?'. */
static struct bytes keep(struct text *t, struct bytes b)
{
	size_t at = t->len;

	ledger_text_clean(t, bytes_cut(b, 0, 500));
	return bytes_of((const void *)(uintptr_t)(at + 1), t->len - at); /* its place, until all are there: the memory moves */
}

void window_told_add(struct window_told *told, const struct window_event *e)
{
	struct window_event *list, *to;

	if (!told->texts.at)
		text_init_growing(&told->texts, TEXTS_MOST);
	if (told->count == WINDOW_EVENTS_MOST || told->texts.failed) {
		told->more++;
		return;
	}
	list = realloc(told->events, (told->count + 1) * sizeof(*list));
	CHECK(list);
	told->events = list;
	to = &list[told->count++];
	*to = *e;
	to->user = keep(&told->texts, e->user);
	to->from = keep(&told->texts, e->from);
	to->what = keep(&told->texts, e->what);
	to->session = keep(&told->texts, e->session);
	to->file = keep(&told->texts, e->file);
}

static void place(const struct text *t, struct bytes *b)
{
	b->at = b->len ? (const unsigned char *)t->at + ((uintptr_t)b->at - 1) : (const unsigned char *)"";
}

static int by_time(const void *a, const void *b)
{
	const struct window_event *x = a, *y = b;

	return x->at_us != y->at_us ? (x->at_us < y->at_us ? -1 : 1) : x->line < y->line ? -1 : x->line > y->line;
}

void window_told_finish(struct window_told *told)
{
	for (size_t i = 0; i < told->count; i++) {
		struct window_event *e = &told->events[i];

		place(&told->texts, &e->user);
		place(&told->texts, &e->from);
		place(&told->texts, &e->what);
		place(&told->texts, &e->session);
		place(&told->texts, &e->file);
	}
	if (told->count)
		qsort(told->events, told->count, sizeof(*told->events), by_time);
}

void window_told_fini(struct window_told *told)
{
	contacts_free(&told->all);
	free(told->events);
	text_fini(&told->texts);
}

static void put_part(struct text *t, const char *between, struct bytes part)
{
	if (part.len && t->len)
		text_str(t, between);
	text_add(t, part);
}

/* "denied: password", "access denied 403 at gateway/care: GET care.example.org /records/7", "isolated target web: case 12" */
void window_on_ledger_event(void *arg, const struct ledger_event *e)
{
	static const char *const kinds[] = { "sign-in", "sign-out", "revoked", "policy", "isolation" };
	bool is_isolation = bytes_eq(e->kind, BYTES("isolation"));
	char mem[WHAT_MOST];
	struct text what;
	const char *kind = "";

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (bytes_eq(e->kind, bytes_str(kinds[i])))
			kind = bytes_eq(e->kind, BYTES("policy")) ? "refused" : kinds[i];
	text_init(&what, mem, sizeof(mem));
	text_add(&what, bytes_cut(e->outcome, 0, 150));
	put_part(&what, is_isolation ? " " : " at ", bytes_cut(e->name, 0, 150));
	put_part(&what, ": ", bytes_cut(e->detail, 0, 250));
	window_told_add(arg, &(struct window_event){ .at_us = e->at_us, .kind = kind, .user = e->user, .from = e->client, .what = text_bytes(&what),
		.session = e->session, .line = e->seq });
}
