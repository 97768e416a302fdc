"""Sign-ins that have begun and are not over: what ends them, and that nobody gets a session or a factor by one that began before a new password, a
revocation, or other factors. Passkeys are made and touched by a few lines of Python; those of a real browser: test_portal_browser.py."""
import base64
import hashlib
import json
import os
import re
import struct
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from harness import World, wait_for
from portal import PASSWORD, PORTAL, Browser, add_user, ask, gateway, totp
from test_gateway_security import APP, SESSION
from test_nodes import Pair, Person

OTHER = "vier blauwe lantaarns 8"


class Gate:
    """One Sluis that demands a second factor of everybody but who is in the group of one; every test has users of its own."""

    def __init__(self, world):
        self.s, self.count = world.run(gateway(world, gateway={"mfa": 'not (user.groups == "one")'})), 0

    def user(self, **more):
        self.count += 1
        add_user(self.s, f"user{self.count}", **more)
        return f"user{self.count}"

    def begin(self, name, at="/totp", password=PASSWORD):
        """The first factor was right; the page asks for the second, or for a new one."""
        b = Browser(self.s)
        b.user, b.page = name, b.sign_in(name, password)
        assert b.page.url == b.url(at) and not is_in(b), b.page
        return b

    def enrolled(self):
        """Somebody who is in, with one-time codes; the code of this moment has been taken."""
        b = self.begin(self.user())
        b.secret = secret_of(b.page)
        page = b.post("/totp", {"csrf": b.page.csrf(), "code": totp(b.secret)})
        assert page.status == 200 and is_in(b), page
        return b

    def shown(self, name):
        return ask(self.s, "user.show", name=name)["user"]

    def sessions(self, name):
        return ask(self.s, "sessions.list", name=name)["sessions"]


@pytest.fixture(scope="module")
def gate():
    w = World()
    try:
        yield Gate(w)
    finally:
        w.close()


def is_in(b):
    return SESSION in b.jar.get(PORTAL, {})


def secret_of(page):
    return re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)


def second(b, code, method="totp"):
    return b.post("/second", {"csrf": b.page.csrf(), "method": method, "code": code})


def passwd(g, name, keep=True):
    answer = ask(g.s, "user.passwd", name=name, password=OTHER, must_change=not keep)
    assert answer["ok"], answer


def disable_and_enable(g, name):
    assert ask(g.s, "user.disable", name=name)["ok"] and ask(g.s, "user.enable", name=name)["ok"]


def enrol_elsewhere(g, name):
    b = g.begin(name)
    assert b.post("/totp", {"csrf": b.page.csrf(), "code": totp(secret_of(b.page))}).status == 200 and is_in(b)


def add_passkey_elsewhere(g, name):
    b = g.begin(name)
    assert Passkey().add(b, b.page.csrf())["ok"] and is_in(b)


def revoke(**which):
    return lambda g, name: ask(g.s, "sessions.revoke", **{k: v or name for k, v in which.items()})


ENDS = {"a new password": passwd, "a new password that must be changed": lambda g, name: passwd(g, name, keep=False), "disabled and enabled": disable_and_enable,
        "factors reset": lambda g, name: ask(g.s, "user.reset-factors", name=name), "sessions revoked": revoke(name=None), "all sessions revoked": revoke(all=True),
        "those before a time revoked": revoke(name=None, before=2 ** 33), "codes set up elsewhere": enrol_elsewhere, "a passkey set up elsewhere": add_passkey_elsewhere}


@pytest.mark.parametrize("why", ENDS)
def test_who_must_set_one_up_sets_up_nothing_after(gate, why):
    name = gate.user()
    thief, late = gate.begin(name), gate.begin(name)
    ENDS[why](gate, name)
    before = gate.shown(name)
    page = thief.post("/totp", {"csrf": thief.page.csrf(), "code": totp(secret_of(thief.page))})
    assert not is_in(thief) and "/sign-in" in page.url, page
    page = late.get("/totp")
    assert "/sign-in" in page.url and "otpauth://" not in page.text, page
    assert late.post("/passkey/new", {"csrf": late.page.csrf()}).status in (401, 403)
    after = gate.shown(name)
    assert (after["totp"], after["passkeys"], after["recovery"]) == (before["totp"], before["passkeys"], before["recovery"])


def change_password(g, eva):
    page = eva.get("/account")
    page = eva.post("/password", {"csrf": page.csrf(), "old": PASSWORD, "new": OTHER, "again": OTHER})
    assert page.status == 200 and is_in(eva), page


def end_others(g, eva):
    page = eva.get("/account")
    assert eva.post("/sessions/end", {"csrf": page.csrf()}).status == 200


def new_recovery_codes(g, eva):
    page = eva.get("/account")
    assert eva.post("/recovery", {"csrf": page.csrf()}).status == 200


@pytest.mark.parametrize("act", [change_password, end_others, new_recovery_codes, lambda g, eva: passwd(g, eva.user), lambda g, eva: disable_and_enable(g, eva.user),
                                 lambda g, eva: ask(g.s, "sessions.revoke", name=eva.user)],
                         ids=["own password", "end all others", "new recovery codes", "user passwd", "disabled and enabled", "revoked"])
def test_who_is_asked_for_the_second_factor_is_not_let_in_after(gate, act):
    """Not even by a code that is right."""
    eva = gate.enrolled()
    thief = gate.begin(eva.user, "/second")
    act(gate, eva)
    page = second(thief, totp(eva.secret, step=1))
    assert page.status == 401 and not is_in(thief), page


def test_sign_ins_of_others_and_beside_each_other_go_on(gate):
    eva, anna = gate.enrolled(), gate.user()
    waits, one, two = gate.begin(anna), gate.begin(eva.user, "/second"), gate.begin(eva.user, "/second")
    assert ask(gate.s, "sessions.revoke", name=gate.enrolled().user)["ok"]
    assert ask(gate.s, "sessions.revoke", id=gate.sessions(eva.user)[0]["id"])["ok"], "one session, not what else she does"
    assert ask(gate.s, "sessions.revoke", app="wiki")["ok"]
    assert ask(gate.s, "sessions.revoke", name=eva.user, before=1)["ok"], "they began later"
    codes = re.findall(r"\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b", waits.post("/totp", {"csrf": waits.page.csrf(), "code": totp(secret_of(waits.page))}).text)
    assert is_in(waits) and len(codes) == 10
    second(one, totp(eva.secret, step=1))
    assert is_in(one)
    third, fourth = gate.begin(anna, "/second"), gate.begin(anna, "/second")
    for b, code in ((third, codes[0]), (fourth, codes[1])):
        second(b, code, "recovery")
        assert is_in(b), "who signs in with a second factor ends nobody else's sign-in"
    assert second(two, "000000").status == 401 and not is_in(two)


class Passkey:
    """An authenticator with one key (ES256), that knows its owner and states nothing."""

    def __init__(self):
        self.key, self.id, self.count = ec.generate_private_key(ec.SECP256R1()), os.urandom(32), 0

    def client_data(self, b, kind, challenge):
        return json.dumps({"type": f"webauthn.{kind}", "challenge": challenge, "origin": b.url("").rstrip("/"), "crossOrigin": False}).encode()

    def data(self, flags):
        self.count += 1
        return hashlib.sha256(PORTAL.encode()).digest() + struct.pack(">BI", flags, self.count)

    def add(self, b, csrf):
        options = json.loads(b.post("/passkey/new", {"csrf": csrf}).body)
        n = self.key.public_key().public_numbers()
        cose = bytes.fromhex("a5010203262001215820") + n.x.to_bytes(32, "big") + bytes.fromhex("225820") + n.y.to_bytes(32, "big")
        data = self.data(0x45) + bytes(16) + struct.pack(">H", len(self.id)) + self.id + cose
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(data)]) + data
        return self.send(b, "/passkey/add", csrf, clientData=self.client_data(b, "create", options["challenge"]), attestation=attestation)

    def touch(self, b, ask_at, tell_at, csrf=""):
        options = json.loads(b.post(ask_at, {"csrf": csrf}).body)
        return self.tell(b, tell_at, options["challenge"], csrf)

    def tell(self, b, at, challenge, csrf=""):
        client, data = self.client_data(b, "get", challenge), self.data(0x05)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self.send(b, at, csrf, id=self.id, clientData=client, authenticatorData=data, signature=signature, userHandle=b"")

    @staticmethod
    def send(b, at, csrf, **fields):
        form = {k: base64.urlsafe_b64encode(v).rstrip(b"=").decode() for k, v in fields.items()}
        return json.loads(b.post(at, {"csrf": csrf, "next": "", **form}).body)


def test_a_passkey_touched_after_a_revocation_opens_nothing(gate):
    name, key = gate.user(), Passkey()
    b = gate.begin(name)
    assert key.add(b, b.page.csrf())["ok"] and is_in(b)
    thief = gate.begin(name, "/second")
    challenge = json.loads(thief.post("/passkey/ask", {"csrf": thief.page.csrf()}).body)["challenge"]
    assert ask(gate.s, "sessions.revoke", name=name)["ok"]
    assert not key.tell(thief, "/passkey/prove", challenge, thief.page.csrf())["ok"] and not is_in(thief)
    again = gate.begin(name, "/second")
    assert key.touch(again, "/passkey/ask", "/passkey/prove", again.page.csrf())["ok"] and is_in(again)


def test_a_passkey_of_a_session_is_in_how_it_was_proved(gate):
    """session.method, and amr of tokens, are made of it."""
    name, key = gate.user(groups=["one"]), Passkey()
    b = Browser(gate.s)
    page = b.sign_in(name)
    assert is_in(b) and [x["method"] for x in gate.sessions(name)] == ["password"]
    page = b.get("/account")
    assert key.add(b, page.csrf())["ok"]
    [x] = gate.sessions(name)
    assert x["method"] == "password passkey" and x["mfa"], x


def test_a_passkey_in_a_stale_tab_leaves_no_session_behind(gate):
    key, name, other = Passkey(), gate.user(), gate.user(groups=["one"])
    b = gate.begin(name)
    assert key.add(b, b.page.csrf())["ok"] and is_in(b)
    tab = Browser(gate.s)
    challenge = json.loads(tab.post("/passkey/begin", {"csrf": ""}).body)["challenge"]
    assert tab.sign_in(other).status == 200 and is_in(tab)
    wiki = tab.get("/", host=f"wiki.{PORTAL}")
    assert wiki.status == 200 and f"Sluis-User: {other}" in wiki.text
    before = tab.jar[PORTAL][SESSION]
    key.tell(tab, "/passkey/sign-in", challenge)
    assert tab.jar[PORTAL][SESSION] == before and len(gate.sessions(name)) == 1, "who wants another account signs out first"
    assert tab.get("/", host=f"wiki.{PORTAL}").status == 200 and APP in tab.jar[f"wiki.{PORTAL}"]
    home = tab.get("/")
    tab.post("/sign-out", {"csrf": home.csrf()})
    assert key.touch(tab, "/passkey/begin", "/passkey/sign-in")["ok"] and len(gate.sessions(name)) == 2


def test_new_recovery_codes_are_in_the_ledger(gate):
    eva = gate.enrolled()
    new_recovery_codes(gate, eva)
    [x] = gate.sessions(eva.user)

    def seen():
        r = subprocess.run([f"{gate.s.build}/sluis", "-c", gate.s.file, "ledger", "export", "--kind", "sign-in"], capture_output=True, text=True)
        return [line for line in map(json.loads, r.stdout.splitlines()) if line.get("event.reason") == "recovery codes made" and x["id"] in json.dumps(line)]

    wait_for(seen, "the ledger has it")
    [line] = seen()
    assert line["user.name"] == eva.user, line


def test_what_one_node_does_ends_sign_ins_at_the_other(world):
    """Also where nobody has a session that would end, and where a row of the database changes that is told to nobody."""
    pair = Pair(world, mfa="true")
    acts = {"passwd": lambda name: ask(pair.one, "user.passwd", name=name, password=OTHER, must_change=False), "revoked": lambda name: ask(pair.one, "sessions.revoke", name=name),
            "all": lambda name: ask(pair.one, "sessions.revoke", all=True), "able": lambda name: [ask(pair.one, f"user.{x}", name=name)["ok"] for x in ("disable", "enable")]}
    for why, act in acts.items():
        b = Person(pair.two)
        name = pair.name()
        page = b.sign_in(name)
        secret = secret_of(page)
        act(name)
        wait_for(lambda: "/sign-in" in b.get("/totp").url, f"{why}: the sign-in at two is over")
        b.post("/totp", {"csrf": page.csrf(), "code": totp(secret)})
        assert not is_in(b) and not ask(pair.two, "user.show", name=name)["user"]["totp"], why
    a, b, name = Person(pair.one), Person(pair.two), pair.name()
    at_one, at_two = a.sign_in(name), b.sign_in(name)
    assert a.post("/totp", {"csrf": at_one.csrf(), "code": totp(secret_of(at_one))}).status == 200 and is_in(a)
    b.post("/totp", {"csrf": at_two.csrf(), "code": totp(secret_of(at_two))})
    assert not is_in(b), "who set one up at one has it, whatever was begun at two"
