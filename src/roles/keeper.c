/* keeper: owns the private keys and signs with them; makes the keys of session tickets. It has no network and
 * answers two questions of workers, and one of the prober's: signatures of the keys that checks need. For the scribe it
 * signs the ledger (keeper_ledger.c), for identity the tokens for servers (keeper_tokens.c). */
#include "roles/keeper_ledger.h"
#include "roles/keeper_tokens.h"
#include "roles/role.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/text.h"
#include "conf/conf.h"
#include "jail/jail.h"
#include "tls/tls.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#define KEYS_MAX     1024
#define TICKET_S     3600 /* a key makes tickets for an hour and is accepted for two */
#define KEY_BYTES    88

static struct tls_key *keys[KEYS_MAX];
static const char *refusals[KEYS_MAX]; /* why a key is not there */
static bool is_for_checks[KEYS_MAX];
static unsigned char seed[32];
static bool has_seed;

static enum err on_key(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint16_t id = reader_u16(&r);
	uint8_t for_checks = reader_u8(&r);
	static unsigned char mem[TLS_KEY_FILE_MAX]; /* not one that grows: that leaves copies behind */
	struct text pem;
	enum err e;

	(void)run, (void)from;
	if (!reader_done(&r) || id >= KEYS_MAX || keys[id] || for_checks > 1)
		return ERR_SYNTAX;
	is_for_checks[id] = for_checks;
	text_init(&pem, mem, sizeof mem);
	e = fd_read_all(m->fds[0], &pem);
	if (e == OK)
		e = tls_key_load(text_bytes(&pem), &keys[id]);
	secret_wipe(mem, sizeof mem);
	if (e == ERR_UNSUPPORTED)
		refusals[id] = "it is neither ECDSA on P-256, P-384 or P-521, nor RSA with 2048 to 8192 bits";
	else if (e != OK)
		refusals[id] = "it is no private key in PEM without a password";
	return OK; /* keeper_start, which knows the paths, refuses it */
}

static enum err on_seed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct text t;
	enum err e;

	(void)run, (void)from;
	text_init(&t, seed, sizeof seed);
	e = fd_read_at_start(m->fds[0], &t);
	has_seed = e == OK && t.len == sizeof seed;
	return has_seed ? OK : ERR_SYNTAX;
}

static enum err on_sign(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	uint16_t key = reader_u16(&r), scheme = reader_u16(&r);
	struct bytes digest = reader_rest(&r);
	unsigned char sig[1024], mem[1040];
	struct text t;
	size_t len = 0;
	enum err e;

	(void)run;
	if (key >= KEYS_MAX || !keys[key] || (from->role == ROLE_PROBER && !is_for_checks[key]))
		return ERR_DENIED;
	e = tls_key_sign(keys[key], scheme, digest, sig, sizeof sig, &len);
	if (e == ERR_SYNTAX || e == ERR_UNSUPPORTED)
		return e; /* no worker of ours asks that */
	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, request);
	text_put_u8(&t, e == OK ? 0 : 1);
	text_add(&t, bytes_of(sig, e == OK ? len : 0));
	/* A worker that does not read its answers loses them; its handshakes time out. */
	e = role_send(from, MSG_SIGNED, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}

static bool derive(uint64_t epoch, unsigned char out[80])
{
	unsigned char info[16] = "tickets";
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t len = 80;
	bool ok;

	memcpy(info + 8, &epoch, 8);
	ok = c && EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()) > 0 &&
		EVP_PKEY_CTX_set1_hkdf_key(c, seed, sizeof seed) > 0 && EVP_PKEY_CTX_add1_hkdf_info(c, info, sizeof info) > 0 &&
		EVP_PKEY_derive(c, out, &len) > 0;
	EVP_PKEY_CTX_free(c);
	return ok;
}

static enum err on_tickets(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	unsigned char mem[4 + 3 * KEY_BYTES], key[80];
	uint64_t now = clock_real_us() / 1000000, epoch = now / TICKET_S;
	struct text t;
	enum err e;

	(void)run, (void)m;
	if (!has_seed)
		return ERR_ORDER;
	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, (uint32_t)(TICKET_S - now % TICKET_S));
	/* The present one, the past one, and the one to come: workers do not all ask at the same moment. */
	for (int i = 0; i < 3; i++) {
		uint64_t which = i == 0 ? epoch : i == 1 ? epoch - 1 : epoch + 1;
		if (!derive(which, key))
			return ERR_TLS;
		text_add(&t, bytes_of(key, sizeof key));
		text_put_u64(&t, which * TICKET_S);
	}
	secret_wipe(key, sizeof key);
	e = role_send(from, MSG_TICKETS_ARE, text_bytes(&t), NULL, 0);
	secret_wipe(mem, sizeof mem);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e;
}

static enum err check_pair(const struct conf_cert *c)
{
	const char *why = NULL;

	if (c->key >= KEYS_MAX)
		why = "there are too many keys; 1024 is the most";
	else if (!keys[c->key])
		why = refusals[c->key] ? refusals[c->key] : "it did not come";
	else if (!tls_key_is_of(keys[c->key], c->chain_pem))
		why = "it does not belong to the certificate";
	if (!why)
		return OK;
	LOG(EV_KEY_REFUSED, KV_BYTES("key", c->key_path), KV_BYTES("chain", c->chain_path), KV_STR("what", why));
	return ERR_DENIED;
}

/* A key that is not a certificate's would break handshakes; here it breaks the start, and the configuration before
 * stays in use. The configuration is needed for nothing else, and not kept. */
static enum err check_pairs(struct role_run *run)
{
	struct conf *conf = NULL;
	enum err e = role_conf(run, &conf);

	for (size_t i = 0; e == OK && i < conf->listener_count; i++)
		for (size_t n = 0; e == OK && n < conf->listeners[i].tls.cert_count; n++)
			e = check_pair(&conf->listeners[i].tls.certs[n]);
	for (size_t i = 0; e == OK && i < conf->pool_count; i++)
		if (conf->pools[i].tls.has_client_cert)
			e = check_pair(&conf->pools[i].tls.client_cert);
	conf_free(&conf);
	return e;
}

/* libcrypto reads its configuration and its algorithms on first use: before the jail. */
static enum err keeper_start(struct role_run *run)
{
	static const struct { uint16_t scheme; size_t digest; } schemes[] = {
		{ 0x0403, 32 }, { 0x0503, 48 }, { 0x0603, 64 }, { 0x0804, 32 }, { 0x0805, 48 }, { 0x0806, 64 },
		{ 0x0401, 32 }, { 0x0501, 48 }, { 0x0601, 64 },
	};
	unsigned char sig[1024], digest[64] = { 0 };
	size_t len;

	TRY(check_pairs(run));
	for (size_t i = 0; i < KEYS_MAX; i++)
		for (size_t s = 0; keys[i] && s < COUNT_OF(schemes); s++)
			(void)!tls_key_sign(keys[i], schemes[s].scheme, bytes_of(digest, schemes[s].digest), sig, sizeof sig, &len);
	(void)derive(0, sig);
	return OK;
}

static const struct role role_keeper = {
	.id = ROLE_KEEPER,
	.syscalls = jail_keeper,
	.hears = (const struct call[]){
		/* message          from                                   when          handler */
		{ MSG_KEY,          FROM(ROLE_MASTER),                     WHEN_SETUP,   on_key },
		{ MSG_TICKET_SEED,  FROM(ROLE_MASTER),                     WHEN_SETUP,   on_seed },
		{ MSG_SIGN,         FROM(ROLE_WORKER) | FROM(ROLE_PROBER), WHEN_RUNNING, on_sign },
		{ MSG_TICKETS,      FROM(ROLE_WORKER),                     WHEN_RUNNING, on_tickets },
		{ MSG_LEDGER_KEY,   FROM(ROLE_MASTER),                     WHEN_SETUP,   keeper_on_ledger_key },
		{ MSG_LEDGER_HEAD,  FROM(ROLE_SCRIBE),                     WHEN_RUNNING, keeper_on_ledger_head },
		{ MSG_LEDGER_SIGN,  FROM(ROLE_SCRIBE),                     WHEN_RUNNING, keeper_on_ledger_sign },
		{ MSG_LEDGER_KEPT,  FROM(ROLE_SCRIBE),                     WHEN_RUNNING, keeper_on_ledger_kept },
		{ MSG_DAY_SIGN,     FROM(ROLE_SCRIBE),                     WHEN_RUNNING, keeper_on_day_sign },
		{ MSG_TOKEN_KEY,    FROM(ROLE_MASTER),                     WHEN_SETUP,   keeper_on_token_key },
		{ MSG_TOKEN_PUBLIC, FROM(ROLE_IDENTITY),                   WHEN_RUNNING, keeper_on_token_public },
		{ MSG_TOKEN_SIGN,   FROM(ROLE_IDENTITY),                   WHEN_RUNNING, keeper_on_token_sign },
		{ 0 },
	},
	.start = keeper_start,
};

int main(int argc, char **argv)
{
	return role_main(&role_keeper, argc, argv);
}
