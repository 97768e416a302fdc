/* What worker and prober, who shake hands with certificates, say to the keeper and hear from it. Apart from role.c so that
 * a role without TLS does not carry it. */
#include "roles/role.h"

#include "base/reader.h"
#include "tls/tls.h"

enum err role_sign(struct channel *keeper, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest)
{
	unsigned char mem[80];
	struct text t;

	if (!keeper)
		return ERR_AGAIN;
	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, request);
	text_put_u16(&t, key);
	text_put_u16(&t, scheme);
	text_add(&t, digest);
	return t.failed ? ERR_LIMIT : role_send(keeper, MSG_SIGN, text_bytes(&t), NULL, 0);
}

enum err role_on_signed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	uint8_t status = reader_u8(&r);

	(void)run, (void)from;
	tls_signed(request, status, reader_rest(&r));
	return OK;
}
