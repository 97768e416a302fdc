"""The processes around identity: they are there with a gateway and go with it, are confined, outlive reloads, come back when they die, and what they
keep is nobody else's."""
import json
import os
import re
import signal
import socket
import stat

import pytest

from certs import Authority
from harness import free_port, get, wait_for
from test_ledger import rows, verify

HASHERS = 2
GONE = "identity ended before it answered"


def gateway(world, hashers=HASHERS, **more):
    """A configuration with a portal. A route has an expression for identity to compile in its jail, when the next one comes."""
    ca = Authority(world.dir)
    n = world.nginx("one")
    return {"listeners": {"web": {"address": f"127.0.0.1:{free_port()}"},
                          "tls": {"address": f"127.0.0.1:{free_port()}", "tls": {"certificates": [ca.issue("work.example.org")]}}},
            "pools": {"web": {"servers": [n.address]}}, "routes": [{"pool": "web"}, {"pool": "web", "if": 'http.path matches "^/no(thing|where)$"'}],
            "gateway": {"portal": "work.example.org", "hashers": hashers}, "workers": 2, **more}


def ask(s, command="identity", timeout=20, **request):
    """One request over the admin socket, as sluis does it."""
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(timeout)
        c.connect(s.socket)
        c.sendall(json.dumps({"command": command, **request}).encode() + b"\n")
        with c.makefile("rb") as f:
            return json.loads(f.readline())


def processes(s, *roles):
    return {(p["role"], p["index"]): p["pid"] for p in ask(s, "status")["processes"] if p["role"] in (roles or ("identity", "hasher")) and p["ready"]}


def all_there(s, hashers=HASHERS):
    want = {("identity", 0)} | {("hasher", i) for i in range(hashers)}
    return wait_for(lambda: (lambda p: p if set(p) == want else None)(processes(s)), f"identity and {hashers} hashers")


def sockets(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def reload(s):
    s.write()
    answer = ask(s, "reload", timeout=60)
    assert answer["ok"], answer


def change(s, contact):
    s.config["contact"] = contact
    reload(s)


def test_they_run_confined_and_hashers_give_way_to_workers(world):
    s = world.run(gateway(world))
    there = all_there(s)
    for role, n in (("identity", 1), ("hasher", HASHERS)):
        lines = re.findall(rf"process={role}\S* event=process.confined enforced=\S+", s.log())
        assert len(lines) == n, s.log()
    for (role, index), pid in there.items():
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", (role, index)
        if role == "hasher":  # or as nice as whoever runs this
            assert os.getpriority(os.PRIO_PROCESS, pid) == max(10, os.getpriority(os.PRIO_PROCESS, there["identity", 0])), index
            assert os.sched_getscheduler(pid) == os.SCHED_BATCH, index
    assert get(s.port()).body == b"one\n"


def test_without_a_gateway_there_is_none_of_it(world):
    s = world.serve(world.nginx("one"))
    assert processes(s) == {}
    assert not os.path.exists(os.path.join(s.config["state_dir"], "tokens.key"))
    assert not os.path.exists(os.path.join(s.config["state_dir"], "identity"))
    answer = ask(s, action="users")
    assert not answer["ok"] and "no gateway: section" in answer["error"]


def test_what_they_keep_is_nobody_elses(world):
    s = world.run(gateway(world))
    state = s.config["state_dir"]
    key = os.path.join(state, "tokens.key")
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.join(state, "identity")).st_mode) == 0o700
    for folder, names, files in os.walk(os.path.join(state, "identity")):
        for name in names + files:
            assert stat.S_IMODE(os.lstat(os.path.join(folder, name)).st_mode) & 0o077 == 0, name
    with open(key, "rb") as f:
        made = f.read()
    assert made.startswith(b"-----BEGIN PRIVATE KEY-----")
    change(s, "another")  # another keeper
    s.stop()
    again = world.run({**s.config, "admin": {}, "log": {}})
    all_there(again)
    with open(key, "rb") as f:
        assert f.read() == made


def test_they_outlive_reloads(world):
    s = world.run(gateway(world))
    before = all_there(s)
    for contact in ("one", "two", "three"):
        change(s, contact)
    wait_for(lambda: ask(s, "status")["old_generations"] == 0, "the generations before to end")
    assert all_there(s) == before
    channels = len(sockets(before["identity", 0]))
    assert channels == 1 + 2 + 1 + HASHERS  # the master, workers, keeper, hashers: those of ended generations are closed
    assert "event=child.exited role=identity" not in s.log() and "event=ipc.violation" not in s.log()


def test_there_are_as_many_hashers_as_the_configuration_says(world):
    s = world.run(gateway(world, hashers=1))
    first = all_there(s, 1)
    for n in (3, 8, 1, 2):
        s.config["gateway"]["hashers"] = n
        reload(s)
        there = all_there(s, n)
        assert there["identity", 0] == first["identity", 0] and there["hasher", 0] == first["hasher", 0]


@pytest.mark.parametrize("role", ["identity", "hasher"])
def test_who_is_killed_is_started_again_and_has_its_channels(world, role):
    s = world.run(gateway(world))
    s.may_crash = True
    before = all_there(s)
    workers = processes(s, "worker")
    held = {w: sockets(w) for w in workers.values()}
    os.kill(before[role, 0], signal.SIGKILL)
    after = wait_for(lambda: (lambda p: p if p.get((role, 0), before[role, 0]) != before[role, 0] else None)(all_there(s)), "its successor")
    assert {k: v for k, v in before.items() if k != (role, 0)} == {k: v for k, v in after.items() if k != (role, 0)}
    assert processes(s, "worker") == workers
    wait_for(lambda: len(sockets(after["identity", 0])) == 1 + 2 + 1 + HASHERS, "its channels")
    if role == "identity":  # each worker lost one channel and got one
        wait_for(lambda: all(len(sockets(w) - held[w]) == 1 and len(held[w] - sockets(w)) == 1 for w in held), "the workers' channels")
    assert "event=ipc.violation" not in s.log()
    change(s, "they work with the next configuration as well")
    assert all_there(s) == after


def test_a_worker_that_comes_later_has_a_channel(world):
    s = world.run(gateway(world))
    s.may_crash = True
    there = all_there(s)
    before = processes(s, "worker")
    os.kill(before["worker", 0], signal.SIGKILL)
    wait_for(lambda: processes(s, "worker").get(("worker", 0), before["worker", 0]) != before["worker", 0], "another worker")
    wait_for(lambda: len(sockets(there["identity", 0])) == 1 + 2 + 1 + HASHERS, "its channel")


def test_a_reload_turns_them_on_and_off(world):
    config = gateway(world)
    portal = config.pop("gateway")
    s = world.run(config)
    assert processes(s) == {}
    for turn in range(2):
        s.config["gateway"] = portal
        reload(s)  # is answered when identity and a hasher are ready
        there = processes(s)
        assert ("identity", 0) in there and len(there) > 1, turn
        there = all_there(s)
        del s.config["gateway"]
        reload(s)
        wait_for(lambda: processes(s) == {}, "them to end")
        for pid in there.values():
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the process to be gone")
    s.config["gateway"] = portal
    reload(s)
    del s.config["gateway"]
    reload(s)
    s.config["gateway"] = portal
    reload(s)  # perhaps while they end
    all_there(s)
    assert "event=ipc.violation" not in s.log()


def test_they_end_with_sluis_and_the_ledger_is_whole(world):
    s = world.run(gateway(world))
    there = all_there(s)
    get(s.port())
    s.stop()
    for pid in there.values():
        assert not os.path.exists(f"/proc/{pid}")
    assert "the last records could not be written" not in s.log()
    assert verify(s)["ok"]


def test_a_gateway_needs_a_state_folder(world):
    s = world.run(gateway(world, state_dir=""), wait=False)
    wait_for(lambda: s.process.child.poll() is not None, "sluisd to refuse it")
    assert "gateway: needs state_dir" in s.log()


def test_another_state_folder_waits_for_a_restart(world):
    s = world.run(gateway(world))
    s.config["state_dir"] = os.path.join(s.dir, "elsewhere")
    s.write()
    r = s.cli("reload", ok=False)
    assert r.returncode != 0 and "restart sluisd" in r.stdout + r.stderr
    assert all_there(s)


def test_a_key_that_is_none_is_named_and_the_configuration_before_goes_on(world):
    config = gateway(world)
    portal = config.pop("gateway")
    s = world.run(config)
    key = os.path.join(s.config["state_dir"], "tokens.key")
    with open(key, "w") as f:
        f.write("no key\n")
    s.config["gateway"] = portal
    s.write()
    assert s.cli("reload", ok=False).returncode != 0
    assert re.search(r"event=key.refused key=tokens.key what=.*restore it, or remove it", s.log())
    assert get(s.port()).body == b"one\n"
    os.remove(key)  # perhaps while they end: it is not the file that was opened then that counts
    reload(s)
    assert all_there(s)


def test_administrators_ask_identity_and_their_passwords_are_told_to_nobody(world):
    s = world.run(gateway(world))
    identity = all_there(s)["identity", 0]
    answer = ask(s, action="no-such-thing", user="eva", password="correct horse battery", uid=4711)
    assert answer["ok"] is False and answer["error"], answer
    assert re.search(rf'event=admin.command command=identity uid={os.getuid()} what="no-such-thing eva"', s.log()), s.log()
    told = wait_for(lambda: [r for r in rows(s, "SELECT * FROM record WHERE kind='command'") if "no-such-thing" in r["name"]], "its record")
    assert [r["name"] for r in told] == ["identity no-such-thing eva"] and told[0]["user"] == f"uid {os.getuid()}"
    assert all("horse" not in str(tuple(r)) for r in rows(s)) and "horse" not in s.log()
    assert not ask(s, action="x" * 4000)["ok"]
    assert processes(s)["identity", 0] == identity


def test_an_identity_that_does_not_answer_keeps_nobody_waiting_for_ever(world):
    s = world.run(gateway(world))
    s.may_crash = True
    identity = all_there(s)["identity", 0]
    os.kill(identity, signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_UNIX) as gone:  # one that goes away before its answer
            gone.connect(s.socket)
            gone.sendall(b'{"command": "identity", "action": "no-such-thing"}\n')
            wait_for(lambda: "command=identity" in s.log(), "the question")
        assert "did not answer within 10 seconds" in ask(s, action="no-such-thing")["error"]
    finally:
        os.kill(identity, signal.SIGCONT)
    assert "did not answer" not in ask(s, action="no-such-thing")["error"]  # answers that come late are nobody's
    os.kill(identity, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(20)
        c.connect(s.socket)
        c.sendall(b'{"command": "identity", "action": "third"}\n')
        wait_for(lambda: "what=third" in s.log(), "the question")
        os.kill(identity, signal.SIGKILL)
        assert GONE in json.loads(c.makefile("rb").readline())["error"]
    assert all_there(s)["identity", 0] != identity
