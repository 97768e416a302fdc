/* Certificates in use that end soon or have ended: said when a configuration comes into use, and daily. The metric
 * sluis_certificate_expiry_seconds says the same to who watches metrics. */
#include "roles/master_priv.h"

#include "base/log.h"
#include "tls/tls.h"

#define DAY_S	   UINT64_C(86400)
#define WARN_S	   (30 * DAY_S)
#define DAILY_S	   (7 * DAY_S)

static void tell(const struct conf_cert *c, const char *kind, struct bytes of, uint64_t now, bool is_daily)
{
	uint64_t end = 0, left;

	if (tls_chain_expiry(c->chain_pem, &end) != OK)
		return;
	left = end > now ? end - now : 0;
	/* Within 30 days once, on the day that it begins to be true; those who renew at 30 days hear it once. */
	if (left > WARN_S || (is_daily && left > DAILY_S && left <= WARN_S - DAY_S))
		return;
	LOG(left ? EV_CERTIFICATE_EXPIRES : EV_CERTIFICATE_EXPIRED, KV_STR("of", kind), KV_BYTES("name", of),
		KV_BYTES("chain", c->chain_path), KV_UINT("days", left / DAY_S), KV_UINT("ends", end));
}

static void check(struct master *m, bool is_daily)
{
	const struct conf *conf = m->active ? m->active->conf : NULL;
	uint64_t now = loop_real_us(m->loop) / 1000000;

	for (size_t i = 0; conf && i < conf->listener_count; i++)
		for (size_t n = 0; n < conf->listeners[i].tls.cert_count; n++)
			tell(&conf->listeners[i].tls.certs[n], "listener", conf->listeners[i].name, now, is_daily);
	for (size_t i = 0; conf && i < conf->pool_count; i++)
		if (conf->pools[i].tls.has_client_cert)
			tell(&conf->pools[i].tls.client_cert, "pool", conf->pools[i].name, now, is_daily);
}

static void on_day(struct timer *t)
{
	struct master *m = CONTAINER_OF(t, struct master, certs);

	check(m, true);
	loop_timer_set(m->loop, t, DAY_S * 1000, on_day);
}

void master_certs_check(struct master *m)
{
	check(m, false);
	loop_timer_set(m->loop, &m->certs, DAY_S * 1000, on_day);
}
