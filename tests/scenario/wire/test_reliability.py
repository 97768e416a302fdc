"""Servers, clients and our own processes that fail."""
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

from wire import BUILD, Backend, certificate, ok, read_all, read_answer, tls_context, wait_for

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def two(start, a, b, pool="", more="", workers=1):
    return start("listeners: {web: {address: '127.0.0.1:@PORT@'}}\npools: {app: {servers: "
                 f"['127.0.0.1:{a.port}', '127.0.0.1:{b.port}']{pool}}}}}\n{more}", workers)


def test_both_servers_get_requests(start, backend):
    a, b = backend(ok(b"a")), backend(ok(b"b"))
    s = two(start, a, b)
    got = [s.raw(GET)[-1:] for _ in range(10)]
    assert got.count(b"a") == 5 and got.count(b"b") == 5


def test_a_server_that_is_gone_costs_no_request(start, backend):
    a, b = backend(ok(b"a")), backend(ok(b"b"))
    s = two(start, a, b)
    b.close()
    for _ in range(20):
        assert s.raw(GET).endswith(b"a")


def test_checks_take_a_server_out_and_in(start, backend):
    state = {"status": b"200 OK"}

    def sick(_head, _body, conn):
        conn.sendall(b"HTTP/1.1 " + state["status"] + b"\r\nContent-Length: 1\r\n\r\nb")
    a, b = backend(ok(b"a")), backend(sick)
    s = two(start, a, b, ", check: {http: /, interval: 100ms, rise: 1, fall: 1}")
    wait_for(lambda: s.errors().count("event=server.up") == 2, what="the first checks")
    state["status"] = b"500 No"
    wait_for(lambda: "event=server.down" in s.errors(), what="the server to be down")
    assert {s.raw(GET)[-1:] for _ in range(10)} == {b"a"}
    state["status"] = b"200 OK"
    wait_for(lambda: s.errors().count("event=server.up") >= 3, what="the server to be up again")
    assert {s.raw(GET)[-1:] for _ in range(10)} == {b"a", b"b"}


def test_answers_that_are_none(one):
    answers = {b"/garbage": b"SSH-2.0-x\r\n\r\n", b"/lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
               b"/both": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"/close": b""}

    def reply(head, _body, conn):
        conn.sendall(answers.get(head.split()[1], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        return False
    s, _ = one(reply)
    for path in answers:
        answer = s.raw(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path)
        assert answer.startswith(b"HTTP/1.1 502 "), (path, answer[:100])


def test_a_server_that_never_answers(one):
    release = threading.Event()

    def reply(head, _body, conn):
        if b"/slow" in head:
            release.wait(20)
            return False
        return ok()(head, _body, conn)
    s, _ = one(reply, pool=", response_time: 500ms, retry: {tries: 0}")
    assert s.raw(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 504 ")
    release.set()


def test_a_server_that_dies_inside_an_answer(one):
    def reply(head, _body, conn):
        if b"/cut" not in head:
            return ok()(head, _body, conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False
    s, _ = one(reply)
    answer = s.raw(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"half")  # the client sees a short answer, not a whole one
    assert s.raw(GET).endswith(b"hello")


def test_an_answer_before_the_body_is_sent(one):
    s, b = one(ok())
    b.body = lambda conn, head, data: (b"", data)
    with s.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
        assert read_answer(c)[0] == 200
        assert read_all(c) == b""  # and the connection ends: its rest is not a request


def test_clients_that_vanish(one):
    s, _ = one(ok(b"x" * 1000000))
    for _ in range(20):
        c = s.connect()
        c.sendall(GET)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        c.close()
    assert s.raw(GET).endswith(b"xxx")


class Load:
    """Clients that ask without pause until stopped, and count what went wrong."""

    def __init__(self, s, clients=4):
        self.s, self.done, self.failed, self.count = s, False, [], 0
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def run(self):
        while not self.done:
            try:
                with self.s.connect() as c:
                    left = b""
                    for _ in range(50):
                        c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                        status, head, body, left = read_answer(c, left)
                        self.count += 1
                        if status != 200 or body != b"hello":
                            self.failed.append((status, body))
                        if b"connection: close" in head.lower():
                            break
            except (OSError, AssertionError) as e:
                self.failed.append(repr(e))

    def stop(self):
        self.done = True
        for t in self.threads:
            t.join()


def test_reload_under_load_fails_no_request(one):
    s, _ = one(ok(), workers=2)
    load = Load(s)
    for _ in range(3):
        before = load.count
        result = s.cli("reload")
        assert result.returncode == 0, result.stderr + result.stdout
        wait_for(lambda: load.count > before + 50, what="requests after the reload")
    load.stop()
    assert load.failed == [] and load.count > 150


def test_an_invalid_configuration_changes_nothing(one):
    s, _ = one(ok())
    s.conf.write_text(s.conf.read_text() + "listenrs: {}\n")
    result = s.cli("reload")
    assert result.returncode != 0
    assert "unknown key 'listenrs'" in result.stderr + result.stdout, result
    assert s.raw(GET).endswith(b"hello")


def test_a_killed_worker_comes_back(one):
    s, _ = one(ok())
    old = wait_for(lambda: s.children("worker"), what="a worker")
    os.kill(old[0], signal.SIGKILL)
    wait_for(lambda: s.children("worker") and s.children("worker") != old, what="another worker")
    assert wait_for(lambda: s.raw(GET).endswith(b"hello"), what="an answer")


def test_killed_helpers_come_back(start, backend, tmp_path):
    certificate(tmp_path)
    b = backend(ok())
    s = start("listeners: {web: {address: '127.0.0.1:@PORT@'}, tls: {address: '127.0.0.1:@TLS@', tls: {certificates: "
              "[{chain: cert.pem, key: key.pem}]}}}\n"
              f"pools: {{app: {{servers: ['127.0.0.1:{b.port}'], keep: 0}}}}\n")

    def over_tls():
        try:
            with socket.create_connection(("127.0.0.1", s.tls_port), timeout=5) as raw:
                with tls_context(tmp_path).wrap_socket(raw, server_hostname="localhost") as c:
                    c.sendall(GET)
                    return read_all(c).endswith(b"hello")
        except (ssl.SSLError, OSError):
            return False
    for name in ("keeper", "dialer", "prober"):
        old = wait_for(lambda: s.children(name), what=name)
        os.kill(old[0], signal.SIGKILL)
        wait_for(lambda: s.children(name) and s.children(name) != old, what=f"another {name}")
        assert wait_for(over_tls, what=f"an answer after the {name} was killed")


def test_tls_versions_and_resumption(start, backend, tmp_path):
    certificate(tmp_path)
    b = backend(ok())
    s = start("listeners: {web: {address: '127.0.0.1:@PORT@'}, tls: {address: '127.0.0.1:@TLS@', tls: {hsts: 1d, certificates: "
              "[{chain: cert.pem, key: key.pem}]}}}\n"
              f"pools: {{app: {{servers: ['127.0.0.1:{b.port}']}}}}\n", workers=2)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context, session = tls_context(tmp_path), None
        context.minimum_version = context.maximum_version = version
        for turn in range(6):
            if turn == 4:  # tickets outlive a reload, and serve all workers
                assert s.cli("reload").returncode == 0
            with socket.create_connection(("127.0.0.1", s.tls_port), timeout=20) as raw:
                with context.wrap_socket(raw, server_hostname="localhost", session=session) as c:
                    c.sendall(GET)
                    answer = read_all(c)
                    assert answer.endswith(b"hello") and b"Strict-Transport-Security: max-age=86400" in answer
                    assert c.session_reused == (turn > 0), (version, turn)
                    session = c.session


def test_a_big_body_goes_through_a_small_process(one):
    def reply(head, _body, conn):
        if b"/big" not in head:
            return ok()(head, _body, conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n")
        for _ in range(300):
            conn.sendall(b"x" * 1000000)
    s, _ = one(reply)
    with s.connect() as c:
        c.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_for(lambda: len(c.recv(1)), what="the first byte")
        time.sleep(0.5)  # a reader that pauses: the process must not take the rest in meanwhile
        status = open(f"/proc/{s.children('worker')[0]}/status").read()
        anonymous = int(status.split("RssAnon:")[1].split()[0])
        n = 1
        while True:
            more = c.recv(1 << 20)
            if not more:
                break
            n += len(more)
    assert n > 300000000
    assert anonymous < 200000, anonymous  # with a sanitizer's own memory; a body taken in would be 300 MB


def test_shipped_rules_block_the_probe(one):
    s, b = one(ok(), "rules: [netscaler]\n")
    for path in (b"/vpn/../vpns/cfg/smb.conf", b"/vpns/portal/scripts/newbm.pl", b"/vpn/%2e%2e/vpns/portal/x.xml"):
        answer = s.raw(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path)
        assert answer.startswith(b"HTTP/1.1 403 "), path
    assert b.seen == []
    wait_for(lambda: '"rule.ruleset":"netscaler"' in s.access(), what="the log's line")


def test_check_names_every_error(tmp_path):
    conf = tmp_path / "bad.yaml"
    conf.write_text("listeners:\n  web:\n    adress: 127.0.0.1:80\npools:\n  app:\n    servers: [127.0.0.1:x]\n"
                    "routes:\n  - {pool: ap}\npolicies:\n  - {name: x, if: 'http.pth == \"a\"', then: {blok: 403}}\n")
    r = subprocess.run([BUILD / "sluis", "check", conf], capture_output=True, text=True)
    text = r.stdout + r.stderr
    assert r.returncode != 0
    for line in ("bad.yaml:3:5:", "write 'address'", "bad.yaml:6:", "bad.yaml:8:", "write 'app'", "bad.yaml:10:",
                 "did you mean http.path?", "write 'block'"):
        assert line in text, (line, text)
