/* The records: which there are, which fields each must have, and what an event takes from them. Fields are sought in the
 * order in which the appliance writes them, so that a later field's text (a browser's name, a command) cannot stand for
 * an earlier one. */
#include "nslog/nslog_priv.h"

#include "net/addr.h"

#define FINE NSLOG_DAMAGE_COUNT
/* Hands damage on; only in functions with nothing to undo. */
#define WHOLE(call)                                  \
	do {                                         \
		enum nslog_damage whole_ = (call);   \
		if (UNLIKELY(whole_ != FINE))        \
			return whole_;               \
	} while (0)

struct body {
	struct bytes text;
	size_t at; /* fields before it are read */
	const struct line_context *c;
	struct nslog_event *e;
};

/* Sets b->at behind "KEY " or "KEY:"; where the key is not there, nothing changes. */
static bool find(struct body *b, struct bytes key)
{
	size_t from = b->at;

	while (from < b->text.len) {
		size_t at = bytes_find(bytes_cut(b->text, from, b->text.len), key), end;
		if (at == SIZE_MAX)
			return false;
		at += from;
		end = at + key.len;
		if ((at == 0 || b->text.at[at - 1] == ' ' || b->text.at[at - 1] == ']') &&
			(end == b->text.len || b->text.at[end] == ' ' || b->text.at[end] == ':')) {
			b->at = end < b->text.len ? end + 1 : end;
			return true;
		}
		from = at + 1;
	}
	return false;
}

static void skip_spaces(struct body *b)
{
	while (b->at < b->text.len && b->text.at[b->at] == ' ')
		b->at++;
}

/* The same for a field that some versions leave out: only if it is the very next one, since what comes later may be a
 * stranger's text that only looks like it. */
static bool find_next(struct body *b, struct bytes key)
{
	size_t at = b->at, end;

	skip_spaces(b);
	if (bytes_starts(bytes_cut(b->text, b->at, b->text.len), BYTES("- ")))
		b->at += 2;
	end = b->at + key.len;
	if (bytes_starts(bytes_cut(b->text, b->at, b->text.len), key) &&
		(end == b->text.len || b->text.at[end] == ' ' || b->text.at[end] == ':')) {
		b->at = end < b->text.len ? end + 1 : end;
		return true;
	}
	b->at = at;
	return false;
}

static bool is_next(const struct body *b, struct bytes what)
{
	return bytes_starts(bytes_cut(b->text, b->at, b->text.len), what);
}

/* The next word; empty where the field has no value and the next field's dash follows. */
static struct bytes word(struct body *b)
{
	size_t from;

	skip_spaces(b);
	from = b->at;
	if (is_next(b, BYTES("- ")))
		return BYTES("");
	while (b->at < b->text.len && b->text.at[b->at] != ' ')
		b->at++;
	return bytes_cut(b->text, from, b->at);
}

/* Up to sep, which is read too; to the end where sep does not come. */
static struct bytes up_to(struct body *b, struct bytes sep)
{
	struct bytes left = bytes_cut(b->text, b->at, b->text.len);
	size_t end = bytes_find(left, sep);

	if (end == SIZE_MAX) {
		b->at = b->text.len;
		return bytes_trim(left);
	}
	b->at += end;
	return bytes_trim(bytes_cut(left, 0, end));
}

/* "text" or \"text\", or what stands up to the next field. */
static struct bytes quoted(struct body *b)
{
	struct bytes t;

	skip_spaces(b);
	if (is_next(b, BYTES("\\")))
		b->at++;
	if (!is_next(b, BYTES("\"")))
		return up_to(b, BYTES(" - "));
	b->at++;
	t = up_to(b, BYTES("\""));
	if (b->at < b->text.len)
		b->at++;
	if (t.len && t.at[t.len - 1] == '\\')
		t.len--;
	return bytes_trim(t);
}

static bool port_of(struct bytes w, uint16_t *port)
{
	uint64_t n;

	if (bytes_u64(w, &n) != OK || n > 65535 || (w.len > 1 && w.at[0] == '0'))
		return false;
	*port = (uint16_t)n;
	return true;
}

/* Four numbers up to 255 without leading zeros: then the text is already what addr_write_ip would write. */
static bool is_v4(struct bytes w)
{
	unsigned n = 0, count = 0, dots = 0;

	for (size_t i = 0; i < w.len; i++) {
		unsigned digit = w.at[i] - (unsigned)'0';
		if (w.at[i] == '.') {
			if (count == 0 || ++dots > 3)
				return false;
			n = count = 0;
		} else if (digit > 9 || (count && n == 0) || (n = n * 10 + digit) > 255) {
			return false;
		} else {
			count++;
		}
	}
	return dots == 3 && count;
}

struct end {
	struct bytes text, ip; /* as addr_write and addr_write_ip write them; text without a port where there is none */
	uint16_t port;
};

static struct bytes written(struct text *t, const struct addr *a, bool with_port)
{
	size_t from = t->len;

	if (with_port)
		addr_write(a, t);
	else
		addr_write_ip(a, t);
	return bytes_cut(text_bytes(t), from, t->len);
}

/* IPv6, with the port behind the last colon, in brackets or (as the appliance does) without. */
static bool end_v6(struct text *scratch, struct bytes w, struct end *out)
{
	struct bytes ip = w;
	struct addr a = { 0 };
	size_t colon = w.len;
	bool with_port = false;

	while (colon > 0 && w.at[colon - 1] != ':')
		colon--;
	if (colon > 1 && port_of(bytes_cut(w, colon, w.len), &out->port)) {
		ip = bytes_cut(w, 0, colon - 1);
		with_port = true;
	}
	if (ip.len > 2 && ip.at[0] == '[' && ip.at[ip.len - 1] == ']')
		ip = bytes_cut(ip, 1, ip.len - 1);
	if (addr_parse_ip(ip, &a) != OK) {
		if (!with_port || addr_parse_ip(w, &a) != OK)
			return false;
		with_port = false;
		out->port = 0;
	}
	a.port = out->port;
	out->ip = written(scratch, &a, false);
	out->text = with_port ? written(scratch, &a, true) : out->ip;
	return !scratch->failed;
}

static bool end_parse(struct text *scratch, struct bytes w, struct end *out)
{
	size_t colon = bytes_find_byte(w, ':');

	*out = (struct end){ .text = w, .ip = w };
	if (colon != SIZE_MAX)
		out->ip = bytes_cut(w, 0, colon);
	if (is_v4(out->ip))
		return colon == SIZE_MAX || port_of(bytes_cut(w, colon + 1, w.len), &out->port);
	return end_v6(scratch, w, out);
}

static enum nslog_damage end_at(struct body *b, struct end *out)
{
	struct bytes w = word(b);

	if (w.len == 0)
		return NSLOG_CUT;
	return end_parse(b->c->scratch, w, out) ? FINE : NSLOG_BAD_ADDRESS;
}

static enum nslog_damage end_field(struct body *b, struct bytes key, struct end *out)
{
	return find(b, key) ? end_at(b, out) : NSLOG_CUT;
}

/* A field that need not be there, and that may hold words ("Mapped Ip", "N/A", unknown) instead of an address. */
static struct bytes maybe_end(struct body *b, struct bytes key)
{
	struct end end;
	struct bytes w;

	if (!find_next(b, key))
		return BYTES("");
	skip_spaces(b);
	w = is_next(b, BYTES("\"")) || is_next(b, BYTES("\\")) ? quoted(b) : word(b);
	return end_parse(b->c->scratch, w, &end) ? end.text : BYTES("");
}

static enum nslog_damage number_field(struct body *b, struct bytes key, uint64_t *out)
{
	struct bytes w;

	if (!find(b, key))
		return NSLOG_CUT;
	w = word(b);
	if (w.len == 0)
		return NSLOG_CUT;
	return bytes_u64(w, out) == OK ? FINE : NSLOG_BAD_NUMBER;
}

static enum nslog_damage time_at(struct body *b, uint64_t *out)
{
	enum nslog_order order;
	struct stamp s;
	size_t used;

	skip_spaces(b);
	if (is_next(b, BYTES("\\")))
		b->at++;
	if (is_next(b, BYTES("\"")))
		b->at++;
	used = stamp_parse(bytes_cut(b->text, b->at, b->text.len), &s);
	if (used == 0)
		return b->text.len - b->at < 19 ? NSLOG_CUT : NSLOG_BAD_TIME;
	b->at += used;
	order = stamp_certain(&s);
	if (order == NSLOG_ORDER_UNKNOWN)
		order = b->c->order;
	return stamp_us(&s, order, b->c->zone_minutes, out) ? FINE : NSLOG_BAD_TIME;
}

static enum nslog_damage time_field(struct body *b, struct bytes key, uint64_t *out)
{
	return find(b, key) ? time_at(b, out) : NSLOG_CUT;
}

static enum nslog_damage start_and_end(struct body *b, struct bytes start, struct bytes end)
{
	WHOLE(time_field(b, start, &b->e->start_us));
	b->e->start_known = true;
	WHOLE(time_field(b, end, &b->e->end_us));
	/* A clock that was set back must not make a connection that ends before it begins. */
	if (b->e->end_us < b->e->start_us)
		b->e->start_us = b->e->end_us;
	return FINE;
}

/* Total_bytes_send is what Source, the client, sent. */
static enum nslog_damage byte_counts(struct body *b)
{
	WHOLE(number_field(b, BYTES("Total_bytes_send"), &b->e->bytes_in));
	return number_field(b, BYTES("Total_bytes_recv"), &b->e->bytes_out);
}

static void client_is(struct nslog_event *e, const struct end *end)
{
	e->client = end->ip;
	e->client_port = end->port;
}

static enum nslog_damage conn(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end source, end, inner;

	WHOLE(end_field(b, BYTES("Source"), &source));
	client_is(e, &source);
	e->vserver = maybe_end(b, BYTES("Vserver"));
	if (e->vserver.len)
		e->nat = maybe_end(b, BYTES("NatIP"));
	WHOLE(end_field(b, BYTES("Destination"), &end));
	e->target = end.text;
	/* With address translation: the destination that the client saw, then the true one. */
	if (e->vserver.len == 0 && (e->nat = maybe_end(b, BYTES("NatIP"))).len) {
		if (end_field(b, BYTES("Destination"), &inner) == FINE) {
			e->vserver = end.text;
			e->target = inner.text;
		}
	}
	e->start_known = find(b, BYTES("Start Time"));
	if (e->start_known)
		WHOLE(time_at(b, &e->start_us));
	if (!find(b, BYTES("Delink Time")) && !find(b, BYTES("End Time")))
		return NSLOG_CUT;
	WHOLE(time_at(b, &e->end_us));
	if (e->start_known && e->start_us > e->end_us)
		e->start_us = e->end_us;
	WHOLE(byte_counts(b));
	if (find(b, BYTES("Closure Reason")))
		e->reason = up_to(b, BYTES(" - "));
	return FINE;
}

/* Either end may be the server's: it is the one with the well-known port, or with the lower one. */
static enum nslog_damage leg(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end source, target;
	uint64_t swap;

	WHOLE(end_field(b, BYTES("Source"), &source));
	WHOLE(end_field(b, BYTES("Destination"), &target));
	WHOLE(start_and_end(b, BYTES("Start Time"), BYTES("End Time")));
	WHOLE(byte_counts(b));
	e->turned = source.port && source.port < target.port;
	client_is(e, e->turned ? &target : &source);
	e->target = e->turned ? source.text : target.text;
	if (e->turned) {
		swap = e->bytes_in;
		e->bytes_in = e->bytes_out;
		e->bytes_out = swap;
	}
	return FINE;
}

/* "Context user@address - SessionId: 12- ": the address into *client where there is one. */
static void context(struct body *b, struct end *client)
{
	struct end end;
	struct bytes w;
	size_t at;

	if (find_next(b, BYTES("Context"))) {
		w = up_to(b, BYTES(" - "));
		for (at = w.len; at > 0 && w.at[at - 1] != '@'; at--)
			;
		if (at > 0 && end_parse(b->c->scratch, bytes_cut(w, at, w.len), &end))
			*client = end;
	}
	if (find_next(b, BYTES("SessionId")) || find_next(b, BYTES("Sessionid"))) {
		w = word(b);
		b->e->session = w.len && w.at[w.len - 1] == '-' ? bytes_cut(w, 0, w.len - 1) : w;
	}
}

/* "Context user@address - SessionId: 12- User name - Client_ip ... - Vserver ...": what all records of a session begin
 * with. Some versions leave the first two, or Client_ip's value, away. */
static enum nslog_damage session(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end client = { 0 };
	struct bytes w;

	context(b, &client);
	if (!find(b, BYTES("User")))
		return NSLOG_CUT;
	b->at--; /* an empty name leaves one space before the dash */
	e->user = up_to(b, BYTES(" - Client_ip"));
	if (!find(b, BYTES("Client_ip")))
		return NSLOG_CUT;
	w = word(b);
	if (w.len && !end_parse(b->c->scratch, w, &client))
		return NSLOG_BAD_ADDRESS;
	client_is(e, &client);
	if (find_next(b, BYTES("X-Forwarded-For_ip")) && !is_next(b, BYTES("- ")))
		e->forwarded_for = up_to(b, BYTES(" - "));
	e->nat = maybe_end(b, BYTES("Nat_ip"));
	e->vserver = maybe_end(b, BYTES("Vserver"));
	return FINE;
}

static void group(struct body *b)
{
	if (find(b, BYTES("Group(s)")))
		b->e->group = quoted(b);
	if (bytes_eq(b->e->group, BYTES("N/A")))
		b->e->group = BYTES("");
}

/* Not an address of the Internet: a tunnel's own, or one of a private network. */
static bool is_inside(struct bytes ip)
{
	static const struct bytes prefixes[] = { LIT("10.0.0.0/8"), LIT("127.0.0.0/8"), LIT("172.16.0.0/12"),
		LIT("192.168.0.0/16"), LIT("169.254.0.0/16"), LIT("100.64.0.0/10"), LIT("fc00::/7"), LIT("fe80::/10"),
		LIT("::1/128") };
	struct addr_prefix p;
	struct addr a;

	if (addr_parse_ip(ip, &a) != OK)
		return true;
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		if (addr_parse_prefix(prefixes[i], &p) == OK && addr_in(&a, &p))
			return true;
	}
	return false;
}

static enum nslog_damage vpn_conn(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end source, target;

	WHOLE(session(b));
	WHOLE(end_field(b, BYTES("Source"), &source));
	WHOLE(end_field(b, BYTES("Destination"), &target));
	e->target = target.text;
	if (e->client.len == 0 || bytes_eq(e->client, source.ip)) {
		client_is(e, &source);
	} else {
		/* Through a full tunnel Source is the tunnel's address. Otherwise it is who really used the session,
		 * which with a stolen one is not who signed in. */
		e->source = source.ip;
		e->other_source = true;
		if (!is_inside(source.ip)) {
			e->source = e->client;
			client_is(e, &source);
		}
	}
	WHOLE(start_and_end(b, BYTES("Start_time"), BYTES("End_time")));
	WHOLE(byte_counts(b));
	if (find(b, BYTES("Access")))
		e->reason = word(b);
	group(b);
	return FINE;
}

/* Of ": SSO is ON : GET /path - -" the request. */
static struct bytes without_sso(struct bytes in)
{
	static const struct bytes before[] = { LIT(":"), LIT("Message ="), LIT("SSO is ON"), LIT("SSO is OFF"), LIT(":") };

	in = bytes_trim(in);
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		if (bytes_starts(in, before[i]))
			in = bytes_trim(bytes_cut(in, before[i].len, in.len));
	}
	return in;
}

/* "Context u@a - SessionId: 1- HOST User u : Group(s) g : Vserver v - TIME : SSO is ON : GET /path - -" */
static enum nslog_damage request(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end client = { 0 };
	struct bytes before;
	size_t from, at;

	context(b, &client);
	client_is(e, &client);
	from = b->at;
	if (!find(b, BYTES("User")))
		return NSLOG_CUT;
	before = bytes_trim(bytes_cut(b->text, from, b->at - BYTES("User ").len));
	for (at = before.len; at > 0 && before.at[at - 1] != ' ' && before.at[at - 1] != ']'; at--)
		;
	e->target = bytes_cut(before, at, before.len);
	e->user = up_to(b, BYTES(" : "));
	if (find(b, BYTES("Group(s)")))
		e->group = up_to(b, BYTES(" : "));
	if (bytes_eq(e->group, BYTES("N/A")))
		e->group = BYTES("");
	if (!find(b, BYTES("Vserver")))
		return NSLOG_CUT;
	WHOLE(end_at(b, &client));
	e->vserver = client.text;
	WHOLE(time_field(b, BYTES("-"), &e->end_us));
	e->command = without_sso(bytes_cut(b->text, b->at, b->text.len));
	return FINE;
}

/* Here Total_bytes_send is what went to the client: what a screen shows is far more than what is typed. */
static enum nslog_damage ica(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end source, target;
	size_t colon;

	WHOLE(end_field(b, BYTES("Source"), &source));
	client_is(e, &source);
	WHOLE(end_field(b, BYTES("Destination"), &target));
	e->target = target.text;
	if (!find(b, BYTES("username:domainname")))
		return NSLOG_CUT;
	e->user = up_to(b, BYTES(" - "));
	colon = bytes_find_byte(e->user, ':');
	if (colon != SIZE_MAX) {
		e->domain = bytes_cut(e->user, colon + 1, e->user.len);
		e->user = bytes_cut(e->user, 0, colon);
	}
	if (find(b, BYTES("applicationName")))
		e->application = up_to(b, BYTES(" - startTime"));
	if (e->kind == NSLOG_ICA_START) {
		WHOLE(time_field(b, BYTES("startTime"), &e->start_us));
		e->start_known = true;
		e->end_us = e->start_us;
	} else {
		WHOLE(start_and_end(b, BYTES("startTime"), BYTES("endTime")));
		WHOLE(number_field(b, BYTES("Total_bytes_send"), &e->bytes_out));
		WHOLE(number_field(b, BYTES("Total_bytes_recv"), &e->bytes_in));
	}
	if (find(b, BYTES("connectionId")))
		e->session = word(b);
	return FINE;
}

static enum nslog_damage login(struct body *b)
{
	WHOLE(session(b));
	if (find(b, BYTES("Browser_type")))
		b->e->agent = quoted(b);
	if (find(b, BYTES("SSLVPN_client_type")))
		b->e->application = up_to(b, BYTES(" - "));
	group(b);
	return FINE;
}

static enum nslog_damage logout(struct body *b)
{
	WHOLE(session(b));
	WHOLE(start_and_end(b, BYTES("Start_time"), BYTES("End_time")));
	WHOLE(byte_counts(b));
	if (find(b, BYTES("LogoutMethod")))
		b->e->reason = quoted(b);
	group(b);
	return FINE;
}

static enum nslog_damage login_failed(struct body *b)
{
	struct end client;

	if (!find(b, BYTES("User")))
		return NSLOG_CUT;
	b->at--; /* an empty name leaves one space before the dash */
	b->e->user = up_to(b, BYTES(" - Client_ip "));
	WHOLE(end_field(b, BYTES("Client_ip"), &client));
	client_is(b->e, &client);
	if (find(b, BYTES("Failure_reason")))
		b->e->reason = quoted(b);
	if (find(b, BYTES("Browser")))
		b->e->agent = bytes_trim(bytes_cut(b->text, b->at, b->text.len));
	return FINE;
}

static enum nslog_damage session_end(struct body *b)
{
	struct nslog_event *e = b->e;

	WHOLE(session(b));
	if (e->vserver.len == 0)
		e->vserver = maybe_end(b, BYTES("Vserver_ip"));
	if (find_next(b, BYTES("Last_contact"))) {
		WHOLE(time_at(b, &e->end_us));
		e->reason = BYTES("timed out");
	}
	if (find(b, BYTES("Errmsg")))
		e->reason = quoted(b);
	group(b);
	return FINE;
}

/* A command may hold quotes and dashes itself: it ends at the last Status. */
static enum nslog_damage command(struct body *b)
{
	static const struct bytes status = LIT(" - Status ");
	struct nslog_event *e = b->e;
	struct bytes left;
	size_t end, next;
	struct end from;

	if (!find(b, BYTES("User")))
		return NSLOG_CUT;
	e->user = up_to(b, BYTES(" - "));
	WHOLE(end_field(b, BYTES("Remote_ip"), &from));
	e->remote_ip = from.ip;
	if (!find(b, BYTES("Command")))
		return NSLOG_CUT;
	left = bytes_trim(bytes_cut(b->text, b->at, b->text.len));
	end = bytes_find(left, status);
	if (end == SIZE_MAX)
		return NSLOG_CUT;
	while ((next = bytes_find(bytes_cut(left, end + 1, left.len), status)) != SIZE_MAX)
		end += 1 + next;
	e->command = bytes_trim(bytes_cut(left, 0, end));
	if (e->command.len >= 2 && e->command.at[0] == '"' && e->command.at[e->command.len - 1] == '"')
		e->command = bytes_cut(e->command, 1, e->command.len - 1);
	b->text = bytes_cut(left, end + status.len, left.len);
	b->at = 0;
	e->reason = quoted(b);
	return FINE;
}

/* Address and port stand in two fields: "ServerIP a - ServerPort p". */
static enum nslog_damage split_end(struct body *b, struct bytes ip_key, struct bytes port_key, struct end *out)
{
	struct text *t = b->c->scratch;
	struct addr a;
	uint64_t port;

	WHOLE(end_field(b, ip_key, out));
	WHOLE(number_field(b, port_key, &port));
	if (port > 65535 || addr_parse_ip(out->ip, &a) != OK)
		return NSLOG_BAD_ADDRESS;
	a.port = out->port = (uint16_t)port;
	out->text = written(t, &a, true);
	return t->failed ? NSLOG_BAD_ADDRESS : FINE;
}

static enum nslog_damage tls(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end client, server;

	if (is_next(b, BYTES("Backend "))) {
		WHOLE(split_end(b, BYTES("ServerIP"), BYTES("ServerPort"), &server));
		e->target = server.text;
	} else {
		WHOLE(split_end(b, BYTES("ClientIP"), BYTES("ClientPort"), &client));
		client_is(e, &client);
		WHOLE(split_end(b, BYTES("VserverServiceIP"), BYTES("VserverServicePort"), &server));
		e->vserver = server.text;
	}
	if (find(b, BYTES("CipherSuite")))
		e->application = quoted(b);
	if (find(b, BYTES("Reason")))
		e->reason = quoted(b);
	return FINE;
}

/* "Device server_vip_NSSVC_HTTP_10.0.0.11:80(web) - State UP" */
static enum nslog_damage health(struct body *b)
{
	(void)word(b);
	b->e->application = quoted(b);
	if (!find(b, BYTES("State")))
		return NSLOG_CUT;
	b->e->reason = up_to(b, BYTES(" - "));
	return FINE;
}

static const struct record {
	struct bytes name;
	enum nslog_kind kind;
	enum nslog_damage (*parse)(struct body *b);
} records[] = {
	{ LIT("CONN_DELINK"), NSLOG_CONN, conn },
	{ LIT("OTHERCONN_DELINK"), NSLOG_CONN, conn },
	{ LIT("NAT_CONN_DELINK"), NSLOG_CONN, conn },
	{ LIT("NAT_OTHERCONN_DELINK"), NSLOG_CONN, conn },
	{ LIT("CONN_TERMINATE"), NSLOG_CONN_LEG, leg },
	{ LIT("NAT_CONN_TERMINATE"), NSLOG_CONN, conn },
	{ LIT("TCPCONNSTAT"), NSLOG_VPN_CONN, vpn_conn },
	{ LIT("UDPFLOWSTAT"), NSLOG_VPN_CONN, vpn_conn },
	{ LIT("HTTPREQUEST"), NSLOG_VPN_REQUEST, request },
	{ LIT("ICASTART"), NSLOG_ICA_START, ica },
	{ LIT("ICAEND_CONNSTAT"), NSLOG_ICA, ica },
	{ LIT("LOGIN"), NSLOG_LOGIN, login },
	{ LIT("LOGOUT"), NSLOG_LOGOUT, logout },
	{ LIT("LOGIN_FAILED"), NSLOG_LOGIN_FAILED, login_failed },
	{ LIT("TCPCONN_TIMEDOUT"), NSLOG_SESSION_END, session_end },
	{ LIT("REMOVE_SESSION"), NSLOG_SESSION_END, session_end },
	{ LIT("REMOVE_SESSION_DEBUG"), NSLOG_SESSION_END, session_end },
	{ LIT("CMD_EXECUTED"), NSLOG_COMMAND, command },
	{ LIT("SSL_HANDSHAKE_SUCCESS"), NSLOG_TLS, tls },
	{ LIT("SSL_HANDSHAKE_FAILURE"), NSLOG_TLS_FAILED, tls },
	{ LIT("DEVICEUP"), NSLOG_HEALTH, health },
	{ LIT("DEVICEDOWN"), NSLOG_HEALTH, health },
	{ LIT("MONITORUP"), NSLOG_HEALTH, health },
	{ LIT("MONITORDOWN"), NSLOG_HEALTH, health },
};
static const struct bytes modules[] = { LIT("TCP"), LIT("UDP"), LIT("SSLVPN"), LIT("AAA"), LIT("AAATM"), LIT("SSLLOG"),
	LIT("EVENT"), LIT("CLI"), LIT("GUI"), LIT("UI"), LIT("API") };

static const struct record *find_record(struct bytes name)
{
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		if (bytes_eq(records[i].name, name))
			return &records[i];
	}
	return NULL;
}

static bool is_module(struct bytes w)
{
	for (size_t i = 0; i < COUNT_OF(modules); i++) {
		if (bytes_eq(modules[i], w))
			return true;
	}
	return false;
}

/* "default TCP CONN_DELINK 1234 0 : ...", or an older version's without the partition's name and the second number. */
enum nslog_damage record_parse(struct bytes rest, const struct line_context *c, struct nslog_event *e, bool *wanted)
{
	size_t colon = bytes_find(rest, BYTES(" : "));
	struct body b = { .c = c, .e = e };
	const struct record *r;
	struct bytes module;

	*wanted = false;
	if (colon == SIZE_MAX)
		return FINE;
	b.text = bytes_cut(rest, colon + 3, rest.len);
	module = word(&b);
	if (!is_module(module))
		module = word(&b);
	r = is_module(module) ? find_record(word(&b)) : NULL;
	if (!r)
		return FINE;
	*wanted = true;
	e->kind = r->kind;
	e->record = bytes_of(module.at, (size_t)(b.text.at + b.at - module.at));
	colon = bytes_find(bytes_cut(b.text, b.at, b.text.len), BYTES(" :"));
	if (colon == SIZE_MAX)
		return NSLOG_CUT;
	b.text = bytes_trim(bytes_cut(b.text, b.at + colon + 2, b.text.len));
	b.at = 0;
	return r->parse(&b);
}
