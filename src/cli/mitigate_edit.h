/* Adds a rule set to the text of a configuration, where that can be done without touching anything else. */
#ifndef CLI_MITIGATE_EDIT_H
#define CLI_MITIGATE_EDIT_H

#include "base/text.h"

enum mitigate_edit { EDIT_DONE, EDIT_THERE, EDIT_UNSAFE };
/* EDIT_THERE: the text has it in rules: already. EDIT_UNSAFE: the text is written in a way in which no edit is sure to be right, or it
 * is no YAML; out is not to be used. On EDIT_DONE out is the new text: read again, it is the old one and the set, no more. */
enum mitigate_edit mitigate_add_rules(struct bytes text, const char *set, struct text *out);

#endif
