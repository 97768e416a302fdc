#!/usr/bin/env python3
"""Every event.reason that the sources can write has its row in docs/operating.md, and so has every field of the access
log. Run from the root of the repository."""
import pathlib
import re
import sys

WORD = r'"([a-z][a-z0-9]*(?:[-.][a-z0-9.]+)*)"'
# Where a reason is named: refuse(..., "x"), exchange_refuse(..., "x"), client_bad_request(..., "x" : "y"), why = "x".
CALLS = re.compile(r'\b(?:\w*refuse|client_bad_request)\(([^;]*)\)', re.S)
NAMES = re.compile(r'(?:\*why|\bwhy->reason|->refusal|\bhidden|\breason)\s*=\s*([^;]*);', re.S)


def reasons():
    found = {}
    for path in [*pathlib.Path("src/http1").glob("*.c"), pathlib.Path("src/http/canon.c"), *pathlib.Path("src/proxy").glob("*.c")]:
        text = path.read_text()
        places = [m.group(1) for m in CALLS.finditer(text)] + [m.group(1) for m in NAMES.finditer(text)]
        if path.name in ("canon.c", "fields.c"):
            places += re.findall(r'\breturn\s+("[^;]*);', text)
        for place in places:
            for word in re.findall(WORD, place):
                found.setdefault(word, path)
    return found


def rows(text, heading):
    part = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return {name for line in part.splitlines() if line.startswith("| `") for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


page = pathlib.Path("docs/operating.md").read_text()
bad = []
written = reasons()
assert len(written) > 50, "the sources do not name their reasons as they did: mend this test"
told = rows(page, "Why Sluis answered itself: event.reason")
bad += [f"{written[w]}: the reason {w} has no row in docs/operating.md" for w in sorted(set(written) - told)]
log = pathlib.Path("src/proxy/access_log.c").read_text()
fields = set(re.findall(r'[{,]\\"([@a-z_.]+)\\":', log))
assert len(fields) > 20, "the access log does not name its fields as it did: mend this test"
told = rows(page, "The access log")
bad += [f"src/proxy/access_log.c: the field {w} has no row in docs/operating.md" for w in sorted(fields - told)]
print("\n".join(bad))
sys.exit(1 if bad else 0)
