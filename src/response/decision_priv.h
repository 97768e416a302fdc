/* What the two readers of decision.h share: lists of texts in an arena. */
#ifndef RESPONSE_DECISION_PRIV_H
#define RESPONSE_DECISION_PRIV_H

#include "response/decision.h"

/* The list of texts under key as a NULL-ended array in the arena; an empty one when it is not there and not needed. */
enum err decision_texts(const struct data *d, struct arena *a, const json_t *object, const char *key, bool needed, const char *const **out, size_t *count, char error[DATA_ERROR_MAX]) MUST_USE;
/* The list of {en, nl} under key. */
enum err decision_said_list(const struct data *d, struct arena *a, const json_t *object, const char *key, bool needed, const struct said **out, size_t *count, char error[DATA_ERROR_MAX]) MUST_USE;
enum err decision_sources(const struct data *d, struct arena *a, struct decision_source **out, size_t *count, char error[DATA_ERROR_MAX]) MUST_USE;
#define DECISION_MEMORY (16u << 20)

#endif
