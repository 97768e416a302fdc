/* Records without a state are few and have an index of their own (record_event); of files without it, all records are looked at. */
#include "ledger/events.h"

#include <stdio.h>
#include <string.h>

static struct bytes column(sqlite3_stmt *st, int i)
{
	const void *at = sqlite3_column_text(st, i);

	return bytes_of(at ? at : "", at ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

/* Whose a record is, as SQL; isolations are looked at one by one. NULL: nobody's. */
static const char *condition(enum ledger_with with)
{
	switch (with) {
	case WITH_USER: return "(user = ?1 OR kind = 'isolation')";
	case WITH_ADDRESS:
	case WITH_CLIENT: return "(client = ?1 OR kind = 'isolation')";
	case WITH_NETWORK:
	case WITH_CLIENT_NETWORK: return "1";
	case WITH_TARGET:
	case WITH_TARGET_NETWORK:
	case WITH_NAME: return "kind = 'isolation'";
	case WITH_ALL: break;
	}
	return NULL;
}

static bool overlap(const struct addr_prefix *a, const struct addr_prefix *b)
{
	struct addr first_a = { 0 }, first_b = { 0 };

	memcpy(first_a.ip, a->ip, sizeof(first_a.ip));
	memcpy(first_b.ip, b->ip, sizeof(first_b.ip));
	return addr_in(&first_a, b) || addr_in(&first_b, a);
}

/* Addresses and prefixes, of what is isolated and of what is asked about; a target's port is passed over. */
static bool is_same_place(const struct ledger_filter *f, struct bytes what)
{
	struct addr_prefix asked = f->network, isolated;
	struct addr a;

	if (f->with < WITH_NETWORK && addr_parse_prefix(f->value, &asked) != OK)
		return false;
	if (addr_parse(what, &a) == OK)
		return addr_in(&a, &asked);
	return addr_parse_prefix(what, &isolated) == OK && overlap(&asked, &isolated);
}

/* POOL and POOL/SERVER, HOST and HOST:PORT, whichever of them is isolated. */
static bool is_part(struct bytes a, struct bytes b)
{
	struct bytes whole = a.len < b.len ? a : b, part = a.len < b.len ? b : a;

	return bytes_starts(part, whole) &&
	       (part.len == whole.len || part.at[whole.len] == '/' || part.at[whole.len] == ':');
}

static bool is_touched(const struct ledger_filter *f, struct bytes name)
{
	size_t space = bytes_find_byte(name, ' ');
	struct bytes kind = bytes_cut(name, 0, space),
		     what = bytes_cut(name, space == SIZE_MAX ? name.len : space + 1, name.len);

	if (bytes_eq(kind, BYTES("user")))
		return f->with == WITH_USER && bytes_eq(what, f->value);
	if (bytes_eq(kind, BYTES("client")))
		return f->with != WITH_USER && f->with != WITH_TARGET && f->with != WITH_TARGET_NETWORK &&
		       f->with != WITH_NAME && is_same_place(f, what);
	if (bytes_eq(kind, BYTES("target")))
		return f->with != WITH_USER && f->with != WITH_CLIENT && f->with != WITH_CLIENT_NETWORK &&
		       (is_same_place(f, what) || (f->value.len && is_part(what, f->value)));
	return true; /* the node */
}

static bool is_asked_for(const struct ledger_filter *f, const struct ledger_event *e)
{
	if (bytes_eq(e->kind, BYTES("isolation")))
		return is_touched(f, e->name);
	return f->with < WITH_NETWORK || ledger_is_in_network(f, e->client, BYTES(""));
}

enum err ledger_events_of_day(sqlite3 *db, uint64_t from_us, uint64_t to_us,
	const struct ledger_filter *filter, const struct ledger_hears *hears)
{
	const char *whose = condition(filter->with);
	sqlite3_stmt *st = NULL;
	char sql[400];
	int rc;

	if (!whose)
		return OK;
	snprintf(sql, sizeof(sql),
		"SELECT seq, at, kind, user, client, session, name, outcome, detail FROM record WHERE state IS NULL AND at BETWEEN ?2 AND ?3"
		" AND kind IN ('sign-in', 'sign-out', 'revoked', 'policy', 'isolation') AND %s ORDER BY at, seq",
		whose);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return ERR_SYNTAX;
	if (filter->with == WITH_USER || filter->with == WITH_ADDRESS || filter->with == WITH_CLIENT)
		sqlite3_bind_text(
			st, 1, (const char *)filter->value.at, (int)filter->value.len, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)from_us);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)to_us);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const struct ledger_event e = { .seq = (uint64_t)sqlite3_column_int64(st, 0),
			.at_us = (uint64_t)sqlite3_column_int64(st, 1),
			.kind = column(st, 2),
			.user = column(st, 3),
			.client = column(st, 4),
			.session = column(st, 5),
			.name = column(st, 6),
			.outcome = column(st, 7),
			.detail = column(st, 8) };

		if (is_asked_for(filter, &e))
			hears->on_event(hears->arg, &e);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? OK : rc == SQLITE_BUSY || rc == SQLITE_IOERR ? ERR_DENIED : ERR_SYNTAX;
}
