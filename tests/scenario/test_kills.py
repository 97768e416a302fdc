"""SIGKILL at random points under load, 200 times: each process of ours, and sluisd itself. The chain must be valid after each, and the
ledger is held against what clients saw, connection by connection. SLUIS_KILLS_SEED repeats a run's choices."""
import concurrent.futures
import glob
import itertools
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time
from collections import Counter, defaultdict

from harness import BUILD, PATIENCE, RELEASE, Client, free_port, get, wait_for

SEED = int(os.environ.get("SLUIS_KILLS_SEED", random.randrange(10 ** 9)))
# The master's back-off for a child that dies often is part of what is tested; it doubles with each death, so each child dies seldom.
WORLDS, AT_ONCE = 8, 4
KILLS = {"sluisd": 2, "scribe": 5, "worker": 4, "keeper": 4, "dialer": 3, "prober": 3, "watcher": 4}  # in each world; 200 in all
VERIFY_EVERY = 10
CLIENTS = 3
SLACK = 2.0  # seconds between a client's clock reading and a process's
TURN = 0.1  # seconds by which nginx's clock is behind, at most: that of its loop's turn, in whole milliseconds
FEW = 500  # records that a scribe surely takes at once
ORPHAN = "its process ended"
DATA = 100_000


class Exchange:
    """A request, and what came back: server is None where Sluis itself answered, status where nothing did."""

    def __init__(self, sent, target, most_in, most_out):
        self.sent, self.target, self.most_in, self.most_out = sent, target, most_in, most_out
        self.answered = self.status = self.server = None
        self.got = 0


class Seen:
    """One connection as its client saw it. Its address is no other connection's."""

    def __init__(self, address):
        self.address, self.port, self.exchanges = address, None, []
        self.began, self.ended = time.time(), None

    def answered(self):
        return [x for x in self.exchanges if x.status]


class Clients:
    """Threads that make connections, short ones and kept ones, and note what they saw."""

    def __init__(self, number, port, seed):
        self.port, self.count, self.answers, self.seen, self.stopped = port, itertools.count(1), 0, [], threading.Event()
        self.number, self.failure = number, None
        self.threads = [threading.Thread(target=self.run, args=(random.Random(seed * 100 + i),), daemon=True) for i in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def run(self, rng):
        try:
            while not self.stopped.is_set():
                n = next(self.count)
                c = Seen(f"127.{100 + self.number}.{n >> 8}.{n & 255}")
                self.seen.append(c)
                try:
                    self.connect(c, rng, rng.choice((1, 1, 2, 10, 40)))
                except (OSError, EOFError):
                    if c.port is None:
                        self.stopped.wait(0.01)  # sluisd is down; it is not to be kept from starting
                c.ended = time.time()
        except BaseException as e:
            self.failure = e
            raise

    def connect(self, c, rng, requests):
        with Client(self.port, address=c.address) as client:
            c.port = client.sock.getsockname()[1]
            for _ in range(requests):
                if not self.exchange(c, client, rng) or self.stopped.is_set():
                    return

    def exchange(self, c, client, rng):
        target = rng.choice(("/", "/", "/", "/data/x", "/vpns/x", "post"))
        body = b"x" * rng.randrange(1, 3000) if target == "post" else b""
        x = Exchange(time.time(), target, len(body), DATA if target == "/data/x" else 500)
        c.exchanges.append(x)
        if body:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
        r = client.response()
        x.got, x.server, x.answered, x.status = len(r.body), r.field("x-server"), time.time(), r.status
        assert x.server is None or r.status == 200, r
        self.answers += 1
        return r.field("connection") != "close"

    def stop(self):
        self.stopped.set()
        for t in self.threads:
            t.join(2 * PATIENCE)
            assert not t.is_alive(), "a client that never ends"
        assert self.failure is None, self.failure


def name_and_state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            text = f.read()
        return text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None, None


def is_gone(pid):
    return name_and_state(pid)[1] in (None, "Z", "X")


class Lives:
    """One Sluis over all its starts, and who was killed when."""

    def __init__(self, world, number):
        self.world, self.rng = world, random.Random(SEED * 10 + number)
        self.build = RELEASE if number % 4 else BUILD  # as fast as it is, and with sanitizers, of which each start takes a second
        self.servers = [self.server(f"k{number}{i}") for i in range(2)]
        self.kills, self.deaths, self.verified = [], [], 0
        self.config = {"listeners": {"web": {"address": f"127.0.0.1:{free_port()}"}}, "workers": 2,
                       "pools": {"web": {"servers": [n.address for n in self.servers], "check": {"http": "/health", "interval": "1s"}}},
                       "policies": [{"name": "no-vpns", "if": 'http.path contains "/vpns/"', "then": [{"block": 403}]}],
                       "routes": [{"pool": "web"}], "detect": {"mode": "on", "packs": ["cve-2019-19781"]}, "state_dir": os.path.join(world.dir, f"state{number}")}
        self.start()
        self.clients = Clients(number, self.s.port(), SEED * 10 + number)

    def server(self, name):
        n = self.world.nginx(name, http="log_format of '$msec $connection $request_uri'; access_log of.log of;", extra=f"""
            location /data/ {{ add_header X-Server {name}; alias {self.world.dir}/nginx-{name}/www/; }}
            location = /accepts {{ stub_status; }}""")
        n.write("x", b"x" * DATA)
        return n

    def start(self):
        self.s = self.world.run(json.loads(json.dumps(self.config)), build=self.build)
        wait_for(lambda: "ledger.writes" in self.s.log(), "the ledger is written")

    @property
    def folder(self):
        return os.path.join(self.config["state_dir"], "ledger")

    def rows(self, sql):
        found = []
        for name in sorted(glob.glob(os.path.join(self.folder, "*.ledger"))):
            db = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=30)
            db.row_factory = sqlite3.Row
            found += db.execute(sql).fetchall()
            db.close()
        return found

    def newest_batch(self):
        return self.rows("SELECT max(batch) AS n FROM batch")[-1]["n"]

    def verify(self):
        r = self.s.cli("ledger", "verify", "--json", self.folder, ok=False)
        assert r.returncode in (0, 1), r
        report = json.loads(r.stdout)
        # no process's end may cost a record that could be written: nothing is missing, and no gap is declared either
        assert report["ok"] and report["lost"] == 0, (report["findings"], report["lost"], self.kills[-5:])
        self.verified += 1
        return report

    # --- who is there ---
    def children(self):
        pid = self.s.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]

    def of_role(self, role):
        """Its processes, but for those that were killed and are still on their way out."""
        killed = {pid for _, _, pid in self.kills}
        found = [(p, *name_and_state(p)) for p in self.children()]
        return [p for p, name, state in found if name == "sluis-" + role and state not in ("Z", "X") and p not in killed]

    def ready(self, role):
        """Its processes that said that they are, and still are there."""
        started = set(map(int, re.findall(rf"event=child\.started.* role={role} .*?pid=(\d+)", self.s.log())))
        return [p for p in self.of_role(role) if p in started]

    # --- the deeds ---
    def kill(self, role, pid):
        self.kills.append((time.time(), role, pid))
        os.kill(pid, signal.SIGKILL)

    def kill_child(self, role):
        pid = self.rng.choice(wait_for(lambda: self.ready(role), f"a {role} that is ready"))
        before = self.clients.answers
        wait_for(lambda: self.clients.answers >= before + 5, "load")
        time.sleep(self.rng.choice((0, self.rng.uniform(0, 0.05), self.rng.uniform(0, 0.3))))
        self.kill(role, pid)

    def kill_starting(self, role):
        before = self.of_role(role)
        pid = wait_for(lambda: [p for p in self.of_role(role) if p not in before], f"the {role}'s successor")[0]
        time.sleep(self.rng.uniform(0, 0.1))
        self.kill(role, pid)

    def kill_sluisd(self):
        before, batch = self.clients.answers, self.newest_batch()
        wait_for(lambda: self.clients.answers >= before + 20, "load")
        wait_for(lambda: self.newest_batch() > batch, "the ledger to be written")  # else there is little to compare
        time.sleep(self.rng.uniform(0, 0.3))
        children = self.children()
        self.kill("sluisd", self.s.process.pid)
        self.s.process.child.wait()
        wait_for(lambda: all(is_gone(p) for p in children), "sluisd's children to end with it")
        written = self.written()
        self.deaths.append((written, time.time(), self.kills[-1][0]))
        self.verify()
        self.start()

    def written(self):
        """What the rings held is gone with sluisd: all that came after this. A worker's record tells when its ring was read; after a long
        time without a scribe only a part of it is read at once, and then what was read last tells."""
        at, n = self.rows("SELECT at, count(*) AS n FROM record WHERE process LIKE 'worker/%' GROUP BY at ORDER BY at DESC LIMIT 1")[-1]
        if n < FEW:
            return at / 1e6
        return min(r["newest"] for r in self.rows("SELECT max(max(start, coalesce(\"end\", 0))) AS newest FROM record"
                                                  " WHERE process LIKE 'worker/%' AND start NOT NULL GROUP BY process")) / 1e6

    def run(self):
        roles = [r for r, n in KILLS.items() for _ in range(n)]
        self.rng.shuffle(roles)
        while roles:
            role = roles.pop()
            if role == "sluisd":
                self.kill_sluisd()
                continue
            self.kill_child(role)
            if role in roles and self.rng.random() < 0.2:  # and once more, while it starts
                roles.remove(role)
                self.kill_starting(role)
            if len(self.kills) // VERIFY_EVERY > self.verified:
                self.verify()
        self.clients.stop()
        assert self.s.process.stop() == 0
        return self.verify()

    # --- what is held against what ---
    def may_be_lost(self, x):
        """Written after the last batch that a killed sluisd left: from the answer on it was surely written."""
        return any(x.answered >= written and x.sent <= dead for written, dead, _ in self.deaths)

    def worker_died(self, row, after):
        """Its worker, or sluisd, was killed at or after this time."""
        return any(role in ("worker", "sluisd") and at >= after - SLACK for at, role, _ in self.kills)


def check_numbers(rows):
    """No record twice; each connection opens once and ends once, whatever happened to its process."""
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1))
    opens, ends = Counter(), Counter()
    for r in rows:
        if r["kind"] in ("in", "use", "out") and r["conn"] is not None:
            opens[r["kind"], r["conn"]] += r["state"] in ("open", "whole")
            ends[r["kind"], r["conn"]] += r["state"] in ("close", "whole")
            assert r["state"] == "open" or opens[r["kind"], r["conn"]] == 1, ("ended before it began", dict(r))
    assert set(opens.values()) == {1}, [k for k, n in opens.items() if n != 1][:5]
    assert set(ends.values()) == {1} and len(ends) == len(opens), [k for k, n in ends.items() if n != 1][:5]


def check_sums(lives, c, end, exchanges, others):
    """What an end says came through, against the exchanges that the client saw answered, and those that it did not."""
    what = (c.address, dict(end), [vars(x) for x in exchanges], [vars(x) for x in others])
    if end["requests"] is None:
        assert end["outcome"] == ORPHAN, what
        assert lives.worker_died(end, max([c.began] + [x.answered for x in exchanges])), what
        return 1
    assert end["outcome"] != ORPHAN, what
    assert len(exchanges) <= end["requests"] <= len(exchanges) + len(others), what
    least = sum(x.got for x in exchanges)
    assert least <= end["bytes_out"] <= least + sum(x.most_out for x in others), what
    least = sum(x.most_in for x in exchanges if x.server)  # an error page may come before a body was read
    assert least <= end["bytes_in"] <= sum(x.most_in for x in exchanges + others), what
    return 0


def check_connection(lives, c, of_kind):
    """One client's connection: it came in once, and used each server that answered it once, and no other. Orphans, and what was lost."""
    answered, silent = c.answered(), [x for x in c.exchanges if not x.status]
    came, uses = of_kind["in"], of_kind["use"]
    orphans = lost = 0
    assert len({r["conn"] for r in came}) <= 1, (c.address, came)
    if came:
        assert c.began - SLACK <= came[0]["start"] / 1e6 <= c.ended + SLACK, (vars(c), dict(came[0]))
        orphans += check_sums(lives, c, came[-1], answered, silent)
    elif answered:
        assert lives.may_be_lost(answered[0]), ("no record of the connection", vars(c), [vars(x) for x in c.exchanges])
        lost += 1
    by_server = defaultdict(list)
    for x in answered:
        if x.server:
            by_server[x.server].append(x)
    unclear = silent + [x for x in answered if not x.server and x.status != 403]
    used = defaultdict(list)
    for r in uses:
        used[r["target"]].append(r)
    for n in lives.servers:
        theirs, ends = by_server.pop(n.name, []), used.pop(n.address, [])
        assert len({r["conn"] for r in ends}) <= 1, (c.address, [dict(r) for r in ends])
        if ends:
            assert theirs or unclear, ("a use that no client saw", vars(c), [dict(r) for r in ends])
            orphans += check_sums(lives, c, ends[-1], theirs, unclear)
        elif theirs:
            assert lives.may_be_lost(theirs[0]), ("no record of the use", vars(c), [vars(x) for x in theirs])
            lost += 1
    assert not by_server and not used, (by_server, used)
    blocked = [x for x in answered if x.status == 403]
    sure = [x for x in blocked if not lives.may_be_lost(x)]
    assert len(sure) <= len(of_kind["policy"]) <= len(blocked) + sum(x.target == "/vpns/x" for x in silent), (c.address, of_kind["policy"])
    return orphans, lost


def check_clients(lives, rows):
    by_address = defaultdict(lambda: defaultdict(list))
    made = {c.address: c for c in lives.clients.seen}
    for r in rows:
        if r["kind"] in ("in", "use", "policy"):
            assert r["client"] in made and r["client_port"] == made[r["client"]].port and r["listener"] == "web", \
                ("a record of a connection that no client made", dict(r))
            by_address[r["client"]][r["kind"]].append(r)
    return [sum(n) for n in zip(*(check_connection(lives, c, by_address[c.address]) for c in made.values()))]


def check_servers(lives, rows):
    """The dialer's records against the servers' own logs: no connection that a server answered on is missing, none was made up."""
    for n in lives.servers:
        with open(os.path.join(n.dir, "of.log")) as f:
            first = {}
            for at, conn, uri in (line.split(" ", 2) for line in f.read().splitlines()):
                if uri not in ("/health", "/accepts"):
                    first.setdefault(conn, float(at))
        accepts = int(get(n.port, "/accepts").body.split()[7])
        opens = [r["start"] / 1e6 for r in rows if r["kind"] == "out" and r["state"] in ("open", "whole") and r["target"] == n.address]
        assert len(opens) <= accepts, (n.name, len(opens), accepts)
        begin = 0
        for written, dead, _ in lives.deaths + [(time.time(), time.time(), 0)]:
            sure = sum(begin < at and at + TURN < written for at in first.values())
            there = sum(begin < at < dead for at in opens)
            assert sure <= there, (n.name, "connections that a server saw and the ledger does not know", sure, there)
            begin = dead


def one_life(world, number):
    lives = Lives(world, number)
    try:
        report = lives.run()
    finally:
        lives.clients.stopped.set()
    rows = lives.rows("SELECT * FROM record ORDER BY seq")
    check_numbers(rows)
    orphans, lost = check_clients(lives, rows)
    check_servers(lives, rows)
    answers = sum(len(c.answered()) for c in lives.clients.seen)
    return {"kills": Counter(role for _, role, _ in lives.kills), "verified": lives.verified, "records": report["records"],
            "connections": len(lives.clients.seen), "answers": answers, "orphans": orphans, "lost with sluisd": lost,
            "unwritten at its death, s": [round(killed - written, 3) for written, _, killed in lives.deaths]}


def test_two_hundred_kills(world):
    print(f"SLUIS_KILLS_SEED={SEED}")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = [pool.submit(one_life, world, n) for n in range(WORLDS)]
        done = [r.result() for r in results]
    kills = sum((d["kills"] for d in done), Counter())
    for d in done:
        print({k: dict(v) if isinstance(v, Counter) else v for k, v in d.items()})
    assert sum(d["answers"] for d in done) > 4000 and min(d["answers"] for d in done) > 100, done
    assert sum(d["orphans"] for d in done) > WORLDS, done
    assert sum(kills.values()) == 200 and kills["sluisd"] >= 10 and min(kills.values()) >= 10, kills
    assert all(kills[r] >= 24 for r in KILLS if r != "sluisd"), kills
