/* Names of classes and confidences: what rules say in data is what reports print. */
#include "hunt/hunt.h"

const char *hunt_class_name(enum hunt_class c)
{
	static const char *const names[HUNT_CLASS_COUNT] = { "compromise", "probe", "attempt", "trace" };

	return c < HUNT_CLASS_COUNT ? names[c] : "";
}

const char *hunt_confidence_name(enum hunt_confidence c)
{
	static const char *const names[HUNT_CONFIDENCE_COUNT] = { "low", "medium", "high" };

	return c < HUNT_CONFIDENCE_COUNT ? names[c] : "";
}
