"""sluis sessions revoke --app, --before and --all with real sessions: what is meant is cut within a second of the command, WebSockets and downloads
included, in all workers; what is not meant goes on."""
import datetime
import re
import threading
import time

import pytest

from harness import World, wait_for
from portal import ask
from test_gateway_security import APP, MAIL, UPGRADE, WIKI, Gate

CUT_S = 1.0


@pytest.fixture(scope="module")
def gate():
    w = World()
    try:
        yield Gate(w)
    finally:
        w.close()


class Live:
    """A WebSocket or a download at an app, under way; when it was cut."""

    def __init__(self, gate, b, host, path):
        if APP not in b.jar.get(host, {}):
            gate.into(b, host)
        self.name, self.path, self.cut_at, self.size = f"{b.user} at {host}{path}", path, None, 0
        self.c = gate.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {APP}={b.jar[host][APP]}\r\n{UPGRADE if path == '/ws' else ''}\r\n")
        assert self.c.head().startswith(b"HTTP/1.1 101" if path == "/ws" else b"HTTP/1.1 200"), self.name
        assert self.c.rest.exact(5) == (b"hello" if path == "/ws" else b"xxxxx"), self.name
        self.c.rest.data = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while data := self.c.sock.recv(1 << 20):
                self.size += len(data)
        except OSError:
            pass
        self.cut_at = time.monotonic()

    def goes_on(self):
        """Something more arrives than what was on its way."""
        before = self.size
        if self.path == "/ws":
            self.c.send(b"echo")
        wait_for(lambda: self.size >= before + (4 if self.path == "/ws" else 4 << 20), f"{self.name} goes on")
        assert self.cut_at is None, self.name


def under_way(gate, b, *hosts):
    return [Live(gate, b, host, path) for host in hosts for path in ("/ws", "/long")]


def revoke(gate, cut, kept, *args):
    """Gives the command; answers how many sessions it ended."""
    for one in cut + kept:
        one.goes_on()
    start = time.monotonic()
    r = gate.s.cli("sessions", "revoke", *args)
    for one in cut:
        one.reader.join(10)
        assert one.cut_at is not None, f"{one.name}: not cut"
    took = {one.name: one.cut_at - start for one in cut}
    print(args, {n: f"{s:.3f} s" for n, s in took.items()})
    assert max(took.values()) < CUT_S, took
    for one in kept:
        one.goes_on()
    return int(re.fullmatch(r"Sessions ended: (\d+)\n", r.stdout).group(1))


def is_in(gate, b, host):
    """By the cookie that there is: nobody goes to the portal for another."""
    return gate.status(f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {APP}={b.jar[host][APP]}\r\n\r\n") == 200


def at_portal(b):
    return b.get("/", follow=False).status == 200


def begun(gate, b):
    [one] = ask(gate.s, "sessions.list", name=b.user)["sessions"]
    return one["since"]


def a_second_later(gate, b):
    """Times are whole seconds: whoever begins now began after b did."""
    since = begun(gate, b)
    wait_for(lambda: time.time() >= since + 1, "the next second")


def moment(since):
    return datetime.datetime.fromtimestamp(since, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_app_ends_that_apps_sessions_alone(gate):
    eva, piet = gate.browser(), gate.browser()
    cut = under_way(gate, eva, WIKI) + under_way(gate, piet, WIKI)
    kept = under_way(gate, eva, MAIL) + under_way(gate, piet, MAIL)
    assert revoke(gate, cut, kept, "--app", "wiki") == 2
    for b in (eva, piet):
        assert not is_in(gate, b, WIKI) and is_in(gate, b, MAIL) and at_portal(b)
        gate.into(b)  # the portal's session is good for another


def test_app_and_a_name_must_both_fit(gate):
    eva, piet = gate.browser(), gate.browser()
    cut, kept = under_way(gate, eva, WIKI), under_way(gate, eva, MAIL) + under_way(gate, piet, WIKI)
    assert revoke(gate, cut, kept, eva.user, "--app", "wiki") == 1
    assert not is_in(gate, eva, WIKI) and is_in(gate, eva, MAIL) and is_in(gate, piet, WIKI)


def test_before_ends_what_began_before(gate):
    old = gate.browser()
    cut = under_way(gate, old, WIKI)
    a_second_later(gate, old)
    new = gate.browser()
    kept = under_way(gate, new, WIKI)
    ended = revoke(gate, cut, kept, "--before", moment(begun(gate, new)))
    assert ended >= 1 and not ask(gate.s, "sessions.list", name=old.user)["sessions"]
    assert not is_in(gate, old, WIKI) and not at_portal(old) and is_in(gate, new, WIKI) and at_portal(new)
    assert gate.s.cli("sessions", "revoke", "--before", moment(begun(gate, new))).stdout == "Sessions ended: 0\n", "not what began at that moment"


def test_before_with_a_name_or_an_app_ends_no_others(gate):
    eva, piet = gate.browser(), gate.browser()
    cut, kept = under_way(gate, eva, WIKI), under_way(gate, piet, WIKI, MAIL)
    a_second_later(gate, piet)
    again = gate.browser(eva.user)
    kept += under_way(gate, again, WIKI)
    since = max(one["since"] for one in ask(gate.s, "sessions.list", name=eva.user)["sessions"])
    assert revoke(gate, cut, kept, eva.user, "--before", moment(since)) == 2, "hers at the portal, and at the wiki"
    assert not at_portal(eva) and at_portal(again) and at_portal(piet)
    a_second_later(gate, again)
    late = gate.browser()
    stays = under_way(gate, late, WIKI)
    cut, kept = [one for one in kept if WIKI in one.name], [one for one in kept if MAIL in one.name] + stays
    assert revoke(gate, cut, kept, "--app", WIKI, "--before", moment(begun(gate, late))) >= 2
    assert is_in(gate, piet, MAIL) and not is_in(gate, piet, WIKI) and at_portal(again) and is_in(gate, late, WIKI)


def test_all_ends_everything(gate):
    people = [gate.browser() for _ in range(3)]
    cut = [one for b in people for one in under_way(gate, b, WIKI, MAIL)]
    assert revoke(gate, cut, [], "--all", "--yes") >= 3
    assert not ask(gate.s, "sessions.list")["sessions"]
    for b in people:
        assert not is_in(gate, b, WIKI) and not is_in(gate, b, MAIL) and "/sign-in" in b.get("/").url
    gate.into(gate.browser())  # who signs in anew is let in
