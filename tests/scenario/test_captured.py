"""Processes that were taken over (tests/captured): the real programs, which after their own start-up try what they may not.
Each dies of it, gains nothing, and its place is taken by a fresh one. And the users and limits that all of them run with."""
import functools
import os
import pwd
import re
import shutil
import ssl
import subprocess
import sys

import pytest

from certs import Authority
from harness import BUILD, ROOT, Client, free_port, get, wait_for, with_names

DEEDS = ["open", "open_old", "create", "key", "memory_of_master", "memory", "socket", "unix_socket", "connect", "listen", "execute", "fork",
         "trace", "kill", "code", "io_uring", "bpf", "root", "rename"]
TOGETHER = 5  # workers at a time, each with a deed of its own
ROLES = ["worker", "keeper", "dialer", "prober", "scribe", "watcher", "identity", "hasher", "directory"]
DETECT = {"mode": "on", "packs": ["cve-2019-19781"]}  # for there to be a watcher
GATEWAY = {"portal": "work.example.org",  # and identity, a hasher and one that asks a directory
           "directories": 1, "ldap": {"corp": {"servers": ["127.0.0.1:9"], "tls": "off", "base": "dc=example"}}}


def message_types():
    """Names in the order of messages.tbl, from 1 on."""
    with open(os.path.join(ROOT, "src/ipc/messages.tbl")) as f:
        return re.findall(r'^MSG\(MSG_\w+,\s*"(\w+)"', f.read(), re.M)


def captured(world, *roles):
    """A folder of programs in which these are the captured ones."""
    folder = os.path.join(world.dir, "bin")
    os.makedirs(folder)
    shutil.copy(os.path.join(BUILD, "sluisd"), folder)  # it looks for its companions beside its own file
    os.symlink(os.path.join(BUILD, "sluis"), os.path.join(folder, "sluis"))
    for role in ROLES:
        name = f"tests/captured/captured-{role}" if role in roles else f"sluis-{role}"
        os.symlink(os.path.join(BUILD, name), os.path.join(folder, f"sluis-{role}"))
    return folder


def run_captured(world, roles, deeds, wait=True, **more):
    ca = Authority(world.dir)
    certificate = ca.issue("site.test")
    backend = world.scripted()
    s = world.run({"listeners": {"web": {"address": f"127.0.0.1:{free_port()}"},
                                 "tls": {"address": f"127.0.0.1:{free_port()}", "tls": {"certificates": [certificate]}}},
                   "pools": {"app": {"servers": [backend.address], "check": {"interval": "100ms"}}}, "workers": len(deeds),
                   "detect": DETECT, "gateway": GATEWAY, **more},
                  build=captured(world, *roles), wait=wait,
                  env={"SLUIS_CAPTURED": ",".join(deeds), "SLUIS_CAPTURED_KEY": certificate["key"]})
    s.may_crash = True
    return s


def knock(port):
    try:
        Client(port, timeout=1).close()
    except OSError:
        pass


def ends_of(s, role, signal):
    return set(map(int, re.findall(rf"event=child.exited role={role} index=(\d+) .*signal={signal}\b", s.log())))


@pytest.mark.parametrize("first", range(0, len(DEEDS), TOGETHER))
def test_a_worker_that_reaches_out_is_killed(world, first):
    deeds = DEEDS[first:first + TOGETHER]
    s = run_captured(world, ["worker"], deeds)

    def all_dead():
        knock(s.port())
        return ends_of(s, "worker", 31) >= set(range(len(deeds)))
    wait_for(all_dead, "every worker to be killed for its deed", 60)
    log = s.log()
    assert set(re.findall(r"captured: tries (\w+)", log)) == set(deeds)
    assert "came through" not in log and "only refused" not in log
    assert len(ends_of(s, "keeper", r"\d+") | ends_of(s, "dialer", r"\d+") | ends_of(s, "prober", r"\d+") |
               ends_of(s, "watcher", r"\d+") | ends_of(s, "identity", r"\d+") | ends_of(s, "hasher", r"\d+")) == 0


@pytest.mark.parametrize("role", ["worker", "dialer"])
def test_nobody_but_the_master_writes_what_is_isolated(world, role):
    s = run_captured(world, [role], ["release"], wait=False)

    def is_tried():
        if role == "worker":
            knock(s.port())
        return "captured: tries release" in s.log()
    wait_for(is_tried, "the deed")
    wait_for(lambda: "release was only refused" in s.log() or ends_of(s, role, 31), "its refusal")
    assert "came through" not in s.log()


@pytest.mark.parametrize("role", ["keeper", "dialer", "prober", "watcher", "hasher", "directory"])
@pytest.mark.parametrize("deed", ["open", "execute", "memory_of_master"])
def test_a_helper_that_reaches_out_is_killed(world, role, deed):
    s = run_captured(world, [role], [deed], wait=False)
    wait_for(lambda: ends_of(s, role, 31), f"the {role} to be killed")
    assert "came through" not in s.log() and "only refused" not in s.log()


@pytest.mark.parametrize("role", ["keeper", "prober", "watcher", "identity", "hasher", "directory"])
def test_only_the_dialer_makes_sockets(world, role):
    s = run_captured(world, [role], ["socket"], wait=False)
    wait_for(lambda: ends_of(s, role, 31), f"the {role} to be killed")
    assert "came through" not in s.log()


@pytest.mark.parametrize("role", ["scribe", "identity"])
@pytest.mark.parametrize("deed", ["socket", "execute", "memory_of_master"])
def test_who_has_a_folder_and_reaches_out_is_killed(world, role, deed):
    s = run_captured(world, [role], [deed], wait=False)
    wait_for(lambda: ends_of(s, role, 31), f"the {role} to be killed")
    assert "came through" not in s.log() and "only refused" not in s.log()


@pytest.mark.parametrize("role", ["scribe", "identity"])
@pytest.mark.parametrize("deed", ["open", "key"])
def test_who_has_a_folder_opens_nothing_outside_it(world, role, deed):
    s = run_captured(world, [role], [deed], wait=False)
    wait_for(lambda: f"captured: tries {deed}" in s.log(), "the deed")
    wait_for(lambda: f"{deed} was only refused" in s.log() or ends_of(s, role, 31), "its refusal")
    assert "came through" not in s.log()


RING = {"numbers": "the ring's numbers", "garbage": "a record's length", "kind": "a record that it may not write",
        "twice": "a record that it may not write"}


def test_a_worker_that_spoils_its_ring_is_stopped_and_the_ledger_goes_on(world):
    s = run_captured(world, ["worker"], [f"ring:{how}" for how in RING])

    def all_stopped():
        knock(s.port())
        return ends_of(s, "worker", 9) >= set(range(len(RING)))
    wait_for(all_stopped, "every worker to be stopped for its ring", 60)
    told = dict(re.findall(r'process=scribe\S* event=ipc.violation sender=worker index=(\d+) what="([^"]+)"', s.log()))
    assert told == {str(i): what for i, what in enumerate(RING.values())}
    # the next ones have rings that are read: they are caught as well
    before = s.log().count("sender=worker")

    def again():
        knock(s.port())
        return s.log().count("sender=worker") >= before + 2
    wait_for(again, "their successors to be caught through rings of their own", 60)
    assert len(ends_of(s, "scribe", r"\d+")) == 0
    assert s.process.child.poll() is None


@pytest.mark.parametrize("deed", ["create", "rename", "kill", "memory"])
def test_a_watcher_has_its_shared_memory_and_one_file(world, deed):
    s = run_captured(world, ["watcher"], [deed], wait=False)
    wait_for(lambda: ends_of(s, "watcher", 31), "the watcher to be killed")
    assert "came through" not in s.log() and "only refused" not in s.log()


@pytest.mark.parametrize("how", ["numbers", "garbage"])
def test_a_worker_that_spoils_what_it_tells_the_watcher_is_told_on_and_nobody_ends(world, how):
    s = run_captured(world, ["worker"], [f"requests:{how}"])
    knock(s.port())
    wait_for(lambda: re.search(r"process=watcher\S* event=ipc.violation sender=worker index=0", s.log()), "the watcher to tell of it")
    assert not ends_of(s, "watcher", r"\d+") and not ends_of(s, "worker", r"\d+")
    assert get(s.port()).status == 200


@pytest.mark.parametrize("first", range(0, len(message_types()) + 2, TOGETHER))
def test_a_worker_that_says_what_is_not_its_own_is_stopped(world, first):
    """Every type of message to the master, and two that are none: it listens to ready, once, and to an accusation of those
    that the sender knows."""
    types = message_types()
    said = range(first, min(first + TOGETHER, len(types) + 2))
    s = run_captured(world, ["worker"], [f"say:{n}" for n in said])

    def all_stopped():
        knock(s.port())
        return ends_of(s, "worker", 9) >= set(range(len(said)))
    wait_for(all_stopped, "every worker to be stopped for its message", 60)
    told = dict((int(n), what) for n, what in re.findall(r'event=ipc.violation sender=worker index=(\d+) pid=\d+ what="?([^"\n]+)', s.log()))
    for index, n in enumerate(said):
        name = types[n - 1] if 1 <= n <= len(types) else "not a message"
        assert told[index] == {"ready": "ready twice", "violation": "accuses a stranger"}.get(name, name), n
    assert s.process.child.poll() is None


@pytest.mark.parametrize("role", ["keeper", "dialer", "prober", "watcher", "identity", "hasher", "directory"])
@pytest.mark.parametrize("name", ["setup", "sign", "dialed", "ready", "refused"])
def test_a_helper_that_says_what_is_not_its_own_is_stopped(world, role, name):
    s = run_captured(world, [role], [f"say:{message_types().index(name) + 1}"], wait=False)
    wait_for(lambda: ends_of(s, role, 9), f"the {role} to be stopped")
    assert f"event=ipc.violation sender={role} index=0" in s.log()


@pytest.mark.parametrize("mistake,said", [("over_the_end", "ERROR: AddressSanitizer: heap-buffer-overflow"),
                                          ("overflow", "runtime error: signed integer overflow")])
def test_a_sanitizer_can_speak_from_inside_the_jail(world, mistake, said):
    """Or every scenario would pass over a mistake that a fresh worker covers up. A report fails the scenario."""
    s = run_captured(world, ["worker"], [mistake])
    knock(s.port())
    wait_for(lambda: said in s.log(), "the report")
    wait_for(lambda: re.search(r"captured\.c:\d+", with_names(s.log())), "the place in the report")
    with pytest.raises(AssertionError, match="overflow"):
        s.stop()
    world.ends.remove(s.stop)


# --- what all of them run with ---

def trust(ca):
    return ssl.create_default_context(cafile=ca.path)


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in f)}


def limit_of(pid, what):
    with open(f"/proc/{pid}/limits") as f:
        return next(re.split(r"\s{2,}", line)[1:3] for line in f if line.startswith(what))


def can_read(uid, pid, path):
    """Whether this user, without powers, can read this of the process: even its own user cannot, it is not dumpable."""
    r = subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--bounding-set=-all",
                        "head", "-c", "1", f"/proc/{pid}/{path}"], capture_output=True, text=True)
    assert r.returncode == 0 or "ermission" in r.stderr, r.stderr
    return r.returncode == 0


def expect_confined(s, users):
    """users: role to the uid that it must run as."""
    processes = [p for p in s.status()["processes"] if p["role"] in ROLES]
    assert {p["role"] for p in processes} == set(ROLES)
    own = []
    for p in processes:
        with open(f"/proc/{p['pid']}/task/{p['pid']}/children") as f:
            own += [{**p, "pid": int(pid), "parent": p["pid"]} for pid in f.read().split()]
    assert [p["role"] for p in own] == ["hasher"] * [p["role"] for p in processes].count("hasher")  # one each, for what is left of the cores
    for p in own:
        wait_for(lambda: status_of(p["pid"])["Seccomp"] == "2", "it is confined, when it got a core")
    for p in processes + own:
        status = status_of(p["pid"])
        assert status["Uid"].split() == [str(users[p["role"]])] * 4, (p, status["Uid"])
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", p
        assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0, p
        assert limit_of(p["pid"], "Max core file size") == ["0", "0"], p
        soft, hard = limit_of(p["pid"], "Max open files")
        assert soft == hard, p
        for uid in (users[p["role"]], 65533):
            for path in ("mem", "environ", "maps"):
                assert not can_read(uid, p["pid"], path), (p, uid, path)
    return processes


def as_root(test):
    """Runs the scenario by sudo when we are not root."""
    @functools.wraps(test)
    def run(world):
        if os.geteuid() == 0:
            return test(world)
        r = subprocess.run(["sudo", "-n", f"SLUIS_BUILD={BUILD}", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                            f"{__file__}::{test.__name__}"], capture_output=True, text=True)
        assert r.returncode == 0, r.stdout + r.stderr
    return run


def with_users(world, names):
    """argv in front of sluisd that gives it an /etc/passwd of its own."""
    passwd = os.path.join(world.dir, "passwd")
    shutil.copy("/etc/passwd", passwd)
    uids = {}
    with open(passwd, "a") as f:
        for i, name in enumerate(names):
            uids[name] = 61000 + i
            f.write(f"{name}:x:{61000 + i}:{61000 + i}::/nonexistent:/usr/sbin/nologin\n")
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {passwd} /etc/passwd && exec "$@"', "sh"], uids


@as_root
def test_each_process_has_its_own_user(world):
    argv, uids = with_users(world, [f"lock-{r}" for r in ROLES])
    ca = Authority(world.dir)
    s = world.serve(world.nginx("one"), user="lock", argv=argv, detect=DETECT, gateway=GATEWAY,
                    listener={"tls": {"certificates": [ca.issue("site.test")]}})
    expect_confined(s, {r: uids[f"lock-{r}"] for r in ROLES})
    assert os.stat(os.path.join(s.config["state_dir"], "identity")).st_uid == uids["lock-identity"]
    assert os.stat(os.path.join(s.config["state_dir"], "tokens.key")).st_uid == 0
    assert get(s.port(), tls=trust(ca), name="site.test").body == b"one\n"


@as_root
def test_without_users_of_its_own_it_is_nobody(world):
    ca = Authority(world.dir)
    s = world.serve(world.nginx("one"), user="there-are-no-such-users", detect=DETECT, gateway=GATEWAY,
                    listener={"tls": {"certificates": [ca.issue("site.test")]}})
    expect_confined(s, dict.fromkeys(ROLES, pwd.getpwnam("nobody").pw_uid))
    assert get(s.port(), tls=trust(ca), name="site.test").body == b"one\n"


@as_root
def test_it_runs_without_root(world):
    """A normal user starts it, and all of it works: TLS, a reload, drain, the log."""
    me = 61234
    ca = Authority(world.dir)
    certificate = ca.issue("site.test")
    os.chown(certificate["key"], me, me)
    os.chmod(certificate["key"], 0o600)
    home = os.path.join(world.dir, "sluis1")
    os.chmod(world.dir, 0o777)  # it makes its state, its socket and its log beside its file

    def become():
        os.chown(home, me, me)
        os.setgroups([])
        os.setresgid(me, me, me)
        os.setresuid(me, me, me)
    s = world.serve(world.nginx("one"), world.nginx("two"), preexec=become, detect=DETECT, gateway=GATEWAY, listener={"tls": {"certificates": [certificate]}})
    expect_confined(s, dict.fromkeys(ROLES, me))
    tls = dict(tls=trust(ca), name="site.test")
    assert {get(s.port(), **tls).body for _ in range(4)} == {b"one\n", b"two\n"}
    s.config["contact"] = "changed"
    s.reload()
    s.cli("drain", f"web/{s.config['pools']['web']['servers'][0]}")
    assert {get(s.port(), **tls).body for _ in range(4)} == {b"two\n"}
    assert s.access_line(http__response__status_code=200)
    assert os.stat(s.access_path).st_uid == me
