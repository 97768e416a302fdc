"""HTTP/1.1 as it is meant: kept connections, pipelining, chunks both ways, interim answers, bodies that are not there."""
import threading

import pytest

from harness import Client, fields_of, get


def answer(text):
    """A script that gives the same bytes to every request and keeps the connection."""
    def script(server, sock, head, rest):
        sock.sendall(text)
        return True
    return script


def test_kept_and_pipelined(world):
    backend = world.scripted()
    s = world.serve(backend)
    with Client(s.port()) as c:
        c.send("".join(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(200)))
        assert [c.response().json()["target"] for i in range(200)] == [f"/{i}" for i in range(200)]
        c.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /q HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().json()["body"] == "abc"
        assert c.response().json()["target"] == "/q"
    assert len(backend.connections) <= 2, "server connections are kept too"


def test_connection_close_and_http10(world):
    s = world.serve(world.scripted())
    with Client(s.port()) as c:
        r = c.get(extra="Connection: close\r\n")
        assert r.status == 200 and "close" in r.field("connection").lower() and c.is_ended()
    with Client(s.port()) as c:
        c.send("GET /old HTTP/1.0\r\nHost: a\r\n\r\n")
        assert c.response().json()["target"] == "/old" and c.is_ended()
    with Client(s.port()) as c:
        for _ in range(2):
            c.send("GET /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            assert c.response().status == 200


def test_http10_without_host_means_the_address_it_came_to(world):
    s = world.serve(world.scripted(), policies=[{"name": "by-address", "if": 'http.path == "/policy" and http.host == "127.0.0.1"',
                                                 "then": {"block": 403}}])
    with Client(s.port()) as c:
        c.send("GET /old HTTP/1.0\r\n\r\n")
        r = c.response().json()
        assert [v for n, v in r["fields"] if n == "host"] == [f"127.0.0.1:{s.port()}"] and c.is_ended()
    with Client(s.port()) as c:
        assert c.send("GET /policy HTTP/1.0\r\n\r\n").response().status == 403
    assert s.access_line(url__original="/old")["url.domain"] == "127.0.0.1"


def test_chunks_towards_the_server(world):
    s = world.serve(world.scripted())
    with Client(s.port()) as c:
        c.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in ("5\r\nhello\r\n", "1;ext=1\r\n \r\n", "5", "\r\nwor", "ld\r\n0\r\n", "\r\n"):
            c.send(part)
        r = c.response().json()
        assert (r["body"], r["length"]) == ("hello world", 11)
        assert dict(r["fields"])["transfer-encoding"] == "chunked"
        assert c.get("/next").json()["target"] == "/next"


def test_chunks_towards_the_client(world):
    s = world.serve(world.scripted(answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")))
    with Client(s.port()) as c:
        for _ in range(3):
            assert c.get().body == b"four0123456789"
    with Client(s.port()) as c:  # who speaks 1.0 knows no chunks: the end of the connection ends the body
        c.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        r = c.response()
        assert r.field("transfer-encoding") is None and r.body == b"four0123456789"


def test_a_body_that_ends_with_the_servers_connection(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        for _ in range(2):
            assert c.get().body == b"until the end"


def test_100_continue_comes_from_the_server(world):
    s = world.serve(world.scripted())
    with Client(s.port()) as c:
        c.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert c.head().startswith(b"HTTP/1.1 100")
        c.send("body")
        assert c.response().json()["body"] == "body"


def test_a_server_that_refuses_instead_of_continuing(world):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        c.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        r = c.response()
        assert (r.status, r.body, r.interim) == (403, b"no", [])


def test_early_hints_pass(world):
    s = world.serve(world.scripted(answer(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")))
    r = get(s.port())
    assert r.body == b"ok" and [(i.status, i.field("link")) for i in r.interim] == [(103, "</a.css>")]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(world, status):
    s = world.serve(world.scripted(answer(b"HTTP/1.1 %d X\r\nETag: \"1\"\r\n\r\n" % status)))
    with Client(s.port()) as c:
        for _ in range(3):
            r = c.get()
            assert (r.status, r.field("etag")) == (status, '"1"')


def test_head_has_a_length_and_no_body(world):
    s = world.serve(world.nginx("one"))
    with Client(s.port()) as c:
        for _ in range(3):
            r = c.get(method="HEAD")
            assert (r.status, r.field("content-length")) == (200, "4")
        assert c.get().body == b"one\n"


def test_options_asterisk_and_absolute_form(world):
    s = world.serve(world.scripted())
    with Client(s.port()) as c:
        c.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        r = c.response().json()
        assert (r["method"], r["target"]) == ("OPTIONS", "*")
        c.send("GET http://Site.test/x?y HTTP/1.1\r\nHost: site.test\r\n\r\n")
        r = c.response().json()
        assert r["target"] == "/x?y" and dict(r["fields"])["host"].lower() == "site.test"


@pytest.mark.parametrize("line", ["CONNECT site.test:443 HTTP/1.1", "TRACE / HTTP/1.1"])
def test_methods_that_are_refused(world, line):
    backend = world.scripted()
    s = world.serve(backend)
    with Client(s.port()) as c:
        c.send(f"{line}\r\nHost: site.test:443\r\n\r\n")
        assert c.response().status in (400, 405)
    assert backend.heads == []


def test_hop_by_hop_fields_end_here(world):
    s = world.serve(world.scripted())
    r = get(s.port(), extra="Connection: X-Private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n"
                            "TE: trailers\r\nX-Kept: 1\r\n").json()
    sent = dict(r["fields"])
    assert sent["x-kept"] == "1"
    assert not {"x-private", "keep-alive", "proxy-connection"} & set(sent)


def test_forwarded_fields_of_strangers_are_replaced(world):
    s = world.serve(world.scripted())
    lie = "X-Forwarded-For: 10.9.8.7\r\nX-Forwarded-Proto: https\r\nForwarded: for=10.9.8.7\r\nX-Forwarded-Host: evil\r\n"
    sent = get(s.port(), extra=lie).json()["fields"]
    assert [v for n, v in sent if n == "x-forwarded-for"] == ["127.0.0.1"]
    assert [v for n, v in sent if n == "x-forwarded-proto"] == ["http"]
    assert not any("10.9.8.7" in v or v == "evil" for _, v in sent)


def test_forwarded_fields_of_trusted_peers_are_believed(world):
    s = world.serve(world.scripted(), listener={"trusted_peers": ["127.0.0.0/8"]})
    sent = get(s.port(), extra="X-Forwarded-For: 10.9.8.7\r\n").json()["fields"]
    assert "10.9.8.7" in dict(sent)["x-forwarded-for"]
    assert s.access_line()["source.ip"] == "10.9.8.7"


def test_ambiguous_field_names(world):
    backend = world.scripted()
    s = world.serve(backend)
    sent = dict(get(s.port(), extra="X_User: 1\r\nX-User: 2\r\n").json()["fields"])
    assert "x_user" not in sent and sent["x-user"] == "2"
    strict = world.serve(backend, limits={"ambiguous_fields": "refuse"})
    before = len(backend.heads)
    assert get(strict.port(), extra="X_User: 1\r\n").status == 400
    assert len(backend.heads) == before


def test_websocket_is_tunnelled(world):
    def script(server, sock, head, rest):
        fields = dict(fields_of(head))
        assert fields["upgrade"] == "websocket" and "upgrade" in fields["connection"].lower()
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        while data := sock.recv(65536):
            sock.sendall(data.upper())
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        c.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n")
        r = c.response()
        assert (r.status, r.field("upgrade")) == (101, "websocket")
        assert c.rest.exact(5) == b"hello"
        for i in range(20):
            c.send(b"frame-%03d" % i)
            assert c.rest.exact(9) == b"FRAME-%03d" % i
        big = b"x" * 300_000
        sender = threading.Thread(target=c.send, args=(big,))
        sender.start()
        assert c.rest.exact(len(big)) == big.upper()
        sender.join()
    assert s.access_line(http__response__status_code=101)


def test_error_pages_by_accept(world):
    s = world.serve(world.scripted(), routes=[{"host": "only.test", "pool": "web"}], contact="Desk <20>")
    html = get(s.port(), extra="Accept: text/html,application/json;q=0.5\r\n")
    assert html.status == 404 and html.field("content-type").startswith("text/html")
    assert b"Desk &lt;20&gt;" in html.body and b"Request number" in html.body
    assert html.field("content-security-policy").startswith("default-src 'none'; style-src 'sha256-")
    problem = get(s.port(), extra="Accept: application/json, text/plain, */*\r\n")
    assert problem.field("content-type").startswith("application/problem+json")
    number = problem.json()["request_id"]
    assert s.access_line(http__request__id=number)["http.response.status_code"] == 404
    for r in (html, problem):
        assert b"sluis" not in r.body.lower() and r.field("server") is None
