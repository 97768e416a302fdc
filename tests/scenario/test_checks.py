"""Health checks: what passes, what does not, and that the reason is told in the log and in the status."""
import ssl

import pytest

from certs import Authority
from dns import Dns
from harness import free_port, get, wait_for

OK = b"HTTP/1.1 200 OK\r\n"


def says(*parts):
    """A server that answers every request with these bytes, each sent by itself, and ends."""
    def script(server, sock, head, rest):
        for part in parts:
            sock.sendall(part)
        return False
    return script


def checked(world, *servers, tls=None, **check):
    check = dict({"interval": "100ms", "timeout": "2s", "rise": 1, "fall": 1}, **check)
    pool = {"check": check, **({"tls": tls} if tls else {})}
    return world.serve(*servers, pool=pool)


def server_status(s):
    return s.status()["pools"][0]["servers"][0]


def up(s):
    wait_for(lambda: "event=server.up" in s.log(), "the server is up")
    assert "event=server.down" not in s.log()
    status = server_status(s)
    assert status["health"] == "up" and status["check_error"] == "" and status["checks"] > 0


def down(s, why):
    wait_for(lambda: "event=server.down" in s.log(), "the server is down")
    line = next(l for l in s.log().splitlines() if "event=server.down" in l)
    assert f'why="{why}"' in line or f"why={why}" in line, line
    status = server_status(s)
    assert status["health"] == "down" and status["check_error"] == why and status["checks_failed"] > 0
    assert f"last check: {why}" in s.cli("status").stdout
    assert get(s.port()).status == 503


PASS = {
    "a status": (says(OK + b"Content-Length: 0\r\n\r\n"), {}),
    "the last status of a range": (says(b"HTTP/1.1 299 X\r\nContent-Length: 0\r\n\r\n"), {"status": "200-299"}),
    "an interim answer first": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n", OK + b"Content-Length: 0\r\n\r\n"), {"status": 200}),
    "text over two chunks": (says(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nre\r\n", b"3\r\nady\r\n0\r\n\r\n"), {"text": "ready"}),
    "text until the end": (says(OK + b"\r\nall ", b"ready"), {"text": "ready"}),
    "text far behind": (says(OK + b"Content-Length: 200005\r\n\r\n" + b"x" * 200000 + b"ready"), {"text": "ready"}),
}
FAIL = {
    "a status": (says(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), {}, "status 500, wanted 200-399"),
    "another status": (says(OK + b"Content-Length: 0\r\n\r\n"), {"status": 204}, "status 200, wanted 204"),
    "no text": (says(OK + b"Content-Length: 4\r\n\r\nnone"), {"text": "ready"}, "text not found"),
    "text in the framing": (says(OK + b"Transfer-Encoding: chunked\r\n\r\n1;ready\r\nx\r\n0\r\n\r\n"), {"text": "ready"},
                            "text not found"),
    "text too far behind": (says(OK + b"\r\n" + b"x" * (256 * 1024) + b"ready"), {"text": "ready"},
                            "text not found in the first 256 KB"),
    "no answer": (says(), {}, "closed without an answer"),
    "half an answer": (says(b"HTTP/1.1 200 O"), {}, "closed inside the answer"),
    "silence": (lambda server, sock, head, rest: sock.recv(1), {"timeout": "1s"}, "timeout"),
}


@pytest.mark.parametrize("why", PASS)
def test_passes(world, why):
    script, check = PASS[why]
    up(checked(world, world.scripted(script), http="/health", **check))


@pytest.mark.parametrize("why", FAIL)
def test_fails(world, why):
    script, check, reason = FAIL[why]
    down(checked(world, world.scripted(script), http="/health", **check), reason)


def test_what_the_server_is_asked(world):
    backend = world.scripted(says(OK + b"Content-Length: 0\r\n\r\n"))
    up(checked(world, backend, http="/health?deep=1", host="app.example.org"))
    head = backend.heads[0]
    assert head.startswith(b"GET /health?deep=1 HTTP/1.1\r\nHost: app.example.org\r\n") and b"Connection: close\r\n" in head


def test_a_port_on_which_nobody_listens(world):
    down(checked(world, f"127.0.0.1:{free_port()}"), "connect: Connection refused")


def test_a_connection_is_the_check(world):
    backend = world.scripted(lambda server, sock, head, rest: sock.recv(1) and False, raw=True)
    up(checked(world, backend))
    assert backend.connections and backend.heads == []


def test_a_name_that_is_not_known(world):
    dns = Dns(world)
    s = world.serve("app.test:80", pool={"check": {"interval": "100ms", "fall": 1}}, resolvers=[dns.address])
    wait_for(lambda: "event=server.down" in s.log(), "the server is down")
    assert server_status(s)["check_error"] == "no address of the name is known"


def test_rise_and_fall_count_checks_in_a_row(world):
    answers = [200, 500, 500, 200, 500, 500, 500, 200, 500, 200, 200, 200]
    seen = []

    def script(server, sock, head, rest):
        # The check before this one has been judged and told.
        seen.append((s.log().count("event=server.up"), s.log().count("event=server.down")) if made else None)
        status = answers[min(len(seen), len(answers)) - 1]
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        return False
    made = []
    backend = world.scripted(script)
    s = world.serve("127.0.0.1:%d" % backend.port, pool={"check": {"http": "/", "interval": "300ms", "rise": 2, "fall": 3}})
    made.append(s)
    wait_for(lambda: len(seen) > len(answers), "all checks")
    # The first check decides at once; then three failures in a row, and two passes in a row.
    assert seen[2:13] == [(1, 0)] * 5 + [(1, 1)] * 4 + [(2, 1)] * 2


def test_the_servers_end_is_awaited(world):
    ends = []

    def script(server, sock, head, rest):
        sock.sendall(OK + b"Content-Length: 30000\r\n\r\n")
        sock.sendall(b"x" * 30000)
        sock.shutdown(1)
        try:
            ends.append(sock.recv(1))
        except ConnectionResetError as e:
            ends.append(e)
        return False
    s = checked(world, world.scripted(script), http="/")
    wait_for(lambda: len(ends) >= 5, "five checks")
    assert ends[:5] == [b""] * 5
    up(s)


# --- TLS ---

def nginx_tls(world, cert, extra=""):
    return world.nginx("tls", tls=f"ssl_certificate {cert['chain']}; ssl_certificate_key {cert['key']}; {extra}",
                       extra="location /sick { return 500; }")


def test_checks_over_tls(world):
    ca = Authority(world.dir)
    server = nginx_tls(world, ca.issue("app.test"))
    tls = {"ca": ca.path, "server_name": "app.test"}
    up(checked(world, server, tls=tls, http="/", text="tls"))
    up(checked(world, server, tls=tls))
    down(checked(world, server, tls=tls, http="/sick"), "status 500, wanted 200-399")


@pytest.mark.parametrize("check", [{"http": "/"}, {}])
def test_a_certificate_that_nobody_trusts(world, check):
    server = nginx_tls(world, Authority(world.dir).issue("app.test"))
    other = Authority(world.dir, "Other CA")
    down(checked(world, server, tls={"ca": other.path, "server_name": "app.test"}, **check),
         "tls: self-signed certificate in certificate chain")


def test_a_certificate_of_another_name(world):
    ca = Authority(world.dir)
    server = nginx_tls(world, ca.issue("app.test"))
    down(checked(world, server, tls={"ca": ca.path, "server_name": "other.test"}, http="/"),
         "tls: hostname mismatch")
    up(checked(world, server, tls={"verify": False, "server_name": "other.test"}, http="/"))


def test_a_server_that_takes_connections_and_speaks_no_tls(world):
    ca = Authority(world.dir)
    backend = world.scripted(lambda server, sock, head, rest: sock.sendall(b"SSH-2.0-x\r\n"), raw=True)
    down(checked(world, backend, tls={"ca": ca.path, "server_name": "app.test"}), "tls: wrong version number")


def test_a_server_that_is_silent_in_the_handshake(world):
    ca = Authority(world.dir)
    backend = world.scripted(lambda server, sock, head, rest: sock.recv(100000) and server.ended.wait(20), raw=True)
    down(checked(world, backend, tls={"ca": ca.path, "server_name": "app.test"}, timeout="300ms"), "tls: timeout")


def test_checks_show_the_pools_certificate(world):
    ca = Authority(world.dir)
    ours = ca.issue("sluis.test")
    server = nginx_tls(world, ca.issue("app.test"), f"ssl_client_certificate {ca.path}; ssl_verify_client on;")
    s = checked(world, server, tls={"ca": ca.path, "server_name": "app.test", **ours}, http="/", status=200)
    up(s)
    assert get(s.port()).body == b"tls\n"
    # Without it the same server refuses.
    down(checked(world, server, tls={"ca": ca.path, "server_name": "app.test"}, http="/", status=200), "status 400, wanted 200")


def test_tls_checks_are_closed_in_order(world):
    ca = Authority(world.dir)
    cert = ca.issue("app.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert["chain"], cert["key"])
    ends = []

    def script(server, sock, head, rest):
        with context.wrap_socket(sock, server_side=True) as t:  # whose tickets nobody asked for
            try:
                ends.append(t.recv(1))  # empty only after a close_notify
                t.unwrap()
            except OSError as e:
                ends[-1:] = [e]
    s = checked(world, world.scripted(script, raw=True), tls={"ca": ca.path, "server_name": "app.test"})
    wait_for(lambda: len(ends) >= 3, "three checks")
    assert ends[:3] == [b""] * 3
    up(s)
