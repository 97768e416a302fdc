/* The parts of sluis check. */
#ifndef CLI_CHECK_PRIV_H
#define CLI_CHECK_PRIV_H

#include "conf/conf.h"

/* Adds what is wrong with the packs of detect: and with monitor:. file: the configuration's, beside which others are named. ERR_SYNTAX: there
 * are errors, these or earlier ones. */
enum err check_detect(struct conf *conf, struct conf_errors *errors, const char *file) MUST_USE;

#endif
