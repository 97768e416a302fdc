"""Sessions end by themselves: those that nobody uses for so long as `idle` says, also where a page of the portal stays open, and all of them after
`absolute`. The clock is the real one and `idle` the shortest there is, so people who wait do so side by side."""
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import time

import pytest

from harness import BUILD, ROOT, World, wait_for
from portal import PASSWORD, PORTAL, Browser, add_user, ask, gateway
from postgres import Postgres
from test_passkey_script import install

IDLE, ABSOLUTE, SLACK = 60, 300, 60  # seconds; SLACK: so much later where nodes share a store
LONG = 3 * (IDLE + SLACK)  # how long an end may take before it counts as none
SCRIPT = pathlib.Path(ROOT, "tests/browser/idle.mjs")
LIMITS = {"idle": "1m", "absolute": "5m"}
WIKI = f"wiki.{PORTAL}"
# Who leaves a page open in a real browser: where, which, and whether he says that he is still there.
AT_BROWSERS = {"own": ("own", "/", False), "shared": ("shared", "/account", False), "stays": ("own", "/account", True)}


def sessions(s, name):
    return ask(s, "sessions.list", name=name)["sessions"]


def signed_in(s, name, **more):
    add_user(s, name, **more)
    b = Browser(s, keep=True)
    b.sign_in(name)
    assert len(sessions(s, name)) == 1, name
    return b


def heading(page):
    return re.search(r"<h1>(.*?)</h1>", page.text, re.S).group(1)


def ends(page):
    """When the session ends, as the warning says."""
    assert page.status == 200 and heading(page) == "Are you still there?", page
    return re.search(r'<time datetime="([^"]+)"', page.text).group(1)


class Gateways:
    """One that keeps its sessions itself, one whose store is a database, and browsers that are left alone at them."""

    def __init__(self, world):
        logo = os.path.join(world.dir, "logo.svg")
        pathlib.Path(logo).write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>')
        look = {**LIMITS, "colour": "#0a5c36", "logo": logo}
        self.own = world.run(gateway(world, gateway=look))
        self.shared = world.run(gateway(world, gateway={**look, **Postgres(world).section()}))
        wait_for(lambda: ask(self.shared, "user.list")["ok"], "the shared store")
        self.browsers = {name: self.browse(name, *what) for name, what in AT_BROWSERS.items()}
        world.at_end(self.end)

    def browse(self, user, at, path, stays):
        s = getattr(self, at)
        add_user(s, user)
        settings = json.dumps({"port": s.port(), "user": user, "password": PASSWORD, "path": path, "stays": stays})
        child = subprocess.Popen(["node", str(SCRIPT), os.path.abspath(BUILD), settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return s, user, child

    def outcome(self, name):
        s, user, child = self.browsers[name]
        out, err = child.communicate(timeout=LONG)
        assert child.returncode == 0, out + err
        return s, user, json.loads(out)

    def end(self):
        for _, _, child in self.browsers.values():
            if child.poll() is None:
                child.kill()
                child.wait()


@pytest.fixture(scope="module")
def gateways():
    for tool in ("chromium", "node"):
        assert shutil.which(tool), f"{tool} is not installed: ./dev test installs it"
    install()
    world = World()
    try:
        yield Gateways(world)
    finally:
        world.close()


def test_who_works_in_an_app_is_told_the_right_end(gateways):
    """Requests to apps keep the portal's session alive; the warning looked at those to the portal alone."""
    s = gateways.own
    b = signed_in(s, "lotte")
    assert b.get("/", host=WIKI).status == 200
    first = ends(b.get("/still-there"))

    def is_later():
        assert b.get("/", host=WIKI).status == 200
        return ends(b.get("/still-there")) > first
    wait_for(is_later, "a later end")


def test_a_password_to_be_changed_makes_the_warning_no_use(gateways):
    """The warning led on to /account, which is one."""
    b = signed_in(gateways.own, "marie", must_change=True)
    assert b.get("/").url == b.url("/account")
    ends(b.get("/still-there", follow=False))


def test_what_a_page_loads_by_itself_is_no_use(gateways):
    """The style, the logo and the warning are asked for with the cookie: a page that stayed open kept its session alive with them."""
    s = gateways.own
    works = signed_in(s, "piet")
    left, begun = signed_in(s, "kees"), time.monotonic()
    while sessions(s, "kees"):
        assert time.monotonic() - begun < LONG, "the session goes on and on"
        for path in ("/-/colour.css", "/-/logo", "/-/nothing", "/still-there", "/.well-known/jwks.json"):
            assert left.get(path, follow=False).status in (200, 404), path
        assert works.get("/").status == 200
        time.sleep(0.5)  # as pages would, and not as fast as they can
    assert time.monotonic() - begun > IDLE - 3, "it ended too early"
    assert left.get("/").url == left.url("/sign-in")
    page = left.get("/still-there")
    assert page.status == 200 and heading(page) == "Your session has ended" and "http-equiv" not in page.text, page.text
    assert works.get("/").url == works.url("/") and len(sessions(s, "piet")) == 1


@pytest.mark.parametrize("name", ["own", "shared"])
def test_a_warning_that_nobody_answers_ends_the_session(gateways, name):
    """It comes by itself, in a real browser; then the page says that it is over, and does not begin it anew."""
    s, user, told = gateways.outcome(name)
    slack = SLACK if name == "shared" else 0
    assert told["warned"] > IDLE / 2 - 2 and told["over"] > IDLE + slack - 2, told
    assert {"/-/colour.css", "/-/logo"} <= set(told["loaded"]), told  # the warning's own
    assert sessions(s, user) == []


def test_who_answers_the_warning_stays(gateways):
    s, user, told = gateways.outcome("stays")
    assert told["warned"] > IDLE / 2 - 2 and told["over"] is None, told


def test_absolute_ends_what_is_in_use(world):
    """Five minutes are the shortest: all but some seconds pass in the store, while Sluis is down."""
    s = world.run(gateway(world, gateway=LIMITS))
    signed_in(s, "joris")
    [one] = sessions(s, "joris")
    assert one["until"] - one["since"] == ABSOLUTE, one
    b = signed_in(s, "els")
    assert b.get("/", host=WIKI).status == 200
    config, jar = s.config, b.jar
    s.stop()
    [name] = pathlib.Path(config["state_dir"]).rglob("identity.db")
    store = sqlite3.connect(name)
    now = int(time.time())
    past = one["since"] + ABSOLUTE - now - 40  # to start and be used in, also on a busy machine
    store.execute("UPDATE session SET since = since - ?, until = until - ?", (past, past))
    store.commit()
    store.close()
    s = world.run(config)
    s.socket, b = config["admin"]["socket"], Browser(s, keep=True)
    b.jar = jar
    assert b.get("/").url == b.url("/") and b.get("/", host=WIKI).status == 200

    def is_over():
        return b.get("/", follow=False).status == 303
    wait_for(is_over, "the end of what is in use", 90)
    assert time.time() >= one["until"] - past
    assert b.get("/", host=WIKI, follow=False).status == 303
    wait_for(lambda: sessions(s, "els") == [], "it is taken off the list, within a second")
