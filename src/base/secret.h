/* Secrets: comparing them without telling by time, and wiping them. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

/* Equal, in a time that depends on the lengths only. */
bool secret_eq(struct bytes a, struct bytes b) MUST_USE;
/* Overwrites; the compiler may not leave it out. */
void secret_wipe(void *at, size_t len);

#endif
