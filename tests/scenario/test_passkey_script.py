"""web/passkey.js in Debian's Chromium with its virtual authenticator, and what comes of it given to the gateway's C code: a real browser's passkeys
are taken, by each algorithm, and what it must not do it does not. The steps are in tests/browser/passkey.mjs."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import browser
from harness import BUILD, ROOT

BROWSER = pathlib.Path(ROOT, "tests/browser")
STEPS = re.findall(r'^\tasync "([^"]+)"\(\)', (BROWSER / "passkey.mjs").read_text(), re.M)


def install():
    browser.install(BUILD)


@pytest.fixture(scope="module")
def outcome():
    assert shutil.which("chromium"), "chromium is not installed: ./dev test installs it"
    install()
    run = subprocess.run(["node", str(BROWSER / "passkey.mjs"), os.path.abspath(BUILD)], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
    return {step["name"]: step["failure"] for step in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize("step", STEPS)
def test_passkey_script(outcome, step):
    assert step in outcome, f"not run: {step}"
    assert outcome[step] is None, outcome[step]


def test_the_script_is_small_and_strict():
    """One file without a dependency: what it needs of a policy is script-src and connect-src 'self'."""
    text = pathlib.Path(ROOT, "web/passkey.js").read_text()
    assert len(STEPS) > 10
    assert len(text.splitlines()) < 170
    for word in ("eval(", "innerHTML", "import ", "document.write", "new Function", "http:", "https:"):
        assert word not in text, word
