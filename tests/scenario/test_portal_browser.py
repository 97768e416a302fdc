"""The portal in Debian's Chromium, against a real sluisd: signing in with all there is, apps by tile and by link, the account, in both languages; each
page on the way held against WCAG by axe, in light and in dark. The steps are in tests/browser/portal.mjs. SLUIS_SHOTS=FOLDER keeps screenshots."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import BUILD, ROOT, World
from portal import PASSWORD, add_user, gateway
from test_passkey_script import install

SCRIPT = pathlib.Path(ROOT, "tests/browser/portal.mjs")
STEPS = re.findall(r'^\tasync "([^"]+)"\(', SCRIPT.read_text(), re.M)
# user: no second factor is asked to sign in; strict, plain: one is. A name for each language, so that both begin anew.
PEOPLE = {"en": {"user": "eva", "name": "Eva", "strict": "piet", "plain": "kees"}, "nl": {"user": "anna", "name": "Anna", "strict": "joris", "plain": "lotte"}}
APPS = {
    "wiki": {"name": "Wiki", "group": "Daily work", "description": "How we work, and why"},
    "mail": {"name": "Mail", "group": "Daily work", "description": "Letters of all of us", "mfa": "true"},
    "rosters": {"name": "Rosters", "group": "Daily work", "description": "Who works when"},
    "payroll": {"name": "Payroll", "group": "Money", "allow": 'user.groups == "finance"', "help": "Ask the payroll desk, 020 123 45 67"},
    "orders": {"name": "Orders", "group": "Money"},
    **{f"archive{year}": {"name": f"Archive of {year}"} for year in range(2021, 2026)},
}


@pytest.fixture(scope="module")
def outcome():
    for tool in ("chromium", "node"):
        assert shutil.which(tool), f"{tool} is not installed: ./dev test installs it"
    install()
    world = World()
    try:
        s = world.run(gateway(world, APPS, gateway={"mfa": 'user.groups == "care"', "title": "Work at Example", "support": "Service desk, 020 123 45 67"}))
        for p in PEOPLE.values():
            add_user(s, p["user"], groups=["staff"], display=p["name"])
            add_user(s, p["strict"], groups=["care"])
            add_user(s, p["plain"], groups=["care"])
        settings = json.dumps({"port": s.port(), "password": PASSWORD, "people": PEOPLE})
        shots = os.environ.get("SLUIS_SHOTS")
        run = subprocess.run(["node", str(SCRIPT), os.path.abspath(BUILD), settings, *([shots] if shots else [])], capture_output=True, text=True, timeout=600)
        assert run.returncode == 0, run.stdout + run.stderr
        found = {(line["lang"], line["name"]): line for line in map(json.loads, run.stdout.splitlines())}
    finally:
        world.close()
    return found


@pytest.mark.parametrize("lang", PEOPLE)
@pytest.mark.parametrize("step", STEPS)
def test_portal(outcome, lang, step):
    assert (lang, step) in outcome, f"not run: {step}: see what failed before it"
    assert outcome[lang, step]["failure"] is None, outcome[lang, step]["failure"]


def test_every_page_was_looked_at(outcome):
    assert len(STEPS) > 20 and max(line["looked"] for line in outcome.values()) >= 44
