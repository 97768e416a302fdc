/* Digests of tokens come from identity alone, and only as digests of SHA-256: what the token says is identity's to answer for. The key signs nothing
 * else, so that a signature of it is none for TLS or the ledger. */
#include "roles/keeper_tokens.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "crypto/es256.h"

#include <unistd.h>

#define KEY_FILE_MAX 4096

static struct es256_key *key;
static unsigned char public_key[ES256_PUBLIC_LEN];

/* On disk before the first token: servers that learned this key must find it again. */
static enum err make_key(int fd)
{
	unsigned char mem[ES256_PEM_MAX];
	struct text pem;
	enum err e;

	key = es256_new();
	if (!key)
		return ERR_MEMORY;
	text_init(&pem, mem, sizeof(mem));
	e = es256_write(key, &pem);
	if (e == OK)
		e = fd_write_all(fd, text_bytes(&pem));
	secret_wipe(mem, sizeof(mem));
	if (e == OK && fsync(fd) < 0)
		e = ERR_IO;
	/* Half a key would be refused ever after: the next keeper may try again. */
	return e != OK && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 ? ERR_IO : e;
}

static enum err load_key(int fd)
{
	unsigned char mem[KEY_FILE_MAX];
	struct text pem;
	enum err e;

	text_init(&pem, mem, sizeof(mem));
	e = fd_read_at_start(fd, &pem);
	if (e == OK)
		e = pem.len ? es256_load(text_bytes(&pem), &key) : make_key(fd);
	secret_wipe(mem, sizeof(mem));
	return e;
}

enum err keeper_on_token_key(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	static const unsigned char nothing[ES256_DIGEST_LEN];
	unsigned char signature[ES256_SIGNATURE_LEN];
	enum err e;

	(void)run, (void)from;
	if (key || m->fds_lost)
		return ERR_ORDER;
	e = load_key(m->fds[0]);
	if (e != OK) {
		LOG(EV_KEY_REFUSED, KV_STR("key", "tokens.key"), KV_STR("what", e == ERR_SYNTAX || e == ERR_UNSUPPORTED ?
			"it is no private key on P-256 in PEM without a password; restore it, or remove it and a new one is made" :
			"it cannot be read, or a new one cannot be written; is the disk full?"), KV_STR("result", err_name(e)));
		return e;
	}
	/* libcrypto fetches its algorithms on first use: before the jail. */
	TRY(es256_public(key, public_key));
	TRY(es256_sign(key, nothing, signature));
	return es256_verify(public_key, nothing, bytes_of(signature, sizeof(signature))) ? OK : ERR_DENIED;
}

/* A keeper without the key is of a configuration without a gateway: nobody connects it to identity. */
enum err keeper_on_token_public(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	enum err e;

	(void)run, (void)m;
	if (!key)
		return ERR_ORDER;
	e = role_send(from, MSG_TOKEN_PUBLIC_IS, bytes_of(public_key, sizeof(public_key)), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}

enum err keeper_on_token_sign(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	struct bytes digest = reader_take(&r, ES256_DIGEST_LEN);
	unsigned char mem[5 + ES256_SIGNATURE_LEN], signature[ES256_SIGNATURE_LEN];
	struct text t;
	enum err e;

	(void)run;
	if (!reader_done(&r))
		return ERR_SYNTAX;
	if (!key)
		return ERR_ORDER;
	e = es256_sign(key, digest.at, signature);
	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, request);
	text_put_u8(&t, e == OK ? 0 : 1);
	text_add(&t, bytes_of(signature, e == OK ? sizeof(signature) : 0));
	/* An identity that does not read its answers loses them. */
	e = role_send(from, MSG_TOKEN_SIGNED, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}
