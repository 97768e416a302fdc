"""Hosts beside the portal and the apps: what policies and plain routes send to servers there, who is denied at a route, and redirects of servers that
take themselves for another host."""
import re
import urllib.parse

import pytest

from harness import wait_for
from portal import PORTAL, Browser, add_user, echo_head, gateway, totp

SITE, ELSEWHERE, WIKI = "intra.site.test", "none.site.test", f"wiki.{PORTAL}"
APP, ENTER, SESSION = "__Host-sluis-app", "__Host-sluis-enter", "__Host-sluis-portal"
FORGED = ["Sluis-User: admin", "Sluis-Groups: board", "Sluis-Token: x"]


def server(server, sock, head, rest):
    """As echo_head, with an early answer first where the path asks for it."""
    if head.split(b" ", 2)[1].startswith(b"/public/early"):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nSet-Cookie: __Host-sluis-app=x; Secure; Path=/\r\n\r\n")
    return echo_head(server, sock, head, rest)


def serve(world, allow=None, **more):
    config = gateway(world, server=server, policies=[{"name": "public", "if": 'starts_with(http.path, "/public")', "then": [{"pool": "aside"}]}],
                     pools={"aside": {"servers": [world.scripted(server).address]}}, **more)
    config["routes"] = [{"host": SITE, "path": "/", "pool": "wiki", "require": "session", **({"allow": allow} if allow else {})},
                        {"host": SITE, "path": "/public", "pool": "wiki"}, {"host": SITE, "path": "/plain", "pool": "wiki"}]
    return world.run(config)


def into_site(s, name="eva"):
    b = Browser(s)
    page = b.get("/", host=SITE)
    page = b.sign_in(name, next=page.hidden("next"))
    assert page.status == 200 and page.url == b.url("/", SITE) and APP in b.jar[SITE], page
    return b


# --- what is ours, at servers where nobody has to sign in ---

@pytest.mark.parametrize("host, path", [(SITE, "/public"), (SITE, "/plain"), (ELSEWHERE, "/public")])
def test_a_server_without_a_sign_in_gets_nothing_of_ours(world, host, path):
    s = serve(world)
    add_user(s, "eva")
    b = into_site(s)
    b.jar[host] = {**b.jar[SITE], "mine": "1", "__Host-sluis-device": "x"}
    page = b.get(path, host=host, headers=FORGED)
    assert page.status == 200 and re.search(r"(?im)^cookie: mine=1\r?$", page.text), page
    assert "__Host-sluis" not in page.text and b.jar[SITE][APP] not in page.text and not re.search("(?im)^sluis-", page.text), page


@pytest.mark.parametrize("host, path", [(SITE, "/public"), (SITE, "/plain"), (ELSEWHERE, "/public")])
def test_a_server_without_a_sign_in_sets_no_cookie_of_ours(world, host, path):
    s = serve(world)
    ours = ["__Host-sluis-app=x; Secure; Path=/", "__HOST-SLUIS-APP=x; Path=/", " __Host-sluis-enter =x", "=__Host-sluis-app=x; Path=/", "__Host-sluis-portal"]
    theirs = ["mine=1; Domain=site.test; Path=/x", "__Host-mine=2; Secure; Path=/"]
    query = "&".join("h.Set-Cookie=" + urllib.parse.quote(v) for v in [ours[0], theirs[0], *ours[1:], theirs[1]])
    b = Browser(s)
    page = b.get(f"{path}?{query}", host=host)
    assert page.status == 200 and page.all("set-cookie") == theirs, page
    assert page.field("cache-control") is None, "the rest of the answer is the server's own"


def test_an_early_answer_of_such_a_server_sets_no_cookie(world):
    s = serve(world)
    b = Browser(s)
    with b.connect(SITE) as c, c.makefile("rb") as f:
        c.sendall(f"GET /public/early HTTP/1.1\r\nHost: {SITE}\r\nConnection: close\r\n\r\n".encode())
        text = f.read().decode()
    assert text.startswith("HTTP/1.1 103") and "Link: </a.css>" in text and "HTTP/1.1 200" in text and "et-Cookie" not in text.split("GET ")[0], text


# --- denied at a route ---

def hrefs(page):
    return [v.replace("&amp;", "&") for v in re.findall(r'(?:href|src|action)="([^"#][^"]*)"', page.text)]


def denied_for_mfa(b, page):
    """The page of a route that wants a second factor: every link is the portal's. Gives the step up's."""
    assert page.status == 403 and page.url.startswith(b.url("", SITE)) and "session.mfa" in page.text, page
    links = hrefs(page)
    assert links and all(link.startswith(b.url("/")) for link in links), links
    assert "<form" not in page.text, "no form of another host's is taken by the portal"
    csp = page.field("content-security-policy")
    assert f"style-src {b.url('')};" in csp and "form-action 'none'" in csp, csp
    for link in links:
        if link.endswith(".css"):
            style = b.request("GET", link)
            assert style.status == 200 and style.field("cross-origin-resource-policy") == "cross-origin", "the route's host may be of another site"
    return next(link for link in links if "/step-up" in link)


def enrolled(s, name, browser=Browser):
    b = browser(s)
    assert b.sign_in(name).url == b.url("/")
    page = b.get("/totp")
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    assert b.post("/totp", {"csrf": page.csrf(), "code": totp(secret)}).status == 200
    return secret


def step_up(b, page, secret):
    assert "/step-up" in page.url and page.status == 200 and 'name="code"' in page.text, page
    return b.post("/step-up", {"csrf": page.csrf(), "method": "totp", "code": totp(secret, step=1), "next": page.hidden("next")})


def test_a_step_up_at_a_route_comes_back_to_it(world):
    s = serve(world, allow="session.mfa")
    add_user(s, "eva")
    secret = enrolled(s, "eva")
    b = Browser(s)
    page = b.get("/deep/link?a=1&b=%2F", host=SITE)
    page = b.sign_in("eva", next=page.hidden("next"))
    page = step_up(b, b.request("GET", denied_for_mfa(b, page)), secret)
    assert page.status == 200 and page.url == b.url("/deep/link?a=1&b=%2F", SITE) and re.search(r"(?im)^sluis-user: eva\r?$", page.text), page


def test_who_has_no_second_factor_sets_one_up_on_the_way_back_to_a_route(world):
    s = serve(world, allow="session.mfa")
    add_user(s, "eva")
    b = Browser(s)
    page = b.get("/deep", host=SITE)
    page = b.sign_in("eva", next=page.hidden("next"))
    page = b.request("GET", denied_for_mfa(b, page))
    assert "/totp" in page.url, page
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    page = b.post("/totp", {"csrf": page.csrf(), "code": totp(secret), "next": page.hidden("next")})
    assert page.status == 200, page
    on = next(link for link in hrefs(page) if link.startswith("/enter"))
    page = b.get(on)
    assert page.status == 200 and page.url == b.url("/deep", SITE), page


def test_who_has_stepped_up_elsewhere_goes_on_at_once(world):
    s = serve(world, allow="session.mfa")
    add_user(s, "eva")
    secret = enrolled(s, "eva")
    b = Browser(s)
    page = b.get("/a", host=SITE)
    link = denied_for_mfa(b, b.sign_in("eva", next=page.hidden("next")))
    step_up(b, b.get("/step-up"), secret)
    assert b.get("/a", host=SITE).status == 200, "it counts at all hosts"
    page = b.request("GET", link)
    assert page.status == 200 and page.url == b.url("/a", SITE), page


def test_a_long_link_is_left_out_of_the_step_up(world):
    s = serve(world, allow="session.mfa")
    add_user(s, "eva")
    secret = enrolled(s, "eva")
    b = Browser(s)
    page = b.get("/", host=SITE)
    b.sign_in("eva", next=page.hidden("next"))
    page = b.get("/x?" + "%25" * 600, host=SITE)
    page = step_up(b, b.request("GET", denied_for_mfa(b, page)), secret)
    assert page.status == 200 and page.url == b.url("/", SITE), page


def test_denied_at_a_route_for_what_no_step_up_mends(world):
    s = serve(world, allow='user.groups == "board"', gateway={"support": "Call 1234"})
    add_user(s, "piet")
    b = Browser(s)
    page = b.get("/a", host=SITE)
    page = b.sign_in("piet", next=page.hidden("next"))
    assert page.status == 403 and "board" in page.text and "Call 1234" in page.text and "step-up" not in page.text and "<form" not in page.text, page
    assert all(link.startswith(b.url("/")) for link in hrefs(page)), hrefs(page)
    assert ENTER not in b.jar[SITE], "nothing is begun that leads nowhere"
    assert b.get("/a", host=SITE, headers=["Accept: application/json"]).text.find("<html") < 0


# --- denied at an app ---

def test_a_step_up_is_offered_where_an_apps_rule_asks_for_it(world):
    s = serve(world, apps={"wiki": {"allow": "session.mfa"}})
    add_user(s, "eva")
    secret = enrolled(s, "eva")
    b = Browser(s)
    page = b.get("/deep?a=1", host=WIKI)
    page = b.sign_in("eva", next=page.hidden("next"))
    assert page.status == 403 and "/enter" in page.url and "session.mfa" in page.text, page
    link = next(link for link in hrefs(page) if link.startswith("/step-up"))
    page = step_up(b, b.get(link), secret)
    assert page.status == 200 and page.url == b.url("/deep?a=1", WIKI), page


def test_a_step_up_from_the_page_of_a_denied_app_comes_back_to_the_app(world):
    s = serve(world, apps={"wiki": {"allow": "session.mfa"}})
    add_user(s, "eva")
    secret = enrolled(s, "eva")
    b = Browser(s)
    b.sign_in("eva")
    page = b.get("/denied/wiki")
    assert page.status == 403, page
    link = next(link for link in hrefs(page) if link.startswith("/step-up"))
    page = step_up(b, b.get(link), secret)
    assert page.status == 200 and page.url == b.url("/", WIKI), page


def test_an_apps_session_of_before_the_step_up_is_made_anew(world):
    s = serve(world, apps={"wiki": {}})
    add_user(s, "eva")
    secret = enrolled(s, "eva")
    b = Browser(s)
    b.sign_in("eva")
    assert b.get("/a", host=WIKI).status == 200
    s.config["gateway"]["apps"]["wiki"]["allow"] = "session.mfa"
    s.reload()
    page = wait_for(lambda: (p := b.get("/a", host=WIKI)).status == 403 and p, "the new rule counts")
    link = next(link for link in hrefs(page) if link.startswith(b.url("/step-up")))
    page = step_up(b, b.request("GET", link), secret)
    assert page.status == 200 and page.url == b.url("/a", WIKI), page


# --- one person, two addresses: IPv4 to the portal and IPv6 to the apps, or the other way round ---

OFFICE, AWAY = "10.1.2.3", "2001:db8::7"


class Elsewhere(Browser):
    """The portal sees it come from one address, all else from another."""

    def __init__(self, s, portal=OFFICE, app=AWAY):
        super().__init__(s)
        self.addresses = portal, app

    def exchange(self, host, data, url, method):
        line, _, rest = data.partition(b"\r\n")
        seen = self.addresses[host != PORTAL]
        return super().exchange(host, line + f"\r\nX-Forwarded-For: {seen}\r\n".encode() + rest, url, method)


def serve_places(world, wiki, site=None, **section):
    s = serve(world, allow=site, apps={"wiki": wiki}, gateway=section)
    s.config["listeners"]["web"]["trusted_peers"] = ["127.0.0.1/32"]
    s.reload()
    add_user(s, "eva")
    return s


@pytest.mark.parametrize("host", [WIKI, SITE])
def test_a_second_factor_is_asked_for_by_the_address_that_the_app_sees(world, host):
    s = serve_places(world, {}, mfa="not (client.ip in {10.0.0.0/8})")
    secret = enrolled(s, "eva", Elsewhere)  # at the office the password is enough
    b = Elsewhere(s)
    page = b.get("/deep?a=1", host=host)
    page = b.sign_in("eva", next=page.hidden("next"))
    page = step_up(b, page, secret)
    assert page.status == 200 and page.url == b.url("/deep?a=1", host), page
    b = Elsewhere(s, AWAY, OFFICE)
    page = b.get("/deep?a=1", host=host)
    assert "/second" in (page := b.sign_in("eva", next=page.hidden("next"))).url or 'name="code"' in page.text, page


@pytest.mark.parametrize("host", [WIKI, SITE])
def test_who_is_denied_at_the_apps_address_alone_is_told_so_there(world, host):
    rule = "client.ip in {10.0.0.0/8}"
    s = serve_places(world, {"allow": rule}, site=rule)
    b = Elsewhere(s)
    page = b.get("/deep", host=host)
    page = b.sign_in("eva", next=page.hidden("next"))
    assert page.status == 403 and page.url == b.url("/deep", host) and rule in page.text and "/step-up" not in page.text, page
    assert all(link.startswith(b.url("/")) for link in hrefs(page)), hrefs(page)
    b.addresses = OFFICE, OFFICE
    assert b.get("/deep", host=host).status == 200, "the same link, once it may be"


@pytest.mark.parametrize("host", [WIKI, SITE])
def test_a_second_factor_in_place_of_an_address(world, host):
    rule = "session.mfa or client.ip in {10.0.0.0/8}"
    s = serve_places(world, {"allow": rule}, site=rule)
    secret = enrolled(s, "eva", Elsewhere)
    b = Elsewhere(s)
    page = b.get("/deep", host=host)
    page = b.sign_in("eva", next=page.hidden("next"))
    assert page.status == 403 and page.url == b.url("/deep", host) and "session.mfa" in page.text, page
    page = step_up(b, b.request("GET", next(link for link in hrefs(page) if "/step-up" in link)), secret)
    assert page.status == 200 and page.url == b.url("/deep", host), page


# --- redirects by a server's own name ---

LOCATIONS = [
    # server_host, Location, what the browser gets: "@" is the app's origin, None: as it came
    ("wiki.internal.test", "http://wiki.internal.test/login?a=1#b", "@/login?a=1#b"),
    ("wiki.internal.test", "https://WIKI.internal.test:8080/login", "@/login"),
    ("wiki.internal.test", "HTTP://wiki.internal.test", "@"),
    ("wiki.internal.test", "//wiki.internal.test/x", "@/x"),
    ("wiki.internal.test", "https://wiki.internal.test?a", "@?a"),
    ("wiki.internal.test", "https://wiki.internal.test.evil.test/", None),
    ("wiki.internal.test", "https://wiki.internal.test@evil.test/", None),
    ("wiki.internal.test", "https://other.test/wiki.internal.test", None),
    ("wiki.internal.test", "/login", None),
    ("wiki.internal.test", "login", None),
    ("wiki.internal.test:8080", "http://wiki.internal.test:8080/login", "@/login"),
    ("wiki.internal.test:8080", "https://Wiki.Internal.Test:8080", "@"),
    ("wiki.internal.test:8080", "//wiki.internal.test:8080/x?y", "@/x?y"),
    ("wiki.internal.test:8080", "http://wiki.internal.test:80801/login", None),
    ("wiki.internal.test:8080", "http://wiki.internal.test:9000/another", None),
    ("wiki.internal.test:8080", "https://wiki.internal.test/another", None),
    ("wiki.internal.test:80", "http://wiki.internal.test/login", "@/login"),
    ("wiki.internal.test:80", "http://wiki.internal.test:/login", "@/login"),
    ("wiki.internal.test:80", "https://wiki.internal.test/another", None),
    ("wiki.internal.test:443", "https://wiki.internal.test/login", "@/login"),
    (None, "https://wiki.internal.test/login", None),
]


def test_redirects_by_the_servers_own_name_are_written_with_the_public_one(world):
    names = list(dict.fromkeys(own for own, _, _ in LOCATIONS))
    s = serve(world, apps={f"app{i}": {"server_host": own} if own else {} for i, own in enumerate(names)} | {"wiki": {}})
    add_user(s, "eva")
    b = Browser(s)
    b.sign_in("eva")
    for own, location, want in LOCATIONS:
        host = f"app{names.index(own)}.{PORTAL}"
        page = b.get("/", host=host)
        assert page.status == 200 and re.search(rf"(?im)^host: {re.escape(own or f'{host}:{b.port}')}\r?$", page.text), page
        page = b.get("/go?h.Location=" + urllib.parse.quote(location, safe=""), host=host)
        assert page.field("location") == (want.replace("@", b.url("", host)) if want is not None else location), (own, location, page)
