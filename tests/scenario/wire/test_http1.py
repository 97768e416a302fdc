"""HTTP/1.1 through all processes: what is passed on, how, and what never is."""
import pytest

from wire import ok, read_all, read_answer, wait_for

GET = b"GET %s HTTP/1.1\r\nHost: example.org\r\n\r\n"


def test_keep_alive_and_pipelining(one):
    s, b = one(ok())
    with s.connect() as c:
        c.sendall(GET % b"/a" + GET % b"/b" + GET % b"/c")
        left = b""
        for _ in range(3):
            status, _head, body, left = read_answer(c, left)
            assert (status, body) == (200, b"hello")
    assert [h.split()[1] for h, _ in b.seen] == [b"/a", b"/b", b"/c"]


def test_a_thousand_pipelined_requests(one):
    s, _ = one(ok(), "policies: [{name: all, if: 'http.path == \"/no\"', then: {block: 403}}]\n")
    with s.connect() as c:
        c.sendall((GET % b"/no") * 1000)
        left = b""
        for _ in range(1000):
            status, _, _, left = read_answer(c, left)
            assert status == 403


def test_chunked_both_ways(one):
    def reply(_head, body, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(body), 7):
            part = body[i:i + 7]
            conn.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        conn.sendall(b"0\r\nX-Trailer: t\r\n\r\n")
    s, b = one(reply)
    with s.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(50):
            c.sendall(b"a;ext=1\r\n0123456789\r\n")
        c.sendall(b"0\r\n\r\n" + GET % b"/next")
        status, _, body, left = read_answer(c)
        assert (status, body) == (200, b"0123456789" * 50)
        assert read_answer(c, left)[0] == 200
    assert b.seen[0][1] == b"0123456789" * 50


def test_head_204_304_and_http_1_0(one):
    def reply(head, _body, conn):
        path = head.split()[1]
        if path == b"/204":
            conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif path == b"/304":
            conn.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")
        else:
            ok()(head, _body, conn)
    s, _ = one(reply)
    with s.connect() as c:
        for request, status in ((b"HEAD / ", 200), (b"GET /204 ", 204), (b"GET /304 ", 304)):
            c.sendall(request + b"HTTP/1.1\r\nHost: a\r\n\r\n")
            data = b""
            while b"\r\n\r\n" not in data:
                data += c.recv(65536)
            assert int(data.split()[1]) == status and data.endswith(b"\r\n\r\n"), data
    assert s.raw(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").endswith(b"\r\n\r\nhello")


def test_continue(one):
    def reply(_head, body, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    s, b = one(reply)
    b.body_of = b.body

    def slow_body(conn, head, data):
        if b"expect: 100-continue" in head.lower():
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return b.body_of(conn, head, data)
    b.body = slow_body
    with s.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert c.recv(65536).startswith(b"HTTP/1.1 100 ")
        c.sendall(b"body")
        assert read_answer(c)[2] == b"body"


def test_upgrade_is_tunnelled(one):
    def reply(head, _body, conn):
        assert b"\r\nUpgrade: websocket" in head and b"\r\nConnection: upgrade" in head
        conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while True:
            data = conn.recv(65536)
            if not data:
                return False
            conn.sendall(data[::-1])
    s, _ = one(reply)
    with s.connect() as c:
        c.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data:
            data += c.recv(65536)
        assert data.startswith(b"HTTP/1.1 101 ")
        for word in (b"abc", b"\x00\xff\x01", b"x" * 5000):
            c.sendall(word)
            got = b""
            while len(got) < len(word):
                got += c.recv(65536)
            assert sorted(got) == sorted(word)


MALFORMED = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"GET /vpn/..%2fvpns/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /vpn/%252e%252e/vpns/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%c0%ae%c0%ae/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /..;/x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
]


def test_malformed_requests_never_reach_a_server(one):
    s, b = one(ok())
    for request in MALFORMED:
        answer = s.raw(request + GET % b"/smuggled")
        assert answer.startswith(b"HTTP/1.1 400 "), (request, answer[:200])
        assert answer.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in answer, request
    assert b.seen == []


def test_bad_chunks_end_the_request(one):
    s, b = one(ok())
    for chunk in (b"5 \r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloX0\r\n\r\n",
                  b"x\r\n"):
        answer = s.raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        assert answer.startswith(b"HTTP/1.1 400 "), (chunk, answer[:100])
    assert b.seen == []


def test_methods_that_are_not_for_a_proxy(one):
    s, b = one(ok())
    for request in (b"TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nConnection: close\r\n\r\n"):
        assert s.raw(request).startswith(b"HTTP/1.1 405 ")
    assert b.seen == []


def test_servers_get_what_policies_saw(one):
    s, b = one(ok(), "policies: [{name: vpns, if: 'starts_with(http.path, \"/vpns/\")', then: {block: 403}}]\n")
    blocked = [b"/vpns/x", b"/vpn/../vpns/x", b"/vpn/%2e%2e/vpns/x", b"/vpn/%2E./vpns/x", b"//vpns//x", b"/%76pns/x",
               b"/./vpns/x"]
    for path in blocked:
        assert s.raw(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path).startswith(b"HTTP/1.1 403 "), path
    assert b.seen == []
    for sent, got in ((b"/a/../b", b"/b"), (b"/%41", b"/A"), (b"//a", b"/a"), (b"/a%20b?c=%2f", b"/a%20b?c=%2f")):
        s.raw(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % sent)
        assert b.seen[-1][0].split()[1] == got


def test_fields_from_strangers(one):
    s, b = one(ok())
    s.raw(b"GET / HTTP/1.1\r\nHost: A.example\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\nX-Keep: 2\r\nTE: trailers\r\n"
          b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Proto: https\r\nX_Under: 3\r\n"
          b"Proxy-Authorization: x\r\nX-Request-Id: mine\r\n\r\n")
    head = b.seen[-1][0]
    assert b"\r\nHost: A.example" in head and b"\r\nX-Keep: 2" in head
    for gone in (b"X-Drop", b"1.2.3.4", b"TE:", b"X_Under", b"Proxy-Authorization", b"mine", b"X-Forwarded-Proto: https"):
        assert gone not in head, gone
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head + b"\r\n"


LIMITS = "limits: {request_line: 256, field: 256, head: 1k, fields: 8, body: 1k, header_time: 1s, body_time: 1s}\n"


@pytest.mark.parametrize("request_bytes,status", [
    (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 9 + b"\r\n", 431),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"a" * 2048 + b"\r\n0\r\n\r\n", 413),
    (b"GET / HTTP/1.1\r\nHost: a\r\n", 408),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 408),
])
def test_limits_have_their_own_answers(one, request_bytes, status):
    s, _ = one(ok(), LIMITS)
    answer = s.raw(request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]


def test_error_pages(one):
    s, _ = one(ok(), "contact: 'Desk <1>'\npolicies: [{name: no, if: 'http.path == \"/no\"', then: {block: 403}}]\n")
    html = s.raw(b"GET /no HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"text/html" in html and b"Desk &lt;1&gt;" in html and b"luis" not in html
    json = s.raw(b"GET /no HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n")
    assert b'"status":403' in json
    number = json.split(b'"request_id":"')[1].split(b'"')[0].decode()
    wait_for(lambda: number in s.access(), what="the access log's line")


def test_cuts_between_header_bytes(one):
    """However a client's bytes are cut, the answer is the same."""
    s, _ = one(ok())
    request = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    for cut in range(1, len(request)):
        with s.connect() as c:
            c.setsockopt(6, 1, 1)
            c.sendall(request[:cut])
            c.sendall(request[cut:])
            assert read_all(c).endswith(b"hello"), cut


def test_a_long_request_does_not_blind_the_rules(one):
    """Rules that decode a long target one after the other must all still see it."""
    rules = "".join(f"  - {{name: r{i}, if: 'text_decode(http.target) contains \"never-{i}\"', then: {{block: 403}}}}\n"
                    for i in range(40))
    s, b = one(ok(), "policies:\n" + rules
               + "  - {name: last, if: 'text_decode(http.target) contains \"needle\"', then: {block: 403}}\n")
    answer = s.raw(b"GET /?" + b"a" * 7000 + b"%6eeedle HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 "), answer[:100]
    assert b.seen == []
