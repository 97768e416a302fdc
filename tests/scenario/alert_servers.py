"""Servers that take alerts: a webhook that checks signatures, mail over STARTTLS, syslog over UDP, TCP and TLS. Each keeps what it got, in
order, and lets a test await a condition of that. What a server does with its n-th message (from 0) is the test's to choose by `behave`."""
import base64
import email
import email.policy
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading
import time

from harness import wait_for

SYSLOG = re.compile(rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) - (.*)", re.S)


def server_context(cert):
    """cert: as certs.Authority.issue gives it, or a pair of paths."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain, key = (cert["chain"], cert["key"]) if isinstance(cert, dict) else cert
    context.load_cert_chain(chain, key)
    return context


class Server:
    """Listens on a free port of 127.0.0.1 (or the given one, to come back on), a thread per connection."""

    def __init__(self, cert=None, behave=None, port=0, kind=socket.SOCK_STREAM):
        self.context = server_context(cert) if cert else None
        self.behave, self.got, self.failed, self.n = behave or (lambda n: None), [], [], 0
        self.lock, self.open, self.is_over = threading.Lock(), set(), False
        self.listener = socket.socket(socket.AF_INET, kind)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            self.listener.listen(16)
        threading.Thread(target=self.run if kind == socket.SOCK_STREAM else self.run_datagrams, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            if self.is_over:
                c.close()
                return
            with self.lock:
                self.open.add(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            self.talk(self.wrap(c))
        except (OSError, ssl.SSLError, ValueError) as e:
            with self.lock:
                self.failed.append(repr(e))
        finally:
            with self.lock:
                self.open.discard(c)
            c.close()

    def wrap(self, c):
        return self.context.wrap_socket(c, server_side=True) if self.context else c

    def next_turn(self):
        with self.lock:
            self.n += 1
            return self.behave(self.n - 1)

    def keep(self, item):
        with self.lock:
            self.got.append(item)

    def wait(self, condition, what, seconds=60):
        """condition: of the list of what came so far. Gives that list."""
        def holds():
            with self.lock:
                got = list(self.got)
            return got if condition(got) else None
        return wait_for(holds, what, seconds)

    def wait_count(self, n, seconds=60):
        return self.wait(lambda got: len(got) >= n, f"{n} messages at port {self.port}", seconds)

    def drop_connections(self):
        with self.lock:
            for c in self.open:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        """Nobody listens any more, and connections end. A new server may take the port."""
        self.is_over = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        except OSError:
            pass
        self.listener.close()
        self.drop_connections()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class WebhookServer(Server):
    """got: {"id", "body" (bytes), "alert" (parsed), "fields", "is_signed"} of each request that was answered with 2xx; refused: of the others.
    behave(n): a status; "close": no answer; "hang": no answer for so long that the client has to give up; None: 204."""

    def __init__(self, secret=b"", cert=None, behave=None, port=0, location=None):
        self.secret, self.refused, self.location = secret, [], location
        super().__init__(cert, behave, port)

    def is_signed(self, fields, body):
        m = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", fields.get("sluis-signature", ""))
        if not m or abs(time.time() - int(m[1])) > 300:
            return False
        want = hmac.new(self.secret, m[1].encode() + b"." + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(want, m[2])

    def talk(self, c):
        f = c.makefile("rb")
        while line := f.readline():
            method, path, _ = line.decode().split()
            fields = {}
            while (line := f.readline()) not in (b"\r\n", b""):
                name, value = line.decode().split(":", 1)
                fields[name.lower()] = value.strip()
            body = f.read(int(fields.get("content-length", 0)))
            answer = self.next_turn() or 204
            item = {"method": method, "path": path, "id": fields.get("sluis-alert-id"), "body": body, "alert": json.loads(body), "fields": fields,
                    "is_signed": self.is_signed(fields, body), "answer": answer}
            if answer == "close":
                with self.lock:
                    self.refused.append(item)
                return
            if answer == "hang":
                with self.lock:
                    self.refused.append(item)
                f.readline()  # until the client gives up
                return
            with self.lock:
                (self.got if 200 <= answer < 300 else self.refused).append(item)
            more = f"Location: {self.location}\r\n" if self.location and 300 <= answer < 400 else ""
            c.sendall(f"HTTP/1.1 {answer} x\r\n{more}{'' if answer == 204 else 'Content-Length: 0' + chr(13) + chr(10)}\r\n".encode())


class MailServer(Server):
    """SMTP. mails: (user or None, message octets) that came over TLS; plain: those that came without. got: the parsed messages of both.
    tls=False: offers no STARTTLS; at_once: TLS from the first octet (smtps). behave(n): the answer to the n-th DATA's end, e.g. "451 later"."""

    def __init__(self, chain, key=None, tls=True, at_once=False, behave=None, port=0):
        self.tls, self.at_once, self.mails, self.plain = tls, at_once, [], []
        super().__init__((chain, key) if key else chain, behave, port)

    def wrap(self, c):
        return self.context.wrap_socket(c, server_side=True) if self.at_once else c

    def take(self, user, data, secure):
        answer = self.next_turn() or "250 ok"
        if answer.startswith("2"):
            with self.lock:
                (self.mails if secure else self.plain).append((user, data))
                self.got.append(email.message_from_bytes(data, policy=email.policy.default))
        return answer.encode() + b"\r\n"

    def sign_in(self, f, words):
        if len(words) < 3:
            f.write(b"334 \r\n")
            words.append(f.readline().strip())
        f.write(b"235 ok\r\n")
        return base64.b64decode(words[-1]).split(b"\0")[1:]

    def talk(self, c):
        f, secure, user = c.makefile("rwb", 0), self.at_once, None
        f.write(b"220 mail.example\r\n")
        while line := f.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                f.write(b"250-mail.example\r\n" + (b"250 AUTH PLAIN\r\n" if secure else b"250 STARTTLS\r\n" if self.tls else b"250 HELP\r\n"))
            elif verb == b"STARTTLS" and self.tls and not secure:
                f.write(b"220 go\r\n")
                c = self.context.wrap_socket(c, server_side=True)
                f, secure = c.makefile("rwb", 0), True
            elif verb == b"AUTH":
                user = self.sign_in(f, line.split())
            elif verb == b"DATA":
                f.write(b"354 go\r\n")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    part = f.readline()
                    if not part:
                        return
                    data += part
                f.write(self.take(user, data[:-3], secure))
            elif verb == b"QUIT":
                f.write(b"221 bye\r\n")
                return
            else:
                f.write(b"250 ok\r\n")


class SyslogServer(Server):
    """got: {"pri", "time", "host", "app", "msgid", "alert", "raw"}; bad: what is no message of ours. kind: "udp", "tcp" or "tls" (with cert).
    behave(n) of TCP and TLS: "close" ends the connection after the n-th message; "stall": reads nothing more."""

    def __init__(self, kind="udp", cert=None, behave=None, port=0):
        self.bad, self.connections = [], 0
        super().__init__(cert if kind == "tls" else None, behave, port, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)

    def take(self, raw):
        m = SYSLOG.fullmatch(raw)
        if not m or m[4] != b"sluis" or m[6] != b"ALERT" or len(raw) > 8192:
            with self.lock:
                self.bad.append(raw)
            return
        self.keep({"pri": int(m[1]), "time": m[2].decode(), "host": m[3].decode(), "app": m[4].decode(), "msgid": m[6].decode(), "alert": json.loads(m[7]), "raw": raw})

    def run_datagrams(self):
        while not self.is_over:
            try:
                self.take(self.listener.recv(65536))
            except OSError:
                return

    def talk(self, c):
        with self.lock:
            self.connections += 1
        f = c.makefile("rb")
        while True:
            length = b""
            while (d := f.read(1)).isdigit() and len(length) < 6:  # octet counting: "LENGTH MESSAGE"
                length += d
            if not d:
                return
            if d != b" " or not length:
                raise ValueError(f"no octet count: {length + d}")
            raw = f.read(int(length))
            if len(raw) < int(length):
                return
            self.take(raw)
            what = self.next_turn()
            if what == "close":
                return
            if what == "stall":
                wait_for(lambda: self.is_over, "the test's end", 3600)
                return
