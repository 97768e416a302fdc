"""Every indicator against what is almost it: each entry's own hits, disguised in every way in which a request can be written, are found; with
one letter changed, or with another status, rights or time, they are not. One hunt over one archive with all of it."""
import io
import json
import os
import re
import subprocess
import tarfile

import pytest
import yaml

from harness import RELEASE, ROOT

METHODS = ["GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "QUUX"]
STATUSES = ["200", "206", "301", "302", "304", "400", "401", "403", "404", "500", "503"]
MTIME = 1579046400  # 2020-01-15
ACCESS = "collector/var/log/httpaccess.log"
LINE = re.compile(r'^(?P<client>\S+) (?:-> \S+ )?- - (?P<at>\[[^]]*\]) (?:\[\d+\] )?"(?P<method>\S+) (?P<target>\S+) (?P<version>\S+)" '
                  r'(?P<status>\d+) (?P<size>\S+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"')


def entries():
    for name in sorted(os.listdir(os.path.join(ROOT, "rules/hunt"))):
        with open(os.path.join(ROOT, "rules/hunt", name), encoding="utf-8") as f:
            for e in yaml.load(f, yaml.BaseLoader)["entries"]:
                if "own" not in e:
                    yield e


def texts(value):
    return value if isinstance(value, list) else [value]


def request(fields, form, **other):
    """The line in one of the appliance's log formats (src/hunt/weblog.h)."""
    f = dict(fields, **other)
    front = {"headers": "{client} -> 192.0.2.10 - - {at} [4242]", "resptime": "{client} - - {at} [4242]", "combined": "{client} - - {at}"}[form]
    line = (front + ' "{method} {target} {version}" {status} {size} "{referer}" "{agent}"').format(**f)
    return line if form == "combined" else line + ' "Time: 90 microsecs"'


FORMS = ["combined", "resptime", "headers"]


def targets(target, words):
    """The same target, written otherwise."""
    path, mark, query = target.partition("?")
    behind = mark + query
    yield target
    yield target.lower()
    yield target.upper()
    yield "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(target))
    for origin in ("http://gw.example.org", "HTTPS://GW.example.org:443"):
        yield origin + target
    for segment in ("/./", "//", "/x/../", "/%2e/", "/x/%2E%2e/", "/.//x/.././"):
        yield path.replace("/", segment) + behind
    # "%" that is written already stays: the letters around it are encoded
    for how in ("%%%02x", "%%%02X", "%%25%02x", "%%25%02X", "%%2525%02x", "\\x%02x"):
        spans = [m.span() for w in words for m in re.finditer(re.escape(w), path, re.I)]
        for begin, end in spans:
            for i in range(begin, end):
                yield path[:i] + how % ord(path[i]) + path[i + 1:] + behind
            yield path[:begin] + "".join(how % ord(c) for c in path[begin:end]) + path[end:] + behind
        if "%" not in path:
            yield "".join(how % ord(c) if c.isalnum() else c for c in path) + behind
            yield "/" + "".join(how % ord(c) for c in path[1:]) + behind


def changed(text, at):
    c = text[at]
    return text[:at] + (chr(ord(c) - 1) if c in "zZ9" else chr(ord(c) + 1)) + text[at + 1:]


def near(target, word):
    """The word with one letter changed, wherever it stands."""
    for i, c in enumerate(word):
        if c.isalpha():
            yield re.sub(re.escape(word), changed(word.lower(), i), target, flags=re.I)


class Logs:
    """Lines of the access log and members of the archive, with what must be found and what must not."""

    def __init__(self):
        self.lines, self.wanted, self.unwanted, self.members, self.each = {}, {}, {}, [], []

    def add(self, log, line, rule, want):
        lines = self.lines.setdefault(log, [])
        lines.append(line)
        (self.wanted if want else self.unwanted)[rule, log, len(lines)] = line

    def member(self, rule, test, path, content, want):
        """want None: its caller says."""
        name = f"m{len(self.members)}{path}"
        self.members.append((name, test, content))
        if want is not None:
            (self.wanted if want else self.unwanted)[rule, name, None] = str(test)
        return rule, name, None

    def archive(self, path):
        with tarfile.open(path, "w") as t:
            for log, lines in self.lines.items():
                self.put(t, log, {}, "\n".join(lines).encode("latin-1") + b"\n")
            for name, test, content in self.members:
                self.put(t, name, test, content)

    @staticmethod
    def put(t, name, test, content):
        info = tarfile.TarInfo(name)
        info.mode, info.uid = int(test.get("mode", "0444"), 8), int(test.get("owner", "0"))
        info.mtime = int(test.get("mtime_s", MTIME))
        info.type = {"symlink": tarfile.SYMTYPE, "directory": tarfile.DIRTYPE}.get(test.get("type"), tarfile.REGTYPE)
        info.linkname = test.get("link", "")
        info.size = len(content) if info.type == tarfile.REGTYPE else 0
        t.addfile(info, io.BytesIO(content))


def add_access(logs, e):
    words, status = texts(e["words"]), e.get("status", [])
    methods = METHODS if "method" not in e["match"] else None
    for n, hit in enumerate(e["tests"]["hits"]):
        f = LINE.match(hit).groupdict()
        for i, target in enumerate(targets(f["target"], words)):
            for k, form in enumerate(FORMS):
                method = methods[(n + i + k) % len(methods)] if methods else f["method"]
                logs.add(ACCESS, request(f, form, target=target, method=method, version=f"HTTP/1.{(i + k) % 2}"), e["id"], True)
        for method in methods or []:
            for version in ("HTTP/1.0", "HTTP/1.1", "HTTP/2.0"):
                logs.add(ACCESS, request(f, FORMS[n % 3], method=method, version=version), e["id"], True)
        for s in status:
            logs.add(ACCESS, request(f, FORMS[n % 3], status=s), e["id"], True)
        if "%" not in f["target"]:
            for word in words:
                for target in near(f["target"], word):
                    logs.add(ACCESS, request(f, FORMS[n % 3], target=target), e["id"], False)
        for s in set(STATUSES) - set(status) if status else ():
            logs.add(ACCESS, request(f, FORMS[n % 3], status=s), e["id"], False)
        if "path" in e["match"]:
            for target in ("/index.html?x=" + f["target"], "/index.html?" + f["target"].replace("/", "%2f"), "http://gw.example.org/?a=b&" + f["target"]):
                logs.add(ACCESS, request(f, FORMS[n % 3], target=target), e["id"], False)
            logs.add(ACCESS, request(f, "resptime", target="/index.html", referer="https://gw.example.org" + f["target"]), e["id"], False)


def letters(text):
    return [i for i, c in enumerate(text) if c.isascii() and c.isalnum()]


LOGS = {}


def log_of(name):
    if not LOGS:
        with open(os.path.join(ROOT, "rules/layout/netscaler.yaml")) as f:
            LOGS.update({x["name"]: "collector" + x["example"] for x in yaml.load(f, yaml.BaseLoader)["logs"]})
    return LOGS[name]


def add_line(logs, e):
    """In each of its logs the hit is found; some letter of it matters."""
    for hit in e["tests"]["hits"]:
        if "\n" in hit:
            continue
        for name in e["logs"]:
            log = log_of(name)
            logs.add(log, hit, e["id"], True)
        keys = []
        for i in letters(hit):
            logs.lines[log].append(changed(hit, i))
            keys.append((e["id"], log, len(logs.lines[log])))
        logs.each.append((e["id"], hit, keys))


def add_file(logs, e):
    for test in e["tests"]["hits"]:
        if "birth" in test or "size" in test:
            continue  # a tar archive knows no birth
        path, test = test["path"], dict(test)
        content = bytes.fromhex(test["hex"]) if "hex" in test else test.get("content", "").encode("latin-1")
        if "mtime" in test:
            test["mtime_s"] = MTIME + 10 * 365 * 86400
        logs.member(e["id"], test, path, content, True)
        if e["kind"] == "file" and "mode" not in e and "owner" not in e:  # the others look at whole folders
            keys = [logs.member(e["id"], test, changed(path, i), content, None) for i in letters(path)]
            logs.each.append((e["id"], path, keys))
        if "newer" in e:
            logs.member(e["id"], dict(test, mtime_s=1000000000), path, content, False)
        if "mode" in e:
            is_rights = {"any": "0000", "none": "7777", "is": "0700"}
            logs.member(e["id"], dict(test, mode=next(is_rights[k] for k in e["mode"])), path, content, False)
        if "owner" in e:
            logs.member(e["id"], dict(test, owner="4711"), path, content, False)
        if e["kind"] == "content" and "hex" not in test:
            text = test["content"]
            keys = [logs.member(e["id"], test, path, changed(text, i).encode("latin-1"), None) for i in letters(text)]
            logs.each.append((e["id"], text, keys))
        elif e["kind"] == "content":
            for i in range(4):  # a file's magic number
                logs.member(e["id"], test, path, content[:i] + bytes([content[i] ^ 1]) + content[i + 1:], False)


@pytest.fixture(scope="module")
def hunted(tmp_path_factory):
    """What was made, and what of it was found: (rule, member, line)."""
    logs, path = Logs(), str(tmp_path_factory.mktemp("mutations") / "bundle.tar")
    for e in entries():
        if e["kind"] == "access" and "part" not in e:
            add_access(logs, e)
        elif e["kind"] == "line":
            add_line(logs, e)
        elif e["kind"] in ("file", "content"):
            add_file(logs, e)
    logs.archive(path)
    r = subprocess.run([os.path.join(RELEASE, "sluis"), "hunt", path, "--json"], capture_output=True, timeout=300)
    assert r.returncode == 1, r.stderr
    found = set()
    for line in r.stdout.decode().splitlines():
        f = json.loads(line)
        if f["event.kind"] == "alert":
            member = f["log.file.path"].split("!", 1)[1]
            found |= {(f["rule.id"], member, f.get("sluis.line")), (f["rule.id"], member, None)}
    return logs, found


def test_every_disguise_is_found(hunted):
    logs, found = hunted
    assert len(logs.wanted) > 3000
    missing = [(k[0], line) for k, line in logs.wanted.items() if k not in found]
    assert not missing, (len(missing), missing[:10])


def test_what_is_almost_it_is_not_found(hunted):
    logs, found = hunted
    assert len(logs.unwanted) > 250
    too_many = [(k[0], line) for k, line in logs.unwanted.items() if k in found]
    assert not too_many, (len(too_many), too_many[:10])


def test_letters_matter(hunted):
    """An indicator that most of its letters could be changed in finds more than it means."""
    logs, found = hunted
    assert len(logs.each) > 40
    vague = [(rule, hit) for rule, hit, keys in logs.each if sum(k not in found for k in keys) < min(3, len(keys))]
    assert not vague, vague
