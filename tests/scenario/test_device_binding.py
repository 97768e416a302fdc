"""Sessions bound to a key of the device, with a client in software: registering, refreshing, and copied cookies, which must be worth nothing."""
import json

import pytest

from device import DEVICE, DeviceBrowser, Key
from harness import Client, Rest, World, fields_of, wait_for
from portal import PORTAL, Browser, add_user, ask, gateway

WIKI, MAIL = (f"{n}.{PORTAL}" for n in ("wiki", "mail"))
STRICT = f"strict.{PORTAL}"
PLAIN = f"plain.{PORTAL}"
SESSION, APP = "__Host-sluis-portal", "__Host-sluis-app"
GRACE = 4
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


def server(server, sock, head, rest):
    known = dict(fields_of(head))
    if b" /ws " in head.split(b"\r\n")[0] and "upgrade" in known:
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        while data := sock.recv(65536):
            sock.sendall(data)
        return False
    Rest(sock, rest).exact(int(known.get("content-length", "0")))
    extra = b""
    if b" /registers " in head.split(b"\r\n")[0]:
        extra = b'Secure-Session-Registration: (ES256);path="/mine";challenge="theirs"\r\nSecure-Session-Challenge: "c";id="x"\r\nSet-Cookie: __Host-sluis-device=theirs; Path=/; Secure\r\n'
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(head) + head)
    return True


@pytest.fixture(scope="module")
def world():
    w = World()
    yield w
    w.close()


@pytest.fixture(scope="module")
def s(world):
    apps = {"wiki": {"token": True}, "mail": {}, "strict": {"device_binding": "require"}, "plain": {"device_binding": "off"}}
    s = world.run(gateway(world, apps, server=server, gateway={"device_binding": "prefer"}))
    for name in ("eva", "piet", "anna", "kees"):
        add_user(s, name)
    return s


def bound_browser(s, name="eva", host=None):
    """Signed in and bound; and at the app, where one is named."""
    b = DeviceBrowser(s)
    assert b.sign_in(name).status == 200
    assert b.register().status == 200
    if host:
        assert b.get("/", host).status == 200
        assert b.register(host).status == 200
    return b


def after_grace(b, host, path="/"):
    """Until requests without the short cookie count as nobody's; it has to come by itself."""
    thief = b.thief(DEVICE)
    return wait_for(lambda: (p := thief.get(path, host, follow=False, headers=["Accept: text/plain"], cookies=True)).status != 200 and p, GRACE + 20)


def refusals(s):
    return [line.get("event.reason") for line in s.access()]


# --- registering ---

def test_registering(s):
    b = DeviceBrowser(s)
    page = b.sign_in("eva")
    assert page.status == 200 and "Tied to this device" not in page.text
    key = Key()
    page = b.register(key=key)
    assert page.status == 200 and page.field("Content-Type") == "application/json"
    said = json.loads(page.body)
    assert said == {"session_identifier": said["session_identifier"], "refresh_url": "/.sluis/device/refresh",
                    "scope": {"origin": b.url(""), "include_site": False,
                              "scope_specification": [{"type": "exclude", "domain": PORTAL, "path": "/.sluis/device/"}]},
                    "credentials": [{"type": "cookie", "name": DEVICE, "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax"}]}
    [cookie] = page.all("Set-Cookie")
    assert cookie.startswith(DEVICE + "=") and cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600")
    page = b.get("/")
    assert "Tied to this device" in page.text and page.field("Secure-Session-Registration") is None
    [one] = [x for x in ask(s, "sessions.list", name="eva")["sessions"] if x["id"] == said["session_identifier"]]
    assert one["device_bound"] is True
    assert "bound to the device" in s.cli("sessions", "list", "eva").stdout


def test_a_bound_session_takes_no_other_key(s):
    b = DeviceBrowser(s)
    b.sign_in("eva")
    path, challenge = b.offers[PORTAL]
    assert b.register().status == 200
    for key in (Key(), b.bound[PORTAL][0]):
        other = key.proof(challenge, registers=True)
        page = b.prove(PORTAL, path, **{"Secure-Session-Response": other})
        assert page.status == 400 and not page.all("Set-Cookie")
    assert b.get("/").status == 200


@pytest.mark.parametrize("why,change", [
    ("another challenge", lambda k, c: k.proof("A" * 43, registers=True)),
    ("no key", lambda k, c: k.proof(c)),
    ("none", lambda k, c: k.sign({"typ": "dbsc+jwt", "alg": "none", "jwk": k.jwk}, {"jti": c})),
    ("another type", lambda k, c: k.sign({"typ": "JWT", "alg": "ES256", "jwk": k.jwk}, {"jti": c})),
    ("another's signature", lambda k, c: Key().sign({"typ": "dbsc+jwt", "alg": "ES256", "jwk": k.jwk}, {"jti": c})),
    ("no token", lambda k, c: "x"),
    ("too long", lambda k, c: "A" * 3000)])
def test_wrong_proofs_bind_nothing(s, why, change):
    b = DeviceBrowser(s)
    b.sign_in("piet")
    page = b.register(proof=change(Key(), b.offers[PORTAL][1]))
    assert page.status == 400 and not page.all("Set-Cookie"), why
    assert "Tied to this device" not in b.get("/").text
    assert b.register().status == 200  # and the right one still does


def test_without_a_session(s):
    b = DeviceBrowser(s)
    b.sign_in("piet")
    stranger = DeviceBrowser(s)
    stranger.offers = b.offers
    assert stranger.register().status == 401
    assert stranger.get("/.sluis/device/register").status == 404
    assert stranger.prove(PORTAL, "/.sluis/device/refresh", **{"Sec-Secure-Session-Id": '"0123456789abcdef"'}).body == \
        b'{"session_identifier":"0123456789abcdef","continue":false}'
    page = stranger.prove(PORTAL, "/.sluis/device/refresh", **{"Sec-Secure-Session-Id": '"<x>"'})
    assert page.status == 200 and json.loads(page.body) == {"session_identifier": "<x>", "continue": False}


def test_another_session_s_challenge(s):
    one, two = DeviceBrowser(s), DeviceBrowser(s)
    one.sign_in("piet")
    two.sign_in("piet")
    two.offers = dict(one.offers)
    assert two.register().status == 400
    assert one.register().status == 200


# --- copied cookies ---

def test_a_copied_cookie_is_nobody_s(s):
    b = bound_browser(s, "anna", WIKI)
    seen = len(refusals(s))
    assert after_grace(b, PORTAL, "/account").status == 303
    after_grace(b, WIKI)
    thief = b.thief(DEVICE)
    page = thief.get("/")
    assert 'name="password"' in page.text and "anna" not in page.text.lower()
    page = thief.get("/secret", WIKI, headers=["Sec-Fetch-Mode: cors"])
    assert page.status == 401
    page = thief.get("/secret", WIKI)
    assert page.url.startswith(thief.url("/sign-in")) and 'name="password"' in page.text
    assert thief.post("/sign-out", {"csrf": "x"}, follow=False).status == 403
    for name in (SESSION, APP):  # they are as good as ever where the key is
        assert b.get("/", PORTAL if name == SESSION else WIKI).status == 200
    wait_for(lambda: refusals(s)[seen:].count("device-key") >= 4, "lines of the access log")
    wait_for(lambda: "session.device_key" in s.log(), "the event")
    [line, *_] = [x for x in s.log().splitlines() if "session.device_key" in x]
    assert "user=anna" in line and "client=127.0.0.1" in line
    assert len([x for x in s.log().splitlines() if "session.device_key" in x and f"host={WIKI}" in x and "user=anna" in x]) == 1


def test_a_made_up_short_cookie_is_taken_away(s):
    b = bound_browser(s, "anna", WIKI)
    after_grace(b, WIKI)
    thief = b.thief(DEVICE)
    thief.jar[WIKI][DEVICE] = "A" * 43
    page = thief.get("/", WIKI, follow=False, headers=["Sec-Fetch-Mode: cors"])
    assert page.status == 401 and any(v.startswith(DEVICE + "=;") and "Max-Age=0" in v for v in page.all("Set-Cookie"))
    assert b.get("/", WIKI).status == 200


def test_another_session_s_short_cookie(s):
    one, two = bound_browser(s, "anna"), bound_browser(s, "anna")
    after_grace(one, PORTAL)
    thief = one.thief()
    thief.jar[PORTAL][DEVICE] = two.jar[PORTAL][DEVICE]
    assert 'name="password"' in thief.get("/").text
    assert "Tied to this device" in one.get("/").text


def test_websockets(s):
    b = bound_browser(s, "anna", WIKI)
    with Client(s.port(), tls=b.context, name=WIKI) as live:
        live.send(f"GET /ws HTTP/1.1\r\nHost: {WIKI}:{s.port()}\r\nOrigin: {b.url('', WIKI).rstrip('/')}\r\nCookie: {b.cookies(WIKI)}\r\n{UPGRADE}\r\n".encode())
        assert b" 101 " in live.head()
        after_grace(b, WIKI)
        assert b.refresh(WIKI).status == 200  # cuts nothing
        with Client(s.port(), tls=b.context, name=WIKI) as c:
            c.send(f"GET /ws HTTP/1.1\r\nHost: {WIKI}:{s.port()}\r\nOrigin: {b.url('', WIKI).rstrip('/')}\r\nCookie: {b.thief(DEVICE).cookies(WIKI)}\r\n{UPGRADE}\r\n".encode())
            assert b" 401 " in c.head()
        live.send(b"again")
        assert live.rest.exact(10) == b"helloagain"


def test_servers_see_none_of_it(s):
    b = bound_browser(s, "anna", WIKI)
    page = b.get("/x", WIKI)
    assert DEVICE.encode() not in page.body and b"Sluis-User: anna" in page.body and b"Sluis-Token: " in page.body
    page = b.get("/registers", WIKI)
    assert page.field("Secure-Session-Registration") is None and page.field("Secure-Session-Challenge") is None
    assert not page.all("Set-Cookie")
    for jar in b.jar.values():
        assert all(v not in s.log() and v not in json.dumps(s.access()) for n, v in jar.items() if n == DEVICE)


# --- refreshing ---

def test_refreshing(s):
    b = bound_browser(s, "kees", WIKI)
    for host in (PORTAL, WIKI):
        before = b.jar[host][DEVICE]
        page = b.refresh(host)
        assert page.status == 200 and json.loads(page.body)["session_identifier"] == b.bound[host][1]["session_identifier"]
        assert b.jar[host][DEVICE] != before
        old = b.thief()
        old.jar[host][DEVICE] = before
        assert old.get("/", host).status == 200 and b.get("/", host).status == 200  # requests that are under way
        b.refresh(host)
        old.jar = {host: {**b.jar[host], DEVICE: before}}
        page = old.get("/", host)  # two before: not any more
        assert 'name="password"' in page.text
        assert b.get("/", host).status == 200


def test_more_sessions_have_longer_cookies(s):
    """Browsers sign a few times in some minutes only, for all hosts together."""
    b = bound_browser(s, "kees", WIKI)
    b.get("/", MAIL)
    for host, lasts in ((MAIL, 660), (PORTAL, 660)):
        page = b.register(host) if host == MAIL else b.refresh(host)
        assert [v for v in page.all("Set-Cookie") if v.startswith(DEVICE) and f"Max-Age={lasts}" in v], page


def test_a_connection_sees_it(s):
    """Workers hold what identity said for as long as a connection lives: registering and refreshing must reach them there too."""
    b = DeviceBrowser(s, keep=True)
    b.sign_in("kees")
    thief = b.thief()
    thief.keep = True
    assert thief.get("/").status == 200
    assert b.register().status == 200
    wait_for(lambda: 'name="password"' in thief.get("/").text, "the thief is asked to sign in", GRACE + 20)
    assert "Tied to this device" in b.get("/").text


def test_wrong_refreshes(s):
    b = bound_browser(s, "kees")
    key, said = b.bound[PORTAL]
    before = b.jar[PORTAL][DEVICE]
    name = {"Sec-Secure-Session-Id": said["session_identifier"]}
    challenge = b.challenge_of(b.prove(PORTAL, said["refresh_url"], **name), said)
    assert b.refresh(challenge=challenge, key=Key()).status == 400  # another key
    assert b.refresh(challenge=challenge, sub="0123456789abcdef").status == 400  # about another session
    assert b.refresh(challenge="A" * 43).status == 403  # no challenge of ours: here is one
    good = key.proof(challenge)
    assert b.jar[PORTAL][DEVICE] == before
    assert b.refresh(proof=good).status == 200
    assert b.refresh(proof=good).status == 403  # a challenge is answered once
    assert b.refresh(key=key, sub=said["session_identifier"]).status == 200
    other = bound_browser(s, "kees")
    other.bound = b.bound  # what a browser may still have of a session before
    assert json.loads(other.refresh().body) == {"session_identifier": said["session_identifier"], "continue": False}


def test_an_unbound_session_is_not_refreshed(s):
    b = bound_browser(s, "kees")
    plain = Browser(s)
    plain.sign_in("kees")
    other = DeviceBrowser(s)
    other.jar, other.bound = plain.jar, b.bound
    assert json.loads(other.refresh().body)["continue"] is False


# --- the session's ends ---

def test_stepping_up_keeps_it_and_revoking_ends_it(s):
    b = bound_browser(s, "kees", MAIL)
    [one] = [x["id"] for x in ask(s, "sessions.list", name="kees")["sessions"] if x["id"] == b.bound[PORTAL][1]["session_identifier"]]
    s.cli("sessions", "revoke", "--id", one)
    assert 'name="password"' in b.get("/").text
    for host in (PORTAL, MAIL):
        assert json.loads(b.refresh(host).body)["continue"] is False


def test_signing_out(s):
    b = bound_browser(s, "kees")
    page = b.get("/")
    assert b.post("/sign-out", {"csrf": page.csrf()}).status == 200
    assert DEVICE not in b.jar[PORTAL]
    assert json.loads(b.refresh().body)["continue"] is False
    b.sign_in("kees")
    assert b.register().status == 200 and "Tied to this device" in b.get("/").text


# --- off, prefer, require ---

def test_off(s):
    b = bound_browser(s, "eva")
    assert b.get("/", PLAIN).status == 200 and PLAIN not in b.offers
    b.offers[PLAIN] = ("/.sluis/device/register", "A" * 43)
    assert b.register(PLAIN).status == 400


def test_prefer_lets_others_in(s):
    b = Browser(s)
    b.sign_in("eva")
    assert b.get("/").status == 200 and b.get("/", WIKI).status == 200 and "bound" not in b.get("/", WIKI).text


def test_offers_go_with_pages_only(s):
    """And not at once again: each costs the browser one of few signatures."""
    b = DeviceBrowser(s)
    b.sign_in("eva")
    b.get("/", WIKI)
    b.offers.clear()
    b.get("/")
    b.get("/x", WIKI, headers=["Sec-Fetch-Mode: navigate"])
    assert not b.offers
    wait_for(lambda: b.get("/") and b.offers, "another offer", 40)
    wait_for(lambda: b.get("/x", WIKI, headers=["Sec-Fetch-Mode: navigate"]) and WIKI in b.offers, "another offer", 40)
    for lines, is_offered in ((["Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin"], True), (["Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site"], False),
                              (["Sec-Fetch-Mode: cors"], False)):
        assert (b.get("/x", WIKI, headers=lines).field("Secure-Session-Registration") is not None) is is_offered, lines


def test_require(s):
    b = DeviceBrowser(s)
    b.sign_in("eva")
    page = b.get("/", STRICT)
    assert page.status == 403 and "goes on by itself" in page.text and 'http-equiv="refresh" content="1"' in page.text
    assert b.get("/account").status == 200 and b.get("/", WIKI).status == 200
    assert b.register().status == 200
    page = b.get("/", STRICT)  # the portal's is bound; the app's not yet
    assert page.status == 403 and "goes on by itself" in page.text
    assert b.get("/", STRICT, headers=["Sec-Fetch-Mode: cors"]).status == 403
    assert b.register(STRICT).status == 200
    assert b.get("/x", STRICT).status == 200
    wait_for(lambda: "device-key" in refusals(s), "the access log")


def test_require_says_which_browsers_can(s):
    b = Browser(s)
    b.sign_in("eva")
    page = wait_for(lambda: "Chrome on Windows" in (p := b.get("/", STRICT)).text and p, "the page that says so", 30)
    assert page.status == 403 and "http-equiv" not in page.text
    page = b.get("/", STRICT, headers=["Accept-Language: nl"])
    assert "gebonden" in page.text
    assert b.get("/").status == 200


def test_a_link_on_another_site(s):
    """Browsers do not refresh for it: a page of ours tries again."""
    b = bound_browser(s, "anna", WIKI)
    after_grace(b, WIKI)
    other = b.thief(DEVICE)
    for host in (WIKI, PORTAL):
        page = other.get("/account", host, headers=["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"])
        assert page.status == 403 and 'http-equiv="refresh" content="1"' in page.text
        page = other.get("/account", host, headers=["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate"])
        assert 'name="password"' in page.text


# --- restarts ---

def test_a_restart_keeps_it():
    world = World()
    try:
        config = gateway(world, gateway={"device_binding": "prefer"})
        s = world.run(config)
        add_user(s, "eva")
        b = bound_browser(s, "eva", WIKI)
        s.stop()
        s = world.run(config)
        b.s, b.port = s, s.port()
        assert "Tied to this device" in b.get("/").text and b.get("/", WIKI).status == 200
        assert 'name="password"' in b.thief(DEVICE).get("/").text  # no grace: it is not new
        assert b.refresh().status == 200 and b.refresh(WIKI).status == 200
        assert b.get("/").status == 200 and b.get("/", WIKI).status == 200
    finally:
        world.close()
