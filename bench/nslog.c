/* How many lines of an ns.log are surveyed and read in a second on one core: a mixture made up in memory, given in pieces of
 * 64 KiB. Usage: bench_nslog [millions of lines]. */
#include "nslog/nslog.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHUNK_LINES 20000

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make(struct text *t)
{
	for (unsigned i = 0; i < CHUNK_LINES; i++) {
		unsigned m = i / 60 % 60, s = i % 60;
		text_fmt(t,
			"Jan 19 12:%02u:%02u <local0.info> 10.0.0.1 01/19/2020:12:%02u:%02u GMT ns 0-PPE-%u : default ",
			m, s, m, s, i % 4);
		if (i % 10 < 5)
			text_fmt(t,
				"TCP CONN_DELINK %u 0 :  Source 192.0.2.%u:%u - Vserver 10.0.0.2:443 - NatIP 10.0.0.3:%u - "
				"Destination 10.0.0.%u:80 - Delink Time 01/19/2020:12:%02u:%02u GMT - Total_bytes_send %u - "
				"Total_bytes_recv %u\n",
				i, i % 250, 1024 + i, 2048 + i, i % 100, m, s, i, 3 * i);
		else if (i % 10 < 7)
			text_fmt(t,
				"TCP CONN_TERMINATE %u 0 :  Source 10.0.0.%u:80 - Destination 10.0.0.3:%u - Start Time "
				"01/19/2020:12:%02u:%02u GMT - End Time 01/19/2020:12:%02u:%02u GMT - Total_bytes_send 1 - "
				"Total_bytes_recv 1\n",
				i, i % 100, 2048 + i, m, s, m, s);
		else if (i % 10 < 8)
			text_fmt(t,
				"SSLVPN TCPCONNSTAT %u 0 : Context u%u@192.0.2.%u - SessionId: %u- User u%u - Client_ip 192.0.2.%u "
				"- Nat_ip 10.0.0.3 - Vserver 10.0.0.2:443 - Source 192.0.2.%u:%u - Destination 10.0.0.%u:443 - "
				"Start_time \"01/19/2020:12:%02u:%02u GMT\" - End_time \"01/19/2020:12:%02u:%02u GMT\" - Duration "
				"00:00:00  - Total_bytes_send %u - Total_bytes_recv %u - Total_compressedbytes_send 0 - "
				"Total_compressedbytes_recv 0 - Compression_ratio_send 0.00%% - Compression_ratio_recv 0.00%% - Access "
				"Allowed - Group(s) \"vpn\"\n",
				i, i % 90, i % 250, i, i % 90, i % 250, i % 250, 1024 + i, i % 100, m, s, m,
				s, i, 2 * i);
		else
			text_fmt(t, "SSLVPN Message %u 0 :  \"sslvpn_add SSID %u, e, 27\"\n", i, i);
	}
}

static void on_event(void *arg, const struct nslog_event *e)
{
	struct contact c;

	if (nslog_contact(e, &c))
		*(uint64_t *)arg += 1;
}

int main(int argc, char **argv)
{
	unsigned rounds = (argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2) * 1000000 / CHUNK_LINES;
	struct nslog *n = nslog_new(&(struct nslog_options){ 0 });
	uint64_t contacts = 0;
	double t0, t1, t2, lines;
	struct nslog_dates d;
	struct bytes in;
	struct text t;

	text_init_growing(&t, 64 << 20);
	make(&t);
	CHECK(n && !t.failed && rounds > 0);
	in = text_bytes(&t);
	t0 = cpu_s();
	nslog_survey_begin(n, 0);
	for (unsigned r = 0; r < rounds; r++) {
		for (size_t at = 0; at < in.len; at += 65536)
			nslog_survey_feed(n, bytes_cut(in, at, at + 65536));
	}
	nslog_survey_end(n, &d);
	t1 = cpu_s();
	nslog_file_begin(n, BYTES("ns.log"), &d, on_event, &contacts);
	for (unsigned r = 0; r < rounds; r++) {
		for (size_t at = 0; at < in.len; at += 65536)
			nslog_feed(n, bytes_cut(in, at, at + 65536));
	}
	nslog_file_end(n, false);
	t2 = cpu_s();
	lines = (double)nslog_report(n)->lines;
	CHECK(contacts == (uint64_t)lines * 8 / 10);
	printf("lines=%.0f bytes_per_line=%.0f survey_lines_per_s=%.0f read_lines_per_s=%.0f both_lines_per_s=%.0f mb_per_s=%.0f\n",
		lines, (double)d.bytes / lines, lines / (t1 - t0), lines / (t2 - t1), lines / (t2 - t0),
		(double)d.bytes / (t2 - t0) / 1e6);
	text_fini(&t);
	nslog_free(&n);
	return 0;
}
