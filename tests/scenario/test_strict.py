"""What two readers could read differently is refused with 400 (or the limit's own answer), the connection is closed,
and no byte of it reaches a server."""
import pytest

from harness import Client, World, get

H = "Host: a\r\n"
MALFORMED = {
    "both lengths": f"POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two different lengths": f"POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of different lengths": f"POST / HTTP/1.1\r\n{H}Content-Length: 4, 5\r\n\r\nabcde",
    "a signed length": f"POST / HTTP/1.1\r\n{H}Content-Length: +4\r\n\r\nabcd",
    "a negative length": f"POST / HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n",
    "a hexadecimal length": f"POST / HTTP/1.1\r\n{H}Content-Length: 0x4\r\n\r\nabcd",
    "an empty length": f"POST / HTTP/1.1\r\n{H}Content-Length: \r\n\r\n",
    "a length over 64 bits": f"POST / HTTP/1.1\r\n{H}Content-Length: 18446744073709551616\r\n\r\n",
    "an unknown coding": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: gzip\r\n\r\n",
    "chunked is not last": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a coding before chunked": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two fields": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked with a tail": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": f"POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": f"POST / HTTP/1.1\r\n{H}Content-Length : 4\r\n\r\nabcd",
    "tab before the colon": f"POST / HTTP/1.1\r\n{H}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a folded field": f"GET / HTTP/1.1\r\n{H}X-A: b\r\n c\r\n\r\n",
    "a field that starts folded": f"GET / HTTP/1.1\r\n X-A: b\r\n{H}\r\n",
    "a bare line feed": f"GET / HTTP/1.1\n{H}\r\n",
    "a bare line feed in a field": f"GET / HTTP/1.1\r\n{H}X-A: b\nX-B: c\r\n\r\n",
    "a bare carriage return": f"GET / HTTP/1.1\r\n{H}X-A: b\rX-B: c\r\n\r\n",
    "NUL in a value": f"GET / HTTP/1.1\r\n{H}X-A: b\0c\r\n\r\n",
    "a control in a value": f"GET / HTTP/1.1\r\n{H}X-A: b\x01c\r\n\r\n",
    "DEL in a value": f"GET / HTTP/1.1\r\n{H}X-A: b\x7fc\r\n\r\n",
    "a field without a colon": f"GET / HTTP/1.1\r\n{H}X-A\r\n\r\n",
    "a field without a name": f"GET / HTTP/1.1\r\n{H}: b\r\n\r\n",
    "a name with a space": f"GET / HTTP/1.1\r\n{H}X A: b\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "two Hosts": f"GET / HTTP/1.1\r\n{H}Host: b\r\n\r\n",
    "the same Host twice": f"GET / HTTP/1.1\r\n{H}{H}\r\n",
    "an empty Host": "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host with a user": "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "a Host with a path": "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a Host with a space": "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a Host with a bad port": "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
    "a Host that is not the target's": f"GET http://b/ HTTP/1.1\r\n{H}\r\n",
    "two spaces in the line": f"GET  / HTTP/1.1\r\n{H}\r\n",
    "a tab in the line": f"GET\t/ HTTP/1.1\r\n{H}\r\n",
    "a space in the target": f"GET /a b HTTP/1.1\r\n{H}\r\n",
    "a fragment": f"GET /a#b HTTP/1.1\r\n{H}\r\n",
    "no version": f"GET /\r\n{H}\r\n",
    "a version in small letters": f"GET / http/1.1\r\n{H}\r\n",
    "a long version": f"GET / HTTP/1.10\r\n{H}\r\n",
    "a method with a colon": f"GE:T / HTTP/1.1\r\n{H}\r\n",
    "a target without a slash": f"GET a HTTP/1.1\r\n{H}\r\n",
    "an asterisk for GET": f"GET * HTTP/1.1\r\n{H}\r\n",
    "octets over ASCII in the target": f"GET /\xe9 HTTP/1.1\r\n{H}\r\n",
    "TLS on a plain port": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}
BAD_CHUNKS = {
    "not a number": "x\r\nabc\r\n0\r\n\r\n", "0x": "0x3\r\nabc\r\n0\r\n\r\n", "a sign": "+3\r\nabc\r\n0\r\n\r\n",
    "over 64 bits": "10000000000000000\r\nabc", "a space before": " 3\r\nabc\r\n0\r\n\r\n",
    "a bare line feed": "3\nabc\r\n0\r\n\r\n", "too long": "3\r\nabcd\r\n0\r\n\r\n", "empty": "\r\nabc\r\n0\r\n\r\n",
    "a bare line feed behind": "3\r\nabc\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
def pair():
    w = World()
    backend = w.scripted()
    s = w.serve(backend)
    yield backend, s
    w.close()


@pytest.mark.parametrize("why", MALFORMED)
def test_malformed_is_refused_and_never_forwarded(pair, why):
    backend, s = pair
    before = len(backend.heads)
    with Client(s.port()) as c:
        c.send(MALFORMED[why])
        assert c.response().status in (400, 501, 505), why
        assert c.is_ended()
    assert len(backend.heads) == before, backend.heads[before:]


@pytest.mark.parametrize("why", MALFORMED)
def test_nothing_behind_a_malformed_request_is_served(pair, why):
    backend, s = pair
    before = len(backend.heads)
    with Client(s.port()) as c:
        c.send(MALFORMED[why] + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().status in (400, 501, 505)
        assert c.is_ended()
    assert len(backend.heads) == before


@pytest.mark.parametrize("why", BAD_CHUNKS)
def test_bad_chunks_end_the_connection(world, why):
    got = []

    def script(server, sock, head, rest):
        got.append(rest)
        while data := sock.recv(65536):
            got.append(data)
        return False
    s = world.serve(world.scripted(script))
    with Client(s.port()) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + BAD_CHUNKS[why] +
               "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        # 2^64 is a well-formed size, and over every limit
        assert c.response().status == (413 if why == "over 64 bits" else 400)
        assert c.is_ended()
    assert b"0\r\n\r\n" not in b"".join(got) and b"smuggled" not in b"".join(got)


def test_the_same_length_twice_is_one_or_none(pair):
    backend, s = pair
    with Client(s.port()) as c:
        c.send(f"POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd")
        r = c.response()
    if r.status == 200:
        assert [v for n, v in r.json()["fields"] if n == "content-length"] == ["4"]
    else:
        assert r.status == 400


def test_a_good_request_still_passes(pair):
    assert get(pair[1].port()).status == 200
