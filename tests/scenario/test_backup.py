"""Backup: the whole state in one file. Everything deleted and restored, Sluis answers with the same certificate; no changed
byte and no other passphrase gets anything written; links and what is there are left alone."""
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile

import pytest

from certs import Authority
from harness import BUILD, ROOT, Client, Process, get, wait_for
from test_tls import peer, serve_tls, trust


def written(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


@pytest.fixture
def site(world):
    """Sluis with a certificate, something isolated, a plan, an advisory, users and a key of the ledger."""
    folder = os.path.join(world.dir, "site")
    os.makedirs(folder)
    ca = Authority(folder)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"))
    state = s.config["state_dir"]
    written(os.path.join(state, "isolated.json"), '{"format":1,"isolated":[]}\n')
    for name in ("plans", "advisories"):
        os.mkdir(os.path.join(state, name), 0o700)
        written(os.path.join(state, name, "x.json"), name)
    key = os.path.join(state, "ledger.key")
    if not os.path.exists(key):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    s.users = sqlite3.connect(os.path.join(state, "auth.db"))
    s.users.executescript("PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; CREATE TABLE user(name);"
                          "INSERT INTO user VALUES('ann');")
    s.ca, s.folder, s.state = ca, folder, state
    s.right = written(os.path.join(world.dir, "right"), "correct horse battery staple\n")
    s.wrong = written(os.path.join(world.dir, "wrong"), "a wrong horse\n")
    s.backup = os.path.join(world.dir, "sluis.backup")
    s.cli("-c", s.file, "backup", "create", s.backup, "--passphrase-file", s.right)
    return s


def files_below(folder):
    return {os.path.relpath(os.path.join(d, n), folder): open(os.path.join(d, n), "rb").read()
            for d, _, names in os.walk(folder) for n in names}


def restore(s, to, *args, ok=True, passphrase=None):
    return s.cli("backup", "restore", s.backup, "--to", to, "--passphrase-file", passphrase or s.right, *args, ok=ok)


def test_everything_deleted_and_restored(site, world):
    trusted, port = trust(site.ca), site.port()
    with Client(port, tls=trusted, name="site.test") as c:
        before = peer(c)
    history = json.loads(site.cli("config", "history", "--json").stdout)
    site.stop()
    site.users.close()
    shutil.rmtree(site.folder)
    shutil.rmtree(site.state)
    os.unlink(site.file)
    r = restore(site, "/")
    assert f"sluis check {site.file}" in r.stdout and "(was sealed)" in r.stdout
    for path in (os.path.join(site.folder, "site.test-ecdsa.key"), os.path.join(site.state, "ledger.key")):
        assert os.stat(path).st_mode & 0o777 == 0o600
    for name in ("plans", "advisories"):
        assert open(os.path.join(site.state, name, "x.json")).read() == name
    assert site.cli("check", site.file).returncode == 0
    again = Process([os.path.join(BUILD, "sluisd"), "-c", site.file, "--rules", os.path.join(ROOT, "rules")],
                    os.path.join(world.dir, "again.log"), dict(ASAN_OPTIONS="detect_leaks=0"))
    world.at_end(again.stop)
    wait_for(lambda: again.child.poll() is not None or "config.loaded" in again.log(), "sluisd is up again")
    assert get(port, tls=trusted, name="site.test").status == 200, again.log()
    with Client(port, tls=trusted, name="site.test") as c:
        assert peer(c) == before
    assert history[-1] in json.loads(site.cli("config", "history", "--json").stdout)
    users = sqlite3.connect(os.path.join(site.state, "auth.db"))
    assert users.execute("SELECT name FROM user").fetchall() == [("ann",)], "the journal's rows are there"


def test_below_another_folder(site, world):
    to = os.path.join(world.dir, "empty")
    os.makedirs(to)
    r = restore(site, to, "--dry-run")
    assert site.file in r.stdout and os.listdir(to) == []
    told = json.loads(restore(site, to, "--json").stdout)
    found = files_below(to)
    assert told["ok"] and told["files"] == len(found) and told["configuration"] == site.file
    assert found[site.file[1:]] == open(site.file, "rb").read()
    assert os.stat(to + site.state).st_mode == os.stat(site.state).st_mode
    written(to + site.file, "mine")  # what is there stays, unless it is asked for
    r = restore(site, to, ok=False)
    assert r.returncode == 1 and "is there already" in r.stderr and "--force" in r.stderr
    assert open(to + site.file).read() == "mine"
    journal = written(to + site.state + "/auth.db-wal", "of another database")
    restore(site, to, "--force")
    assert files_below(to) == found and not os.path.exists(journal)


def test_secrets_are_sealed(site):
    data = open(site.backup, "rb").read()
    assert b"PRIVATE KEY" not in data and b"CREATE TABLE user" not in data
    assert os.stat(site.backup).st_mode & 0o777 == 0o600
    with tarfile.open(site.backup) as t:
        names = t.getnames()
    assert names[0] == "backup.json" and names[-4:] == ["MANIFEST.sha256", "sealed", "MANIFEST.sig", "signer.pub"]
    assert not any(n.endswith((".key", ".db")) for n in names)


def test_wrong_passphrase_and_changed_bytes_write_nothing(site, world):
    to, path = os.path.join(world.dir, "empty"), os.path.join(world.dir, "changed")
    os.makedirs(to)
    r = restore(site, to, ok=False, passphrase=site.wrong)
    assert r.returncode == 1 and "the passphrase is not the one" in r.stderr
    r = site.cli("--lang", "nl", "backup", "verify", site.backup, "--passphrase-file", site.wrong, ok=False)
    assert r.returncode == 1 and "het wachtwoord is niet" in r.stderr
    data = open(site.backup, "rb").read()
    for i in range(7, len(data), len(data) // 12):
        for changed in (data[:i] + bytes([data[i] ^ 1]) + data[i + 1:], data[:i]):
            with open(path, "wb") as f:
                f.write(changed)
            r = site.cli("backup", "restore", path, "--to", to, "--passphrase-file", site.right, ok=False)
            assert r.returncode == 1 and r.stderr.startswith(f"sluis: {path}: "), (i, r)
            assert site.cli("backup", "verify", path, ok=False).returncode == 1, "the signature sees it too"
    assert os.listdir(to) == []


def test_no_link_is_followed(site, world):
    to, elsewhere = os.path.join(world.dir, "to"), os.path.join(world.dir, "elsewhere")
    os.makedirs(to)
    os.makedirs(elsewhere)
    first = world.dir.strip("/").split("/")[0]
    os.symlink(elsewhere, os.path.join(to, first))
    r = restore(site, to, ok=False)
    assert r.returncode == 1 and "no links are followed" in r.stderr
    assert os.listdir(elsewhere) == [] and os.listdir(to) == [first]


def test_verify_says_what_it_checked(site):
    r = site.cli("backup", "verify", site.backup)
    assert "GOOD" in r.stdout and "what is sealed was not opened" in r.stdout
    told = json.loads(site.cli("backup", "verify", site.backup, "--passphrase-file", site.right, "--json").stdout)
    assert told["ok"] and told["passphrase_was_right"] and told["signer"].startswith("SHA256:")


def test_the_ledger_only_when_asked(site, world):
    folder = os.path.join(site.state, "ledger")
    os.makedirs(folder, exist_ok=True)
    db = sqlite3.connect(os.path.join(folder, "2020-01-02.ledger"))
    db.executescript("PRAGMA journal_mode=wal; CREATE TABLE batch(batch, hash); INSERT INTO batch VALUES(1,'aa'),(2,'bb');")
    for args, want in (([], False), (["--with-ledger"], True)):
        path = os.path.join(world.dir, f"backup{len(args)}")
        site.cli("-c", site.file, "backup", "create", path, "--passphrase-file", site.right, *args)
        with tarfile.open(path) as t:
            index = json.load(t.extractfile("backup.json"))
        assert any(f["path"].endswith("2020-01-02.ledger") for f in index["files"]) == want
        days = {d["file"]: d for d in index["ledger_roots"]}
        assert days["2020-01-02.ledger"]["last_batch"] == [{"batch": "2", "hash": "bb"}]
    db.close()


@pytest.mark.parametrize("args, status, words", [
    ([], 2, "usage: sluis backup create"),
    (["create"], 2, "usage: sluis backup create FILE"),
    (["restore", "x"], 2, "usage: sluis backup restore FILE --to"),
    (["verify", "/nowhere"], 1, "/nowhere cannot be read"),
    (["verify", "/etc/passwd"], 1, "/etc/passwd: damaged or cut off"),
    (["create", "x", "--passphrase", "secret"], 2, "'--passphrase' is not understood here"),
])
def test_wrong_calls(args, status, words):
    r = subprocess.run([os.path.join(BUILD, "sluis"), "backup", *args], capture_output=True, text=True,
                       env=dict(os.environ, LC_ALL="C"))
    assert r.returncode == status and words in r.stderr and r.stdout == "", r


def test_a_short_passphrase_is_refused(site, world):
    short = written(os.path.join(world.dir, "short"), "1234567\n")
    r = site.cli("-c", site.file, "backup", "create", site.backup + "2", "--passphrase-file", short, ok=False)
    assert r.returncode == 1 and "at least 8 octets" in r.stderr and not os.path.exists(site.backup + "2")
