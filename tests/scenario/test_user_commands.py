"""sluis user, sessions and access: what they ask identity, what they make of its answers, and what they decide themselves. Who answers here is a
script at an admin socket, so that each answer can be had; at the end of this file it is sluisd."""
import json
import os
import pty
import re
import select
import socket
import subprocess
import threading

import pytest
import yaml

from certs import Authority
from harness import RELEASE, free_port, wait_for

SLUIS = os.path.join(RELEASE, "sluis") # a sanitized one takes a third of a second to start
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", LC_ALL="C")
GOOD = "winter coat lamp seven"
EVA = {"name": "eva", "display": "Eva Jansen", "mail": "eva@example.org", "groups": ["staff", "finance"], "disabled": False, "must_change": False,
       "password": True, "totp": True, "passkeys": 2, "recovery": 8, "made": 1578571200, "last": 1578574800, "sessions": 1}
PIET = dict(EVA, name="piet", display="Piet \x1b[2J", groups=[], totp=False, passkeys=0, last=0, disabled=True)


class Identity:
    """Answers requests in order: each a dictionary, or a function of the request."""

    def __init__(self, world, *answers):
        self.asked, self.answers = [], list(answers)
        self.path = os.path.join(world.dir, f"admin-{world.number()}.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        world.at_end(self.end)

    def serve(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            with c, c.makefile("rb") as f:
                line = f.readline()
                if not line:
                    continue
                request = json.loads(line)
                self.asked.append(request)
                answer = self.answers.pop(0) if self.answers else {"ok": False, "error": "the script is at its end"}
                c.sendall(json.dumps(answer(request) if callable(answer) else answer).encode() + b"\n")

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def sluis(*args, stdin="", status=0):
    r = subprocess.run([SLUIS, *args], input=stdin, capture_output=True, text=True, timeout=60, env=ENV, start_new_session=True)
    assert r.returncode == status, (args, r)
    return r


def asked(world, *args, answers=({"ok": True},), stdin="", status=0):
    """Runs sluis against a script: its result, and the requests without their command."""
    i = Identity(world, *answers)
    r = sluis("-s", i.path, *args, stdin=stdin, status=status)
    assert all(q.pop("command") == "identity" for q in i.asked)
    return r, i.asked


def at_terminal(args, typed, program=SLUIS):
    """Runs sluis with a terminal of its own; each text is typed when its prompt is there. Everything that was shown, and the exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(program, [program, *args], ENV)
    shown, typed = "", list(typed)
    while True:
        assert select.select([fd], [], [], 60)[0], shown
        try:
            part = os.read(fd, 4096).decode()
        except OSError:  # its end is closed
            part = ""
        if not part:
            break
        shown += part
        if typed and re.search(typed[0][0], shown):
            os.write(fd, typed.pop(0)[1].encode() + b"\n")
    os.close(fd)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# --- user ---

@pytest.mark.parametrize("why, args, stdin, request_", [
    ("without a password", ["--no-password"], "", {}),
    ("all there is", ["--display", "Eva Jansen", "--mail", "eva@example.org", "--group", "staff", "--group", "finance,sales", "--no-password"], "",
     {"display": "Eva Jansen", "mail": "eva@example.org", "groups": ["staff", "finance", "sales"]}),
    ("a password must be changed", ["--password-stdin"], GOOD + "\n", {"password": GOOD, "must_change": True}),
    ("if it may not be kept", ["--keep", "--password-stdin"], GOOD, {"password": GOOD, "must_change": False}),
    ("lines of other systems", ["--password-stdin", "--must-change"], GOOD + "\r\nmore\n", {"password": GOOD, "must_change": True}),
])
def test_add(world, why, args, stdin, request_):
    r, requests = asked(world, "user", "add", "Eva", *args, stdin=stdin)
    want = {"what": "user.add", "name": "eva", "display": "", "mail": "", "groups": [], **request_}
    assert requests == [want], why
    assert r.stdout.startswith("eva is added.\n") and ("sluis user passwd eva" in r.stdout) == ("password" not in want), why
    assert ("--keep switches that off" in r.stdout) == want.get("must_change", False), why


def test_add_tells_where_to_sign_in(world):
    path = site(world)
    r, _ = asked(world, "-c", path, "user", "add", "eva", "--password-stdin", stdin=GOOD)
    assert "sign in at https://work.example.org" in r.stdout


def test_a_password_comes_from_a_file(world):
    path = os.path.join(world.dir, "password")
    with open(path, "w") as f:
        f.write(GOOD + "\n")
    _, requests = asked(world, "user", "passwd", "eva", "--password-file", path)
    assert requests == [{"what": "user.passwd", "name": "eva", "password": GOOD, "must_change": True}]


def test_a_password_is_asked_for_twice_and_not_shown(world):
    i = Identity(world, {"ok": True})
    shown, status = at_terminal(["-s", i.path, "user", "passwd", "eva"], [("Password: ", GOOD), ("Once more: ", GOOD)])
    assert status == 0 and GOOD not in shown and i.asked[0]["password"] == GOOD
    shown, status = at_terminal(["-s", i.path, "user", "passwd", "eva"], [("Password: ", GOOD), ("Once more: ", "other")])
    assert status == 1 and "are not the same" in shown and len(i.asked) == 1


@pytest.mark.parametrize("password, words", [
    ("short", "at least 12 characters"), ("x y" * 100, "at most 256 octets"), ("password1234", "easy to guess"), ("annabelle lamp seven", "user's name"),
    ("winter coat\tlamp seven", "control characters"), ("", "at least 12 characters"),
])
def test_a_password_that_is_refused_says_why_and_nobody_is_asked(world, password, words):
    r, requests = asked(world, "user", "add", "annabelle", "--password-stdin", stdin=password, status=1)
    assert words in r.stderr and requests == [] and r.stdout == ""


@pytest.mark.parametrize("why, words, dutch", [
    ("none", "sluis user list names them", "er is geen gebruiker met die naam"), ("exists", "already", "er is al een gebruiker"),
    ("too_short", "at least 12 characters", "ten minste 12 tekens"), ("memory", "is there memory?", "is er geheugen?"),
    ("a new one", "sluisd did not do that: in its words", "sluisd heeft dat niet gedaan: in its words"),
])
def test_refusals_of_identity_are_told_in_our_words(world, why, words, dutch):
    no = {"ok": False, "error": "in its words", "why": why}
    assert words in asked(world, "user", "enable", "eva", answers=[no], status=1)[0].stderr
    assert dutch in asked(world, "--lang", "nl", "user", "enable", "eva", answers=[no], status=1)[0].stderr


@pytest.mark.parametrize("args, request_", [
    (["--display", ""], {"display": ""}), (["--mail", "e@example.org", "--group", "a"], {"mail": "e@example.org", "groups": ["a"]}),
    (["--no-groups"], {"groups": []}),
])
def test_set_sends_what_was_said_and_no_more(world, args, request_):
    _, requests = asked(world, "user", "set", "eva", *args)
    assert requests == [{"what": "user.set", "name": "eva", **request_}]


@pytest.mark.parametrize("verb, args, words", [
    ("disable", [], "Sessions ended: 3"), ("enable", [], "may sign in again"), ("unlock", [], "are forgotten"),
    ("reset-factors", [], "no second factor any more"), ("remove", ["--yes"], "is removed"),
])
def test_plain_verbs(world, verb, args, words):
    r, requests = asked(world, "user", verb, "Eva", *args, answers=[{"ok": True, "ended": 3}])
    assert requests == [{"what": f"user.{verb}", "name": "eva"}] and words in r.stdout


def test_removing_asks_for_the_name_again(world):
    i = Identity(world, {"ok": True, "ended": 0})
    shown, status = at_terminal(["-s", i.path, "user", "remove", "eva"], [("Type the name again", "piet")])
    assert status == 1 and "nothing was done" in shown and i.asked == []
    shown, status = at_terminal(["-s", i.path, "user", "remove", "eva"], [("Type the name again", "eva")])
    assert status == 0 and "eva is removed" in shown
    r, requests = asked(world, "user", "remove", "eva", status=1)
    assert "--yes" in r.stderr and requests == []


def test_list_takes_all_parts_and_steers_no_terminal(world):
    parts = [{"ok": True, "users": [EVA], "more": "eva"}, {"ok": True, "users": [PIET]}]
    r, requests = asked(world, "user", "list", answers=parts)
    assert requests == [{"what": "user.list"}, {"what": "user.list", "after": "eva"}]
    head, eva, piet = r.stdout.splitlines()
    assert re.split(r"  +", eva) == ["eva", "Eva Jansen", "staff, finance", "here", "password, codes, passkeys (2)", "2020-01-09 13:00", "may sign in"]
    assert re.split(r"  +", piet) == ["piet", "Piet ?[2J", "here", "password", "never", "disabled"] and "\x1b" not in r.stdout
    assert head.index("GROUPS") == eva.index("staff, finance")
    r, _ = asked(world, "user", "list", "--json", answers=parts)
    assert json.loads(r.stdout) == {"ok": True, "users": [EVA, PIET]}
    assert "no users yet" in asked(world, "user", "list", answers=[{"ok": True, "users": []}])[0].stdout


def test_show(world):
    r, requests = asked(world, "user", "show", "eva", answers=[{"ok": True, "user": EVA}])
    assert requests == [{"what": "user.show", "name": "eva"}]
    for words in ("eva@example.org", "staff, finance", "codes, passkeys (2)", "recovery codes left  8", "2020-01-09 13:00"):
        assert words in r.stdout
    assert json.loads(asked(world, "user", "show", "eva", "--json", answers=[{"ok": True, "user": EVA}])[0].stdout)["user"] == EVA


@pytest.mark.parametrize("args, words", [
    ([], "usage: sluis user add"), (["grow"], "usage: sluis user"), (["add"], "usage"), (["add", "eva", "--group"], "--group wants a value"),
    (["add", ".eva", "--no-password"], "begins with a letter or a digit"), (["add", "e" * 65, "--no-password"], "1 to 64"),
    (["add", "eva", "--no-password", "--password-stdin"], "one of --password-file"), (["passwd", "eva", "--keep", "--must-change"], "either"),
    (["passwd", "eva", "--no-password"], "not understood"), (["set", "eva"], "what is to be set?"),
    (["set", "eva", "--group", "a", "--no-groups"], "either --group or --no-groups"), (["list", "eva"], "not understood"), (["import"], "usage"),
])
def test_wrong_calls(args, words):
    r = sluis("-s", "/nowhere", "user", *args, status=2)
    assert words in r.stderr and r.stdout == ""


# --- user import ---

def table(world, text, mode=0o600):
    path = os.path.join(world.dir, "people.csv")
    with open(path, "w", newline="") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def test_import_adds_what_the_file_says(world):
    path = table(world, "Name;groups;display;password;hash;must_change\r\nEva;staff|finance;\"Jansen; Eva\";" + GOOD + ";;\r\n\r\npiet;;;;;\r\n"
                        "anna;;;;$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43 + ";\r\nkees;;;" + GOOD + ";;no\r\n")
    r, requests = asked(world, "user", "import", path, answers=[{"ok": True, "users": []}] + 4 * [{"ok": True}])
    assert requests[0] == {"what": "user.list"}
    eva, piet, anna, kees = requests[1:]
    assert eva == {"what": "user.add", "name": "eva", "display": "Jansen; Eva", "mail": "", "groups": ["staff", "finance"], "password": GOOD, "must_change": True}
    assert piet == {"what": "user.add", "name": "piet", "display": "", "mail": "", "groups": []}
    assert anna["hash"].startswith("$argon2id$") and anna["must_change"] is False and kees["must_change"] is False
    assert r.stdout == "4 added, 0 passed over, 0 not added.\n" and r.stderr == ""


FAULTS = [
    ("name,colour\neva,red\n", ["1: colour: there is no such column"]),
    ("mail\na@example.org\n", ["1: name: the first line names the columns"]),
    ("", ["1: name: the first line names the columns"]),
    ("name,name\n", ["1: name: this column is there twice"]),
    ("name,mail\neva\n", ["2: 1 fields here and 2 in the first line"]),
    ("name\neva\nEVA\n", ["3: name: the same name is on another line, too (2)"]),
    ("name\n\n.x\n", ["3: name: a name has"]),
    ("name,groups\neva,\"a,b\"\n", ["2: groups: groups are divided"]),
    ("name,password\neva,short\n", ["2: password: it is too short"]),
    ("name,hash\neva,$2b$x\n", ["2: hash: only argon2id"]),
    ("name,must_change\neva,perhaps\n", ["2: must_change: yes or no"]),
    ("name,display\neva,a\x07b\npiet," + "x" * 201 + "\n", ["2: display: a display name", "3: display: a display name"]),
    ("name\neva\n\"piet\n", ["3: a quote begins here"]),
]


@pytest.mark.parametrize("text, lines", FAULTS, ids=range(len(FAULTS)))
def test_every_mistake_of_a_list_is_named_and_nobody_is_added(world, text, lines):
    path = table(world, text)
    r, requests = asked(world, "user", "import", path, status=1)
    told = r.stderr.splitlines()
    assert len(told) == len(lines) and all(t.startswith(f"{path}:{want}") for t, want in zip(told, lines)), told
    assert requests == [] and r.stdout == f"Nobody was added: {len(lines)} mistakes.\n"


def test_import_looks_who_is_there_first(world):
    path = table(world, "name\nanna\neva\npiet\n")
    there = {"ok": True, "users": [EVA]}
    r, requests = asked(world, "user", "import", path, answers=[there], status=1)
    assert r.stderr.startswith(f"{path}:3: name: eva: there is a user of that name already") and len(requests) == 1
    r, requests = asked(world, "user", "import", path, "--skip-existing", answers=[there, {"ok": True}, {"ok": False, "why": "exists", "error": "x"}])
    assert [q["name"] for q in requests[1:]] == ["anna", "piet"] and r.stdout == "1 added, 2 passed over, 0 not added.\n"
    r, _ = asked(world, "user", "import", path, "--json", answers=[there], status=1)
    answer = json.loads(r.stdout)
    assert (answer["ok"], answer["added"], answer["users"], len(answer["errors"])) == (False, 0, 3, 1)


def test_a_dry_run_asks_nobody(world):
    r, requests = asked(world, "user", "import", table(world, "name\neva\n"), "--dry-run")
    assert requests == [] and r.stdout.startswith("1 users could be added, 0 mistakes.")


@pytest.mark.parametrize("head, mode, warns", [("name,password", 0o640, True), ("name,hash", 0o604, True), ("name,password", 0o600, False), ("name,mail", 0o644, False)])
def test_a_list_with_secrets_that_others_may_read_is_warned_about(world, head, mode, warns):
    path = table(world, f"{head}\neva,\n", mode)
    assert (f"chmod 600 {path}" in sluis("user", "import", path, "--dry-run").stderr) == warns


# --- sessions ---

SESSION = {"id": "0123456789abcdef", "user": "eva", "host": "", "address": "192.0.2.7", "agent": "Browser \x1b[2J", "method": "password totp", "mfa": True,
           "since": 1578571200, "seen": 1578571300, "until": 1578600000}


def test_sessions_are_listed_in_parts(world):
    parts = [{"ok": True, "sessions": [SESSION], "more": SESSION["id"]}, {"ok": True, "sessions": [dict(SESSION, id="f" * 16, host="wiki.example.org")]}]
    r, requests = asked(world, "sessions", "list", "Eva", "--app", "wiki", answers=parts)
    assert requests == [{"what": "sessions.list", "name": "eva", "app": "wiki"}, {"what": "sessions.list", "name": "eva", "app": "wiki", "after": SESSION["id"]}]
    _, first, second = r.stdout.splitlines()
    assert re.split(r"  +", first) == [SESSION["id"], "eva", "portal", "192.0.2.7", "password totp", "2020-01-09 12:00", "2020-01-09 12:01", "2020-01-09 20:00",
                                       "Browser ?[2J"]
    assert "wiki.example.org" in second
    assert "There are none." in asked(world, "sessions", "list", answers=[{"ok": True, "sessions": []}])[0].stdout


@pytest.mark.parametrize("args, request_", [
    (["eva"], {"name": "eva"}), (["--id", "0" * 16], {"id": "0" * 16}), (["--app", "wiki"], {"app": "wiki"}), (["--all", "--yes"], {"all": True}),
    (["--before", "2020-01-09T12:00:00Z"], {"before": 1578571200}), (["eva", "--app", "wiki", "--before", "2020-01-09"],
                                                                    {"name": "eva", "app": "wiki", "before": 1578528000}),
])
def test_sessions_are_revoked(world, args, request_):
    r, requests = asked(world, "sessions", "revoke", *args, answers=[{"ok": True, "ended": 2, "left": 0}])
    assert requests == [{"what": "sessions.revoke", **request_}] and r.stdout == "Sessions ended: 2\n"


def test_revoking_all_asks_first(world):
    i = Identity(world, {"ok": True, "ended": 2})
    shown, status = at_terminal(["-s", i.path, "sessions", "revoke", "--all"], [("Type all", "yes")])
    assert status == 1 and i.asked == []
    shown, status = at_terminal(["-s", i.path, "sessions", "revoke", "--all"], [("Type all", "all")])
    assert status == 0 and "Sessions ended: 2" in shown
    assert "--yes" in sluis("-s", i.path, "sessions", "revoke", "--all", status=1).stderr


@pytest.mark.parametrize("args, status, words", [
    ([], 2, "usage: sluis sessions"), (["revoke"], 2, "which sessions?"), (["revoke", "eva", "--all"], 2, "--all is all of them"),
    (["revoke", "--before", "soon"], 2, "'soon' is no time"), (["list", "-x"], 2, "not understood"),
])
def test_wrong_calls_about_sessions(args, status, words):
    assert words in sluis("-s", "/nowhere", "sessions", *args, status=status).stderr


def test_a_session_that_is_not_there(world):
    r, _ = asked(world, "sessions", "revoke", "--id", "abc", answers=[{"ok": False, "why": "none", "error": "x"}], status=1)
    assert "there is no session abc" in r.stderr


# --- access ---

def site(world, **more):
    ca = Authority(world.dir)
    config = {"listeners": {"tls": {"address": f"127.0.0.1:{free_port()}", "tls": {"certificates": [ca.issue("work.example.org")]}}},
              "pools": {"app": {"servers": ["127.0.0.1:9"]}}, "contact": "Desk",
              "sets": {"office": {"addresses": ["10.0.0.0/8"]}, "teams": {"strings": ["staff", "finance"]}},
              "gateway": {"portal": "work.example.org", "port": 443, "allow": "user.groups in $teams", "mfa": "not client.ip in $office", "apps": {
                  "wiki": {"host": "wiki.example.org", "pool": "app"},
                  "pay": {"host": "pay.example.org", "pool": "app", "allow": 'user.groups == "finance"', "mfa": "session.valid", "help": "Call the desk"},
                  "shift": {"host": "shift.example.org", "pool": "app",
                            "allow": "time.hour >= 8 and time.hour < 18 and client.ip in {10.1.0.0/16 192.0.2.0/24}"},
                  "safe": {"host": "safe.example.org", "pool": "app", "allow": "session.mfa"}}}, **more}
    if config["gateway"] is None:
        del config["gateway"]
    path = os.path.join(world.dir, "site.yaml")
    with open(path, "w") as f:
        yaml.safe_dump(config, f, sort_keys=False)
    return path


CASES = [
    ("at the office, no second factor is needed", "wiki", "staff", "10.1.2.3", "12:00", [], "ready", 0, []),
    ("elsewhere sign-in demands one, and it is given", "wiki", "staff", "203.0.113.9", "12:00", [], "ready", 0, []),
    ("unless it is not", "wiki", "staff", "203.0.113.9", "12:00", ["--no-mfa"], "step_up", 1, []),
    ("who may not sign in", "wiki", "guests", "10.1.2.3", "12:00", [], "no", 1, [("group", "gateway.allow", "finance"), ("group", "gateway.allow", "staff")]),
    ("an app of another group", "pay", "staff", "203.0.113.9", "12:00", [], "no", 1, [("group", "app.allow", "finance")]),
    ("an app that wants a second factor", "pay", "finance", "10.1.2.3", "12:00", [], "step_up", 0, []),
    ("which is there", "pay", "finance", "10.1.2.3", "12:00", ["--mfa"], "ready", 0, []),
    ("another place", "shift", "staff", "203.0.113.9", "12:00", [], "no", 1, [("place", "app.allow", "10.1.0.0/16"), ("place", "app.allow", "192.0.2.0/24")]),
    ("another time", "shift", "staff", "10.1.2.3", "22:10", [], "no", 1, [("time", "app.allow", "2026-11-28T08:00:00.000Z")]),
    ("in time and place", "shift.example.org", "staff", "10.1.2.3", "17:59", [], "ready", 0, []),
    ("nothing alone", "shift", "staff", "203.0.113.9", "22:10", [], "no", 1, []),
    ("a second factor", "safe", "staff", "10.1.2.3", "12:00", [], "no", 1, [("mfa", "app.allow", None)]),
]


@pytest.mark.parametrize("why, app, groups, address, hour, args, verdict, status, helps", CASES, ids=[c[0] for c in CASES])
def test_access_is_explained(world, why, app, groups, address, hour, args, verdict, status, helps):
    call = ["-c", site(world), "access", "explain", "eva", app, "--groups", groups, "--from", address, "--at", f"2026-11-27T{hour}:00Z", *args]
    answer = json.loads(sluis(*call, "--json", status=status).stdout)
    assert answer["verdict"] == verdict and not answer["looked_up"], why
    found = [(h["what"], h["rule"], h.get("value")) for h in answer["helps"]]
    assert sorted(found, key=str) == sorted(helps, key=str), why
    words = sluis(*call, status=status).stdout
    assert words.startswith({"ready": "eva may reach", "step_up": "eva may reach", "no": "eva may not reach"}[verdict])
    assert ("after a second factor" in words) == (verdict == "step_up") and all(h[2] is None or h[2] in words for h in helps)


def test_rules_say_which_part_decides(world):
    r = sluis("-c", site(world), "access", "explain", "eva", "pay", "--groups", "staff", "--from", "10.1.2.3", status=1)
    lines = [line.strip() for line in r.stdout.splitlines()]
    assert 'user.groups in $teams holds: user.groups is "staff"' in lines and 'client.ip in $office holds: client.ip is "10.1.2.3"' in lines
    assert 'user.groups == "finance" does not hold' in lines and "people are told: Call the desk" in lines
    assert "eva mag niet bij pay." in sluis("-c", site(world), "--lang", "nl", "access", "explain", "eva", "pay", "--groups", "staff", "--from", "10.1.2.3",
                                            status=1).stdout


@pytest.mark.parametrize("why, user, verdict, words", [
    ("as they are", {}, 0, "has codes and passkeys"), ("disabled", {"disabled": True}, 1, "sluis user enable eva"),
    ("no way in", {"password": False, "totp": False, "passkeys": 0}, 1, "sluis user passwd eva"),
    ("no second factor yet", {"totp": False, "passkeys": 0}, 0, "set one up first"),
    ("an administrator's password", {"must_change": True}, 0, "another is chosen at the next sign-in"),
    ("no group", {"groups": []}, 1, "groups: none"),
])
def test_the_user_comes_from_identity(world, why, user, verdict, words):
    r, requests = asked(world, "-c", site(world), "access", "explain", "eva", "wiki", "--from", "203.0.113.9", answers=[{"ok": True, "user": {**EVA, **user}}],
                        status=verdict)
    assert requests == [{"what": "user.show", "name": "eva"}] and words in r.stdout, why


def test_access_to_each_app_is_listed(world):
    call = ["-c", site(world), "access", "list", "eva", "--groups", "finance", "--from", "10.1.2.3", "--at", "2026-11-27T22:10:00Z"]
    assert [re.split(r"  +", line.rstrip()) for line in sluis(*call).stdout.splitlines()[1:]] == [
        ["wiki", "wiki.example.org", "ready"], ["pay", "pay.example.org", "second factor first", "session.valid"],
        ["shift", "shift.example.org", "no", "time.hour < 18"], ["safe", "safe.example.org", "no", "session.mfa"]]
    apps = json.loads(sluis(*call, "--json").stdout)["apps"]
    assert [a["verdict"] for a in apps] == ["ready", "step_up", "no", "no"]


@pytest.mark.parametrize("args, words", [
    ([], "usage: sluis access"), (["explain", "eva"], "usage: sluis access"), (["list"], "usage: sluis access"),
    (["explain", "eva", "wiki", "--groups", "staff"], "gateway.mfa looks at the client's address"),
    (["explain", "eva", "wiki", "--groups", "staff", "--from", "home"], "--from 'home' is no address"),
    (["explain", "eva", "wiki", "--groups", "staff", "--mfa", "--no-mfa"], "either --mfa or --no-mfa"),
    (["explain", "eva", "wiki", "--groups", "staff", "--at", "soon"], "'soon' is no time"),
    (["explain", "eva", "mail", "--groups", "staff", "--from", "192.0.2.7"], "there is no app mail"),
    (["list", "e va", "--groups", "staff"], "a name has"),
    (["-s", "/nowhere", "list", "eva", "--from", "192.0.2.7"], "with --groups G,G nobody is asked"),
])
def test_what_cannot_be_told(world, args, words):
    r = sluis("-c", site(world), "access", *args, status=2)
    assert words in r.stderr and r.stdout == ""


def test_a_configuration_without_a_gateway(world):
    assert "has no gateway: section" in sluis("-c", site(world, gateway=None), "access", "list", "eva", "--groups", "a", status=2).stderr
    assert "is not valid; see sluis check" in sluis("-c", site(world, pools={}), "access", "list", "eva", "--groups", "a", status=2).stderr


# --- with sluisd ---

def serve(world):
    with open(site(world)) as f:
        config = yaml.safe_load(f)
    s = world.run({**config, "gateway": {**config["gateway"], "hashers": 1}, "workers": 1})
    wait_for(lambda: {p["role"] for p in s.status()["processes"] if p["ready"]} >= {"identity", "hasher"}, "identity and its hasher")
    return s


def users(s):
    return {u["name"]: u for u in json.loads(s.cli("user", "list", "--json").stdout)["users"]}


def test_a_user_from_the_first_day_to_the_last(world):
    s = serve(world)
    assert "no users yet" in s.cli("user", "list").stdout
    s.cli("user", "add", "Eva", "--display", "Eva Jansen", "--group", "guests", "--no-password")
    assert "already" in s.cli("user", "add", "eva", "--no-password", ok=False).stderr
    path = os.path.join(world.dir, "password")
    with open(path, "w") as f:
        f.write(GOOD)
    s.cli("user", "passwd", "eva", "--password-file", path)
    s.cli("user", "set", "eva", "--mail", "eva@example.org", "--group", "staff")
    eva = users(s)["eva"]
    assert (eva["display"], eva["mail"], eva["groups"], eva["password"], eva["must_change"]) == ("Eva Jansen", "eva@example.org", ["staff"], True, True)
    s.cli("user", "disable", "eva")
    assert users(s)["eva"]["disabled"]
    for verb in ("enable", "unlock", "reset-factors"):
        s.cli("user", verb, "eva")
    assert not users(s)["eva"]["disabled"]
    assert "there are none" in s.cli("sessions", "list").stdout.lower() and "Sessions ended: 0" in s.cli("sessions", "revoke", "eva").stdout
    assert "there is no session" in s.cli("sessions", "revoke", "--id", "0" * 16, ok=False).stderr
    assert "no app of that name" in s.cli("sessions", "list", "--app", "mail", ok=False).stderr
    s.cli("user", "remove", "eva", "--yes")
    assert users(s) == {} and "no user of that name" in s.cli("user", "show", "eva", ok=False).stderr
    assert GOOD not in s.log()


def test_many_users_come_from_a_list_and_are_listed_in_parts(world):
    s = serve(world)
    path = table(world, "name,display,groups\n" + "".join(f"user{n:03},{'x' * 190},staff|group{n}\n" for n in range(250)))
    assert s.cli("user", "import", path).stdout == "250 added, 0 passed over, 0 not added.\n"
    assert sorted(users(s)) == [f"user{n:03}" for n in range(250)] and users(s)["user007"]["groups"] == ["staff", "group7"]
    assert s.cli("user", "import", path, "--skip-existing").stdout == "0 added, 250 passed over, 0 not added.\n"


def test_access_of_a_user_that_sluisd_knows(world):
    s = serve(world)
    path = os.path.join(world.dir, "site.yaml")
    s.cli("user", "add", "eva", "--group", "staff", "--no-password")
    r = s.cli("-c", path, "access", "explain", "eva", "wiki", "--from", "10.1.2.3", ok=False)
    assert r.returncode == 1 and "sluis user passwd eva" in r.stdout
