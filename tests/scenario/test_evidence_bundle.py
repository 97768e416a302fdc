"""What is in a bundle, and what is never; each way to change one is named; the examiner's script of docs/evidence.md; a kill
in the middle of a handover leaves the old bundle or the new one."""
import glob
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tarfile

import pytest

from certs import Authority
from harness import BUILD, ROOT, get
from test_tls import serve_tls, trust


def key(world, name="examiner"):
    private, public = os.path.join(world.dir, name + ".key"), os.path.join(world.dir, name + ".pub")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def live_ledger(s):
    """A day's file whose newest rows are only in its journal, as while the scribe writes."""
    folder = os.path.join(s.config["state_dir"], "ledger")
    os.makedirs(folder, exist_ok=True)
    db = sqlite3.connect(os.path.join(folder, "2020-01-02.ledger"))
    db.executescript("PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; CREATE TABLE record(seq);")
    db.executemany("INSERT INTO record VALUES(?)", [(i,) for i in range(1000)])
    db.commit()
    return db


def collect(s, world, *args, ok=True):
    out = os.path.join(world.dir, f"out{world.number()}")
    os.makedirs(out)
    r = s.cli("-c", s.file, "evidence", "collect", "--out", out, *args, ok=ok)
    return r, glob.glob(out + "/*.tar")


def members(path):
    with tarfile.open(path) as t:
        return [(m.name, t.extractfile(m).read()) for m in t]


def rewrite(path, change):
    """The archive anew, after change(list of members)."""
    found = members(path)
    change(found)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as t:
        for name, content in found:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))


def verify(s, *args, ok=True):
    r = s.cli("evidence", "verify", s.bundle, "--json", *args, ok=False)
    assert r.returncode == (0 if ok else 1), r
    return json.loads(r.stdout)


@pytest.fixture
def bundle(world):
    ca = Authority(world.dir)
    site = ca.issue("site.test")
    s = serve_tls(world, world.scripted(), site)
    assert get(s.port(), tls=trust(ca), name="site.test").status == 200
    s.access_line()
    with open(s.access_path + ".1", "w") as f:
        f.write("older\n")
    db = live_ledger(s)
    s.private, s.public = key(world)
    s.site = site
    r, found = collect(s, world, "--for", "case-7", "--note", "front door", "--key", s.private)
    db.close()
    assert len(found) == 1, r
    s.bundle = found[0]
    return s


def test_what_is_in_it(bundle):
    assert re.fullmatch(r"case-7-\d{8}T\d{6}Z\.evidence\.tar", os.path.basename(bundle.bundle))
    found = members(bundle.bundle)
    names, content = [n for n, _ in found], dict(found)
    assert names[0] == "clock.json" and names[-4:] == ["MANIFEST.sha256", "MANIFEST.sig", "signer.pub", "custody.jsonl"]
    clock = json.loads(content["clock.json"])
    assert clock["realtime_ns"] > 1.7e18 and clock["monotonic_ns"] and "synchronized" in clock["kernel"] and clock["zone"]
    assert content["logs/access.log.1"] == b"older\n" and content["logs/access.log"].startswith(b"{")
    assert content["config" + bundle.file] == open(bundle.file, "rb").read()
    assert content["config" + bundle.site["chain"]] == open(bundle.site["chain"], "rb").read()
    assert any(n.startswith("history/") for n in names)
    assert json.loads(content["state/status.json"])["ok"]
    processes = {p["pid"]: p for p in json.loads(content["state/processes.json"])}
    daemon = processes[bundle.process.pid]
    program = hashlib.sha256(open(os.path.join(BUILD, "sluisd"), "rb").read()).hexdigest()
    assert daemon["exe_sha256"] == program and daemon["cmdline"][0].endswith("sluisd") and daemon["open"]
    for pid in bundle.pids("worker"):
        assert processes[pid]["ppid"] == bundle.process.pid
    sockets = json.loads(content["state/sockets.json"])
    assert any(x.get("local") == f"127.0.0.1:{bundle.port()}" and x["state"] == "listen" and x["pids"] for x in sockets)
    packages = {os.path.basename(f["path"]): f["sha256"] for f in json.loads(content["packages.json"])["files"]}
    assert packages["sluisd"] == program and {"sluis", "sluis-keeper", "netscaler.yaml"} <= set(packages)
    known = json.loads(content["packages.json"])
    assert {f["release"] for f in known["files"]} == {"as released"} and known["manifest"]["missing"] == []
    assert known["manifest"]["signature_holds"] and len(known["manifest"]["build"]) == 64
    assert any(m["name"] == bundle.site["key"] for m in json.loads(content["missing.json"]))
    assert b"PRIVATE KEY" not in open(bundle.bundle, "rb").read()


def test_the_journal_of_a_live_ledger_is_in_it(bundle, world):
    path = os.path.join(world.dir, "day")
    with open(path, "wb") as f:
        f.write(dict(members(bundle.bundle))["ledger/2020-01-02.ledger"])
    assert sqlite3.connect(path).execute("SELECT count(*) FROM record").fetchone() == (1000,)
    assert not os.path.exists(path + "-wal")


def test_only_days_asked_for_and_damaged_ones_as_they_are(bundle, world):
    folder = os.path.join(bundle.config["state_dir"], "ledger")
    for day in ("2020-01-03", "2020-01-04"):
        with open(f"{folder}/{day}.ledger", "wb") as f:
            f.write(b"no database " + day.encode())
    _, found = collect(bundle, world, "--key", bundle.private, "--from", "2020-01-03", "--to", "2020-01-03T10:00:00Z")
    content = dict(members(found[0]))
    assert [n for n in content if n.endswith(".ledger")] == ["ledger/2020-01-03.ledger"]
    assert content["ledger/2020-01-03.ledger"] == b"no database 2020-01-03"
    assert any(m["name"] == "ledger/2020-01-03.ledger" for m in json.loads(content["missing.json"]))


def test_plain_tools_are_enough(bundle, world):
    """The script of docs/evidence.md, as it stands there."""
    page = open(os.path.join(ROOT, "docs/evidence.md")).read()
    script = re.search(r"```sh\n(.*?)```", page, re.S).group(1)
    folder = os.path.join(world.dir, "examine")

    def run():
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        return subprocess.run(["sh", "-euc", script], cwd=folder, capture_output=True, text=True,
                              env=dict(os.environ, BUNDLE=bundle.bundle, PUB=bundle.public))
    for handovers in range(2):
        r = run()
        assert r.returncode == 0 and r.stdout.count("Signature Verified Successfully") == 2 + handovers, (r.stdout, r.stderr)
        bundle.cli("-c", bundle.file, "evidence", "handover", bundle.bundle, "--to", "police", "--reason", "asked for", "--key",
                   bundle.private)
    data = open(bundle.bundle, "rb").read()
    with open(bundle.bundle, "wb") as f:
        f.write(data.replace(b"older\n", b"Older\n"))
    assert run().returncode != 0
    with open(bundle.bundle, "wb") as f:
        f.write(data.replace(b'"to":"police"', b'"to":"Police"'))
    assert run().returncode != 0


def swap(found, name, content):
    i = [n for n, _ in found].index(name)
    found[i] = (name, content)


def test_each_change_is_named(bundle, world):
    good = verify(bundle)
    assert good["ok"] and good["custody"][0]["action"] == "collected" and good["custody"][0]["reason"] == "front door"
    assert verify(bundle, "--key", bundle.public)["signer_was_given"]
    original = bundle.bundle + ".original"
    shutil.copy(bundle.bundle, original)
    cases = {
        "changed": (lambda f: swap(f, "logs/access.log.1", b"newer\n"), "logs/access.log.1"),
        "missing": (lambda f: f.pop([n for n, _ in f].index("packages.json")), "packages.json"),
        "extra": (lambda f: f.insert(1, ("added", b"x")), "added"),
        "twice": (lambda f: f.insert(1, f[0]), "clock.json"),
        "reordered": (lambda f: f.insert(1, f.pop(0)), "case.json"),
        "no_manifest": (lambda f: f.pop(-4), None),
        "unsigned": (lambda f: f.pop(-3), None),
        "no_custody": (lambda f: f.pop(), None),
    }
    for fault, (change, member) in cases.items():
        shutil.copy(original, bundle.bundle)
        rewrite(bundle.bundle, change)
        told = {(f["fault"], f["member"]) for f in verify(bundle, ok=False)["faults"]}
        assert any(f == fault and member in (None, m) for f, m in told), (fault, told)
    shutil.copy(original, bundle.bundle)
    _, foreign = key(world, "foreign")
    assert [f["fault"] for f in verify(bundle, "--key", foreign, ok=False)["faults"]] == ["other_key"]


def test_any_byte_and_any_cut(bundle):
    data = open(bundle.bundle, "rb").read()
    for i in range(0, len(data), len(data) // 25):
        for changed in (data[:i] + bytes([data[i] ^ 0x20]) + data[i + 1:], data[:i]):
            with open(bundle.bundle, "wb") as f:
                f.write(changed)
            r = bundle.cli("evidence", "verify", bundle.bundle, ok=False)
            assert r.returncode == 1 and "NOT GOOD" in r.stdout and "Sanitizer" not in r.stderr, (i, r)


def test_handing_over(bundle):
    before = open(bundle.bundle, "rb").read()
    args = ["-c", bundle.file, "evidence", "handover", bundle.bundle, "--key", bundle.private]
    bundle.cli(*args, "--to", "A. Examiner", "--reason", "to look at", "--by", "the \"duty\" officer")
    bundle.cli(*args, "--received", "--reason", "from the front desk", "--by", "A. Examiner")
    assert [(c["action"], c["to"], c["by"]) for c in verify(bundle)["custody"][1:]] == [
        ("handed_over", "A. Examiner", "the \"duty\" officer"), ("received", "", "A. Examiner")]
    assert open(bundle.bundle, "rb").read()[:len(before) - 1024] == before[:-1024], "only added to"
    dutch = bundle.cli("--lang", "nl", "evidence", "verify", bundle.bundle).stdout
    assert "GOED" in dutch and "overgedragen door" in dutch
    rewrite(bundle.bundle, lambda f: f.append(f[-3]))  # the first log again, as the last one
    assert "custody_prefix" in [f["fault"] for f in verify(bundle, ok=False)["faults"]]
    r = bundle.cli(*args, "--to", "x", "--reason", "y", ok=False)
    assert r.returncode == 1 and "not handed over" in r.stderr
    assert [n for n in os.listdir(os.path.dirname(bundle.bundle)) if n.startswith(".")] == []


def test_a_kill_in_the_middle_leaves_the_old_bundle_or_the_new_one(bundle):
    old = open(bundle.bundle, "rb").read()
    argv = [os.path.join(BUILD, "sluis"), "-c", bundle.file, "evidence", "handover", bundle.bundle, "--key", bundle.private,
            "--to", "x", "--reason", "y"]
    ends = []
    for call, count in (("copy_file_range", 1), ("fsync", 1), ("/^rename", 1), ("fsync", 2)):
        r = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                            f"inject={call}:signal=KILL:when={count}", *argv], capture_output=True, text=True,
                           env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        new = open(bundle.bundle, "rb").read()
        ends.append((r.returncode != 0, new != old))
        assert verify(bundle)["ok"], (call, count)
        old = new
    assert all(killed for killed, _ in ends) and (True, False) in ends and (True, True) in ends, ends


def test_without_a_key(world):
    s = world.serve(world.scripted())
    private = os.path.join(s.config["state_dir"], "ledger.key")
    if os.path.exists(private):
        os.rename(private, private + ".away")
    r, found = collect(s, world, ok=False)
    assert r.returncode == 1 and "there is no signing key" in r.stderr and found == []
    r, found = collect(s, world, "--unsigned")
    assert "WARNING" in r.stderr and len(found) == 1
    r = s.cli("evidence", "verify", found[0], ok=False)
    assert r.returncode == 1 and "not signed" in r.stdout
    assert s.cli("evidence", "verify", found[0], "--unsigned").returncode == 0
    r = s.cli("-c", s.file, "evidence", "collect", "--unsigned", "--out", found[0], ok=False)
    assert r.returncode == 1 and "is there already" in r.stderr


@pytest.mark.parametrize("args, words", [
    ([], "usage: sluis evidence collect"),
    (["collect", "--for", "../x"], "a case is named with letters"),
    (["collect", "--from", "yesterday"], "'yesterday' is not a day; write it as 2026-01-31"),
    (["collect", "--for"], "--for wants a value"),
    (["verify"], "usage: sluis evidence verify"),
    (["verify", "a", "b"], "'b' is not understood here"),
    (["handover", "x", "--to", "y"], "usage: sluis evidence handover"),
])
def test_wrong_calls(args, words):
    r = subprocess.run([os.path.join(BUILD, "sluis"), "evidence", *args], capture_output=True, text=True,
                       env=dict(os.environ, LC_ALL="C"))
    assert r.returncode == 2 and words in r.stderr and r.stdout == "", r


def test_words_take_the_same_in_both_languages():
    table = open(os.path.join(ROOT, "src/cli/words.tbl")).read()
    rows = re.findall(r'^WORD\((\w+), "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\)', table, re.M)
    assert len(rows) > 50 and len(rows) == table.count("\nWORD(")
    for name, english, dutch in rows:
        taken = [re.findall(r"%[-.*0-9]*(?:ll|z)?[a-z]", t) for t in (english, dutch)]
        assert taken[0] == taken[1], name
