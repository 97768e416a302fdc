"""Each limit has an answer of its own, and what is over it costs no server anything."""
import threading

import pytest

from harness import Client, get, wait_for


OVER = {
    "a long line": ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "a long field": ("GET / HTTP/1.1\r\nHost: a\r\nX-A: " + "b" * 17000 + "\r\n\r\n", 431),
    "many fields": ("GET / HTTP/1.1\r\nHost: a\r\n" + "X-A: b\r\n" * 101 + "\r\n", 431),
    "a large head": ("GET / HTTP/1.1\r\nHost: a\r\n" + ("X-A: " + "b" * 15000 + "\r\n") * 5 + "\r\n", 431),
    "a line without an end": ("GET /" + "a" * 200000, 414),
    "a field without an end": ("GET / HTTP/1.1\r\nHost: a\r\nX-A: " + "b" * 200000, 431),
    "a large body": ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413),
}


@pytest.mark.parametrize("why", OVER)
def test_over_a_limit(world, why):
    text, status = OVER[why]
    backend = world.scripted()
    s = world.serve(backend, limits={"body": "1m"})
    with Client(s.port()) as c:
        try:
            c.send(text)
        except ConnectionError:
            pass  # it may be told before it was sent whole
        assert c.response().status == status, why
        assert c.is_ended()
    assert backend.heads == []
    assert s.access_line(http__response__status_code=status)["event.reason"]


def test_a_chunked_body_over_the_limit(world):
    s = world.serve(world.scripted(), limits={"body": "64k"})
    with Client(s.port()) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        c.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        c.send(b"1\r\nx\r\n")
        assert c.response().status == 413 and c.is_ended()


def test_limits_can_be_reached_exactly(world):
    s = world.serve(world.scripted(), limits={"body": "64k"})
    with Client(s.port()) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536)
        assert c.response().json()["length"] == 65536
        assert c.get(extra="X-A: b\r\n" * 99).status == 200
        assert c.get("/" + "a" * 8000).status == 200


def test_a_slow_head_gets_408(world):
    backend = world.scripted()
    s = world.serve(backend, limits={"header_time": "1s"})
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\nX-")
        assert c.response().status == 408 and c.is_ended()
    assert backend.heads == []


def test_slowloris_does_not_keep_others_out(world):
    s = world.serve(world.scripted(), limits={"header_time": "2s"})
    slow = [Client(s.port()) for _ in range(200)]
    for c in slow:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n")
    for _ in range(3):
        for c in slow:
            c.send("X-A: b\r\n")
        assert get(s.port()).status == 200
    assert [c.response().status for c in slow] == [408] * 200
    for c in slow:
        c.close()


def test_a_slow_body_gets_408(world):
    s = world.serve(world.scripted(), limits={"body_time": "1s"})
    with Client(s.port()) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
        assert c.response().status == 408 and c.is_ended()


def test_an_idle_connection_is_closed(world):
    s = world.serve(world.scripted(), limits={"idle_time": "1s"})
    with Client(s.port()) as c:
        assert c.get().status == 200 and c.is_ended()


def test_a_silent_tunnel_is_closed(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        return sock.recv(1)
    s = world.serve(world.scripted(script), limits={"tunnel_idle_time": "1s"})
    with Client(s.port()) as c:
        assert c.get(extra="Connection: Upgrade\r\nUpgrade: x\r\n").status == 101
        assert c.is_ended()


def test_connections_per_client(world):
    s = world.serve(world.scripted(), limits={"connections_per_client": 3})
    kept = [Client(s.port()) for _ in range(3)]
    assert [c.get().status for c in kept] == [200] * 3
    with Client(s.port()) as c:
        assert c.is_ended()
    for c in kept:
        c.close()

    def again():
        try:
            return get(s.port()).status == 200
        except (EOFError, ConnectionError):
            return False
    wait_for(again, "a place is free again")


def test_requests_per_connection(world):
    s = world.serve(world.scripted(), limits={"requests_per_connection": 3})
    with Client(s.port()) as c:
        assert [(c.get().field("connection") or "") for _ in range(3)] == ["", "", "close"]
        assert c.is_ended()


def test_a_rate_limit_is_shared_by_all_workers(world):
    s = world.serve(world.scripted(), workers=2, policies=[
        {"name": "slow", "if": 'http.path == "/login"',
         "then": [{"rate_limit": {"key": "client.ip", "rate": 5, "per": "1h", "burst": 5}}]}])
    statuses = [get(s.port(), "/login").status for _ in range(12)]
    assert statuses == [200] * 5 + [429] * 7
    assert get(s.port(), "/").status == 200


def test_a_full_server_makes_others_wait(world):
    go, busy = threading.Event(), threading.Semaphore(0)

    def script(server, sock, head, rest):
        busy.release()
        go.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    backend = world.scripted(script)
    s = world.serve({"address": backend.address, "max_connections": 2}, pool={"queue": 2})
    clients = [Client(s.port()) for _ in range(6)]
    for c in clients[:4]:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    busy.acquire(), busy.acquire()
    refused = 0
    for c in clients[4:]:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        refused += c.response().status == 503
    assert refused == 2 and len(backend.heads) == 2
    go.set()
    assert [c.response().status for c in clients[:4]] == [200] * 4
    for c in clients:
        c.close()
