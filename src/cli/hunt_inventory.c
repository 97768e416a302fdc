/* What an inventory (docs/assess.md) knows of the appliance that is examined: its name, since when it could be reached, until when it was
 * open to attack, and its own addresses. Options on the command line go before it. */
#include "cli/hunt_priv.h"

#include "base/fd.h"
#include "response/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct inventory_appliance *find_appliance(const struct inventory *inv, const char *name)
{
	for (size_t i = 0; i < inv->appliance_count; i++)
		if (strcmp(inv->appliances[i].name, name) == 0)
			return &inv->appliances[i];
	return NULL;
}

/* The last mitigation or update: until then some advisory may have applied. 0: neither is known. */
static uint64_t last_change(const struct inventory_appliance *a)
{
	uint64_t last = 0;

	for (size_t i = 0; i < a->update_count; i++)
		last = a->updates[i].on_us > last ? a->updates[i].on_us : last;
	for (size_t i = 0; i < a->mitigation_count; i++)
		last = a->mitigations[i].on_us > last ? a->mitigations[i].on_us : last;
	return last;
}

static int take_addresses(const struct inventory_appliance *a, const char *path, struct hunt_known *out)
{
	const json_t *item;
	size_t i;

	json_array_foreach(a->addresses, i, item) {
		const char *text = json_string_value(item);

		if (out->own_count == HUNT_OWN_MAX)
			return cli_fail(2, "%s: '%s' has more than %d addresses", path, a->name, HUNT_OWN_MAX);
		if (addr_parse_ip(bytes_str(text), &out->own[out->own_count]) == OK)
			out->own_count++;
	}
	return 0;
}

int hunt_know(const char *path, const char *appliance, struct hunt_known *out)
{
	const struct inventory_appliance *a;
	char error[DATA_ERROR_MAX] = "";
	struct inventory *inv = NULL;
	struct text text;
	int status = 0;
	enum err e;

	*out = (struct hunt_known){ 0 };
	text_init_growing(&text, DATA_FILE_MAX);
	e = file_read(path, &text);
	if (e != OK)
		snprintf(error, sizeof(error), "%s cannot be read: %s", path, e == ERR_LIMIT ? "it is too large" : strerror(errno));
	else
		e = inventory_read(text_bytes(&text), path, &inv, error);
	text_fini(&text);
	if (e != OK)
		return cli_fail(2, "%s", *error ? error : err_name(e));
	a = find_appliance(inv, appliance);
	if (!a) {
		status = cli_fail(2, "%s has no appliance '%s'", path, appliance);
	} else {
		out->from_us = a->exposed_us;
		out->to_us = last_change(a);
		if (!out->from_us || out->to_us < out->from_us)
			out->to_us = 0;
		status = take_addresses(a, path, out);
	}
	inventory_free(&inv);
	return status;
}
