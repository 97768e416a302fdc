"""sluis evidence: a bundle that verifies, with plain tools too; a changed byte and a broken custody are named; a handover extends it."""
import glob
import hashlib
import json
import os
import sqlite3
import subprocess

from harness import BUILD, get, wait_for
from test_ledger import folder, rows, serve


def evidence(*args, ok=True, **env):
    r = subprocess.run([os.path.join(BUILD, "sluis"), *args], capture_output=True, text=True, timeout=120,
                       env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0", **env))
    assert not ok or r.returncode == 0, (args, r.stdout, r.stderr)
    return r


def collect(world, s):
    evidence("-c", s.file, "-s", s.socket, "evidence", "collect", "--for", "case", "--out", world.dir)
    [bundle] = glob.glob(world.dir + "/case-*.evidence.tar")
    return bundle


def test_a_bundle_verifies_and_is_handed_over(world):
    s, _ = serve(world)
    get(s.port(), "/")
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use'"), "the use")
    bundle = collect(world, s)
    names = subprocess.run(["tar", "tf", bundle], capture_output=True, text=True, check=True).stdout.split()
    assert names[0] == "clock.json" and names[-1] == "custody.jsonl"
    assert any(n.startswith("ledger/") and n.endswith(".ledger") for n in names) and "ledger/ledger.pub" in names
    assert not any("ledger.key" in n for n in names)
    assert os.stat(bundle).st_mode & 0o777 == 0o600
    key = os.path.join(folder(s), "ledger.pub")
    evidence("evidence", "verify", bundle, "--key", key)
    evidence("-c", s.file, "evidence", "handover", bundle, "--to", "forensic examiner", "--reason", "analysis")
    r = evidence("evidence", "verify", bundle, "--key", key)
    assert "forensic examiner" in r.stdout
    out = os.path.join(world.dir, "out")
    os.makedirs(out)
    subprocess.run(["tar", "xf", bundle, "-C", out], check=True)
    subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.sha256"], cwd=out, check=True)
    with open(os.path.join(out, "clock.json")) as f:
        assert json.load(f)
    day = os.path.basename(glob.glob(out + "/ledger/*.ledger")[0])
    assert evidence("ledger", "verify", out + "/ledger", "--key", key, ok=False).returncode == 0, day


def test_shipped_files_of_one_name_are_two_members(world):
    """With detect: the configuration names rules/netscaler.yaml and rules/layout/netscaler.yaml."""
    s, _ = serve(world, rules=["netscaler"], detect={"mode": "on"})
    wait_for(lambda: rows(s, "SELECT 1 FROM record"), "a record")
    bundle = collect(world, s)
    evidence("evidence", "verify", bundle)
    names = subprocess.run(["tar", "tf", bundle], capture_output=True, text=True, check=True).stdout.split()
    assert {"config/rules/netscaler.yaml", "config/rules/layout/netscaler.yaml"} <= set(names)
    assert "logs/alerts.jsonl" in names


def test_bundle_and_ledger_show_the_same_key(world):
    """A person compares what both show, and can make it from ledger.pub with openssl and sha256sum."""
    s, _ = serve(world)
    wait_for(lambda: rows(s, "SELECT 1 FROM record"), "a record")
    bundle = collect(world, s)
    key = os.path.join(folder(s), "ledger.pub")
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", key, "-outform", "DER"], capture_output=True, check=True).stdout
    print_ = "SHA256:" + hashlib.sha256(der[-32:]).hexdigest()
    assert json.loads(evidence("evidence", "verify", bundle, "--json").stdout)["signer"] == print_
    told = json.loads(evidence("ledger", "verify", folder(s), "--key", key, "--json").stdout)
    assert told["fingerprint"] == print_ and told["public_key"] == der[-32:].hex()
    for command in (["evidence", "verify", bundle], ["ledger", "verify", folder(s)], ["ledger", "verify", folder(s), "--key", key]):
        assert print_ in evidence(*command).stdout, command


def test_a_changed_byte_is_named(world):
    s, _ = serve(world)
    bundle = collect(world, s)
    with open(bundle, "r+b") as f:
        data = f.read()
        at = data.index(b"SQLite format 3") + 5000
        f.seek(at)
        f.write(bytes([data[at] ^ 1]))
    r = evidence("evidence", "verify", bundle, ok=False)
    assert r.returncode == 1 and ".ledger" in r.stdout + r.stderr, (r.stdout, r.stderr)


def test_the_ledger_in_a_bundle_is_verified(world):
    s, _ = serve(world)
    get(s.port(), "/")
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use'"), "the use")
    good = json.loads(evidence("evidence", "verify", collect(world, s), "--json").stdout)["ledger"]
    assert good["checked"] and good["ok"] and good["records"] > 0
    assert s.process.stop() == 0
    db = sqlite3.connect(glob.glob(folder(s) + "/*.ledger")[0])
    db.execute("UPDATE record SET client='192.0.2.9' WHERE seq=4")
    db.commit()
    db.close()
    out = os.path.join(world.dir, "second")
    os.makedirs(out)
    evidence("-c", s.file, "evidence", "collect", "--for", "late", "--out", out)
    [bundle] = glob.glob(out + "/late-*.evidence.tar")
    own = os.path.join(world.dir, "tmp")
    os.makedirs(own)
    r = evidence("evidence", "verify", bundle, TMPDIR=own)
    assert "GOOD" in r.stdout and "record 4 was changed" in r.stdout
    bad = json.loads(evidence("evidence", "verify", bundle, "--json", TMPDIR=own).stdout)["ledger"]
    assert not bad["ok"] and bad["findings"][0]["record"] == 4
    assert os.listdir(own) == []
