/* Members of a JSON object with ECS names (Elastic Common Schema), each with a comma before it: what the reports of sluis hunt and alerts
 * share. */
#ifndef HUNT_ECS_H
#define HUNT_ECS_H

#include "base/text.h"
#include "hunt/hunt.h"

void hunt_ecs_key(struct text *t, const char *name);
/* Nothing for an empty value, or a time of 0. */
void hunt_ecs_put(struct text *t, const char *name, struct bytes b);
void hunt_ecs_str(struct text *t, const char *name, const char *value);
void hunt_ecs_number(struct text *t, const char *name, uint64_t n);
void hunt_ecs_time(struct text *t, const char *name, uint64_t us);
/* All that a finding tells, from @timestamp (where its time is known) to message. */
void hunt_ecs_finding(struct text *t, const struct hunt_finding *f);

#endif
