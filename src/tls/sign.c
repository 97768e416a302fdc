/* Signatures that are under way: which handshake waits for which answer of the keeper's, and how many may.
 * A handshake that needs a signature is parked as an ASYNC job; its stack and its question live until the
 * answer comes, even when its connection is gone, so a bounded number is ever on its way to the keeper. */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <openssl/async.h>

/* So many questions and answers, of the largest keys too, fit into the channel's buffers (ipc): none is lost when
 * either side is late. A job's stack is 32 KB. The other handshakes wait in line, for a few milliseconds. */
#define PENDING_MAX 128u

struct pending {
	struct tls_stream *stream;
	uint32_t serial;
	bool in_use, is_done;
	uint8_t status;
	size_t len;
	unsigned char sig[SIGNATURE_MAX];
};
static struct pending pendings[PENDING_MAX];
static unsigned pending_count;
static struct tls_stream *current;
static struct tls_stream *waiting, **waiting_end = &waiting;
static bool is_away; /* there is no signer: all wait in line until there is one, or until their own time is over */

void tls_sign_init(void)
{
	static bool is_done;

	/* One more than those that wait: a handshake that runs needs one as well. */
	if (!is_done)
		CHECK(ASYNC_init_thread(PENDING_MAX + 1, 0) == 1);
	is_done = true;
}

void tls_sign_current(struct tls_stream *t)
{
	current = t;
}

void tls_sign_not_waiting(struct tls_stream *t)
{
	if (!t->prev_waiting)
		return;
	*t->prev_waiting = t->next_waiting;
	if (t->next_waiting)
		t->next_waiting->prev_waiting = t->prev_waiting;
	else
		waiting_end = t->prev_waiting;
	t->prev_waiting = NULL;
	t->next_waiting = NULL;
}

bool tls_sign_has_place(struct tls_stream *t)
{
	if (t->is_parked || (!is_away && pending_count < PENDING_MAX)) {
		tls_sign_not_waiting(t);
		return true;
	}
	if (!t->prev_waiting) {
		t->prev_waiting = waiting_end;
		*waiting_end = t;
		waiting_end = &t->next_waiting;
	}
	return false;
}

static struct pending *pending_take(struct tls_stream *t)
{
	static unsigned from;

	while (pendings[from % PENDING_MAX].in_use)
		from++;
	struct pending *p = &pendings[from++ % PENDING_MAX];
	p->stream = t;
	p->serial = (p->serial + 1) & 0xffffff;
	p->in_use = true;
	p->is_done = false;
	pending_count++;
	return p;
}

static void wake(struct tls_stream *t)
{
	if (t->is_orphan)
		tls_stream_end(t);
	else
		t->on_wake(t->ctx);
}

static void next_in_line(void)
{
	while (waiting && !is_away && pending_count < PENDING_MAX) {
		struct tls_stream *t = waiting;
		tls_sign_not_waiting(t);
		wake(t);
	}
}

void tls_signed(uint32_t request, uint8_t status, struct bytes sig)
{
	struct pending *p = &pendings[request % PENDING_MAX];

	if (!p->in_use || p->is_done || p->serial != request / 256)
		return;
	p->is_done = true;
	p->status = sig.len > sizeof p->sig || sig.len == 0 ? 1 : status;
	if (p->status == 0)
		memcpy(p->sig, sig.at, p->len = sig.len);
	if (!p->stream->is_parked)
		return; /* answered within post: the handshake goes on by itself */
	wake(p->stream);
	next_in_line();
}

void tls_signer_back(void)
{
	is_away = false;
	next_in_line();
}

void tls_signer_lost(void)
{
	is_away = true;
	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (pendings[i].in_use && !pendings[i].is_done)
			tls_signed(pendings[i].serial * 256 + i, 1, BYTES(""));
}

enum err tls_sign_remotely(struct tls_signer *signer, uint16_t key, uint16_t scheme, struct bytes digest, unsigned char *sig,
	size_t cap, size_t *len)
{
	struct tls_stream *t = current;
	struct pending *p;
	enum err e;

	/* Outside of tls_handshake nothing is signed: renegotiation is off. */
	if (!t || pending_count == PENDING_MAX)
		return ERR_LIMIT;
	p = pending_take(t);
	e = signer->post(signer, p->serial * 256 + (uint32_t)(p - pendings), key, scheme, digest);
	while (e == OK && !p->is_done) {
		if (!ASYNC_get_current_job()) {
			e = ERR_ORDER;
			break;
		}
		t->is_parked = true;
		ASYNC_pause_job();
		t->is_parked = false;
	}
	if (e == OK && (p->status != 0 || p->len > cap))
		e = ERR_TLS;
	if (e == OK)
		memcpy(sig, p->sig, *len = p->len);
	p->in_use = false;
	pending_count--;
	return e;
}
