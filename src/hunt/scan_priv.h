/* A scan's state: the file that is being read, what its lines hold, clients that did the first half of a pair. */
#ifndef HUNT_SCAN_PRIV_H
#define HUNT_SCAN_PRIV_H

#include "base/text.h"
#include "hunt/logline.h"
#include "hunt/scan.h"
#include "hunt/session_priv.h"
#include "hunt/weblog.h"
#include "hunt/yara.h"

#define CLIENTS_MAX 65536 /* first halves that are remembered; the oldest in a place gives way */
#define LATER_MAX   20000 /* findings of a file that wait for its year */
#define TOLD_MOST   64	  /* findings of one content rule in one file */
#define SPANS_MAX   4096

/* A log file's first and last time. */
struct span {
	unsigned log;
	uint64_t first_us, last_us;
	bool is_damaged;
};
struct seen { /* a first half of a pair */
	uint32_t rule;
	uint64_t client, at_us, line;
};
struct later { /* a finding that waits for its year; texts are copies, one after the other */
	unsigned rule, turn;
	struct syslog_line at;
	uint64_t line, offset;
	bool is_own;
	unsigned char *texts;
	size_t user_len, excerpt_len;
};
/* A line's fields; empty where it has them not. */
struct fields {
	struct bytes at[FIELD_COUNT];
	struct bytes clean; /* the path without dot segments */
	struct bytes line;
	struct weblog web;
	struct syslog_line syslog;
	bool is_web, is_syslog;
	uint64_t at_us;
	struct bytes client;
	const char *when_how;
};
struct hunt_scan {
	struct hunt_rules *rules;
	struct hunt_layout *layout;
	const struct hunt_output *out;
	bool tells_parts;
	/* the file */
	struct hunt_file file;
	char path[LAYOUT_PATH_MAX], where[LAYOUT_PATH_MAX * 2], user[64], target[LAYOUT_PATH_MAX];
	int log;	  /* which log it is, -1: none */
	bool is_content, is_sniffed;
	uint64_t lines, damaged, first_us, last_us, read;
	struct text carry;
	uint64_t carry_offset;
	uint64_t block_offset, counted_line; /* of the block: lines before `counted` */
	struct bytes block;
	size_t counted, line_end;
	unsigned turns, last_month;
	struct syslog_line first_syslog, last_syslog;
	bool has_first;
	struct later *later;
	size_t later_count;
	unsigned *told; /* per rule, in this file */
	unsigned char tail[HUNT_EXCERPT_MAX];
	size_t tail_len;
	/* what holds for a line or a file */
	unsigned char *hits[FIELD_COUNT];
	unsigned char decode_mem[3][SCAN_LINE_MAX + 2];
	struct sigma_look *sigma; /* of this line */
	/* all */
	struct yara_window *yara; /* NULL: no rules */
	const struct addr *own_addresses; /* the examined system's */
	size_t own_address_count;
	struct seen *seen;
	struct sessions *sessions; /* NULL: no rule is about them */
	uint32_t session_logs;	   /* a bit per log */
	bool is_surveyed;	   /* of the file: sessions_file was called */
	struct hunt_log logs[LAYOUT_LOGS_MAX];
	struct span *spans;
	size_t span_count;
	bool has_lost_spans; /* there were more files than SPANS_MAX */
	size_t counts[HUNT_CLASS_COUNT], own, problems;
	uint64_t files, bytes;
	char reason_texts[SCAN_REASONS_MAX][300];
	const char *reasons[SCAN_REASONS_MAX];
	size_t reason_count;
};

/* Everything about one line: at is its beginning in the block. */
void scan_line(struct hunt_scan *s, struct bytes line, uint64_t number, uint64_t offset);
/* The file by its name, rights and owner. */
void scan_file(struct hunt_scan *s);
void scan_content_begin(struct hunt_scan *s);
void scan_content(struct hunt_scan *s, struct bytes b, uint64_t offset);
void scan_content_end(struct hunt_scan *s);
/* Tells f, completed from the rule and the file. */
void scan_tell(struct hunt_scan *s, const struct hunt_rule *rule, struct hunt_finding *f);
/* A file's own owner and time, for what is found in it. */
void scan_complete(const struct hunt_scan *s, struct hunt_finding *f);
/* Tells what waited for the year. */
void scan_tell_later(struct hunt_scan *s);
void scan_problem(struct hunt_scan *s, const char *where, const char *what);
/* Sigma rules: the line's fields are looked at, then each rule's tree is asked. */
struct sigma;
struct sigma_look *sigma_look_new(const struct sigma *s) MUST_USE;
void sigma_look_free(struct sigma_look **k);
void sigma_look_at(struct hunt_scan *s, const struct fields *f);
bool sigma_holds(const struct hunt_scan *s, unsigned root);
/* YARA rules, over the file's content. Nothing happens where there are none. */
struct yara_window *yara_window_new(const struct hunt_yara *y) MUST_USE;
void yara_window_free(struct yara_window **w);
void scan_yara_begin(struct hunt_scan *s);
void scan_yara(struct hunt_scan *s, struct bytes b);
void scan_yara_end(struct hunt_scan *s);
/* The file's layout_format; only where s->log is one. */
enum layout_format scan_format(const struct hunt_scan *s);

#endif
