"""docs/respond.md and docs/respond.nl.md against the program: every command line of the guides is run, in their order, on a release
that was installed, in front of an appliance that does not exist; each ends with the status and says the lines that the guide says."""
import os
import re
import shutil
import subprocess

import pytest

import appliance
from alert_servers import SyslogServer
from harness import RELEASE, ROOT, Process, get, free_port, wait_for
from test_advisory import Provider, document
from test_assess import MailServer, mail_certificate

GUIDES = {"en": "docs/respond.md", "nl": "docs/respond.nl.md"}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
VOLATILE = re.compile(r"[0-9a-f]{16,}|\d{4}-\d\d-\d\d([T ][\d:.]+Z?)?")  # sums and moments differ from run to run


def steps(lang):
    """The guide block by block: ([(command, the status it says)], [lines that stand under them])."""
    with open(os.path.join(ROOT, GUIDES[lang])) as f:
        blocks = BLOCK.findall(f.read())
    found = []
    for kind, text in blocks:
        assert kind in ("sh", "text"), kind
        if kind == "text":
            found[-1][1].extend(line for line in text.splitlines() if line.strip())
            continue
        found.append(([], []))
        for line in text.splitlines():
            command, _, comment = line.partition("  # ")
            status = re.search(r"status (\d)", comment)
            found[-1][0].append((command, int(status.group(1)) if status else 0))
    return found


def plain(text):
    text = text.strip()
    return " ".join(VOLATILE.sub("#", text).split())


def told(line, output):
    """The pieces of the line between its dots of omission stand in one line of the output, in this order."""
    pieces = re.compile(".*".join(re.escape(plain(p)) for p in line.split("…")))
    return any(pieces.search(plain(o)) for o in output.splitlines())


class Night:
    """An installed release that runs in front of gw1, and the folder of the person who was called."""

    def __init__(self, world, lang):
        self.world, self.lang, self.root = world, lang, os.path.join(world.dir, "root")
        stage = os.path.join(world.dir, "stage")
        r = subprocess.run(["meson", "install", "-C", RELEASE, "--no-rebuild", "--destdir", stage], capture_output=True, text=True)
        assert r.returncode == 0, f"no release build in {RELEASE}: ./dev build\n{r.stdout}{r.stderr}"
        os.umask(0o022)
        shutil.move(os.path.join(stage, "usr/local"), os.path.join(self.root, "usr"))
        self.state, self.port, self.case = f"{self.root}/state", free_port(), os.path.join(world.dir, "case")
        self.config, self.socket = f"{self.root}/sluis.yaml", f"{world.dir}/admin.sock"
        os.makedirs(self.case)
        self.configure()
        self.daemon = Process([f"{self.root}/usr/bin/sluisd", "-c", self.config], f"{world.dir}/log")
        world.at_end(self.daemon.stop)
        wait_for(lambda: self.daemon.child.poll() is not None or "config.loaded" in self.daemon.log(), "sluisd is up")
        assert self.daemon.child.poll() is None, self.daemon.log()
        self.prepare()

    def configure(self):
        self.gateway = self.world.scripted(at=("127.0.0.10", 0)).address
        with open(self.config, "w") as f:
            f.write(f"workers: 1\nstate_dir: {self.state}\ncontact: Service desk, 020 123 45 67\nadmin:\n  socket: {self.socket}\n"
                    f"log:\n  access: {self.root}/access.log\nlisteners:\n  web:\n    address: 127.0.0.1:{self.port}\n"
                    f"    trusted_peers: [127.0.0.1/32]\npools:\n  gw1:\n    servers: [{{name: main, address: \"{self.gateway}\"}}]\n"
                    "routes:\n  - {pool: gw1}\n")

    def prepare(self):
        """What lies ready in the folder: the appliance's files, the copy of the ledger's key, and what people wrote down."""
        appliance.prepare(self.case)
        for client in ("198.51.100.3", "198.51.100.4", "203.0.113.7"):
            assert get(self.port, extra=f"X-Forwarded-For: {client}\r\nConnection: close\r\n").status == 200
        bin = os.path.join(self.world.dir, "bin")
        os.makedirs(bin)
        with open(os.path.join(bin, "sluis"), "w") as f:
            f.write(f"#!/bin/sh\nLC_ALL={self.lang} exec {self.root}/usr/bin/sluis -c {self.config} \"$@\"\n")
        os.chmod(os.path.join(bin, "sluis"), 0o755)
        self.env = dict(os.environ, PATH=bin + ":" + os.environ["PATH"])
        shutil.copy(f"{self.state}/ledger/ledger.pub", self.case)
        for name in ("clock.txt", "ns-version.txt"):
            appliance.put(self.case, name, "12:00:00 CET, NTP synchronised\n", mode=0o644)
        wait_for(lambda: self.run("sluis window --from -1h --with gw1").stdout.count("gw1/main") == 3, "the ledger has the three clients")
        provider = Provider(self.world)
        provider.put("/d/2020/ex-2020-1.json", document())
        provider.changes(("2020/ex-2020-1.json", "2020-01-09T10:00:00Z"))
        cert, key, ca = mail_certificate(self.folder("mail"))
        self.called = {self.gateway: "192.0.2.10:443", self.config: "/etc/sluis/sluis.yaml"}
        self.mail = MailServer(cert, key)
        self.world.at_end(self.mail.listener.close)
        self.siem = SyslogServer("udp")
        self.world.at_end(self.siem.close)
        self.stands_for = {"/etc/sluis/sluis.yaml": self.config, "/var/lib/sluis": self.state, "https://portal.example.org": f"http://127.0.0.1:{self.port}",
                           "syslog+udp://siem.example.org": f"syslog+udp://127.0.0.1:{self.siem.port}",
                           "https://advisories.example.org": f"{provider.url} --ca {provider.ca}",
                           "smtp://mail.example.org": f"smtp://localhost:{self.mail.port} --ca {ca}"}

    def folder(self, name):
        from pathlib import Path
        path = Path(self.world.dir) / name
        path.mkdir()
        return path

    def run(self, command):
        return subprocess.run(["bash", "-c", command], cwd=self.case, env=self.env, capture_output=True, text=True, timeout=120)

    def act(self, command, status):
        for name, real in self.stands_for.items():
            command = command.replace(name, real)
        r = self.run(command)
        output = r.stdout + r.stderr
        assert r.returncode == status, (command, r.returncode, output)
        if command.startswith("curl "):  # a person reads the answer meanwhile
            wait_for(lambda: os.path.getsize(f"{self.state}/alerts.jsonl"), "the probe's alert is written")
        made = re.search(r"\bgw1-\d{8}-1\b", output)
        if command.startswith("sluis plan new") and made:
            self.stands_for["gw1-20200122-1"] = made.group(0)
        for real, name in self.called.items():
            output = output.replace(real, name)
        return output


@pytest.mark.parametrize("lang", GUIDES)
def test_the_guide_is_what_the_program_does(world, lang):
    night = Night(world, lang)
    for commands, lines in steps(lang):
        output = "".join(night.act(*c) for c in commands)
        for line in lines:
            assert told(line, output), f"{commands}\n\nsay nowhere: {line}\n\n{output}"
    [heard] = night.siem.wait_count(1)
    assert heard["alert"]["rule.id"] == "cve-2019-19781-attempt" and heard["alert"]["source.ip"] == "127.0.0.1"
    assert len(night.mail.mails) == 2 and os.path.exists(os.path.join(night.case, "window.html"))


def test_both_languages_have_the_same_commands():
    """In the same order, with the same status; only texts in quotes are in the language."""
    both = {lang: [(re.sub(r"'[^']*'", "''", c), s) for commands, _ in steps(lang) for c, s in commands] for lang in GUIDES}
    assert both["en"] == both["nl"] and len(both["en"]) > 25
    used = {c.split()[1] for c, _ in both["en"] if c.startswith("sluis ")}
    assert used >= {"advisory", "assess", "mitigate", "window", "isolate", "release", "evidence", "hunt", "verify-self", "ledger", "plan", "notify", "monitor"}
