"""Sign-in at a certified provider (npm: oidc-provider): what test_oidc.py does with one of our own, done by others."""
import html
import json
import os
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


class There:
    """The provider, and Sluis as its client."""

    def __init__(self, world):
        assert shutil.which("node") and shutil.which("npm"), "node and npm are not installed: ./dev test installs them"
        place, ca, self.port = install(), Authority(world.dir, "Provider CA"), free_port()
        config = gateway(world, {"wiki": {"allow": 'user.groups == "staff"'}})
        self.here = f"https://{PORTAL}:{config['listeners']['web']['address'].rsplit(':', 1)[1]}"
        settings = {**ca.issue("127.0.0.1"), "port": self.port, "secret": "a secret of some length", "redirect": self.here + "/oidc/id/callback",
                    "signed_out": self.here + "/signed-out", "logout": self.here + "/oidc/id/logout", "trusted": os.path.join(world.dir, "Test-CA.pem")}
        provider = subprocess.Popen(["node", "provider.mjs", json.dumps(settings)], cwd=place, stdout=subprocess.PIPE, text=True)
        world.at_end(lambda: (provider.kill(), provider.wait()))
        self.issuer = provider.stdout.readline().strip()
        assert self.issuer == f"https://127.0.0.1:{self.port}"
        secret = pathlib.Path(world.dir, "secret")
        secret.write_text(settings["secret"])
        config["gateway"]["oidc"] = {"id": {"issuer": self.issuer, "client_id": "sluis", "client_secret": str(secret), "ca": ca.path, "label": "There"}}
        config["gateway"]["mfa"] = "true"
        self.s = world.run(config)
        wait_for(lambda: self.browser().get("/oidc/id", follow=False).status == 303, "the provider is known")

    def browser(self):
        b = Both(self.s)
        b.there = self.port
        return b

    def signed_in(self, b):
        page = b.get("/oidc/id?next=%2Faccount")
        assert page.status == 200 and page.url == self.here + "/account" and "eva of there" in page.text, page
        assert "Sluis-Groups: staff" in b.get("/", host=f"wiki.{PORTAL}").text
        return b

    def end(self, b, url):
        """The provider asks whether to sign out there; it is."""
        page = b.request("GET", url)
        assert page.status == 200 and urllib.parse.urlsplit(page.url).hostname == "127.0.0.1", page
        form, xsrf = re.search(r'action="([^"]+)"', page.text).group(1), page.hidden("xsrf")
        return b.request("POST", urllib.parse.urljoin(page.url, html.unescape(form)), {"xsrf": xsrf, "logout": "yes"})


def test_a_certified_provider(world):
    """Sign-in, and out: RP-initiated (OpenID Connect RP-Initiated Logout 1.0), with the way back here."""
    there = There(world)
    b = there.signed_in(there.browser())
    page = b.post("/sign-out", {"csrf": b.get("/account").csrf()})
    link = html.unescape(re.search(rf'href="({re.escape(there.issuer)}/[^"]*)"', page.text).group(1))
    page = there.end(b, link)
    assert page.status == 200 and page.url.split("?")[0] == there.here + "/signed-out", page
    assert b.get("/").url.startswith(there.here + "/sign-in")
    there.signed_in(b)


def test_its_back_channel_logout_ends_that_session_alone(world):
    """OpenID Connect Back-Channel Logout 1.0: who signs out there is out here within a second, and at the apps."""
    there = There(world)
    ends, stays = (there.signed_in(there.browser()) for _ in range(2))
    there.end(ends, there.issuer + "/session/end")
    wait_for(lambda: ends.get("/", follow=False).status == 303, "the portal's session ends")
    assert ends.get("/", host=f"wiki.{PORTAL}", follow=False).status == 303
    assert stays.get("/account").url == there.here + "/account" and stays.get("/", host=f"wiki.{PORTAL}").status == 200
    assert "directory.refused" not in there.s.log(), there.s.log()
