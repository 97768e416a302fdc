/* Names of kinds, as programs read them. */
#include "alert/alert.h"

const char *alert_kind_name(enum alert_kind k)
{
	static const char *const names[ALERT_KIND_COUNT] = { "first", "again", "limited" };

	return k < ALERT_KIND_COUNT ? names[k] : "";
}
