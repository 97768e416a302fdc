/* Reads the verdict files, the inventory, and what comes from an appliance. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/fd.h"
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DATA_MOST     (8u << 20)
#define FINDINGS_MOST (1u << 30)

static bool is_verdict(const char *name, void *ctx)
{
	const char *only = ctx;
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".yaml") == 0 && (!only || (strlen(only) == n - 5 && strncasecmp(name, only, n - 5) == 0));
}

static int read_text(const struct cli *cli, const char *path, size_t most, struct text *out)
{
	enum err e;

	text_init_growing(out, most);
	e = file_read(path, out);
	if (e == ERR_LIMIT)
		return 1 + cli_fail_in(cli, W_ASSESS_TOO_LARGE, path);
	return e == OK ? 0 : 1 + cli_fail_in(cli, W_ASSESS_UNREAD, path, strerror(errno));
}

static int load_table(struct assess_job *j, struct decision *d)
{
	char path[4400], error[DATA_ERROR_MAX] = "";
	struct decision_table *t = NULL;
	struct text text;
	int status;
	enum err e;

	snprintf(path, sizeof(path), "%s/verdicts/tables/%.100s.yaml", j->cli->rules ? j->cli->rules : "rules", d->table_name);
	status = read_text(j->cli, path, DATA_MOST, &text);
	if (status == 0) {
		e = decision_table_read(text_bytes(&text), path, &t, error);
		if (e == OK)
			e = decision_join(d, &t, error);
		if (e != OK)
			status = cli_fail(2, "%s", error[0] ? error : err_name(e));
		decision_table_free(&t);
	}
	text_fini(&text);
	return status;
}

static int load_decision(struct assess_job *j, const char *dir, const char *name)
{
	char path[4400], error[DATA_ERROR_MAX] = "";
	struct decision *d = NULL;
	struct text text;
	int status;
	enum err e;

	snprintf(path, sizeof(path), "%.4000s/%.200s", dir, name);
	status = read_text(j->cli, path, DATA_MOST, &text);
	if (status == 0) {
		e = decision_read(text_bytes(&text), path, &d, error);
		if (e != OK)
			status = cli_fail(2, "%s", error[0] ? error : err_name(e));
	}
	text_fini(&text);
	if (status == 0)
		status = load_table(j, d);
	if (status == 0)
		j->decisions[j->decision_count++] = d;
	else
		decision_free(&d);
	return status;
}

int assess_load_decisions(struct assess_job *j, const char *advisory)
{
	char dir[4200];
	size_t n = 0;
	char **names;
	int status = 0;

	snprintf(dir, sizeof(dir), "%s/verdicts", j->cli->rules ? j->cli->rules : "rules");
	names = names_in(dir, is_verdict, (void *)(uintptr_t)advisory, &n);
	if (!names)
		return 1 + cli_fail_in(j->cli, W_ASSESS_UNREAD, dir, strerror(errno));
	j->decisions = calloc(n + 1, sizeof(struct decision *));
	CHECK(j->decisions);
	for (size_t i = 0; status == 0 && i < n; i++)
		status = load_decision(j, dir, names[i]);
	names_free(names, n);
	if (status == 0 && n == 0)
		return 1 + cli_fail_in(j->cli, W_ASSESS_NO_ADVISORY, advisory ? advisory : "", dir);
	return status;
}

int assess_load_inventory(struct assess_job *j)
{
	char error[DATA_ERROR_MAX] = "";
	struct text text;
	int status;
	enum err e;

	if (!j->given.inventory)
		return 0;
	status = read_text(j->cli, j->given.inventory, DATA_FILE_MAX, &text);
	if (status == 0) {
		e = inventory_read(text_bytes(&text), j->given.inventory, &j->inventory, error);
		if (e != OK)
			status = cli_fail(2, "%s", error[0] ? error : err_name(e));
	}
	text_fini(&text);
	return status;
}

static int load_bundle(struct assess_job *j)
{
	const char *path = j->given.bundle;
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum err e;

	if (fd < 0)
		return 1 + cli_fail_in(j->cli, W_ASSESS_UNREAD, path, strerror(errno));
	e = bundle_read(fd, NULL, &j->bundle);
	j->has_bundle = true;
	if (e == ERR_LIMIT)
		return 1 + cli_fail_in(j->cli, W_ASSESS_TOO_LARGE, path);
	if (e != OK)
		return 1 + cli_fail_in(j->cli, e == ERR_NOT_FOUND ? W_ASSESS_BUNDLE_EMPTY : W_ASSESS_NO_BUNDLE, path);
	if (j->bundle.is_damaged)
		cli_say(j->cli, stderr, W_ASSESS_BUNDLE_CUT, path);
	j->has_bundle_build = bundle_version(&j->bundle, &j->bundle_build);
	return 0;
}

static int load_conf(struct assess_job *j)
{
	const char *path = j->given.ns_conf ? j->given.ns_conf : j->given.bundle;
	int status = 0;
	enum err e;

	if (j->given.ns_conf)
		status = read_text(j->cli, path, NSCONF_BYTES_MAX, &j->conf_text);
	if (status || (!j->given.ns_conf && !j->bundle.has[BUNDLE_NS_CONF]))
		return status;
	e = nsconf_read(j->given.ns_conf ? text_bytes(&j->conf_text) : text_bytes(&j->bundle.files[BUNDLE_NS_CONF]), &j->conf);
	j->has_conf = e == OK;
	if (e == ERR_LIMIT)
		return 1 + cli_fail_in(j->cli, W_ASSESS_TOO_LARGE, path);
	if (e != OK)
		return 1 + cli_fail_in(j->cli, W_ASSESS_NO_CONF, path);
	if (j->conf.damaged)
		cli_say(j->cli, stderr, W_ASSESS_CONF_DAMAGED, path, j->conf.damaged, j->conf.damaged_line);
	return 0;
}

/* {"sluis.class": ...} or {"sluis": {"class": ...}}: ECS is written both ways. */
static const json_t *dotted(const json_t *o, const char *group, const char *name)
{
	char key[64];
	const json_t *v;

	snprintf(key, sizeof(key), "%s.%s", group, name);
	v = json_object_get(o, key);
	return v ? v : json_object_get(json_object_get(o, group), name);
}

static void count(json_t *to, const char *advisory)
{
	json_object_set_new(to, advisory, json_integer(json_integer_value(json_object_get(to, advisory)) + 1));
}

static void take_finding(struct assess_findings *f, const json_t *o)
{
	const char *class = json_string_value(dotted(o, "sluis", "class"));
	const json_t *ids = dotted(o, "vulnerability", "id"), *v;
	size_t i;

	if (!class || json_is_true(dotted(o, "sluis", "own")))
		return;
	if (strcmp(class, "compromise") != 0) {
		f->others++;
		return;
	}
	f->compromises++;
	if (json_is_string(ids))
		count(f->compromised, json_string_value(ids));
	json_array_foreach (ids, i, v)
		if (json_is_string(v))
			count(f->compromised, json_string_value(v));
	if (!ids || (json_is_array(ids) && json_array_size(ids) == 0) || (json_is_string(ids) && !json_string_length(ids)))
		count(f->compromised, "");
}

static int load_findings(struct assess_job *j)
{
	const char *path = j->given.findings;
	FILE *in = path ? fopen(path, "re") : NULL;
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;
	int status = 0;

	if (!path)
		return 0;
	if (!in)
		return 1 + cli_fail_in(j->cli, W_ASSESS_UNREAD, path, strerror(errno));
	j->findings.compromised = json_object();
	while (status == 0 && (len = getline(&line, &cap, in)) > 0) {
		json_t *o = (n++, json_loadb(line, (size_t)len, 0, NULL));

		if (json_is_object(o))
			take_finding(&j->findings, o);
		else if (strspn(line, " \r\n") != (size_t)len)
			status = 1 + cli_fail_in(j->cli, W_ASSESS_NO_FINDINGS, path, (unsigned long long)n);
		json_decref(o);
	}
	if (status == 0 && ferror(in))
		status = 1 + cli_fail_in(j->cli, W_ASSESS_UNREAD, path, strerror(errno));
	j->findings.is_there = true;
	free(line);
	fclose(in);
	return status;
}

static bool has_address(const struct inventory_appliance *a, struct bytes ip)
{
	const json_t *v;
	size_t i;

	json_array_foreach (a->addresses, i, v)
		if (bytes_eq(bytes_of(json_string_value(v), json_string_length(v)), ip))
			return true;
	return false;
}

struct looking {
	const struct inventory *inv;
	const struct inventory_appliance *found;
};

static void on_address(void *ctx, enum nsconf_kind kind, struct bytes name, const char *detail, unsigned line)
{
	struct looking *l = ctx;

	(void)line;
	if (kind != NSCONF_ADDRESS || strcmp(detail, "NSIP") != 0)
		return;
	for (size_t i = 0; i < l->inv->appliance_count; i++)
		if (has_address(&l->inv->appliances[i], name))
			l->found = &l->inv->appliances[i];
}

/* Which appliance the files are of: named, or by its own address or name, or the only one. */
static int find_target(struct assess_job *j)
{
	struct looking l = { .inv = j->inventory };

	if (!j->inventory)
		return j->given.appliance ? 1 + cli_fail_in(j->cli, W_ASSESS_APPLIANCE_NEEDS) : 0;
	for (size_t i = 0; i < j->inventory->appliance_count; i++)
		if (j->given.appliance ? strcmp(j->given.appliance, j->inventory->appliances[i].name) == 0 :
			j->has_conf && j->conf.host_name.len && bytes_eq_nocase(j->conf.host_name, bytes_str(j->inventory->appliances[i].name)))
			l.found = &j->inventory->appliances[i];
	if (j->given.appliance && !l.found)
		return 1 + cli_fail_in(j->cli, W_ASSESS_NO_APPLIANCE, j->given.appliance, j->given.inventory);
	if (!l.found && j->has_conf)
		nsconf_each(&j->conf, on_address, &l);
	if (!l.found && j->inventory->appliance_count == 1)
		l.found = &j->inventory->appliances[0];
	j->target = l.found;
	if (!l.found && (j->has_conf || j->has_bundle || j->findings.is_there || j->given.ns_log))
		return 1 + cli_fail_in(j->cli, W_ASSESS_WHICH);
	return 0;
}

int assess_load_files(struct assess_job *j)
{
	int status = 0;

	if (j->given.bundle)
		status = load_bundle(j);
	if (status == 0 && (j->given.ns_conf || j->given.bundle))
		status = load_conf(j);
	if (status == 0)
		status = load_findings(j);
	return status ? status : find_target(j);
}

static unsigned findings_of(const struct assess_job *j, const struct decision *d)
{
	const struct assess_findings *f = &j->findings;

	if (!f->is_there)
		return FINDINGS_NOT_LOOKED;
	if (json_object_get(f->compromised, d->cve) || json_object_get(f->compromised, ""))
		return FINDINGS_COMPROMISE;
	return f->compromises || f->others ? FINDINGS_OTHER : FINDINGS_NONE;
}

static int run_one(struct assess_job *j, const struct inventory_appliance *a, const struct decision *d)
{
	bool is_target = a == j->target;
	struct assess_input in = { .appliance = a, .inventory = j->inventory };
	struct assess_verdict *v = &j->verdicts[j->verdict_count];
	char error[DATA_ERROR_MAX];

	if (is_target) {
		in.conf = j->has_conf ? &j->conf : NULL;
		in.has_rc = j->has_bundle && j->bundle.has[BUNDLE_RC];
		in.rc = in.has_rc ? text_bytes(&j->bundle.files[BUNDLE_RC]) : bytes_of(NULL, 0);
		in.bundle_build = j->has_bundle_build ? &j->bundle_build : NULL;
		in.findings = findings_of(j, d);
	}
	*v = (struct assess_verdict){ .appliance = a, .decision = d };
	if (assess(d, &in, &v->result, error) != OK) {
		j->errors++;
		return cli_fail(2, "%s", error);
	}
	j->verdict_count++;
	return 0;
}

int assess_run(struct assess_job *j)
{
	size_t n = j->inventory ? j->inventory->appliance_count : 1;

	j->verdicts = calloc(n * j->decision_count + 1, sizeof(*j->verdicts));
	CHECK(j->verdicts);
	for (size_t i = 0; i < n; i++) {
		const struct inventory_appliance *a = j->inventory ? &j->inventory->appliances[i] : NULL;

		if (j->given.appliance && a != j->target)
			continue;
		for (size_t k = 0; k < j->decision_count; k++)
			run_one(j, a, j->decisions[k]);
	}
	return j->errors ? 2 : 0;
}

void assess_fini(struct assess_job *j)
{
	for (size_t i = 0; i < j->decision_count; i++)
		decision_free(&j->decisions[i]);
	free(j->decisions);
	free(j->verdicts);
	inventory_free(&j->inventory);
	if (j->has_bundle)
		bundle_fini(&j->bundle);
	nsconf_fini(&j->conf);
	text_fini(&j->conf_text);
	json_decref(j->findings.compromised);
	memset(j, 0, sizeof(*j));
}
