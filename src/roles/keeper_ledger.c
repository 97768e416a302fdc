/* What a captured scribe could ask: a signature for a batch that is not the next, a second one for a number that is on disk. Both
 * are refused, since the head is a file that only keepers write. Keepers of two generations share it, so it is read anew each time. */
#include "roles/keeper_ledger.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "ledger/chain.h"

#include <errno.h>
#include <unistd.h>

static struct ed25519_key *key;
static unsigned char public_key[ED25519_PUBLIC_LEN];
static int head_fd = -1;

static enum err make_key(int fd)
{
	unsigned char mem[ED25519_PEM_MAX];
	struct text pem;
	enum err e;

	key = ed25519_new();
	if (!key)
		return ERR_MEMORY;
	text_init(&pem, mem, sizeof(mem));
	e = ed25519_write(key, &pem);
	if (e == OK)
		e = fd_write_all(fd, text_bytes(&pem));
	secret_wipe(mem, sizeof(mem));
	return e == OK && fsync(fd) < 0 ? ERR_IO : e;
}

static enum err load_key(int fd)
{
	unsigned char mem[4096];
	struct text pem;
	enum err e;

	text_init(&pem, mem, sizeof(mem));
	e = fd_read_at_start(fd, &pem);
	if (e == OK)
		e = pem.len ? ed25519_load(text_bytes(&pem), &key) : make_key(fd);
	secret_wipe(mem, sizeof(mem));
	return e;
}

/* For people who verify; written when it is not there or another's. */
static enum err write_public(int fd)
{
	unsigned char mem[ED25519_PEM_MAX], there[ED25519_PEM_MAX];
	struct text pem, old;

	text_init(&pem, mem, sizeof(mem));
	text_init(&old, there, sizeof(there));
	TRY(ed25519_public_write(public_key, &pem));
	if (fd_read_at_start(fd, &old) == OK && bytes_eq(text_bytes(&old), text_bytes(&pem)))
		return OK;
	return ftruncate(fd, 0) < 0 || pwrite(fd, pem.at, pem.len, 0) != (ssize_t)pem.len ? ERR_IO : OK;
}

static enum err head_read(struct ledger_head *out)
{
	unsigned char mem[LEDGER_HEAD_LEN];
	ssize_t n = pread(head_fd, mem, sizeof(mem), 0);
	enum err e = n < 0 ? ERR_IO : chain_head_read(bytes_of(mem, (size_t)n), public_key, out);

	if (e == ERR_NOT_FOUND) {
		*out = (struct ledger_head){ 0 };
		return OK;
	}
	return e;
}

static enum err head_write(const struct ledger_head *h)
{
	unsigned char mem[LEDGER_HEAD_LEN];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	TRY(chain_head_write(h, key, &t));
	return pwrite(head_fd, mem, t.len, 0) == (ssize_t)t.len ? OK : ERR_IO;
}

enum err keeper_on_ledger_key(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct ledger_head head;
	enum err e;

	(void)run, (void)from;
	if (key || m->fds_lost)
		return ERR_ORDER;
	e = load_key(m->fds[0]);
	if (e == OK) {
		ed25519_public(key, public_key);
		head_fd = m->fds[1];
		m->fds[1] = -1;
		e = head_read(&head);
		if (e == ERR_SYNTAX || e == ERR_DENIED)
			LOG(EV_KEY_REFUSED, KV_STR("key", "ledger.head"),
				KV_STR("what", "it was not signed with ledger.key: one of them was changed; restore both, or move the ledger's folder away"));
	} else {
		LOG(EV_KEY_REFUSED, KV_STR("key", "ledger.key"), KV_STR("what", "it is no Ed25519 private key in PEM without a password"));
	}
	if (e == OK)
		e = write_public(m->fds[2]);
	/* libcrypto fetches its algorithms on first use: before the jail. */
	if (e == OK) {
		unsigned char signature[ED25519_SIGNATURE_LEN];

		e = ed25519_sign(key, BYTES("sluis-warm-up\n"), signature);
		if (e == OK && !ed25519_verify(public_key, BYTES("sluis-warm-up\n"), bytes_of(signature, sizeof(signature))))
			e = ERR_DENIED;
	}
	return e;
}

enum err keeper_on_ledger_head(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	unsigned char mem[72];
	struct ledger_head head;
	struct text t;
	enum err e;

	(void)run, (void)m;
	if (!key)
		return ERR_ORDER;
	TRY(head_read(&head));
	text_init(&t, mem, sizeof(mem));
	text_put_u64(&t, head.batch);
	text_add(&t, bytes_of(head.hash, sizeof(head.hash)));
	text_add(&t, bytes_of(public_key, sizeof(public_key)));
	e = role_send(from, MSG_LEDGER_HEAD_IS, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}

/* The batch that may come next: right after the head. */
static bool is_next(const struct ledger_head *head, uint64_t batch, struct bytes prev)
{
	return batch == head->batch + 1 && bytes_eq(prev, bytes_of(head->hash, sizeof(head->hash)));
}

enum err keeper_on_ledger_sign(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint64_t batch = reader_u64(&r);
	struct bytes prev = reader_take(&r, SHA256_LEN), hash = reader_take(&r, SHA256_LEN);
	unsigned char mem[CHAIN_TEXT_MAX], out[73], signature[ED25519_SIGNATURE_LEN] = { 0 };
	struct ledger_head head;
	struct text t;
	enum err e;

	(void)run;
	if (!key || !reader_done(&r))
		return ERR_SYNTAX;
	e = head_read(&head);
	if (e == OK && !is_next(&head, batch, prev))
		e = ERR_DENIED;
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, batch, prev.at, hash.at);
	if (e == OK)
		e = ed25519_sign(key, text_bytes(&t), signature);
	text_init(&t, out, sizeof(out));
	text_put_u64(&t, batch);
	text_put_u8(&t, e == OK ? 0 : 1);
	text_add(&t, bytes_of(signature, sizeof(signature)));
	e = role_send(from, MSG_LEDGER_SIGNED, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}

/* The scribe shows our own signature, so this needs no memory of what was signed: a keeper that was started in between
 * knows as much. Where there is no head yet (it was lost, or the ledger restored) the signature alone decides. */
enum err keeper_on_ledger_kept(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	struct ledger_head head, next = { .batch = reader_u64(&r) };
	struct bytes prev = reader_take(&r, SHA256_LEN), hash = reader_take(&r, SHA256_LEN);
	struct bytes signature = reader_take(&r, ED25519_SIGNATURE_LEN);
	unsigned char mem[CHAIN_TEXT_MAX];
	struct text t;

	(void)run, (void)from;
	if (!key || !reader_done(&r))
		return ERR_SYNTAX;
	TRY(head_read(&head));
	if (head.batch && !is_next(&head, next.batch, prev))
		return ERR_DENIED;
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, next.batch, prev.at, hash.at);
	if (!ed25519_verify(public_key, text_bytes(&t), signature))
		return ERR_DENIED;
	memcpy(next.hash, hash.at, sizeof(next.hash));
	if (head_write(&next) != OK) /* the scribe shows it again when the next batch is not signed */
		LOG(EV_SYSTEM, KV_STR("call", "write ledger.head"), KV_ERRNO());
	return OK;
}

enum err keeper_on_day_sign(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	struct bytes day = reader_take(&r, LEDGER_DAY_LEN);
	uint64_t batch = reader_u64(&r), begin;
	struct bytes hash = reader_take(&r, SHA256_LEN);
	unsigned char mem[CHAIN_TEXT_MAX], out[65], signature[ED25519_SIGNATURE_LEN] = { 0 };
	struct ledger_head head;
	struct text t;
	enum err e;

	(void)run;
	if (!key || !reader_done(&r) || chain_day_parse(day, &begin) != OK)
		return ERR_SYNTAX;
	e = head_read(&head);
	if (e == OK && (head.batch != batch || !bytes_eq(hash, bytes_of(head.hash, sizeof(head.hash)))))
		e = ERR_DENIED;
	text_init(&t, mem, sizeof(mem));
	chain_day_text(&t, day, batch, hash.at);
	if (e == OK)
		e = ed25519_sign(key, text_bytes(&t), signature);
	text_init(&t, out, sizeof(out));
	text_put_u8(&t, e == OK ? 0 : 1);
	text_add(&t, bytes_of(signature, sizeof(signature)));
	e = role_send(from, MSG_DAY_SIGNED, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}
