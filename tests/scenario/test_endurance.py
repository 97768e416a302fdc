"""What costs memory, descriptors or disk without an end elsewhere has one here. Memory is measured on the release build:
a sanitizer's own would hide it."""
import os
import random
import resource
import selectors
import socket
import threading
import time

from harness import RELEASE, Client, cpu_seconds, get, peak_kb, rss_kb, wait_for

GIGABYTE = 1 << 30


def worker_of(s):
    return s.pids("worker")[0]


# --- bodies ---

class Sink:
    """A server that counts what is sent to it, or sends as much as the path says: /65536."""

    def __init__(self, world):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        world.at_end(self.listener.close)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        buffer = bytearray(1 << 20)
        with sock:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += sock.recv(65536)
                head, rest = head.split(b"\r\n\r\n", 1)
                lengths = [int(f.split(b":")[1]) for f in head.split(b"\r\n") if f.lower().startswith(b"content-length:")]
                got = len(rest)
                while lengths and got < lengths[0]:
                    n = sock.recv_into(buffer)
                    if not n:
                        return
                    got += n
                left = int(head.split()[1][1:] or b"0")
                sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Got: %d\r\nContent-Length: %d\r\n\r\n" % (got, left))
                while left:
                    left -= sock.send(memoryview(buffer)[:min(left, len(buffer))])
            except OSError:
                pass


def download(port, size):
    with Client(port, timeout=60) as c:
        c.send(f"GET /{size} HTTP/1.1\r\nHost: a\r\n\r\n")
        c.head()
        got, buffer = len(c.rest.data), bytearray(1 << 20)
        while got < size:
            n = c.sock.recv_into(buffer)
            assert n, got
            got += n
    return got


def upload(port, size):
    with Client(port, timeout=60) as c:
        c.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
        data, left = bytes(1 << 20), size
        while left:
            left -= c.sock.send(memoryview(data)[:min(left, len(data))])
        return int(c.response().field("x-got"))


def test_four_gigabytes_each_way_through_a_small_process(world):
    s = world.serve(Sink(world), limits={"body": 0}, build=RELEASE)
    worker = worker_of(s)
    results = {}
    up = threading.Thread(target=lambda: results.update(up=upload(s.port(), 4 * GIGABYTE)))
    up.start()
    assert download(s.port(), 4 * GIGABYTE) == 4 * GIGABYTE
    up.join()
    assert results["up"] == 4 * GIGABYTE
    assert worker_of(s) == worker
    assert peak_kb(worker) < 64 * 1024


def test_readers_and_writers_that_stop_cost_a_bounded_buffer(world):
    """40 clients that do not read on, 40 servers that do not: each may cost what its buffers hold, not its body."""
    stop = threading.Event()

    def script(server, sock, head, rest):
        if b"GET" in head:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
            sock.settimeout(None)
            try:
                while True:
                    sock.sendall(bytes(1 << 18))
            except OSError:
                return False
        stop.wait(60)  # takes no body
        return False

    s = world.serve(world.scripted(script), limits={"body": 0}, build=RELEASE)
    worker = worker_of(s)
    before = rss_kb(worker)
    clients = [Client(s.port()) for _ in range(80)]
    for c in clients[:40]:
        c.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    for c in clients[40:]:
        c.send(f"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: {GIGABYTE}\r\n\r\n")
        c.sock.setblocking(False)

    def all_blocked():
        """Nothing moves any more: each system buffer and each of ours is full."""
        moved = 0
        for c in clients[40:]:
            try:
                moved += c.sock.send(bytes(1 << 18))
            except BlockingIOError:
                pass
        before = cpu_seconds(worker)
        time.sleep(0.2)
        return moved == 0 and cpu_seconds(worker) - before < 0.02
    wait_for(all_blocked, "every body to be held up", 60)
    assert rss_kb(worker) - before < 80 * 300, "KB for 80 bodies"
    stop.set()
    for c in clients:
        c.vanish()
    wait_for(lambda: s.metric("sluis_connections_open") <= 1, "the connections to be closed")


# --- slow clients ---

def test_slowloris_costs_bounded_memory_and_keeps_nobody_out(world):
    s = world.serve(world.scripted(), limits={"header_time": "3s", "connections_per_client": 0}, build=RELEASE)
    worker = worker_of(s)
    before = rss_kb(worker)
    slow = [Client(s.port()) for _ in range(1500)]
    head = "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
    began = time.monotonic()
    for letter in head:
        for c in slow:
            c.send(letter)
        assert get(s.port()).status == 200
        if time.monotonic() - began > 2:
            break
    assert rss_kb(worker) - before < 1500 * 64, "KB for 1500 heads"
    statuses = [c.response().status for c in slow]
    assert statuses == [408] * len(slow)
    for c in slow:
        c.close()
    wait_for(lambda: s.metric("sluis_connections_open") <= 1, "the connections to be closed")


def test_idle_connections_hold_next_to_nothing(world):
    s = world.serve(world.scripted(), limits={"connections_per_client": 0}, build=RELEASE)
    worker = worker_of(s)
    clients = [Client(s.port()) for _ in range(50)]
    assert all(c.get().status == 200 for c in clients)
    before = rss_kb(worker)
    idle = [Client(s.port()) for _ in range(2000)]
    wait_for(lambda: s.metric("sluis_connections_open") >= 2050, "all to be accepted")
    assert rss_kb(worker) - before < 2000 * 2, "KB for 2000 idle connections"
    for c in clients + idle:
        c.close()


# --- cuts ---

def test_100000_requests_cut_anywhere(world):
    """Requests on 50 connections, cut at random places between any two bytes; each answer is that of its request."""
    total, lanes, rng = 100_000, 50, random.Random(7)
    nginx = world.nginx("n", extra='location /r/ { default_type text/plain; return 200 "<$request_uri>"; }')
    s = world.serve(nginx, limits={"requests_per_connection": 1_000_000, "connections_per_client": 0})
    clients = [Client(s.port()) for _ in range(lanes)]
    each = total // lanes
    out = []
    for lane in range(lanes):
        out.append(memoryview("".join(
            f"GET /r/{lane}/{i} HTTP/1.1\r\nHost: site.test\r\n" + "X-A: b\r\n" * (i % 3) + "\r\n" for i in range(each)).encode()))
    got = [bytearray() for _ in range(lanes)]

    def read_all():
        open_lanes = selectors.DefaultSelector()
        for lane, c in enumerate(clients):
            open_lanes.register(c.sock, selectors.EVENT_READ, lane)
        left = lanes
        while left:
            for key, _ in open_lanes.select(60):
                data = key.fileobj.recv(1 << 18)
                got[key.data] += data
                if not data:
                    open_lanes.unregister(key.fileobj)
                    left -= 1
    reader = threading.Thread(target=read_all, daemon=True)
    reader.start()
    at = [0] * lanes
    alive = list(range(lanes))
    while alive:
        for lane in alive:
            n = rng.choice((1, 2, 3, 7, 20, 40, 60, 90))
            clients[lane].sock.sendall(out[lane][at[lane]:at[lane] + n])
            at[lane] += n
        alive = [lane for lane in alive if at[lane] < len(out[lane])]
    for c in clients:
        c.sock.shutdown(socket.SHUT_WR)
    reader.join(120)
    assert not reader.is_alive()
    for lane in range(lanes):
        heads = bytes(got[lane]).split(b"HTTP/1.1 ")[1:]
        assert len(heads) == each, lane
        for i, head in enumerate(heads):
            assert head.startswith(b"200 ") and head.endswith(b"\r\n\r\n</r/%d/%d>" % (lane, i)), head


# --- descriptors ---

def low_on_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))


def test_out_of_descriptors(world):
    """Those who come too late wait; no process takes the other for an attacker; all is well when others have gone."""
    s = world.serve(world.scripted(), preexec=low_on_descriptors)
    worker = worker_of(s)
    with Client(s.port()) as first:
        assert first.get().status == 200  # a kept connection to the server is there
        crowd = [Client(s.port()) for _ in range(200)]
        for c in crowd:
            c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        # the last eighth is kept for connections to servers
        wait_for(lambda: len(os.listdir(f"/proc/{worker}/fd")) >= 84, "the worker's descriptors to be used up")

        def rests():
            before, end = cpu_seconds(worker), time.monotonic() + 0.5
            while time.monotonic() < end:  # a span to look at
                time.sleep(0.05)
            return cpu_seconds(worker) - before < 0.15
        wait_for(rests, "the worker to rest although connections wait")
        assert worker_of(s) == worker
        answered = 0
        for c in crowd:  # each one that goes makes room
            answered += c.response().status in (200, 502, 503)
            c.close()
        assert answered == len(crowd)
        assert first.get().status == 200
    assert get(s.port()).status == 200
    assert worker_of(s) == worker
    assert "ipc.violation" not in s.log() and "child.exited" not in s.log()


# --- disk ---

def test_a_full_disk_holds_up_no_request(world):
    target = os.path.join(world.dir, "access")
    os.symlink("/dev/full", target)
    s = world.serve(world.scripted(), log={"access": target})
    for i in range(300):
        assert get(s.port(), f"/{i}").status == 200
    wait_for(lambda: s.metric("sluis_access_log_lost_total") >= 300, "the lost lines to be counted")
    assert s.metric("sluis_access_log_lost_total") == s.metric("sluis_requests_total")
    assert "event=log.lost" in s.log()
    assert s.log().count("event=log.lost") < 10, "one line per time, not per request"
    # room again, and the log is opened anew
    os.remove(target)
    s.cli("reopen")
    lost = s.metric("sluis_access_log_lost_total")
    assert get(s.port(), "/after").status == 200
    s.access_path = target
    assert s.access_line(url__original="/after")
    assert s.metric("sluis_access_log_lost_total") == lost
