#!/usr/bin/env python3
"""Writes docs/configuration.md and docs/sluis.schema.json from src/conf/keys.tbl, docs/events.md and docs/metrics.md
from their tables, and the manual pages in docs/man from these and src/cli/commands.tbl: the files that the programs
are built from. --check: fails when they differ."""
import json
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[1]
STRING = r'"((?:[^"\\]|\\.)*)"'


def text(s):
    return s.replace('\\"', '"').replace("\\\\", "\\")


def rows(path, pattern):
    found = [tuple(text(g) for g in m.groups()) for m in re.finditer(pattern, (root / path).read_text(), re.M)]
    assert found, path
    return found


KEYS = rows("src/conf/keys.tbl", rf'^KEY\((\w+), {STRING}, (\w+), {STRING}, {STRING}, {STRING}, {STRING}\)')
EVENTS = rows("src/base/events.tbl", rf'^EVENT\(\w+,\s*{STRING},\s*(\w+),\s*{STRING}\)')
METRICS = rows("src/board/metrics.tbl", rf'^METRIC\(\w+,\s*{STRING},\s*(\w+),\s*{STRING},\s*{STRING}\)')

LEDGER_METRICS = rows("src/board/ledger_metrics.tbl", rf'^LEDGER_METRIC\(\w+,\s*{STRING},\s*(\w+),\s*{STRING}\)')
FIELDS = rows("src/policy/fields.tbl", rf'^POLICY_FIELD\(\w+,\s*{STRING},\s*POLICY_(\w+),\s*{STRING}\)')
FUNCTIONS = rows("src/policy/functions.tbl", rf'^POLICY_FUNCTION\({STRING}, \w+, POLICY_(\w+), \d+, \d+, \w+, {STRING}, {STRING}, {STRING}\)')

PLACES = {"top": "", "admin": "admin", "log": "log", "limits": "limits", "canonical": "canonical", "set": "sets.NAME",
          "listener": "listeners.NAME", "listener_tls": "listeners.NAME.tls",
          "certificate": "listeners.NAME.tls.certificates[]",
          "client_certificates": "listeners.NAME.tls.client_certificates", "pool": "pools.NAME",
          "server": "pools.NAME.servers[]", "check": "pools.NAME.check", "eject": "pools.NAME.eject",
          "retry": "pools.NAME.retry", "pool_tls": "pools.NAME.tls", "route": "routes[]", "policy": "policies[]",
          "policy_tests": "policies[].tests", "gateway": "gateway", "support": "gateway.support", "support_hours": "gateway.support_hours", "notice": "gateway.notice", "ldap": "gateway.ldap.NAME", "oidc": "gateway.oidc.NAME", "app": "gateway.apps.ID",
          "detect": "detect", "monitor": "monitor", "alert": "monitor.alerts[]", "rule_set": "a rule set (rules/NAME.yaml)",
          "request_file": "requests for sluis policy test", "request": "requests[]", "request_session": "requests[].session", "request_response": "requests[].response",
          "expect": "requests[].expect"}
TYPES = {"NUMBER": "number", "STRING": "text", "SIZE": "size", "TIME": "time", "BOOL": "true or false", "MAP": "map",
         "LIST": "list", "STRINGS": "text or list"}


def cell(s):
    return s.replace("|", "\\|")


def range_words(spec):
    """LEAST..MOST, or words divided by |, for people."""
    return spec.replace("..", " to ") if ".." in spec else ", ".join(f"`{w}`" for w in spec.split("|") if w)


def limited(value, kind, spec):
    """The range as the schema says it. YAML reads an unquoted 1.2 as a number, so that is allowed too."""
    if kind == "NUMBER" and ".." in spec:
        least, most = spec.split("..")
        return {**value, "minimum": int(least), "maximum": int(most)}
    if kind == "STRING" and spec:
        words = spec.split("|")
        return {"enum": words + [float(w) for w in words if w[0].isdigit()]}
    return value


def reference():
    out = ["# Configuration reference", "",
           "Generated from `src/conf/keys.tbl`, the table that the parser uses. One YAML file; `sluis check FILE` names every",
           "mistake in one run as `file:line:column`. Sizes are written `16k`, `10m`, `1g`; times `500ms`, `10s`, `5m`, `1h`, `30d`.",
           "Relative paths are taken from the file's folder. Aliases are not allowed. Expressions are described in `policy.md`.", ""]
    for section, place in PLACES.items():
        out += [f"## {place or 'top level'}", "", "| key | type | default | range | what it is | example |", "|---|---|---|---|---|---|"]
        for s, name, kind, fallback, spec, doc, example in KEYS:
            if s == section:
                out.append(f"| `{name}` | {TYPES[kind]} | {'`' + cell(fallback) + '`' if fallback else ''} | {range_words(spec)} | {cell(doc)} | "
                           f"{'`' + cell(example) + '`' if example else ''} |")
        out.append("")
    return "\n".join(out)


def schema():
    nested = {("top", "admin"): "admin", ("top", "log"): "log", ("top", "limits"): "limits", ("top", "canonical"): "canonical",
              ("listener", "tls"): "listener_tls", ("listener_tls", "client_certificates"): "client_certificates",
              ("pool", "check"): "check", ("pool", "eject"): "eject", ("pool", "retry"): "retry", ("pool", "tls"): "pool_tls", ("policy", "tests"): "policy_tests",
              ("top", "detect"): "detect", ("top", "monitor"): "monitor", ("top", "gateway"): "gateway"}
    named = {("top", "sets"): "set", ("top", "listeners"): "listener", ("top", "pools"): "pool", ("gateway", "apps"): "app", ("gateway", "ldap"): "ldap", ("gateway", "oidc"): "oidc"}
    lists = {("top", "routes"): "route", ("top", "policies"): "policy", ("listener_tls", "certificates"): "certificate"}
    short = {("pool", "servers"): "server", ("monitor", "alerts"): "alert"}  # a text, or a map with more
    either = {("gateway", key): key for key in ("support", "support_hours", "notice")}
    simple = {"NUMBER": {"type": "integer", "minimum": 0}, "STRING": {"type": ["string", "number"]},
              "SIZE": {"type": ["string", "integer"], "pattern": "^[0-9]+[kmg]?$"},
              "TIME": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}, "BOOL": {"type": "boolean"}, "MAP": {"type": "object"},
              "LIST": {}, "STRINGS": {}}

    def section(name):
        props = {}
        for s, key, kind, _fallback, spec, doc, _example in KEYS:
            if s != name:
                continue
            if (s, key) in nested:
                value = dict(section(nested[s, key]))
            elif (s, key) in named:
                value = {"type": "object", "additionalProperties": section(named[s, key])}
            elif (s, key) in lists:
                value = {"type": "array", "items": section(lists[s, key])}
            elif (s, key) in short:
                value = {"type": "array", "items": {"anyOf": [{"type": "string"}, section(short[s, key])]}}
            elif (s, key) in either:
                value = {"anyOf": [{"type": "string"}, section(either[s, key])]}
            else:
                value = limited(simple[kind], kind, spec)
            props[key] = {"description": doc, **value}
        return {"type": "object", "additionalProperties": False, "properties": props}

    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Sluis configuration", **section("top")},
                      indent=1) + "\n"


def events():
    out = ["# Events of the error log", "", "Generated from `src/base/events.tbl`. One line per event: time, level, process, event, then",
           "key=value pairs; what peers sent is quoted.", "", "| event | level | what it means |", "|---|---|---|"]
    return "\n".join(out + [f"| `{n}` | {level.lower()} | {cell(doc)} |" for n, level, doc in EVENTS]) + "\n"


def metrics():
    out = ["# Metrics", "", "Generated from `src/board/metrics.tbl` and `ledger_metrics.tbl`; per-server series (`sluis_server_*`), latency",
           "(`sluis_request_duration_seconds`) and certificate expiry (`sluis_certificate_expiry_seconds`) come on top of these.", "",
           "| metric | type | what it is |", "|---|---|---|"]
    all_of_them = [(n, kind, doc) for n, kind, _labels, doc in METRICS] + LEDGER_METRICS
    all_of_them += [("sluis_store_up", "gauge", "With a gateway: 1 while users and sessions can be asked for; 0: the PostgreSQL that nodes share is lost (docs/gateway.md).")]
    return "\n".join(out + [f"| `{n}` | {kind} | {cell(doc)} |" for n, kind, doc in all_of_them]) + "\n"


POLICY_TYPES = {"BOOL": "true or false", "INT": "number", "STRING": "string", "ADDRESS": "address"}


def policy():
    """docs/policy.md is written by hand but for its tables of fields and functions."""
    fields = ["| Field | Type | What it is |", "|---|---|---|"]
    fields += [f"| `{n}` | {POLICY_TYPES[kind]} | {cell(doc)} |" for n, kind, doc in FIELDS]
    functions = ["| Function | Gives | What it is | Example |", "|---|---|---|---|"]
    functions += [f"| `{cell(signature)}` | {POLICY_TYPES[kind]} | {cell(doc)} | `{cell(example)}` |"
                  for _, kind, signature, doc, example in FUNCTIONS]
    out = (root / "docs/policy.md").read_text()
    for name, table in (("fields", fields), ("functions", functions)):
        out, n = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _: f"<!-- {name} -->\n" + "\n".join(table) + "\n<!-- end -->",
                         out, flags=re.S)
        assert n == 1, f"docs/policy.md has no place for the {name}"
    return out


pages = {"docs/policy.md": policy(), "docs/configuration.md": reference(), "docs/sluis.schema.json": schema(), "docs/events.md": events(), "docs/metrics.md": metrics()}


# --- manual pages ---

COMMANDS = rows("src/cli/commands.tbl", rf'^(?:COMMAND\(|COMMAND_AS\(\w+, ")([\w-]+)"?, {STRING}, {STRING}, {STRING}, {STRING}, {STRING}\)')


def roff(s):
    """Text as troff takes it: no line begins a request, no escape is meant."""
    s = s.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + s if s.startswith(".") else s


def page(name, section, title):
    version = (root / "VERSION").read_text().strip()
    return [".\\\" Made by docs/generate.py from the tables that the programs are built from.",
            f'.TH {name.upper()} {section} "" "Sluis {version}" "{title}"']


def section(out, name, *text):
    out += [f".SH {name}", *text]


def see_also(out, *names):
    section(out, "SEE ALSO", " ,\n".join(f".BR {n} ({s})" for n, s in names))


def words_about(args):
    """POOL/SERVER and the like in italics, the rest as it is."""
    return "".join(f"\\fI{roff(w)}\\fR" if re.fullmatch(r"[A-Z]+", w) else roff(w) for w in re.split(r"([A-Z]+)", args))


def man_sluis():
    out = page("sluis", 1, "User commands")
    section(out, "NAME", "sluis \\- check configurations of the Sluis application delivery controller, run it and tell it what to do")
    section(out, "SYNOPSIS", ".B sluis", "[\\fB\\-c\\fR \\fIFILE\\fR] [\\fB\\-s\\fR \\fISOCKET\\fR] \\fICOMMAND\\fR ...")
    section(out, "DESCRIPTION", roff("Commands that ask the running sluisd do so over its admin socket, which its user and root may open."))
    section(out, "COMMANDS")
    for name, args, short, more, options, example in COMMANDS:
        out += [".TP", f"\\fBsluis {roff(name)}\\fR {words_about(args)}".rstrip(), roff(more or short.capitalize() + ".")]
        for option in options.split("\\n") if options else []:
            what, meaning = option.split("\\t")
            out += [".RS", ".TP", f"\\fB{roff(what.split(' ')[0])}\\fR {words_about(' '.join(what.split(' ')[1:]))}".rstrip(),
                    roff(meaning[0].upper() + meaning[1:] + "."), ".RE"]
        out += [".IP", f"Example: \\fB{roff(example)}\\fR"]
    section(out, "OPTIONS")
    for what, meaning in (("-c, --config FILE", "The configuration; its admin.socket is where sluisd is asked."),
                          ("-s, --socket SOCKET", "Ask sluisd there."), ("--rules DIR", "Where the shipped rules are."),
                          ("--json", "Answer as JSON, where a command has an answer.")):
        out += [".TP", f"\\fB{roff(what)}\\fR", roff(meaning)]
    section(out, "ENVIRONMENT", ".TP", ".B SLUIS_SOCKET", roff("The socket when neither -s nor -c is given; without it, /run/sluis/admin.sock."))
    section(out, "EXIT STATUS", roff("0: done. 1: it failed, and standard error says why. 2: wrongly called."))
    see_also(out, ("sluisd", 8), ("sluis.yaml", 5))
    return "\n".join(out) + "\n"


def man_sluisd():
    out = page("sluisd", 8, "System administration")
    section(out, "NAME", "sluisd \\- application delivery controller")
    section(out, "SYNOPSIS", ".B sluisd", "\\fB\\-c\\fR \\fIFILE\\fR [\\fB\\-\\-rules\\fR \\fIDIR\\fR]")
    section(out, "DESCRIPTION", roff("sluisd balances HTTP over servers. It reads the configuration, opens listening sockets and starts "
            "sluis-worker (one per core: the network), sluis-keeper (private keys), sluis-dialer (connections to servers), "
            "sluis-prober (health checks), sluis-scribe (the ledger), with detect: on sluis-watcher (signs of an attack in requests), and with gateway: sluis-identity (users and sessions) and sluis-hasher (passwords), with gateway.ldap sluis-directory (people of directories). Each of them confines itself to what it needs before the first byte from outside "
            "reaches it. sluisd stays in the foreground and logs to standard error unless log.error names a file."))
    section(out, "OPTIONS")
    for what, meaning in (("-c, --config FILE", "The configuration."), ("--rules DIR", "Where the shipped rules are."),
                          ("--version", "Print the version.")):
        out += [".TP", f"\\fB{roff(what)}\\fR", roff(meaning)]
    section(out, "SIGNALS")
    for what, meaning in (("SIGHUP", "Take the configuration file anew, like sluis reload."),
                          ("SIGUSR1", "Open the log files anew, like sluis reopen."),
                          ("SIGTERM, SIGINT", "End: accept no more, let connections end within limits.drain_time. Again: at once.")):
        out += [".TP", f".B {roff(what)}", roff(meaning)]
    section(out, "ENVIRONMENT", ".TP", ".B NOTIFY_SOCKET", roff("Set by systemd: sluisd says there when it serves, reloads and stops."))
    section(out, "USERS", roff("Started as root with user: PREFIX in the configuration, the processes run as PREFIX-worker, PREFIX-keeper, "
            "PREFIX-dialer, PREFIX-prober, PREFIX-scribe, PREFIX-watcher, PREFIX-identity and PREFIX-hasher; without it as nobody. The file of alerts is given to the "
            "group PREFIX-monitor where there is one, so that sluis monitor reads it as another user. The Debian package makes sluis-worker and the others."))
    section(out, "FILES")
    for what, meaning in (("/etc/sluis/sluis.yaml", "The configuration of the Debian package."), ("/run/sluis/admin.sock", "The admin socket."),
                          ("/var/lib/sluis/history", "Configurations that were in use."), ("/var/lib/sluis/identity", "Users and sessions."), ("/var/lib/sluis/tokens.key", "The private key that signs tokens for servers."), ("/var/lib/sluis/alerts.jsonl", "Alerts of detect:."), ("/var/log/sluis", "Logs."),
                          ("/usr/share/sluis/rules", "Shipped rules.")):
        out += [".TP", f".I {roff(what)}", roff(meaning)]
    section(out, "EXIT STATUS", roff("0: ended as told. 1: it could not start, and the log says why. 2: wrongly called."))
    section(out, "EVENTS", roff("Lines of the error log are: time, level, process, event, then key=value pairs."))
    for name, level, doc in EVENTS:
        out += [".TP", f"\\fB{roff(name)}\\fR ({level.lower()})", roff(doc)]
    see_also(out, ("sluis", 1), ("sluis.yaml", 5))
    return "\n".join(out) + "\n"


def man_yaml():
    out = page("sluis.yaml", 5, "File formats")
    section(out, "NAME", "sluis.yaml \\- configuration of the Sluis application delivery controller")
    section(out, "DESCRIPTION", roff("One YAML file. Sizes are written 16k, 10m, 1g; times 500ms, 10s, 5m, 1h, 30d. Relative paths are taken from "
            "the file's folder. Aliases are not allowed. sluis check FILE names every mistake in one run."))
    section(out, "EXAMPLE", ".nf", *[roff(line) for line in EXAMPLE.splitlines()], ".fi")
    for name, place in PLACES.items():
        keys = [k for k in KEYS if k[0] == name]
        if not keys:
            continue
        section(out, roff(place) if place else "TOP LEVEL")
        for _, key, kind, fallback, spec, doc, _example in keys:
            limits = range_words(spec).replace("`", "")
            facts = [TYPES[kind]] + ([limits] if limits else []) + ([f"default {fallback}"] if fallback else [])
            out += [".TP", f"\\fB{roff(key)}\\fR ({roff('; '.join(facts))})", roff(doc.replace("docs/", "/usr/share/doc/sluis/"))]
    see_also(out, ("sluis", 1), ("sluisd", 8))
    return "\n".join(out) + "\n"


EXAMPLE = """\
listeners:
  web:
    address: 0.0.0.0:443
    tls:
      certificates:
        - {chain: site.pem, key: site.key}
pools:
  app:
    servers: [10.0.0.11:8080, 10.0.0.12:8080]
    check: {http: /health}
rules: [netscaler]
"""
pages.update({"docs/man/sluis.1": man_sluis(), "docs/man/sluisd.8": man_sluisd(), "docs/man/sluis.yaml.5": man_yaml()})
bad = 0
for path, content in pages.items():
    if "--check" in sys.argv:
        if not (root / path).exists() or (root / path).read_text() != content:
            print(f"{path} differs from the tables: run docs/generate.py")
            bad = 1
    else:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(content)
sys.exit(bad)
