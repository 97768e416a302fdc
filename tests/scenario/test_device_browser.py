"""Sessions bound to a key of the device in Debian's Chromium, which registers and refreshes by itself: two browsers, and the cookies of one in the
other. The steps are in tests/browser/device.mjs. SLUIS_NETLOG=FOLDER keeps what the browsers say of their network."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from certs import Authority
from harness import BUILD, ROOT, World
from portal import PASSWORD, PORTAL, add_user, gateway
from test_passkey_script import install

SCRIPT = pathlib.Path(ROOT, "tests/browser/device.mjs")
STEPS = re.findall(r'^\tasync "([^"]+)"\(', SCRIPT.read_text(), re.M)


def trust(home, ca):
    """Chromium binds no session where it was told to look past the certificate: its user's database must trust it."""
    place = pathlib.Path(home, ".pki/nssdb")
    place.mkdir(parents=True)
    for args in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "test", "-i", ca]):
        run = subprocess.run(["certutil", "-d", f"sql:{place}", *args], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def outcome():
    for tool in ("chromium", "node", "certutil"):
        assert shutil.which(tool), f"{tool} is not installed: ./dev test installs it"
    install()
    world = World()
    try:
        config = gateway(world, {"wiki": {}, "strict": {"device_binding": "require"}}, gateway={"device_binding": "prefer"})
        ca = Authority(world.dir, "Browser CA")
        config["listeners"]["web"]["tls"]["certificates"] = [ca.issue("browser", PORTAL, f"*.{PORTAL}")]
        s = world.run(config)
        add_user(s, "eva")
        home = pathlib.Path(world.dir, "home")
        trust(home, ca.path)
        settings = json.dumps({"port": s.port(), "password": PASSWORD, "user": "eva", "folder": str(home), "netlog": os.environ.get("SLUIS_NETLOG")})
        run = subprocess.run(["node", str(SCRIPT), os.path.abspath(BUILD), settings], capture_output=True, text=True, timeout=600)
        assert run.returncode == 0, run.stdout + run.stderr
        found = {line["name"]: line["failure"] for line in map(json.loads, run.stdout.splitlines())}
        log = s.log()
    finally:
        world.close()
    return found, log


@pytest.mark.parametrize("step", STEPS)
def test_device(outcome, step):
    assert step in outcome[0], f"not run: {step}: see what failed before it"
    assert outcome[0][step] is None, outcome[0][step]


def test_administrators_are_told(outcome):
    assert len(STEPS) > 6 and "session.device_key" in outcome[1]
