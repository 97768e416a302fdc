/* What sluis check finds in detect: and monitor: beyond their form: packs that the watcher would refuse, and listeners and destinations
 * that sluis monitor would. What only a file of the monitor's own lacks is a warning: the front door serves without it. */
#define _GNU_SOURCE
#include "cli/check_priv.h"

#include "cli/monitor_priv.h"
#include "data/data.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct seen {
	struct conf *conf;
	struct conf_errors *errors;
	const char *file;
};

static struct conf_mark place(struct conf_mark at)
{
	return at.line ? at : (struct conf_mark){ 1, 1 };
}

/* --- detect: --- */

static bool add_packs(const struct seen *s, struct hunt_rules *rules, const struct hunt_layout *layout)
{
	const struct conf_detect *d = &s->conf->detect;
	char error[DATA_ERROR_MAX] = "", name[300];
	bool all = true;

	for (size_t i = 0; i < d->pack_count; i++) {
		snprintf(name, sizeof(name), "%.*s", FMT(bytes_cut(d->packs[i].name, 0, sizeof(name) - 1)));
		if (hunt_rules_add(rules, layout, d->packs[i].text, name, error) == OK)
			continue;
		conf_note(s->conf, s->errors, place(d->packs[i].at), false, "correct it, or take it out of packs", "this pack cannot be used: %s", error);
		all = false;
	}
	return all;
}

static void check_packs(const struct seen *s)
{
	struct hunt_rules *rules = hunt_rules_new();
	struct hunt_layout *layout = NULL;
	char error[DATA_ERROR_MAX] = "";

	CHECK(rules);
	if (hunt_layout_read(s->conf->detect.layout, "layout/netscaler.yaml", &layout, error) != OK)
		conf_note(s->conf, s->errors, place((struct conf_mark){ 0 }), false, "--rules DIR says where the shipped rules are", "%s", error);
	else if (add_packs(s, rules, layout) && hunt_rules_compile_web(rules, layout, error) != OK)
		conf_note(s->conf, s->errors, place(s->conf->detect.pack_count ? s->conf->detect.packs[0].at : (struct conf_mark){ 0 }), false,
			"take packs out", "these packs cannot be used together: %s", error);
	hunt_rules_free(&rules);
	hunt_layout_free(&layout);
}

/* --- monitor: --- */

static void check_listeners(const struct seen *s)
{
	const struct conf_monitor *o = &s->conf->monitor;
	struct monitor_listen l;
	char url[300];

	for (size_t i = 0; i < o->syslog_count; i++) {
		snprintf(url, sizeof(url), "%.*s", FMT(bytes_cut(o->syslog[i], 0, sizeof(url) - 1)));
		if (monitor_listen_parse(url, &l) != OK)
			conf_note(s->conf, s->errors, o->syslog_at[i], false,
				"write udp://ADDRESS:PORT, tcp://ADDRESS:PORT or tls://ADDRESS:PORT, such as udp://0.0.0.0:514", "syslog: '%s' is no place to listen", url);
		else if (l.transport == MONITOR_TLS && (o->chain.len == 0 || o->key.len == 0))
			conf_note(s->conf, s->errors, o->syslog_at[i], false, "write chain: FILE and key: FILE below monitor:", "syslog: tls:// needs a certificate");
	}
}

/* Who may not read a file has nothing to say about it: the monitor will. */
static bool is_missing(const char *path)
{
	return *path && access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static void check_files(const struct seen *s, const struct conf_alert_to *a, const struct deliver_to *to)
{
	struct bytes secret = to->kind == DELIVER_MAIL ? a->password_file : a->secret_file;
	char path[4200];

	monitor_path(s->file, secret, path, sizeof(path));
	if (is_missing(path))
		conf_note(s->conf, s->errors, a->at, true, "sluis monitor does not start without it", "the secret '%s' does not exist", path);
	if (is_missing(to->ca))
		conf_note(s->conf, s->errors, a->at, true, "sluis monitor does not start without it", "the file of authorities '%s' does not exist", to->ca);
}

static void check_destination(const struct seen *s, const struct conf_alert_to *a, struct deliver_to *to)
{
	char error[DELIVER_ERROR_MAX] = "";

	if (monitor_to_fill(s->file, a, to, error) != OK) {
		conf_note(s->conf, s->errors, a->at, false, NULL, "%s", error);
		return;
	}
	check_files(s, a, to);
	to->ca[0] = 0;
	to->secret_len = a->password_file.len || a->secret_file.len; /* whatever it is */
	to->secret[0] = 'x';
	if (deliver_to_check(to, error) != OK)
		conf_note(s->conf, s->errors, a->at, false, NULL, "%s", error);
}

static void check_destinations(const struct seen *s)
{
	static struct deliver_to tos[DELIVER_TOS_MAX];
	const struct conf_monitor *o = &s->conf->monitor;

	for (size_t i = 0; i < o->alert_count; i++) {
		if (i == DELIVER_TOS_MAX) {
			conf_note(s->conf, s->errors, o->alerts[i].at, false, "take some out", "alerts: more than %d destinations", DELIVER_TOS_MAX);
			return;
		}
		check_destination(s, &o->alerts[i], &tos[i]);
		for (size_t k = 0; k < i; k++)
			if (*tos[i].name && strcmp(tos[i].name, tos[k].name) == 0)
				conf_note(s->conf, s->errors, o->alerts[i].at, false, "give each a name: of its own",
					"two destinations are called '%s'", tos[i].name);
	}
}

enum err check_detect(struct conf *conf, struct conf_errors *errors, const char *file)
{
	const struct seen s = { conf, errors, file };

	if (conf->detect.is_on)
		check_packs(&s);
	check_listeners(&s);
	check_destinations(&s);
	return errors->errors ? ERR_SYNTAX : OK;
}
