"""The gateway attacked: forged forms, wrong hosts, other people's codes, tokens and cookies. One Sluis serves most of it; nobody in here gets in who may not."""
import base64
import hashlib
import json
import os
import re
import socket
import ssl
import threading
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from harness import RELEASE, Client, World, free_port, read_chunks, fields_of, Rest, wait_for
from portal import PASSWORD, PORTAL, Browser, add_user, ask, echo_head, gateway, totp

WIKI, MAIL, SECRET, OPEN, STRONG = (f"{n}.{PORTAL}" for n in ("wiki", "mail", "secret", "open", "strong"))
WILD = "a.lab.example.org"
APP, ENTER, SESSION = "__Host-sluis-app", "__Host-sluis-enter", "__Host-sluis-portal"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


def server(server, sock, head, rest):
    """Tells what it got; sets fields that the path asks for; answers WebSockets, long downloads, and an early answer with a cookie."""
    target = head.split(b" ", 2)[1].decode()
    u = urllib.parse.urlsplit(target)
    known = dict(fields_of(head))
    if u.path == "/ws" and "upgrade" in known:
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        while data := sock.recv(65536):
            sock.sendall(data)
        return False
    if u.path == "/long":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 10000000000\r\n\r\n")
        while not server.ended.is_set():
            sock.sendall(b"x" * 65536)
            time.sleep(0.01)  # a slow source: the download must be under way when it is cut
        return False
    extra = b"".join(f"{n[2:]}: {v}\r\n".encode("latin-1") for n, v in urllib.parse.parse_qsl(u.query) if n.startswith("h."))
    if u.path == "/early":
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nSet-Cookie: tossed=1; Domain=work.example.org\r\n\r\n")
    stream, trailers = Rest(sock, rest), []
    if "transfer-encoding" in known:
        body, trailers = read_chunks(stream.line, stream.exact)
    else:
        body = stream.exact(int(known.get("content-length", "0")))
    text = head + body + b"".join(f"trailer {n}: {v}\r\n".encode() for n, v in trailers)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(text) + text)
    return True


def configuration(world):
    pool = world.scripted(server).address
    config = gateway(world, server=server, apps={
        "wiki": {"token": True, "fields": {"X-Remote-User": "user.name", "X-Asked": 'query("asked")'}},
        "mail": {"token": True}, "open": {}, "secret": {"allow": 'user.groups == "board"'}, "strong": {"mfa": "true"}},
        policies=[{"name": "around", "if": 'starts_with(http.path, "/pooled")', "then": [{"pool": "aside"}]}],
        pools={"aside": {"servers": [pool]}})
    config["listeners"]["plain"] = {"address": f"127.0.0.1:{free_port()}"}
    config["routes"] = [{"host": ["lab.example.org", "*.lab.example.org"], "pool": "aside", "require": "session", "allow": 'user.groups == "staff"'}]
    return config


class Gate:
    """One Sluis for many tests; every test has users of its own, so that no test's wrong passwords are another's."""

    def __init__(self, world, **kw):
        self.world = world
        self.s = world.run(configuration(world), **kw)
        self.secrets, self.count, self.shared = [PASSWORD], 0, None

    def user(self, **more):
        self.count += 1
        name = f"user{self.count}"
        add_user(self.s, name, **more)
        return name

    def browser(self, name=None, keep=False, **more):
        b = Browser(self.s, keep)
        b.user = name or self.user(**more)
        home = b.sign_in(b.user)
        assert SESSION in b.jar.get(PORTAL, {}), home
        self.secrets.append(b.jar[PORTAL][SESSION])
        b.home = home
        return b

    def into(self, b, host=WIKI):
        page = b.get("/", host=host)
        assert page.status == 200 and page.url == b.url("/", host), page
        self.secrets.append(b.jar[host][APP])
        return page

    def eva(self):
        """Somebody who is in, and at the wiki; for tests that leave her there."""
        if not self.shared:
            self.shared = self.browser(groups=["staff"], display="Eva de Boer")
            self.into(self.shared)
        return self.shared

    def raw(self, data, listener="web"):
        """What comes for these bytes, which a script sends: nobody who could be sent to sign in."""
        data = data.replace("\r\nHost:", "\r\nAccept: application/json\r\nHost:", 1)
        tls = None
        if listener == "web":
            tls = ssl.create_default_context()
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        c = Client(self.s.port(listener), tls=tls, name=PORTAL)
        self.world.at_end(c.close)
        c.send(data)
        return c

    def status(self, data, listener="web"):
        with self.raw(data, listener) as c:
            return c.response().status


@pytest.fixture(scope="module")
def gate():
    w = World()
    try:
        g = Gate(w)
        yield g
    finally:
        w.close()


def refused(b, page):
    """The page is no way in: neither a session nor what is behind one."""
    return page.status in (400, 403, 404, 405, 415) or "/sign-in" in page.url


# --- forms ---

FORGED = [
    ("no token", {}, {}),
    ("an empty token", {"csrf": ""}, {}),
    ("another session's token", "other", {}),
    ("a sibling's page", "own", {"origin": f"https://{WIKI}"}),
    ("another site", "own", {"origin": "https://evil.example.net"}),
    ("an opaque origin", "own", {"origin": "null"}),
    ("neither Origin nor Sec-Fetch-Site", "own", {"origin": False}),
    ("same-site is not same-origin", "own", {"origin": False, "headers": ["Sec-Fetch-Site: same-site"]}),
    ("a cross-site form whose Origin was taken away", "own", {"origin": False, "headers": ["Sec-Fetch-Site: cross-site"]}),
    ("two tokens", "twice", {}),
    ("a form in JSON", "own", {"headers": ["Content-Type: text/plain"]}),
]


@pytest.mark.parametrize("why,form,how", FORGED, ids=[c[0] for c in FORGED])
def test_a_forged_form_changes_nothing(gate, why, form, how):
    b = gate.eva()
    other = gate.other = getattr(gate, "other", None) or gate.browser()
    body = {"own": {"csrf": b.home.csrf()}, "other": {"csrf": other.home.csrf()},
            "twice": f"csrf={b.home.csrf()}&csrf={b.home.csrf()}".encode()}.get(form) if isinstance(form, str) else form
    for path in ("/sign-out", "/password", "/favourite"):
        page = b.post(path, body, follow=False, **how)
        assert page.status in (400, 403, 415), (why, path, page)
    assert b.get("/").url == b.url("/"), f"{why}: the session is as it was"


def test_a_path_of_forms_does_nothing_by_get(gate):
    b = gate.eva()
    for path in ("/sign-out", "/sessions/end", "/session/end", "/password", "/totp/remove", "/recovery", "/favourite", "/stay", "/language",
                 "/passkey/remove", "/passkey/add", "/passkey/begin"):
        page = b.get(path + "?csrf=" + b.home.csrf(), follow=False)
        assert page.status == 405, (path, page)
    for method in ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert b.request(method, b.url("/sign-out"), follow=False).status == 405
    assert b.get("/").url == b.url("/")


def test_a_sign_in_cannot_be_forged_from_elsewhere(gate):
    name = gate.user()
    for how in ({"origin": "https://evil.example.net"}, {"origin": f"https://{WIKI}"}, {"origin": False}, {"origin": "null"}):
        b = Browser(gate.s)
        assert b.sign_in(name, follow=False, **how).status == 403 and not b.jar.get(PORTAL), how


# --- where people are sent ---

@pytest.mark.parametrize("next", ["//evil.example.net", "/\\evil.example.net", "\\/evil.example.net", "https:evil.example.net", "https://evil.example.net/",
                                  "%2f%2fevil.example.net", "/%2fevil.example.net", "/\t/evil.example.net", "/\r\nSet-Cookie: a=b", "/.//evil.example.net",
                                  "javascript:alert(1)", "/x@evil.example.net", "evil.example.net", "///evil.example.net"])
def test_next_leads_nowhere_else(gate, next):
    b = getattr(gate, "nexts", None)
    if not b:
        b = gate.nexts = Browser(gate.s)
        b.user = gate.user()
    b.jar.clear()
    answers = [b.sign_in(b.user, next=next, follow=False)]
    answers.append(b.get("/sign-in?next=" + urllib.parse.quote(next, safe=""), follow=False))
    for page in answers:
        to = page.field("location")
        assert page.status in (303, 400), page
        if to:
            where = urllib.parse.urlsplit(urllib.parse.urljoin(b.url("/"), to.replace("\\", "/").replace("\t", "")))
            assert where.netloc == f"{PORTAL}:{b.port}" and where.scheme == "https", (next, to)
        assert not any(n.lower() == "set-cookie" and "sluis" not in v for n, v in page.fields)


N = base64.urlsafe_b64encode(hashlib.sha256(b"n" * 32).digest()).decode().rstrip("=")
BAD_ENTER = [
    ("a host that is none of ours", "evil.example.net", "/"),
    ("the portal itself", PORTAL, "/"),
    ("a port", f"{WIKI}:443", "/"),
    ("upper case", WIKI.upper(), "/"),
    ("a trailing dot", WIKI + ".", "/"),
    ("a wildcard's tail behind another host", "evil.example.net/.lab.example.org", "/"),
    ("a wildcard's tail behind a query", "evil.example.net?.lab.example.org", "/"),
    ("a wildcard's tail behind a user", "x@evil.example.net#.lab.example.org", "/"),
    ("a wildcard's tail behind a backslash", "evil.example.net\\.lab.example.org", "/"),
    ("a wildcard's tail with a port", "evil.example.net:443.lab.example.org", "/"),
    ("no host", "", "/"),
    ("a line's end in the host", WIKI + "\r\nX: y", "/"),
    ("to another host", WIKI, "//evil.example.net"),
    ("to another host by a backslash", WIKI, "/\\evil.example.net"),
    ("to a whole URL", WIKI, "https://evil.example.net/"),
    ("to with a line's end", WIKI, "/\r\nSet-Cookie: a=b"),
    ("to with a tab", WIKI, "/\t/evil.example.net"),
    ("no to", WIKI, ""),
]


@pytest.mark.parametrize("why,host,to", BAD_ENTER, ids=[c[0] for c in BAD_ENTER])
def test_enter_sends_nobody_away(gate, why, host, to):
    b = gate.eva()
    page = b.get("/enter?" + urllib.parse.urlencode({"host": host, "to": to, "n": N}), follow=False)
    assert page.status in (400, 403) and page.field("location") is None, (why, page)


def test_enter_serves_its_own_hosts(gate):
    b = gate.eva()
    for host in (WIKI, WILD, "lab.example.org"):
        page = b.get("/enter?" + urllib.parse.urlencode({"host": host, "to": "/a//b?c=\\", "n": N}), follow=False)
        assert page.status == 303 and page.field("location").startswith(f"https://{host}:{b.port}/.sluis/enter?code="), page
    nobody = gate.browser()
    page = nobody.get("/", host=WILD)
    assert page.status == 403, "allow of a route holds"


# --- sessions ---

def test_a_token_set_before_stays_worthless(gate):
    b = Browser(gate.s)
    planted = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    b.jar[PORTAL] = {SESSION: planted}
    b.jar[WIKI] = {APP: planted}
    assert b.sign_in(gate.user()).status == 200
    assert b.jar[PORTAL][SESSION] != planted
    gate.into(b)
    assert b.jar[WIKI][APP] != planted
    thief = Browser(gate.s)
    thief.jar = {PORTAL: {SESSION: planted}, WIKI: {APP: planted}}
    assert "/sign-in" in thief.get("/").url and "/sign-in" in thief.get("/", host=WIKI).url


def test_a_token_changes_when_what_it_proves_changes(gate):
    b = gate.browser()
    gate.into(b)
    tokens = [b.jar[PORTAL][SESSION]]
    page = b.get("/totp")
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    gate.secrets.append(secret)
    page = b.post("/totp", {"csrf": page.csrf(), "code": totp(secret)})
    assert page.status == 200, page
    gate.secrets += re.findall(r"\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b", page.text)
    tokens.append(b.jar[PORTAL][SESSION])
    new = "vier gele fietsbellen 8"
    gate.secrets.append(new)
    page = b.post("/password", {"csrf": b.get("/account").csrf(), "old": PASSWORD, "new": new, "again": new})
    assert page.status == 200 and "done=password" in page.url, page
    tokens.append(b.jar[PORTAL][SESSION])
    assert len(set(tokens)) == 3, "each proof makes a new token"
    gate.secrets += tokens
    for old in tokens[:-1]:
        thief = Browser(gate.s)
        thief.jar[PORTAL] = {SESSION: old}
        assert "/sign-in" in thief.get("/").url
    c = Browser(gate.s)
    assert c.sign_in(b.user).status == 401, "the old password"
    page = c.sign_in(b.user, new)
    before = c.jar[PORTAL][SESSION]
    assert c.get("/", host=STRONG).url.startswith(c.url("/step-up")), "the app wants a second factor"
    page = c.get("/step-up?next=/account")
    page = c.post("/step-up", {"csrf": page.csrf(), "method": "totp", "code": totp(secret, step=1), "next": "/account"})
    assert page.status == 200 and page.url == c.url("/account"), page
    assert c.jar[PORTAL][SESSION] != before, "a step up makes a new token"
    gate.secrets += [before, c.jar[PORTAL][SESSION]]
    assert c.get("/", host=STRONG).url == c.url("/", STRONG)


def on_the_way(gate, b, host=WIKI):
    """The URL with a one-time code, and the browser's nonce: the last step before an app opens."""
    page = b.get("/", host=host, follow=False)
    page = b.request("GET", page.field("location"), follow=False)
    to = page.field("location")
    gate.secrets.append(urllib.parse.parse_qs(urllib.parse.urlsplit(to).query)["code"][0])
    return to


def test_one_browsers_code_opens_nothing_in_another(gate):
    mine, theirs = gate.browser(), Browser(gate.s)
    to = on_the_way(gate, mine)
    page = theirs.request("GET", to, follow=False)
    assert page.status == 403 and not theirs.jar.get(WIKI), "no nonce at all"
    theirs.get("/", host=WIKI, follow=False)
    assert theirs.jar[WIKI][ENTER] != mine.jar[WIKI][ENTER]
    page = theirs.request("GET", to, follow=False)
    assert page.status == 403 and APP not in theirs.jar[WIKI], "another nonce"
    page = mine.request("GET", to, follow=False)
    assert page.status == 403 and APP not in mine.jar[WIKI], "and it is used up, for it was in wrong hands"


def test_a_code_is_good_once_and_for_its_host(gate):
    b = gate.browser()
    to = on_the_way(gate, b)
    nonce = b.jar[WIKI][ENTER]
    assert b.request("GET", to, follow=False).status == 303 and APP in b.jar[WIKI]
    again = Browser(gate.s)
    again.jar[WIKI] = {ENTER: nonce}
    assert again.request("GET", to, follow=False).status == 403 and APP not in again.jar[WIKI]
    to = on_the_way(gate, b, MAIL)
    other = Browser(gate.s)
    other.jar[OPEN] = {ENTER: b.jar[MAIL][ENTER]}
    page = other.request("GET", to.replace(MAIL, OPEN), follow=False)
    assert page.status == 403 and APP not in other.jar[OPEN], "a code for another host"
    assert b.request("GET", to, follow=False).status == 403, "which used it up"


def test_a_kept_connection_makes_no_cookie_good_for_another_host(gate):
    b = gate.eva()
    gate.into(b, OPEN)
    app, portal = b.jar[WIKI][APP], b.jar[PORTAL][SESSION]
    with gate.raw(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={app}\r\n\r\n") as c:
        assert c.response().status == 200
        for host in (MAIL, OPEN, SECRET, WILD):
            r = c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nCookie: {APP}={app}\r\n\r\n").response()
            assert r.status == 401, (host, r)
        r = c.send(f"GET /account HTTP/1.1\r\nHost: {PORTAL}\r\nCookie: {SESSION}={app}\r\n\r\n").response()
        assert r.status == 303 and "/sign-in" in r.field("location")
        assert c.send(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={app}\r\n\r\n").response().status == 200
    with gate.raw(f"GET / HTTP/1.1\r\nHost: {PORTAL}\r\nCookie: {SESSION}={portal}\r\n\r\n") as c:
        assert c.response().status == 200
        assert c.send(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nAccept: application/json\r\nCookie: {APP}={portal}\r\n\r\n").response().status == 401


# --- hosts and paths ---

HOSTS = [
    ("with its port", "{portal}:{port}", "portal"),
    ("upper case", "WORK.EXAMPLE.ORG", "portal"),
    ("a trailing dot", "work.example.org.", "portal"),
    ("a host below", f"x.{PORTAL}", "none"),
    ("a longer name", f"{PORTAL}.evil.example.net", "none"),
    ("ours as a user", f"{PORTAL}@evil.example.net", "bad"),
    ("two names", f"{PORTAL}, {WIKI}", "bad"),
    ("a path in it", f"{PORTAL}/..", "bad"),
]


@pytest.mark.parametrize("why,host,want", HOSTS, ids=[c[0] for c in HOSTS])
def test_a_host_is_ours_or_not(gate, why, host, want):
    host = host.format(portal=PORTAL, port=gate.s.port())
    with gate.raw(f"GET /sign-in HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil.example.net\r\nForwarded: host=evil.example.net\r\n\r\n") as c:
        r = c.response()
    if want == "portal":
        assert (r.status == 200 and b'name="password"' in r.body) or r.status == 400, r
        assert b"evil.example.net" not in r.body
    else:
        assert r.status == (404 if want == "none" else 400), r
        assert b"password" not in r.body


def test_two_hosts_or_a_host_beside_a_whole_url(gate):
    b = gate.eva()
    cookie = f"Cookie: {APP}={b.jar[WIKI][APP]}\r\n"
    assert gate.status(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nHost: {PORTAL}\r\n{cookie}\r\n") == 400
    with gate.raw(f"GET https://{PORTAL}/sign-in HTTP/1.1\r\nHost: {WIKI}\r\n{cookie}\r\n") as c:
        r = c.response()
        assert r.status == 400 or b'name="password"' in r.body, "whichever of both it is, the app did not get a request for the portal"
    with gate.raw(f"GET https://{WIKI}/ HTTP/1.1\r\nHost: {PORTAL}\r\nCookie: {SESSION}={b.jar[PORTAL][SESSION]}\r\n\r\n") as c:
        assert c.response().status in (400, 401), "nor the app one that came with the portal's cookie"
    with gate.raw(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nX-Forwarded-Host: {MAIL}\r\n{cookie}\r\n") as c:
        text = c.response().body.lower()
        assert f"x-forwarded-host: {WIKI}".encode() in text and MAIL.encode() not in text


def test_portal_paths_on_an_app_are_the_apps(gate):
    b = gate.eva()
    for path in ("/sign-out", "/account", "/sign-in", "/enter?host=x", "/-/logo", "/.well-known/jwks.json", "/password", "//account", "/.sluis", "/a/.sluis/enter"):
        page = b.get(path, host=WIKI, follow=False)
        assert page.status == 200 and re.search(r"(?im)^sluis-user: " + b.user, page.text), (path, page)
    page = b.post("/sign-out", {"a": "b"}, host=WIKI, follow=False)
    assert page.status == 200 and "a=b" in page.text
    assert b.get("/").url == b.url("/"), "nobody was signed out"


@pytest.mark.parametrize("path", ["/.sluis/x", "/.sluis/", "/%2esluis/x", "/%2Esluis%2fx", "/.sluis%2fx", "//.sluis/x", "/./.sluis/x", "/a/../.sluis/x", "/.%73luis/x",
                                  "/;a/../.sluis/x", "/.sluis;a/x", "/.SLUIS/x", "/%252esluis/x", "/.sluis\\x"])
def test_our_paths_on_an_app_never_reach_it(gate, path):
    b = gate.eva()
    with gate.raw(f"GET {path} HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\n\r\n") as c:
        r = c.response()
    if r.status == 200:  # then a server that reads it as leniently as can be must not see a path of ours in it
        line = r.body.split(b"\r\n")[0].decode()
        assert not re.search(r" /+\.sluis/", urllib.parse.unquote(line)), line
    else:
        assert r.status in (400, 404), r


def test_a_plain_listener_lets_nobody_in(gate):
    b = gate.eva()
    for host, cookie in ((PORTAL, f"{SESSION}={b.jar[PORTAL][SESSION]}"), (WIKI, f"{APP}={b.jar[WIKI][APP]}"), (WILD, f"{APP}={b.jar[WIKI][APP]}")):
        with gate.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nX-Forwarded-Proto: https\r\n\r\n", "plain") as c:
            r = c.response()
            assert r.status == 403 and r.field("set-cookie") is None and b.user.encode() not in r.body, r
    body = urllib.parse.urlencode({"user": b.user, "password": PASSWORD})
    assert gate.status(f"POST /sign-in HTTP/1.1\r\nHost: {PORTAL}\r\nOrigin: https://{PORTAL}:{gate.s.port()}\r\nSec-Fetch-Site: same-origin\r\n"
                       f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}", "plain") == 403


def test_a_policys_pool_goes_around_no_sign_in(gate):
    for host in (WIKI, SECRET, WILD):
        assert gate.status(f"GET /pooled HTTP/1.1\r\nHost: {host}\r\n\r\n") == 401, host
    b = gate.eva()
    assert gate.status(f"GET /pooled HTTP/1.1\r\nHost: {SECRET}\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\n\r\n") == 401
    assert b.get("/pooled", host=SECRET).status == 403, "allow holds too"
    assert b.get("/pooled", host=WILD).status == 200
    assert gate.status(f"GET /pooled HTTP/1.1\r\nHost: {PORTAL}\r\n\r\n") == 404, "the portal is no server's"


# --- cookies ---

def test_cookies_of_an_app_stay_with_it(gate):
    b = gate.eva()
    ours = ["__Host-sluis-app=x; Secure; Path=/", "__HOST-SLUIS-APP=x; Path=/", "__Host-sluis-portal=x; Domain=work.example.org", " __Host-sluis-enter =x",
            "=__Host-sluis-app=x; Path=/", " = __Host-sluis-app=x", "__Host-sluis-app"]
    query = "&".join("h.Set-Cookie=" + urllib.parse.quote(v) for v in [*ours, "mine=1; DOMAIN=work.example.org; Path=/x; Secure", "two=2;domain = .example.org"])
    page = b.get("/c?" + query, host=WIKI)
    assert [v.replace(" ", "") for v in page.all("set-cookie")] == ["mine=1;Path=/x;Secure", "two=2"], page
    page = b.get("/c?h.Clear-Site-Data=" + urllib.parse.quote('"cookies"') + "&h.Location=x", host=WIKI)
    assert page.field("clear-site-data") is None


def test_an_early_answer_sets_nothing(gate):
    b = gate.eva()
    with gate.raw(f"GET /early HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\n\r\n") as c:
        r = c.response()
    assert r.status == 200 and [i.status for i in r.interim] == [103]
    assert r.interim[0].field("link") and r.interim[0].field("set-cookie") is None


def test_two_cookies_of_our_name_are_none(gate):
    b = gate.eva()
    good = b.jar[WIKI][APP]
    for lines in (f"Cookie: {APP}={good}; {APP}=x", f"Cookie: {APP}=x; {APP}={good}", f"Cookie: {APP}={good}; {APP}={good}",
                  f"Cookie: {APP}={good}\r\nCookie: {APP}=x", f'Cookie: {APP}="{good}"', f"Cookie: {APP}={good}A", f"Cookie: {APP.lower()}={good}"):
        assert gate.status(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\n{lines}\r\n\r\n") == 401, lines
    with gate.raw(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nCookie: a=1; {APP}={good}; {SESSION}=x; __HOST-sluis-other=y; b=2\r\n\r\n") as c:
        text = c.response().body.decode()
    assert re.search(r"(?im)^cookie: a=1; b=2\r?$", text) and "sluis-app" not in text.lower() and "sluis-other" not in text.lower()


# --- what servers are told ---

def test_nobody_can_be_made_whose_fields_break_a_head(gate):
    for more in ({"display": "Eva\r\nSluis-User: piet"}, {"display": "a\nb"}, {"mail": "a@b\r\nX: y"}, {"groups": ["staff\r\nX: y"]}, {"groups": ["a,b"]}, {"groups": [""]}):
        answer = ask(gate.s, "user.add", name="brk", password=PASSWORD, **more)
        assert not answer["ok"], more
    for name in ("a\r\nb", "a b", "a,b", "", "../x", "A" * 65, "eva\u0000"):
        assert not ask(gate.s, "user.add", name=name, password=PASSWORD)["ok"], name


def test_a_client_does_not_say_who_it_is(gate):
    b = gate.eva()
    gate.into(b, OPEN)
    forged = ("Sluis-User: admin", "SLUIS-USER: admin", "sluis_user: admin", "Sluis.User: admin", "Sluis-Groups: admin", "Sluis-Token: admin", "Sluis-Other: admin",
              "Sluis-Session: admin", "X-Remote-User: admin", "X_Remote_User: admin", "X-Forwarded-User: admin", "Sluis-User : admin")
    for host, own in ((WIKI, True), (OPEN, False)):
        cookie = f"{APP}={b.jar[host][APP]}"
        for line in forged:
            for more in ("", "Connection: Sluis-User, Sluis-Token, X-Remote-User, Cookie\r\n"):
                with gate.raw(f"GET /?asked=1 HTTP/1.1\r\nHost: {host}\r\n{line}\r\nCookie: {cookie}\r\n{more}\r\n") as c:
                    r = c.response()
                if r.status == 400:
                    continue
                text = r.body.decode()
                assert r.status == 200 and ("admin" not in text or (line.startswith("X-Remote") and not own)), (host, line, text)
                assert len(re.findall(r"(?im)^sluis-user: (.*?)\r?$", text)) == 1 and f"Sluis-User: {b.user}" in text, text
                if own:
                    assert re.findall(r"(?im)^x-remote-user: (.*?)\r?$", text) == [b.user], text


def test_trailers_do_not_either(gate):
    b = gate.eva()
    for name in ("Sluis-User", "sluis-token", "Sluis-Other", "X-Remote-User", "Cookie", "sluis_user", "X-Asked"):
        with gate.raw(f"POST / HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\nSec-Fetch-Site: same-origin\r\nTransfer-Encoding: chunked\r\n"
                      f"Trailer: {name}\r\n\r\n1\r\na\r\n0\r\n{name}: admin\r\nX-Kept: yes\r\n\r\n") as c:
            r = c.response()
        assert r.status == 400 or (r.status == 200 and b"admin" not in r.body), (name, r)


def test_a_value_from_a_request_makes_no_lines(gate):
    b = gate.eva()
    page = b.get("/?asked=" + urllib.parse.quote("1\r\nSluis-User: admin"), host=WIKI)
    assert page.status in (200, 400, 431) and not re.search(r"(?im)^sluis-user: admin", page.text), page


def parts(token):
    pad = lambda t: base64.urlsafe_b64decode(t + "=" * (-len(t) % 4))
    head, payload, signature = token.split(".")
    return json.loads(pad(head)), json.loads(pad(payload)), pad(signature), f"{head}.{payload}".encode()


def test_tokens_for_servers(gate):
    b = gate.eva()
    tokens = {h: re.search(r"(?im)^sluis-token: (\S+)", gate.into(b, h).text).group(1) for h in (WIKI, MAIL)}
    gate.secrets += tokens.values()
    assert not re.search(r"(?im)^sluis-token", gate.into(b, OPEN).text), "not asked for"
    keys = Browser(gate.s).get("/.well-known/jwks.json")
    keys = {k["kid"]: k for k in json.loads(keys.text)["keys"]}
    for host, token in tokens.items():
        head, payload, signature, signed = parts(token)
        assert head["alg"] == "ES256" and head["kid"] in keys, head
        k = keys[head["kid"]]
        assert k["kty"] == "EC" and k["crv"] == "P-256" and "d" not in k
        number = lambda t: int.from_bytes(base64.urlsafe_b64decode(t + "=" * (-len(t) % 4)), "big")
        key = ec.EllipticCurvePublicNumbers(number(k["x"]), number(k["y"]), ec.SECP256R1()).public_key()
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
        assert payload["aud"] == f"https://{host}:{b.port}" and payload["iss"] == f"https://{PORTAL}:{b.port}", payload
        assert payload["sub"] == b.user and payload["groups"] == ["staff"]
        assert time.time() - 60 < payload["iat"] <= time.time() + 60 and time.time() < payload["exp"] <= time.time() + 600, payload


# --- other origins ---

def test_a_siblings_page_sends_nothing_to_an_app(gate):
    b = gate.eva()
    cookie = f"Cookie: {APP}={b.jar[WIKI][APP]}\r\n"
    own = f"https://{WIKI}:{gate.s.port()}"
    cases = [
        ("same-site", "Sec-Fetch-Site: same-site", 403), ("cross-site", "Sec-Fetch-Site: cross-site", 403),
        ("a sibling's Origin from an older browser", f"Origin: https://{MAIL}", 403), ("an opaque origin", "Origin: null", 403),
        ("its own page", f"Origin: {own}\r\nSec-Fetch-Site: same-origin", 200), ("its own page in an older browser", f"Origin: {own}", 200),
        ("a program", "X-A: b", 200),
    ]
    with gate.raw("") as c:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for why, lines, want in cases:
                r = c.send(f"{method} / HTTP/1.1\r\nHost: {WIKI}\r\n{cookie}{lines}\r\nContent-Length: 0\r\n\r\n").response()
                assert r.status == want, (method, why, r)
    for why, lines, want in cases:
        want = 101 if want == 200 else want
        assert gate.status(f"GET /ws HTTP/1.1\r\nHost: {WIKI}\r\n{cookie}{lines}\r\n{UPGRADE}\r\n") == want, ("WebSocket", why)
    assert gate.status(f"GET /ws HTTP/1.1\r\nHost: {WIKI}\r\n{cookie}Origin: https://{MAIL}\r\nSec-Fetch-Site: same-origin\r\n{UPGRADE}\r\n") == 403
    for lines, want in ((UPGRADE.replace("websocket", "h2c"), 200), ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", 200)):
        assert gate.status(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\n{cookie}{lines}\r\n") == want, "a link from elsewhere may be followed"


# --- what ends, ends at once ---

def cut_within(c, seconds, act):
    start = time.monotonic()
    act()
    c.sock.settimeout(10)
    try:
        while c.sock.recv(1 << 20):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    took = time.monotonic() - start
    assert took < seconds, f"cut after {took:.3f} s"
    return took


def test_tunnels_and_downloads_are_cut_when_a_session_ends(gate):
    assert gate.status(f"GET /ws HTTP/1.1\r\nHost: {WIKI}\r\n{UPGRADE}\r\n") == 401
    for path, extra in (("/ws", UPGRADE), ("/long", "")):
        b = gate.browser()
        gate.into(b)
        c = gate.raw(f"GET {path} HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\n{extra}\r\n")
        head = c.head()
        assert head.startswith(b"HTTP/1.1 101" if extra else b"HTTP/1.1 200")
        if extra:
            assert c.rest.exact(5) == b"hello" and c.send(b"echo").rest.exact(4) == b"echo"
        took = cut_within(c, 1.0, lambda: ask(gate.s, "sessions.revoke", name=b.user))
        print(f"{path}: cut {took:.3f} s after the revocation was asked for")
    b = gate.browser()
    gate.into(b)
    c = gate.raw(f"GET /ws HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\n{UPGRADE}\r\n")
    assert c.head().startswith(b"HTTP/1.1 101")
    cut_within(c, 1.0, lambda: b.post("/sign-out", {"csrf": b.home.csrf()}))


def test_sign_outs_race_with_each_other_and_with_requests(gate):
    for _ in range(3):
        b = gate.browser()
        gate.into(b)
        app, portal, bad, stop = b.jar[WIKI][APP], b.jar[PORTAL][SESSION], [], threading.Event()

        def look():
            while not stop.is_set():
                try:
                    status = gate.status(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={app}\r\n\r\n")
                except (OSError, EOFError):
                    continue  # cut in the middle
                if status not in (200, 401, 503):
                    bad.append(status)

        def leave():
            c = Browser(gate.s)
            c.jar[PORTAL] = {SESSION: portal}
            page = c.post("/sign-out", {"csrf": b.home.csrf()}, follow=False)
            if page.status not in (303, 403):
                bad.append(page)

        threads = [threading.Thread(target=look) for _ in range(3)] + [threading.Thread(target=leave) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads[3:]:
            t.join()
        stop.set()
        for t in threads[:3]:
            t.join()
        assert not bad, bad
        assert gate.status(f"GET / HTTP/1.1\r\nHost: {WIKI}\r\nCookie: {APP}={app}\r\n\r\n") == 401


def test_people_on_kept_connections_are_never_mixed(gate):
    """Each goes in and out over connections that stay open, several people over one and the same connection."""
    names, wrong, rounds = [gate.user() for _ in range(6)], [], []

    def live(mine):
        try:
            people = [Browser(gate.s, keep=True) for _ in mine]
            for b in people[1:]:
                b.open = people[0].open  # one browser's connections, used by all of them in turn
            for _ in range(3):
                for name, b in zip(mine, people):
                    b.jar.clear()
                    home = b.sign_in(name)
                    page = b.get("/", host=WIKI)
                    b.csrf = home.csrf()
                    if f"Sluis-User: {name}\r\n" not in page.text:
                        wrong.append((name, page))
                for name, b in [*zip(mine, people)] * 3:
                    page = b.get("/", host=WIKI)
                    found = re.findall(r"(?im)^sluis-user: (.*?)\r?$", page.text)
                    token = re.search(r"(?im)^sluis-token: (\S+)", page.text)
                    if found != [name] or parts(token.group(1))[1]["sub"] != name:
                        wrong.append((name, found))
                for name, b in zip(mine, people):
                    b.post("/sign-out", {"csrf": b.csrf})
                    page = b.get("/", host=WIKI)
                    if "/sign-in" not in page.url:
                        wrong.append((name, "is still in", page))
                rounds.append(1)
        except Exception as e:
            wrong.append(e)

    threads = [threading.Thread(target=live, args=(names[i:i + 2],)) for i in (0, 2, 4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:3]
    assert len(rounds) == 9


# --- guessing ---

def test_guesses_wait_and_do_not_tell_who_there_is(gate):
    known, pages = gate.user(), {}
    for name in (known, "nobody-of-that-name"):
        got = pages[name] = []
        while len(got) < 12 and (not got or got[-1].status == 401):  # waits begin short: who is slow enough has waited already
            got.append(Browser(gate.s).sign_in(name, "wrong", follow=False))
        assert len(got) > 3 and [p.status for p in got] == [401] * (len(got) - 1) + [429], (name, got)
    clean = lambda p, name: re.sub(r'name="csrf" value="[^"]*"', "", p.text).replace(name, "NAME")
    for a, b in zip([pages[known][0], pages[known][-1]], [pages["nobody-of-that-name"][0], pages["nobody-of-that-name"][-1]]):
        assert re.sub(r"\d+", "0", clean(a, known)) == re.sub(r"\d+", "0", clean(b, "nobody-of-that-name"))
        strip = lambda p: [(n, v) for n, v in p.fields if n.lower() not in ("date", "content-length")]
        assert strip(a) == strip(b)


def test_who_is_disabled_is_out_and_answered_like_anybody(gate):
    b = gate.browser()
    gate.into(b)
    assert ask(gate.s, "user.disable", name=b.user)["ok"]
    assert "/sign-in" in b.get("/").url and "/sign-in" in b.get("/", host=WIKI).url
    page = Browser(gate.s).sign_in(b.user, follow=False)
    assert page.status == 401 and "disabled" not in page.text.lower()


def test_a_password_to_be_changed_is_changed_first(gate):
    name = gate.user(must_change=True)
    b = Browser(gate.s)
    page = b.sign_in(name)
    assert page.url.startswith(b.url("/account")), page
    for path in ("/", "/enter?" + urllib.parse.urlencode({"host": WIKI, "to": "/", "n": N}), "/go/wiki"):
        assert b.get(path).url.startswith(b.url("/account")), path
    assert b.get("/", host=WIKI).url.startswith(b.url("/account"))
    assert APP not in b.jar.get(WIKI, {})


# --- what pages carry ---

def test_no_answer_of_the_portal_is_kept_and_no_page_runs_what_is_not_ours(gate):
    b, out = gate.browser(), Browser(gate.s)
    seen = [(p, w.get(p, follow=False)) for w in (b, out) for p in
            ("/", "/sign-in", "/second", "/step-up", "/totp", "/account", "/signed-out", "/enter", "/go/wiki", "/denied/secret", "/nothing", "/still-there",
             "/sign-in?lang=nl", "/sign-in?a=%zz", "/go/none", "/sign-out")]
    seen += [("POST", out.post("/sign-in", {"user": "nobody2", "password": "x"}, follow=False)), ("POST", out.post("/sign-in", {}, follow=False)),
             ("POST", b.post("/password", {"csrf": b.home.csrf(), "old": "x"}, follow=False)), ("POST", b.post("/sign-out", {}, follow=False)),
             ("app", out.get("/", host=WIKI, follow=False)), ("app", out.get("/.sluis/enter?code=x", host=WIKI, follow=False)),
             ("PUT", b.request("PUT", b.url("/"), follow=False))]
    for path, page in seen:
        assert page.all("cache-control") == ["no-store"], (path, page)
        if page.body:
            assert page.field("x-content-type-options") == "nosniff", (path, page)
            csp = page.field("content-security-policy") or ""
            assert "default-src 'none'" in csp and "frame-ancestors 'none'" in csp and "base-uri 'none'" in csp, (path, page)
            assert "unsafe" not in csp and "*" not in csp, csp
            if "/-/" in page.text:  # a page of the portal: scripts and styles are files
                assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", page.text) and not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page.text), (path, page)
    for path in set(re.findall(r'(?:src|href)="(/-/[^"]+)"', b.home.text)):
        page = b.get(path)
        assert page.status == 200 and "no-store" not in page.field("cache-control") and page.field("x-content-type-options") == "nosniff", page
        assert page.field("set-cookie") is None


def test_names_are_shown_as_text(gate):
    b = gate.browser(display='<script>alert(1)</script>" onload="x')
    for path in ("/", "/account", "/?q=" + urllib.parse.quote('"><script>alert(2)</script>')):
        page = b.get(path)
        assert "<script>alert" not in page.text and '" onload="' not in page.text, path
    page = Browser(gate.s).sign_in('"><script>alert(3)</script>', "x")
    assert "<script>alert" not in page.text


# --- what is left behind; after all others ---

def test_nothing_secret_is_written_down(gate):
    b = gate.browser()
    gate.into(b)
    to = on_the_way(gate, b, MAIL)
    assert b.request("GET", to, follow=False).status == 303
    wait_for(lambda: any("/.sluis/enter" in a.get("url.original", "") for a in gate.s.access()), "the access log has it")
    gate.s.stop()
    files = [os.path.join(top, f) for top, _, names in os.walk(gate.s.dir) for f in names] + [gate.s.process.log_path]
    assert any("ledger" in f for f in files) and any(f.endswith(".db") for f in files), files
    found = []
    for f in files:
        if not os.path.isfile(f):
            continue
        with open(f, "rb") as h:
            data = h.read()
        for secret in set(gate.secrets):
            octets = [secret.encode()]
            if len(secret) == 43:
                octets.append(base64.urlsafe_b64decode(secret + "="))
            # One-time password secrets are what the store is for: they are there in octets, and nowhere as people read them.
            if any(o in data for o in octets):
                found.append((os.path.relpath(f, gate.s.dir), secret))
    assert len(gate.secrets) > 20 and not found, found


def memory_of(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            if "r" not in rights or "w" not in rights or end - start > 1 << 30:
                continue
            try:
                mem.seek(start)
                yield line, mem.read(end - start)
            except (OSError, ValueError):
                pass


def test_no_worker_remembers_a_token(world):
    """Where memory is read, the build that is shipped counts: a sanitizer keeps what was freed."""
    kw = {"build": RELEASE} if os.path.exists(os.path.join(RELEASE, "sluis-identity")) else {}
    if not kw:
        pytest.fail("no release build: ./dev build")
    g = Gate(world, **kw)
    password = "negen blauwe regenpijpen 9"
    add_user(g.s, "eva", password)
    b = Browser(g.s, keep=True)
    assert b.sign_in("eva", password).status == 200
    for host in (WIKI, MAIL):
        assert b.get("/", host=host).status == 200
    text = b.get("/", host=WIKI).text
    jwt = re.search(r"(?im)^sluis-token: (\S+)", text).group(1)
    assert b.get("/account").status == 200
    big = b.post("/", b"x" * 300000, host=WIKI, headers=["Content-Type: text/plain"])
    assert big.status == 200
    cookie = f"Host: {WIKI}\r\nCookie: {APP}={b.jar[WIKI][APP]}"
    odd = [f"GET / HTTP/1.1\r\n{cookie}; {APP}=x\r\n\r\n", f"GET / HTTP/1.1\r\n{cookie}\r\nHost: x\r\n\r\n", f"GET /%zz HTTP/1.1\r\n{cookie}\r\n\r\n",
           f"GET / HTTP/1.1\r\n{cookie}\r\nX-Long: {'x' * 17000}\r\n\r\n", f"GET / HTTP/1.1\r\n{cookie}\r\n\r\n" * 3]
    for data in odd:
        with g.raw(data) as c:
            assert c.response().status in (200, 303, 400, 401, 431), data[:200]
    g.raw(f"GET / HTTP/1.1\r\n{cookie}\r\nX-Not: whole").close()
    with g.raw(f"GET /ws HTTP/1.1\r\n{cookie}\r\n{UPGRADE}\r\n") as c:
        assert c.response().status == 101
    hashed = hashlib.sha256(base64.urlsafe_b64decode(b.jar[WIKI][APP] + "=")).digest()
    workers = g.s.pids("worker")
    assert any(hashed in data for pid in workers for _, data in memory_of(pid)), "what a connection remembers is seen there, so the search would see more"
    for sock in b.open.values():
        sock.close()
    secrets = {"password": password.encode(), "password in a form": urllib.parse.quote_plus(password).encode(), "server's token": jwt.encode()}
    for host, jar in b.jar.items():
        for name, token in jar.items():
            if len(token) == 43:
                secrets[f"{host} {name}"] = token.encode()
                secrets[f"{host} {name} in octets"] = base64.urlsafe_b64decode(token + "=")
    assert len(secrets) >= 9
    assert len(workers) == 2

    def left():
        return [(what, line.split()[-1], data[max(0, data.find(octets) - 60):data.find(octets) + 60]) for pid in workers for line, data in memory_of(pid)
                for what, octets in secrets.items() if octets in data]

    deadline = time.monotonic() + 10
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.1)  # connections end when the worker has read that they did
    assert not found, found


def test_guessing_is_an_alert_where_alerts_go(world):
    s = world.run(gateway(world, detect={"mode": "on"}))
    add_user(s, "eva")
    path = os.path.join(s.config["state_dir"], "alerts.jsonl")

    def alerts():
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [a for a in map(json.loads, f.read().split("\n")[:-1]) if a["rule.id"] == "sign-in-guessing"]

    b = Browser(s)
    for i in range(31):  # other names each time, so that nobody waits: an address that has used up its thirty
        b.sign_in(f"nobody{i}", "what it is not 1")
    [alert] = wait_for(alerts, "an alert")
    assert (alert["sluis.alert"], alert["sluis.class"], alert["sluis.source"], alert["source.ip"]) == ("first", "attempt", "gateway", "127.0.0.1")
    assert "sluis isolate 127.0.0.1" in alert["sluis.next"] and "mitigat" not in alert["sluis.next"]
    assert "what it is not" not in json.dumps(alert)
    os.rename(path, path + ".1")  # as a log that is rotated
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(s.socket)
        c.sendall(b'{"command":"reopen"}\n')
        assert json.loads(c.makefile().readline())["ok"]
    assert ask(s, "user.unlock", name="eva")["ok"]
    for i in range(11):
        Browser(s).sign_in("eva", "what it is not 1")
        wait_for(lambda: ask(s, "user.unlock", name="eva")["ok"], "a moment without a wait")
    wait_for(lambda: os.path.exists(path), "the file to be opened anew")


def test_an_app_s_server_is_reached_by_no_other_name(world):
    """Without routes a single pool gets all, which must not open what is behind the gateway."""
    config = gateway(world, apps={"wiki": {}}, server=echo_head)
    for routes in ([], None):
        if routes is None:
            del config["routes"]
        s = world.run({**config, "listeners": {"web": {**config["listeners"]["web"], "address": f"127.0.0.1:{free_port()}"}}})
        for host in ("other.example.net", f"x.{PORTAL}", "127.0.0.1"):
            assert Browser(s).get("/", host=host).status == 404
