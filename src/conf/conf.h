/* The configuration as one typed snapshot, read from YAML, never changed once built. Every key stands in
 * conf/keys.tbl, from which the parser, docs/configuration.md and the JSON Schema are made. No file is
 * opened here: conf asks a source for the files that the configuration names. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "http/canon.h"
#include "http1/parse.h"
#include "net/addr.h"
#include "policy/policy.h"

#define CONF_ADMIN_LISTENER UINT16_MAX

/* Where named files come from: the disk (master, check) or the bundle (the other processes). */
struct conf_source {
	/* The bytes of the file, which live as long as the arena; ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT ... */
	enum err (*get)(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out);
};

struct conf_error {
	struct bytes file;
	unsigned line, column; /* from 1 */
	struct bytes what;     /* "unknown key 'adress'" */
	struct bytes hint;     /* "write 'address'" or empty */
	bool is_warning;
};
struct conf_errors { /* all of one run, in file order, in the arena */
	struct conf_error *list;
	size_t count, errors, cap;
};

struct conf_mark { /* where something stands in the main file, from 1 */
	unsigned line, column;
};
struct conf_cert {
	struct bytes chain_pem, ocsp_der; /* contents; ocsp empty if none */
	struct bytes chain_path, key_path, ocsp_path;
	struct conf_mark chain_at, key_at, ocsp_at;
	uint16_t key; /* index in keys */
};
enum conf_client_certs { CLIENT_CERTS_OFF, CLIENT_CERTS_OPTIONAL, CLIENT_CERTS_REQUIRE };
struct conf_tls {
	bool is_on;
	const struct conf_cert *certs;
	size_t cert_count;
	uint16_t min_version; /* 0x0303 or 0x0304 */
	enum conf_client_certs client_certs;
	struct bytes client_ca_pem;
	struct conf_mark client_ca_at;
	uint32_t hsts_s; /* 0: no header */
	bool hsts_subdomains, hsts_preload;
};
struct conf_listener {
	struct bytes name;
	struct addr address;
	struct conf_tls tls;
	bool redirect_to_https;
	uint16_t redirect_port; /* 443 if not said */
	const struct addr_prefix *trusted; /* peers whose X-Forwarded-*, Forwarded are believed */
	size_t trusted_count;
};

enum conf_algorithm { BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS, BALANCE_TWO_CHOICES, BALANCE_HASH };
enum conf_check_kind { CHECK_NONE, CHECK_TCP, CHECK_HTTP };
struct conf_server {
	struct bytes name, host; /* host: an address or a DNS name */
	bool is_name;
	struct addr address; /* when !is_name */
	uint16_t port, weight;
	bool is_backup;
	uint32_t max_connections; /* 0: no limit */
	uint16_t global; /* its number over all pools: index into boards */
};
struct conf_pool_tls {
	bool is_on, verify;
	struct bytes ca_pem; /* empty: the system's, read by the master into the bundle */
	struct conf_mark ca_at;
	struct bytes server_name; /* empty: the server's host */
	bool has_client_cert;
	struct conf_cert client_cert;
};
/* Whose connections lead there. Of the gateway's own servers no route and no app can name the pool. */
enum conf_pool_of { CONF_POOL_APPS, CONF_POOL_DIRECTORY /* a provider of gateway.ldap or gateway.oidc */, CONF_POOL_STORE /* gateway.store */ };
struct conf_pool {
	struct bytes name;
	enum conf_pool_of of;
	enum conf_algorithm algorithm;
	struct policy_expr *hash_key;
	struct conf_server *servers;
	size_t server_count;
	struct bytes sticky_cookie; /* empty: none */
	uint32_t slow_start_ms;
	uint32_t queue_max, queue_ms;
	uint32_t keep_idle_ms, keep_max, keep_requests;
	enum conf_check_kind check;
	struct bytes check_path, check_host, check_text;
	uint16_t check_status_least, check_status_most;
	uint32_t check_interval_ms, check_timeout_ms, check_rise, check_fall;
	uint32_t eject_failures, eject_ms, eject_max_percent; /* failures 0: never */
	uint32_t retry_tries, retry_budget_percent; /* tries beyond the first */
	uint32_t connect_ms, response_ms, try_ms, total_ms; /* try, total 0: none */
	struct conf_pool_tls tls;
};
struct conf_route { /* the most specific wins: exact host, wildcard, none; then the longest path prefix; then order */
	const struct bytes *hosts; /* lower case; "*.example.org" allowed; none of them the portal's or an app's */
	size_t host_count;
	struct bytes path; /* prefix by whole segments, or empty */
	struct policy_expr *when; /* NULL: always */
	uint16_t pool;
	bool needs_session; /* require: session; there is a gateway then, and a host */
	struct policy_expr *allow; /* of who has one: NULL: everybody */
	struct bytes allow_text;
};
/* --- the gateway: docs/gateway.md --- */
#define CONF_APPS_MAX 1000
#define CONF_LOGO_MAX (64u << 10) /* octets */
#define CONF_ICON_MAX (32u << 10)
/* Sessions that are bound to a key of the device: in the order of the words in keys.tbl. */
enum conf_binding { CONF_BINDING_OFF, CONF_BINDING_PREFER, CONF_BINDING_REQUIRE };
struct conf_field { /* a request field for servers, made from an expression over the session */
	struct bytes name;
	struct policy_expr *value;
};
struct conf_app {
	struct bytes id, name, description, group; /* id: the key under apps: */
	struct bytes host; /* lower case, no wildcard */
	uint16_t pool;
	/* Who may (NULL: everybody whom the gateway's lets in); when a second factor is needed (NULL: when the gateway's says so). Neither needs the
	 * request (policy_needs_request), nor do those of the gateway. */
	struct policy_expr *allow, *mfa;
	struct bytes allow_text, mfa_text; /* as written */
	uint32_t idle_s; /* 0: the portal's */
	enum conf_binding device_binding;
	const struct conf_field *fields;
	size_t field_count;
	bool with_token; /* a signed JSON Web Token in Sluis-Token */
	struct bytes server_host; /* what the app takes itself for: Host, and what its redirects and cookies name; empty: the same as host */
	struct bytes icon, icon_type; /* contents; empty: none */
	struct bytes help; /* for who may not: whom to ask */
	struct conf_mark at;
};
#define CONF_DIRECTORIES_MAX 8
enum conf_ldap_tls { CONF_LDAPS, CONF_STARTTLS, CONF_LDAP_PLAIN };
struct conf_ldap { /* a directory that people sign in from */
	struct bytes name; /* the key under ldap: */
	uint16_t pool;	   /* of its servers: ldap.NAME */
	enum conf_ldap_tls tls;
	struct bytes ca_pem;
	struct bytes bind_dn; /* empty: searches as nobody */
	bool has_password;
	uint16_t secret; /* with has_password: index in conf's secrets */
	struct bytes base, filter;
	struct bytes subject, user_name, display, mail; /* attributes; subject may be "dn" */
	struct bytes groups_attribute, group_base, group_filter, group_name; /* attribute, or base: one is empty */
	bool is_narrowed; /* only these groups are taken */
	const struct bytes *take;
	size_t take_count;
	uint32_t refresh_s, timeout_ms;
	struct conf_mark at;
};
#define CONF_OIDC_MAX 8
enum conf_oidc_auth { CONF_OIDC_BASIC, CONF_OIDC_POST, CONF_OIDC_NONE };
struct conf_oidc { /* a service that people sign in at, by OpenID Connect */
	struct bytes name; /* the key under oidc: */
	uint16_t pool;	   /* oidc.NAME: the issuer's host, then hosts */
	struct bytes issuer, client_id, scope; /* scope: divided by spaces */
	enum conf_oidc_auth client_auth;
	uint16_t secret; /* unless client_auth is none: index in conf's secrets */
	struct bytes name_claim, groups_claim;
	const struct bytes *mfa_values, *algorithms, *take;
	size_t mfa_value_count, algorithm_count, take_count;
	bool is_narrowed; /* only these groups are taken */
	struct bytes ca_pem;
	struct bytes label; /* on the button */
	uint32_t timeout_ms;
};
/* PostgreSQL, for several nodes. */
struct conf_store {
	bool is_shared; /* else the rest is not filled: a file below state_dir */
	struct bytes url, user, database;
	uint16_t pool;	/* of its servers: the first that is the primary is used */
	bool has_tls, has_password;
	struct bytes ca_pem; /* with has_tls */
	uint16_t secret;     /* with has_password: index in conf's secrets */
	uint32_t grace_s;    /* so long known sessions go on without it */
};
/* A text, in the languages of the portal: where only one was written, both are that. */
struct conf_words {
	struct bytes en, nl;
};
struct conf_gateway {
	bool is_on; /* else the rest is not filled */
	struct bytes portal; /* its host */
	uint16_t port; /* as browsers see it: of the first listener with TLS, or `port` */
	struct bytes origin; /* "https://work.example.org[:port]" */
	struct bytes title;
	struct conf_words support, support_hours, notice;
	struct bytes logo, logo_type, colour; /* colour: "#0a5c36", or empty */
	uint32_t idle_s, absolute_s;
	uint32_t keep_forms_s; /* 0: none is kept */
	uint32_t sessions_max;
	enum conf_binding device_binding; /* of the portal, and of routes that ask for a session */
	uint32_t hashers; /* processes that hash passwords */
	uint32_t directories; /* processes that ask directories; of interest where there is one */
	struct conf_store store;
	struct conf_ldap *ldap; /* in the order of asking */
	size_t ldap_count;
	struct conf_oidc *oidc; /* in the order of the buttons */
	size_t oidc_count;
	struct policy_expr *allow, *mfa; /* who may sign in, and go on; when a second factor is needed */
	struct bytes allow_text, mfa_text;
	struct conf_app *apps; /* as they stand in the file */
	size_t app_count;
	const struct conf_app **by_host, **by_id; /* in order, for conf_app_by_...; no app twice */
	struct conf_mark at;
};
struct conf_limits {
	struct http1_limits http;
	uint64_t body_max;
	uint32_t header_ms, body_ms, idle_ms, tunnel_idle_ms, drain_ms;
	uint32_t connections, connections_per_client, requests_per_connection;
};

enum conf_ledger_mode { CONF_LEDGER_COUNTED, CONF_LEDGER_STRICT, CONF_LEDGER_OFF };
struct conf_ledger {
	enum conf_ledger_mode mode;
	uint32_t keep_s;     /* 0: for good */
	uint64_t keep_bytes; /* 0: without limit */
};
struct conf_pack {
	struct bytes name, text;
	struct conf_mark at; /* where it is named; line 0: nowhere, all shipped ones are meant */
};
struct conf_detect {
	bool is_on; /* else the rest is not filled */
	struct bytes layout; /* what the logs are called, for the scan */
	struct conf_pack *packs;
	size_t pack_count;
	struct bytes alerts; /* path */
	uint32_t window_s, per_hour;
};
struct conf_alert_to { /* secrets are read by who uses them; these are names of files */
	struct bytes to, name, secret_file, ca, from, recipient, user, password_file;
	unsigned least; /* 0 trace, 1 attempt, 2 probe, 3 compromise */
	bool in_dutch;
	struct conf_mark at;
};
struct conf_monitor {
	struct bytes *logs, *syslog;
	struct conf_mark *syslog_at;
	size_t log_count, syslog_count;
	struct bytes chain, key, client_ca, state_dir;
	uint32_t window_s, per_hour, keep_s;
	struct conf_alert_to *alerts;
	size_t alert_count;
};
struct conf {
	struct arena arena; /* all below lives in it */
	struct bytes file;  /* the main file's name */
	uint16_t workers;   /* 0: one per core */
	struct bytes user;  /* the users' prefix: "sluis" gives sluis-worker, ...; empty: no change */
	struct bytes state_dir, admin_socket;
	struct addr *resolvers; /* DNS servers; none: the system's */
	size_t resolver_count;
	struct addr admin_address; /* metrics and health; port 0: off */
	struct bytes access_log, error_log; /* paths; empty: off, stderr */
	struct bytes contact; /* on error pages: whom to call */
	struct conf_ledger ledger;
	struct conf_detect detect;
	struct conf_monitor monitor;
	struct conf_gateway gateway;
	struct conf_limits limits;
	struct canon_rules canon;
	struct conf_listener *listeners;
	size_t listener_count;
	struct conf_pool *pools;
	size_t pool_count, server_total;
	struct conf_route *routes;
	size_t route_count;
	struct policy_rule *rules; /* shipped sets first, then own, in order */
	size_t rule_count;
	struct policy_set_def *sets;
	size_t set_count;
	uint16_t rate_limit_count;
	struct bytes *keys; /* paths of private keys, by number */
	struct conf_mark *keys_at; /* where each stands first */
	size_t key_count;
	struct bytes *secrets; /* paths of files with passwords for other services, by number: no part of the bundle */
	struct conf_mark *secrets_at;
	size_t secret_count;
};

/* Reads text (named file in messages). OK, or ERR_SYNTAX with at least one error in *errors (which live in
 * c->arena; call conf_free in both cases). */
enum err conf_load(struct bytes file, struct bytes text, struct conf_source *source, struct conf **out,
	struct conf_errors *errors) MUST_USE;
void conf_free(struct conf **c);
/* The app of that host (lower case, as http_request.host), or of that id; NULL: there is none, or no gateway. No allocation, O(log n). */
const struct conf_app *conf_app_by_host(const struct conf *c, struct bytes host);
/* What demands a second factor at an app, or (NULL) at a route that asks for a session: its own rule, else the gateway's. NULL: nothing does. */
const struct policy_expr *conf_mfa_of(const struct conf_gateway *g, const struct conf_app *app);
const struct conf_app *conf_app_by_id(const struct conf *c, struct bytes id);
const struct conf_ldap *conf_ldap_by_name(const struct conf *c, struct bytes name); /* NULL: there is none */
const struct conf_oidc *conf_oidc_by_name(const struct conf *c, struct bytes name); /* likewise */
/* Adds what a higher room finds wrong with c (tls_check), in file order. hint may be NULL. */
PRINTF(6, 7) void conf_note(struct conf *c, struct conf_errors *errors, struct conf_mark at, bool is_warning, const char *hint,
	const char *fmt, ...);

#endif
