/* Reads the lines of a NetScaler's ns.log and tells the events in them: who was connected with what, who signed in, which
 * command was given. Bytes in, events out: no file, no clock. Which records, fields and decisions: docs/nslog.md.
 * A file is read twice: the survey finds out how its dates are written, then the reader tells its events. */
#ifndef NSLOG_NSLOG_H
#define NSLOG_NSLOG_H

#include "ledger/contacts.h"

#define NSLOG_LINE_MAX 16384 /* a longer line is damaged; the appliance's own limit is 1 to 2 KiB */

enum nslog_kind {
	NSLOG_CONN, /* TCP, UDP: a client's connection through the appliance to a server; both ends are known */
	NSLOG_CONN_LEG,     /* TCP: one connection of the appliance itself, with a client or with a server */
	NSLOG_VPN_CONN,     /* SSLVPN: a connection through the tunnel */
	NSLOG_VPN_REQUEST,  /* SSLVPN, AAATM: an HTTP request of a session */
	NSLOG_ICA_START,    /* SSLVPN: an application or desktop was started */
	NSLOG_ICA,          /* SSLVPN: it ended; has its beginning, end and bytes */
	NSLOG_LOGIN,        /* SSLVPN, AAATM */
	NSLOG_LOGOUT,       /* the same; start to end is the session */
	NSLOG_LOGIN_FAILED, /* AAA */
	NSLOG_SESSION_END,  /* SSLVPN: timed out or removed */
	NSLOG_COMMAND,      /* CLI, GUI, API: an administrator's command */
	NSLOG_TLS,          /* SSLLOG: a handshake with a client that succeeded */
	NSLOG_TLS_FAILED,   /* or did not */
	NSLOG_HEALTH,       /* EVENT: a server, service or monitor came up or went down */
	NSLOG_KIND_COUNT
};

enum nslog_damage {
	NSLOG_OVERLONG,    /* longer than NSLOG_LINE_MAX */
	NSLOG_BINARY,      /* control octets in it */
	NSLOG_NO_TIME,     /* neither a date of its own nor a syslog header */
	NSLOG_BAD_TIME,    /* a date or time that does not exist, or a year that cannot be found out */
	NSLOG_CUT,         /* a field that its record must have is not there */
	NSLOG_BAD_ADDRESS, /* an address or a port is none */
	NSLOG_BAD_NUMBER,  /* a count of bytes is none */
	NSLOG_DAMAGE_COUNT
};
/* Short English names ("vpn-conn", "bad-address"), stable, for JSON. */
const char *nslog_kind_name(enum nslog_kind k);
const char *nslog_damage_name(enum nslog_damage d);

enum nslog_order {
	NSLOG_ORDER_UNKNOWN, /* no line has a date of its own with the year behind (a year in front needs no order) */
	NSLOG_MONTH_FIRST, /* 01/31/2020 */
	NSLOG_DAY_FIRST,   /* 31/01/2020 */
};
enum nslog_order_how {
	NSLOG_HOW_NONE,      /* with NSLOG_ORDER_UNKNOWN */
	NSLOG_HOW_GIVEN,     /* the caller said so */
	NSLOG_HOW_CERTAIN,   /* lines with a number over 12; .line is the first */
	NSLOG_HOW_HEADER,    /* the syslog header's month and day say it */
	NSLOG_HOW_FUTURE,    /* read the other way, lines would be later than the file's last change */
	NSLOG_HOW_MONOTONE,  /* read the other way, time would run backwards */
	NSLOG_HOW_STEADY,    /* read the other way, time would leap where it now goes on from day to day */
	NSLOG_HOW_MTIME,     /* the last line fits the file's last change one way only */
	NSLOG_HOW_SAME,      /* day and month are equal in all lines: either way the same */
	NSLOG_HOW_NEIGHBOUR, /* ambiguous by itself; taken from the other files read with it (nslog/files.h) */
	NSLOG_HOW_AMBIGUOUS, /* undecided; month first was assumed, which is the appliance's default */
};
const char *nslog_order_name(enum nslog_order o);
const char *nslog_order_how_name(enum nslog_order_how h);

struct nslog_options {
	enum nslog_order order; /* NSLOG_ORDER_UNKNOWN: decide per file */
	bool zone_given;
	int zone_minutes; /* east of UTC: for times without a zone; 0 unless zone_given */
	uint64_t now_us;  /* stands for the file's last change where that is not known; 0: unknown too */
};

/* What the survey of a file found: how its dates are to be read. */
struct nslog_dates {
	enum nslog_order order;
	enum nslog_order_how how;
	uint64_t line; /* the line that decided, or 0 */
	uint64_t
		changes_line; /* the first line that certainly has the other order (the setting was changed), or 0 */
	uint64_t lines, bytes;
	uint64_t first_us,
		last_us; /* of the first and last dated line; 0: none. Approximate where the year is inferred */
	uint64_t mtime_us;
	int first_year;        /* for headers without a year: of the first such line; 0: cannot be known */
	uint64_t first_own_us; /* of the first line with a date of its own; 0: none */
};

enum nslog_year {
	NSLOG_YEAR_WRITTEN, /* in the line's own date */
	NSLOG_YEAR_NEAR,    /* syslog header only: from the nearest line with a date of its own */
	NSLOG_YEAR_MTIME,   /* syslog header only, no such line: counted back from the file's last change */
	NSLOG_YEAR_COUNT
};

/* All bytes are views that end with the callback. Empty: the record has it not. */
struct nslog_event {
	enum nslog_kind kind;
	enum nslog_year year_how;
	bool zone_assumed; /* the line's time had no zone, or one that is not known */
	bool start_known;  /* else start_us repeats end_us (or the line's time) */
	bool turned;       /* NSLOG_CONN_LEG: Source was the server's side, so that client is Destination */
	bool unprintable; /* control or non-ASCII octets are in the line (a sign of CVE-2025-5777 in failed logins) */
	bool other_source; /* Source is not the session's Client_ip (a sign of a stolen session) */
	uint64_t at_us;    /* when the line says it was written; all times since 1970, UTC */
	uint64_t start_us, end_us;
	struct bytes record; /* "TCP CONN_DELINK" */
	struct bytes client; /* address of the outside client */
	uint16_t client_port;
	struct bytes source;  /* with other_source: the other of the two addresses */
	struct bytes vserver; /* address:port on the appliance that the client spoke with */
	struct bytes
		target; /* address:port of the server inside, IPv6 in brackets; NSLOG_VPN_REQUEST: a host name */
	struct bytes nat;  /* address:port, or address, that the appliance used towards the server */
	struct bytes user; /* as written; of ICA "name:domain" only the name */
	struct bytes domain, session, application, group, reason, command, agent, remote_ip, forwarded_for;
	uint64_t bytes_in, bytes_out; /* from the client to the target, and back */
	struct bytes file;            /* as named to nslog_file_begin */
	uint64_t line;                /* from 1 */
};

/* What a file held. lines = events of all kinds + not_wanted + empty + damaged for all reasons. */
struct nslog_report {
	uint64_t lines, bytes, not_wanted, empty;
	uint64_t events[NSLOG_KIND_COUNT];
	uint64_t damaged[NSLOG_DAMAGE_COUNT],
		damaged_line[NSLOG_DAMAGE_COUNT]; /* and the first line of each */
	uint64_t years[NSLOG_YEAR_COUNT];         /* dated lines */
	uint64_t zone_written, zone_missing,
		zone_unknown;       /* dated lines; the last two took the caller's zone, or UTC */
	char zone_name[8];          /* the first unknown one */
	uint64_t backwards;         /* dated lines more than a minute before the one above them */
	uint64_t first_us, last_us; /* earliest and latest dated line: what the file covers; 0: none */
	struct nslog_dates dates;
};

typedef void nslog_on_event(void *arg, const struct nslog_event *e);

struct nslog;
/* NULL without memory. Takes some 20 KiB, however large the files are. One thread at a time. */
struct nslog *nslog_new(const struct nslog_options *o);
void nslog_free(struct nslog **n);

/* First pass. Pieces may be cut anywhere. mtime_us: the file's last change, 0: not known. */
void nslog_survey_begin(struct nslog *n, uint64_t mtime_us);
void nslog_survey_feed(struct nslog *n, struct bytes piece);
void nslog_survey_end(struct nslog *n, struct nslog_dates *out);

/* Second pass over the same bytes, with what the survey (or the caller, who may change order and how) decided. name must
 * live until nslog_file_end. */
void nslog_file_begin(
	struct nslog *n, struct bytes name, const struct nslog_dates *d, nslog_on_event *on, void *arg);
void nslog_feed(struct nslog *n, struct bytes piece);
/* truncated: the file is known to be cut off here, so that a line without its end is NSLOG_CUT. Otherwise it is read. */
void nslog_file_end(struct nslog *n, bool truncated);
/* Of the file begun last; grows as it is read. */
const struct nslog_report *nslog_report(const struct nslog *n);
/* Sums; times widen; the dates and lines of the first stay. */
void nslog_report_add(struct nslog_report *sum, const struct nslog_report *r);

/* Not an address of the Internet: a tunnel's own, or one of a private network; also what is no address. */
bool nslog_is_inside(struct bytes ip);

/* The moment that in begins with, for lines that come one by one and cannot be surveyed: as an appliance writes it
 * ("01/31/2020:12:34:56 GMT", "31/01/2020:...", "2020/01/31:...") or as RFC 3339. Where the numbers leave open which of them
 * is the month, it is the one that puts it nearest to near_us. *used: octets of date, time and zone; without a zone, and with
 * one that is not known, UTC is taken. ERR_SYNTAX: no date, or one that does not exist. */
enum err nslog_when(struct bytes in, uint64_t near_us, uint64_t *at_us, size_t *used) MUST_USE;
/* The same for syslog's "Jan  9 12:34:56" (RFC 3164 4.1.2): its year is the one that puts it nearest to near_us. */
enum err nslog_when_header(struct bytes in, uint64_t near_us, uint64_t *at_us, size_t *used) MUST_USE;

/* The contact that the event makes, as views of it; false: it makes none (logins, commands, health, handshakes; a tunnel's
 * connection that was denied and brought nothing back; an event without a client or a target). */
bool nslog_contact(const struct nslog_event *e, struct contact *out);

#endif
