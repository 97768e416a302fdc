/* Both languages, or an error: a text that is there in one only would be missed by half of its readers. */
#include "response/said.h"

#include "window/when.h"

enum err said_read(const struct data *d, const json_t *object, const char *key, struct said *out, char error[DATA_ERROR_MAX])
{
	const json_t *v = json_object_get(object, key);

	if (!v)
		return data_fail(d, object, error, "'%s' is missing", key);
	TRY(data_keys(d, v, "en nl", error));
	TRY(data_text(d, v, "en", true, &out->in[0], error));
	return data_text(d, v, "nl", true, &out->in[1], error);
}

enum err moment_read(const struct data *d, const json_t *object, const char *key, bool needed, uint64_t *out, char error[DATA_ERROR_MAX])
{
	const char *text;

	TRY(data_text(d, object, key, needed, &text, error));
	if (!text)
		return OK;
	if (text[0] < '0' || text[0] > '9' || when_parse(bytes_str(text), 0, false, out) != OK)
		return data_fail(d, json_object_get(object, key), error, "'%s' is no moment: '%.40s'; write 2020-01-09 or 2020-01-09T12:00:00Z", key, text);
	return OK;
}
