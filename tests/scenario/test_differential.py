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

SEED, MUTANTS = 20261124, 2500
LOG = ('{"id":"$http_x_request_id","method":"$request_method","target":"$request_uri","path":"$uri","host":"$http_host",'
       '"declared":"$content_length","status":"$status","body":"$request_body"}')
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


def path_of(line):
    return urllib.parse.unquote_to_bytes(line.get("url.path") or line["url.original"].split("?")[0])


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
    wrong, count = [], Counter()
    for n, lines in run.lines.items():
        for line in lines:
            record = run.by_id.get(line.get("http.request.id"))
            if not was_forwarded(line):
                count["refused"] += 1
                if record and record["complete"]:
                    wrong.append((n, cases[n], "refused, and a server has it", line, record))
                continue
            count["forwarded"] += 1
            if not record:
                wrong.append((n, cases[n], "passed on, and not read", line))
            elif record["complete"] and reading(record) != expected(line):
                wrong.append((n, cases[n], "read differently", expected(line), reading(record)))
            elif not record["complete"]:
                count["broken off"] += 1
    assert not wrong, (len(wrong), wrong[:5])
    assert count["forwarded"] > 500 and count["refused"] > 1000, count


def test_both_servers_read_the_same(runs):
    cases, nginx, node = runs
    for n, data in enumerate(cases):
        seen = []
        for run in (nginx, node):
            seen.append([(r["method"], r["target"], r["host"], r["declared"], r["body"])
                         for r in (run.by_id.get(a.get("http.request.id")) for a in run.lines[n]) if r and r["complete"]])
        assert seen[0] == seen[1], (n, data)


@pytest.mark.parametrize("which", [1, 2], ids=["nginx", "Node"])
def test_a_server_sees_nothing_else(runs, which):
    run = runs[which]
    sent = {a["http.request.id"] for lines in run.lines.values() for a in lines if "http.request.id" in a}
    assert [r for r in run.records if r.get("id") not in sent] == []
    assert len(run.by_id) == len(run.records), "a number came twice"


@pytest.mark.parametrize("which", [1, 2], ids=["nginx", "Node"])
def test_clients_get_one_answer_for_each_request(runs, which):
    cases, run = runs[0], runs[which]
    for n, data in enumerate(cases):
        logged = [a["http.response.status_code"] for a in run.lines[n] if a["http.response.status_code"]]
        answers = run.answers(n)
        assert answers == logged[:len(answers)] and len(logged) - len(answers) <= 1, (n, data, answers, logged)
