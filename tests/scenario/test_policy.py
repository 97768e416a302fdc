"""sluis policy test: what it says is what the worker does, mistakes are told, and the exit status can be relied on.
And the worker where a client tries to make policies blind."""
import json
import os
import re
import subprocess

import pytest
import yaml

from harness import BUILD, ROOT, Client, free_port, get

POLICIES = [
    {"name": "seen", "if": 'any_header("X-Mark") == "yes"', "then": [{"tag": "marked"}]},
    {"name": "marked-only", "if": 'starts_with(http.path, "/marked/") and not tag("marked")', "then": [{"block": 404}]},
    {"name": "slow", "if": 'not (http.query matches "^(a+)+$")', "then": [{"tag": "not-slow"}]},
    {"name": "verbs", "if": 'http.method in {"PUT" "DELETE"}', "then": [{"block": 405}]},
    {"name": "old", "if": 'http.path == "/old"', "then": [{"redirect": {"to": 'concat("/new?", remove_query("a"))', "status": 301}}]},
    {"name": "hello", "if": 'http.path == "/hello"', "then": [{"respond": {"status": 200, "body": '"hello"'}}]},
    {"name": "moved", "if": 'starts_with(http.path, "/moved/")', "then": [{"rewrite_path": 'concat("/x", http.path)'}]},
    {"name": "canary", "if": 'cookie("canary") == "1"', "then": [{"pool": "canary"}]},
    {"name": "listed", "if": 'client.ip in $bad or lower(http.user_agent) contains "bot"', "then": ["block"]},
    {"name": "trusted", "if": 'http.path == "/open"', "then": ["allow"]},
    {"name": "never-behind-allow", "if": 'http.path == "/open"', "then": ["block"]},
    {"name": "no-server", "on": "response", "if": "response.status < 500", "then": [{"set_field": {"name": "X-By", "value": '"us"'}}]},
]

# A head and what must come of it: both sides are asked.
HEADS = [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "pool web"),
    ("GET /marked/1 HTTP/1.1\r\nHost: a\r\n\r\n", "block 404"),
    ("GET /marked/1 HTTP/1.1\r\nHost: a\r\nX-Mark: yes\r\n\r\n", "pool web"),
    ("GET /marked/1 HTTP/1.1\r\nHost: a\r\nX-Mark: no\r\nX-Mark: yes\r\n\r\n", "pool web"),
    ("GET /marked/1 HTTP/1.1\r\nHost: a\r\nX-Mark: yes, no\r\n\r\n", "block 404"),
    ("GET /%6darked/../marked/./1 HTTP/1.1\r\nHost: a\r\n\r\n", "block 404"),
    ("GET /?" + "a" * 60 + "! HTTP/1.1\r\nHost: a\r\n\r\n", "refused 403 policy-unknown"),
    ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "block 405"),
    ("GET /old?a=1&b=2&%61=3 HTTP/1.1\r\nHost: a\r\n\r\n", "redirect 301 /new?b=2"),
    ("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "respond 200"),
    ("GET /moved/b%20c HTTP/1.1\r\nHost: a\r\n\r\n", "pool web"),
    ("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=2; canary=1\r\n\r\n", "pool canary"),
    ("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: GoodBOT/1\r\n\r\n", "block 403"),
    ("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nUser-Agent: bot\r\n\r\n", "block 403"),
    ("GET /open HTTP/1.1\r\nHost: a\r\n\r\n", "pool web"),
    ("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", "refused 400 encoded-slash"),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "refused 400"),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "refused 405 method"),
]


def cli(*args):
    r = subprocess.run([os.path.join(BUILD, "sluis"), "--rules", os.path.join(ROOT, "rules"), "policy", "test", *args],
                       capture_output=True, text=True, timeout=60)
    assert "Sanitizer" not in r.stderr, r.stderr
    return r


def write(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "w", newline="") as f:
        f.write(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return path


def base(**more):
    return dict({"listeners": {"web": {"address": f"127.0.0.1:{free_port()}"}}, "pools": {"web": {"servers": ["127.0.0.1:1"]}},
                 "routes": [{"pool": "web"}]}, **more)


def test_the_worker_decides_as_the_command_says(world):
    web, canary = world.scripted(), world.scripted()
    s = world.serve(web, policies=POLICIES,
                    pools={"web": {"servers": [web.address]}, "canary": {"servers": [canary.address]}},
                    sets={"bad": {"addresses": ["198.51.100.0/24"]}})
    requests = write(s.dir, "requests.yaml",
                     {"requests": [{"head": head, "client": "127.0.0.1", "expect": {"decision": want}} for head, want in HEADS]})
    r = cli(s.file, requests, "--json")
    assert r.returncode == 0, r.stdout + r.stderr
    said = json.loads(r.stdout)
    assert said["failed"] == 0 and said["held"] == len(HEADS)
    for (head, _), one in zip(HEADS, said["requests"]):
        word, *rest = one["decision"].split(" ")
        with Client(s.port()) as c:
            got = c.send(head).response()
        if word == "pool":
            assert got.status == 200, (head, got)
            seen = got.json()
            assert seen["target"].split("?")[0].replace("%20", " ") == one["server_path"], head
            assert (canary if rest[0] == "canary" else web).heads, head
            assert got.field("x-by") == "us"
        else:
            assert got.status == int(rest[0]), (head, one["decision"], got)
            if word == "redirect":
                assert got.field("location") == rest[1]
    assert len(canary.heads) == 1


def test_an_undecidable_condition_refuses_and_says_so(world):
    """Under 'not', a pattern made slow was an escape."""
    s = world.serve(world.scripted(), policies=[{"name": "only-short", "if": 'not (http.query matches "^(a+)+$")', "then": ["block"]}])
    assert get(s.port(), "/?aaa").status == 200
    assert get(s.port(), "/?b").status == 403
    assert get(s.port(), "/?" + "a" * 60 + "!").status == 403
    line = s.access_line(url__original="/?" + "a" * 60 + "!")
    assert line["rule.name"] == "only-short" and line["event.reason"] == "policy-unknown"


def test_an_undecidable_answer_is_refused_and_no_fault_of_the_server(world):
    """A client must not be able to have servers ejected by what it sends."""
    backend = world.scripted()
    s = world.serve(backend, pool={"eject": {"failures": 1, "time": "60s", "max_percent": 100}}, policies=[
        {"name": "inside", "on": "response", "if": 'not (http.query matches "^(a+)+$")', "then": [{"remove_field": "Content-Type"}]}])
    assert get(s.port(), "/?aaa").field("content-type") and not get(s.port(), "/?b").field("content-type")
    for _ in range(3):
        assert get(s.port(), "/?" + "a" * 60 + "!").status == 502
    assert s.access_line(http__response__status_code=502)["event.reason"] == "policy-unknown"
    assert get(s.port(), "/?aaa").status == 200


def test_a_long_head_does_not_keep_a_field_in(world):
    """The request's memory filled up to its last octets: a field that is to be removed must not stay, and one that is
    to be set must not be empty. Every length is tried, so that the arena ends at every place."""
    backend = world.scripted()
    s = world.serve(backend, policies=[
        {"name": "strip", "then": [{"remove_field": "X-User"}, {"set_field": {"name": "X-Path", "value": "upper(http.path)"}}]}],
        limits={"request_line": "32k"})
    through = refused = 0
    with Client(s.port()) as c:
        for n in range(1000, 12000, 61):
            path = "/" + "a" * n
            c.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-User: admin\r\n\r\n")
            r = c.response()
            if r.status != 200:
                assert r.status == 431, r
                refused += 1
                c.close()
                c = Client(s.port())
                continue
            fields = [f for f in r.json()["fields"] if f[0].lower() in ("x-user", "x-path")]
            assert [f[1] for f in fields] == [path.upper()], n
            through += 1
        c.close()
    assert through > 10 and refused > 10


def test_exit_status_and_places(world):
    folder = world.dir
    conf = write(folder, "c.yaml", base(policies=[{"name": "a", "if": 'http.path == "/a"', "then": ["block"],
                                                   "tests": {"hits": ["GET /a HTTP/1.1\r\nHost: a\r\n\r\n"],
                                                             "misses": [{"target": "/b"}]}}]))
    r = cli(conf)
    assert r.returncode == 0 and "2 requests, 0 failed" in r.stdout, r.stdout
    write(folder, "c.yaml", base(policies=[{"name": "a", "if": 'http.path == "/a"', "then": ["block"], "tests": {
        "hits": [{"target": "/b"}, {"target": "/a%00"}], "misses": [{"target": "/a"}]}}]))
    r = cli(conf)
    assert r.returncode == 1 and "3 requests, 3 failed" in r.stdout
    assert "a must hold for this request" in r.stdout and "a must not hold" in r.stdout and "no policy sees this" in r.stdout
    for bad in ([], ["a", "b", "c"], [os.path.join(folder, "none.yaml")]):
        assert cli(*bad).returncode == 2
    requests = write(folder, "r.yaml", "requests:\n- {target: /, cliemt: 10.0.0.1}\n- {client: house}\n- {listener: no}\n")
    r = cli(conf, requests)
    assert r.returncode == 2
    assert f"{requests}:2:15: unknown key 'cliemt'; write 'client'" in r.stderr
    assert f"{requests}:3:12: 'house' is not an address" in r.stderr
    assert f"{requests}:4:14: there is no listener 'no'" in r.stderr


def test_a_block_of_text_is_a_head_and_output_is_safe(world):
    conf = write(world.dir, "c.yaml", base(policies=[
        {"name": "echo", "if": 'query("to") != ""', "then": [{"redirect": {"to": 'query("to")'}}]}]))
    requests = write(world.dir, "r.yaml", "requests:\n- |\n  GET /?to=%1b%5b31m HTTP/1.1\n  Host: a\n"
                     "- {name: wrong, expect: {decision: block, policies: [echo], path: /b}}\n")
    r = cli(conf, requests)
    assert r.returncode == 1 and "\x1b" not in r.stdout and "\\x1b[31m" in r.stdout, r.stdout
    assert "the decision must be block; the path must be /b; the policies that hold must be [echo]" in r.stdout
    assert 'query("to") != "" holds: query("to") is "\\u001b[31m"' in r.stdout


def test_a_set_of_100000_prefixes_from_a_file(world):
    lines = ["# bad networks"] + [f"{10 + i // 65536}.{i // 256 % 256}.{i % 256}.0/25" for i in range(100000)]
    write(world.dir, "bad.txt", "\n".join(lines) + "\n")
    conf = write(world.dir, "c.yaml", base(sets={"bad": {"file": "bad.txt"}},
                                           policies=[{"name": "bad", "if": "client.ip in $bad", "then": ["block"]}]))
    requests = write(world.dir, "r.yaml", {"requests": [
        {"client": "10.0.0.127", "expect": {"decision": "block 403"}}, {"client": "10.0.0.128", "expect": {"decision": "pool web"}},
        {"client": "11.134.159.1", "expect": {"decision": "block 403"}}, {"client": "11.134.160.1", "expect": {"decision": "pool web"}}]})
    r = cli(conf, requests)
    assert r.returncode == 0, r.stdout + r.stderr
    lines[500] += "x"
    write(world.dir, "bad.txt", "\n".join(lines) + "\n")
    r = cli(conf, requests)
    assert r.returncode == 2 and "bad.txt:501:1: '10.0.243.0/25" not in r.stdout
    assert "bad.txt:501:1: " in r.stderr and "is not an address or prefix; write 192.0.2.1" in r.stderr


@pytest.mark.parametrize("probe", ["/vpn/../vpns/cfg/smb.conf", "/vpn/..%2fvpns/", "/vpn/%252e%252e/vpns/", "/gwtest/formssso?event=start&target=" + "A" * 200,
                                   "/pcidss/report?type=allprofiles", "/vpn/themes/imgs/tiny.php"])
def test_shipped_rules_stop_probes(world, probe):
    backend = world.scripted()
    s = world.serve(backend, rules=["netscaler"])
    assert get(s.port(), probe).status in (400, 403) and backend.heads == []


def test_requests_with_a_session(world):
    write(world.dir, "a.pem", "PEM")
    conf = base(policies=[
        {"name": "staff-only-writes", "if": 'http.method == "PUT" and not (user.groups == "staff" and session.age < 3600)', "then": ["block"]},
        {"name": "to-other", "if": 'http.path == "/other"', "then": [{"pool": "other"}]}])
    conf["listeners"]["web"]["tls"] = {"certificates": [{"chain": "a.pem", "key": "a.key"}]}
    conf["pools"]["other"] = {"servers": ["127.0.0.1:2"]}
    conf["routes"].append({"host": "*.dev.example.org", "require": "session", "allow": 'user.groups == "dev"', "pool": "other"})
    conf["gateway"] = {"portal": "work.example.org", "apps": {
        "wiki": {"host": "wiki.example.org", "pool": "web", "allow": 'user.groups in {"staff" "dev"}', "mfa": 'session.method == "password"'}}}
    eva, now = {"user": "eva", "groups": ["staff", "finance"], "mfa": True}, 1767614400
    wiki, dev = {"Host": "wiki.example.org"}, {"Host": "a.dev.example.org"}
    cases = [  # why, request, decision
        ("the portal is for all", {"fields": {"Host": "WORK.example.org"}}, "portal"),
        ("an app is not", {"fields": wiki}, "sign-in"),
        ("eva may", {"fields": wiki, "session": eva}, "pool web"),
        ("a policy's pool, for who may", {"target": "/other", "fields": wiki, "session": eva}, "pool other"),
        ("a policy's pool is no way around", {"target": "/other", "fields": wiki}, "sign-in"),
        ("without a second factor", {"fields": wiki, "session": {"user": "eva", "groups": "staff"}}, "step-up"),
        ("by another way", {"fields": wiki, "session": {"groups": ["staff"], "method": "passkey"}}, "pool web"),
        ("in no such group", {"fields": wiki, "session": {"user": "piet", "mfa": True}}, "denied"),
        ("proved just now", {"method": "PUT", "fields": wiki, "session": eva}, "pool web"),
        ("proved an hour ago", {"method": "PUT", "fields": wiki, "session": dict(eva, since=now - 3600)}, "block 403"),
        ("later than that by the request's time", {"method": "PUT", "fields": wiki, "time": now + 9999, "session": dict(eva, since=now)}, "block 403"),
        ("a route that needs a session", {"fields": dev}, "sign-in"),
        ("and one of a group", {"fields": dev, "session": eva}, "denied"),
        ("who is in it", {"fields": dev, "session": {"user": "anna", "groups": ["dev"]}}, "pool other"),
        ("a policy's pool is no way around a route's either", {"target": "/other", "fields": dev}, "sign-in"),
        ("what needs none", {"session": eva}, "pool web"),
    ]
    requests = [dict(r, name=why, expect={"decision": d}) for why, r, d in cases]
    r = cli(write(world.dir, "c.yaml", conf), write(world.dir, "r.yaml", json.dumps({"requests": requests})))  # without aliases
    assert r.returncode == 0 and f"{len(cases)} requests, 0 failed" in r.stdout, r.stdout + r.stderr
    r = cli(os.path.join(world.dir, "c.yaml"), write(world.dir, "r.yaml", "requests:\n- {session: {usr: eva}}\n"))
    assert r.returncode == 2 and "r.yaml:2:14: unknown key 'usr'; write 'user'" in r.stderr, r.stderr


def page():
    with open(os.path.join(ROOT, "docs", "policy.md")) as f:
        return f.read()


def test_the_cookbook_is_right(world):
    blocks = re.findall(r"```yaml\n(.*?)```", page(), re.S)
    books = [b for b in blocks if re.search("^policies:", b, re.M)]
    assert len(books) >= 3
    os.mkdir(os.path.join(world.dir, "lists"))
    write(world.dir, "lists/as64496.txt", "198.51.100.0/24 # one\n203.0.113.0/24\n")
    write(world.dir, "partners.txt", "one\ntwo\n")
    office = {"office": {"addresses": ["192.0.2.0/24"]}}
    more = {"web": {"servers": ["127.0.0.1:1"]}, "canary": {"servers": ["127.0.0.1:2"]}}
    requests = write(world.dir, "r.yaml", {"requests": [
        {"client": "10.0.0.1", "expect": {"decision": "respond 503"}},
        {"target": "/x/../%61dmin/", "client": "192.0.2.1", "expect": {"decision": "pool web", "policies": ["no-user-from-outside"]}},
        {"target": "/shop/a?session=1&b=2", "client": "192.0.2.1",
         "expect": {"decision": "redirect 301 https://shop.example.org/shop/a?b=2"}},
        {"target": "/login", "method": "POST", "client": "192.0.2.1", "fields": {"Cookie": "canary=1"},
         "expect": {"decision": "pool canary", "policies": ["slow-down-logins", "canary", "no-user-from-outside"]}}]})
    for book in books:
        text = yaml.safe_dump(base(pools=more)) + ("" if re.search("^sets:", book, re.M) else yaml.safe_dump({"sets": office})) + book
        conf = write(world.dir, "c.yaml", text)
        if book == books[-1]:
            r = cli(conf, requests)
            assert r.returncode == 0, r.stdout + r.stderr
        elif "tests:" in book:
            r = cli(conf)
            assert r.returncode == 0 and "4 requests, 0 failed" in r.stdout, r.stdout + r.stderr
        else:
            r = cli(conf)
            assert r.returncode == 2 and "has no tests" in r.stderr, r.stdout + r.stderr
    # The sets of the page's own section, each of them used.
    sets = next(b for b in blocks if b.startswith("sets:") and b not in books)
    policies = [{"name": n, "if": f"{of} in ${n}", "then": [{"tag": n}]}
                for n, of in (("office", "client.ip"), ("bad-networks", "peer.ip"), ("partners", 'query("p")'))]
    r = cli(write(world.dir, "c.yaml", yaml.safe_dump(base(policies=policies)) + sets),
            write(world.dir, "r2.yaml", {"requests": [{"target": "/?p=two", "client": "192.0.2.9", "peer": "203.0.113.7", "expect": {
                "policies": ["office", "bad-networks", "partners"]}}]}))
    assert r.returncode == 0, r.stdout + r.stderr


def test_every_example_of_the_page_is_an_expression(world):
    cells = [m.group(1) for m in re.finditer(r"^\| `[^|]*\|.*\| `([^`]+)` \|$", page(), re.M)]
    assert len(cells) >= 18
    conf = base(policies=[])
    for i, example in enumerate(cells):
        policy = {"name": f"p{i}", "on": "response" if example.startswith("response.") else "request",
                  "then": [{"set_field": {"name": "X-A", "value": '"a"'}}]}
        if example.startswith("concat"):
            policy["then"][0]["set_field"]["value"] = example
        else:
            policy["if"] = example
        conf["policies"].append(policy)
    conf["sets"] = {"office": {"addresses": ["192.0.2.0/24"]}}
    r = cli(write(world.dir, "c.yaml", conf), write(world.dir, "r.yaml", "requests: [{target: /}]"))
    assert r.returncode == 0, r.stdout + r.stderr
