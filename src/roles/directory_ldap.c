/* How LDAP is spoken, by libldap over descriptors that the dialer connected: a search for the person as the service account or as nobody, and then, on a
 * connection of its own, a bind as the person found (RFC 4511, 4513). Referrals are not followed, and what a server says is bounded. */
#include "roles/directory_priv.h"

#include "auth/ldap_filter.h"
#include "base/fd.h"
#include "base/log.h"

#include <ldap.h>
#include <openldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LAST_GOOD_MS   60000
#define INCOMING_MAX   (1ul << 20) /* octets of one message */
#define FOUND_MOST     2	   /* people of a name: one, or too many */
#define GROUPS_ASKED   1000
#define VALUE_MOST     200 /* octets of a name, mail or group: STORE_TEXT_MAX */
#define ATTRIBUTES_MAX 8

/* Of each provider, by its place in the configuration. */
static struct provider_state {
	void *tls; /* libldap's context, made while files could be read */
	size_t last_good;
	uint64_t until_ms; /* last_good is asked first until then */
} states[CONF_DIRECTORIES_MAX];

/* One question, on its way. */
struct question {
	struct directory *d;
	const struct conf_ldap *p;
	struct provider_state *state;
	struct directory_answer *a;
	uint64_t end_ms;
	size_t server;
	LDAP *ld;	  /* the service's connection */
	struct bytes typed; /* the name; .at NULL: who is meant is known by subject */
	struct bytes dn;
	size_t found;
	bool is_full, has_dropped; /* more groups than may be; one that cannot be a group */
};

enum err ldap_start(struct directory *d)
{
	const int hard = LDAP_OPT_X_TLS_HARD, least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, of_client = 0;

	/* Nothing of the machine's own configuration of LDAP counts, whose files we could not read later. */
	if (setenv("LDAPNOINIT", "1", 1) < 0)
		return ERR_MEMORY;
	/* The first call sets the library up, which looks up this machine's own name. */
	if (ldap_set_option(NULL, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS)
		return ERR_MEMORY;
	for (size_t i = 0; i < d->conf->gateway.ldap_count; i++) {
		const struct conf_ldap *p = &d->conf->gateway.ldap[i];
		AUTO(fd_close) int fd = -1;
		char path[40];

		if (p->tls == CONF_LDAP_PLAIN)
			continue;
		TRY(memfd_sealed("sluis-ca", p->ca_pem, &fd));
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (ldap_set_option(NULL, LDAP_OPT_X_TLS_CACERTFILE, path) != LDAP_OPT_SUCCESS ||
			ldap_set_option(NULL, LDAP_OPT_X_TLS_REQUIRE_CERT, &hard) != LDAP_OPT_SUCCESS ||
			ldap_set_option(NULL, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) != LDAP_OPT_SUCCESS ||
			ldap_set_option(NULL, LDAP_OPT_X_TLS_NEWCTX, &of_client) != LDAP_OPT_SUCCESS ||
			ldap_get_option(NULL, LDAP_OPT_X_TLS_CTX, &states[i].tls) != LDAP_OPT_SUCCESS || !states[i].tls) {
			LOG(EV_DIRECTORY_DOWN, KV_BYTES("provider", p->name), KV_STR("why", "the file of ca has no certificates that can be read"));
			return ERR_SYNTAX;
		}
	}
	return OK;
}

/* --- errors --- */

/* What a server says of its own is part of it: Active Directory tells there whether an account is locked or a password is too old. */
static struct bytes why(struct question *q, LDAP *ld, const char *what, int rc)
{
	const struct conf_server *s = &q->d->conf->pools[q->p->pool].servers[q->server];
	char *told = NULL;
	struct bytes b;

	if (ld)
		(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &told);
	b = directory_text(q->d, "%.*s: %s: %s%s%.100s", FMT(s->name), what, ldap_err2string(rc), told && *told ? ": " : "", told ? told : "");
	ldap_memfree(told);
	return b;
}

/* Another server may do better. libldap's own codes are below 0: no connection, no TLS, no answer in time. */
static bool is_of_server(int rc)
{
	return (rc < 0 && rc != LDAP_FILTER_ERROR && rc != LDAP_PARAM_ERROR) || rc == LDAP_BUSY || rc == LDAP_UNAVAILABLE;
}

/* It is not the person's doing. */
static int down(struct question *q, LDAP *ld, const char *what, int rc)
{
	directory_refuse(q->a, DIRECTORY_DOWN, why(q, ld, what, rc));
	return rc;
}

static int wrong(struct question *q, struct bytes why_not)
{
	directory_refuse(q->a, DIRECTORY_WRONG, why_not);
	return LDAP_SUCCESS;
}

/* --- connections --- */

static bool set_time(struct question *q, LDAP *ld)
{
	uint64_t now = directory_now_ms(), left = q->end_ms > now ? q->end_ms - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000) };

	return left && ldap_set_option(ld, LDAP_OPT_TIMEOUT, &tv) == LDAP_OPT_SUCCESS && ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &tv) == LDAP_OPT_SUCCESS;
}

static bool set_up(struct question *q, LDAP *ld)
{
	const int version = LDAP_VERSION3, hard = LDAP_OPT_X_TLS_HARD;
	ber_len_t most = INCOMING_MAX;
	Sockbuf *sb = NULL;

	return set_time(q, ld) && ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
	       ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sb) == LDAP_OPT_SUCCESS && ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &most) == 1 &&
	       (q->p->tls == CONF_LDAP_PLAIN || (ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &hard) == LDAP_OPT_SUCCESS &&
		       ldap_set_option(ld, LDAP_OPT_X_TLS_CTX, q->state->tls) == LDAP_OPT_SUCCESS));
}

static void hang_up(LDAP **ld)
{
	if (*ld)
		ldap_unbind_ext_s(*ld, NULL, NULL);
	*ld = NULL;
}

/* A connection to q->server, protected as the configuration says: the name in its certificate is the one in the configuration. */
static int connect_server(struct question *q, LDAP **out)
{
	const struct conf_server *s = &q->d->conf->pools[q->p->pool].servers[q->server];
	bool is_v6 = bytes_find_byte(s->host, ':') != SIZE_MAX;
	struct bytes why_not = BYTES("");
	int fd = -1, rc = LDAP_SUCCESS;
	char url[300];
	LDAP *ld = NULL;

	if (directory_dial(q->d, q->p->pool, (uint16_t)q->server, q->end_ms, &fd, &why_not) != OK) {
		directory_refuse(q->a, DIRECTORY_DOWN, why_not);
		return LDAP_CONNECT_ERROR;
	}
	snprintf(url, sizeof url, "ldap://%s%.*s%s:%u", is_v6 ? "[" : "", FMT(s->host), is_v6 ? "]" : "", s->port);
	rc = ldap_init_fd(fd, LDAP_PROTO_TCP, url, &ld);
	if (rc != LDAP_SUCCESS) {
		fd_close(&fd);
		return down(q, NULL, "connection", rc);
	}
	if (!set_up(q, ld))
		rc = LDAP_TIMEOUT;
	else if (q->p->tls == CONF_LDAPS)
		rc = ldap_install_tls(ld);
	else if (q->p->tls == CONF_STARTTLS)
		rc = ldap_start_tls_s(ld, NULL, NULL);
	if (rc == LDAP_SUCCESS && fd_nonblock(fd) != OK) /* libldap lets it block after TLS; its time limits need one that does not */
		rc = LDAP_LOCAL_ERROR;
	if (rc != LDAP_SUCCESS) {
		if (q->p->tls == CONF_LDAP_PLAIN || rc == LDAP_TIMEOUT)
			down(q, ld, "connection", rc);
		else
			directory_refuse(q->a, DIRECTORY_DOWN, directory_text(q->d, "%.*s: no TLS (%s): does it have TLS on that port, and a certificate of an authority in "
				"'ca', for the name in 'servers'?", FMT(s->name), ldap_err2string(rc)));
		hang_up(&ld);
		return rc == LDAP_TIMEOUT || rc < 0 ? rc : q->p->tls == CONF_LDAP_PLAIN ? rc : LDAP_CONNECT_ERROR; /* one that has no StartTLS is as good as none */
	}
	*out = ld;
	return LDAP_SUCCESS;
}

/* Never with an empty DN or password: that is no proof of anything, and servers say yes to it (RFC 4513 5.1.1, 5.1.2). */
static int bind_as(struct question *q, LDAP *ld, struct bytes dn, struct bytes password)
{
	struct berval credentials = { .bv_len = password.len, .bv_val = (char *)(uintptr_t)password.at };

	CHECK(dn.len > 0 && password.len > 0);
	if (!set_time(q, ld))
		return LDAP_TIMEOUT;
	return ldap_sasl_bind_s(ld, (const char *)dn.at, LDAP_SASL_SIMPLE, &credentials, NULL, NULL, NULL);
}

/* The connection that people are searched for with. */
static int connect_service(struct question *q)
{
	int rc = connect_server(q, &q->ld);

	if (rc != LDAP_SUCCESS || !q->p->bind_dn.len)
		return rc;
	rc = bind_as(q, q->ld, q->p->bind_dn, q->d->secrets[q->p->secret]);
	return rc == LDAP_SUCCESS ? rc : down(q, q->ld, "sign-in as bind_dn", rc);
}

/* --- searches --- */

/* Calls one for each entry, at most most. LDAP_SIZELIMIT_EXCEEDED: there are more. */
static int search(struct question *q, struct bytes base, int scope, struct bytes filter, char **attributes, int most,
	void (*one)(struct question *q, LDAPMessage *entry))
{
	int id = 0, n = 0, rc;

	if (!set_time(q, q->ld))
		return LDAP_TIMEOUT;
	rc = ldap_search_ext(q->ld, (const char *)base.at, scope, (const char *)filter.at, attributes, 0, NULL, NULL, NULL, most, &id);
	while (rc == LDAP_SUCCESS) {
		LDAPMessage *m = NULL;
		int type, result = LDAP_OTHER;

		if (!set_time(q, q->ld))
			return LDAP_TIMEOUT;
		type = ldap_result(q->ld, id, LDAP_MSG_ONE, NULL, &m);
		if (type <= 0) {
			if (type == 0)
				return LDAP_TIMEOUT;
			(void)ldap_get_option(q->ld, LDAP_OPT_RESULT_CODE, &result);
			return result == LDAP_SUCCESS ? LDAP_SERVER_DOWN : result;
		}
		if (type == LDAP_RES_SEARCH_RESULT) {
			rc = ldap_parse_result(q->ld, m, &result, NULL, NULL, NULL, NULL, 1);
			return rc == LDAP_SUCCESS ? result : rc;
		}
		if (type == LDAP_RES_SEARCH_ENTRY && n++ < most)
			one(q, m);
		ldap_msgfree(m);
		if (n > most)
			return LDAP_SIZELIMIT_EXCEEDED;
	}
	return rc;
}

static struct bytes copy(struct question *q, struct bytes b)
{
	b = arena_copy(&q->d->arena, b);
	return b.at ? b : BYTES("");
}

static struct bytes of_berval(const struct berval *v)
{
	return bytes_of(v->bv_val, v->bv_len);
}

/* The first value; of the person's name the one that was typed, if it is among them. Empty: none. */
static struct bytes value_of(struct question *q, LDAPMessage *entry, struct bytes attribute, struct bytes wanted)
{
	struct berval **values = ldap_get_values_len(q->ld, entry, (const char *)attribute.at);
	struct bytes found = BYTES("");

	for (size_t i = 0; values && values[i]; i++)
		if (i == 0 || (wanted.at && bytes_eq_nocase(of_berval(values[i]), wanted)))
			found = of_berval(values[i]);
	found = copy(q, found);
	ldap_value_free_len(values);
	return found;
}

/* Identity keeps it as text. */
static bool is_binary(struct bytes attribute)
{
	return bytes_eq_nocase(attribute, BYTES("objectGUID")) || bytes_eq_nocase(attribute, BYTES("objectSid"));
}

static bool is_dn(struct bytes attribute)
{
	return bytes_eq_nocase(attribute, BYTES("dn"));
}

static struct bytes subject_of(struct question *q, LDAPMessage *entry)
{
	struct bytes v = is_dn(q->p->subject) ? q->dn : value_of(q, entry, q->p->subject, bytes_of(NULL, 0));
	unsigned char mem[256];
	struct text t;

	text_init(&t, mem, sizeof mem);
	if (is_binary(q->p->subject))
		ldap_hex(&t, v);
	else
		text_add(&t, v);
	for (size_t i = 0; !t.failed && i < t.len; i++)
		t.failed = t.at[i] < ' ' || t.at[i] == 0x7f;
	return t.failed ? BYTES("") : copy(q, text_bytes(&t));
}

/* --- groups --- */

static bool is_taken(const struct conf_ldap *p, struct bytes group)
{
	for (size_t i = 0; i < p->take_count; i++)
		if (bytes_eq_nocase(p->take[i], group))
			return true;
	return !p->is_narrowed;
}

static bool is_group(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < ' ' || b.at[i] == 0x7f || b.at[i] == ',')
			return false;
	return b.len > 0 && b.len <= VALUE_MOST;
}

static void add_group(struct question *q, struct bytes group)
{
	struct directory_person *who = &q->a->person;

	if (!is_taken(q->p, group))
		return;
	if (!is_group(group)) {
		if (!q->has_dropped)
			LOG(EV_DIRECTORY_REFUSED, KV_BYTES("provider", q->p->name), KV_BYTES("group", bytes_cut(group, 0, VALUE_MOST)),
				KV_STR("why", "a group's name has no comma, no control characters and at most 200 octets: this one is left out"));
		q->has_dropped = true;
		return;
	}
	for (size_t i = 0; i < who->group_count; i++)
		if (bytes_eq(who->groups[i], group))
			return;
	if (who->group_count == DIRECTORY_GROUPS_MAX)
		q->is_full = true;
	else
		who->groups[who->group_count++] = copy(q, group);
}

static void groups_of_attribute(struct question *q, LDAPMessage *entry)
{
	struct berval **values = ldap_get_values_len(q->ld, entry, (const char *)q->p->groups_attribute.at);

	for (size_t i = 0; values && values[i]; i++) {
		unsigned char mem[1024];
		struct text t;

		text_init(&t, mem, sizeof mem);
		add_group(q, ldap_rdn_value(of_berval(values[i]), &t) == OK ? text_bytes(&t) : of_berval(values[i]));
	}
	ldap_value_free_len(values);
}

static void one_group(struct question *q, LDAPMessage *entry)
{
	struct bytes name = value_of(q, entry, q->p->group_name, bytes_of(NULL, 0));

	if (name.len)
		add_group(q, name);
}

static int search_groups(struct question *q)
{
	char *attributes[] = { (char *)(uintptr_t)q->p->group_name.at, NULL };
	unsigned char mem[8192];
	struct text t;
	int rc;

	if (!q->p->group_base.len)
		return LDAP_SUCCESS;
	text_init(&t, mem, sizeof mem - 1);
	if (ldap_filter_fill(&t, q->p->group_filter, q->a->person.name, q->dn) != OK)
		return down(q, NULL, "group_filter", LDAP_FILTER_ERROR);
	mem[t.len] = 0;
	rc = search(q, q->p->group_base, LDAP_SCOPE_SUBTREE, text_bytes(&t), attributes, GROUPS_ASKED, one_group);
	if (rc == LDAP_SIZELIMIT_EXCEEDED) {
		q->is_full = true;
		rc = LDAP_SUCCESS;
	}
	return rc == LDAP_SUCCESS ? rc : down(q, q->ld, "search for groups", rc);
}

/* --- people --- */

static void one_person(struct question *q, LDAPMessage *entry)
{
	struct directory_person *who = &q->a->person;
	char *dn;

	if (q->found++)
		return;
	dn = ldap_get_dn(q->ld, entry);
	q->dn = copy(q, bytes_str(dn ? dn : ""));
	ldap_memfree(dn);
	who->subject = subject_of(q, entry);
	who->name = value_of(q, entry, q->p->user_name, q->typed);
	who->display = bytes_cut(value_of(q, entry, q->p->display, bytes_of(NULL, 0)), 0, 4 * VALUE_MOST);
	who->mail = bytes_cut(value_of(q, entry, q->p->mail, bytes_of(NULL, 0)), 0, 4 * VALUE_MOST);
	if (q->p->groups_attribute.len)
		groups_of_attribute(q, entry);
}

/* The filter that finds who is meant, ended by NUL. */
static enum err fill_filter(struct question *q, struct bytes subject, struct text *t)
{
	unsigned char mem[256];
	struct text octets;

	if (q->typed.at || is_dn(q->p->subject)) {
		TRY(ldap_filter_fill(t, q->p->filter, q->typed, bytes_of(NULL, 0)));
	} else {
		text_lit(t, "(&(");
		text_add(t, q->p->subject);
		text_byte(t, '=');
		text_init(&octets, mem, sizeof mem);
		if (is_binary(q->p->subject)) {
			TRY(ldap_unhex(&octets, subject));
			subject = text_bytes(&octets);
		}
		ldap_filter_value(t, subject);
		text_byte(t, ')');
		TRY(ldap_filter_fill(t, q->p->filter, bytes_of(NULL, 0), bytes_of(NULL, 0)));
		text_byte(t, ')');
	}
	text_byte(t, 0);
	return t->failed ? ERR_LIMIT : OK;
}

/* One person, or an answer that says why not. *is_there: go on. */
static int search_person(struct question *q, struct bytes subject, bool *is_there)
{
	const struct bytes names[] = { q->p->subject, q->p->user_name, q->p->display, q->p->mail, q->p->groups_attribute };
	bool is_base = !q->typed.at && is_dn(q->p->subject);
	char *attributes[ATTRIBUTES_MAX] = { NULL };
	unsigned char mem[4096];
	size_t n = 0;
	struct text t;
	int rc;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].len && !(i == 0 && is_dn(names[i])))
			attributes[n++] = (char *)(uintptr_t)names[i].at;
	text_init(&t, mem, sizeof mem);
	if (fill_filter(q, subject, &t) != OK)
		return wrong(q, BYTES("such a name fits into no filter"));
	rc = search(q, is_base ? copy(q, subject) : q->p->base, is_base ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE, text_bytes(&t), attributes, FOUND_MOST, one_person);
	if (rc == LDAP_NO_SUCH_OBJECT && is_base)
		rc = LDAP_SUCCESS;
	if (q->found > 1 || rc == LDAP_SIZELIMIT_EXCEEDED)
		return wrong(q, BYTES("the filter finds more than one entry for that name: narrow base or filter"));
	if (rc != LDAP_SUCCESS)
		return down(q, q->ld, rc == LDAP_NO_SUCH_OBJECT ? "base" : rc == LDAP_FILTER_ERROR ? "filter" : "search", rc);
	if (!q->found) {
		directory_refuse(q->a, DIRECTORY_NONE, BYTES(""));
		return LDAP_SUCCESS;
	}
	if (!q->dn.len || !q->a->person.subject.len || !q->a->person.name.len)
		return wrong(q, directory_text(q->d, "%.*s has no %s that can be used: name in %s one that everybody has, and that bind_dn may read", FMT(q->dn),
			q->a->person.subject.len ? "name" : "subject", q->a->person.subject.len ? "'name'" : "'subject'"));
	*is_there = true;
	return LDAP_SUCCESS;
}

/* A wrong password and no more: that is no news for the error log. Active Directory has numbers for what else it may be ("data 775": locked). */
static bool is_plainly_wrong(LDAP *ld, int rc)
{
	char *told = NULL;
	bool is;

	(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &told);
	is = rc == LDAP_INVALID_CREDENTIALS && (!told || !*told || strstr(told, "data 52e") || strstr(told, "data 525"));
	ldap_memfree(told);
	return is;
}

/* As the person, on a connection of its own: the service's stays the service's. */
static int try_password(struct question *q, struct bytes password, bool *fits)
{
	LDAP *ld = NULL;
	int rc = connect_server(q, &ld);

	if (rc != LDAP_SUCCESS)
		return rc;
	rc = bind_as(q, ld, q->dn, password);
	switch (rc) {
	case LDAP_SUCCESS: *fits = true; break;
	case LDAP_INVALID_CREDENTIALS: case LDAP_CONSTRAINT_VIOLATION: case LDAP_UNWILLING_TO_PERFORM: case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INSUFFICIENT_ACCESS: case LDAP_NO_SUCH_OBJECT:
		rc = wrong(q, is_plainly_wrong(ld, rc) ? BYTES("") : why(q, ld, "sign-in", rc));
		break;
	default: down(q, ld, "sign-in", rc);
	}
	hang_up(&ld);
	return rc;
}

/* At one server. Anything but LDAP_SUCCESS: it could not say, and the answer tells why. */
static int ask_server(struct question *q, const struct directory_ask *ask)
{
	bool is_there = false, fits = ask->kind == DIRECTORY_LOOKUP;
	int rc;

	*q->a = (struct directory_answer){ .request = ask->request };
	q->found = 0;
	q->is_full = false;
	rc = connect_service(q);
	if (rc == LDAP_SUCCESS)
		rc = search_person(q, ask->args[0], &is_there);
	if (rc == LDAP_SUCCESS && is_there && !fits)
		rc = try_password(q, ask->args[1], &fits);
	if (rc == LDAP_SUCCESS && is_there && fits)
		rc = search_groups(q);
	hang_up(&q->ld);
	if (rc != LDAP_SUCCESS || !is_there || !fits)
		return rc;
	if (q->is_full)
		return wrong(q, BYTES("in more than 64 groups: name those that matter in take_groups"));
	q->a->status = DIRECTORY_OK;
	q->a->has_person = true;
	return LDAP_SUCCESS;
}

void ldap_answer(struct directory *d, const struct conf_ldap *p, const struct directory_ask *ask, uint64_t end_ms, struct directory_answer *a)
{
	struct provider_state *state = &states[p - d->conf->gateway.ldap];
	struct question q = { .d = d, .p = p, .state = state, .a = a, .end_ms = end_ms };
	size_t n = d->conf->pools[p->pool].server_count, first = directory_now_ms() < state->until_ms ? state->last_good : 0;

	if (ask->kind == DIRECTORY_PASSWORD)
		q.typed = ask->args[0];
	if (ask->args[0].len == 0 || (ask->kind == DIRECTORY_PASSWORD && ask->args[1].len == 0)) { /* RFC 4513 5.1.2 */
		directory_refuse(a, DIRECTORY_WRONG, BYTES("an empty name or password is never asked about"));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int rc;

		q.server = (first + i) % n;
		rc = ask_server(&q, ask);
		if (!is_of_server(rc)) {
			state->last_good = q.server;
			state->until_ms = directory_now_ms() + LAST_GOOD_MS;
			return;
		}
		if (directory_now_ms() >= end_ms)
			return; /* the answer says what came of the last one */
	}
}
