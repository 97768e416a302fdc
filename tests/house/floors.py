#!/usr/bin/env python3
"""The house rules that a compiler does not check: arrows between rooms run down only (src/FLOORS), private
headers stay at home, thing.c includes thing.h first, no file of src/ has more than 800 lines."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
src = root / "src"
floors = [line for line in (src / "FLOORS").read_text().split("\n") if line and not line.startswith("#")]
bad = []
for path in sorted(src.rglob("*.[ch]")):
    room = path.relative_to(src).parts[0]
    if room not in floors:
        bad.append(f"{path.relative_to(root)}: room {room} is not in src/FLOORS")
        continue
    text = path.read_text()
    includes = re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M)
    for inc in includes:
        other = inc.split("/")[0]
        if "/" not in inc:
            bad.append(f'{path.relative_to(root)}: write #include "room/thing.h", not "{inc}"')
        elif other not in floors or floors.index(other) > floors.index(room):
            bad.append(f"{path.relative_to(root)}: includes {inc}, which is not on a lower floor")
        elif inc.endswith("_priv.h") and other != room:
            bad.append(f"{path.relative_to(root)}: {inc} is private to {other}")
    own = path.with_suffix(".h")
    if path.suffix == ".c" and own.exists() and (not includes or includes[0] != str(own.relative_to(src))):
        bad.append(f"{path.relative_to(root)}: include {own.relative_to(src)} first")
    if text.count("\n") > 800:
        bad.append(f"{path.relative_to(root)}: {text.count(chr(10))} lines; a second room may be hiding")
for line in bad:
    print(line)
print(f"{len(bad)} broken house rules")
sys.exit(1 if bad else 0)
