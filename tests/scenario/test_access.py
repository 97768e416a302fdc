"""Who may go on to an app: the portal's list, its one-time codes, the app's requests and `sluis access explain` say the same, whenever they are asked."""
import html
import json
import re
import socket

import pytest

from harness import wait_for
from portal import PORTAL, Browser, add_user, ask, gateway, totp

OFFICE, HOME = "127.0.0.9", "127.0.0.1"
WIKI = f"wiki.{PORTAL}"


class At(Browser):
    """A browser at an address."""

    def __init__(self, s, at=HOME, **kw):
        super().__init__(s, **kw)
        self.at = at

    def connect(self, host):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(self.at, 0))
        return self.context.wrap_socket(sock, server_hostname=host)


def serve(world, apps=None, more=None, **section):
    return world.run(gateway(world, apps, gateway=section, sets={"office": {"addresses": [f"{OFFICE}/32"]}}, **(more or {})))


def is_step_up(b, p):
    return p.url.startswith((b.url("/step-up"), b.url("/totp")))  # who has no second factor sets one up


def by_request(b, app):
    p = b.get("/x", host=f"{app}.{PORTAL}")
    if p.status == 200 and p.url == b.url("/x", f"{app}.{PORTAL}"):
        return "ready"
    assert p.status == 403 or is_step_up(b, p), p
    return "no" if p.status == 403 else "step_up"


def by_code(b, app):
    """At the portal, without a cookie of the app's."""
    p = b.get(f"/enter?host={app}.{PORTAL}&to=%2Fx&n={'A' * 43}", follow=False)
    if p.status == 403:
        return "no"
    assert p.status == 303, p
    return "step_up" if p.field("location").startswith("/step-up") else "ready"


def by_list(b, app):
    p = b.get("/")
    assert p.status == 200 and p.url == b.url("/"), p
    [tile] = [t for t in re.findall(r'<li class="tile.*?</li>', p.text, re.S) if f">{app}<" in t]
    return "no" if "is-denied" in tile else "step_up" if 'class="state"' in tile else "ready"


def by_command(s, name, app, at, mfa):
    r = s.cli("-c", s.file, "access", "explain", name, app, "--from", at, "--mfa" if mfa else "--no-mfa", "--json", ok=False)
    return json.loads(r.stdout)["verdict"]


def verdicts(s, b, name, app, mfa):
    return {"request": by_request(b, app), "code": by_code(b, app), "list": by_list(b, app), "command": by_command(s, name, app, b.at, mfa)}


def enrol(b, name):
    p = b.sign_in(name)
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", p.text).group(1)
    assert b.post("/totp", {"csrf": p.csrf(), "code": totp(secret)}).status == 200
    return b


def test_who_may_not_sign_in_any_more_reaches_no_app(world):
    s = serve(world, allow='user.groups == "staff"')
    add_user(s, "eva", groups=["staff"])
    b = At(s, keep=True)
    assert b.sign_in("eva").status == 200 and by_request(b, "wiki") == "ready"
    assert ask(s, "user.set", name="eva", groups=["guests"])["ok"]
    wait_for(lambda: by_request(b, "wiki") == "no", "the group that was taken away counts")
    p = b.get("/x", host=WIKI)
    assert 'user.groups == "staff"' in html.unescape(p.text), p
    assert set(verdicts(s, b, "eva", "wiki", False).values()) == {"no"}
    home = b.get("/")
    assert b.post("/sign-out", {"csrf": home.csrf()}).url.endswith("/signed-out"), "the portal itself is there"


def test_a_session_of_the_office_is_no_session_without_second_factor_elsewhere(world):
    s = serve(world, mfa="not (client.ip in $office)")
    add_user(s, "eva")
    b = At(s, OFFICE)
    assert b.sign_in("eva").url == b.url("/") and by_request(b, "wiki") == "ready"
    b.at = HOME
    assert set(verdicts(s, b, "eva", "wiki", False).values()) == {"step_up"}
    p = b.get("/x", host=WIKI, headers=["Accept: application/json", "Sec-Fetch-Mode: cors"], follow=False)
    assert p.status == 401, "scripts are told so"
    b.at = OFFICE
    assert by_request(b, "wiki") == "ready"


def test_the_same_for_routes_that_ask_for_a_session(world):
    host = "intra.example.org"
    more = {"routes": [{"host": host, "path": "/", "pool": "wiki", "require": "session"}]}
    s = serve(world, more=more, allow='user.groups == "staff"', mfa="not (client.ip in $office)")
    add_user(s, "eva", groups=["staff"])
    b = At(s, OFFICE)
    b.sign_in("eva")
    assert b.get("/x", host=host).url == b.url("/x", host)
    b.at = HOME
    assert is_step_up(b, b.get("/x", host=host))
    b.at = OFFICE
    assert ask(s, "user.set", name="eva", groups=["guests"])["ok"]
    wait_for(lambda: b.get("/x", host=host).status == 403, "the group that was taken away counts")


APPS = {
    "plain": {}, "care": {"allow": 'user.groups == "care"'}, "factor": {"mfa": "true"}, "free": {"mfa": "false"}, "safe": {"allow": "session.mfa"},
    "both": {"allow": 'user.groups == "care"', "mfa": 'user.groups == "staff"'}, "place": {"allow": "client.ip in $office"},
}
PEOPLE = {"anna": ["staff"], "eva": ["staff", "care"], "piet": ["care"]}


@pytest.mark.parametrize("mfa", [False, True], ids=["password", "second factor"])
def test_page_and_command_agree(world, mfa):
    """Everybody signs in as staff at the office; then groups and places are others."""
    s = serve(world, APPS, allow='user.groups == "staff"', mfa="true" if mfa else "not (client.ip in $office)")
    seen = set()
    for name in PEOPLE:
        add_user(s, name, groups=["staff"])
    browsers = {name: At(s, OFFICE, keep=True) for name in PEOPLE}
    for name, b in browsers.items():
        enrol(b, name) if mfa else b.sign_in(name)
        assert by_list(b, "plain") == "ready", name
    if mfa:
        s.config["gateway"]["mfa"] = "not (client.ip in $office)"
        s.reload()
    for name, groups in PEOPLE.items():
        assert ask(s, "user.set", name=name, groups=groups)["ok"]
        for at in (OFFICE, HOME):
            b = browsers[name]
            b.at = at
            b.open.clear()
            for app in APPS:
                said = verdicts(s, b, name, app, mfa)
                assert len(set(said.values())) == 1, (name, at, app, said)
                seen |= set(said.values())
    assert seen == ({"ready", "no"} if mfa else {"ready", "no", "step_up"})
