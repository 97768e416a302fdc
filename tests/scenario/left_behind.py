"""What tests used that nobody else may know, and the search for it in all that Sluis wrote: when a world ends, every log, ledger, export and alert of
it is read. So each world that a run has is searched, in whatever process it ran."""
import base64
import os
import re
import urllib.parse

LEAST = 8  # shorter ones are in logs by chance
NEWLINE = b"\n"
# What nobody noted, as what a real browser got: a cookie of ours with its value, and a signed token.
SHAPES = {"a cookie of ours": re.compile(rb"__Host-sluis-[a-z]+=[A-Za-z0-9_-]{43}"), "a signed token": re.compile(rb"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.")}
known, noted = {}, 0  # by secret: what it is, which test used it last, and when, in secrets


def note(secret, what):
    """secret was used now; what it is, for who reads that it was found."""
    global noted
    if len(secret) < LEAST:
        return
    noted += 1
    known[secret] = (what, os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0], noted)


def forms(secret):
    """As it may stand in a file: as it is, in a URL or a form, in JSON; tokens also as octets."""
    out = {secret.encode(), urllib.parse.quote_plus(secret).encode(), urllib.parse.quote(secret, safe="").encode(),
           secret.replace("\\", "\\\\").replace('"', '\\"').encode()}
    if re.fullmatch(r"[A-Za-z0-9_-]{43}", secret):
        out.add(base64.urlsafe_b64decode(secret + "="))
    return out


def written(s):
    """The files that this Sluis made; its configuration is the test's."""
    tops = {s.dir, s.config["state_dir"]}
    files = {os.path.join(top, f) for t in tops for top, _, names in os.walk(t) for f in names}
    files.update(p for p in (s.process.log_path, *s.config["log"].values()) if isinstance(p, str))
    return sorted(f for f in files if os.path.isfile(f) and not os.path.islink(f) and f != s.file)


def search(world):
    """What was found: file, line, which secret, and the test that used it; not the secret, for this is a log too."""
    secrets = [(octets, what, test) for secret, (what, test, at) in known.items() if at > world.noted for octets in forms(secret)]
    found = []
    gateways = [s for s in world.sluis if "gateway" in s.config]
    for path in sorted({f for s in (world.sluis if secrets else gateways) for f in written(s)}):
        with open(path, "rb") as f:
            data = f.read()
        for octets, what, test in secrets:
            at = data.find(octets)
            if at >= 0:
                found.append(f"{path}:{data.count(NEWLINE, 0, at) + 1}: {what}, used in {test}")
        for what, how in SHAPES.items():
            if at := how.search(data):
                found.append(f"{path}:{data.count(NEWLINE, 0, at.start()) + 1}: {what}")
    return sorted(set(found))
