"""Three readers of the same bytes: Sluis, nginx and Node. What Sluis passes on is read by both servers as Sluis read it;
what it refuses reaches neither; and no server sees a request that Sluis did not send. Sluis numbers each request that it
passes on (X-Request-Id), so that its own log and the two servers' records are joined exactly."""
import json
import os
import re
import shutil
import socket
import threading
import urllib.parse
from collections import Counter, defaultdict

import pytest

from corpus import corpus
from harness import PATIENCE, Nginx, Process, free_port, get, wait_for

SEED, MUTANTS = 20261124, 20000
LOG = ('{"id":"$http_x_request_id","method":"$request_method","target":"$request_uri","path":"$uri","host":"$http_host",'
       '"declared":"$http_content_length","status":"$status","body":"$request_body"}')
LAST = "/the-last-request-of-all"


class NginxReader:
    """nginx, made to read whole bodies by passing each request on to a server of its own."""

    def __init__(self, world):
        sink = free_port()
        self.nginx = Nginx(world, "reader", http=f"""
  log_format reader escape=json '{LOG}'; access_log {world.dir}/reader.log reader;
  large_client_header_buffers 8 256k; client_body_buffer_size 1m; client_body_in_single_buffer on; merge_slashes off;
  server {{ listen 127.0.0.1:{sink}; access_log off; return 200 "ok"; }}
  """, extra=f"""
    access_log {world.dir}/reader.log reader;
    location ~ . {{ proxy_pass http://127.0.0.1:{sink}; proxy_method GET; proxy_pass_request_body off;
                    proxy_pass_request_headers off; }}""")
        self.log, self.address, self.port = f"{world.dir}/reader.log", self.nginx.address, self.nginx.port

    def records(self):
        with open(self.log, encoding="latin-1") as f:
            lines = [json.loads(line, strict=False) for line in f.read().split("\n")[:-1]]
        for r in lines:
            r["complete"] = r["status"] == "200"
        return lines


class NodeReader:
    """Node's HTTP server with its strict parser (node_reader.js)."""

    def __init__(self, world):
        node = shutil.which("node")
        assert node, "node is missing"
        self.process = Process([node, os.path.join(os.path.dirname(__file__), "node_reader.js")], f"{world.dir}/node.log")
        world.at_end(self.process.kill)
        first = json.loads(wait_for(lambda: self.process.log().partition("\n")[0], "Node's port"))
        self.port, self.methods = first["port"], set(first["methods"])
        self.address = f"127.0.0.1:{self.port}"

    def records(self):
        return [json.loads(line) for line in self.process.log().split("\n")[1:-1]]


def address_of(n):
    """Each case comes from an address of its own, by which Sluis's log tells them apart."""
    return f"127.7.{n >> 8}.{n & 255}"


def send(port, data, source):
    """One connection, these bytes, our end of it, and all that comes back."""
    with socket.socket() as s:
        s.settimeout(PATIENCE)
        s.bind((source, 0))
        s.connect(("127.0.0.1", port))
        got = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while more := s.recv(65536):
                got += more
        except OSError as e:
            assert not isinstance(e, socket.timeout), data  # a reset is an answer: to more than it would read
    return got


class Run:
    """All cases through one Sluis to one reader."""

    def __init__(self, world, reader, cases):
        self.reader, self.cases, self.got, self.failed = reader, cases, [], None
        self.sluis = world.serve(reader, pool={"eject": {"failures": 0}, "retry": {"tries": 0}})
        self.thread = threading.Thread(target=self.drive)
        self.thread.start()

    def drive(self):
        try:
            for n, data in enumerate(self.cases):
                self.got.append(send(self.sluis.port(), data, address_of(n)))
        except BaseException as e:  # told by the test's own thread
            self.failed = e

    def end(self):
        """Everything has come where it can come: then the logs are whole."""
        self.thread.join()
        if self.failed:
            raise self.failed
        assert self.sluis.process.stop() == 0, self.sluis.log()
        get(self.reader.port, LAST)
        wait_for(lambda: any(r.get("target") == LAST for r in self.reader.records()), "the last request in the records")
        numbers = {address_of(n): n for n in range(len(self.cases))}
        self.lines = defaultdict(list)
        for a in self.sluis.access():
            self.lines[numbers[a["source.ip"]]].append(a)
        self.records = [r for r in self.reader.records() if r.get("target") != LAST]
        self.by_id = {r["id"]: r for r in self.records if r.get("id")}

    def answers(self, n):
        """The final statuses that the client of case n saw."""
        return [s for s in map(int, re.findall(rb"HTTP/1\.1 (\d{3}) ", self.got[n])) if s >= 200]


@pytest.fixture(scope="module")
def runs():
    from harness import World
    world = World()
    cases = corpus(SEED, MUTANTS)
    made = [Run(world, reader(world), cases) for reader in (NginxReader, NodeReader)]
    for run in made:
        run.end()
    yield cases, *made
    world.close()


def was_forwarded(line):
    return "sluis.server" in line


def is_refused_by_nginx(line):
    """What Sluis passes on and nginx does not take: it answers 400, and Sluis hands that to the client."""
    method = line["http.request.method"]
    return (method == "OPTIONS" and line["url.original"] == "*" or not re.fullmatch("[A-Z_-]+", method)
            or "url.domain" not in line)  # HTTP/1.0 without a Host goes on with an empty one, RFC 9112 3.2


def is_refused_by_node(line):
    return line["http.request.method"] not in METHODS


REFUSED_BY = {1: is_refused_by_nginx, 2: is_refused_by_node}
METHODS = set()


def expected(line):
    """What a server must have read, by Sluis's own record: method, path as octets, query, and octets of the body."""
    original = line["url.original"]
    if not original.startswith("/") and original != "*":  # absolute-form goes on as origin-form
        original = re.sub(r"^[a-zA-Z]+://[^/?]*", "", original)
    path, mark, query = original.partition("?")
    path = line.get("url.path") or path or "/"
    return (line["http.request.method"], urllib.parse.unquote_to_bytes(path), mark + query,
            line["http.request.body.bytes"])


def reading(record):
    path, mark, query = record["target"].partition("?")
    return record["method"], urllib.parse.unquote_to_bytes(path), mark + query, len(record["body"])


@pytest.mark.parametrize("which", [1, 2], ids=["nginx", "Node"])
def test_a_server_reads_what_sluis_read(runs, which):
    cases, run = runs[0], runs[which]
    METHODS.update(runs[2].reader.methods)
    wrong, count = [], Counter()
    for n, lines in run.lines.items():
        for line in lines:
            record, status = run.by_id.get(line.get("http.request.id")), line["http.response.status_code"]
            if not was_forwarded(line):
                count["refused"] += 1
                if record and record["complete"]:
                    wrong.append((n, cases[n], "refused, and a server has it", line, record))
            elif status == 0:  # the client ended in the middle of its request
                count["broken off"] += 1
                if record and record["complete"]:
                    wrong.append((n, cases[n], "broken off, and a server has it whole", line, record))
            elif not record:
                count["refused by the server"] += 1
                if status != 400 or not REFUSED_BY[which](line):
                    wrong.append((n, cases[n], "passed on, and not read", line))
            else:
                count["read"] += 1
                if not record["complete"] or reading(record) != expected(line):
                    wrong.append((n, cases[n], "read differently", expected(line), reading(record)))
    assert not wrong, (len(wrong), wrong[:5])
    assert count["read"] > 500 and count["refused"] > 1000, count


def test_both_servers_read_the_same(runs):
    """Apart from what one of them does not take at all."""
    cases, nginx, node = runs
    METHODS.update(node.reader.methods)
    for n, data in enumerate(cases):
        seen = []
        for run in (nginx, node):
            taken = [a for a in run.lines[n] if was_forwarded(a) and a["http.response.status_code"]
                     and not is_refused_by_nginx(a) and not is_refused_by_node(a)]
            here = f"127.0.0.1:{run.sluis.port()}"  # stands in for the Host that HTTP/1.0 may leave out
            seen.append([(r["method"], r["target"], "here" if r["host"] == here else r["host"], r["declared"], r["body"])
                         for r in (run.by_id[a["http.request.id"]] for a in taken)])
        assert seen[0] == seen[1], (n, data)


@pytest.mark.parametrize("which", [1, 2], ids=["nginx", "Node"])
def test_a_server_sees_nothing_else(runs, which):
    """Every record is one of a request that Sluis sent, or of one that the server could not read to its end."""
    run = runs[which]
    sent = {a["http.request.id"]: a for lines in run.lines.values() for a in lines if was_forwarded(a)}
    partly = {a["http.request.id"] for lines in run.lines.values() for a in lines if not was_forwarded(a)}
    unread = [a for i, a in sent.items() if i not in run.by_id]
    nameless = [r for r in run.records if not r.get("id")]
    assert {i for i in run.by_id if i not in sent} <= partly
    assert len(run.by_id) + len(nameless) == len(run.records), "a number came twice"
    for r in nameless:
        assert r.get("refused") or r["status"] == "400", r
        if raw := r.get("raw"):
            assert re.search("X-Request-Id: ([0-9a-f]+)", raw).group(1) in sent, r
    # One record for each that it did not take; what broke off before it had been read at all leaves one or none.
    broken = sum(a["http.response.status_code"] == 0 or not was_forwarded(a) for lines in run.lines.values() for a in lines)
    refused = sum(a["http.response.status_code"] != 0 for a in unread)
    assert refused <= len(nameless) <= refused + broken


@pytest.mark.parametrize("which", [1, 2], ids=["nginx", "Node"])
def test_clients_get_one_answer_for_each_request(runs, which):
    cases, run = runs[0], runs[which]
    for n, data in enumerate(cases):
        logged = [a["http.response.status_code"] for a in run.lines[n] if a["http.response.status_code"]]
        assert run.answers(n) == logged, (n, data)
