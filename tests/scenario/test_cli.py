"""The command line: help for every command, and answers to wrong calls that say what to do."""
import os
import re
import subprocess

import pytest

from harness import RELEASE, ROOT


def sluis(*args):
    return subprocess.run([os.path.join(RELEASE, "sluis"), *args], capture_output=True, text=True, timeout=60)


def commands():
    table = open(os.path.join(ROOT, "src/cli/commands.tbl")).read()
    return re.findall(r'^(?:COMMAND\(|COMMAND_AS\(\w+, ")([\w-]+)"?,', table, re.M)


def test_every_command_explains_itself():
    listed = sluis("--help").stdout
    assert len(commands()) >= 12
    for name in commands():
        assert re.search(rf"^  {name} ", listed, re.M), name
        help_text = sluis("help", name)
        assert help_text.returncode == 0 and help_text.stderr == ""
        lines = help_text.stdout.splitlines()
        assert lines[0].startswith(f"usage: sluis {name}")
        assert len(lines[2]) > 10 and "example:" in lines and f"sluis {name}" in lines[lines.index("example:") + 1]
        assert all(len(line) <= 80 for line in lines if not line.startswith("  ")), "fits a terminal"
        for args in ([name, "--help"], [name, "-h"], ["-c", "/nowhere", name, "--help"]):
            assert sluis(*args).stdout == help_text.stdout, args


@pytest.mark.parametrize("args, status, words", [
    ([], 2, "usage: sluis"),
    (["bogus"], 2, "sluis: there is no command 'bogus'; sluis --help lists them"),
    (["help", "bogus"], 2, "sluis: there is no command 'bogus'; sluis --help lists them"),
    (["drain"], 2, "usage: sluis drain POOL/SERVER"),
    (["reload", "--confirm", "soon"], 2, "--confirm wants a number of seconds, 1 to 86400"),
    (["reload", "--confirm"], 2, "--confirm wants a number of seconds"),
    (["status", "-s"], 2, "-s wants a value"),
    (["-s", "/nowhere/admin.sock", "status"], 1, "nobody answers at /nowhere/admin.sock; does sluisd run?"),
    (["check", "/nowhere.yaml"], 1, "/nowhere.yaml cannot be read"),
    (["config", "diff", "x"], 2, "'x' is not a number of sluis config history"),
])
def test_wrong_calls(args, status, words):
    r = sluis(*args)
    assert r.returncode == status and words in r.stderr and r.stdout == "", r


@pytest.mark.parametrize("args, status, words", [
    (["window", "--from", "gisteren"], 2, "--from 'gisteren' is geen tijd; schrijf 2020-01-09"),
    (["window", "--with", "10.0.0.1.1"], 2, "is geen adres; schrijf 10.0.0.11"),
    (["window", "--hops", "2"], 2, "--hops 2 wil --with"),
    (["window", "--ledger", "/nowhere"], 1, "er is geen grootboek in /nowhere"),
    (["ledger", "verify", "/nowhere"], 2, "er is geen grootboek in /nowhere; noem de map"),
    (["isolate", "node", "--for", "even"], 2, "--for even is geen duur; schrijf 30m, 2h of 7d"),
    (["release"], 2, "gebruik: sluis release WAT"),
    (["notify", "--inventory", "x", "--appliance", "gw1"], 2, "--findings ontbreekt"),
    (["-s", "/nowhere/admin.sock", "isolate"], 1, "niemand antwoordt op /nowhere/admin.sock; draait sluisd?"),
])
def test_wrong_calls_are_answered_in_dutch(args, status, words):
    r = sluis("--lang", "nl", *args) if args[0] != "-s" else sluis(*args, "--lang", "nl")
    assert r.returncode == status and words in r.stderr and r.stdout == "", r


def test_version():
    want = "sluis " + open(os.path.join(ROOT, "VERSION")).read()
    assert sluis("version").stdout == sluis("--version").stdout == want
