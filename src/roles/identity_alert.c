/* What administrators should hear of at once goes where the front door's own alerts go (detect.alerts), in the same form, and sluis monitor delivers it. */
#include "roles/identity_priv.h"

#include "base/log.h"

#include <errno.h>

static void on_alert(void *ctx, const struct alert *a)
{
	struct identity *id = ctx;

	if (appender_put(&id->alerts, a, loop_real_us(id->run->loop)) != OK)
		LOG(EV_ALERT_LOST, KV_STR("why", "there is no more room for alerts that wait for the disk"));
}

/* Again with each configuration: windows and limits may be others. */
enum err identity_alert_start(struct identity *id)
{
	const struct conf_detect *d = &id->conf->detect;
	struct alert_group_options options = { .window_us = (uint64_t)(d->window_s ? d->window_s : 600) * 1000000 };

	for (size_t i = 0; i < HUNT_CLASS_COUNT; i++)
		options.per_hour[i] = d->per_hour;
	identity_alert_end(id);
	alert_group_free(&id->alert_group);
	id->alert_group = alert_group_new(&options, on_alert, id);
	return id->alert_group ? OK : ERR_MEMORY;
}

void identity_alert(struct identity *id, const struct identity_alert *a, const struct addr *client, struct bytes user)
{
	unsigned char mem[64];
	struct text ip;

	if (!id->conf->detect.is_on || id->alerts.fd < 0)
		return;
	text_init(&ip, mem, sizeof mem);
	addr_write_ip(client, &ip);
	alert_group_take(id->alert_group, &(const struct hunt_finding){ .rule = a->rule, .title = a->title, .source = "docs/gateway.md", .advisories = "",
		.class = a->class, .confidence = HUNT_HIGH, .path = "", .where = "", .when_how = "log", .at_us = loop_real_us(id->run->loop),
		.client = text_bytes(&ip), .user = user, .note = a->note }, ALERT_SOURCE_GATEWAY, loop_real_us(id->run->loop));
	identity_alert_tick(id);
}

void identity_alert_guessing(struct identity *id, const struct addr *client, struct bytes user)
{
	static const struct identity_alert guessing = { .rule = "sign-in-guessing", .class = HUNT_ATTEMPT,
		.title = "Somebody guesses at passwords or codes of the portal", .note = "user.name is the name that was tried last" };

	identity_alert(id, &guessing, client, user);
}

void identity_alert_tick(struct identity *id)
{
	alert_group_tick(id->alert_group, loop_real_us(id->run->loop));
	if (appender_write(&id->alerts) != OK)
		LOG(EV_ALERT_UNWRITTEN, KV_ERRNO());
}

void identity_alert_end(struct identity *id)
{
	if (!id->alert_group)
		return;
	alert_group_flush(id->alert_group, loop_real_us(id->run->loop));
	identity_alert_tick(id);
}
