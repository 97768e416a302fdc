/* Each record with the event that it gives, told by one line of text; and what is wrong with a line that gives none. */
#include "nslog/nslog.h"

#include "base/clock.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define H  "Jan  9 12:34:57 <local0.info> 10.0.0.1 01/09/2020:12:34:56 GMT ns 0-PPE-0 : default "
#define H2 "<134> 01/09/2020:12:34:56 GMT ns 0-PPE-0 : default "

struct told {
	struct text t;
	unsigned char mem[4096];
	unsigned count;
};

static void put(struct text *t, const char *key, struct bytes v)
{
	if (v.len)
		text_fmt(t, " %s=%.*s", key, FMT(v));
}

static void on_event(void *arg, const struct nslog_event *e)
{
	struct told *told = arg;
	struct text *t = &told->t;
	char start[25], end[25];

	told->count++;
	clock_rfc3339(e->start_us, start);
	clock_rfc3339(e->end_us, end);
	text_fmt(t, "%s %.*s..%.*s", nslog_kind_name(e->kind), 8, start + 11, 8, end + 11);
	put(t, "client", e->client);
	if (e->client_port)
		text_fmt(t, ":%u", e->client_port);
	put(t, "source", e->source);
	put(t, "vserver", e->vserver);
	put(t, "target", e->target);
	put(t, "nat", e->nat);
	put(t, "user", e->user);
	put(t, "domain", e->domain);
	put(t, "session", e->session);
	put(t, "app", e->application);
	put(t, "group", e->group);
	put(t, "reason", e->reason);
	put(t, "command", e->command);
	put(t, "agent", e->agent);
	put(t, "from", e->remote_ip);
	put(t, "xff", e->forwarded_for);
	if (e->bytes_in || e->bytes_out)
		text_fmt(t, " in=%llu out=%llu", (unsigned long long)e->bytes_in, (unsigned long long)e->bytes_out);
	if (e->turned)
		text_lit(t, " turned");
	if (e->other_source)
		text_lit(t, " other-source");
	if (e->unprintable)
		text_lit(t, " unprintable");
}

/* Both passes over text, in pieces of step octets. */
static void read_all(struct nslog *n, struct bytes text, size_t step, struct told *told)
{
	struct nslog_dates d;

	text_init(&told->t, told->mem, sizeof(told->mem));
	told->count = 0;
	nslog_survey_begin(n, 0);
	for (size_t at = 0; at < text.len; at += step)
		nslog_survey_feed(n, bytes_cut(text, at, at + step));
	nslog_survey_end(n, &d);
	nslog_file_begin(n, BYTES("ns.log"), &d, on_event, told);
	for (size_t at = 0; at < text.len; at += step)
		nslog_feed(n, bytes_cut(text, at, at + step));
	nslog_file_end(n, false);
}

static const struct {
	const char *why;
	struct bytes line;
	struct bytes want; /* the event; or empty */
} cases[] = {
	{ "a connection through the appliance: what Source sent is in",
		LIT(H "TCP CONN_DELINK 1234 0 :  Source 192.0.2.1:1025 - Vserver 10.0.0.2:443 - NatIP 10.0.0.3:4711 - "
		"Destination 10.0.0.11:80 - Delink Time 01/09/2020:12:34:50 GMT - Total_bytes_send 7 - Total_bytes_recv 11"),
		LIT("conn 12:34:50..12:34:50 client=192.0.2.1:1025 vserver=10.0.0.2:443 target=10.0.0.11:80 nat=10.0.0.3:4711 "
		"in=7 out=11") },
	{ "no dash behind the time, no zones, and the zone of the line holds",
		LIT("<134> 01/09/2020:13:34:56 CET ns 0-PPE-0 : default TCP OTHERCONN_DELINK 1 0 : Source 192.0.2.1:1025 - "
		"Vserver 10.0.0.2:636 - NatIP 10.0.0.3:4711 - Destination 10.0.0.11:636 - Delink Time 01/09/2020:13:34:50  "
		"Total_bytes_send 963 - Total_bytes_recv 5238"),
		LIT("conn 12:34:50..12:34:50 client=192.0.2.1:1025 vserver=10.0.0.2:636 target=10.0.0.11:636 nat=10.0.0.3:4711 "
		"in=963 out=5238") },
	{ "translated addresses: the second destination is the true one",
		LIT(H2 "TCP NAT_CONN_DELINK 1 0 : Source 192.0.2.1:1025 - Destination 203.0.113.9:80 - NatIP 10.0.0.3:4711 - "
		"Destination 10.0.0.11:8080 - Start Time 01/09/2020:12:30:00 GMT - Delink Time 01/09/2020:12:34:00 GMT - "
		"Total_bytes_send 1 - Total_bytes_recv 2 - Closure Reason TCP FIN"),
		LIT("conn 12:30:00..12:34:00 client=192.0.2.1:1025 vserver=203.0.113.9:80 target=10.0.0.11:8080 "
		"nat=10.0.0.3:4711 reason=TCP FIN in=1 out=2") },
	{ "UDP, an older version's words, IPv6 as the appliance writes it",
		LIT("Mar  7 10:59:24 10.0.0.1  03/07/2013:01:59:45 GMT ns PPE-0 : UDP CONN_DELINK 927685225 : Source "
		"2001:db8::9:1025 - Vserver 2001:db8::2:53 - NatIP 10.0.0.3:4711 - Destination [2001:db8:0::b]:53 - "
		"Delink Time 03/07/2013:01:59:45 GMT - Total_bytes_send 40 - Total_bytes_recv 88"),
		LIT("conn 01:59:45..01:59:45 client=2001:db8::9:1025 vserver=[2001:db8::2]:53 target=[2001:db8::b]:53 "
		"nat=10.0.0.3:4711 in=40 out=88") },
	{ "one leg, whose Source is the server: turned round, bytes too",
		LIT(H2 "TCP CONN_TERMINATE 17 0 :  Source 10.0.0.11:636 - Destination 10.0.0.3:59243 - Start Time "
		"01/09/2020:12:34:06 GMT - End Time 01/09/2020:12:34:50 GMT - Total_bytes_send 4213 - Total_bytes_recv 84"),
		LIT("conn-leg 12:34:06..12:34:50 client=10.0.0.3:59243 target=10.0.0.11:636 in=84 out=4213 turned") },
	{ "the clock was set back in between: it does not end before it begins", LIT(H2 "TCP CONN_TERMINATE 17 0 :  Source "
		"10.0.0.3:59243 - Destination 10.0.0.11:636 - Start Time 01/09/2020:12:34:56 GMT - End Time 01/09/2020:12:30:00 GMT "
		"- Total_bytes_send 1 - Total_bytes_recv 2"),
		LIT("conn-leg 12:30:00..12:30:00 client=10.0.0.3:59243 target=10.0.0.11:636 in=1 out=2") },
	{ "a tunnel's connection",
		LIT(H "SSLVPN TCPCONNSTAT 99 0 : Context jdoe@192.0.2.1 - SessionId: 651173- User jdoe - Client_ip 192.0.2.1 - "
		"Nat_ip 10.0.0.3 - Vserver 10.0.0.2:443 - Source 192.0.2.1:32841 - Destination 10.0.0.12:3389 - Start_time "
		"\"01/09/2020:12:34:45 GMT\" - End_time \"01/09/2020:12:34:56 GMT\" - Duration 00:00:11  - Total_bytes_send 5 - "
		"Total_bytes_recv 122 - Total_compressedbytes_send 0 - Total_compressedbytes_recv 0 - Compression_ratio_send "
		"0.00% - Compression_ratio_recv 0.00% - Access Allowed - Group(s) \"staff,vpn\""),
		LIT("vpn-conn 12:34:45..12:34:56 client=192.0.2.1:32841 vserver=10.0.0.2:443 target=10.0.0.12:3389 nat=10.0.0.3 "
		"user=jdoe session=651173 group=staff,vpn reason=Allowed in=5 out=122") },
	{ "a session used from another address than it was opened from",
		LIT(H2 "SSLVPN TCPCONNSTAT 99 0 : Context j@x.nl@192.0.2.1 - SessionId: 5- User j@x.nl - Client_ip 192.0.2.1 - "
		"Nat_ip \"Mapped Ip\" - Vserver 10.0.0.2:443 - Source 198.51.100.66:32841 - Destination 10.0.0.12:445 - "
		"Start_time \"01/09/2020:12:34:45 GMT\" - End_time \"01/09/2020:12:34:56 GMT\" - Duration 00:00:11  - "
		"Total_bytes_send 5 - Total_bytes_recv 122 - Access Allowed - Group(s) \"N/A\""),
		LIT("vpn-conn 12:34:45..12:34:56 client=198.51.100.66:32841 source=192.0.2.1 vserver=10.0.0.2:443 "
		"target=10.0.0.12:445 user=j@x.nl session=5 reason=Allowed in=5 out=122 other-source") },
	{ "UDP through a full tunnel: Source is the tunnel's, the client is Client_ip; quotes escaped by a relay",
		LIT(H2 "SSLVPN UDPFLOWSTAT 9 0 : Context u@192.0.2.1 - SessionId: 7 - [TECHSUPPORT] User u - Client_ip "
		"192.0.2.1 - X-Forwarded-For_ip 203.0.113.1, 203.0.113.2 - Nat_ip 10.0.0.3 - Vserver 10.0.0.2:443 - Source "
		"127.101.0.0:55955 - Destination 10.0.0.10:53 - Start_time \\\"01/09/2020:12:32:55 GMT\\\" - End_time "
		"\\\"01/09/2020:12:34:56 GMT\\\" - Duration 00:02:01  - Total_bytes_send 40 - Total_bytes_recv 88 - Access Denied "
		"- Group(s) \\\"vpn\\\""),
		LIT("vpn-conn 12:32:55..12:34:56 client=192.0.2.1 source=127.101.0.0 vserver=10.0.0.2:443 target=10.0.0.10:53 "
		"nat=10.0.0.3 user=u session=7 group=vpn reason=Denied xff=203.0.113.1, 203.0.113.2 in=40 out=88 "
		"other-source") },
	{ "denied: no contact", LIT(H2 "SSLVPN TCPCONNSTAT 9 0 : Context u@192.0.2.1 - SessionId: 7 - User u - Client_ip "
		"192.0.2.1 - Nat_ip 10.0.0.3 - Vserver 10.0.0.2:443 - Source 192.0.2.1 - Destination 10.0.0.10:22 - Start_time "
		"\"01/09/2020:12:32:55 GMT\" - End_time \"01/09/2020:12:34:56 GMT\" - Duration 00:02:01  - Total_bytes_send 40 - "
		"Total_bytes_recv 0 - Access Denied - Group(s) \"vpn\""),
		LIT("vpn-conn 12:32:55..12:34:56 client=192.0.2.1 vserver=10.0.0.2:443 target=10.0.0.10:22 nat=10.0.0.3 user=u "
		"session=7 group=vpn reason=Denied in=40 out=0") },
	{ "14.1's request, without the client's address: no contact", LIT(H2 "SSLVPN HTTPREQUEST 12345678 0 : [TECHSUPPORT]"
		"[ENUMERATION] intra.example User u@x.nl : Group(s) N/A : Vserver 10.0.0.2:443 - 01/09/2020:12:34:45 GMT : "
		"Message = SSO is OFF : GET /path/path.xml - -"),
		LIT("vpn-request 12:34:45..12:34:45 vserver=10.0.0.2:443 target=intra.example user=u@x.nl command=GET "
		"/path/path.xml - -") },
	{ "a request of a session without a tunnel: the target is a name",
		LIT(H2 "SSLVPN HTTPREQUEST 9 0 : Context u@192.0.2.1 - SessionId: 74999- intra.example User u : Group(s) N/A : "
		"Vserver 10.0.0.2:443 - 01/09/2020:12:34:55 GMT : SSO is ON : GET /a:%20b?c=: - -"),
		LIT("vpn-request 12:34:55..12:34:55 client=192.0.2.1 vserver=10.0.0.2:443 target=intra.example user=u "
		"session=74999 command=GET /a:%20b?c=: - -") },
	{ "a desktop is started", LIT(H2 "SSLVPN ICASTART 12 0 :  [TCP] [CGP][ICAUUID=0-1] Source 192.0.2.1:61267 - "
		"Destination 10.0.0.20:2598 - customername  - username:domainname jdoe:corp - applicationName Test Lab $S67 - "
		"startTime \"01/09/2020:12:34:04 GMT\" - connectionId 33aa"),
		LIT("ica-start 12:34:04..12:34:04 client=192.0.2.1:61267 target=10.0.0.20:2598 user=jdoe domain=corp session=33aa "
		"app=Test Lab $S67") },
	{ "it ends; here what was sent went to the client", LIT(H2 "SSLVPN ICAEND_CONNSTAT 12 0 :  Source 192.0.2.1:61267 - "
		"Destination 10.0.0.20:2598 - customername  - username:domainname jdoe:corp - startTime \"01/09/2020:12:14:04 "
		"GMT\" - endTime \"01/09/2020:12:34:04 GMT\" - Duration 00:20:00  - Total_bytes_send 642642 - Total_bytes_recv "
		"3132 - Total_compressedbytes_send 0 - connectionId 33aa"),
		LIT("ica 12:14:04..12:34:04 client=192.0.2.1:61267 target=10.0.0.20:2598 user=jdoe domain=corp session=33aa "
		"in=3132 out=642642") },
	{ "14.1: the session's address before Source, which is a proxy's", LIT(H2 "SSLVPN ICASTART 12 0 : [TECHSUPPORT][LAUNCH]"
		"[TCP][CGP][ICAUUID=0-1] Client_ip 192.0.2.1 - Source 10.0.0.9:61267 - Destination 10.0.0.20:2598 - "
		"SSLRelayAddress 10.0.0.21:443 - customername X - username:domainname jdoe@corp.nl: - applicationName A - B - "
		"startTime \"01/09/2020:12:34:04 GMT\" - connectionId 33aa "),
		LIT("ica-start 12:34:04..12:34:04 client=192.0.2.1 source=10.0.0.9 target=10.0.0.20:2598 user=jdoe@corp.nl "
		"session=33aa app=A - B other-source") },
	{ "and an application cannot name one", LIT(H2 "SSLVPN ICASTART 12 0 : Context u@192.0.2.1 - SessionId: 70 - Source "
		"192.0.2.1:61267 - Destination 10.0.0.20:2598 - customername - username:domainname u:d - applicationName "
		"Client_ip 9.9.9.9 - startTime \"01/09/2020:12:34:04 GMT\" - connectionId 7"),
		LIT("ica-start 12:34:04..12:34:04 client=192.0.2.1:61267 target=10.0.0.20:2598 user=u domain=d session=7 "
		"app=Client_ip 9.9.9.9") },
	{ "a word before the context", LIT(H2 "SSLVPN LOGOUT 1 0 : Logout handler : Context u@192.0.2.1 - SessionId: 17 - User u - "
		"Client_ip 192.0.2.1 - Nat_ip \"Mapped Ip\" - Vserver 10.0.0.2:443 - Start_time \"01/09/2020:11:34:56\" - End_time "
		"\"01/09/2020:12:34:56\" - Duration 01:00:00  - Total_bytes_send 8 - Total_bytes_recv 9 - LogoutMethod \"Explicit\""),
		LIT("logout 11:34:56..12:34:56 client=192.0.2.1 vserver=10.0.0.2:443 user=u session=17 reason=Explicit in=8 out=9") },
	{ "signed in; a browser's name cannot stand for another field", LIT(H2 "SSLVPN LOGIN 1 0 : Context u@192.0.2.1 - "
		"SessionId: 8 - User u - Client_ip 192.0.2.1 - Nat_ip \"Mapped Ip\" - Vserver 10.0.0.2:443 - Browser_type "
		"\"X - Client_ip 9.9.9.9 - SessionId: 1 - X-Forwarded-For_ip 9.9.9.9\" - SSLVPN_client_type Agent - Group(s) \"g\""),
		LIT("login 12:34:56..12:34:56 client=192.0.2.1 vserver=10.0.0.2:443 user=u session=8 app=Agent group=g "
		"agent=X - Client_ip 9.9.9.9 - SessionId: 1 - X-Forwarded-For_ip 9.9.9.9") },
	{ "no session's number, and no address but in the context", LIT(H2 "SSLVPN LOGIN 1 0 : Context u@192.0.2.1 - User u - "
		"Client_ip  - X-Forwarded-For_ip - Nat_ip \"Mapped Ip\" - Vserver 10.0.0.2:443 - Browser_type \"SessionId: 1\""),
		LIT("login 12:34:56..12:34:56 client=192.0.2.1 vserver=10.0.0.2:443 user=u agent=SessionId: 1") },
	{ "signed out", LIT(H2 "AAATM LOGOUT 1 0 :  User u - Client_ip 192.0.2.1 - Nat_ip \"Mapped Ip\" - Vserver 10.0.0.2:443 "
		"- Start_time \"01/09/2020:11:34:56 GMT\" - End_time \"01/09/2020:12:34:56GMT\" - Duration 01:00:00  - "
		"Http_resources_accessed 0 - Total_bytes_send 8 - Total_bytes_recv 9 - LogoutMethod \"TimedOut\" - Group(s) \"N/A\""),
		LIT("logout 11:34:56..12:34:56 client=192.0.2.1 vserver=10.0.0.2:443 user=u reason=TimedOut in=8 out=9") },
	{ "not signed in", LIT(H2 "AAA LOGIN_FAILED 1 0 :  User bob@x.nl - Client_ip 192.0.2.1 - Failure_reason "
		"\"Username/Password mismatch\" - Browser curl/8"),
		LIT("login-failed 12:34:56..12:34:56 client=192.0.2.1 user=bob@x.nl reason=Username/Password mismatch "
		"agent=curl/8") },
	{ "a name that is no text is kept, and marked", LIT(H2 "AAA LOGIN_FAILED 1 0 :  User a\x01\xff - Client_ip 192.0.2.1 - "
		"Failure_reason \"x\" - Browser y"),
		LIT("login-failed 12:34:56..12:34:56 client=192.0.2.1 user=a\x01\xff reason=x agent=y unprintable") },
	{ "a session that timed out", LIT(H2 "SSLVPN TCPCONN_TIMEDOUT 1 0 : Context u@192.0.2.1 - SessionId: 8- User u - "
		"Client_ip 192.0.2.1 - Nat_ip 10.0.0.3 - Vserver 10.0.0.2:443 - Last_contact \"01/09/2020:12:04:56 GMT\" - "
		"Group(s) \"g\""),
		LIT("session-end 12:04:56..12:04:56 client=192.0.2.1 vserver=10.0.0.2:443 nat=10.0.0.3 user=u session=8 group=g "
		"reason=timed out") },
	{ "a session that was removed", LIT(H2 "SSLVPN REMOVE_SESSION_DEBUG 1 0 :  Sessionid 23 - User u - Client_ip "
		"192.0.2.1 - Nat_ip \"Mapped Ip\" - Vserver_ip 10.0.0.2 - Errmsg \"Session removed\""),
		LIT("session-end 12:34:56..12:34:56 client=192.0.2.1 vserver=10.0.0.2 user=u session=23 reason=Session removed") },
	{ "a command with quotes and dashes of its own", LIT(H2 "CLI CMD_EXECUTED 1 0 :  User nsroot - ADM_User NONE - "
		"Remote_ip 10.9.9.9 - Command \"add x - Status \"a\" - y\" - Status \"Success\""),
		LIT("command 12:34:56..12:34:56 user=nsroot reason=Success command=add x - Status \"a\" - y from=10.9.9.9") },
	{ "another partition's command by the interface for programs", LIT("<134> 01/09/2020:12:34:56 GMT ns 0-PPE-0 : part1 API "
		"CMD_EXECUTED 1 0 :  User a - Remote_ip 10.9.9.9 - Command \"logout\" - Status \"ERROR: no\""),
		LIT("command 12:34:56..12:34:56 user=a reason=ERROR: no command=logout from=10.9.9.9") },
	{ "a handshake", LIT(H2 "SSLLOG SSL_HANDSHAKE_SUCCESS 1 0 :  SPCBId 27 - ClientIP 192.0.2.1 - ClientPort 38797 - "
		"VserverServiceIP 10.0.0.2 - VserverServicePort 443 - ClientVersion TLSv1.2 - CipherSuite \"TLS1.2-X\" - Session New"),
		LIT("tls 12:34:56..12:34:56 client=192.0.2.1:38797 vserver=10.0.0.2:443 app=TLS1.2-X") },
	{ "a handshake with a server", LIT(H2 "SSLLOG SSL_HANDSHAKE_FAILURE 1 0 :  Backend SPCBId 5 - ServerIP 10.0.0.11 - "
		"ServerPort 443 - ProtocolVersion TLSv1.2 - Reason \"No common cipher\""),
		LIT("tls-failed 12:34:56..12:34:56 target=10.0.0.11:443 reason=No common cipher") },
	{ "a server went down", LIT(H2 "EVENT DEVICEDOWN 1 0 :  Device \"server_vip_NSSVC_HTTP_10.0.0.11:80(web)\" - State DOWN"),
		LIT("health 12:34:56..12:34:56 app=server_vip_NSSVC_HTTP_10.0.0.11:80(web) reason=DOWN") },
	{ "no zone and no space for one: the next word is the host", LIT("<134> 01/09/2020:12:34:56  ns 0-PPE-0 : default AAA "
		"LOGIN_FAILED 1 0 : User b - Client_ip 192.0.2.1 - Failure_reason \"x\" - Browser y"),
		LIT("login-failed 12:34:56..12:34:56 client=192.0.2.1 user=b reason=x agent=y") },
};

static void test_records(void **state)
{
	struct nslog *n = nslog_new(&(struct nslog_options){ 0 });
	static struct told told;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		/* Whole, and cut everywhere. */
		for (size_t step = 1; step <= 4096; step += 4095) {
			read_all(n, cases[i].line, step, &told);
			if (told.t.failed || !bytes_eq(text_bytes(&told.t), cases[i].want))
				fail_msg("%s: %.*s", cases[i].why, FMT(text_bytes(&told.t)));
			if (told.count != 1 || nslog_report(n)->lines != 1)
				fail_msg("%s: %u events", cases[i].why, told.count);
		}
	}
	nslog_free(&n);
}

static const struct {
	const char *why;
	struct bytes line;
	int want; /* enum nslog_damage; -1: not wanted, -2: empty */
} bad[] = {
	{ "nothing", LIT("   "), -2 },
	{ "another daemon's line", LIT("<134> 01/09/2020:12:34:56 GMT ns newsyslog[12]: logfile turned over"), -1 },
	{ "a record that is not read", LIT(H2 "SSLVPN Message 1 0 :  \"text : default TCP CONN_DELINK 1 0 : x\""), -1 },
	{ "no colon", LIT("<134> 01/09/2020:12:34:56 GMT ns 0-PPE-0"), -1 },
	{ "no time at all", LIT("<135> default CMD_EXECUTED 4 0 :  User nsroot - Remote_ip 10.9.9.9"), NSLOG_NO_TIME },
	{ "a month and a day over 12", LIT("<134> 13/13/2020:12:34:56 GMT ns 0-PPE-0 : default TCP X 1 0 : y"), NSLOG_BAD_TIME },
	{ "30 February", LIT("<134> 02/30/2020:12:34:56 GMT ns 0-PPE-0 : default TCP X 1 0 : y"), NSLOG_BAD_TIME },
	{ "hour 24", LIT("<134> 01/09/2020:24:34:56 GMT ns 0-PPE-0 : default TCP X 1 0 : y"), NSLOG_BAD_TIME },
	{ "a year that cannot be found out", LIT("Jan  9 12:34:56 <local0.info> ns x: y"), NSLOG_BAD_TIME },
	{ "control octets", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1\x01"), NSLOG_BINARY },
	{ "binary from the beginning", LIT("\x7f\x45LF\x02"), NSLOG_BINARY },
	{ "cut off in the record's head", LIT(H2 "TCP CONN_DELINK 1"), NSLOG_CUT },
	{ "cut off behind an address", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025"), NSLOG_CUT },
	{ "cut off in a time", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025 - Destination 10.0.0.1:80 - Delink Time "
		"01/09/20"), NSLOG_CUT },
	{ "a wrong time within", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025 - Destination 10.0.0.1:80 - Delink Time "
		"01/09/2020:99:99:99 GMT - Total_bytes_send 1 - Total_bytes_recv 2"), NSLOG_BAD_TIME },
	{ "cut off before the bytes", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025 - Destination 10.0.0.1:80 - Delink "
		"Time 01/09/2020:12:34:50 GMT - Total_bytes_send 1 - Total_bytes_recv "), NSLOG_CUT },
	{ "bytes that are no number", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025 - Destination 10.0.0.1:80 - Delink "
		"Time 01/09/2020:12:34:50 GMT - Total_bytes_send -1 - Total_bytes_recv 2"), NSLOG_BAD_NUMBER },
	{ "bytes past 64 bits", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:1025 - Destination 10.0.0.1:80 - Delink Time "
		"01/09/2020:12:34:50 GMT - Total_bytes_send 18446744073709551616 - Total_bytes_recv 2"), NSLOG_BAD_NUMBER },
	{ "an octet over 255", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.256:1025 - Destination 10.0.0.1:80"), NSLOG_BAD_ADDRESS },
	{ "a port over 65535", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.1:65536 - Destination 10.0.0.1:80"), NSLOG_BAD_ADDRESS },
	{ "a leading zero", LIT(H2 "TCP CONN_DELINK 1 0 : Source 192.0.2.01:1025 - Destination 10.0.0.1:80"), NSLOG_BAD_ADDRESS },
	{ "a name for an address", LIT(H2 "TCP CONN_DELINK 1 0 : Source localhost:1025 - Destination 10.0.0.1:80"), NSLOG_BAD_ADDRESS },
	{ "a handshake's port", LIT(H2 "SSLLOG SSL_HANDSHAKE_SUCCESS 1 0 :  SPCBId 27 - ClientIP 192.0.2.1 - ClientPort 99999 - "
		"VserverServiceIP 10.0.0.2 - VserverServicePort 443"), NSLOG_BAD_ADDRESS },
};

static void test_bad_lines(void **state)
{
	struct nslog *n = nslog_new(&(struct nslog_options){ 0 });
	static struct told told;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct nslog_report *r = nslog_report(n);
		read_all(n, bad[i].line, 4096, &told);
		if (bad[i].want == -1 && r->not_wanted != 1)
			fail_msg("%s: wanted or damaged", bad[i].why);
		if (bad[i].want == -2 && r->empty != 1)
			fail_msg("%s: not empty", bad[i].why);
		if (bad[i].want >= 0 && (r->damaged[bad[i].want] != 1 || r->damaged_line[bad[i].want] != 1))
			fail_msg("%s: not %s", bad[i].why, nslog_damage_name((enum nslog_damage)bad[i].want));
		assert_int_equal(told.count, 0);
	}
	nslog_free(&n);
}

static void test_overlong(void **state)
{
	struct nslog *n = nslog_new(&(struct nslog_options){ 0 });
	static unsigned char mem[NSLOG_LINE_MAX * 3];
	static struct told told;
	struct bytes good = LIT(H2 "EVENT DEVICEUP 1 0 :  Device \"x\" - State UP\r\n");

	(void)state;
	memset(mem, 'x', sizeof(mem));
	mem[NSLOG_LINE_MAX + 1] = '\n'; /* one octet too long */
	memcpy(mem + NSLOG_LINE_MAX + 2, good.at, good.len);
	for (size_t step = 100; step < sizeof(mem) * 2; step *= 7) {
		read_all(n, bytes_of(mem, sizeof(mem)), step, &told);
		assert_int_equal(nslog_report(n)->lines, 3);
		assert_int_equal(nslog_report(n)->damaged[NSLOG_OVERLONG], 2);
		assert_int_equal(nslog_report(n)->damaged_line[NSLOG_OVERLONG], 1);
		assert_int_equal(told.count, 1);
	}
	nslog_free(&n);
}

/* What each kind of event counts as: connections that began and ended; none: it makes no contact. */
static const struct {
	bool makes;
	unsigned opened, closed;
} contacts[NSLOG_KIND_COUNT] = {
	[NSLOG_CONN] = { true, 1, 1 },
	[NSLOG_CONN_LEG] = { true, 1, 1 },
	[NSLOG_VPN_CONN] = { true, 1, 1 },
	[NSLOG_VPN_REQUEST] = { true, 1, 1 },
	[NSLOG_ICA_START] = { true, 1, 0 }, /* with its end one connection */
	[NSLOG_ICA] = { true, 0, 1 },
};

static void on_contact(void *arg, const struct nslog_event *e)
{
	uint64_t *seen = arg;
	struct contact c;

	bool makes = contacts[e->kind].makes && e->client.len && !(bytes_eq(e->reason, BYTES("Denied")) && e->bytes_out == 0);

	seen[e->kind] += makes == contacts[e->kind].makes;
	assert_int_equal(nslog_contact(e, &c), makes);
	if (!makes)
		return;
	assert_int_equal(c.opened, contacts[e->kind].opened);
	assert_int_equal(c.closed, contacts[e->kind].closed);
	assert_true(bytes_eq(c.client, e->client) && bytes_eq(c.target, e->target) && bytes_eq(c.user, e->user));
	assert_true(c.first_us == e->start_us && c.last_us == e->end_us);
	assert_true(c.bytes_in == e->bytes_in && c.bytes_out == e->bytes_out && c.carried == 0);
}

static void test_contacts(void **state)
{
	struct nslog *n = nslog_new(&(struct nslog_options){ 0 });
	uint64_t seen[NSLOG_KIND_COUNT] = { 0 };
	struct nslog_dates d;

	(void)state;
	nslog_survey_begin(n, 0);
	nslog_survey_end(n, &d);
	nslog_file_begin(n, BYTES("x"), &d, on_contact, seen);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		nslog_feed(n, cases[i].line);
		nslog_feed(n, BYTES("\n"));
	}
	nslog_file_end(n, false);
	for (size_t i = 0; i < NSLOG_KIND_COUNT; i++)
		assert_true(seen[i] > 0);
	nslog_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_overlong),
		cmocka_unit_test(test_contacts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
