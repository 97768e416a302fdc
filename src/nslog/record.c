/* The records: which there are, which fields each must have, and what an event takes from them. Fields are sought in the
 * order in which the appliance writes them, so that a later field's text (a browser's name, a command) cannot stand for
 * an earlier one. */
#include "nslog/fields_priv.h"

static enum nslog_damage start_and_end(struct body *b, struct bytes start, struct bytes end)
{
	WHOLE(body_time_field(b, start, &b->e->start_us));
	b->e->start_known = true;
	WHOLE(body_time_field(b, end, &b->e->end_us));
	/* A clock that was set back must not make a connection that ends before it begins. */
	if (b->e->end_us < b->e->start_us)
		b->e->start_us = b->e->end_us;
	return FINE;
}

/* Total_bytes_send is what Source, the client, sent. */
static enum nslog_damage byte_counts(struct body *b)
{
	WHOLE(body_number_field(b, BYTES("Total_bytes_send"), &b->e->bytes_in));
	return body_number_field(b, BYTES("Total_bytes_recv"), &b->e->bytes_out);
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

	WHOLE(body_end_field(b, BYTES("Source"), &source));
	client_is(e, &source);
	e->vserver = body_maybe_end(b, BYTES("Vserver"));
	if (e->vserver.len)
		e->nat = body_maybe_end(b, BYTES("NatIP"));
	WHOLE(body_end_field(b, BYTES("Destination"), &end));
	e->target = end.text;
	/* With address translation: the destination that the client saw, then the true one. */
	if (e->vserver.len == 0 && (e->nat = body_maybe_end(b, BYTES("NatIP"))).len) {
		if (body_end_field(b, BYTES("Destination"), &inner) == FINE) {
			e->vserver = end.text;
			e->target = inner.text;
		}
	}
	e->start_known = body_find(b, BYTES("Start Time"));
	if (e->start_known)
		WHOLE(body_time_at(b, &e->start_us));
	if (!body_find(b, BYTES("Delink Time")) && !body_find(b, BYTES("End Time")))
		return NSLOG_CUT;
	WHOLE(body_time_at(b, &e->end_us));
	if (e->start_known && e->start_us > e->end_us)
		e->start_us = e->end_us;
	WHOLE(byte_counts(b));
	if (body_find(b, BYTES("Closure Reason")))
		e->reason = body_up_to(b, BYTES(" - "));
	return FINE;
}

/* Either end may be the server's: it is the one with the well-known port, or with the lower one. */
static enum nslog_damage leg(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end source, target;
	uint64_t swap;

	WHOLE(body_end_field(b, BYTES("Source"), &source));
	WHOLE(body_end_field(b, BYTES("Destination"), &target));
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

bool nslog_is_inside(struct bytes ip)
{
	static const struct bytes prefixes[] = { LIT("10.0.0.0/8"), LIT("127.0.0.0/8"), LIT("172.16.0.0/12"),
		LIT("192.168.0.0/16"), LIT("169.254.0.0/16"), LIT("100.64.0.0/10"), LIT("fc00::/7"),
		LIT("fe80::/10"), LIT("::1/128") };
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

/* Client_ip opened the session, Source sent this connection. Where they differ, Source is the tunnel's own or a proxy's
 * address, or it is who really used the session: with a stolen one that is not who signed in. */
static void two_addresses(struct nslog_event *e, const struct end *session, const struct end *source)
{
	client_is(e, source);
	if (session->ip.len == 0 || bytes_eq(session->ip, source->ip))
		return;
	e->other_source = true;
	e->source = session->ip;
	if (nslog_is_inside(source->ip)) {
		client_is(e, session);
		e->source = source->ip;
	}
}

/* "Context user@address - SessionId: 12- ", which only stands before the field limit: the address into *client. */
static void context(struct body *b, struct bytes limit, struct end *client)
{
	size_t end = bytes_find(bytes_cut(b->text, b->at, b->text.len), limit);
	struct body before = *b;
	struct end found;
	struct bytes w;
	size_t at;

	if (end == SIZE_MAX)
		return;
	before.text = bytes_cut(b->text, 0, b->at + end);
	if (body_find(&before, BYTES("Context"))) {
		w = body_up_to(&before, BYTES(" - "));
		for (at = w.len; at > 0 && w.at[at - 1] != '@'; at--)
			;
		if (at > 0 && end_parse(b->c->scratch, bytes_cut(w, at, w.len), &found))
			*client = found;
	}
	if (body_find(&before, BYTES("SessionId")) || body_find(&before, BYTES("Sessionid"))) {
		w = body_word(&before);
		b->e->session = w.len && w.at[w.len - 1] == '-' ? bytes_cut(w, 0, w.len - 1) : w;
	}
	b->at = before.at;
}

/* "Context user@address - SessionId: 12- User name - Client_ip ... - Vserver ...": what all records of a session begin
 * with. Some versions leave the first two, or Client_ip's value, away. */
static enum nslog_damage session(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end client = { 0 };
	struct bytes w;

	context(b, BYTES("User "), &client);
	if (!body_find(b, BYTES("User")))
		return NSLOG_CUT;
	b->at--; /* an empty name leaves one space before the dash */
	e->user = body_up_to(b, BYTES(" - Client_ip"));
	if (!body_find(b, BYTES("Client_ip")))
		return NSLOG_CUT;
	w = body_word(b);
	if (w.len && !end_parse(b->c->scratch, w, &client))
		return NSLOG_BAD_ADDRESS;
	client_is(e, &client);
	if (body_find_next(b, BYTES("X-Forwarded-For_ip")) && !body_is_next(b, BYTES("- ")))
		e->forwarded_for = body_up_to(b, BYTES(" - "));
	e->nat = body_maybe_end(b, BYTES("Nat_ip"));
	e->vserver = body_maybe_end(b, BYTES("Vserver"));
	return FINE;
}

static void group(struct body *b)
{
	if (body_find(b, BYTES("Group(s)")))
		b->e->group = body_quoted(b);
	if (bytes_eq(b->e->group, BYTES("N/A")))
		b->e->group = BYTES("");
}

static enum nslog_damage vpn_conn(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end source, target;

	WHOLE(session(b));
	WHOLE(body_end_field(b, BYTES("Source"), &source));
	WHOLE(body_end_field(b, BYTES("Destination"), &target));
	e->target = target.text;
	two_addresses(e, &(struct end){ .ip = e->client, .port = e->client_port }, &source);
	WHOLE(start_and_end(b, BYTES("Start_time"), BYTES("End_time")));
	WHOLE(byte_counts(b));
	if (body_find(b, BYTES("Access")))
		e->reason = body_word(b);
	group(b);
	return FINE;
}

/* Of ": SSO is ON : GET /path - -" the request. */
static struct bytes without_sso(struct bytes in)
{
	static const struct bytes before[] = { LIT(":"), LIT("Message ="), LIT("SSO is ON"),
		LIT("SSO is OFF"), LIT(":") };

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

	context(b, BYTES("User "), &client);
	client_is(e, &client);
	from = b->at;
	if (!body_find(b, BYTES("User")))
		return NSLOG_CUT;
	before = bytes_trim(bytes_cut(b->text, from, b->at - BYTES("User ").len));
	for (at = before.len; at > 0 && before.at[at - 1] != ' ' && before.at[at - 1] != ']'; at--)
		;
	e->target = bytes_cut(before, at, before.len);
	e->user = body_up_to(b, BYTES(" : "));
	if (body_find(b, BYTES("Group(s)")))
		e->group = body_up_to(b, BYTES(" : "));
	if (bytes_eq(e->group, BYTES("N/A")))
		e->group = BYTES("");
	if (!body_find(b, BYTES("Vserver")))
		return NSLOG_CUT;
	WHOLE(body_end_at(b, &client));
	e->vserver = client.text;
	WHOLE(body_time_field(b, BYTES("-"), &e->end_us));
	e->command = without_sso(bytes_cut(b->text, b->at, b->text.len));
	return FINE;
}

/* Here Total_bytes_send is what went to the client: what a screen shows is far more than what is typed. */
static enum nslog_damage ica(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end session = { 0 }, source, target;
	size_t colon;

	context(b, BYTES("Source "), &session);
	/* 14.1 puts it before Source. */
	if (bytes_find(b->text, BYTES("Client_ip ")) < bytes_find(b->text, BYTES("Source ")))
		WHOLE(body_end_field(b, BYTES("Client_ip"), &session));
	WHOLE(body_end_field(b, BYTES("Source"), &source));
	two_addresses(e, &session, &source);
	WHOLE(body_end_field(b, BYTES("Destination"), &target));
	e->target = target.text;
	if (!body_find(b, BYTES("username:domainname")))
		return NSLOG_CUT;
	e->user = body_up_to(b, BYTES(" - "));
	colon = bytes_find_byte(e->user, ':');
	if (colon != SIZE_MAX) {
		e->domain = bytes_cut(e->user, colon + 1, e->user.len);
		e->user = bytes_cut(e->user, 0, colon);
	}
	if (body_find(b, BYTES("applicationName")))
		e->application = body_up_to(b, BYTES(" - startTime"));
	if (e->kind == NSLOG_ICA_START) {
		WHOLE(body_time_field(b, BYTES("startTime"), &e->start_us));
		e->start_known = true;
		e->end_us = e->start_us;
	} else {
		WHOLE(start_and_end(b, BYTES("startTime"), BYTES("endTime")));
		WHOLE(body_number_field(b, BYTES("Total_bytes_send"), &e->bytes_out));
		WHOLE(body_number_field(b, BYTES("Total_bytes_recv"), &e->bytes_in));
	}
	if (body_find(b, BYTES("connectionId")))
		e->session = body_word(b);
	return FINE;
}

static enum nslog_damage login(struct body *b)
{
	WHOLE(session(b));
	if (body_find(b, BYTES("Browser_type")))
		b->e->agent = body_quoted(b);
	if (body_find(b, BYTES("SSLVPN_client_type")))
		b->e->application = body_up_to(b, BYTES(" - "));
	group(b);
	return FINE;
}

static enum nslog_damage logout(struct body *b)
{
	WHOLE(session(b));
	WHOLE(start_and_end(b, BYTES("Start_time"), BYTES("End_time")));
	WHOLE(byte_counts(b));
	if (body_find(b, BYTES("LogoutMethod")))
		b->e->reason = body_quoted(b);
	group(b);
	return FINE;
}

static enum nslog_damage login_failed(struct body *b)
{
	struct end client;

	if (!body_find(b, BYTES("User")))
		return NSLOG_CUT;
	b->at--; /* an empty name leaves one space before the dash */
	b->e->user = body_up_to(b, BYTES(" - Client_ip "));
	WHOLE(body_end_field(b, BYTES("Client_ip"), &client));
	client_is(b->e, &client);
	if (body_find(b, BYTES("Failure_reason")))
		b->e->reason = body_quoted(b);
	if (body_find(b, BYTES("Browser")))
		b->e->agent = bytes_trim(bytes_cut(b->text, b->at, b->text.len));
	return FINE;
}

static enum nslog_damage session_end(struct body *b)
{
	struct nslog_event *e = b->e;

	WHOLE(session(b));
	if (e->vserver.len == 0)
		e->vserver = body_maybe_end(b, BYTES("Vserver_ip"));
	if (body_find_next(b, BYTES("Last_contact"))) {
		WHOLE(body_time_at(b, &e->end_us));
		e->reason = BYTES("timed out");
	}
	if (body_find(b, BYTES("Errmsg")))
		e->reason = body_quoted(b);
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

	if (!body_find(b, BYTES("User")))
		return NSLOG_CUT;
	e->user = body_up_to(b, BYTES(" - "));
	WHOLE(body_end_field(b, BYTES("Remote_ip"), &from));
	e->remote_ip = from.ip;
	if (!body_find(b, BYTES("Command")))
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
	e->reason = body_quoted(b);
	return FINE;
}

/* Address and port stand in two fields: "ServerIP a - ServerPort p". */
static enum nslog_damage split_end(
	struct body *b, struct bytes ip_key, struct bytes port_key, struct end *out)
{
	struct text *t = b->c->scratch;
	struct addr a;
	uint64_t port;

	WHOLE(body_end_field(b, ip_key, out));
	WHOLE(body_number_field(b, port_key, &port));
	if (port > 65535 || addr_parse_ip(out->ip, &a) != OK)
		return NSLOG_BAD_ADDRESS;
	a.port = out->port = (uint16_t)port;
	out->text = end_write(t, &a, true);
	return t->failed ? NSLOG_BAD_ADDRESS : FINE;
}

static enum nslog_damage tls(struct body *b)
{
	struct nslog_event *e = b->e;
	struct end client, server;

	if (body_is_next(b, BYTES("Backend "))) {
		WHOLE(split_end(b, BYTES("ServerIP"), BYTES("ServerPort"), &server));
		e->target = server.text;
	} else {
		WHOLE(split_end(b, BYTES("ClientIP"), BYTES("ClientPort"), &client));
		client_is(e, &client);
		WHOLE(split_end(b, BYTES("VserverServiceIP"), BYTES("VserverServicePort"), &server));
		e->vserver = server.text;
	}
	if (body_find(b, BYTES("CipherSuite")))
		e->application = body_quoted(b);
	if (body_find(b, BYTES("Reason")))
		e->reason = body_quoted(b);
	return FINE;
}

/* "Device server_vip_NSSVC_HTTP_10.0.0.11:80(web) - State UP" */
static enum nslog_damage health(struct body *b)
{
	(void)body_word(b);
	b->e->application = body_quoted(b);
	if (!body_find(b, BYTES("State")))
		return NSLOG_CUT;
	b->e->reason = body_up_to(b, BYTES(" - "));
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
static const struct bytes modules[] = { LIT("TCP"), LIT("UDP"), LIT("SSLVPN"), LIT("AAA"), LIT("AAATM"),
	LIT("SSLLOG"), LIT("EVENT"), LIT("CLI"), LIT("GUI"), LIT("UI"), LIT("API") };

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
enum nslog_damage record_parse(
	struct bytes rest, const struct line_context *c, struct nslog_event *e, bool *wanted)
{
	size_t colon = bytes_find(rest, BYTES(" : "));
	struct body b = { .c = c, .e = e };
	const struct record *r;
	struct bytes module;

	*wanted = false;
	if (colon == SIZE_MAX)
		return FINE;
	b.text = bytes_cut(rest, colon + 3, rest.len);
	module = body_word(&b);
	if (!is_module(module))
		module = body_word(&b);
	r = is_module(module) ? find_record(body_word(&b)) : NULL;
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
