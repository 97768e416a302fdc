"""sluis advisory: what is shipped, what is added, what is refused, and a provider of CSAF documents over HTTPS that behaves, breaks off,
lies and tries to get out of its folder."""
import glob
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import threading
import time

import pytest

from certs import Authority
from harness import RELEASE, ROOT

SHIPPED = {"CVE-2019-19781", "CVE-2023-3519", "CVE-2023-4966", "CVE-2025-5777", "CVE-2025-6543", "CVE-2025-7775"}
RULES = os.path.join(ROOT, "rules")
WELL_KNOWN = "/.well-known/csaf/provider-metadata.json"


class Site:
    """A configuration with a state_dir of its own."""

    def __init__(self, world):
        self.dir, self.state = world.dir, os.path.join(world.dir, "state")
        self.config = os.path.join(world.dir, "sluis.yaml")
        os.mkdir(self.state)
        with open(self.config, "w") as f:
            f.write(f"state_dir: {self.state}\nlisteners: {{web: {{address: '127.0.0.1:9'}}}}\n"
                    "pools: {none: {servers: ['127.0.0.1:9']}}\nroutes: [{pool: none}]\n")

    def run(self, *args, status=0, lang="en"):
        r = subprocess.run([os.path.join(RELEASE, "sluis"), "-c", self.config, "--rules", RULES, "--lang", lang, "advisory", *args],
                           capture_output=True, text=True, timeout=120)
        assert r.returncode == status, r
        return r

    def json(self, *args, status=0):
        return json.loads(self.run(*args, "--json", status=status).stdout)

    def kept(self):
        return {os.path.basename(p) for p in glob.glob(f"{self.state}/advisories/*")}

    def write(self, name, content):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
        return path


def document(number=1, version="1"):
    """A valid advisory of a vendor that does not exist."""
    with open(f"{RULES}/advisories/CVE-2023-3519.json") as f:
        d = json.load(f)
    t = d["document"]["tracking"]
    t["id"], t["version"] = f"EX-2020-{number}", version
    t["revision_history"] = [{"date": f"2020-01-0{n}T10:00:00Z", "number": str(n), "summary": "S"} for n in range(1, int(version) + 1)]
    return d


class Provider:
    """files: path -> bytes, or a function that gets the handler. What was asked for is in asked."""

    def __init__(self, world):
        ca = Authority(world.dir)
        ids = ca.issue("localhost", "localhost")
        self.ca, self.files, self.asked, self.broken = ca.path, {}, [], False
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                provider.asked.append(self.path)
                content = provider.files.get(self.path)
                if callable(content):
                    return content(self)
                if content is None:
                    return self.send_error(404)
                etag = '"' + hashlib.sha256(content).hexdigest()[:16] + '"'
                same = self.headers.get("If-None-Match") == etag
                self.send_response(304 if same else 200)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(0 if same else len(content)))
                self.end_headers()
                if not same:
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(ids["chain"], ids["key"])
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        world.at_end(self.close)
        self.url = f"https://localhost:{self.server.server_port}"
        self.metadata([{"directory_url": self.url + "/d/"}])

    def metadata(self, distributions):
        self.files[WELL_KNOWN] = json.dumps({"metadata_version": "2.0", "role": "csaf_provider", "distributions": distributions,
                                             "publisher": {"name": "Example"}}).encode()

    def put(self, path, doc, digest="sha512", wrong=False):
        content = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        self.files[path] = content
        total = hashlib.new(digest, content + b"x" * wrong).hexdigest()
        self.files[f"{path}.{digest}"] = f"{total}  {os.path.basename(path)}\n".encode()

    def changes(self, *entries):
        self.files["/d/changes.csv"] = "".join(f'"{name}","{date}"\n' for name, date in entries).encode()

    def feed(self, *paths):
        self.files["/feed.json"] = json.dumps({"feed": {"entry": [
            {"id": p, "updated": "2020-01-09T10:00:00Z", "content": {"src": self.url + p},
             "link": [{"rel": "hash", "href": f"{self.url}{p}.sha512"}]} for p in paths]}}).encode()
        self.metadata([{"rolie": {"feeds": [{"url": self.url + "/feed.json"}]}}])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(world):
    return Site(world)


@pytest.fixture
def provider(world):
    return Provider(world)


def sync(site, provider, status=0):
    return site.json("sync", provider.url, "--ca", provider.ca, status=status)


def test_what_is_shipped_is_valid_and_listed(site):
    files = sorted(glob.glob(f"{RULES}/advisories/*.json"))
    results = site.json("validate", *files)
    assert {os.path.basename(r["file"])[:-5] for r in results} == SHIPPED
    assert all(r["result"] == "valid" and r["unchecked"] == 0 for r in results), results
    listed = {a["id"]: a for a in site.json("list")}
    assert set(listed) == SHIPPED
    assert any("13.0-47.24" in f for f in listed["CVE-2019-19781"]["fixed"])
    for cve in SHIPPED:
        shown = site.run("show", cve).stdout
        assert cve in shown and "What to do" in shown and "Affected" in shown
        assert "Wat te doen" in site.run("show", cve, lang="nl").stdout
        d = site.json("show", cve)
        assert d["document"]["tracking"]["id"] == cve and d["document"]["references"]


def test_what_is_not_confirmed_says_so(site):
    assert "10.2.6b and 11.0.3b (22 January 2020) are the fixed versions is not confirmed" in " ".join(site.run("show", "CVE-2019-19781").stdout.split())


def test_what_is_not_confirmed_is_not_fixed(site):
    v = site.json("show", "CVE-2019-19781")["vulnerabilities"][0]["product_status"]
    assert v["under_investigation"] == ["WANOP-10.2.6b", "WANOP-11.0.3b"] and {"WANOP-10.2.6", "WANOP-11.0.3"} <= set(v["known_affected"])
    assert not any("WANOP" in p for p in v["fixed"] + v["first_fixed"])


def test_the_date_is_the_bulletins(site):
    v = site.json("show", "CVE-2023-3519")["vulnerabilities"][0]
    assert v["release_date"][:10] == "2023-07-18" and any("19 July 2023" in n["text"] for n in v["notes"])


def test_validate_says_what_and_where(site):
    bad = document()
    bad["vulnerabilities"][0]["product_status"]["fixed"].append("NONE")
    good, wrong, no_json = site.write("good.json", document()), site.write("bad.json", bad), site.write("no.json", "{")
    assert site.json("validate", good)[0]["result"] == "valid"
    result = site.json("validate", good, wrong, status=1)[1]
    assert [(f["test"], f["pointer"]) for f in result["findings"]] == [("6.1.1", "/vulnerabilities/0/product_status/fixed/4")]
    assert "6.1.1" in site.run("validate", wrong, status=1).stdout
    assert site.json("validate", good, wrong, no_json, status=2)[2]["result"] == "unreadable"
    site.run("validate", os.path.join(site.dir, "absent.json"), status=2)


def test_add_keeps_the_newest(site):
    one, two = site.write("1.json", document()), site.write("2.json", document(version="2"))
    assert site.json("add", two)["changed"]
    assert not site.json("add", two)["changed"]
    assert "older" in site.run("add", one, status=1).stderr
    assert site.kept() == {"ex-2020-1.json"}
    assert {a["id"] for a in site.json("list")} == SHIPPED | {"EX-2020-1"}
    assert site.json("show", "EX-2020-1")["document"]["tracking"]["version"] == "2"
    bad = document(3)
    del bad["document"]["title"]
    assert "'title' is missing" in site.run("add", site.write("bad.json", bad), status=1).stderr
    assert site.kept() == {"ex-2020-1.json"}


def of(publisher, number=1, version="1", cve=None):
    d = document(number, version)
    d["document"]["publisher"] = {"category": "vendor", "name": publisher, "namespace": f"https://{publisher}.example.org/"}
    if cve:
        d["document"]["tracking"]["id"] = cve
    return d


def test_two_publishers_with_one_id_are_both_kept(site):
    a, b = site.json("add", site.write("a.json", of("a"))), site.json("add", site.write("b.json", of("b")))
    assert a["file"] == f"{site.state}/advisories/ex-2020-1.json" and b["file"] != a["file"] and b["changed"]
    assert not site.json("add", site.write("b.json", of("b")))["changed"]
    assert site.json("add", site.write("b2.json", of("b", version="2")))["file"] == b["file"]  # a newer one takes its own older one's place
    assert site.json("add", site.write("a2.json", of("a", version="2")))["file"] == a["file"]
    assert "older" in site.run("add", site.write("b.json", of("b")), status=1).stderr
    assert len(site.kept()) == 2
    listed = {(x["id"], x["publisher"]): x for x in site.json("list")}
    assert ("EX-2020-1", "a") in listed and listed["EX-2020-1", "b"]["file"] == b["file"] and len(listed) == len(SHIPPED) + 2
    out = site.run("list").stdout
    assert f"published by: a ({a['file']})" in out and f"published by: b ({b['file']})" in out and "published by: Sluis" not in out
    shown = site.run("show", "EX-2020-1", "--json")
    assert json.loads(shown.stdout)["document"]["publisher"]["name"] == "a" and f"another publisher has an advisory EX-2020-1 too: sluis advisory show {b['file']}" in shown.stderr
    assert site.json("show", b["file"])["document"]["publisher"]["name"] == "b"
    os.unlink(a["file"])  # the name is free: b keeps the one it has
    assert site.json("add", site.write("b3.json", of("b", version="3")))["file"] == b["file"]


def test_a_publisher_with_a_shipped_id_does_not_take_its_place(site):
    b = site.json("add", site.write("b.json", of("b", cve="CVE-2023-3519")))
    assert os.path.basename(b["file"]) != "cve-2023-3519.json"
    assert sorted(x["publisher"] for x in site.json("list") if x["id"] == "CVE-2023-3519") == ["Sluis", "b"]
    shown = site.run("show", "CVE-2023-3519", "--json")
    assert json.loads(shown.stdout)["document"]["publisher"]["name"] == "Sluis" and b["file"] in shown.stderr
    own = document(1, "3")
    own["document"]["tracking"]["id"] = "CVE-2023-3519"  # of the shipped one's publisher: takes its place
    assert site.json("add", site.write("own.json", own))["file"].endswith("/cve-2023-3519.json")
    assert site.json("show", "CVE-2023-3519")["document"]["tracking"]["version"] == "3"
    assert len(site.json("list")) == len(SHIPPED) + 1


def test_two_ids_that_make_one_file_name_are_both_kept(site):
    one, two = of("a"), of("a")
    one["document"]["tracking"]["id"], two["document"]["tracking"]["id"] = "EX 1/2", "EX_1_2"
    files = {site.json("add", site.write("1.json", one))["file"], site.json("add", site.write("2.json", two))["file"]}
    assert len(files) == 2 and {x["id"] for x in site.json("list")} == SHIPPED | {"EX 1/2", "EX_1_2"}


def test_two_providers_with_one_id(site, provider):
    provider.put("/d/a.json", of("a"))
    provider.put("/d/b.json", of("b"))
    provider.changes(("a.json", "2020-01-10T10:00:00Z"), ("b.json", "2020-01-09T10:00:00Z"))
    assert sync(site, provider)["added"] == 2
    assert {x["publisher"] for x in site.json("list") if x["id"] == "EX-2020-1"} == {"a", "b"}


def slow_document(kind):
    """Documents at which a loop within a loop takes minutes."""
    d = document()
    d["document"]["category"] = "csaf_vex"
    ids = ["%x" % i for i in range(60000)]
    tree = d["product_tree"] = {"full_product_names": [{"name": "N", "product_id": i} for i in ids]}
    v = {"cve": "CVE-2020-0001", "notes": [{"category": "description", "text": "D"}]}
    d["vulnerabilities"] = [v]
    if kind == "remedies":
        v.update(product_status={"known_affected": ids}, remediations=[{"category": "mitigation", "details": "d", "product_ids": ids[::-1]}])
    elif kind == "groups":
        tree["product_groups"] = [{"group_id": "g", "product_ids": ids}]
        v.update(product_status={"known_affected": ids}, remediations=[{"category": "mitigation", "details": "d", "group_ids": ["g"]}])
        d["vulnerabilities"] = [dict(v, cve=f"CVE-2020-{i:04}", product_status={"known_affected": ids[:1]}) for i in range(20000)]
    elif kind == "word":
        d["document"]["notes"] = [{"category": "summary", "text": "x" * (12 << 20)}]
        v.update(product_status={"known_not_affected": ids}, threats=[{"category": "impact", "details": "d", "product_ids": ids}])
    return d


@pytest.mark.parametrize("kind,status,words", [("remedies", 0, "valid"), ("groups", 1, "through groups more than 2000000 times"), ("word", 0, "valid")])
def test_no_document_is_slow(site, kind, status, words):
    """Minutes before there were sets; generous here, for a sanitized program on a busy machine."""
    path = site.write("slow.json", slow_document(kind))
    started = time.monotonic()
    assert words in site.run("validate", path, status=status).stdout
    assert site.run("show", path).stdout
    assert time.monotonic() - started < 60


def test_wrong_calls(site):
    for args in ([], ["show"], ["validate"], ["frob"], ["sync"], ["sync", "http://localhost/"], ["sync", "ftp://x/y"], ["show", "CVE-1999-1"]):
        assert site.run(*args, status=2).stderr.startswith("sluis: "), args


@pytest.mark.parametrize("digest", ["sha512", "sha256"])
def test_a_directory(site, provider, digest):
    provider.put("/d/2020/ex-1.json", document(1), digest)
    provider.put("/d/2020/ex-2.json", document(2), digest)
    provider.changes(("2020/ex-2.json", "2020-01-10T10:00:00Z"), ("2020/ex-1.json", "2020-01-09T10:00:00Z"))
    assert (r := sync(site, provider))["added"] == 2 and r["complete"] and r["publisher"] == "Example" and not r["signatures_checked"]
    assert site.kept() == {"ex-2020-1.json", "ex-2020-2.json"}
    provider.asked.clear()
    sync(site, provider)
    assert provider.asked == [WELL_KNOWN, "/d/changes.csv"]  # nothing else is asked for again
    provider.put("/d/2020/ex-1.json", document(1, "2"), digest)
    provider.changes(("2020/ex-1.json", "2020-01-11T10:00:00Z"), ("2020/ex-2.json", "2020-01-10T10:00:00Z"))
    assert (r := sync(site, provider))["updated"] == 1 and r["unchanged"] == 1
    assert site.json("show", "EX-2020-1")["document"]["tracking"]["version"] == "2"


def test_a_directory_with_only_an_index(site, provider):
    provider.put("/d/ex-1.json", document(1))
    provider.files["/d/index.txt"] = b"ex-1.json\n"
    assert sync(site, provider)["added"] == 1


def test_a_rolie_feed(site, provider):
    provider.put("/r/ex-1.json", document(1))
    provider.put("/r/ex-2.json", document(2))
    provider.feed("/r/ex-1.json", "/r/ex-2.json")
    assert sync(site, provider)["added"] == 2
    assert site.kept() == {"ex-2020-1.json", "ex-2020-2.json"}


def test_what_is_refused_is_named_and_the_rest_is_kept(site, provider):
    invalid = document(3)
    del invalid["document"]["publisher"]
    provider.put("/d/good.json", document(1))
    provider.put("/d/wrong-sum.json", document(2), wrong=True)
    provider.put("/d/invalid.json", invalid)
    provider.put("/d/no-json.json", b"{")
    provider.put("/d/huge.json", b" " * (17 << 20))
    provider.files["/d/no-sum.json"] = json.dumps(document(4)).encode()
    provider.put("/secret.json", document(5))
    provider.changes(*((n, "2020-01-09T10:00:00Z") for n in (
        "wrong-sum.json", "invalid.json", "no-json.json", "huge.json", "no-sum.json", "absent.json", "../secret.json", "good.json")))
    r = sync(site, provider, status=1)
    assert r["added"] == 1 and r["complete"]
    refused = {os.path.basename(x["url"]): x["why"] for x in r["refused"]}
    assert set(refused) == {"wrong-sum.json", "invalid.json", "no-json.json", "huge.json", "no-sum.json", "absent.json", "secret.json"}
    for name, words in {"wrong-sum.json": "sum", "invalid.json": "'publisher' is missing", "huge.json": "larger", "secret.json": "inside the folder"}.items():
        assert words in refused[name], refused
    assert site.kept() == {"ex-2020-1.json"}
    assert "/secret.json" not in provider.asked


def test_a_connection_that_is_cut_is_gone_on_with(site, provider):
    provider.put("/d/ex-1.json", document(1))
    provider.put("/d/ex-2.json", document(2))
    whole = provider.files["/d/ex-2.json"]
    provider.changes(("ex-1.json", "2020-01-10T10:00:00Z"), ("ex-2.json", "2020-01-09T10:00:00Z"))

    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[:100])
        handler.close_connection = True

    provider.files["/d/ex-2.json"] = cut
    r = sync(site, provider, status=1)
    assert not r["complete"] and r["added"] == 1 and r["why"]
    assert site.kept() == {"ex-2020-1.json"}
    provider.files["/d/ex-2.json"] = whole
    provider.asked.clear()
    assert (r := sync(site, provider))["complete"] and r["added"] == 1
    assert "/d/ex-1.json" not in provider.asked  # what was kept is not asked for again
    assert site.kept() == {"ex-2020-1.json", "ex-2020-2.json"}


def test_without_the_network_what_is_here_stays(site, provider):
    provider.put("/d/ex-1.json", document(1))
    provider.changes(("ex-1.json", "2020-01-10T10:00:00Z"))
    sync(site, provider)
    provider.close()
    provider.close = lambda: None
    assert "stays" in site.run("sync", provider.url, "--ca", provider.ca, status=2).stderr
    assert site.kept() == {"ex-2020-1.json"}


def test_who_is_not_trusted_is_not_asked(site, provider):
    assert "certificate" in site.run("sync", provider.url, status=2).stderr
    assert provider.asked == []


def test_redirects_end_and_stay_with_https(site, provider):
    def to(where):
        def answer(handler):
            handler.send_response(302)
            handler.send_header("Location", where)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        return answer

    provider.files[WELL_KNOWN] = to("http://localhost:9/x.json")
    assert "https" in site.run("sync", provider.url, "--ca", provider.ca, status=2).stderr
    provider.files[WELL_KNOWN] = to(WELL_KNOWN)
    site.run("sync", provider.url, "--ca", provider.ca, status=2)
    assert 5 < len(provider.asked) < 20


def test_metadata_that_says_nothing(site, provider):
    provider.files[WELL_KNOWN] = b"{}"
    assert "metadata_version" in site.run("sync", provider.url, "--ca", provider.ca, status=2).stderr
