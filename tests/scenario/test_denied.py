"""Who is denied something is in the ledger by name and session, and the window of that person tells it."""
import ssl
import subprocess

import pytest

from harness import Client, wait_for
from portal import PORTAL, Browser, add_user, ask, gateway
from test_ledger import rows
from test_window import window

APP = "__Host-sluis-app"
APPS = {"wiki": {}, "care": {"allow": 'user.groups == "care"'}, "bound": {"device_binding": "require"}}
SCRIPT = ["Accept: application/json"]


def serve(world):
    s = world.run(gateway(world, APPS, policies=[{"name": "closed", "if": 'starts_with(http.path, "/closed")', "then": ["block"]}]))
    add_user(s, "eva", groups=["staff", "care"])
    b = Browser(s)
    assert b.sign_in("eva").status == 200
    [one] = ask(s, "sessions.list", name="eva")["sessions"]
    return s, b, one["id"]


def blocked(s, n=1):
    def found():
        them = [tuple(r) for r in rows(s, "SELECT user, session, outcome, detail FROM record WHERE kind='policy' ORDER BY seq")]
        return them if len(them) >= n else None

    return wait_for(found, f"{n} denials in the ledger")


@pytest.mark.parametrize("case", ["at the portal", "a page", "a script", "no device key"])
def test_a_denied_person_is_named(world, case):
    s, b, sid = serve(world)
    host, why = f"care.{PORTAL}", "access denied 403"
    if case == "no device key":
        host, why = f"bound.{PORTAL}", "device key needed 403"
    elif case != "at the portal":
        assert b.get("/", host=host).status == 200
    ask(s, "user.set", name="eva", groups=["staff"])
    assert b.get("/records/7", host=host, headers=SCRIPT if case == "a script" else []).status == 403
    [(user, session, outcome, detail)] = blocked(s)
    assert (user, session, outcome) == ("eva", sid, why), (user, session, outcome, detail)
    assert "records" in detail or case == "at the portal", detail
    events = wait_for(lambda: len(them := window(s, "--with", "user:eva", "--from", "-1h")["events"]) >= 2 and them, "the sign-in in the ledger too")
    told = {(e["kind"], e["what"] if e["kind"] == "sign-in" else e["what"].partition(": ")[0]): (e["session"], e["from"]) for e in events}
    assert told.items() >= {("sign-in", "signed in: password"): (sid, "127.0.0.1"), ("refused", why): (sid, "127.0.0.1")}.items(), events
    assert window(s, "--with", "user:piet", "--from", "-1h")["events"] == []


def test_only_who_asked_is_named(world):
    """The next request over a connection may be nobody's."""
    s, b, sid = serve(world)
    host = f"wiki.{PORTAL}"
    assert b.get("/", host=host).status == 200
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with Client(s.port(), tls=tls, name=host) as c:
        for cookie in (f"Cookie: {APP}={b.jar[host][APP]}\r\n", ""):
            assert c.send(f"GET /closed HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n").response().status == 403
    assert [r[:2] for r in blocked(s, 2)] == [("eva", sid), (None, None)]
