/* inventory.yaml: customers and their appliances, what is known of each: build, roles, since when exposed, updates, mitigations,
 * certificates. Bytes in, structures out: no file, no clock. docs/assess.md describes the keys. */
#ifndef RESPONSE_INVENTORY_H
#define RESPONSE_INVENTORY_H

#include "base/arena.h"
#include "data/data.h"
#include "response/version.h"

#define INVENTORY_APPLIANCES_MAX 100000u

/* Texts are never NULL: "" where nothing is said. */
struct inventory_customer {
	const char *name, *contact;
	bool has_language;
	unsigned language; /* 0 English, 1 Dutch */
};
struct inventory_update {
	uint64_t on_us;
	bool has_from;
	struct ns_version from, to;
	uint64_t sessions_ended_us; /* all sessions were ended then; 0: not said */
	bool sessions_not_ended;    /* said that they were not */
};
struct inventory_mitigation {
	const char *advisory, *verified; /* verified: how; "": not */
	bool is_never;			 /* it was never mitigated */
	uint64_t on_us;			 /* 0: not said */
	bool has_build;
	struct ns_version build; /* that ran then */
	const json_t *node;
};
struct inventory_certificate {
	const char *name;
	bool is_wildcard;
	const json_t *also_on; /* texts: where else it is in use; NULL */
};
struct inventory_appliance {
	const char *name, *product, *note;
	const struct inventory_customer *customer; /* NULL: none */
	bool is_wanop; /* product: sd-wan-wanop; its edition is NS_WANOP */
	bool has_build, has_edition, has_first_build;
	struct ns_version build, first_build; /* edition included */
	enum ns_edition edition;
	const json_t *addresses, *roles; /* texts; NULL: not said */
	bool never_exposed;
	uint64_t exposed_us; /* since then; 0: not said */
	const struct inventory_update *updates; /* oldest first */
	size_t update_count;
	const struct inventory_mitigation *mitigations;
	size_t mitigation_count;
	const struct inventory_certificate *certificates;
	size_t certificate_count;
	uint64_t users, sessions; /* 0: not said */
	const json_t *node;	  /* for errors */
};
struct inventory {
	struct data *data;
	struct arena arena;
	struct inventory_customer *customers;
	size_t customer_count;
	struct inventory_appliance *appliances;
	size_t appliance_count;
};

/* text may go away afterwards. ERR_SYNTAX with error ("FILE:LINE: what; what to write instead"), ERR_LIMIT, ERR_MEMORY. */
enum err inventory_read(struct bytes text, const char *name, struct inventory **out, char error[DATA_ERROR_MAX]) MUST_USE;
void inventory_free(struct inventory **i);

#endif
