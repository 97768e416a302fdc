/* Filters and names of LDAP as pure functions: what a person typed goes into a filter as a value and as nothing else (RFC 4515), and of a group's DN the
 * first value is taken (RFC 4514). */
#ifndef AUTH_LDAP_FILTER_H
#define AUTH_LDAP_FILTER_H

#include "base/text.h"

/* An octet string as a filter's assertion value: what means something there, control characters and all beyond ASCII as \XX. */
void ldap_filter_value(struct text *t, struct bytes value);
/* The pattern with %u (user) and %d (dn) filled in; user.at NULL: %u is *, whoever it is. ERR_SYNTAX: another % in it, or a %d without a dn
 * (dn.at NULL); ERR_LIMIT: t is full. */
enum err ldap_filter_fill(struct text *t, struct bytes pattern, struct bytes user, struct bytes dn) MUST_USE;
/* The value of the first RDN of a DN, without its escapes: "staff" of "cn=staff,ou=groups,dc=example". ERR_SYNTAX: it is no DN, or the value is empty, or
 * not a string (#04...); ERR_LIMIT: t is full. */
enum err ldap_rdn_value(struct bytes dn, struct text *t) MUST_USE;
/* Octets as hexadecimal digits, and back; ERR_SYNTAX: no such digits, or an odd number. */
void ldap_hex(struct text *t, struct bytes octets);
enum err ldap_unhex(struct text *t, struct bytes digits) MUST_USE;

#endif
