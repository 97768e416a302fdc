"""detect: what comes through the front door makes alerts, whatever it looks like and whatever happens to the watcher; it costs the requests
nothing, and quiet traffic makes none."""
import grp
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from harness import BUILD, PATIENCE, RELEASE, ROOT, Client, fill_disk, get, wait_for

PROBE = "/vpn/../vpns/cfg/smb.conf"
OWN = """name: own-pack
title: What is ours
entries:
  - id: own-canary
    title: Somebody asked for the canary
    kind: access
    class: probe
    confidence: high
    source: own
    words: [canary]
    match: {path: '/canary$'}
"""
PAIR = """name: own-pair
title: A pair
entries:
  - {id: own-first, title: The first step, kind: access, class: attempt, confidence: low, source: own, words: [step-one], match: {path: 'step-one$'}}
  - {id: own-then, title: The second step, kind: access, class: attempt, confidence: low, source: own, words: [step-two], match: {path: 'step-two$'}}
  - {id: own-both, title: Both steps, kind: pair, class: compromise, confidence: high, source: own, first: own-first, then: own-then, within: 60}
"""


def builds(test):
    """As fast as it is, where that was built, and with sanitizers."""
    return pytest.mark.parametrize("build", [BUILD, RELEASE], ids=["sanitized", "release"])(test)


def detecting(world, *servers, detect=None, **more):
    """With one pack, as compiling all of them with sanitizers takes seconds."""
    return world.serve(*(servers or [world.nginx("one")]), detect={"mode": "on", "packs": ["cve-2019-19781"], **(detect or {})}, **more)


def alerts_path(s):
    return s.config["detect"].get("alerts") or os.path.join(s.config["state_dir"], "alerts.jsonl")


def alerts(s, path=None, **want):
    """Those whose fields (dots written as __) are these."""
    want = {k.replace("__", "."): v for k, v in want.items()}
    path = path or alerts_path(s)
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [a for a in map(json.loads, f.read().split("\n")[:-1]) if all(field(a, k) == v for k, v in want.items())]


def field(alert, name):
    """As one key, or as objects in each other."""
    if name in alert:
        return alert[name]
    for part in name.split("."):
        alert = alert.get(part) if isinstance(alert, dict) else None
    return alert


def alert(s, **want):
    return wait_for(lambda: alerts(s, **want), f"an alert with {want}")[0]


def ask(s, target=PROBE, address=None, **kw):
    with Client(s.port(), address=address) as c:
        return c.get(target, **kw)


def packs_of(s):
    return s.config["detect"].setdefault("packs", [])


def write_pack(world, name, text):
    path = os.path.join(world.dir, name)
    with open(path, "w") as f:
        f.write(text)
    return path


# --- what is seen ---

@builds
def test_a_probe_that_is_blocked_is_an_attempt_within_a_second(world, build):
    s = detecting(world, rules=["netscaler"], build=build)
    began = time.time()
    assert ask(s).status == 403
    a = alert(s, rule__id="cve-2019-19781-attempt")
    assert field(a, "sluis.class") == "attempt" and field(a, "sluis.alert") == "first" and field(a, "sluis.source") == "front door"
    assert field(a, "source.ip") == "127.0.0.1" and field(a, "url.original") == PROBE and field(a, "http.response.status_code") == 403
    assert "CVE-2019-19781" in field(a, "vulnerability.id")
    written = os.stat(alerts_path(s)).st_mtime
    assert written - began < (1 if build == RELEASE else 3), "sanitizers and a busy machine cost time"


def test_a_probe_that_a_server_answers_is_a_probe_and_a_template_a_compromise(world):
    s = detecting(world, world.scripted())
    assert ask(s).status == 200
    assert field(alert(s, rule__id="cve-2019-19781-probe"), "sluis.class") == "probe"
    assert ask(s, "/vpn/../vpns/portal/abc.xml", address="127.0.0.9").status == 200
    a = alert(s, rule__id="cve-2019-19781-template")
    assert field(a, "sluis.class") == "compromise" and field(a, "source.ip") == "127.0.0.9"


# target: (status with rules: [netscaler], whether it is seen). What the strict reader of heads refuses has no target: nobody can say what was meant.
FORMS = {
    "/vpn/../vpns/cfg/smb.conf": (403, True),
    "/vpn/%2e%2e/vpns/cfg/smb.conf": (403, True),
    "/vpn/../%76pns/cfg/smb.conf": (403, True),
    "/vpn/../%76%70%6e%73/cfg/smb.conf": (403, True),
    "/vpn/../VPNS/cfg/SMB.CONF": (403, True),
    "/VPN/../vPnS/cfg/smb.CoNf": (403, True),
    "http://site.test/vpn/../vpns/cfg/smb.conf": (403, True),
    "http://site.test/vpn/%2E%2e/%76pns/cfg/smb.conf": (403, True),
    "//vpns//cfg/smb.conf": (403, True),
    "/vpns/./cfg/smb.conf?a=b": (403, True),
    "/vpns/cfg/smb.conf?" + "x" * 6000: (403, True),
    "/vpn/..%2fvpns/cfg/smb.conf": (400, True),
    "/vpn/%252e%252e/vpns/cfg/smb.conf": (400, True),
    "/vpn/../%2576pns/cfg/smb.conf": (400, True),
    "/vpn/../vpns/cfg/smb.conf%00": (400, True),
    "/vpn/../vpns/cfg/smb.conf%": (400, True),
    "/vpn/../vpns/cfg/smb.conf\x7f": (400, False),
    "/vpn/../vpns/cfg/smb conf": (400, False),
    "/vpn/../vpns/cfg/smb.conf#x": (400, False),
    "vpns/cfg/smb.conf": (400, False),
    "/vpn/..\\vpns/cfg/smb.conf": (400, False),  # read, but no indicator takes a backslash for a slash, as no NetScaler does
}


def test_every_form_of_it_is_seen_but_what_is_no_request(world):
    s = detecting(world, rules=["netscaler"])
    got = {}
    for i, target in enumerate(FORMS):
        got[target] = ask(s, target, address=f"127.0.1.{i + 1}").status
    assert ask(s, "/vpns/last.xml", address="127.0.2.1").status == 403  # behind all of them, and one worker
    alert(s, source__ip="127.0.2.1")
    clients = {field(a, "source.ip") for a in alerts(s)}
    seen = {t: f"127.0.1.{i + 1}" in clients for i, t in enumerate(FORMS)}
    assert seen == {t: want for t, (_, want) in FORMS.items()}
    assert got == {t: status for t, (status, _) in FORMS.items()}


def test_a_pair_over_two_connections_and_two_workers(world):
    s = detecting(world, workers=2, detect={"packs": [write_pack(world, "pair.yaml", PAIR)]})
    pids = s.pids("worker")

    def both(client):
        """The first step by one worker and the second by the other: the one that is stopped accepts nothing."""
        for stopped, target in ((pids[0], "/step-one"), (pids[1], "/step-two")):
            os.kill(stopped, signal.SIGSTOP)
            try:
                with Client(s.port(), address=client) as c, Client(s.port()):  # the first may wake the one that is stopped, not both
                    assert c.get(target).status == 200
            finally:
                os.kill(stopped, signal.SIGCONT)
            if target == "/step-one":  # within one look of the watcher, workers are taken one after the other, not in time
                alert(s, rule__id="own-first", source__ip=client)
    both("127.0.3.1")
    assert field(alert(s, rule__id="own-both"), "source.ip") == "127.0.3.1"
    assert ask(s, "/step-one", address="127.0.3.2").status == 200
    assert ask(s, "/step-two", address="127.0.3.3").status == 200
    both("127.0.3.4")
    alert(s, rule__id="own-both", source__ip="127.0.3.4")
    assert {field(a, "source.ip") for a in alerts(s, rule__id="own-both")} == {"127.0.3.1", "127.0.3.4"}, "two clients are no pair"


def test_the_client_is_the_one_that_a_trusted_peer_names(world):
    s = detecting(world, listener={"trusted_peers": ["127.0.0.1/32"]})
    ask(s, extra="X-Forwarded-For: 203.0.113.7\r\n")
    assert field(alert(s), "source.ip") == "203.0.113.7"
    ask(s, extra="X-Forwarded-For: 203.0.113.8\r\n", address="127.0.4.1")
    alert(s, source__ip="127.0.4.1")
    assert not alerts(s, source__ip="203.0.113.8")


def test_quiet_traffic_makes_no_alert(world):
    s = world.serve(world.scripted(), workers=2, detect={"mode": "on"})  # with all packs
    rng = random.Random(7)
    words = ["index", "about", "vpn", "template", "portal", "logon", "cfg", "oauth", "Müller", "a b", "100%", "../", "<x>", "metrics", "smb"]
    agents = ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "curl/7.88.1", "Mozilla/5.0 (compatible; bot/1.0)"]

    def quoted(text):
        return "".join(c if c.isalnum() and c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in text)

    def target():
        path = "/" + "/".join(rng.choice(["static", "app", "api/v2", "img", "vpn/js", "logon/LogonPoint"]) for _ in range(rng.randrange(1, 4)))
        path += "/" + rng.choice(["", "style.css", "main.js", "logo.png", "index.html", "data.xml", "list.pl", "site.conf"])
        return path + rng.choice(["", "?q=" + quoted(rng.choice(words)), f"?id={rng.randrange(10 ** 6)}&s={quoted(rng.choice(words))}"])
    for client in range(50):
        with Client(s.port(), address=f"127.0.5.{client + 1}") as c:
            for _ in range(100):
                extra = f"User-Agent: {rng.choice(agents)}\r\nReferer: https://site.test/{rng.randrange(99)}\r\nCookie: s={rng.randrange(10 ** 9)}\r\n"
                assert c.get(target(), extra=extra).status in (200, 400)
    wait_for(lambda: s.metric("sluis_detect_requests_total") == 5000, "the last of them to be looked at")
    assert s.metric("sluis_detect_lost_total") == 0
    ask(s, address="127.0.6.1")
    ask(s, address="127.0.6.1")
    alert(s, source__ip="127.0.6.1")
    s.process.stop()
    assert {field(a, "source.ip") for a in alerts(s)} == {"127.0.6.1"}, alerts(s)


# --- packs ---

def test_an_own_pack_and_a_shipped_one(world):
    s = detecting(world, detect={"packs": [write_pack(world, "own.yaml", OWN), "cve-2019-19781"]})
    ask(s, "/a/canary")
    assert field(alert(s, rule__id="own-canary"), "sluis.class") == "probe"
    ask(s)
    alert(s, rule__id="cve-2019-19781-probe")


def test_a_wrong_pack_is_named_by_check_and_refused_by_reload_and_the_old_one_goes_on(world):
    own = write_pack(world, "own.yaml", OWN)
    s = detecting(world, detect={"packs": [own]})
    write_pack(world, "own.yaml", OWN.replace("class: probe", "class: serious"))
    place = re.escape(own) + r":7: "
    r = s.cli("reload", ok=False)
    assert r.returncode == 1 and re.search(place, r.stderr) and "nothing changed" in r.stderr, r.stderr
    r = subprocess.run([os.path.join(BUILD, "sluis"), "check", s.file], capture_output=True, text=True, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    line, column = next((n, l.index("/") + 1) for n, l in enumerate(open(s.file).read().split("\n"), 1) if l.strip().startswith("- " + own))
    assert r.returncode == 1 and re.search(rf"^{re.escape(s.file)}:{line}:{column}: .*{place}", r.stdout), (line, column, r.stdout)
    assert "pack.refused" in s.log()
    assert ask(s, "/canary").status == 200
    alert(s, rule__id="own-canary")
    write_pack(world, "own.yaml", OWN.replace("own-canary", "own-other"))
    s.reload()
    ask(s, "/canary")
    alert(s, rule__id="own-other")


@pytest.mark.parametrize("pack,said", [("no-such-pack", "cannot be read"), ("missing.yaml", "cannot be read")])
def test_a_pack_that_is_not_there_is_told_with_its_place(world, pack, said):
    s = detecting(world, detect={"packs": ["cve-2019-19781"]})
    s.config["detect"]["packs"].append(pack)
    s.write()
    r = s.cli("reload", ok=False)
    assert r.returncode == 1 and re.search(rf"sluis.yaml:\d+:\d+: .*{said}", r.stderr), r.stderr
    assert "generation 1," in s.cli("status").stdout


def test_on_off_and_on_by_reload(world):
    s = detecting(world)
    assert re.search(rf"detect: alerts go to {alerts_path(s)}; \d+ requests were looked at, 0 lost", s.cli("status").stdout)
    ask(s)
    alert(s)
    s.config["detect"]["mode"] = "off"
    s.reload()
    assert "detect: off" in s.cli("status").stdout
    wait_for(lambda: not s.pids("watcher"), "the watcher to end")
    ask(s, address="127.0.7.1")
    s.config["detect"]["mode"] = "on"
    s.reload()
    ask(s, address="127.0.7.2")
    alert(s, source__ip="127.0.7.2")
    assert not alerts(s, source__ip="127.0.7.1")
    detect = s.status()["detect"]
    assert detect["alerts"] == alerts_path(s) and detect["requests"] == 2 and detect["lost"] == 0 and detect["mode"] == "on"


# --- the file ---

def test_the_file_is_rotated(world):
    s = detecting(world)
    ask(s)
    alert(s)
    path = alerts_path(s)
    os.rename(path, path + ".1")
    s.cli("reopen")
    wait_for(lambda: os.path.exists(path), "a new file")
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o007 == 0

    def is_new():
        ask(s, address=f"127.0.8.{random.randrange(1, 255)}")  # the descriptor is on its way
        return alerts(s)
    wait_for(is_new, "an alert in it")
    assert {field(a, "source.ip") for a in alerts(s, path + ".1")} >= {"127.0.0.1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own needs root")
def test_a_full_disk_makes_alerts_wait(world):
    place = os.path.join(world.dir, "small")
    os.makedirs(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], check=True)
    try:
        s = detecting(world, detect={"alerts": os.path.join(place, "alerts.jsonl")})
        filler = fill_disk(place)
        count = 0

        def is_failing():
            nonlocal count
            count += 1
            assert ask(s, address=f"127.0.9.{count}").status == 200
            return "alert.unwritten" in s.log()
        wait_for(is_failing, "the watcher to tell that the disk is full")
        assert ask(s, address="127.0.10.1").status == 200
        os.unlink(filler)
        alert(s, source__ip="127.0.10.1")
        clients = {field(a, "source.ip") for a in alerts(s)}
        assert clients == {f"127.0.9.{i}" for i in range(1, count + 1)} | {"127.0.10.1"}, "none is lost, and each line is whole"
    finally:
        for one in list(world.sluis):
            one.process.stop()
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="another group's file needs root")
def test_the_monitors_group_may_read_the_alerts_and_nothing_else(world):
    """As the packaged service has it: root with a few powers, and a folder that may be listed. It starts a second time as well, when the
    ledger's folder is the scribe's."""
    group, state = os.path.join(world.dir, "group"), os.path.join(world.dir, "state")
    os.makedirs(state, mode=0o755)
    shutil.copy("/etc/group", group)
    with open(group, "a") as f:
        f.write("lock-monitor:x:61990:\n")
    with open(os.path.join(ROOT, "packaging/debian/sluis.service")) as f:
        powers = re.search(r"^CapabilityBoundingSet=(.+)$", f.read(), re.M).group(1)
    capabilities = ",".join(["-all", *("+" + p.removeprefix("CAP_").lower() for p in powers.split())])
    argv = ["unshare", "--mount", "sh", "-c", f'umask 0027; mount --bind {group} /etc/group && exec setpriv --clear-groups --bounding-set={capabilities} "$@"', "sh"]
    s = detecting(world, user="lock", argv=argv, state_dir=state)
    ask(s)
    alert(s)

    def is_shared(path):
        st = os.stat(path)
        return st.st_gid == 61990 and stat.S_IMODE(st.st_mode) == 0o640
    assert is_shared(alerts_path(s)), os.stat(alerts_path(s))
    assert "call=fchown" not in s.log()
    os.rename(alerts_path(s), alerts_path(s) + ".1")
    s.cli("reopen")
    assert is_shared(alerts_path(s))
    readable = []
    for folder, _, names in os.walk(state):
        r = subprocess.run(["setpriv", "--reuid", "61234", "--regid", "61990", "--clear-groups", "find", folder, "-type", "f", "-readable"],
                           capture_output=True, text=True)
        readable += r.stdout.split()
        break
    assert {os.path.basename(p) for p in readable} == {"alerts.jsonl", "alerts.jsonl.1"}, readable
    s.process.stop()
    again = world.run(s.config, argv=argv)
    assert ask(again, address="127.0.14.1").status == 200
    alert(again, source__ip="127.0.14.1")
    with pytest.raises(KeyError):
        grp.getgrnam("lock-monitor")  # it was the world's own


# --- the process ---

def test_a_killed_watcher_costs_nothing(world):
    s = detecting(world, workers=2)
    ask(s, address="127.0.11.1")
    alert(s, source__ip="127.0.11.1")
    for n in range(2, 5):
        old = s.pids("watcher")[0]
        os.kill(old, signal.SIGSTOP)  # what comes now is not taken before its death
        assert ask(s, address=f"127.0.11.{n}").status == 200
        os.kill(old, signal.SIGKILL)
        assert ask(s, address=f"127.0.12.{n}").status == 200
        wait_for(lambda: s.pids("watcher") and s.pids("watcher")[0] != old, "another watcher")
        for client in (f"127.0.11.{n}", f"127.0.12.{n}"):
            alert(s, source__ip=client)
    assert len(alerts(s, source__ip="127.0.11.1")) == 1, "it went on where its forerunner was"
    assert s.metric("sluis_detect_lost_total") == 0


@builds
def test_a_watcher_that_is_behind_makes_nobody_wait(world, build):
    s = detecting(world, build=build)
    ask(s, address="127.0.13.1")
    alert(s, source__ip="127.0.13.1")
    watcher = s.pids("watcher")[0]
    os.kill(watcher, signal.SIGSTOP)
    slowest, began = 0, time.monotonic()
    try:
        with Client(s.port()) as c:
            while s.metric("sluis_detect_lost_total") < 10:
                for _ in range(50):
                    at = time.monotonic()
                    assert c.get("/x?" + "y" * 8000).status == 200
                    slowest = max(slowest, time.monotonic() - at)
                assert time.monotonic() - began < PATIENCE, "4 MB are full long before"
        assert slowest < 5, "a busy machine, but no wait for the watcher"
        assert s.status()["detect"]["lost"] >= 10
    finally:
        os.kill(watcher, signal.SIGCONT)
    ask(s, address="127.0.13.2")

    def comes_again():
        ask(s, address="127.0.13.3")
        return alerts(s, source__ip="127.0.13.3")
    wait_for(comes_again, "alerts again")
    assert s.pids("watcher") == [watcher] and "ipc.violation" not in s.log()


def memory_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^RssAnon:\s+(\d+)", f.read(), re.M).group(1)) / 1024  # MiB; the rings are shared


@builds
def test_a_flood_stays_bounded(world, build):
    """20,000 attempts of as many clients: a bounded number of lines, and memory for the groups that are remembered."""
    s = detecting(world, rules=["netscaler"], build=build, listener={"trusted_peers": ["127.0.0.0/8"]}, workers=2)
    count = 20000 if build == RELEASE else 4000
    ask(s, "/vpns/a.xml", extra="X-Forwarded-For: 198.51.100.1\r\n")
    alert(s)
    before = memory_of(s.pids("watcher")[0])
    with Client(s.port()) as c:
        for first in range(0, count, 50):
            c.send("".join(f"GET {PROBE}?{'x' * 500} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\r\n\r\n" for n in range(first, first + 50)))
            assert all(c.response().status == 403 for _ in range(50))
    with Client(s.port()) as c:  # another class is not held back; only the path of a server that answers could make a probe
        assert c.get("/vpns/portal/[%25template.new(x)%25].xml", extra="X-Forwarded-For: 198.51.100.2\r\n").status == 403
    alert(s, sluis__class="compromise")
    assert s.metric("sluis_detect_lost_total") == 0
    firsts = len(alerts(s, sluis__class="attempt"))
    assert 60 <= firsts <= 64, firsts
    assert os.path.getsize(alerts_path(s)) < 1 << 20
    if build == RELEASE:
        assert memory_of(s.pids("watcher")[0]) - before < 40
    s.process.stop()
    [limited] = alerts(s, sluis__alert="limited", sluis__class="attempt")
    assert field(limited, "sluis.count") + firsts == count + 2, (field(limited, "sluis.count"), firsts)


def test_the_orderly_end_tells_what_is_pending(world):
    s = detecting(world)
    for _ in range(4):
        ask(s)
    a = alert(s, rule__id="cve-2019-19781-probe", sluis__alert="first")
    wait_for(lambda: s.metric("sluis_detect_requests_total") >= 4, "all to be told")
    assert s.process.stop() == 0
    [again] = alerts(s, rule__id="cve-2019-19781-probe", sluis__alert="again")
    assert field(again, "sluis.count") == 3 and field(again, "source.ip") == field(a, "source.ip")


def test_the_window_s_sum_is_told_at_its_end(world):
    s = detecting(world, detect={"window": "2s"})
    for _ in range(3):
        ask(s)
    again = alert(s, rule__id="cve-2019-19781-probe", sluis__alert="again")
    assert field(again, "sluis.count") == 2
