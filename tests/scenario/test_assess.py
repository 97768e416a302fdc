"""sluis assess, notify and mitigate through the command line: every row of the shipped tables, bundles and ns.conf files made here,
a mail server with STARTTLS, and a running Sluis that gets a rule set with a way back."""
import email
import email.policy
import glob
import gzip
import io
import json
import os
import stat
import subprocess
import tarfile

import jsonschema
import pytest
import yaml

import appliance
from alert_servers import MailServer
from harness import BUILD, RELEASE, ROOT, Nginx, Sluis, free_port, get, wait_for

VERDICTS = os.path.join(ROOT, "rules", "verdicts")
ADVISORIES = sorted(glob.glob(VERDICTS + "/*.yaml"))
TABLES = sorted(glob.glob(VERDICTS + "/tables/*.yaml"))
OF_TABLE = {"mitigation": "CVE-2019-19781", "takeover": "CVE-2025-6543", "sessions": "CVE-2025-5777"}


def texts(path):
    """YAML as Sluis reads it: all scalars are texts."""
    with open(path) as f:
        return yaml.load(f, yaml.BaseLoader)


def sluis(*args, status=None, build=BUILD):
    r = subprocess.run([build + "/sluis", *map(str, args)], capture_output=True, text=True, timeout=120, env=dict(os.environ, LC_ALL="C", ASAN_OPTIONS="detect_leaks=0"))
    assert "Sanitizer" not in r.stderr, r.stderr
    assert status is None or r.returncode == status, (r.returncode, r.stdout[-2000:], r.stderr)
    return r


def assess(tmp_path, appliances, *args, status=None, customers=(), build=BUILD):
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump({"customers": list(customers), "appliances": appliances}))
    r = sluis("assess", "--inventory", path, "--json", *args, status=status, build=build)
    return json.loads(r.stdout)["appliances"] if r.stdout else r


def schema(name):
    with open(os.path.join(ROOT, "rules", "schema", name + ".schema.json")) as f:
        return json.load(f)


@pytest.mark.parametrize("path", ADVISORIES + TABLES, ids=os.path.basename)
def test_shipped_files_keep_to_their_schema(path):
    content = texts(path)
    jsonschema.Draft7Validator.check_schema(schema("verdict"))
    jsonschema.validate(content, schema("verdict-table" if path in TABLES else "verdict"))
    assert content.get("cve", content.get("table")) == os.path.basename(path)[:-5]


def test_there_are_six_advisories_and_their_builds():
    """The builds of the vendor's bulletins, typed here a second time."""
    want = {"CVE-2019-19781": "10.5-70.12 11.1-63.15 12.0-63.13 12.1-55.18 13.0-47.24",
            "CVE-2023-3519": "13.1-49.13 13.0-91.13 13.1-FIPS_37.159 12.1-FIPS_55.297",
            "CVE-2023-4966": "14.1-8.50 13.1-49.15 13.0-92.19 13.1-FIPS_37.164 12.1-FIPS_55.300",
            "CVE-2025-5777": "14.1-43.56 13.1-58.32 13.1-FIPS_37.235 12.1-FIPS_55.328",
            "CVE-2025-6543": "14.1-47.46 13.1-59.19 13.1-FIPS_37.236",
            "CVE-2025-7775": "14.1-47.48 13.1-59.22 13.1-FIPS_37.241 12.1-FIPS_55.330"}
    assert {os.path.basename(p)[:-5] for p in ADVISORIES} == set(want)
    for cve, builds in want.items():
        fixed = {line.get("fixed", "").replace(" ", "_") for line in texts(f"{VERDICTS}/{cve}.yaml")["lines"]}
        assert set(builds.split()) <= fixed, cve


def inventories():
    """Every inventory of the documentation, the seeds of the fuzz target and the other scenarios."""
    with open(os.path.join(ROOT, "docs", "assess.md")) as f:
        for i, block in enumerate(b.split("```")[0] for b in f.read().split("```yaml\n")[1:]):
            if "appliances:" in block:
                yield pytest.param(block, id=f"assess.md-{i}")
    for name in sorted(os.listdir(SEEDS)):
        with open(os.path.join(SEEDS, name)) as f:
            yield pytest.param(f.read(), id="seed-" + name)
    yield pytest.param(appliance.INVENTORY, id="appliance.py")
    for path in TABLES:
        for row in texts(path)["rows"]:
            if not isinstance(row["example"], str):
                one = {k: v for k, v in row["example"].items() if k != "findings"}
                yield pytest.param(yaml.safe_dump({"appliances": [dict(one, name="a")]}), id=f"{os.path.basename(path)}-{row['name']}")


SEEDS = os.path.join(ROOT, "tests", "fuzz", "seeds", "inventory")


def both(tmp_path, text):
    """Whether the schema and whether the program take it."""
    (tmp_path / "i.yaml").write_text(text)
    r = sluis("assess", "--inventory", tmp_path / "i.yaml", "--advisory", "CVE-2019-19781")
    errors = list(jsonschema.Draft7Validator(schema("inventory")).iter_errors(texts(tmp_path / "i.yaml")))
    return not errors, r.returncode != 2, f"{errors[:2]}\n{r.stderr}"


@pytest.mark.parametrize("text", inventories())
def test_inventories_pass_in_schema_and_program(tmp_path, text):
    in_schema, in_program, why = both(tmp_path, text)
    assert in_schema and in_program, why


ONE = {"name": "a"}


@pytest.mark.parametrize("content", [pytest.param(c, id=i) for i, c in {
    "no appliances": {"customers": []}, "an unknown key": {"appliances": [], "more": "x"}, "appliances that are no list": {"appliances": "a"},
    "an appliance without a name": {"appliances": [{"build": "13.0-47.24"}]}, "an empty name": {"appliances": [{"name": ""}]},
    "an unknown key of an appliance": {"appliances": [dict(ONE, builds="13.0-47.24")]}, "another product": {"appliances": [dict(ONE, product="bigip")]},
    "another edition": {"appliances": [dict(ONE, edition="gold")]}, "roles that are a text": {"appliances": [dict(ONE, roles="gateway")]},
    "an empty role": {"appliances": [dict(ONE, roles=[""])]}, "an empty build": {"appliances": [dict(ONE, build="")]},
    "a date in another order": {"appliances": [dict(ONE, exposed_since="01-02-2020")]}, "a word for a date": {"appliances": [dict(ONE, exposed_since="always")]},
    "an update without a day": {"appliances": [dict(ONE, updates=[{"to": "13.0-47.24"}])]}, "an update to nothing": {"appliances": [dict(ONE, updates=[{"on": "2020-01-25"}])]},
    "an update on no day": {"appliances": [dict(ONE, updates=[{"on": "never", "to": "13.0-47.24"}])]},
    "an unknown key of an update": {"appliances": [dict(ONE, updates=[{"on": "2020-01-25", "to": "13.0-47.24", "by": "me"}])]},
    "sessions ended perhaps": {"appliances": [dict(ONE, updates=[{"on": "2020-01-25", "to": "13.0-47.24", "sessions_ended": "yes"}])]},
    "a mitigation of nothing": {"appliances": [dict(ONE, mitigations=[{"on": "2020-01-08"}])]},
    "an unknown key of a mitigation": {"appliances": [dict(ONE, mitigations=[{"advisory": "CVE-2019-19781", "at": "2020-01-08"}])]},
    "a certificate without a name": {"appliances": [dict(ONE, certificates=[{"wildcard": "true"}])]},
    "a wildcard perhaps": {"appliances": [dict(ONE, certificates=[{"name": "x", "wildcard": "maybe"}])]},
    "users in words": {"appliances": [dict(ONE, users="many")]}, "fewer than no users": {"appliances": [dict(ONE, users="-1")]},
    "a customer without a name": {"customers": [{"language": "nl"}], "appliances": []}, "another language": {"customers": [{"name": "c", "language": "de"}], "appliances": []},
    "no mail address": {"customers": [{"name": "c", "contact": "here"}], "appliances": []},
    "two mail addresses": {"customers": [{"name": "c", "contact": "a@example.org, b@example.org"}], "appliances": []},
    "an unknown key of a customer": {"customers": [{"name": "c", "mail": "a@example.org"}], "appliances": []}}.items()])
def test_wrong_inventories_are_refused_by_schema_and_program(tmp_path, content):
    in_schema, in_program, why = both(tmp_path, yaml.safe_dump(content))
    assert (in_schema, in_program) == (False, False), why


def row_cases():
    for path in TABLES:
        table = texts(path)
        for row in table["rows"]:
            if not isinstance(row["example"], str):
                yield pytest.param(OF_TABLE[table["table"]], row, id=f"{table['table']}-{row['name']}")


@pytest.mark.parametrize("cve,row", row_cases())
def test_every_row_decides_about_its_example(tmp_path, cve, row):
    """What the rows say is data: the release build reads it as well, and sooner."""
    example = dict(row["example"])
    args = ["--advisory", cve]
    if "findings" in example:
        (tmp_path / "hunt.jsonl").write_text(json.dumps({"sluis.class": example.pop("findings"), "rule.id": "x"}) + "\n")
        args += ["--findings", tmp_path / "hunt.jsonl"]
    [a] = assess(tmp_path, [dict(example, name="a")], *args, build=RELEASE)
    [v] = a["advisories"]
    assert (v["row"], v["verdict"]) == (row["name"], row["verdict"]), v["facts"]
    assert v["reasons"] and v["next"] and v["sources"] and v["dates"]["exploit_public"] and v["why"]
    assert v["missing"] or v["verdict"] != "cannot_tell"


# Rows to which no shipped advisory leads: what to change in one, and the appliance that the row then decides about.
UNREACHED = {
    ("mitigation", "not-affected"): (lambda d: d["lines"].append({"line": "9.3", "state": "not_affected", "source": "vendor"}), {"build": "9.3-1.1"}),
    ("mitigation", "precondition-unmet"): (
        lambda d: d.update(precondition={"what": {"en": "A gateway.", "nl": "Een gateway."}, "source": "vendor", "roles": {"meet": ["gateway"]},
                                         "ns_conf": {"command": "add vpn vserver"}}), {"build": "13.0-47.22", "roles": ["other"], "exposed_since": "2019-01-01"}),
    ("sessions", "not-affected"): (lambda d: d["lines"].append({"line": "9.3", "state": "not_affected", "source": "vendor"}), {"build": "9.3-1.1"}),
    ("takeover", "updated-in-time"): (
        lambda d: d.update(exploit_public="2025-07-10", abused_before_fix="false"),
        {"roles": ["gateway"], "exposed_since": "2023-01-01", "updates": [{"on": "2025-06-26", "to": "13.1-59.19"}]})}


def test_every_row_has_an_example_or_says_why_not():
    without = set()
    for path in TABLES:
        table = texts(path)
        for row in table["rows"]:
            if isinstance(row["example"], str):
                assert row["example"].startswith("none: ") and len(row["example"]) > 40, (path, row["name"])
                without.add((table["table"], row["name"]))
            else:
                assert row["example"], (path, row["name"])
    assert without == set(UNREACHED)


@pytest.mark.parametrize("table,name", sorted(UNREACHED))
def test_rows_that_no_shipped_advisory_leads_to_decide_too(tmp_path, table, name):
    change, appliance = UNREACHED[table, name]
    cve = OF_TABLE[table]
    advisory = texts(f"{VERDICTS}/{cve}.yaml")
    assess_with(tmp_path, advisory, appliance, lambda v: v["row"] != name)  # it is the change that leads there
    change(advisory)
    jsonschema.validate(advisory, schema("verdict"))
    assess_with(tmp_path, advisory, appliance, lambda v: v["row"] == name)


def assess_with(tmp_path, advisory, appliance, holds):
    """Asks with this advisory in the place of the shipped one."""
    rules = tmp_path / "rules"
    os.makedirs(rules / "verdicts", exist_ok=True)
    if not (rules / "verdicts" / "tables").exists():
        os.symlink(VERDICTS + "/tables", rules / "verdicts" / "tables")
    (rules / "verdicts" / (advisory["cve"] + ".yaml")).write_text(yaml.safe_dump(advisory, width=1000))
    path = tmp_path / "one.yaml"
    path.write_text(yaml.safe_dump({"appliances": [dict(appliance, name="a")]}))
    r = sluis("--rules", rules, "assess", "--inventory", path, "--json")
    assert r.stdout, r.stderr
    [v] = json.loads(r.stdout)["appliances"][0]["advisories"]
    assert holds(v) and v["next"] and v["sources"], v


@pytest.mark.parametrize("build,on,updates,want", [
    ("13.0-47.22", "2020-01-08T23:59:59Z", None, "limited_likelihood"), ("13.0-47.22", "2020-01-09T00:00:00Z", None, "assume_compromised"),
    ("13.0-47.22", "never", None, "assume_compromised"), ("12.1-50.28", "2020-01-08", None, "assume_compromised"),
    ("12.1-50.31", "2020-01-08", None, "limited_likelihood"), ("12.1-51.15", "2020-01-08", None, "assume_compromised"),
    ("12.1-51.16", "2020-01-08", None, "limited_likelihood"), ("12.1-51.19", "2020-01-08", None, "limited_likelihood"),
    (None, "2020-01-08", [{"on": "2020-01-24", "from": "12.1-50.28", "to": "12.1-55.18"}], "assume_compromised"),
    (None, "2020-01-08", [{"on": "2020-01-24", "from": "12.1-51.19", "to": "12.1-55.18"}], "limited_likelihood"),
    (None, "2020-01-08", [{"on": "2020-01-24", "to": "12.1-55.18"}], "cannot_tell"),
    ("13.0-47.22", None, None, "cannot_tell")])
def test_the_decision_of_january_2020(tmp_path, build, on, updates, want):
    a = {"name": "gw", "exposed_since": "2019-06-01"}
    a.update({"build": build} if build else {})
    a.update({"updates": updates} if updates else {})
    a.update({"mitigations": [{"advisory": "CVE-2019-19781", "on": on, "verified": "CTX269180"}]} if on else {})
    [r] = assess(tmp_path, [a], "--advisory", "CVE-2019-19781")
    assert r["advisories"][0]["verdict"] == want, r["advisories"][0]


@pytest.mark.parametrize("build,verdict,fact", [
    ("10.2.6", "assume_compromised", "affected"), ("11.0.3", "assume_compromised", "affected"), ("10.2.6b", "cannot_tell", "unknown"),
    ("11.0.3b", "cannot_tell", "unknown"), ("10.2.7", "cannot_tell", "unknown"), ("11.1.0", "cannot_tell", "unknown"), (None, "cannot_tell", "unknown")])
def test_sd_wan_wanop_is_never_fixed_by_guess(tmp_path, build, verdict, fact):
    a = {"name": "wan", "product": "sd-wan-wanop", "exposed_since": "2019-06-01", "mitigations": [{"advisory": "CVE-2019-19781", "on": "never"}]}
    a.update({"build": build} if build else {})
    [v] = assess(tmp_path, [a], "--advisory", "CVE-2019-19781")[0]["advisories"]
    assert (v["verdict"], v["facts"]["build"], v["build"]) == (verdict, fact, build or ""), v
    if build in ("10.2.6b", "11.0.3b"):
        assert v["missing"] and any(build in r and "[unconfirmed]" in r for r in v["reasons"])
    if fact == "affected":
        assert f"build {build} is affected; no build with the fix is confirmed" in v["reasons"]
    assert "fixed" not in {x["verdict"] for x in assess(tmp_path, [a])[0]["advisories"]}


def test_an_update_of_a_wanop_to_what_is_not_confirmed_fixes_nothing(tmp_path):
    a = {"name": "wan", "product": "sd-wan-wanop", "updates": [{"on": "2020-01-23", "from": "10.2.6", "to": "10.2.6b"}]}
    assert assess(tmp_path, [a], "--advisory", "CVE-2019-19781", status=3)[0]["advisories"][0]["facts"]["patched"] == "unknown"
    for change, what in (({"edition": "fips"}, "has no 'edition'"), ({"build": "13.0-47.24"}, "10.2.6 or 10.2.6b")):
        assert what in assess(tmp_path, [dict({"name": "wan", "product": "sd-wan-wanop"}, **change)], status=2).stderr


def test_an_update_before_the_fix_is_asked_again(tmp_path):
    r = assess(tmp_path, [{"name": "gw", "updates": [{"on": "2020-01-05", "to": "13.0-47.24"}]}], "--advisory", "CVE-2019-19781", status=2)
    assert "cannot be: the first one (13.0-47.24) came on 2020-01-23; ask again" in r.stderr and not r.stdout


def test_exit_statuses(tmp_path):
    fixed = {"name": "a", "build": "14.1-60.1", "first_build": "14.1-60.1", "roles": ["gateway"]}
    assess(tmp_path, [fixed], status=0)
    assess(tmp_path, [dict(fixed, build="13.1-37.1", first_build="13.1-37.1")], status=1)
    assess(tmp_path, [{"name": "a"}], status=3)
    for args, what in (([], "nothing is given"), (["--inventory", tmp_path / "none"], "cannot be read"), (["--x", "y"], "not an option"),
                       (["--inventory", tmp_path / "inventory.yaml", "--advisory", "CVE-1"], "no verdict file"),
                       (["--inventory", tmp_path / "inventory.yaml", "--appliance", "b"], "no appliance is called 'b'")):
        assert what in sluis("assess", *args, status=2).stderr


MITIGATED = ("#NS13.0 Build 47.22\nset ns config -IPAddress 192.0.2.10 -netmask 255.255.255.0\nset ns hostName gw1\nadd vpn vserver v SSL 192.0.2.11 443\n"
             'add responder action a respondwith "\\"HTTP/1.1 403 Forbidden\\r\\n\\r\\n\\""\n'
             'add responder policy p "HTTP.REQ.URL.DECODE_USING_TEXT_MODE.CONTAINS(\\"/vpns/\\") && (!CLIENT.SSLVPN.IS_SSLVPN || '
             'HTTP.REQ.URL.DECODE_USING_TEXT_MODE.CONTAINS(\\"/../\\"))" a\nbind responder global p 1 END -type REQ_OVERRIDE\n'
             'add ssl certKey wild -cert wild.pem -key wild.key -passcrypt "HUSH"\nadd system user oper HUSH2 -encrypted\n')
RC = "nsapimgr_wr.sh -ys skip_systemaccess_policyeval=0\n"


def bundle(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo("collector_P_192.0.2.10/" + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
        link = tarfile.TarInfo("collector_P_192.0.2.10/x/nsconfig/ns.conf")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def test_a_bundle_tells_by_itself(tmp_path):
    path = bundle(tmp_path / "b.tar.gz", {"nsconfig/ns.conf": MITIGATED, "nsconfig/rc.netscaler": RC, "flash/boot/loader.conf": 'kernel="/ns-13.0-47.22"\n'})
    inventory = [{"name": "gw1", "exposed_since": "2019-01-01", "mitigations": [{"advisory": "CVE-2019-19781", "on": "2020-01-02"}]}, {"name": "other"}]
    gw1, other = assess(tmp_path, inventory, "--bundle", path, "--advisory", "CVE-2019-19781")
    v = gw1["advisories"][0]
    assert v["verdict"] == "limited_likelihood" and v["build"] == "13.0-47.22" and v["facts"]["effect"] == "effective"
    assert gw1["weigh"]["certificates"] == [{"name": "wild", "files": "wild.pem, wild.key"}] and gw1["weigh"]["local_users"] == ["oper"]
    assert {s["what"] for s in gw1["weigh"]["secrets"]} == {"ssl certKey, -passcrypt", "system user, password"}
    assert "HUSH" not in json.dumps(gw1) and other["advisories"][0]["missing"][0] == "build"
    without = bundle(tmp_path / "c.tar.gz", {"nsconfig/ns.conf": MITIGATED, "nsconfig/rc.netscaler": "# " + RC})
    [v] = assess(tmp_path, inventory[:1], "--bundle", without, "--advisory", "CVE-2019-19781")[0]["advisories"]
    assert v["verdict"] == "assume_compromised" and v["facts"]["effect"] == "incomplete"


def test_an_ns_conf_alone(tmp_path):
    conf = tmp_path / "ns.conf"
    conf.write_text(MITIGATED)
    r = json.loads(sluis("assess", "--ns-conf", conf, "--json", status=1).stdout)["appliances"]
    assert r[0]["name"] == "gw1"
    found = {v["advisory"]: (v["verdict"], v["facts"]["precondition"]) for v in r[0]["advisories"]}
    assert found["CVE-2019-19781"][0] == "cannot_tell" and found["CVE-2023-3519"] == ("assume_compromised", "met")
    conf.write_text("#NS13.1 Build 59.20\nadd lb vserver web HTTP 192.0.2.1 80\nadd server s 10.0.0.1\n")
    for line, want in (("", "not_affected"), ("add server t 2001:db8::1\n", "assume_compromised"), ("add server t host.example -queryType AAAA\n", "assume_compromised"),
                       ("add cr vserver c HDX\n", "assume_compromised"), ("add cr vserver c HTTP\n", "not_affected")):
        other = tmp_path / "other.conf"
        other.write_text(conf.read_text() + line)
        r = json.loads(sluis("assess", "--ns-conf", other, "--json", "--advisory", "CVE-2025-7775").stdout)["appliances"]
        assert r[0]["advisories"][0]["verdict"] == want, line


@pytest.mark.parametrize("content,what", [(b"", "is no tar archive"), (b"hello\n" * 200, "is no tar archive"), (b"\x1f\x8b\x08\x00", "is no tar archive")])
def test_bad_bundles_are_told(tmp_path, content, what):
    (tmp_path / "b").write_bytes(content)
    assert what in sluis("assess", "--bundle", tmp_path / "b", status=2).stderr


def ask_log(tmp_path, log, *args, status=1):
    """What is weighed of gw, what standard error says; the verdict is there whatever the log is like."""
    inventory = [{"name": "gw", "build": "13.0-47.22", "mitigations": [{"advisory": "CVE-2019-19781", "on": "never"}]}, {"name": "other", "build": "13.0-47.24"}]
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump({"appliances": inventory}))
    r = sluis("assess", "--inventory", path, "--advisory", "CVE-2019-19781", "--appliance", "gw", "--ns-log", log, *args, status=status)
    if "--json" not in args:
        assert "ASSUME COMPROMISED" in r.stdout or "GA UIT VAN MISBRUIK" in r.stdout
        return r.stdout, r.stderr
    [a] = json.loads(r.stdout)["appliances"]
    assert a["advisories"][0]["verdict"] == "assume_compromised"
    return a["weigh"]["connected"], r.stderr


def test_its_log_names_the_systems_it_was_connected_with(tmp_path):
    log = tmp_path / "logs" / "ns.log"
    log.parent.mkdir()
    log.write_text("\n".join(appliance.ns_log()) + "\n")
    connected, told = ask_log(tmp_path, log, "--json")
    assert connected == {"systems": 3, "clients": 4, "users": 0, "from": "2020-01-08T08:10:00.000Z", "to": "2020-01-21T13:10:00.000Z", "complete": True, "most": [
        {"system": "10.20.0.11:443", "connections": 43}, {"system": "10.20.0.5:636", "connections": 1}, {"system": "10.20.0.23:445", "connections": 1}]}
    assert not told
    assert ask_log(tmp_path, log.parent, "--json")[0] == connected  # the folder that it is in
    out, told = ask_log(tmp_path, log, "--lang", "en")
    assert "in its log of 2020-01-08 to 2020-01-21: connected with 3 systems, for 4 clients and 0 users" in out and not told
    assert out.index("10.20.0.11:443") < out.index("10.20.0.23:445")
    assert "in het logboek van 2020-01-08 tot 2020-01-21: verbonden met 3 systemen" in ask_log(tmp_path, log, "--lang", "nl")[0]
    assert "in its log" not in sluis("assess", "--inventory", tmp_path / "two.yaml", "--lang", "en").stdout  # nobody asked


@pytest.mark.parametrize("kind,why", [
    ("absent", "it is not there"), ("no such folder", "it is not there"), ("empty folder", "a folder without ns.log*"), ("other", "no line in it has a date"),
    ("empty", "no line in it has a date"), ("pipe", "Invalid argument")])
def test_a_log_that_cannot_be_read_is_told_and_the_verdict_comes(tmp_path, kind, why):
    log = tmp_path / ("no/ns.log" if kind == "no such folder" else "it")
    if kind == "empty folder":
        log.mkdir()
    elif kind == "pipe":
        os.mkfifo(log)
    elif kind in ("other", "empty"):
        log.write_text("hello\n" * 100 if kind == "other" else "")
    connected, told = ask_log(tmp_path, log, "--json")
    assert connected is None and str(log) in told and why in told and "the verdict is" in told
    out, told = ask_log(tmp_path, log, "--lang", "en")
    assert "in its log" not in out and why in told


def test_a_log_that_was_cut_says_that_there_may_be_more(tmp_path):
    whole = gzip.compress(("\n".join(appliance.ns_log()) + "\n").encode())
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "ns.log.0.gz").write_bytes(whole[:len(whole) // 2])
    (tmp_path / "logs" / "ns.log").write_text("\n".join(appliance.ns_log()[-3:]) + "\n")
    connected, told = ask_log(tmp_path, tmp_path / "logs", "--json")
    assert connected["complete"] is False and connected["systems"] >= 1
    assert "ns.log.0.gz was not read to its end" in told and "there may be more connected systems" in told


def test_a_log_without_connections_is_no_log_that_is_missing(tmp_path):
    (tmp_path / "it").write_text("Jan  9 12:38:00 <local0.info> 10.0.0.1 01/09/2020:12:38:00 GMT ns 0-PPE-0 : default CLI CMD_EXECUTED 5 0 :  User nsroot - ADM_User NONE - "
                                 'Remote_ip 10.9.9.9 - Command "show ns ip" - Status "Success"\n')
    connected, told = ask_log(tmp_path, tmp_path / "it", "--json")
    assert connected["systems"] == 0 and connected["most"] == [] and not told
    assert "no connection with another system" in ask_log(tmp_path, tmp_path / "it", "--lang", "en")[0]


def test_people_read_it_in_their_language(tmp_path):
    (tmp_path / "i.yaml").write_text("appliances: [{name: gw, build: 13.0-47.22, mitigations: [{advisory: CVE-2019-19781, on: never}]}]\n")
    nl = sluis("assess", "--inventory", tmp_path / "i.yaml", "--advisory", "cve-2019-19781", "--lang", "nl", status=1).stdout
    en = sluis("assess", "--inventory", tmp_path / "i.yaml", "--advisory", "CVE-2019-19781", "--lang", "en", status=1).stdout
    assert "GA UIT VAN MISBRUIK" in nl and "Nu doen" in nl and "Verdict" not in nl
    assert "ASSUME COMPROMISED" in en and "reissue all certificates" in en and "https://" in en


def test_vex(tmp_path):
    assess(tmp_path, [{"name": "a", "build": "13.1-37.1", "roles": ["gateway"]}, {"name": "b", "build": "14.1-60.1", "first_build": "14.1-60.1", "roles": ["gateway"]},
                      {"name": "c"}], "--vex", tmp_path / "vex.json", status=1)
    doc = json.loads((tmp_path / "vex.json").read_text())
    assert doc["document"]["category"] == "csaf_vex" and doc["document"]["csaf_version"] == "2.0"
    products = {p["product"]["product_id"] for p in doc["product_tree"]["branches"][0]["branches"][0]["branches"]}
    assert products == {"appliance-1", "appliance-2", "appliance-3"}
    by_cve = {v["cve"]: v for v in doc["vulnerabilities"]}
    assert len(by_cve) == 6
    for v in by_cve.values():
        named = [p for ids in v["product_status"].values() for p in ids]
        assert sorted(named) == sorted(products) and v["notes"] and all(r["url"].startswith("https://") for r in v["references"])
        for p in v["product_status"].get("known_affected", []):
            assert any(p in r["product_ids"] for r in v["remediations"])
        for p in v["product_status"].get("known_not_affected", []):
            assert any(p in t["product_ids"] and t["category"] == "impact" for t in v["threats"])
    assert by_cve["CVE-2025-5777"]["product_status"] == {"known_affected": ["appliance-1"], "fixed": ["appliance-2"], "under_investigation": ["appliance-3"]}


CUSTOMERS = [{"name": "Ziekenhuis Zuid", "contact": "ict@zuid.example", "language": "nl"}, {"name": "North Clinic", "contact": "it@north.example", "language": "en"}]
FLEET = [{"name": "zuid-gw", "customer": "Ziekenhuis Zuid", "build": "13.1-37.1", "roles": ["gateway"], "certificates": [{"name": "*.care.example"}]},
         {"name": "north-gw", "customer": "North Clinic", "build": "13.1-37.1", "roles": ["gateway"], "certificates": [{"name": "*.care.example"}]}]


def fleet(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump({"customers": CUSTOMERS, "appliances": FLEET}))
    return path


def test_notify_writes_one_message_per_customer(tmp_path):
    r = sluis("notify", "--inventory", fleet(tmp_path), "--out", tmp_path / "out", status=0)
    assert "none sent" in r.stderr
    names = sorted(os.listdir(tmp_path / "out"))
    assert names == ["0001-Ziekenhuis-Zuid.eml", "0002-North-Clinic.eml"]
    assert stat.S_IMODE(os.stat(tmp_path / "out" / names[0]).st_mode) == 0o600
    for name, own, other, word in ((names[0], "zuid", "north", "GA UIT VAN MISBRUIK"), (names[1], "north", "zuid", "ASSUME COMPROMISED")):
        raw = (tmp_path / "out" / name).read_bytes()
        assert all(len(line) <= 998 for line in raw.split(b"\r\n")) and max(raw) < 128
        m = email.message_from_bytes(raw, policy=email.policy.default)
        body = m.get_content()
        assert own in m["To"] and own + "-gw" in body and word in body and word in m["Subject"]
        assert other not in body.lower() and other not in str(m).lower()


def test_notify_tells_what_a_hunt_found(tmp_path):
    """A customer must not read that nobody looked, when somebody did; the others are told as before."""
    (tmp_path / "hunt.jsonl").write_text(json.dumps({"sluis.class": "compromise", "rule.id": "x"}) + "\n")
    args = ["notify", "--inventory", fleet(tmp_path), "--advisory", "CVE-2025-5777", "--out", tmp_path / "out"]
    out = sluis(*args, "--findings", tmp_path / "hunt.jsonl", "--appliance", "zuid-gw", "--lang", "en", status=0).stdout
    assert "Ziekenhuis Zuid <ict@zuid.example>: EVIDENCE OF COMPROMISE" in out and "North Clinic <it@north.example>: ASSUME COMPROMISED" in out
    zuid, north = (email.message_from_bytes(p.read_bytes(), policy=email.policy.default).get_content() for p in sorted((tmp_path / "out").iterdir()))
    assert "SPOREN VAN MISBRUIK" in zuid and "er is geen hunt gegeven" not in zuid and "no hunt was given" in north
    assert "there is no --findings" in sluis(*args, "--appliance", "zuid-gw", "--lang", "en", status=2).stderr
    assert "zuid-gw" not in sluis(*args, "--findings", tmp_path / "hunt.jsonl", status=2).stdout


def test_notify_sends_over_tls_or_not_at_all(tmp_path):
    cert, key, ca = mail_certificate(tmp_path)
    (tmp_path / "password").write_text("hunter2\n")
    args = ["notify", "--inventory", fleet(tmp_path), "--advisory", "CVE-2025-5777", "--send", "--from", "soc@provider.example", "--user", "soc",
            "--password-file", tmp_path / "password"]
    server = MailServer(cert, key)
    sluis(*args, "--smtp", f"smtp://localhost:{server.port}", "--ca", ca, status=0)
    assert [u for u, _ in server.mails] == [[b"soc", b"hunter2"]] * 2 and not server.plain
    assert {email.message_from_bytes(d)["To"] for _, d in server.mails} == {"<ict@zuid.example>", "<it@north.example>"}
    untrusted = sluis(*args, "--smtp", f"smtp://localhost:{server.port}", status=2)
    assert "was not sent" in untrusted.stderr and len(server.mails) == 2
    plain = MailServer(cert, key, tls=False)
    assert "was not sent" in sluis(*args, "--smtp", f"smtp://localhost:{plain.port}", "--ca", ca, status=2).stderr
    assert not plain.plain and not plain.mails
    assert "nothing is sent without TLS" in sluis(*args, "--smtp", "http://localhost", status=2).stderr
    server.close()
    plain.close()


def mail_certificate(tmp_path):
    ca, cert, key = tmp_path / "ca.pem", tmp_path / "mail.pem", tmp_path / "mail.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "ca.key", "-out", ca, "-days", "2",
                    "-subj", "/CN=test ca", "-addext", "basicConstraints=critical,CA:TRUE"], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", tmp_path / "r", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    (tmp_path / "ext").write_text("subjectAltName=DNS:localhost\n")
    subprocess.run(["openssl", "x509", "-req", "-in", tmp_path / "r", "-CA", ca, "-CAkey", tmp_path / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", tmp_path / "ext",
                    "-out", cert], check=True, capture_output=True)
    return cert, key, ca


@pytest.mark.parametrize("change,missing,status", [
    (lambda c, r: (c, r), set(), 0), (lambda c, r: (c, "# " + r), {"rc.netscaler"}, 1), (lambda c, r: (c.replace("bind responder global p", "bind responder global q"), r), {"bound"}, 1),
    (lambda c, r: (c.replace(" 403 ", " 200 "), r), {"answer"}, 1), (lambda c, r: (c.replace("/vpns/", "/vpn/"), r), {"rule", "answer", "bound"}, 1),
    (lambda c, r: (c.replace("#NS13.0 Build 47.22", "#NS12.1 Build 50.28"), r), set(), 1)])
def test_mitigate_checks_all_four_parts(tmp_path, change, missing, status):
    conf, rc = change(MITIGATED, RC)
    r = sluis("mitigate", "CVE-2019-19781", "--bundle", bundle(tmp_path / "b.tgz", {"nsconfig/ns.conf": conf, "nsconfig/rc.netscaler": rc}), "--json", status=status)
    answer = json.loads(r.stdout)
    assert {k for k, v in answer["parts"].items() if not v} == missing and answer["works"] == (status == 0)


def test_mitigate_prints_the_commands(tmp_path):
    (tmp_path / "ns.conf").write_text(MITIGATED)
    out = sluis("mitigate", "CVE-2019-19781", "--ns-conf", tmp_path / "ns.conf", status=3).stdout
    assert "bind responder global ctx267027 1 END -type REQ_OVERRIDE" in out and "not seen" in out and "CTX267679" in out
    assert "no mitigation" in sluis("mitigate", "CVE-2025-5777", "--ns-conf", tmp_path / "ns.conf").stdout


def direct(s):
    return get(s.port(), "/vpn/../vpns/cfg/smb.conf").status


def served(world):
    backend = Nginx(world, "app")
    config = {"listeners": {"web": {"address": f"127.0.0.1:{free_port()}"}}, "pools": {"app": {"servers": [backend.address]}},
              "routes": [{"pool": "app"}]}
    return Sluis(world, config)


def test_mitigate_turns_the_rule_set_on_with_a_way_back(world):
    s = served(world)
    before = open(s.file).read()
    rules = ["--rules", os.path.join(ROOT, "rules")]
    assert direct(s) != 403
    off = s.cli("-c", s.file, *rules, "mitigate", "CVE-2019-19781", ok=False)
    assert off.returncode == 1 and "is NOT on" in off.stdout and open(s.file).read() == before
    on = s.cli("-c", s.file, *rules, "mitigate", "CVE-2019-19781", "--apply", "--confirm", "600")
    assert "goes back in 600 seconds" in on.stdout and direct(s) == 403
    assert yaml.safe_load(open(s.file)) == dict(s.config, rules=["netscaler"]) and open(s.file + ".before-mitigate").read() == before
    s.cli("confirm")
    assert "is on, against" in s.cli("-c", s.file, *rules, "mitigate", "CVE-2019-19781").stdout
    assert json.loads(s.cli("-c", s.file, *rules, "mitigate", "CVE-2019-19781", "--json").stdout)["on"] is True


def test_mitigate_goes_back_when_nobody_confirms(world):
    s = served(world)
    s.cli("-c", s.file, "--rules", os.path.join(ROOT, "rules"), "mitigate", "CVE-2019-19781", "--apply", "--confirm", "1")
    wait_for(lambda: direct(s) != 403, "the configuration before is back")


def test_mitigate_leaves_a_file_alone_that_it_cannot_edit(world):
    s = served(world)
    with open(s.file, "w") as f:
        json.dump(s.config, f)  # valid YAML, all on one line
    before = open(s.file).read()
    r = s.cli("-c", s.file, "--rules", os.path.join(ROOT, "rules"), "mitigate", "CVE-2019-19781", "--apply", ok=False)
    assert r.returncode == 2 and "rules: [netscaler]" in r.stderr and open(s.file).read() == before


def test_mitigate_puts_the_file_back_when_it_is_refused(world):
    s = served(world)
    with open(s.file, "a") as f:
        f.write("nonsense: 1\n")
    before = open(s.file).read()
    r = s.cli("-c", s.file, "--rules", os.path.join(ROOT, "rules"), "mitigate", "CVE-2019-19781", "--apply", ok=False)
    assert r.returncode == 2 and "is again what it was" in r.stderr and open(s.file).read() == before
