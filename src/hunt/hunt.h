/* What a hunt looks at and what it finds: the words that sources (a tree, an archive, a disk image), scanners (indicator packs) and
 * reports share. Nothing here opens a file or asks a clock; docs/hunt.md tells how they fit. */
#ifndef HUNT_HUNT_H
#define HUNT_HUNT_H

#include "base/bytes.h"
#include "base/err.h"

/* --- what is looked at --- */

enum hunt_kind { HUNT_REGULAR, HUNT_DIRECTORY, HUNT_SYMLINK, HUNT_OTHER };

/* A file of the examined system. Texts hold during the call that gives them. */
struct hunt_file {
	const char *path;  /* on the examined system, absolute: /var/log/httpaccess.log.2.gz */
	const char *where; /* as the examiner finds it: support.tar.gz!var/log/httpaccess.log.2.gz; the same as given for a file by itself */
	enum hunt_kind kind;
	bool has_owner, has_times; /* whether the source knows them: a single log copied elsewhere does not */
	uint32_t mode, uid, gid;   /* permission bits, set-id bits included */
	const char *user, *group;  /* "" when the source has numbers only */
	uint64_t size;
	int64_t mtime_s, ctime_s, birth_s; /* since 1970; 0: not known */
	const char *target;		   /* of a link; else "" */
};

/* What a source calls, in this order per file: file, then (where it answered true) bytes until all are given, then end. Files come one
 * after the other. Content of .gz, .xz, .zst and .bz2 files is given unpacked. */
struct hunt_sink {
	void *ctx;
	bool (*file)(void *ctx, const struct hunt_file *f);
	void (*bytes)(void *ctx, struct bytes b, uint64_t offset); /* offset in the (unpacked) content */
	void (*end)(void *ctx, enum err e);			   /* OK; else it was damaged or cut off and what came is all there is */
	/* Something that could not be read, or was repaired or passed over; the rest goes on. */
	void (*problem)(void *ctx, const char *where, const char *what);
	/* Of all input, so far; for a line of progress. May be NULL. */
	void (*progress)(void *ctx, uint64_t bytes_read, const char *where);
};

/* --- what is found --- */

enum hunt_class { HUNT_COMPROMISE, HUNT_PROBE, HUNT_ATTEMPT, HUNT_TRACE, HUNT_CLASS_COUNT };
enum hunt_confidence { HUNT_LOW, HUNT_MEDIUM, HUNT_HIGH, HUNT_CONFIDENCE_COUNT };

const char *hunt_class_name(enum hunt_class c);		  /* compromise, probe, attempt, trace */
const char *hunt_confidence_name(enum hunt_confidence c); /* low, medium, high */

/* Texts hold during the call. Texts that came from what was examined are raw bytes: whoever prints them quotes them. */
struct hunt_finding {
	const char *rule, *title, *source; /* source: where the rule comes from, a URL */
	const char *advisories;		   /* "CVE-2019-19781 CVE-2023-3519", or "" */
	enum hunt_class class;
	enum hunt_confidence confidence;
	const char *path, *where; /* of the file, as above */
	uint64_t line;		  /* from 1; 0: not a matter of lines */
	uint64_t offset;	  /* of the line or of what was found, in the unpacked content */
	bool has_offset, is_own;  /* is_own: an administrator's or a known scanner's trace: told, not counted */
	uint64_t at_us;		  /* when it happened, since 1970, UTC; 0: not known */
	const char *when_how;	  /* how the time is known: "log", "year from the file's mtime", "mtime"; "" when it is not */
	struct bytes client, method, url, user_agent, user; /* of a request or a command; empty: none */
	unsigned status;				    /* of a request; 0: none */
	uint32_t mode, uid;				    /* of a file by its mode or owner */
	bool has_mode;
	struct bytes excerpt; /* what matched and its surroundings, at most HUNT_EXCERPT_MAX */
	const char *note;     /* for people: what is special here; "" none */
};
#define HUNT_EXCERPT_MAX 1024

enum hunt_verdict { HUNT_NOTHING_FOUND, HUNT_FOUND, HUNT_CANNOT_TELL };

/* Which logs there are, and whether they cover the time in which the system was exposed. */
struct hunt_log {
	const char *kind; /* "access", "error", "shell", "notice", "cron" */
	uint64_t first_us, last_us, lines, damaged; /* 0: no line with a time */
	size_t files;
};
struct hunt_summary {
	enum hunt_verdict verdict;
	size_t counts[HUNT_CLASS_COUNT], own, problems;
	uint64_t files, bytes;
	uint64_t exposed_from_us, exposed_to_us; /* the window that was asked about; 0: not given */
	bool is_covered;			 /* the logs cover it */
	const struct hunt_log *logs;
	size_t log_count;
	bool in_dutch;		     /* the reasons, for people; else in English, also for programs */
	const char *const *reasons; /* of the verdict, in words; the first first */
	size_t reason_count;
	uint64_t begin_us, end_us; /* of the hunt itself */
	const char *version, *host; /* this program's; the examined system's name, "" when not known */
	const char *const *packs;   /* names of the indicator packs that were used */
	size_t pack_count;
};

#endif
