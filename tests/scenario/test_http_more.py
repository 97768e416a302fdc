"""HTTP/1.1 at its edges: what a proxy must add, remove or refuse, message by message."""
import threading

import pytest

from harness import Client, echo, fields_of, free_port, get, wait_for


def answer(text, keep=True):
    def script(server, sock, head, rest):
        sock.sendall(text)
        return keep
    return script


def test_hundred_requests_in_one_write(world):
    """With and without bodies, of both kinds, over two servers: the answers come in their order."""
    s = world.serve(world.scripted(), world.scripted())
    kinds = ["GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
             "POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x\r\ndy\r\n0\r\n\r\n",
             "HEAD /%d HTTP/1.1\r\nHost: a\r\n\r\n"]
    with Client(s.port()) as c:
        c.send("".join(kinds[i % 4] % i for i in range(100)))
        for i in range(100):
            r = c.response("HEAD" if i % 4 == 3 else "GET")
            assert r.status == 200
            if i % 4 != 3:
                assert (r.json()["target"], r.json()["body"]) == (f"/{i}", "body" if i % 4 else "")


def test_nothing_is_read_behind_connection_close(world):
    backend = world.scripted()
    s = world.serve(backend)
    with Client(s.port()) as c:
        c.send("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /behind HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().json()["target"] == "/last" and c.is_ended()
    assert len(backend.heads) == 1


def test_http10_clients(world):
    """They get no interim answers, no chunks, and keep the connection only if both sides say so."""
    s = world.serve(world.scripted(answer(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")))
    with Client(s.port()) as c:
        for _ in range(3):
            c.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            r = c.response()
            assert (r.status, r.body, r.interim, r.field("connection")) == (200, b"ok", [], "keep-alive")
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.0\r\n\r\n")
        assert c.response().body == b"ok" and c.is_ended()
    with Client(s.port()) as c:
        c.send("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
        assert c.response().interim == []


def test_an_expectation_that_nobody_knows(world):
    backend = world.scripted()
    s = world.serve(backend)
    assert get(s.port(), extra="Expect: 200-maybe\r\n").status == 417
    assert backend.heads == []


def test_no_continue_for_a_body_over_the_limit(world):
    backend = world.scripted()
    s = world.serve(backend, limits={"body": "1k"})
    with Client(s.port()) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n")
        r = c.response()
        assert (r.status, r.interim) == (413, []) and c.is_ended()
    assert backend.heads == []


def test_several_interim_answers_pass(world):
    hints = b"".join(b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n" % i for i in range(5))
    s = world.serve(world.scripted(answer(hints + b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")))
    with Client(s.port()) as c:
        for _ in range(2):
            r = c.get()
            assert r.body == b"ok" and [i.status for i in r.interim] == [103] * 5 + [102]
            assert all(i.field("x-hop") is None for i in r.interim)


@pytest.mark.parametrize("framing", [b"Content-Length: 500000", b"Transfer-Encoding: chunked"])
def test_head_answers_announce_what_does_not_come(world, framing):
    s = world.serve(world.scripted(answer(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")))
    with Client(s.port()) as c:
        for _ in range(3):
            r = c.get(method="HEAD")
            assert r.status == 200
            if b"500000" in framing:
                assert r.field("content-length") == "500000"


def test_304_may_announce_a_length(world):
    s = world.serve(world.scripted(answer(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 500000\r\n\r\n")))
    with Client(s.port()) as c:
        for _ in range(3):
            r = c.get(extra="If-None-Match: \"1\"\r\n")
            assert (r.status, r.field("etag")) == (304, '"1"')


def test_hop_by_hop_fields_of_servers_end_here(world):
    s = world.serve(world.scripted(answer(
        b"HTTP/1.1 200 OK\r\nConnection: X-Private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n"
        b"Upgrade: h2c\r\nTrailer: X-T\r\nX-Kept: 1\r\nServer: app\r\nContent-Length: 2\r\n\r\nok")))
    r = get(s.port())
    names = {n for n, _ in r.fields}
    assert r.body == b"ok" and r.field("x-kept") == "1" and r.field("server") == "app"
    assert not names & {"x-private", "keep-alive", "proxy-authenticate", "upgrade", "connection", "trailer"}


def test_connection_in_several_lines_and_cases(world):
    s = world.serve(world.scripted())
    sent = dict(get(s.port(), extra="connection: x-one\r\nCONNECTION: , X-TWO ,\r\nX-One: 1\r\nx-two: 2\r\nX-Three: 3\r\n").json()["fields"])
    assert "x-three" in sent and not {"x-one", "x-two", "connection"} & set(sent)


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Cookie"])
def test_connection_cannot_have_what_matters_removed(world, name):
    backend = world.scripted()
    s = world.serve(backend)
    assert get(s.port(), extra=f"Connection: {name}\r\nCookie: a=b\r\n").status == 400
    assert backend.heads == []


def test_every_forwarded_field_of_strangers_is_replaced(world):
    s = world.serve(world.scripted())
    lies = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-User", "X-Forwarded-Prefix",
            "X-Real-IP", "Forwarded", "X-Request-Id", "x-forwarded-FOR"]
    sent = get(s.port(), extra="".join(f"{n}: lie\r\n" for n in lies)).json()["fields"]
    assert not [pair for pair in sent if "lie" in pair[1]]
    known = dict(sent)
    assert known["x-forwarded-for"] == "127.0.0.1" and known["x-forwarded-host"] == "site.test"
    assert known["x-forwarded-port"] == str(s.port()) and len(known["x-request-id"]) >= 16
    assert len([n for n, _ in sent if n == "x-forwarded-for"]) == 1


def test_every_forwarded_field_of_a_trusted_peer_passes(world):
    s = world.serve(world.scripted(), listener={"trusted_peers": ["127.0.0.1/32"]})
    said = {"X-Forwarded-For": "10.1.1.1, 10.2.2.2", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.test",
            "X-Forwarded-Port": "443", "Forwarded": "for=10.1.1.1"}
    sent = dict(get(s.port(), extra="".join(f"{n}: {v}\r\n" for n, v in said.items())).json()["fields"])
    assert sent["x-forwarded-for"] == "10.1.1.1, 10.2.2.2, 127.0.0.1"
    for name in ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"):
        assert sent[name.lower()] == said[name], name
    others = world.serve(world.scripted(), listener={"trusted_peers": ["10.0.0.0/8"]})
    assert dict(get(others.port(), extra="X-Forwarded-For: 10.1.1.1\r\n").json()["fields"])["x-forwarded-for"] == "127.0.0.1"


def test_a_refused_upgrade_leaves_a_connection_of_requests(world):
    """The server answers 200: what follows is a request, for policies too, on a server connection of its own."""
    backend = world.scripted()
    s = world.serve(backend, policies=[{"name": "no", "if": 'http.path == "/no"', "then": [{"block": 403}]}])
    with Client(s.port()) as c:
        c.send("GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /no HTTP/1.1\r\nHost: a\r\n\r\n"
               "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().json()["target"] == "/up"
        assert c.response().status == 403
        assert c.response().json()["target"] == "/next"
    assert len(backend.connections) == 2


def test_an_upgrade_to_another_http_is_not_passed_on(world):
    s = world.serve(world.scripted())
    for to in ("h2c", "HTTP/2.0", "TLS/1.2", "websocket, h2c"):
        sent = dict(get(s.port(), extra=f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {to}\r\nHTTP2-Settings: AAAA\r\n").json()["fields"])
        assert not {"upgrade", "http2-settings"} & set(sent), to


def test_both_ends_of_a_tunnel_close_by_themselves(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        got = b""
        while more := sock.recv(65536):
            got += more
        sock.sendall(b"you said " + got)
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        assert c.get(extra="Connection: Upgrade\r\nUpgrade: x\r\n").status == 101
        c.send("all of this")
        c.sock.shutdown(1)
        assert c.until_end() == b"you said all of this"
    wait_for(lambda: s.metric("sluis_tunnels_open") == 0, "the tunnel to be counted out")


def test_connections_in_all(world):
    s = world.serve(world.scripted(), limits={"connections": 5, "connections_per_client": 0})
    kept = [Client(s.port()) for _ in range(4)]
    assert [c.get().status for c in kept] == [200] * 4
    wait_for(lambda: s.metric("sluis_connections_open") == 5, "four and the one that asks")
    kept.append(Client(s.port()))
    assert kept[-1].get().status == 200
    with Client(s.port()) as c:
        assert c.is_ended()
    for c in kept:
        c.close()

    def again():
        try:
            return s.metric("sluis_connections_refused_total") >= 1
        except (EOFError, OSError):
            return False
    wait_for(again, "a place is free again, and the refusal was counted")


def test_a_client_that_does_not_take_its_answer(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            while True:
                sock.sendall(bytes(65536))
        finally:
            gone.set()
    gone = threading.Event()
    s = world.serve(world.scripted(script), limits={"body_time": "1s"})
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert gone.wait(20), "the server's connection is not held for a client that does not read"


def test_a_silent_server_is_a_504(world):
    stop = threading.Event()
    world.at_end(stop.set)

    def script(server, sock, head, rest):
        if b"/silent" in head.split(b"\r\n")[0]:
            stop.wait(60)
            return False
        return echo(server, sock, head, rest)
    s = world.serve(world.scripted(script), pool={"response_time": "500ms", "retry": {"tries": 0}})
    r = get(s.port(), "/silent", extra="Accept: application/json\r\n")
    assert r.status == 504 and r.json()["status"] == 504
    assert s.access_line(http__response__status_code=504)["event.reason"] == "server-time"
    assert get(s.port(), "/fine").status == 200


OWN = {  # status: what brings it about
    400: "GET /%00 HTTP/1.1\r\nHost: a\r\n", 403: "GET /block HTTP/1.1\r\nHost: a\r\n", 404: "GET / HTTP/1.1\r\nHost: unknown.test\r\n",
    405: "TRACE / HTTP/1.1\r\nHost: a\r\n", 413: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n",
    417: "GET / HTTP/1.1\r\nHost: a\r\nExpect: much\r\n", 429: "GET /rate HTTP/1.1\r\nHost: a\r\n", 502: "GET /gone HTTP/1.1\r\nHost: a\r\n",
}


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*", ""])
def test_all_error_pages(world, accept):
    """HTML or JSON as asked for; the number under which it is in the log; nothing about who we are."""
    s = world.serve(world.scripted(), limits={"body": "1k"}, routes=[{"host": "a", "pool": "web"}, {"host": "a", "path": "/gone", "pool": "gone"}],
                    pools={"web": {"servers": [world.scripted().address]}, "gone": {"servers": [f"127.0.0.1:{free_port()}"]}},
                    policies=[{"name": "block", "if": 'http.path == "/block"', "then": [{"block": 403}]},
                              {"name": "rate", "if": 'http.path == "/rate"',
                               "then": [{"rate_limit": {"key": "client.ip", "rate": 1, "per": "1h", "burst": 1}}]}])
    get(s.port(), "/rate", host="a")
    numbers = {}
    for status, head in OWN.items():
        with Client(s.port()) as c:
            c.send(head + (f"Accept: {accept}\r\n" if accept else "") + "\r\n")
            r = c.response()
        assert r.status == status, (status, r)
        is_json = accept == "application/json" and status != 417  # refused before its fields are known
        assert r.field("content-type").startswith("application/problem+json" if is_json else "text/html"), status
        number = r.json()["request_id"] if is_json else r.body.split(b"<code>")[1].split(b"<")[0].decode()
        numbers[number] = status
        whole = repr(r.fields).lower() + r.body.decode().lower()
        assert "sluis" not in whole and r.field("server") is None and r.field("cache-control") == "no-store"
        if status == 405:
            assert "GET" in r.field("allow")
        if status == 429:
            assert int(r.field("retry-after")) > 0
    for number, status in numbers.items():
        assert s.access_line(http__request__id=number)["http.response.status_code"] == status


def test_fields_pass_as_they_are(world):
    """Order, case of values, repetition, octets over 127, empty values."""
    extra = "X-A: 1\r\nX-B: \xe9\xff\r\nX-A: 2\r\nX-Empty:\r\nCookie: a=b\r\nCookie: c=d\r\nAccept: text/html;q=0.5, */*\r\nX-A: 3\r\n"
    s = world.serve(world.scripted())
    sent = get(s.port(), extra=extra).json()["fields"]
    want = fields_of(("GET / HTTP/1.1\r\n" + extra).encode("latin-1"))
    assert [tuple(p) for p in sent if p[0] in dict(want)] == want


def test_one_empty_line_before_a_request(world):
    s = world.serve(world.scripted())
    with Client(s.port()) as c:
        c.send("\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [c.response().json()["target"] for _ in range(2)] == ["/a", "/b"]
