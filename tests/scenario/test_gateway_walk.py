"""docs/gateway.md walked from nothing to a directory's people with passkeys: its configuration, its section for OpenLDAP and its commands as they stand
there, with only addresses, ports, files and names of this machine in them; a real slapd, and people in Debian's Chromium. The steps in the browser are
in tests/browser/walk.mjs."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from certs import Authority
from harness import BUILD, PATIENCE, ROOT, SANITIZER_MARKS, Process, World, free_port, wait_for
from portal import PASSWORD as OWN_PASSWORD
from slapd import BASE, PASSWORD, SERVICE_PASSWORD, Slapd, group, person
from test_gateway_docs import QUIET, configuration, page, source
from test_passkey_script import install
from test_user_commands import at_terminal

SCRIPT = pathlib.Path(ROOT, "tests/browser/walk.mjs")
STEPS = re.findall(r'^\tasync "([^"]+)"\(', SCRIPT.read_text(), re.M)
PEOPLE = {"eva": {"display": "Eva Jansen", "password": OWN_PASSWORD, "another": "vijf paarse emmers 11"}, "piet": {"display": "Piet Jansen", "password": PASSWORD},
          "kees": {"display": "Kees Jansen", "password": PASSWORD}, "anna": {"display": "Anna Jansen", "password": PASSWORD}}
ELSEWHERE = "cn=sluis,ou=services," + BASE  # the account of the page


def part(heading):
    """What is below a heading, up to the next."""
    pieces = re.split(r"^#+ (.*)\n", page(), flags=re.M)
    [text] = [t for h, t in zip(pieces[1::2], pieces[2::2]) if h == heading]
    return text


def blocks(heading):
    return re.findall(r"^```(?:yaml)?\n(.*?)^```$", part(heading), re.M | re.S)


def commands(heading, begin):
    """The lines of code that begin so, in any form that the page has for them."""
    return [line.strip() for line in re.findall(rf"^ *{begin} .*$", part(heading), re.M)]


def replaced(text, *pairs):
    for was, real in pairs:
        assert text.count(was) == 1, was
        text = text.replace(was, real)
    return text


class Walk:
    """A machine that has just got Sluis, as the package starts it, and a directory; then what the page says, in its order."""

    def __init__(self, world):
        self.world, self.dir, self.tls = world, os.path.join(world.dir, "etc"), free_port()
        self.file, self.admin = f"{self.dir}/sluis.yaml", f"admin:\n  socket: {world.dir}/admin.sock\nlog:\n  access: {world.dir}/access.log\nworkers: 2\n"
        os.makedirs(self.dir)
        ca = Authority(world.dir, "Directory CA")
        self.slapd = Slapd(world, [f"dn: ou=services,{BASE}\nobjectClass: organizationalUnit\nou: services\n",
                                   f"dn: {ELSEWHERE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: sluis\nuserPassword: {SERVICE_PASSWORD}\n",
                                   person("piet"), person("kees"), person("anna"), group("staff", "piet", "kees"), group("care", "piet"), group("guests", "kees", "anna")],
                           ca.issue("ldap", "localhost", "127.0.0.1", file="ldap"), ca.path)
        os.link(ca.path, f"{self.dir}/internal-ca.pem")
        with open(os.open(f"{self.dir}/ldap.password", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(SERVICE_PASSWORD + "\n")

    def start(self):
        with open(self.file, "w") as f:
            f.write(f"state_dir: {self.dir}/state\nlisteners:\n  web:\n    address: 127.0.0.1:{free_port()}\n"
                    f"pools:\n  app:\n    servers: [\"127.0.0.1:{free_port()}\"]\n" + self.admin)
        self.daemon = Process([f"{BUILD}/sluisd", "-c", self.file], f"{self.world.dir}/sluisd.log", QUIET)
        self.world.at_end(self.daemon.stop)
        wait_for(lambda: self.daemon.child.poll() is not None or "config.loaded" in self.daemon.log(), "sluisd is up")
        assert self.daemon.child.poll() is None, self.daemon.log()

    def configure(self):
        """The first configuration, with the section for OpenLDAP below its gateway:."""
        text = configuration(self.world, self.dir, self.tls, "198.51.100.0/24")
        self.care = yaml.safe_load(text)["gateway"]["apps"]["care"]
        ldap = replaced(blocks("OpenLDAP")[0], ("ldap1.example.org", f"localhost:{self.slapd.tls_port}"), ("ldap2.example.org", f"127.0.0.1:{self.slapd.tls_port}"))
        with open(self.file, "w") as f:
            f.write(replaced(text, ("\ngateway:\n", "\n" + ldap)) + self.admin)

    def run(self, line, status=0):
        """A line of the page in a shell, where sluis is ours and finds the configuration elsewhere."""
        line = line.replace("/etc/sluis/sluis.yaml", self.file)
        r = subprocess.run(["/bin/sh", "-c", f'sluis() {{ {shlex.quote(f"{BUILD}/sluis")} -c {shlex.quote(self.file)} "$@"; }}\n{line}'], capture_output=True,
                           text=True, env=QUIET, timeout=PATIENCE)
        assert r.returncode == status, (line, r.returncode, r.stdout, r.stderr)
        return r.stdout + r.stderr

    def explain(self, user, app, status, line=0):
        """The page's line, about somebody else: the first asks for who is known, the other for who has not been here."""
        lines = commands("Why somebody may not", "sluis access explain")
        assert ["--groups" in text for text in lines] == [False, True]
        return self.run(re.sub(r" explain \S+ \S+ ", f" explain {user} {app} ", lines[line]), status)

    def denied(self):
        with open(f"{self.world.dir}/access.log") as f:
            lines = [json.loads(line) for line in f.read().split("\n")[:-1] if line]
        return [(line["user.name"], line["sluis.denied_by"]) for line in lines if line.get("sluis.denied_by")]


@pytest.fixture(scope="module")
def walked():
    for tool in ("chromium", "node"):
        assert shutil.which(tool), f"{tool} is not installed: ./dev test installs it"
    install()
    world = World()
    found = {}
    try:
        walk = Walk(world)
        walk.start()
        walk.configure()
        check, take, add = commands("From nothing to a portal", "sluis")
        assert "valid" in walk.run(check)
        walk.run(take)
        shown, status = at_terminal(["-c", walk.file, *shlex.split(add)[1:]], [("Password: ", OWN_PASSWORD), ("Once more: ", OWN_PASSWORD)],
                                    os.path.join(BUILD, "sluis"))
        assert status == 0, shown
        found["strangers"] = walk.explain("kees", "care", 2), walk.explain("kees", "care", 1, 1)
        settings = json.dumps({"port": walk.tls, "people": PEOPLE})
        run = subprocess.run(["node", str(SCRIPT), os.path.abspath(BUILD), settings], capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stdout + run.stderr
        found["steps"] = {line["name"]: line for line in map(json.loads, run.stdout.splitlines())}
        if all(step["failure"] is None for step in found["steps"].values()):
            found["explain"] = {user: walk.explain(user, app, status) for user, app, status in (("eva", "care", 0), ("kees", "care", 1), ("anna", "wiki", 1))}
            found["denied"] = wait_for(walk.denied, "the access log says which rule")
        found["care"], found["log"] = walk.care, walk.daemon.log()
    finally:
        world.close()
    return found


@pytest.mark.parametrize("step", STEPS)
def test_walk(walked, step):
    assert step in walked["steps"], f"not run: {step}: see what failed before it"
    assert walked["steps"][step]["failure"] is None, walked["steps"][step]["failure"]


def test_who_may_not_is_told_the_same_everywhere(walked):
    rule, help_ = walked["care"]["allow"], walked["care"]["help"]
    said, explained = walked["steps"]["and its deep link says what is missing, and whom to ask"]["said"], walked["explain"]["kees"]
    assert rule in said and help_ in said, said
    assert "kees may not reach care." in explained and f"{rule} does not hold" in explained and f"people are told: {help_}" in explained, explained
    assert 'the group "care" (app.allow)' in explained, explained
    assert walked["denied"] == [("kees", rule)]


def test_who_may_and_who_may_not_sign_in_are_explained(walked):
    explained = walked["explain"]
    assert "eva may reach care." in explained["eva"] and "has passkeys" in explained["eva"], explained["eva"]
    [words] = re.findall(r'^WORD\(PW_E_DENIED, "([^"]*)"', source("src/gateway/words.tbl"), re.M)
    assert words in walked["steps"]["who is not of the staff does not get in"]["said"]
    assert "anna may not reach wiki." in explained["anna"] and re.search(r'gateway.allow +does not hold.*\n +user.groups == "staff" does not hold', explained["anna"])


def test_who_was_never_here_is_explained_by_groups(walked):
    unknown, by_groups = walked["strangers"]
    assert "there is no user of that name" in unknown and "--groups" in unknown, unknown
    assert "kees may not reach care." in by_groups and "groups: staff\n" in by_groups, by_groups


def test_the_directory_answered_and_nothing_went_wrong(walked):
    log = walked["log"]
    assert not re.search(r"event=(directory\.|child\.exited)", log) and not any(mark in log for mark in SANITIZER_MARKS), log


@pytest.mark.parametrize("heading", ["OpenLDAP", "Active Directory"])
def test_each_directory_of_the_page_is_valid(world, heading):
    """As it stands there: names of servers are looked up when they are asked."""
    folder = os.path.join(world.dir, "etc")
    os.makedirs(folder)
    section = "".join(blocks(heading))
    for name in re.findall(r"^ *(?:ca|bind_password): (\S+)", section, re.M):
        if name.endswith(".pem"):
            os.link(Authority(world.dir).path, f"{folder}/{name}")
        else:
            with open(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(SERVICE_PASSWORD + "\n")
    with open(f"{folder}/sluis.yaml", "w") as f:
        f.write(replaced(configuration(world, folder, free_port(), "192.0.2.0/24"), ("\ngateway:\n", "\n" + section)))
    r = subprocess.run([f"{BUILD}/sluis", "check", f"{folder}/sluis.yaml"], capture_output=True, text=True, env=QUIET)
    assert r.returncode == 0, r.stdout + r.stderr
