"""Sign-in at a certified provider (npm: oidc-provider): what test_oidc.py does with one of our own, done by others."""
import html
import json
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest

from certs import Authority
from harness import BUILD, ROOT, World, free_port, wait_for
from portal import PORTAL, Browser, gateway

PLACE = pathlib.Path(ROOT, "tests/oidc")


def install():
    """The packages that the lock names, once for a lock."""
    place = pathlib.Path(BUILD, "oidc").resolve()
    place.mkdir(exist_ok=True)
    lock, stamp = (PLACE / "package-lock.json").read_bytes(), place / "installed.lock"
    if not (stamp.exists() and stamp.read_bytes() == lock and (place / "node_modules/oidc-provider").is_dir()):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PLACE / name, place)
        run = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, capture_output=True, text=True, timeout=600)
        assert run.returncode == 0, f"npm ci: {run.stdout}{run.stderr}"
        stamp.write_bytes(lock)
    shutil.copy(PLACE / "provider.mjs", place)
    return place


class Both(Browser):
    """A browser that also knows the way to the provider."""

    def connect(self, host):
        if host != "127.0.0.1":
            return super().connect(host)
        import socket
        return self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.there), timeout=20), server_hostname=host)

    def exchange(self, host, data, url, method):
        page = super().exchange(host, data, url, method)
        if "chunked" in (page.field("transfer-encoding") or ""):
            raise AssertionError(f"chunked: {url}")
        return page


@pytest.fixture
def world():
    w = World()
    yield w
    w.close()


def test_a_certified_provider(world):
    assert shutil.which("node") and shutil.which("npm"), "node and npm are not installed: ./dev test installs them"
    place = install()
    ca = Authority(world.dir, "Provider CA")
    port = free_port()
    config = gateway(world, {"wiki": {"allow": 'user.groups == "staff"'}})
    here = f"https://{PORTAL}:{config['listeners']['web']['address'].rsplit(':', 1)[1]}"
    files = ca.issue("127.0.0.1")
    settings = {**files, "port": port, "secret": "a secret of some length", "redirect": here + "/oidc/id/callback", "signed_out": here + "/signed-out", "logout": here + "/oidc/id/logout"}
    provider = subprocess.Popen(["node", "provider.mjs", json.dumps(settings)], cwd=place, stdout=subprocess.PIPE, text=True)
    world.at_end(lambda: (provider.kill(), provider.wait()))
    issuer = provider.stdout.readline().strip()
    assert issuer == f"https://127.0.0.1:{port}"
    secret = pathlib.Path(world.dir, "secret")
    secret.write_text(settings["secret"])
    config["gateway"]["oidc"] = {"id": {"issuer": issuer, "client_id": "sluis", "client_secret": str(secret), "ca": ca.path, "label": "There"}}
    config["gateway"]["mfa"] = "true"
    s = world.run(config)
    b = Both(s)
    b.there = port
    wait_for(lambda: b.get("/oidc/id", follow=False).status == 303, "the provider is known")
    page = b.get("/oidc/id?next=%2Faccount")
    assert page.status == 200 and page.url == here + "/account" and "eva of there" in page.text, page
    assert "Sluis-Groups: staff" in b.get("/", host=f"wiki.{PORTAL}").text
    page = b.post("/sign-out", {"csrf": b.get("/account").csrf()})
    link = html.unescape(re.search(rf'href="({re.escape(issuer)}/[^"]*)"', page.text).group(1))
    page = b.request("GET", link)
    assert page.status == 200 and urllib.parse.urlsplit(page.url).hostname == "127.0.0.1", page
