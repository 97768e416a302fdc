"""sluis monitor as people run it: logs that grow and rotate, syslog in, alerts out to servers that fail and come back, and what it says when
something is wrong. Every planted sign has a client of its own, so that each is one alert."""
import collections
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import yaml

from alert_servers import MailServer, SyslogServer, WebhookServer
from certs import Authority
from harness import BUILD, RELEASE, ROOT, SANITIZER_MARKS, Process, free_port, get, wait_for

RULE = "cve-2019-19781-template"
SECRET, PASSWORD = "a-secret-of-the-webhook", "a-password-of-the-mail"
SEED = int(os.environ.get("SLUIS_KILLS_SEED", random.randrange(10 ** 9)))
BOTH = pytest.mark.parametrize("build", [RELEASE, BUILD], ids=["release", "sanitized"])
FEW = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "LC_ALL": "C"}


def client(n):
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def web(n, path="/vpn/../vpns/portal/abc.xml", status=200):
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return f'{client(n)} - - [{stamp}] "GET {path} HTTP/1.1" {status} 941 "-" "curl/7.58.0"\n'


class Monitor:
    """sluis monitor with its state in a folder of the world."""

    def __init__(self, world, *args, config=None, build=RELEASE, state=None, lang=None, wait=True):
        self.world, n = world, world.number()
        self.state = state or os.path.join(world.dir, "state")
        self.argv = [os.path.join(build, "sluis"), "--rules", os.path.join(ROOT, "rules")]
        if lang:
            self.argv += ["--lang", lang]
        if config is not None:
            self.file = os.path.join(world.dir, f"monitor{n}.yaml")
            base = {"listeners": {"web": {"address": f"127.0.0.1:{free_port()}"}}, "pools": {"web": {"servers": ["127.0.0.1:9"]}}, "routes": [{"pool": "web"}]}
            with open(self.file, "w") as f:
                yaml.safe_dump(dict(base, **config), f)
            self.argv += ["-c", self.file]
        self.argv += ["monitor", *([] if "--state" in args or state == "" else ["--state", self.state]), *map(str, args)]
        self.log_path = os.path.join(world.dir, f"monitor{n}.log")
        self.process = None
        if wait:
            self.start()

    def start(self):
        before = self.log().count("monitor.started") if self.process else 0
        self.process = Process(self.argv, self.log_path, FEW)
        self.world.at_end(self.process.kill)
        wait_for(lambda: self.process.child.poll() is not None or self.log().count("monitor.started") > before, "the monitor is up")
        assert self.process.child.poll() is None, self.log()

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def kill(self):
        self.process.kill()

    def stop(self):
        status = self.process.stop()
        log = self.log()
        assert not any(mark in log for mark in SANITIZER_MARKS), log
        return status

    def run(self):
        """To its own end: (status, what it said)."""
        r = subprocess.run(self.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env=dict(os.environ, **FEW), stdin=subprocess.DEVNULL)
        assert not any(mark in r.stdout for mark in SANITIZER_MARKS), r.stdout
        return r.returncode, r.stdout


class File:
    """A destination file: its alerts."""

    def __init__(self, world, name="alerts.jsonl"):
        os.makedirs(os.path.join(world.dir, "to"), exist_ok=True)
        self.path = os.path.join(world.dir, "to", name)
        self.url = "file:" + self.path

    def alerts(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as f:
            return [json.loads(line) for line in f]

    def clients(self, rule=RULE):
        return collections.Counter(a["source.ip"] for a in self.alerts() if a.get("rule.id") == rule and a["sluis.alert"] == "first")

    def wait_clients(self, numbers, rule=RULE):
        want = {client(n) for n in numbers}
        wait_for(lambda: want <= set(self.clients(rule)), f"alerts of {len(want)} clients in {self.path}")


class Log:
    def __init__(self, world, name="httpaccess.log"):
        self.dir = os.path.join(world.dir, "logs")
        os.makedirs(self.dir, exist_ok=True)
        self.path = os.path.join(self.dir, name)
        self.add("")

    def add(self, text):
        with open(self.path, "a") as f:
            f.write(text)


@pytest.fixture
def authority(world):
    return Authority(world.dir)


def limits(**more):
    return dict({"per_hour": 100000}, **more)


# --- logs ---

def test_rotations(world):
    """Renamed, copied and emptied, and packed at once: each planted line is one alert."""
    log, to = Log(world), File(world)
    m = Monitor(world, "--log", log.path, "--to", to.url, config={"monitor": limits()})
    n = 0
    for turn in range(4):
        for _ in range(3):
            log.add("".join(web(n + i) for i in range(20)) + web(9999, "/index.html"))
            n += 20
        old = f"{log.path}.{turn}"
        if turn % 2 == 0:
            os.rename(log.path, old)
            with open(old, "a") as f:  # its writer has not noticed yet
                f.write(web(n))
            log.add(web(n + 1))
        else:
            shutil.copyfile(log.path, old)
            os.truncate(log.path, 0)
            log.add(web(n) + web(n + 1))
        n += 2
        to.wait_clients(range(n))
        with open(old, "rb") as f, gzip.open(old + ".gz", "wb") as g:
            g.write(f.read())
        os.unlink(old)
    assert m.stop() == 0
    assert to.clients() == {client(i): 1 for i in range(n)}
    assert {a["sluis.alert"] for a in to.alerts()} == {"first"}
    assert len({a["event.id"] for a in to.alerts()}) == len(to.alerts())
    places = {a["source.ip"]: a for a in to.alerts()}
    assert places[client(0)]["sluis.line"] == 1 and places[client(0)]["log.file.path"] == log.path and places[client(21)]["sluis.line"] == 23
    # while nobody follows
    log.add(web(n))
    os.rename(log.path, log.path + ".8")
    log.add(web(n + 1))
    os.rename(log.path, log.path + ".9")
    log.add(web(n + 2))
    m.start()
    to.wait_clients(range(n + 3))
    assert m.stop() == 0
    assert to.clients() == {client(i): 1 for i in range(n + 3)}


def test_killed_at_random(world):
    """SIGKILL, 20 times, while lines are written and alerts delivered: none is lost, and what comes twice is the same."""
    chance, log, over = random.Random(SEED), Log(world), threading.Event()
    written = [0]

    def write():
        while not over.wait(0.02):
            log.add(web(written[0]))
            written[0] += 1
            if written[0] % 100 == 0:
                os.rename(log.path, f"{log.path}.{written[0]}")
                log.add("")

    with WebhookServer(SECRET.encode()) as hook:
        m = Monitor(world, "--log", log.path, "--to", f"http://127.0.0.1:{hook.port}/", config={"monitor": limits()})
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(20):
                time.sleep(chance.random() * 0.3)  # when it is killed is the test's choice, nothing is waited for
                m.kill()
                m.start()
        finally:
            over.set()
            writer.join()
        want = {client(n) for n in range(written[0])}
        seen, at = {}, [0]

        def take(got):
            for g in got[at[0]:]:
                seen.setdefault(g["alert"].get("source.ip"), {})[g["id"]] = None
            at[0] = len(got)
            return want <= set(seen)

        hook.wait(take, f"alerts of {len(want)} clients (seed {SEED})")
        assert m.stop() == 0
        by_id = {}
        for g in hook.got:
            assert by_id.setdefault(g["id"], g["body"]) == g["body"], f"seed {SEED}"
        lines = collections.Counter(a["sluis.offset"] for a in (g["alert"] for g in hook.got) if a["sluis.alert"] == "first" and a["source.ip"] == client(0))
        assert len(lines) == 1, f"seed {SEED}"  # what was found twice is the same line


def test_once(world):
    log, to = Log(world), File(world)
    log.add(web(1))
    m = Monitor(world, "--log", log.path, "--to", to.url, "--once", wait=False)
    status, said = m.run()
    assert status == 0 and "monitor.ends" in said and not to.alerts()  # what stands in it already is for sluis hunt
    log.add(web(2))
    os.rename(log.path, log.path + ".0")
    log.add(web(3))
    assert m.run()[0] == 0
    assert to.clients() == {client(2): 1, client(3): 1}
    assert m.run()[0] == 0 and len(to.alerts()) == 2
    os.rename(log.path, log.path + ".1")
    status, said = m.run()
    assert status == 0 and "it cannot be read: No such file or directory; it is tried again" in said
    log.add(web(4))
    assert m.run()[0] == 0 and set(to.clients()) == {client(2), client(3), client(4)}
    first = Monitor(world, "--log", log.path, "--to", to.url, "--once", "--from-start", "--state", os.path.join(world.dir, "other"), wait=False)
    assert first.run()[0] == 0 and to.clients() == {client(2): 1, client(3): 1, client(4): 2}


def test_grouping_and_limits(world):
    """Repeats are a sum, and what is over the limit is a number; another class is told all the same."""
    log, to = Log(world), File(world)
    m = Monitor(world, "--log", log.path, "--to", to.url, config={"monitor": {"window": "1s", "per_hour": 3}})
    log.add(web(1) * 5)
    again = wait_for(lambda: [a for a in to.alerts() if a["sluis.alert"] == "again"], "the sum of repeats")
    assert again[0]["sluis.count"] == 4 and again[0]["source.ip"] == client(1) and again[0]["rule.id"] == RULE
    log.add("".join(web(n) for n in range(10, 30)))
    log.add(web(40, "/oauth/idp/.well-known/openid-configuration", 404))
    wait_for(lambda: any(a["sluis.class"] == "trace" for a in to.alerts()), "another class")
    assert m.stop() == 0
    alerts = to.alerts()
    limited = [a for a in alerts if a["sluis.alert"] == "limited"]
    assert sum(a["sluis.count"] for a in limited) + sum(1 for a in alerts if a["sluis.alert"] == "first" and a["sluis.class"] == "compromise") == 21
    assert limited[0]["sluis.class"] == "compromise" and limited[0]["sluis.held"][0]["rule"] == RULE
    assert "held back" in limited[0]["message"] and "source.ip" not in limited[0]


# --- syslog in ---

def tls_client(authority, cert=None, name="monitor.example.org"):
    context = ssl.create_default_context(cafile=authority.path)
    if cert:
        context.load_cert_chain(cert["chain"], cert["key"])

    def connect(port):
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname=name)
    return connect


def counted(*messages):
    return b"".join(b"%d %s" % (len(m.encode()), m.encode()) for m in messages)


def shell(n, form=3164):
    words = f'nobody on /dev/pts/{n} shell_command="id"'
    now = time.gmtime()
    return f"<189>{time.strftime('%b', now)} {now.tm_mday:2d} {time.strftime('%H:%M:%S', now)} ns{n} bash[77]: {words}" if form == 3164 else \
        f"<189>1 {time.strftime('%Y-%m-%dT%H:%M:%SZ', now)} ns{n} bash 77 - - {words}"


def test_syslog(world, authority):
    cert, own = authority.issue("monitor.example.org"), authority.issue("ns.example.org", file="ns")
    stranger = Authority(world.dir, "Another CA").issue("evil.example.org", file="evil")
    udp, tcp, tls = (free_port() for _ in range(3))
    to = File(world)
    config = {"monitor": limits(syslog=[f"udp://127.0.0.1:{udp}", f"tcp://127.0.0.1:{tcp}", f"tls://127.0.0.1:{tls}"], client_ca=authority.path, **cert)}
    m = Monitor(world, "--to", to.url, config=config)

    def hosts(rule="cve-2019-19781-shell-nobody"):
        return {a["sluis.source"].rsplit(" ", 1)[1] for a in to.alerts() if a.get("rule.id") == rule}

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for message in (shell(1), shell(2, 5424), "no syslog", "<999>x", "", "<190>httpd: " + web(7).strip(), "<190>httpd: " + web(8).strip() + "\n\0"):
            s.sendto(message.encode(), ("127.0.0.1", udp))
        for address in ("198.51.100.7", "203.0.113.9"):  # an ns.log line: a session that goes on from elsewhere
            stamp = time.strftime("%m/%d/%Y:%H:%M:%S GMT", time.gmtime())
            s.sendto((f"<134> {stamp} ns9 0-PPE-0 : default SSLVPN HTTPREQUEST 9 0 : Context jdoe@{address} - SessionId: 651173- intra.example User jdoe : Group(s) N/A : "
                      f"Vserver 192.0.2.10:443 - {stamp} : SSO is ON : GET /x - -").encode(), ("127.0.0.1", udp))
    with socket.create_connection(("127.0.0.1", tcp)) as s:
        data = counted(shell(3), shell(4, 5424))
        s.sendall(data[:30])
        s.sendall(data[30:])
        with socket.create_connection(("127.0.0.1", tcp)) as t:
            t.sendall((shell(5) + "\r\n" + shell(6, 5424)).encode())  # the end of the stream is its end
    with tls_client(authority, own)(tls) as s:
        s.sendall(counted(shell(7, 5424)))
        wait_for(lambda: {f"ns{n}" for n in range(1, 8)} <= hosts() and {client(7), client(8)} <= set(to.clients()) and hosts("session-two-clients") == {"ns9"},
                 "alerts of all senders")
    for cert in (None, stranger):  # without a certificate, and with one of another authority: refused, and told
        with pytest.raises((ssl.SSLError, OSError)):
            with tls_client(authority, cert)(tls) as s:
                s.sendall(counted(shell(99, 5424)))
                while s.recv(1):
                    pass
                raise OSError("closed")
    wait_for(lambda: "peer did not return a certificate" in m.log() and "certificate verify failed" in m.log(), "that they were refused is told")
    for garbage, why in ((b"GET / HTTP/1.1\r\n\r\n", "no syslog: it begins neither"), (b"99999999 <1>", "more than 7 digits"), (b"20 <1>short", "ended within a message"),
                         (os.urandom(4).join([b"\x16\x03\x01", b""]), "no syslog")):
        with socket.create_connection(("127.0.0.1", tcp)) as s:
            s.sendall(garbage)
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1) == b""
        wait_for(lambda: why in m.log(), f"a line with '{why}'")
    assert "ns99" not in hosts()
    same = [socket.create_connection(("127.0.0.1", tcp)) for _ in range(140)]  # one address takes no more than its part
    wait_for(lambda: "from its address" in m.log(), "the limit of one address is told")
    for c in same:
        c.close()
    many = [socket.socket() for _ in range(600)]  # harmless, also to who was there before
    with socket.create_connection(("127.0.0.1", tcp)) as s:
        s.sendall((shell(10) + "\n").encode())
        wait_for(lambda: "ns10" in hosts(), "a sender that was there before")
        for i, c in enumerate(many):
            c.bind((f"127.0.{1 + i // 120}.1", 0))
            c.connect(("127.0.0.1", tcp))
        wait_for(lambda: "there are too many connections" in m.log(), "the limit is told")
        s.sendall((shell(11) + "\n").encode())
        many[0].sendall((shell(12) + "\n").encode())
        wait_for(lambda: {"ns11", "ns12"} <= hosts(), "messages of senders among many")
        assert m.log().count("event=monitor.peer") <= 2 * 61  # who sends chooses their number: a limit holds per minute
    for c in many:
        c.close()

    def is_let_in():
        with socket.create_connection(("127.0.0.1", tcp)) as s:
            s.sendall((shell(13) + "\n").encode())
        return "ns13" in hosts()
    wait_for(is_let_in, "there is room again")
    assert m.stop() == 0


# --- destinations ---

@BOTH
def test_destinations(world, authority, build):
    """All kinds by a host's name, which the sender resolves inside its confinement."""
    log, to, cert = Log(world), File(world), authority.issue("localhost")
    for name, text in (("hook.secret", SECRET + "\n"), ("mail.password", PASSWORD + "\r\n")):
        with open(os.path.join(world.dir, name), "w") as f:
            f.write(text)
    answers = [500, 500]
    with WebhookServer(SECRET.encode(), cert, behave=lambda n: answers[n] if n < 2 else 204) as hook, MailServer(cert["chain"], cert["key"]) as mail, \
            MailServer(cert["chain"], cert["key"], at_once=True) as smtps, SyslogServer("udp") as udp, SyslogServer("tcp") as tcp, SyslogServer("tls", cert) as tls:
        ca = {"ca": os.path.basename(authority.path)}
        at = {"from": "sluis@example.org", "recipient": "duty@example.org", "user": "sluis", "password_file": "mail.password", **ca}
        alerts = [{"to": f"https://localhost:{hook.port}/hook/token-in-the-path", "secret_file": "hook.secret", **ca},
                  {"name": "serious", "to": to.url, "least": "compromise"},
                  {"name": "duty", "to": f"smtp://localhost:{mail.port}", "language": "nl", **at}, {"name": "second", "to": f"smtps://localhost:{smtps.port}", **at},
                  {"to": f"syslog+tls://localhost:{tls.port}", **ca}, f"syslog+udp://localhost:{udp.port}", f"syslog+tcp://localhost:{tcp.port}"]
        m = Monitor(world, "--log", log.path, config={"monitor": limits(alerts=alerts)}, build=build)
        log.add(web(1) + web(2, "/vpn/../vpns/portal/scripts/newbm.pl", 403) + web(3))
        for server in (hook, udp, tcp, tls):
            server.wait(lambda got: {client(1), client(3)} <= {g["alert"].get("source.ip") for g in got}, f"alerts at {server.port}; {m.log()}")
        smtps.wait_count(1), mail.wait_count(1)
        to.wait_clients([1, 3])
        assert [r["answer"] for r in hook.refused] == [500, 500] and all(g["is_signed"] for g in hook.got + hook.refused) and hook.got[0]["path"] == "/hook/token-in-the-path"
        assert hook.refused[0]["id"] == hook.refused[1]["id"] == hook.got[0]["id"]
        assert {a["sluis.class"] for a in to.alerts()} == {"compromise"}
        assert not mail.plain and mail.mails[0][0] == [b"sluis", PASSWORD.encode()] and smtps.mails[0][0] == [b"sluis", PASSWORD.encode()]
        assert client(1) in mail.got[0].get_body().get_content()
        assert not (tls.bad or tcp.bad or udp.bad)
        assert m.log().count("state=fails") == 1 and m.log().count("state=works") == 1  # the webhook
        os.rename(to.path, to.path + ".1")
        log.add(web(4))
        to.wait_clients([4])
        assert m.stop() == 0
    words = [SECRET, PASSWORD, "token-in-the-path"]
    for folder, _, files in os.walk(m.state):
        for name in files:
            with open(os.path.join(folder, name), errors="replace") as f:
                text = f.read()
            assert not any(w in text + name for w in words), (name, text)
    assert not any(w in m.log() for w in words)
    assert "signal=" not in m.log()


def test_what_is_down_comes_back(world, authority):
    """A webhook that was down while the monitor was stopped and started, and a syslog server whose certificate is wrong at first: told once each,
    and nothing is lost."""
    log, cert, wrong = Log(world), authority.issue("localhost"), authority.issue("other.example.org")
    hook_port = free_port()
    with SyslogServer("tls", wrong) as bad:
        alerts = [{"name": "hook", "to": f"http://127.0.0.1:{hook_port}/"}, {"name": "siem", "to": f"syslog+tls://localhost:{bad.port}", "ca": authority.path}]
        config = {"monitor": limits(alerts=alerts)}
        m = Monitor(world, "--log", log.path, config=config)
        log.add(web(1) + web(2))
        wait_for(lambda: m.log().count("state=fails") == 2, "both are told as failing")
        wait_for(lambda: len(bad.failed) + bad.connections >= 2, "it is tried again")
        assert m.log().count("state=fails") == 2 and re.search(r"name=siem state=fails why=.*(certificate|SSL)", m.log())
        assert m.stop() == 0
        log.add(web(3))
        assert not bad.got
        port = bad.port
    with WebhookServer(port=hook_port) as hook, SyslogServer("tls", cert, port=port) as good:
        m.start()
        for server in (hook, good):
            server.wait_count(3)
            assert [g["alert"]["source.ip"] for g in server.got] == [client(n) for n in (1, 2, 3)]  # in order
        assert m.stop() == 0


def test_the_front_door(world):
    """What detect: finds reaches a webhook, over a rotation of its file and a restart."""
    server = world.nginx("a", extra="location /vpns/ { return 200 'x'; }")
    with WebhookServer() as hook:
        s = world.serve(server, build=RELEASE, detect={"mode": "on", "per_hour": 100000},
                        monitor=limits(alerts=[f"http://127.0.0.1:{hook.port}/"], state_dir=os.path.join(world.dir, "state")))
        alerts = os.path.join(s.config["state_dir"], "alerts.jsonl")
        get(s.port(), "/vpns/portal/one.xml")  # before the monitor is there
        wait_for(lambda: os.path.exists(alerts) and os.path.getsize(alerts), "an alert of the front door")
        argv = [os.path.join(RELEASE, "sluis"), "--rules", os.path.join(ROOT, "rules"), "-c", s.file, "monitor"]
        m = Process(argv, os.path.join(world.dir, "monitor.log"), FEW)
        world.at_end(m.kill)
        hook.wait_count(1)
        os.rename(alerts, alerts + ".1")
        s.cli("reopen")
        wait_for(lambda: os.path.exists(alerts), "the file is made anew")
        get(s.port(), "/vpns/portal/two.xml?x", extra="X: y\r\n")
        get(s.port(), "/vpns/portal/scripts/newbm.pl")
        hook.wait(lambda got: len({g["alert"]["rule.id"] for g in got if g["alert"]["sluis.alert"] == "first"}) >= 2, "alerts over a rotation")
        first = hook.got[0]["alert"]
        assert first["sluis.source"] == "front door" and first["url.original"] == "/vpns/portal/one.xml" and first["source.ip"] == "127.0.0.1"
        assert m.stop() == 0
        ids = [g["id"] for g in hook.got]
        assert len(ids) == len(set(ids))
        with open(alerts + ".1") as f, open(alerts) as g:
            assert set(ids) <= {json.loads(line)["event.id"] for line in [*f, *g]}


def test_paths_in_the_configuration_are_beside_it(world):
    """Of logs and of the file of alerts, for sluisd and for the monitor, wherever either was started; and without a state folder."""
    server = world.nginx("a", extra="location /vpns/ { return 200 'x'; }")
    log = os.path.join(world.dir, "sluis1", "app.log")
    with WebhookServer() as hook:
        s = world.serve(server, build=RELEASE, state_dir="", ledger={"mode": "off"}, detect={"mode": "on", "alerts": "told.jsonl"},
                        monitor=limits(logs=["app.log"], alerts=[f"http://127.0.0.1:{hook.port}/"], state_dir=os.path.join(world.dir, "state")))
        assert os.path.dirname(log) == os.path.dirname(s.file)
        write_lines = open(log, "a")
        argv = [os.path.join(RELEASE, "sluis"), "--rules", os.path.join(ROOT, "rules"), "-c", s.file, "monitor"]
        m = Process(argv, os.path.join(world.dir, "monitor.log"), FEW)
        world.at_end(m.kill)
        wait_for(lambda: "monitor.started" in m.log(), "the monitor is up")
        get(s.port(), "/vpns/portal/one.xml")
        write_lines.write('203.0.113.7 - - [11/Jan/2020:10:00:05 +0000] "GET /vpns/portal/two.xml HTTP/1.1" 200 941 "-" "curl"\n')
        write_lines.close()
        hook.wait(lambda got: {g["alert"]["sluis.source"] for g in got} >= {"front door", f"log {log}"}, "both are told")
        assert os.path.exists(os.path.join(os.path.dirname(s.file), "told.jsonl"))
        assert m.stop() == 0


# --- what it says ---

ERRORS = [
    (["--lgo", "x"], None, "'--lgo' is no option, or wants a value; sluis help monitor tells the options", "'--lgo' is geen optie, of er ontbreekt een waarde; sluis help monitor noemt de opties"),
    (["--log"], None, "'--log' is no option, or wants a value; sluis help monitor tells the options", "'--log' is geen optie, of er ontbreekt een waarde; sluis help monitor noemt de opties"),
    ([], None, "there is nothing to watch; name logs (--log PATH), a syslog listener (--syslog udp://ADDRESS:PORT), or switch detect: on in the configuration",
     "er is niets om te bewaken; noem logs (--log PAD), een syslog-luisteraar (--syslog udp://ADRES:POORT), of zet detect: aan in de configuratie"),
    (["--log", "/no/such/folder/x.log"], None, "--log /no/such/folder/x.log: its folder cannot be opened: No such file or directory",
     "--log /no/such/folder/x.log: de map ervan kan niet worden geopend: No such file or directory"),
    (["--syslog", "udp:514"], None, "--syslog 'udp:514': write udp://ADDRESS:PORT, tcp://ADDRESS:PORT or tls://ADDRESS:PORT, such as udp://0.0.0.0:514",
     "--syslog 'udp:514': schrijf udp://ADRES:POORT, tcp://ADRES:POORT of tls://ADRES:POORT, zoals udp://0.0.0.0:514"),
    (["--syslog", "tls://127.0.0.1"], None, "--syslog 'tls://127.0.0.1': write udp://ADDRESS:PORT, tcp://ADDRESS:PORT or tls://ADDRESS:PORT, such as udp://0.0.0.0:514",
     "--syslog 'tls://127.0.0.1': schrijf udp://ADRES:POORT, tcp://ADRES:POORT of tls://ADRES:POORT, zoals udp://0.0.0.0:514"),
    (["--syslog", "udp://127.0.0.1:5514"] * 17, None, "--syslog is there more than 16 times", "--syslog staat er meer dan 16 keer"),
    (["--syslog", "tls://127.0.0.1:{port}"], None, "tls:// needs a certificate: write chain: FILE and key: FILE below monitor: in the configuration",
     "tls:// vraagt een certificaat: schrijf chain: BESTAND en key: BESTAND onder monitor: in de configuratie"),
    (["--syslog", "tcp://127.0.0.1:{taken}"], None, "cannot listen at tcp://127.0.0.1:{taken}: Address already in use", "luisteren op tcp://127.0.0.1:{taken} lukt niet: Address already in use"),
    (["--syslog", "tls://127.0.0.1:{port}"], {"monitor": {"chain": "{dir}/none.pem", "key": "{dir}/none.key"}}, "{dir}/none.pem cannot be used: No such file or directory",
     "{dir}/none.pem is niet te gebruiken: No such file or directory"),
    (["--syslog", "tls://127.0.0.1:{port}"], {"monitor": {"chain": "{chain}", "key": "{other}"}}, "{other} cannot be used: key values mismatch",
     "{other} is niet te gebruiken: key values mismatch"),
    (["--log", "{log}", "--to", "http://192.0.2.1/hook"], None,
     "destination http-192.0.2.1-{sum}: 'http://192.0.2.1/hook' would send alerts unencrypted: write https://; http:// is for an address of this machine only (127.0.0.1, [::1])", None),
    (["--log", "{log}", "--to", "smtps://mail.example.org"], None, "destination smtps-mail.example.org: '' (from) is no mail address", None),
    (["--log", "{log}"], {"monitor": {"alerts": [{"name": "duty", "to": "smtps://mail.example.org", "from": "a@example.org"}]}},
     "destination duty: '' (to) is no mail address; for more people make more destinations, or a list at the mail server", None),
    (["--log", "{log}"], {"monitor": {"alerts": [{"name": "hook", "to": "https://example.org/", "secret_file": "none"}]}}, "the secret in {dir}/none cannot be read: No such file or directory",
     "het geheim in {dir}/none kan niet worden gelezen: No such file or directory"),
    (["--log", "{log}"], {"monitor": {"alerts": [{"name": "hook", "to": "https://example.org/", "secret_file": "empty"}]}},
     "{dir}/empty: a file with a secret has it in its first line, of 1 to 256 octets, and nothing more",
     "{dir}/empty: een bestand met een geheim heeft dat in de eerste regel, van 1 tot 256 bytes, en verder niets"),
    (["--log", "{log}", "--to", "gopher://example.org"], None, "destination gopher-example.org: 'gopher://example.org' is no destination: write file:/PATH, syslog+udp://HOST, syslog+tcp://HOST, "
     "syslog+tls://HOST, https://HOST/PATH, smtps://HOST or smtp://HOST", None),
    (["--log", "{log}", "--state", "{log}"], None, "{log} cannot be used: Not a directory", "{log} is niet te gebruiken: Not a directory"),
    (["--log", "{log}", "--pack", "{dir}/none.yaml"], None, "none.yaml", None),
    (["--log", "{log}", "--to", "file:/tmp/a", "--to", "file:/tmp/a"], None, "two destinations", None),
]


@pytest.mark.parametrize("args,config,english,dutch", ERRORS, ids=[e[2][:30] for e in ERRORS])
def test_errors(world, authority, args, config, english, dutch):
    log, cert = Log(world), authority.issue("a.example.org")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        known = {"dir": world.dir, "log": log.path, "port": free_port(), "taken": taken.getsockname()[1], **cert, "other": authority.issue("b.example.org")["key"], "sum": "[0-9a-f]{8}"}
        open(os.path.join(world.dir, "empty"), "w").close()

        def fill(text):
            for name, value in known.items():
                text = text.replace("{" + name + "}", str(value))
            return text
        config = json.loads(fill(json.dumps(config)))
        for lang, text in (("en", english), ("nl", dutch or english)):
            status, said = Monitor(world, *map(fill, args), config=config, lang=lang, wait=False).run()
            want = re.escape(text)
            for name, value in known.items():
                want = want.replace(re.escape("{" + name + "}"), value if name == "sum" else re.escape(str(value)))
            assert status == 2 and re.search(want, said), said
            if english.count(" ") > 4:
                assert re.search(r"^sluis: " + want + "$", said, re.M), said


def test_state_and_its_owners(world):
    log, to = Log(world), File(world)
    for lang, text in (("en", "say where alerts and positions are kept: --state FOLDER, or state_dir in the configuration"),
                       ("nl", "zeg waar waarschuwingen en posities worden bewaard: --state MAP, of state_dir in de configuratie")):
        status, said = Monitor(world, "--log", log.path, lang=lang, state="", wait=False).run()
        assert status == 2 and text in said
    m = Monitor(world, "--log", log.path)
    assert f"nobody is alerted: name destinations with --to URL or in monitor: alerts: of the configuration; alerts are kept in {m.state}" in m.log()
    for lang, text in (("en", f"another sluis monitor works in {m.state}; give this one a folder of its own with --state"),
                       ("nl", f"een andere sluis monitor werkt in {m.state}; geef deze met --state een eigen map")):
        status, said = Monitor(world, "--log", log.path, "--to", to.url, lang=lang, wait=False).run()
        assert status == 2 and text in said
    log.add(web(1))
    wait_for(lambda: any(name.endswith(".jsonl") and os.path.getsize(os.path.join(m.state, name)) for name in os.listdir(m.state)), "an alert that nobody gets is kept")
    # without its sender it ends, and says so: whoever started it must know
    [sender] = subprocess.run(["pgrep", "-P", str(m.process.pid)], capture_output=True, text=True).stdout.split()
    os.kill(int(sender), signal.SIGKILL)
    assert m.process.child.wait(20) == 2 and "child.exited" in m.log() and "sender" in m.log()
    with open(os.path.join(m.state, "positions.json"), "w") as f:
        f.write("{")
    status, said = Monitor(world, "--log", log.path, wait=False).run()
    assert status == 2 and f"{m.state}/positions.json is not what sluis monitor wrote; move it away, and logs are followed from their ends" in said
    os.unlink(os.path.join(m.state, "positions.json"))
    late = Monitor(world, "--log", log.path, "--to", to.url)
    to.wait_clients([1])  # it was kept for whom there is now
    assert late.stop() == 0
