/* Requests for sluis policy test: written in a file of their own, or beside the policies that they test. */
#ifndef CONF_TESTS_H
#define CONF_TESTS_H

#include "conf/conf.h"

enum conf_tls_given { TLS_AS_LISTENER, TLS_NONE, TLS_ON };

struct conf_request {
	struct bytes file;
	unsigned line; /* where it is written */
	struct bytes name;
	struct bytes head; /* as it comes from the wire */
	struct addr client, peer;
	size_t listener; /* conf's index; SIZE_MAX in a rule set */
	enum conf_tls_given tls;
	struct bytes tls_version, sni, cipher, client_subject;
	uint64_t real_us;
	bool has_session;
	struct policy_session session;
	bool has_response;
	uint16_t status;
	struct http_field *fields; /* of the response */
	size_t field_count;
	/* A policy's own test: that policy must hold, or must not. */
	struct bytes policy;
	bool must_hit;
	/* A request's expectations. */
	bool is_expected;
	struct bytes decision, path; /* empty: whatever */
	bool names_policies;
	const struct bytes *policies;
	size_t policy_count;
};
struct conf_requests {
	struct conf_request *list;
	size_t count;
};

/* Whether text is a rule set: a list of whole rules, not of names. */
bool conf_is_rule_set(struct bytes text);
/* A rule set alone, as conf_load; limits have their defaults, and paths are kept as raw as they can be. */
enum err conf_load_rule_set(struct bytes file, struct bytes text, struct conf_source *source, struct conf **out,
	struct conf_errors *errors) MUST_USE;
/* The tests beside the policies of the file that c was loaded from; is_rule_set: which kind of file. All of it lives
 * as long as c. */
enum err conf_load_tests(struct conf *c, struct bytes file, struct bytes text, bool is_rule_set, struct conf_requests *out,
	struct conf_errors *errors) MUST_USE;
/* A file of requests. */
enum err conf_load_requests(struct conf *c, struct bytes file, struct bytes text, struct conf_requests *out,
	struct conf_errors *errors) MUST_USE;

#endif
