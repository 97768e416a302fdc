"""The gateway: people sign in at the portal and reach apps, and those who may not do not."""
import html
import re
import time

import pytest

from harness import wait_for
from portal import PASSWORD, PORTAL, Browser, add_user, ask, gateway, totp


def serve(world, **more):
    s = world.run(gateway(world, **more))
    return s


def test_signing_in_and_out(world):
    s = serve(world)
    add_user(s, "eva", groups=["staff"], display="Eva")
    b = Browser(s)
    first = b.get("/")
    assert first.status == 200 and first.url.endswith("/sign-in") and 'name="password"' in first.text
    assert not b.jar.get(PORTAL), "nothing is set before somebody signs in"
    wrong = b.sign_in("eva", "not the password")
    assert wrong.status == 401 and 'role="alert"' in wrong.text and not b.jar.get(PORTAL)
    home = b.sign_in("eva")
    assert home.status == 200 and "Eva" in home.text and "wiki" in home.text, home
    token = b.jar[PORTAL]["__Host-sluis-portal"]
    assert len(token) == 43
    out = b.post("/sign-out", {"csrf": home.csrf()})
    assert out.url.endswith("/signed-out") and "__Host-sluis-portal" not in b.jar[PORTAL]
    b.jar[PORTAL]["__Host-sluis-portal"] = token
    assert b.get("/").url.endswith("/sign-in"), "a token of a session that has ended"


def test_an_app_by_its_own_cookie(world):
    s = serve(world)
    add_user(s, "eva", groups=["staff", "care"])
    b = Browser(s)
    page = b.get("/deep/link?a=1&b=%2F", host=f"wiki.{PORTAL}")
    assert "/sign-in" in page.url, page
    page = b.sign_in("eva", next=page.hidden("next"))
    assert page.status == 200 and page.url == b.url("/deep/link?a=1&b=%2F", f"wiki.{PORTAL}"), page
    head = page.text
    assert re.search(r"(?im)^sluis-user: eva\r?$", head) and re.search(r"(?im)^sluis-groups: staff,care\r?$", head)
    assert "__Host-sluis" not in head, "no cookie of ours reaches a server"
    assert set(b.jar[f"wiki.{PORTAL}"]) == {"__Host-sluis-app"}
    assert b.jar[f"wiki.{PORTAL}"]["__Host-sluis-app"] != b.jar[PORTAL]["__Host-sluis-portal"]
    assert b.get("/x", host=f"mail.{PORTAL}").url == b.url("/x", f"mail.{PORTAL}"), "signed in once"
    other = Browser(s)
    other.jar[f"mail.{PORTAL}"] = {"__Host-sluis-app": b.jar[f"wiki.{PORTAL}"]["__Host-sluis-app"]}
    assert "/sign-in" in other.get("/x", host=f"mail.{PORTAL}").url, "one app's cookie is none of another's"
    other.jar[PORTAL] = {"__Host-sluis-portal": b.jar[f"wiki.{PORTAL}"]["__Host-sluis-app"]}
    assert "/sign-in" in other.get("/").url, "nor of the portal's"


def test_a_revoked_session_is_cut_everywhere(world):
    s = serve(world)
    add_user(s, "eva")
    b = Browser(s)
    assert b.sign_in("eva").status == 200
    assert b.get("/", host=f"wiki.{PORTAL}").status == 200
    answer = ask(s, "sessions.revoke", name="eva")
    assert answer["ok"] and answer["ended"] >= 1, answer
    assert "/sign-in" in b.get("/", host=f"wiki.{PORTAL}").url
    assert "/sign-in" in b.get("/").url


def test_a_group_that_is_taken_away_counts_on_open_connections(world):
    """When the command is back, at whichever worker they are; nobody is signed out."""
    s = world.run(gateway(world, apps={"wiki": {}, "board": {"allow": 'user.groups == "board"'}}))
    board, wiki = f"board.{PORTAL}", f"wiki.{PORTAL}"
    add_user(s, "eva", groups=["staff", "board"])
    first = Browser(s)
    assert first.sign_in("eva").status == 200 and first.get("/", host=board).status == 200 and first.get("/", host=wiki).status == 200
    everywhere = []
    for _ in range(6):
        everywhere.append(Browser(s, keep=True))
        everywhere[-1].jar = {host: dict(cookies) for host, cookies in first.jar.items()}
    for turn in range(3):
        lines = []
        for b in everywhere:
            assert b.get("/", host=board, follow=False).status == 200 and b.get("/", host=wiki, follow=False).status == 200
            lines.append(dict(b.open))
        s.cli("user", "set", "eva", "--group", "staff")
        for b, line in zip(everywhere, lines):
            assert b.open[board] is line[board] and b.open[wiki] is line[wiki], "the connections are those that were open"
            page = b.get("/", host=board, follow=False)
            assert page.status == 403 and 'user.groups == "board"' in html.unescape(page.text), page
            page = b.get("/", host=wiki, follow=False)
            assert page.status == 200 and re.search(r"(?im)^sluis-groups: staff\r?$", page.text), page
        s.cli("user", "set", "eva", "--group", "staff", "--group", "board")
    assert first.get("/").url == first.url("/"), "signed in all the while"
    for b in everywhere:
        for line in b.open.values():
            line.close()


def test_sessions_outlive_identity_and_sluisd(world):
    s = serve(world)
    add_user(s, "eva")
    b = Browser(s)
    b.sign_in("eva")
    assert b.get("/", host=f"wiki.{PORTAL}").status == 200
    s.stop()
    s = world.run(s.config)
    b.s, b.port = s, s.port()
    assert b.get("/", host=f"wiki.{PORTAL}").status == 200
    assert b.get("/").url == b.url("/")


def test_one_time_passwords_from_enrolment_on(world):
    s = serve(world, gateway={"mfa": "true"})
    add_user(s, "eva")
    b = Browser(s)
    page = b.sign_in("eva")
    assert page.url.endswith("/totp"), page
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    code = totp(secret)
    page = b.post("/totp", {"csrf": page.csrf(), "code": code})
    codes = re.findall(r"\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b", page.text)
    assert page.status == 200 and len(codes) == 10, page
    assert b.get("/").url == b.url("/")
    other = Browser(s)
    page = other.sign_in("eva")
    assert page.url.endswith("/second"), page
    again = other.post("/second", {"csrf": page.csrf(), "method": "totp", "code": code})
    assert again.status == 401, "a code is taken once"
    page = other.post("/second", {"csrf": again.csrf(), "method": "recovery", "code": codes[0].upper().replace("-", " ")})
    assert page.url == other.url("/"), page
    third = Browser(s)
    page = third.sign_in("eva")
    page = third.post("/second", {"csrf": page.csrf(), "method": "recovery", "code": codes[0]})
    assert page.status == 401, "a recovery code is good once"


def test_a_route_that_asks_for_a_session_beside_one_that_does_not(world):
    config = gateway(world)
    config["routes"] = [{"host": "site.test", "path": "/staff", "pool": "wiki", "require": "session", "allow": 'user.groups == "staff"'},
                        {"host": "site.test", "pool": "mail"}]
    s = world.run(config)
    add_user(s, "eva", groups=["staff"])
    add_user(s, "piet")
    b = Browser(s)
    assert b.get("/open", host="site.test").status == 200
    page = b.get("/staff/x", host="site.test")
    assert "/sign-in" in page.url
    page = b.sign_in("eva", next=page.hidden("next"))
    assert page.url == b.url("/staff/x", "site.test") and re.search(r"(?im)^sluis-user: eva\r?$", page.text), page
    plain = b.get("/open", host="site.test", headers=["Sluis-User: admin"])
    assert plain.status == 200 and "__Host-sluis" not in plain.text and "admin" not in plain.text, plain
    p = Browser(s)
    page = p.get("/staff/x", host="site.test")
    page = p.sign_in("piet", next=page.hidden("next"))
    assert page.status == 403 and "staff" in page.text, page
    said = 'user.groups == "staff"'
    line = wait_for(lambda: next((l for l in s.access() if l.get("sluis.denied_by")), None), "the log says which rule")
    assert line["sluis.denied_by"] == said and line["user.name"] == "piet" and line["event.reason"] == "access-denied", line
