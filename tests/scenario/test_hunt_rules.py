"""sluis hunt with rules of others: Sigma rules over a web log and YARA rules over content find what they say, in folders, bundles and packed logs,
inside the confinement; what is not supported is refused with its place; a rule that hangs or counts costs only itself."""
import gzip
import io
import json
import os
import subprocess
import tarfile

import pytest

from harness import BUILD, RELEASE, SANITIZER_MARKS, run_small

LINE = '{client} - - [{day}/Jan/2020:11:00:05 +0000] "{method} {path} HTTP/1.1" {status} 941 "-" "{agent}"\n'
TRAVERSAL = """title: Path traversal towards the portal
id: 6f0c2f0e-6a53-4a0e-8a44-2a7a0f6b1d01
references: [https://example.org/ctx267027]
tags: [attack.initial-access, cve.2019-19781]
logsource:
  category: webserver
detection:
  selection:
    cs-uri-query|contains:
      - '/../vpns/'
      - '/vpns/cfg/smb.conf'
  filter_answer:
    sc-status: [403, 404]
  condition: selection and not 1 of filter_*
level: critical
"""
DISCOVERY = """title: Discovery document asked for with a long host
tags: [cve.2023.4966]
logsource: {category: webserver, product: netscaler}
detection:
  path: {cs-method: GET, cs-uri-stem|contains: '/oauth/idp/.well-known/openid-configuration'}
  host: {cs-host|re: '^.{150,}'}
  condition: all of them
level: high
"""
PROXY = "title: p\nlogsource: {category: proxy}\ndetection: {a: {c-uri: x}, condition: a}\n"
COUNTED = "title: c\nlogsource: {category: webserver}\ndetection:\n  a: {c-uri: x}\n  condition: a | count() > 5\n"
FIELD = "title: f\nlogsource: {category: webserver}\ndetection:\n  a: {dst_port: 80}\n  condition: a\n"
SHELL = """rule webshell {
  meta:
    description = "A marker that this test planted"
    reference = "https://example.org/webshell"
    confidence = "high"
  strings:
    $a = "planted-marker-4711"
  condition:
    $a
}
"""
HANGS = "rule hangs { condition: for all i in (1..100000000000) : (i > 0) }\n"


def line(path, client="203.0.113.7", status=200, method="GET", day=21, agent="curl/7.58.0"):
    return LINE.format(path=path, client=client, status=status, method=method, day=day, agent=agent)


QUIET = "".join(line(f"/vpn/index.html?n={i}", client="198.51.100.3", day=10 + i % 10, agent="Mozilla/5.0") for i in range(200))


def put(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return str(path)


def hunt(*args, want, build=RELEASE):
    r = subprocess.run([os.path.join(build, "sluis"), "hunt", *map(str, args), "--json"], capture_output=True, timeout=300,
                       env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0", LC_ALL="C"))
    err = r.stderr.decode()
    assert not any(mark in err for mark in SANITIZER_MARKS), err
    assert r.returncode == want, (r.returncode, r.stdout[-2000:], err)
    lines = [json.loads(x) for x in r.stdout.decode().splitlines()]
    findings = [x for x in lines if x["event.kind"] == "alert"]
    problems = [x["error.message"] for x in lines if x["event.kind"] == "pipeline_error"]
    return findings, problems, lines[-1] if lines else None, err


def of(findings, rule):
    return [f for f in findings if f["rule.id"] == rule]


@pytest.fixture
def disk(tmp_path):
    """An appliance's folder with a quiet log."""
    put(f"{tmp_path}/disk/var/log/httpaccess.log", QUIET)
    return str(tmp_path / "disk")


@pytest.mark.parametrize("build", [BUILD, RELEASE], ids=["sanitized", "release"])
def test_both_kinds_find_what_they_say_inside_the_confinement(disk, tmp_path, build):
    put(f"{disk}/var/log/httpaccess.log", QUIET + line("/vpn/%2e%2e/vpns/cfg/x.xml"))
    put(f"{disk}/var/vpn/themes/a.txt", "one\ntwo planted-marker-4711 three\nfour\n")
    sigma, yara = put(f"{tmp_path}/r/a.yml", TRAVERSAL), put(f"{tmp_path}/r/a.yar", SHELL)
    findings, problems, end, err = hunt(disk, "--sigma", sigma, "--yara", yara, want=1, build=build)
    assert problems == [] and err == ""
    [f] = of(findings, "6f0c2f0e-6a53-4a0e-8a44-2a7a0f6b1d01")
    assert f["sluis.class"] == "attempt" and f["sluis.confidence"] == "high" and f["sluis.line"] == 201
    assert f["vulnerability.id"] == ["CVE-2019-19781"] and f["rule.reference"] == "https://example.org/ctx267027"
    assert f["source.ip"] == "203.0.113.7" and f["url.original"] == "/vpn/%2e%2e/vpns/cfg/x.xml" and f["http.response.status_code"] == 200
    [f] = of(findings, "yara:webshell")
    assert f["sluis.class"] == "compromise" and f["sluis.confidence"] == "high" and f["rule.reference"] == "https://example.org/webshell"
    assert f["sluis.offset"] == 8 and f["message"] == "two planted-marker-4711 three" and f["file.path"] == "/var/vpn/themes/a.txt"
    assert f["rule.name"] == "A marker that this test planted"
    assert f"sigma {sigma} (1)" in end["sluis.packs"] and f"yara {yara}" in end["sluis.packs"]


def test_a_sigma_rule_alone_makes_no_verdict(disk, tmp_path):
    put(f"{disk}/var/log/httpaccess.log", QUIET + line("/x/marker-of-this-test"))
    rule = put(f"{tmp_path}/a.yml", "title: t\nlogsource: {product: nginx}\ndetection: {a: {c-uri|endswith: '/marker-of-this-test'}, condition: a}\n")
    findings, _, end, _ = hunt(disk, "--sigma", rule, want=0)
    assert [(f["rule.id"], f["sluis.class"], f["sluis.confidence"]) for f in findings] == [("t", "attempt", "medium")]
    assert end["sluis.counts"]["attempt"] == 1 and end["sluis.verdict"] == "nothing-found"


def test_answers_filters_and_hosts_decide(disk, tmp_path):
    host = "a" * 150 + ".example.org"
    rules = put(f"{tmp_path}/rules.yml", TRAVERSAL + "---\n" + DISCOVERY)
    put(f"{disk}/var/log/httpaccess.log", QUIET + line("/vpn/../vpns/a.xml", status=403) + line("/oauth/idp/.well-known/openid-configuration") +
        line(f"http://{host}/oauth/idp/.well-known/openid-configuration"))
    findings, _, _, _ = hunt(disk, "--sigma", rules, want=0)
    assert of(findings, "6f0c2f0e-6a53-4a0e-8a44-2a7a0f6b1d01") == []
    [f] = of(findings, "Discovery document asked for with a long host")
    assert f["vulnerability.id"] == ["CVE-2023-4966"] and f["sluis.line"] == 203


def test_a_folder_goes_on_after_what_it_refuses(disk, tmp_path):
    put(f"{disk}/var/log/httpaccess.log", QUIET + line("/vpn/../vpns/a.xml"))
    for name, text in {"a.yml": TRAVERSAL, "deep/er/b.yaml": DISCOVERY, "p.yml": PROXY, "c.yml": COUNTED, "f.yml": FIELD, "notes.txt": "no rule"}.items():
        put(f"{tmp_path}/rules/{name}", text)
    findings, _, end, err = hunt(disk, "--sigma", f"{tmp_path}/rules", want=1)
    assert len(of(findings, "6f0c2f0e-6a53-4a0e-8a44-2a7a0f6b1d01")) == 1
    assert f"{tmp_path}/rules/c.yml:5: aggregations (| count() and others) are not supported" in err
    assert f"{tmp_path}/rules/f.yml:4: the field 'dst_port' is not supported; these are: cs-method" in err
    assert f"{tmp_path}/rules: 2 Sigma rules; 2 refused, 1 about other logs passed over" in err
    assert f"sigma {tmp_path}/rules (2)" in end["sluis.packs"]
    put(f"{tmp_path}/yara/a.yar", SHELL)
    put(f"{tmp_path}/yara/b.yara", "rule b {\n  condition: nothing_of_that_name\n}\n")
    _, _, _, err = hunt(disk, "--yara", f"{tmp_path}/yara", want=1)
    assert f"{tmp_path}/yara/b.yara:2: undefined identifier" in err and f"{tmp_path}/yara: 1 files with YARA rules; 1 refused" in err


@pytest.mark.parametrize("option,text,words", [
    ("--sigma", COUNTED, ":5: aggregations"),
    ("--sigma", FIELD, ":4: the field 'dst_port' is not supported"),
    ("--sigma", PROXY, "has no Sigma rules about a web server (0 refused, 1 about other logs)"),
    ("--sigma", "a: [", ":1:"),
    ("--sigma", "", "has no Sigma rules"),
    ("--yara", "rule a {\n condition: b\n}\n", ":2: undefined identifier"),
    ("--yara", 'include "/etc/passwd"\n', ":1: "),
    ("--yara", 'import "pe"\nrule a { condition: pe.number_of_sections > 1 }\n', "the module 'pe' is not used here"),
], ids=["counted", "field", "other", "yaml", "empty", "identifier", "include", "module"])
def test_a_named_file_must_be_right(disk, tmp_path, option, text, words):
    rule = put(f"{tmp_path}/rule", text)
    _, _, end, err = hunt(disk, option, rule, want=2)
    assert end is None and rule in err and words in err and len(err.splitlines()) == 1, err


def test_options_that_cannot_be(disk, tmp_path):
    for args, words in ((["--sigma", f"{tmp_path}/none"], "cannot be read: No such file"), (["--yara", f"{tmp_path}"], "has no YARA rules"),
                        (["--yara-timeout", "0"], "1 to 3600 seconds"), (["--sigma"], "wants a value"),
                        (["--check-packs", "--sigma", f"{tmp_path}/none"], "--check-packs is about packs alone")):
        _, _, _, err = hunt(disk, *args, want=2)
        assert words in err, err


def test_packed_logs_and_bundles_are_looked_at_unpacked(tmp_path):
    content = QUIET + line("/vpn/../vpns/a.xml") + "planted-marker-4711\n"
    bundle = f"{tmp_path}/collector_P_192.0.2.1_20Jan2020.tar.gz"
    with tarfile.open(bundle, "w:gz") as t:
        data = gzip.compress(content.encode())
        info = tarfile.TarInfo("collector_P_192.0.2.1_20Jan2020/var/log/httpaccess.log.3.gz")
        info.size, info.mtime = len(data), 1579600000
        t.addfile(info, io.BytesIO(data))
    findings, _, _, _ = hunt(bundle, "--sigma", put(f"{tmp_path}/a.yml", TRAVERSAL), "--yara", put(f"{tmp_path}/a.yar", SHELL), want=1)
    [s], [y] = of(findings, "6f0c2f0e-6a53-4a0e-8a44-2a7a0f6b1d01"), of(findings, "yara:webshell")
    assert s["sluis.line"] == 201 and y["sluis.offset"] == content.index("planted-marker")
    assert y["log.file.path"].endswith("!collector_P_192.0.2.1_20Jan2020/var/log/httpaccess.log.3.gz")


def test_a_large_file_is_looked_at_in_windows_that_overlap(tmp_path):
    """Markers astride the end of a window, and far behind it; each file is told once."""
    mb = 1 << 20
    for name, at in {"astride": 32 * mb - 5, "behind": 70 * mb, "both": 32 * mb - 100}.items():
        with open(put(f"{tmp_path}/big/{name}", ""), "r+b") as f:
            f.truncate(80 * mb)
            f.seek(at)
            f.write(b"planted-marker-4711")
    findings, problems, _, _ = hunt(f"{tmp_path}/big", "--yara", put(f"{tmp_path}/a.yar", SHELL + "rule small { condition: filesize < 1MB }\n"), want=1)
    assert problems == [] and of(findings, "yara:small") == []
    assert {os.path.basename(f["file.path"]): f["sluis.offset"] for f in of(findings, "yara:webshell")} == \
        {"astride": 32 * mb - 5, "behind": 70 * mb, "both": 32 * mb - 100}
    assert len(of(findings, "yara:webshell")) == 3


def test_a_rule_that_hangs_costs_only_itself(tmp_path):
    for n in range(3):
        put(f"{tmp_path}/d/{n}.txt", f"planted-marker-4711 {n}")
    rule = put(f"{tmp_path}/a.yar", SHELL + HANGS)
    findings, problems, _, _ = hunt(f"{tmp_path}/d", "--yara", rule, "--yara-timeout", "1", want=1)
    assert len(of(findings, "yara:webshell")) == 3
    assert len(problems) == 1 and "the YARA rule hangs took too long here" in problems[0]


def test_memory_stays_bounded(tmp_path):
    """A log of 100 MB, a Sigma rule that has every line taken apart, and a YARA string that matches more than a million times."""
    with open(put(f"{tmp_path}/access.log", ""), "w") as f:
        part = line("/000000000000000000000000") * 1000
        for _ in range(100_000_000 // len(part)):
            f.write(part)
        f.write(line("/marker"))
    sigma = put(f"{tmp_path}/a.yml", "title: t\nlogsource: {category: webserver}\ndetection:\n  a: {c-uri|re: '/marker$'}\n  condition: a\n")
    yara = put(f"{tmp_path}/a.yar", 'rule counts { strings: $a = "0" condition: #a > 100000000 }\nrule other { strings: $a = "/marker" condition: $a }\n')
    status, peak_kb, _ = run_small([os.path.join(RELEASE, "sluis"), "hunt", f"{tmp_path}/access.log", "--sigma", sigma, "--yara", yara, "--json"],
                                   f"{tmp_path}/out")
    with open(f"{tmp_path}/out", encoding="utf-8") as f:
        lines = [json.loads(x) for x in f]
    assert status == 1 and peak_kb < 128 << 10, (status, peak_kb)
    assert [f["rule.id"] for f in lines if f["event.kind"] == "alert"].count("t") == 1
    assert [f["rule.id"] for f in lines if f["event.kind"] == "alert"].count("yara:other") == 1
    assert any("asks for more than can be counted" in x.get("error.message", "") for x in lines)


def test_an_inventory_gives_window_name_and_own_addresses(disk, tmp_path):
    inventory = put(f"{tmp_path}/inventory.yaml", """appliances:
  - name: gw1
    addresses: [192.0.2.10]
    exposed_since: 2020-01-11
    updates: [{on: 2020-01-18, to: 13.0-47.24}]
""")
    put(f"{disk}/var/log/httpaccess.log", QUIET + line("/vpn/../vpns/cfg/smb.conf", client="192.0.2.10"))
    _, _, end, _ = hunt(disk, want=1)
    assert "host.name" not in end and "sluis.exposed.from" not in end
    findings, _, end, _ = hunt(disk, "--inventory", inventory, "--appliance", "gw1", want=0)
    assert findings and all(f["sluis.own"] for f in findings) and end["host.name"] == "gw1"
    assert end["sluis.exposed.from"] == "2020-01-11T00:00:00.000Z" and end["sluis.exposed.to"].startswith("2020-01-18T")
    put(f"{disk}/var/log/httpaccess.log", QUIET + line("/vpn/../vpns/portal/a.xml", client="192.0.2.10"))
    hunt(disk, "--inventory", inventory, "--appliance", "gw1", want=1)  # a sign of a compromise counts, whoever asked
    _, _, end, _ = hunt(disk, "--inventory", inventory, "--appliance", "gw1", "--exposed-from", "2020-01-09", want=1)
    assert end["sluis.exposed.from"] == "2020-01-09T00:00:00.000Z" and "sluis.exposed.to" not in end
    for args, words in ((["--appliance", "gw2"], "has no appliance 'gw2'"), ([], "needs --appliance")):
        _, _, _, err = hunt(disk, "--inventory", inventory, *args, want=2)
        assert words in err, err
