"""A form that somebody sends to an app when the session has ended waits until its sender has signed in."""
import html
import re
import urllib.parse

from harness import wait_for
from left_behind import note
from portal import PASSWORD, PORTAL, Browser, add_user, ask, gateway, totp

WIKI, MAIL = f"wiki.{PORTAL}", f"mail.{PORTAL}"
FORM = "/.sluis/form"
SECRET = "zeventien in een brief"


def start(world, **more):
    s = world.run(gateway(world, **more))
    add_user(s, "eva")
    return s


def fields(page):
    """The hidden fields of the page, as a browser reads them, and where they go."""
    action = re.search(r'<form method="post" action="([^"]*)"', page.text)
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return html.unescape(action.group(1)) if action else None, [(html.unescape(n), html.unescape(v)) for n, v in pairs]


def send_again(b, page, host=WIKI):
    action, pairs = fields(page)
    return b.post(action, urllib.parse.urlencode(pairs).encode(), host=host)


def signed_out_form(s, body, host=WIKI, path="/edit?page=7&x=%2F", **kw):
    """A browser whose session has ended sends a form. Returns it and the sign-in's page."""
    b = Browser(s)
    b.sign_in("eva")
    assert b.get("/", host=host).status == 200
    assert ask(s, "sessions.revoke", name="eva")["ok"]
    return b, b.post(path, body, host=host, **kw)


def sign_in_there(b, page):
    return b.post("/sign-in", {"user": "eva", "password": PASSWORD, "next": page.hidden("next")})


def test_a_form_survives_a_sign_in(world):
    s = start(world)
    body = b"title=Caf%C3%A9+%26+tea&tag=b&tag=a&empty=&text=%3Cscript%3Ealert(1)%3C%2Fscript%3E%0D%0Aline+2&q=%22"
    b, page = signed_out_form(s, body)
    assert page.status == 200 and 'action="/sign-in"' in page.text
    page = sign_in_there(b, page)
    assert page.status == 200 and urllib.parse.urlsplit(page.url).path == FORM, page
    assert page.field("cache-control") == "no-store" and "<script" not in page.text and "eva" in page.text
    assert "form-action 'self'" in page.field("content-security-policy")
    action, pairs = fields(page)
    assert action == "/edit?page=7&x=%2F"
    assert pairs == urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)
    got = send_again(b, page)
    assert got.status == 200 and got.text.startswith("POST /edit?page=7&x=%2F HTTP/1.1\r\n")
    assert urllib.parse.parse_qsl(got.text.split("\r\n\r\n", 1)[1], keep_blank_values=True) == pairs
    assert "sluis-user: eva" in got.text.lower() and "__host-sluis" not in got.text.lower()


def test_the_largest_form_and_one_octet_more(world):
    s = start(world)
    body = b"text=" + b"y" * (16 * 1024 - 5)
    b, page = signed_out_form(s, body)
    page = sign_in_there(b, page)
    got = send_again(b, page)
    assert got.status == 200 and got.text.endswith("\r\n\r\n" + body.decode())
    b, page = signed_out_form(s, body + b"y")
    assert page.status == 401


def test_what_is_not_kept(world):
    s = start(world)
    cases = [
        ("a file", b"--x--", {"headers": ["Content-Type: multipart/form-data; boundary=x"]}),
        ("another site's", b"a=1", {"origin": "https://evil.example.net"}),
        ("a sibling's", b"a=1", {"origin": f"https://{MAIL}"}),
        ("nobody knows whose", b"a=1", {"origin": False}),
        ("a script's", b"a=1", {"headers": ["Sec-Fetch-Mode: cors"]}),
        ("a script's that wants no page", b"a=1", {"headers": ["Accept: application/json"]}),
        ("no UTF-8", b"a=%FF", {}),
        ("NUL", b"a=%00", {}),
        ("a broken escape", b"a=%4", {}),
        ("too many fields", b"&".join([b"a"] * 401), {}),
    ]
    for why, body, more in cases:
        page = Browser(s).post("/edit", body, host=WIKI, follow=False, **more)
        assert page.status == 401 and not page.all("set-cookie"), why
    page = Browser(s).post("/edit", b"&".join([b"a"] * 400), host=WIKI, follow=False)
    assert page.status == 303, "so it was for the reasons above"


def test_nothing_is_kept_where_that_is_off(world):
    s = start(world, gateway={"keep_forms": "0s"})
    _, page = signed_out_form(s, b"a=1")
    assert page.status == 401


def test_it_belongs_to_its_browser_and_host(world):
    s = start(world)
    note(SECRET, "kept form")
    b, page = signed_out_form(s, b"secret=" + urllib.parse.quote_plus(SECRET).encode())
    other = Browser(s)
    other.sign_in("eva")
    assert other.get("/", host=WIKI).status == 200
    gone = other.get(FORM, host=WIKI)
    assert gone.status == 404 and fields(gone) == (None, [])
    page = sign_in_there(b, page)
    assert fields(page)[1] == [("secret", SECRET)]
    b.jar.setdefault(MAIL, {})["__Host-sluis-form"] = b.jar[WIKI]["__Host-sluis-form"]
    assert b.get("/", host=MAIL).status == 200
    assert fields(b.get(FORM, host=MAIL)) == (None, [])
    del b.jar[WIKI]["__Host-sluis-app"]
    assert fields(b.get(FORM, host=WIKI, follow=False)) == (None, [])  # to the portal first


def test_it_is_gone_after_its_time(world):
    s = start(world, gateway={"keep_forms": "1s"})
    b, page = signed_out_form(s, b"a=1")
    page = sign_in_there(b, page)
    b.jar[WIKI].setdefault("__Host-sluis-form", "A" * 43)
    gone = wait_for(lambda: (p := b.get(FORM, host=WIKI)).status == 404 and p, "the form to be gone")
    assert fields(gone) == (None, [])


def test_a_later_form_takes_the_place_of_the_first(world):
    s = start(world)
    b, _ = signed_out_form(s, b"a=1")
    page = b.post("/other", b"b=2", host=WIKI)
    page = sign_in_there(b, page)
    assert fields(page) == ("/other", [("b", "2")])


def test_one_source_does_not_fill_the_place(world):
    s = start(world)
    b, _ = signed_out_form(s, b"a=1")
    answers = []
    for _ in range(40):
        stranger = Browser(s)
        answers.append(stranger.post("/", b"x=y", host=WIKI, follow=False).status)
    assert answers.count(303) == 31 and answers[-1] == 401  # with the one above 32 of one address


def test_a_form_survives_a_step_up(world):
    s = world.run(gateway(world, apps={"care": {"mfa": "true"}}))
    add_user(s, "eva")
    b = Browser(s)
    b.sign_in("eva")
    page = b.post("/note", b"text=17", host=f"care.{PORTAL}")  # no factor yet: one is set up first
    secret = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", page.text) or re.search(r"([A-Z2-7]{4}(?: [A-Z2-7]{4}){7})", page.text)
    if not secret:
        page = b.get("/totp?next=" + urllib.parse.quote(page.hidden("next") or "/"))
        secret = re.search(r"([A-Z2-7]{4}(?: [A-Z2-7]{4}){7})", page.text)
    page = b.post("/totp", {"code": totp(secret.group(1).replace(" ", "")), "csrf": page.csrf(), "next": page.hidden("next")})
    if urllib.parse.urlsplit(page.url).path != FORM:  # the recovery codes, which lead on
        page = b.get(FORM, host=f"care.{PORTAL}")
    assert fields(page) == ("/note", [("text", "17")]), page
    got = send_again(b, page, host=f"care.{PORTAL}")
    assert got.status == 200 and got.text.endswith("text=17")
