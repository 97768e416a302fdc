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

import pytest

from certs import Authority
from harness import BUILD, ROOT

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
        r = subprocess.run([os.path.join(BUILD, "sluis"), "-c", self.config, "--rules", RULES, "--lang", lang, "advisory", *args],
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
