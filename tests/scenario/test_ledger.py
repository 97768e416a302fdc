"""The ledger: what it records of what clients saw, that a change of any kind is found and named, that kills cost nothing but what was in
flight, and that an examiner can check it with sqlite3 and openssl."""
import copy
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from harness import RELEASE, ROOT, Client, World, fill_disk, get, wait_for


def folder(s):
    return os.path.join(s.config["state_dir"], "ledger")


def rows(s, sql="SELECT * FROM record ORDER BY seq", args=()):
    found = []
    for name in sorted(glob.glob(os.path.join(folder(s), "*.ledger"))):
        try:
            db = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=10)
        except sqlite3.OperationalError:
            if os.path.exists(name):
                raise
            continue  # a day that had only begun is cleared away by the next scribe
        db.row_factory = sqlite3.Row
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            continue  # the day has only begun
        found += db.execute(sql, args).fetchall()
        db.close()
    return found


def verify(s, where=None, *more):
    r = s.cli("ledger", "verify", "--json", where or folder(s), *more, ok=False)
    assert r.returncode in (0, 1), (r.returncode, r.stdout, r.stderr)
    return json.loads(r.stdout)


def is_written(s):
    return "ledger.writes" in s.log() and rows(s, "SELECT 1 FROM record WHERE kind='config'")


def serve(world, backends=1, **config):
    servers = [world.nginx(f"n{i}") for i in range(backends)]
    s = world.serve(*servers, **config)
    wait_for(lambda: is_written(s), "the ledger's first batches")
    return s, servers


def test_one_request_is_recorded(world):
    s, [n] = serve(world)
    r = get(s.port(), "/")
    assert r.status == 200
    use = wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='use' AND state IN ('whole', 'close')"), "the use")[0]
    assert (use["client"], use["target"], use["requests"], use["bytes_out"]) == ("127.0.0.1", f"127.0.0.1:{n.port}", 1, len(r.body))
    assert use["name"].endswith(f"127.0.0.1:{n.port}") and use["listener"] == "web" and use["start"] <= use["end"]
    came = wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='in' AND state IN ('whole', 'close')"), "the connection")[0]
    assert came["requests"] == 1 and came["bytes_out"] == len(r.body)
    out = rows(s, "SELECT * FROM record WHERE kind='out' AND conn IS NOT NULL")[0]
    assert out["target"] == f"127.0.0.1:{n.port}" and out["process"] == "dialer/0/1" and out["detail"] == "for worker/0/1"
    assert verify(s)["ok"]
    status = s.status()["ledger"]
    assert status["state"] == "written" and status["records"] >= 5 and status["lost"] == 0 and status["batch"] >= 2
    assert "ledger: written, " in s.cli("status").stdout


def test_what_else_is_recorded(world):
    s, _ = serve(world, policies=[{"name": "no-vpns", "if": 'http.path contains "/vpns/"', "then": [{"block": 403}]}])
    assert get(s.port(), "/vpns/cfg").status == 403
    hit = wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='policy'"), "the hit")[0]
    assert (hit["name"], hit["outcome"], hit["client"]) == ("no-vpns", "block 403", "127.0.0.1") and "/vpns/cfg" in hit["detail"]
    s.reload()
    wait_for(lambda: len(rows(s, "SELECT * FROM record WHERE kind='config'")) == 2, "the second configuration")
    config = rows(s, "SELECT * FROM record WHERE kind='config'")[-1]
    content = rows(s, "SELECT content FROM attachment WHERE sha256=?", (config["detail"],))[0]["content"]
    with open(s.file, "rb") as f:
        assert f.read() in content
    command = rows(s, "SELECT * FROM record WHERE kind='command'")
    assert [(c["name"], c["user"]) for c in command] == [("reload", f"uid {os.geteuid()}")]
    assert s.process.stop() == 0
    assert not glob.glob(os.path.join(folder(s), "*-wal"))
    assert rows(s)[-1]["outcome"] == "stopped"
    assert verify(s)["ok"]


def test_an_open_connection_is_there_while_it_is_open(world):
    s, _ = serve(world)
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().status == 200
        use = wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='use'"), "the use")[0]
        assert use["state"] == "open" and use["end"] is None
    wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='use' AND state='close' AND conn=?", (use["conn"],)), "its end")


def again_with(world, s):
    """Another sluisd with the same state."""
    config = {k: v for k, v in copy.deepcopy(s.config).items() if k not in ("admin", "log")}
    return world.run(config)


CHANGES = {
    "a changed record": ("UPDATE record SET client='192.0.2.99' WHERE seq=7", "record-changed", 7),
    "a changed number": ("UPDATE record SET \"at\"=\"at\"+1 WHERE seq=8", "record-changed", 8),
    "another type": ("UPDATE record SET detail=x'00' WHERE seq=6", "record-changed", 6),
    "a removed record": ("DELETE FROM record WHERE seq=9", "record-missing", 9),
    "an inserted record": ("INSERT INTO record(seq, batch, at, kind) VALUES(100000, 1, 1, 'use')", "record-inserted", 100000),
    "two that changed places": ("UPDATE record SET seq=-1 WHERE seq=7; UPDATE record SET seq=7 WHERE seq=8;"
                                "UPDATE record SET seq=8 WHERE seq=-1", "record-changed", 7),
    "a removed batch": ("DELETE FROM record WHERE batch=2; DELETE FROM batch WHERE batch=2", "batch-missing", None),
    "a changed batch": ("UPDATE batch SET at=at+1 WHERE batch=2", "batch-changed", None),
    "another's signature": ("UPDATE batch SET signature=(SELECT signature FROM batch WHERE batch=1) WHERE batch=2", "signature", None),
    "a cut off tail": ("DELETE FROM record WHERE batch=(SELECT max(batch) FROM batch);"
                       "DELETE FROM batch WHERE batch=(SELECT max(batch) FROM batch)", "tail-cut", None),
    "a beginning that is gone": ("DELETE FROM record WHERE batch=1; DELETE FROM batch WHERE batch=1", "day-missing", None),
    "a configuration that was changed": ("UPDATE attachment SET content=x'41'", "attachment", None),
    "a configuration that is gone": ("DELETE FROM attachment", "attachment", None),
}


@pytest.fixture(scope="module")
def written():
    world = World()
    s, _ = serve(world)
    for i in range(6):
        get(s.port(), "/")
        wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='use' AND state IN ('whole','close')")) > i, "the record")
    assert s.process.stop() == 0
    yield s
    world.close()


def examiner(s, where):
    with open(os.path.join(ROOT, "docs", "ledger.md")) as f:
        script = re.search(r"```sh\n(.*?)```", f.read(), re.S).group(1)
    return subprocess.run(["sh", "-c", script, "check.sh", os.path.join(folder(s), "ledger.pub"), where], capture_output=True, text=True,
                          timeout=120)


def test_an_examiner_needs_sqlite_and_openssl_alone(written, tmp_path):
    good = examiner(written, folder(written))
    assert good.returncode == 0 and "every record is what was signed" in good.stdout, good.stdout + good.stderr
    assert verify(written)["last_hash"] in good.stdout


@pytest.mark.parametrize("why", CHANGES)
def test_a_change_is_found_and_named(written, tmp_path, why):
    sql, fault, seq = CHANGES[why]
    where = str(tmp_path / "ledger")
    shutil.copytree(folder(written), where)
    name = glob.glob(where + "/*.ledger")[0]
    db = sqlite3.connect(name)
    db.executescript(sql)
    db.commit()
    db.close()
    report = verify(written, where)
    assert not report["ok"], why
    first = report["findings"][0]
    assert fault in [f["fault"] for f in report["findings"]], report["findings"]
    if seq:
        assert (first["fault"], first["record"]) == (fault, seq), report["findings"]
    if fault.startswith("record") or fault in ("batch-missing", "batch-changed", "signature"):
        assert examiner(written, where).returncode == 1, why


def test_a_day_that_has_only_begun(written, tmp_path):
    """Its file is there, its tables not yet: no fault. The newest file emptied is one: batches are missing at the end."""
    where = str(tmp_path / "ledger")
    shutil.copytree(folder(written), where)
    only = glob.glob(where + "/*.ledger")[0]
    open(os.path.join(where, "2099-01-01.ledger"), "x").close()
    assert verify(written, where)["ok"]
    answer = json.loads(written.cli("window", "--ledger", where, "--json", "--from", "2026-01-01", "--to", "2099-01-01").stdout)
    assert [r["connections"] for r in answer["systems"]] == [6]
    os.remove(os.path.join(where, "2099-01-01.ledger"))
    open(only, "w").close()
    assert [f["fault"] for f in verify(written, where)["findings"]] == ["tail-cut"]


def test_another_key_verifies_nothing(written, tmp_path):
    other = tmp_path / "other.pem"
    subprocess.run(f"openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out {other}", shell=True, check=True)
    report = verify(written, None, "--key", str(other))
    assert not report["ok"] and {f["fault"] for f in report["findings"]} == {"signature", "head"}
    assert verify(written, None, "--key", os.path.join(folder(written), "ledger.pub"))["ok"]


@pytest.mark.parametrize("role", ["scribe", "worker", "dialer", "keeper", "prober"])
def test_kills_lose_nothing_that_a_client_saw(world, role):
    s, _ = serve(world, workers=2)
    s.may_crash = True
    seen, stop = [0], threading.Event()

    def load():
        while not stop.is_set():
            try:
                seen[0] += get(s.port(), "/").status == 200
            except (OSError, AssertionError, ValueError, EOFError):
                pass

    threads = [threading.Thread(target=load) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for _ in range(3):
            before = seen[0]
            pid = wait_for(lambda: s.pids(role), f"a {role}")[0]
            wait_for(lambda: seen[0] > before + 20, "requests")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: s.pids(role) and pid not in s.pids(role) and
                     all(p["ready"] for p in s.status()["processes"]), f"another {role}")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert s.process.stop() == 0
    report = verify(s)
    assert report["ok"], report["findings"]
    assert report["lost"] == 0
    counted = rows(s, "SELECT sum(requests) AS n FROM record WHERE kind='use' AND state IN ('whole', 'close')")
    opened = rows(s, "SELECT count(*) AS n FROM record WHERE kind='use' AND state IN ('whole', 'open')")
    # a killed worker's last uses are known to have begun; what they came to is lost with it
    assert opened[0]["n"] >= seen[0] if role == "worker" else sum(c["n"] for c in counted) >= seen[0]
    left = rows(s, "SELECT count(*) AS n FROM record WHERE state='open' AND conn NOT IN (SELECT conn FROM record WHERE state='close')")
    assert left[0]["n"] == 0


def test_sluisd_killed_leaves_a_chain_that_goes_on(world):
    s, _ = serve(world)
    s.may_crash = True
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().status == 200
        use = wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='use'"), "the use")[0]
        s.process.child.kill()
        s.process.child.wait()
    assert verify(s)["ok"]
    again = again_with(world, s)
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use' AND conn=? AND state='close' AND outcome='its process ended'",
                          (use["conn"],)), "the close of what was open")
    assert again.process.stop() == 0
    report = verify(s)
    assert report["ok"], report["findings"]


def test_a_cut_tail_is_told_and_the_chain_goes_on(world):
    s, _ = serve(world)
    get(s.port(), "/")
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use'"), "the use")
    assert s.process.stop() == 0
    db = sqlite3.connect(glob.glob(folder(s) + "/*.ledger")[0])
    db.executescript("DELETE FROM record WHERE batch=(SELECT max(batch) FROM batch); DELETE FROM batch WHERE batch=(SELECT max(batch) FROM batch)")
    db.close()
    again = again_with(world, s)
    wait_for(lambda: "ledger.gap" in again.log(), "the gap is told")
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE outcome='gap'"), "and recorded")
    assert again.process.stop() == 0
    report = verify(s)
    assert {f["fault"] for f in report["findings"]} == {"batch-missing", "gap"}, report["findings"]


@pytest.mark.parametrize("what", ["nothing", "tables"])
def test_a_day_that_had_only_just_begun(world, what):
    """A scribe that is killed between the making of a day's file and its first batch: the next one goes on with the day before. (It could
    not read a file without tables, and one without a batch made the numbers begin anew.)"""
    s, _ = serve(world)
    get(s.port(), "/")
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use'"), "the use")
    assert s.process.stop() == 0
    newest = rows(s)[-1]["seq"]
    name = os.path.join(folder(s), "2999-12-31.ledger")
    db = sqlite3.connect(name)
    if what == "tables":
        day = sqlite3.connect(glob.glob(folder(s) + "/2???-??-??.ledger")[0])
        for sql, in day.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"):
            db.execute(sql)
        day.close()
    db.commit()
    db.close()
    open(name, "ab").close()
    again = again_with(world, s)
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='config' AND seq > %d" % newest), "the chain goes on")
    assert not os.path.exists(name)
    assert again.process.stop() == 0
    report = verify(s)
    assert report["ok"], report["findings"]


@pytest.mark.parametrize("mode", ["strict", "counted"])
def test_a_full_disk(world, mode):
    """The folder is on a small file system of the test's own."""
    state = os.path.join(world.dir, "state")
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", state], check=True)
    try:
        s, _ = serve(world, state_dir=state, ledger={"mode": mode})
        assert get(s.port(), "/").status == 200
        filler = fill_disk(state)

        def is_failing():
            try:
                get(s.port(), "/")
            except (OSError, AssertionError, EOFError, ValueError):
                pass
            return "ledger.fails" in s.log()
        wait_for(is_failing, "the ledger fails")
        if mode == "strict":
            wait_for(lambda: is_refused(s.port()), "new connections are refused")
        else:
            assert get(s.port(), "/").status == 200
        os.unlink(filler)
        wait_for(lambda: s.log().count("ledger.writes") >= 2, "it is written again")
        assert get(s.port(), "/").status == 200
        assert s.process.stop() == 0
        assert verify(s)["ok"]
    finally:
        for one in list(world.sluis):
            one.process.stop()
        subprocess.run(["umount", state], check=True)


def is_refused(port):
    try:
        return get(port, "/").status == 0
    except (OSError, AssertionError, EOFError, ValueError):
        return True


def test_it_ends_though_the_ledger_cannot_be_written(world):
    state = os.path.join(world.dir, "state")
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", state], check=True)
    try:
        s, _ = serve(world, state_dir=state)
        fill_disk(state)

        def is_failing():
            assert get(s.port(), "/").status == 200
            return "ledger.fails" in s.log()
        wait_for(is_failing, "the ledger fails")
        s.process.child.terminate()
        assert s.process.child.wait(20) == 0
    finally:
        for one in list(world.sluis):
            one.process.stop()
        subprocess.run(["umount", state], check=True)


FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def is_begun(name):
    """The file is there, and its tables are too: they come a moment later."""
    if not os.path.exists(name):
        return False
    db = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=10)
    found = db.execute("SELECT 1 FROM sqlite_schema WHERE name='record'").fetchall()
    db.close()
    return found


def test_midnight(world):
    """A day ends while a connection is open: the file is sealed, the next one tells of the connection, old files go, and all of it
    verifies. The clock is libfaketime's, which a sanitizer does not suffer, so the release build runs."""
    assert os.path.exists(FAKETIME), "faketime is missing"
    old = os.path.join(world.dir, "state", "ledger")
    env = {"LD_PRELOAD": FAKETIME, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME": "@2026-01-05 23:59:52", "TZ": "UTC"}
    n = world.nginx("n0")
    os.makedirs(old)
    os.chmod(os.path.dirname(old), 0o755)
    s = world.serve(n, state_dir=os.path.dirname(old), env=env, build=RELEASE, ledger={"keep": "1d"})
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().status == 200
        wait_for(lambda: is_begun(os.path.join(old, "2026-01-06.ledger")), "the next day")
        wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE state='carried'"), "what was carried over")
        # a scribe that comes later on the second day: the connection goes on (it was taken for one of an earlier run, and closed)
        scribe = s.pids("scribe")[0]
        os.kill(scribe, signal.SIGKILL)
        wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='ledger' AND outcome='started'")) == 2, "the next scribe's batch")
        assert not rows(s, "SELECT 1 FROM record WHERE outcome='its process ended'")
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().status == 200
    wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='use' AND state='close'")) == 1, "its end")
    first, second = (sqlite3.connect(os.path.join(old, f"2026-01-0{d}.ledger")) for d in (5, 6))
    assert first.execute("SELECT day FROM seal").fetchall() == [("2026-01-05",)]
    assert {k for k, in second.execute("SELECT kind FROM record WHERE state='carried'")} == {"in", "use", "out"}
    first.close(), second.close()
    assert s.process.stop() == 0
    report = verify(s)
    assert report["ok"] and report["files"] == 2, report["findings"]
    day = json.loads(s.cli("window", "--ledger", old, "--json", "--from", "2026-01-06", "--to", "2026-01-06").stdout)
    assert [(r["connections"], r["open_before"]) for r in day["systems"]] == [(1, True)]
    both = json.loads(s.cli("window", "--ledger", old, "--json", "--from", "2026-01-05", "--to", "2026-01-06").stdout)
    assert [r["connections"] for r in both["systems"]] == [1]
    # the days go on: after the third, the first is over keep and goes; its end is named in a record, so the rest verifies
    for at in ("2026-01-06 23:59:56", "2026-01-07 23:59:56"):
        s = world.serve(n, state_dir=os.path.dirname(old), env=dict(env, FAKETIME="@" + at), build=RELEASE, ledger={"keep": "1d"})
        day = f"2026-01-{int(at[8:10]) + 1:02}.ledger"

        def is_next_day():
            get(s.port(), "/")
            return os.path.exists(os.path.join(old, day))
        wait_for(is_next_day, day)
        wait_for(lambda: get(s.port(), "/") and "ledger.removed" in s.log() or at.startswith("2026-01-06"), "the removal")
        assert s.process.stop() == 0
    assert "2026-01-05.ledger" not in os.listdir(old)
    report = verify(s)
    assert report["ok"], report["findings"]
