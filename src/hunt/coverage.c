/* The verdict: what was found, or whether the logs are such that nothing found means anything. */
#include "base/clock.h"
#include "hunt/scan_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_US UINT64_C(3600000000)
#define GAP_US	(24 * HOUR_US) /* between one file's end and the next one's beginning */

static void reason(struct hunt_scan *s, const char *fmt, ...) PRINTF(2, 3);
static void reason(struct hunt_scan *s, const char *fmt, ...)
{
	va_list ap;

	if (s->reason_count == SCAN_REASONS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(s->reason_texts[s->reason_count], sizeof(s->reason_texts[0]), fmt, ap);
	va_end(ap);
	s->reasons[s->reason_count] = s->reason_texts[s->reason_count];
	s->reason_count++;
}

static int by_time(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;

	if (a->log != b->log)
		return a->log < b->log ? -1 : 1;
	return a->first_us < b->first_us ? -1 : a->first_us > b->first_us;
}

/* Until when a damaged file may have told of: the next one's beginning. */
static uint64_t missing_until(const struct hunt_scan *s, size_t i)
{
	return i + 1 < s->span_count && s->spans[i + 1].log == s->spans[i].log ? s->spans[i + 1].first_us : UINT64_MAX;
}

/* Whether log's files follow each other within the window; and none of them is damaged. */
static bool is_whole(struct hunt_scan *s, unsigned log, const struct hunt_summary *sum)
{
	uint64_t end = 0, from = sum->exposed_from_us, to = sum->exposed_to_us ? sum->exposed_to_us : UINT64_MAX;
	char a[25], b[25];
	bool whole = true;

	for (size_t i = 0; i < s->span_count; i++) {
		const struct span *p = &s->spans[i];

		if (p->log != log)
			continue;
		if (p->is_damaged && (!p->first_us || (missing_until(s, i) >= from && p->first_us <= to))) {
			reason(s, sum->in_dutch ? "een bestand van het %s-logboek is beschadigd; er ontbreken regels" :
				"a file of the %s log is damaged; lines are missing", s->logs[log].kind);
			whole = false;
		}
		if (end && p->first_us > end + GAP_US && p->first_us > from && end < to && from) {
			clock_rfc3339(end, a);
			clock_rfc3339(p->first_us, b);
			reason(s, sum->in_dutch ? "het %s-logboek heeft niets tussen %s en %s" :
				"the %s log has nothing between %s and %s", s->logs[log].kind, a, b);
			whole = false;
		}
		if (p->last_us > end)
			end = p->last_us;
	}
	return whole;
}

static bool covers(struct hunt_scan *s, unsigned i, const struct hunt_summary *sum)
{
	const struct hunt_log *log = &s->logs[i];
	char a[25], b[25];
	bool ok = true;

	if (!log->first_us) {
		reason(s, sum->in_dutch ? "geen bewijs beschikbaar: er is geen %s-logboek met een regel die een tijd heeft" :
				"no evidence available: there is no %s log with a line that has a time", log->kind);
		return false;
	}
	clock_rfc3339(log->first_us, a);
	if (sum->exposed_from_us && log->first_us > sum->exposed_from_us + HOUR_US) {
		clock_rfc3339(sum->exposed_from_us, b);
		reason(s, sum->in_dutch ? "geen bewijs beschikbaar van %s tot %s: het %s-logboek begint later dan de blootstelling" :
				"no evidence available from %s to %s: the %s log begins later than the exposure", b, a, log->kind);
		ok = false;
	}
	clock_rfc3339(log->last_us, a);
	if (sum->exposed_to_us && log->last_us + HOUR_US < sum->exposed_to_us) {
		clock_rfc3339(sum->exposed_to_us, b);
		reason(s, sum->in_dutch ? "geen bewijs beschikbaar van %s tot %s: het %s-logboek eindigt voor de blootstelling" :
				"no evidence available from %s to %s: the %s log ends before the exposure did", a, b, log->kind);
		ok = false;
	}
	return is_whole(s, i, sum) && ok;
}

void hunt_scan_sum_up(struct hunt_scan *s, struct hunt_summary *sum)
{
	bool is_found = s->counts[HUNT_COMPROMISE] + s->counts[HUNT_PROBE] > 0;

	s->reason_count = 0;
	qsort(s->spans, s->span_count, sizeof(*s->spans), by_time);
	if (s->counts[HUNT_COMPROMISE])
		reason(s, sum->in_dutch ? "sporen van misbruik: %zu" :
				"signs of compromise: %zu", s->counts[HUNT_COMPROMISE]);
	if (s->counts[HUNT_PROBE])
		reason(s, sum->in_dutch ? "verkenningen waarop het systeem antwoordde als een kwetsbaar systeem: %zu" :
				"probes that the system answered as a vulnerable one: %zu", s->counts[HUNT_PROBE]);
	sum->is_covered = true;
	for (unsigned i = 0; i < hunt_layout_logs(s->layout); i++)
		if (hunt_layout_log(s->layout, i)->is_needed && !covers(s, i, sum))
			sum->is_covered = false;
	if (s->has_lost_spans) {
		reason(s, sum->in_dutch ? "er zijn meer dan %d logbestanden: of ze op elkaar aansluiten is niet te zeggen" :
				"there are more than %d log files: whether they follow each other cannot be told", SPANS_MAX);
		sum->is_covered = false;
	}
	if (!sum->exposed_from_us)
		reason(s, sum->in_dutch ? "er is geen periode van blootstelling gegeven: of de logboeken ver genoeg teruggaan is niet bekeken" :
				"no window of exposure was given: whether the logs go back far enough was not looked at");
	sum->verdict = is_found ? HUNT_FOUND : sum->is_covered ? HUNT_NOTHING_FOUND : HUNT_CANNOT_TELL;
	if (sum->verdict == HUNT_NOTHING_FOUND)
		reason(s, sum->in_dutch ? "geen van de gezochte sporen is gevonden in wat gelezen is; dat bewijst niet dat er niets gebeurd is" :
				"no sign of the packs' was found in what was read; that is no proof that nothing happened");
	for (size_t i = 0; i < HUNT_CLASS_COUNT; i++)
		sum->counts[i] = s->counts[i];
	sum->own = s->own;
	sum->problems = s->problems;
	sum->files = s->files;
	sum->bytes = s->bytes;
	sum->logs = s->logs;
	sum->log_count = 0;
	for (size_t i = 0; i < hunt_layout_logs(s->layout); i++)
		if (hunt_layout_log(s->layout, i)->is_dated)
			sum->log_count = i + 1;
	sum->reasons = s->reasons;
	sum->reason_count = s->reason_count;
	sum->packs = s->rules->names;
	sum->pack_count = s->rules->pack_count;
}
