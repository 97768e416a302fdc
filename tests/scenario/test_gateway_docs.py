"""docs/gateway.md against the program: its configuration is valid and starts, people reach what it says that they reach, its way to verify a token
verifies, and what it names of limits, cookies, claims and commands is what there is."""
import json
import os
import re
import subprocess
import time

import pytest

from certs import Authority
from harness import BUILD, ROOT, Process, free_port, wait_for
from portal import PASSWORD, PORTAL, Browser, add_user, ask, echo_head, gateway, totp

QUIET = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")

CARE, ADMIN, WIKI = f"care.{PORTAL}", f"admin.{PORTAL}", f"wiki.{PORTAL}"


def page():
    with open(os.path.join(ROOT, "docs/gateway.md")) as f:
        return f.read()


def source(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def configuration(world, folder, tls, office):
    """The page's first configuration, with ports, paths and an office of this machine; its certificate is in the folder."""
    cert = Authority(world.dir).issue(PORTAL, PORTAL, f"*.{PORTAL}")
    os.link(cert["chain"], f"{folder}/work.pem")
    os.link(cert["key"], f"{folder}/work.key")
    [text] = [t for t in re.findall(r"^```yaml\n(.*?)^```$", page(), re.M | re.S) if "listeners:" in t]  # the others are parts
    for was, real in (("/var/lib/sluis", f"{folder}/state"), ("0.0.0.0:80", f"127.0.0.1:{free_port()}"), ("0.0.0.0:443", f"127.0.0.1:{tls}"),
                      ("192.0.2.0/24", office), *((f"192.0.2.{n}:8080", world.scripted(echo_head).address) for n in (10, 11, 12))):
        assert text.count(was) == 1, was
        text = text.replace(was, real)
    return text


class Site:
    """The page's configuration at work."""

    def __init__(self, world, office="198.51.100.0/24"):
        self.dir = os.path.join(world.dir, "etc")
        os.makedirs(self.dir)
        self.tls, self.socket = free_port(), f"{self.dir}/admin.sock"
        text = configuration(world, self.dir, self.tls, office)
        self.file = f"{self.dir}/sluis.yaml"
        with open(self.file, "w") as f:
            f.write(text + f"admin:\n  socket: {self.socket}\nworkers: 2\n")
        r = subprocess.run([f"{BUILD}/sluis", "check", self.file], capture_output=True, text=True, env=QUIET)
        assert r.returncode == 0, r.stdout + r.stderr
        self.daemon = Process([f"{BUILD}/sluisd", "-c", self.file], f"{world.dir}/sluisd.log", QUIET)
        world.at_end(self.daemon.stop)
        wait_for(lambda: self.daemon.child.poll() is not None or "config.loaded" in self.daemon.log(), "sluisd is up")
        assert self.daemon.child.poll() is None, self.daemon.log()

    def port(self):
        return self.tls

    def add(self, name, *groups):
        answer = ask(self, "user.add", name=name, password=PASSWORD, groups=list(groups))
        assert answer["ok"], answer


def enrol(site, name):
    """A browser of somebody who has set up one-time codes, as the page says of who is outside."""
    b = Browser(site)
    p = b.sign_in(name)
    assert p.url.endswith("/totp"), "from outside the office a second factor is asked for"
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", p.text).group(1)
    p = b.post("/totp", {"csrf": p.csrf(), "code": totp(secret)})
    assert p.status == 200 and len(re.findall(r"\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b", p.text)) == 10, "ten recovery codes"
    return b


def told(p, name):
    found = re.search(rf"(?im)^{name}: (.*?)\r?$", p.text)
    return found.group(1) if found else None


def test_the_configuration_of_the_page_serves(world):
    site = Site(world)
    site.add("eva", "staff")
    site.add("piet", "staff", "care")
    b = enrol(site, "eva")
    p = b.get("/page", host=WIKI, headers=["Sluis-User: anna", "Sluis-Anything: x"])
    assert p.status == 200 and told(p, "Sluis-User") == "eva" and told(p, "Sluis-Groups") == "staff" and told(p, "Sluis-Anything") is None, p
    assert told(p, "Host") == "wiki.internal.example.org" and told(p, "Cookie") is None, "the wiki's own name, and no cookie of ours"
    p = b.get("/", host=CARE)
    assert p.status == 403 and "Ask your manager for the group care." in p.text, p
    p = enrol(site, "piet").get("/", host=CARE, headers=["X-Remote-User: eva"])
    assert p.status == 200 and told(p, "X-Remote-User") == "piet", p


def test_who_is_not_of_the_staff_does_not_get_in(world):
    site = Site(world)
    site.add("anna", "guests")
    p = Browser(site).sign_in("anna")
    assert p.status == 403 and 'role="alert"' in p.text, p


def test_in_the_office_a_second_factor_is_needed_for_one_app_alone(world):
    site = Site(world, office="127.0.0.0/8")
    site.add("eva", "staff", "admins")
    b = Browser(site)
    assert b.sign_in("eva").url == b.url("/"), "no second factor for signing in"
    assert b.get("/", host=WIKI).status == 200
    p = b.get("/", host=ADMIN)
    assert p.url.startswith(b.url("/")) and p.url != b.url("/"), "to the portal, which asks for a second factor"
    assert told(p, "Sluis-User") is None, p


def verifier():
    """What the page's Python defines."""
    [text] = re.findall(r"^```python\n(.*?)^```$", page(), re.M | re.S)
    names = {}
    exec(compile(text, "docs/gateway.md", "exec"), names)
    return names["verify"]


def test_a_token_is_verified_as_the_page_says(world):
    site = Site(world)
    site.add("eva", "staff", "admins")
    b = enrol(site, "eva")
    token = told(b.get("/", host=ADMIN), "Sluis-Token")
    keys = json.loads(b.get("/.well-known/jwks.json", headers=["Accept: application/json"]).text)
    issuer, audience, verify = f"https://{PORTAL}:{site.tls}", f"https://{ADMIN}:{site.tls}", verifier()
    claims = verify(token, keys, issuer, audience)
    assert claims["sub"] == "eva" and claims["groups"] == ["staff", "admins"] and 0 < claims["exp"] - time.time() <= 600, claims
    assert {"iss", "aud", "sub", "groups", "sid", "amr", "iat", "exp", "jti"} <= set(claims) and {"pwd", "otp", "mfa"} <= set(claims["amr"]), claims
    head, body, sign = token.split(".")
    for why, wrong in (("another app's", (token, keys, issuer, f"https://{WIKI}:{site.tls}")), ("another portal's", (token, keys, "https://x.example.org", audience)),
                       ("another signature", (f"{head}.{body}.{sign[:-4]}AAAA", keys, issuer, audience)), ("other claims", (f"{head}.{body[:-4]}AAAA.{sign}", keys, issuer, audience)),
                       ("no key", (token, {"keys": []}, issuer, audience))):
        with pytest.raises(Exception):
            verify(*wrong)
            raise SystemExit(f"taken, though it is {why}")
    assert told(b.get("/", host=WIKI), "Sluis-Token") is None, "only with token: true"


def test_the_ledger_tells_what_the_page_says(world):
    site = Site(world)
    site.add("eva", "staff")
    Browser(site).sign_in("eva", "not the password")
    b = enrol(site, "eva")
    b.get("/", host=WIKI)
    ask(site, "sessions.revoke", name="eva")
    export = [f"{BUILD}/sluis", "-c", site.file, "ledger", "export", "--kind", "sign-in,revoked"]

    def seen():
        r = subprocess.run(export, capture_output=True, text=True, env=QUIET)
        return [json.loads(line) for line in r.stdout.splitlines()]

    wait_for(lambda: any(line["sluis.ledger.kind"] == "revoked" for line in seen()), "the end of the session is in the ledger")
    outcomes = [line.get("event.reason") for line in seen() if line["sluis.ledger.kind"] == "sign-in"]
    assert {"wrong", "factor added", "signed in"} <= set(outcomes), outcomes
    section = page().split("The ledger has each sign-in", 1)[1].split("\n\n", 1)[0]
    for outcome in outcomes:
        assert f"`{outcome}`" in section.replace("\n", " "), outcome
    window = [f"{BUILD}/sluis", "-c", site.file, "window", "--from", "-8h", "--with", "user:eva"]
    wait_for(lambda: "wiki/" in subprocess.run(window, capture_output=True, text=True, env=QUIET).stdout, "the window says what eva was connected with")


def test_a_session_in_use_is_not_idle_because_of_a_restart(world):
    s = world.run(gateway(world))
    add_user(s, "eva")
    b = Browser(s)
    assert b.sign_in("eva").status == 200

    def row():
        [one] = ask(s, "sessions.list", name="eva")["sessions"]
        return one

    def used():
        b.get("/")
        return row() if row()["seen"] > row()["since"] else None

    before = wait_for(used, "identity knows that the session is in use")
    socket = s.socket
    s.stop()
    s = world.run(s.config)
    s.socket = socket # as the configuration still says
    assert row()["id"] == before["id"] and row()["seen"] >= before["seen"], (before, row())


@pytest.mark.parametrize("path,pattern,text", [
    ("src/auth/guess.h", r"after the 4th failure in a row 1 s, then 2, 4, \.\.\. up to 15 minutes; forgotten after an hour", "the 4th failure in a row | waits of 1 s, 2 s, 4 s, ... up to 15 minutes; forgotten after an hour"),
    ("src/auth/guess.h", r"30 failures, one more every 20 s", "30 failures, one more every 20 s"),
    ("src/auth/guess.h", r"100 failures from unknown sources, one more every 30 s", "100 failures from addresses that it is new to, one more every 30 s"),
    ("src/auth/guess.h", r"50 tries a second, burst 100", "50 tries a second, a burst of 100"),
    ("src/auth/password.h", r"PASSWORD_LEAST\s+12 ", "at least 12 characters"),
    ("src/auth/password.h", r"PASSWORD_MOST\s+256 ", "at most 256 octets"),
    ("src/auth/store_history.c", r"SOURCE_DAYS\s+90\b", "for 90 days"),
    ("src/roles/identity_priv.h", r"FLOW_TRIES\s+10\b", "after 10 wrong codes"),
    ("src/roles/identity_priv.h", r"FLOW_S\s+600\b", "or 10 minutes"),
    ("src/roles/identity_priv.h", r"TOKEN_S\s+600\b", "good for 10 minutes"),
    ("src/roles/identity_priv.h", r"JOBS_MAX\s+64\b", "At most 64 wait"),
    ("src/auth/recovery.h", r"RECOVERY_COUNT\s+10\b", "**Recovery codes**: ten"),
    ("src/auth/facts.h", r"AUTH_GROUPS_MAX 64 ", "64 groups a user"),
    ("src/board/sessions.h", r"1u << 18", "262,144 sessions"),
])
def test_the_numbers_of_the_page_are_those_of_the_source(path, pattern, text):
    assert re.search(pattern, source(path)), f"{path} says something else than {pattern}: the page must follow"
    assert text in " ".join(page().split()), text


def test_the_page_names_the_cookies_that_there_are():
    there = set(re.findall(r'"(__Host-sluis-[a-z]+)"', source("src/gateway/form.h")))
    assert there == set(re.findall(r"`(__Host-sluis-[a-z]+)`", page()))
