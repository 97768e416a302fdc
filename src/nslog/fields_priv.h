/* Fields of a record's text, read from front to back. */
#ifndef NSLOG_FIELDS_PRIV_H
#define NSLOG_FIELDS_PRIV_H

#include "nslog/nslog_priv.h"

#include "net/addr.h"

/* What is damaged, or that nothing is. */
#define FINE NSLOG_DAMAGE_COUNT
/* Hands damage on; only in functions with nothing to undo. */
#define WHOLE(call)                                                                                          \
	do {                                                                                                 \
		enum nslog_damage whole_ = (call);                                                           \
		if (UNLIKELY(whole_ != FINE))                                                                \
			return whole_;                                                                       \
	} while (0)

struct body {
	struct bytes text;
	size_t at; /* fields before it are read */
	const struct line_context *c;
	struct nslog_event *e;
};

/* An address, with or without a port. text and ip are as addr_write and addr_write_ip would write them. */
struct end {
	struct bytes text, ip;
	uint16_t port;
};

/* Goes behind "KEY " or "KEY:", which may stand anywhere from here on; where it does not, nothing changes. */
bool body_find(struct body *b, struct bytes key);
/* The same for a field that some versions leave out: only if it is the very next one, since what comes later may be a
 * stranger's text that only looks like it. */
bool body_find_next(struct body *b, struct bytes key);
bool body_is_next(const struct body *b, struct bytes what);
/* The next word; empty where the field has no value and the next field's dash follows. */
struct bytes body_word(struct body *b);
/* Up to sep, which is not read; to the end where sep does not come. */
struct bytes body_up_to(struct body *b, struct bytes sep);
/* "text" or \"text\", or what stands up to the next field. */
struct bytes body_quoted(struct body *b);

bool end_parse(struct text *scratch, struct bytes w, struct end *out);
/* a as text that lives as long as the scratch. */
struct bytes end_write(struct text *scratch, const struct addr *a, bool with_port);
enum nslog_damage body_end_at(struct body *b, struct end *out);
enum nslog_damage body_end_field(struct body *b, struct bytes key, struct end *out);
/* A field that need not be there, and that may hold words ("Mapped Ip", "N/A", unknown) instead of an address. */
struct bytes body_maybe_end(struct body *b, struct bytes key);
enum nslog_damage body_number_field(struct body *b, struct bytes key, uint64_t *out);
/* A time here, or behind key; quotes before it are skipped. */
enum nslog_damage body_time_at(struct body *b, uint64_t *out);
enum nslog_damage body_time_field(struct body *b, struct bytes key, uint64_t *out);

#endif
