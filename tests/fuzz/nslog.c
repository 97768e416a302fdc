/* Any bytes as an ns.log, surveyed and read: every line has one fate, whole and in pieces the same; an event's addresses are
 * addresses and it does not end before it begins. The first byte says how long the pieces are, and which options hold. */
#include "net/addr.h"
#include "nslog/nslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t events, in, out, at;
};

static void check_end(struct bytes text)
{
	struct addr a;

	CHECK(text.len == 0 || addr_parse(text, &a) == OK || addr_parse_ip(text, &a) == OK ||
		bytes_ends(text, BYTES(":0")));
}

static void on_event(void *arg, const struct nslog_event *e)
{
	struct seen *s = arg;
	struct contact c;
	struct addr a;

	s->events++;
	s->in += e->bytes_in;
	s->out += e->bytes_out;
	s->at += e->at_us + e->start_us * 3 + e->end_us * 7 + e->line;
	CHECK(e->kind < NSLOG_KIND_COUNT && e->start_us <= e->end_us);
	CHECK(e->client.len == 0 || addr_parse_ip(e->client, &a) == OK);
	CHECK(e->remote_ip.len == 0 || addr_parse_ip(e->remote_ip, &a) == OK);
	CHECK(e->source.len == 0 || addr_parse_ip(e->source, &a) == OK);
	check_end(e->vserver);
	check_end(e->nat);
	if (e->kind != NSLOG_VPN_REQUEST)
		check_end(e->target);
	if (nslog_contact(e, &c))
		CHECK(c.client.len && c.target.len && c.opened + c.closed > 0 && c.first_us <= c.last_us);
}

static uint64_t sum(const uint64_t *n, size_t count)
{
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += n[i];
	return all;
}

static struct nslog_report read_all(struct nslog *n, struct bytes in, size_t step, struct seen *seen)
{
	struct nslog_report r;
	struct nslog_dates d;

	*seen = (struct seen){ 0 };
	nslog_survey_begin(n, 1600000000000000ULL);
	for (size_t at = 0; at < in.len; at += step)
		nslog_survey_feed(n, bytes_cut(in, at, at + step));
	nslog_survey_end(n, &d);
	nslog_file_begin(n, BYTES("f"), &d, on_event, seen);
	for (size_t at = 0; at < in.len; at += step)
		nslog_feed(n, bytes_cut(in, at, at + step));
	nslog_file_end(n, false);
	r = *nslog_report(n);
	CHECK(r.lines == d.lines && r.bytes == d.bytes && r.bytes == in.len);
	CHECK(sum(r.events, NSLOG_KIND_COUNT) == seen->events);
	CHECK(r.lines == seen->events + r.not_wanted + r.empty + sum(r.damaged, NSLOG_DAMAGE_COUNT));
	CHECK(sum(r.years, NSLOG_YEAR_COUNT) == r.zone_written + r.zone_missing + r.zone_unknown);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;
	struct nslog_report r;
	uint64_t lines = 0;
	struct nslog *n;

	if (size == 0)
		return 0;
	n = nslog_new(
		&(struct nslog_options){ .order = data[0] & 0x80 ? NSLOG_DAY_FIRST : NSLOG_ORDER_UNKNOWN,
			.zone_given = data[0] & 0x40,
			.zone_minutes = 90 });
	CHECK(n != NULL);
	for (size_t i = 1; i < size; i++)
		lines += data[i] == '\n';
	lines += size > 1 && data[size - 1] != '\n';
	r = read_all(n, bytes_of(data + 1, size - 1), SIZE_MAX / 2, &whole);
	CHECK(r.lines == lines);
	r = read_all(n, bytes_of(data + 1, size - 1), data[0] % 64 + 1U, &pieces);
	CHECK(r.lines == lines && memcmp(&whole, &pieces, sizeof(whole)) == 0);
	nslog_free(&n);
	return 0;
}
