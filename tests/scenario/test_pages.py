"""The portal's pages as somebody meets them: each parses and holds together as HTML, and a browser that looks at them with the policy they are
sent with finds nothing wrong (axe-core; no sideways scrolling at 320 px and at 200 %; every control by keyboard)."""
import html.parser
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUIS_BUILD", ROOT / "build-test"))
BROWSER = ROOT / "tests/browser"
VOID = {"meta", "link", "input", "img", "br"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    subprocess.run([BUILD / "tests/preview", folder], check=True, env={**os.environ, "TZ": "Europe/Amsterdam"}, timeout=60)
    return folder


@pytest.fixture(scope="module")
def modules():
    """node_modules of tests/browser/package.json, beside the build: installed once for each lock."""
    lock = (BROWSER / "package-lock.json").read_bytes()
    place = BUILD / "browser"
    mark = place / "installed.lock"
    if not (mark.exists() and mark.read_bytes() == lock and (place / "node_modules/axe-core").is_dir()):
        npm = shutil.which("npm")
        assert npm, "npm is missing: install it (./dev test does)"
        place.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(BROWSER / name, place / name)
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=place, check=True, timeout=300)
        mark.write_bytes(lock)
    return place


class Page(html.parser.HTMLParser):
    """Holds a page against what all pages promise; what is wrong is in self.bad."""

    def __init__(self, text):
        super().__init__()
        self.bad, self.open, self.ids, self.labels, self.named, self.fields, self.headings, self.mains = [], [], [], set(), set(), [], [], 0
        self.forms = []
        self.feed(text)
        self.close()
        self.bad += [f"<{tag}> is not closed" for tag in self.open]
        self.bad += [f"id {i} is there twice" for i in set(self.ids) if self.ids.count(i) > 1]
        self.bad += [f"a field has no label: {f}" for f in self.fields if f not in self.labels]
        self.bad += [f"nothing has the id {i}" for i in self.named | self.labels if i not in self.ids]
        if self.headings.count("h1") != 1 or self.headings[0] != "h1" or self.mains != 1:
            self.bad.append(f"headings {self.headings}, {self.mains} main")

    def handle_starttag(self, tag, attrs):
        names = [n for n, _ in attrs]
        a = dict(attrs)
        if len(set(names)) != len(names):
            self.bad.append(f"<{tag}> has an attribute twice: {names}")
        if any(n == "style" or n.startswith("on") for n in names) or tag in ("style", "iframe", "object", "base"):
            self.bad.append(f"inline: <{tag} {names}>")
        if tag == "script" and not (a.get("src", "").startswith("/-/") and "defer" in a):
            self.bad.append("a script that is not a file of ours")
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "label":
            self.labels.add(a["for"])
        if tag in ("input", "select") and a.get("type") != "hidden" and a.get("aria-hidden") != "true":
            self.fields.append(a.get("id"))
            if tag == "input" and "autocomplete" not in a:
                self.bad.append(f"a field without autocomplete: {a}")
        if tag == "img" and "alt" not in a:
            self.bad.append("a picture without alt")
        self.named.update(a.get("aria-describedby", "").split())
        if tag == "form":
            self.forms.append([a.get("method"), a.get("action"), set()])
        if tag == "input" and a.get("type") == "hidden" and self.forms:
            self.forms[-1][2].add(a["name"])
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        self.mains += tag == "main"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.bad.append(f"</{tag}> closes {self.open[-3:]}")
        else:
            self.open.pop()


def test_structure(folder):
    bad, pages = [], sorted(folder.rglob("*.html"))
    for file in pages:
        text = file.read_text()
        page = Page(text)
        bad += [f"{file.relative_to(folder)}: {line}" for line in page.bad]
        for method, action, hidden in page.forms:
            if method == "post" and "csrf" not in hidden and "form-kept" not in file.name:  # that one is the app's own
                bad.append(f"{file.name}: the form to {action} has no csrf")
        if "role=\"alert\"" in text and not ("<title>Error: " in text or "<title>Fout: " in text):
            bad.append(f"{file.name}: an error that its title does not begin with")
    assert bad == []
    assert len(pages) >= 100


def test_in_a_browser(folder, modules):
    for tool in ("node", "/usr/bin/chromium"):
        assert shutil.which(tool), f"{tool} is missing: install it (./dev test does)"
    run = subprocess.run(["node", BROWSER / "pages.mjs", folder, modules], capture_output=True, text=True, timeout=1500)
    print(run.stdout, run.stderr)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
