"""Two nodes with one database: what is done at one holds at the other, and who is in stays in for a while when the database is away. Both nodes have the same
names and the same port, each at an address of its own: so to a browser they are one gateway, as behind one name."""
import base64
import copy
import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import pytest

from certs import Authority
from harness import PATIENCE, Client, Rest, Sluis, World, wait_for
from portal import PORTAL, Browser, add_user, ask, gateway, totp
from postgres import PASSWORD as ROLE_PASSWORD
from postgres import Postgres, quiet_port
from test_gateway_docs import told, verifier
from test_gateway_security import APP, ENTER, SESSION, UPGRADE, server
from test_isolate import Watched

ADDRESSES = ("127.0.0.1", "127.0.0.2")
WIKI, MAIL, BOARD, STRONG = (f"{n}.{PORTAL}" for n in ("wiki", "mail", "board", "strong"))
PLAIN = "site.test"  # of a route that asks for nobody
CUT = 1.0  # s: what is under way at the other node ends within
SOON = 5   # s; sanitizers and a machine that does much else make all of it slow


def shared_port():
    """A port that is free at the addresses of both nodes."""
    while True:
        with socket.socket() as a, socket.socket() as b:
            a.bind((ADDRESSES[0], 0))
            try:
                b.bind((ADDRESSES[1], a.getsockname()[1]))
                return a.getsockname()[1]
            except OSError:
                pass


def configurations(world, store, **more):
    """One for each node. They differ in their addresses, and in what Sluis fills in: the folder, the sockets, the log."""
    config = gateway(world, server=server, gateway={**store, **more}, apps={
        "wiki": {"token": True}, "mail": {"token": True}, "board": {"allow": 'user.groups == "board"'}, "strong": {"mfa": "true"}},
        pools={"plain": {"servers": [world.scripted(server).address]}})
    config["routes"] = [{"host": PLAIN, "pool": "plain"}]
    port, made = shared_port(), []
    for address in ADDRESSES:
        made.append(copy.deepcopy(config))
        made[-1]["listeners"]["web"]["address"] = f"{address}:{port}"
    return made


def address_of(node):
    return node.config["listeners"]["web"]["address"].rsplit(":", 1)[0]


def store_of(node):
    return node.status().get("store", {})


def is_connected(node):
    return store_of(node).get("state") == "connected"


def events(node, name):
    return [line for line in node.log().splitlines() if re.search(rf"\bevent={re.escape(name)}(?:\s|$)", line)]


class Person(Browser):
    """One browser that may be at either node, with the same cookies."""

    def __init__(self, node, keep=False):
        super().__init__(node, keep)
        self.opened, self.user = {}, None
        self.at(node)

    def at(self, node):
        """From now on there. Connections that are kept stay with their node."""
        self.s, self.port = node, node.port()
        self.open = self.opened.setdefault(node.dir, {})
        return self

    def connect(self, host):
        sock = socket.create_connection((address_of(self.s), self.port), timeout=20)
        return self.context.wrap_socket(sock, server_hostname=host)

    def twin(self, keep=False):
        """A browser with what this one has now: what it is told to forget, this one keeps."""
        other = Person(self.s, keep)
        other.user, other.jar = self.user, copy.deepcopy(self.jar)
        return other

    def into(self, host=WIKI):
        page = self.get("/", host=host)
        assert page.status == 200 and page.url == self.url("/", host) and told(page, "Sluis-User") == self.user, page
        return page


def look(b, node, host=PORTAL, **kw):
    """What these cookies show there. They are left as they are."""
    return b.twin().at(node).get("/", host=host, **kw)


def is_in(b, node, host=PORTAL):
    page = look(b, node, host)
    return page.status == 200 and page.url == b.url("/", host)


def is_out(b, node, host=PORTAL):
    """Asked to sign in: neither let in nor put off."""
    page = look(b, node, host)
    return page.status == 200 and "/sign-in" in page.url and 'name="password"' in page.text


def status_at(b, node, host=PORTAL):
    return look(b, node, host, follow=False).status


def statuses(pair, b):
    """At the portal and at the wiki, at both nodes."""
    return [status_at(b, node, host) for node in pair.nodes for host in (PORTAL, WIKI)]


class Line(Client):
    """One connection to a node, for what a script sends."""

    def __init__(self, node):
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self.sock = tls.wrap_socket(socket.create_connection((address_of(node), node.port()), PATIENCE), server_hostname=PORTAL)
        self.rest = Rest(self.sock)


def under_way(b, node, path="/ws"):
    """A download (/long) or a WebSocket (/ws) at the wiki, which runs and is read until it ends."""
    c = Line(node)
    extra = UPGRADE if path == "/ws" else ""
    c.send(f"GET {path} HTTP/1.1\r\nHost: {WIKI}\r\nAccept: application/json\r\nCookie: {APP}={b.jar[WIKI][APP]}\r\n{extra}\r\n")
    head = c.head()
    assert head.startswith(b"HTTP/1.1 101" if extra else b"HTTP/1.1 200"), head
    if extra:
        assert c.rest.exact(5) == b"hello" and c.send(b"echo").rest.exact(4) == b"echo"
    else:
        c.rest.exact(1)
    return Watched(c)


def cut_after(lines, since):
    """The longest that one of them went on; all have ended within CUT."""
    took = max(w.ended_after(since) for w in lines)
    assert took < CUT, f"cut after {took:.3f} s"
    return took


def enrol(b):
    """Sets up one-time codes: the secret, and the code that was taken for it."""
    page = b.get("/totp")
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    code = totp(secret)
    page = b.post("/totp", {"csrf": page.csrf(), "code": code})
    assert page.status == 200 and page.url == b.url("/totp"), page
    return secret, code


def step_up(b, code):
    page = b.get("/step-up?next=/account")
    return b.post("/step-up", {"csrf": page.csrf(), "method": "totp", "code": code, "next": "/account"})


class Pair:
    """A database and two nodes that begin at the same moment; every test has users of its own, so that no test's end of sessions is another's."""

    def __init__(self, world, **more):
        self.world, self.db, self.count = world, Postgres(world), 0
        self.nodes = [Sluis(world, config, wait=False) for config in configurations(world, self.db.section(), **more)]
        for node in self.nodes:
            wait_for(lambda: node.process.child.poll() is not None or "config.loaded" in node.log(), "sluisd is up")
            assert node.process.child.poll() is None, node.log()
        self.connected()

    @property
    def one(self):
        return self.nodes[0]

    @property
    def two(self):
        return self.nodes[1]

    def connected(self):
        for node in self.nodes:
            wait_for(lambda: is_connected(node), "the node has its database")

    def stop_database(self):
        """Stopped, and both nodes have noticed."""
        before = [len(events(node, "store.lost")) for node in self.nodes]
        self.db.stop()
        for node, n in zip(self.nodes, before):
            wait_for(lambda: len(events(node, "store.lost")) > n, "store.lost")

    def start_database(self):
        """Started, and both nodes have noticed."""
        before = [len(events(node, "store.back")) for node in self.nodes]
        self.db.start()
        for node, n in zip(self.nodes, before):
            wait_for(lambda: len(events(node, "store.back")) > n, "store.back")
        self.connected()

    def heal(self):
        """As a test expects to find it, whatever the one before left."""
        if self.db.is_frozen:
            self.db.thaw()
            self.connected()
        if not self.db.is_up:
            self.db.start()
            self.connected()

    def begin_two_again(self, meanwhile=lambda: None):
        """Node two ends, and begins again with what it has on its disk."""
        before = self.two
        before.stop()
        meanwhile()
        self.nodes[1] = self.world.run(before.config)
        self.two.socket = before.socket  # as the configuration still says

    def kill_identity_of_two(self):
        [before] = self.two.pids("identity")
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.two.pids("identity") not in ([], [before]), "its successor")

    def name(self, **more):
        self.count += 1
        name = f"user{self.count}"
        add_user(self.one, name, **more)
        return name

    def person(self, node=None, keep=False, **more):
        """Somebody new who has signed in there; at node one if nothing else is said."""
        b = Person(node or self.one, keep)
        b.user = self.name(**more)
        home = b.sign_in(b.user)
        assert home.status == 200 and home.url == b.url("/") and SESSION in b.jar.get(PORTAL, {}), home
        return b

    def known(self):
        """Somebody whom both nodes have served, at the portal and at the wiki."""
        b = self.person()
        b.into()
        assert statuses(self, b) == [200] * 4
        return b


@pytest.fixture(scope="module")
def nodes():
    w, failed = World(), []
    try:
        pair = Pair(w)
        pair.failed = failed
        yield pair
    finally:
        w.close(keep=bool(failed))


@pytest.fixture
def pair(nodes, request):
    nodes.heal()
    yield nodes
    report = getattr(request.node, "report_call", None)
    if report is None or report.failed:
        nodes.failed.append(request.node.name)
        for i, node in enumerate(nodes.nodes):
            print(f"--- log of node {i + 1} (kept in {nodes.world.dir})\n{node.log()[-8000:]}")


# --- sessions ---

def test_who_signs_in_at_one_is_in_at_two_at_once(pair):
    b = pair.person(display="Eva de Boer")
    home = b.at(pair.two).get("/")
    assert home.status == 200 and home.url == b.url("/") and "Eva de Boer" in home.text, home
    b.at(pair.one).into()
    page = look(b, pair.two, WIKI, follow=False)
    assert page.status == 200 and told(page, "Sluis-User") == b.user, "the app's cookie too"
    other = look(b, pair.two, MAIL, follow=False)
    assert other.status != 200, "which is good for that app alone, as ever"
    c = pair.person(pair.two)
    c.into()
    assert statuses(pair, c) == [200] * 4, "and the other way round"


def test_a_code_for_an_app_from_one_is_good_at_two_and_good_once(pair):
    b = pair.person()
    page = b.get("/", host=MAIL, follow=False)
    page = b.request("GET", page.field("location"), follow=False)
    to = page.field("location")
    assert "/.sluis/enter?code=" in to, page
    again = b.twin()
    assert ENTER in again.jar[MAIL]
    page = b.at(pair.two).request("GET", to, follow=False)
    assert page.status == 303 and APP in b.jar[MAIL], page
    assert [status_at(b, node, MAIL) for node in pair.nodes] == [200, 200]
    for node in pair.nodes:
        thief = again.twin().at(node)
        page = thief.request("GET", to, follow=False)
        assert page.status == 403 and APP not in thief.jar[MAIL], page


def test_revoked_at_one_is_cut_at_two_within_a_second(pair):
    b = pair.person()
    b.at(pair.two).into()
    lines = [under_way(b, pair.two, "/long"), under_way(b, pair.two, "/ws")]
    assert all(w.is_alive() for w in lines)
    pair.one.cli("sessions", "revoke", b.user)
    returned = time.monotonic()
    print(f"cut {cut_after(lines, returned):.3f} s after the command was back")
    for node in pair.nodes:
        assert is_out(b, node) and is_out(b, node, WIKI)


def test_signing_out_at_two_with_a_form_of_one_ends_it_at_one(pair):
    b = pair.known()
    home = look(b, pair.one)
    line, was = under_way(b, pair.one), b.twin()
    page = b.at(pair.two).post("/sign-out", {"csrf": home.csrf()})
    returned = time.monotonic()
    assert page.url.endswith("/signed-out"), page
    cut_after([line], returned)
    for node in pair.nodes:
        assert is_out(was, node) and is_out(was, node, WIKI)


def test_who_is_disabled_at_one_is_out_at_two(pair):
    b = pair.known()
    line = under_way(b, pair.two)
    pair.one.cli("user", "disable", b.user)
    cut_after([line], time.monotonic())
    assert is_out(b, pair.two) and is_out(b, pair.two, WIKI)
    assert Person(pair.two).sign_in(b.user, follow=False).status == 401
    pair.two.cli("user", "enable", b.user)
    assert Person(pair.one).sign_in(b.user, follow=False).status == 303, "and enabled at two may come in at one"


def test_groups_that_one_changes_decide_at_two(pair):
    """On connections that are open as well, at whichever worker they are."""
    b = pair.person(pair.two, keep=True, groups=["staff"])
    assert b.get("/", host=BOARD).status == 403
    pair.one.cli("user", "set", b.user, "--group", "staff", "--group", "board")
    wait_for(lambda: b.get("/", host=BOARD).status == 200, "the board's app opens at two", SOON)
    everywhere = [b.twin(keep=True).at(node) for node in pair.nodes for _ in range(4)]
    for c in everywhere:
        assert c.get("/", host=BOARD).status == 200 and BOARD in c.open
    lines = [c.open[BOARD] for c in everywhere]
    pair.one.cli("user", "set", b.user, "--group", "staff")
    for c, line in zip(everywhere, lines):
        def at_board():
            assert c.open.get(BOARD) is line, "the connection is the one that was open"
            return c.get("/", host=BOARD).status

        if c.s is pair.one:
            assert at_board() == 403, "at one it has closed when the command is back"
        else:
            wait_for(lambda: at_board() == 403, "and closes again at two", SOON)
    assert b.get("/").url == b.url("/"), "signed in all the while"


# --- second factors ---

def test_a_step_up_at_one_makes_a_new_token_for_both(pair):
    b = pair.person()
    secret, _ = enrol(b)
    c = Person(pair.two)
    c.user = b.user
    assert c.sign_in(c.user).status == 200 and c.get("/", host=STRONG).url.startswith(c.url("/step-up")), "two wants a second factor for this app"
    before = c.twin()
    page = step_up(c.at(pair.one), totp(secret, step=1))
    assert page.status == 200 and page.url == c.url("/account"), page
    assert c.jar[PORTAL][SESSION] != before.jar[PORTAL][SESSION]
    assert is_in(c, pair.two) and is_in(c, pair.two, STRONG), "the new one has the second factor at two"
    wait_for(lambda: is_out(before, pair.two), "the old one is nobody's at two", SOON)
    assert is_out(before, pair.one)


def test_a_one_time_code_is_taken_once_at_whichever_node(pair):
    b = pair.person()
    secret, code = enrol(b)
    c = Person(pair.two)
    assert c.sign_in(b.user).status == 200
    page = step_up(c, code)
    assert page.status == 401, "one has taken it"
    code = totp(secret, step=1)
    page = step_up(c, code)
    assert page.status == 200 and page.url == c.url("/account"), page
    d = Person(pair.one)
    assert d.sign_in(b.user).status == 200
    page = step_up(d, code)
    assert page.status == 401, "two has taken it"


# --- tokens for servers ---

def test_a_token_of_two_is_verified_with_the_keys_at_ones_portal(pair):
    b = pair.person(groups=["staff"])
    issuer, audience, verify = f"https://{PORTAL}:{b.port}", f"https://{WIKI}:{b.port}", verifier()
    tokens = [told(b.at(node).into(), "Sluis-Token") for node in pair.nodes]
    kids = {json.loads(base64.urlsafe_b64decode(t.split(".")[0] + "==="))["kid"] for t in tokens}
    for node in pair.nodes:
        def keys():
            return json.loads(Person(node).get("/.well-known/jwks.json", headers=["Accept: application/json"]).text)

        wait_for(lambda: kids <= {k["kid"] for k in keys()["keys"]}, "the keys of both nodes", SOON)
        for token in tokens:
            claims = verify(token, keys(), issuer, audience)
            assert claims["sub"] == b.user and claims["groups"] == ["staff"], claims


# --- a node that is started again ---

def test_a_node_that_begins_again_knows_the_sessions_of_before(pair):
    b, c, unseen = pair.known(), pair.person(pair.two), pair.person()
    c.into()
    pair.begin_two_again()
    pair.connected()
    assert statuses(pair, b) == [200] * 4 and statuses(pair, c) == [200] * 4
    assert is_in(unseen, pair.two) and is_in(unseen, pair.two, WIKI)
    pair.one.cli("sessions", "revoke", b.user)
    wait_for(lambda: is_out(b, pair.two, WIKI), "and it hears what the other ends", SOON)


def test_an_identity_that_is_killed_comes_back_and_knows_the_sessions(pair):
    b, unseen, revoked = pair.known(), pair.person(pair.two), pair.known()
    [before], back = pair.one.pids("identity"), len(events(pair.one, "store.back"))
    os.kill(before, signal.SIGKILL)
    pair.two.cli("sessions", "revoke", revoked.user)
    late = Person(pair.two)
    late.user = unseen.user
    assert late.sign_in(late.user).url == late.url("/"), "two does not mind"
    wait_for(lambda: len(events(pair.one, "store.back")) > back, "its successor has the database")
    [after] = pair.one.pids("identity")
    assert after != before
    assert statuses(pair, b) == [200] * 4
    for c in (unseen, late):
        assert is_in(c, pair.one) and is_in(c, pair.two)
    assert is_out(revoked, pair.one) and is_out(revoked, pair.one, WIKI), "what ended meanwhile has ended"
    line = under_way(b, pair.one)
    pair.two.cli("sessions", "revoke", b.user)
    cut_after([line], time.monotonic())
    assert pair.one.pids("identity") == [after]


# --- rows that no Sluis wrote ---

def unreadable(node, table, row):
    return [line for line in events(node, "store.unreadable") if {f"table={table}", f"row={row}"} <= set(line.replace('"', "").split())]


def test_a_row_that_cannot_be_read_is_left_out_and_stops_nobody_else(pair):
    b, user, session = pair.known(), pair.known(), pair.known()
    lost = [len(events(node, "store.lost")) for node in pair.nodes]
    number = pair.db.sql(f"UPDATE \"user\" SET disabled = 2 WHERE name = '{user.user}' RETURNING id")
    row = pair.db.sql(f"UPDATE session SET mfa = 7 WHERE parent = '' AND \"user\" = (SELECT id FROM \"user\" WHERE name = '{session.user}') RETURNING id")

    def left_out():
        for node in pair.nodes:
            wait_for(lambda: unreadable(node, "user", number) and unreadable(node, "session", row), "both rows are told of")
            assert is_connected(node)
            wait_for(lambda: status_at(user, node) == 503 and status_at(user, node, WIKI) == 503, "who cannot be read does not pass", SOON)
            wait_for(lambda: is_out(session, node) and is_out(session, node, WIKI), "a session that cannot be read is none", SOON)
            assert Person(node).sign_in(user.user, follow=False).status == 503
        assert statuses(pair, b) == [200] * 4 and is_in(pair.person(pair.two), pair.one)

    left_out()
    pair.begin_two_again()
    left_out()
    assert [len(events(node, "store.lost")) for node in pair.nodes] == lost, "nobody has lost the database over it"
    pair.stop_database()
    pair.start_database()
    left_out()
    assert [len(unreadable(node, *one)) for node in pair.nodes for one in (("user", number), ("session", row))] == [1] * 4, "told once"
    pair.db.sql(f"UPDATE \"user\" SET disabled = 0 WHERE id = {number}; DELETE FROM session WHERE id = '{row}'")
    wait_for(lambda: statuses(pair, user) == [200] * 4, "put right, the same cookies are good", SOON)
    again = Person(pair.two)
    assert again.sign_in(session.user).url == again.url("/")


# --- idleness ---

IDLE, SLACK, LEFT = 60, 60, 30  # s: the shortest limit, what SLACK_S of src/roles/identity_store.c adds to it, what the test leaves of both


def test_a_session_that_is_used_at_one_alone_is_not_idle_at_two(pair):
    """Two begins with what the database says, which is that nobody was seen for almost as long as may be; one knows better of the one that it sees."""
    for node in pair.nodes:
        gateway_key(node, "idle", f"{IDLE}s")
    try:
        used, unused = pair.person(pair.two), pair.person(pair.two)
        names = f"(SELECT id FROM \"user\" WHERE name IN ('{used.user}', '{unused.user}'))"
        pair.begin_two_again(lambda: pair.db.sql(f"UPDATE session SET seen = {int(time.time()) - IDLE - SLACK + LEFT} WHERE \"user\" IN {names}"))
        begun = time.time()

        def seen(b):
            """When, as the database has it."""
            return int(pair.db.sql(f"SELECT seen FROM session JOIN \"user\" ON \"user\".id = session.\"user\" WHERE name = '{b.user}'") or 0)

        def sessions(node, b):
            return ask(node, "sessions.list", name=b.user).get("sessions", [])  # none: two has not been connected yet

        def used_at_one():
            assert is_in(used, pair.one)
            return seen(used) >= begun

        [at_two] = wait_for(lambda: sessions(pair.two, used), "two knows them again")
        assert at_two["seen"] < begun - IDLE, "what the database said"
        wait_for(used_at_one, "one has said that it was used")
        assert [len(sessions(node, b)) for node in pair.nodes for b in (used, unused)] == [1] * 4
        wait_for(lambda: not sessions(pair.two, unused), "two ends the other one", LEFT + PATIENCE)
        assert is_connected(pair.two)
        wait_for(lambda: [s["seen"] >= begun for s in sessions(pair.two, used)] == [True], "two has asked before it would have ended the first", SOON)
        wait_for(lambda: not sessions(pair.one, unused), "one hears of the end", SOON)
        for node in pair.nodes:
            assert is_in(used, node) and is_out(unused, node)
        assert seen(unused) == 0
    finally:
        for node in pair.nodes:
            gateway_key(node, "idle", "30m")


# --- another configuration ---

def gateway_key(node, key, value):
    node.config["gateway"][key] = value
    node.reload()


def store_grace(node, value):
    gateway_key(node, "store_grace", value)


def test_a_reload_with_another_grace_leaves_everybody_where_he_is(pair):
    b, unseen = pair.known(), pair.person(pair.two)
    lines = [under_way(b, pair.one, path) for path in ("/ws", "/long")]
    identity, told = pair.one.pids("identity"), [len(events(pair.one, f"store.{name}")) for name in ("lost", "back", "closed")]
    try:
        store_grace(pair.one, "1s")
        assert all(w.is_alive() for w in lines), "what is under way goes on"
        assert statuses(pair, b) == [200] * 4
        assert is_in(unseen, pair.one) and is_in(unseen, pair.one, WIKI)
        assert pair.one.pids("identity") == identity and is_connected(pair.one)
        assert [len(events(pair.one, f"store.{name}")) for name in ("lost", "back", "closed")] == told, "the connection is the one of before"
        c = pair.person(pair.two)
        c.into()
        pair.two.cli("sessions", "revoke", b.user)
        cut_after(lines, time.monotonic())
        assert statuses(pair, c) == [200] * 4, "and each hears of the other as before"
        pair.stop_database()
        wait_for(lambda: len(events(pair.one, "store.closed")) > told[2], "the new grace is over")
        assert "after=1" in events(pair.one, "store.closed")[-1].split(), events(pair.one, "store.closed")
        assert status_at(c, pair.one) == 503 and is_in(c, pair.two), "two has its own"
        pair.start_database()
        assert statuses(pair, c) == [200] * 4, "with the new configuration's dialer it is reached again"
    finally:
        store_grace(pair.one, "10m")


def test_a_reload_that_takes_the_store_away_is_refused_and_says_what_to_do(pair):
    b, node = pair.known(), pair.one
    with_store, processes = node.config, {role: node.pids(role) for role in ("identity", "dialer", "worker")}
    node.config = copy.deepcopy(with_store)
    for key in [k for k in node.config["gateway"] if k.startswith("store")]:
        del node.config["gateway"][key]
    try:
        node.write()
        r = node.cli("reload", ok=False)
        assert r.returncode != 0 and re.search(r"gateway\.store\b.*\brestart sluisd", r.stdout + r.stderr, re.S), r
    finally:
        node.config = with_store
        node.write()
    assert is_connected(node) and statuses(pair, b) == [200] * 4
    assert {role: node.pids(role) for role in processes} == processes, "what runs is what ran"
    node.reload()
    assert is_connected(node) and statuses(pair, b) == [200] * 4, "and the one of before can be loaded again"


# --- without the database ---

def test_without_the_database_who_is_in_stays_in_and_nobody_new_gets_in(pair):
    b, unseen, name = pair.known(), pair.person(), pair.name()
    wrong = Person(pair.one).sign_in(name, "not the password")
    assert wrong.status == 401 and wrong.alert(), wrong
    line = under_way(b, pair.two, "/long")
    for node in pair.nodes:
        store = store_of(node)
        assert (store["kind"], store["server"], store["state"]) == ("postgresql", f"127.0.0.1:{pair.db.port}", "connected"), store
    stopped, closed = int(time.time()), [len(events(node, "store.closed")) for node in pair.nodes]
    pair.stop_database()
    for node, n in zip(pair.nodes, closed):
        assert re.search(r'\bwhy=("[^"]+"|[^" ]+)', events(node, "store.lost")[-1]), events(node, "store.lost")
        store = store_of(node)
        assert (store["kind"], store["state"]) == ("postgresql", "lost") and stopped <= store["since"] <= time.time() + 1, store
        for password in (None, "not the password"):
            page = Person(node).sign_in(name, *[password] if password else [], follow=False)
            assert page.status == 503 and page.alert() != wrong.alert(), page
        assert len(events(node, "store.closed")) == n
    assert statuses(pair, b) == [200] * 4 and line.is_alive()
    assert is_in(unseen.at(pair.two), pair.two), "two has heard of who signed in at one, and was never there"
    stranger = Person(pair.two)
    stranger.jar[PORTAL] = {SESSION: "A" * 43}
    assert stranger.get("/", follow=False).status == 503 and SESSION in stranger.jar[PORTAL], "whom it cannot ask about it does not judge"
    pair.start_database()
    for node in pair.nodes:
        assert f"server=127.0.0.1:{pair.db.port}" in events(node, "store.back")[-1].replace('"', ""), events(node, "store.back")
        assert Person(node).sign_in(name, follow=False).status == 303
    assert statuses(pair, b) == [200] * 4 and line.is_alive()
    assert stranger.get("/", follow=False).status == 303, "now it can"
    pair.two.cli("sessions", "revoke", b.user)
    cut_after([line], time.monotonic())
    wait_for(lambda: is_out(b, pair.one), "what two ends is heard at one, as before", SOON)


HANGS = 3  # s; no answer of the database is waited for longer than two


def test_a_database_that_hangs_is_lost_by_the_clock_and_holds_nobody_up(pair):
    b, unseen, name = pair.known(), pair.person(), pair.name()
    line, waits = under_way(b, pair.two, "/long"), []
    before = [[len(events(node, f"store.{what}")) for what in ("lost", "back")] for node in pair.nodes]

    def all_answered(seconds):
        """Who is known goes on at both nodes; how long each waited."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for node in pair.nodes:
                for who, host in ((b, PORTAL), (b, WIKI), (unseen, PORTAL)):
                    start = time.monotonic()
                    assert status_at(who, node, host) == 200, (address_of(node), host)
                    waits.append(time.monotonic() - start)

    answers = {}

    def sign_in(node):
        answers[node.dir] = Person(node).sign_in(name, follow=False).status

    pair.db.freeze()
    people = [threading.Thread(target=sign_in, args=(node,)) for node in pair.nodes]
    for p in people:  # somebody has to ask it something, or nobody would know
        p.start()
    all_answered(HANGS + 1)
    for node, [lost, _] in zip(pair.nodes, before):
        wait_for(lambda: len(events(node, "store.lost")) > lost, "store.lost")
        assert re.search(r'\bwhy="[^"]*time', events(node, "store.lost")[lost]), events(node, "store.lost")
        assert store_of(node)["state"] == "lost"
    for p in people:
        p.join()
    assert list(answers.values()) == [503] * 2, answers
    all_answered(6)  # an attempt to connect, which hangs too, is given up in that time
    print(f"the longest of {len(waits)} answers took {max(waits):.3f} s")
    assert max(waits) < HANGS and line.is_alive()
    pair.db.thaw()
    for node, [_, back] in zip(pair.nodes, before):
        wait_for(lambda: len(events(node, "store.back")) > back, "store.back")
    pair.connected()
    assert statuses(pair, b) == [200] * 4 and line.is_alive()
    for node in pair.nodes:
        assert Person(node).sign_in(name, follow=False).status == 303
    pair.one.cli("sessions", "revoke", b.user)
    cut_after([line], time.monotonic())


def test_what_is_revoked_without_the_database_ends_there_at_once_and_later_everywhere(pair):
    b, other = pair.known(), pair.known()
    here, there = under_way(b, pair.one), under_way(b, pair.two)
    pair.stop_database()
    assert "the other nodes hear of it when it is back" in pair.one.cli("sessions", "revoke", b.user).stderr
    cut_after([here], time.monotonic())
    assert not is_in(b, pair.one) and not is_in(b, pair.one, WIKI)
    assert is_in(b, pair.two, WIKI) and there.is_alive(), "two has not heard of it"
    pair.start_database()
    back = time.monotonic()
    assert not is_in(b, pair.one) and not is_in(b, pair.one, WIKI), "it does not come back"
    assert there.ended_after(back) < SOON
    wait_for(lambda: is_out(b, pair.two) and is_out(b, pair.two, WIKI), "two ends it too", SOON)
    assert is_out(b, pair.one) and is_out(b, pair.one, WIKI)
    assert statuses(pair, other) == [200] * 4, "and nobody else's"
    pair.begin_two_again()
    pair.connected()
    assert is_out(b, pair.two) and is_in(other, pair.two), "the database has it so"


@pytest.mark.parametrize("ends", [Pair.kill_identity_of_two, Pair.begin_two_again])
def test_what_was_revoked_without_the_database_stays_so_when_who_revoked_it_begins_again(pair, ends):
    b, other = pair.known(), pair.known()
    there = under_way(b, pair.one)
    pair.stop_database()
    pair.two.cli("sessions", "revoke", b.user)
    kept = os.path.join(pair.two.config["state_dir"], "identity", "unremoved")
    with open(kept) as f:
        assert re.fullmatch(r"([0-9a-f]{16}\n){2}", f.read()), "of the portal and of the wiki"
    with open(kept, "a") as f:
        f.write("0123abc")  # what a power failure leaves of a line
    ends(pair)
    assert statuses(pair, b)[2:] == [503] * 2, "it knows nobody yet"
    back = time.monotonic()
    pair.start_database()
    assert there.ended_after(back) < SOON
    wait_for(lambda: all(is_out(b, node, host) for node in pair.nodes for host in (PORTAL, WIKI)), "both end it", SOON)
    assert statuses(pair, other) == [200] * 4, "and nobody else's"
    wait_for(lambda: os.path.getsize(kept) == 0, "it is done")


def test_after_the_grace_nobody_is_let_through_until_the_database_is_back(world):
    pair = Pair(world, store_grace="2s")
    b = pair.known()
    line = under_way(b, pair.two, "/long")
    start = time.monotonic()
    pair.stop_database()
    wait_for(lambda: events(pair.two, "store.closed"), "the grace of two is over")
    over = time.monotonic()
    assert over - start > 1.5, f"after {over - start:.3f} s"
    cut_after([line], over)
    wait_for(lambda: events(pair.one, "store.closed"), "the grace of one is over")
    assert [store_of(node)["state"] for node in pair.nodes] == ["closed"] * 2
    assert statuses(pair, b) == [503] * 4
    assert not any(look(b, node, host, follow=False).all("set-cookie") for node in pair.nodes for host in (PORTAL, WIKI)), "no cookie is taken away"
    assert all(look(b, node, PLAIN).status == 200 for node in pair.nodes), "what asks for nobody is served"
    pair.start_database()
    assert statuses(pair, b) == [200] * 4, "the same cookies"
    under_way(b, pair.two, "/long")


def test_a_node_that_begins_without_a_database_serves_what_it_can_and_takes_it_when_it_comes(world):
    """Its first server is never there; the second comes later, without TLS, which is for addresses of this machine alone."""
    db = Postgres(world)
    db.stop()
    store = db.section([f"127.0.0.1:{quiet_port()}", f"127.0.0.1:{db.port}"], "?sslmode=disable")
    s = world.run(configurations(world, store)[0])
    wait_for(lambda: events(s, "store.lost"), "store.lost")
    assert re.search(r'\bwhy=("[^"]+"|[^" ]+)', events(s, "store.lost")[0]) and store_of(s)["state"] != "connected", s.log()
    processes = s.pids("identity")
    b = Person(s)
    assert b.get("/", host=PLAIN).status == 200
    assert b.sign_in("eva", follow=False).status == 503
    assert not ask(s, "user.add", name="eva", password="drie groene lantaarns 7")["ok"]
    for host, name in ((PORTAL, SESSION), (WIKI, APP)):
        b.jar[host] = {name: base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")}
        assert b.get("/", host=host, follow=False).status == 503 and name in b.jar[host], host
    b.jar.clear()
    db.start()
    wait_for(lambda: events(s, "store.back"), "store.back")
    wait_for(lambda: is_connected(s), "the node has its database")
    assert store_of(s)["server"] == f"127.0.0.1:{db.port}"
    add_user(s, "eva")
    b.user = "eva"
    assert b.sign_in("eva").url == b.url("/")
    b.into()
    assert s.pids("identity") == processes, "nothing was started again"


def files_with(secret, *tops):
    found = []
    for top in tops:
        for path in [top] if os.path.isfile(top) else [os.path.join(at, f) for at, _, names in os.walk(top) for f in names]:
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    if secret.encode() in f.read():
                        found.append(path)
    return found


def test_a_database_that_is_not_the_one_or_does_not_know_us_is_told_without_the_password(world):
    db = Postgres(world)
    wrong = "zeven rode 'kluizen' 7"
    wrong_file, stranger = db.secret("wrong.password", wrong), Authority(db.dir, "Another CA")
    [config, _] = configurations(world, db.section())
    cases = [("another authority", {"store_ca": stranger.path}, r"certificate|authority|issuer"),
             ("another password", {"store_password": wrong_file}, r"password"),
             ("another name", {}, r"name|certificate|host")]
    for case, change, why in cases:
        if not change:
            db.stop()
            db.certificate("db.test")  # and not the address
            db.start()
        own = copy.deepcopy(config)
        own["gateway"].update(change)
        s = world.run(own)
        wait_for(lambda: events(s, "store.lost"), "store.lost")
        said = re.search(r'\bwhy=("(?:[^"\\]|\\.)*"|\S+)', events(s, "store.lost")[-1])
        assert said and re.search(f"(?i){why}", said.group(1)), (case, events(s, "store.lost"))
        assert Person(s).sign_in("eva", follow=False).status == 503, case
        assert store_of(s)["state"] != "connected" and not events(s, "store.back"), case
        s.stop()
        for secret in (ROLE_PASSWORD, wrong, "kluizen"):
            assert not files_with(secret, s.dir, s.process.log_path), (case, secret)
    assert 'password authentication failed for user "sluis"' in db.log() and "connection authorized: user=sluis" not in db.log()
