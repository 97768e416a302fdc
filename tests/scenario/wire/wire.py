"""What scenarios share: real processes on free ports in temporary folders, awaited by condition and ended by
their own ids."""
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("SLUIS_BUILD", ROOT / "build-test"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=20, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = condition()
        except OSError:
            value = None
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Backend:
    """A scripted server: reply(request_head_and_body, socket) answers each request; what came is kept raw."""

    def __init__(self, reply):
        self.conns = []
        self.reply, self.seen, self.sock = reply, [], socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.conns.append(conn)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        data = b""
        with conn:
            try:
                while True:
                    while b"\r\n\r\n" not in data:
                        more = conn.recv(65536)
                        if not more:
                            return
                        data += more
                    head, data = data.split(b"\r\n\r\n", 1)
                    if head.startswith(b"GET /wire-listens "):  # the harness asks whether Sluis listens
                        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        continue
                    body, data = self.body(conn, head, data)
                    self.seen.append((head, body))
                    if self.reply(head, body, conn) is False:
                        return
            except OSError:
                return

    def body(self, conn, head, data):
        low = head.lower()
        if b"\r\ncontent-length:" in low:
            n = int(low.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
            while len(data) < n:
                data += conn.recv(65536)
            return data[:n], data[n:]
        if b"\r\ntransfer-encoding: chunked" in low:
            out = b""
            while True:
                while b"\r\n" not in data:
                    data += conn.recv(65536)
                size, data = data.split(b"\r\n", 1)
                n = int(size, 16)
                if n == 0:
                    return out, after_trailers(conn, data)
                while len(data) < n + 2:
                    data += conn.recv(65536)
                out, data = out + data[:n], data[n + 2:]
        return b"", data

    def close(self):
        """Gone like a killed server: nobody listens, and its connections end."""
        for sock in [self.sock, *self.conns]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sock.close()


def ok(body=b"hello"):
    def reply(head, _body, conn):
        sent = b"" if head.startswith(b"HEAD ") else body
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + sent)
    return reply


class Sluis:
    def __init__(self, folder, yaml, workers=1):
        self.folder, self.port, self.tls_port, self.admin_port = folder, free_port(), free_port(), free_port()
        self.yaml, self.workers = yaml, workers
        self.conf = folder / "sluis.yaml"
        self.write(yaml)
        self.log = open(folder / "error.log", "wb")
        self.proc = subprocess.Popen([BUILD / "sluisd", "-c", self.conf, "--rules", ROOT / "rules"], stderr=self.log)
        wait_for(lambda: self.proc.poll() is not None or "event=config.loaded" in self.errors(), what="Sluis to start")
        wait_for(self.answers, what="Sluis to answer")

    def answers(self):
        if self.proc.poll() is not None:
            raise AssertionError("sluisd ended:\n" + self.errors())
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
            s.sendall(b"GET /wire-listens HTTP/1.0\r\n\r\n")
            s.settimeout(2)
            return s.recv(1) == b"H"

    def write(self, yaml):
        self.conf.write_text(
            f"workers: {self.workers}\nstate_dir: {self.folder}/state\n"
            f"admin: {{socket: {self.folder}/admin.sock, listen: '127.0.0.1:{self.admin_port}'}}\n"
            f"log: {{access: {self.folder}/access.log}}\n"
            + yaml.replace("@PORT@", str(self.port)).replace("@TLS@", str(self.tls_port)))

    def errors(self):
        return (self.folder / "error.log").read_text(errors="replace")

    def access(self):
        path = self.folder / "access.log"
        return path.read_text() if path.exists() else ""

    def cli(self, *args):
        return subprocess.run([BUILD / "sluis", "-c", self.conf, *args], capture_output=True, text=True, timeout=60)

    def children(self, name):
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.proc.pid)], capture_output=True, text=True).stdout
        return [int(line.split()[0]) for line in out.splitlines() if f"sluis-{name}" in line]

    def connect(self, timeout=20):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, data, timeout=20):
        """Sends data and reads to the end of the connection."""
        with self.connect(timeout) as s:
            s.sendall(data)
            return read_all(s)

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        try:
            status = self.proc.wait(40)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            raise
        finally:
            self.log.close()
        text = self.errors()
        for bad in ("AddressSanitizer: ", "runtime error", "LeakSanitizer", "check.failed"):
            assert bad not in text, text
        return status


def after_trailers(sock, data):
    """What follows the lines up to the empty one."""
    while True:
        while b"\r\n" not in data:
            more = sock.recv(65536)
            assert more, "closed inside trailers"
            data += more
        line, data = data.split(b"\r\n", 1)
        if not line:
            return data


def read_all(s):
    out = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return out
        if not more:
            return out
        out += more


def read_answer(s, data=b""):
    """One answer with Content-Length or chunked framing: (status, head, body, what is left)."""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        assert more, f"closed after {data!r}"
        data += more
    head, data = data.split(b"\r\n\r\n", 1)
    low, status = head.lower(), int(head.split()[1])
    if b"transfer-encoding: chunked" in low:
        body = b""
        while True:
            while b"\r\n" not in data:
                data += s.recv(65536)
            size, data = data.split(b"\r\n", 1)
            n = int(size, 16)
            if n == 0:
                return status, head, body, after_trailers(s, data)
            while len(data) < n + 2:
                data += s.recv(65536)
            body, data = body + data[:n], data[n + 2:]
    n = int(low.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in low else 0
    while len(data) < n:
        more = s.recv(65536)
        assert more, "closed inside a body"
        data += more
    return status, head, data[:n], data[n:]


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)


def tls_context(folder):
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    return context
