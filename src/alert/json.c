/* The line that is kept and that programs get: the fields of a finding as sluis hunt --json has them, and what makes it an alert. */
#include "alert/alert.h"

#include "base/clock.h"
#include "hunt/ecs.h"
#include "json/write.h"

static void put_held(struct text *t, const struct alert *a)
{
	text_fmt(t, ",\"message\":\"%llu findings of class %s were held back, for there were more than are told in an hour\",\"sluis.held\":[",
		(unsigned long long)a->count, hunt_class_name(a->class));
	for (size_t i = 0; i < a->held_count; i++) {
		text_str(t, i ? ",{\"rule\":" : "{\"rule\":");
		json_put_string(t, bytes_str(a->held[i].rule));
		text_fmt(t, ",\"count\":%llu}", (unsigned long long)a->held[i].count);
	}
	text_byte(t, ']');
}

/* All steps in one text: "1. Treat ... 2. Do not ...". */
static void put_next(struct text *t, const struct alert *a)
{
	const struct hunt_finding *f = a->finding;
	struct bytes advisory = f ? bytes_str(f->advisories) : BYTES("");
	unsigned char room[4096];
	struct text steps;

	text_init(&steps, room, sizeof(room));
	advisory = bytes_cut(advisory, 0, bytes_find_byte(advisory, ' '));
	for (size_t i = 0;; i++) {
		size_t before = steps.len;

		text_fmt(&steps, "%s%zu. ", i ? " " : "", i + 1);
		if (!alert_put_next(&steps, a->class, alert_of_source(bytes_str(a->source)), ALERT_EN, i, advisory, f ? f->client : BYTES(""))) {
			steps.len = before;
			break;
		}
	}
	CHECK(!steps.failed); /* our own texts, and an id and an address that were checked */
	hunt_ecs_put(t, "sluis.next", text_bytes(&steps));
}

void alert_put_json(struct text *t, const struct alert *a, const char *host, uint64_t now_us)
{
	struct hunt_finding f;

	text_lit(t, "{\"event.kind\":\"alert\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.alert\"");
	hunt_ecs_str(t, "event.id", a->id);
	hunt_ecs_time(t, "event.created", now_us);
	hunt_ecs_str(t, "observer.hostname", host);
	hunt_ecs_str(t, "sluis.alert", alert_kind_name(a->kind));
	hunt_ecs_number(t, "sluis.count", a->count);
	hunt_ecs_time(t, "sluis.first", a->first_us);
	hunt_ecs_time(t, "sluis.last", a->last_us);
	hunt_ecs_str(t, "sluis.source", a->source);
	put_next(t, a);
	if (a->finding) {
		f = *a->finding;
		f.at_us = a->at_us ? a->at_us : now_us;
		f.when_how = a->at_us ? f.when_how : "seen";
		hunt_ecs_finding(t, &f);
	} else {
		hunt_ecs_time(t, "@timestamp", now_us);
		hunt_ecs_str(t, "sluis.class", hunt_class_name(a->class));
		put_held(t, a);
	}
	text_lit(t, "}\n");
}
