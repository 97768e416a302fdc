/* Any line as one of a journal: refused, or every destination's form of it keeps its limits and its form. */
#include "alert/alert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_syslog(const struct alert_fields *f, struct bytes line)
{
	unsigned char room[ALERT_SYSLOG_MAX];
	struct text t;
	json_t *o;
	size_t at;

	text_init(&t, room, sizeof(room));
	alert_put_syslog(&t, f, line, ALERT_FACILITY_DEFAULT);
	CHECK(!t.failed);
	at = bytes_find(text_bytes(&t), BYTES(" sluis - ALERT - ")) + sizeof(" sluis - ALERT - ") - 1;
	CHECK(at < t.len);
	o = json_loadb((const char *)t.at + at, t.len - at, JSON_ALLOW_NUL, NULL);
	CHECK(json_is_object(o));
	json_decref(o);
}

static void as_mail(const struct alert_fields *f, enum alert_lang language)
{
	const struct alert_mail m = { "a@example.org", "b@example.org", "", language, 1700000000000000u };
	struct text t;

	text_init_growing(&t, ALERT_MAIL_MAX);
	CHECK(alert_put_mail(&t, f, 1, &m) == OK);
	for (size_t i = 0; i < t.len; i++)
		CHECK((t.at[i] >= 0x20 && t.at[i] < 0x7f) || t.at[i] == '\r' || t.at[i] == '\n');
	text_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes line = bytes_of(data, size);
	struct alert_fields f;

	if (bytes_find_byte(bytes_cut(line, 0, size ? size - 1 : 0), '\n') != SIZE_MAX) /* the journal gives lines */
		return 0;
	if (alert_read_json(line, &f) != OK)
		return 0;
	as_syslog(&f, line);
	as_mail(&f, ALERT_EN);
	as_mail(&f, ALERT_NL);
	alert_fields_fini(&f);
	return 0;
}
