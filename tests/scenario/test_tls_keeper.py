"""The keeper in the middle of handshakes: late, gone, and asked by more clients than may ask at once."""
import os
import signal
import socket
import ssl

import pytest

from certs import Authority
from harness import PATIENCE, Client, get, wait_for
from test_tls import V12, V13, serve_tls, trust


class Slow:
    """A TLS client of which only the first message is sent, until finish() is called."""

    def __init__(self, port, context, name="site.test"):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname=name)
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.flush()

    def flush(self):
        self.sock.sendall(self.outward.read())

    def fill(self):
        data = self.sock.recv(65536)
        if data:
            self.inward.write(data)
        else:
            self.inward.write_eof()

    def finish(self):
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()

    def get(self):
        self.tls.write(b"GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
        self.flush()
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.fill()

    def close(self):
        self.sock.close()


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_keeper_that_dies_fails_its_handshakes_and_no_others(world, version, kind):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test", kind=kind))
    context = trust(ca, version)
    with Client(s.port(), tls=context) as old:
        assert old.get().status == 200
        keeper, = s.pids("keeper")
        os.kill(keeper, signal.SIGSTOP)
        slow = [Slow(s.port(), context) for _ in range(3)]
        failed = s.metric("sluis_tls_failed_total")
        os.kill(keeper, signal.SIGKILL)
        for c in slow:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                c.finish()
            c.close()
        wait_for(lambda: s.metric("sluis_tls_failed_total") >= failed + 3, "the failures are counted")
        assert old.get().status == 200

        def again():
            try:
                return get(s.port(), tls=context).status == 200
            except (ssl.SSLError, ConnectionError):
                return False
        wait_for(again, "handshakes work after the keeper's restart")
    assert s.pids("keeper") != [keeper]


@pytest.mark.parametrize("version", [V12, V13])
def test_more_handshakes_than_may_ask_at_once(world, version):
    """400 clients while the keeper is stopped; a third of them goes away before it goes on."""
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test", kind="rsa"))
    s.config["limits"] = {"connections_per_client": 0, "header_time": "60s"}
    s.reload()
    context = trust(ca, version)
    keeper = wait_for(lambda: len(s.pids("keeper")) == 1 and s.pids("keeper"), "the old generation is gone")[0]
    with Client(s.port(), tls=context) as old:
        os.kill(keeper, signal.SIGSTOP)
        try:
            slow = [Slow(s.port(), context) for _ in range(400)]
            wait_for(lambda: s.metric("sluis_connections_open") >= 400, "all are accepted")
            assert old.get().status == 200  # the worker is not held up
            for c in slow[::3]:
                c.close()
            slow = [c for i, c in enumerate(slow) if i % 3]
            wait_for(lambda: s.metric("sluis_connections_open") < 370, "those that went and were being signed for are forgotten")
        finally:
            os.kill(keeper, signal.SIGCONT)
        for c in slow:
            c.finish()
            assert c.get().startswith(b"HTTP/1.1 200")
            c.close()
    assert "ipc.violation" not in s.log() and "child.exited" not in s.log().split("config.loaded")[-1]
