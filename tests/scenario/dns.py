"""A DNS server that says what a scenario tells it to: records, an error, nonsense, or nothing."""
import ipaddress
import socket
import struct
import threading

from harness import free_port

A, AAAA = 1, 28
SERVFAIL, NXDOMAIN = 2, 3


def encode(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split(".") if part) + b"\0"


def question_of(query):
    """(name, type, the question's bytes)"""
    at, parts = 12, []
    while query[at]:
        parts.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(parts).lower(), struct.unpack("!H", query[at + 1:at + 3])[0], query[12:at + 5]


def record(kind, ttl, data):
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def address(text, ttl):
    ip = ipaddress.ip_address(text)
    return A if ip.version == 4 else AAAA, record(A if ip.version == 4 else AAAA, ttl, ip.packed)


def answer(query, records=(), rcode=0, truncated=False):
    _, _, question = question_of(query)
    flags = 0x8180 | rcode | (0x0200 if truncated else 0)
    return query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)


class Dns:
    """zone[name] is what to say: a list of addresses, an error's number, bytes that are sent as they are (behind the
    query's id), a function of the query, or None for silence. Names that are not in it do not exist."""

    def __init__(self, world, ttl=1, **zone):
        self.zone, self.ttl, self.queries, self.tcp_queries = {n.replace("_", "."): v for n, v in zone.items()}, ttl, [], []
        self.ready = threading.Event()
        self.ready.set()
        self.port = free_port()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.address = f"127.0.0.1:{self.port}"
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()
        world.at_end(self.close)

    def reply(self, query, over_tcp=False):
        name, kind, _ = question_of(query)
        (self.tcp_queries if over_tcp else self.queries).append((name, kind))
        what = self.zone.get(name, NXDOMAIN)
        if callable(what):
            what = what(query, over_tcp)
        if what is None or (isinstance(what, bytes) and over_tcp):
            return None
        if isinstance(what, bytes):
            return query[:2] + what
        if isinstance(what, int):
            return answer(query, rcode=what)
        if what == "truncated":
            return answer(query, truncated=True)
        return answer(query, [r for k, r in (address(a, self.ttl) for a in what) if k == kind])

    def serve_udp(self):
        while True:
            try:
                query, self.peer = self.udp.recvfrom(4096)
                if not query:  # shut down
                    return
                self.ready.wait(20)
                data = self.reply(query)
                if data is not None:
                    self.udp.sendto(data, self.peer)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            with sock:
                try:
                    sock.settimeout(10)
                    while True:
                        size = sock.recv(2, socket.MSG_WAITALL)
                        if len(size) < 2:
                            break
                        data = self.reply(sock.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL), True)
                        if data is not None:
                            sock.sendall(struct.pack("!H", len(data)) + data)
                except OSError:
                    pass

    def close(self):
        self.ready.set()
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
