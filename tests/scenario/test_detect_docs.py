"""docs/detect.md against the program: its configuration is valid, starts, and alerts as the page says; its events are those there are."""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess

from alert_servers import MailServer, SyslogServer, WebhookServer
from certs import Authority
from harness import BUILD, ROOT, Process, free_port, port_answers, wait_for

QUIET = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
PROBE = '203.0.113.7 - - [11/Jan/2020:10:00:00 +0000] "GET /vpn/../vpns/cfg/smb.conf HTTP/1.1" 200 941 "-" "curl/7.58.0"\n'
# Octets in the name of a failed login, as an appliance's own syslog has them.
LOGIN = (b'<134> 07/04/2025:22:00:00 GMT %b 0-PPE-0 : default AAA LOGIN_FAILED 1 0 :  User \\x01\\x02 - Client_ip 203.0.113.8 - '
         b'Failure_reason "x" - Browser curl\n')


def page():
    with open(os.path.join(ROOT, "docs/detect.md")) as f:
        return f.read()


class Watch:
    """The page's configuration with ports, paths and names of this machine, its receivers, sluisd and the monitor."""

    def __init__(self, world):
        self.world, self.dir = world, os.path.join(world.dir, "etc")
        for name in (self.dir, f"{self.dir}/logs"):
            os.makedirs(name)
        self.ca, self.appliances = Authority(world.dir, "Internal CA"), Authority(world.dir, "Appliances CA")
        self.cert = self.ca.issue("localhost", "localhost", "127.0.0.1")
        self.port, self.udp, self.tls, self.app = free_port(), free_port(), free_port(), world.scripted()
        self.files()
        self.receivers()
        self.config = f"{self.dir}/sluis.yaml"
        with open(self.config, "w") as f:
            f.write(self.text() + f"admin:\n  socket: {self.dir}/admin.sock\nworkers: 1\n")

    def files(self):
        for name in ("site", "monitor"):
            shutil.copy(self.cert["chain"], f"{self.dir}/{name}.pem")
            shutil.copy(self.cert["key"], f"{self.dir}/{name}.key")
        shutil.copy(self.ca.path, f"{self.dir}/internal-ca.pem")
        shutil.copy(self.appliances.path, f"{self.dir}/appliances-ca.pem")
        for name in ("webhook.secret", "mail.password"):
            with open(f"{self.dir}/{name}", "w") as f:
                f.write("not a word\n")
        for name in ("httpaccess.log", "httperror.log", "bash.log"):
            open(f"{self.dir}/logs/{name}", "w").close()

    def receivers(self):
        self.siem, self.duty = SyslogServer("tls", self.cert), WebhookServer(b"not a word", self.cert)
        self.mail = MailServer(self.cert, at_once=True)
        for server in (self.siem, self.duty, self.mail):
            self.world.at_end(server.close)

    def text(self):
        [text] = re.findall(r"^```yaml\n(.*?)^```$", page(), re.M | re.S)
        for name, real in (("/var/lib/sluis-monitor", f"{self.dir}/monitor"), ("/var/lib/sluis", f"{self.dir}/state"), ("/var/log/sluis", self.dir),
                           ("/srv/logs/gw1", f"{self.dir}/logs"), ("0.0.0.0:443", f"127.0.0.1:{self.port}"), ("192.0.2.10:80", self.app.address),
                           ("0.0.0.0:514", f"127.0.0.1:{self.udp}"), ("0.0.0.0:6514", f"127.0.0.1:{self.tls}"),
                           ("siem.example.org:6514", f"localhost:{self.siem.port}"), ("alerts.example.org", f"localhost:{self.duty.port}"),
                           ("mail.example.org:465", f"localhost:{self.mail.port}")):
            assert name in text, name
            text = text.replace(name, real)
        return text

    def start(self):
        rules = ["--rules", f"{ROOT}/rules"]
        r = subprocess.run([f"{BUILD}/sluis", *rules, "check", self.config], capture_output=True, text=True, env=QUIET)
        assert r.returncode == 0, r.stdout + r.stderr
        self.daemon = Process([f"{BUILD}/sluisd", "-c", self.config, *rules], f"{self.world.dir}/sluisd.log", QUIET)
        self.world.at_end(self.daemon.stop)
        wait_for(lambda: self.daemon.child.poll() is not None or "config.loaded" in self.daemon.log(), "sluisd is up")
        self.monitor = Process([f"{BUILD}/sluis", "-c", self.config, *rules, "monitor"], f"{self.world.dir}/monitor.log", QUIET)
        self.world.at_end(self.monitor.stop)
        wait_for(lambda: self.monitor.child.poll() is not None or "monitor.started" in self.monitor.log(), "the monitor is up")
        assert self.daemon.child.poll() is None and self.monitor.child.poll() is None, self.daemon.log() + self.monitor.log()
        wait_for(lambda: port_answers(self.tls), "the monitor listens")

    def told(self):
        path = f"{self.dir}/monitor/told.jsonl"
        return [json.loads(line) for line in open(path)] if os.path.exists(path) else []

    def send_tls(self, message):
        own = self.appliances.issue("gw1", "gw1")
        context = ssl.create_default_context(cafile=self.ca.path)
        context.load_cert_chain(own["chain"], own["key"])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", self.tls)), server_hostname="localhost") as s:
            s.sendall(b"%d %s" % (len(message), message))
            s.unwrap()


def try_it(watch):
    """The page's own two commands."""
    section = page().split("## Try it\n", 1)[1].split("\n## ", 1)[0]
    curl, tail = [line.split("  #")[0].strip() for line in section.splitlines() if line.startswith("    ")]
    curl = curl.replace("https://127.0.0.1/", f"https://127.0.0.1:{watch.port}/") + " -s -o /dev/null -w '%{http_code}'"
    assert subprocess.run(curl, shell=True, capture_output=True, text=True).stdout == "403"
    tail = tail.replace("/var/lib/sluis", f"{watch.dir}/state")
    line = wait_for(lambda: subprocess.run(tail, shell=True, capture_output=True, text=True).stdout, "the alert is in the file")
    assert json.loads(line)["sluis.class"] == "attempt" and json.loads(line)["source.ip"] == "127.0.0.1"
    return json.loads(line)["event.id"]


def test_the_configuration_of_the_page_alerts(world):
    watch = Watch(world)
    watch.start()
    attempt = try_it(watch)
    watch.siem.wait(lambda got: attempt in [g["alert"]["event.id"] for g in got], "the siem has the attempt")
    with open(f"{watch.dir}/logs/httpaccess.log", "a") as f:
        f.write(PROBE)
    [duty] = watch.duty.wait_count(1)
    assert duty["is_signed"] and duty["alert"]["sluis.class"] == "probe" and duty["alert"]["sluis.source"].endswith("logs/httpaccess.log")
    watch.mail.wait_count(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(LOGIN % b"gw1", ("127.0.0.1", watch.udp))
    watch.send_tls(LOGIN.strip() % b"gw2")
    watch.siem.wait(lambda got: {"syslog 127.0.0.1 gw1", "syslog 127.0.0.1 gw2"} <= {g["alert"]["sluis.source"] for g in got}, "what came by UDP and TLS")
    wait_for(lambda: attempt in [a["event.id"] for a in watch.told()], "the file has it too")
    assert not {"attempt", "trace"} & {g["alert"]["sluis.class"] for g in watch.duty.got}, "duty was to get probe and more"
    assert "trace" not in {a["sluis.class"] for a in watch.told()}, "without least it is attempt and more"


def test_the_page_names_the_events_that_there_are():
    with open(os.path.join(ROOT, "src/base/events.tbl")) as f:
        known = set(re.findall(r'"([a-z]+\.[a-z_]+)"', f.read()))
    named = set(re.findall(r"`((?:alert|monitor|pack|child)\.[a-z]+)`", page()))
    assert named <= known, named - known
    assert {e for e in known if e.startswith(("alert.", "monitor.", "pack."))} - {"monitor.started", "monitor.ends"} <= named
