"""Choice of a server, its limits and times, and what an administrator does to it, with real processes."""
import threading

from wire import ok, read_all, wait_for

GET = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def get(s, path=b"/"):
    return s.raw(GET % path)


def reasons(s):
    return [line.split('"event.reason":"')[1].split('"')[0] for line in s.access().splitlines() if '"event.reason":"' in line]


def pool(start, servers, more="", workers=1, per_server=""):
    return start("listeners: {web: {address: '127.0.0.1:@PORT@'}}\npools: {app: {servers: ["
                 + ", ".join(f"{{name: s{i}, address: '127.0.0.1:{b.port}'{per_server}}}" for i, b in enumerate(servers))
                 + f"]{more}}}}}\n", workers)


class Held:
    """A server that answers when it is told to."""

    def __init__(self, backend, body=b"held"):
        self.body, self.release, self.waiting = body, threading.Event(), 0
        self.server = backend(self.reply)

    def reply(self, head, body, conn):
        if b"/held" in head:
            self.waiting += 1
            assert self.release.wait(30)
        return ok(self.body)(head, body, conn)


def test_disabled_and_enabled(start, backend):
    a, b = backend(ok(b"a")), backend(ok(b"b"))
    s = pool(start, [a, b], ", sticky: SRV")
    assert {get(s)[-1:] for _ in range(6)} == {b"a", b"b"}
    assert s.cli("disable", "app/s0").returncode == 0
    assert {get(s)[-1:] for _ in range(6)} == {b"b"}
    bound = s.raw(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: SRV=s0\r\nConnection: close\r\n\r\n")
    assert bound.endswith(b"b")  # those that a cookie binds go elsewhere too
    assert s.cli("reload").returncode == 0
    assert {get(s)[-1:] for _ in range(6)} == {b"b"}  # it holds over a reload
    assert s.cli("enable", "app/s0").returncode == 0
    assert {get(s)[-1:] for _ in range(6)} == {b"a", b"b"}
    assert s.cli("disable", "app/nobody").returncode == 1


def test_a_connection_serves_so_many_requests(start, backend):
    b = backend(ok())
    s = pool(start, [b], ", keep_requests: 3")
    wait_for(lambda: s.raw(GET % b"/").endswith(b"hello"), what="an answer")
    before = len(b.conns)
    for _ in range(9):
        get(s)
    assert 3 <= len(b.conns) - before <= 4, len(b.conns)  # one may have been begun before


def test_a_queue_has_an_end(start, backend):
    held = Held(backend)
    s = pool(start, [held.server], ", queue: 1, queue_time: 30s", per_server=", max_connections: 1")
    answers = []
    threads = []
    for waiting in (1, 1, 1):
        threads.append(threading.Thread(target=lambda: answers.append(get(s, b"/held"))))
        threads[-1].start()
        wait_for(lambda: held.waiting >= waiting, what="the server to work")
    wait_for(lambda: len(answers) == 1, what="the one that finds no place")
    assert answers[0].startswith(b"HTTP/1.1 503 ")
    held.release.set()
    for t in threads:
        t.join()
    assert sorted(a[9:12] for a in answers) == [b"200", b"200", b"503"]
    wait_for(lambda: reasons(s).count("queue-full") == 1, what="its line in the log")


def test_waiting_has_an_end(start, backend):
    held = Held(backend)
    s = pool(start, [held.server], ", queue_time: 200ms", per_server=", max_connections: 1")
    first = threading.Thread(target=lambda: get(s, b"/held"))
    first.start()
    wait_for(lambda: held.waiting, what="the server to work")
    assert get(s).startswith(b"HTTP/1.1 503 ")
    held.release.set()
    first.join()
    assert get(s).endswith(b"held")
    wait_for(lambda: "queue-time" in reasons(s), what="its line in the log")


def test_a_request_has_its_time_over_all_tries(start, backend):
    release = threading.Event()

    def never(_head, _body, _conn):
        release.wait(30)
        return False
    servers = [backend(never) for _ in range(4)]
    s = pool(start, servers, ", try_time: 200ms, total_time: 500ms, retry: {tries: 3, budget: 100}, eject: {failures: 0}")
    assert get(s).startswith(b"HTTP/1.1 504 ")
    assert 2 <= sum(len(b.seen) for b in servers) <= 3  # the fourth try has no time left
    release.set()
    wait_for(lambda: "server-time" in reasons(s), what="its line in the log")


def test_an_answer_that_drips_has_an_end(start, backend):
    stop = threading.Event()

    def drip(_head, _body, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not stop.wait(0.05):  # the dripping itself
            conn.sendall(b"x")
        return False
    s = pool(start, [backend(drip)], ", total_time: 600ms, eject: {failures: 0}")
    with s.connect() as c:
        c.sendall(GET % b"/")
        answer = read_all(c)
    stop.set()
    assert answer.startswith(b"HTTP/1.1 200") and len(answer) < 1000, len(answer)


def test_a_server_that_fails_is_left_out_for_a_while(start, backend):
    state = {"status": b"500 No"}

    def sick(_head, _body, conn):
        conn.sendall(b"HTTP/1.1 " + state["status"] + b"\r\nContent-Length: 1\r\n\r\nb")
    a, b = backend(ok(b"a")), backend(sick)
    s = pool(start, [a, b], ", eject: {failures: 2, time: 700ms, max_percent: 50}")
    wait_for(lambda: b"b" not in {get(s)[-1:] for _ in range(8)}, what="the ejection")
    state["status"] = b"200 OK"
    wait_for(lambda: get(s).endswith(b"b"), what="its return")


def test_not_all_are_left_out(start, backend):
    def sick(_head, _body, conn):
        conn.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 1\r\n\r\nb")
    servers = [backend(sick), backend(sick)]
    s = pool(start, servers, ", eject: {failures: 1, time: 60s, max_percent: 100}")
    for _ in range(12):
        assert get(s).startswith(b"HTTP/1.1 500 ")  # the server's own answer: one is always asked


def test_least_requests_goes_where_least_is_under_way(start, backend):
    a, b = Held(backend, b"a"), Held(backend, b"b")
    s = pool(start, [a.server, b.server], ", balance: least_requests")
    thread = threading.Thread(target=lambda: get(s, b"/held"))
    thread.start()
    wait_for(lambda: a.waiting + b.waiting, what="one of them to work")
    assert [get(s)[-1:] for _ in range(8)] == [b"b" if a.waiting else b"a"] * 8
    a.release.set()
    b.release.set()
    thread.join()
