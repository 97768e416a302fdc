"""sluis isolate and release: what is open is cut within a second, what is new gets a page that says whom to call, and the list
outlives reloads and restarts."""
import glob
import json
import os
import signal
import socket
import sqlite3
import ssl
import threading
import time

import pytest

from certs import Authority
from harness import BUILD, RELEASE, Client, Process, fields_of, get, wait_for

CONTACT = "Crisis team <b>070</b> & 020 123 45 67"
SHOWN = "Crisis team &lt;b&gt;070&lt;/b&gt; &amp; 020 123 45 67"
PATIENT = {"drain_time": "60s"}
SOON = 5  # s; sanitizers and a machine that does much else make all of it slow. The second that is promised: test_within_a_second


def trust(ca, person=None):
    context = ssl.create_default_context(cafile=ca.path)
    if person:
        context.load_cert_chain(person["chain"], person["key"])
    return context


class Watched(threading.Thread):
    """An open connection that is read until it ends; when that was, and whether as a cut."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.got, self.ended_at, self.was_reset = client, 0, None, False
        self.start()

    def run(self):
        try:
            while data := self.client.sock.recv(1 << 16):
                self.got += len(data)
        except (ConnectionResetError, ssl.SSLError):
            self.was_reset = True
        except (OSError, ValueError):
            pass  # by stop()
        self.ended_at = time.monotonic()

    def stop(self):
        self.client.sock.shutdown(socket.SHUT_RDWR)
        self.join(10)

    def ended_after(self, start):
        self.join(10)
        assert self.ended_at is not None, "it was not cut"
        return self.ended_at - start


def download(port, target="/slow/big", extra="", **kw):
    """A download that runs: its head and some of its bytes are there."""
    c = Client(port, **kw)
    c.send(f"GET {target} HTTP/1.1\r\nHost: site.test\r\n{extra}\r\n")
    assert int(dict(fields_of(c.head()))["content-length"]) == 8 << 20
    w = Watched(c)
    wait_for(lambda: w.got > 0, "the download to run")
    return w


def big(world, name):
    n = world.nginx(name)
    n.write("big", bytes(8 << 20))
    return n


def isolate(s, *args):
    """The answer, and when it was asked. The command is back in that time, its own start included."""
    start = time.monotonic()
    answer = json.loads(s.cli("isolate", *args, "--json").stdout)
    assert time.monotonic() - start < SOON, "the command took too long"
    return answer, start


def listed(s):
    return [(e["kind"], e["what"]) for e in json.loads(s.cli("isolate", "--json").stdout)["isolated"]]


def begin_again(s):
    """sluisd ends and begins with the same configuration and state."""
    assert s.process.stop() == 0
    s.process = Process([os.path.join(BUILD, "sluisd"), "-c", s.file], s.process.log_path + ".again",
                        {"ASAN_OPTIONS": "detect_leaks=0"})


def restart(s):
    begin_again(s)
    wait_for(lambda: s.process.child.poll() is not None or s.cli("status", ok=False).returncode == 0, "sluisd is up again")
    assert s.process.child.poll() is None, s.log()


def server(s, n=0):
    return s.status()["pools"][0]["servers"][n]


def expect_page(r, status, language="en"):
    text = r.body.decode()
    assert r.status == status, r
    assert SHOWN in text and f'lang="{language}"' in text and "luis" not in text
    assert r.field("retry-after") is None and r.field("connection") == "close"


# --- targets ---

@pytest.mark.parametrize("what", ["web", "web/NAME", "NAME", "127.0.0.1"])
def test_a_target_is_cut_and_comes_back(world, what):
    n = big(world, "one")
    s = world.serve(n, workers=2, contact=CONTACT, limits=PATIENT)
    what = what.replace("NAME", n.address)
    loads = [download(s.port()) for _ in range(4)]
    with Client(s.port()) as kept:
        assert kept.get().body == b"one\n"  # its connection to the server is kept
        answer, start = isolate(s, what, "--as", "target", "--reason", "case 12")
        assert max(w.ended_after(start) for w in loads) < SOON
        assert all(w.was_reset and w.got < 8 << 20 for w in loads)
        assert answer["cut"] == 5 and answer["saved"] and not answer["already"] and answer["ended_workers"] == 0
        assert answer["isolation"]["reason"] == "case 12" and answer["isolation"]["uid"] == os.geteuid()
        expect_page(kept.get(), 503)  # the client's own connection was not cut
    expect_page(get(s.port()), 503)
    s.access_line(event__reason="isolated", http__response__status_code=503)
    s.access_line(event__reason="isolated", http__response__status_code=200)  # begun well, and cut
    assert server(s)["connections"] == 0 and server(s)["admin"] == "isolated"
    assert s.metric("sluis_isolation_connections_cut_total") == 5 and s.metric("sluis_requests_isolated_total") == 2
    assert isolate(s, what, "--as", "target")[0]["already"]
    assert s.cli("release", what, "--as", "target").stdout == f"{what} (target) is released.\n"
    assert get(s.port()).body == b"one\n"
    assert listed(s) == []


@pytest.mark.parametrize("what", ["web", "127.0.0.1", "node"])
def test_within_a_second(world, what):
    """As it is shipped: from before the command is started until the last of many downloads has ended."""
    n = big(world, "one")
    s = world.serve(n, workers=2, contact=CONTACT, limits=PATIENT, build=RELEASE)
    loads = [download(s.port()) for _ in range(20)]
    start = time.monotonic()
    s.cli("isolate", what, "--as", {"127.0.0.1": "client"}.get(what, "node" if what == "node" else "target"))
    assert max(w.ended_after(start) for w in loads) < 1
    assert all(w.was_reset and w.got < 8 << 20 for w in loads)


def test_a_server_sees_nothing_more(world):
    one, two = world.scripted(), world.scripted()
    s = world.serve(one, two, pool={"check": {"interval": "50ms"}})
    wait_for(lambda: server(s, 0)["health"] == server(s, 1)["health"] == "up", "both to be up")
    for _ in range(4):
        assert get(s.port()).status == 200
    isolate(s, f"web/{one.address}")
    heads, connections = len(one.heads), len(one.connections)
    for _ in range(10):
        assert get(s.port()).status == 200  # another server takes over
    wait_for(lambda: server(s)["check_error"] == "isolated", "the check to say why")
    checks = server(s, 1)["checks"]
    wait_for(lambda: server(s, 1)["checks"] > checks + 5, "more checks of the other")
    assert (len(one.heads), len(one.connections)) == (heads, connections)
    s.cli("release", f"web/{one.address}")
    assert server(s)["health"] == "up"  # it is as well as it was: nothing has to be proven anew
    wait_for(lambda: get(s.port()).status == 200 and len(one.heads) > heads, "the server to be asked again")


def test_a_request_that_waits_for_its_answer(world):
    """Safe to repeat: another server answers. Not safe: the page, and never a second try."""
    hold = threading.Event()
    one, two = world.scripted(lambda *_: hold.wait(60) and None), world.nginx("two")
    s = world.serve({"address": one.address, "name": "one"}, {"address": two.address, "name": "two", "backup": True}, contact=CONTACT)
    with Client(s.port()) as a, Client(s.port()) as b:
        a.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
        b.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 2\r\n\r\nok")
        wait_for(lambda: len(one.heads) == 2, "both to wait")
        assert isolate(s, "web/one")[0]["cut"] == 2
        assert a.response().body == b"two\n"
        expect_page(b.response(), 503)
    hold.set()
    assert len(one.heads) == 2


def test_a_tunnel_is_cut(world):
    def upgrade(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        try:
            while data := sock.recv(4096):
                sock.sendall(data)
        except OSError:
            pass
        server.tunnel_ended_at = time.monotonic()
    one = world.scripted(upgrade)
    s = world.serve(one)
    with Client(s.port()) as c:
        assert c.get(extra="Connection: Upgrade\r\nUpgrade: websocket\r\n").status == 101
        c.send("ping")
        assert c.rest.exact(4) == b"ping"
        w = Watched(c)
        answer, start = isolate(s, "web")
        assert w.ended_after(start) < SOON and answer["cut"] == 1
    wait_for(lambda: hasattr(one, "tunnel_ended_at"), "the server to see its end")
    assert one.tunnel_ended_at - start < SOON
    assert s.metric("sluis_tunnels_open") == 0


def test_an_answer_that_ends_with_its_connection_does_not_look_whole(world):
    def endless(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart")
        server.ended.wait(60)
    s = world.serve(world.scripted(endless))
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        c.head()
        assert c.rest.exact(4) == b"part"
        w = Watched(c)
        _, start = isolate(s, "web")
        assert w.ended_after(start) < SOON and w.was_reset


def test_a_client_that_takes_nothing_gets_nothing_more(world):
    """What lies in the kernel for it must not go on to it afterwards: it may be megabytes."""
    n = big(world, "one")
    s = world.serve(n)
    with Client(s.port()) as c:
        c.send("GET /files/big HTTP/1.1\r\nHost: site.test\r\n\r\n")
        wait_for(lambda: server(s)["active"] == 1, "the answer to begin")
        isolate(s, "web")
        w = Watched(c)
        w.ended_after(0)
        assert w.was_reset and w.got < 8 << 20


def test_a_connection_that_is_being_made(world):
    """The dialer gives it up; the request is not held until connect_time."""
    n = world.nginx("two")
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]  # the queue is full: the kernel answers no more
        for f in fillers:
            f.setblocking(False)
            f.connect_ex(full.getsockname())
        s = world.serve({"address": "127.0.0.1:%d" % full.getsockname()[1], "name": "far"},
                        {"address": n.address, "name": "near", "backup": True}, pool={"connect_time": "60s"})
        with Client(s.port()) as c:
            c.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
            wait_for(lambda: server(s)["active"] == 1, "it to be dialled")
            start = time.monotonic()
            isolate(s, "web/far")
            assert c.response().body == b"two\n"
            assert time.monotonic() - start < 5
        for f in fillers:
            f.close()


def test_a_name_that_stands_for_an_isolated_address(world):
    """localhost is 127.0.0.1 and ::1: the dialer passes over the one, and with both the server is out of use."""
    one = world.scripted()
    s = world.serve(f"localhost:{one.port}", contact=CONTACT)
    assert get(s.port()).status == 200
    answer, _ = isolate(s, "127.0.0.1", "--as", "target")
    assert answer["cut"] == 1 and answer["isolation"]["known"]
    heads, connections = len(one.heads), len(one.connections)
    assert get(s.port()).status == 502  # nobody listens at the other
    isolate(s, f"[::1]:{one.port}")
    expect_page(get(s.port()), 503)
    assert (len(one.heads), len(one.connections)) == (heads, connections)
    s.cli("release", "127.0.0.1")
    assert get(s.port()).status == 200


def test_an_old_generation_is_cut_too(world):
    n = big(world, "one")
    s = world.serve(n, limits=PATIENT)
    old = download(s.port())
    s.reload()
    assert s.status()["old_generations"] == 1
    new = download(s.port())
    answer, start = isolate(s, f"web/{n.address}")
    assert old.ended_after(start) < SOON and new.ended_after(start) < SOON
    assert answer["cut"] == 2
    wait_for(lambda: s.status()["old_generations"] == 0, "the old generation to have nothing left")


def test_it_holds_over_reload_and_restart(world):
    n, other = world.nginx("one"), world.nginx("two")
    s = world.serve(n, contact=CONTACT)
    isolate(s, "web", "--reason", "kept")
    s.config["pools"]["web"]["servers"] = [other.address]
    s.reload()
    expect_page(get(s.port()), 503)
    s.config["pools"]["else"] = s.config["pools"].pop("web")  # the name vanishes, and comes back
    s.config["routes"] = [{"pool": "else"}]
    s.reload()
    assert get(s.port()).body == b"two\n"
    assert "not in the configuration now" in s.cli("isolate", "--lang", "en").stdout
    s.config["pools"]["web"] = s.config["pools"].pop("else")
    s.config["routes"] = [{"pool": "web"}]
    s.reload()
    expect_page(get(s.port()), 503)
    before = s.cli("isolate", "--json").stdout
    restart(s)
    assert s.cli("isolate", "--json").stdout == before
    expect_page(get(s.port()), 503)
    s.cli("release", "web")
    restart(s)
    assert listed(s) == [] and get(s.port()).body == b"two\n"


def test_a_worker_that_is_started_again_obeys(world):
    s = world.serve(world.nginx("one"), contact=CONTACT)
    isolate(s, "web")
    pid = s.pids("worker")[0]
    os.kill(pid, signal.SIGKILL)

    def is_back():
        return any(p["role"] == "worker" and p["ready"] and p["pid"] not in (0, pid) for p in s.status()["processes"])
    wait_for(is_back, "a fresh worker")
    expect_page(get(s.port()), 503)


def test_a_worker_that_does_not_obey_is_ended(world):
    n = big(world, "one")
    s = world.serve(n)
    w = download(s.port())
    os.kill(s.pids("worker")[0], signal.SIGSTOP)  # it hears nothing
    start = time.monotonic()
    answer = json.loads(s.cli("isolate", "web", "--json").stdout)
    assert answer["ended_workers"] == 1
    assert w.ended_after(start) < 3  # the command has to have come there first
    assert "does not obey an isolation" in s.log()


def test_the_ledger_tells_of_it(world):
    n = big(world, "one")
    s = world.serve(n)
    w = download(s.port())
    port = w.client.sock.getsockname()[1]
    isolate(s, "web", "--reason", "case 12")
    w.join(10)
    s.cli("release", "web")
    assert s.process.stop() == 0
    rows = []
    for name in glob.glob(os.path.join(s.config["state_dir"], "ledger", "*.ledger")):
        db = sqlite3.connect(f"file:{name}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        rows += db.execute("SELECT * FROM record ORDER BY seq").fetchall()
        db.close()
    told = [(r["name"], r["user"], r["outcome"], r["detail"]) for r in rows if r["kind"] == "isolation"]
    assert told == [("target web", "uid 0", "isolated", "case 12"), ("target web", "uid 0", "released", None)]
    assert [r["name"] for r in rows if r["kind"] == "command"] == ["isolate web", "release web"]
    ends = {r["kind"]: r["outcome"] for r in rows if r["kind"] in ("in", "out") and r["state"] == "close"}
    assert ends == {"in": "isolated", "out": "isolated"}
    assert [r["client_port"] for r in rows if r["kind"] == "in" and r["state"] == "close"] == [port]
    assert json.loads(s.cli("ledger", "verify", "--json", os.path.join(s.config["state_dir"], "ledger")).stdout)["ok"]


# --- clients, users, the node ---

def test_a_client_is_cut_and_told(world):
    n = big(world, "one")
    s = world.serve(n, workers=2, contact=CONTACT)
    loads = [download(s.port()) for _ in range(3)]
    idle = Client(s.port())
    assert idle.get().status == 200
    answer, start = isolate(s, "127.0.0.0/8", "--as", "client")
    assert answer["cut"] == 4 and answer["isolation"]["what"] == "127.0.0.0/8"
    assert max(w.ended_after(start) for w in [*loads, Watched(idle)]) < SOON
    expect_page(get(s.port()), 403)
    expect_page(get(s.port(), extra="Accept-Language: nl-BE,en;q=0.5\r\n"), 403, "nl")
    r = get(s.port(), extra="Accept: application/json\r\n")
    assert r.status == 403 and r.json()["contact"] == CONTACT
    s.access_line(event__reason="isolated", http__response__status_code=403)
    assert s.metric("sluis_requests_isolated_total") == 3  # the administrators' listener answers
    s.cli("release", "127.0.0.0/8")
    assert get(s.port()).body == b"one\n"


def test_a_client_behind_a_trusted_peer(world):
    n = big(world, "one")
    s = world.serve(n, contact=CONTACT, listener={"trusted_peers": ["127.0.0.1"]})

    def ask(client):
        return get(s.port(), extra=f"X-Forwarded-For: {client}\r\n")
    bad = download(s.port(), extra="X-Forwarded-For: 203.0.113.7\r\n")
    good = download(s.port(), extra="X-Forwarded-For: 203.0.113.8\r\n")
    answer, start = isolate(s, "203.0.113.7")
    assert bad.ended_after(start) < SOON and answer["cut"] == 1
    expect_page(ask("203.0.113.7"), 403)
    assert ask("203.0.113.8").status == 200
    got = good.got
    wait_for(lambda: good.got > got, "the other download to go on")
    good.stop()


def test_a_user_by_certificate(world):
    ca, people = Authority(world.dir), Authority(world.dir, "People")
    anna, bert = people.issue("anna"), people.issue("bert")
    n = big(world, "one")
    s = world.serve(n, contact=CONTACT, listener={"tls": {"certificates": [ca.issue("site.test")], "client_certificates": {
        "mode": "require", "ca": people.path}}})

    def ask(person):
        return get(s.port(), tls=trust(ca, person))
    assert ask(anna).status == 200
    subject = s.access_line(http__response__status_code=200)["tls.client.subject"]
    bad, good = download(s.port(), tls=trust(ca, anna)), download(s.port(), tls=trust(ca, bert))
    assert "a user needs --as user" in s.cli("isolate", subject, ok=False).stderr
    answer, start = isolate(s, subject, "--as", "user")
    assert bad.ended_after(start) < SOON and answer["cut"] == 1
    expect_page(ask(anna), 403)
    assert ask(bert).status == 200
    got = good.got
    wait_for(lambda: good.got > got, "the other's download to go on")
    good.stop()
    assert listed(s) == [("user", subject)]
    s.cli("release", subject)
    assert ask(anna).status == 200


def test_the_node(world):
    n = big(world, "one")
    s = world.serve(n, workers=2, contact=CONTACT)
    loads = [download(s.port()) for _ in range(3)]
    answer, start = isolate(s, "node")
    assert answer["cut"] == 3 and max(w.ended_after(start) for w in loads) < SOON
    expect_page(get(s.port()), 503)
    assert get(s.admin_port, "/health", host="localhost").body == b"ok\n"
    assert s.status()["generation"] == 1
    s.cli("release", "node")
    assert get(s.port()).body == b"one\n"


# --- the command ---

REFUSED = [("10.0.0.5", "--as target or --as client"), ("10.0.0.0/8", "--as target or --as client"), ("10.0.0.1/8", "no prefix"),
           ("wbe", "no POOL or POOL/SERVER"), ("web/c", "no POOL or POOL/SERVER"), ("", "name what"),
           ("x --as client", "no address or prefix"), ("x --as target", "no POOL and no POOL/SERVER"), ("x --as node", "write node"),
           ("x --as thing", "not a kind"), ("x" * 513 + " --as user", "512"), ("node --reason " + "x" * 257, "256"),
           ("node --until 2020-01-01T00:00Z", "over already"), ("node --for 4000d", "ten years")]
MISUSED = [("node --until soon", "write 2026"), ("node --for 2", "2h"), ("a b", "one thing"), ("node --why x", "no option --why"),
           ("node --reason", "wants a value"), ("--as node", "usage"), ("node --for 1h --until 2199-01-01T00:00Z", "either")]
KINDS = [("192.0.2.0/24", "client"), ("2001:db8::/32", "client"), ("10.0.0.5:80", "target"), ("web/b", "target"), ("web", "target"),
         ("192.0.2.9:80", "target"), ("node", "node")]


def test_what_is_recognised(world):
    s = world.serve({"address": "127.0.0.1:9", "name": "a"}, {"address": "10.0.0.5:80", "name": "b"})
    for status, cases in ((1, REFUSED), (2, MISUSED)):
        for args, why in cases:
            r = s.cli("isolate", *args.split(" "), ok=False)
            assert r.returncode == status and why in r.stderr, (args, r.stdout, r.stderr)
    assert listed(s) == []
    for what, kind in KINDS:
        assert isolate(s, what)[0]["isolation"]["kind"] == kind
    assert listed(s) == [(kind, what) for what, kind in KINDS]
    isolate(s, "10.0.0.5", "--as", "client")
    isolate(s, "10.0.0.5", "--as", "target")
    assert "more than one sense" in s.cli("release", "10.0.0.5", ok=False).stderr
    s.cli("release", "10.0.0.5", "--as", "client")
    s.cli("release", "10.0.0.5")
    assert s.cli("release", "10.0.0.5", "--lang", "en").stdout == "10.0.0.5 was not isolated.\n"


def test_dutch_and_english(world):
    s = world.serve(world.nginx("one"))
    assert s.cli("isolate", "--lang", "nl").stdout == "er is niets geïsoleerd\n"
    assert s.cli("isolate", "192.0.2.1", "--lang", "nl").stdout.startswith("192.0.2.1 (client) is geïsoleerd. Verbroken verbindingen: 0.")
    assert s.cli("isolate", "192.0.2.1", "--lang", "en").stdout.startswith("192.0.2.1 (client) was isolated already.")
    head, row = s.cli("isolate", "list", "--lang", "nl").stdout.splitlines()
    assert head.split() == ["WAT", "SOORT", "SINDS", "TOT", "DOOR", "WAAROM"] and row.split()[:2] == ["192.0.2.1", "client"]
    assert s.cli("release", "192.0.2.1", "--lang", "nl").stdout == "192.0.2.1 (client) is vrijgegeven.\n"


def test_it_ends_when_its_time_is_over(world):
    s = world.serve(world.nginx("one"))
    isolate(s, "web", "for", "1s")
    assert get(s.port()).status == 503
    wait_for(lambda: get(s.port()).status == 200, "the time to be over")
    assert listed(s) == [] and "event=isolation.released kind=target what=web" in s.log()
    with open(os.path.join(s.config["state_dir"], "isolated.json")) as f:
        assert json.load(f)["isolated"] == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"format":2,"isolated":[]}', b'{"format":1,"isolated":[{"kind":"client","what":"x"}]}'])
def test_a_list_that_cannot_be_read_stops_the_start(world, content):
    s = world.serve(world.nginx("one"))
    path = os.path.join(s.config["state_dir"], "isolated.json")
    isolate(s, "192.0.2.1")
    with open(path, "wb") as f:
        f.write(content)
    begin_again(s)
    assert s.process.child.wait(60) == 1
    assert path in s.log() and "isolate anew" in s.log()


def test_a_list_that_cannot_be_written_is_told(world):
    s = world.serve(world.nginx("one"))
    state = s.config["state_dir"]
    os.rename(state, state + ".away")
    r = s.cli("isolate", "web", "--lang", "en", ok=False)
    assert r.returncode == 1 and "could NOT be written" in r.stderr
    assert get(s.port()).status == 503  # it holds all the same
    assert "event=isolation.unsaved" in s.log()
    os.rename(state + ".away", state)
    wait_for(lambda: os.path.exists(os.path.join(state, "isolated.json")), "it to be tried again")
    assert s.cli("isolate").returncode == 0
    restart(s)
    assert listed(s) == [("target", "web")]


def test_the_list_moves_along_with_state_dir(world):
    s = world.serve(world.nginx("one"))
    isolate(s, "web")
    s.config["state_dir"] = os.path.join(s.dir, "no", "such")
    s.write()
    assert "a restart would forget it" in s.cli("reload", ok=False).stderr
    s.config["state_dir"] = os.path.join(s.dir, "moved")
    s.reload()
    restart(s)
    assert listed(s) == [("target", "web")] and get(s.port()).status == 503


def test_over_and_over_under_load(world):
    """Every kind, set and released while requests, uploads and downloads of all states are under way: no worker is lost, and at
    the end all is as it was. The sanitizers watch."""
    one, two = big(world, "one"), big(world, "two")
    s = world.serve({"address": one.address, "name": "one", "max_connections": 3}, {"address": two.address, "name": "two"}, workers=2,
                    pool={"queue": 10, "queue_time": "1s", "check": {"interval": "50ms"}}, listener={"trusted_peers": ["127.0.0.1"]})
    pids, done, answers = s.pids("worker"), threading.Event(), []

    def ask(n):
        while not done.is_set():
            try:
                with Client(s.port(), timeout=10) as c:
                    for target in ("/", "/slow/big", "/", "/files/big")[n % 3:]:
                        c.send(f"POST {target} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.{n}\r\nContent-Length: 4\r\n\r\nbo"
                               if n % 4 == 0 else f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.{n}\r\n\r\n")
                        if n % 4 == 0:
                            c.send("dy")
                        if target == "/slow/big":
                            c.sock.recv(65536)
                            break
                        answers.append(c.response().status)
            except (OSError, EOFError):
                pass
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    try:
        for round in range(8):
            before = len(answers)
            for what in ("web/one", "10.0.0.0/30", one.address, "10.0.0.7", "web", "node"):
                isolate(s, what)
                if round % 2:
                    s.cli("release", what)
            for kind, what in listed(s):
                s.cli("release", what, "--as", kind)
            wait_for(lambda: len(answers) > before + 20, "more answers")
    finally:
        done.set()
        for t in threads:
            t.join()
    assert {200, 403, 503} <= set(answers)
    assert s.pids("worker") == pids and listed(s) == []
    wait_for(lambda: server(s)["active"] == server(s, 1)["active"] == 0, "nothing to be left under way")
    assert s.metric("sluis_connections_open") == 1 and get(s.port()).status == 200  # the one that asked
