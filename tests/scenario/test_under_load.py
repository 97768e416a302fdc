"""What happens to others while something ends: reloads, processes, servers and clients that go in the middle of work. The
clients count each request that did not get its whole, right answer."""
import hashlib
import os
import signal
import socket
import ssl
import threading

import pytest

from certs import Authority
from harness import PATIENCE, Client, client_ports_of, fields_of, free_port, get, wait_for


class Load:
    """Clients that ask without pause, each over kept connections of 20 requests, and count what went wrong."""

    def __init__(self, world, port, clients=4, each=20, **kw):
        self.port, self.each, self.kw, self.done = port, each, kw, False
        self.count, self.failed = [0] * clients, []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]
        for t in self.threads:
            t.start()
        world.at_end(self.stop)

    def run(self, me):
        while not self.done:
            try:
                with Client(self.port, **self.kw) as c:
                    for i in range(self.each):
                        c.send(f"GET /{me}/{i} HTTP/1.1\r\nHost: site.test\r\n\r\n")
                        r = c.response()
                        if r.status != 200 or r.body != b"one\n":
                            self.failed.append(r)
                        self.count[me] += 1
                        if "close" in (r.field("connection") or "") or self.done:
                            break
            except (OSError, EOFError) as e:
                self.failed.append((me, repr(e)))

    def more(self, n=40):
        """Waits until each client has had n answers more."""
        before = list(self.count)
        wait_for(lambda: all(now >= then + n for now, then in zip(self.count, before)), f"{n} answers more for each client")

    def stop(self):
        self.done = True
        for t in self.threads:
            t.join()


class Download(threading.Thread):
    """One answer, read to its end or to where it breaks off."""

    def __init__(self, port, target, **kw):
        super().__init__(daemon=True)
        self.client = Client(port, **kw)
        self.client.send(f"GET {target} HTTP/1.1\r\nHost: site.test\r\n\r\n")
        head = self.client.head()
        self.fields = dict(fields_of(head))
        self.sum, self.got, self.error = hashlib.sha256(), 0, None
        self.take(self.client.rest.data)
        self.start()

    def take(self, data):
        self.sum.update(data)
        self.got += len(data)

    def run(self):
        try:
            while self.got < int(self.fields.get("content-length", 1 << 62)):
                data = self.client.sock.recv(1 << 16)
                if not data:
                    return
                self.take(data)
        except OSError as e:
            self.error = e


def shout(server, sock, head, rest):
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    while data := sock.recv(65536):
        sock.sendall(data.upper())
    return False


def open_tunnel(port, target="/ws", **kw):
    c = Client(port, **kw)
    assert c.get(target, extra="Connection: Upgrade\r\nUpgrade: websocket\r\n").status == 101
    return c


def says(tunnel, word):
    tunnel.send(word)
    return tunnel.rest.exact(len(word)) == word.upper()


def trust(ca):
    return ssl.create_default_context(cafile=ca.path)


BIG = 50 << 20


class Big:
    """A server whose one answer stops three quarters on its way until it is let go."""

    def __init__(self, world):
        self.go, self.data = threading.Event(), os.urandom(1 << 20) * 50
        self.sum = hashlib.sha256(self.data).hexdigest()
        self.server = world.scripted(self.send)
        world.at_end(self.go.set)

    def send(self, server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + self.data[:BIG // 4 * 3])
        self.go.wait(60)
        sock.sendall(self.data[BIG // 4 * 3:])
        return True


def front(world, workers=2, **more):
    """Sluis with a plain and a TLS listener before nginx, a large download (/big) and a tunnel (/ws)."""
    ca, nginx, big, tunnel = Authority(world.dir), world.nginx("one"), Big(world), world.scripted(shout)
    s = world.serve(nginx, workers=workers, detect={"mode": "on", "packs": ["cve-2019-19781"]},
                    gateway={"portal": "work.example.org"}, pools={n: {"servers": [b.address]} for n, b in
                                                   (("web", nginx), ("ws", tunnel), ("big", big.server))},
                    routes=[{"pool": "web"}, {"path": "/ws", "pool": "ws"}, {"path": "/big", "pool": "big"}],
                    listeners={"web": {"address": f"127.0.0.1:{free_port()}"}, "tls": {
                        "address": f"127.0.0.1:{free_port()}", "tls": {"certificates": [ca.issue("site.test")]}}}, **more)
    return s, big, ca


def test_reloads_fail_no_request_and_cut_nothing(world):
    """Plain and TLS load, a 50 MB download and a tunnel on each, through three reloads: nobody notices."""
    s, big, ca = front(world)
    tls = dict(tls=trust(ca), name="site.test")
    downloads = [Download(s.port(), "/big"), Download(s.port("tls"), "/big", **tls)]
    tunnels = [open_tunnel(s.port()), open_tunnel(s.port("tls"), **tls)]
    loads = [Load(world, s.port()), Load(world, s.port("tls"), clients=2, **tls)]
    for n in range(3):
        s.config["contact"] = f"change {n}"
        s.reload()
        for load in loads:
            load.more(20)
        assert all(says(t, b"reload-%d" % n) for t in tunnels)
    assert s.log().count("event=config.loaded") == 4
    for load in loads:
        load.stop()
        assert load.failed == [], load.failed[:5]
    assert all(d.is_alive() for d in downloads)
    big.go.set()
    for d in downloads:
        d.join(PATIENCE * 2)
        assert (d.got, d.error, d.sum.hexdigest()) == (BIG, None, big.sum)
    assert all(says(t, b"still-here") for t in tunnels)
    for t in tunnels:
        t.close()


def test_a_killed_worker_costs_its_own_connections_only(world):
    s = world.serve(world.nginx("one"), workers=2, limits={"connections_per_client": 0})
    first, second = s.pids("worker")
    clients = [Client(s.port()) for _ in range(40)]
    for c in clients:
        assert c.get().status == 200
    of_first, of_second = client_ports_of(first, s.port()), client_ports_of(second, s.port())
    ports = {c.sock.getsockname()[1]: c for c in clients}
    assert set(ports) == of_first | of_second and not of_first & of_second
    victim, lost, kept = (first, of_first, of_second) if of_first else (second, of_second, of_first)
    load = Load(world, s.port(), clients=2, each=5)
    os.kill(victim, signal.SIGKILL)
    for port in kept:
        assert ports[port].get().status == 200
    for port in lost:
        assert ports[port].is_ended()
    wait_for(lambda: len(s.pids("worker")) == 2 and victim not in s.pids("worker"), "another worker")
    load.more(40)
    load.stop()
    assert len(load.failed) <= 2, load.failed  # each of the two clients had one connection
    assert all(ports[port].get().status == 200 for port in kept)
    assert get(s.port()).status == 200


@pytest.mark.parametrize("role", ["keeper", "dialer", "prober", "watcher", "identity", "hasher"])
def test_a_killed_helper_costs_no_kept_connection(world, role):
    s, _, ca = front(world, workers=1)
    tls = dict(tls=trust(ca), name="site.test")
    load, over_tls = Load(world, s.port(), clients=2, each=10 ** 6), Load(world, s.port("tls"), clients=2, each=10 ** 6, **tls)
    load.more(10), over_tls.more(10)
    old = s.pids(role)[0]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.pids(role) and s.pids(role)[0] != old, f"another {role}")
    load.more(), over_tls.more()
    load.stop(), over_tls.stop()
    assert load.failed == [] and over_tls.failed == []

    def new_one():
        try:
            return get(s.port("tls"), **tls).status == 200
        except (OSError, EOFError):
            return False
    wait_for(new_one, "a new connection over TLS")


def test_requests_wait_for_a_dialer_that_comes_back(world):
    """No server connection is kept, so each request needs the dialer."""
    s = world.serve(world.nginx("one"), pool={"keep": 0})
    load = Load(world, s.port(), clients=2, each=10 ** 6)
    load.more(10)
    for _ in range(2):
        old = s.pids("dialer")[0]
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: s.pids("dialer") and s.pids("dialer")[0] != old, "another dialer")
        load.more(20)
    load.stop()
    assert load.failed == [], load.failed[:5]


# --- servers ---

def test_handshakes_wait_for_a_keeper_that_comes_back(world):
    s, _, ca = front(world, workers=1)
    load = Load(world, s.port("tls"), clients=2, each=1, tls=trust(ca), name="site.test")
    load.more(5)
    old = s.pids("keeper")[0]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.pids("keeper") and s.pids("keeper")[0] != old, "another keeper")
    load.more(10)
    load.stop()
    assert len(load.failed) <= 2, load.failed  # a question that the keeper took with it cannot be waited for


def test_a_server_killed_in_the_middle_of_answers(world):
    one, two = world.nginx("one", extra=f"location /paced/ {{ alias {world.dir}/nginx-one/www/; limit_rate 1m; }}"), world.nginx("two")
    one.write("big", bytes(BIG))
    s = world.serve(one, {"address": two.address, "backup": True})
    downloads = [Download(s.port(), "/paced/big") for _ in range(3)]
    wait_for(lambda: all(d.got for d in downloads), "the first bytes")
    one.kill()
    for d in downloads:
        d.join(PATIENCE)
        assert not d.is_alive() and 0 < d.got < BIG, "a short answer, seen as one"
    wait_for(lambda: sum(a.get("event.reason") == "server-broke-off" for a in s.access()) == 3, "three lines in the log")
    assert all(get(s.port()).body == b"two\n" for _ in range(10))


def test_a_chunked_answer_that_breaks_off_has_no_last_chunk(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.head().startswith(b"HTTP/1.1 200 ")
        rest = c.until_end()
    assert b"hello" in rest and b"0\r\n\r\n" not in rest


def test_a_second_answer_is_nobodys(world):
    """A server that speaks before it is asked must not answer the next request, of another client at that."""
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine" + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        return True
    backend = world.scripted(script)
    s = world.serve(backend)
    for _ in range(20):
        assert get(s.port()).body == b"mine"
    assert len(backend.connections) == 20, "such a connection is not kept"


def test_an_answer_that_comes_while_nobody_asks(world):
    late = threading.Event()

    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
        if len(server.connections) == 1:
            late.wait(PATIENCE)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        return True
    backend = world.scripted(script)
    s = world.serve(backend)
    with Client(s.port()) as c:
        assert c.get().body == b"mine"
        late.set()
        assert backend.connections[0].fileno() >= 0
        wait_for(lambda: not client_ports_of(os.getpid(), backend.port), "Sluis to leave that connection")
        assert c.get().body == b"mine"


def test_an_early_answer_ends_the_upload(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + bytes(100000))
        r = c.response()
        assert (r.status, r.body) == (413, b"big")


GARBAGE = {"nothing": b"", "text": b"hello\r\n\r\n", "SSH": b"SSH-2.0-x\r\n", "zeros": bytes(2000), "an endless line": b"HTTP/1.1 200 " + b"x" * 200000,
           "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30000, "HTTP/2": b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), "a request": b"GET / HTTP/1.1\r\n\r\n",
           "a status that is none": b"HTTP/1.1 099 X\r\n\r\n", "another": b"HTTP/1.1 20 OK\r\n\r\n", "TLS": b"\x15\x03\x01\0\x02\x02\x46",
           "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "a bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "an unasked 101": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
           "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}


def test_garbage_is_a_502_of_our_own(world):
    def script(server, sock, head, rest):
        sock.sendall(GARBAGE[list(GARBAGE)[int(head.split()[1][1:])]])
        return False
    s = world.serve(world.scripted(script), pool={"eject": {"failures": 0}, "retry": {"tries": 0}})
    for i, why in enumerate(GARBAGE):
        r = get(s.port(), f"/{i}")
        assert r.status == 502 and b"Request number" in r.body, why
    assert get(s.port(), "/0").status == 502


def test_bad_chunks_of_a_server_cut_the_answer(world):
    bad = [b"x\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"-1\r\n", b"5\nhello\n0\n\n", b"FFFFFFFFFFFFFFFFF\r\n"]

    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n" + bad[int(head.split()[1][1:])])
        return False
    s = world.serve(world.scripted(script), pool={"eject": {"failures": 0}, "retry": {"tries": 0}})
    for i in range(len(bad)):
        with Client(s.port()) as c:
            c.send(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")
            got = c.until_end()
        assert not got.endswith(b"0\r\n\r\n"), (bad[i], got)


# --- clients ---

def test_clients_that_vanish_leave_nothing(world):
    seen = threading.Semaphore(0)

    def script(server, sock, head, rest):
        seen.release()
        if b"POST" in head:
            while sock.recv(65536):
                pass
            seen.release()
            return False
        try:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                sock.sendall(bytes(65536))
        finally:
            seen.release()
    s = world.serve(world.scripted(script), limits={"body": 0})
    clients = [Client(s.port()) for _ in range(20)]
    for i, c in enumerate(clients):
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" if i % 2 else "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
    for _ in clients:
        assert seen.acquire(timeout=PATIENCE), "each reached the server"
    for c in clients:
        c.vanish()
    for _ in clients:
        assert seen.acquire(timeout=PATIENCE), "each server connection has ended"
    wait_for(lambda: s.metric("sluis_connections_open") <= 1, "no connection is left")
    wait_for(lambda: not client_ports_of(s.pids("worker")[0], s.port()), "no descriptor is left")


# --- the end ---

def test_sigterm_drains(world):
    """Running work is finished, nobody new is taken, and the exit status is 0."""
    s, big, ca = front(world, workers=2)
    download, kept = Download(s.port(), "/big"), Client(s.port())
    assert kept.get().status == 200
    s.process.child.send_signal(signal.SIGTERM)

    def refuses():
        try:
            with socket.create_connection(("127.0.0.1", s.port()), 1):
                return False
        except ConnectionRefusedError:
            return True
    wait_for(refuses, "new connections to be refused")
    r = kept.get()  # one that may have been on its way
    assert (r.status, r.field("connection")) == (200, "close") and kept.is_ended()
    assert download.is_alive() and s.process.child.poll() is None
    big.go.set()
    download.join(PATIENCE * 2)
    assert (download.got, download.sum.hexdigest()) == (BIG, big.sum)
    download.client.close()
    assert s.process.child.wait(PATIENCE) == 0


def test_sigterm_does_not_wait_longer_than_it_was_told(world):
    s, _, ca = front(world, workers=1, limits={"drain_time": "1s"})
    tunnel = open_tunnel(s.port())
    assert says(tunnel, b"hello")
    s.process.child.send_signal(signal.SIGTERM)
    assert tunnel.is_ended()
    assert s.process.child.wait(PATIENCE) == 0
