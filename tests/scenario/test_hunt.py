"""sluis hunt over appliances that the tests make: each advisory's signs are found where they are, a clean one gives nothing, logs that are
too short give no verdict, and what is damaged, hostile or built to be a trap harms nothing but itself. Compiling the packs takes the sanitized
program seconds, so it hunts once per kind of input (build=BUILD) and the release build does the rest."""
import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import tarfile
import time
import zipfile

import pytest
import yaml

from appliance import clean, hit, put, quiet, tar_of
from harness import BUILD, RELEASE, ROOT

WINDOW = ["--exposed-from", "2020-01-09", "--exposed-to", "2020-01-20"]


def run(*args, want, table=False, build=RELEASE):
    r = subprocess.run([os.path.join(build, "sluis"), "hunt", *args, *([] if table else ["--json"])], capture_output=True, timeout=300,
                       env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0", LC_ALL="C"))
    err = r.stderr.decode()
    assert "Sanitizer" not in err and "runtime error" not in err, err
    assert r.returncode == want, (r.returncode, r.stdout[-2000:], err)
    if table:
        return r.stdout.decode(), err
    lines = [json.loads(line) for line in r.stdout.decode("utf-8").splitlines()]
    findings = [x for x in lines if x["event.kind"] == "alert"]
    for f in findings:
        assert f["rule.id"] and f["file.path"].startswith("/") and ("sluis.line" in f or "sluis.offset" in f)
        assert f["sluis.class"] in ("compromise", "probe", "attempt", "trace") and f["sluis.confidence"] in ("low", "medium", "high")
    assert lines[-1]["event.kind"] == "state" and "sluis.verdict" in lines[-1]
    return findings, lines[-1], [x for x in lines if x["event.kind"] == "pipeline_error"]


def rules_of(findings):
    return {f["rule.id"] for f in findings}


@pytest.fixture
def root(tmp_path):
    return clean(str(tmp_path / "disk"))


def test_a_clean_appliance_gives_nothing(root):
    findings, end, problems = run(root, *WINDOW, want=0)
    assert findings == [] and problems == [] and end["sluis.verdict"] == "nothing-found" and end["sluis.covered"] is True
    [access] = [c for c in end["sluis.coverage"] if c["log"] == "access"]
    assert access["first"] == "2020-01-08T10:00:08.000Z" and access["last"] == "2020-01-21T10:19:21.000Z" and access["lines"] == 280
    [shell] = [c for c in end["sluis.coverage"] if c["log"] == "shell"]
    assert shell["first"] == "2020-01-10T03:04:05.000Z"
    out, _ = run(root, *WINDOW, "--lang", "nl", want=0, table=True)
    assert "Oordeel: niets gevonden" in out
    assert "dat bewijst niet dat er niets gebeurd is" in out and "no proof" not in out


def test_logs_that_do_not_cover_the_window_give_no_verdict(root):
    for window in (["--exposed-from", "2020-01-05"], ["--exposed-from", "2020-01-09", "--exposed-to", "2020-02-01"]):
        findings, end, _ = run(root, *window, want=3)
        assert findings == [] and end["sluis.verdict"] == "cannot-tell" and any("no evidence available" in r for r in end["sluis.reasons"])
    put(root, "/var/log/httpaccess.log", quiet(range(15, 22)))
    put(root, "/var/log/httpaccess.log.0.gz", gzip.compress("\n".join(quiet(range(8, 12))).encode()))
    _, end, _ = run(root, *WINDOW, want=3)
    assert any("nothing between 2020-01-11" in r for r in end["sluis.reasons"])
    os.unlink(root + "/var/log/httpaccess.log")
    os.unlink(root + "/var/log/httpaccess.log.0.gz")
    _, end, _ = run(root, want=3)
    assert end["sluis.verdict"] == "cannot-tell"


SIGNS = [
    ("/var/log/httpaccess.log", hit(), "cve-2019-19781-template", 281),
    ("/var/log/httpaccess.log", hit("/vpn/../vpns/cfg/smb.conf"), "cve-2019-19781-probe", 281),
    ("/var/log/httpaccess.log", hit("/vpn/../vpns/portal/scripts/a.pl", 304, method="POST"), "cve-2019-19781-single-request", 281),
    ("/var/log/httpaccess-vpn.log", hit("/%2576pn/%2e%2e/VPNS/portal/a%2exml", method="HEAD", version="1.0"), "cve-2019-19781-template", 1),
    ("/var/log/httperror.log", "cat: /proc/version: No such file or directory", "cve-2019-19781-error-tools", 2),
    ("/var/log/bash.log", 'Jan 12 03:04:05 <local7.notice> ns bash[4242]: nobody on /dev/pts/1 shell_command="id"', "cve-2019-19781-shell-nobody", 2),
    ("/var/log/cron", "Jan 12 03:05:00 <cron.info> ns cron[99]: (nobody) CMD (/var/nstmp/.nscache/httpd)", "cve-2019-19781-cron-nobody", 2),
    ("/var/cron/tabs/nobody", "* * * * * /var/nstmp/.nscache/httpd", "cve-2019-19781-crontab-content", 1),
    ("/tmp/.init/httpd", "x", "cve-2019-19781-notrobin", None),
    ("/var/vpn/theme/.theme.php", "<?php", "cve-2023-3519-files", None),
    ("/var/netscaler/logon/LogonPoint/uiareas/x.php", "a @array_filter(x", "cve-2023-3519-webshell", None),
    ("/var/log/sh.log", 'Jul 12 03:04:05 <local7.notice> ns sh[1]: root on (null) shell_command="openssl des3 -salt"', "cve-2023-3519-shell", 1),
    ("/var/log/httpaccess.log", hit("/oauth/idp/.well-known/openid-configuration"), "cve-2023-4966-discovery", 281),
    ("/var/log/httpaccess.log", hit("/p/u/doAuthentication.do", method="POST"), "cve-2025-5777-login", 281),
    ("/nsconfig/rc.netscaler", 'python3 -c "import zlib"', "cve-2025-6543-startup", 2),
    ("/etc/httpd.conf", "# php_flag engine off", "cve-2025-6543-httpd", 3),
    ("/var/tmp/sh", "x", "cve-2025-6543-setuid-sh", None),
    ("/var/vpn/themes/q.xhtml", '<?php @eval($_POST["a"]);', "cve-2025-7775-webshell", None),
]


@pytest.mark.parametrize("path,line,rule,number", SIGNS, ids=[s[2] + str(i) for i, s in enumerate(SIGNS)])
def test_a_sign_is_found_where_it_is(root, tmp_path, path, line, rule, number):
    full = root + path
    before = open(full, "rb").read() if os.path.exists(full) else b""
    put(root, path, before + line.encode() + b"\n")
    got = run(root, *WINDOW, want=run_status(rule))[0]
    mine = [f for f in got if f["rule.id"] == rule]
    assert mine and mine[0]["file.path"] == path and mine[0].get("sluis.line") == number
    if number:
        assert mine[0]["sluis.offset"] == len(before)
    bundle = tar_of(root, str(tmp_path / "bundle.tar.gz"))
    [again] = [f for f in run(bundle, *WINDOW, want=run_status(rule))[0] if f["rule.id"] == rule][:1]
    assert again["file.path"] == path and again["log.file.path"].startswith(bundle + "!") and again["message"] == mine[0]["message"]


def run_status(rule):
    for pack in os.listdir(os.path.join(ROOT, "rules/hunt")):
        with open(os.path.join(ROOT, "rules/hunt", pack), encoding="utf-8") as f:
            for entry in yaml.load(f, yaml.BaseLoader)["entries"]:
                if entry["id"] == rule:
                    return 1 if entry["class"] in ("compromise", "probe") else 0
    raise AssertionError(rule)


def test_setuid_and_a_link_loop(root):
    put(root, "/var/tmp/a", "x", mode=0o4755)
    os.symlink("..", root + "/var/loop")
    os.symlink("/", root + "/var/out")
    findings, _, _ = run(root, *WINDOW, want=1)
    assert rules_of(findings) == {"cve-2023-3519-setuid"} and findings[0]["file.mode"] == "4755"


def test_two_steps_of_one_client(root):
    put(root, "/var/log/httpaccess.log", quiet() + [
        hit("/vpn/../vpns/portal/scripts/newbm.pl", method="POST", at="11/Jan/2020:10:00:00"), hit(client="203.0.113.8", at="11/Jan/2020:10:00:05"), hit(at="11/Jan/2020:10:00:05")])
    two = [f for f in run(root, *WINDOW, want=1)[0] if f["rule.id"] == "cve-2019-19781-two-steps"]
    assert [f["source.ip"] for f in two] == ["203.0.113.7"]
    assert two[0]["@timestamp"] == "2020-01-11T10:00:05.000Z" and two[0]["http.response.status_code"] == 200


def test_a_session_that_goes_on_from_elsewhere(root):
    """Over the parts of a rotated log, whichever comes first."""
    def line(minute, client, record="TCPCONNSTAT", session=651173):
        return (f"01/13/2020:10:{minute:02d}:00 GMT ns 0-PPE-0 : default SSLVPN {record} 9 0 : Context jdoe@{client} - SessionId: {session}- User jdoe - Client_ip {client} - "
                f'Nat_ip "Mapped Ip" - Vserver 192.0.2.10:443 - Source {client}:50001 - Destination 10.0.0.11:3389 - Start_time "01/13/2020:10:00:00 GMT" - '
                'End_time "01/13/2020:10:00:30 GMT" - Duration 00:00:30 - Total_bytes_send 1 - Total_bytes_recv 1 - Access Allowed - Group(s) "N/A"')
    put(root, "/var/log/ns.log", [line(7, "203.0.113.99"), line(8, "203.0.113.9"), line(9, "203.0.113.10"), line(9, "203.0.113.10", session=8)])
    put(root, "/var/log/ns.log.0.gz", gzip.compress("\n".join([line(1, "192.0.2.77", session=8), line(2, "192.0.2.78", session=8), line(3, "198.51.100.7", "LOGIN"), line(4, "198.51.100.200")]).encode()))
    findings, _, _ = run(root, *WINDOW, want=0)
    assert rules_of(findings) == {"session-two-clients"}
    two = {f["source.ip"]: f for f in findings}
    assert len(two) == len(findings) == 2 and {"198.51.100.7", "192.0.2.77"} == set(two)
    f = two["198.51.100.7"]
    assert f["user.name"] == "jdoe" and f["sluis.line"] == 3 and f["file.path"] == "/var/log/ns.log.0.gz" and f["@timestamp"] == "2020-01-13T10:03:00.000Z"
    assert "203.0.113.99 (2020-01-13T10:07:00.000Z)" in f["sluis.note"] and "CGNAT" in f["sluis.note"], f


def test_attempts_and_own_scanners_are_no_finding(root):
    put(root, "/var/log/httpaccess.log", quiet() + [hit(status=403), hit(status=403, agent="Nessus SOAP")])
    findings, end, _ = run(root, *WINDOW, want=0)
    assert [f.get("sluis.own", False) for f in findings] == [False, True]
    assert end["sluis.counts"] == {"compromise": 0, "probe": 0, "attempt": 1, "trace": 0, "own": 1}
    put(root, "/var/log/httpaccess.log", quiet() + [hit(agent="Nessus SOAP")])
    assert run(root, *WINDOW, want=1)[1]["sluis.counts"]["compromise"] == 1


def test_every_packing_and_layers_of_it(root, tmp_path):
    lines = ("\n".join(quiet() + [hit()]) + "\n").encode()
    packed = {"gz": gzip.compress(lines), "xz": lzma.compress(lines), "bz2": bz2.compress(lines),
              "zst": subprocess.run(["zstd", "-c"], input=lines, capture_output=True, check=True).stdout}
    for end, data in packed.items():
        single = put(str(tmp_path), "httpaccess.log.3." + end, data)
        [f] = run(single, *WINDOW, want=1)[0]
        assert f["file.path"] == "/var/log/httpaccess.log.3." + end and f["sluis.line"] == 281 and f["sluis.offset"] == len(lines) - len(hit()) - 1
        put(root, "/var/log/httpaccess.log.3." + end, data)
    os.unlink(root + "/var/log/httpaccess.log")
    bundle = tar_of(root, str(tmp_path / "b.tar.xz"), "w:xz")
    assert len(run(bundle, want=1)[0]) == 4
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as z:
        z.writestr("x/var/log/httpaccess.log", lines, zipfile.ZIP_DEFLATED)
        z.write(bundle, "support.tar.xz")
    assert len(run(str(tmp_path / "b.zip"), want=1)[0]) == 5
    other = put(str(tmp_path), "copied-by-hand.txt", lines)
    assert rules_of(run(other, want=1)[0]) == {"cve-2019-19781-template"}


def test_damage_is_told_and_the_rest_goes_on(root, tmp_path):
    packed = gzip.compress(("\n".join([hit(at="11/Jan/2020:10:00:05")] + [os.urandom(60).hex() for _ in range(3000)]) + "\n").encode())
    put(root, "/var/log/httpaccess.log.0.gz", packed[:len(packed) // 2])
    put(root, "/var/log/httpaccess.log.1.gz", packed[:5000] + b"\0\xff" * 40 + packed[5080:])
    put(root, "/var/tmp/sh", "x")
    findings, end, problems = run(root, *WINDOW, want=1, build=BUILD)
    assert "cve-2025-6543-setuid-sh" in rules_of(findings)
    assert {os.path.basename(p["log.file.path"]) for p in problems} == {"httpaccess.log.0.gz", "httpaccess.log.1.gz"}
    assert [f["file.path"] for f in findings if f["rule.id"] == "cve-2019-19781-template"] == ["/var/log/httpaccess.log.0.gz", "/var/log/httpaccess.log.1.gz"]
    assert any("damaged" in r for r in end["sluis.reasons"])
    bundle = tar_of(root, str(tmp_path / "b.tar.gz"))
    whole = open(bundle, "rb").read()
    cut = put(str(tmp_path), "cut.tar.gz", whole[:len(whole) * 2 // 3])
    assert run(cut, want=subprocess.run([os.path.join(RELEASE, "sluis"), "hunt", cut, "--json"], capture_output=True).returncode)[2]


def test_a_damaged_log_within_the_window_gives_no_verdict(root):
    packed = gzip.compress(("\n".join(quiet(range(9, 12), 2000)) + "\n").encode())
    put(root, "/var/log/httpaccess.log.0.gz", packed[:-8] + b"\1\2\3\4\5\6\7\10")
    _, end, problems = run(root, *WINDOW, want=3)
    assert len(problems) == 1 and any("damaged" in r for r in end["sluis.reasons"])


def test_bombs_are_bounded(root, tmp_path):
    bomb = gzip.compress(b"\0" * (200 << 20), 9)
    put(root, "/var/tmp/bomb.gz", bomb)
    put(root, "/var/tmp/sh", "x")
    findings, end, problems = run(root, want=1)
    assert "bomb" in problems[0]["error.message"] and end["sluis.bytes"] < 150 << 20 and "cve-2025-6543-setuid-sh" in rules_of(findings)
    deep = b"\n".join([hit().encode()])
    for _ in range(12):
        deep = gzip.compress(deep)
    _, _, problems = run(put(str(tmp_path), "deep.gz", deep), want=3)
    assert "more layers" in problems[0]["error.message"]
    with tarfile.open(tmp_path / "long.tar", "w") as t:
        info = tarfile.TarInfo("a/" * 5000 + "x")
        t.addfile(info, io.BytesIO(b""))
        info = tarfile.TarInfo("../../var/tmp/sh")
        t.addfile(info, io.BytesIO(b""))
    findings, _, problems = run(str(tmp_path / "long.tar"), want=1)
    assert len(problems) == 1 and findings[0]["file.path"] == "/var/tmp/sh"


def test_hostile_bytes_stay_bytes(root):
    nasty = hit("/vpn/../vpns/portal/\x1b]0;x\x07\xff\xfe.xml", client="203.0.113.7", agent='\\"><script>\x00')
    put(root, "/var/log/httpaccess.log", quiet() + [nasty, "\x00" * 70000, hit("/vpn/../vpns/cfg/smb.conf"), "[[[[" * 500, '"'])
    findings, _, _ = run(root, *WINDOW, want=1, build=BUILD)
    assert {"cve-2019-19781-template", "cve-2019-19781-probe"} <= rules_of(findings)
    assert [f["sluis.line"] for f in findings if f["rule.id"] == "cve-2019-19781-template"] == [281]
    out, _ = run(root, *WINDOW, want=1, table=True)
    assert "\x1b" not in out and "\x07" not in out and "\\x1b" in out


def test_years_of_logs_without_years(root):
    lines = ["Dec 30 10:00:00 <local7.notice> ns bash[1]: nobody on /dev/pts/1 shell_command=\"id\"",
             "Jan  2 10:00:00 <local7.notice> ns bash[1]: nsroot on /dev/pts/1 shell_command=\"ls\"",
             "Dec 30 10:00:00 <local7.notice> ns bash[1]: nobody on /dev/pts/1 shell_command=\"id\"",
             "Jan  2 10:00:00 <local7.notice> ns bash[1]: nobody on /dev/pts/1 shell_command=\"id\""]
    put(root, "/var/log/bash.log", lines, mtime=int(time.mktime((2020, 1, 3, 0, 0, 0, 0, 0, 0))))
    findings, _, _ = run(root, *WINDOW, want=1)
    assert [f["@timestamp"][:10] for f in findings] == ["2018-12-30", "2019-12-30", "2020-01-02"]
    assert all("mtime" in f["sluis.time_from"] for f in findings)


def test_what_is_asked_wrongly_is_told(root, tmp_path):
    pack = put(str(tmp_path), "mine.yaml", "name: mine\ntitle: x\nentries:\n  - id: a\n    title: t\n    kind: access\n    class: probe\n    confidence: low\n"
               "    source: s\n    words: [x]\n    match: {path: '(?=x)'}\n")
    for args, words in ([["/nothing"], "/nothing cannot be read"], [[root, "--exposed-from", "soon"], "is no time"],
                        [[root, "--exposed-to", "2020-01-01"], "needs --exposed-from"], [[root, "--bogus"], "is no option"],
                        [[root, "--pack", pack], "mine.yaml:11: '(?=x)' is no expression"], [[], "name what to look at"],
                        [[root, "--format", "xml"], "--format is"]):
        _, err = run(*args, want=2, table=True)
        assert words in err, err


@pytest.mark.parametrize("form", ["ocsf", "stix", "html"])
def test_reports_for_others(root, tmp_path, form):
    """The same findings, in the form that a data lake, a CSIRT or a manager reads; written into a file by a confined process."""
    put(root, "/var/log/httpaccess.log", quiet() + [hit(path="/vpn/../vpns/portal/<b>.xml")])
    to = str(tmp_path / "report")
    more = ["--organisation", "Example Hospital", "--tlp", "green"] if form == "stix" else []
    out, _ = run(root, *WINDOW, "--format", form, "--output", to, *more, want=1, table=True)
    assert out == ""
    text = open(to).read()
    if form == "ocsf":
        lines = [json.loads(line) for line in text.splitlines()]
        assert lines and all(line["class_uid"] == 2004 and line["category_uid"] == 2 for line in lines)
    elif form == "stix":
        bundle = json.loads(text)
        assert bundle["type"] == "bundle" and {"identity", "indicator", "observed-data", "sighting"} <= {o["type"] for o in bundle["objects"]}
        assert "Example Hospital" in text
    else:
        assert text.startswith("<!doctype html>") and "<script" not in text and "&lt;b&gt;" in text and "<b>.xml" not in text
    assert run(root, "--format", "xml", want=2, table=True)[1].startswith("sluis: --format is ")


def test_a_disk_image(root, tmp_path):
    """A UFS2 image as dd over the appliance's shell makes it: with " Done" at its end."""
    put(root, "/var/log/httpaccess.log", quiet() + [hit()])
    image = str(tmp_path / "disk.img")
    subprocess.run(["makefs", "-t", "ffs", "-o", "version=2,bsize=65536,fsize=8192", "-s", "64m", image, root], check=True, capture_output=True)
    with open(image, "ab") as f:
        f.write(b" Done\n")
    findings, _, problems = run(image, *WINDOW, want=1, build=BUILD)
    assert any(f["file.path"].endswith("/var/log/httpaccess.log") and f["sluis.class"] == "compromise" for f in findings), findings
    assert any("Done" in json.dumps(p) for p in problems), problems


def test_packed_files_of_a_disk_image_are_read(root, tmp_path):
    """Where the evidence is: rotated logs on the disk, and a support bundle that somebody left there."""
    old = clean(str(tmp_path / "old"))
    put(old, "/var/cron/tabs/nobody", "* * * * * /var/nstmp/.nscache/httpd\n")
    put(root, "/var/log/httpaccess.log.0.gz", gzip.compress(("\n".join(quiet() + [hit(), hit(path="/vpns/x.xml")]) + "\n").encode()))
    put(root, "/var/log/httpaccess.log.1.bz2", bz2.compress((hit(path="/vpns/y.xml") + "\n").encode()))
    put(root, "/var/log/httpaccess.log.2.gz", gzip.compress((hit() + "\n").encode() * 50)[:60])
    os.makedirs(os.path.join(root, "var", "tmp"), exist_ok=True)
    tar_of(old, os.path.join(root, "var", "tmp", "left.tgz"))
    image = str(tmp_path / "disk.img")
    subprocess.run(["makefs", "-t", "ffs", "-o", "version=2,bsize=65536,fsize=8192", "-s", "64m", image, root], check=True, capture_output=True)
    for build in (RELEASE, BUILD):
        findings, _, problems = run(image, *WINDOW, want=1, build=build)
        at = {(f["file.path"], f.get("sluis.line")) for f in findings if f["sluis.class"] == "compromise"}
        n = len(quiet())
        assert {("/var/log/httpaccess.log.0.gz", n + 1), ("/var/log/httpaccess.log.0.gz", n + 2), ("/var/log/httpaccess.log.1.bz2", 1)} <= at, at
        assert any(f["file.path"] == "/var/cron/tabs/nobody" and "left.tgz!" in f["log.file.path"] for f in findings), findings
        assert [p for p in problems if "httpaccess.log.2.gz" in json.dumps(p)], problems


def test_a_long_line_hides_nothing(root):
    """Whoever attacks chooses path and agent: a finding is told however long they make it, and however it has to be quoted."""
    put(root, "/var/log/httpaccess.log", quiet() + [hit(path="/vpn/../vpns/portal/" + "\x01" * 20000 + ".xml", agent="\x02" * 20000)])
    findings, end, _ = run(root, *WINDOW, want=1)
    assert end["sluis.counts"]["compromise"] == len([f for f in findings if f["sluis.class"] == "compromise"]) >= 1
    assert any(len(f["url.original"]) > 20000 for f in findings)


def test_a_hard_link_in_a_bundle_is_a_name_too(root, tmp_path):
    bundle = str(tmp_path / "b.tar.gz")
    with tarfile.open(bundle, "w:gz") as t:
        t.add(os.path.join(root, "var/log/httpaccess.log"), "x/var/log/httpaccess.log")
        link = tarfile.TarInfo("x/var/nstmp/.nscache/httpd")
        link.type, link.linkname, link.mtime = tarfile.LNKTYPE, "x/var/log/httpaccess.log", 1579600000
        t.addfile(link)
    findings, _, _ = run(bundle, *WINDOW, want=1, build=BUILD)
    assert "/var/nstmp/.nscache/httpd" in {f["file.path"] for f in findings}


def test_a_log_that_looks_like_a_disk_is_read(tmp_path):
    lines = "\n".join(quiet() + [hit()]).encode()
    log = str(tmp_path / "httpaccess.log")
    with open(log, "wb") as f:
        f.write(lines[:510] + b"\x55\xaa" + lines[512:] + b"\n")
    findings, _, _ = run(log, *WINDOW, want=1, build=BUILD)
    assert [f["sluis.class"] for f in findings] == ["compromise"]
