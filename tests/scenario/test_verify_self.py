"""sluis verify-self on an installation of its own, as the build system installs it: each thing that can be changed is changed, and
must be named; what was not changed must be good. Copying and hashing the sanitized programs takes most of the time, so they are installed
where files are taken apart that somebody may have changed (SANITIZED), and the release build elsewhere."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from harness import BUILD, RELEASE, Process, free_port, get, wait_for

SANITIZER = dict(ASAN_OPTIONS="detect_leaks=0:abort_on_error=0", UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
CHECKS = {"manifest", "programs", "processes", "history", "ledger", "rights"}


SANITIZED = pytest.mark.parametrize("installed", [BUILD], indirect=True, ids=["sanitized"])


@pytest.fixture(scope="module")
def installs(tmp_path_factory):
    """Each build is installed once, when it is first asked for; every scenario has a copy."""
    done = {}

    def install(build):
        if build not in done:
            stage = tmp_path_factory.mktemp("release")
            stage.chmod(0o755)
            r = subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", str(stage)], capture_output=True, text=True)
            assert r.returncode == 0, r.stdout + r.stderr
            done[build] = stage
        return os.path.join(done[build], "usr/local")
    yield install
    for stage in done.values():
        shutil.rmtree(stage)


class Installed:
    """A machine's worth of files below one folder: programs in usr, the configuration in etc, state in var."""

    def __init__(self, world, release, build):
        self.world, self.build, self.root = world, build, os.path.join(world.dir, "root")
        self.prefix, self.state = f"{self.root}/usr", f"{self.root}/var/lib/sluis"
        os.umask(0o022)
        self.config, self.socket, self.port = f"{self.root}/etc/sluis/sluis.yaml", f"{world.dir}/admin.sock", free_port()
        shutil.copytree(release, self.prefix)
        os.makedirs(os.path.dirname(self.config))
        os.makedirs(self.state, mode=0o755)
        self.daemon = None
        self.configure()

    def configure(self, more=""):
        self.write(self.config, f"""
workers: 1
state_dir: {self.state}
admin: {{socket: {self.socket}}}
listeners: {{web: {{address: "127.0.0.1:{self.port}"}}}}
pools: {{none: {{servers: ["127.0.0.1:9"]}}}}
rules: [netscaler]
detect: {{mode: on}}
{more}
""")

    @staticmethod
    def write(path, text):
        with open(path, "w") as f:
            f.write(text)

    def path(self, name):
        return os.path.join(self.prefix, name)

    def start(self):
        """Runs it until it has served, been reloaded and written its ledger."""
        log = os.path.join(self.world.dir, f"log{self.world.number()}")
        self.daemon = Process([self.path("bin/sluisd"), "-c", self.config], log, SANITIZER)
        self.world.at_end(self.stop)
        wait_for(lambda: self.daemon.child.poll() is not None or "config.loaded" in self.daemon.log(), "sluisd is up")
        assert self.daemon.child.poll() is None, self.daemon.log()
        assert get(self.port, "/vpn/../vpns/").status == 403
        wait_for(lambda: os.path.getsize(f"{self.state}/ledger/ledger.head"), "the ledger has its first batch")

    def reload(self, more):
        self.configure(more)
        r = self.sluis("-c", self.config, "reload")
        assert r.returncode == 0, r
        # the ledger has it too: only then is an entry of the history held against it
        wait_for(lambda: self.recorded() >= len([n for n in os.listdir(f"{self.state}/history") if n.endswith(".yaml")]), "the ledger has the configuration")

    def recorded(self):
        days = [n for n in os.listdir(f"{self.state}/ledger") if n.endswith(".ledger")]
        with sqlite3.connect(f"{self.state}/ledger/{days[0]}") as db:
            return db.execute("SELECT count(*) FROM attachment").fetchone()[0]

    def stop(self):
        if self.daemon and self.daemon.child.poll() is None:
            self.daemon.stop()

    def sluis(self, *args):
        return subprocess.run([self.path("bin/sluis"), *args], capture_output=True, text=True, timeout=120, env=dict(os.environ, **SANITIZER))

    def verify(self, *args, program=None):
        r = subprocess.run([program or self.path("bin/sluis"), "-c", self.config, "verify-self", "--json", *args], capture_output=True, text=True,
                           timeout=120, env=dict(os.environ, LC_ALL="C", **SANITIZER))
        assert r.returncode in (0, 1, 2) and not r.stderr, r
        answer = json.loads(r.stdout)
        assert answer["status"] == r.returncode and answer["ok"] == (r.returncode == 0)
        assert {c["check"] for c in answer["checks"]} == CHECKS
        return answer

    def good(self, *args):
        a = self.verify(*args)
        assert a["status"] == 0 and a["findings"] == [], a
        return {c["check"]: c["state"] for c in a["checks"]}

    def only(self, check, fault, path, *args):
        """Exactly this differs."""
        a = self.verify(*args)
        assert a["status"] == 1, a
        found = {(f["check"], f["fault"], f["path"]) for f in a["findings"]}
        assert found == {(check, fault, path)}, found
        assert {c["check"] for c in a["checks"] if c["state"] == "differs"} == {check}
        return a["findings"][0]


@pytest.fixture
def installed(world, installs, request):
    build = getattr(request, "param", RELEASE)
    return Installed(world, installs(build), build)


@SANITIZED
def test_what_was_installed_is_good_and_its_key_is_told(installed):
    states = installed.good()
    assert states["manifest"] == states["programs"] == states["rights"] == "good"
    assert states["processes"] == states["history"] == states["ledger"] == "not-looked-at", "nothing has run yet"
    r = installed.sluis("verify-self", "-c", installed.config)
    assert r.returncode == 0 and "this build's own development key, not a release key" in r.stdout, r
    assert "sluisd does not answer, so processes were not looked at" in r.stdout
    r = installed.sluis("verify-self", "-c", installed.config, "--lang", "nl")
    assert r.returncode == 0 and "ontwikkelsleutel" in r.stdout and "niet bekeken" in r.stdout, r


def test_in_the_build_folder_too():
    r = subprocess.run([os.path.join(BUILD, "sluis"), "-s", "/nowhere/admin.sock", "verify-self", "--json"], capture_output=True, text=True, timeout=120)
    states = {c["check"]: c["state"] for c in json.loads(r.stdout)["checks"]}
    assert states["manifest"] == states["programs"] == "good", r.stdout


def link_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def change_byte(path, at=-1000):
    with open(path, "r+b") as f:
        f.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))


def test_one_byte_of_a_program(installed):
    path = installed.path("libexec/sluis/sluis-worker")
    change_byte(path)
    installed.only("programs", "changed", path)


def test_a_shipped_rule_file(installed):
    path = installed.path("share/sluis/rules/netscaler.yaml")
    with open(path, "a") as f:
        f.write("# one more line\n")
    installed.only("programs", "changed", path)


@pytest.mark.parametrize("name", ["libexec/sluis/sluis-helper", "libexec/sluis/.hidden", "bin/sluis-worker", "share/sluis/rules/more.yaml", "share/sluis/rules/hunt/more.yaml"])
def test_an_extra_file(installed, name):
    installed.write(installed.path(name), "x")
    installed.only("programs", "extra", installed.path(name))


def test_a_program_of_somebody_else_beside_ours_is_no_difference(installed):
    installed.write(installed.path("bin/other"), "x")
    installed.good()


def test_a_missing_file(installed):
    path = installed.path("libexec/sluis/sluis-prober")
    os.unlink(path)
    installed.only("programs", "missing", path)


def test_a_link_instead_of_a_program(installed):
    path = installed.path("libexec/sluis/sluis-prober")
    os.rename(path, installed.world.dir + "/moved")
    os.symlink(installed.world.dir + "/moved", path)
    installed.only("programs", "no-file", path)


def manifest_of(installed):
    return installed.path("share/sluis/release.manifest")


@SANITIZED
def test_a_changed_manifest(installed):
    path = manifest_of(installed)
    text = open(path).read()
    installed.write(path, text.replace("key development", "key release"))
    installed.only("manifest", "signature", path)
    installed.write(path, text.replace(" bin/sluisd", " bin/sluis_"))
    installed.only("manifest", "no-manifest", path)


def test_a_changed_signature(installed):
    path = manifest_of(installed)
    text = open(path + ".sig").read()
    installed.write(path + ".sig", ("1" if text[0] == "0" else "0") + text[1:])
    installed.only("manifest", "signature", path)
    os.unlink(path + ".sig")
    installed.only("manifest", "unsigned", path)


def test_without_a_manifest_it_says_that_it_could_not_check(installed):
    shutil.move(manifest_of(installed), installed.world.dir + "/kept")
    shutil.move(manifest_of(installed) + ".sig", installed.world.dir + "/kept.sig")
    a = installed.verify()
    assert a["status"] == 2 and a["findings"] == []
    assert {c["check"] for c in a["checks"] if c["state"] == "not-checked"} == {"manifest", "programs"}
    installed.good("--manifest", installed.world.dir + "/kept")


def test_a_manifest_of_another_key_and_the_key_that_is_given(installed):
    key, public = installed.world.dir + "/other.key", installed.world.dir + "/other.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    path = manifest_of(installed)
    raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path], check=True, capture_output=True).stdout
    installed.write(path + ".sig", raw.hex() + "\n")
    installed.only("manifest", "signature", path)
    installed.good("--key", public)
    assert "is not an Ed25519 public key" in installed.sluis("verify-self", "--key", key).stderr


@SANITIZED
def test_a_running_one_is_good_and_a_replaced_program_is_named(installed):
    installed.start()
    installed.reload("# more")
    if os.getuid() != 0:  # confined processes show their program to root alone: that must be said, and is no "good"
        a = installed.verify()
        assert a["status"] == 2 and [c["check"] for c in a["checks"] if c["state"] == "not-checked"] == ["processes"], a
        return
    a = installed.good()
    assert set(a.values()) == {"good"}, a
    path = installed.path("libexec/sluis/sluis-worker")
    shutil.copy2(path, path + ".new")
    os.rename(path + ".new", path)  # the same bytes, and still not what runs
    found = installed.only("processes", "replaced", path + " (deleted)")
    assert "pid " in found["detail"]


def test_a_running_program_that_is_not_the_release_s(installed):
    path = installed.path("libexec/sluis/sluis-prober")
    kept = installed.world.dir + "/kept"
    shutil.copy2(path, kept)
    with open(path, "ab") as f:
        f.write(b"\0")  # what an ELF file does not mind
    installed.start()
    if os.getuid() != 0:
        assert installed.verify()["status"] == 1, "the file differs, whatever runs"
        return
    os.unlink(path)
    shutil.copy2(kept, path)  # and on the disk all is well again
    found = installed.only("processes", "runs-other", path + " (deleted)")
    assert "SHA-256" in found["detail"]


@pytest.fixture
def stopped(installed):
    """It ran, with three configurations, and has ended."""
    installed.start()
    installed.reload("# second")
    installed.reload("# third")
    installed.stop()
    states = installed.good()
    assert states["history"] == states["ledger"] == "good"
    return installed


def test_the_key_of_a_build(world, installs):
    release = installs(BUILD)
    tool, made, source = os.path.join(BUILD, "src/cli/release_key"), world.dir + "/development.key", world.dir + "/key.c"
    run = lambda *argv: subprocess.run(argv, capture_output=True, text=True, env=dict(os.environ, **SANITIZER))  # noqa: E731
    assert run(tool, made, "", source).returncode == 0
    assert os.stat(made).st_mode & 0o777 == 0o600
    first = open(source).read()
    assert "release_key_is_development = true" in first
    assert run(tool, made, "", source).returncode == 0 and open(source).read() == first, "made once"
    assert run(tool, world.dir + "/never.key", made, source).returncode == 0
    assert open(source).read() == first.replace("= true", "= false") and not os.path.exists(world.dir + "/never.key")
    with open(world.dir + "/bad.key", "w") as f:
        f.write("no key\n")
    r = run(tool, made, world.dir + "/bad.key", source)
    assert r.returncode == 1 and "bad.key: is no Ed25519 private key in PEM" in r.stderr, r
    # a manifest is signed with the key that the programs have built in, or not at all
    manifest = os.path.join(BUILD, "src/cli/release_manifest")
    r = run(manifest, made, release, "bin/sluis")
    assert r.returncode == 1 and "is not the key that these programs were built for" in r.stderr, r
    development = os.path.join(BUILD, "release-development.key")
    copy = world.dir + "/copy"
    shutil.copytree(release, copy)
    kept = open(copy + "/share/sluis/release.manifest").read()
    assert run(manifest, development, copy, "again").returncode == 0
    assert open(copy + "/share/sluis/release.manifest").read() == kept, "the same files, the same manifest"
    r = run(manifest, development, copy, "bin/nothing")
    assert r.returncode == 1 and "bin/nothing: No such file" in r.stderr, r
    r = run(manifest, development, copy, "../etc/passwd")
    assert r.returncode == 1 and "is no plain path" in r.stderr, r


@SANITIZED
def test_history_that_was_changed_or_removed(stopped):
    history = stopped.state + "/history"
    kept = stopped.world.dir + "/history"
    shutil.copytree(history, kept)

    def again():
        shutil.rmtree(history)
        shutil.copytree(kept, history)

    os.unlink(history + "/2.yaml")
    stopped.only("history", "incomplete", history + "/2.yaml")
    for end in ("bundle", "json"):
        os.unlink(f"{history}/2.{end}")
    stopped.only("history", "gap", history + "/2.yaml")
    again()
    for end in ("yaml", "bundle", "json"):
        os.unlink(f"{history}/1.{end}")
    stopped.only("history", "gap", history + "/1.yaml")
    again()
    with open(history + "/2.yaml", "a") as f:
        f.write("# more\n")
    stopped.only("history", "text", history + "/2.yaml")
    again()
    os.truncate(history + "/2.bundle", 10)
    stopped.only("history", "damaged", history + "/2.bundle")
    again()
    stopped.write(history + "/note", "x")
    stopped.only("history", "extra", history + "/note")
    again()
    # text and bundle changed alike: only the ledger knows
    for end in ("yaml", "bundle"):
        data = open(f"{history}/2.{end}", "rb").read()
        with open(f"{history}/2.{end}", "wb") as f:
            f.write(data.replace(b"# second", b"# sec0nd"))
    stopped.only("history", "not-recorded", history + "/2.bundle")
    again()
    os.unlink(history + "/3.yaml")  # an entry that was never finished: the power went
    stopped.good()


def test_history_that_is_not_what_runs(installed):
    installed.start()
    installed.reload("# second")
    history = installed.state + "/history"
    for end in ("yaml", "bundle", "json"):
        os.unlink(f"{history}/2.{end}")
    a = installed.verify()
    assert a["status"] == 1 and [(f["fault"], f["path"]) for f in a["findings"]] == [("not-in-use", history + "/1.yaml")], a


def test_a_configuration_with_mistakes_is_said(installed):
    installed.configure("bogus: 1")
    a = installed.verify()
    assert a["status"] == 2 and a["findings"] == [] and [c["check"] for c in a["checks"] if c["state"] == "not-checked"] == ["rights"], a


def test_a_private_key_that_the_configuration_names(installed):
    key, chain = installed.root + "/etc/sluis/site.key", installed.root + "/etc/sluis/site.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a.test", "-days", "2",
                    "-keyout", key, "-out", chain], check=True, capture_output=True)
    text = open(installed.config).read()
    installed.write(installed.config, text.replace('"}}', '", tls: {certificates: [{chain: site.pem, key: site.key}]}}}', 1))
    os.chmod(key, 0o600)
    installed.good()
    os.chmod(key, 0o644)
    installed.only("rights", "readable", key)


def test_a_ledger_whose_machine_lost_its_power(installed):
    installed.start()
    installed.daemon.child.kill()
    installed.daemon.child.wait()
    wait_for(lambda: not any(link_of(p).startswith(installed.prefix) for p in os.listdir("/proc") if p.isdigit()), "its children have ended with it")
    ledger = installed.state + "/ledger"
    assert any(n.endswith("-wal") for n in os.listdir(ledger)), "there is a journal"
    for name in [n for n in os.listdir(ledger) if n.endswith("-shm")]:  # as it is after a loss of power
        os.unlink(f"{ledger}/{name}")
    assert installed.good()["ledger"] == "good"


def test_one_value_of_the_ledger(stopped):
    day = next(n for n in os.listdir(stopped.state + "/ledger") if n.endswith(".ledger"))
    path = f"{stopped.state}/ledger/{day}"
    with sqlite3.connect(path) as db:
        db.execute("UPDATE record SET at = at + 1 WHERE seq = 2")
    a = stopped.verify()
    assert a["status"] == 1 and {f["check"] for f in a["findings"]} == {"ledger"}, a
    assert a["findings"][0]["path"] == path and "record 2" in a["findings"][0]["detail"], a
    shutil.rmtree(stopped.state + "/ledger")
    for name in os.listdir(stopped.state + "/history"):
        os.utime(f"{stopped.state}/history/{name}", (0, 0))
    stopped.only("ledger", "no-ledger", stopped.state + "/ledger")


@pytest.mark.parametrize("name, mode, fault", [
    ("usr/bin/sluisd", 0o757, "writable"), ("usr/share/sluis/rules/netscaler.yaml", 0o646, "writable"),
    ("usr/libexec/sluis", 0o757, "writable"), ("var/lib/sluis", 0o757, "writable"), ("etc/sluis/sluis.yaml", 0o646, "writable"),
    ("var/lib/sluis/ledger.key", 0o604, "readable")])
def test_rights_that_are_too_open(installed, name, mode, fault):
    path = os.path.join(installed.root, name)
    if not os.path.exists(path):
        installed.write(path, "a key")
        os.chmod(path, 0o600)
        installed.good()
    os.chmod(path, mode)
    installed.only("rights", fault, path)


def test_the_owner_and_the_group(installed):
    path = installed.path("bin/sluisd")
    if os.getuid() != 0:  # only root can give files away; what root runs is what is installed
        os.chmod(path, 0o775)
        installed.only("rights", "writable", path)
        return
    os.chown(path, 65534, 0)
    installed.only("rights", "owner", path)
    os.chown(path, 0, 65534)
    os.chmod(path, 0o775)
    installed.only("rights", "writable", path)


def disk_of(stopped):
    """The same as a disk that is mounted somewhere: paths in its configuration are its own."""
    text = open(stopped.config).read()
    stopped.write(stopped.config, text.replace(stopped.state, "/var/lib/sluis"))
    return ["-c", "/etc/sluis/sluis.yaml", "--root", stopped.root]


@SANITIZED
def test_another_disk(stopped):
    trusted = os.path.join(stopped.build, "sluis")
    args = disk_of(stopped)
    a = stopped.verify(*args, program=trusted)
    assert a["status"] == 0 and a["findings"] == [], a
    assert {c["check"]: c["state"] for c in a["checks"]} == dict(dict.fromkeys(CHECKS, "good"), processes="not-looked-at")
    worker = stopped.path("libexec/sluis/sluis-worker")
    change_byte(worker)
    a = stopped.verify(*args, program=trusted)
    assert [(f["fault"], f["path"]) for f in a["findings"]] == [("changed", worker)], a


def test_another_disk_s_links_do_not_lead_out_of_it(stopped):
    trusted = os.path.join(stopped.build, "sluis")
    args = disk_of(stopped)
    # An absolute link that would find a good ledger and good programs here is one to nowhere on that disk.
    for name, fault in (("usr/libexec/sluis", "missing"), ("var/lib/sluis", None)):
        path = os.path.join(stopped.root, name)
        outside = os.path.join(stopped.world.dir, "outside-" + os.path.basename(name))
        os.rename(path, outside)
        os.symlink(outside, path)
        a = stopped.verify(*args, program=trusted)
        states = {c["check"]: c["state"] for c in a["checks"]}
        if fault:
            assert a["status"] == 1 and {f["fault"] for f in a["findings"]} == {fault} and len(a["findings"]) == 9, a
        else:
            assert states["history"] == states["ledger"] == "not-looked-at", a
        os.unlink(path)
        # the same link, and on the disk there is something where it leads: that is what is read
        os.makedirs(stopped.root + os.path.dirname(outside), exist_ok=True)
        os.rename(outside, stopped.root + outside)
        os.symlink(outside, path)
        a = stopped.verify(*args, program=trusted)
        assert a["status"] == 0, a
        os.unlink(path)
        os.rename(stopped.root + outside, path)
    for name in ("ledger.pub", "ledger.head", "2020-01-01.ledger"):
        path = f"{stopped.state}/ledger/{name}"
        kept = os.path.exists(path)
        if kept:
            os.rename(path, stopped.world.dir + "/kept")
        os.symlink("/proc/self/fd/0", path)
        a = stopped.verify(*args, program=trusted)
        assert [(f["fault"], f["path"]) for f in a["findings"]] == [("link", path)], a
        os.unlink(path)
        os.mkfifo(path)  # which nobody writes to
        a = stopped.verify(*args, program=trusted)
        assert [(f["fault"], f["path"]) for f in a["findings"]] == [("link", path)], a
        os.unlink(path)
        if kept:
            os.rename(stopped.world.dir + "/kept", path)
    config = os.path.join(stopped.root, "etc/sluis/sluis.yaml")
    os.rename(config, stopped.world.dir + "/outside.yaml")
    os.symlink("../../../../../../../.." + stopped.world.dir + "/outside.yaml", config)
    r = subprocess.run([trusted, *args[:2], "verify-self", *args[2:]], capture_output=True, text=True, timeout=120, env=dict(os.environ, **SANITIZER))
    assert r.returncode == 2 and "/etc/sluis/sluis.yaml" in r.stderr, r
